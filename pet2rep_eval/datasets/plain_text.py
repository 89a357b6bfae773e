"""A folder of .txt files, one report each, or a single one; the name without suffix is the study id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pet2rep_eval.datasets.encoding import read_text
from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import Reader, Source
from pet2rep_eval.errors import InputError


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(f for f in path.iterdir() if f.suffix.lower() == ".txt" and not f.name.startswith("."))


def records(source: Source) -> Iterator[Record]:
    """One record a file, sorted by name; an empty file is an empty report."""
    files = _files(source.path)
    if not files:
        others = sorted(f.name for f in source.path.iterdir())
        held = (
            f"it holds {', '.join(others[:5])}" + (", …" if len(others) > 5 else "")
            if others
            else "it is empty"
        )
        raise InputError(
            f"the folder has no .txt files, {held}",
            path=source.path,
            remedy="Give a folder with one .txt file for each study, or the data file itself.",
        )
    for number, file in enumerate(files, 1):
        try:
            text = read_text(file)
        except InputError:
            yield Record(number, {"id": file.stem}, f"{file.name} is neither UTF-8 nor GB18030")
            continue
        yield Record(number, {"id": file.stem, "text": text.replace("\r\n", "\n")})


READER = Reader(
    "text",
    lambda source: source.kind == "text",
    records,
    ids=("id",),
    predictions=("text",),
    references=("text",),
)
