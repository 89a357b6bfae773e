"""CRG: its formula, its fixed points, organs, resampling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.crg import Crg, crg
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.template import all_normal, render

PROTOCOL = load_protocol("pet2rep")
METRIC = Crg(MetricContext(Words(), PROTOCOL))
LABELS = len(PROTOCOL.organs) * len(PROTOCOL.labels)

REFERENCES: list[Mapping[str, str]] = [
    {"liver": "increased", "lungs": "increased"},
    {"spleen": "decreased"},
    {},
    {"liver": "absent", "stomach": "increased"},
]


def totals(predictions: list[str], references: list[str]) -> np.ndarray:
    rows = [
        METRIC.study_statistics(PreparedText(p), PreparedText(r))
        for p, r in zip(predictions, references, strict=True)
    ]
    return np.array(rows).sum(0)


def scores(predictions: list[str], references: list[str]) -> dict[str, float]:
    return {name: float(value) for name, value in METRIC.aggregate(totals(predictions, references)).items()}


def reference_reports() -> list[str]:
    return [render(states) for states in REFERENCES]


def by_formula(hits: int, false_alarms: int, misses: int, labels: int) -> float:
    """As the paper writes it, in plain numbers."""
    positive = hits + misses
    weight = (labels - positive) / (2 * positive)
    best = positive * weight
    return best / (2 * best - (hits * weight - misses * weight - false_alarms))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 200))
def test_it_is_the_papers_formula_between_a_fifth_and_one(
    hits: int, false_alarms: int, misses: int, more: int
) -> None:
    labels = hits + false_alarms + misses + more
    value = float(crg(*(np.array(float(x)) for x in (hits, false_alarms, misses, labels))))
    if hits + misses == 0:
        assert value == 0.0
        return
    assert value == pytest.approx(by_formula(hits, false_alarms, misses, labels))
    assert 0.2 - 1e-12 <= value <= 1.0 + 1e-12


def test_the_perfect_system_scores_one() -> None:
    reports = reference_reports()
    assert scores(reports, reports) == pytest.approx({"crg": 1.0, "crg_by_organ": 1.0})


@pytest.mark.parametrize("silent", ["", all_normal("zh")])
def test_saying_nothing_and_saying_normal_score_a_third(silent: str) -> None:
    found = scores([silent] * len(REFERENCES), reference_reports())
    assert found == pytest.approx({"crg": 1 / 3, "crg_by_organ": 1 / 3})


def test_calling_everything_abnormal_scores_a_third_too() -> None:
    positive = 7
    everything = crg(np.array(7.0), np.array(float(100 - positive)), np.array(0.0), np.array(100.0))
    assert float(everything) == pytest.approx(1 / 3)
    wrong = crg(np.array(0.0), np.array(float(100 - positive)), np.array(7.0), np.array(100.0))
    assert float(wrong) == pytest.approx(1 / 5)


def test_without_a_positive_label_the_score_is_zero() -> None:
    normal = all_normal("zh")
    assert scores([normal], [normal]) == {"crg": 0.0, "crg_by_organ": 0.0}
    assert scores([render({"liver": "increased"})], [normal]) == {"crg": 0.0, "crg_by_organ": 0.0}


def test_counts_by_hand_and_by_organ() -> None:
    predictions = [
        render({"liver": "increased", "thyroid": "increased"}),
        render({"spleen": "increased"}),
        render({}),
        render({"liver": "absent", "stomach": "increased"}),
    ]
    found = scores(predictions, reference_reports())
    # Hits: liver twice, stomach. Misses: lungs, spleen decreased. False alarms: thyroid, spleen increased.
    assert found["crg"] == pytest.approx(by_formula(3, 2, 2, 4 * LABELS))
    organs = METRIC.by_organ(totals(predictions, reference_reports()))
    expected = {
        "liver": 1.0,
        "stomach": 1.0,
        "lungs": 1 / 3,
        "spleen": by_formula(0, 1, 1, 4 * 3),
    }
    for organ, value in organs.items():
        assert float(value) == pytest.approx(expected.get(organ, 0.0)), organ
    assert found["crg_by_organ"] == pytest.approx(np.mean(list(expected.values())))


def test_a_rare_hit_is_worth_more_than_a_false_alarm_costs() -> None:
    references = [render({"liver": "increased"}), *[render({})] * 9]
    silent = scores([""] * 10, references)["crg"]
    bold = scores([render({"liver": "increased", "lungs": "increased"})] * 2 + [""] * 8, references)["crg"]
    assert bold > silent


def test_it_aggregates_over_leading_axes() -> None:
    predictions = [render({"liver": "increased"}), "", render({}), render({"liver": "absent"})]
    rows = np.array(
        [
            METRIC.study_statistics(PreparedText(p), PreparedText(r))
            for p, r in zip(predictions, reference_reports(), strict=True)
        ]
    )
    weights = np.array([[1.0, 1, 1, 1], [0, 2, 1, 1]])
    stacked = METRIC.aggregate(weights @ rows)
    for i, weight in enumerate(weights):
        for name, value in METRIC.aggregate(weight @ rows).items():
            assert stacked[name][i] == pytest.approx(float(value))
    assert METRIC.signature("crg", frozenset({"zh"}))["protocol"] == PROTOCOL.key
