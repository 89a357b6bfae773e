"""Statements in the making, and clauses with what is in them."""

from __future__ import annotations

from dataclasses import dataclass

from pet2rep_eval.parsing.places import Group, Mention
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.parsing.uptake import Reading, Verdict
from pet2rep_eval.records import Suv, UptakeState


@dataclass(slots=True, init=False)
class Draft:
    """A statement in the making; ranges are in the normalised text."""

    key: str
    region: bool
    side: str | None
    section: str
    mention: tuple[int, int] | None
    state: UptakeState | None
    degree: str | None
    ct: tuple[int, int] | None
    uptake: tuple[int, int] | None
    suv: tuple[Suv, ...]
    size_mm: tuple[tuple[float, ...], ...]
    rule: str
    order: int
    lesion: bool
    bare: bool
    spread: bool
    residual: bool
    """Less than before, but still there."""
    shape: bool
    no_uptake: bool
    activity: bool
    even: bool
    """Its uptake was called even."""
    equal: bool
    """Called equal to what it was compared with."""
    sentence: int

    def __init__(
        self,
        key: str,
        region: bool,
        side: str | None,
        section: str,
        mention: tuple[int, int] | None,
        state: UptakeState | None = None,
        degree: str | None = None,
        ct: tuple[int, int] | None = None,
        uptake: tuple[int, int] | None = None,
        suv: tuple[Suv, ...] = (),
        size_mm: tuple[tuple[float, ...], ...] = (),
        rule: str = "described",
        order: int = 0,
        lesion: bool = False,
        bare: bool = False,
        spread: bool = False,
        residual: bool = False,
        shape: bool = False,
        no_uptake: bool = False,
        activity: bool = False,
        even: bool = False,
        equal: bool = False,
        sentence: int = 0,
    ) -> None:
        self.key = key
        self.region = region
        self.side = side
        self.section = section
        self.mention = mention
        self.state = state
        self.degree = degree
        self.ct = ct
        self.uptake = uptake
        self.suv = suv
        self.size_mm = size_mm
        self.rule = rule
        self.order = order
        self.lesion = lesion
        self.bare = bare
        self.spread = spread
        self.residual = residual
        self.shape = shape
        self.no_uptake = no_uptake
        self.activity = activity
        self.even = even
        self.equal = equal
        self.sentence = sentence


@dataclass(slots=True, init=False)
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

    def __init__(
        self,
        clause: Clause,
        groups: list[Group],
        reading: Reading,
        suv: tuple[Suv, ...],
        sizes: list[tuple[float, ...]],
        rest: bool,
        lesion: bool,
        node: bool,
        finding: bool,
        reference: bool,
        named: list[Mention],
        verdicts: list[Verdict],
        places: bool,
        kinds: frozenset[str],
    ) -> None:
        self.clause = clause
        self.groups = groups
        self.reading = reading
        self.suv = suv
        self.sizes = sizes
        self.rest = rest
        self.lesion = lesion
        self.node = node
        self.finding = finding
        self.reference = reference
        self.named = named
        self.verdicts = verdicts
        self.places = places
        self.kinds = kinds
