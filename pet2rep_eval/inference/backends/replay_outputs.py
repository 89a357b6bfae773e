"""``replay:FILE``: existing outputs, in any format that ``score`` reads, put through the same runner."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.datasets import read_predictions
from pet2rep_eval.errors import InputError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.requests import Completion, Prompt


@dataclass(frozen=True, slots=True)
class Options:
    """No options."""


class ReplayBackend:
    """Gives the texts of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        for row in read_predictions(path, lenient=True).rows:
            if row.problem:
                self._problems[row.study_id] = row.problem
            elif self._texts.setdefault(row.study_id, row.text) != row.text:
                raise InputError(
                    f"the study '{row.study_id}' has two different outputs",
                    path=path,
                    line=row.line,
                    remedy="Keep one.",
                )
        self._hash = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else None

    def settings(self) -> Mapping[str, Any]:
        found = {"model": f"replay:{self._path.name}"}
        return found | ({"sha256": self._hash} if self._hash else {})

    def environment(self) -> Mapping[str, Any]:
        return {}

    def count_tokens(self, text: str) -> int | None:
        return None

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        for prompt in prompts:
            study = prompt.study_id
            text = self._texts.get(study)
            missing = self._problems.get(study, f"no output for this study in {self._path.name}")
            yield Completion(study, text, "" if text is not None else missing)

    def close(self) -> None:
        """Nothing to free."""


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> ReplayBackend:
    """*name* is the path of a file of outputs; decoding plays no part."""
    read_options(Options, "replay", options)
    return ReplayBackend(Path(name))
