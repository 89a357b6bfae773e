"""From the text of a report to its statements."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.clauses import READ, Clause, Heading, find_headings, split
from pet2rep_eval.parsing.drafts import Draft
from pet2rep_eval.parsing.normalise import Normalised, language_of, normalise
from pet2rep_eval.parsing.rules import RULES
from pet2rep_eval.parsing.tokens import Token, tokenise
from pet2rep_eval.records import Diagnostic, ParsedReport, Section, Span, Statement

__all__ = ["parse_report"]


def parse_report(text: str, language: str = "auto", *, sections: Sequence[str] | None = None) -> ParsedReport:
    """Reads a report into organ-wise statements.

    *text* is any string; nothing in it raises. *language* is ``auto``, ``zh`` or ``en`` and only labels the result:
    both languages are read by the same rules. *sections* names the sections whose statements are wanted (default:
    findings; the impression where the text has nothing else). Time is linear in the length of the text.
    """
    normalised = normalise(text)
    tokens = tokenise(normalised)
    headings = find_headings(normalised)
    clauses = list(split(tokens, normalised, headings))
    wanted = frozenset(sections) if sections is not None else READ
    reader = _walk(clauses, wanted)
    if (
        sections is None
        and not any(d.state for d in reader.drafts)
        and any(c.section == "impression" for c in clauses)
    ):
        instead = _walk(clauses, frozenset({"impression"}))
        if any(d.state for d in instead.drafts) and not any(
            c.section in READ and len(c.tokens) > 2 for c in clauses
        ):
            reader = instead
    statements = tuple(_statement(d, normalised) for d in reader.drafts)
    return ParsedReport(
        text=text,
        language=language if language in ("zh", "en") else language_of(text),
        statements=statements,
        sections=_sections(headings, normalised),
        diagnostics=_diagnostics(reader, statements, normalised),
        tracer=_tracer(tokens, normalised),
        steps=len(tokens) + reader.steps,
    )


def _walk(clauses: list[Clause], wanted: frozenset[str]) -> Reader:
    reader = Reader(RULES)
    for clause in clauses:
        if clause.section in wanted:
            reader.walk(clause)
    reader.finish()
    return reader


def _statement(draft: Draft, normalised: Normalised) -> Statement:
    def span(at: tuple[int, int] | None) -> Span | None:
        return None if at is None else normalised.span(*at)

    ct = draft.ct
    return Statement(
        organ=None if draft.region else draft.key,
        region=draft.key if draft.region else None,
        laterality=draft.side,
        state=draft.state,
        degree=draft.degree,
        ct=span(ct),
        uptake=span(draft.uptake),
        suv=tuple(draft.suv),
        size_mm=tuple(draft.size_mm),
        section="findings" if draft.section == "structure" else draft.section,
        mention=span(draft.mention),
        rule=draft.rule,
    )


def _sections(headings: list[Heading], normalised: Normalised) -> tuple[Section, ...]:
    end = len(normalised.text)
    found: list[Section] = []
    if not headings or headings[0].start > 0:
        stop = headings[0].start if headings else end
        if normalised.text[:stop].strip():
            found.append(Section("findings", normalised.span(0, stop)))
    for i, heading in enumerate(headings):
        stop = headings[i + 1].start if i + 1 < len(headings) else end
        found.append(
            Section(
                heading.name,
                normalised.span(min(heading.after, stop), stop),
                normalised.span(heading.start, heading.end),
            )
        )
    return tuple(found)


_TRACER_WORD = re.compile(r"[a-z0-9\u3400-\u9fff]")


def _tracer(tokens: list[Token], normalised: Normalised) -> str | None:
    """The tracer named first; one other than FDG wins over FDG."""
    text = normalised.text
    found: dict[str, int] = {}
    for phrase, tracer in load_lexicon().tracers.items():
        at = text.find(phrase)
        while at >= 0:
            before, after = text[at - 1 : at], text[at + len(phrase) : at + len(phrase) + 1]
            ascii_edge = phrase[0].isascii() and (before.isascii() and before.isalnum())
            ascii_end = phrase[-1].isascii() and (after.isascii() and after.isalnum())
            if not ascii_edge and not ascii_end:
                found[tracer] = min(at, found.get(tracer, at))
                break
            at = text.find(phrase, at + 1)
    others = {k: v for k, v in found.items() if k != "FDG"}
    chosen = others or found
    return min(chosen, key=lambda k: chosen[k]) if chosen else None


def _diagnostics(
    reader: Reader, statements: Sequence[Statement], normalised: Normalised
) -> tuple[Diagnostic, ...]:
    out: list[Diagnostic] = []
    if not statements and normalised.length:
        out.append(Diagnostic("P001", "No statement about any organ was found.", Span(0, normalised.length)))
    for start, end in reader.unattributed:
        out.append(Diagnostic("P002", "Uptake that belongs to no named organ.", normalised.span(start, end)))
    seen: dict[tuple[str | None, str | None], Statement] = {}
    for statement in statements:
        if statement.state is None or statement.organ is None or statement.uptake is None:
            continue
        key = (statement.organ, statement.laterality)
        earlier = seen.get(key)
        if (
            earlier is not None
            and earlier.state is not statement.state
            and "normal" in (earlier.state, statement.state)
            and statement.rule != "remainder"
        ):
            out.append(
                Diagnostic(
                    "P003",
                    f"'{statement.organ}' is said to be {earlier.state} and {statement.state}.",
                    statement.uptake,
                )
            )
        seen[key] = statement
    return tuple(out)
