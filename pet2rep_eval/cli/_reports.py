"""Reports given on the command line, one after the other: files, folders, tables, standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pet2rep_eval.errors import InputError

STDIN = Path("-")
_STDIN_NAME = "<stdin>"


@dataclass(frozen=True, slots=True)
class Report:
    """A text to be read, with what it is called and where it stands."""

    study_id: str
    text: str
    """Exactly as it stands in its file, line ends included; of a table, as it stands in its cell."""
    place: str
    """File, and line in a table."""


@dataclass(frozen=True, slots=True)
class Reports:
    """What a path holds. *single*: the file as a whole is one report."""

    single: bool
    items: Iterator[Report]


def open_reports(path: Path, *, text_column: str | None = None, id_column: str | None = None) -> Reports:
    """The reports of a path: a text file is one, a table or a folder of ``.txt`` holds many.

    ``-`` is standard input: JSON Lines where its first line is an object with a study id, or where a column
    is named; otherwise one report. Texts are read when they are asked for, so that memory stays bounded.
    Raises :class:`InputError` naming file and line.
    """
    if path == STDIN:
        return _standard_input(text_column, id_column)
    from pet2rep_eval.datasets.source import Source

    if path.is_dir():
        if text_column or id_column:
            raise InputError(
                "a folder of .txt files has no columns", path=path, remedy="Leave the column options out."
            )
        return Reports(False, _folder(path))
    source = Source(path)
    named = text_column is not None or id_column is not None
    if source.kind in ("text", "unknown") and not named:
        from pet2rep_eval.datasets.encoding import read_text

        return Reports(True, iter([Report(path.stem, read_text(path), str(path))]))
    return Reports(False, _table(path, text_column, id_column))


def _folder(path: Path) -> Iterator[Report]:
    from pet2rep_eval.datasets.encoding import read_text

    files = sorted(f for f in path.iterdir() if f.suffix.lower() == ".txt" and not f.name.startswith("."))
    if not files:
        raise InputError(
            "the folder has no .txt files",
            path=path,
            remedy="Give a folder with one .txt file for each report.",
        )
    for file in files:
        yield Report(file.stem, read_text(file), str(file))


def _table(path: Path, text_column: str | None, id_column: str | None) -> Iterator[Report]:
    from pet2rep_eval.datasets import iter_reports

    for row in iter_reports(path, text_column=text_column, id_column=id_column):
        yield Report(row.study_id, row.text, f"{path}, line {row.line}")


def _decoded(data: bytes, line: int | None) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(
        "the text is neither UTF-8 nor GB18030", path=_STDIN_NAME, line=line, remedy="Pipe UTF-8 text."
    )


def _object(line: str) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _standard_input(text_column: str | None, id_column: str | None) -> Reports:
    from pet2rep_eval.datasets.source import ID_COLUMNS

    stream = sys.stdin.buffer
    first = stream.readline()
    record = _object(_decoded(first, 1)) if first.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") else None
    named = text_column is not None or id_column is not None
    if named or (record is not None and any(name in record for name in ID_COLUMNS)):
        return Reports(False, _lines(first, text_column, id_column))
    # decoded whole: a character of GB18030 can look like a line end or like UTF-8 when cut
    text = _decoded(first + stream.read(), None)
    if not text.strip():
        raise InputError(
            "there is no text",
            path=_STDIN_NAME,
            remedy="Pipe a report, or name a file: pet2rep-eval parse FILE.",
        )
    return Reports(True, iter([Report("stdin", text, _STDIN_NAME)]))


def _lines(first: bytes, text_column: str | None, id_column: str | None) -> Iterator[Report]:
    from pet2rep_eval.datasets import values
    from pet2rep_eval.datasets.columns import value_of
    from pet2rep_eval.datasets.source import ID_COLUMNS, PREDICTION_COLUMNS, REFERENCE_COLUMNS

    order = ("text", "report", "findings", *PREDICTION_COLUMNS, *REFERENCE_COLUMNS)
    number, raw = 1, first
    while raw:
        if raw.strip():
            fields = _object(_decoded(raw, number))
            if fields is None:
                raise InputError(
                    "the line is not a whole JSON object",
                    path=_STDIN_NAME,
                    line=number,
                    remedy="Mend the line.",
                )
            name = text_column or next((n for n in order if n in fields), None)
            if name is None or value_of(fields, name, missing=...) is ...:
                wanted = f"'{text_column}'" if text_column else "with a text"
                raise InputError(
                    f"there is no column {wanted}; the columns are {', '.join(map(repr, fields)) or 'none'}",
                    path=_STDIN_NAME,
                    line=number,
                    remedy="Name one of them with --text-column.",
                )
            cell = values.texts(value_of(fields, name))
            if cell.problem:
                raise InputError(
                    f"'{name}' cannot be read: {cell.problem}",
                    path=_STDIN_NAME,
                    line=number,
                    remedy="Mend the line.",
                )
            key = id_column or next((n for n in ID_COLUMNS if n in fields), None)
            study = values.study_id(value_of(fields, key)) if key else ""
            text = cell.texts[0] if cell.texts else ""
            yield Report(study or str(number), text, f"{_STDIN_NAME}, line {number}")
        raw = sys.stdin.buffer.readline()
        number += 1
