"""``openai:MODEL``: any server that speaks OpenAI's chat completions.

vLLM, SGLang, llama.cpp, ``transformers serve`` and hosted models. Pictures go along as base64. What may pass
by itself (429, 5xx, timeouts, cut connections, garbled answers) is tried again with back-off; what cannot
(a wrong key, an unknown model) stops the run, and every study that is left gets that as its reason.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pet2rep_eval.errors import InputError, MissingExtraError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding, estimated_tokens
from pet2rep_eval.inference.limits import Budget, RateLimit, backoff, retry_after
from pet2rep_eval.inference.requests import Completion, Prompt
from pet2rep_eval.inference.secrets import read_key
from pet2rep_eval.prompts import strip_image_marks

if TYPE_CHECKING:
    import httpx

_AGAIN = {408, 409, 425, 429}
_HOPELESS = {401, 403, 404, 405}
_MIME = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_LARGEST_ANSWER = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Options:
    """Options of ``openai:``."""

    base_url: str | None = None
    """Up to and with ``/v1``; by default the environment variable OPENAI_BASE_URL."""
    api_key_env: str | None = None
    api_key_file: str | None = None
    concurrency: int = 4
    requests_per_minute: float | None = None
    retries: int = 6
    timeout: float = 600.0
    """Seconds for one try, from the first byte sent to the last received."""
    backoff: float = 1.0
    """Seconds before the second try; doubles from there."""
    give_up_after: int = 10
    """Studies that may fail one after another before the run stops."""
    budget: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    token_budget: int | None = None
    token_limit_field: str = "max_tokens"
    """Some hosted models want ``max_completion_tokens``."""


class _PassingError(Exception):
    """A try that failed and may succeed later."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _RefusedError(Exception):
    """A request that will never succeed; *hopeless* if no other will either."""

    def __init__(self, reason: str, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


class OpenAIBackend:
    """Sends prompts to a server, several at once."""

    def __init__(self, model: str, decoding: Decoding, options: Options) -> None:
        self._model, self._decoding, self._options = model, decoding, options
        self._url = _address(options.base_url or os.environ.get("OPENAI_BASE_URL"))
        # The common variable belongs to the common address: a key is not sent to a server named here
        # unless the caller says which key.
        default = None if options.base_url else "OPENAI_API_KEY"
        self._key = read_key(options.api_key_env, options.api_key_file, default)
        if options.budget is not None and (options.price_in is None or options.price_out is None):
            raise InputError("a budget needs both prices", remedy="Give --price-in and --price-out.")
        for name in ("concurrency", "timeout", "backoff", "give_up_after"):
            if not getattr(options, name) > 0:
                raise InputError(f"the option '{name}' must be positive")
        self._served: str | None = None

    def settings(self) -> Mapping[str, Any]:
        return {"model": f"openai:{self._model}", "decoding": self._decoding.settings()}

    def environment(self) -> Mapping[str, Any]:
        return {"server": self._url} | ({"served_model": self._served} if self._served else {})

    def count_tokens(self, text: str) -> int | None:
        return None

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("httpx", "inference") from error
        workers = min(self._options.concurrency, len(prompts))
        headers = {"Authorization": f"Bearer {self._key.reveal()}"} if self._key else {}
        limits = httpx.Limits(max_connections=workers, max_keepalive_connections=workers)
        with httpx.Client(headers=headers, timeout=self._options.timeout, limits=limits) as client:
            crew = _Crew(self, client, prompts)
            crew.start(workers)
            try:
                for _ in prompts:
                    yield crew.next()
            finally:
                crew.stop.set()

    def close(self) -> None:
        """Nothing to free: connections end with the session."""

    def ask(self, client: httpx.Client, prompt: Prompt) -> tuple[str, str | None, int, int]:
        """One try: text, finish reason, tokens in and out. Raises ``_PassingError`` or ``_RefusedError``."""
        import httpx

        try:
            body = self._body(prompt)
        except OSError as error:
            raise _RefusedError(f"a picture cannot be read: {error.strerror}") from error
        deadline = time.monotonic() + self._options.timeout
        try:
            with client.stream("POST", f"{self._url}/chat/completions", json=body) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if time.monotonic() > deadline:
                        raise _PassingError(f"no whole answer within {self._options.timeout:g} s")
                    if len(content) > _LARGEST_ANSWER:
                        raise _RefusedError("the answer is too large")
        except httpx.TimeoutException as error:
            raise _PassingError(f"no answer within {self._options.timeout:g} s") from error
        except httpx.TransportError as error:
            raise _PassingError(
                self._clean(f"the connection failed ({type(error).__name__}: {error})")
            ) from error
        except httpx.HTTPError as error:
            raise _PassingError(self._clean(f"the answer cannot be read ({type(error).__name__})")) from error
        if response.status_code != 200:
            said = self._clean(f"HTTP {response.status_code}: {_message(bytes(content))}")
            if response.status_code in _AGAIN or response.status_code >= 500:
                raise _PassingError(said, retry_after(response.headers.get("retry-after")))
            raise _RefusedError(said, hopeless=response.status_code in _HOPELESS)
        return self._answer(bytes(content), prompt)

    def _clean(self, text: str) -> str:
        return self._key.scrub(text) if self._key else text

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for image in prompt.images:
            kind = _MIME.get(image.suffix.lower(), "image/png")
            data = base64.b64encode(image.read_bytes()).decode("ascii")
            parts.append({"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}})
        user = strip_image_marks(prompt.user)
        parts.append({"type": "text", "text": user})
        messages: list[dict[str, Any]] = [{"role": "user", "content": parts if len(parts) > 1 else user}]
        if prompt.system:
            messages.insert(0, {"role": "system", "content": prompt.system})
        decoding = self._decoding
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "temperature": decoding.temperature,
            "seed": decoding.seed,
            "stream": False,
            self._options.token_limit_field: decoding.max_new_tokens,
        }
        # not in OpenAI's own protocol, hence sent only where they say something
        body |= {"top_p": decoding.top_p} if decoding.top_p != 1 else {}
        body |= {"top_k": decoding.top_k} if decoding.top_k else {}
        return body | (
            {"repetition_penalty": decoding.repetition_penalty} if decoding.repetition_penalty != 1 else {}
        )

    def _answer(self, content: bytes, prompt: Prompt) -> tuple[str, str | None, int, int]:
        try:
            answer = json.loads(content)
            choice = answer["choices"][0]
            message = choice["message"]
            said = message.get("content")
            if isinstance(said, list):
                said = "".join(part.get("text") or "" for part in said)
            text = said if isinstance(said, str) else str(message.get("refusal") or "")
            usage = answer.get("usage") or {}
            finish = choice.get("finish_reason")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _PassingError(f"the answer is no chat completion ({type(error).__name__})") from error
        self._served = str(answer.get("model") or self._model)
        tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
        return (
            self._clean(text),
            finish if isinstance(finish, str) else None,
            tokens_in if isinstance(tokens_in, int) else estimated_tokens(prompt.system + prompt.user),
            tokens_out if isinstance(tokens_out, int) else estimated_tokens(text),
        )


class _Crew:
    """Daemon threads that take prompts and hand back completions; they never outlive the process."""

    def __init__(self, backend: OpenAIBackend, client: httpx.Client, prompts: Sequence[Prompt]) -> None:
        options = backend._options
        self._backend, self._client, self._options = backend, client, options
        self._todo: queue.SimpleQueue[tuple[int, Prompt]] = queue.SimpleQueue()
        for pair in enumerate(prompts):
            self._todo.put(pair)
        self._done: queue.SimpleQueue[Completion | BaseException] = queue.SimpleQueue()
        self._rate = RateLimit(options.requests_per_minute)
        self._budget = Budget(options.token_budget, options.budget, options.price_in, options.price_out)
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._failed_in_a_row = 0
        self._given_up = ""

    def start(self, workers: int) -> None:
        for _ in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def next(self) -> Completion:
        found = self._done.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def _work(self) -> None:
        while not self.stop.is_set():
            try:
                ticket, prompt = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                self._done.put(self._complete(ticket, prompt))
            except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                self._done.put(error)
                return

    def _complete(self, ticket: int, prompt: Prompt) -> Completion:
        if self._given_up:
            return Completion(prompt.study_id, None, self._given_up, attempts=0)
        limit = self._backend._decoding.max_new_tokens
        if not self._budget.reserve(ticket, estimated_tokens(prompt.system + prompt.user), limit):
            return Completion(prompt.study_id, None, "the budget is spent", attempts=0)
        cost = (0, 0)
        began = time.monotonic()
        try:
            completion = self._try(prompt, began)
            cost = (completion.tokens_in or 0, completion.tokens_out or 0)
        finally:
            self._budget.settle(ticket, *cost)
        self._count(completion)
        return completion

    def _try(self, prompt: Prompt, began: float) -> Completion:
        attempt = 0
        while True:
            attempt += 1
            self._rate.wait(self.stop.wait)
            try:
                text, finish, tokens_in, tokens_out = self._backend.ask(self._client, prompt)
            except _RefusedError as error:
                if error.hopeless:
                    self._give_up(f"not asked: the server refuses every request ({error})")
                return Completion(
                    prompt.study_id, None, str(error), seconds=time.monotonic() - began, attempts=attempt
                )
            except _PassingError as error:
                if attempt > self._options.retries or self._given_up or self.stop.is_set():
                    reason = f"{error}, {attempt} tries"
                    return Completion(
                        prompt.study_id, None, reason, seconds=time.monotonic() - began, attempts=attempt
                    )
                wait = backoff(attempt, self._options.backoff)
                self.stop.wait(wait if error.wait is None else max(error.wait, wait))
                continue
            return Completion(
                prompt.study_id,
                text,
                finish=finish,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                seconds=time.monotonic() - began,
                attempts=attempt,
            )

    def _count(self, completion: Completion) -> None:
        with self._lock:
            self._failed_in_a_row = 0 if completion.text is not None else self._failed_in_a_row + 1
            many = self._failed_in_a_row >= self._options.give_up_after
        if many:
            self._give_up(
                f"not asked: {self._options.give_up_after} studies failed in a row ({completion.reason})"
            )

    def _give_up(self, reason: str) -> None:
        with self._lock:
            self._given_up = self._given_up or reason


def _address(base_url: str | None) -> str:
    if not base_url:
        raise InputError(
            "no server is named", remedy="Give --base-url http://HOST:PORT/v1, or set OPENAI_BASE_URL."
        )
    parts = urlsplit(base_url)
    if parts.username or parts.password or parts.query:
        raise InputError(
            "the server's address must not hold a user, a password or a query",
            remedy="Give the key by --api-key-env or --api-key-file.",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "the server's address cannot be read",
            remedy="Write it as http://HOST:PORT/v1 or https://HOST/v1.",
        )
    return base_url.rstrip("/").removesuffix("/chat/completions")


def _message(content: bytes) -> str:
    """What a server says about an error, in one line."""
    text = content[:4000].decode("utf-8", "replace")
    try:
        error = json.loads(content).get("error")
        text = str(error["message"] if isinstance(error, dict) else error or text)
    except (ValueError, LookupError, AttributeError):
        pass
    return " ".join(text.split())[:300] or "no message"


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> OpenAIBackend:
    """*name* is the model's name on the server."""
    if not name:
        raise InputError("'openai:' names no model", remedy="Write openai:MODEL, as the server lists it.")
    return OpenAIBackend(name, decoding, read_options(Options, "openai", options))
