"""Sections, sentences and clauses: where a thought ends, and which heading it stands under."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field, replace

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import ELEMENTS, TERMS
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tokens import Token

READ = frozenset({"findings", "structure"})
"""Sections that describe the present study."""


@dataclass(slots=True)
class Clause:
    """Tokens between two commas, or a heading with its colon."""

    tokens: list[Token]
    section: str
    first: bool
    """It begins a sentence."""
    paragraph: bool
    """It begins a line or paragraph."""
    heading: bool = False
    chinese: bool = True
    stop: int = -1
    """Where the comma or full stop that ends it stands, in the normalised text."""
    continued: bool = field(default=False)
    """The sentence goes on after it."""

    colon: bool = False
    """A colon stands behind it."""
    soft: bool = False
    """Only a semicolon stands before it."""
    trailing: bool = False
    """Words that the lexicon does not know stand between its last token and its end."""

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end


@dataclass(frozen=True, slots=True)
class Heading:
    """A section heading found in the normalised text."""

    name: str
    start: int
    end: int
    after: int
    """Where the text under it begins."""


_NUMBERING = re.compile(
    r"^[\s(]*(?:(?:\d{1,2}|[一二三四五六七八九十]{1,2}|[ivx]{1,4}|[a-e])[.、):)\s]+)?[-*#>\s]*"
)
_SCRIPTS = re.compile(r"[\u3400-\u9fff]+|[a-z0-9/&' -]*[a-z0-9]")


_DOTTED = re.compile(r"\s*([a-z][a-z/& ]{3,40})\.(?=\s)")


def _section_of(name: str) -> str | None:
    """The section that a heading opens; both halves of a bilingual heading must know it."""
    headings = load_lexicon().headings
    if name in headings:
        return headings[name]
    halves = [m.group().strip() for m in _SCRIPTS.finditer(name)]
    if len(halves) == 2 and all(h in headings for h in halves):
        return headings[halves[0]]
    return None


def find_headings(normalised: Normalised) -> list[Heading]:
    """Section headings: a known name before a colon, or alone on its line."""
    text = normalised.text
    starts = sorted({0, *normalised.breaks, *normalised.paragraphs})
    found: dict[int, Heading] = {}
    ends = [*starts[1:], len(text)]
    for start, end in zip(starts, ends, strict=True):
        line = text[start : min(end, start + 60)]
        name = _NUMBERING.sub("", line).strip(" :.-\n")
        section = _section_of(name)
        if section and len(text[start:end].strip()) <= 60:
            at = start + line.find(name)
            found[at] = Heading(section, at, at + len(name), end)
    for start in starts:
        match = _DOTTED.match(text, start)
        if match and (section := _section_of(match.group(1).strip())):
            found[match.start(1)] = Heading(section, match.start(1), match.end(1), match.end())
    position = text.find(":")
    while position >= 0:
        low = max(0, position - 40)
        for boundary in range(position - 1, low - 2, -1):
            if (
                boundary < low - 1
                or boundary < 0
                or text[boundary] in "。;!?\n."
                or boundary + 1 in normalised.breaks
                or boundary + 1 in normalised.paragraphs
            ):
                low = boundary + 1
                break
        raw = text[low:position]
        name = _NUMBERING.sub("", raw).strip(" -*#")
        at = low + raw.rfind(name) if name else position
        section = _section_of(name)
        if section and at not in found:
            found[at] = Heading(section, at, position, position + 1)
        position = text.find(":", position + 1)
    return _diagnoses(sorted(found.values(), key=lambda h: h.start), text)


def _diagnoses(headings: list[Heading], text: str) -> list[Heading]:
    """A diagnosis given before anything is described is the history, one given after it the impression."""
    described = bool(headings) and any(c in "。.;:" for c in text[: headings[0].start].strip())
    out: list[Heading] = []
    for heading in headings:
        if heading.name == "diagnosis":
            heading = replace(heading, name="impression" if described else "history")
        described = described or heading.name in READ
        out.append(heading)
    return out


def _names_field(token: Token, normalised: Normalised) -> bool:
    """A name and a colon: a field of a form begins."""
    if token.kind not in ("SITE", "REGION", "HILUM", "SIDE"):
        return False
    colon = normalised.text.find(":", token.start, token.start + 16)
    return colon >= 0 and not any(x in normalised.text[token.start : colon] for x in "。,;.")


_LINKING = frozenset("NEG DEG ABN JOIN SIDE COMMA AGAINST BELOW ABOVE IN OF VERB CAUSE PHYS UP FOCAL".split())
_ENDING = frozenset("STOP COLON".split())


def _hard_break(before: Token | None, after: Token, paragraph: bool, names_field: bool) -> bool:
    """Whether a line break between two tokens ends a sentence."""
    if before is None or paragraph or names_field:
        return True
    if before.kind in _ENDING:
        return True
    if before.kind in _LINKING and not (before.kind == "UP" and before.chinese):
        return False
    if after.kind in ("SITE", "SIDE", "REGION", "REST", "HILUM"):
        return not (before.kind in ELEMENTS and not before.chinese)
    return not (
        after.kind in TERMS
        or after.kind
        in ("JOIN", "COMMA", "VERB", "IN", "OF", "SUV", "SIZE", "LESION", "NODE", "PART", "PLACE")
    )


_LONGEST = 400
"""Tokens after which a clause, or a list of clauses, is cut, so that the work stays linear in the text."""


_PARTING = frozenset("STOP COLON COMMA BUT LIKEWISE".split())
"""Kinds before or behind which a clause may end."""


def split(tokens: list[Token], normalised: Normalised, headings: list[Heading]) -> list[Clause]:
    """The clauses of a text, in order, each with its section."""
    section, next_heading = "findings", 0
    marks = sorted(normalised.breaks | normalised.paragraphs)
    mark = 0
    out: list[Clause] = []
    current: list[Token] = []
    first = paragraph = True
    previous: Token | None = None
    pending: list[Clause] = []
    consumed = soft = False
    waiting = 0
    """Tokens in pending clauses."""
    quiet, end = 0, len(normalised.text) + 1
    """Before this place neither a heading nor a line begins."""

    def flush(ends_sentence: bool, colon: bool = False, at: int = -1, line: bool = False) -> None:
        nonlocal current, first, paragraph, soft, waiting
        if current:
            waiting += len(current)
            clause = Clause(
                current, section, first, paragraph, chinese=_is_chinese(current), stop=at, soft=soft
            )
            if at > current[-1].end:
                clause.trailing = any(c.isalpha() for c in normalised.text[current[-1].end : at])
            if colon:
                clause.heading = first and _names_only(current)
                clause.colon = not line
            pending.append(clause)
            current = []
            first = paragraph = soft = False
            if clause.heading:
                first = True
        if ends_sentence or waiting > _LONGEST:
            if pending:
                out.extend(_merged(pending) if len(pending) > 1 else pending)
                pending.clear()
            waiting = 0
            first = first or ends_sentence

    for token in tokens:
        if token.start >= quiet:
            if next_heading < len(headings) and token.start >= headings[next_heading].start:
                flush(True)
                paragraph = True
                while next_heading < len(headings) and token.start >= headings[next_heading].start:
                    section = headings[next_heading].name
                    consumed = False
                    skip = headings[next_heading].end
                    next_heading += 1
                previous = None
                if token.start < skip:
                    continue
            elif next_heading and token.start < headings[next_heading - 1].end:
                continue
            crossed = False
            strong = False
            while mark < len(marks) and marks[mark] <= token.start:
                crossed = True
                strong |= marks[mark] in normalised.paragraphs
                mark += 1
            if crossed and _hard_break(previous, token, strong, _names_field(token, normalised)):
                bare_line = bool(current) and first and not pending and _names_only(current)
                gap = normalised.text[current[-1].end : token.start].strip() if bare_line else ""
                if bare_line and (
                    not gap or (all(t.kind == "NODE" for t in current) and not gap.strip("-*#•· "))
                ):
                    flush(False, colon=True, line=True)
                flush(True)
                paragraph = True
            if (
                crossed
                and section in _SHORT
                and consumed
                and _leaves_section(token, tokens, normalised, strong)
            ):
                flush(True)
                section, paragraph = "findings", True
            quiet = min(
                headings[next_heading].start if next_heading < len(headings) else end,
                marks[mark] if mark < len(marks) else end,
            )
        consumed = True
        if (
            previous is not None
            and previous.paren
            and not token.paren
            and token.kind in ("SITE", "SIDE", "REGION", "HILUM")
            and token.chinese
            and current
            and current[0].kind in ("SITE", "SIDE", "REGION", "HILUM", "NEG", "PHYS", "ABN")
            and any(t.paren and t.kind in ("CUE", "HOT", "PHYS", "EVEN") for t in current)
        ):
            flush(True, at=previous.end)  # 胃(生理性摄取) 双肺(未见异常): fields with their answers
        previous = token
        if token.kind not in _PARTING:
            if len(current) >= _LONGEST:
                flush(False)
            current.append(token)
        elif token.kind == "STOP":
            flush(True, at=token.start)
            soft = token.text == ";"
            if section == "field" or (
                section == "comparison" and token.start - headings[next_heading - 1].after < 30
            ):
                section = "findings"  # "Comparison: none."
        elif token.kind == "COLON":
            if (
                not current
                and first
                and not pending
                and paragraph
                and _unknown_heading(token, normalised, marks)
            ):
                out.append(Clause([token], section, True, True, heading=True))
            if (
                current
                and current[-1].kind in ("CUE", "STRUCT")
                and (token.paren or not first or len(current) > 1)
            ):
                continue
            flush(False, colon=True, at=token.start)
        elif token.kind == "COMMA" and not token.paren:
            if current and token.text == "," and _thousands(token, normalised.text):
                continue
            flush(False, at=token.start)
        elif current and (
            (token.kind == "BUT" and token.text in _CLAUSE_WORDS)
            or (token.kind == "LIKEWISE" and not token.chinese)
        ):
            flush(False)
            current.append(token)
        else:
            if len(current) >= _LONGEST:
                flush(False)
            current.append(token)
    flush(True)
    return out


_SHORT = frozenset({"technique", "history", "comparison", "field"})
"""Sections of one paragraph: an empty line, or a heading that names a place, leads back to the findings."""


def _leaves_section(token: Token, tokens: list[Token], normalised: Normalised, empty_line: bool) -> bool:
    if token.kind not in ("SITE", "REGION", "SIDE", "HILUM", "NODE") and not empty_line:
        return False
    if empty_line:
        return True
    colon = normalised.text.find(":", token.start, token.start + 40)
    return colon >= 0 and not any(c in normalised.text[token.start : colon] for c in "。.;,")


def _unknown_heading(colon: Token, normalised: Normalised, marks: list[int]) -> bool:
    """Words of no known place before a colon at the begin of a line: "PEG tract:"."""
    at = bisect.bisect_right(marks, colon.start)
    begin = marks[at - 1] if at else 0
    if colon.start - begin > 200:
        return False
    name = normalised.text[begin : colon.start].strip(" \n-*#.0123456789)(")
    return (
        2 < len(name) <= 40
        and name not in load_lexicon().headings
        and name.isascii()
        and any(c.isalpha() for c in name)
    )


_CLAUSE_WORDS = frozenset("but while whereas although though however 但 但是 然而 而 which yet".split())


def _thousands(token: Token, text: str) -> bool:
    return text[token.start - 1 : token.start].isdigit() and text[token.end : token.end + 3].isdigit()


def _is_chinese(tokens: list[Token]) -> bool:
    return sum([t.chinese for t in tokens]) * 2 >= len(tokens)


def _names_only(tokens: list[Token]) -> bool:
    """A clause that only names places: a heading before its colon, or a member of a list."""
    return (
        any(t.kind in ("SITE", "REGION", "HILUM", "NODE") for t in tokens)
        and all(t.kind in ELEMENTS or t.kind in ("JOIN", "OF", "REST", "CUE", "COMMA") for t in tokens)
        and not any(t.kind == "CUE" and not t.concept.tracer for t in tokens)
    )


_VALUES = frozenset({"SUV", "SIZE", "COMMA"})
"""What can stand in parentheses behind a member of a list."""
_LISTABLE = ELEMENTS | {"JOIN", "OF", "COMMA", "IN", "REST"}


_SEEN = frozenset(
    "is are was were seen noted identified present found observed visualized visualised detected evident "
    "demonstrated".split()
)


def _bare(clause: Clause) -> bool:
    """It only names places ("hilar or axillary nodes are identified")."""
    tokens = clause.tokens
    if clause.trailing or tokens[0].kind == "VERB":
        return False
    for t in tokens:
        if t.paren and t.kind in _VALUES:
            continue
        if t.kind not in _LISTABLE and t.text not in _SEEN and t.text not in ("neither", "nor"):
            return False
    if any(t.concept.fluid or t.concept.finding for t in tokens):
        return False
    if clause.chinese and any(t.kind in ("LESION", "NODE") for t in tokens):
        return False
    return any(t.kind in ("SITE", "REGION", "HILUM", "NODE") for t in tokens)


_SAYS = frozenset("CUE HOT HYPO VOID EVEN COLD UP DOWN PHYS ABN NEG".split())


def _says(clause: Clause) -> bool:
    return any(
        t.kind in ("CUE", "HOT", "HYPO", "VOID", "EVEN", "COLD", "UP", "DOWN", "PHYS", "URINE")
        for t in clause.tokens
    )


def _open_list(clause: Clause) -> bool:
    """The clause says something first and names places last, so that a following name goes on with its list."""
    last = next((t for t in reversed(clause.tokens) if not (t.paren and t.kind in _VALUES)), clause.tokens[0])
    if last.kind not in ELEMENTS:
        return False
    says = [
        i
        for i, t in enumerate(clause.tokens)
        if t.kind
        in ("CUE", "HOT", "HYPO", "VOID", "EVEN", "COLD", "UP", "DOWN", "PHYS", "ABN", "NEG", "URINE")
    ]
    names = [i for i, t in enumerate(clause.tokens) if t.kind in ("SITE", "REGION", "HILUM", "NODE")]
    return bool(says and names) and says[-1] < names[-1]


def _merged(clauses: list[Clause]) -> list[Clause]:
    """Joins clauses that only name places to the clause they belong to: the commas of a list are no ends."""
    out: list[Clause] = []
    waiting: list[Clause] = []
    if False in [clause.chinese for clause in clauses]:
        clauses = _denied_lists(clauses)
    for clause in clauses:
        if clause.heading:
            out.extend(waiting)
            waiting = []
            out.append(clause)
            continue
        if (
            not waiting
            and out
            and not out[-1].heading
            and not clause.chinese
            and _goes_on(clause)
            and _open_list(out[-1])
        ):
            _append(out[-1], clause)
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
        elif out and not clause.chinese and _completes(clause, out[-1], waiting):
            for extra in [*waiting, clause]:
                _append(out[-1], extra)
            waiting = []
        elif out and not waiting and any(rule(out[-1], clause) for rule in _ADJECTIVES):
            _append(out[-1], clause)
        elif not waiting and (anchor := _continued(clause, out)) is not None:
            _append(anchor, clause)
        elif (
            not clause.chinese
            and (clause.first or waiting)
            and (_adjectives(clause) or (not waiting and _participle(clause)))
        ):
            waiting.append(clause)
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


def _adjectives(clause: Clause) -> bool:
    """Only adjectives: "hypermetabolic, partially calcified, right hilar nodes" is one phrase."""
    return (
        not clause.trailing
        and clause.tokens[0].kind in ("HOT", "VOID", "HYPO", "DEG")
        and all(
            t.kind in ("HOT", "FINDING", "DEG", "HYPO", "VOID", "UNEVEN", "DIFFUSE") for t in clause.tokens
        )
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


def _adjective_after(head: Clause, clause: Clause) -> bool:
    """ "There is faint, diffuse uptake": two adjectives of one word for uptake."""
    if clause.chinese or clause.heading or head.heading or head.trailing:
        return False
    end = len(head.tokens)
    while end and head.tokens[end - 1].kind in ("DEG", "UP", "FOCAL", "DIFFUSE", "UNEVEN"):
        end -= 1
    if end == len(head.tokens) or (end and head.tokens[end - 1].concept.copula):
        return False
    following = next((t.kind for t in clause.tokens if t.kind not in _ATTRIBUTES), "")
    return clause.tokens[0].kind in _ATTRIBUTES and following in ("CUE", "HOT")


_ADJECTIVES = (_cold_after, _adjective_after, _describes)
"""Adjectives that a comma parts from the words before them."""


_FINITE = frozenset("is are was were remains remain appears appear".split())


_VERDICTS = frozenset("UP DOWN COLD EVEN HOT HYPO VOID ABN PHYS NEG".split())


def _completes(clause: Clause, head: Clause, waiting: list[Clause]) -> bool:
    """ "Uptake in the visual cortex, basal ganglia and thalami is preserved": the list ends in the verdict."""
    if head.heading or clause.heading:
        return False
    said = {t.kind for t in head.tokens}
    kinds = [t.kind for t in clause.tokens]
    verb = next((i for i, t in enumerate(clause.tokens) if t.kind == "VERB"), -1)
    return (
        "CUE" in said
        and "IN" in said
        and not said & _VERDICTS
        and head.tokens[-1].kind in ELEMENTS
        and verb > 0
        and all(k in ELEMENTS or k == "JOIN" for k in kinds[:verb])
        and "CUE" not in kinds
        and bool(set(kinds[verb:]) & {"EVEN", "UP", "DOWN", "COLD", "PHYS"})
    )


def _continued(clause: Clause, out: list[Clause]) -> Clause | None:
    """The clause whose verb comes only now: "Uptake, exceeding that of the liver, is noted in the aortic arch"."""
    if clause.chinese or clause.first or clause.heading or clause.tokens[0].text not in _FINITE:
        return None
    for earlier in reversed(out[-3:]):
        if earlier.heading:
            return None
        kinds = {t.kind for t in earlier.tokens}
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
        and _says(clause)
        and not any(t.kind in ("SITE", "REGION", "HILUM", "REST") for t in clause.tokens)
    )


def _goes_on(clause: Clause) -> bool:
    """It begins with names and says nothing of its own: "axillary and inguinal nodes, compatible with viraemia"."""
    kinds = [t.kind for t in clause.tokens if not (t.paren and t.kind in _VALUES)]
    if "IN" in kinds[:2]:
        kinds = [k for k in kinds if k != "FINDING"]  # "and in the thickened pituitary stalk"
    lead = next((k for k in kinds if k not in ("JOIN", "SIDE", "IN")), "")
    return (
        lead in ("SITE", "REGION", "HILUM")
        and not _says(clause)
        and not {"SIZE", "SUV", "FINDING", "STRUCT", "LOCATED"} & set(kinds)
    )


def _append(head: Clause, tail: Clause) -> None:
    from pet2rep_eval.parsing.tokens import comma_between

    comma = [] if tail.tokens[0].kind == "JOIN" else [comma_between(head.end, tail.start)]
    head.tokens = [*head.tokens, *comma, *tail.tokens]
    head.chinese = _is_chinese(head.tokens)
