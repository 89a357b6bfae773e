"""What the readers hand on: raw records, rows, and whole submissions and references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file as it stands there, before columns are chosen."""

    line: int
    """Line of the file, row of a sheet, or number of the record; from 1."""
    fields: Mapping[str, object]
    """Column → value. Of a broken record: what could still be seen."""
    problem: str = ""
    """Why the record cannot be read; empty if it can."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one record says about one study."""

    study_id: str
    text: str
    """The prediction as given, not cleaned; empty where there is none."""
    line: int
    problem: str = ""
    """Why the prediction is unreadable; empty if it is readable."""
    references: tuple[str, ...] = ()
    """Reference reports that stand beside the prediction."""
    prompt: str = ""
    """What the system was told, where the file says so."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One system's predictions, in the order of the file."""

    system: str
    rows: tuple[Row, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role (``id``, ``prediction``, ``reference``) → column that was chosen."""
    notes: tuple[str, ...] = ()
    """What a user must know: columns passed over, several outputs in a row."""
    problems: tuple[str, ...] = ()
    """Broken lines that a lenient reading went past, each with its file and line."""
    path: str = ""
    format: str = ""
    """Name of the reader."""
    encoding: str = ""
    cleaning: str = "default"
    """``default``, or ``none`` where the column holds text that its system cleaned itself."""


@dataclass(frozen=True, slots=True)
class References:
    """Reference reports by study id, in the order of the file."""

    studies: Mapping[str, tuple[str, ...]]
    """Study id → its reference reports, at least one, none empty."""
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    path: str = ""
    format: str = ""
    encoding: str = ""
