"""JSON: a list of objects, an object of studies, or such a list inside an object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pet2rep_eval.datasets.encoding import broken_bytes
from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import (
    ID_COLUMNS,
    PREDICTION_COLUMNS,
    REFERENCE_COLUMNS,
    Reader,
    Source,
)
from pet2rep_eval.errors import InputError

MEMBER = "(value)"
"""Column of an object that maps ids to reports."""

_SPACE = re.compile(r"[\s\ufeff]*")
_DECODER = json.JSONDecoder()


def _fail(source: Source, text: str, place: int, problem: str) -> InputError:
    return InputError(
        problem,
        path=source.path,
        line=text.count("\n", 0, place) + 1,
        remedy="Write the file again; JSON Lines (one object a line) can be read past a broken line.",
    )


def _value(source: Source, text: str, place: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, place)
    except RecursionError:
        raise _fail(source, text, place, "the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _fail(source, text, error.pos, f"the JSON is broken here ({error.msg})") from None


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def _end(source: Source, text: str, place: int) -> None:
    place = _skip(text, place)
    if place < len(text):
        raise _fail(source, text, place, "there is more text after the end of the JSON")


def _elements(source: Source, text: str, place: int) -> Iterator[tuple[int, object]]:
    """(line, value) of a list that begins at *place*, so that a broken element is named by its line."""
    place = _skip(text, place + 1)
    line, counted = 1, 0
    while text[place : place + 1] != "]":
        line += text.count("\n", counted, place)
        counted = place
        value, place = _value(source, text, place)
        yield line, value
        place = _skip(text, place)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != "]":
            raise _fail(source, text, place, "the list of studies is broken here")
    _end(source, text, place + 1)


def _record(line: int, value: object) -> Record:
    if isinstance(value, dict):
        return Record(line, value)
    return Record(line, {}, "the element is no JSON object")


def _members(source: Source, text: str, value: dict[str, object]) -> Iterator[Record]:
    """Records of an object: a single study, an object with one list of studies, or id → report."""
    known = {*PREDICTION_COLUMNS, *REFERENCE_COLUMNS}
    if known & value.keys() and {*ID_COLUMNS} & value.keys():
        yield Record(1, value)
        return
    lists = [v for v in value.values() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)]
    if len(lists) == 1:
        for number, item in enumerate(lists[0], 1):
            yield _record(number, item)
        return
    for key, item in value.items():
        match = re.search(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text)
        line = text.count("\n", 0, match.start()) + 1 if match else 1
        if isinstance(item, dict):
            own = {*ID_COLUMNS} & item.keys()
            yield Record(line, item if own else {"id": key, **item})
        else:
            yield Record(line, {"id": key, MEMBER: item})


def records(source: Source) -> Iterator[Record]:
    """The studies of the document. Raises :class:`InputError` where the JSON itself is broken."""
    with source.open_text(newline="") as stream:
        text = stream.read()
    if broken_bytes(text):
        place = next(i for i, c in enumerate(text) if "\udc80" <= c <= "\udcff")
        raise _fail(source, text, place, f"the text holds bytes that are not {source.encoding_name}")
    start = _skip(text, 0)
    if text[start : start + 1] == "[":
        for line, value in _elements(source, text, start):
            yield _record(line, value)
        return
    value, end = _value(source, text, start)
    _end(source, text, end)
    if isinstance(value, dict):
        yield from _members(source, text, value)
    else:
        raise _fail(source, text, start, "the JSON is neither a list nor an object")


READER = Reader(
    "json",
    lambda source: source.kind == "json",
    records,
    predictions=(*PREDICTION_COLUMNS, MEMBER),
    references=(*REFERENCE_COLUMNS, MEMBER),
)
