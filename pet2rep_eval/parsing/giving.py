"""Gives a verdict to places: what it means for each, what it takes back, and what it adds."""

from __future__ import annotations

from collections.abc import Sequence

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.drafts import Draft, ReadClause
from pet2rep_eval.parsing.measuring import is_quoted
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.weighing import adds, common_sides, denies_more, faded, fades
from pet2rep_eval.records import UptakeState

INCREASED, DECREASED = UptakeState.INCREASED, UptakeState.DECREASED
ABSENT, NORMAL = UptakeState.ABSENT, UptakeState.NORMAL

_CHANGED = frozenset({"DOWN", "DEG", "CHANGE", "UP"})
_SPREAD = frozenset({"SYM"})
_RIM = frozenset({"NEG", "FOCAL", "CUE", "VERB"})
_RIM_WORDS = frozenset({"NEG", "FOCAL"})
_NEAR = 6
"""How many statements are looked back on, so that the work stays linear in the text."""


def give(
    reader: Reader, mentions: Sequence[Mention], verdict: Verdict, read: ReadClause, rule: str
) -> list[Draft]:
    """The statements that the verdict makes of the mentions; the rule's name stays on them."""
    out: list[Draft] = []
    common = common_sides(mentions) if len(mentions) > 1 else {}
    done: dict[tuple[str, str | None], Draft] = {}
    for mention in mentions:
        keys = (mention.negated, *mention.keys) if mention.negated and verdict.negated else mention.keys
        for key in keys:
            state = _meant(reader, mention, key, verdict, read, rule)
            if state is None:
                continue
            side = common.get(key, mention.side)
            if rule == "carried" and side is not None and not verdict.spread:
                _one_side_after_all(reader, mention, key)
            if (key, side) in done:
                mention.drafts[key] = done[key, side]
                continue
            if rule != "remainder":
                _gone_by_now(reader, key, side)
            draft = mention.drafts.get(key)
            if (
                not read.clause.chinese
                and _RIM >= read.kinds > _RIM_WORDS
                and any(
                    d.key == key and d.state is ABSENT and d.sentence == reader.sentence for d in reader.last
                )
            ):
                continue  # "a photopenic area, without rim uptake"
            if state is NORMAL and draft is not None and _beside_urine(reader, draft, verdict, read):
                continue
            if read.kinds == _SPREAD and read.clause.chinese and not _is_open(draft, reader.sentence):
                continue  # 摄取增高，边界清晰
            if draft is not None:
                if _overruled(reader, draft, verdict, read, rule):
                    draft.state = None
                if _adds_nothing(reader, draft, verdict, state, read):
                    continue
                if _taken_in(reader, draft, verdict, state, read):
                    draft.state = None
                if (
                    draft.state is NORMAL
                    and draft.state is state
                    and draft.bare == verdict.bare
                    and draft in reader.last
                ):
                    out.append(draft)
                    continue
            if draft is None or draft.state is not None:
                draft = reader.draft(mention, key, read)
            _write(draft, verdict, state, side, read, rule, reader.sentence)
            done[key, side] = draft
            out.append(draft)
    reader.last = out or reader.last
    return out


def _meant(
    reader: Reader, mention: Mention, key: str, verdict: Verdict, read: ReadClause, rule: str
) -> UptakeState | None:
    """The state that the verdict gives this place; ``None`` where it says nothing of uptake there."""
    site = load_lexicon().sites[key] if mention.organs else None
    kinds = read.kinds
    if site and site.ct_only and kinds.isdisjoint(("CUE", "HOT", "HYPO", "VOID")):
        return None
    if verdict.bare and (
        site is None
        or read.clause.section == "structure"
        or (read.reading.structural and not read.reading.cue)
    ):
        return None
    head = read.clause.tokens[verdict.first]
    if (
        verdict.state is ABSENT
        and head.kind == "COLD"
        and verdict.first == verdict.last == 0
        and reader.form
        and site
        and not ("CUE" in kinds or reader.sentence_cue or site.normally)
    ):
        return None  # "Uterus: absent": removed
    state = verdict.state
    if site and site.station and state is DECREASED and _has_become_less(read, verdict):
        return INCREASED  # "the avidity of the hilar nodes is reduced": less than it was
    if verdict.no_uptake and site and site.normally and _is_gone(read, verdict, key):
        return ABSENT
    if verdict.activity:
        carried = reader.topic_lesion and rule == "carried"
        lesion = read.lesion or mention.lesion or mention.node or carried
        if site is None:
            state = INCREASED if lesion else NORMAL
        elif site.normally and not lesion and not _goes_on(reader, read):
            caused = "BENIGN" in read.kinds and "PHYS" not in read.kinds and not read.clause.chinese
            state = INCREASED if caused or is_quoted(site, read) else NORMAL
        elif site.symmetrically and verdict.symmetric and not lesion and not read.suv:
            state = NORMAL
        else:
            state = INCREASED
    rim = any(v.state is INCREASED and v.first > verdict.last for v in read.verdicts)
    if verdict.no_uptake and "CENTER" in read.kinds and (rim or _is_hot(reader, key)):
        return ABSENT  # "the mass is avid, its centre without uptake"
    if state is DECREASED and reader.recalls and fades(read, verdict, mention):
        return INCREASED  # nodes are never colder than what they lie in: less than before
    return state


def _is_hot(reader: Reader, key: str) -> bool:
    """The sentence, or the one before, has called it increased."""
    return any(
        d.key == key and d.state is INCREASED and d.sentence >= reader.sentence - 1
        for d in reader.drafts[-_NEAR:]
    )


def _beside_urine(reader: Reader, draft: Draft, verdict: Verdict, read: ReadClause) -> bool:
    """ "The aortic wall is avid, displacing the ureter, retention of urinary activity above": another matter."""
    said = read.clause.tokens[verdict.first : verdict.last + 1]
    return (
        not read.clause.chinese
        and all(t.kind == "URINE" for t in said)
        and draft.state is INCREASED
        and not draft.activity
        and draft.sentence == reader.sentence
        and not read.reading.called_physiological
    )


def _is_open(draft: Draft | None, sentence: int) -> bool:
    """轻度显影，分布均匀: how much that is, the words that follow can say."""
    return draft is not None and draft.activity and draft.sentence == sentence


def _goes_on(reader: Reader, read: ReadClause) -> bool:
    """ "… foci in the lungs, along with pancolonic uptake": in the same breath as what is increased."""
    tokens = read.clause.tokens
    head = tokens[0]
    if head.chinese:
        return False
    if head.kind == "REST" and not head.concept.elsewhere and len(tokens) > 1:
        # "additional uptake was found in the prostate"
        return tokens[1].kind == "CUE" and any(
            d.state is INCREASED and d.sentence >= reader.sentence - 1 for d in reader.drafts[-4:]
        )
    return (
        head.kind == "JOIN"
        and not read.clause.first
        and any(d.state is INCREASED and d.sentence == reader.sentence for d in reader.last)
    )


def _one_side_after_all(reader: Reader, mention: Mention, key: str) -> None:
    """分布不对称，左侧增高: the side says what the spread meant."""
    for said in reader.drafts[-_NEAR:]:
        if (
            said.key == key
            and said.spread
            and said.sentence == reader.sentence
            and said.mention == (mention.start, mention.end)
            and not (said.even and reader.topic_lesion)  # 皮质分布均匀，右肾囊肿呈缺损
        ):
            said.state = None


def _gone_by_now(reader: Reader, key: str, side: str | None) -> None:
    """ "Baseline showed avid nodes. Now they are gone." """
    for said in reader.persisting:
        if said.key == key and said.side in (None, side):
            said.state, said.rule = None, "described"


def _scored(verdict: Verdict, read: ReadClause) -> bool:
    """A score, or uptake measured against a reference."""
    return read.clause.tokens[verdict.first].kind == "VERDICT" or (
        not verdict.activity and not read.kinds.isdisjoint(("BELOW", "EQUAL", "ABOVE"))
    )


def _has_become_less(read: ReadClause, verdict: Verdict) -> bool:
    """The verdict is a predicate, and compares with nothing that is seen today."""
    tokens, at = read.clause.tokens, verdict.last
    return (
        not read.clause.chinese
        and not read.reading.compared
        and tokens[at].kind == "DOWN"
        and at > 0
        and tokens[at - 1].concept.copula
    )


def _is_gone(read: ReadClause, verdict: Verdict, key: str) -> bool:
    """ "Absence of uptake in the right temporal lobe": where uptake is always seen, it is missing."""
    tokens = read.clause.tokens
    head = tokens[verdict.first]
    return (
        key in _ALWAYS_SEEN
        and head.kind == "NEG"
        and head.concept.noun
        and tokens[verdict.first + 1].kind == "CUE"
        and read.kinds.isdisjoint(("LESION", "NODE", "PHYS"))
    )


_ALWAYS_SEEN = frozenset({"brain", "kidneys"})


def _overruled(reader: Reader, draft: Draft, verdict: Verdict, read: ReadClause, rule: str) -> bool:
    """What was said of the place does not hold beside these words."""
    tokens = read.clause.tokens
    here = draft.sentence == reader.sentence
    alone = len(tokens) == 1 and draft.sentence == reader.sentence - 1
    if draft.rule == "SUV only" and (here or alone) and _scored(verdict, read):
        return True  # "SUVmax 2.4, DS 3": words beat the number
    lower = read.clause.tokens[0].kind == "BELOW" and verdict.state is DECREASED and draft.degree is None
    if here and rule == "carried" and lower and draft.state is INCREASED:
        return True  # "patchy uptake, lower than that of the adjacent parenchyma"
    # "faint activity, not increased"
    return here and rule == "carried" and denies_more(verdict, tokens[verdict.last].kind, draft)


def _adds_nothing(
    reader: Reader, draft: Draft, verdict: Verdict, state: UptakeState, read: ReadClause
) -> bool:
    """The clause only goes on about what is stated already."""
    here = draft.sentence == reader.sentence
    if draft.rule == "SUV only" and read.kinds <= _CHANGED and state is not NORMAL:
        return True  # "SUVmax 4.0, decreased": less than before
    focal = read.clause.tokens[verdict.last].kind == "FOCAL"
    if here and draft.state is INCREASED and state is NORMAL and focal:
        return True  # "diffusely increased uptake, no dominant focus"
    if verdict.above_pool:
        return here and draft.state is NORMAL
    return (
        here
        and draft.state is DECREASED
        and verdict.state is NORMAL
        and verdict.spread
        and _scored(verdict, read)
    )


def _taken_in(reader: Reader, draft: Draft, verdict: Verdict, state: UptakeState, read: ReadClause) -> bool:
    """What was said of the place is part of what is said now: the later word says more."""
    if draft.sentence != reader.sentence:
        return False
    lesion = "LESION" in read.kinds or reader.topic_lesion
    if draft.even and lesion and state in (DECREASED, ABSENT) and read.clause.chinese:
        return False  # 皮质分布均匀，中极囊肿呈放射性缺损
    if draft.equal and read.clause.tokens[0].kind == "BUT" and not read.clause.chinese:
        return False  # "isometabolic to the liver on FDG but avid on choline"
    if draft.state is DECREASED and state is NORMAL:
        return False  # "a cold nodule, with normal uptake in the rest of the gland"
    traces = draft.state is NORMAL and state is ABSENT and not read.clause.chinese
    return (
        (draft.spread and not adds(read) and not traces)
        or (draft.no_uptake and state is ABSENT)
        or (draft.bare and state is not NORMAL)
        or (draft.activity and verdict.spread and read.kinds == _SPREAD)
        or (draft.activity and draft.state is NORMAL and state is INCREASED)
    )


def _write(
    draft: Draft,
    verdict: Verdict,
    state: UptakeState,
    side: str | None,
    read: ReadClause,
    rule: str,
    sentence: int,
) -> None:
    tokens = read.clause.tokens
    draft.state, draft.rule, draft.side, draft.sentence = state, rule, side, sentence
    draft.uptake = (tokens[verdict.first].start, tokens[verdict.last].end)
    draft.degree = verdict.degree if verdict.state is state else None
    draft.bare, draft.shape = verdict.bare, verdict.shape
    draft.spread = verdict.spread or (state is INCREASED and verdict.state is DECREASED)
    draft.no_uptake, draft.activity = verdict.no_uptake, verdict.activity
    draft.even = verdict.even
    draft.equal = tokens[verdict.first].kind == "EQUAL" or tokens[verdict.last].kind == "EQUAL"
    draft.residual = state is INCREASED and (verdict.residual or verdict.state is DECREASED)
    draft.suv += read.suv
    if draft.residual and faded(draft, read):
        draft.state = NORMAL
    draft.size_mm += tuple([s for s in read.sizes if s not in draft.size_mm])
