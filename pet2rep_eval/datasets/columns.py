"""Which column of a file is what: by the order of a list, or by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pet2rep_eval.datasets.source import Source
from pet2rep_eval.errors import InputError


@dataclass(frozen=True, slots=True)
class Choice:
    """A column chosen for a role, and those passed over."""

    role: str
    name: str
    others: tuple[str, ...] = ()

    def told(self) -> str:
        """The choice in words."""
        passed = f" (also there: {', '.join(repr(n) for n in self.others)})" if self.others else ""
        return f"{self.role} from '{self.name}'{passed}"


def value_of(fields: Mapping[str, object], column: str | None, missing: Any = None) -> Any:
    """The value of a column; ``doc.patient_id`` looks inside objects."""
    if column is None:
        return missing
    if column in fields:
        return fields[column]
    here: Any = fields
    for part in column.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return missing
        here = here[part]
    return here


def choose(
    role: str,
    wanted: str | None,
    order: Sequence[str],
    columns: Sequence[str],
    source: Source,
    exclude: str | None = None,
    option: str | None = None,
) -> Choice:
    """The column for *role*: *wanted*, or the first of *order* that is there, exactly or but for case.

    Raises :class:`InputError` that lists the columns of the file.
    """
    there = ", ".join(repr(c) for c in columns) or "none"
    option = option or f"--{role}-column"
    line = 1 if source.kind in ("csv", "tsv", "xlsx") else None
    if wanted is not None:
        if wanted in columns or wanted.split(".")[0] in columns:
            return Choice(role, wanted)
        near = difflib.get_close_matches(wanted, columns, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(
            f"there is no column '{wanted}'; the columns are {there}",
            path=source.path,
            line=line,
            remedy=f"Name one of them with {option}.{hint}",
        )
    folded = {c.strip().casefold(): c for c in reversed(columns)}
    found = [name for name in order if name in columns and name != exclude]
    found = found or [folded[n.casefold()] for n in order if n.casefold() in folded and n != exclude]
    if not found:
        raise InputError(
            f"no column holds the {role} as far as its name tells; the columns are {there}",
            path=source.path,
            line=line,
            remedy=f"Name it with {option}, or call it one of: {', '.join(order)}.{_hint(role, columns)}",
        )
    return Choice(role, found[0], tuple(dict.fromkeys(found[1:])))


def _hint(role: str, columns: Sequence[str]) -> str:
    if role == "prediction" and "answer" in columns:
        return " A prompt file holds references: give it as --references."
    return ""
