"""Headings and the names of fields: what stands below them."""

from __future__ import annotations

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import REGION_NODES, Reader
from pet2rep_eval.parsing.grammar import ELEMENTS, chunks
from pet2rep_eval.parsing.grouping import finish_groups
from pet2rep_eval.parsing.mentions import is_station, read_group
from pet2rep_eval.parsing.places import Group, Mention
from pet2rep_eval.parsing.specifying import is_liver_segment
from pet2rep_eval.parsing.units import Clause

_SPREAD = frozenset({"skin", "muscles_soft_tissue.brown_fat"})
"""What is found all over the body: below its name others only say where."""


def _parts(reader: Reader, clause: Clause) -> bool:
    """ "Liver; CT: normal; PET: physiological uptake": what the line is about has a CT part and a PET part."""
    if clause.section == "structure":
        last = reader.clause
        if reader.field and reader.sentence_start:
            return True  # "Liver: CT: normal"
        return last is not None and bool(last.named) and not last.verdicts and not last.suv
    return clause.section == "findings" and (reader.parted or bool(reader.field))


def _same_stations(spoken: list[Mention], group: Group) -> list[Mention]:
    """ "Nodes right: level II, avid", and then "Nodes left:": of the same station."""
    if not group.side or not spoken or not all(is_station(m) for m in spoken):
        return []
    names = dict.fromkeys(o for m in spoken for o in m.organs)
    return [Mention((o,), (), None, -1, -1, group.first, group.last, (o,), node=True) for o in names]


def enter_heading(reader: Reader, clause: Clause) -> None:
    """A heading, or the name of a field: what stands below it is about its organs, or lies in its region."""
    tokens = clause.tokens
    kinds = [t.kind for t in tokens]
    reader.field_from = len(reader.drafts)
    reader.heading_lesion = "LESION" in kinds or any(
        t.concept.name == "liver.parts" or t.concept.finding for t in tokens
    )
    reader.heading_lesion = reader.heading_lesion or is_liver_segment(tokens)
    reader.nodes_named = "NODE" in kinds and "SITE" not in kinds and "REGION" not in kinds
    reader.parted = kinds == ["COLON"] and clause.inline and bool(reader.topic) and _parts(reader, clause)
    if reader.parted:
        return
    above, reader.field = reader.field, frozenset()
    if not any(k in ELEMENTS for k in kinds):
        # a heading that names nothing known: what follows is not about what stood before
        reader.topic, reader.blocked = [], not reader.region
        return
    spoken = above or frozenset(o for m in reader.topic for o in m.organs)
    groups = [read_group(tokens, c, spoken) for c in chunks(kinds) if c.rule == "group"]
    if groups and not above and reader.topic and all(g.part and not g.mentions for g in groups):
        reader.blocked = False
        return  # "MYOCARDIAL PERFUSION", and "Apical:" below it
    if groups and all(g.part and not g.mentions for g in groups):
        reader.field, reader.topic, reader.blocked = above, reader.field_topic, False
        return  # "Pancreas", and "Head:" below it
    finish_groups(groups, tokens)
    mentions = [m for g in groups for m in g.mentions if m.keys]
    for group in groups:
        for mention in group.mentions:
            mention.side = mention.side or group.side  # "Cervical nodes R:"
    if (
        above
        and reader.spread
        and not clause.paragraph
        and mentions
        and all(m.organs == ("muscles_soft_tissue",) for m in mentions)
    ):
        reader.field, reader.topic, reader.blocked = above, reader.field_topic, False
        return  # "Skin - right forearm plaque: avid"
    if not mentions and any(g.node for g in groups):
        reader.node_heading, reader.node_fields = True, False  # "Nodes", and the regions below it
    elif not clause.paragraph or any(m.organs and not m.node and not m.nodes for m in mentions):
        reader.node_heading = False
    elif reader.node_heading:
        reader.node_fields = True
    sites = load_lexicon().sites
    if (
        clause.paragraph
        and not clause.chinese
        and "LESION" not in kinds
        and above
        and all(sites[o].station for o in above)
    ):
        for mention in mentions:
            if mention.nodes and tokens[mention.last].concept.compartment:
                mention.organs, mention.node = (
                    mention.nodes,
                    True,
                )  # "Axillary:", and in the next line "Mesenteric:"
    regions = [m for m in mentions if m.regions]
    reader.blocked = False
    reader.last = []
    if regions and reader.node_heading and not any(m.organs for m in mentions):
        nodes = tuple(n for m in regions for n in m.nodes or REGION_NODES.get(m.regions[0], ()))
        reader.topic = [
            Mention((n,), (), None, -1, -1, groups[0].first, groups[0].last, (n,), node=True) for n in nodes
        ]
    elif regions and not any(m.organs for m in mentions):
        reader.region = tuple(r for m in regions for r in m.regions)
        reader.region_nodes = tuple(n for m in regions for n in m.nodes)
        reader.topic = []
    elif mentions:
        for mention in regions if reader.node_heading else ():
            if mention.nodes:
                mention.organs, mention.regions, mention.node = mention.nodes, (), True
        organs = [m for m in mentions if m.organs]
        for mention in organs:
            mention.heading = False
        if reader.node_heading:
            for mention in organs:
                if mention.nodes and tokens[mention.last].concept.compartment:
                    mention.organs, mention.node = (
                        mention.nodes,
                        True,
                    )  # "Nodes", and "Mesenteric:" below it
        reader.topic = organs or mentions
        reader.topic_lesion = False
        reader.field = frozenset(o for m in organs for o in m.organs)
        reader.field_topic = organs
        reader.spread = {t.concept.name for t in tokens if t.kind == "SITE"} <= _SPREAD and "SITE" in kinds
        if all(m.organs for m in mentions):
            groups_of = {load_lexicon().sites[o].group for m in mentions for o in m.organs}
            if len(groups_of) == 1 and clause.paragraph:
                reader.region = tuple(groups_of)
                reader.region_nodes = ()
    elif any(g.node for g in groups):
        before, reader.topic = reader.topic, []
        reader.topic = reader.generic_nodes(groups[0]) or _same_stations(before, groups[0])
        for mention in reader.topic:
            mention.side = groups[0].side
        reader.blocked = not reader.topic
    reader.sentence_topic = True
