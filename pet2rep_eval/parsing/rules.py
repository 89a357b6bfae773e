"""What belongs to what: verdicts of uptake to organs, by an ordered table of small rules.

A rule sees the reader, with its topic, and one clause that has been read by itself; it returns whether it has decided.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.binding import with_regions
from pet2rep_eval.parsing.carrying import carry, remainder
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.giving import give
from pet2rep_eval.parsing.grammar import ELEMENTS, TERMS
from pet2rep_eval.parsing.physiology import called_physiological
from pet2rep_eval.parsing.places import Mention
from pet2rep_eval.parsing.specifying import LEADS, specified
from pet2rep_eval.parsing.stating import by_value, carried, stated
from pet2rep_eval.parsing.subjects import is_open
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.parsing.valued import reference_value, suv_only
from pet2rep_eval.parsing.weighing import extend
from pet2rep_eval.records import UptakeState

INCREASED, NORMAL = UptakeState.INCREASED, UptakeState.NORMAL

_COLD = frozenset({"COLD"})


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
    if read.suv and read.named and "PRESENT" in read.kinds:
        by_value(reader, read, True)  # "the previously avid node is now subcentimetric with SUVmax 1.3"
        return True
    span = (read.clause.tokens[verdicts[-1].first].start, read.clause.tokens[verdicts[-1].last].end)
    reader.earlier += [(d, verdicts[-1], span) for d in drafts if verdicts[-1].state is not NORMAL]
    return True


def _answers(reader: Reader, read: ReadClause) -> bool:
    """ "Abnormal uptake? Neck - no. Lungs - yes, SUVmax 9.2"."""
    tokens = read.clause.tokens
    yes, no = tokens[0].concept.name == "verb.yes", [t.kind for t in tokens] == ["NEG"]
    if not (reader.announced and reader.form and not read.named and (yes or no)):
        return False
    verdict, span = reader.announced[0]
    places = reader.topic or [Mention((), reader.region, None, -1, -1, 0, 0)]
    for draft in give(reader, places, Verdict(verdict.state if yes else NORMAL, 0, 0), read, "announced"):
        draft.uptake = span  # the words stand in the question
    return True


_IN_LIST = ELEMENTS | {
    "JOIN",
    "COMMA",
    "OF",
    "IN",
    "SUV",
    "SIZE",
    "FOCAL",
    "DIFFUSE",
    "MAXIMAL",
    "LIST",
    "NEG",
}


def _announced(reader: Reader, read: ReadClause) -> bool:
    """A member of a list whose head said it: "The following sites are hypermetabolic:"."""
    if _answers(reader, read):
        return True
    if not reader.announced or not read.named or read.verdicts:
        return False
    if reader.announced_inline and not read.clause.soft:
        return False
    if reader.announced_list and not read.kinds <= _IN_LIST:
        return False
    if not read.clause.first and (read.clause.chinese or not all(m.node or m.nodes for m in read.named)):
        return False
    denied = read.clause.tokens[-1].kind == "NEG"  # "Lungs - yes. Liver - no."
    for verdict, span in reader.announced:
        said = Verdict(NORMAL, 0, 0) if denied else Verdict(verdict.state, 0, 0, verdict.degree)
        for draft in give(reader, read.named, said, read, "announced"):
            draft.uptake = span  # the words stand in the head of the list
    last = reader.last
    reader.set_topic(read.named, read)
    reader.last = last
    return True


def _known_nodes(reader: Reader) -> bool:
    """The field names nodes of which others of the same station were called increased."""
    spoken = {m.side for m in reader.topic}
    sites = load_lexicon().sites
    keys = {k for m in reader.topic for k in m.keys if m.organs and (m.node or sites[k].station)}
    return bool(keys) and any(
        d.key in keys and d.state is INCREASED and d.side not in spoken for d in reader.drafts[-6:]
    )


_ANSWERS_ALONE = frozenset({"none", "nil"})


def _is_whole(read: ReadClause) -> bool:
    """The denial is all that the field says."""
    return not read.clause.trailing and read.clause.tokens[0].text in _ANSWERS_ALONE


def _likewise(reader: Reader, read: ReadClause) -> bool:
    """ "as do the spleen and pancreas": what was just said holds here too; "the left is not": it does not."""
    if reader.earlier and [t.kind for t in read.clause.tokens] == ["PRESENT", "NEG"]:
        for draft, _, span in reader.earlier:  # 原纵隔淋巴结代谢增高,本次未见
            draft.state, draft.uptake, draft.rule = NORMAL, span, "likewise"
        reader.earlier = []
        return True
    if reader.asked and read.kinds == _COLD and any(d.state is INCREASED and d.lesion for d in reader.last):
        for draft in reader.last:  # "Hypermetabolic liver lesion: Absent"
            draft.state, draft.degree, draft.rule = NORMAL, None, "likewise"
        return True
    answers = read.kinds == {"NEG"} and not read.clause.chinese and (reader.asked or reader.sentence_start)
    if answers and not reader.sentence_cue and _known_nodes(reader):
        # "Left axillary nodes: avid. Right: none."
        give(reader, reader.topic, Verdict(NORMAL, 0, 0), read, "likewise")
        return True
    if (
        answers
        and reader.form
        and reader.field
        and not (reader.heading_lesion or reader.asked)
        and _is_whole(read)
    ):
        give(reader, reader.topic, Verdict(NORMAL, 0, 0, bare=True), read, "likewise")
        return True  # "Mitral valve: none"
    if read.verdicts or not reader.last or read.suv or read.kinds.isdisjoint(("NEG", "LIKEWISE")):
        return False
    kinds = [t.kind for t in read.clause.tokens]
    so = kinds == ["LIKEWISE"] and not read.clause.chinese and is_open(reader.topic)
    said = [d for d in reader.drafts[-6:] if d.sentence >= reader.sentence - 1] if so else reader.last
    last = next((d for d in reversed(said) if d.state is not None), None)
    if last is None or last.state is None:
        return False
    lead = next((t.text for t in read.clause.tokens if t.kind != "BUT"), "")
    bare_denial = (
        "NEG" in kinds
        and not set(kinds) & (TERMS - {"NEG"})
        and (kinds[-1] == "NEG" or (bool(read.named) and lead in ("none", "nor")))
    )
    unlike = lead == "not" and (bool(read.named) or "SIDE" in kinds)
    bare_denial = bare_denial or (unlike and not set(kinds) & (TERMS - {"NEG"}))  # "but not in the left"
    denied = bare_denial and (reader.sentence_cue or reader.questioned)
    denied = denied and not read.clause.trailing and (reader.questioned or not read.clause.chinese)
    if not ("LIKEWISE" in kinds and read.named) and not denied and not so:
        return False
    if denied and (reader.asked or reader.questioned) and not read.named:
        for draft in reader.last:  # "Hypermetabolic axillary nodes: none", "Uptake in the adrenals? No"
            draft.state, draft.degree, draft.rule = NORMAL, None, "likewise"
        return True
    at = kinds.index("LIKEWISE") if "LIKEWISE" in kinds else len(kinds) - 1 - kinds[::-1].index("NEG")
    verdict = Verdict(NORMAL if denied else last.state, at, at)
    mentions = read.named or (reader.topic if so else carried(reader, read))
    give(reader, mentions, verdict, read, "likewise")
    reader.set_topic(mentions, read)
    return True  # "as do the spleen", "… and a level III node was weakly so"


def _extended(reader: Reader, read: ReadClause) -> bool:
    """ "… with intense uptake of its wall, extending to the vertebral bodies": what it grows into has it too.

    So has what the sentence goes on with: "uptake in the cervix, SUVmax 15.2, and in the iliac nodes".
    """
    tokens = read.clause.tokens
    if read.clause.first or not read.named or read.verdicts or read.suv or read.clause.chinese:
        return False
    through = tokens[0].kind == "INVOLVE" and any(
        t.concept.into for t in tokens
    )  # "extending through … into"
    if not (tokens[0].concept.into or through) and [t.kind for t in tokens[:2]] != ["JOIN", "IN"]:
        return False
    hot = [d for d in reader.last if d.state is INCREASED and d.sentence == reader.sentence]
    fissure = any(d.key == "pleura" for d in hot) and all(m.organs == ("lungs",) for m in read.named)
    if not hot or fissure:
        return False
    give(reader, read.named, Verdict(INCREASED, 0, 0, hot[-1].degree), read, "extended")
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


def _only_planes(read: ReadClause) -> bool:
    """宫颈肿块，宫旁脂肪间隙模糊，摄取增高: the sentence is still about the mass."""
    named = [t for t in read.clause.tokens if t.kind == "SITE"]
    return bool(named) and named[-1].concept.name == "muscles_soft_tissue.planes"


def _described(reader: Reader, read: ReadClause) -> bool:
    """A clause about structure: its places become the topic."""
    if read.named:
        mentions = with_regions(read.named, read)
        reader.describe(mentions, read)
        generic = all(m.regions for m in mentions)
        if generic and reader.topic and not read.clause.first:
            return True
        if generic and read.kinds.isdisjoint(("LESION", "FINDING", "NODE")) and not read.clause.first:
            return True
        kinds = read.kinds
        if not read.clause.first and reader.topic_lesion and is_open(reader.topic) and _only_planes(read):
            return True
        if not read.clause.first and is_open(reader.topic):
            if "SYM" in kinds and not kinds & {"LESION", "FINDING", "NODE"}:
                mentions = [*reader.topic, *mentions]  # 精囊腺对称: the sentence goes on about both
            if all(m.organs == ("spine",) for m in mentions) and all(
                m.organs == ("bones",) for m in reader.topic
            ):
                mentions = [*reader.topic, *mentions]  # the spine is one of the bones
        reader.set_topic(mentions, read)
        reader.last = [d for m in mentions for d in m.drafts.values()]
        reader.measure(read)
        return True
    group = next((g for g in read.groups if g.node and not g.mentions), None) if read.groups else None
    if group is not None and not read.places:
        nodes = carried(reader, read) if reader.topic else reader.generic_nodes(group)
        if nodes and nodes is not reader.topic:
            reader.describe(nodes, read)
            reader.set_topic(nodes, read)
            reader.last = [d for m in nodes for d in m.drafts.values()]
            return True
    if (
        read.places
        and (read.lesion or not reader.topic)
        and read.kinds.isdisjoint(("MAXIMAL", "LOCATED", "INVOLVE", "WITH_MOST"))
        and not (reader.form and reader.sentence_start and reader.topic)
    ):
        if read.lesion:
            reader.topic, reader.blocked = [], True
        return True
    side = next((g for g in read.groups if g.side and not g.mentions), None) if read.groups else None
    if side is not None and reader.topic and not read.places and "SYM" not in read.kinds:
        mentions = carried(reader, read)
        if mentions is not reader.topic:
            drafts = reader.describe(mentions, read)
            reader.set_topic(mentions, read)
            reader.last = drafts
            reader.measure(read)
            return True
    if reader.topic and (read.lesion or read.finding):
        reader.topic_lesion = True
    for mention in reader.topic:
        for draft in mention.drafts.values():
            if draft.state is None:
                extend(draft, read.clause)
                draft.lesion |= read.lesion or read.finding
    reader.measure(read)
    return True


Rule = Callable[[Reader, ReadClause], bool]
_NAMES = frozenset({"SITE", "REGION", "HILUM"})
_ANY: frozenset[str] = frozenset()
RULES: tuple[tuple[str, Rule, frozenset[str]], ...] = (
    ("reference value", reference_value, frozenset({"REF", "SUV"})),
    ("called physiological", called_physiological, frozenset({"PHYS", "URINE", "CAUSE"})),
    ("cannot be judged", _uncertain, frozenset({"UNCERTAIN"})),
    ("seen earlier", _seen_earlier, frozenset({"PRIOR"})),
    ("stated", stated, _NAMES),
    ("specified", specified, LEADS),
    ("announced", _announced, _NAMES | {"VERB", "NEG"}),
    ("extended", _extended, frozenset({"IN"})),
    ("likewise", _likewise, frozenset({"NEG", "LIKEWISE"}) | _COLD),
    ("remainder", remainder, frozenset({"REST"})),
    ("carried", carry, _ANY),
    ("SUV only", suv_only, frozenset({"SUV"})),
    ("described", _described, _ANY),
)
"""Name, rule and the kinds of which a clause must have one for it to apply (none: it may always), in the order in which
they are tried; the first that returns True has decided."""


@lru_cache(maxsize=4096)
def rules_for(kinds: frozenset[str]) -> tuple[tuple[str, Rule], ...]:
    """The rules that can apply to a clause with these kinds, in order."""
    return tuple((name, rule) for name, rule, needed in RULES if not needed or needed & kinds)
