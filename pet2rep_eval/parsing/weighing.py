"""How a verdict stands to what was said before, and what of a clause belongs to a statement."""

from __future__ import annotations

from collections.abc import Sequence

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.drafts import Draft, ReadClause
from pet2rep_eval.parsing.measuring import SUV_THRESHOLD
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def only_on_ct(mentions: Sequence[Mention]) -> bool:
    sites = load_lexicon().sites
    for mention in mentions:
        for organ in mention.organs:
            if not sites[organ].ct_only:
                return False
        if not mention.organs:
            return False
    return bool(mentions)


def fades(read: ReadClause, verdict: Verdict, mention: Mention) -> bool:
    """原颈部肿大淋巴结缩小,浓聚程度减淡: nodes have no uptake of their own that could be low."""
    sites = load_lexicon().sites
    return (
        (mention.node or (bool(mention.organs) and all(sites[o].station for o in mention.organs)))
        and read.clause.tokens[verdict.last].kind in ("DOWN", "CUE")
        and any(t.kind == "DOWN" for t in read.clause.tokens[verdict.first : verdict.last + 1])
        and read.kinds.isdisjoint(("BELOW", "AGAINST", "CENTER", "SURROUND"))
    )


def faded(draft: Draft, read: ReadClause) -> bool:
    """代谢较前减低，SUVmax 1.4: of a lesion of which only that is said, the number decides."""
    if not read.suv or draft.region or max(v.value for v in read.suv) >= SUV_THRESHOLD:
        return False
    return draft.lesion or load_lexicon().sites[draft.key].station


def adds(read: ReadClause) -> bool:
    """分布均匀，仅S6血管瘤处稀疏: the exception, or a lesion of its own, leaves standing what was said of the rest."""
    head = read.clause.tokens[0]
    only = head.kind == "BUT" and head.text[0] in "仅唯惟只除"
    segment = any(t.kind == "PART" and not t.chinese for t in read.clause.tokens)  # S7低密度影摄取缺失
    return head.chinese and (only or (read.lesion and segment))


def denies_more(verdict: Verdict, kind: str, draft: Draft) -> bool:
    """ "Faint activity, not increased"; 摄取呈条索状，未见局灶性增高: that only said how it looks."""
    if draft.state is not INCREASED or verdict.state is not NORMAL:
        return False
    if draft.shape:
        return kind in ("UP", "HOT", "VERDICT")
    return draft.degree == "mild" and verdict.negated and kind == "UP"


def common_sides(mentions: Sequence[Mention]) -> dict[str, str | None]:
    """The side of organs that a list names more than once: 双侧腮腺、颌下腺 is bilateral, 右侧肩胛下肌、双侧竖脊肌 has
    none of its own. Left and right stay apart, and are not in the result."""
    sides: dict[str, set[str | None]] = {}
    for mention in mentions:
        for key in mention.keys:
            sides.setdefault(key, set()).add(mention.side)
    common: dict[str, str | None] = {}
    for key, found in sides.items():
        named = found - {None}
        if len(named) == 1:
            common[key] = next(iter(named))
        elif named and named != {"left", "right"}:
            common[key] = None
    return common


def extend(draft: Draft, clause: Clause) -> None:
    if draft.ct is None:
        draft.ct = (clause.start, clause.end)
    elif clause.start >= draft.ct[1] and clause.start - draft.ct[1] < 40:
        draft.ct = (draft.ct[0], clause.end)
