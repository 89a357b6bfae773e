"""``generate`` from the shell: what it says, how it exits, and that a kill loses and repeats nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.template import render_template
from tests.inference.chat_server import chat_server
from tests.inference.studies import rows, write_studies


def invoke(*args: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(group, ["generate", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_template_to_file_and_again(tmp_path: Path) -> None:
    prompts, out = write_studies(tmp_path, 4), tmp_path / "out.jsonl"
    code, said = invoke(prompts, "--model", "template:zh", "-o", out, "--system", "template", "--limit", "3")
    assert (code, "3 new, 0 were there, 0 failed" in said) == (0, True)
    code, said = invoke(prompts, "--model", "template:zh", "-o", out)
    assert "1 new, 3 were there" in said
    assert {row["llm_output"][0] for row in rows(out)} == {render_template("zh")}
    assert rows(out)[0]["provenance"]["system"] == "template"


def test_failures_are_said_and_the_exit_code_is_one(tmp_path: Path) -> None:
    prompts = write_studies(tmp_path, 2)
    code, said = invoke(prompts, "--model", "template:prompt", "-o", tmp_path / "out.jsonl")
    assert code == 1
    assert "First failure: study-000: no template found in the prompt. All are in out.failures.jsonl." in said


def test_quiet_says_nothing(tmp_path: Path) -> None:
    args = [
        "--quiet",
        "generate",
        str(write_studies(tmp_path, 2)),
        "--model",
        "template:zh",
        "-o",
        str(tmp_path / "o.jsonl"),
    ]
    assert CliRunner().invoke(group, args).output == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "template:zh", "--concurrency", "3"], "no option of the backend 'template:'"),
        (["--model", "qwen"], "names no backend"),
        (["--model", "template:zh", "--temperature", "-1"], "temperature"),
    ],
)
def test_bad_usage_is_an_error_with_exit_code_two(tmp_path: Path, args: list[str], message: str) -> None:
    command = [sys.executable, "-m", "pet2rep_eval", "generate", str(write_studies(tmp_path, 1)), *args]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "o.jsonl")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    prompts, out = write_studies(tmp_path, 3), tmp_path / "out.jsonl"
    model = f'command:{sys.executable} -c "{SLOW.format(pause=0.4)}" {{prompts}} {{output}}'
    process = subprocess.Popen(
        [sys.executable, "-m", "pet2rep_eval", "generate", str(prompts), "--model", model, "-o", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_lines(out, 1, process)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert 1 <= len(rows(out)) < 3


SLOW = (
    "import json, sys, time\n"
    "out = open(sys.argv[2], 'a')\n"
    "for line in open(sys.argv[1]):\n"
    "    time.sleep({pause})\n"
    "    row = json.loads(line)\n"
    "    row = dict(subject_id=row['patient_id'], llm_output=[row['patient_id'] * 9])\n"
    "    out.write(json.dumps(row) + chr(10))\n"
    "    out.flush()\n"
)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    # the pause keeps the watcher from taking the processor away
    while lines(path) < count and process.poll() is None:
        time.sleep(0.0005)


def kill_and_resume(tmp_path: Path, model: str, kills: int, studies: int, seed: int, *options: str) -> None:
    """Kill a run *kills* times at random moments, finish it, and compare with an undisturbed one."""
    prompts, out, whole = write_studies(tmp_path, studies), tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    chance = random.Random(seed)
    command = [
        sys.executable,
        "-m",
        "pet2rep_eval",
        "--quiet",
        "generate",
        str(prompts),
        "--model",
        model,
        *options,
    ]
    subprocess.run([*command, "-o", str(whole)], check=True)
    killed = 0
    for n in range(kills):
        left = studies - lines(out)
        process = subprocess.Popen([*command, "-o", str(out)], text=True)
        wait_for_lines(
            out, lines(out) + max(1, round(chance.uniform(0, 2) * left / (kills - n + 1))), process
        )
        time.sleep(chance.uniform(0, 0.003))
        process.kill()
        killed += process.wait() == -9
        assert lines(out) <= studies
    assert killed >= kills / 2, "the run was over before it was killed"
    subprocess.run([*command, "-o", str(out)], check=True)
    assert len(rows(out)) == studies
    assert rows(out) == rows(whole)
    sessions = json.loads((tmp_path / "out.run.json").read_text(encoding="utf-8"))["sessions"]
    assert len(sessions) == kills + 1


COMMAND = f'command:{sys.executable} -c "{SLOW.format(pause=0.004)}" {{prompts}} {{output}}'


@pytest.mark.parametrize("model", ["template:zh", COMMAND], ids=["template", "command"])
def test_three_kills_lose_and_repeat_nothing(tmp_path: Path, model: str) -> None:
    kill_and_resume(tmp_path, model, 3, 200, seed=1)


@pytest.mark.parametrize("seed", range(2))
def test_twenty_kills_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    kill_and_resume(tmp_path, "template:zh", 20, 200, seed)


@pytest.mark.slow
def test_twenty_kills_of_a_real_model_lose_and_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from pet2rep_eval.inference.tiny_models import build_tiny_model

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    model = build_tiny_model("llava", tmp_path / "model", ["请根据图像书写报告。病例0123456789"], seed=1)
    options = ("--max-new-tokens", "16", "--batch-size", "4")
    kill_and_resume(tmp_path, f"transformers:{model}", 20, 200, 7, *options)


def test_a_terminal_shows_a_bar_with_tokens_per_second(tmp_path: Path) -> None:
    prompts = write_studies(tmp_path, 6)
    with chat_server({"study-005": ["400"]}, delay=0.05) as server:
        command = [sys.executable, "-m", "pet2rep_eval", "generate", str(prompts), "--model", "openai:mine"]
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [*command, "--base-url", server.url, "-o", str(tmp_path / "out.jsonl")],
            stderr=theirs,
            env=os.environ | {"COLUMNS": "120", "TERM": "xterm"},
        )
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
        finally:
            os.close(ours)
        assert process.wait(timeout=30) == 1
    assert b"tokens/s" in shown
    assert b"1 failed" in shown
    assert b"6/6" in shown
