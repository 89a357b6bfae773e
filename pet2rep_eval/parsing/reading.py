"""One clause with what is in it, as its own words and the topic of the reader say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.locating import mark_places
from pet2rep_eval.parsing.measuring import measured
from pet2rep_eval.parsing.mentions import is_station
from pet2rep_eval.parsing.places import Group, Mention
from pet2rep_eval.parsing.remembered import known
from pet2rep_eval.parsing.specifying import is_liver_segment
from pet2rep_eval.parsing.subjects import is_open
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.uptake.targets import REFERENCE_ORGANS
from pet2rep_eval.records import UptakeState

NORMAL = UptakeState.NORMAL

_LESIONS = frozenset({"LESION", "NODE"})


def _is_lesion(tokens: Sequence[Token], kinds: frozenset[str]) -> bool:
    return (
        not _LESIONS.isdisjoint(kinds)
        or ("FOCAL" in kinds and any(t.kind == "FOCAL" and not t.concept.weak for t in tokens))
        or any(
            t.kind == "SITE"
            and (t.concept.kind in ("DISEASE", "BENIGN") or t.concept.name == "brain.lesions")
            for t in tokens
        )
    )


_LOCATING = frozenset({"LOCATED", "MAXIMAL", "MOST", "WITH_MOST", "INVOLVE"})


def _names_wall(tokens: Sequence[Token]) -> bool:
    """ "A defect of the inferior wall", in a text about perfusion."""
    return any(t.kind == "COLD" for t in tokens) and any(t.concept.organs == ("heart",) for t in tokens)


def _leads_on(tokens: Sequence[Token]) -> bool:
    """ "Asymmetric uptake, higher in the right tonsil": the direction is of the uptake named before."""
    lead = 1 if tokens[0].kind == "JOIN" else 0
    kinds = [t.kind for t in tokens[lead : lead + 2]]
    if len(tokens) < 3 or tokens[0].chinese or kinds not in (["UP", "IN"], ["DOWN", "IN"]):
        return False
    # "… uptake, decreased on the left", "increased in the basal ganglia, decreased in the cortex", but not "in size"
    names = [t.kind for t in tokens[lead + 2 :] if t.kind != "SIDE"][:1] == ["SITE"]
    return kinds[0] == "UP" or names or tokens[lead + 1].text == "on"


_VERDICTS = frozenset({"HOT", "VOID", "HYPO", "COLD"})

_SEGMENT = re.compile(r"s(?:10|[1-9])")


def _numbered(tokens: Sequence[Token], bones: bool) -> list[Group]:
    """S1 below "Bones" is of the sacrum, below "Chest" of a lung; elsewhere it is a segment of the liver."""
    organ = "spine" if bones else "lungs"
    found = [i for i, t in enumerate(tokens) if t.kind == "PART" and _SEGMENT.fullmatch(t.text)]
    return [Group([Mention((organ,), (), None, tokens[i].start, tokens[i].end, i, i)], i, i) for i in found]


def _fills_field(reader: Reader, clause: Clause) -> bool:
    """ "Perfusion of the septum: reduced": the name of the field speaks of uptake."""
    return not clause.chinese and reader.sentence_cue and is_open(reader.topic)


def _below_heading(reader: Reader, tokens: Sequence[Token], groups: list[Group]) -> list[Group]:
    """ "CHEST: no avid nodule or adenopathy", "no avid lung or nodal lesion": lungs, and the nodes of the chest."""
    out: list[Group] = []
    nodes = next((i for i, t in enumerate(tokens) if t.kind == "NODE"), None)
    named = [m for g in groups for m in g.mentions]
    if not named and reader.region == ("chest",):
        at = next((i for i, t in enumerate(tokens) if t.concept.name == "lesion.nodule"), None)
        if at is not None and not reader.topic:
            nodule = Mention(("lungs",), (), None, tokens[at].start, tokens[at].end, at, at, lesion=True)
            out.append(Group([nodule], at, at, lesion=True))
    beside = [t.kind for t in tokens[nodes - 1 : nodes + 2]] if nodes else []
    listed = beside[:1] == ["JOIN"] or (beside[:1] == ["COMMA"] and beside[2:] == ["JOIN"])
    if nodes and listed and (named or out) and not any(m.node for m in named):
        before = next((m for m in named if m.first <= nodes - 2 <= m.last), None)
        if out or (before is not None and before.organs and not is_station(before)):
            found = reader.generic_nodes(Group([], nodes, nodes, node=True))
            for mention in found:
                mention.start, mention.end = tokens[nodes].start, tokens[nodes].end
            if reader.region_nodes:
                out.append(Group(found, nodes, nodes, node=True))
    return out


def _leave_reasons(groups: Sequence[Group], tokens: Sequence[Token]) -> None:
    """ "Decreased uptake in the sacrum due to marrow change": the reason is no place of what was found."""
    at = next((i for i, t in enumerate(tokens) if t.concept.name == "cause.reason"), len(tokens))
    if any(t.kind in ("CUE", "HOT", "SUV", "VOID") for t in tokens[at:]):
        return
    if any(m.organs and m.last < at for g in groups for m in g.mentions):
        for mention in (m for g in groups for m in g.mentions if m.first > at):
            mention.place = mention.aside = True


def _in_chest(reader: Reader) -> bool:
    return reader.region == ("chest",) or (
        bool(reader.topic) and all(m.organs == ("lungs",) for m in reader.topic)
    )


def _effusion(reader: Reader, tokens: Sequence[Token]) -> list[Group]:
    """ "CHEST: small left effusion": of the pleura, unless the text speaks of the heart."""
    at = next((i for i, t in enumerate(tokens) if t.concept.fluid), None)
    if at is None or any("heart" in m.organs for m in reader.topic):
        return []
    side = next((t.concept.side for t in tokens[:at] if t.kind == "SIDE"), None)
    return [
        Group([Mention(("pleura",), (), side, tokens[at].start, tokens[at].end, at, at, lesion=True)], at, at)
    ]


def _in_english(
    reader: Reader, clause: Clause, groups: list[Group], there: frozenset[str]
) -> tuple[list[Group], frozenset[str]]:
    """What a heading or the topic makes of names and numbers: "S1" and "pelvis" below "Bones", nodes below "Chest"."""
    tokens = clause.tokens
    if groups and ("bones" in reader.field or reader.region == ("musculoskeletal",)):
        for mention in (m for g in groups for m in g.mentions):
            if mention.regions == ("pelvis",) or tokens[mention.last].text == "iliac":
                marrow = reader.field == {"bone_marrow"}
                mention.organs, mention.regions = ("bone_marrow" if marrow else "bones",), ()  # under "Bones"
    headed = tokens[0].kind == "REGION" and tokens[0].concept.regions == ("chest",)
    bones = "bones" in reader.field or (
        bool(reader.topic) and all(m.organs == ("bones",) for m in reader.topic)
    )
    if headed or reader.region == ("chest",) or bones:
        numbered = _numbered(tokens, bones)
        for mention in (m for g in groups for m in g.mentions if headed and numbered and m.first == 0):
            mention.place = mention.aside = True  # "[Chest] uptake in a nodule in S6"
        groups = [*groups, *numbered]
        there = there | {"SITE"} if numbered else there
    if groups and any(t.concept.name == "bones.lesions" for t in tokens):
        for mention in (m for g in groups for m in g.mentions if m.regions == ("pelvis",)):
            mention.organs, mention.regions = ("bones",), ()  # "sclerotic lesions in the pelvis"
    more: list[Group] = []
    if reader.region_nodes and "NEG" in there and ("NODE" in there or not groups):
        more = _below_heading(reader, tokens, groups)
    if not more and not clause.colon and _in_chest(reader) and there.isdisjoint(("SITE", "REGION")):
        more = _effusion(reader, tokens)
    if more:
        groups, there = [*groups, *more], there | {"SITE"}
    if "URINE" in there:
        _leave_vessels(groups)
    if "CAUSE" in there and groups:
        _leave_reasons(groups, tokens)
    return groups, there


def _leave_vessels(groups: Sequence[Group]) -> None:
    """ "Activity projecting over the iliac vessels corresponds to urine in the distal ureter"."""
    found = [m for g in groups for m in g.mentions]
    if any(m.organs == ("ureters_collecting_system",) for m in found):
        for mention in found:
            if mention.organs == ("great_vessels",):
                mention.place = mention.aside = True


def _without_asides(
    reader: Reader, tokens: Sequence[Token], there: frozenset[str], named: list[Mention]
) -> list[Mention]:
    """Without names that only say where, with what is compared, or when."""
    if (
        reader.form
        and reader.sentence_start
        and all(
            (m.regions and ("LESION" in there or "PART" in there or "whole_body" in m.regions))
            or (m.node and tokens[m.last].kind == "REGION" and not reader.node_heading)
            for m in named
        )
        and any(m.organs and (m.nodes or not m.node) for m in reader.topic)
    ):
        return []  # "Peritoneum: two pelvic deposits"
    if not named[0].paren or not all(m.paren for m in named):
        return named
    before = tokens[: named[0].first]
    compared = all(not m.node and m.organs and REFERENCE_ORGANS.issuperset(m.organs) for m in named)
    if compared and any(t.kind == "SUV" and not t.paren for t in before):
        return []  # "SUVmax 14.9 (liver 2.8)"
    if any(t.kind == "PHYS" or (reader.form and t.kind in _VERDICTS) for t in before):
        return []  # "physiological (D2 of menses)"
    return named


def _of_field(
    reader: Reader, there: frozenset[str], verdicts: Sequence[Verdict], named: list[Mention]
) -> list[Mention]:
    """What the clause of a form names, where the heading above names it already."""
    if reader.spread and reader.field:
        named = [m for m in named if m.organs and set(m.organs) <= reader.field]  # "Skin: left calf lesion"
    denied = all(v.negated for v in verdicts) and all(m.lesion for m in named)
    if (
        len(reader.topic) < 2
        or not named
        or not reader.sentence_start
        or not (reader.sentence_topic or denied)
    ):
        return named
    heading = {o for m in reader.topic for o in m.organs}
    again = all(m.organs and set(m.organs) <= heading and m.side is None for m in named)
    if heading != {"bones", "spine"}:
        return named
    if again and ("LESION" not in there or any(v.negated for v in verdicts)):
        return [replace(m, first=0, last=0) for m in reader.topic]
    return named


def read_clause(reader: Reader, clause: Clause) -> ReadClause:
    """The clause as its own words and the topic of the reader say."""
    tokens = clause.tokens
    goes_on = not clause.first
    alone = known(
        tokens,
        (
            reader.inherits_cue
            and goes_on
            and _leads_on(tokens)
            and not any(d.state is NORMAL for d in reader.last),
            reader.sentence_cue or (reader.perfused and _names_wall(tokens)),
            (reader.change or bool(reader.earlier)) and goes_on,
            (reader.form or (reader.asked and _fills_field(reader, clause)))
            and clause.section != "structure"
            and not (clause.soft and clause.trailing),
            reader.contrast and goes_on,
        ),
        reader.topic,
        reader.field,
        clause.first and not clause.soft and not reader.form and not reader.field,
    )
    kinds, there, reading = alone.shape.kinds, alone.shape.there, alone.reading
    groups = alone.groups_at(tokens) if alone.groups else []
    if groups and reader.topic and reader.topic[0].node and all(m.node for m in reader.topic):
        for mention in (m for g in groups for m in g.mentions if m.regions and m.last + 1 < len(tokens)):
            if tokens[mention.last].text == "者" or tokens[mention.last + 1].text == "者":
                mention.organs, mention.regions, mention.node = mention.nodes, (), True
    if reader.nodes_named:
        for mention in (m for g in groups for m in g.mentions if (m.regions or m.compartment) and m.nodes):
            mention.organs, mention.regions, mention.node = mention.nodes, (), True
    if not clause.chinese:
        groups, there = _in_english(reader, clause, groups, there)
    if groups and not _LOCATING.isdisjoint(there):
        mark_places(reader, groups, clause, kinds)
    verdicts = list(reading.verdicts)
    titled = clause.colon and clause.first and (not clause.chinese or len(tokens) == 1)
    titled = titled and (
        tokens[-1].kind == "CUE" or ("CUE" in there and tokens[-1].kind in ("SURROUND", "REF"))
    )
    if titled and "SUV" not in there and all(v.activity for v in verdicts):
        verdicts = []  # "Myocardial uptake:", the name of a field
    suv, sizes = measured(tokens) if "SUV" in there or "SIZE" in there else ((), [])
    if reader.recounts and "PRESENT" not in there:
        suv = ()  # 治疗前PET/CT：宫颈肿物SUVmax 17.3
    named = (
        [m for g in groups for m in g.mentions if not m.place and (m.organs or m.regions)] if groups else []
    )
    if named and (reader.form or named[0].paren):
        named = _without_asides(reader, tokens, there, named)
        if reader.form and named:
            named = _of_field(reader, there, reading.verdicts, named)
    return ReadClause(
        clause,
        groups,
        reading,
        suv,
        sizes,
        rest="REST" in there,
        lesion=reader.heading_lesion
        or _is_lesion(tokens, there)
        or ("SUV" in there and len(tokens) > 1 and is_liver_segment(tokens, reader.field)),
        node="NODE" in there,
        finding="FINDING" in there,
        reference="REF" in there and not (named and "LESION" in there),
        named=named,
        verdicts=verdicts,
        places=bool(groups)
        and not named
        and not (
            clause.chinese and (clause.soft or not clause.first) and tokens[0].kind in ("PART", "STRUCT")
        )  # 其后缘近胸膜处
        and any(
            m.place and not m.aside and (not m.paren or tokens[0].paren) for g in groups for m in g.mentions
        ),
        kinds=there,
    )
