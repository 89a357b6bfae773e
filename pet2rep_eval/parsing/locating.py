"""Mentions that only locate: 较大者位于…, 以…为著, what a mass pushes against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pet2rep_eval.parsing.places import Group
from pet2rep_eval.parsing.specifying import is_part, is_wide
from pet2rep_eval.parsing.units import Clause

if TYPE_CHECKING:
    from pet2rep_eval.parsing.attribution import Reader

_MANY = 40
"""Bound of what is looked through for every mention, so that the work stays linear in the text."""


def mark_places(reader: Reader, groups: list[Group], clause: Clause, kinds: Sequence[str]) -> None:
    """Marks mentions that only locate: 较大者位于…, 以…为著, what a mass pushes against."""
    located = next((i for i, k in enumerate(kinds) if k == "LOCATED"), None)
    maximal = next((i for i, k in enumerate(kinds) if k == "MAXIMAL"), None)
    most = next((i for i, k in enumerate(kinds) if k == "MOST"), None)
    with_most = next((i for i, k in enumerate(kinds) if k == "WITH_MOST"), None)
    involve = next((i for i, k in enumerate(kinds) if k == "INVOLVE"), None)
    first, kinds_chinese = clause.first, clause.chinese
    everything = [m for g in groups for m in g.mentions]
    whole = [m for m in reader.topic[:_MANY] if m.keys and not m.heading]
    wide = any(is_wide(m) for m in whole)
    bounded = _bounded(clause, involve) if involve is not None and whole else -1
    for mention in everything:
        at = mention.first
        concrete = [m for m in whole if not is_part(mention, m)] if wide else whole
        if 0 <= bounded < at and involve is not None and mention.last < involve:
            mention.place = mention.aside = True  # 与十二指肠、肠系膜上静脉分界不清
            continue
        if maximal is not None and at > maximal:
            before = any(
                m.first < maximal and not m.place and not is_part(mention, m) for m in everything[:_MANY]
            )
            other = (
                first
                and not kinds_chinese
                and not mention.node
                and not any(set(m.organs) & set(mention.organs) for m in concrete)
            )
            aside = before or (bool(concrete) and not other)
        elif located is not None and at > located:
            aside = (
                bool(concrete) and reader.sentence_topic and not any(m.first < located for m in everything)
            )
        elif with_most is not None and at > with_most:
            aside = (most is not None or kinds[-1] in ("DEG", "MOST")) and (
                bool(concrete) or any(m.first < with_most for m in everything)
            )
        elif most is not None and at < most:
            aside = bool(concrete) and reader.sentence_topic and len(everything) == 1
        elif (
            involve is not None
            and at > involve
            and not clause.tokens[involve].concept.into
            and any(m.first < involve and not m.place for m in everything)
        ):
            aside = True  # "a mass of the retroperitoneum encasing the aorta"
        elif involve is not None and concrete and (reader.sentence_topic or at > involve):
            pressed = clause.tokens[involve].text.startswith("受")  # 右下肺受压不张: it is the subject
            aside = at > involve or (len(everything) == 1 and not pressed)
            if clause.tokens[involve].concept.name == "involve.near" and any(
                k in ("VERB", "CUE", "HOT", "LESION")
                or (k == "FINDING" and mention.organs != ("muscles_soft_tissue",))
                for k in kinds[mention.last + 1 :]
            ):
                aside = False  # 邻近脑池摄取增高: the neighbour is the subject
        else:
            aside = False
        if aside:
            if maximal is not None:
                reader.largest = next((m for m in reader.topic if m.organs == mention.organs), None)
            mention.place = mention.aside = True


def _bounded(clause: Clause, involve: int) -> int:
    """Where 与 stands in 与十二指肠、肠系膜上静脉分界不清: what follows it bounds what the text speaks of; or -1."""
    at = next((i for i, t in enumerate(clause.tokens[:involve]) if t.text in ("与", "和")), -1)
    if at < 0 or clause.first or not clause.tokens[involve].chinese:
        return -1
    named = any(t.kind in ("SITE", "REGION", "LESION") for t in clause.tokens[:at])
    return -1 if named else at
