"""A verdict in a clause without a place of its own: the topic, the region of the heading, or the rest of it."""

from __future__ import annotations

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import REGION_NODES, Reader
from pet2rep_eval.parsing.binding import current
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.giving import give
from pet2rep_eval.parsing.measuring import SUV_THRESHOLD
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.stating import by_value, carried, cold_core
from pet2rep_eval.parsing.subjects import is_open, turn_to_nearest
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.uptake.targets import REFERENCE_ORGANS
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def remainder(reader: Reader, read: ReadClause) -> bool:
    """余, "otherwise", "elsewhere": the rest of the same organ or region."""
    if not read.rest or read.named or not read.verdicts:
        return False
    verdict = current(read.verdicts, read)[-1]
    chinese = read.clause.chinese or any(g.part for g in read.groups)
    if read.clause.chinese and _of_all(reader, read):
        give(reader, [reader.everywhere()], verdict, read, "remainder")
        return True
    if (
        reader.topic
        and not reader.blocked
        and not (reader.exception and not read.clause.first)
        and not _of_body(read)
        and (
            chinese
            or (reader.sentence_topic and (not read.clause.first or read.clause.soft))
            or ("SYM" in read.kinds and all(m.organs == ("brain",) for m in reader.topic))
            or (bool(reader.field) and read.clause.tokens[0].kind in ("NEG", "REST"))
            or _rest_of_lesion(read)
            or verdict.bare
        )
    ):
        if verdict.bare and not chinese and not reader.sentence_topic:
            return True
        give(reader, carried(reader, read), verdict, read, "remainder")
        return True
    if verdict.bare and not read.reading.cue:
        return True
    if read.node:
        group = next(g for g in read.groups if g.node) if any(g.node for g in read.groups) else None
        nodes = reader.generic_nodes(group) if group and reader.region_nodes else []
        if nodes:
            give(reader, nodes, verdict, read, "remainder")
            return True
    give(reader, [reader.everywhere()], verdict, read, "remainder")
    return True


def _of_body(read: ReadClause) -> bool:
    """其余部位 at the head of a sentence, "the rest of the body"."""
    tokens = read.clause.tokens
    if tokens[0].chinese:
        return read.clause.first and tokens[0].concept.elsewhere
    return any(t.kind == "REST" and t.concept.elsewhere for t in tokens)


def _of_all(reader: Reader, read: ReadClause) -> bool:
    """右肺炎性病变…；胆囊炎可能；余未见异常摄取: behind findings of several regions, the rest of the body."""
    tokens = read.clause.tokens
    if not (
        read.clause.first
        and read.clause.soft
        and tokens[0].text == "余"
        and tokens[1:2]
        and tokens[1].kind == "NEG"
    ):
        return False
    sites = load_lexicon().sites
    return len({sites[o].group for m in reader.spoken for o in m.organs}) > 1


def _rest_of_lesion(read: ReadClause) -> bool:
    """ "The remainder of the mass": of what the text speaks of."""
    kinds = [t.kind for t in read.clause.tokens[:2]]
    return kinds == ["REST", "LESION"]


def _surrounding(read: ReadClause) -> list[Mention]:
    """ "Focal fat near the ligament has lower uptake than the surrounding liver": it lies in what surrounds it."""
    tokens = read.clause.tokens
    at = next((i for i in sorted(read.reading.compared) if tokens[i].kind == "SURROUND"), -1)
    following = tokens[at + 1] if 0 <= at < len(tokens) - 1 else None
    if following is None or following.kind != "SITE" or following.chinese or following.concept.contextual:
        return []
    site = following
    return [Mention(site.concept.organs, (), site.concept.side, site.start, site.end, at + 1, at + 1)]


def _scores_all(reader: Reader, read: ReadClause) -> bool:
    """ "Deauville 2." at the end of a report: of no organ that has its verdict already."""
    return (
        read.clause.first
        and not read.clause.soft
        and len(read.clause.tokens) == 1
        and read.clause.tokens[0].concept.name.startswith("deauville")
        and any(d.state is not None for m in reader.topic for d in m.drafts.values())
        and not all(m.node for m in reader.topic)
    )


_TITLE = frozenset({"ABN", "CUE"})
_QUESTION = frozenset({"HOT", "LESION", "NODE", "FOCAL", "ABN", "DIFFUSE", "CUE"})


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


def carry(reader: Reader, read: ReadClause) -> bool:
    """A verdict in a clause without a place of its own: the topic, or the region of the heading."""
    if read.named or not read.verdicts:
        return False
    around = _surrounding(read) if read.places or not reader.topic else []
    if around:
        for verdict in read.verdicts:
            give(reader, around, verdict, read, "located")
        reader.set_topic(around, read)
        return True
    if (
        read.places
        and not (reader.form and reader.sentence_start and reader.topic)
        and not _one_of_them(reader, read)
    ):
        reader.blocked = True
        reader.topic = []
        reader.unplace(read)
        return True
    alone = read.clause.first and not (read.clause.soft or read.clause.chinese or reader.form)
    if alone and _is_urine(reader, read):
        return True  # "Uptake in the colon. Physiologic urinary activity."
    if read.clause.tokens[0].kind == "BUT":
        turn_to_nearest(reader, read)
    if read.clause.colon and read.clause.first and not read.clause.chinese:
        if read.kinds == _TITLE:
            return True  # "Step 3 - Abnormal uptake:", and below it where
        if read.clause.paragraph and "HOT" in read.kinds and read.kinds <= _QUESTION:
            if not read.kinds.isdisjoint(("LESION", "NODE", "FOCAL")):
                reader.topic = []
            return True  # "Focal avid lesions: yes"
    if _scores_all(reader, read):
        return True
    verdicts = current(read.verdicts, read)
    if not read.clause.first and reader.blocked:
        if not all(v.bare for v in verdicts):
            reader.unplace(read)
        return True
    if _speaks_of_field(reader, read):
        reader.set_topic(reader.field_topic, read)
    group = next((g for g in read.groups if g.node and not g.mentions), None)
    if group is not None and (not reader.topic or reader.region_nodes):
        nodes = carried(reader, read) if reader.topic else reader.generic_nodes(group)
        if nodes:
            for verdict in verdicts:
                give(reader, nodes, verdict, read, "nodes of the heading")
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
        reader.unplace(read)
        return True  # nodes of no known station are not about the organ before
    if _denies_tumour(reader, read) or (reader.exception and _denies_all(read)):
        give(reader, [reader.everywhere()], verdicts[-1], read, "region of the heading")
        return True
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
        vague = read.clause.first and not (
            read.lesion or "VERB" in read.kinds or (read.suv and not read.clause.chinese)
        )
        for verdict in verdicts:
            if not read.clause.first and _overrides(reader, read, verdict):
                for draft in (d for m in mentions for d in m.drafts.values()):
                    changed = draft.state in (INCREASED, UptakeState.DECREASED)
                    if changed and draft.sentence == reader.sentence:
                        draft.state, draft.degree = NORMAL, None
            if verdict.activity and vague and not reader.form:
                continue
            head = read.clause.tokens[verdict.first]
            if head.kind in ("BELOW", "EQUAL") and _compares(read, verdict):
                for draft in (d for m in mentions for d in m.drafts.values()):
                    low = all(s.value < SUV_THRESHOLD for s in draft.suv)
                    faint = draft.state is INCREASED and draft.degree == "mild" and low
                    equal = draft.state is UptakeState.DECREASED and head.kind == "EQUAL"
                    if draft.sentence == reader.sentence and (faint or equal):
                        draft.state, draft.degree = NORMAL, None
            if verdict.bare and (
                read.reading.structural
                or any(d.state is not None for m in mentions for d in m.drafts.values())
            ):
                continue
            give(reader, mentions, verdict, read, "carried")
        if read.suv and cold_core(read, verdicts, reader.topic_lesion):
            reader.last = [reader.draft(m, key, read) for m in mentions if m.organs for key in m.keys]
            by_value(reader, read, True)
        return True
    if reader.form and reader.region and _is_scored(read):
        stations = reader.region_nodes or tuple(n for r in reader.region for n in REGION_NODES.get(r, ()))
        places = [Mention((s,), (), None, -1, -1, 0, 0, (s,), node=True) for s in stations]
        if places:
            give(reader, places, verdicts[-1], read, "nodes of the heading")
            return True
    if reader.region or not reader.blocked:
        real = [v for v in verdicts if not v.bare and not (v.activity and not read.lesion)]
        if real:
            mention = reader.everywhere()
            negative = real[0].state is NORMAL
            if reader.region or negative:
                for verdict in real:
                    give(reader, [mention], verdict, read, "region of the heading")
                if reader.region:
                    return True
            else:
                reader.unplace(read)
        return True
    reader.unplace(read)
    return True


def _overrides(reader: Reader, read: ReadClause, verdict: Verdict) -> bool:
    """ "Low uptake of the marrow, normal.", "intensely hypermetabolic, are now at background level"."""
    tokens = read.clause.tokens
    if tokens[verdict.first].concept.overrides:
        return True
    if read.clause.chinese or verdict.state is not NORMAL:
        return False
    now = any(t.kind == "PRESENT" and t.text != "new" for t in tokens) and "NEG" not in read.kinds
    judged = [t.text for t in tokens] == ["normal"] and not reader.form
    return judged or (now and tokens[0].kind in ("VERB", "PRESENT"))


def _is_scored(read: ReadClause) -> bool:
    """ "Neck: DS 1": a Deauville score of a region is of its nodes."""
    return all(read.clause.tokens[v.last].concept.name.startswith("deauville") for v in read.verdicts)


_URINARY = frozenset({"kidneys", "ureters_collecting_system", "bladder", "prostate"})


def _is_urine(reader: Reader, read: ReadClause) -> bool:
    """Nothing but urine, behind what is no urinary organ."""
    tokens = read.clause.tokens
    return (
        all(tokens[v.last].kind == "URINE" or tokens[v.first].kind == "URINE" for v in read.verdicts)
        and bool(reader.topic)
        and not any(o in _URINARY for m in reader.topic for o in m.organs)
    )


def _compares(read: ReadClause, verdict: Verdict) -> bool:
    """ "… with mild uptake, lower than that of the liver": the comparison says how much that is."""
    compared = [read.clause.tokens[i] for i in read.reading.compared]
    return (
        verdict.state is NORMAL
        and not read.clause.chinese
        and not read.clause.first
        and verdict.first <= 1
        and any(
            t.kind in ("REF", "SURROUND") or not REFERENCE_ORGANS.isdisjoint(t.concept.organs)
            for t in compared
        )
    )


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


def _denies_all(read: ReadClause) -> bool:
    """ "Except for the brain, no abnormal uptake is seen": what is excepted is not denied."""
    clause = read.clause
    return (
        not clause.first
        and not clause.chinese
        and clause.tokens[0].kind == "NEG"
        and all(v.negated for v in read.verdicts)
    )


def _denies_tumour(reader: Reader, read: ReadClause) -> bool:
    """ "The muscles showed uptake. No avid tumour was identified.": anywhere, and not of what was just found."""
    return (
        read.clause.first
        and not read.clause.chinese
        and not reader.form
        and not reader.topic_lesion
        and (read.clause.tokens[0].kind == "NEG" or read.clause.tokens[0].text.startswith("there"))
        and all(v.negated for v in read.verdicts)
        and any(t.concept.elsewhere and t.kind in ("LESION", "BENIGN") for t in read.clause.tokens)
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
