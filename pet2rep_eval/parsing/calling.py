"""What a finding is called: a disease that the text begins with, a grave cause, brown fat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.records import UptakeState

if TYPE_CHECKING:
    from pet2rep_eval.parsing.attribution import Reader
    from pet2rep_eval.parsing.drafts import ReadClause

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL

_BROWN_FAT, _SOFT_TISSUE = "muscles_soft_tissue.brown_fat", ("muscles_soft_tissue",)
_TRACED = frozenset({"CUE", "HOT", "HYPO", "VOID"})
_MANY = 40
"""Statements that are looked back on, so that the work stays linear in the text."""


def recall_disease(reader: Reader, read: ReadClause) -> None:
    """食管癌放疗后，病变段管壁增厚: the part is of that organ; 左肺癌，代谢增高: so is the uptake."""
    tokens = read.clause.tokens
    if read.named or (read.clause.first and not read.clause.soft and "DISEASE" not in read.kinds):
        reader.disease = []
        return
    at = next((i for i, t in enumerate(tokens) if t.kind == "DISEASE" and t.concept.organs), None)
    if at is not None and read.clause.first:
        side = next((t.concept.side for t in tokens[:at] if t.kind == "SIDE"), None)
        reader.disease = [
            Mention(tokens[at].concept.organs, (), side, tokens[at].start, tokens[at].end, at, at)
        ]
        if not reader.drafts:
            reader.diagnosed = [replace(m, drafts={}) for m in reader.disease]
    if not reader.disease:
        return
    group = next((g for g in read.groups if (g.part or g.lesion) and not g.mentions), None)
    if group is not None and at is None:
        meant = not any(t.kind == "NEG" for t in tokens[: group.first])
    else:
        meant = (
            not any(g.mentions or g.node for g in read.groups)
            and not read.kinds.isdisjoint(_TRACED)
            and any(v.state is not NORMAL and not v.bare for v in read.verdicts)
        )
    if meant:
        reader.set_topic(reader.disease, read)
        reader.disease = []


def look_for_brown_fat(reader: Reader, read: ReadClause) -> None:
    """Looks for brown fat among the names of a clause that gives a cause, or calls uptake physiological."""
    for group in read.groups:
        for mention in group.mentions:
            if mention.organs == _SOFT_TISSUE and read.clause.tokens[mention.last].concept.name == _BROWN_FAT:
                _called_brown_fat(reader, read, mention.last)


def _called_brown_fat(reader: Reader, read: ReadClause, at: int) -> None:
    """ "Uptake in the supraclavicular regions, consistent with brown fat": it is not of the nodes there."""
    tokens = read.clause.tokens
    called = any(t.kind == "CAUSE" or t.concept.copula for t in tokens[max(0, at - 3) : at])
    called = called or (at > 0 and tokens[at].chinese and tokens[at - 1].kind == "VERB")  # 锁骨上区见棕色脂肪
    if not called or any(t.kind in ("NODE", "LESION") for t in tokens[:at]):
        return
    here = [
        d
        for d in reader.drafts[-_MANY:]
        if d.sentence == reader.sentence and d.uptake and d.state is not None
    ]
    others = [d for d in here if d.key != "muscles_soft_tissue" and not d.size_mm]
    if not others:
        return
    fat = next((d for d in here if d.key == "muscles_soft_tissue"), None)
    if fat is None:
        fat, others = others[-1], others[:-1]
        fat.key, fat.region, fat.side, fat.mention = "muscles_soft_tissue", False, None, None
    if "PHYS" in read.kinds:
        fat.state, fat.degree = NORMAL, None
    for draft in others:
        draft.state, draft.uptake, draft.degree, draft.rule = None, None, None, "described"


def called_grave(reader: Reader, read: ReadClause) -> None:
    """ "Uptake in the atrial wall, concerning for a metastasis": more than what the organ normally shows."""
    tokens = read.clause.tokens
    grave = next((i for i, t in enumerate(tokens) if t.concept.grave), None)
    if grave is None or "PHYS" in read.kinds or any(t.kind == "NEG" for t in tokens[:grave]):
        return
    for draft in reader.drafts[-4:]:
        said = draft.activity or (draft.spread and draft in reader.last)
        if said and draft.state is NORMAL and draft.sentence == reader.sentence:
            draft.state = INCREASED
