"""What a verdict is said of besides the names beside it: the subject of the sentence, the lesion spoken of."""

from __future__ import annotations

from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.grammar import ELEMENTS
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.uptake import Verdict


def joins_subject(reader: Reader, read: ReadClause) -> bool:
    """ "The spleen, 14 cm in length, and the liver were …": the subject of the verb began in a clause before."""
    tokens = read.clause.tokens
    if read.clause.chinese or not is_open(reader.topic):
        return False
    if [t.kind for t in tokens[:3]] == ["NEG", "LESION", "NEG"]:
        return True  # "A mass of the middle lobe. Neither the mass nor the pleura shows …"
    if read.clause.first:
        return False
    if any(t.kind == "VERB" and t.concept.every for t in tokens[: read.verdicts[0].first]):
        return True  # "metastases in the small bowel, the gallbladder and the spleen, each showing …"
    if tokens[0].kind != "JOIN":
        return False
    verb = next((i for i, t in enumerate(tokens) if t.kind == "VERB"), -1)
    return (
        verb > 0
        and not reader.topic_lesion
        and all(m.organs for m in reader.topic)
        and all(t.kind in ELEMENTS or t.kind == "JOIN" for t in tokens[:verb])
        and read.verdicts[0].last > verb
    )


def in_the_lesion(reader: Reader, read: ReadClause, verdict: Verdict, mentions: list[Mention]) -> bool:
    """ "A mass in the upper lobe. PET showed uptake in the mass (SUVmax 14.2) and in the subcarinal nodes"."""
    tokens = read.clause.tokens
    between = [t.kind for t in tokens[verdict.last + 1 : mentions[0].first]]
    return (
        reader.topic_lesion
        and between[:2] == ["IN", "LESION"]
        and "JOIN" in between
        and is_open([m for m in reader.topic if m.organs and not m.node])
    )


def leads_into(read: ReadClause, verdict: Verdict, mentions: list[Mention]) -> bool:
    """Between the uptake and the places stands "into"."""
    return any(t.concept.into for t in read.clause.tokens[verdict.last + 1 : mentions[0].first])


def shown_by(read: ReadClause, verdict: Verdict, mentions: list[Mention]) -> list[Mention]:
    """ "The gastric cardia shows intense uptake extending into the esophagus": the cardia has it too."""
    before = [m for m in read.named if m.organs and not m.place and m.last < verdict.first]
    if not before or not leads_into(read, verdict, mentions):
        return []
    shown = any(t.kind == "VERB" for t in read.clause.tokens[before[-1].last + 1 : verdict.first])
    return [m for m in before if all(m is not other for other in mentions)] if shown else []


def grows_into(reader: Reader, read: ReadClause, verdict: Verdict, mentions: list[Mention]) -> bool:
    """ "The wall is thickened, with uptake extending into segment 4": what was spoken of has it too."""
    return (
        leads_into(read, verdict, mentions)
        and not read.clause.first
        and not any(m.last < verdict.first for m in read.named)
        and reader.sentence_topic
        and is_open(reader.topic)
    )


def of_others(read: ReadClause, verdict: Verdict) -> bool:
    """ "No other" behind what has been named."""
    if not verdict.negated or read.clause.chinese:
        return False
    tokens = read.clause.tokens[verdict.first : verdict.last + 1]
    return (
        not tokens[0].chinese
        and [t.kind for t in tokens[:2]] == ["NEG", "REST"]
        and verdict.first > 0
        and read.clause.tokens[verdict.first - 1].kind == "JOIN"
    )


def of_nodes(read: ReadClause, verdict: Verdict) -> bool:
    """The verdict ends in nodes that the clause gives no place."""
    if not verdict.negated or read.clause.chinese:
        return False
    tokens = read.clause.tokens
    at = verdict.last + 1
    return (
        at < len(tokens)
        and tokens[at].kind == "NODE"
        and not tokens[at].chinese
        and not any(m.first > at for m in read.named)
        and any(g.node and not g.mentions and g.first <= at <= g.last for g in read.groups)
    )


def excepts(read: ReadClause, verdict: Verdict, mention: Mention) -> bool:
    """The mention is left out of what the verdict denies."""
    between = read.clause.tokens[verdict.last + 1 : mention.first]
    return verdict.negated and not mention.place and any(t.concept.exception for t in between)


def is_open(topic: list[Mention]) -> bool:
    """The topic is described and still waits for its uptake."""
    drafts = [d for m in topic for d in m.drafts.values()]
    return bool(drafts) and all(d.state is None for d in drafts)


_SINGLE = frozenset(
    "is was has shows showed demonstrates demonstrated had contains measures exhibits exhibited".split()
)


def _is_single(reader: Reader, read: ReadClause, nearest: list[Mention]) -> bool:
    """ "Which" with a verb of one thing, behind several of different kinds."""
    verb = next((t.text for t in read.clause.tokens[1:3] if t.kind == "VERB"), "")
    return (
        verb in _SINGLE
        and bool(nearest)
        and nearest[0].node
        and len(reader.topic) > 1
        and not all(m.node for m in reader.topic)
    )


def turn_to_nearest(reader: Reader, read: ReadClause) -> None:
    """ "A mass with reactive hilar nodes which are avid", 侵及精囊腺，后者亦呈高摄取: of what was named last."""
    if read.clause.first or read.clause.tokens[0].concept.name not in ("but.which", "but.where"):
        return
    mine = {o for m in reader.topic for o in m.organs}
    nearest = [m for g in reader.groups for m in g.mentions if m.organs][-1:]
    # "… into the psoas muscle, where an abscess …"; "a mass and a necrotic node, which showed …"
    last = read.clause.tokens[0].concept.name == "but.where" or _is_single(reader, read, nearest)
    if nearest and (last or not mine & set(nearest[0].organs)):
        nearest[0].place = False
        lesion = reader.topic_lesion
        reader.set_topic(nearest, read)
        reader.topic_lesion |= lesion
