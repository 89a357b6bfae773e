"""A verdict about a place that the clause names, and what the other rules share with it."""

from __future__ import annotations

from dataclasses import replace

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.binding import bound, current, next_name, with_regions
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.giving import give
from pet2rep_eval.parsing.measuring import SUV_THRESHOLD
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.subjects import (
    excepts,
    grows_into,
    in_the_lesion,
    joins_subject,
    of_nodes,
    of_others,
    shown_by,
)
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.weighing import extend
from pet2rep_eval.records import UptakeState

_SOLID = ("liver", "spleen")
_LARGEST_LESION = 80.0
"""Millimetres: what is measured in these organs with an SUV and is smaller is a lesion, not the organ."""
INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL


def stated(reader: Reader, read: ReadClause) -> bool:
    """A verdict about a place that the clause names."""
    excreted = read.reading.called_physiological and any(t.kind == "URINE" for t in read.clause.tokens)
    if read.named and (read.reading.physiological or excreted) and not read.verdicts:
        at = next(i for i, t in enumerate(read.clause.tokens) if t.kind in ("PHYS", "URINE"))
        read.verdicts.append(Verdict(NORMAL, at, at))
    if read.kinds >= {"LIKEWISE"} and not read.clause.chinese and all(v.activity for v in read.verdicts):
        read.verdicts = []  # "as is the endometrial uptake"
    if not read.named or not read.verdicts:
        return False
    if joins_subject(reader, read):
        at = 1 if read.clause.tokens[0].kind == "NEG" else 0
        read.named = [*(replace(m, first=at, last=at) for m in reader.topic), *read.named]
    if reader.form and _marrow_of_field(reader, read):
        read.named = list(reader.topic)
    verdicts = current(read.verdicts, read)
    stated: list[Mention] = []
    shared: list[Mention] = []
    all_verdicts = read.verdicts
    for verdict in verdicts:
        mentions, how = bound(read, verdict, all_verdicts.index(verdict))
        if of_nodes(read, verdict) and mentions and not any(m.node for m in mentions):
            continue  # "… in the femoral head and no avid nodal disease"
        if of_others(read, verdict) and mentions and all(m.last < verdict.first for m in mentions):
            give(reader, [reader.everywhere()], verdict, read, "remainder")
            continue  # "… in the sternum and no other abnormality"
        if not mentions and any(excepts(read, verdict, m) for m in read.named):
            continue  # "no avid lesion other than the known mass in the left upper lobe"
        if not mentions:
            ahead = [m for m in read.named if m.first > verdict.last] if read.clause.first else []
            mentions = shared or ahead or (read.named if not reader.topic else [])
            if not mentions:
                if reader.topic and not reader.blocked:
                    give(reader, carried(reader, read), verdict, read, "carried")
                    continue
                mentions = read.named
            how = "direct"
        mentions = with_regions(mentions, read)
        if how == "attributive" and not read.clause.chinese:
            if in_the_lesion(reader, read, verdict, mentions):
                mentions = [*(m for m in reader.topic if m.organs and not m.node), *mentions]
            mentions = [*shown_by(read, verdict, mentions), *mentions]
            if grows_into(reader, read, verdict, mentions):
                mentions = [*reader.topic, *mentions]
        give(reader, mentions, verdict, read, "remainder" if read.rest else how)
        shared = mentions
        known = {id(m) for m in stated}
        stated += [m for m in mentions if id(m) not in known]
    known = {id(m) for m in stated}
    left = [m for m in read.named if not m.place and id(m) not in known]
    excepted = [m for m in left if excepts(read, verdicts[-1], m)] if left else []
    drafts = [reader.draft(m, key, read) for m in excepted if m.organs for key in m.keys]
    if len(left) > len(excepted):
        drafts += reader.describe([m for m in left if all(m is not e for e in excepted)], read)
    for mention in left:
        # "normal except for a metastasis in the femoral head (SUVmax 9.1)"
        if any(t.kind == "SUV" for t in read.clause.tokens[mention.last + 1 : next_name(read, mention)]):
            reader.last = [d for d in drafts if d in mention.drafts.values()]
            by_value(reader, read, read.lesion)
    if read.suv and (_beside_cold(read, verdicts) or cold_core(read, verdicts)):
        reader.last = [reader.draft(m, key, read) for m in stated if m.organs for key in m.keys]
        by_value(reader, read, True)
    for mention in stated:
        for draft in mention.drafts.values():
            if read.lesion or read.finding or read.reading.structural:
                extend(draft, read.clause)
    last = reader.last
    topic = stated or read.named
    said = max([v.last for v in verdicts])
    trailing = excepted or [m for m in left if m.first > said]
    if excepted:
        # "no uptake except in the left apex": there it is
        if not (read.suv or read.clause.continued):
            give(
                reader, trailing, Verdict(INCREASED, verdicts[-1].first, trailing[-1].last), read, "exception"
            )
        topic, last = trailing, [d for m in trailing for d in m.drafts.values()]
    elif trailing and any(
        t.kind in ("LESION", "FOCAL", "NODE") for t in read.clause.tokens[said + 1 : trailing[0].first]
    ):
        # "… with superimposed lesions in L2 and the sacrum": what follows is about these
        topic, last = trailing, [d for m in trailing for d in m.drafts.values()]
    reader.set_topic(_new_topic(reader, read, _behind_with(read, topic)), read)
    reader.last = last
    return True


def _marrow_of_field(reader: Reader, read: ReadClause) -> bool:
    """ "T5-T9: reduced marrow uptake": of these bones."""
    return (
        all(m.organs == ("bone_marrow",) for m in read.named)
        and bool(reader.topic)
        and all(m.organs == ("spine",) for m in reader.topic)
        and all(v.state in (UptakeState.DECREASED, UptakeState.ABSENT) for v in read.verdicts)
    )


def _behind_with(read: ReadClause, topic: list[Mention]) -> list[Mention]:
    """ "Avid discitis of L3/L4 with a psoas abscess: hypermetabolic wall": the colon speaks of what stands last."""
    tokens = read.clause.tokens
    if not read.clause.colon or read.clause.chinese or tokens[-1].kind != "LESION" or len(topic) < 2:
        return topic
    at = next((i for i, t in enumerate(tokens) if t.concept.name == "verb.with"), len(tokens))
    return [m for m in topic if m.first > at] or topic


def _beside_cold(read: ReadClause, verdicts: list[Verdict]) -> bool:
    """ "Central void, peripheral SUVmax 4.4": the value is that of another part."""
    if any(v.state is not UptakeState.ABSENT for v in verdicts):
        return False
    behind = [t.kind for t in read.clause.tokens[verdicts[-1].last + 1 :]]
    return "SUV" in behind and not {"FOCAL", "PART"}.isdisjoint(behind[: behind.index("SUV")])


def cold_core(read: ReadClause, verdicts: list[Verdict], lesion: bool = False) -> bool:
    """ "A conglomerate, SUVmax 16.0, with a photopenic core": the value is that of the rest."""
    if any(v.state is not UptakeState.ABSENT for v in verdicts) or not (
        lesion or read.lesion or read.finding or not read.kinds.isdisjoint(("PART", "CENTER"))
    ):
        return False
    return (
        any(t.kind == "SUV" for t in read.clause.tokens[: verdicts[0].first])
        and max(v.value for v in read.suv) >= SUV_THRESHOLD
    )


def _new_topic(reader: Reader, read: ReadClause, mentions: list[Mention]) -> list[Mention]:
    if (
        all(m.regions for m in mentions)
        and reader.topic
        and not read.clause.first
        and not all(m.regions for m in reader.topic)
    ):
        return reader.topic
    return mentions


def carried(reader: Reader, read: ReadClause) -> list[Mention]:
    """The topic as the clause sees it: with its side where it names one alone, as nodes where it speaks of nodes."""
    group = next((g for g in read.groups if not g.mentions and (g.side or g.node)), None)
    topic = reader.topic
    sites = load_lexicon().sites
    if (
        group is not None
        and group.node
        and not all(m.node or (m.organs and all(sites[o].station for o in m.organs)) for m in topic)
    ):
        inside = any(t.kind == "PART" and t.text == "内" for t in read.clause.tokens)
        if not inside:
            found = reader.generic_nodes(group)
            if found:
                return found
    if (
        group is not None
        and group.side
        and not (
            read.sizes
            and not read.verdicts
            and (read.clause.chinese or read.clause.tokens[0].kind != "SIDE")
            and not (read.lesion and read.clause.first and not read.clause.chinese)
        )
        and topic
        and len({m.organs for m in topic}) == 1
        and not any(t.kind in ("MAXIMAL", "LOCATED", "WITH_MOST") for t in read.clause.tokens)
    ):
        base = topic[0]
        if base.side not in (None, "bilateral") and base.side == group.side:
            return topic
        open_drafts = {
            k: d
            for k, d in base.drafts.items()
            if d.state is None and not (len(topic) == 1 and base.side == "bilateral")
        }
        new = Mention(
            base.organs,
            base.regions,
            group.side,
            base.start,
            base.end,
            group.first,
            group.last,
            base.nodes,
            node=base.node,
            drafts=open_drafts if base.side is None else {},
        )
        for draft in new.drafts.values():
            draft.side = group.side
        return [new]
    return topic


def by_value(reader: Reader, read: ReadClause, lesion: bool) -> None:
    """States what was last spoken of by the SUV alone."""
    if not read.suv:
        return  # "SUVmax" without a number
    sites = load_lexicon().sites
    value = max(v.value for v in read.suv)
    for draft in reader.last:
        if draft.state is None and not draft.region:
            site = sites[draft.key]
            sizes = [*draft.size_mm, *read.sizes]
            small = draft.key in _SOLID and all(max(s) < _LARGEST_LESION for s in sizes)
            sized = bool(sizes) and (small or not site.measured)
            bare = not read.clause.chinese and reader.form and not site.measured
            if lesion or draft.lesion or sized or bare or site.station or not site.normally:
                draft.state = INCREASED if value >= SUV_THRESHOLD else NORMAL
                draft.rule, draft.sentence = "SUV only", reader.sentence
                suv_tokens = [t for t in read.clause.tokens if t.kind == "SUV"]
                draft.uptake = (suv_tokens[0].start, suv_tokens[-1].end)
