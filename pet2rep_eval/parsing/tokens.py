"""Tokens: the longest phrase of the lexicon at each place, measures and punctuation by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pet2rep_eval.lexicon import Concept, load_lexicon
from pet2rep_eval.parsing.measures import SIZE, SUV
from pet2rep_eval.parsing.normalise import Normalised


@dataclass(slots=True)
class Token:
    """A phrase found: ``kind`` is the grammar's terminal, the range is in the normalised text."""

    kind: str
    concept: Concept
    start: int
    end: int
    text: str
    chinese: bool
    paren: bool = False


# Lists are bounded, so that each alternative stays linear on adversarial input.
# Vertebrae are named by number, not by words: L4/5, C3-C5, 胸12椎体, T5 vertebra
_SPINE = (
    r"(?<![a-z0-9.])(?:[ctl](?:1[0-2]|[1-9])|s[1-5](?=\s?椎|\s(?:vertebra|nerve)|\s?/\s?l5))(?:\s?[-/~、,及和]\s?[ctls]?(?:1[0-2]|[1-9])(?![0-9.])){0,20}(?=$|[^a-z0-9.]|\.(?:\s|$))"
    r"(?!\s?[-]?(?:weighted|w\b|n[0-3x]|hyper|signal|stage|期|段))(?:\s?椎体?|\s(?:vertebral bod(?:y|ies)|vertebrae?))?"
    r"|第?[颈胸腰骶](?:1[0-2]|[1-9])(?:[-~、/及和](?:[颈胸腰骶])?(?:1[0-2]|[1-9])){0,20}(?![\d.]|c?m)(?:椎体?|椎体及附件)?"
    r"|第[一二三四五六七八九十]{1,3}[颈胸腰骶]椎体?"
    r"|第\d{1,2}(?:[-~、/及和]\d{1,2}){0,20}[颈胸腰骶]椎体?"
)
_LEVEL = (
    r"(?<![a-z0-9])(?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?(?:[、/,及和-](?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?){0,20}区"
)
_STATION = r"(?<![a-z0-9.])(?:1[0-4]|[1-9])[rl]?(?:[组区]?[、/,及和](?:1[0-4]|[1-9])[rl]?){0,20}[组区](?!间)"
_PATTERNS = re.compile(
    rf"(?P<SUV>{SUV})|(?P<SIZE>{SIZE})|(?P<SPINE>{_SPINE})|(?P<LEVEL>{_LEVEL})|(?P<STATION>{_STATION})"
    r"|(?P<STOP>[。;!?]+|\.(?=\s|$|[^\d\s])(?!\w\.))|(?P<COMMA>,)|(?P<COLON>:)|(?P<OPEN>\()|(?P<CLOSE>\))",
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|fig|no|approx|vs|e\.g|i\.e|cf|st|ca|dept|prof|img|im|ser|inc|resp|incl|max|min|avg|[a-z]))$"
)
_SPINE_CONCEPT = Concept("spine.number", "SITE", organs=("spine",), nodes=())
_LEVEL_CONCEPT = Concept(
    "cervical_lymph_nodes.level", "SITE", organs=("cervical_lymph_nodes",), nodes=("cervical_lymph_nodes",)
)
_STATION_CONCEPT = Concept(
    "station.number",
    "SITE",
    organs=("mediastinal_hilar_lymph_nodes",),
    nodes=("mediastinal_hilar_lymph_nodes",),
    contextual=True,
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z]{8,}")
_ASCII_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_PREDICATES = frozenset(
    "CUE NEG DEG HOT AGAINST ABN UNEVEN DIFFUSE FOCAL VERB UP DOWN PHYS SURROUND CHANGE PRESENT SYM BUT".split()
)


@lru_cache(maxsize=1)
def _automaton() -> tuple[Any, list[str], list[Concept], list[bool]]:
    from ahocorasick_rs import AhoCorasick

    phrases = load_lexicon().phrases
    words = list(phrases)
    return AhoCorasick(words), words, list(phrases.values()), [_HAN.search(w) is not None for w in words]


@lru_cache(maxsize=1)
def _long_words() -> list[str]:
    """Single English words of seven letters and more: what a misspelling can be meant to be."""
    return [p for p in load_lexicon().phrases if len(p) >= 7 and p.isascii() and p.isalpha()]


@lru_cache(maxsize=50_000)
def _meant(word: str) -> str | None:
    """The word of the lexicon that *word* misspells: one edit, two from twelve letters on; None if there is none."""
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    allowed = 2 if len(word) >= 12 else 1
    found = process.extractOne(word, _long_words(), scorer=DamerauLevenshtein.distance, score_cutoff=allowed)
    return found[0] if found and found[0][0] == word[0] else None


def _phrases(text: str) -> Iterable[tuple[int, int, int]]:
    """Leftmost-longest phrases that stand as words of their own: start, end, index."""
    automaton, words, _, _chinese = _automaton()
    matches = automaton.find_matches_as_indexes(text, overlapping=True)
    matches.sort(key=lambda m: (m[1], -m[2]))
    position, size = 0, len(text)
    for index, start, end in matches:
        if start < position:
            continue
        first, final = words[index][0], words[index][-1]
        if first in _ASCII_WORD and start and text[start - 1] in _ASCII_WORD:
            continue
        if final in _ASCII_WORD and end < size and text[end] in _ASCII_WORD:
            continue
        yield start, end, index
        position = end


def _is_stop(text: str, start: int) -> bool:
    return text[start] != "." or not _ABBREVIATION.search(text, max(0, start - 6), start)


def tokenise(normalised: Normalised) -> list[Token]:
    """All tokens of a text, in order, without overlap. Parentheses are marked on the tokens and left out."""
    text = normalised.text
    _, words, concepts, chinese = _automaton()
    special: list[tuple[int, int, str]] = []
    for match in _PATTERNS.finditer(text):
        kind = match.lastgroup or ""
        if kind != "STOP" or _is_stop(text, match.start()):
            special.append((match.start(), match.end(), kind))
    found = [(s, e, i) for s, e, i in _phrases(text)]
    tokens: list[Token] = []
    a = b = 0
    position, depth = 0, 0
    while a < len(special) or b < len(found):
        if b >= len(found) or (a < len(special) and _first(special[a], found[b], concepts)):
            start, end, kind = special[a]
            a += 1
            if start < position:
                continue
            if kind == "OPEN":
                depth = min(depth + 1, 3)
                continue
            if kind == "CLOSE":
                depth = max(depth - 1, 0)
                continue
            if kind == "STOP" and text[start] != ";":
                depth = 0
            concept = {"SPINE": _SPINE_CONCEPT, "LEVEL": _LEVEL_CONCEPT, "STATION": _STATION_CONCEPT}.get(
                kind
            )
            piece = text[start:end]
            tokens.append(
                Token(
                    concept.kind if concept else kind,
                    concept or _BARE[kind],
                    start,
                    end,
                    piece,
                    not piece.isascii(),
                    depth > 0,
                )
            )
        else:
            start, end, index = found[b]
            b += 1
            if start < position:
                continue
            concept = concepts[index]
            tokens.append(Token(concept.kind, concept, start, end, words[index], chinese[index], depth > 0))
        position = end
    return _settle(_with_misspelt(tokens, text), text)


def _first(special: tuple[int, int, str], found: tuple[int, int, int], concepts: list[Concept]) -> bool:
    """Whether the pattern wins over the phrase: the earlier, then the longer."""
    return (special[0], -special[1]) <= (found[0], -found[1])


_BARE = {k: Concept(k.lower(), k) for k in ("SUV", "SIZE", "STOP", "COMMA", "COLON", "OPEN", "CLOSE")}


def _with_misspelt(tokens: list[Token], text: str) -> list[Token]:
    """Adds tokens for long English words that the lexicon knows under another spelling."""
    added: list[Token] = []
    position = 0
    for start, end in [*((t.start, t.end) for t in tokens), (len(text), len(text))]:
        if start - position >= 8:
            for match in _WORD.finditer(text, position, start):
                meant = _meant(match.group())
                if meant:
                    concept = load_lexicon().phrases[meant]
                    added.append(Token(concept.kind, concept, match.start(), match.end(), meant, False))
        position = end
    return sorted([*tokens, *added], key=lambda t: t.start) if added else tokens


_LOCATING = frozenset({"lower", "low", "high", "higher", "less"})
"""Directions that before a name say where: "lower cervical"."""
_NAMES = frozenset({"SITE", "REGION", "SIDE", "PART", "NODE", "HILUM"})


def _settle(tokens: list[Token], text: str) -> list[Token]:
    """Drops what only looks like a word: phrases to ignore, and one-character Chinese words out of their place."""
    kept: list[Token] = []
    for i, token in enumerate(tokens):
        if token.kind == "IGNORE":
            continue
        if (
            token.text in _LOCATING
            and i + 1 < len(tokens)
            and tokens[i + 1].kind in _NAMES
            and tokens[i + 1].start - token.end <= 1
        ):
            continue
        if (
            token.chinese
            and token.end - token.start == 1
            and token.kind in ("UP", "DOWN", "NEG", "SIDE", "PRIOR", "DEG", "PRESENT", "UP")
        ):
            before = tokens[i - 1] if i else None
            after = tokens[i + 1] if i + 1 < len(tokens) else None
            joined_before = before is not None and before.end == token.start
            joined_after = after is not None and after.start - token.end <= (
                2 if token.kind in ("NEG",) else 0
            )
            if token.kind in ("UP", "DOWN"):
                good = (joined_before and before is not None and before.kind in _PREDICATES) or (
                    joined_after and after is not None and after.kind in ("CUE", "HOT")
                )
                if not good:
                    continue
            elif not joined_after and not (
                token.kind == "SIDE" and before is not None and before.kind in ("BUT", "COMMA", "STOP")
            ):
                continue
        kept.append(token)
    return kept


def comma_between(start: int, end: int) -> Token:
    """The comma that joins two members of a list."""
    return Token("COMMA", _BARE["COMMA"], start, end, ",", False)
