"""Statements in the making, and clauses with what is in them."""

from __future__ import annotations

from dataclasses import dataclass

from pet2rep_eval.parsing.mentions import Group, Mention
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.parsing.uptake import Reading, Verdict
from pet2rep_eval.records import Suv, UptakeState


@dataclass(slots=True)
class Draft:
    """A statement in the making; ranges are in the normalised text."""

    key: str
    region: bool
    side: str | None
    section: str
    mention: tuple[int, int] | None
    state: UptakeState | None = None
    degree: str | None = None
    ct: tuple[int, int] | None = None
    uptake: tuple[int, int] | None = None
    suv: tuple[Suv, ...] = ()
    size_mm: tuple[tuple[float, ...], ...] = ()
    rule: str = "described"
    order: int = 0
    lesion: bool = False
    bare: bool = False
    spread: bool = False
    residual: bool = False
    """Less than before, but still there."""
    shape: bool = False
    no_uptake: bool = False
    activity: bool = False
    even: bool = False
    """Its uptake was called even."""
    equal: bool = False
    """Called equal to what it was compared with."""
    sentence: int = 0


@dataclass(slots=True)
class ReadClause:
    """A clause with what is in it, before anything is attributed."""

    clause: Clause
    groups: list[Group]
    reading: Reading
    suv: tuple[Suv, ...]
    sizes: list[tuple[float, ...]]
    rest: bool
    lesion: bool
    node: bool
    finding: bool
    reference: bool
    named: list[Mention]
    """Mentions that can be a subject."""
    verdicts: list[Verdict]
    places: bool
    """It names places only to say where something else is."""
    kinds: frozenset[str]
    """Kinds of its tokens."""
