"""Results by content: a stage's folder is named after all that decides what is in it.

Nothing is ever overwritten or guessed to be fresh: other settings or other files give another folder, and
going back gives the old one again. Folders can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.inference.journal import write_atomically

_WHOLE_BYTES = 2**20
_MARK = "stage.json"


def content_key(stage: str, settings: Mapping[str, Any], files: Iterable[str] = ()) -> str:
    """Twelve hexadecimal digits over a stage's name, settings and the keys of its input files."""
    text = json.dumps([stage, settings, list(files)], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_key(path: Path, read_up_to: int = _WHOLE_BYTES) -> str:
    """What is in a file, or in a folder with everything under it.

    Files of at most *read_up_to* bytes are read. Larger ones (scans, weights) count by size and time of
    change, since reading hundreds of gigabytes would take longer than the stage.
    """
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        status = file.stat()
        digest.update(f"{file.relative_to(path) if file != path else ''}\0{status.st_size}\0".encode())
        if status.st_size <= read_up_to:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            digest.update(str(status.st_mtime_ns).encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Cell:
    """The folder of one stage with one content."""

    root: Path
    stage: str
    key: str

    @property
    def folder(self) -> Path:
        return self.root / self.stage / self.key

    @property
    def done(self) -> bool:
        return (self.folder / _MARK).is_file()

    def finish(self, seconds: float, studies: int, **facts: Any) -> None:
        """Mark the stage as done: the last thing that is written."""
        mark = {
            "stage": self.stage,
            "key": self.key,
            "seconds": round(seconds, 3),
            "studies": studies,
            **facts,
        }
        content = json.dumps(mark, ensure_ascii=False, indent=1, default=str) + "\n"
        write_atomically(self.folder / _MARK, content.encode())

    def seconds_a_study(self) -> float | None:
        """What earlier runs of this stage, with whatever content, took for a study; None before the first."""
        rates = []
        for mark in (self.root / self.stage).glob(f"*/{_MARK}"):
            try:
                facts = json.loads(mark.read_text(encoding="utf-8"))
                rates.append(facts["seconds"] / facts["studies"])
            except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
                continue
        return min(rates, default=None)
