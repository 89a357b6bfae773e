"""The journal: whole lines at any moment, a half-written last line repaired, everything else refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pet2rep_eval.errors import InputError
from pet2rep_eval.inference.journal import Journal


def row(study: str) -> dict[str, Any]:
    return {"subject_id": study, "llm_output": [f"肝脏{study}"]}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    with Journal(tmp_path / "out.jsonl") as journal:
        journal.append(row("a"))
        journal.append(row("b"))
    return tmp_path / "out.jsonl"


def test_a_cut_at_every_byte_of_the_last_line_is_repaired(two: Path) -> None:
    content = two.read_bytes()
    first = content.index(b"\n") + 1
    for cut in range(first, len(content)):
        two.write_bytes(content[:cut])
        with Journal(two) as journal:
            whole = cut == len(content) - 1  # only the line feed is missing
            assert journal.repaired == (cut > first)
            assert set(journal.rows) == ({"a", "b"} if whole else {"a"})
            if not whole:
                journal.append(row("b"))
        assert two.read_bytes() == content


def test_zero_bytes_after_a_crash_of_the_machine_are_removed(two: Path) -> None:
    content = two.read_bytes()
    two.write_bytes(content + b"\0" * 50)
    with Journal(two) as journal:
        assert set(journal.rows) == {"a", "b"}
    assert two.read_bytes() == content


def test_a_broken_line_in_the_middle_is_named_and_nothing_changed(two: Path) -> None:
    content = two.read_bytes().replace(b'{"subject_id": "a"', b'{"subject_id" "a"')
    two.write_bytes(content)
    with pytest.raises(InputError, match="line 1"):
        Journal(two)
    assert two.read_bytes() == content


def test_a_study_twice_is_refused(two: Path) -> None:
    with Journal(two) as journal, pytest.raises(ValueError, match="already"):
        journal.append(row("a"))
    two.write_bytes(two.read_bytes() * 2)
    with pytest.raises(InputError, match="line 3: the study 'a' is there twice"):
        Journal(two)


def test_a_second_writer_is_refused(two: Path) -> None:
    with Journal(two), pytest.raises(InputError, match="another run"):
        Journal(two)
    with Journal(two) as journal:
        assert len(journal.rows) == 2


def test_sorting_keeps_all_rows(two: Path) -> None:
    with Journal(two) as journal:
        journal.append(row("c"))
        journal.sort(["b", "a"])
    assert [json.loads(line)["subject_id"] for line in two.read_text(encoding="utf-8").splitlines()] == [
        "b",
        "a",
        "c",
    ]
    assert [p.name for p in two.parent.iterdir()] == ["out.jsonl"]


def test_overwriting_starts_anew_and_a_missing_folder_is_named(two: Path, tmp_path: Path) -> None:
    with Journal(two, overwrite=True) as journal:
        assert journal.rows == {}
    assert two.read_bytes() == b""
    with pytest.raises(InputError, match="Create its folder"):
        Journal(tmp_path / "none" / "out.jsonl")


def test_a_lone_surrogate_does_not_stop_the_run(two: Path) -> None:
    with Journal(two) as journal:
        journal.append({"subject_id": "c", "llm_output": ["a\ud800b"]})
    with Journal(two) as journal:
        assert journal.rows["c"]["llm_output"] == ["a?b"]
