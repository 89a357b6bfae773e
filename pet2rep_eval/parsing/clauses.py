"""Sentences and clauses: where a thought ends, and which heading it stands under."""

from __future__ import annotations

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.headings import READ, Heading
from pet2rep_eval.parsing.joining import merged
from pet2rep_eval.parsing.layout import (
    ANSWERS,
    after_field,
    asks_how,
    asks_how_much,
    hard_break,
    heads_below,
    heads_list,
    heads_sides,
    is_stroke_field,
    leaves_section,
    line_of_names,
    lists_parts,
    names_and_sizes,
    names_behind,
    names_field,
    parted_by_stroke,
    titles,
    unknown_heading,
)
from pet2rep_eval.parsing.normalise import Normalised
from pet2rep_eval.parsing.tokens import Token, comma_between
from pet2rep_eval.parsing.units import Clause, is_chinese, names_only

_LONGEST = 400
"""Tokens after which a clause, or a list of clauses, is cut, so that the work stays linear in the text."""


_PARTING = frozenset("STOP COLON DASH COMMA BUT LIKEWISE".split())
"""Kinds before or behind which a clause may end."""


def _breaks_off(clause: Clause, end: int) -> bool:
    """骨骼放射性: the last words of a text that was cut off before it said how the uptake is.

    Where a full stop follows, 膀胱放射性 is a sentence: of an organ that normally shows tracer.
    """
    last = clause.tokens[-1]
    sites = load_lexicon().sites
    whole = last.end < end and any(sites[o].normally for t in clause.tokens for o in t.concept.organs)
    return (
        last.chinese
        and last.kind == "CUE"
        and len(clause.tokens) > 1
        and clause.tokens[-2].kind in ("SITE", "REGION", "PART", "LESION", "NODE")
        and not whole
        and not any(t.kind == "NEG" for t in clause.tokens)
    )


def _qualifies(pending: list[Clause], current: list[Token]) -> bool:
    """An adjective behind the name of a field and a comma."""
    return (
        len(pending) == 1
        and pending[0].first
        and names_only(pending[0].tokens)
        and all(t.kind in ("DIFFUSE", "FOCAL") for t in current)
    )


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
            if colon and not first and _qualifies(pending, current):
                # "Bone marrow, diffuse: mildly increased"
                pending[-1].heading, pending[-1].colon, current = True, not line, []
                first = True
                return
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
                hard_break(previous, token, strong, names_field(token, normalised))
                or (
                    bool(current)
                    and first
                    and paragraph
                    and not pending
                    and token.kind in ("SITE", "SIDE", "REGION")
                    and heads_list(current, normalised.text[current[0].start : marks[mark - 1]])
                )
                or (
                    first
                    and not pending
                    and heads_below(
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
                    and titles(current)
                    and names_field(token, normalised)
                )
                bare_line = bool(current) and first and not pending and (titled or names_only(current))
                begins = marks[mark - 1]
                gap = normalised.text[current[-1].end : begins].strip() if bare_line else ""
                if bare_line and (
                    not gap or (all(t.kind == "NODE" for t in current) and not gap.strip("-*#•· "))
                ):
                    flush(False, colon=True, line=True, titled=titled)
                alone = bool(current) and first and paragraph and not pending
                heads = alone and heads_list(current, normalised.text[current[0].start : begins])
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
                    leaves_section(token, tokens, normalised, strong)
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
            and current[-1].kind in ANSWERS
            and parted_by_stroke(tokens, index, normalised.text)
        ):
            flush(True, at=token.start)  # "parietal reduced / occipital normal"
            soft = True
        elif (
            token.kind == "JOIN"
            and first
            and paragraph
            and not pending
            and is_stroke_field(current, tokens, index)
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
            fields = paragraph or (bool(out) and out[-1].section == section and after_field(out))
            behind = names_behind(current) if current and not pending and after_field(out[-3:]) else 0
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
                and heads_sides(current, tokens[index + 1 : index + 2])
            ):
                del current[-1]  # 双肾放射性分布：左肾下极…
                flush(False, colon=True, at=token.start)
                continue
            if (
                not current
                and first
                and not pending
                and paragraph
                and unknown_heading(token, normalised, marks)
            ):
                inline = bool(next_heading) and line_start < headings[next_heading - 1].start
                out.append(Clause([token], section, True, True, heading=True, inline=inline))
            behind = (
                names_behind(current)
                if current and (pending or out) and after_field([*out[-3:], *pending[-3:]])
                else 0
            )
            if behind:
                names = current[behind:]
                del current[behind:]
                flush(True, at=names[0].start)
                current, paragraph = names, True  # "ADRENALS: no uptake KIDNEYS: physiological"
            joined = bool(current and pending) and line_of_names(pending, current)
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
                and not (first and paragraph and lists_parts(current, tokens, index))
                and (token.paren or not first or len(current) > 1 or asks_how(current[-1]) or not paragraph)
            ):
                continue
            sized = bool(current) and not pending and paragraph and names_and_sizes(current)
            asked = bool(current) and not pending and asks_how_much(current, tokens[index + 1 : index + 3])
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
    if len(out) > 1 and _breaks_off(out[-1], len(normalised.text)):
        out[-1].tokens.pop()
    return out


_PLACES = frozenset({"SITE", "REGION", "SIDE"})
_SHORT = frozenset({"technique", "history", "comparison", "field"})
"""Sections of one paragraph: an empty line, or a heading that names a place, leads back to the findings."""


_CLAUSE_WORDS = frozenset(
    "but while whereas although though however 但 但是 然而 而 which where yet 后者".split()
)


def _thousands(token: Token, text: str) -> bool:
    return text[token.start - 1 : token.start].isdigit() and text[token.end : token.end + 3].isdigit()
