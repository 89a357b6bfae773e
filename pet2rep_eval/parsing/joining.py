"""Clauses, and which belong together: commas of a list, of an apposition or between adjectives are no ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pet2rep_eval.parsing.adjectives import ADJECTIVES, only_adjectives
from pet2rep_eval.parsing.grammar import ELEMENTS
from pet2rep_eval.parsing.tokens import SEEN, Token, comma_between
from pet2rep_eval.parsing.units import Clause, is_chinese, says, says_so

_VALUES = frozenset({"SUV", "SIZE", "COMMA"})
"""What can stand in parentheses behind a member of a list."""
_ASIDE = _VALUES | {"UNEVEN", "DIFFUSE", "DEG", "FOCAL", "SYM"}
_LISTABLE = ELEMENTS | {"JOIN", "OF", "COMMA", "IN", "REST"}

_NAMED = frozenset({"SITE", "REGION", "SIDE", "HILUM", "PART", "NODE", "JOIN", "COMMA"})
_BEFORE_NAMES = frozenset(
    {"UP", "DOWN", "PHYS", "EVEN", "NEG", "VERB", "DEG", "DIFFUSE", "FOCAL", "SYM", "ABN"}
)


def _leads_list(tokens: list[Token]) -> bool:
    """ "Previously described left cervical, …", "Enlarged cervical, …"."""
    head = tokens[0]
    if head.chinese or head.kind not in ("PRIOR", "FINDING"):
        return False
    names = [t for t in tokens[1:] if t.kind == "SITE"]
    return head.kind == "PRIOR" or (bool(names) and all(t.concept.organs == t.concept.nodes for t in names))


def _without_criteria(tokens: list[Token]) -> list[Token]:
    """ "… or hilar lymphadenopathy by size or FDG criteria": what names the places."""
    at = next((i for i, t in enumerate(tokens) if t.text == "by"), 0)
    criteria = at and all(t.kind in ("STRUCT", "JOIN", "CUE") for t in tokens[at + 1 :])
    return tokens[:at] if criteria else tokens


def _bare(clause: Clause) -> bool:
    """It only names places ("hilar or axillary nodes are identified")."""
    tokens = _without_criteria(clause.tokens)
    if (clause.trailing and tokens is clause.tokens) or tokens[0].kind == "VERB":
        return False
    for t in tokens:
        if (t.paren and t.kind in _VALUES) or (t is tokens[0] and _leads_list(tokens)):
            continue
        if (
            t.kind not in _LISTABLE
            and not (t.concept.copula or t.concept.name == SEEN)
            and t.text not in ("neither", "nor")
        ):
            return False
    if any(t.concept.fluid or t.concept.finding for t in tokens):
        return False
    if clause.chinese and any(t.kind in ("LESION", "NODE") for t in tokens):
        return False
    return any(t.kind in ("SITE", "REGION", "HILUM", "NODE") for t in tokens)


_SAYS = frozenset("CUE HOT HYPO VOID EVEN COLD UP DOWN PHYS ABN NEG URINE RESOLVED VERDICT MAXIMAL".split())


def _open_list(clause: Clause) -> bool:
    """The clause says something first and names places last, so that a following name goes on with its list."""
    last = next((t for t in reversed(clause.tokens) if not (t.paren and t.kind in _ASIDE)), clause.tokens[0])
    if last.kind == "JOIN" and len(clause.tokens) > 1:
        last = clause.tokens[-2]  # "of the marrow and, to a lesser extent, of the spleen"
    if last.kind not in ELEMENTS:
        return False
    if clause.tokens[0].concept.specifies and not clause.first:
        return True  # "…, for example in the left scapula, T5 and the right ilium"
    if _holds_lesions(clause):
        return True
    says = [i for i, t in enumerate(clause.tokens) if t.kind in _SAYS]
    names = [i for i, t in enumerate(clause.tokens) if t.kind in ("SITE", "REGION", "HILUM", "NODE")]
    return bool(says and names) and says[-1] < names[-1]


def _split_last(clauses: list[Clause]) -> Iterator[Clause]:
    """ "…, mediastinal, and inguinal nodes as well as increased splenic uptake": the list ends before "as well as"."""
    before: Clause | None = None
    for clause in clauses:
        at = _list_end(clause) if before is not None and not before.heading else 0
        if at and before is not None and (_bare(before) or _open_list(before)):
            rest = replace(clause, tokens=clause.tokens[at:], first=False, paragraph=False, asks=False)
            yield replace(clause, tokens=clause.tokens[:at], colon=False, trailing=False)
            clause = rest
        yield clause
        before = clause


def _list_end(clause: Clause) -> int:
    """Index of the joining word behind the last member of a list, where something else is said after it; or 0."""
    if clause.chinese or clause.first:
        return 0
    kinds = [t.kind for t in clause.tokens]
    with_more = next((i for i, t in enumerate(clause.tokens) if t.concept.name == "verb.with"), 0)
    if with_more and "JOIN" in kinds[:with_more] and kinds[0] != "JOIN":
        # "…, mediastinal and retroperitoneal stations with avid nodules in both lungs"
        names = (
            all(k in ELEMENTS or k == "JOIN" for k in kinds[:with_more]) and "LESION" not in kinds[:with_more]
        )
        finds = (
            "HOT" in kinds[with_more:]
            and kinds[with_more + 1] != "HOT"
            and "SITE" in kinds[kinds.index("HOT") :]
        )
        return with_more if names and finds else 0
    if kinds[0] != "JOIN":
        return _more_behind(clause, kinds)
    if kinds.count("JOIN") < 2:
        return 0
    at = kinds.index("JOIN", 1)
    behind = kinds[at + 1 : at + 4]
    named = all(k in ELEMENTS for k in kinds[1:at]) and not {"SITE", "REGION"}.isdisjoint(kinds[1:at])
    says = behind[:1] != ["SITE"] and not {"UP", "HOT", "DOWN", "HYPO", "PHYS", "VOID"}.isdisjoint(behind)
    return at if named and says else 0


def _more_behind(clause: Clause, kinds: list[str]) -> int:
    """ "…, kidneys and adrenals as well as excretion via the bladder"."""
    joints = [i for i, k in enumerate(kinds) if k == "JOIN"]
    if len(joints) < 2 or clause.tokens[joints[-1]].text != "as well as":
        return 0
    at = joints[-1]
    named = all(k in ELEMENTS or k == "JOIN" for k in kinds[:at])
    return at if named and kinds[at + 1 : at + 2] in (["URINE"], ["PHYS"], ["UP"], ["HOT"]) else 0


def _holds_lesions(clause: Clause) -> bool:
    """ "There are lytic lesions of the vertebral bodies, ribs and pelvis, most of them avid"."""
    kinds = [t.kind for t in clause.tokens]
    if clause.chinese or "IN" not in kinds or not {"SAYS", "VERB"}.isdisjoint(kinds[kinds.index("IN") :]):
        return False
    at = kinds.index("IN")
    lesion = any(t.kind == "LESION" or t.concept.finding for t in clause.tokens[:at])
    return lesion and all(k in ELEMENTS or k == "JOIN" for k in kinds[at + 1 :]) and kinds[0] != "NEG"


def merged(clauses: list[Clause]) -> list[Clause]:
    """Joins clauses that only name places to the clause they belong to: the commas of a list are no ends."""
    out: list[Clause] = []
    waiting: list[Clause] = []
    if False in [clause.chinese for clause in clauses]:
        clauses = _denied_lists(list(_split_last(clauses)))
    for clause in clauses:
        if len(clause.tokens) == 1 and clause.tokens[0].kind == "JOIN" and not clause.first and out:
            continue  # "… and, to a lesser extent, of the spleen"
        if clause.heading or (clause.chinese and clause.tokens[0].concept.exception and waiting):
            out.extend(waiting)
            waiting = []
            out.append(clause)
            continue
        if (
            not waiting
            and out
            and not clause.chinese
            and all(t.kind in ("SUV", "SIZE", "LESION", "NODE") for t in clause.tokens)
            and _announces(out[-1], out)
            and not out[-1].heading
            and out[-1].tokens[-1].kind == "CUE"
        ):
            _append(out[-1], clause)  # "Subtle uptake, SUVmax 2.6, in a lesion of the middle lobe"
        elif (
            not waiting
            and out
            and not out[-1].heading
            and not clause.chinese
            and (
                (_goes_on(clause) and _open_list(out[-1]))
                or (_locates(clause) and _announces(out[-1], out) and out[-1].tokens[-1].kind not in ELEMENTS)
            )
        ):
            _append(out[-1], clause)
        elif not waiting and out and _compares(clause) and _announces(out[-1], out) and not clause.trailing:
            _append(out[-1], clause)  # "uptake, more intense than liver, in the walls of the aorta"
        elif _bare(clause):
            if (
                not waiting
                and out
                and not out[-1].heading
                and (_open_list(out[-1]) or _announces(out[-1], out))
            ):
                _append(out[-1], clause)
            else:
                waiting.append(clause)
        elif (
            out and not clause.chinese and (_completes(clause, out[-1], waiting) or _shares(clause, out[-1]))
        ):
            for extra in [*waiting, clause]:
                _append(out[-1], extra)
            waiting = []
        elif out and not waiting and not clause.chinese and any(rule(out[-1], clause) for rule in ADJECTIVES):
            _append(out[-1], clause)
        elif not waiting and not clause.chinese and (anchor := _continued(clause, out)) is not None:
            _append(anchor, clause)
        elif (
            not clause.chinese
            and (clause.first or waiting or _leads_in(out))
            and (only_adjectives(clause) or (not waiting and _participle(clause)))
        ):
            waiting.append(clause)
        elif waiting and _is_adverbial(waiting, clause):
            out.extend(waiting)
            waiting = []
            out.append(clause)
        elif waiting:
            head = waiting[0]
            for extra in [*waiting[1:], clause]:
                _append(head, extra)
            waiting = []
            out.append(head)
        else:
            out.append(clause)
    if waiting:
        head = waiting[0]
        for extra in waiting[1:]:
            _append(head, extra)
        if out and not out[-1].heading and (_open_list(out[-1]) or _announces(out[-1], out)):
            _append(out[-1], head)
        else:
            out.append(head)
    for i, clause in enumerate(out):
        clause.continued = i + 1 < len(out)
    return out


_FINITE = frozenset(
    "is are was were remains remain appears appear involves affects affected surrounds surrounded occupies encompasses "
    "encompassed extends".split()
)

_VERDICTS = frozenset("UP DOWN COLD EVEN HOT HYPO VOID ABN PHYS NEG".split())


def _leads_in(out: list[Clause]) -> bool:
    """ "Five days after a vaccine: avid, enlarged nodes": a new beginning, for nothing was named before the colon."""
    return bool(out) and out[-1].colon and not any(t.kind in ELEMENTS for t in out[-1].tokens)


def _shares(clause: Clause, head: Clause) -> bool:
    """ "Increased hepatic, splenic and marrow uptake": adjectives and one noun over a list of organs."""
    if head.heading or clause.heading or head.chinese:
        return False
    said = [t.kind for t in head.tokens]
    lead = said.index("REGION") if "REGION" in said[:2] else -1
    if lead >= 0 and said[lead + 1 : lead + 2] == ["COMMA"] and said[:lead] in ([], ["IN"]):
        said = said[lead + 2 :]  # "Below the diaphragm, no hepatic, splenic or pancreatic uptake"
    kinds = [t.kind for t in clause.tokens]
    noun = next((i for i, k in enumerate(kinds) if k not in _NAMED), 0)
    nouns = ("CUE", "LESION") if "NEG" in said else ("CUE",)
    if not noun or kinds[noun] not in nouns or kinds[-1] in ELEMENTS - {"LESION"}:
        return False
    names = next((i for i, k in enumerate(said) if k in _NAMED), 0)
    return (
        any(k != "VERB" for k in said[:names])
        and all(k in _BEFORE_NAMES for k in said[:names])
        and all(k in _NAMED for k in said[names:])
    )


def _completes(clause: Clause, head: Clause, waiting: list[Clause]) -> bool:
    """ "Uptake in the visual cortex, basal ganglia and thalami is preserved": the list ends in the verdict."""
    if head.heading or clause.heading:
        return False
    said = {t.kind for t in head.tokens}
    kinds = [t.kind for t in clause.tokens]
    verb = next((i for i, t in enumerate(clause.tokens) if t.kind == "VERB"), -1)
    if (
        "IN" not in said
        or "VERB" in said
        or head.tokens[-1].kind not in ELEMENTS
        or verb <= 0
        or not all(k in ELEMENTS or k == "JOIN" for k in kinds[:verb])
    ):
        return False
    then = set(kinds[verb:])
    if "CUE" not in said:
        # "lytic lesions of the ribs, pelvis and vertebrae are seen with increased uptake"
        listed = _holds_lesions(head) and "JOIN" in kinds[:verb]
        return (
            listed
            and not said & _VERDICTS
            and bool(then & {"HOT", "UP", "CUE"})
            and not then & {"SITE", "REGION"}
        )
    single = clause.tokens[verb].text in ("is", "was")  # of the uptake, not of the last organs of the list
    called = single and {"PHYS", "EVEN"} & set(kinds[verb + 1 : verb + 3])
    if ("CUE" in kinds and not called) or not (
        said & _VERDICTS <= {"UP"} if then & {"PHYS", "EVEN"} else not said & _VERDICTS
    ):
        return False  # "intense activity in the brain, heart and bladder is likely physiologic"
    return bool(then & {"EVEN", "UP", "DOWN", "COLD", "PHYS"})


def _continued(clause: Clause, out: list[Clause]) -> Clause | None:
    """The clause whose verb comes only now: "Uptake, exceeding that of the liver, is noted in the aortic arch"."""
    if clause.chinese or clause.first or clause.heading or clause.tokens[0].text not in _FINITE:
        return None
    for earlier in reversed(out[-3:]):
        if earlier.heading:
            return None
        kinds = {t.kind for t in _without_comparison(earlier.tokens)}
        if not kinds & {"SITE", "REGION"} and (kinds & {"HOT", "CUE"}) and earlier.first:
            return earlier
        if "CUE" in kinds and "IN" in kinds and earlier is out[-1]:
            return earlier
    return None


def _denied_lists(clauses: list[Clause]) -> list[Clause]:
    """ "No calcification, nodule or increased uptake": one negation over a list with commas."""
    out: list[Clause] = []
    for i, clause in enumerate(clauses):
        before = out[-1] if out else None
        if before is not None and not clause.chinese and not clause.heading and _denies_things(before):
            rest = clauses[i : i + 4]
            alternative = next(
                (k for k, x in enumerate(rest) if any(t.concept.alternative for t in x.tokens)), None
            )
            between = rest[:alternative] if alternative is not None else rest
            if (
                alternative is not None
                and all(_things(x) for x in between)
                and clause.tokens[0].kind not in ("SITE", "SIDE", "REGION", "BUT", "VERB")
            ):
                _append(before, clause)
                continue
        out.append(clause)
    return out


def _denies_things(clause: Clause) -> bool:
    if clause.tokens[-1].kind not in ("LESION", "FINDING", "NODE", "HOT"):
        return False
    kinds = {t.kind for t in clause.tokens}
    return "NEG" in kinds and not kinds & {"CUE", "SITE", "REGION", "STRUCT"}


def _things(clause: Clause) -> bool:
    return all(
        t.kind in ("LESION", "FINDING", "NODE", "HOT", "DEG", "ABN", "FOCAL", "DIFFUSE", "JOIN", "CUE", "UP")
        for t in clause.tokens
    )


def _participle(clause: Clause) -> bool:
    """ "Showing no uptake above that of muscle, the nodule in the breast …" """
    return (
        clause.tokens[0].kind == "VERB"
        and clause.tokens[0].text.endswith("ing")
        and not any(t.kind in ("SITE", "REGION") for t in clause.tokens if t.kind != "REF")
    )


def _announces(clause: Clause, out: list[Clause]) -> bool:
    """It opens the sentence with a finding and names no place yet: "FDG-avid metastases: right 4th rib, T9"."""
    return (
        not clause.chinese
        and clause.first
        and clause is out[-1]
        and says(clause)
        and not any(t.kind in ("SITE", "REGION", "HILUM", "REST") for t in _without_comparison(clause.tokens))
    )


_COMPARING = frozenset({"ABOVE", "BELOW", "EQUAL"})


def _compares(clause: Clause) -> bool:
    """ "… more intense than liver": nothing but a comparison with other tissue."""
    kinds = {t.kind for t in clause.tokens}
    compared = bool(kinds & _COMPARING) and kinds <= _COMPARING | {
        "SITE",
        "REF",
        "DEG",
        "CUE",
        "OF",
        "IN",
        "UP",
        "DOWN",
    }
    return compared and not clause.chinese and not _without_comparison(clause.tokens)


def _without_comparison(tokens: list[Token]) -> list[Token]:
    """The tokens before a comparison with other tissue, and those behind what it names."""
    at = next((i for i, t in enumerate(tokens) if t.kind in _COMPARING), -1)
    if at < 0:
        return tokens
    end = at + 1
    while end < len(tokens) and tokens[end].kind in ("SITE", "REF", "CUE", "OF"):
        end += 1
    return [*(t for t in tokens[:at] if t.kind not in ("DEG", "UP", "DOWN")), *tokens[end:]]


def _goes_on(clause: Clause) -> bool:
    """It begins with names and says nothing of its own: "axillary and inguinal nodes, compatible with viraemia"."""
    kinds = [t.kind for t in clause.tokens if not (t.paren and t.kind in _VALUES)]
    if "IN" in kinds[:2]:
        kinds = [k for k in kinds if k != "FINDING"]  # "and in the thickened pituitary stalk"
    if "JOIN" in kinds[1:]:
        while kinds[-1] in ("SIZE", "IN", "OF", "MAXIMAL"):
            kinds.pop()  # "cervical, axillary and inguinal nodes of up to 12 mm"
    if clause.tokens[0].text == "nor" and kinds[1:2] == ["IN"]:
        kinds = kinds[1:]  # "no accumulation in the lungs, nor in the hilar nodes"
    lead = next((k for k in kinds if k not in ("JOIN", "SIDE", "IN")), "")
    return (
        lead in ("SITE", "REGION", "HILUM")
        and not any(says_so(t) for t in clause.tokens if not t.paren)
        and not {"SIZE", "SUV", "FINDING", "STRUCT", "LOCATED"} & set(kinds)
        and (kinds[-1] != "CAUSE" or clause.trailing)
    )


def _is_adverbial(waiting: list[Clause], clause: Clause) -> bool:
    """ "Following 36 Gy to the mediastinum, the vertebrae show …": the subject comes only now."""
    kinds = [t.kind for t in clause.tokens]
    verb = kinds.index("VERB") if "VERB" in kinds else 0
    return (
        len(waiting) == 1
        and waiting[0].first
        and not clause.chinese
        and waiting[0].tokens[0].text == "to"
        and "SITE" in kinds[:verb]
    )


def _locates(clause: Clause) -> bool:
    """ "A hypermetabolic rim, corresponding to a mass in the left lung": it says where, and nothing of its own."""
    kinds = [t.kind for t in clause.tokens]
    return (
        kinds[0] == "IN"
        and not says(clause)
        and "SITE" in kinds
        and not {"NEG", "VERB"} & set(kinds[: kinds.index("SITE")])
    )


def _append(head: Clause, tail: Clause) -> None:
    head.announces |= head.colon and head.first and all(t.kind not in ELEMENTS for t in head.tokens)
    comma = [] if tail.tokens[0].kind == "JOIN" else [comma_between(head.end, tail.start)]
    head.tokens = [*head.tokens, *comma, *tail.tokens]
    head.colon |= tail.colon
    head.chinese = is_chinese(head.tokens)
