"""Names of places in a clause: which organs they mean, on which side, and which of them are mere place words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import Chunk
from pet2rep_eval.parsing.tokens import Token

if TYPE_CHECKING:
    from pet2rep_eval.parsing.drafts import Draft


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
    negated: str | None = None
    """The organ meant instead where something is denied."""
    place: bool = False
    """It only says where something else is."""
    node: bool = False
    """It is about lymph nodes."""
    lesion: bool = False
    compartment: bool = False
    """In a list of nodal stations it is one of them."""
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
    if mention.nodes and (
        not mention.inside or mention.regions or mention.organs == ("peritoneum_mesentery",)
    ):
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


_FAT = re.compile(r"脂肪|\bfat\b|adipose")
_NODE_WORD = re.compile(r"淋巴结$|\bnod(?:es?|al)\b|adenopathy")


@lru_cache(maxsize=4096)
def _names_nodes(text: str) -> bool:
    return _NODE_WORD.search(text) is not None


_LINED = (("bones",), ("spine",), ("muscles_soft_tissue",))
"""Around a bone, a prosthesis or a port in the chest wall is still of it."""
NEAR = 6
"""Characters between two names from which on they never belong together."""


class _GroupReader:
    """Resolves the tokens of one group, one kind at a time.

    A *run* holds the mentions since the last head noun: a node or a lesion named behind them is said of all of it.
    """

    def __init__(self, tokens: Sequence[Token], chunk: Chunk, topic: frozenset[str], first: bool) -> None:
        self.tokens, self.chunk, self.topic, self.first = tokens, chunk, topic, first
        self.group = Group([], chunk.start, chunk.end - 1)
        self.run: list[Mention] = []
        self.side: str | None = None
        self.place_before = self.skipped = self.around = False
        self.listed = True
        """The token before was a comma or a joining word."""

    def read(self) -> Group:
        for i in range(self.chunk.start, self.chunk.end):
            token = self.tokens[i]
            doubtful = token.concept.doubtful and not token.concept.level
            kind = "PART" if doubtful and self._is_mere_part(i) else token.kind
            if kind == "SIDE":
                self._side(i)
            elif kind in ("SITE", "REGION", "HILUM"):
                self._name(i, kind)
                if _names_nodes(token.text):
                    self._node(i)
            elif kind == "PART":
                self._part(i)
            elif kind == "PLACE":
                inside = token.concept.weak and any(t.kind == "LESION" for t in self.tokens[i + 1 : i + 4])
                inside = inside or self._at_level(i, i, self._following(i))
                self.place_before |= token.concept.before and not inside
                self.around |= token.concept.before and token.concept.around
                skipped, self.skipped = self.skipped, False
                if not token.concept.before and not skipped:
                    for mention in self.run[-1:] if token.chinese and not token.concept.every else self.run:
                        if (token.paren and not mention.paren) or self._at_level(
                            i, mention.first, self._following(i)
                        ):
                            continue
                        # around a bone or a prosthesis is still of the bone
                        mention.place = not (token.concept.around and mention.organs in _LINED[:1])
            elif kind == "NODE":
                self._node(i)
            elif kind == "LESION":
                self._lesion(i)
            if (
                token.text == "submandibular"
                and self.run
                and any(
                    "salivary_glands" in self.tokens[j].concept.organs
                    for j in (i - 2, i + 2)
                    if self.chunk.start <= j < self.chunk.end
                )
            ):
                self.run[-1].organs = ("salivary_glands",)  # "submandibular and parotid glands"
            if kind in ("JOIN", "COMMA"):
                self.listed, self.side = True, None
            elif kind != "SIDE" and not (kind == "PART" and self._leads(i)):
                self.listed = False
        return self.group

    def _is_mere_part(self, i: int) -> bool:
        """ "Cortical" beside the kidney is no brain."""
        concept = self.tokens[i].concept
        own = set(concept.organs)
        if concept.unless:
            others = {
                o for j, t in enumerate(self.tokens) if t.kind == "SITE" and j != i for o in t.concept.organs
            }
            return bool((others | self.topic) & set(concept.unless))
        beside = {
            o for t in self.tokens if t.kind == "SITE" and not t.concept.contextual for o in t.concept.organs
        } - own
        if self.topic and not self.topic & own and not self.first and not concept.finding:
            return True
        if self.run and not self.listed and self.run[-1].organs != concept.organs:
            return True
        return bool(beside)

    def _at_level(self, i: int, first: int, following: str) -> bool:
        """ "Uptake at the L4-5 level", "at the level of the caecum" is of these, a node at that level is not."""
        return (
            self.first
            and i > 0
            and self.tokens[i].concept.level
            and following in ("", "SITE", "SIDE")
            and not any(t.kind in ("NODE", "SITE") for t in self.tokens[:first])
        )

    def _leads(self, i: int) -> bool:
        """A part that begins a member of a list and stands before its organ: 胆囊及近段小肠."""
        return self.listed and bool(self.run) and self.tokens[i].chinese and self._following(i) == "SITE"

    def _following(self, i: int) -> str:
        return self.tokens[i + 1].kind if i + 1 < self.chunk.end else ""

    def _side(self, i: int) -> None:
        token, following = self.tokens[i], self._following(i)
        if following in ("PART", "") and self.run and self.run[-1].side is None and not self.listed:
            for mention in self.run:
                mention.side = mention.side or token.concept.side  # 鼻咽及口咽双侧壁
            self.run[-1].last, self.run[-1].end = i, token.end
            return
        if following in ("", "LESION", "PART") and not self.run:
            self.group.side = self.group.side or token.concept.side
        self.side = token.concept.side

    def _name(self, i: int, kind: str) -> None:
        token, concept = self.tokens[i], self.tokens[i].concept
        following = self._following(i)
        if kind == "REGION" and (
            following == "SITE"
            or (following == "SIDE" and i + 2 < self.chunk.end and self.tokens[i + 2].kind == "SITE")
        ):
            return  # 腹部肠管: the region only says where the organ lies
        last = self.run[-1] if self.run and not self.listed else None
        if last is not None:
            if (
                token.paren
                and self.tokens[i - 1].chinese
                and last.organs
                and not last.paren
                and not last.place
            ):
                last.last, last.end = i, token.end
                self.side = None
                return  # 内乳区(第2肋间): it says where more closely
            if token.text in ("附件", "附件区") and last.organs in (("spine",), ("bones",)):
                last.last, last.end = i, token.end
                return
            if kind == "HILUM" and token.chinese and not last.place:
                return
            if (
                last.organs
                and last.organs == concept.organs
                and not last.place
                and not (self.side and last.side and self.side != last.side)
            ):
                last.last, last.end = i, token.end
                last.side = last.side or self.side or concept.side
                last.mass = last.mass and concept.mass
                self.side = None
                return
            if last.organs == ("spine",) and concept.organs == ("bones",) and token.text.startswith("骨"):
                last.last, last.end = i, token.end  # 椎体前缘骨质
                return
            if following == "PLACE" and token.chinese:
                self.skipped = True
                return  # 腹膜后左肾静脉水平淋巴结: it only says where
            if (
                following == "NODE"
                and token.chinese
                and _is_station(last)
                and concept.organs
                and not concept.nodes
            ):
                last.last, last.end = i, token.end
                return  # 内乳区第2肋间小淋巴结
            if kind == "SITE" and self._is_compound(last, i):
                # a compound names what stands last: 骨盆骨髓, 胸椎椎旁脂肪, "hilar bile duct"
                self.side = self.side or last.side
                self.run.pop()
                self.group.mentions.remove(last)
        mention = Mention(
            concept.organs,
            concept.regions,
            concept.side or self.side,
            token.start,
            token.end,
            i,
            i,
            concept.nodes,
            concept.mass,
            concept.negated,
            place=kind == "HILUM" or (self.place_before and not (self.around and concept.organs in _LINED)),
            paren=token.paren,
            compartment=concept.compartment,
            inside=token.text.endswith("内") or token.text.startswith("intra"),
        )
        if token.concept.organs == ("spine",) and token.text[-1].isdigit() and self._locates(i):
            mention.place = True
        if self.side and i > self.chunk.start:
            mention.start, mention.first = self.tokens[i - 1].start, i - 1
        self.group.mentions.append(mention)
        self.run.append(mention)
        if self.group.node_first and not (self.listed and kind == "SITE" and not _is_station(mention)):
            _to_nodes(mention)
        self.side = None

    def _locates(self, i: int) -> bool:
        """ "A para-aortic node at L3": the number of a vertebra says how high it lies."""
        before = self.tokens[i - 1] if i else None
        return (
            before is not None
            and before.kind == "IN"
            and not before.chinese
            and any(t.kind == "NODE" for t in self.tokens[:i])
            and any(t.kind == "SITE" and t.concept.organs != ("spine",) for t in self.tokens[:i])
        )

    def _is_compound(self, last: Mention, i: int) -> bool:
        token, before = self.tokens[i], self.tokens[i - 1]
        single = len(token.text) == 1 and before.end - before.start == 1
        gap = token.start - last.end
        return (
            not last.place
            and not single
            and before.kind in ("SITE", "PART", "SIDE", "REGION")
            and not (before.kind == "SIDE" and self._stands_alone(last))
            and not (before.kind == "SITE" and self._are_two(last, i))
            and gap <= (NEAR - 1 if token.chinese else 2)
        )

    def _are_two(self, last: Mention, i: int) -> bool:
        """Plain names of two organs side by side: "liver spleen pancreas", 肝脏 脾脏."""
        sites = load_lexicon().sites
        token, before = self.tokens[i], self.tokens[i - 1]
        organs = token.concept.organs
        if len(organs) != 1 or len(last.organs) != 1 or not self._stands_alone(last):
            return False
        if token.chinese:
            plain = [sites[o].names["zh"].split("、") for o in (last.organs[0], organs[0])]
            pairs = zip((before, token), plain, strict=True)
            return all(t.text in n or t.text.removesuffix("脏") in n for t, n in pairs)
        names = [sites[o].names["en"] for o in (last.organs[0], organs[0])]
        return all(t.text == n or t.text in n.split() for t, n in zip((before, token), names, strict=True))

    def _stands_alone(self, mention: Mention) -> bool:
        """An organ of its own, not a place in which others lie: 胰腺 双侧肾上腺 are two."""
        loose = (("bones",), ("spine",), ("muscles_soft_tissue",), ("pleura",), ("great_vessels",))
        return bool(mention.organs) and not _is_station(mention) and mention.organs not in loose

    def _part(self, i: int) -> None:
        token = self.tokens[i]
        if self._leads(i):
            self.side = self.side or token.concept.side
            return
        if not self.run:
            self.group.part = True
            self.group.side = self.group.side or token.concept.side
            return
        last = self.run[-1]
        last.side = last.side or token.concept.side
        last.inside |= token.text == "内" and not self.listed
        last.last, last.end = i, token.end

    def _node(self, i: int) -> None:
        token = self.tokens[i]
        self.group.node = True
        if not self.run and not self.group.mentions:
            self.group.node_first = True
        stations = any(_is_station(m) or m.regions or m.place for m in self.run)
        adjacent = i > self.chunk.start and self.tokens[i - 1].kind in (
            "SITE",
            "REGION",
            "HILUM",
            "PLACE",
            "SIDE",
            "LESION",
        )
        adjacent = adjacent or (
            i > self.chunk.start and self.tokens[i - 1].text == "部"
        )  # 小肠系膜根部淋巴结
        for mention in list(self.run):
            named = adjacent and (mention is self.run[-1] or not (token.chinese or stations))
            if (
                _is_station(mention)
                or mention.regions
                or mention.place
                or named
                or (stations and (mention.compartment or mention.organs == ("muscles_soft_tissue",)))
            ):
                if stations and not mention.nodes and mention.organs:
                    self.group.mentions.remove(mention)
                    continue
                _to_nodes(mention)
            mention.last, mention.end = i, token.end
        self.run = []

    def _lesion(self, i: int) -> None:
        self.group.lesion = True
        for mention in self.run:
            mention.lesion = True
            if mention.mass and not mention.place:
                mention.organs = (mention.mass,)
            if self.tokens[i].concept.fluid and mention.regions:
                _to_fluid(mention)
        if self.run and not self.run[-1].place:
            self.run = []


def read_group(
    tokens: Sequence[Token], chunk: Chunk, topic: frozenset[str] = frozenset(), *, first: bool = False
) -> Group:
    """Resolves the tokens of one group into mentions.

    *topic* holds the organs that the text speaks of; *first*: the clause begins a sentence, so that a part can name
    its organ anew.
    """
    return _GroupReader(tokens, chunk, topic, first).read()


def _locate_spread(groups: list[Group], tokens: Sequence[Token]) -> None:
    """Skin and peritoneum are everywhere: "plaques of the skin on the trunk" are not of the muscles."""
    spread = next((m for g in groups for m in g.mentions if m.organs in _EVERYWHERE), None)
    if spread is None:
        return
    at = next((i for i in range(spread.last + 1, len(tokens)) if tokens[i].kind == "IN"), len(tokens))
    between = {t.kind for t in tokens[spread.last + 1 : at]}
    if "COMMA" in between or (at < len(tokens) and tokens[at - 1].kind == "JOIN"):
        return  # "in the peritoneum and in the iliac bone": another place
    where = [("muscles_soft_tissue",)] if "JOIN" in between else [("muscles_soft_tissue",), ("bones",)]
    for mention in (m for g in groups for m in g.mentions):
        if mention.organs in where and mention.first > at:
            mention.place = mention.aside = True


_EVERYWHERE = (("skin",), ("peritoneum_mesentery",))


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
                any(_is_station(m) or m.regions or m.place for m in group.mentions)
                and len(group.mentions) > 1
            )
            for mention in list(group.mentions):
                if (
                    mention.regions
                    or mention.place
                    or _is_station(mention)
                    or (stations and mention.compartment)
                    or (
                        mention.organs == ("great_vessels",) and mention.first > node.last and not bare_lesion
                    )
                ):
                    if mention.nodes:
                        _to_nodes(mention)
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
                    _to_nodes(mention)
        if any(m.node for g in groups for m in g.mentions):
            groups.remove(node)
    for group in groups:
        if len(group.mentions) > 1 and (
            marrow := next((m for m in group.mentions if m.organs == ("bone_marrow",)), None)
        ):
            # a list of bones that ends in marrow is about the marrow
            for mention in [
                m
                for m in group.mentions
                if m.organs in (("bones",), ("spine",), ("muscles_soft_tissue",)) and m.last < marrow.first
            ]:
                group.mentions.remove(mention)
    _locate_spread(groups, tokens)
    regional = [m for g in groups for m in g.mentions if m.regions]
    if regional and (fluid := next((i for i, t in enumerate(tokens) if t.concept.fluid), None)) is not None:
        for mention in regional:
            if mention.last < fluid:
                _to_fluid(mention)
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
                and all(t.kind == "REST" for t in between[1:])
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
            and _FAT.search(" ".join(t.text for t in tokens[group.first : group.last + 1]))
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
    if node is None and any(g.lesion for g in groups):
        for group in groups:
            for mention in group.mentions:
                if mention.mass and not mention.place and not group.node:
                    mention.organs = (mention.mass,)
                mention.lesion = True
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
        for mention in aside:
            mention.place = True
