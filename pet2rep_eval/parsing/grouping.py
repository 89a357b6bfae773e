"""What one group of names in a clause tells of another: nodes or a mass named apart from their place."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.mentions import is_station, to_fluid
from pet2rep_eval.parsing.places import Group, Mention, to_nodes
from pet2rep_eval.parsing.tokens import Token

_MUSCLES = re.compile(r"muscles?|musculature|muscular")
_FAT = re.compile(r"脂肪|\bfat\b|adipose")
_AROUND = re.compile(r"(?:周围|旁)(?:软组织|肌肉)")


def _locate_spread(groups: list[Group], tokens: Sequence[Token]) -> None:
    """Skin and peritoneum are everywhere: "plaques of the skin on the trunk" are not of the muscles."""
    spread = next((m for g in groups for m in g.mentions if m.organs in _EVERYWHERE), None)
    if spread is None and tokens[0].chinese:
        return
    if spread is None:
        _locate_fat([m for g in groups for m in g.mentions], tokens)
        _locate_muscles([m for g in groups for m in g.mentions], tokens)
        return
    at = next((i for i in range(spread.last + 1, len(tokens)) if tokens[i].kind == "IN"), len(tokens))
    between = {t.kind for t in tokens[spread.last + 1 : at]}
    if "COMMA" in between or (at < len(tokens) and tokens[at - 1].kind == "JOIN"):
        return  # "in the peritoneum and in the iliac bone": another place
    where = [("muscles_soft_tissue",)] if "JOIN" in between else [("muscles_soft_tissue",), ("bones",)]
    for mention in (m for g in groups for m in g.mentions):
        if mention.organs in where and mention.first > at:
            mention.place = mention.aside = True


def _locate_fat(mentions: list[Mention], tokens: Sequence[Token]) -> None:
    """ "Hypermetabolic brown fat in the neck and the paravertebral areas": what follows says where."""
    fat = next((m for m in mentions if _FAT.search(tokens[m.last].text)), None)
    if fat is None or fat.last + 1 >= len(tokens) or tokens[fat.last + 1].kind != "IN":
        return
    for mention in mentions:
        if mention.first > fat.last and not mention.node:
            mention.place = mention.aside = True


def _locate_muscles(mentions: list[Mention], tokens: Sequence[Token]) -> None:
    """ "The muscles of both shoulder girdles and thighs": the joints only say which."""
    at = next((m.last for m in mentions if _MUSCLES.fullmatch(tokens[m.last].text)), len(tokens))
    if [t.kind for t in tokens[at + 1 : at + 2]] != ["IN"]:
        return
    end = next((i for i in range(at + 2, len(tokens)) if tokens[i].kind == "IN"), len(tokens))
    for mention in mentions:
        if at < mention.first < end and mention.organs == ("bones",) and not mention.node:
            mention.organs = ("muscles_soft_tissue",)


def _of_soft_tissue(mentions: list[Mention], tokens: Sequence[Token]) -> None:
    """ "Between the scapula and the chest wall there is a soft-tissue mass": of what else could it be?"""
    if not mentions or not all(m.place and not m.node for m in mentions) or not _is_soft_mass(tokens):
        return
    sites = load_lexicon().sites
    for mention in mentions:
        if mention.organs and all(sites[o].group == "musculoskeletal" for o in mention.organs):
            mention.organs, mention.place = ("muscles_soft_tissue",), False


def _nodes_of_regions(pairs: list[tuple[Group, Group]], tokens: Sequence[Token]) -> None:
    """ "No uptake in the liver or the lymph nodes of the neck and chest", "nodes there or in the pelvis"."""
    for earlier, later in pairs:
        alone = earlier.last > 0 and tokens[earlier.last - 1].kind in ("JOIN", "COMMA")
        joint = [t.kind for t in tokens[earlier.last : later.first]]
        of_them = alone and joint == ["NODE", "IN"] and all(m.regions for m in later.mentions)
        or_in = earlier.node and earlier.node_first and joint[1:] == ["JOIN", "IN"]
        if of_them or (or_in and not (later.node or later.lesion)):
            for mention in later.mentions:
                if mention.regions and mention.nodes:
                    to_nodes(mention)


def _is_soft_mass(tokens: Sequence[Token]) -> bool:
    """ "Between the scapula and the chest wall there is a soft-tissue mass": of what else could it be?"""
    return any(t.kind == "LESION" and t.text.startswith(("soft tissue", "soft-tissue")) for t in tokens)


_SKELETON = frozenset({"骨骼", "全身骨骼", "诸骨", "全身骨", "骨"})
_EVERYWHERE = (("skin",), ("peritoneum_mesentery",))


def _of_person(groups: list[Group], tokens: Sequence[Token]) -> None:
    """ "An avid omental cake in a woman with ovarian carcinoma": her disease is no finding."""
    at = next((i for i, t in enumerate(tokens) if t.concept.name == "verb.person"), len(tokens))
    if any(t.kind in _FOUND for t in tokens[at:]) or not any(g.mentions and g.last < at for g in groups):
        return
    for mention in (m for g in groups for m in g.mentions if m.first > at):
        mention.place = mention.aside = True


_FOUND = frozenset({"CUE", "HOT", "UP", "HYPO", "VOID", "SUV"})


def finish_groups(groups: list[Group], tokens: Sequence[Token]) -> None:
    """What one group of a clause tells of another: nodes or a mass named apart from their place."""
    if not groups:
        return
    node = next((g for g in groups if g.node and not g.mentions), None)
    if node is not None:
        bare_lesion = any(t.kind == "LESION" for t in tokens)
        for group in groups:
            if group.node:
                continue
            stations = (
                any(is_station(m) or m.regions or m.place for m in group.mentions) and len(group.mentions) > 1
            )
            for mention in list(group.mentions):
                if (
                    mention.regions
                    or mention.place
                    or is_station(mention)
                    or (stations and mention.compartment)
                    or (
                        mention.organs == ("great_vessels",) and mention.first > node.last and not bare_lesion
                    )
                ):
                    if mention.nodes:
                        to_nodes(mention)
                    elif stations:
                        group.mentions.remove(mention)
                elif (mention.organs == ("peritoneum_mesentery",) and not bare_lesion) or (
                    mention.nodes
                    and not mention.inside
                    and not bare_lesion
                    and mention is group.mentions[-1]
                    and mention.last == group.last
                    and group.last + 1 < len(tokens)
                    and tokens[group.last + 1].kind == "VERB"
                    and tokens[group.last + 1].chinese
                ):
                    to_nodes(mention)
        if any(m.node for g in groups for m in g.mentions):
            groups.remove(node)
    for group in groups:
        if len(group.mentions) > 1 and (
            marrow := next((m for m in reversed(group.mentions) if m.organs == ("bone_marrow",)), None)
        ):
            # a list of bones that ends in marrow is about the marrow
            lined = (("bones",), ("spine",), ("muscles_soft_tissue",))
            named = [m for m in group.mentions if m.organs in lined and m.last < marrow.first]
            two = len(named) == 1 and tokens[named[0].last].text in _SKELETON  # 骨骼及骨髓
            for mention in () if two and tokens[marrow.first - 1].kind == "JOIN" else named:
                group.mentions.remove(mention)
    _locate_spread(groups, tokens)
    if not tokens[0].chinese:
        _of_person(groups, tokens)
    if any(t.concept.name == "finding.effusion" for t in tokens):
        for mention in (m for g in groups for m in g.mentions):
            if tokens[mention.last].concept.name == "lungs.base":
                mention.organs = ("pleura",)  # "loculated effusion at the right base"
    regional = [m for g in groups for m in g.mentions if m.regions]
    if regional and (fluid := next((i for i, t in enumerate(tokens) if t.concept.fluid), None)) is not None:
        for mention in regional:
            if mention.last < fluid:
                to_fluid(mention)
    for group in groups:
        if (
            group.lesion
            and group.first
            and tokens[group.first - 1].text == "from"
            and any(later.mentions for later in groups if later.first > group.last)
            and tokens[0].kind == "LESION"
        ):
            for mention in group.mentions:
                mention.place = mention.aside = True  # "metastases from rectal carcinoma in the liver"
    pairs = list(itertools.pairwise(groups))
    for earlier, later in pairs:
        if len(earlier.mentions) == 1 and later.mentions:
            between = list(tokens[earlier.last + 1 : later.first])
            if (
                between
                and between[0].text == "of"
                and all(t.kind == "REST" or (t.kind == "JOIN" and not later.node) for t in between[1:])
                and earlier.mentions[0].organs
                and not earlier.node
                and earlier.mentions[0].last == earlier.last
            ):
                # "skin of the left axilla" says where, "vertebral bodies of D8 and the left rib" goes on
                whole = earlier.mentions[0]
                within = [m for m in later.mentions if m.organs == whole.organs]
                for mention in within or later.mentions:
                    whole.side = whole.side or mention.side
                    if mention.organs != whole.organs:
                        mention.place = mention.aside = True
            elif (
                earlier.mentions[0].inside
                and between
                and between[0].kind == "VERB"
                and between[0].chinese
                and any(m.organs for m in later.mentions)
            ):
                earlier.mentions[0].place = earlier.mentions[0].aside = True
    for group in groups:
        if (
            len(group.mentions) > 1
            and group.mentions[-1].organs == ("muscles_soft_tissue",)
            and (
                _FAT.search(" ".join(t.text for t in tokens[group.first : group.last + 1]))
                or _AROUND.search(tokens[group.mentions[-1].last].text)
            )
            and not group.node
        ):
            # a list of places that ends in fat is about the fat there
            del group.mentions[:-1]
        if any(t.text == "软组织" for t in tokens[group.first : group.last + 1]):
            for mention in group.mentions:
                if mention.organs == ("bones",) and not mention.place:
                    mention.organs = ("muscles_soft_tissue",)  # 右髋外侧软组织
        if (
            (group.lesion or any("周围软组织" in t.text for t in tokens[group.first : group.last + 1]))
            and group.mentions
            and all(m.place and not m.node for m in group.mentions)
            and any("软组织" in t.text or "soft" in t.text for t in tokens[group.first : group.last + 1])
        ):
            sites = load_lexicon().sites
            if all(
                m.organs and all(sites[o].group == "musculoskeletal" for o in m.organs)
                for m in group.mentions
            ):
                for mention in group.mentions:
                    mention.organs, mention.place = ("muscles_soft_tissue",), False
    if not tokens[0].chinese:
        _of_soft_tissue([m for g in groups for m in g.mentions], tokens)
    if node is None and any(g.lesion for g in groups):
        for group in groups:
            for mention in group.mentions:
                if mention.mass and not mention.place and not group.node:
                    mention.organs = (mention.mass,)
                mention.lesion = True
    if pairs and any(g.node for g in groups):
        _nodes_of_regions(pairs, tokens)
    # "a pulmonary nodule in the right lower lobe" is one place
    for earlier, later in pairs:
        joint = tokens[earlier.last + 1 : later.first]
        if not earlier.mentions or len(joint) != 1 or joint[0].kind != "IN":
            continue
        said = earlier.mentions[-1]
        if (
            later.mentions
            and later.mentions[0].organs == said.organs
            and said.side in (None, later.mentions[0].side)
        ):
            said.side = later.mentions[0].side
            said.last, said.end = later.mentions[0].last, later.mentions[0].end
            del later.mentions[0]
        elif not later.mentions and (later.part or later.side) and not later.node and said.side is None:
            said.side, later.side = later.side, None
    # a side that stands apart from its organ: "right lobe of the thyroid"
    for earlier, later in pairs:
        if (
            earlier.side
            and not earlier.mentions
            and later.mentions
            and later.first - earlier.last == 2
            and tokens[earlier.last + 1].kind in ("IN", "OF")
        ):
            for mention in later.mentions:
                mention.side = mention.side or earlier.side
            earlier.side = None
    aside = [m for g in groups for m in g.mentions if m.paren]
    if aside and any(
        not m.paren and not m.place and not (m.regions and m.regions == ("whole_body",))
        for g in groups
        for m in g.mentions
    ):
        bones = any(m.organs == ("bones",) and not m.paren and not m.side for g in groups for m in g.mentions)
        for mention in aside:
            # 全身多骨(胸骨、L2椎体): which of them
            mention.place = not (
                bones and mention.organs in (("bones",), ("spine",)) and tokens[mention.last].chinese
            )
