"""What is found by pattern, not by phrase: measures, numbered places, dates and punctuation."""

from __future__ import annotations

import bisect
import itertools
import re

from pet2rep_eval.lexicon import Concept
from pet2rep_eval.parsing.measures import SIZE, SUV
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tables import figures

# Lists are bounded, so that each alternative stays linear on adversarial input.
# Vertebrae are named by number, not by words: L4/5, C3-C5, 胸12椎体, T5 vertebra
_SPINE = (
    r"(?<![a-z0-9.])(?<!lesion id: )(?:(?:[cl]|th?)(?:1[0-2]|[1-9])"
    # D is dorsal, but not in a D2 gastrectomy, vitamin D3 or 胃癌D2根治术
    r"|(?<!vitamin )d(?:1[0-2]|[1-9])(?!-\d\d)"
    r"(?!\s?(?:gastr|lymph|dissect|resect|recept|distal|total|subtotal|(?!椎)[\u3400-\u9fff]))"
    r"|s[1-5](?=\s?椎|\s(?:vertebra|nerve)|\s?/\s?l5))(?:\s?[-/~、,及和]\s?[ctls]?(?:1[0-2]|[1-9])(?![0-9.])){0,20}(?=$|[^a-z0-9.分]|\.(?:[\s.。]|$))"
    r"(?!\s?[-]?(?:weighted|w\b|n[0-3x]|hyper|signal|stage|image|sequence|volumetric|mprage|flair|mr[i]?\b|map"
    r"|folf|abvd|r-?chop|chop|chemo|cycle|post|contrast|gd|gad|(?:and |, ?|/)(?:dwi|flair|adc|stir|swi)|期|段))"
    r"(?:\s?椎体?|\s(?:vertebral bod(?:y|ies)|vertebrae?))?"
    r"|第?[颈胸腰骶](?:1[0-2]|[1-9])(?:[-~、/及和](?:[颈胸腰骶])?(?:1[0-2]|[1-9])){0,20}(?![\d.]|c?m)(?:椎体?|椎体及附件)?"
    r"|第[一二三四五六七八九十]{1,3}[颈胸腰骶]椎体?"
    r"|第\d{1,2}(?:[-~、/及和]\d{1,2}){0,20}[颈胸腰骶]椎体?"
)

_LEVEL = (
    r"(?<![a-z0-9])(?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?(?:[、/,及和-](?:[ⅰ-ⅶ]|iv|vi{0,2}|i{1,3})[ab]?){0,20}区"
    # "Left IIA 15 mm", "right IB node"
    r"|(?:(?<=left )|(?<=right )|(?<=[\s:,;(][lr] ))(?:iv|v|i{1,3})[ab]?"
    r"(?=:? \d{1,2}(?:\.\d)? ?[mc]m|:? \(?suv|:? (?:lymph )?nod|:? ln\b)"
)

_NECK = (
    r"levels?\s(?:[1-7]|iv|vi{0,2}|i{1,3})[ab]?"
    r"(?:(?:\s?[,/&-]\s?|\s(?:and|to|or)\s)(?:and\s)?(?:level\s)?(?:[1-7]|iv|vi{0,2}|i{1,3})[ab]?(?![a-z0-9]|\.\d)){1,20}"
)

_STATIONS = (
    r"(?:stations?|stn\.?)\s(?:1[0-4]|[1-9])[rl]?"
    r"(?:(?:\s?[,/&-]\s?|\s(?:and|to|or)\s)(?:and\s)?(?:1[0-4]|[1-9])[rl]?(?![a-z0-9]|\.\d)){1,20}"
)

_STATION = r"(?<![a-z0-9.])(?:1[0-4]|[1-9])[rl]?(?:[组区]?[、/,及和](?:1[0-4]|[1-9])[rl]?){0,20}[组区](?!间)"

_PERCENT = (
    r"(?:[1-4]?\d|(?:(?<=< )|(?<=<)|(?<=below )|(?<=than )|(?<=under ))50)(?:\.\d)? ?% of (?:the )?"
    r"(?:maxim(?:um|al)|max|peak)\b(?: (?:uptake|activity|counts))?"
)
"""Less than half of the greatest uptake."""

_PATTERNS = re.compile(
    rf"(?P<SUV>{SUV})|(?P<SIZE>{SIZE})|(?P<SPINE>{_SPINE})|(?P<LEVEL>{_LEVEL})|(?P<STATION>{_STATION})|(?P<NECK>{_NECK})|(?P<STATIONS>{_STATIONS})"
    rf"|(?P<PERCENT>{_PERCENT})"
    r"|(?P<STOP>[。;!?]+|\.(?=\s|$|[^\d\s])(?!\w\.))|(?P<COMMA>,)|(?P<COLON>:|(?<=[\u3400-\u9fff])--(?=[\u3400-\u9fff]))|(?P<OPEN>\()|(?P<CLOSE>\))",
)


# Where a pattern can begin at all: one set of characters, searched for much faster than the alternatives above,
# and for letters and digits what must stand beside them.
_PATTERN_START = re.compile(
    r"[,:()。;!?.\-\d延最平峰标放第颈胸腰骶ⅰ-ⅶdefmapsctliv由从自]"
    r"(?:(?<=[,:()。;!?.第ⅰ-ⅶ])|(?<= -)(?=[ >])|(?<=[\u3400-\u9fff]-)(?=-[\u3400-\u9fff])"
    r"|(?<=\d)(?<![a-z0-9.]\d)|(?<=[颈胸腰骶])(?=[1-9])"
    r"|(?<=延)(?=迟)|(?<=最)(?=[大高])|(?<=平)(?=均)"
    r"|(?<=峰)(?=值)|(?<=标)(?=准)"
    r"|(?<=[由从自])(?=[原前治上之约\s]?.{0,3}\d)"
    r"|(?<=f)(?=rom\s)|(?<=放)(?=射性指数)|(?<=d)(?=elayed)|(?<=e)(?=arly)|(?<=m)(?=ax|ean)|(?<=a)(?=verage)"
    r"|(?<=p)(?=eak)|(?<=s)(?=tandard|tations?\s\d|tn|u[vl]|[1-5])|(?<=[cdtl])(?=[1-9])|(?<=t)(?=h[1-9])|(?<=[iv])(?=[iv]{0,3}[ab]?[、/,及和区-])"
    r"|(?:(?<=t [iv])|(?<=[\s:,;(][lr] [iv]))(?=[iv]{0,2}[ab]?:? \(?[\dlns])|(?<=l)(?=evels?\s[iv1-7]))"
)

_ABBREVIATION = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|fig|no|approx|vs|e\.g|i\.e|cf|st|ca|dept|prof|img|im|ser|inc|resp|incl|max|min|avg|abn|contralat|ipsilat|ext|int"
    r"|(?<!prior )(?<!post )(?<!post-)(?<!after )(?<!adjuvant )(?<!following )(?<!s/p )(?<!previous )rt"
    r"|lt|bil|bilat|ant|post|sup|lat|med|prob|susp|mod|resp|pathol|physiol|incr|decr|diam|(?<![/'])[a-z]))$"
)


def _of_suv(text: str, start: int) -> bool:
    """The sentence spoke of an SUV before *start*."""
    return _NAMED_SUV.search(text, max(0, start - 80), start) is not None


_SIDE_LAST = re.compile(r"(?:(?:\bto|\bthan|\bvs|\bwith|[<>=]) (?:the )?[lr]|s bil(?:at)?)$")
"""A side that ends its sentence: "compared to L.", "nodes bilat."."""


_NUMBERED_NO = re.compile(r"\bno$")


def _is_stop(text: str, start: int) -> bool:
    if text[start] != "." or not _ABBREVIATION.search(text, max(0, start - 14), start):
        return True
    if _NUMBERED_NO.search(text, max(0, start - 3), start):
        return not text[start + 1 : start + 3].strip().isdigit()  # "no. 5", but "Uptake in the lungs? No."
    return _SIDE_LAST.search(text, max(0, start - 14), start) is not None


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
            if kind == "SUV" and _NO_NAME.match(match.group()) and not _of_suv(text, start):
                position = start + 1
                continue  # from 3 to 5: of what?
            if kind != "STOP" or _is_stop(text, start):
                found.append((start, position, kind))
    return found


def special_of(normalised: Normalised) -> list[tuple[int, int, str]]:
    """Also the figures of tables, which say what they are only by the heading above."""
    found = _special(normalised.text)
    found = _without_row_numbers(found, normalised)
    cells = list(figures(normalised))
    rows = [(start, end, _SCALES[scale]) for start, end, scale in cells if scale != "row"]
    if not rows:
        return found
    taken = {at for at, _, _ in rows}
    begins = sorted(start for start, _, scale in cells if scale == "row")
    skipped = sorted((start, end) for start, end, kind in rows if kind == "SKIP")
    found = [f for f in found if not (f[0] in taken or _crosses(f, begins) or _is_skipped(f, skipped))]
    return sorted([*rows, *found])


def _crosses(found: tuple[int, int, str], begins: list[int]) -> bool:
    """It reaches over the begin of a row: "SUV" above, and the number of the row."""
    at = bisect.bisect_right(begins, found[0])
    return at < len(begins) and begins[at] < found[1]


def _begin(span: tuple[int, int]) -> int:
    return span[0]


def _is_skipped(found: tuple[int, int, str], skipped: list[tuple[int, int]]) -> bool:
    """It begins inside a score of an earlier study."""
    at = bisect.bisect_right(skipped, found[0], key=_begin) - 1
    return at >= 0 and found[0] < skipped[at][1]


def _without_row_numbers(
    found: list[tuple[int, int, str]], normalised: Normalised
) -> list[tuple[int, int, str]]:
    """Without the L1, L2, L3 that number the lesions of successive lines: no vertebrae."""
    text = normalised.text
    if _LESION_ROW.search(text) is None:
        return found
    lines = sorted({0, *normalised.breaks, *normalised.paragraphs})
    numbered = [
        (m.start(), int(m.group(1)))
        for at in lines
        if (m := _LESION_ROW.match(text, at + (text[at : at + 1] == " ")))
    ]
    rows = {at for (at, n), (_, after) in itertools.pairwise(numbered) if after == n + 1}
    rows |= {after for (_, n), (after, m) in itertools.pairwise(numbered) if m == n + 1}
    first = min(rows, default=-1)
    if first < 0 or not any(at == first and n == 1 for at, n in numbered):
        return found
    return [f for f in found if not (f[2] == "SPINE" and f[0] in rows)]


_LESION_ROW = re.compile(r"l([1-9])[.)]?\s(?!vertebr|spine|endplate|body)(?=[a-z])")

_SCALES = {"suv": "SUV", "deauville": "DEAUVILLE", "cell": "COMMA", "earlier": "SKIP"}

_NO_NAME = re.compile(r"from|[由从自]")

_NAMED_SUV = re.compile(r"(?:suv|标准摄取值)(?:(?!\.\s)[^。;!?])*$")

_SINGLE = {",": "COMMA", ":": "COLON", "(": "OPEN", ")": "CLOSE", "-": "DASH"}

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"

_DATE = (
    r"(?:\d{4}[-/.年]\s?\d{1,2}(?:[-/.月]\s?\d{1,2}日?|月份?)?|\d{1,2}月\d{1,2}日"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d)"
    rf"|(?:\d{{1,2}}(?:st|nd|rd|th)? )?{_MONTH}\.? (?:\d{{1,2}},? )?\d{{4}})"
)

_DATED = re.compile(
    r"\s?(?:本院|我院|外院)?\(?(?:(?:the|that|an?|on|from|of|dated|prior|previous|scan|exam|examination|study"
    rf"|pet/ct|pet-ct|pet|ct|imaging|performed) ){{0,6}}{_DATE}(?![\d.])\)?\s?"
    r"(?:的?(?:前次|老|旧)?(?:pet[/-]?ct)?(?:前?片|显像|检查|图像)?(?P<compared>相比较?|比较|对比|对照|大致相仿|基本相仿|相仿|相似)?)"
)


def dated(text: str, end: int, concept: Concept) -> int:
    """Where the date ends that stands behind a word that compares: 较2023年10月片, "compared with 12/3/2023"."""
    match = _DATED.match(text, end)
    return match.end() if match and (concept.kind == "AGAINST" or match["compared"]) else 0
