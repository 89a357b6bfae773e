"""``replay:FILE``: existing outputs, put through the same runner and provenance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import InputError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.prompt_file import ID_KEYS
from pet2rep_eval.inference.requests import Completion, Prompt

RESULT_ID_KEYS = ("subject_id", *(key for key in ID_KEYS if key != "subject_id"))
TEXT_KEYS = ("llm_output", "prediction", "response", "output", "text")


@dataclass(frozen=True, slots=True)
class Options:
    """No options."""


def result_text(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Study id and text of a result row; None where it has neither. ``llm_output`` may be a list of one."""
    identity = next((row[key] for key in RESULT_ID_KEYS if row.get(key) not in (None, "")), None)
    given = next((row[key] for key in TEXT_KEYS if key in row), None)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(identity, str | int) or not isinstance(given, str):
        return None
    return str(identity), given


def read_results(path: Path) -> dict[str, str]:
    """Study id → text of a JSONL file of results. Raises :class:`InputError` with the line."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"the outputs cannot be read ({error.strerror})", path=path, remedy="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError("the outputs are not UTF-8", path=path, remedy="Save the file as UTF-8.") from error
    texts: dict[str, str] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            row = None
        found = result_text(row) if isinstance(row, dict) else None
        if found is None:
            raise InputError(
                "not a result row",
                path=path,
                line=number,
                remedy="Give a JSON object with 'subject_id' and 'llm_output' (a list of one text).",
            )
        if texts.setdefault(*found) != found[1]:
            raise InputError(
                f"the study '{found[0]}' has two different outputs",
                path=path,
                line=number,
                remedy="Keep one.",
            )
    return texts


class ReplayBackend:
    """Gives the texts of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts = read_results(path)
        self._hash = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def settings(self) -> Mapping[str, Any]:
        return {"model": f"replay:{self._path.name}", "sha256": self._hash}

    def environment(self) -> Mapping[str, Any]:
        return {}

    def count_tokens(self, text: str) -> int | None:
        return None

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        for prompt in prompts:
            text = self._texts.get(prompt.study_id)
            reason = "" if text is not None else f"no output for this study in {self._path.name}"
            yield Completion(prompt.study_id, text, reason)


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> ReplayBackend:
    """*name* is the path of a JSONL result file; decoding plays no part."""
    read_options(Options, "replay", options)
    return ReplayBackend(Path(name))
