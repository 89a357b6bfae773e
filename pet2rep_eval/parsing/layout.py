"""Shapes of lines and fields: what heads what stands below it, where a field begins, where a line ends a sentence."""

from __future__ import annotations

import bisect
import re

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import ELEMENTS, TERMS
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.units import Clause, names_only, says_so

_ROMAN = re.compile(r"[ivx]{1,4}[ab]?")

_FIELD_MARK = re.compile(r":|--| - |[。,;.]")


def names_field(token: Token, normalised: Normalised) -> bool:
    """A name and a colon: a field of a form begins."""
    if token.kind not in ("SITE", "REGION", "HILUM", "SIDE", "PART", "NODE"):
        return False
    mark = _FIELD_MARK.search(normalised.text, token.start, token.start + 18)
    return mark is not None and mark.group() not in ("。", ",", ";", ".")


_LINKING = frozenset("NEG DEG ABN JOIN SIDE COMMA AGAINST BELOW ABOVE IN OF VERB CAUSE PHYS UP FOCAL".split())

_SHORT_LINE = 30


def heads_below(current: list[Token], token: Token, gap: str, line_start: int) -> bool:
    """A short line of names alone, before a line that begins with a name: "Esophagus" above "Mid thoracic mass"."""
    return (
        bool(current)
        and not current[0].chinese
        and current[0].start <= line_start + 4
        and current[-1].end - line_start <= _SHORT_LINE
        and current[-1].kind in ("SITE", "REGION", "NODE")
        and token.kind in ("SITE", "SIDE", "REGION")
        and names_only(current)
        and not gap.strip(" :\n")
    )


_LISTED = re.compile(
    r"\b(?:sites|areas|regions|locations|foci|lesions|nodes|lymphadenopathy|adenopathy)[\s.:-]*$"
)

_SAID_OF_LIST = frozenset("HOT VERDICT HYPO VOID NODE LESION FOCAL ABN CUE NEG UP".split())


def heads_list(tokens: list[Token], line: str) -> bool:
    """A line that says what is common to the places below it: "FDG POSITIVE SITES", "Hypermetabolic lymph nodes"."""
    return (
        tokens[0].kind in ("HOT", "VERDICT", "HYPO", "VOID")
        and not tokens[0].chinese
        and all(t.kind in _SAID_OF_LIST for t in tokens)
        and _LISTED.search(line) is not None
    )


_TITLE = ELEMENTS | {"CUE", "COMMA", "OF", "IN", "JOIN"}


def titles(tokens: list[Token]) -> bool:
    """A line that says whose uptake the fields below it are about: "CEREBELLAR UPTAKE" above "R: decreased"."""
    kinds = {t.kind for t in tokens}
    return (
        not tokens[0].chinese
        and kinds <= _TITLE
        and "CUE" in kinds
        and not kinds.isdisjoint(("SITE", "REGION"))
        and "LESION" not in kinds
    )


def lists_parts(current: list[Token], tokens: list[Token], at: int) -> bool:
    """ "Myocardial uptake: basal anterior - normal; apex - absent": the field names an organ, its parts follow."""
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return (
        not any(t.chinese for t in current)
        and names_only(current[:-1])
        and following is not None
        and following.kind == "SITE"
        and any(set(t.concept.organs) & set(following.concept.organs) for t in current)
    )


_ENDING = frozenset("STOP COLON".split())


def asks_how_much(asked: list[Token], answer: list[Token]) -> bool:
    """ "Uptake in the liver: increased": the state stands behind."""
    return (
        [t.kind for t in asked[:2]] in (["CUE", "IN"], ["CUE", "OF"])
        and names_only(asked[2:])
        and any(says_so(t) or t.kind in ("SYM", "DIFFUSE") for t in answer if t.kind != "DEG")
        and answer[0].kind not in ("NEG", "PRESENT")
    )


def hard_break(before: Token | None, after: Token, paragraph: bool, names_field: bool) -> bool:
    """Whether a line break between two tokens ends a sentence."""
    if before is None or paragraph or names_field:
        return True
    if before.kind in _ENDING:
        return True
    begins = after.kind in ("SITE", "SIDE", "REGION", "REST", "HILUM")
    closed = before.chinese and (before.kind == "UP" or (before.kind == "ABN" and begins))  # 肝脏未见异常
    if before.kind in _LINKING and not closed:
        return False
    if begins:
        return not (before.kind in ELEMENTS and not before.chinese)
    return not (
        after.kind in TERMS
        or after.kind
        in ("JOIN", "COMMA", "VERB", "IN", "OF", "SUV", "SIZE", "LESION", "NODE", "PART", "PLACE")
    )


def leaves_section(token: Token, tokens: list[Token], normalised: Normalised, empty_line: bool) -> bool:
    if token.kind not in ("SITE", "REGION", "SIDE", "HILUM", "NODE") and not empty_line:
        return False
    if empty_line:
        return True
    colon = normalised.text.find(":", token.start, token.start + 40)
    return colon >= 0 and not any(c in normalised.text[token.start : colon] for c in "。.;,")


def unknown_heading(colon: Token, normalised: Normalised, marks: list[int]) -> bool:
    """Words of no known place before a colon at the begin of a line: "PEG tract:"."""
    at = bisect.bisect_right(marks, colon.start)
    begin = marks[at - 1] if at else 0
    if colon.start - begin > 200:
        return False
    name = normalised.text[begin : colon.start].strip(" \n-*#.,0123456789)(\"'")
    known = load_lexicon().phrases.get(name)
    return (
        2 < len(name) <= 40
        and (known is None or known.kind != "IGNORE")
        and name not in load_lexicon().headings
        and name.isascii()
        and any(c.isalpha() for c in name)
        and not _ROMAN.fullmatch(name)
    )


ANSWERS = frozenset("SUV SIZE EVEN UP DOWN COLD CUE HOT HYPO VOID VERDICT PHYS".split())


def parted_by_stroke(tokens: list[Token], index: int, text: str) -> bool:
    """A stroke between spaces, and behind it a name."""
    token, after = tokens[index], tokens[index + 1 : index + 2]
    return (
        token.text == "/"
        and text[token.start - 1] == " " == text[token.end : token.end + 1]
        and any(t.kind in ("SITE", "SIDE", "REGION") for t in after)
    )


def is_stroke_field(current: list[Token], tokens: list[Token], index: int) -> bool:
    """A stroke behind the names that begin a line, and behind it their verdict."""
    after = tokens[index + 1].kind if index + 1 < len(tokens) else ""
    return (
        tokens[index].text == "/"
        and bool(current)
        and not current[0].chinese
        and names_only(current)
        and after in ("DEG", "EVEN", "UP", "DOWN", "COLD", "NEG", "SYM", "PHYS", "HYPO", "VOID")
    )


def names_behind(current: list[Token]) -> int:
    """Index of the names that stand between a verdict and the colon: the next field of the line; or 0."""
    at = len(current)
    while at and current[at - 1].kind in ("SITE", "NODE") and not current[at - 1].chinese:
        at -= 1
    if not 0 < at < len(current):
        return 0
    last = current[at - 1].kind
    denied = last in ("LESION", "NODE") and any(t.kind == "NEG" for t in current[:at])
    return at if denied or last in ("CUE", "HOT", "VERDICT", "EVEN", "PHYS", "SUV") else 0


def line_of_names(pending: list[Clause], current: list[Token]) -> bool:
    """Everything since the line began only names places, and the mark of a field comes next."""
    return (
        pending[0].first
        and pending[0].paragraph
        and len(pending) < _MANY_FIELDS
        and not current[0].chinese
        and all(
            names_only(t) or all(x.kind in ("SIZE", "PART") or x.concept.tracer for x in t)
            for t in (*(c.tokens for c in pending), current)
        )
        and not any(c.heading for c in pending)
    )


def heads_sides(current: list[Token], following: list[Token]) -> bool:
    """The organ and a word for its uptake, before a colon and one of its sides."""
    return (
        current[-1].kind == "CUE"
        and current[-1].chinese
        and len(current) > 1
        and names_only(current[:-1])
        and any(t.kind in ("SIDE", "SITE") for t in following)
    )


def names_and_sizes(tokens: list[Token]) -> bool:
    """ "Mesenteric node 3.1 cm:" in a form."""
    names = [t for t in tokens if t.kind != "SIZE"]
    return not tokens[0].chinese and 0 < len(names) < len(tokens) and names_only(names)


_MANY_FIELDS = 8


def after_field(out: list[Clause]) -> bool:
    """The sentence before is a field of a form: "Frontal - preserved. Parietal - reduced."."""
    return any(c.heading for c in out[-3:])


def asks_how(token: Token) -> bool:
    """ "Uptake:" of a form, not "FDG:" or 葡萄糖代谢显像: above a section."""
    return token.kind == "CUE" and not token.concept.tracer and not token.chinese
