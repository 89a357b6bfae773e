"""Predictions, references and lists of ids from any file that a reader claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pet2rep_eval.datasets import values
from pet2rep_eval.datasets.columns import choose, value_of
from pet2rep_eval.datasets.encoding import read_text
from pet2rep_eval.datasets.records import Record, References, Row, Submission
from pet2rep_eval.datasets.source import PROMPT_COLUMNS, READERS, READY_COLUMNS, Reader, Source
from pet2rep_eval.errors import InputError

CELL_LIMIT = 32767
"""Characters that a cell of a spreadsheet can hold; programs that write more cut the text without a word."""

PROMPT_LIMIT = 20_000
"""Characters kept of a prompt: image tokens, which may be many, stand before the instructions."""

_LENIENT = "Mend the line, or go past it with --lenient: its study then counts as unreadable or missing."
_MEND = "Mend the line: references are never read past a broken one."


def _open(path: str | Path, reader: str | None) -> tuple[Source, Reader, tuple[str, ...]]:
    """The source, its reader, and the columns that there are."""
    source = Source(path)
    how: Reader = READERS.load(reader) if reader else source.reader
    columns = source.columns_of(how)
    if not columns:
        raise InputError("there are no studies in it", path=path, remedy="Write the reports to it again.")
    return source, how, columns


def _place(source: Source, record: Record) -> int | None:
    """The line to name in a message; files of a folder name themselves."""
    return None if source.kind == "text" else record.line


def _reference_texts(fields: Mapping[str, object], column: str | None) -> tuple[str, ...]:
    cell = values.texts(value_of(fields, column)) if column else values.Value(())
    return tuple(text for text in cell.texts if text.strip())


def read_predictions(
    path: str | Path,
    *,
    system: str | None = None,
    id_column: str | None = None,
    prediction_column: str | None = None,
    reference_column: str | None = None,
    lenient: bool = False,
    reader: str | None = None,
) -> Submission:
    """One system's predictions, with the references and prompts that stand beside them.

    Columns are recognised in the order of the lists in ``source.py`` and can be named. A broken line raises
    :class:`InputError`; with *lenient* it is listed under ``problems``, and its study is kept as unreadable
    where the id can still be seen. Duplicate ids are kept: alignment judges them.
    """
    source, how, columns = _open(path, reader)
    id_name = choose("id", id_column, how.ids, columns, source)
    text_name = choose("prediction", prediction_column, how.predictions, columns, source)
    has_reference = reference_column or any(
        name in columns for name in how.references if name != text_name.name
    )
    reference = (
        choose("reference", reference_column, how.references, columns, source, exclude=text_name.name)
        if has_reference
        else None
    )
    reference_name = reference.name if reference else None
    prompt = next((name for name in PROMPT_COLUMNS if name in columns), None)

    rows: list[Row] = []
    problems: list[str] = []
    several = cut = 0
    for record in how.records(source):
        study = values.study_id(value_of(record.fields, id_name.name))
        cell = values.texts(value_of(record.fields, text_name.name))
        problem = record.problem
        if not problem and not study:
            problem = f"there is no study id in '{id_name.name}'"
        if not problem and value_of(record.fields, text_name.name, missing=...) is ...:
            problem = f"there is no '{text_name.name}'"
        if not problem and cell.problem:
            problem = f"'{text_name.name}' cannot be read: {cell.problem}"
        if problem:
            error = InputError(problem, path=path, line=_place(source, record), remedy=_LENIENT)
            if not lenient:
                raise error
            problems.append(str(error).removesuffix(" " + _LENIENT))
            if study:
                rows.append(
                    Row(
                        study,
                        "",
                        record.line,
                        problem,
                        _reference_texts(record.fields, reference_name),
                    )
                )
            continue
        several += len(cell.texts) > 1
        text = cell.texts[0] if cell.texts else ""
        cut += source.kind == "xlsx" and len(text) >= CELL_LIMIT
        told = value_of(record.fields, prompt) if prompt else None
        rows.append(
            Row(
                study,
                text,
                record.line,
                references=_reference_texts(record.fields, reference_name),
                prompt=told[-PROMPT_LIMIT:] if isinstance(told, str) else "",
            )
        )
    chosen = {c.role: c.name for c in (id_name, text_name, reference) if c}
    notes = ["Columns: " + "; ".join(c.told() for c in (id_name, text_name, reference) if c) + "."]
    if several:
        notes.append(
            f"{several} row(s) of '{text_name.name}' hold several outputs; the first of each is used."
        )
    if cut:
        notes.append(
            f"{cut} prediction(s) fill a cell to its limit of {CELL_LIMIT} characters and may be cut."
        )
    return Submission(
        system or how.system(source.path),
        tuple(rows),
        chosen,
        tuple(notes),
        tuple(problems),
        str(path),
        how.name,
        source.encoding_name,
        "none" if text_name.name in READY_COLUMNS else "default",
    )


def read_references(
    path: str | Path,
    *,
    id_column: str | None = None,
    reference_column: str | None = None,
    reader: str | None = None,
) -> References:
    """Reference reports by study id.

    Raises :class:`InputError` with the line for a broken line, a missing id, an empty report, or an id that
    is there twice.
    """
    source, how, columns = _open(path, reader)
    id_name = choose("id", id_column, how.ids, columns, source, option="--references-id-column")
    text_name = choose("reference", reference_column, how.references, columns, source)
    studies: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    for record in how.records(source):
        study = values.study_id(value_of(record.fields, id_name.name))
        cell = values.texts(value_of(record.fields, text_name.name))
        found = tuple(text for text in cell.texts if text.strip())
        problem, remedy = record.problem, _MEND
        if not problem and not study:
            problem = f"there is no study id in '{id_name.name}'"
        if not problem and cell.problem:
            problem = f"'{text_name.name}' cannot be read: {cell.problem}"
        if not problem and study in studies:
            problem = f"the study id '{study}' is there a second time (first in line {lines[study]})"
            remedy = (
                "Keep one reference for each study; several reports of one study go into one row as a list."
            )
        if not problem and not found:
            problem = f"the reference of study '{study}' is empty"
            remedy = "Give its report or take the study out."
        if problem:
            raise InputError(problem, path=path, line=_place(source, record), remedy=remedy)
        studies[study], lines[study] = found, record.line
    return References(
        studies,
        {"id": id_name.name, "reference": text_name.name},
        (f"References from {path}: {id_name.told()}; {text_name.told()}.",),
        str(path),
        how.name,
        source.encoding_name,
    )


def read_ids(path: str | Path, *, id_column: str | None = None) -> tuple[str, ...]:
    """Study ids, each once: a text file with one a line, or the id column of any file that can be read."""
    source = Source(path)
    if source.path.is_file() and source.kind in ("text", "unknown"):
        lines = read_text(source.path).splitlines()
        return tuple(dict.fromkeys(study for study in map(values.study_id, lines) if study))
    source, how, columns = _open(path, None)
    name = choose("id", id_column, how.ids, columns, source).name
    found: dict[str, None] = {}
    for record in how.records(source):
        study = values.study_id(value_of(record.fields, name))
        if record.problem or not study:
            problem = record.problem or f"there is no study id in '{name}'"
            raise InputError(problem, path=path, line=_place(source, record), remedy="Mend the line.")
        found[study] = None
    return tuple(found)


def iter_reports(
    path: str | Path, *, text_column: str | None = None, id_column: str | None = None
) -> Iterator[Row]:
    """Texts to be parsed, one after the other: a file with a text column, or a folder of .txt.

    Rows without an id are numbered by line. Memory stays bounded where a format can be read in pieces.
    """
    source, how, columns = _open(path, None)
    order = ("text", "report", "findings", *how.predictions, *how.references)
    name = choose("text", text_column, order, columns, source).name
    ids = next((n for n in (id_column, *how.ids) if n and n in columns), None)
    for record in how.records(source):
        cell = values.texts(value_of(record.fields, name))
        problem = record.problem or cell.problem
        if problem:
            raise InputError(problem, path=path, line=_place(source, record), remedy="Mend the line.")
        study = values.study_id(value_of(record.fields, ids)) if ids else ""
        row = Row(study or str(record.line), cell.texts[0] if cell.texts else "", record.line)
        yield replace(row, references=cell.texts[1:])


def read_reports(
    path: str | Path, *, text_column: str | None = None, id_column: str | None = None
) -> tuple[Row, ...]:
    """All texts of :func:`iter_reports`."""
    return tuple(iter_reports(path, text_column=text_column, id_column=id_column))
