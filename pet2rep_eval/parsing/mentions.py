"""Names of places in a clause: which organs they mean, on which side, and which of them are mere place words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import Chunk
from pet2rep_eval.parsing.places import Group, Mention, to_nodes
from pet2rep_eval.parsing.tokens import Token

_CAVITY = {"chest": "pleura", "abdomen": "peritoneum_mesentery", "pelvis": "peritoneum_mesentery"}


def to_fluid(mention: Mention) -> None:
    """An effusion in a cavity is of the membrane that lines it."""
    organs = tuple(dict.fromkeys(_CAVITY[r] for r in mention.regions if r in _CAVITY))
    if organs:
        mention.organs, mention.regions = organs, ()


def is_station(mention: Mention) -> bool:
    sites = load_lexicon().sites
    return bool(mention.organs) and all(sites[o].station for o in mention.organs)


_NODE_WORD = re.compile(r"淋巴结$|\bnod(?:es?|al)\b|adenopathy|(?<=\w )lad$")


@lru_cache(maxsize=4096)
def _names_nodes(text: str) -> bool:
    return _NODE_WORD.search(text) is not None


_HOLLOW = frozenset(
    "bladder stomach intestine esophagus gallbladder uterus nasopharynx oropharynx_tonsils hypopharynx_larynx".split()
)
"""Organs with walls of their own."""
_LINED = (("bones",), ("spine",), ("muscles_soft_tissue",))
"""Around a bone, a prosthesis or a port in the chest wall is still of it."""
NEAR = 6
"""Characters between two names from which on they never belong together."""


_BEFORE_NAMES = ("JOIN", "SIDE", "COMMA")
"""Kinds behind which a place word is of the name that follows: "the disc and both adjoining endplates"."""


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
                inside = inside or (
                    token.concept.weak and self.first and i == 0
                )  # "Neighbouring liver shows …"
                named = any(t.kind == "SITE" for t in self.tokens[self.chunk.start : i])
                inside = inside or (not named and self._at_level(i, i, self._following(i)))
                self.place_before |= token.concept.before and not inside
                self.around |= token.concept.before and token.concept.around
                skipped, self.skipped = self.skipped, False
                apart = (
                    not token.chinese and i > self.chunk.start and self.tokens[i - 1].kind in _BEFORE_NAMES
                )
                if not token.concept.before and not skipped and not (apart and self._following(i) == "SITE"):
                    for mention in self.run[-1:] if token.chinese and not token.concept.every else self.run:
                        several = (
                            sum(t.kind == "SITE" for t in self.tokens[mention.first : mention.last + 1]) > 1
                        )
                        if several and token.concept.around and token.chinese:
                            continue  # 右肺下叶支气管周围斑片影
                        if (token.paren and not mention.paren) or self._at_level(
                            i, mention.first, self._following(i)
                        ):
                            continue
                        # around a bone or a prosthesis is still of the bone
                        mention.place = not (
                            token.concept.around
                            and (
                                mention.organs in (_LINED[0], _LINED[2])
                                or self.tokens[mention.last].concept.lined
                            )
                        )
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
            elif (
                kind != "SIDE"
                and not (kind == "PART" and self._leads(i))
                and not (kind == "REGION" and self._only_locates(i) and not self._of_limbs())
            ):
                self.listed = False
        return self.group

    def _of_axilla(self, i: int) -> bool:
        """ "Axillary nodes left, level I and II", "axillary nodes at levels I to III"."""
        at = i - 1
        while at > 0 and self.tokens[at].kind in ("NODE", "SIDE", "IN", "OF", "COMMA", "SUV", "SIZE"):
            at -= 1
        behind = {t.kind for t in self.tokens[at + 1 : i]}
        return self._organs_at(at) == ("axillary_lymph_nodes",) and bool(
            behind & {"NODE", "SIDE", "IN", "OF"}
        )

    def _is_mere_part(self, i: int) -> bool:
        """ "Cortical" beside the kidney is no brain."""
        concept = self.tokens[i].concept
        own = set(concept.organs)
        if concept.name.startswith("cervical_lymph_nodes.level") and self._of_axilla(i):
            return True
        if concept.unless:
            near = (
                range(i - 2, i + 3) if "axillary_lymph_nodes" in concept.unless else range(len(self.tokens))
            )
            if len(near) < len(self.tokens) and [t.kind for t in self.tokens[max(0, i - 2) : i]] == [
                "NODE",
                "COMMA",
            ]:
                near = range(i - 3, i)  # "axillary nodes, level I to III"
            elif len(near) < len(self.tokens) and i + 1 < len(self.tokens):
                parted = self.tokens[i + 1].kind in ("COMMA", "JOIN")
                near = range(i - 2, i) if parted else near  # "level II, mediastinal"
            others = {
                o
                for j in near
                if 0 <= j < len(self.tokens) and j != i and not self.tokens[j].concept.contextual
                for o in self._organs_at(j)
            }
            topic = frozenset() if self.first and concept.finding else self.topic
            return bool((others | topic) & set(concept.unless))
        beside = {
            o for t in self.tokens if t.kind == "SITE" and not t.concept.contextual for o in t.concept.organs
        } - own
        sites = load_lexicon().sites
        if own and all(sites[o].station for o in own):
            beside = {o for o in beside if not sites[o].station}  # "level II, mediastinal"
        if self.topic and not self.topic & own and not self.first and not concept.finding:
            return True
        if concept.name == "heart.parts" and self.topic and self.topic <= _HOLLOW:
            return True  # "The bladder is full. Along the posterior wall …"
        if self.run and not self.listed and self.run[-1].organs != concept.organs:
            return True
        return bool(beside)

    def _organs_at(self, i: int) -> tuple[str, ...]:
        return self.tokens[i].concept.organs if self.tokens[i].kind == "SITE" else ()

    def _at_level(self, i: int, first: int, following: str) -> bool:
        """ "Uptake at the L4-5 level", "at the level of the caecum" is of these, a node at that level is not."""
        return (
            self.first
            and i > 0
            and self.tokens[i].concept.level
            and following in ("", "SITE", "SIDE")
            and not any(t.kind == "NODE" for t in self.tokens[:first])
            and not any(t.kind == "SITE" for t in self.tokens[: min(first, self.chunk.start)])
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

    def _of_limbs(self) -> bool:
        """四肢、躯干骨骼: the limbs too only say where."""
        return bool(self.run) and self.run[-1].organs == ("muscles_soft_tissue",)

    def _only_locates(self, i: int) -> bool:
        """腹部肠管: the region only says where the organ lies."""
        following = self._following(i)
        if following and self.tokens[i + 1].paren and not self.tokens[i].paren:
            return False  # "both sides of the neck (levels II-V)"
        if following == "COMMA" and i == 1 and self.first and self.tokens[0].kind == "IN":
            # "In the pelvis, the left inguinal nodes …"
            behind = next((t.kind for t in self.tokens[3:5] if t.kind != "SIDE"), "")
            return behind == "SITE" and not self.tokens[0].chinese
        return following == "SITE" or (
            following == "SIDE" and i + 2 < self.chunk.end and self.tokens[i + 2].kind == "SITE"
        )

    def _name(self, i: int, kind: str) -> None:
        token, concept = self.tokens[i], self.tokens[i].concept
        following = self._following(i)
        if kind == "REGION" and self._only_locates(i):
            return
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
            beside = following == "SIDE" and i + 2 < self.chunk.end and self.tokens[i + 2].kind == "PLACE"
            if (following == "PLACE" or beside) and token.chinese:
                self.skipped = True
                return  # 腹膜后左肾静脉水平淋巴结: it only says where
            if (
                following == "NODE"
                and token.chinese
                and is_station(last)
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
            place=kind == "HILUM"
            or (self.place_before and not (self.around and (concept.lined or concept.organs in _LINED))),
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
        if self.group.node_first and not (self.listed and kind == "SITE" and not is_station(mention)):
            to_nodes(mention)
        self.side = None

    def _locates(self, i: int) -> bool:
        """ "A para-aortic node at L3": the number of a vertebra says how high it lies."""
        before = self.tokens[i - 1] if i else None
        return (
            before is not None
            and before.kind == "IN"
            and not before.chinese
            and any(t.kind in ("NODE", "LESION") for t in self.tokens[:i])
            and any(t.kind == "SITE" and t.concept.organs != ("spine",) for t in self.tokens[:i])
            and (before.text == "at" or any(t.kind == "NODE" for t in self.tokens[:i]))
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
        return bool(mention.organs) and not is_station(mention) and mention.organs not in loose

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
        stations = any(is_station(m) or m.regions or m.place for m in self.run)
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
                is_station(mention)
                or mention.regions
                or mention.place
                or named
                or (stations and (mention.compartment or mention.organs == ("muscles_soft_tissue",)))
            ):
                if stations and not mention.nodes and mention.organs:
                    self.group.mentions.remove(mention)
                    continue
                to_nodes(mention)
            mention.last, mention.end = i, token.end
            mention.paren = mention.paren and token.paren  # "upper abdominal (portocaval) nodes"
        self.run = []

    def _lesion(self, i: int) -> None:
        self.group.lesion = True
        for mention in self.run:
            mention.lesion = True
            if mention.mass and not mention.place:
                mention.organs = (mention.mass,)
            if self.tokens[i].concept.fluid and mention.regions:
                to_fluid(mention)
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
