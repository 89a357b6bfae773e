"""The reader that walks over the clauses of a report and keeps the topic.

Each clause is first read by itself (mentions, verdicts, measures); then the rules of
:data:`pet2rep_eval.parsing.rules.RULES` are tried in order, and the first that applies decides what the clause states.
Its name stays on the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.calling import called_grave, look_for_brown_fat, recall_disease
from pet2rep_eval.parsing.drafts import Draft, ReadClause
from pet2rep_eval.parsing.measuring import is_quoted
from pet2rep_eval.parsing.places import Group, Mention
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.weighing import extend, faded, only_on_ct
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL

_CALLED = frozenset({"CAUSE", "PHYS"})
_PARTS = frozenset({"PART", "SIDE"})
_NAMED_CAUSE = frozenset({"BENIGN", "DEG", "JOIN"})
_MANY, _FEW = 40, 8
"""Bounds of what is looked back on, so that the work stays linear in the text."""


class Reader:
    """Walks over the clauses of one report."""

    def __init__(
        self,
        rules_for: Callable[[frozenset[str]], Sequence[tuple[str, Callable[[Reader, ReadClause], bool]]]],
        read_clause: Callable[[Reader, Clause], ReadClause],
        enter_heading: Callable[[Reader, Clause], None],
    ) -> None:
        self.read_clause, self.enter_heading = read_clause, enter_heading
        """How a clause is read, and what a heading changes."""
        self.rules_for = rules_for
        """The rules that can apply to a clause with these kinds, in order."""
        self.drafts: list[Draft] = []
        self.topic: list[Mention] = []
        self.topic_lesion = False
        self.blocked = False
        self.field_from = 0
        """The first statement below the last heading."""
        self.field: frozenset[str] = frozenset()
        """The organs of the heading above."""
        self.field_topic: list[Mention] = []
        self.spread = False
        """What the heading names is found all over the body."""
        self.region: tuple[str, ...] = ()
        self.region_nodes: tuple[str, ...] = ()
        self.inherits_cue = False
        self.sentence_cue = False
        self.sentence_topic = False
        self.structure_side: str | None = None
        self.last: list[Draft] = []
        self.unplaced: tuple[Verdict, tuple[int, int]] | None = None
        """What the sentence has found somewhere: a clause that follows may say where."""
        self.steps = 0
        self.unattributed: list[tuple[int, int]] = []
        self.reference_clause = self.reference_before = False
        self.change = self.exception = False
        self.contrast = self.form = self.after_heading = False
        self.heading_lesion = self.sentence_start = False
        self.parted = False
        """The heading above is that of the CT part, or the PET part, of one field."""
        self.node_heading = self.node_fields = self.nodes_named = False
        """A heading that only says "nodes", and whether names of places stand below it."""
        self.lesion_topic: list[Mention] = []
        """The place of the lesion that the sentence speaks of."""
        self.largest: Mention | None = None
        """The place of the largest of several lesions, where the sentence names it."""
        self.announced: list[tuple[Verdict, tuple[int, int]]] = []
        """What a line that ends in a colon says of the list below it."""
        self.perfused = False
        """The text is about perfusion."""
        self.announced_list = False
        """A line of its own says it: only lines of names are of the list."""
        self.recalls = self.recounts = False
        """The sentence has spoken of an earlier study, or is about nothing else."""
        self.announced_inline = False
        """The list stands in the same sentence."""
        self.questionnaire = False
        """A question stands above, and each line answers it."""
        self.sentence = self.sentence_from = 0
        """Number of the sentence, and where it begins."""
        self.spoken: list[Mention] = []
        self.spoken_before: list[Mention] = []
        self.spoken_from = 0
        """All places that the sentence has named, those of the one before, and where those behind a semicolon begin."""
        self.disease: list[Mention] = []
        """The organ of the disease that the sentence begins with (食管癌放疗后): a part without a name is of it."""
        self.diagnosed: list[Mention] = []
        """The organ of the disease that the text begins with: "Primary: SUVmax 3.5" is of it."""
        self.persisting: list[Draft] = []
        """What the sentence before said of an earlier study only: this one may say that it has gone."""
        self.earlier: list[tuple[Draft, Verdict, tuple[int, int]]] = []
        """What the sentence says of an earlier study, in case it says nothing of the present one."""
        self.groups: list[Group] = []
        """The names of the last clause that had any."""
        self.asked = self.questioned = False
        """A colon stands behind the clause before: this one answers."""
        self.clause: ReadClause | None = None

    def _settle_earlier(self) -> None:
        """An uptake seen earlier, of which the sentence says nothing new, persists."""
        self.persisting = []
        for draft, verdict, span in self.earlier:
            newer = any(
                d.key == draft.key and d.state is not None and d.order > draft.order for d in self.drafts[-6:]
            )
            if draft.state is None and not self.change and not newer:
                draft.state, draft.uptake, draft.rule = verdict.state, span, "seen earlier"
                self.persisting = [*self.persisting[-_FEW:], draft]
        self.earlier = []

    def finish(self) -> None:
        """Ends the text."""
        self._settle_earlier()

    # --- reading one clause

    def walk(self, clause: Clause) -> None:
        """Reads the next clause."""
        self.steps += len(clause.tokens)
        if clause.first:
            if not clause.soft:
                self._settle_earlier()
            self.sentence += 1
            self.sentence_from = clause.start
            if not clause.soft:
                self.sentence_cue = bool(self.persisting)
                self.recalls = self.recounts = False
            if self.announced_inline and not clause.soft:
                self.announced = []
            self.inherits_cue = False
            self.lesion_topic, self.largest, self.unplaced = [], None, None
            if not clause.soft:
                self.spoken_before, self.spoken = self.spoken, []
            self.spoken_from = len(self.spoken)
            self.contrast = False
            if not self.after_heading and not clause.soft:
                self.form = False
            self.sentence_topic = self.sentence_topic and clause.soft
            self.reference_before, self.reference_clause = self.reference_clause, False
            self.change = False
            self.exception = clause.tokens[0].concept.exception
        self.after_heading = False
        if clause.heading and not (self.announced and not clause.colon):
            self.enter_heading(self, clause)
            self.form = self.after_heading = self.sentence_start = True
            return
        self.node_heading = self.node_heading and self.node_fields
        read = self.read_clause(self, clause)
        self.recalls = self.recalls or "PRIOR" in read.kinds
        self.recounts = self.recounts or (clause.colon and clause.chinese and read.kinds == {"PRIOR"})
        if clause.paragraph and read.named:
            self.field = frozenset()  # a line of its own, not of the heading above
        self.clause = read
        if self.disease or "DISEASE" in read.kinds:
            recall_disease(self, read)
        open_ = self.diagnosed and not read.named and clause.first and not self.topic
        if open_ and any(t.concept.name == "lesion.primary" for t in clause.tokens):
            self.set_topic(self.diagnosed, read)
        if (
            clause.paragraph
            and "SUV" in read.kinds
            and "LESION" in read.kinds
            and not (read.suv or read.named)
        ):
            self.heading_lesion = True  # "Lesion | SUVmax", and below it a row for each
        if clause.heads_list and read.verdicts and not read.named:
            self._head_list(read)
            return
        topic = (
            self.topic if clause.chinese and not clause.first and clause.tokens[0].concept.exception else None
        )
        for name, rule in self.rules_for(read.kinds):
            self.steps += 1
            if rule(self, read):
                self.rule = name
                break
        if topic:
            self.topic = topic  # 肝、脾除左叶囊肿外均未见异常
        if not (self.perfused or clause.chinese) and "CUE" in read.kinds:
            self.perfused = any(t.kind == "CUE" and t.text == "perfusion" for t in clause.tokens)
        if read.groups and not read.kinds.isdisjoint(_CALLED):
            look_for_brown_fat(self, read)
        if self.asked and not clause.first and not read.named and self.announced and "LESION" in read.kinds:
            self.announced = []  # "a photopenic centre: abscess."
        self.sentence_start = False
        self.asked, self.questioned = clause.colon, clause.asks
        self.groups = read.groups or self.groups
        if clause.colon:
            self._ask(read)
        aside = "BENIGN" in read.kinds and any(t.concept.grave and t.paren for t in clause.tokens)
        if aside or "CAUSE" in read.kinds or (not clause.first and read.kinds <= _NAMED_CAUSE):
            called_grave(self, read)
        asks = clause.asks and clause.first and (clause.paragraph or self.form)
        if (clause.colon or asks) and not read.named and read.verdicts:
            self.announced = [
                (v, (clause.tokens[v.first].start, clause.tokens[v.last].end))
                for v in read.verdicts
                if not v.bare
            ]
            self.announced_inline, self.questionnaire = False, bool(asks)
            self.announced_list = False
        elif clause.announces and read.verdicts:
            first = read.verdicts[0]
            self.announced = [(first, (clause.tokens[first.first].start, clause.tokens[first.last].end))]
            self.announced_inline, self.announced_list = True, False
        elif (read.verdicts and not self.questionnaire) or (clause.heading and clause.colon):
            self.announced = []
        self.inherits_cue = read.reading.cue_at_end
        self.sentence_cue = self.sentence_cue or read.reading.cue or "SUV" in read.kinds
        self.change = self.change or read.reading.change
        if "SUV" in read.kinds and "PRESENT" in read.kinds and clause.chinese:
            self.change = False  # 较前减低,现SUVmax 3.2: the comparison is done
        self.contrast = self.contrast or read.reading.contrast

    def _head_list(self, read: ReadClause) -> None:
        """ "FDG POSITIVE SITES", and below it where."""
        first, tokens = read.verdicts[0], read.clause.tokens
        self.announced = [(first, (tokens[first.first].start, tokens[first.last].end))]
        self.announced_inline = self.questionnaire = False
        self.announced_list = True
        self.topic, self.field, self.region, self.region_nodes = [], frozenset(), (), ()
        self.node_heading, self.node_fields = read.node, False

    def _ask(self, read: ReadClause) -> None:
        """A clause that ends in a colon names a field, or its organ."""
        if read.kinds <= _PARTS:
            self.form = self.after_heading = True  # "Inferior: absent" in a form of the heart
        elif read.named and not read.clause.chinese and not read.verdicts and "CUE" in read.kinds:
            self.form = self.after_heading = True  # "Myocardial uptake: apex - absent"
        elif read.lesion and not read.named:
            self.heading_lesion = True  # "Primary site: right tonsil, SUVmax 15.9"

    # --- topic

    def set_topic(self, mentions: list[Mention], read: ReadClause) -> None:
        if self.topic and only_on_ct(mentions):
            return  # what only the CT can judge is never what uptake is said of
        self.topic = mentions
        if len(self.spoken) < _MANY:
            self.spoken += mentions
        if read.lesion:
            self.lesion_topic = mentions
        self.topic_lesion = read.lesion or read.finding
        self.blocked = False
        self.sentence_topic = True
        self.last = []

    def generic_nodes(self, group: Group) -> list[Mention]:
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
            stations = tuple(n for r in self.region for n in REGION_NODES.get(r, ()))
        return [Mention((s,), (), None, -1, -1, group.first, group.last, (s,), node=True) for s in stations]

    def everywhere(self) -> Mention:
        """The region of the heading, or the whole body: of what is said of no place."""
        return Mention((), self.region or ("whole_body",), None, -1, -1, 0, 0)

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
                    and said.order >= self.field_from
                    and said.ct is None
                    and not read.sizes
                    and ("NEG" in read.kinds or not (read.lesion or read.finding))
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
                extend(draft, read.clause)
                draft.lesion |= read.lesion or read.finding
                out.append(draft)
        return out

    def unplace(self, read: ReadClause, verdict: Verdict | None = None) -> None:
        """The clause states uptake of no place that is known."""
        span = (read.clause.start, read.clause.end)
        self.unattributed.append(span)
        found = verdict or next((v for v in read.verdicts if not v.bare and v.state is not NORMAL), None)
        self.unplaced = (found, span) if found else None

    def extend_unattributed(self, read: ReadClause) -> None:
        """A value behind uptake that belongs to no organ is of that uptake."""
        if self.unattributed and not read.clause.first:
            start, end = self.unattributed[-1]
            if start >= self.sentence_from:
                self.unattributed[-1] = (start, max(end, read.clause.end))

    def measure(self, read: ReadClause) -> None:
        """Measures of a clause go to what was last spoken of."""
        earlier = read.kinds == {"PRIOR"} and not read.clause.chinese  # "…, previously 12.4"
        if not (read.suv or read.sizes or earlier):
            return
        compared = "PRIOR" in read.kinds or ("PRESENT" in read.kinds and not read.clause.chinese)
        if compared and (read.suv or earlier):
            for draft in self.last:
                valued = bool(read.suv or draft.suv)
                if draft.state is UptakeState.DECREASED and valued and draft.sentence == self.sentence:
                    draft.state = INCREASED  # "decreased uptake, SUVmax 4.2 (previously 12.4)"
                    draft.residual = True
        for draft in self.last:
            if (
                draft.residual
                and draft.state is INCREASED
                and draft.sentence == self.sentence
                and faded(draft, read)
            ):
                draft.state = NORMAL
            same = draft.activity and draft.state is NORMAL and draft.sentence == self.sentence
            if same and not draft.region and is_quoted(load_lexicon().sites[draft.key], read):
                draft.state = INCREASED
            draft.suv += tuple([v for v in read.suv if v not in draft.suv])
            draft.size_mm += tuple([s for s in read.sizes if s not in draft.size_mm])


REGION_NODES = {
    "head_neck": ("cervical_lymph_nodes",), "chest": ("mediastinal_hilar_lymph_nodes",),
    "abdomen": ("abdominal_lymph_nodes",), "pelvis": ("pelvic_lymph_nodes",),
}  # fmt: skip
