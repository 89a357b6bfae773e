"""The records that flow from a text to its states: frozen, slotted, without behaviour beyond look-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class UptakeState(StrEnum):
    """What a report says about the uptake of an organ. Declared from most to least abnormal."""

    INCREASED = "increased"
    DECREASED = "decreased"
    ABSENT = "absent"
    NORMAL = "normal"


ABNORMAL_STATES = (UptakeState.INCREASED, UptakeState.DECREASED, UptakeState.ABSENT)
"""The three classes of clinical efficacy, in the order of every table."""

REGIONS = ("head_neck", "chest", "abdomen", "pelvis", "musculoskeletal", "whole_body")
"""Body regions that a statement can be about in place of an organ."""


def most_abnormal(states: frozenset[UptakeState]) -> UptakeState | None:
    """The single state of a set: increased > decreased > absent > normal; None for the empty set."""
    return next((state for state in UptakeState if state in states), None)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of characters in the text exactly as it was given."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters of *text* that this span covers."""
        return text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Suv:
    """A standardised uptake value quoted in a report."""

    value: float
    kind: str = "unspecified"
    """``max``, ``mean``, ``peak`` or ``unspecified``."""
    delayed: bool = False
    """Measured on a delayed scan."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a report says about one organ, or about a body region.

    Exactly one of *organ* and *region* is set.
    """

    organ: str | None
    """Key of a site (``pet2rep-eval lexicon export`` lists them)."""
    region: str | None = None
    """One of :data:`REGIONS`."""
    laterality: str | None = None
    """``left``, ``right``, ``bilateral``: of this organ, not of the list it stands in."""
    state: UptakeState | None = None
    """None where the report states no uptake for it."""
    degree: str | None = None
    """``mild``, ``moderate``, ``marked``."""
    ct: Span | None = None
    """The structural finding."""
    uptake: Span | None = None
    """The uptake text with its negation and degree."""
    suv: tuple[Suv, ...] = ()
    size_mm: tuple[tuple[float, ...], ...] = ()
    """Sizes in millimetres, each with its one to three axes."""
    section: str = "findings"
    mention: Span | None = None
    """The words that name the organ; None where the context alone says which it is."""
    rule: str = ""
    """Name of the attribution rule that made the statement."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report: ``findings``, ``impression``, ``technique``, ``history``, ``comparison``, …"""

    name: str
    span: Span
    heading: Span | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something odd about a text. Codes are listed in docs/parser.md."""

    code: str
    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class OrganReading:
    """All that a report says about one organ."""

    organ: str
    states: frozenset[UptakeState]
    statements: tuple[Statement, ...]

    @property
    def state(self) -> UptakeState | None:
        """The most abnormal of the states; None where no uptake is stated."""
        return most_abnormal(self.states)

    @property
    def ct(self) -> tuple[Span, ...]:
        return tuple(s.ct for s in self.statements if s.ct)

    @property
    def uptake(self) -> tuple[Span, ...]:
        return tuple(s.uptake for s in self.statements if s.uptake)

    @property
    def suv(self) -> tuple[Suv, ...]:
        return tuple(v for s in self.statements for v in s.suv)


@dataclass(frozen=True, slots=True)
class ParsedReport:
    """A report as a list of statements, in text order."""

    text: str
    language: str
    """``zh`` or ``en``."""
    statements: tuple[Statement, ...]
    sections: tuple[Section, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    tracer: str | None = None
    """The tracer that the report names (``FDG``, ``PSMA``, …)."""
    steps: int = field(default=0, compare=False)
    """Tokens read plus rules applied: the work done, which grows at most with the length."""

    @property
    def states(self) -> Mapping[str, frozenset[UptakeState]]:
        """Organ key → the states stated; organs with a CT description only map to an empty set."""
        found: dict[str, frozenset[UptakeState]] = {}
        for s in self.statements:
            if s.organ:
                found[s.organ] = found.get(s.organ, frozenset()) | ({s.state} if s.state else frozenset())
        return found

    @property
    def regions(self) -> Mapping[str, frozenset[UptakeState]]:
        """Body region → the states stated about it as a whole."""
        found: dict[str, frozenset[UptakeState]] = {}
        for s in self.statements:
            if s.region:
                found[s.region] = found.get(s.region, frozenset()) | ({s.state} if s.state else frozenset())
        return found

    @property
    def organs(self) -> Mapping[str, OrganReading]:
        """Organ key → everything stated about it."""
        grouped: dict[str, list[Statement]] = {}
        for s in self.statements:
            if s.organ:
                grouped.setdefault(s.organ, []).append(s)
        states = self.states
        return {organ: OrganReading(organ, states[organ], tuple(group)) for organ, group in grouped.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row a statement, as a pandas table; spans as text."""
        import pandas as pd

        columns = (
            "organ",
            "region",
            "laterality",
            "state",
            "degree",
            "ct",
            "uptake",
            "suv_max",
            "size_mm",
            "section",
        )
        rows = [
            (
                s.organ,
                s.region,
                s.laterality,
                s.state.value if s.state else None,
                s.degree,
                s.ct.of(self.text) if s.ct else None,
                s.uptake.of(self.text) if s.uptake else None,
                max((v.value for v in s.suv), default=None),
                s.size_mm,
                s.section,
            )
            for s in self.statements
        ]
        return pd.DataFrame(rows, columns=list(columns))


class Outcome(StrEnum):
    """What became of one reference study in one system. All but ``scored`` count as failed predictions."""

    SCORED = "scored"
    MISSING = "missing"
    EMPTY = "empty"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    """Several differing predictions under one id."""
    UNREADABLE = "unreadable"


FLAGS = ("truncated", "repetitive", "other_language", "echoed_prompt")
"""What a scored study can carry besides; flags change no number."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference study with what one system wrote for it."""

    study_id: str
    references: tuple[str, ...]
    """One or more reference reports of the study."""
    prediction: str
    """Cleaned text; empty unless *outcome* is scored."""
    outcome: Outcome = Outcome.SCORED
    flags: frozenset[str] = frozenset()

    @property
    def reference(self) -> str:
        """The first reference."""
        return self.references[0]


@dataclass(frozen=True, slots=True)
class AlignedSystem:
    """One system's predictions against the references: exactly one pair for every reference study."""

    system: str
    pairs: tuple[Pair, ...]
    unknown_ids: tuple[str, ...] = ()
    """Ids predicted that no reference has."""
    notes: tuple[str, ...] = ()
    """What a user must know: columns chosen, merged duplicates, disagreeing references."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What decides a number besides the texts (columns, cleaning); part of the signature."""
