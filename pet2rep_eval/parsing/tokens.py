"""Tokens: the longest phrase of the lexicon at each place, measures and punctuation by pattern."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pet2rep_eval.lexicon import Concept, load_lexicon
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.patterns import dated, special_of
from pet2rep_eval.parsing.settling import (
    COMPOUND,
    DENYING,
    FIELDS,
    LIMITED,
    LOCATING,
    PRIOR_TO,
    REFERENCES,
    SHORT_KINDS,
    settle,
)


@dataclass(slots=True, init=False)
class Token:
    """A phrase found: ``kind`` is the grammar's terminal, the range is in the normalised text."""

    kind: str
    concept: Concept
    start: int
    end: int
    text: str
    chinese: bool
    paren: bool
    sign: int | str
    """Equal for tokens that are read alike: the same phrase, or any measure, in parentheses or not."""

    def __init__(
        self,
        kind: str,
        concept: Concept,
        start: int,
        end: int,
        text: str,
        chinese: bool,
        paren: bool,
        sign: int | str,
    ) -> None:
        self.kind = kind
        self.concept = concept
        self.start = start
        self.end = end
        self.text = text
        self.chinese = chinese
        self.paren = paren
        self.sign = sign


_SPINE_CONCEPT = Concept("spine.number", "SITE", organs=("spine",), nodes=())
_DORSAL_CONCEPT = replace(_SPINE_CONCEPT, name="spine.dorsal", unless=("intestine",), doubtful=True)
"""D1 to D12; D2 is also a part of the duodenum."""
_LEVEL_CONCEPT = Concept(
    "cervical_lymph_nodes.level", "SITE", organs=("cervical_lymph_nodes",), nodes=("cervical_lymph_nodes",)
)
_NECK_CONCEPT = Concept(
    "cervical_lymph_nodes.levels",
    "SITE",
    organs=("cervical_lymph_nodes",),
    nodes=("cervical_lymph_nodes",),
    contextual=True,
    doubtful=True,
    unless=("axillary_lymph_nodes", "spine", "mediastinal_hilar_lymph_nodes"),
)
_STATIONS_CONCEPT = Concept(
    "station.numbers",
    "SITE",
    organs=("mediastinal_hilar_lymph_nodes",),
    nodes=("mediastinal_hilar_lymph_nodes",),
)
_STATION_CONCEPT = Concept(
    "station.number",
    "SITE",
    organs=("mediastinal_hilar_lymph_nodes",),
    nodes=("mediastinal_hilar_lymph_nodes",),
    contextual=True,
    doubtful=True,
)
SEEN = "verb.seen"
"""The concept of words for being there: "seen", "identified"."""
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z]{8,}")
_ASCII_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The phrases of the lexicon, by the index that the automata give them."""

    longest: Any
    """Automaton of the leftmost-longest phrases."""
    all: Any
    """Automaton of all phrases, overlapping ones too."""
    words: list[str]
    concepts: list[Concept]
    kinds: list[str]
    chinese: list[bool]
    edges: list[tuple[bool, bool] | None]
    """Whether the first and the last character are of an ASCII word; None where neither is."""
    comparing: list[bool]
    """Words that compare, behind which the date of an earlier study may stand."""
    unsettled: list[bool]
    """What only looks like a word in some places, see :func:`_settle`."""
    size: int
    """Characters of the longest phrase."""


@lru_cache(maxsize=1)
def _vocabulary() -> _Vocabulary:
    from ahocorasick_rs import AhoCorasick, MatchKind

    phrases = load_lexicon().phrases
    words, concepts = list(phrases), list(phrases.values())
    edges = [(w[0] in _ASCII_WORD, w[-1] in _ASCII_WORD) for w in words]
    return _Vocabulary(
        AhoCorasick(words, matchkind=MatchKind.LeftmostLongest),
        AhoCorasick(words),
        words,
        concepts,
        [c.kind for c in concepts],
        [_HAN.search(w) is not None for w in words],
        [e if e[0] or e[1] else None for e in edges],
        [
            c.kind == "AGAINST" or (c.kind == "JOIN" and _HAN.search(w) is not None)
            for w, c in phrases.items()
        ],
        [
            c.kind in ("IGNORE", "DISEASE")
            or (c.kind == "BENIGN" and bool(c.organs))
            or w in LOCATING
            or w in COMPOUND
            or w in LIMITED
            or w in PRIOR_TO
            or w in FIELDS
            or w in REFERENCES
            or w in DENYING
            or (len(w) == 1 and (c.kind in SHORT_KINDS or c.name == "verb.yes"))
            for w, c in phrases.items()
        ],
        max(map(len, words)),
    )


@lru_cache(maxsize=1)
def _long_words() -> list[str]:
    """Single English words of seven letters and more: what a misspelling can be meant to be."""
    return [p for p in load_lexicon().phrases if len(p) >= 7 and p.isascii() and p.isalpha()]


_LONGEST_WORD = 40
"""Letters of a word that can be a misspelling; the lexicon knows no word of nearly that length."""


@lru_cache(maxsize=50_000)
def _meant(word: str) -> str | None:
    """The word of the lexicon that *word* misspells: one edit, two from twelve letters on; None if there is none."""
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    allowed = 2 if len(word) >= 12 else 1
    found = process.extractOne(word, _long_words(), scorer=DamerauLevenshtein.distance, score_cutoff=allowed)
    if (
        not found
        or found[0][0] != word[0]
        or {found[0][:5], word[:5]} & {"hyper"} != {found[0][:5]} & {"hyper"}
    ):
        return None  # "hypoconcentration" is no misspelt "hyperconcentration"
    return found[0]


def _phrases(normalised: Normalised) -> list[tuple[int, int, int]]:
    """Leftmost-longest phrases that stand as words of their own: index, start, end. None goes on into a new paragraph.

    The automaton knows nothing of words. Where it finds a phrase inside a longer word ("is" in "thickness"), the next
    best phrases around that place are sought among the overlapping ones, until both agree again.
    """
    text = normalised.text
    vocabulary = _vocabulary()
    edges = vocabulary.edges
    size = len(text)
    paragraphs, breaks = sorted(normalised.paragraphs), sorted(normalised.breaks)

    def parted(start: int, end: int) -> bool:
        """ "Heart: physiologic", and in the next line "Liver: …" """
        at = bisect.bisect_right(paragraphs, start)
        if at < len(paragraphs) and paragraphs[at] < end:
            return True
        if text[end : end + 1] == ":" and text.startswith("physiolog", start):
            return True  # "KIDNEYS: physiological LIVER: …"
        at = bisect.bisect_right(breaks, start)
        return at < len(breaks) and breaks[at] < end and text[end : end + 1] == ":"

    def whole(index: int, start: int, end: int) -> bool:
        edge = edges[index]
        return edge is None or not (
            (edge[0] and start and text[start - 1] in _ASCII_WORD)
            or (edge[1] and end < size and text[end] in _ASCII_WORD)
            or (" " in vocabulary.words[index] and parted(start, end))
        )

    matches: list[tuple[int, int, int]] = vocabulary.longest.find_matches_as_indexes(text)
    found: list[tuple[int, int, int]] = []
    position = 0
    for match in matches:
        index, start, end = match
        if start >= position and (edges[index] is None or whole(index, start, end)):
            found.append(match)
            position = end
            continue
        if end <= position:
            continue
        low = max(start, position)
        piece = text[low : end + vocabulary.size]
        inner = [
            (low + s, -low - e, i)
            for i, s, e in vocabulary.all.find_matches_as_indexes(piece, overlapping=True)
            if low + s < end
        ]
        inner.sort()
        position = low
        for s, e, i in inner:
            if s >= position and whole(i, s, -e):
                found.append((i, s, -e))
                position = -e
    return found


_NUMBER = re.compile(r"(?:^|[\s.;,。])\d{1,2}$")


def _numbers(text: str, at: int) -> bool:
    """The bracket at *at* ends the number of an item in a list: "1) brain: … 2) lungs: …"."""
    return _NUMBER.search(text, max(0, at - 3), at) is not None and text[at + 1 : at + 2] == " "


_PERCENT_CONCEPT = Concept("decreased.percent", "HYPO")
"""Less than half of the greatest uptake, as the myocardium is judged."""
_MEASURES = frozenset({"SUV", "SIZE"})
_NUMBERED = {
    "SPINE": _SPINE_CONCEPT,
    "LEVEL": _LEVEL_CONCEPT,
    "NECK": _NECK_CONCEPT,
    "STATIONS": _STATIONS_CONCEPT,
    "STATION": _STATION_CONCEPT,
    "PERCENT": _PERCENT_CONCEPT,
}


def tokenise(normalised: Normalised) -> list[Token]:
    """All tokens of a text, in order, without overlap. Parentheses are marked on the tokens and left out."""
    text = normalised.text
    vocabulary = _vocabulary()
    words, concepts, kinds = vocabulary.words, vocabulary.concepts, vocabulary.kinds
    chinese, unsettled, comparing = vocabulary.chinese, vocabulary.unsettled, vocabulary.comparing
    size = len(text)
    tokens: list[Token] = []
    append = tokens.append
    gaps: list[tuple[int, int]] = []
    doubtful: list[int] = []
    numbered, bare = _NUMBERED, _BARE
    position, depth = 0, 0
    paren = False
    special = iter(special_of(normalised))
    nothing = (size + 1, size + 1, "")
    at, until, kind = next(special, nothing)
    phrases = _phrases(normalised)
    phrases.append((-1, size + 1, 0))
    for index, start, end in phrases:
        # a pattern wins over the phrase: the earlier, then the longer
        while at < start or (at == start and until >= end and kind):
            if at < position:
                pass
            elif kind == "OPEN":
                depth = min(depth + 1, 3)
                paren = True
            elif kind == "SKIP":
                position = until
            elif kind == "CLOSE" and not depth and _numbers(text, at):
                append(Token("STOP", bare["STOP"], at, until, ".", False, False, "."))
            elif kind == "CLOSE":
                depth = max(depth - 1, 0)
                paren = depth > 0
            else:
                if at - position >= 8:
                    gaps.append((position, at))
                piece = text[at:until]
                concept = numbered.get(kind)
                if kind == "DEAUVILLE":
                    concept = load_lexicon().phrases.get(f"deauville {piece.removeprefix('d')}", bare["SIZE"])
                if concept is None:
                    concept = bare[kind]
                    if kind == "STOP" and piece[0] not in ";-":
                        depth, paren = 0, False
                    elif kind == "STOP" and paren:
                        kind, concept = "COMMA", bare["COMMA"]  # "(SUVmax 4.1; previously 12.5)"
                    if kind == "SUV" and piece.count(")") > piece.count("("):
                        depth = max(depth - 1, 0)  # "lesions (SUVmax): T4 7.7"
                        paren = depth > 0
                    sign = piece if kind not in _MEASURES else kind if piece.isascii() else f"{kind} zh"
                else:
                    if concept is _SPINE_CONCEPT and piece[0] == "d":
                        concept = _DORSAL_CONCEPT
                    if concept is _STATION_CONCEPT and _of_neck(tokens) and not piece.endswith("组"):
                        concept = _LEVEL_CONCEPT
                    kind = concept.kind
                    sign = piece + concept.name
                append(
                    Token(
                        kind,
                        concept,
                        at,
                        until,
                        piece,
                        not piece.isascii(),
                        paren,
                        "(" + sign if paren else sign,
                    )
                )
                position = until
            at, until, kind = next(special, nothing)
        if start < position or index < 0:
            continue
        if start - position >= 8:
            gaps.append((position, start))
        if unsettled[index]:
            doubtful.append(len(tokens))
        elif comparing[index] and (until_date := dated(text, end, concepts[index])):
            append(
                Token(
                    "CHANGE",
                    bare["CHANGE"],
                    start,
                    until_date,
                    "to a date",
                    chinese[index],
                    paren,
                    "(date" if paren else "date",
                )
            )
            position = until_date
            continue
        append(
            Token(
                kinds[index],
                concepts[index],
                start,
                end,
                words[index],
                chinese[index],
                paren,
                ~index if paren else index,
            )
        )
        position = end
    if size - position >= 8:
        gaps.append((position, size))
    added = _misspelt(gaps, text)
    if added:
        tokens = sorted([*tokens, *added], key=lambda t: t.start)
        doubtful = list(range(len(tokens)))
    return settle(tokens, doubtful, normalised) if doubtful else tokens


def _of_neck(tokens: list[Token]) -> bool:
    """Whether numbered stations that come next are levels of the neck: 颈部2区, 颈部淋巴结(2、3区)."""
    for token in reversed(tokens[-3:]):
        if token.kind not in ("SIDE", "NODE"):
            return token.kind in ("SITE", "REGION") and token.concept.nodes == ("cervical_lymph_nodes",)
    return False


_BARE = {
    k: Concept(k.lower(), k)
    for k in ("SUV", "SIZE", "STOP", "COMMA", "COLON", "DASH", "OPEN", "CLOSE", "CHANGE")
}


def _misspelt(gaps: list[tuple[int, int]], text: str) -> list[Token]:
    """Tokens for long English words between the phrases that the lexicon knows under another spelling."""
    added: list[Token] = []
    for start, end in gaps:
        for match in _WORD.finditer(text, start, end):
            meant = _meant(match.group()) if match.end() - match.start() <= _LONGEST_WORD else None
            if meant:
                concept = load_lexicon().phrases[meant]
                added.append(
                    Token(concept.kind, concept, match.start(), match.end(), meant, False, False, meant)
                )
    return added


def comma_between(start: int, end: int) -> Token:
    """The comma that joins two members of a list."""
    return Token("COMMA", _BARE["COMMA"], start, end, ",", False, False, ",")
