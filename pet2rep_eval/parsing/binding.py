"""Which of the names in a clause a verdict is about."""

from __future__ import annotations

from collections.abc import Sequence

from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.grammar import ELEMENTS
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.tokens import SEEN, Token
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def current(verdicts: list[Verdict], read: ReadClause) -> list[Verdict]:
    """Verdicts about the present study; what was seen earlier counts only where nothing newer is said."""
    now = [v for v in verdicts if not v.prior]
    if now and len(now) < len(verdicts):
        return now
    return verdicts


def with_regions(mentions: list[Mention], read: ReadClause) -> list[Mention]:
    """A region beside an organ in one group only says where the organ lies."""
    organs = [m for m in mentions if m.organs]
    if organs and len(organs) < len(mentions):
        listed = any(t.kind in ("JOIN", "COMMA", "LIST") for t in read.clause.tokens)
        if not listed:
            return organs
    return mentions


def bound(read: ReadClause, verdict: Verdict, index: int) -> tuple[list[Mention], str]:
    """The mentions of the clause that a verdict is about, and how they are bound."""
    tokens = read.clause.tokens
    verdicts = read.verdicts
    earlier = max((v.last for v in verdicts[:index] if v.prior is verdict.prior), default=-1)
    later = verdicts[index + 1].first if index + 1 < len(verdicts) else len(tokens)
    if verdict.negated:
        # "no uptake in the colon except in the caecum"
        excepted = (j for j in range(verdict.last + 1, later) if tokens[j].concept.exception)
        later = next(excepted, later)
    chinese = tokens[verdict.last].chinese
    if not chinese and not verdict.negated:
        # "a hypermetabolic mass of the breast with no evidence of axillary disease"
        later = next((j for j in range(verdict.last + 1, later) if tokens[j].kind == "NEG"), later)
    parting = (
        -1 if chinese else _parting(read, verdict, verdicts[index + 1] if index + 1 < len(verdicts) else None)
    )
    if parting >= 0:
        later = min(later, parting)
    if not chinese and index:
        earlier = max(earlier, _parting(read, verdicts[index - 1], verdict))
    before = [m for m in read.named if m.last < verdict.first and m.first > earlier] or []
    inner = [m for m in read.named if verdict.first <= m.first and m.last <= verdict.last]
    after = [m for m in read.named if verdict.last < m.first < later]
    if verdict.negated and before and after and tokens[0].concept.exception and not chinese:
        return after, "attributive"  # "apart from an avid node there was no uptake in the abdomen"
    joint = ""
    for j in range(verdict.last + 1, len(tokens)):
        kind = tokens[j].kind
        if kind in (
            "VERB",
            "DEG",
            "CUE",
            "FOCAL",
            "DIFFUSE",
            "PHYS",
            "SUV",
            "SIZE",
            "REST",
            "OF",
            "MAXIMAL",
            "NAMELY",
        ) and not (kind == "VERB" and chinese):
            joint = joint or ("of" if kind == "OF" else "")
            continue
        if kind in ("LESION", "NODE", "FINDING", "PART", "CENTER"):
            joint = joint or "attribute"
            continue
        if kind in ("IN", "LOCATED"):
            joint = "in"
        elif kind in ("SITE", "SIDE", "REGION", "HILUM", "PLACE"):
            joint = joint or "attribute"
        elif kind == "LIST" or kind == "JOIN":
            joint = joint or "list"
        break
    if before and after and not chinese and _found_with(tokens, verdict, after[0]):
        after = []
    elif len(after) > 1 and not chinese:
        after = [m for m in after if m is after[0] or not _found_with(tokens, verdict, m)]
    if joint == "attribute":
        after = together(after, tokens)
    if inner and before and not chinese and all(_is_region(m, tokens) for m in inner) and before[-1].organs:
        inner = []  # "bone marrow activity of the pelvis is reduced"
        return before[-1:], "direct"
    if inner and joint == "in" and not chinese and _in_named_bones(inner, after, verdict, tokens):
        return after, "inside"
    if inner:
        if before and not chinese and any(t.kind == "NEG" for t in tokens[: before[0].first]):
            inner = before + inner  # "neither the valves nor the great vessels"
        return inner + (list(after) if joint == "list" else []), "inside"
    if before and after and not chinese and joint == "in" and before[-1].organs:
        verb = any(t.kind == "VERB" for t in tokens[before[-1].last + 1 : verdict.last])
        if verb and all(m.regions for m in after):
            return before, "direct"  # "the marrow demonstrates decreased activity in the pelvis"
    noun = tokens[verdict.last].kind in ("CUE", "HOT", "VOID", "HYPO")
    generic = before and before[-1].organs == ("bones",) and any(m.organs == ("spine",) for m in after)
    if (
        after
        and before
        and noun
        and not generic
        and not chinese
        and joint == "in"
        and before[-1].last == verdict.first - 1
    ):
        for mention in after:
            if mention.organs != before[-1].organs:
                mention.place = mention.aside = True
        # "brown fat activation in the neck"
        return _list_before(before, tokens) if verdict.negated else [before[-1]], "compound"
    if (
        after
        and joint in ("in", "attribute", "of", "list")
        and (
            (joint == "in" and not (before and _far(tokens, verdict)))
            or not before
            or (
                not chinese
                and joint == "attribute"
                and not _predicated(tokens, verdict)
                and not _is_predicate(tokens, verdict)
            )
        )
    ):
        if chinese and before and joint == "in":
            return after, "located"
        if before and _with_more(tokens, verdict, after[0]):
            return [*before[-1:], *after], "direct"
        return after, "attributive"
    if before:
        last = before[-1]
        if tokens[verdict.first].paren and not last.paren and len(before) > 1 and not chinese:
            return [last], "direct"
        return before, "direct"
    if after and chinese and index == 0:
        return after, "attributive"
    if after and not chinese:
        return after, "attributive"
    return [], ""


def _is_region(mention: Mention, tokens: Sequence[Token]) -> bool:
    return bool(mention.regions) or tokens[mention.last].kind == "REGION"


def _in_named_bones(
    inner: list[Mention], after: list[Mention], verdict: Verdict, tokens: Sequence[Token]
) -> bool:
    """ "Reduced marrow uptake in the sacrum and the iliac bones": of these, not of the marrow at large."""
    return (
        verdict.state in (UptakeState.DECREASED, UptakeState.ABSENT)
        and all(m.organs == ("bone_marrow",) for m in inner)
        and bool(after)
        and all(m.organs in (("bones",), ("spine",)) for m in after)
        and not any("skelet" in t.text for t in tokens)
    )


def _list_before(before: list[Mention], tokens: Sequence[Token]) -> list[Mention]:
    """The last name and those listed with it: "lungs and pleura without uptake in the field of view"."""
    at = len(before) - 1
    while at and all(
        t.kind in ("JOIN", "COMMA", "SIDE") for t in tokens[before[at - 1].last + 1 : before[at].first]
    ):
        at -= 1
    return before[at:]


def _found_with(tokens: Sequence[Token], verdict: Verdict, mention: Mention) -> bool:
    """ "The mucosa showed intense uptake with bone erosion": the bone is of what was found beside it."""
    between = tokens[verdict.last + 1 : mention.first]
    behind = tokens[mention.last + 1].kind if mention.last + 1 < len(tokens) else ""
    return any(t.concept.name == "verb.with" for t in between) and behind == "FINDING"


def _parting(read: ReadClause, verdict: Verdict, following: Verdict | None) -> int:
    """ "Avid thickening in the colon with small nodes without uptake": where the second finding begins, or -1."""
    if following is None:
        return -1
    between = range(verdict.last + 1, following.first)
    at = next((i for i in between if read.clause.tokens[i].concept.name == "verb.with"), -1)
    if at < 0 or any(m.last < verdict.first for m in read.named):
        return -1
    first = any(verdict.last < m.first < at for m in read.named)
    return at if first and any(at < m.first < following.first for m in read.named) else -1


def _is_predicate(tokens: Sequence[Token], verdict: Verdict) -> bool:
    """ "The sacrum and L5 are hypometabolic after pelvic irradiation": said of what stands before."""
    i = verdict.first - 1
    while i > 0 and tokens[i].kind in ("DEG", "DIFFUSE"):
        i -= 1
    return i > 0 and tokens[i].concept.copula and tokens[i - 1].kind in ELEMENTS


def _with_more(tokens: Sequence[Token], verdict: Verdict, mention: Mention) -> bool:
    """ "The mass demonstrated avid uptake with involvement of the clivus": said of both."""
    between = tokens[verdict.last + 1 : mention.first]
    lesion = any(t.kind in ("LESION", "NODE") for t in tokens[: verdict.first])
    return (
        lesion
        and bool(between)
        and between[0].kind == "VERB"
        and between[-1].kind == "IN"
        and len(between) == 2
        and (between[1].start - between[0].end > 4)
    )


_FAR = 20
"""Characters of unknown words after which a place is of something else."""


def _far(tokens: Sequence[Token], verdict: Verdict) -> bool:
    """ "The axillary nodes are avid following a vaccination ten days ago in that arm"."""
    after = tokens[verdict.last + 1] if verdict.last + 1 < len(tokens) else None
    return after is not None and after.start - tokens[verdict.last].end > _FAR


def together(mentions: list[Mention], tokens: Sequence[Token]) -> list[Mention]:
    """The mentions that stand together with the first: unknown words between names end the group."""
    out = mentions[:1]
    for mention in mentions[1:]:
        before = tokens[mention.first - 1]
        if before.kind not in ("JOIN", "COMMA") and tokens[mention.first].start - before.end > 8:
            break
        out.append(mention)
    return out


def next_name(read: ReadClause, mention: Mention) -> int:
    """Index of the first token of the next name in the clause."""
    return min((m.first for m in read.named if m.first > mention.last), default=len(read.clause.tokens))


def _predicated(tokens: Sequence[Token], verdict: Verdict) -> bool:
    """The names behind the verdict have a verb of their own: they begin something new."""
    names = False
    for token in tokens[verdict.last + 1 :]:
        if token.kind in ELEMENTS or token.kind in ("JOIN", "COMMA"):
            names = True
        elif token.kind == "VERB" and names:
            return not (token.concept.copula or token.concept.name == SEEN)
        else:
            return False
    return False
