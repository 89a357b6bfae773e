"""What belongs to what: verdicts of uptake to organs, by an ordered table of small rules.

The reader walks over the clauses and keeps the *topic*, the places that the text is speaking of. Each clause is first
read by itself (mentions, verdicts, measures); then the rules of :data:`RULES` are tried in order, and the first that
applies decides what the clause states. The name of the rule stays on the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing import uptake
from pet2rep_eval.parsing.clauses import Clause
from pet2rep_eval.parsing.grammar import ELEMENTS, TERMS, chunks
from pet2rep_eval.parsing.measures import read_size, read_suv
from pet2rep_eval.parsing.mentions import Group, Mention, finish_groups, read_group
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake import Reading, Verdict
from pet2rep_eval.records import Suv, UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL
SUV_THRESHOLD = 2.0
"""A lesion with a quoted SUV and no word for its uptake is increased from here up (labelling rules)."""


_LOCATING = frozenset({"LOCATED", "MAXIMAL", "MOST", "WITH_MOST", "INVOLVE"})


@dataclass(slots=True)
class Draft:
    """A statement in the making; ranges are in the normalised text."""

    key: str
    region: bool
    side: str | None
    section: str
    mention: tuple[int, int] | None
    state: UptakeState | None = None
    degree: str | None = None
    ct: tuple[int, int] | None = None
    uptake: tuple[int, int] | None = None
    suv: list[Suv] = field(default_factory=list)
    size_mm: list[tuple[float, ...]] = field(default_factory=list)
    rule: str = ""
    order: int = 0
    lesion: bool = False
    bare: bool = False
    spread: bool = False
    no_uptake: bool = False
    activity: bool = False
    sentence: int = 0


@dataclass(slots=True)
class ReadClause:
    """A clause with what is in it, before anything is attributed."""

    clause: Clause
    groups: list[Group]
    reading: Reading
    suv: tuple[Suv, ...]
    sizes: list[tuple[float, ...]]
    rest: bool
    lesion: bool
    node: bool
    finding: bool
    reference: bool
    named: list[Mention]
    """Mentions that can be a subject."""
    verdicts: list[Verdict]
    places: bool
    """It names places only to say where something else is."""


class Reader:
    """Walks over the clauses of one report."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.topic: list[Mention] = []
        self.topic_lesion = False
        self.blocked = False
        self.region: tuple[str, ...] = ()
        self.region_nodes: tuple[str, ...] = ()
        self.inherits_cue = False
        self.sentence_cue = False
        self.sentence_topic = False
        self.structure_side: str | None = None
        self.last: list[Draft] = []
        self.steps = 0
        self.unattributed: list[tuple[int, int]] = []
        self.reference_clause = False
        self.change = False
        self.contrast = self.form = self.after_heading = False
        self.heading_lesion = self.sentence_start = False
        self.lesion_topic: list[Mention] = []
        """The place of the lesion that the sentence speaks of."""
        self.largest: Mention | None = None
        """The place of the largest of several lesions, where the sentence names it."""
        self.announced: list[Verdict] = []
        """What a line that ends in a colon says of the list below it."""
        self.sentence = 0
        self.earlier: list[tuple[Draft, Verdict, tuple[int, int]]] = []
        """What the sentence says of an earlier study, in case it says nothing of the present one."""
        self.clause: ReadClause | None = None

    def _settle_earlier(self) -> None:
        """An uptake seen earlier, of which the sentence says nothing new, persists."""
        for draft, verdict, span in self.earlier:
            if draft.state is None:
                draft.state, draft.uptake, draft.rule = verdict.state, span, "seen earlier"
        self.earlier = []

    def finish(self) -> None:
        """Ends the text."""
        self._settle_earlier()

    # --- reading one clause

    def walk(self, clause: Clause) -> None:
        """Reads the next clause."""
        self.steps += len(clause.tokens)
        if clause.first:
            self._settle_earlier()
            self.sentence += 1
            if not clause.soft:
                self.sentence_cue = False
            self.inherits_cue = False
            self.lesion_topic, self.largest = [], None
            self.contrast = False
            if not self.after_heading:
                self.form = False
            self.sentence_topic = self.sentence_topic and clause.soft
            self.reference_clause = False
            self.change = False
        self.after_heading = False
        if clause.heading and not (self.announced and not clause.colon):
            self._enter_heading(clause)
            self.form = self.after_heading = self.sentence_start = True
            return
        read = self._read(clause)
        self.clause = read
        for name, rule in RULES:
            self.steps += 1
            if rule(self, read):
                self.rule = name
                break
        self.sentence_start = False
        if clause.colon and not read.named and read.verdicts:
            self.announced = [v for v in read.verdicts if not v.bare]
        elif read.verdicts or clause.heading:
            self.announced = []
        self.inherits_cue = read.reading.cue_at_end
        self.sentence_cue = self.sentence_cue or read.reading.cue
        self.change = self.change or read.reading.change
        self.contrast = self.contrast or read.reading.contrast

    def _read(self, clause: Clause) -> ReadClause:
        tokens = clause.tokens
        kinds = [t.kind for t in tokens]
        parts = chunks(kinds)
        reading = uptake.read(
            tokens,
            inherits_cue=self.inherits_cue and not clause.first,
            earlier_cue=self.sentence_cue,
            change=(self.change or bool(self.earlier)) and not clause.first,
            form=self.form and clause.section != "structure",
            contrast=self.contrast and not clause.first,
            about=frozenset(o for m in self.topic for o in m.organs),
        )
        spoken = frozenset(o for m in self.topic for o in m.organs)
        groups = [
            read_group(tokens, c, spoken, first=clause.first and not clause.soft and not self.form)
            for c in parts
            if c.rule == "group"
        ]
        for group in groups:
            for mention in group.mentions:
                if any(i in reading.compared for i in range(mention.first, mention.last + 1)):
                    mention.place = mention.aside = True
                    mention.nodes = ()
        groups = [
            g
            for g in groups
            if g.mentions or not all(i in reading.compared for i in range(g.first, g.last + 1))
        ]
        finish_groups(groups, tokens)
        if self.topic and all(m.node for m in self.topic):
            for mention in (m for g in groups for m in g.mentions if m.regions and m.last + 1 < len(tokens)):
                if tokens[mention.last].text == "者" or tokens[mention.last + 1].text == "者":
                    mention.organs, mention.regions, mention.node = mention.nodes, (), True
        self._places(groups, clause, kinds)
        suv: list[Suv] = []
        sizes: list[tuple[float, ...]] = []
        prior = False
        for token in tokens:
            if token.kind == "PRIOR":
                prior = True
            elif token.kind == "PRESENT":
                prior = False
            elif token.kind == "SUV" and not prior:
                suv += read_suv(token.text)
            elif token.kind == "SIZE" and not prior:
                axes = read_size(token.text)
                if axes:
                    sizes.append(axes)
        named = [m for g in groups for m in g.mentions if not m.place and m.keys]
        if self.form and len(self.topic) > 1 and named and not clause.heading and self.sentence_topic:
            heading = {o for m in self.topic for o in m.organs}
            if (
                all(m.organs and set(m.organs) <= heading and m.side is None for m in named)
                and self.sentence_start
            ):
                named = list(self.topic)
        return ReadClause(
            clause,
            groups,
            reading,
            tuple(suv),
            sizes,
            rest="REST" in kinds,
            lesion="LESION" in kinds or "NODE" in kinds or "FOCAL" in kinds or self.heading_lesion,
            node="NODE" in kinds,
            finding="FINDING" in kinds,
            reference="REF" in kinds and not (named and "LESION" in kinds),
            named=named,
            verdicts=list(reading.verdicts),
            places=any(m.place and not m.aside for g in groups for m in g.mentions) and not named,
        )

    def _places(self, groups: list[Group], clause: Clause, kinds: list[str]) -> None:
        """Marks mentions that only locate: 较大者位于…, 以…为著, what a mass pushes against."""
        if _LOCATING.isdisjoint(kinds):
            return
        located = next((i for i, k in enumerate(kinds) if k == "LOCATED"), None)
        maximal = next((i for i, k in enumerate(kinds) if k == "MAXIMAL"), None)
        most = next((i for i, k in enumerate(kinds) if k == "MOST"), None)
        with_most = next((i for i, k in enumerate(kinds) if k == "WITH_MOST"), None)
        involve = next((i for i, k in enumerate(kinds) if k == "INVOLVE"), None)
        concrete = [m for m in self.topic if m.keys and not m.heading]
        first, kinds_chinese = clause.first, clause.chinese
        everything = [m for g in groups for m in g.mentions]
        for mention in everything:
            at = mention.first
            if maximal is not None and at > maximal:
                before = any(m.first < maximal and not m.place for m in everything)
                other = (
                    first
                    and not kinds_chinese
                    and not mention.node
                    and not any(set(m.organs) & set(mention.organs) for m in concrete)
                )
                aside = before or (bool(concrete) and not other)
            elif located is not None and at > located:
                aside = (
                    bool(concrete) and self.sentence_topic and not any(m.first < located for m in everything)
                )
            elif with_most is not None and at > with_most:
                aside = (most is not None or kinds[-1] in ("DEG", "MOST")) and (
                    bool(concrete) or any(m.first < with_most for m in everything)
                )
            elif most is not None and at < most:
                aside = bool(concrete) and self.sentence_topic and len(everything) == 1
            elif involve is not None and concrete and (self.sentence_topic or at > involve):
                aside = at > involve or len(everything) == 1
                if clause.tokens[involve].text == "邻近" and any(
                    k in ("VERB", "CUE", "HOT") for k in kinds[mention.last + 1 :]
                ):
                    aside = False  # 邻近脑池摄取增高: the neighbour is the subject
            else:
                aside = False
            if aside:
                if maximal is not None:
                    self.largest = next((m for m in self.topic if m.organs == mention.organs), None)
                mention.place = mention.aside = True

    # --- topic

    def _enter_heading(self, clause: Clause) -> None:
        tokens = clause.tokens
        kinds = [t.kind for t in tokens]
        self.heading_lesion = "LESION" in kinds
        if not any(k in ELEMENTS for k in kinds):
            # a heading that names nothing known: what follows is not about what stood before
            self.topic, self.blocked = [], not self.region
            return
        groups = [read_group(tokens, c) for c in chunks(kinds) if c.rule == "group"]
        finish_groups(groups, tokens)
        mentions = [m for g in groups for m in g.mentions if m.keys]
        regions = [m for m in mentions if m.regions]
        self.blocked = False
        self.last = []
        if regions and not any(m.organs for m in mentions):
            self.region = tuple(r for m in regions for r in m.regions)
            self.region_nodes = tuple(n for m in regions for n in m.nodes)
            self.topic = []
        elif mentions:
            organs = [m for m in mentions if m.organs]
            for mention in organs:
                mention.heading = False
            self.topic = organs or mentions
            self.topic_lesion = False
            if all(m.organs for m in mentions):
                groups_of = {load_lexicon().sites[o].group for m in mentions for o in m.organs}
                if len(groups_of) == 1 and clause.paragraph:
                    self.region = tuple(groups_of)
                    self.region_nodes = ()
        elif any(g.node for g in groups):
            self.topic = []
            self.topic = self._generic_nodes(groups[0])
            self.blocked = not self.topic
        self.sentence_topic = True

    def set_topic(self, mentions: list[Mention], read: ReadClause) -> None:
        self.topic = mentions
        if read.lesion:
            self.lesion_topic = mentions
        self.topic_lesion = read.lesion or read.finding
        self.blocked = False
        self.sentence_topic = True
        self.last = []

    def _generic_nodes(self, group: Group) -> list[Mention]:
        """Nodes with no station of their own take that of the topic, or of the heading."""
        stations: tuple[str, ...] = ()
        sites = load_lexicon().sites
        if self.region_nodes:
            stations = self.region_nodes
        if self.topic:
            near = [
                n for m in self.topic for n in (m.nodes or tuple(x for o in m.organs for x in sites[o].nodes))
            ]
            if (
                all(m.node or (m.organs and all(sites[o].station for o in m.organs)) for m in self.topic)
                or not stations
            ):
                stations = tuple(dict.fromkeys(near)) or stations
        if not stations and self.region:
            stations = tuple(n for r in self.region for n in _REGION_NODES.get(r, ()))
        return [Mention((s,), (), None, -1, -1, group.first, group.last, (s,), node=True) for s in stations]

    # --- statements

    def draft(self, mention: Mention, key: str, read: ReadClause) -> Draft:
        new = Draft(
            key,
            not mention.organs,
            mention.side,
            read.clause.section,
            (mention.start, mention.end) if mention.start >= 0 else None,
            order=len(self.drafts),
            lesion=read.lesion or read.finding,
        )
        self.drafts.append(new)
        mention.drafts[key] = new
        return new

    def describe(self, mentions: Sequence[Mention], read: ReadClause) -> list[Draft]:
        """Mentions that a clause only describes: statements without a state, open for one."""
        out = []
        for mention in mentions:
            for key in mention.keys:
                if not mention.organs:
                    continue
                existing = mention.drafts.get(key)
                said = self.drafts[-1] if self.drafts else None
                if (
                    existing is None
                    and said is not None
                    and said.key == key
                    and said.state is NORMAL
                    and said.ct is None
                    and ("NEG" in {t.kind for t in read.clause.tokens} or not (read.lesion or read.finding))
                    and said.side in (None, mention.side)
                ):
                    # the structure of what was just called normal belongs to the same statement
                    said.side, said.ct = mention.side, (read.clause.start, read.clause.end)
                    mention.drafts[key] = said
                    out.append(said)
                    continue
                draft = (
                    existing
                    if existing is not None and existing.state is None
                    else self.draft(mention, key, read)
                )
                _extend(draft, read.clause)
                draft.lesion |= read.lesion or read.finding
                draft.rule = draft.rule or "described"
                out.append(draft)
        return out

    def state(
        self, mentions: Sequence[Mention], verdict: Verdict, read: ReadClause, rule: str
    ) -> list[Draft]:
        """Gives a verdict to mentions."""
        sites = load_lexicon().sites
        out: list[Draft] = []
        tokens = read.clause.tokens
        common = _common_sides(mentions)
        span = (tokens[verdict.first].start, tokens[verdict.last].end)
        done: dict[tuple[str, str | None], Draft] = {}
        for mention in mentions:
            keys = (mention.negated, *mention.keys) if mention.negated and verdict.negated else mention.keys
            for key in keys:
                state = verdict.state
                if verdict.activity:
                    lesion = (
                        read.lesion
                        or mention.lesion
                        or mention.node
                        or (self.topic_lesion and rule == "carried")
                    )
                    known = mention.organs and sites[key].normally
                    if not mention.organs:
                        state = INCREASED if lesion else NORMAL
                    elif known and not lesion:
                        state = NORMAL
                    else:
                        state = INCREASED
                if verdict.bare and (
                    read.clause.section == "structure"
                    or not mention.organs
                    or sites[key].ct_only
                    or (read.reading.structural
                    and not read.reading.cue)
                ):
                    continue
                side = common.get(key, mention.side)
                if (key, side) in done:
                    mention.drafts[key] = done[key, side]
                    continue
                draft = mention.drafts.get(key)
                if (
                    draft is not None
                    and draft.sentence == self.sentence
                    and (draft.spread or (draft.no_uptake and state is UptakeState.ABSENT))
                ):
                    draft.state = None  # the later word says more
                if draft is None or draft.state is not None:
                    if (
                        draft is not None
                        and draft.state is state
                        and draft.bare == verdict.bare
                        and draft in self.last
                        and state is NORMAL
                    ):
                        out.append(draft)
                        continue
                    draft = self.draft(mention, key, read)
                draft.state, draft.degree, draft.uptake, draft.rule = state, verdict.degree, span, rule
                draft.bare = verdict.bare
                draft.spread, draft.sentence = verdict.spread, self.sentence
                draft.no_uptake, draft.activity = verdict.no_uptake, verdict.activity
                if verdict.state is not state:
                    draft.degree = None
                draft.suv += [v for v in read.suv]
                draft.size_mm += [s for s in read.sizes if s not in draft.size_mm]
                draft.side = side
                done[key, side] = draft
                out.append(draft)
        self.last = out or self.last
        return out

    def measure(self, read: ReadClause) -> None:
        """Measures of a clause go to what was last spoken of."""
        if read.suv and any(t.kind == "PRIOR" for t in read.clause.tokens):
            for draft in self.last:
                if draft.state is UptakeState.DECREASED and draft.sentence == self.sentence:
                    draft.state = INCREASED  # "decreased uptake, SUVmax 4.2 (previously 12.4)"
        for draft in self.last:
            draft.suv += [v for v in read.suv if v not in draft.suv]
            draft.size_mm += [s for s in read.sizes if s not in draft.size_mm]


_REGION_NODES = {
    "head_neck": ("cervical_lymph_nodes",), "chest": ("mediastinal_hilar_lymph_nodes",),
    "abdomen": ("abdominal_lymph_nodes",), "pelvis": ("pelvic_lymph_nodes",),
}  # fmt: skip


def _common_sides(mentions: Sequence[Mention]) -> dict[str, str | None]:
    """The side of organs that a list names more than once: 双侧腮腺、颌下腺 is bilateral, 右侧肩胛下肌、双侧竖脊肌 has
    none of its own. Left and right stay apart, and are not in the result."""
    sides: dict[str, set[str | None]] = {}
    for mention in mentions:
        for key in mention.keys:
            sides.setdefault(key, set()).add(mention.side)
    common: dict[str, str | None] = {}
    for key, found in sides.items():
        named = found - {None}
        if len(named) == 1:
            common[key] = next(iter(named))
        elif named and named != {"left", "right"}:
            common[key] = None
    return common


def _extend(draft: Draft, clause: Clause) -> None:
    if draft.ct is None:
        draft.ct = (clause.start, clause.end)
    elif clause.start >= draft.ct[1] and clause.start - draft.ct[1] < 40:
        draft.ct = (draft.ct[0], clause.end)


# --- the rules, in the order in which they are tried


def _reference_value(reader: Reader, read: ReadClause) -> bool:
    """Liver background, mediastinal blood pool: a value to compare with, no statement."""
    bare_value = (
        read.suv
        and read.named
        and not read.verdicts
        and not read.lesion
        and not read.finding
        and not read.clause.heading
        and all(m.organs in (("liver",), ("great_vessels",)) for m in read.named)
    )
    if bare_value and not reader.form:
        return True  # 肝脏SUVmax 2.9
    if not read.reference:
        if reader.reference_clause and read.suv and not read.named and not read.verdicts:
            return True
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


def _names_reference(mention: Mention) -> bool:
    return mention.organs in (
        ("liver",),
        ("great_vessels",),
        ("mediastinal_hilar_lymph_nodes",),
        ("muscles_soft_tissue",),
    )


def _bound(read: ReadClause, verdict: Verdict, index: int) -> tuple[list[Mention], str]:
    """The mentions of the clause that a verdict is about, and how they are bound."""
    tokens = read.clause.tokens
    verdicts = read.verdicts
    earlier = verdicts[index - 1].last if index else -1
    later = verdicts[index + 1].first if index + 1 < len(verdicts) else len(tokens)
    chinese = tokens[verdict.last].chinese
    before = [m for m in read.named if m.last < verdict.first and m.first > earlier] or []
    inner = [m for m in read.named if verdict.first <= m.first and m.last <= verdict.last]
    after = [m for m in read.named if verdict.last < m.first < later]
    joint = ""
    for j in range(verdict.last + 1, len(tokens)):
        kind = tokens[j].kind
        if kind in (
            "VERB",
            "DEG",
            "CUE",
            "FOCAL",
            "DIFFUSE",
            "PHYS",
            "SUV",
            "SIZE",
            "REST",
            "OF",
            "MAXIMAL",
        ) and not (kind == "VERB" and chinese):
            joint = joint or ("of" if kind == "OF" else "")
            continue
        if kind in ("LESION", "NODE", "FINDING", "PART", "CENTER"):
            joint = joint or "attribute"
            continue
        if kind in ("IN", "LOCATED"):
            joint = "in"
        elif kind in ("SITE", "SIDE", "REGION", "HILUM", "PLACE"):
            joint = joint or "attribute"
        elif kind == "LIST" or kind == "JOIN":
            joint = joint or "list"
        break
    if joint == "attribute":
        after = _together(after, tokens)
    if inner:
        if before and not chinese and tokens[0].kind == "NEG":
            inner = before + inner  # "neither the valves nor the great vessels"
        return inner + ([m for m in after] if joint == "list" else []), "inside"
    if before and not chinese and joint == "in" and before[-1].last == verdict.first - 1:
        for mention in after:
            if mention.organs != before[-1].organs:
                mention.place = mention.aside = True
        return [before[-1]], "compound"  # "brown fat activation in the neck"
    if (
        after
        and joint in ("in", "attribute", "of", "list")
        and (
            joint == "in"
            or not before
            or (not chinese and joint == "attribute" and not _predicated(tokens, verdict))
        )
    ):
        if chinese and before and joint == "in":
            return after, "located"
        return after, "attributive"
    if before:
        last = before[-1]
        if tokens[verdict.first].paren and not last.paren and len(before) > 1 and not chinese:
            return [last], "direct"
        return before, "direct"
    if after and chinese and index == 0:
        return after, "attributive"
    if after and not chinese:
        return after, "attributive"
    return [], ""


def _together(mentions: list[Mention], tokens: Sequence[Token]) -> list[Mention]:
    """The mentions that stand together with the first: unknown words between names end the group."""
    out = mentions[:1]
    for mention in mentions[1:]:
        before = tokens[mention.first - 1]
        if before.kind not in ("JOIN", "COMMA") and tokens[mention.first].start - before.end > 8:
            break
        out.append(mention)
    return out


def _next_name(read: ReadClause, mention: Mention) -> int:
    """Index of the first token of the next name in the clause."""
    return min((m.first for m in read.named if m.first > mention.last), default=len(read.clause.tokens))


def _predicated(tokens: Sequence[Token], verdict: Verdict) -> bool:
    """The names behind the verdict have a verb of their own: they begin something new."""
    names = False
    for token in tokens[verdict.last + 1 :]:
        if token.kind in ELEMENTS or token.kind in ("JOIN", "COMMA"):
            names = True
        elif token.kind == "VERB" and names:
            return token.text not in _SEEN
        else:
            return False
    return False


_SEEN = frozenset(
    "seen noted identified present found observed visualized visualised detected evident is are was were".split()
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


def _stated(reader: Reader, read: ReadClause) -> bool:
    """A verdict about a place that the clause names."""
    if read.named and read.reading.physiological and not read.verdicts:
        at = next(i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS")
        read.verdicts.append(Verdict(NORMAL, at, at))
    if not read.named or not read.verdicts:
        return False
    verdicts = _current(read.verdicts, read)
    stated: list[Mention] = []
    shared: list[Mention] = []
    all_verdicts = read.verdicts
    for verdict in verdicts:
        mentions, how = _bound(read, verdict, all_verdicts.index(verdict))
        if not mentions:
            mentions = shared or (read.named if not reader.topic else [])
            if not mentions:
                if reader.topic and not reader.blocked:
                    reader.state(_carried(reader, read), verdict, read, "carried")
                    continue
                mentions = read.named
            how = "direct"
        mentions = _with_regions(mentions, read)
        reader.state(mentions, verdict, read, "remainder" if read.rest else how)
        shared = mentions
        stated += [m for m in mentions if all(m is not s for s in stated)]
    left = [m for m in read.named if not m.place and all(m is not s for s in stated)]
    drafts = reader.describe(left, read)
    for mention in left:
        # "normal except for a metastasis in the femoral head (SUVmax 9.1)"
        if any(t.kind == "SUV" for t in read.clause.tokens[mention.last + 1 : _next_name(read, mention)]):
            reader.last = [d for d in drafts if d in mention.drafts.values()]
            _by_value(reader, read, read.lesion)
    for mention in stated:
        for draft in mention.drafts.values():
            if read.lesion or read.finding or read.reading.structural:
                _extend(draft, read.clause)
    last = reader.last
    topic = stated or read.named
    said = max(v.last for v in verdicts)
    trailing = [m for m in left if m.first > said]
    if trailing and any(
        t.kind in ("LESION", "FOCAL", "NODE") for t in read.clause.tokens[said + 1 : trailing[0].first]
    ):
        # "… with superimposed lesions in L2 and the sacrum": what follows is about these
        topic, last = trailing, [d for m in trailing for d in m.drafts.values()]
    reader.set_topic(_new_topic(reader, read, topic), read)
    reader.last = last
    return True


def _new_topic(reader: Reader, read: ReadClause, mentions: list[Mention]) -> list[Mention]:
    if (
        all(m.regions for m in mentions)
        and reader.topic
        and not read.clause.first
        and not all(m.regions for m in reader.topic)
    ):
        return reader.topic
    return mentions


def _with_regions(mentions: list[Mention], read: ReadClause) -> list[Mention]:
    """A region beside an organ in one group only says where the organ lies."""
    organs = [m for m in mentions if m.organs]
    if organs and len(organs) < len(mentions):
        listed = any(t.kind in ("JOIN", "COMMA", "LIST") for t in read.clause.tokens)
        if not listed:
            return organs
    return mentions


def _current(verdicts: list[Verdict], read: ReadClause) -> list[Verdict]:
    """Verdicts about the present study; what was seen earlier counts only where nothing newer is said."""
    now = [v for v in verdicts if not v.prior]
    if now and len(now) < len(verdicts):
        return now
    return verdicts


def _carried(reader: Reader, read: ReadClause) -> list[Mention]:
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
            found = reader._generic_nodes(group)
            if found:
                return found
    if (
        group is not None
        and group.side
        and not (read.sizes and not read.verdicts)
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


def _announced(reader: Reader, read: ReadClause) -> bool:
    """A member of a list whose head said it: "The following sites are hypermetabolic:"."""
    if not reader.announced or not read.named or read.verdicts or not read.clause.first:
        return False
    for verdict in reader.announced:
        reader.state(read.named, Verdict(verdict.state, 0, 0, verdict.degree), read, "announced")
    last = reader.last
    reader.set_topic(read.named, read)
    reader.last = last
    return True


def _likewise(reader: Reader, read: ReadClause) -> bool:
    """ "as do the spleen and pancreas": what was just said holds here too; "the left is not": it does not."""
    if read.verdicts or not reader.last or read.suv:
        return False
    kinds = [t.kind for t in read.clause.tokens]
    last = next((d for d in reversed(reader.last) if d.state is not None), None)
    if last is None or last.state is None:
        return False
    bare_denial = (
        "NEG" in kinds
        and not set(kinds) & (TERMS - {"NEG"})
        and (kinds[-1] == "NEG" or (bool(read.named) and read.clause.tokens[0].text == "none"))
    )
    denied = bare_denial and reader.sentence_cue and not read.clause.trailing and not read.clause.chinese
    if not ("LIKEWISE" in kinds and read.named) and not denied:
        return False
    at = kinds.index("LIKEWISE") if "LIKEWISE" in kinds else len(kinds) - 1
    verdict = Verdict(NORMAL if denied else last.state, at, at)
    mentions = read.named or _carried(reader, read)
    reader.state(mentions, verdict, read, "likewise")
    reader.set_topic(mentions, read)
    return True


def _remainder(reader: Reader, read: ReadClause) -> bool:
    """余, "otherwise", "elsewhere": the rest of the same organ or region."""
    if not read.rest or read.named or not read.verdicts:
        return False
    verdict = _current(read.verdicts, read)[-1]
    chinese = read.clause.chinese or any(g.part for g in read.groups)
    if (
        reader.topic
        and not reader.blocked
        and (chinese or (reader.sentence_topic and not read.clause.first) or verdict.bare)
    ):
        if verdict.bare and not chinese and not reader.sentence_topic:
            return True
        reader.state(_carried(reader, read), verdict, read, "remainder")
        return True
    if verdict.bare and not read.reading.cue:
        return True
    if read.node:
        group = next(g for g in read.groups if g.node) if any(g.node for g in read.groups) else None
        nodes = reader._generic_nodes(group) if group and reader.region_nodes else []
        if nodes:
            reader.state(nodes, verdict, read, "remainder")
            return True
    keys = reader.region or ("whole_body",)
    mention = Mention((), keys, None, -1, -1, 0, 0)
    reader.state([mention], verdict, read, "remainder")
    return True


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


def _carry(reader: Reader, read: ReadClause) -> bool:
    """A verdict in a clause without a place of its own: the topic, or the region of the heading."""
    if read.named or not read.verdicts:
        return False
    if read.places:
        reader.blocked = True
        reader.topic = []
        reader.unattributed.append((read.clause.start, read.clause.end))
        return True
    verdicts = _current(read.verdicts, read)
    if not read.clause.first and reader.blocked:
        return True
    group = next((g for g in read.groups if g.node and not g.mentions), None)
    if group is not None and (not reader.topic or reader.region_nodes):
        nodes = _carried(reader, read) if reader.topic else reader._generic_nodes(group)
        if nodes:
            for verdict in verdicts:
                reader.state(nodes, verdict, read, "nodes of the heading")
            reader.set_topic(nodes, read)
            reader.last = [d for m in nodes for d in m.drafts.values()]
            return True
    if reader.topic and not reader.blocked:
        mentions = _carried(reader, read)
        inside = any(t.kind == "CENTER" or t.text == "内" for t in read.clause.tokens)
        if reader.largest is not None and inside:
            mentions = [reader.largest]  # 较大者位于腹膜后，其内见缺损区
        elif reader.lesion_topic and mentions is reader.topic and read.clause.tokens[0].kind == "LESION":
            mentions = reader.lesion_topic  # 局部皮肤增厚，结节摄取增高
        if read.lesion or read.finding:
            reader.topic_lesion = True
        vague = read.clause.first and not (read.lesion or any(t.kind == "VERB" for t in read.clause.tokens))
        for verdict in verdicts:
            if verdict.activity and vague and not reader.form:
                continue
            if verdict.bare and (
                read.reading.structural
                or any(d.state is not None for m in mentions for d in m.drafts.values())
            ):
                continue
            reader.state(mentions, verdict, read, "carried")
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


def _called_physiological(reader: Reader, read: ReadClause) -> bool:
    """考虑生理性, "likely physiologic": what was said before is normal, unless another cause stands beside it."""
    reading = read.reading
    if (
        not read.named
        and read.verdicts
        and "PHYS" in [t.kind for t in read.clause.tokens]
        and all(v.state is NORMAL for v in read.verdicts)
    ):
        kinds = [t.kind for t in read.clause.tokens]
        if "BENIGN" in kinds and (
            "AGAINST" in kinds or any(t.concept.alternative for t in read.clause.tokens)
        ):
            return True  # "physiological activity versus colitis": the verdict before stands
    spoken = {o for m in reader.topic for o in m.organs}
    again = (
        bool(read.named)
        and not read.clause.first
        and all(m.organs and set(m.organs) <= spoken for m in read.named)
    )
    if not (reading.called_physiological or (reading.physiological and (not read.named or again))):
        return False
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
        if read.verdicts:
            read.verdicts = [
                v if v.state is UptakeState.ABSENT else Verdict(NORMAL, v.first, v.last)
                for v in read.verdicts
            ]
            return False
        for draft in reader.last:
            if draft.state in (INCREASED, UptakeState.DECREASED):
                draft.state, draft.degree, draft.rule = NORMAL, None, "called physiological"
        if reading.physiological and reader.topic and not any(d.state for d in reader.last):
            at = next(i for i, t in enumerate(read.clause.tokens) if t.kind == "PHYS")
            reader.state(_carried(reader, read), Verdict(NORMAL, at, at), read, "called physiological")
    return not read.verdicts


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
            return True
        mentions = _carried(reader, read) if reader.topic else []
        group = next((g for g in read.groups if g.node and not g.mentions), None)
        if not mentions and group is not None:
            mentions = reader._generic_nodes(group)
            reader.describe(mentions, read)
        lesion = reader.topic_lesion or read.lesion
        if mentions is not reader.topic or not reader.last:
            drafts = [d for m in mentions for d in m.drafts.values()]
            opened = [d for d in drafts if d.state is None]
            reader.last = opened or drafts or reader.last
        if not reader.last and mentions:
            reader.last = reader.describe(mentions, read)
    _by_value(reader, read, lesion)
    reader.measure(read)
    return True


def _by_value(reader: Reader, read: ReadClause, lesion: bool) -> None:
    """States what was last spoken of by the SUV alone."""
    if not read.suv:
        return  # "SUVmax" without a number
    sites = load_lexicon().sites
    value = max(v.value for v in read.suv)
    for draft in reader.last:
        if draft.state is None and not draft.region:
            site = sites[draft.key]
            if lesion or draft.lesion or site.station or not site.normally:
                draft.state = INCREASED if value >= SUV_THRESHOLD else NORMAL
                draft.rule = "SUV only"
                suv_tokens = [t for t in read.clause.tokens if t.kind == "SUV"]
                draft.uptake = (suv_tokens[0].start, suv_tokens[-1].end)


def _is_open(topic: list[Mention]) -> bool:
    """The topic is described and still waits for its uptake."""
    drafts = [d for m in topic for d in m.drafts.values()]
    return bool(drafts) and all(d.state is None for d in drafts)


def _described(reader: Reader, read: ReadClause) -> bool:
    """A clause about structure: its places become the topic."""
    if read.named:
        mentions = _with_regions(read.named, read)
        reader.describe(mentions, read)
        generic = all(m.regions for m in mentions)
        if generic and reader.topic and not read.clause.first:
            return True
        if (
            generic
            and not any(t.kind in ("LESION", "FINDING", "NODE") for t in read.clause.tokens)
            and not read.clause.first
        ):
            return True
        kinds = {t.kind for t in read.clause.tokens}
        if not read.clause.first and _is_open(reader.topic):
            if "SYM" in kinds and not kinds & {"LESION", "FINDING", "NODE"}:
                return True  # 两侧腭扁桃体对称: a remark, the sentence goes on about its subject
            if all(m.organs == ("spine",) for m in mentions) and all(
                m.organs == ("bones",) for m in reader.topic
            ):
                mentions = [*reader.topic, *mentions]  # the spine is one of the bones
        reader.set_topic(mentions, read)
        reader.last = [d for m in mentions for d in m.drafts.values()]
        reader.measure(read)
        return True
    group = next((g for g in read.groups if g.node and not g.mentions), None)
    if group is not None and not read.places:
        nodes = _carried(reader, read) if reader.topic else reader._generic_nodes(group)
        if nodes and nodes is not reader.topic:
            reader.describe(nodes, read)
            reader.set_topic(nodes, read)
            reader.last = [d for m in nodes for d in m.drafts.values()]
            return True
    if (
        read.places
        and (read.lesion or not reader.topic)
        and not any(t.kind in ("MAXIMAL", "LOCATED", "INVOLVE", "WITH_MOST") for t in read.clause.tokens)
    ):
        if read.lesion:
            reader.topic, reader.blocked = [], True
        return True
    side = next((g for g in read.groups if g.side and not g.mentions), None)
    if (
        side is not None
        and reader.topic
        and not read.places
        and not any(t.kind == "SYM" for t in read.clause.tokens)
    ):
        mentions = _carried(reader, read)
        if mentions is not reader.topic:
            reader.describe(mentions, read)
            reader.set_topic(mentions, read)
            return True
    if reader.topic and (read.lesion or read.finding):
        reader.topic_lesion = True
    for mention in reader.topic:
        for draft in mention.drafts.values():
            if draft.state is None:
                _extend(draft, read.clause)
                draft.lesion |= read.lesion or read.finding
    reader.measure(read)
    return True


Rule = Callable[[Reader, ReadClause], bool]
RULES: tuple[tuple[str, Rule], ...] = (
    ("reference value", _reference_value),
    ("called physiological", _called_physiological),
    ("cannot be judged", _uncertain),
    ("seen earlier", _seen_earlier),
    ("stated", _stated),
    ("announced", _announced),
    ("likewise", _likewise),
    ("remainder", _remainder),
    ("carried", _carry),
    ("SUV only", _suv_only),
    ("described", _described),
)
"""Name and rule, in the order in which they are tried; the first that returns True has decided."""
