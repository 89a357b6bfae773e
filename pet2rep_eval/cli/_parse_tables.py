"""Parsed reports on a terminal: tables, and the text with what was found in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pet2rep_eval.cli import _output
from pet2rep_eval.records import ABNORMAL_STATES, UptakeState

if TYPE_CHECKING:
    from rich.text import Text

    from pet2rep_eval.cli._reports import Report
    from pet2rep_eval.explain import Phrase
    from pet2rep_eval.records import ParsedReport, Span, Statement

STYLES = {
    UptakeState.INCREASED: "bold white on red",
    UptakeState.DECREASED: "bold white on blue",
    UptakeState.ABSENT: "bold white on magenta",
    UptakeState.NORMAL: "black on green",
}
_CT = "dim italic"
_NAME = "bold underline"
_ODD = "black on yellow"
_UNREAD = "dim"


def _suv(statement: Statement) -> str:
    return ", ".join(
        f"{'' if v.kind == 'unspecified' else v.kind + ' '}{v.value:g}{' delayed' if v.delayed else ''}"
        for v in statement.suv
    )


def _size(statement: Statement) -> str:
    return ", ".join("×".join(f"{axis:g}" for axis in axes) for axes in statement.size_mm)


def _piece(span: Span | None, text: str, shown: bool) -> str:
    if span is None:
        return ""
    return " ".join(span.of(text).split()) if shown else f"{span.start}–{span.end}"


def statement_grid(report: ParsedReport, *, text: bool = True) -> _output.Grid:
    """One row a statement, in text order."""
    columns = ("", "organ", "side", "state", "degree", "SUV", "mm", "uptake", "CT")
    rows = [
        (
            str(number),
            _subject(s),
            s.laterality or "",
            s.state.value if s.state else "–",
            s.degree or "",
            _suv(s),
            _size(s),
            _piece(s.uptake, report.text, text),
            _piece(s.ct, report.text, text),
        )
        for number, s in enumerate(report.statements, 1)
    ]
    return _output.Grid("", columns, tuple(rows), frozenset({0}))


def _subject(s: Statement) -> str:
    return s.organ or f"region {s.region}"


def _told(number: int, s: Statement, report: ParsedReport, found: Sequence[Phrase], text: bool) -> Text:
    """A statement with the words that name its organ, the phrases of its uptake, and its rule."""
    from rich.text import Text

    from pet2rep_eval.explain import RULES, within

    def parts(span: Span) -> str:
        inside = within(found, span)
        return " + ".join(f"{_piece(p.span, report.text, text)} ({p.concept})" for p in inside)

    state = s.state.value if s.state else "no uptake stated"
    facts = [s.laterality, s.degree, f"SUV {_suv(s)}" if s.suv else "", f"{_size(s)} mm" if s.size_mm else ""]
    line = Text(f"{number:3}  ")
    line.append(_subject(s), style="bold")
    line.append(": ")
    line.append(state, style=STYLES[s.state] if s.state else "dim")
    line.append("".join(f" · {fact}" for fact in facts if fact))
    details = {
        "named by": parts(s.mention) if s.mention else "the context",
        "uptake": f"{_piece(s.uptake, report.text, text)} = {parts(s.uptake)}" if s.uptake else "",
        "CT": _piece(s.ct, report.text, text),
        "rule": f"{s.rule}: {RULES[s.rule]}" if s.rule in RULES else s.rule,
    }
    for name, value in details.items():
        if value:
            line.append(f"\n     {name:9}", style="dim")
            line.append(value)
    return line


def _line_of(report: ParsedReport, text: bool) -> Iterator[str]:
    tracer = f", tracer {report.tracer}" if report.tracer else ""
    yield f"Language {report.language}{tracer}; {len(report.statements)} statements."
    for d in report.diagnostics:
        yield f"{d.code} {d.message} ({_piece(d.span, report.text, text)[:80]})"


def show_one(report: ParsedReport, *, text: bool = True) -> None:
    """A report's statements, and what is odd about it."""
    out = _output.console()
    out.print(_output.to_rich(statement_grid(report, text=text)))
    for line in _line_of(report, text):
        out.print(line, markup=False)


def abnormal_of(report: ParsedReport) -> list[str]:
    """Organs of each abnormal state, as cells of a table."""
    states = report.states
    return [
        ", ".join(organ for organ, found in states.items() if state in found) for state in ABNORMAL_STATES
    ]


def show_many(parsed: Iterator[tuple[Report, ParsedReport]]) -> None:
    """One row a report: its abnormal organs and the number of organs said to be normal."""
    rows = []
    for given, report in parsed:
        normal = sum(found == {UptakeState.NORMAL} for found in report.states.values())
        odd = ", ".join(dict.fromkeys(d.code for d in report.diagnostics))
        rows.append((given.study_id, report.language, *abnormal_of(report), str(normal), odd))
    columns = ("study", "language", *(s.value for s in ABNORMAL_STATES), "normal", "diagnostics")
    out = _output.console()
    out.print(_output.to_rich(_output.Grid("", columns, tuple(rows), frozenset({5}))))
    out.print(f"{len(rows)} reports.")


def highlighted(report: ParsedReport) -> Text:
    """The text of a report with organs, findings and uptake marked, and what is not read faint.

    Behind each uptake stands the number of its statements in :func:`statement_grid`.
    """
    from rich.text import Text

    marks: list[tuple[Span, str]] = []
    for section in report.sections:
        if section.name not in ("findings", "structure"):
            marks.append((section.span, _UNREAD))
        if section.heading:
            marks.append((section.heading, "bold cyan"))
    for s in report.statements:
        if s.ct:
            marks.append((s.ct, _CT))
        if s.mention:
            marks.append((s.mention, _NAME))
    marks += [(s.uptake, STYLES[s.state]) for s in report.statements if s.uptake and s.state]
    marks += [(d.span, _ODD) for d in report.diagnostics if d.code != "P001"]
    numbers: dict[int, list[str]] = {}
    for number, s in enumerate(report.statements, 1):
        if s.uptake and s.state:
            numbers.setdefault(s.uptake.end, []).append(str(number))

    plain = Text(report.text)
    for span, style in marks:
        plain.stylize(style, span.start, span.end)
    pieces = Text()
    done = 0
    for end in sorted(numbers):
        pieces.append_text(plain[done:end])
        pieces.append(f"[{','.join(numbers[end])}]", style="bold yellow")
        done = end
    pieces.append_text(plain[done:])
    return pieces


def legend() -> Text:
    """What the colours mean."""
    from rich.text import Text

    line = Text()
    for words, style in (
        *((state.value, STYLES[state]) for state in UptakeState),
        ("organ", _NAME),
        ("CT", _CT),
        ("odd", _ODD),
        ("not read", _UNREAD),
    ):
        line.append(words, style=style)
        line.append("  ")
    return line


def show_explained(parsed: Iterator[tuple[Report, ParsedReport]], *, text: bool = True) -> None:
    """Each report with its text highlighted, and which phrases and which rule gave each statement."""
    from pet2rep_eval.explain import phrases

    out = _output.console()
    out.print(legend())
    for given, report in parsed:
        out.print(f"\n{given.study_id} ({given.place})", style="bold", markup=False)
        if text:
            out.print(highlighted(report), soft_wrap=not out.is_terminal)
        out.print()
        found = phrases(report.text)
        for number, statement in enumerate(report.statements, 1):
            out.print(_told(number, statement, report, found, text), soft_wrap=True)
        for line in _line_of(report, text):
            out.print(line, markup=False)
