"""The public JSON form of a parsed report, and of the spans in it."""

from __future__ import annotations

import hashlib
from typing import Any

from pet2rep_eval.records import (
    Diagnostic,
    OrganReading,
    ParsedReport,
    Span,
    Statement,
    UptakeState,
    most_abnormal,
)


def report_dict(
    report: ParsedReport, *, study_id: str | None = None, text: bool = True, rules: bool = False
) -> dict[str, Any]:
    """A report as plain values for JSON; the keys and their order are part of the public contract.

    *study_id* comes first where given. Without *text*, every span carries the first 16 hexadecimal digits of the
    SHA-256 of its characters in place of them. *rules* adds to each statement the words that name its organ and
    the attribution rule that made it.
    """
    show = _Spans(report.text, text)
    whole: dict[str, Any] = {} if study_id is None else {"study_id": study_id}
    return whole | {
        "language": report.language,
        "tracer": report.tracer,
        "organs": {organ: _organ(reading, show) for organ, reading in report.organs.items()},
        "regions": {
            region: {"state": _name(most_abnormal(states)), "states": _names(states)}
            for region, states in report.regions.items()
        },
        "statements": [_statement(s, show, rules) for s in report.statements],
        "diagnostics": [_diagnostic(d) for d in report.diagnostics],
    }


class _Spans:
    """Spans of one text as plain values."""

    def __init__(self, text: str, shown: bool) -> None:
        self.text, self.shown = text, shown

    def __call__(self, span: Span | None) -> dict[str, Any] | None:
        if span is None:
            return None
        piece = span.of(self.text)
        if self.shown:
            return {"start": span.start, "end": span.end, "text": piece}
        digest = hashlib.sha256(piece.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return {"start": span.start, "end": span.end, "sha256": digest}


def _name(state: UptakeState | None) -> str | None:
    return None if state is None else state.value


def _names(states: frozenset[UptakeState]) -> list[str]:
    """From most to least abnormal."""
    return [state.value for state in UptakeState if state in states]


def _organ(reading: OrganReading, show: _Spans) -> dict[str, Any]:
    return {
        "state": _name(reading.state),
        "states": _names(reading.states),
        "ct": [show(span) for span in dict.fromkeys(reading.ct)],
        "uptake": [show(span) for span in dict.fromkeys(reading.uptake)],
    }


def _statement(s: Statement, show: _Spans, rules: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "organ": s.organ,
        "region": s.region,
        "laterality": s.laterality,
        "state": _name(s.state),
        "degree": s.degree,
        "ct": show(s.ct),
        "uptake": show(s.uptake),
        "suv": [{"kind": v.kind, "value": v.value, "delayed": v.delayed} for v in s.suv],
        "size_mm": [list(axes) for axes in s.size_mm],
        "section": s.section,
    }
    if rules:
        values |= {"mention": show(s.mention), "rule": s.rule}
    return values


def _diagnostic(d: Diagnostic) -> dict[str, Any]:
    return {"code": d.code, "message": d.message, "start": d.span.start, "end": d.span.end}
