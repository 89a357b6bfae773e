"""Any text is read without an exception, and its spans lie in it: 200,000 texts, run by ``make fuzz``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pet2rep_eval.explain import phrases, uptake_clauses
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.parsing.headings import READ
from pet2rep_eval.records import REGIONS, ParsedReport, UptakeState
from pet2rep_eval.report_json import report_dict
from pet2rep_eval.testing import junk, noisy, reports

EXAMPLES = 100_000
"""Of each of the two tests."""
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
few = settings(max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
very_many = settings(
    max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=PHASES, database=None
)


def check(text: str) -> ParsedReport:
    """Reads *text* and looks at all that must hold of any reading."""
    report = parse_report(text)
    assert report.text == text
    assert report.language in ("zh", "en")
    size = len(text)
    for s in report.statements:
        assert (s.organ is None) != (s.region is None)
        assert s.region is None or s.region in REGIONS
        assert s.laterality in (None, "left", "right", "bilateral")
        assert s.degree in (None, "mild", "moderate", "marked")
        assert s.state is None or isinstance(s.state, UptakeState)
        assert s.rule
        for span in (s.ct, s.uptake, s.mention):
            assert span is None or 0 <= span.start < span.end <= size
        assert all(v.value >= 0 for v in s.suv)
        assert all(1 <= len(axes) <= 3 for axes in s.size_mm)
    for d in report.diagnostics:
        assert 0 <= d.span.start <= d.span.end <= size
        assert d.code.startswith("P")
    for section in report.sections:
        assert 0 <= section.span.start <= section.span.end <= size
    assert report.steps <= 40 * size + 100
    assert {s.section for s in report.statements} <= READ | {"impression"}
    return report


@few
@given(junk())
def test_junk_is_read(text: str) -> None:
    report = check(text)
    report_dict(report, rules=True)
    assert all(p.span.start <= p.span.end for p in phrases(text))
    assert all(c.verdict in ("stated", "explained", "unknown") for c in uptake_clauses(report))


@few
@given(st.text())
def test_any_characters_are_read(text: str) -> None:
    check(text)


@few
@given(st.data())
def test_a_damaged_report_is_read(data: st.DataObject) -> None:
    """A report with pieces cut out, doubled and mixed in."""
    text = data.draw(noisy(data.draw(reports(max_size=4)).text))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    check(text[:start] + data.draw(junk(max_size=6)) + text[end:] + text[start:end])


@pytest.mark.slow
@very_many
@given(junk(max_size=40))
def test_very_much_junk_is_read(text: str) -> None:
    check(text)


@pytest.mark.slow
@very_many
@given(st.data())
def test_very_many_damaged_reports_are_read(data: st.DataObject) -> None:
    text = data.draw(reports(max_size=3)).text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    check(text[:start] + data.draw(junk(max_size=4)) + text[end:] + text[start:end])
