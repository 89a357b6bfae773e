"""Adjectives that a comma parts from the words before them: "a nonavid, photopenic core"."""

from __future__ import annotations

from pet2rep_eval.parsing.units import Clause, says


def only_adjectives(clause: Clause) -> bool:
    """Only adjectives: "hypermetabolic, partially calcified, right hilar nodes" is one phrase."""
    return (
        not clause.trailing
        and not clause.colon
        and clause.tokens[0].kind in ("HOT", "VOID", "HYPO", "DEG", "FOCAL", "CENTER")
        and all(
            t.kind in ("HOT", "FINDING", "DEG", "HYPO", "VOID", "UNEVEN", "DIFFUSE", "FOCAL", "CENTER")
            for t in clause.tokens
        )
        and any(t.kind in ("HOT", "VOID", "HYPO") for t in clause.tokens)
        and not any(t.concept.noun for t in clause.tokens)
    )


def _cold_after(head: Clause, clause: Clause) -> bool:
    """ "a nonavid, photopenic core": two adjectives of one noun."""
    kinds = [t.kind for t in clause.tokens]
    return (
        not clause.chinese
        and not clause.heading
        and not head.heading
        and not head.trailing
        and head.tokens[-1].kind in ("EVEN", "VERDICT")
        and kinds[0] == "VOID"
        and len(kinds) > 1
        and kinds[1] in ("CENTER", "PART", "LESION", "SITE")
    )


def _noun_after(head: Clause, clause: Clause) -> bool:
    """ "Uptake in a fat-attenuation, dumbbell-shaped thickening of the septum": the noun comes only now."""
    kinds = [t.kind for t in clause.tokens]
    end = head.tokens[-1]
    return (
        not clause.chinese
        and not clause.heading
        and not head.heading
        and head.first
        and len(head.tokens) > 2
        and end.kind in ("STRUCT", "FINDING")
        and head.tokens[-2].kind == "IN"
        and kinds[0] in ("FINDING", "LESION")
        and "SITE" in kinds
        and not says(clause)
        and not {"VERB", "NEG"} & set(kinds)
        and says(head)
    )


def _describes(head: Clause, clause: Clause) -> bool:
    """ "Multiple lytic lesions, hypermetabolic, in the sacrum": the adjective behind a finding without a place yet."""
    return (
        not clause.chinese
        and not clause.heading
        and not clause.trailing
        and not head.heading
        and head.first
        and head.tokens[-1].kind in ("LESION", "NODE")
        and not any(t.kind in ("SITE", "REGION", "HILUM", "REST", "NEG", "VERB") for t in head.tokens)
        and all(t.kind in ("HOT", "DEG", "UNEVEN", "DIFFUSE", "FINDING") for t in clause.tokens)
        and any(t.kind == "HOT" and not t.concept.noun for t in clause.tokens)
    )


_ATTRIBUTES = frozenset("DEG UP FOCAL DIFFUSE UNEVEN SYM EVEN ABN PHYS".split())


_BEFORE = frozenset("DEG UP FOCAL DIFFUSE UNEVEN SYM".split())


def _adjective_after(head: Clause, clause: Clause) -> bool:
    """ "There is faint, diffuse uptake": two adjectives of one word for uptake."""
    defect = any(t.kind == "CUE" for t in head.tokens) and any(t.kind == "COLD" for t in clause.tokens)
    if clause.chinese or clause.heading or head.heading or (head.trailing and not defect):
        return False
    end = len(head.tokens)
    while end and (head.tokens[end - 1].kind in _BEFORE or head.tokens[end - 1].text == "new"):
        end -= 1
    copula = head.tokens[end - 1] if end and head.tokens[end - 1].concept.copula else None
    if end == len(head.tokens) or (copula is not None and not copula.text.startswith("there")):
        return False
    reduction = next((t for t in clause.tokens if t.kind not in _ATTRIBUTES), None)
    if reduction is not None and reduction.kind == "DOWN" and reduction.concept.noun:
        return copula is None and clause.tokens[0] is not reduction  # "a diffuse, moderate reduction"
    named = [t.kind for t in clause.tokens if t.kind not in _ATTRIBUTES]
    following = next((k for k in named if k not in ("SIDE", "SITE")), "")
    return clause.tokens[0].kind in _ATTRIBUTES and (
        following in ("CUE", "HOT") or (defect and following == "COLD")
    )


def _attribute_before(head: Clause, clause: Clause) -> bool:
    """ "next to an FDG-avid, thickened ileal loop": two adjectives of one noun."""
    kinds = [t.kind for t in clause.tokens]
    end = len(head.tokens) - 1
    return (
        not clause.chinese
        and not clause.heading
        and not head.heading
        and not head.trailing
        and head.tokens[end].kind == "HOT"
        and not head.tokens[end].concept.noun
        and end > 0
        and head.tokens[end - 1].kind in ("PLACE", "IN", "OF", "JOIN", "VERB")
        and not head.tokens[end - 1].concept.copula
        and kinds[0] == "FINDING"
        and len(kinds) > 1
        and kinds[1] in ("SITE", "SIDE", "NODE", "LESION")
        and not says(clause)
    )


ADJECTIVES = (_noun_after, _cold_after, _adjective_after, _describes, _attribute_before)
"""Adjectives that a comma parts from the words before them."""
