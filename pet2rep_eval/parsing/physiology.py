"""What is called physiological or excreted: it takes back what was said before."""

from __future__ import annotations

from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.giving import give
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.stating import carried
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def _other_side(topic: list[Mention], named: list[Mention]) -> bool:
    """The left after the right, or the other way round."""
    return {m.side for m in topic} | {m.side for m in named} == {"left", "right"} and not (
        {m.side for m in topic} & {m.side for m in named}
    )


_EXCRETED = frozenset({"URINE", "DEG"})


def called_physiological(reader: Reader, read: ReadClause) -> bool:
    """考虑生理性, "likely physiologic": what was said before is normal, unless another cause stands beside it."""
    reading = read.reading
    if (
        not read.named
        and read.verdicts
        and "PHYS" in read.kinds
        and all(v.state is NORMAL for v in read.verdicts)
    ):
        kinds = [t.kind for t in read.clause.tokens]
        if "BENIGN" in kinds and (
            "AGAINST" in kinds or any(t.concept.alternative for t in read.clause.tokens)
        ):
            return True  # "physiological activity versus colitis": the verdict before stands
    excreted = not read.clause.first and read.kinds <= _EXCRETED  # "focal activity in the ureter, urinary"
    if not (reading.called_physiological or reading.physiological or excreted):
        return False
    at = next((i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS"), -1)
    if not (reading.called_physiological or read.named or read.verdicts or excreted) and any(
        g.part and g.first < at for g in read.groups
    ):
        read.verdicts.append(Verdict(NORMAL, at, at))
        return False  # "left parotid focus, submandibular physiologic": another part
    if read.rest and "PHYS" in read.kinds and not read.verdicts:
        read.verdicts.append(Verdict(NORMAL, at, at))
        return False  # "remainder physiologic": nothing of what was said before
    beside = read.clause.first and not read.named and not read.verdicts and any(g.side for g in read.groups)
    if beside and at >= 0 and not reading.called_physiological:
        read.verdicts.append(Verdict(NORMAL, at, at))
        return False  # "Left: reduced uptake. Right: physiologic."
    spoken = {o for m in reader.topic for o in m.organs}
    again = (
        bool(read.named)
        and not read.clause.first
        and (not read.clause.chinese or "CAUSE" in read.kinds or read.clause.tokens[0].concept.copula)
        and not read.rest
        and all(m.organs and set(m.organs) <= spoken for m in read.named)
        and not _other_side(reader.topic, read.named)
    )
    if not (
        reading.called_physiological or excreted or (reading.physiological and (not read.named or again))
    ):
        return False
    if read.named and not read.verdicts and not again and "URINE" in read.kinds:
        return False  # 双肾可见生理性排泄: said of what the clause names
    tokens = read.clause.tokens
    instead = next((i for i, t in enumerate(tokens) if t.kind == "INSTEAD"), len(tokens))
    kinds = [t.kind for t in tokens[:instead]]
    other = (
        any(k == "BENIGN" for k in kinds)
        or any(t.concept.alternative for t in tokens if t.kind == "JOIN")
        or "AGAINST" in kinds
    )
    doubtful = any(t.text in ("不除外", "待排", "不排除", "可能待排") for t in tokens)
    for draft in reader.last if other and not read.named and not read.clause.chinese else ():
        if draft.activity and draft.state is NORMAL and draft.sentence == reader.sentence:
            draft.state = INCREASED  # "segmental uptake in the cecum, physiologic versus inflammatory"
    if not (other or doubtful):
        hot = any(d.state is INCREASED and d.sentence == reader.sentence for d in reader.last)
        if hot and excreted and not read.named and all(v.state is NORMAL for v in read.verdicts):
            read.verdicts = []  # "focal activity in the ureter, excreted tracer"
        if read.verdicts:
            read.verdicts = [
                v if v.state is UptakeState.ABSENT else Verdict(NORMAL, v.first, v.last)
                for v in read.verdicts
            ]
            return False
        every = any(t.concept.every for t in tokens)
        if reader.last and all(d.rule == "remainder" for d in reader.last):
            spoken = set()  # 余结肠条状浓聚，考虑生理性: not what was said of the mass
        same = [d for d in reader.drafts[-8:] if (every or d.key in spoken) and d.sentence == reader.sentence]
        for draft in [*reader.last, *same]:
            if draft.state in (INCREASED, UptakeState.DECREASED):
                draft.state, draft.degree, draft.rule = NORMAL, None, "called physiological"
        fills = reading.physiological or (
            reader.form and reading.called_physiological and "UNCERTAIN" not in read.kinds
        )
        if fills and reader.topic and not any(d.state for d in [*reader.last, *same]):
            at = next((i for i, t in enumerate(tokens) if t.kind in ("PHYS", "URINE")), 0)
            give(reader, carried(reader, read), Verdict(NORMAL, at, at), read, "called physiological")
    return not read.verdicts
