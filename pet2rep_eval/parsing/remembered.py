"""What a clause says by itself, remembered: reports repeat clauses, and different reports share most of theirs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from pet2rep_eval.parsing import uptake
from pet2rep_eval.parsing.grammar import chunks
from pet2rep_eval.parsing.mentions import NEAR, Group, Mention, finish_groups, read_group
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake import COMPARING, Reading

Flags = tuple[bool, bool, bool, bool, bool]
"""What :func:`uptake.read` needs to know besides tokens: inherits cue, earlier cue, change, form, contrast."""

_REMEMBERED = 16_384
_SHORT = 48
"""Tokens of the longest clause that is remembered: longer ones hardly ever repeat, and memory stays bounded."""
_NAMES = ("SITE", "REGION", "HILUM")
_NOTHING: frozenset[str] = frozenset()
_sign = attrgetter("sign")


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of a clause, wherever they stand and whatever the numbers of its measures."""

    kinds: tuple[str, ...]
    there: frozenset[str]
    """The kinds, each once."""
    contextual: bool
    """What a name means depends on what the text speaks of."""
    compares: bool
    """What a comparison means depends on it."""
    several: bool
    """Names may belong together, which the distance between them decides."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A clause read by itself. It is shared: nobody changes it, and every reader has groups of its own."""

    words: Words
    reading: Reading
    groups: tuple[tuple[Any, ...], ...]
    """The fields of each group, mentions as tuples of their fields: nothing that garbage collection looks into."""

    def groups_at(self, tokens: list[Token]) -> list[Group]:
        """The groups that *tokens*, the same words elsewhere, make."""
        return [
            Group(
                [
                    Mention(*names, tokens[first].start, tokens[last].end, first, last, *rest, {})
                    for names, first, last, rest in mentions
                ],
                *group,
            )
            for mentions, group in self.groups
        ]


_names = attrgetter("organs", "regions", "side")
_rest = attrgetter(*[field.name for field in fields(Mention)[7:-1]])
_group = attrgetter(*[field.name for field in fields(Group)[1:]])


def _fields(group: Group) -> tuple[Any, ...]:
    return tuple([(_names(m), m.first, m.last, _rest(m)) for m in group.mentions]), _group(group)


_words: dict[tuple[object, ...], Words] = {}
_known: dict[tuple[object, ...], Known] = {}


def known(tokens: list[Token], flags: Flags, topic: list[Mention], first: bool) -> Known:
    """Reads a clause by itself; *topic* is what the text speaks of, *first*: a part can name its organ anew."""
    signs = tuple(map(_sign, tokens))
    words = _words.get(signs)
    if words is None:
        words = _words_of(tokens)
        if len(tokens) <= _SHORT:
            if len(_words) >= _REMEMBERED:
                _words.clear()
                _known.clear()
            _words[signs] = words
    contextual = words.contextual
    spoken = (
        frozenset([o for m in topic for o in m.organs]) if contextual or words.compares else _NOTHING
    )
    distances = (
        tuple([min(b.start - a.end, NEAR) for a, b in itertools.pairwise(tokens)]) if words.several else ()
    )
    key = (words, flags, spoken, contextual and first, distances)
    found = _known.get(key)
    if found is None:
        found = _read(tokens, words, flags, spoken, first)
        if len(tokens) <= _SHORT:
            if len(_known) >= _REMEMBERED:
                _known.clear()
            _known[key] = found
    return found


def _words_of(tokens: list[Token]) -> Words:
    kinds = tuple([t.kind for t in tokens])
    there = frozenset(kinds)
    return Words(
        kinds,
        there,
        any(t.concept.contextual for t in tokens),
        not COMPARING.isdisjoint(there),
        sum(map(kinds.count, _NAMES)) > 1,
    )


def _read(tokens: list[Token], words: Words, flags: Flags, spoken: frozenset[str], first: bool) -> Known:
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
    groups = [
        read_group(tokens, c, spoken, first=first) for c in chunks(words.kinds) if c.rule == "group"
    ]
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
    return Known(words, reading, tuple([_fields(group) for group in groups]))
