"""Tokens: the longest phrase of the lexicon at each place, measures and punctuation by pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pet2rep_eval.lexicon import Concept, load_lexicon
from pet2rep_eval.parsing.measures import SIZE, SUV
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tables import figures


@dataclass(slots=True)
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


# Lists are bounded, so that each alternative stays linear on adversarial input.
# Vertebrae are named by number, not by words: L4/5, C3-C5, 胸12椎体, T5 vertebra
_SPINE = (
    r"(?<![a-z0-9.])(?:[ctl](?:1[0-2]|[1-9])"
    # D is dorsal, but not in a D2 gastrectomy, vitamin D3 or 胃癌D2根治术
    r"|(?<!vitamin )d(?:1[0-2]|[1-9])"
    r"(?!\s?(?:gastr|lymph|dissect|resect|recept|distal|total|subtotal|(?!椎)[\u3400-\u9fff]))"
    r"|s[1-5](?=\s?椎|\s(?:vertebra|nerve)|\s?/\s?l5))(?:\s?[-/~、,及和]\s?[ctls]?(?:1[0-2]|[1-9])(?![0-9.])){0,20}(?=$|[^a-z0-9.分]|\.(?:\s|$))"
    r"(?!\s?[-]?(?:weighted|w\b|n[0-3x]|hyper|signal|stage|image|sequence|volumetric|mprage|flair|mr[i]?\b|map"
    r"|folf|abvd|r-?chop|chop|chemo|cycle|post|contrast|gd|gad|(?:and |, ?|/)(?:dwi|flair|adc|stir|swi)|期|段))"
    r"(?:\s?椎体?|\s(?:vertebral bod(?:y|ies)|vertebrae?))?"
    r"|第?[颈胸腰骶](?:1[0-2]|[1-9])(?:[-~、/及和](?:[颈胸腰骶])?(?:1[0-2]|[1-9])){0,20}(?![\d.]|c?m)(?:椎体?|椎体及附件)?"
    r"|第[一二三四五六七八九十]{1,3}[颈胸腰骶]椎体?"
    r"|第\d{1,2}(?:[-~、/及和]\d{1,2}){0,20}[颈胸腰骶]椎体?"
)
_LEVEL = (
    r"(?<![a-z0-9])(?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?(?:[、/,及和-](?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?){0,20}区"
)
_NECK = (
    r"levels?\s(?:[1-7]|iv|vi{0,2}|i{1,3})[ab]?"
    r"(?:(?:\s?[,/&-]\s?|\s(?:and|to|or)\s)(?:and\s)?(?:level\s)?(?:[1-7]|iv|vi{0,2}|i{1,3})[ab]?(?![a-z0-9]|\.\d)){1,20}"
)
_STATION = r"(?<![a-z0-9.])(?:1[0-4]|[1-9])[rl]?(?:[组区]?[、/,及和](?:1[0-4]|[1-9])[rl]?){0,20}[组区](?!间)"
_PATTERNS = re.compile(
    rf"(?P<SUV>{SUV})|(?P<SIZE>{SIZE})|(?P<SPINE>{_SPINE})|(?P<LEVEL>{_LEVEL})|(?P<STATION>{_STATION})|(?P<NECK>{_NECK})"
    r"|(?P<STOP>[。;!?]+|\.(?=\s|$|[^\d\s])(?!\w\.))|(?P<COMMA>,)|(?P<COLON>:|(?<=[\u3400-\u9fff])--(?=[\u3400-\u9fff]))|(?P<OPEN>\()|(?P<CLOSE>\))",
)
# Where a pattern can begin at all: one set of characters, searched for much faster than the alternatives above,
# and for letters and digits what must stand beside them.
_PATTERN_START = re.compile(
    r"[,:()。;!?.\-\d延最平峰标放第颈胸腰骶ⅰ-ⅶdefmapsctliv由从自]"
    r"(?:(?<=[,:()。;!?.第ⅰ-ⅶ])|(?<= -)(?=[ >])|(?<=[\u3400-\u9fff]-)(?=-[\u3400-\u9fff])|(?<=\d)(?<![a-z0-9.]\d)|(?<=[颈胸腰骶])(?=[1-9])"
    r"|(?<=延)(?=迟)|(?<=最)(?=[大高])|(?<=平)(?=均)"
    r"|(?<=峰)(?=值)|(?<=标)(?=准)"
    r"|(?<=[由从自])(?=[原前治上之约\s]?.{0,3}\d)"
    r"|(?<=f)(?=rom\s)|(?<=放)(?=射性指数)|(?<=d)(?=elayed)|(?<=e)(?=arly)|(?<=m)(?=ax|ean)|(?<=a)(?=verage)"
    r"|(?<=p)(?=eak)|(?<=s)(?=tandard|u[vl]|[1-5])|(?<=[cdtl])(?=[1-9])|(?<=[iv])(?=[iv]{0,3}[ab]?[、/,及和区-])|(?<=l)(?=evels?\s[iv1-7]))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|fig|no|approx|vs|e\.g|i\.e|cf|st|ca|dept|prof|img|im|ser|inc|resp|incl|max|min|avg"
    r"|(?<!prior )(?<!post )(?<!post-)(?<!after )(?<!adjuvant )(?<!following )(?<!s/p )(?<!previous )rt"
    r"|lt|bil|bilat|ant|post|sup|lat|med|prob|susp|mod|resp|[a-z]))$"
)
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
_STATION_CONCEPT = Concept(
    "station.number",
    "SITE",
    organs=("mediastinal_hilar_lymph_nodes",),
    nodes=("mediastinal_hilar_lymph_nodes",),
    contextual=True,
    doubtful=True,
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[a-z]{8,}")
_ASCII_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_PREDICATES = frozenset(
    "CUE NEG DEG HOT AGAINST ABN UNEVEN DIFFUSE FOCAL VERB UP DOWN PHYS SURROUND CHANGE PRESENT SYM BUT".split()
)


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
            or w in _LOCATING
            or w in _COMPOUND
            or (len(w) == 1 and c.kind in _SHORT_KINDS)
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
    return found[0] if found and found[0][0] == word[0] else None


def _phrases(text: str) -> list[tuple[int, int, int]]:
    """Leftmost-longest phrases that stand as words of their own: index, start, end.

    The automaton knows nothing of words. Where it finds a phrase inside a longer word ("is" in "thickness"), the next
    best phrases around that place are sought among the overlapping ones, until both agree again.
    """
    vocabulary = _vocabulary()
    edges = vocabulary.edges
    size = len(text)

    def whole(index: int, start: int, end: int) -> bool:
        edge = edges[index]
        return edge is None or not (
            (edge[0] and start and text[start - 1] in _ASCII_WORD)
            or (edge[1] and end < size and text[end] in _ASCII_WORD)
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


def _of_suv(text: str, start: int) -> bool:
    """The sentence spoke of an SUV before *start*."""
    return _NAMED_SUV.search(text, max(0, start - 80), start) is not None


def _is_stop(text: str, start: int) -> bool:
    return text[start] != "." or not _ABBREVIATION.search(text, max(0, start - 14), start)


def _special(text: str) -> list[tuple[int, int, str]]:
    """Measures, numbered places and punctuation: start, end, kind."""
    found: list[tuple[int, int, str]] = []
    match_at = _PATTERNS.match
    position = 0
    for candidate in _PATTERN_START.finditer(text):
        start = candidate.start()
        if start < position:
            continue
        kind = _SINGLE.get(text[start]) if text[start + 1 : start + 2] != "-" else None
        if kind == "DASH" and text[start + 1] == ">":
            position = start + 2
            found.append((start, position, "STOP"))
            continue
        if kind is not None:
            position = start + 1
            found.append((start, position, kind))
            continue
        match = match_at(text, start)
        if match is not None:
            position = match.end()
            kind = match.lastgroup or ""
            if (
                kind == "SUV"
                and _NO_NAME.match(match.group())
                and not _NAMED_SUV.search(text, max(0, start - 80), start)
            ):
                position = start + 1
                continue  # from 3 to 5: of what?
            if kind != "STOP" or _is_stop(text, start):
                found.append((start, position, kind))
    return found


def _special_of(normalised: Normalised) -> list[tuple[int, int, str]]:
    """Also the figures of tables, which say what they are only by the heading above."""
    found = _special(normalised.text)
    cells = list(figures(normalised))
    rows = [(start, end, _SCALES[scale]) for start, end, scale in cells if scale != "row"]
    if not rows:
        return found
    for begin in (start for start, _, scale in cells if scale == "row"):
        found = [f for f in found if not f[0] < begin < f[1]]  # "SUV" above, and the number of the row
    taken = {at for at, _, _ in rows}
    return sorted([*rows, *(f for f in found if f[0] not in taken)])


_SCALES = {"suv": "SUV", "deauville": "DEAUVILLE"}
_NUMBER = re.compile(r"(?:^|[\s.;,。])\d{1,2}$")


def _numbers(text: str, at: int) -> bool:
    """The bracket at *at* ends the number of an item in a list: "1) brain: … 2) lungs: …"."""
    return _NUMBER.search(text, max(0, at - 3), at) is not None and text[at + 1 : at + 2] == " "


_NO_NAME = re.compile(r"from|[由从自]")
_NAMED_SUV = re.compile(r"(?:suv|标准摄取值)(?:(?!\.\s)[^。;!?])*$")
_SINGLE = {",": "COMMA", ":": "COLON", "(": "OPEN", ")": "CLOSE", "-": "DASH"}
_MEASURES = frozenset({"SUV", "SIZE"})
_NUMBERED = {
    "SPINE": _SPINE_CONCEPT,
    "LEVEL": _LEVEL_CONCEPT,
    "NECK": _NECK_CONCEPT,
    "STATION": _STATION_CONCEPT,
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
    special = iter(_special_of(normalised))
    nothing = (size + 1, size + 1, "")
    at, until, kind = next(special, nothing)
    phrases = _phrases(text)
    phrases.append((-1, size + 1, 0))
    for index, start, end in phrases:
        # a pattern wins over the phrase: the earlier, then the longer
        while at < start or (at == start and until >= end and kind):
            if at < position:
                pass
            elif kind == "OPEN":
                depth = min(depth + 1, 3)
                paren = True
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
        elif comparing[index] and (until_date := _dated(text, end, concepts[index])):
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
    return _settle(tokens, doubtful, normalised) if doubtful else tokens


_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = (
    r"(?:\d{4}[-/.年]\s?\d{1,2}(?:[-/.月]\s?\d{1,2}日?|月份?)?|\d{1,2}月\d{1,2}日"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)"
    rf"|(?:\d{{1,2}}(?:st|nd|rd|th)? )?{_MONTH}\.? (?:\d{{1,2}},? )?\d{{4}})"
)
_DATED = re.compile(
    r"\s?(?:本院|我院|外院)?\(?(?:(?:the|that|an?|on|from|of|dated|prior|previous|scan|exam|examination|study"
    rf"|pet/ct|pet-ct|pet|ct|imaging|performed) ){{0,6}}{_DATE}(?![\d.])\)?\s?"
    r"(?:的?(?:前次|老|旧)?(?:pet[/-]?ct)?(?:前?片|显像|检查|图像)?(?P<compared>相比较?|比较|对比|对照)?)"
)


def _dated(text: str, end: int, concept: Concept) -> int:
    """Where the date ends that stands behind a word that compares: 较2023年10月片, "compared with 12/3/2023"."""
    match = _DATED.match(text, end)
    return match.end() if match and (concept.kind == "AGAINST" or match["compared"]) else 0


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


_LOCATING = frozenset({"lower", "low", "high", "higher"})
"""Directions that before a name say where: "lower cervical"."""
_LEVELS = frozenset({"low", "high"})
_NAMES = frozenset({"SITE", "REGION", "SIDE", "PART", "NODE", "HILUM"})


_COMPOUND = frozenset("poor rich positive negative low high deficient active".split())
"""Words that behind a hyphen speak of the word before it: "lipid-poor", "HPV-positive"."""
_SHORT_KINDS = frozenset({"UP", "DOWN", "NEG", "SIDE", "PRIOR", "DEG", "PRESENT"})


def _settle(tokens: list[Token], doubtful: list[int], normalised: Normalised) -> list[Token]:
    """Drops what only looks like a word: phrases to ignore, and one-character Chinese words out of their place.

    *doubtful* are the indices of the tokens to look at.
    """
    dropped = {i for i in doubtful if not _stands(tokens, i, normalised)}
    for i in doubtful:
        if tokens[i].kind in ("DISEASE", "BENIGN") and tokens[i].concept.organs and _is_seen(tokens, i):
            tokens[i].kind, tokens[i].sign = "SITE", f"{tokens[i].text} seen"
    return [t for i, t in enumerate(tokens) if i not in dropped] if dropped else tokens


def _is_seen(tokens: list[Token], i: int) -> bool:
    """ "Nasopharyngeal carcinoma (SUVmax 13.1)", "a hypermetabolic lung cancer": the tumour itself, no history."""
    token = tokens[i]
    before = tokens[i - 1] if i else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    return not token.chinese and (
        (before is not None and before.kind == "HOT" and token.start - before.end <= 1)
        or (
            token.kind == "DISEASE"
            and after is not None
            and after.kind == "SUV"
            and after.paren
            and after.start - token.end <= 2
        )
    )


def _stands(tokens: list[Token], i: int, normalised: Normalised) -> bool:
    """Whether a token stands where it is a word of its own."""
    token, text = tokens[i], normalised.text
    if token.kind == "IGNORE":
        return False
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if (
        token.text in _LOCATING
        and after is not None
        and after.kind in _NAMES
        and after.start - token.end <= 1
        and token.end not in normalised.breaks
        and token.end not in normalised.paragraphs
        and not (token.text in _LEVELS and i + 2 < len(tokens) and tokens[i + 2].kind == "CUE")
    ):
        return False  # but "very low brain activity"
    if token.text in _COMPOUND and text[max(0, token.start - 1) : token.start] == "-":
        begin = token.start - 1
        if text[begin - 1 : begin].isalnum() and not (i and tokens[i - 1].end == begin):
            return False  # "lipid-poor", "HPV-positive": but "FDG-positive" is known
    if not token.chinese or token.end - token.start != 1 or token.kind not in _SHORT_KINDS:
        return True
    before = tokens[i - 1] if i else None
    joined_after = after is not None and after.start - token.end <= (2 if token.kind == "NEG" else 0)
    if token.kind in ("UP", "DOWN"):
        joined_before = before is not None and before.end == token.start
        compared = joined_before and any(t.kind == "AGAINST" for t in tokens[max(0, i - 5) : i])  # 较右侧低
        return bool(
            compared
            or (joined_before and before is not None and before.kind in _PREDICATES)
            or (joined_after and after is not None and after.kind in ("CUE", "HOT"))
        )
    return joined_after or (
        token.kind == "SIDE" and before is not None and before.kind in ("BUT", "COMMA", "STOP")
    )


def comma_between(start: int, end: int) -> Token:
    """The comma that joins two members of a list."""
    return Token("COMMA", _BARE["COMMA"], start, end, ",", False, False, ",")
