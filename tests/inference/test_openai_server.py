"""``openai:`` against a real server on loopback: requests, faults, limits, secrets."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.errors import InputError
from pet2rep_eval.inference import Completion, Decoding, Prompt, create_backend, generate, read_prompts
from pet2rep_eval.inference.limits import Budget, backoff, retry_after
from pet2rep_eval.inference.secrets import Secret, read_key
from tests.inference.chat_server import ChatServer, chat_server
from tests.inference.studies import SYSTEM, rows, write_studies

KEY = "sk-Secret0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _no_keys_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def studies(folder: Path, count: int, pictures: int = 3) -> tuple[Prompt, ...]:
    return read_prompts(write_studies(folder, count, pictures))


def ask(
    server: ChatServer, prompts: tuple[Prompt, ...], decoding: Decoding | None = None, **options: object
) -> dict[str, Completion]:
    settings = {"base_url": server.url, "backoff": 0.01, "timeout": 5.0, "retries": 2} | options
    backend = create_backend("openai:mine", decoding or Decoding(), settings)
    return {c.study_id: c for c in backend.generate(prompts)}


@pytest.mark.parametrize("pictures", [3, 6])
def test_a_request_holds_pictures_text_and_decoding(tmp_path: Path, pictures: int) -> None:
    prompts = studies(tmp_path, 1, pictures)
    decoding = Decoding(
        seed=5, temperature=0.7, top_k=50, top_p=0.9, repetition_penalty=1.05, max_new_tokens=99
    )
    with chat_server({}) as server:
        found = ask(server, prompts, decoding)["study-000"]
    (body,) = server.requests
    system, user = body.pop("messages")
    assert system == {"role": "system", "content": SYSTEM}
    sent = [
        base64.b64decode(part["image_url"]["url"].removeprefix("data:image/png;base64,"))
        for part in user["content"][:-1]
    ]
    assert sent == [image.read_bytes() for image in prompts[0].images]
    assert user["content"][-1] == {"type": "text", "text": "请根据图像书写报告。病例0。"}
    settings = {
        "seed": 5,
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.9,
        "repetition_penalty": 1.05,
        "max_tokens": 99,
    }
    assert body == {"model": "mine", "stream": False, **settings}
    assert (found.text, found.finish) == ("study-000：肝脏FDG摄取增高", "stop")
    assert (found.tokens_in, found.tokens_out, found.attempts) == (50, 10, 1)


def test_greedy_requests_hold_nothing_that_a_strict_server_refuses(tmp_path: Path) -> None:
    with chat_server({}) as server:
        ask(server, studies(tmp_path, 1, 0), token_limit_field="max_completion_tokens")
    (body,) = server.requests
    assert set(body) == {"model", "messages", "temperature", "seed", "stream", "max_completion_tokens"}
    assert isinstance(body["messages"][1]["content"], str)
    assert "<image>" not in body["messages"][1]["content"]


@pytest.mark.parametrize(
    "fault", ["429", "500", "503", "408", "cut", "drop", "garbled", "html", "no-choice", "list", "429-after"]
)
def test_what_may_pass_is_tried_again(tmp_path: Path, fault: str) -> None:
    with chat_server({"*": [fault, fault, "ok"]}) as server:
        found = ask(server, studies(tmp_path, 2))
    assert [(c.text is not None, c.attempts) for c in found.values()] == [(True, 3), (True, 3)]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("429", "HTTP 429: scripted, 3 tries"),
        ("500", "HTTP 500: scripted, 3 tries"),
        ("cut", "the connection failed"),
        ("garbled", "no chat completion"),
        ("hang", "no answer within 0.2 s, 3 tries"),
        ("trickle", "no whole answer within 0.2 s, 3 tries"),
    ],
)
def test_what_does_not_pass_gets_a_reason_and_the_others_a_result(
    tmp_path: Path, fault: str, reason: str
) -> None:
    with chat_server({"study-001": [fault], "*": ["ok"]}) as server:
        found = ask(server, studies(tmp_path, 4), timeout=0.2)
    assert {s for s, c in found.items() if c.text is None} == {"study-001"}
    assert reason in found["study-001"].reason
    assert found["study-001"].attempts == 3


def test_a_bad_request_is_not_repeated(tmp_path: Path) -> None:
    with chat_server({"study-000": ["400"]}) as server:
        found = ask(server, studies(tmp_path, 2))
    assert (found["study-000"].reason, found["study-000"].attempts) == ("HTTP 400: scripted", 1)
    assert found["study-001"].text is not None


@pytest.mark.parametrize("code", ["401", "403", "404"])
def test_a_hopeless_refusal_stops_the_run_with_a_reason_for_all(tmp_path: Path, code: str) -> None:
    with chat_server({"*": [code]}) as server:
        found = ask(server, studies(tmp_path, 20), concurrency=1)
    assert len(server.requests) == 1
    assert len(found) == 20
    assert all(f"HTTP {code}" in c.reason for c in found.values())


def test_a_dead_server_stops_the_run_after_some_studies(tmp_path: Path) -> None:
    with chat_server({}) as server:
        pass
    found = ask(server, studies(tmp_path, 30), concurrency=2, give_up_after=4)
    tried = [c for c in found.values() if c.attempts]
    assert len(found) == 30
    assert 4 <= len(tried) <= 6
    assert all("ConnectError" in c.reason for c in found.values())


def test_refusals_and_parts_are_results(tmp_path: Path) -> None:
    with chat_server({"study-000": ["null"], "study-001": ["parts"]}) as server:
        found = ask(server, studies(tmp_path, 2))
    assert [found[s].text for s in ("study-000", "study-001")] == ["I cannot.", "AB"]
    assert found["study-001"].tokens_out is not None


def test_requests_run_at_once_up_to_the_limit(tmp_path: Path) -> None:
    with chat_server({}, delay=0.05) as server:
        ask(server, studies(tmp_path, 16), concurrency=8)
    assert 2 <= server.most_at_once <= 8


def test_the_rate_limit_spaces_requests(tmp_path: Path) -> None:
    with chat_server({}) as server:
        ask(server, studies(tmp_path, 5), requests_per_minute=1200.0)
    assert server.times[-1] - server.times[0] >= 4 * 0.05 - 0.02


def test_retry_after_is_heeded(tmp_path: Path) -> None:
    with chat_server({"*": ["429-after", "ok"]}) as server:
        ask(server, studies(tmp_path, 1))
    assert server.times[1] - server.times[0] >= 0.29


def test_the_token_budget_holds_with_requests_at_once(tmp_path: Path) -> None:
    # 60 tokens a study; 400 hold six, and a seventh could need 50 + 20
    with chat_server({}, delay=0.01) as server:
        found = ask(
            server, studies(tmp_path, 20), Decoding(max_new_tokens=20), token_budget=400, concurrency=4
        )
    spent = sum(c.text is not None for c in found.values())
    assert spent == len(server.requests) <= 6
    assert spent >= 5
    assert {c.reason for c in found.values() if c.text is None} == {"the budget is spent"}


def test_money_is_counted_by_both_prices() -> None:
    budget = Budget(None, 1.0, 1e6, 2e6)  # 1 a prompt token, 2 a generated one
    assert not budget.reserve(1, 0, 1)
    cheap = Budget(None, 10.0, 1e6, 2e6)
    assert cheap.reserve(1, 4, 3)
    cheap.settle(1, 4, 0)
    assert cheap.reserve(2, 1, 1), "what was not used is free again"
    cheap.settle(2, 4, 1)
    assert not cheap.reserve(3, 1, 0), "a prompt is expected to be as long as those before"


def test_backoff_doubles_with_jitter_up_to_a_cap() -> None:
    waits = [backoff(3, 1.0) for _ in range(200)]
    assert 2.0 <= min(waits) < max(waits) <= 4.0
    assert len(set(waits)) > 100
    assert backoff(50, 1.0) <= 60


@pytest.mark.parametrize(("value", "low", "high"), [("2", 2, 2), ("-1", 0, 0), ("1e9", 300, 300)])
def test_retry_after_numbers(value: str, low: float, high: float) -> None:
    seconds = retry_after(value)
    assert seconds is not None
    assert low <= seconds <= high


def test_retry_after_dates_and_nonsense() -> None:
    soon = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 20))
    assert 15 < (retry_after(soon) or 0) <= 20
    assert [retry_after(v) for v in (None, "", "soon", "nan")] == [None] * 4


# ------------------------------------------------------------------ the command line, and secrets


def run(tmp_path: Path, server: ChatServer, *args: str, count: int = 6) -> tuple[int, str]:
    prompts = write_studies(tmp_path, count)
    options = [
        "--base-url",
        server.url,
        "--retries",
        "1",
        "--timeout",
        "1",
        "-o",
        str(tmp_path / "out.jsonl"),
        *args,
    ]
    result = CliRunner().invoke(group, ["generate", str(prompts), "--model", "openai:mine", *options])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_every_study_ends_with_a_result_or_a_reason_and_a_second_run_mends(tmp_path: Path) -> None:
    faults = ["429", "500", "cut", "garbled", "hang", "ok"]
    with chat_server({f"study-00{i}": [fault, fault, "ok"] for i, fault in enumerate(faults)}) as server:
        code, said = run(tmp_path, server)
        done = {row["subject_id"] for row in rows(tmp_path / "out.jsonl")}
        log = [
            json.loads(line)
            for line in (tmp_path / "out.failures.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        assert code == 1
        assert done == {"study-005"}
        assert {row["study_id"] for row in log} == {f"study-00{i}" for i in range(5)}
        assert all(row["reason"] for row in log)
        code, said = run(tmp_path, server)
        assert (code, "5 new, 1 were there, 0 failed" in said) == (0, True)
    assert len(rows(tmp_path / "out.jsonl")) == 6


@pytest.mark.parametrize("source", ["environment", "file"])
def test_the_key_is_sent_and_written_nowhere(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if source == "environment":
        monkeypatch.setenv("MY_KEY", KEY)
        option = ["--api-key-env", "MY_KEY"]
    else:
        (tmp_path.parent / f"{tmp_path.name}.key").write_text(KEY + "\n", encoding="utf-8")
        option = ["--api-key-file", str(tmp_path.parent / f"{tmp_path.name}.key")]
    with chat_server({"study-001": ["echo-key"], "*": ["ok"]}, key=KEY) as server:
        code, said = run(tmp_path, server, *option)
    assert code == 1
    assert "you sent Bearer [key]" in said
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for text in (said, caplog.text, written.decode("utf-8", "replace")):
        assert KEY not in text
        assert KEY[:12] not in text


def test_a_wrong_key_that_the_server_repeats_is_blotted_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with chat_server({}, key="another") as server:
        code, said = run(tmp_path, server, "--api-key-env", "MY_KEY")
    assert (code, len(server.requests) <= 4) == (1, True)
    assert "HTTP 401: wrong key: Bearer [key]" in said
    assert KEY not in (tmp_path / "out.failures.jsonl").read_text(encoding="utf-8")


def test_the_common_variable_is_not_sent_to_a_server_named_by_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with chat_server({"*": ["echo-key"]}) as server:
        _, said = run(tmp_path, server, count=1)
        assert "you sent None" in said
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        backend = create_backend("openai:mine", Decoding(), {"retries": 0})
        (found,) = backend.generate(studies(tmp_path, 1))
    assert "you sent Bearer [key]" in found.reason


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(KEY)
    assert KEY not in f"{secret!r} {secret} {[secret]}"
    assert secret.scrub(f"a {KEY} b {KEY[:16]}… c …{KEY[-12:]}") == "a [key] b [key]… c …[key]"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_unusable_keys_are_named_by_their_place_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="MY_KEY holds no key"):
        read_key("MY_KEY", None)
    monkeypatch.setenv("MY_KEY", "sk-two words")
    with pytest.raises(InputError, match="no key") as caught:
        read_key("MY_KEY", None)
    assert "two" not in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        read_key(None, str(tmp_path / "none"))
    assert read_key(None, None, "MY_OTHER_KEY") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no server is named"),
        ({"base_url": "localhost:8000"}, "cannot be read"),
        ({"base_url": "http://me:sk-1@host/v1"}, "must not hold"),
        ({"base_url": "http://host/v1?key=sk-1"}, "must not hold"),
        ({"base_url": "http://host/v1", "budget": 1.0}, "both prices"),
        ({"base_url": "http://host/v1", "concurrency": 0}, "concurrency"),
    ],
)
def test_unusable_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        create_backend("openai:mine", Decoding(), options)
    assert "sk-1" not in str(caught.value)


def test_an_interrupted_run_leaves_no_waiting_thread(tmp_path: Path) -> None:
    prompts = studies(tmp_path, 4)
    began = time.monotonic()
    with chat_server({"study-000": ["ok"], "*": ["hang"]}) as server:
        backend = create_backend("openai:mine", Decoding(), {"base_url": server.url, "timeout": 20.0})
        completions = backend.generate(prompts)
        assert next(completions).study_id == "study-000"
        completions.close()
        assert time.monotonic() - began < 15


def test_resuming_does_not_depend_on_the_servers_address(tmp_path: Path) -> None:
    prompts = studies(tmp_path, 4)
    for count in (2, 4):
        with chat_server({}) as server:
            backend = create_backend("openai:mine", Decoding(), {"base_url": server.url})
            generate(prompts[:count], backend, tmp_path / "out.jsonl")
            assert len(server.requests) == 2
    record = json.loads((tmp_path / "out.run.json").read_text(encoding="utf-8"))
    assert record["sessions"][-1]["environment"]["served_model"] == "served@main"
