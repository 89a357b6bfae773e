"""What a clause says of uptake: verdicts, and the reading that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pet2rep_eval.records import UptakeState

INCREASED, DECREASED = UptakeState.INCREASED, UptakeState.DECREASED
ABSENT, NORMAL = UptakeState.ABSENT, UptakeState.NORMAL


@dataclass(slots=True)
class Verdict:
    """A statement about uptake inside a clause; ``first`` and ``last`` are token indices, inclusive."""

    state: UptakeState
    first: int
    last: int
    degree: str | None = None
    activity: bool = False
    """Only "activity is seen": whether that is much depends on the organ."""
    bare: bool = False
    """A normal word without any word for uptake."""
    prior: bool = False
    """Said of an earlier study."""
    negated: bool = False
    residual: bool = False
    """Less than before, but still there."""
    adjective: bool = False
    symmetric: bool = False
    """Activity, the same on both sides."""
    even: bool = False
    """Uptake was called even, or symmetric."""
    spread: bool = False
    """Only says how tracer is spread (不均匀, 弥漫分布), or how it changed: a later word can say more."""
    shape: bool = False
    """Only says what form it has (条索状): that nothing is increased may follow."""
    above_pool: bool = False
    """Above the blood pool: increased, unless it is also said to lie below the liver."""
    no_uptake: bool = False
    """No uptake at all: normal, unless the next words call it a defect."""


@dataclass(slots=True)
class Reading:
    """What one clause says. Readings are remembered and shared: nobody changes one after it is made."""

    verdicts: list[Verdict] = field(default_factory=list)
    cue: bool = False
    """The clause speaks of uptake at all."""
    cue_at_end: bool = False
    """The last noun is uptake, so that a direction in the next clause is about it."""
    structural: bool = False
    physiological: bool = False
    """The clause says "physiological" and no other word of uptake."""
    called_physiological: bool = False
    """The clause names a physiological cause for what was said."""
    resolved: bool = False
    change: bool = False
    compared: set[int] = field(default_factory=set)
    """Tokens that name what is compared with: no subject of the sentence."""
    contrast: bool = False
    """It speaks of contrast agent."""
    uncertain: bool = False
    """It says that uptake cannot be judged."""


@dataclass(slots=True)
class Open:
    """A word for uptake that has no direction yet."""

    first: int
    last: int
    default: UptakeState | None
    degree: str | None
    negated: bool
    focal: bool
    physiological: bool
    abnormal: bool
    spread: bool = False
    prior: bool = False
    symmetric: bool = False
    uneven: bool = False
    used: bool = False
