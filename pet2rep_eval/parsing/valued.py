"""What a value says: reference values of other tissue, and lesions with a quoted SUV and no word for their uptake."""

from __future__ import annotations

from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.measuring import SUV_THRESHOLD
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.stating import by_value, carried
from pet2rep_eval.parsing.subjects import turn_to_nearest
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.uptake.targets import REFERENCE_ORGANS
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL

_COMPARED_WITH = REFERENCE_ORGANS | {"muscles_soft_tissue"}


def reference_value(reader: Reader, read: ReadClause) -> bool:
    """Liver background, mediastinal blood pool: a value to compare with, no statement."""
    bare_value = (
        read.suv
        and read.named
        and not read.verdicts
        and not read.lesion
        and not read.finding
        and not read.clause.heading
        and not read.sizes
        and not any(t.kind == "SITE" and t.concept.contextual for t in read.clause.tokens)
        and all(m.organs in (("liver",), ("great_vessels",)) or _is_pool(reader, m) for m in read.named)
    )
    if bare_value and (not reader.form or reader.reference_clause):
        reader.reference_clause = True
        return True  # 肝脏SUVmax 2.9
    if read.named and "PHYS" in read.kinds and not read.suv and not read.clause.chinese:
        return False  # "physiologic blood pool activity in the aorta"
    if read.reference and "CAUSE" in read.kinds and not (read.named or read.clause.first or read.suv):
        for draft in reader.last:
            if draft.rule == "SUV only" and draft.sentence == reader.sentence:
                draft.state, draft.rule = None, "described"  # "mediastinum, SUVmax 2.1, taken as blood pool"
    if not read.reference:
        return bool(reader.reference_clause and read.suv and not read.named and not read.verdicts)
    if _aside_reference(read):
        return False
    reader.reference_clause = True
    verdicts = [v for v in read.verdicts if not v.activity]
    others = [m for m in read.named if not _names_reference(m)]
    if verdicts and (
        not read.suv
        or others
        or not any(t.kind == "REF" and i < verdicts[0].first for i, t in enumerate(read.clause.tokens))
    ):
        reader.reference_clause = False
        return False
    return not (others and read.lesion)


def _is_pool(reader: Reader, mention: Mention) -> bool:
    """ "Liver SUVmax 2.9. Mediastinum SUVmax 1.7."."""
    return (
        reader.reference_before and mention.organs == ("mediastinal_hilar_lymph_nodes",) and not mention.node
    )


def _aside_reference(read: ReadClause) -> bool:
    """ "SUVmax 4.9 (liver SUVmax 3.1)": what is compared with stands in parentheses behind the value."""
    tokens = read.clause.tokens
    at = next((i for i, t in enumerate(tokens) if t.kind == "REF"), 0)
    if tokens[at].concept.weak:
        return False  # "liver, SUVmean 2.2 (reference)"
    return tokens[at].paren and any(t.kind == "SUV" and not t.paren for t in tokens[:at])


def _names_reference(mention: Mention) -> bool:
    return bool(mention.organs) and _COMPARED_WITH.issuperset(mention.organs)


def _beside_cold_part(reader: Reader, read: ReadClause) -> bool:
    """What was just called cold cannot have that SUV: it is that of another part, the wall or the solid one."""
    since = reader.sentence - read.clause.soft
    said = [d for d in reader.drafts[-8:] if d.sentence >= since and d.state is not None]
    return (
        bool(said)
        and all(d.state is UptakeState.ABSENT for d in said)
        and max(v.value for v in read.suv) >= SUV_THRESHOLD
    )


def _another_lesion(reader: Reader, read: ReadClause) -> bool:
    """ "The mass is non-avid, but there is a focus in it with SUVmax 5": a lesion that nothing was said of yet."""
    only = read.clause.chinese and read.clause.tokens[0].text.startswith("仅")  # 仅一枚SUVmax仍达3.1
    return ("LESION" in read.kinds or "FOCAL" in read.kinds or only) and (
        (only or not read.clause.chinese)
        and bool(reader.last)
        and all(d.state is NORMAL and d.sentence == reader.sentence for d in reader.last)
        and max(v.value for v in read.suv) >= SUV_THRESHOLD
    )


def suv_only(reader: Reader, read: ReadClause) -> bool:
    """A lesion with a quoted SUV and no word for its uptake."""
    if not read.suv or read.verdicts:
        return False
    if read.clause.tokens[0].kind == "BUT":
        turn_to_nearest(reader, read)  # 累及左侧精囊，该处SUVmax 12.3
    if read.named:
        lesion = read.lesion or read.finding or (reader.topic_lesion and not read.clause.first)
        drafts = reader.describe(read.named, read)
        reader.set_topic(read.named, read)
        reader.last = drafts
    elif read.places and not reader.topic:
        return True
    else:
        if reader.blocked:
            reader.extend_unattributed(read)
            return True
        mentions = carried(reader, read) if reader.topic else []
        group = next((g for g in read.groups if g.node and not g.mentions), None)
        if not mentions and group is not None:
            mentions = reader.generic_nodes(group)
            reader.describe(mentions, read)
        lesion = reader.topic_lesion or read.lesion
        if not mentions and lesion and max(v.value for v in read.suv) >= SUV_THRESHOLD:
            reader.unplace(read, Verdict(INCREASED, 0, 0))
        if mentions and mentions is not reader.topic and all(m.node for m in mentions):
            reader.last = reader.describe(mentions, read)  # nodes, with their own value
        elif mentions is not reader.topic or not reader.last:
            drafts = [d for m in mentions for d in m.drafts.values()]
            opened = [d for d in drafts if d.state is None]
            if mentions is not reader.topic and not drafts:
                opened = reader.describe(mentions, read)  # the lesion of the other lobe
            reader.last = opened or drafts or reader.last
        if not reader.last and mentions:
            reader.last = reader.describe(mentions, read)
        if _beside_cold_part(reader, read) or _another_lesion(reader, read):
            reader.last = [reader.draft(m, key, read) for m in mentions if m.organs for key in m.keys]
            lesion = True
    by_value(reader, read, lesion)
    reader.measure(read)
    return True
