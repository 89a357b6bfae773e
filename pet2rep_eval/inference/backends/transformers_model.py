"""``transformers:PATH``: any image-text-to-text model of the transformers library, by folder or hub name."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import BackendError, InputError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.loading import Loaded, Options, fingerprint, load
from pet2rep_eval.inference.processors import first_line
from pet2rep_eval.inference.requests import Completion, Prompt
from pet2rep_eval.inference.sampling import generation_settings, sampler
from pet2rep_eval.prompts import strip_image_marks

log = logging.getLogger("pet2rep_eval.inference")

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")


class TransformersBackend:
    """Generates in batches; the batch is halved where memory does not suffice."""

    def __init__(self, path: str, decoding: Decoding, options: Options) -> None:
        self._path, self._decoding, self._options = path, decoding, options
        self._loaded: Loaded | None = None
        self._fold_system: bool | None = None
        self._batch_size = options.batch_size

    def settings(self) -> Mapping[str, Any]:
        options, folder = self._options, Path(self._path)
        found: dict[str, Any] = {
            "model": f"transformers:{folder.resolve().name if folder.is_dir() else self._path}",
            "fingerprint": fingerprint(folder) if folder.is_dir() else None,
            "decoding": self._decoding.settings(),
            "dtype": options.dtype,
            "attention": options.attention,
            "quantisation": options.quantisation,
        }
        if options.adapter:
            adapter = Path(options.adapter)
            found["adapter"] = f"{adapter.name}:{fingerprint(adapter) if adapter.is_dir() else 'missing'}"
        return {k: v for k, v in found.items() if v is not None}

    def environment(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for package in ("transformers", "torch", "peft"):
            with suppress(PackageNotFoundError):
                found[package] = version(package)
        if self._loaded:
            model = self._loaded.model
            found |= {
                "device": self._loaded.device,
                "dtype": self._loaded.dtype,
                "batch_size": self._batch_size,
            }
            found["attention"] = getattr(model.config, "_attn_implementation", None)
            found["revision"] = getattr(model.config, "_commit_hash", None)
        return {k: v for k, v in found.items() if v is not None}

    def count_tokens(self, text: str) -> int | None:
        tokenizer = self._model().processor.tokenizer
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        self._model()
        start = 0
        while start < len(prompts):
            batch = prompts[start : start + self._batch_size]
            done = self._batch(batch)
            yield from done
            start += len(done)

    def close(self) -> None:
        """Drop the model and give its memory back."""
        if self._loaded is not None:
            self._loaded = None
            _free_memory()

    def _model(self) -> Loaded:
        if self._loaded is None:
            self._loaded = load(self._path, self._options)
        return self._loaded

    def _batch(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Completions of *prompts*, or of the first of them where they do not fit into memory together."""
        while True:
            try:
                return self._generate(prompts)
            except BackendError:
                raise
            except (RuntimeError, ValueError, OSError, LookupError, TypeError) as error:
                full = _is_out_of_memory(error)
                reason = "out of memory" if full else f"{type(error).__name__}: {first_line(error)}"
            # outside the except clause, which would hold on to the tensors of the failed try
            if full:
                _free_memory()
            if len(prompts) == 1:
                reason += " (study by itself)" if full else ""
                return [Completion(prompts[0].study_id, None, reason)]
            if not full:
                # one of them cannot be processed; by itself it will say so
                return [c for prompt in prompts for c in self._batch([prompt])]
            self._batch_size = max(1, len(prompts) // 2)
            log.warning("Out of memory with %d studies: going on with %d.", len(prompts), self._batch_size)
            prompts = prompts[: self._batch_size]

    def _generate(self, prompts: Sequence[Prompt]) -> list[Completion]:
        import torch

        loaded = self._model()
        began = time.monotonic()
        inputs = self._inputs(prompts).to(loaded.model.device)
        for name, tensor in inputs.items():
            if torch.is_tensor(tensor) and torch.is_floating_point(tensor):
                inputs[name] = tensor.to(loaded.model.dtype)
        length = inputs["input_ids"].shape[1]
        settings = generation_settings(self._decoding, loaded.model.generation_config)
        if settings.pad_token_id is None:
            settings.pad_token_id = loaded.processor.tokenizer.pad_token_id
        with torch.inference_mode():
            output = loaded.model.generate(
                **inputs,
                generation_config=settings,
                logits_processor=sampler(self._decoding, [p.study_id for p in prompts], loaded.model.device),
            )
        ends = settings.eos_token_id
        ends = set(ends) if isinstance(ends, list) else {ends}
        seconds = (time.monotonic() - began) / len(prompts)
        sizes = inputs["attention_mask"].sum(dim=1).tolist()
        completions = []
        for prompt, row, tokens_in in zip(prompts, output[:, length:].tolist(), sizes, strict=True):
            stop = next((i for i, token in enumerate(row) if token in ends), None)
            words = row if stop is None else row[:stop]
            text = loaded.processor.tokenizer.decode(words, skip_special_tokens=True)
            completions.append(
                Completion(
                    prompt.study_id,
                    text,
                    finish="length" if stop is None else "stop",
                    tokens_in=int(tokens_in),
                    tokens_out=len(row) if stop is None else stop + 1,
                    seconds=seconds,
                )
            )
        return completions

    def _inputs(self, prompts: Sequence[Prompt]) -> Any:
        processor = self._model().processor
        if self._fold_system is None:
            self._fold_system = self._must_fold(prompts[0])
        conversations = [self._conversation(prompt, self._fold_system) for prompt in prompts]
        return processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _must_fold(self, prompt: Prompt) -> bool:
        """Whether the chat template refuses or drops a system message; it then goes before the user's."""
        from jinja2.exceptions import TemplateError

        processor = self._model().processor
        if not (
            getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
        ):
            raise BackendError(
                f"The model '{self._path}' has no chat template, so nobody knows how it wants its prompts. "
                "Add chat_template.jinja to its folder, or run it by command:."
            )
        if not prompt.system:
            return False
        try:
            shown = processor.apply_chat_template(
                self._conversation(prompt, False), add_generation_prompt=True
            )
        except TemplateError:
            return True
        return prompt.system.strip() not in shown

    def _conversation(self, prompt: Prompt, fold: bool) -> list[dict[str, Any]]:
        from PIL import Image

        parts: list[dict[str, Any]] = []
        for path in prompt.images:
            with Image.open(path) as picture:
                parts.append({"type": "image", "image": picture.convert("RGB")})
        user = strip_image_marks(prompt.user)
        if fold and prompt.system:
            user = f"{prompt.system}\n{user}"
        parts.append({"type": "text", "text": user})
        conversation = [{"role": "user", "content": parts}]
        if prompt.system and not fold:
            system = [{"type": "text", "text": prompt.system}]
            conversation.insert(0, {"role": "system", "content": system})
        return conversation


def _is_out_of_memory(error: BaseException) -> bool:
    # PyTorch's own class is a RuntimeError; on the CPU it is a plain one that says so
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> TransformersBackend:
    """*name* is a folder or a hub name."""
    if not name:
        raise InputError("'transformers:' names no model", remedy="Write transformers:FOLDER or a hub name.")
    looks_local = name.startswith((".", "/", "~")) or name.count("/") > 1
    path = str(Path(name).expanduser()) if looks_local else name
    if looks_local and not Path(path).is_dir():
        raise InputError(
            "the model's folder is not there", path=path, remedy="Name the folder that holds config.json."
        )
    return TransformersBackend(path, decoding, read_options(Options, "transformers", options))
