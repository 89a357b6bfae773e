"""Names of places in a clause: which organs they mean, on which side, and which of them are mere place words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import Chunk
from pet2rep_eval.parsing.tokens import Token

if TYPE_CHECKING:
    from pet2rep_eval.parsing.attribution import Draft


@dataclass(slots=True)
class Mention:
    """One named place. Organs and regions are exclusive."""

    organs: tuple[str, ...]
    regions: tuple[str, ...]
    side: str | None
    start: int
    end: int
    first: int
    """Index of its first token in the clause."""
    last: int
    nodes: tuple[str, ...] = ()
    mass: str | None = None
    place: bool = False
    """It only says where something else is."""
    node: bool = False
    """It is about lymph nodes."""
    lesion: bool = False
    inside: bool = False
    paren: bool = False
    heading: bool = False
    aside: bool = False
    """It locates what the text already speaks of, so that the topic stays."""
    drafts: dict[str, Draft] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[str, ...]:
        return self.organs or self.regions


@dataclass(slots=True)
class Group:
    """Mentions that stand together in a list, and whether a node or a lesion is named with them."""

    mentions: list[Mention]
    first: int
    last: int
    node: bool = False
    lesion: bool = False
    side: str | None = None
    """A side without a name: 左侧, "left lobe"."""
    part: bool = False
    node_first: bool = False


def _to_nodes(mention: Mention) -> None:
    """The mention is of lymph nodes: its station, or that of the organ it lies beside."""
    mention.node = True
    if mention.nodes and not mention.inside:
        mention.organs, mention.regions, mention.place = mention.nodes, (), False


_CAVITY = {"chest": "pleura", "abdomen": "peritoneum_mesentery", "pelvis": "peritoneum_mesentery"}


def _to_fluid(mention: Mention) -> None:
    """An effusion in a cavity is of the membrane that lines it."""
    organs = tuple(dict.fromkeys(_CAVITY[r] for r in mention.regions if r in _CAVITY))
    if organs:
        mention.organs, mention.regions = organs, ()


def _is_station(mention: Mention) -> bool:
    sites = load_lexicon().sites
    return bool(mention.organs) and all(sites[o].station for o in mention.organs)


def read_group(
    tokens: Sequence[Token], chunk: Chunk, topic: frozenset[str] = frozenset(), *, first: bool = False
) -> Group:
    """Resolves the tokens of one group into mentions; *topic* holds the organs that the text speaks of."""
    group = Group([], chunk.start, chunk.end - 1)
    run: list[Mention] = []
    side: str | None = None
    place_before = False
    listed = True
    for i in range(chunk.start, chunk.end):
        token = tokens[i]
        kind, concept = token.kind, token.concept
        if concept.contextual and (
            (topic and not topic & set(concept.organs) and not first)
            or (run and not listed and run[-1].organs != concept.organs)
            or any(
                t.kind == "SITE" and not t.concept.contextual and t.concept.organs != concept.organs
                for t in tokens
            )
        ):
            kind = "PART"
        following = tokens[i + 1].kind if i + 1 < chunk.end else ""
        if kind == "SIDE":
            if following in ("PART", "") and run and run[-1].side is None and not listed:
                run[-1].side = concept.side
                run[-1].last, run[-1].end = i, token.end
            elif following in ("", "LESION", "PART") and not run:
                group.side = group.side or concept.side
                side = concept.side
            else:
                side = concept.side
        elif kind in ("SITE", "REGION", "HILUM"):
            if kind == "REGION" and following == "SITE":
                continue
            if (
                kind == "REGION"
                and following == "SIDE"
                and i + 2 < chunk.end
                and tokens[i + 2].kind == "SITE"
            ):
                continue
            last = run[-1] if run else None
            if (
                last is not None
                and not listed
                and last.organs
                and last.organs == concept.organs
                and not (side and last.side and side != last.side)
            ):
                last.last, last.end = i, token.end
                last.side = last.side or side or concept.side
                if not last.mass or not concept.mass:
                    last.mass = None
                last.place = last.place and False
            else:
                if (
                    last is not None
                    and not listed
                    and last.place is False
                    and kind == "HILUM"
                    and token.chinese
                ):
                    side = None
                    listed = False
                    continue
                mention = Mention(
                    concept.organs,
                    concept.regions,
                    concept.side or side,
                    tokens[i].start,
                    token.end,
                    i,
                    i,
                    concept.nodes,
                    concept.mass,
                    place=kind == "HILUM" or place_before,
                    paren=token.paren,
                )
                if side and i > chunk.start:
                    mention.start, mention.first = tokens[i - 1].start, i - 1
                group.mentions.append(mention)
                run.append(mention)
                mention.inside = token.text.endswith("内") or token.text.startswith("intra")
            if group.node_first and group.mentions:
                _to_nodes(group.mentions[-1])
            side = None
        elif kind == "PART":
            if run:
                if concept.side and run[-1].side is None:
                    run[-1].side = concept.side
                if token.text in ("内", "intra") and not listed:
                    run[-1].inside = True
                run[-1].last, run[-1].end = i, token.end
            else:
                group.part = True
                group.side = group.side or concept.side
        elif kind == "PLACE":
            if concept.before:
                place_before = True
            elif run:
                run[-1].place = True
        elif kind == "NODE":
            group.node = True
            stations = [m for m in run if _is_station(m) or m.regions or m.place]
            if stations:
                for mention in [m for m in run if not m.nodes and m.organs]:
                    run.remove(mention)
                    group.mentions.remove(mention)
            adjacent = i - 1 >= chunk.start and tokens[i - 1].kind in (
                "SITE",
                "REGION",
                "HILUM",
                "PLACE",
                "SIDE",
                "LESION",
            )
            if not run and not group.mentions:
                group.node_first = True
            for mention in run:
                if (
                    _is_station(mention)
                    or mention.regions
                    or mention.place
                    or mention.nodes == ()
                    or (adjacent and (mention is run[-1] or not token.chinese))
                ):
                    _to_nodes(mention)
                mention.last, mention.end = i, token.end
            if run:
                run = []
        elif kind == "LESION":
            group.lesion = True
            adjacent_place = run and run[-1].place
            for mention in run:
                mention.lesion = True
                if mention.mass and not mention.place:
                    mention.organs = (mention.mass,)
                if concept.fluid and mention.regions:
                    _to_fluid(mention)
            if run and not adjacent_place:
                run = []
        listed = kind in ("JOIN", "COMMA")
        if listed:
            side = None
    return group


def finish_groups(groups: list[Group], tokens: Sequence[Token]) -> None:
    """What one group of a clause tells of another: nodes or a mass named apart from their place."""
    node = next((g for g in groups if g.node and not g.mentions), None)
    bare_lesion = any(t.kind == "LESION" for t in tokens)
    if node is not None:
        for group in groups:
            if group.node:
                continue
            stations = any(_is_station(m) or m.regions for m in group.mentions) and len(group.mentions) > 1
            for mention in list(group.mentions):
                if (
                    mention.regions
                    or mention.place
                    or _is_station(mention)
                    or (stations and mention.organs != ("salivary_glands",))
                ):
                    if mention.nodes:
                        _to_nodes(mention)
                    elif stations:
                        group.mentions.remove(mention)
                elif (
                    mention.nodes
                    and not mention.inside
                    and not bare_lesion
                    and mention is group.mentions[-1]
                    and mention.last == group.last
                    and group.last + 1 < len(tokens)
                    and tokens[group.last + 1].kind == "VERB"
                    and tokens[group.last + 1].chinese
                ):
                    _to_nodes(mention)
        if any(m.node for g in groups for m in g.mentions):
            groups.remove(node)
    for group in groups:
        if marrow := next((m for m in group.mentions if m.organs == ("bone_marrow",)), None):
            # a list of bones that ends in marrow is about the marrow
            for mention in [
                m for m in group.mentions if m.organs in (("bones",), ("spine",)) and m.last < marrow.first
            ]:
                group.mentions.remove(mention)
    fluid = next((i for i, t in enumerate(tokens) if t.concept.fluid), None)
    if fluid is not None:
        for mention in (m for g in groups for m in g.mentions if m.regions and m.last < fluid):
            _to_fluid(mention)
    for earlier, later in zip(groups, groups[1:], strict=False):
        if len(earlier.mentions) == 1 and later.mentions:
            between = [t for t in tokens[earlier.last + 1 : later.first]]
            if (
                len(between) == 1
                and between[0].text == "of"
                and earlier.mentions[0].organs
                and not earlier.node
                and earlier.mentions[0].last == earlier.last
            ):
                # "skin of the left axilla": what follows says where
                for mention in later.mentions:
                    earlier.mentions[0].side = earlier.mentions[0].side or mention.side
                    if mention.organs != earlier.mentions[0].organs:
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
            and "脂肪" in "".join(t.text for t in tokens[group.first : group.last + 1])
            and not group.node
        ):
            # a list of places that ends in fat is about the fat there
            del group.mentions[:-1]
        if (
            group.lesion
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
    lesion = any(g.lesion for g in groups)
    if lesion and node is None:
        for group in groups:
            for mention in group.mentions:
                if mention.mass and not mention.place and not group.node:
                    mention.organs = (mention.mass,)
                mention.lesion = True
    # a side that stands apart from its organ: "right lobe of the thyroid"
    for earlier, later in zip(groups, groups[1:], strict=False):
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
    outside = any(
        not m.paren and not m.place and not (m.regions and m.regions == ("whole_body",))
        for g in groups
        for m in g.mentions
    )
    if outside:
        for group in groups:
            for mention in group.mentions:
                if mention.paren:
                    mention.place = True
