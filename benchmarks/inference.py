"""The runner against a bare ``generate`` loop, batches, and requests at once; a tiny model at random weights.

The model is so small that it hides nothing: with a real one the runner takes a far smaller share.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.reports import Corpus
from pet2rep_eval.inference import Decoding, Prompt, create_backend, generate, read_prompts
from pet2rep_eval.inference.tiny_models import build_tiny_model
from pet2rep_eval.prompts import render_prompt, strip_image_marks

STUDIES, ROUNDS, TOKENS = 200, 5, 256
"""A report has about 700 tokens; fewer make the runner look dearer than it is."""
DECODING = Decoding(max_new_tokens=TOKENS)


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    system, user = render_prompt()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = build_tiny_model("llava", folder / "model", [system, user], seed=1)
        prompts = _prompts(folder, system, user)
        yield from _overhead(model, prompts, folder)
        yield from _batches(model, prompts, folder)
        yield from _requests(model, prompts, folder)


def _prompts(folder: Path, system: str, user: str) -> tuple[Prompt, ...]:
    """Three pictures of the benchmark's size for each study, none shared."""
    import numpy as np
    from PIL import Image

    chance = np.random.default_rng(0)
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for i in range(STUDIES):
            names = [f"{i}-{plane}.jpg" for plane in range(3)]
            for picture in names:
                pixels = chance.integers(0, 255, (27, 25, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
                Image.fromarray(pixels).save(folder / picture)
            row = {"patient_id": f"s{i:03d}", "prompt_system": system, "prompt_user_text": f"{user}\n{i}"}
            row |= {"prompt_image_fuse": names, "answer": "影像所见：未见异常。" * 40}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return read_prompts(folder / "prompts.jsonl")


def _bare(backend: Any, prompts: tuple[Prompt, ...], size: int) -> list[str]:
    """What a script without a runner does: pictures, processor, ``generate``, decode, keep in memory."""
    import torch
    from PIL import Image

    model, processor = backend._model().model, backend._model().processor
    texts: list[str] = []
    for start in range(0, len(prompts), size):
        talks = []
        for prompt in prompts[start : start + size]:
            parts: list[dict[str, Any]] = []
            for path in prompt.images:
                with Image.open(path) as picture:
                    parts.append({"type": "image", "image": picture.convert("RGB")})
            parts.append({"type": "text", "text": strip_image_marks(prompt.user)})
            said = [{"type": "text", "text": prompt.system}]
            talks.append([{"role": "system", "content": said}, {"role": "user", "content": parts}])
        inputs = processor.apply_chat_template(
            talks,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        with torch.inference_mode():
            output = model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS)
        new = output[:, inputs["input_ids"].shape[1] :]
        texts += processor.batch_decode(new, skip_special_tokens=True)
    return texts


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall-clock seconds."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return time.process_time() - cpu, time.monotonic() - wall


def _overhead(model: Path, prompts: tuple[Prompt, ...], folder: Path) -> Iterator[Row]:
    size = 8
    backend = create_backend(f"transformers:{model}", DECODING, {"batch_size": size})
    _bare(backend, prompts[:size], size)  # loads and warms
    bare, ours = [], []
    for n in range(ROUNDS):
        output = folder / f"overhead{n}.jsonl"
        # alternately first, so that a drift of the machine meets both
        for which in (0, 1) if n % 2 else (1, 0):
            if which:
                ours.append(_timed(lambda: generate(prompts, backend, output))[0])  # noqa: B023
            else:
                bare.append(_timed(lambda: _bare(backend, prompts, size))[0])
    ratio = statistics.median(o / b for o, b in zip(ours, bare, strict=True)) - 1
    remark = f"{STUDIES} studies, batches of {size}, {TOKENS} tokens; median of {ROUNDS} interleaved runs"
    yield Row("inference", "bare generate loop", statistics.median(bare), "CPU s", remark)
    yield Row("inference", "the same through the runner", statistics.median(ours), "CPU s", remark)
    yield Row("inference", "the runner's share", 100 * ratio, "%", "synced to disk after every study")
    # by itself, since on a busy machine the difference of two long times is mostly noise
    instant = create_backend("template:zh", DECODING)
    alone = [_timed(lambda: generate(prompts, instant, folder / f"alone{n}.jsonl"))[0] for n in range(ROUNDS)]  # noqa: B023
    own = statistics.median(alone)
    remark = (
        f"with a backend that answers at once: {100 * own / statistics.median(bare):.1f} % of the bare loop"
    )
    yield Row("inference", "the runner alone, a study", 1000 * own / STUDIES, "CPU ms", remark)


def _batches(model: Path, prompts: tuple[Prompt, ...], folder: Path) -> Iterator[Row]:
    for size in (1, 4, 8, 16):
        backend = create_backend(f"transformers:{model}", DECODING, {"batch_size": size})
        list(backend.generate(prompts[:size]))
        output = folder / f"batch{size}.jsonl"
        _, wall = _timed(lambda: generate(prompts, backend, output))  # noqa: B023
        yield Row("inference", f"studies in batches of {size}", STUDIES / wall, "studies/s")


@contextmanager
def _server(model: Path, folder: Path) -> Iterator[str]:
    (folder / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    environment = os.environ | {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [program, "serve", model, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _requests(model: Path, prompts: tuple[Prompt, ...], folder: Path) -> Iterator[Row]:
    if find_spec("fastapi") is None:
        return
    with _server(model, folder) as url:
        for count in (1, 8):
            options = {"base_url": url, "concurrency": count}
            backend = create_backend(f"openai:{model}", DECODING, options)
            list(backend.generate(prompts[:count]))
            output = folder / f"requests{count}.jsonl"
            cpu, wall = _timed(lambda: generate(prompts, backend, output))  # noqa: B023
            remark = f"transformers serve; the client's own CPU {1000 * cpu / STUDIES:.1f} ms a study"
            what = (
                "studies by HTTP, one request at a time"
                if count == 1
                else f"studies by HTTP, {count} at once"
            )
            yield Row("inference", what, STUDIES / wall, "studies/s", remark)
