"""Sentences and clauses: where a thought ends, and which heading it stands under."""

from __future__ import annotations

import bisect
import re

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.grammar import ELEMENTS, TERMS
from pet2rep_eval.parsing.headings import READ, Heading
from pet2rep_eval.parsing.joining import merged
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tokens import Token, comma_between
from pet2rep_eval.parsing.units import Clause, is_chinese, names_only, says_so

_ROMAN = re.compile(r"[ivx]{1,4}[ab]?")
_FIELD_MARK = re.compile(r":|--| - |[。,;.]")


def _names_field(token: Token, normalised: Normalised) -> bool:
    """A name and a colon: a field of a form begins."""
    if token.kind not in ("SITE", "REGION", "HILUM", "SIDE", "PART", "NODE"):
        return False
    mark = _FIELD_MARK.search(normalised.text, token.start, token.start + 18)
    return mark is not None and mark.group() not in ("。", ",", ";", ".")


_LINKING = frozenset("NEG DEG ABN JOIN SIDE COMMA AGAINST BELOW ABOVE IN OF VERB CAUSE PHYS UP FOCAL".split())
_SHORT_LINE = 30


def _heads(current: list[Token], token: Token, gap: str, line_start: int) -> bool:
    """A short line of names alone, before a line that begins with a name: "Esophagus" above "Mid thoracic mass"."""
    return (
        bool(current)
        and not current[0].chinese
        and current[0].start <= line_start + 4
        and current[-1].end - line_start <= _SHORT_LINE
        and current[-1].kind in ("SITE", "REGION", "NODE")
        and token.kind in ("SITE", "SIDE", "REGION")
        and names_only(current)
        and not gap.strip(" :\n")
    )


_LISTED = re.compile(
    r"\b(?:sites|areas|regions|locations|foci|lesions|nodes|lymphadenopathy|adenopathy)[\s.:-]*$"
)
_SAID_OF_LIST = frozenset("HOT VERDICT HYPO VOID NODE LESION FOCAL ABN CUE NEG UP".split())


def _heads_list(tokens: list[Token], line: str) -> bool:
    """A line that says what is common to the places below it: "FDG POSITIVE SITES", "Hypermetabolic lymph nodes"."""
    return (
        tokens[0].kind in ("HOT", "VERDICT", "HYPO", "VOID")
        and not tokens[0].chinese
        and all(t.kind in _SAID_OF_LIST for t in tokens)
        and _LISTED.search(line) is not None
    )


_TITLE = ELEMENTS | {"CUE", "COMMA", "OF", "IN", "JOIN"}


def _titles(tokens: list[Token]) -> bool:
    """A line that says whose uptake the fields below it are about: "CEREBELLAR UPTAKE" above "R: decreased"."""
    kinds = {t.kind for t in tokens}
    return (
        not tokens[0].chinese
        and kinds <= _TITLE
        and "CUE" in kinds
        and not kinds.isdisjoint(("SITE", "REGION"))
        and "LESION" not in kinds
    )


def _lists_parts(current: list[Token], tokens: list[Token], at: int) -> bool:
    """ "Myocardial uptake: basal anterior - normal; apex - absent": the field names an organ, its parts follow."""
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return (
        not any(t.chinese for t in current)
        and names_only(current[:-1])
        and following is not None
        and following.kind == "SITE"
        and any(set(t.concept.organs) & set(following.concept.organs) for t in current)
    )


_ENDING = frozenset("STOP COLON".split())


def _asks_how_much(asked: list[Token], answer: list[Token]) -> bool:
    """ "Uptake in the liver: increased": the state stands behind."""
    return (
        [t.kind for t in asked[:2]] in (["CUE", "IN"], ["CUE", "OF"])
        and names_only(asked[2:])
        and any(says_so(t) or t.kind in ("SYM", "DIFFUSE") for t in answer if t.kind != "DEG")
        and answer[0].kind not in ("NEG", "PRESENT")
    )


def _hard_break(before: Token | None, after: Token, paragraph: bool, names_field: bool) -> bool:
    """Whether a line break between two tokens ends a sentence."""
    if before is None or paragraph or names_field:
        return True
    if before.kind in _ENDING:
        return True
    begins = after.kind in ("SITE", "SIDE", "REGION", "REST", "HILUM")
    closed = before.chinese and (before.kind == "UP" or (before.kind == "ABN" and begins))  # 肝脏未见异常
    if before.kind in _LINKING and not closed:
        return False
    if begins:
        return not (before.kind in ELEMENTS and not before.chinese)
    return not (
        after.kind in TERMS
        or after.kind
        in ("JOIN", "COMMA", "VERB", "IN", "OF", "SUV", "SIZE", "LESION", "NODE", "PART", "PLACE")
    )


_LONGEST = 400
"""Tokens after which a clause, or a list of clauses, is cut, so that the work stays linear in the text."""


_PARTING = frozenset("STOP COLON DASH COMMA BUT LIKEWISE".split())
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
    described = max((i + 1 for i, h in enumerate(headings) if h.name in READ), default=0)
    """Headings up to the last one of findings: behind them a new line about a place is a finding, 临床诊断 or not."""
    quiet, end, line_start = 0, len(normalised.text) + 1, 0
    """Before this place neither a heading nor a line begins."""

    def flush(
        ends_sentence: bool, colon: bool = False, at: int = -1, line: bool = False, titled: bool = False
    ) -> None:
        nonlocal current, first, paragraph, soft, waiting
        if current:
            waiting += len(current)
            clause = Clause(
                current, section, first, paragraph, chinese=is_chinese(current), stop=at, soft=soft
            )
            if at > current[-1].end:
                clause.trailing = any(c.isalpha() for c in normalised.text[current[-1].end : at])
            if colon:
                clause.heading = first and (titled or names_only(current))
                clause.colon = not line
            pending.append(clause)
            current = []
            first = paragraph = soft = False
            if clause.heading:
                first = True
        if ends_sentence or waiting > _LONGEST:
            if pending:
                out.extend(merged(pending) if len(pending) > 1 else pending)
                pending.clear()
            waiting = 0
            first = first or ends_sentence

    for index, token in enumerate(tokens):
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
            if crossed and (
                _hard_break(previous, token, strong, _names_field(token, normalised))
                or (
                    bool(current)
                    and first
                    and paragraph
                    and not pending
                    and token.kind in ("SITE", "SIDE", "REGION")
                    and _heads_list(current, normalised.text[current[0].start : marks[mark - 1]])
                )
                or (
                    first
                    and not pending
                    and _heads(
                        current,
                        token,
                        normalised.text[current[-1].end : marks[mark - 1]] if current else "",
                        line_start,
                    )
                )
            ):
                titled = (
                    bool(current)
                    and first
                    and not pending
                    and _titles(current)
                    and _names_field(token, normalised)
                )
                bare_line = bool(current) and first and not pending and (titled or names_only(current))
                begins = marks[mark - 1]
                gap = normalised.text[current[-1].end : begins].strip() if bare_line else ""
                if bare_line and (
                    not gap or (all(t.kind == "NODE" for t in current) and not gap.strip("-*#•· "))
                ):
                    flush(False, colon=True, line=True, titled=titled)
                alone = bool(current) and first and paragraph and not pending
                heads = alone and _heads_list(current, normalised.text[current[0].start : begins])
                flush(True)
                if heads:
                    out[-1].heads_list = True
                paragraph = True
            if crossed:
                line_start = token.start
            if (
                crossed
                and section in _SHORT
                and consumed
                and (
                    _leaves_section(token, tokens, normalised, strong)
                    or (
                        next_heading >= described
                        and (
                            token.kind in _PLACES
                            if token.chinese
                            else previous is not None and previous.kind == "STOP"
                        )
                    )
                )
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
        if (
            token.kind == "JOIN"
            and current
            and current[-1].kind in _ANSWERS
            and _apart(tokens, index, normalised.text)
        ):
            flush(True, at=token.start)  # "parietal reduced / occipital normal"
            soft = True
        elif (
            token.kind == "JOIN" and first and paragraph and not pending and _is_field(current, tokens, index)
        ):
            flush(False, colon=True, at=token.start)  # "Frontal R / mildly decreased"
        elif token.kind not in _PARTING:
            if len(current) >= _LONGEST:
                flush(False)
            current.append(token)
        elif token.kind == "STOP":
            flush(True, at=token.start)
            if token.text[0] == "?" and out:
                out[-1].asks = True
            soft = token.text in (";", "->")
            if section == "field" or (
                section == "comparison" and token.start - headings[next_heading - 1].after < 30
            ):
                section = "findings"  # "Comparison: none."
        elif token.kind == "DASH":
            fields = paragraph or (bool(out) and out[-1].section == section and _after_field(out))
            behind = _names_behind(current) if current and not pending and _after_field(out[-3:]) else 0
            if behind and "|" in normalised.text[current[behind - 1].end : current[behind].start]:
                names = current[behind:]
                del current[behind:]
                flush(True, at=names[0].start)
                current, paragraph, first = (
                    names,
                    True,
                    True,
                )  # "Oesophagus - no uptake | Stomach - physiological"
                flush(False, colon=True, at=token.start)
            elif current and first and fields and not pending and names_only(current):
                flush(False, colon=True, at=token.start)  # "LUNGS/PLEURA - 3.7 cm mass"
        elif token.kind == "COLON":
            if (
                current
                and first
                and paragraph
                and not pending
                and _heads_sides(current, tokens[index + 1 : index + 2])
            ):
                del current[-1]  # 双肾放射性分布：左肾下极…
                flush(False, colon=True, at=token.start)
                continue
            if (
                not current
                and first
                and not pending
                and paragraph
                and _unknown_heading(token, normalised, marks)
            ):
                inline = bool(next_heading) and line_start < headings[next_heading - 1].start
                out.append(Clause([token], section, True, True, heading=True, inline=inline))
            behind = (
                _names_behind(current)
                if current and (pending or out) and _after_field([*out[-3:], *pending[-3:]])
                else 0
            )
            if behind:
                names = current[behind:]
                del current[behind:]
                flush(True, at=names[0].start)
                current, paragraph = names, True  # "ADRENALS: no uptake KIDNEYS: physiological"
            joined = bool(current and pending) and _line_of_names(pending, current)
            if joined:
                for clause in pending[1:]:
                    pending[0].tokens += [comma_between(pending[0].end, clause.start), *clause.tokens]
                current = [*pending[0].tokens, comma_between(pending[0].end, current[0].start), *current]
                pending.clear()
                first = paragraph = True  # "Liver, adrenals, bone: no uptake"
            if (
                not current
                and len(pending) == 1
                and pending[0].first
                and pending[0].paragraph
                and names_only(pending[0].tokens)
            ):
                pending[0].heading = pending[0].colon = first = True  # "Nodal stations, interim:"
                continue
            if (
                current
                and len(pending) == 1
                and pending[0].first
                and current[-1].concept.tracer
                and names_only([*pending[0].tokens, *current])
            ):
                current = [*pending.pop().tokens, *current]  # "Heart, FDG viability:"
                first = paragraph = True
            elif (
                not joined
                and not (token.end in normalised.breaks or token.end in normalised.paragraphs)
                and current
                and current[-1].kind in ("CUE", "STRUCT")
                and not (first and paragraph and _lists_parts(current, tokens, index))
                and (token.paren or not first or len(current) > 1 or _asks(current[-1]) or not paragraph)
            ):
                continue
            sized = bool(current) and not pending and paragraph and _names_and_sizes(current)
            asked = bool(current) and not pending and _asks_how_much(current, tokens[index + 1 : index + 3])
            flush(False, colon=True, at=token.start, titled=joined or sized or asked)
        elif token.kind == "COMMA" and not token.paren:
            if current and token.text == "," and _thousands(token, normalised.text):
                continue
            if len(current) == 1 and first and current[0].kind == "REST" and not current[0].chinese:
                continue  # "Otherwise, no abnormal uptake"
            flush(False, at=token.start)
        elif current and (
            (
                token.kind == "BUT"
                and not (
                    token.text == "but"
                    and current[-1].kind in ("UP", "DEG")
                    and not any(t.kind == "CUE" for t in current)
                    and index + 1 < len(tokens)
                    and tokens[index + 1].kind == "PHYS"
                )  # "prominent but physiological uptake"
                and not (
                    token.text == "which" and current[-1].kind in ("IN", "OF")
                )  # "the activity in which"
                and (token.text in _CLAUSE_WORDS or (token.chinese and token.concept.exception))
            )
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


_PLACES = frozenset({"SITE", "REGION", "SIDE"})
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
    name = normalised.text[begin : colon.start].strip(" \n-*#.,0123456789)(\"'")
    known = load_lexicon().phrases.get(name)
    return (
        2 < len(name) <= 40
        and (known is None or known.kind != "IGNORE")
        and name not in load_lexicon().headings
        and name.isascii()
        and any(c.isalpha() for c in name)
        and not _ROMAN.fullmatch(name)
    )


_CLAUSE_WORDS = frozenset(
    "but while whereas although though however 但 但是 然而 而 which where yet 后者".split()
)


_ANSWERS = frozenset("SUV SIZE EVEN UP DOWN COLD CUE HOT HYPO VOID VERDICT PHYS".split())


def _apart(tokens: list[Token], index: int, text: str) -> bool:
    """A stroke between spaces, and behind it a name."""
    token, after = tokens[index], tokens[index + 1 : index + 2]
    return (
        token.text == "/"
        and text[token.start - 1] == " " == text[token.end : token.end + 1]
        and any(t.kind in ("SITE", "SIDE", "REGION") for t in after)
    )


def _is_field(current: list[Token], tokens: list[Token], index: int) -> bool:
    """A stroke behind the names that begin a line, and behind it their verdict."""
    after = tokens[index + 1].kind if index + 1 < len(tokens) else ""
    return (
        tokens[index].text == "/"
        and bool(current)
        and not current[0].chinese
        and names_only(current)
        and after in ("DEG", "EVEN", "UP", "DOWN", "COLD", "NEG", "SYM", "PHYS", "HYPO", "VOID")
    )


def _names_behind(current: list[Token]) -> int:
    """Index of the names that stand between a verdict and the colon: the next field of the line; or 0."""
    at = len(current)
    while at and current[at - 1].kind in ("SITE", "NODE") and not current[at - 1].chinese:
        at -= 1
    if not 0 < at < len(current):
        return 0
    last = current[at - 1].kind
    denied = last in ("LESION", "NODE") and any(t.kind == "NEG" for t in current[:at])
    return at if denied or last in ("CUE", "HOT", "VERDICT", "EVEN", "PHYS", "SUV") else 0


def _line_of_names(pending: list[Clause], current: list[Token]) -> bool:
    """Everything since the line began only names places, and the mark of a field comes next."""
    return (
        pending[0].first
        and pending[0].paragraph
        and len(pending) < _MANY_FIELDS
        and not current[0].chinese
        and all(
            names_only(t) or all(x.kind in ("SIZE", "PART") or x.concept.tracer for x in t)
            for t in (*(c.tokens for c in pending), current)
        )
        and not any(c.heading for c in pending)
    )


def _heads_sides(current: list[Token], following: list[Token]) -> bool:
    """The organ and a word for its uptake, before a colon and one of its sides."""
    return (
        current[-1].kind == "CUE"
        and current[-1].chinese
        and len(current) > 1
        and names_only(current[:-1])
        and any(t.kind in ("SIDE", "SITE") for t in following)
    )


def _names_and_sizes(tokens: list[Token]) -> bool:
    """ "Mesenteric node 3.1 cm:" in a form."""
    names = [t for t in tokens if t.kind != "SIZE"]
    return not tokens[0].chinese and 0 < len(names) < len(tokens) and names_only(names)


_MANY_FIELDS = 8


def _after_field(out: list[Clause]) -> bool:
    """The sentence before is a field of a form: "Frontal - preserved. Parietal - reduced."."""
    return any(c.heading for c in out[-3:])


def _asks(token: Token) -> bool:
    """ "Uptake:" of a form, not "FDG:" or 葡萄糖代谢显像: above a section."""
    return token.kind == "CUE" and not token.concept.tracer and not token.chinese


def _thousands(token: Token, text: str) -> bool:
    return text[token.start - 1 : token.start].isdigit() and text[token.end : token.end + 3].isdigit()
