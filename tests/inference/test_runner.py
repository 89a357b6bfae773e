"""The runner: provenance, resuming, failures, and what it refuses to mix."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pet2rep_eval.errors import BackendError, InputError
from pet2rep_eval.inference import Completion, Decoding, Prompt, generate, read_prompts
from pet2rep_eval.inference.runner import Progress
from pet2rep_eval.prompts import prompt_hash
from tests.inference.studies import rows, write_studies


class Scripted:
    """Answers as told; stands for a model."""

    def __init__(
        self, answer: Callable[[Prompt], Completion | None], decoding: Decoding | None = None
    ) -> None:
        self.answer, self.decoding = answer, decoding or Decoding()
        self.asked: list[str] = []
        self.closed = False

    def settings(self) -> Mapping[str, Any]:
        return {"model": "scripted", "decoding": self.decoding.settings()}

    def environment(self) -> Mapping[str, Any]:
        return {"device": "paper"}

    def count_tokens(self, text: str) -> int | None:
        return len(text)

    def close(self) -> None:
        """Nothing to free."""

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        try:
            for prompt in prompts:
                self.asked.append(prompt.study_id)
                completion = self.answer(prompt)
                if completion is not None:
                    yield completion
        finally:
            self.closed = True


def echo(prompt: Prompt) -> Completion:
    return Completion(prompt.study_id, f"报告{prompt.study_id}", tokens_in=5, tokens_out=7, finish="stop")


@pytest.fixture
def prompts(tmp_path: Path) -> tuple[Prompt, ...]:
    return read_prompts(write_studies(tmp_path / "in", 6))


def test_rows_are_in_the_official_format_with_provenance(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    report = generate(prompts, Scripted(echo), tmp_path / "out.jsonl", system="mine")
    found = rows(tmp_path / "out.jsonl")
    first = prompts[0]
    assert found[0] == {
        "subject_id": "study-000",
        "llm_output": ["报告study-000"],
        "ground_truth": first.reference,
        "provenance": {
            "system": "mine",
            "settings": report.settings,
            "prompt": prompt_hash(first.system, first.user),
            "request": first.digest(),
            "finish_reason": "stop",
            "tokens_in": 5,
            "tokens_out": 7,
            "version": found[0]["provenance"]["version"],
        },
    }
    assert (report.total, report.generated, report.tokens_in, report.tokens_out) == (6, 6, 30, 42)
    record = json.loads((tmp_path / "out.run.json").read_text(encoding="utf-8"))
    assert record["settings"]["decoding"]["temperature"] == 0
    assert record["sessions"][0]["environment"]["device"] == "paper"
    assert record["sessions"][0]["generated"] == 6


def test_references_can_be_left_out(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    generate(prompts, Scripted(echo), tmp_path / "out.jsonl", with_references=False)
    assert all("ground_truth" not in row for row in rows(tmp_path / "out.jsonl"))


def test_a_second_start_asks_only_for_what_is_missing(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    def breaking(prompt: Prompt) -> Completion:
        if prompt.study_id == "study-003":
            raise BackendError("the model is gone")
        return echo(prompt)

    stopped = Scripted(breaking)
    with pytest.raises(BackendError, match="gone"):
        generate(prompts, stopped, tmp_path / "out.jsonl")
    again = Scripted(echo)
    report = generate(prompts, again, tmp_path / "out.jsonl")
    assert again.asked == ["study-003", "study-004", "study-005"]
    assert (report.resumed, report.generated) == (3, 3)
    generate(prompts, Scripted(echo), tmp_path / "whole.jsonl")
    assert rows(tmp_path / "out.jsonl") == rows(tmp_path / "whole.jsonl")
    idle = Scripted(echo)
    assert generate(prompts, idle, tmp_path / "out.jsonl").generated == 0
    assert idle.asked == []


def test_a_failure_has_a_reason_and_is_tried_again(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    def failing(prompt: Prompt) -> Completion | None:
        if prompt.study_id == "study-001":
            return Completion(prompt.study_id, None, "out of paper", attempts=3)
        return None if prompt.study_id == "study-002" else echo(prompt)

    seen: list[Progress] = []
    report = generate(prompts, Scripted(failing), tmp_path / "out.jsonl", progress=seen.append)
    assert report.failures == {"study-001": "out of paper", "study-002": "the backend gave no answer"}
    assert [row["subject_id"] for row in rows(tmp_path / "out.jsonl")] == [
        "study-000",
        "study-003",
        "study-004",
        "study-005",
    ]
    log = [
        json.loads(line)
        for line in (tmp_path / "out.failures.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [(row["study_id"], row["attempts"]) for row in log] == [("study-001", 3), ("study-002", 1)]
    assert (seen[-1].done, seen[-1].failed, seen[-1].total, seen[-1].tokens_out) == (4, 1, 6, 28)
    assert generate(prompts, Scripted(echo), tmp_path / "out.jsonl").failures == {}
    assert len(rows(tmp_path / "out.jsonl")) == 6


def test_an_empty_text_is_a_result(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    report = generate(prompts[:1], Scripted(lambda p: Completion(p.study_id, "")), tmp_path / "out.jsonl")
    assert report.failures == {}
    assert rows(tmp_path / "out.jsonl")[0]["llm_output"] == [""]


def test_results_of_other_settings_are_not_continued(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    generate(prompts[:2], Scripted(echo), tmp_path / "out.jsonl")
    other = Scripted(echo, Decoding(temperature=0.7))
    with pytest.raises(InputError, match=r"other settings \(decoding.temperature: 0.0, now 0.7\)"):
        generate(prompts, other, tmp_path / "out.jsonl")
    report = generate(prompts, other, tmp_path / "out.jsonl", overwrite=True)
    assert (report.resumed, report.generated) == (0, 6)


def test_results_of_another_prompt_or_picture_are_not_continued(
    prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    generate(prompts, Scripted(echo), tmp_path / "out.jsonl")
    prompts[0].images[0].write_bytes(b"another picture")
    with pytest.raises(InputError, match="another prompt or other pictures"):
        generate(prompts, Scripted(echo), tmp_path / "out.jsonl")


def test_order_on_request(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    for ordered in (False, True):
        path = tmp_path / f"{ordered}.jsonl"
        generate(prompts[::-1], Scripted(echo), path)
        generate(prompts, Scripted(echo), path, ordered=ordered)
        ids = [json.loads(line)["subject_id"] for line in path.read_text(encoding="utf-8").splitlines()]
        assert (ids == [p.study_id for p in prompts]) == ordered


def test_an_answer_nobody_asked_for_stops_the_run(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    backend = Scripted(lambda p: Completion("study-999", "x"))
    with pytest.raises(BackendError, match="study-999"):
        generate(prompts, backend, tmp_path / "out.jsonl")
    assert backend.closed


def test_long_references_and_a_changed_environment_are_told(
    prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    notes: list[str] = []
    short = Decoding(max_new_tokens=10)
    generate(prompts[:2], Scripted(echo, short), tmp_path / "out.jsonl", note=notes.append)
    assert [n.split(";")[0] for n in notes] == [
        "Warning: 2 of 2 references are longer than 10 tokens (the longest has 19)"
    ]
    moved = Scripted(echo, short)
    moved.environment = lambda: {"device": "stone"}  # type: ignore[method-assign]
    report = generate(prompts, moved, tmp_path / "out.jsonl")
    assert any("device paper → stone" in n for n in report.notes)
