"""What belongs to what: verdicts of uptake to organs, by an ordered table of small rules.

A rule sees the reader, with its topic, and one clause that has been read by itself; it returns whether it has decided.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader, extend
from pet2rep_eval.parsing.binding import current, with_regions
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.grammar import TERMS
from pet2rep_eval.parsing.measuring import SUV_THRESHOLD
from pet2rep_eval.parsing.mentions import Mention
from pet2rep_eval.parsing.stating import by_value, carried, cold_core, is_open, stated
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def _reference_value(reader: Reader, read: ReadClause) -> bool:
    """Liver background, mediastinal blood pool: a value to compare with, no statement."""
    bare_value = (
        read.suv
        and read.named
        and not read.verdicts
        and not read.lesion
        and not read.finding
        and not read.clause.heading
        and all(m.organs in (("liver",), ("great_vessels",)) or _is_pool(reader, m) for m in read.named)
    )
    if bare_value and not reader.form:
        reader.reference_clause = True
        return True  # 肝脏SUVmax 2.9
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
    return tokens[at].paren and any(t.kind == "SUV" and not t.paren for t in tokens[:at])


def _names_reference(mention: Mention) -> bool:
    return mention.organs in (
        ("liver",),
        ("great_vessels",),
        ("mediastinal_hilar_lymph_nodes",),
        ("muscles_soft_tissue",),
    )


def _seen_earlier(reader: Reader, read: ReadClause) -> bool:
    """What an earlier study showed waits for what the sentence says of the present one."""
    verdicts = read.verdicts
    if not verdicts or not all(v.prior for v in verdicts) or read.reading.resolved:
        return False
    if read.named:
        drafts = reader.describe(read.named, read)
        reader.set_topic(read.named, read)
        reader.last = drafts
    else:
        drafts = [d for m in reader.topic for d in m.drafts.values() if d.state is None]
    span = (read.clause.tokens[verdicts[-1].first].start, read.clause.tokens[verdicts[-1].last].end)
    reader.earlier += [(d, verdicts[-1], span) for d in drafts if verdicts[-1].state is not NORMAL]
    return True


def _announced(reader: Reader, read: ReadClause) -> bool:
    """A member of a list whose head said it: "The following sites are hypermetabolic:"."""
    if not reader.announced or not read.named or read.verdicts:
        return False
    if not read.clause.first and (read.clause.chinese or not all(m.node or m.nodes for m in read.named)):
        return False
    for verdict, span in reader.announced:
        for draft in reader.state(
            read.named, Verdict(verdict.state, 0, 0, verdict.degree), read, "announced"
        ):
            draft.uptake = span  # the words stand in the head of the list
    last = reader.last
    reader.set_topic(read.named, read)
    reader.last = last
    return True


def _likewise(reader: Reader, read: ReadClause) -> bool:
    """ "as do the spleen and pancreas": what was just said holds here too; "the left is not": it does not."""
    if read.verdicts or not reader.last or read.suv or read.kinds.isdisjoint(("NEG", "LIKEWISE")):
        return False
    kinds = [t.kind for t in read.clause.tokens]
    so = kinds == ["LIKEWISE"] and not read.clause.chinese and is_open(reader.topic)
    said = [d for d in reader.drafts[-6:] if d.sentence == reader.sentence] if so else reader.last
    last = next((d for d in reversed(said) if d.state is not None), None)
    if last is None or last.state is None:
        return False
    bare_denial = (
        "NEG" in kinds
        and not set(kinds) & (TERMS - {"NEG"})
        and (kinds[-1] == "NEG" or (bool(read.named) and read.clause.tokens[0].text == "none"))
    )
    denied = bare_denial and reader.sentence_cue and not read.clause.trailing and not read.clause.chinese
    if not ("LIKEWISE" in kinds and read.named) and not denied and not so:
        return False
    if denied and reader.asked and not read.named:
        for draft in reader.last:
            draft.state, draft.degree, draft.rule = (
                NORMAL,
                None,
                "likewise",
            )  # "Hypermetabolic axillary nodes: none"
        return True
    at = kinds.index("LIKEWISE") if "LIKEWISE" in kinds else len(kinds) - 1 - kinds[::-1].index("NEG")
    verdict = Verdict(NORMAL if denied else last.state, at, at)
    mentions = read.named or (reader.topic if so else carried(reader, read))
    reader.state(mentions, verdict, read, "likewise")
    reader.set_topic(mentions, read)
    return True  # "as do the spleen", "… and a level III node was weakly so"


def _remainder(reader: Reader, read: ReadClause) -> bool:
    """余, "otherwise", "elsewhere": the rest of the same organ or region."""
    if not read.rest or read.named or not read.verdicts:
        return False
    verdict = current(read.verdicts, read)[-1]
    chinese = read.clause.chinese or any(g.part for g in read.groups)
    if (
        reader.topic
        and not reader.blocked
        and not (reader.exception and not read.clause.first)
        and not (read.clause.first and read.clause.tokens[0].concept.elsewhere)
        and (
            chinese
            or (reader.sentence_topic and (not read.clause.first or read.clause.soft))
            or (bool(reader.field) and read.clause.tokens[0].kind in ("NEG", "REST"))
            or _rest_of_lesion(read)
            or verdict.bare
        )
    ):
        if verdict.bare and not chinese and not reader.sentence_topic:
            return True
        reader.state(carried(reader, read), verdict, read, "remainder")
        return True
    if verdict.bare and not read.reading.cue:
        return True
    if read.node:
        group = next(g for g in read.groups if g.node) if any(g.node for g in read.groups) else None
        nodes = reader.generic_nodes(group) if group and reader.region_nodes else []
        if nodes:
            reader.state(nodes, verdict, read, "remainder")
            return True
    keys = reader.region or ("whole_body",)
    mention = Mention((), keys, None, -1, -1, 0, 0)
    reader.state([mention], verdict, read, "remainder")
    return True


def _rest_of_lesion(read: ReadClause) -> bool:
    """ "The remainder of the mass": of what the text speaks of."""
    kinds = [t.kind for t in read.clause.tokens[:2]]
    return kinds == ["REST", "LESION"]


def _uncertain(reader: Reader, read: ReadClause) -> bool:
    """It cannot be judged: a bare mention of activity in the same sentence is taken back."""
    if not read.reading.uncertain:
        return False
    for draft in reader.last:
        if draft.activity and draft.sentence == reader.sentence:
            draft.state, draft.uptake, draft.rule = None, None, "described"
    if read.named:
        reader.describe(read.named, read)
        reader.set_topic(read.named, read)
    return True


def _surrounding(read: ReadClause) -> list[Mention]:
    """ "Focal fat near the ligament has lower uptake than the surrounding liver": it lies in what surrounds it."""
    tokens = read.clause.tokens
    at = next((i for i in sorted(read.reading.compared) if tokens[i].kind == "SURROUND"), -1)
    following = tokens[at + 1] if 0 <= at < len(tokens) - 1 else None
    if following is None or following.kind != "SITE" or following.chinese or following.concept.contextual:
        return []
    site = following
    return [Mention(site.concept.organs, (), site.concept.side, site.start, site.end, at + 1, at + 1)]


def _turn_to_nearest(reader: Reader, read: ReadClause) -> None:
    """ "A mass with reactive hilar nodes which are avid", 侵及精囊腺，后者亦呈高摄取: of what was named last."""
    mine = {o for m in reader.topic for o in m.organs}
    if reader.nearest and not mine & set(reader.nearest[0].organs):
        reader.nearest[0].place = False
        reader.set_topic(reader.nearest, read)


def _one_of_them(reader: Reader, read: ReadClause) -> bool:
    """腹主动脉旁见淋巴结,其中L3水平一枚代谢增高: the place says which of the nodes."""
    return (
        read.clause.chinese
        and not read.clause.first
        and bool(reader.topic)
        and _about_nodes(reader.topic)
        and not read.lesion
        and not read.finding
        and any(t.text in ("水平", "层面") for t in read.clause.tokens)
    )


def _about_nodes(topic: list[Mention]) -> bool:
    sites = load_lexicon().sites
    return all(m.node or (bool(m.organs) and all(sites[o].station for o in m.organs)) for m in topic)


def _carry(reader: Reader, read: ReadClause) -> bool:
    """A verdict in a clause without a place of its own: the topic, or the region of the heading."""
    if read.named or not read.verdicts:
        return False
    around = _surrounding(read) if read.places or not reader.topic else []
    if around:
        for verdict in read.verdicts:
            reader.state(around, verdict, read, "located")
        reader.set_topic(around, read)
        return True
    if (
        read.places
        and not (reader.form and reader.sentence_start and reader.topic)
        and not _one_of_them(reader, read)
    ):
        reader.blocked = True
        reader.topic = []
        reader.unattributed.append((read.clause.start, read.clause.end))
        return True
    if read.clause.tokens[0].concept.name == "but.which" and not read.clause.first:
        _turn_to_nearest(reader, read)
    verdicts = current(read.verdicts, read)
    if not read.clause.first and reader.blocked:
        if not all(v.bare for v in verdicts):
            reader.unattributed.append((read.clause.start, read.clause.end))
        return True
    if _speaks_of_field(reader, read):
        reader.set_topic(reader.field_topic, read)
    group = next((g for g in read.groups if g.node and not g.mentions), None)
    if group is not None and (not reader.topic or reader.region_nodes):
        nodes = carried(reader, read) if reader.topic else reader.generic_nodes(group)
        if nodes:
            for verdict in verdicts:
                reader.state(nodes, verdict, read, "nodes of the heading")
            reader.set_topic(nodes, read)
            reader.last = [d for m in nodes for d in m.drafts.values()]
            return True
    if (
        group is not None
        and read.clause.first
        and reader.topic
        and carried(reader, read) is reader.topic
        and not _about_nodes(reader.topic)
    ):
        reader.unattributed.append((read.clause.start, read.clause.end))
        return True  # nodes of no known station are not about the organ before
    if reader.topic and not reader.blocked:
        mentions = _all_of_them(reader, read) or carried(reader, read)
        if (
            reader.largest is not None
            and any(t.kind == "CENTER" or t.text == "内" for t in read.clause.tokens)
            and any(reader.largest is m for m in reader.topic)
        ):
            mentions = [reader.largest]  # 较大者位于腹膜后，其内见缺损区
        elif reader.lesion_topic and mentions is reader.topic and read.clause.tokens[0].kind == "LESION":
            mentions = reader.lesion_topic  # 局部皮肤增厚，结节摄取增高
        if read.lesion or read.finding:
            reader.topic_lesion = True
        vague = read.clause.first and not (read.lesion or "VERB" in read.kinds)
        for verdict in verdicts:
            if read.clause.tokens[verdict.first].concept.overrides and not read.clause.first:
                for draft in (d for m in mentions for d in m.drafts.values()):
                    if draft.state is INCREASED and draft.sentence == reader.sentence:
                        draft.state, draft.degree = NORMAL, None
            if verdict.activity and vague and not reader.form:
                continue
            if verdict.bare and (
                read.reading.structural
                or any(d.state is not None for m in mentions for d in m.drafts.values())
            ):
                continue
            reader.state(mentions, verdict, read, "carried")
        if read.suv and cold_core(read, verdicts):
            reader.last = [reader.draft(m, key, read) for m in mentions if m.organs for key in m.keys]
            by_value(reader, read, True)
        return True
    if reader.region or not reader.blocked:
        real = [v for v in verdicts if not v.bare and not (v.activity and not read.lesion)]
        if real:
            mention = Mention((), reader.region or ("whole_body",), None, -1, -1, 0, 0)
            negative = real[0].state is NORMAL
            if reader.region or negative:
                for verdict in real:
                    reader.state([mention], verdict, read, "region of the heading")
                if reader.region:
                    return True
            else:
                reader.unattributed.append((read.clause.start, read.clause.end))
        return True
    reader.unattributed.append((read.clause.start, read.clause.end))
    return True


def _all_of_them(reader: Reader, read: ReadClause) -> list[Mention]:
    """What 以上脏器…均 speaks of: all that the sentence named, of a form all that the field names."""
    every = [t for t in read.clause.tokens if t.concept.every]
    if any(t.concept.name == "verb.above" for t in every):
        return [m for m in reader.spoken or reader.spoken_before if m.organs]
    opened = [m for m in reader.spoken[reader.spoken_from :] if m.organs]
    if any(t.kind == "VERB" for t in every):
        return opened
    sites = load_lexicon().sites
    opened = [m for m in opened if m.node or not any(sites[o].station for o in m.organs)]
    if every and not read.clause.first and len(opened) > 1 and is_open(opened):
        return opened  # 胆囊壁不厚,脾不大,胰腺走行自然,代谢均未见异常
    named = {o for m in reader.topic for o in m.organs}
    denied = (
        read.clause.chinese and read.clause.tokens[0].kind == "CUE" and all(v.negated for v in read.verdicts)
    )
    if (every or denied) and read.clause.first and reader.field and named < reader.field:
        return reader.field_topic  # 肝/胆/胰/脾:脂肪肝;代谢均未见异常
    return []


def _other_side(topic: list[Mention], named: list[Mention]) -> bool:
    """The left after the right, or the other way round."""
    return {m.side for m in topic} | {m.side for m in named} == {"left", "right"} and not (
        {m.side for m in topic} & {m.side for m in named}
    )


def _speaks_of_field(reader: Reader, read: ReadClause) -> bool:
    """ "Bones: … uptake in T2-T8. No focal avid lesion.": the denial is about what the heading names."""
    return (
        read.clause.first
        and not read.clause.chinese
        and bool(reader.field)
        and all(v.negated for v in read.verdicts)
        and read.clause.tokens[0].kind == "NEG"
        and not any(o in reader.field for m in reader.topic for o in m.organs)
    )


_EXCRETED = frozenset({"URINE", "DEG"})


def _called_physiological(reader: Reader, read: ReadClause) -> bool:
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
    if not (reading.called_physiological or read.named or read.verdicts or excreted) and any(
        g.part for g in read.groups
    ):
        at = next(i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS")
        read.verdicts.append(Verdict(NORMAL, at, at))
        return False  # "left parotid focus, submandibular physiologic": another part
    if read.rest and "PHYS" in read.kinds and not read.verdicts:
        at = next(i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS")
        read.verdicts.append(Verdict(NORMAL, at, at))
        return False  # "remainder physiologic": nothing of what was said before
    if read.clause.first and not read.named and not read.verdicts and any(g.side for g in read.groups):
        at = next((i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS"), -1)
        if at >= 0 and not reading.called_physiological:
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
        same = [d for d in reader.drafts[-8:] if (every or d.key in spoken) and d.sentence == reader.sentence]
        for draft in [*reader.last, *same]:
            if draft.state in (INCREASED, UptakeState.DECREASED):
                draft.state, draft.degree, draft.rule = NORMAL, None, "called physiological"
        if reading.physiological and reader.topic and not any(d.state for d in [*reader.last, *same]):
            at = next(i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS")
            reader.state(carried(reader, read), Verdict(NORMAL, at, at), read, "called physiological")
    return not read.verdicts


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
    return ("LESION" in read.kinds or "FOCAL" in read.kinds) and (
        not read.clause.chinese
        and bool(reader.last)
        and all(d.state is NORMAL and d.sentence == reader.sentence for d in reader.last)
        and max(v.value for v in read.suv) >= SUV_THRESHOLD
    )


def _suv_only(reader: Reader, read: ReadClause) -> bool:
    """A lesion with a quoted SUV and no word for its uptake."""
    if not read.suv or read.verdicts:
        return False
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
        if mentions and mentions is not reader.topic and all(m.node for m in mentions):
            reader.last = reader.describe(mentions, read)  # nodes, with their own value
        elif mentions is not reader.topic or not reader.last:
            drafts = [d for m in mentions for d in m.drafts.values()]
            opened = [d for d in drafts if d.state is None]
            reader.last = opened or drafts or reader.last
        if not reader.last and mentions:
            reader.last = reader.describe(mentions, read)
        if _beside_cold_part(reader, read) or _another_lesion(reader, read):
            reader.last = [reader.draft(m, key, read) for m in mentions if m.organs for key in m.keys]
            lesion = True
    by_value(reader, read, lesion)
    reader.measure(read)
    return True


def _described(reader: Reader, read: ReadClause) -> bool:
    """A clause about structure: its places become the topic."""
    if read.named:
        mentions = with_regions(read.named, read)
        reader.describe(mentions, read)
        generic = all(m.regions for m in mentions)
        if generic and reader.topic and not read.clause.first:
            return True
        if generic and read.kinds.isdisjoint(("LESION", "FINDING", "NODE")) and not read.clause.first:
            return True
        kinds = read.kinds
        if not read.clause.first and is_open(reader.topic):
            if "SYM" in kinds and not kinds & {"LESION", "FINDING", "NODE"}:
                mentions = [*reader.topic, *mentions]  # 精囊腺对称: the sentence goes on about both
            if all(m.organs == ("spine",) for m in mentions) and all(
                m.organs == ("bones",) for m in reader.topic
            ):
                mentions = [*reader.topic, *mentions]  # the spine is one of the bones
        reader.set_topic(mentions, read)
        reader.last = [d for m in mentions for d in m.drafts.values()]
        reader.measure(read)
        return True
    group = next((g for g in read.groups if g.node and not g.mentions), None) if read.groups else None
    if group is not None and not read.places:
        nodes = carried(reader, read) if reader.topic else reader.generic_nodes(group)
        if nodes and nodes is not reader.topic:
            reader.describe(nodes, read)
            reader.set_topic(nodes, read)
            reader.last = [d for m in nodes for d in m.drafts.values()]
            return True
    if (
        read.places
        and (read.lesion or not reader.topic)
        and read.kinds.isdisjoint(("MAXIMAL", "LOCATED", "INVOLVE", "WITH_MOST"))
        and not (reader.form and reader.sentence_start and reader.topic)
    ):
        if read.lesion:
            reader.topic, reader.blocked = [], True
        return True
    side = next((g for g in read.groups if g.side and not g.mentions), None) if read.groups else None
    if side is not None and reader.topic and not read.places and "SYM" not in read.kinds:
        mentions = carried(reader, read)
        if mentions is not reader.topic:
            drafts = reader.describe(mentions, read)
            reader.set_topic(mentions, read)
            reader.last = drafts
            reader.measure(read)
            return True
    if reader.topic and (read.lesion or read.finding):
        reader.topic_lesion = True
    for mention in reader.topic:
        for draft in mention.drafts.values():
            if draft.state is None:
                extend(draft, read.clause)
                draft.lesion |= read.lesion or read.finding
    reader.measure(read)
    return True


Rule = Callable[[Reader, ReadClause], bool]
_NAMES = frozenset({"SITE", "REGION", "HILUM"})
_ANY: frozenset[str] = frozenset()
RULES: tuple[tuple[str, Rule, frozenset[str]], ...] = (
    ("reference value", _reference_value, frozenset({"REF", "SUV"})),
    ("called physiological", _called_physiological, frozenset({"PHYS", "URINE"})),
    ("cannot be judged", _uncertain, frozenset({"UNCERTAIN"})),
    ("seen earlier", _seen_earlier, frozenset({"PRIOR"})),
    ("stated", stated, _NAMES),
    ("announced", _announced, _NAMES),
    ("likewise", _likewise, frozenset({"NEG", "LIKEWISE"})),
    ("remainder", _remainder, frozenset({"REST"})),
    ("carried", _carry, _ANY),
    ("SUV only", _suv_only, frozenset({"SUV"})),
    ("described", _described, _ANY),
)
"""Name, rule and the kinds of which a clause must have one for it to apply (none: it may always), in the order in which
they are tried; the first that returns True has decided."""


@lru_cache(maxsize=4096)
def rules_for(kinds: frozenset[str]) -> tuple[tuple[str, Rule], ...]:
    """The rules that can apply to a clause with these kinds, in order."""
    return tuple((name, rule) for name, rule, needed in RULES if not needed or needed & kinds)
