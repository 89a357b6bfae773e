"""Where a finding lies of which the sentence has only said that it is somewhere, or in the bones, or all over the body.

"Widespread avid nodal disease, most marked in the mediastinum"; 全身多处骨质代谢增高,以脊柱为著.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pet2rep_eval.parsing.giving import give
from pet2rep_eval.parsing.places import Mention, to_nodes
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake import Verdict
from pet2rep_eval.records import UptakeState

if TYPE_CHECKING:
    from pet2rep_eval.parsing.attribution import Reader
    from pet2rep_eval.parsing.drafts import Draft, ReadClause

_BEGINNING = frozenset({"MAXIMAL", "LOCATED", "WITH_MOST", "INVOLVE", "NAMELY"})
LEADS = _BEGINNING | {"MOST", "IN"}
"""Kinds of which such a clause has one."""
_HOLDS = {"bones": ("spine",)}
"""An organ whose findings can lie in another."""


def is_wide(mention: Mention) -> bool:
    """What it names can take in another organ."""
    return not mention.organs or any(o in _HOLDS for o in mention.organs)


def is_part(mention: Mention, whole: Mention) -> bool:
    """What *whole* names takes in what *mention* names: a region, or the bones of which the spine is one."""
    if not whole.organs:
        return bool(mention.organs) or whole.regions == ("whole_body",)
    return all(mention.organs == _HOLDS.get(organ) for organ in whole.organs)


_LIVER_SEGMENT = re.compile(r"肝?s[1-8]|(?:liver|hepatic) segment")


def is_liver_segment(tokens: Sequence[Token], field: frozenset[str] = frozenset()) -> bool:
    """ "Liver S6, SUVmax 8.3": a value of one segment of the liver is that of a lesion. *field*: of the heading."""
    liver = field == {"liver"} or any(t.kind == "SITE" and "liver" in t.concept.organs for t in tokens)
    return liver and any(t.kind in ("PART", "SITE") and _LIVER_SEGMENT.fullmatch(t.text) for t in tokens)


def _is_said_of_whole(draft: Draft, mentions: list[Mention]) -> bool:
    return draft.region or any(m.organs == _HOLDS.get(draft.key) for m in mentions)


def specified(reader: Reader, read: ReadClause) -> bool:
    """A clause that only says where what the sentence has stated is found."""
    if not read.named or read.verdicts or read.clause.first:
        return False
    lead = next((t for t in read.clause.tokens if t.kind != "JOIN"), read.clause.tokens[0])
    last = read.clause.tokens[-1].kind
    begins = lead.kind in _BEGINNING or lead.concept.specifies or last in ("MOST", "MAXIMAL")
    if not begins and not (lead.kind == "IN" and reader.unplaced is not None and not read.lesion):
        return False  # "a hypermetabolic nodule, SUVmax 5, at the right hilum"
    silent = (None,) if lead.concept.specifies else (None, UptakeState.NORMAL)
    said = [d for d in reader.last if d.sentence == reader.sentence and d.state not in silent]
    if not said and reader.unplaced is None:
        return False
    mentions = read.named
    if any(g.node for g in reader.groups):
        for mention in (m for m in mentions if m.regions or m.compartment):
            to_nodes(mention)
    mentions = [m for m in mentions if m.organs]
    if said and not all(_is_said_of_whole(d, mentions) for d in said):
        return False
    if said:
        state, degree, span = said[-1].state, said[-1].degree, said[-1].uptake
    elif reader.unplaced is not None:
        verdict, span = reader.unplaced
        state, degree = verdict.state, verdict.degree
    else:
        return False
    if not mentions or state is None:
        return False
    for draft in give(reader, mentions, Verdict(state, 0, 0, degree), read, "specified"):
        draft.uptake = span  # the words stand in the clause before
    drafts = reader.last
    reader.set_topic(mentions, read)
    reader.last = drafts
    return True
