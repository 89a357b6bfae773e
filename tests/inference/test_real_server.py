"""``openai:`` against ``transformers serve`` with a real architecture, without and with faults in between."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pet2rep_eval.inference import Decoding, create_backend, generate, read_prompts
from tests.inference.chat_server import chat_server
from tests.inference.studies import rows, write_studies

SHORT = Decoding(max_new_tokens=12)


@pytest.fixture(scope="module")
def server(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """Address of the running server and the model's folder."""
    pytest.importorskip("fastapi", reason="needs transformers[serving]")
    model, folder = tiny_model("llava"), tmp_path_factory.mktemp("serve")
    (folder / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    environment = os.environ | {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", model, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            for _ in range(900):
                if process.poll() is not None:
                    raise RuntimeError((folder / "log").read_text(encoding="utf-8")[-2000:])
                try:
                    httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1", model
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("pictures", [3, 6])
def test_a_real_server_says_what_the_model_says(
    server: tuple[str, Path], tmp_path: Path, pictures: int
) -> None:
    url, model = server
    prompts = read_prompts(write_studies(tmp_path, 5, pictures))
    options = {"base_url": url, "concurrency": 3}
    report = generate(prompts, create_backend(f"openai:{model}", SHORT, options), tmp_path / "served.jsonl")
    generate(prompts, create_backend(f"transformers:{model}", SHORT), tmp_path / "local.jsonl")
    assert (report.generated, report.failures) == (5, {})
    served, local = rows(tmp_path / "served.jsonl"), rows(tmp_path / "local.jsonl")
    for key in ("subject_id", "llm_output"):
        assert [row[key] for row in served] == [row[key] for row in local]
    for key in ("tokens_in", "tokens_out", "finish_reason", "request"):
        assert [row["provenance"][key] for row in served] == [row["provenance"][key] for row in local]


def test_faults_before_a_real_server_cost_tries_and_no_study(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, model = server
    prompts = read_prompts(write_studies(tmp_path, 8))
    faults = {
        "study-000": ["429", "ok"],
        "study-001": ["500", "503", "ok"],
        "study-002": ["hang", "ok"],
        "study-003": ["cut", "ok"],
        "study-004": ["garbled", "ok"],
        "study-005": ["cut", "garbled", "429", "500"],
        "study-006": ["400"],
    }
    with chat_server(faults, upstream=url) as between:
        options = {"base_url": between.url, "retries": 3, "backoff": 0.01, "timeout": 5.0}
        report = generate(prompts, create_backend(f"openai:{model}", SHORT, options), tmp_path / "out.jsonl")
    assert {row["subject_id"] for row in rows(tmp_path / "out.jsonl")} == {
        f"study-00{i}" for i in (0, 1, 2, 3, 4, 7)
    }
    assert report.failures == {
        "study-005": "HTTP 500: scripted, 4 tries",
        "study-006": "HTTP 400: scripted",
    }
    generate(prompts, create_backend(f"openai:{model}", SHORT, {"base_url": url}), tmp_path / "whole.jsonl")
    whole = {row["subject_id"]: row["llm_output"] for row in rows(tmp_path / "whole.jsonl")}
    assert all(row["llm_output"] == whole[row["subject_id"]] for row in rows(tmp_path / "out.jsonl"))


def test_a_picture_that_the_server_cannot_read_is_a_reason(server: tuple[str, Path], tmp_path: Path) -> None:
    url, model = server
    prompts = read_prompts(write_studies(tmp_path, 1))
    for image in prompts[0].images:
        image.write_bytes(b"no picture")
    options = {"base_url": url, "retries": 1, "backoff": 0.01}
    report = generate(prompts, create_backend(f"openai:{model}", SHORT, options), tmp_path / "out.jsonl")
    # the server answers with a bare 500, or under load drops the connection
    assert report.failures["study-000"].endswith(", 2 tries")
    assert report.generated == 0
