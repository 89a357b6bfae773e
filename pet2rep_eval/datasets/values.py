"""From the values of a file to study ids and texts."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from pet2rep_eval.datasets.encoding import broken_bytes, printable

_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"
_TEXT_KEYS = ("text", "content", "report", "findings")


@dataclass(frozen=True, slots=True)
class Value:
    """The texts that a cell holds."""

    texts: tuple[str, ...]
    problem: str = ""
    """Why there is no text; empty if there is, or if the cell is merely empty."""


def study_id(value: object) -> str:
    """A study id as a string: trimmed, whole numbers without a decimal point; empty where there is none.

    Leading zeros of a string are kept: ``"001"`` and ``1`` are different ids.
    """
    if value is None or isinstance(value, bool | list | dict):
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else repr(value)
    return printable(str(value)).strip().strip(_INVISIBLE).strip()


def texts(value: object) -> Value:
    """The texts of a cell: a string, a number, a list (also nested, also written out as text), or none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Value(())
    if isinstance(value, str):
        if broken_bytes(value):
            return Value((), "it holds bytes that are not in the encoding of the file")
        items = _written_list(value)
        return Value(items) if items is not None else Value((printable(value),))
    if isinstance(value, list | tuple):
        found: list[str] = []
        for item in value:
            inner = texts(item)
            if inner.problem:
                return inner
            found += inner.texts
        return Value(tuple(found))
    if isinstance(value, dict):
        key = next((k for k in _TEXT_KEYS if isinstance(value.get(k), str)), None)
        if key is None:
            return Value((), "it is an object without a text")
        return texts(value[key])
    if isinstance(value, bool):
        return Value((), "it is true or false and no text")
    return Value((str(value),))


def _written_list(text: str) -> tuple[str, ...] | None:
    """The strings of a list that was written into a table as text (``['…']``); None if it is no such list."""
    stripped = text.strip()
    if not stripped.startswith(("['", '["')) or not stripped.endswith(("']", '"]')):
        return None
    try:
        items = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if isinstance(items, list) and all(isinstance(i, str) for i in items):
        return tuple(printable(i) for i in items)
    return None
