"""Clauses as chunks, by the Lark grammar over the kinds of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lark import Tree

from pet2rep_eval.parsing.lexing import parser

ELEMENTS = frozenset("SIDE SITE REGION HILUM PART PLACE NODE LESION CENTER".split())
"""Kinds that a group is made of."""
TERMS = frozenset(
    "NEG DEG ABN FOCAL DIFFUSE UNEVEN PHYS CUE HOT HYPO VOID UP DOWN COLD EVEN SYM STRUCT FINDING VERDICT".split()
)
"""Kinds that an expression is made of."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a clause: ``group``, ``expression`` or ``word``, over the tokens *start* to *end* (half-open)."""

    rule: str
    start: int
    end: int


@lru_cache(maxsize=1)
def _classes() -> dict[str, str]:
    """Every terminal of the grammar → one that stands for all that the grammar treats alike; none for a word."""
    classes = {s.name: "" for rule in parser().rules for s in rule.expansion if s.is_term}
    classes |= {"LIST": "LIST", "COORD": "COORD"}
    return classes | dict.fromkeys(ELEMENTS, "SITE") | dict.fromkeys(TERMS, "CUE")


@lru_cache(maxsize=8192)
def _stretch(kinds: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    """Rule and range of the chunks of a stretch without single words."""
    tree = parser().parse(kinds)
    return tuple(
        (str(child.data), child.meta.start_pos, child.meta.end_pos)
        for child in tree.children
        if isinstance(child, Tree)
    )


def _chunks_of(classes: tuple[str, ...]) -> tuple[Chunk, ...]:
    """The chunks of tokens of these classes."""
    # Single words part the clause, and so do names from expressions; what repeats counts once, and so do the members of
    # a list from the second on: few different stretches are ever parsed.
    found: list[Chunk] = []
    stretch: list[str] = []
    begins: list[int] = []
    for index, alike in enumerate([*classes, ""]):
        if stretch and (not alike or (alike != stretch[-1] and {alike, stretch[-1]} == _APART)):
            begins.append(index)
            found += [
                Chunk(rule, begins[start], begins[end]) for rule, start, end in _stretch(tuple(stretch))
            ]
            stretch, begins = [], []
        if alike:
            if not stretch or alike != stretch[-1]:
                stretch.append(alike)
                begins.append(index)
                if stretch[-3:] == stretch[-5:-2]:
                    del stretch[-2:], begins[-2:]
        elif index < len(classes):
            found.append(Chunk("word", index, index + 1))
    return tuple(found)


_remembered = lru_cache(maxsize=8192)(_chunks_of)
_SHORT = 48
"""Longer clauses hardly ever repeat: they are not remembered, so that memory stays bounded."""


_APART = {"SITE", "CUE"}
"""The classes of names and of terms: no chunk holds both."""
_LONGEST = 400


def chunks(kinds: Sequence[str]) -> tuple[Chunk, ...]:
    """The chunks of a clause given the kinds of its tokens; every token lies in exactly one chunk."""
    classes = _classes()
    if len(kinds) <= _LONGEST:
        alike = tuple([classes[kind] for kind in _joined(kinds)])
        return _remembered(alike) if len(alike) <= _SHORT else _chunks_of(alike)
    found: list[Chunk] = []
    for offset in range(0, len(kinds), _LONGEST):
        piece = _chunks_of(tuple([classes[kind] for kind in _joined(kinds[offset : offset + _LONGEST])]))
        found += [Chunk(c.rule, c.start + offset, c.end + offset) for c in piece]
    return tuple(found)


def _joined(kinds: Sequence[str]) -> Sequence[str]:
    """Tells apart the two things that a joining word joins: members of a list, phrases of an expression."""
    if "JOIN" not in kinds and "COMMA" not in kinds:
        return kinds
    out = list(kinds)
    last = len(kinds) - 1
    for i, kind in enumerate(kinds):
        if kind in ("JOIN", "COMMA") and 0 < i < last:
            before = out[i - 1]
            after = kinds[i + 1]
            if before in ELEMENTS and after in ELEMENTS:
                out[i] = "LIST"
            elif before in TERMS and after in TERMS:
                out[i] = "COORD"
    return out
