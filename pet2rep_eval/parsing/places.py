"""What a clause names: places, and the groups in which they stand.

The classes of which thousands are made for a text have an ``__init__`` of their own: compiled, it takes a tenth of the
time of the one that ``dataclass`` writes, which stays interpreted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pet2rep_eval.parsing.drafts import Draft


@dataclass(slots=True, init=False)
class Mention:
    """One named place. Organs and regions are exclusive."""

    organs: tuple[str, ...]
    regions: tuple[str, ...]
    side: str | None
    start: int
    end: int
    first: int
    """Index of its first token in the clause."""
    last: int
    nodes: tuple[str, ...]
    mass: str | None
    negated: str | None
    """The organ meant instead where something is denied."""
    place: bool
    """It only says where something else is."""
    node: bool
    """It is about lymph nodes."""
    lesion: bool
    compartment: bool
    """In a list of nodal stations it is one of them."""
    inside: bool
    paren: bool
    heading: bool
    aside: bool
    """It locates what the text already speaks of, so that the topic stays."""
    drafts: dict[str, Draft]

    def __init__(
        self,
        organs: tuple[str, ...],
        regions: tuple[str, ...],
        side: str | None,
        start: int,
        end: int,
        first: int,
        last: int,
        nodes: tuple[str, ...] = (),
        mass: str | None = None,
        negated: str | None = None,
        place: bool = False,
        node: bool = False,
        lesion: bool = False,
        compartment: bool = False,
        inside: bool = False,
        paren: bool = False,
        heading: bool = False,
        aside: bool = False,
        drafts: dict[str, Draft] | None = None,
    ) -> None:
        self.organs = organs
        self.regions = regions
        self.side = side
        self.start = start
        self.end = end
        self.first = first
        self.last = last
        self.nodes = nodes
        self.mass = mass
        self.negated = negated
        self.place = place
        self.node = node
        self.lesion = lesion
        self.compartment = compartment
        self.inside = inside
        self.paren = paren
        self.heading = heading
        self.aside = aside
        self.drafts = {} if drafts is None else drafts

    @property
    def keys(self) -> tuple[str, ...]:
        return self.organs or self.regions


@dataclass(slots=True)
class Group:
    """Mentions that stand together in a list, and whether a node or a lesion is named with them."""

    mentions: list[Mention]
    first: int
    last: int
    node: bool = False
    lesion: bool = False
    side: str | None = None
    """A side without a name: 左侧, "left lobe"."""
    part: bool = False
    node_first: bool = False


def to_nodes(mention: Mention) -> None:
    """The mention is of lymph nodes: its station, or that of the organ it lies beside."""
    mention.node = True
    if mention.nodes and (
        not mention.inside or mention.regions or mention.organs == ("peritoneum_mesentery",)
    ):
        mention.organs, mention.regions, mention.place = mention.nodes, (), False
