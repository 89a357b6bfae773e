"""From the text of a report to its statements."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.attribution import Reader
from pet2rep_eval.parsing.clauses import split
from pet2rep_eval.parsing.drafts import Draft
from pet2rep_eval.parsing.fields import enter_heading
from pet2rep_eval.parsing.headings import READ, Heading, find_headings
from pet2rep_eval.parsing.normalise import Normalised, language_of, normalise
from pet2rep_eval.parsing.reading import read_clause
from pet2rep_eval.parsing.rules import rules_for
from pet2rep_eval.parsing.tokens import tokenise
from pet2rep_eval.parsing.units import Clause
from pet2rep_eval.records import Diagnostic, ParsedReport, Section, Span, Statement


def parse_report(text: str, language: str = "auto", *, sections: Sequence[str] | None = None) -> ParsedReport:
    """Reads a report into organ-wise statements.

    *text* is any string; nothing in it raises. *language* is ``auto``, ``zh`` or ``en`` and only labels the result:
    both languages are read by the same rules. *sections* names the sections whose statements are wanted (default:
    findings; the impression where the text has nothing else). Time is linear in the length of the text.

    The garbage collector pauses meanwhile: reading makes many small objects and no cycles.
    """
    pauses = gc.isenabled()
    if pauses:
        gc.disable()
    try:
        return _parse(text, language, sections)
    finally:
        if pauses:
            gc.enable()


def _parse(text: str, language: str, sections: Sequence[str] | None) -> ParsedReport:
    normalised = normalise(text)
    tokens = tokenise(normalised)
    headings = find_headings(normalised)
    clauses = split(tokens, normalised, headings)
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
    statements = _statements(reader.drafts, normalised)
    return ParsedReport(
        text=text,
        language=language if language in ("zh", "en") else language_of(text),
        statements=statements,
        sections=_sections(headings, normalised),
        diagnostics=_diagnostics(reader, statements, normalised),
        tracer=_tracer(normalised),
        steps=len(tokens) + reader.steps,
    )


def _walk(clauses: list[Clause], wanted: frozenset[str]) -> Reader:
    reader = Reader(rules_for, read_clause, enter_heading)
    for clause in clauses:
        if clause.section in wanted:
            reader.walk(clause)
    reader.finish()
    return reader


def _statements(drafts: list[Draft], normalised: Normalised) -> tuple[Statement, ...]:
    spans: dict[tuple[int, int] | None, Span | None] = {None: None}
    for draft in drafts:
        for at in (draft.ct, draft.uptake, draft.mention):
            if at is not None and at not in spans:
                spans[at] = normalised.span(*at)
    return tuple(
        [
            Statement(
                None if draft.region else draft.key,
                draft.key if draft.region else None,
                draft.side,
                draft.state,
                draft.degree,
                spans[draft.ct],
                spans[draft.uptake],
                draft.suv,
                draft.size_mm,
                "findings" if draft.section == "structure" else draft.section,
                spans[draft.mention],
                draft.rule,
            )
            for draft in drafts
        ]
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


@lru_cache(maxsize=1)
def _tracers() -> tuple[Any, list[tuple[str, str]]]:
    """The automaton of the words for tracers, and these words with what they name."""
    from ahocorasick_rs import AhoCorasick

    words = list(load_lexicon().tracers.items())
    return AhoCorasick([word for word, _ in words]), words


def _tracer(normalised: Normalised) -> str | None:
    """The tracer named first; one other than FDG wins over FDG."""
    text = normalised.text
    automaton, words = _tracers()
    found: dict[str, int] = {}
    for index, start, end in automaton.find_matches_as_indexes(text, overlapping=True):
        word, tracer = words[index]
        before, after = text[start - 1 : start], text[end : end + 1]
        ascii_edge = word[0].isascii() and (before.isascii() and before.isalnum())
        ascii_end = word[-1].isascii() and (after.isascii() and after.isalnum())
        if not ascii_edge and not ascii_end:
            found[tracer] = min(start, found.get(tracer, start))
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
