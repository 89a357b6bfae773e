"""What a clause says by itself, remembered: reports repeat clauses, and different reports share most of theirs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from pet2rep_eval.parsing import uptake
from pet2rep_eval.parsing.grammar import Chunk, chunks
from pet2rep_eval.parsing.grouping import finish_groups
from pet2rep_eval.parsing.mentions import NEAR, read_group
from pet2rep_eval.parsing.places import Group, Mention
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake import COMPARING, Reading, Verdict

Flags = tuple[bool, bool, bool, bool, bool]
"""What :func:`uptake.read` needs to know besides tokens: inherits cue, earlier cue, change, form, contrast."""

_REMEMBERED = 16_384
_SHORT = 48
"""Tokens of the longest clause that is remembered: longer ones hardly ever repeat, and memory stays bounded."""
_NAMES = ("SITE", "REGION", "HILUM")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the kinds of the tokens of a clause tell."""

    kinds: tuple[str, ...]
    there: frozenset[str]
    """The kinds, each once."""
    groups: tuple[Chunk, ...]
    compares: bool
    """What a comparison means depends on what the text speaks of."""
    several: bool
    """Names may belong together, which the distance between them decides."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A clause read by itself. It is shared: nobody changes it, and every reader has groups of its own."""

    shape: Shape
    contextual: bool
    """What a name means depends on what the text speaks of."""
    varies: bool
    """The same words can be read otherwise elsewhere."""
    reading: Reading
    groups: tuple[tuple[Any, ...], ...]
    """The fields of each group, mentions as tuples of their fields: nothing that garbage collection looks into."""

    def groups_at(self, tokens: list[Token]) -> list[Group]:
        """The groups that *tokens*, the same words elsewhere, make."""
        return [
            Group(
                [
                    Mention(organs, regions, side, tokens[first].start, tokens[last].end, first, last, *rest)
                    for organs, regions, side, first, last, rest in mentions
                ],
                *group,
            )
            for mentions, group in self.groups
        ]


_known: dict[tuple[object, ...], Known] = {}
_readings: dict[tuple[object, ...], Reading] = {}
"""Different clauses often say the same of uptake."""
_sign = attrgetter("sign")
_doubtful = attrgetter("concept.doubtful")


def forget() -> None:
    """Drops what is remembered, as at the start of a process."""
    _known.clear()
    _readings.clear()


def known(
    tokens: list[Token], flags: Flags, topic: list[Mention], field: frozenset[str], first: bool
) -> Known:
    """Reads a clause by itself.

    *topic* is what the text speaks of, *field* the organs of the heading above, *first*: a part can name its
    organ anew.
    """
    plain = (tuple(map(_sign, tokens)), flags)
    key: tuple[object, ...] = plain
    found = _known.get(plain)
    if found is not None and not found.varies:
        return found
    if found is not None:
        shape, contextual = found.shape, found.contextual
    else:
        kinds = tuple([t.kind for t in tokens])
        shape = _shape(kinds) if len(kinds) <= _SHORT else _shape_of(kinds)
        contextual = True in map(_doubtful, tokens)
    spoken = _NOTHING
    if contextual or shape.compares:
        spoken = field.union([o for m in topic for o in m.organs])
    varies = contextual or shape.compares or shape.several
    if varies:
        distances = (
            [min(b.start - a.end, NEAR) for a, b in itertools.pairwise(tokens)] if shape.several else ()
        )
        key = (*plain, spoken, contextual and first, *distances)
        found = _known.get(key)
    if found is None:
        reading, groups = _read(tokens, shape, flags, spoken, first)
        found = Known(shape, contextual, varies, reading, groups)
        if len(tokens) <= _SHORT:
            if len(_known) >= _REMEMBERED:
                forget()
            _known[key] = found
            _known.setdefault(plain, found)
    return found


def _shape_of(kinds: tuple[str, ...]) -> Shape:
    there = frozenset(kinds)
    return Shape(
        kinds,
        there,
        tuple([c for c in chunks(kinds) if c.rule == "group"]),
        not COMPARING.isdisjoint(there),
        sum(map(kinds.count, _NAMES)) > 1,
    )


_shape = lru_cache(maxsize=_REMEMBERED)(_shape_of)


def _read(
    tokens: list[Token], shape: Shape, flags: Flags, spoken: frozenset[str], first: bool
) -> tuple[Reading, tuple[tuple[Any, ...], ...]]:
    inherits_cue, earlier_cue, change, form, contrast = flags
    reading = uptake.read(
        tokens,
        inherits_cue=inherits_cue,
        earlier_cue=earlier_cue,
        change=change,
        form=form,
        contrast=contrast,
        about=spoken,
    )
    groups = [read_group(tokens, chunk, spoken, first=first) for chunk in shape.groups]
    if reading.compared:
        for group in groups:
            for mention in group.mentions:
                if any(i in reading.compared for i in range(mention.first, mention.last + 1)):
                    mention.place = mention.aside = True
                    mention.nodes = ()
        groups = [
            g
            for g in groups
            if g.mentions or not all(i in reading.compared for i in range(g.first, g.last + 1))
        ]
    finish_groups(groups, tokens)
    if len(tokens) <= _SHORT:
        reading = _readings.setdefault(_content(reading), reading)
    return reading, tuple([_fields(group) for group in groups])


_rest = attrgetter(*[x.name for x in fields(Mention)[7:-1]])
_group = attrgetter(*[x.name for x in fields(Group)[1:]])
_verdict = attrgetter(*[x.name for x in fields(Verdict)])
_said = attrgetter(*[x.name for x in fields(Reading) if x.name not in ("verdicts", "compared")])


def _fields(group: Group) -> tuple[Any, ...]:
    return tuple([(m.organs, m.regions, m.side, m.first, m.last, _rest(m)) for m in group.mentions]), _group(
        group
    )


def _content(reading: Reading) -> tuple[object, ...]:
    return (_said(reading), tuple(map(_verdict, reading.verdicts)), tuple(sorted(reading.compared)))
