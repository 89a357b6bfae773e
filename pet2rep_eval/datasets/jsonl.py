"""JSON Lines: one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pet2rep_eval.datasets.encoding import broken_bytes
from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import Reader, Source

_PAIR = re.compile(r'"([^"\\]+)"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?=\s*[,}]))')


def _seen(line: str) -> dict[str, object]:
    """Keys with whole values in a line that is not whole itself, so that its study can be named."""
    found: dict[str, object] = {}
    for key, raw in _PAIR.findall(line):
        try:
            found.setdefault(key, json.loads(raw))
        except ValueError:
            continue
    return found


def records(source: Source) -> Iterator[Record]:
    """The objects of the file, line by line; blank lines are passed over."""
    with source.open_text() as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                message = getattr(error, "msg", str(error))
                yield Record(number, _seen(line), f"the line is not a whole JSON object ({message})")
                continue
            except RecursionError:
                yield Record(number, {}, "the line is nested too deeply")
                continue
            if not isinstance(value, dict):
                yield Record(number, {}, "the line is no JSON object")
            elif broken_bytes(line):
                yield Record(number, value, f"the line holds bytes that are not {source.encoding_name}")
            else:
                yield Record(number, value)


READER = Reader("jsonl", lambda source: source.kind == "jsonl", records)
