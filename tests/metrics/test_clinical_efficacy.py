"""Clinical efficacy: the counts give what scikit-learn gives, and failures count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.clinical_efficacy import ClinicalEfficacy, efficacy_tables
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.protocols import Protocol
from pet2rep_eval.records import ABNORMAL_STATES, ParsedReport, Statement, UptakeState

INCREASED, DECREASED, ABSENT, NORMAL = UptakeState
PROTOCOL = Protocol(
    "three",
    "Three organs",
    ABNORMAL_STATES,
    {"liver": ("liver",), "spleen": ("spleen",), "bones": ("bones", "spine")},
)
CONTEXT = MetricContext(Words(), PROTOCOL)

Stated = dict[str, set[UptakeState]]


class Read(PreparedText):
    """A text that was read already."""

    def __init__(self, stated: Stated) -> None:
        super().__init__("")
        statements = [Statement(organ, state=state) for organ, states in stated.items() for state in states]
        self.report = ParsedReport("", "en", tuple(statements))  # type: ignore[misc]


def values(pairs: list[tuple[Stated, Stated]]) -> tuple[dict[str, float], dict[str, float]]:
    """Scores by the counts and by scikit-learn."""
    metric = ClinicalEfficacy(CONTEXT)
    predictions, references = ([Read(pair[side]) for pair in pairs] for side in (0, 1))
    rows = np.array([metric.study_statistics(p, r) for p, r in zip(predictions, references, strict=True)])
    assert rows.shape == (len(pairs), metric.width)
    counted = metric.aggregate(rows.sum(0))
    library = metric.point_values(predictions, references)
    return {k: float(v) for k, v in counted.items()}, {k: float(v) for k, v in library.items()}


stated = st.dictionaries(
    st.sampled_from(["liver", "spleen", "bones", "spine", "heart"]),
    st.sets(st.sampled_from(UptakeState), max_size=3),
)


@given(st.lists(st.tuples(stated, stated), min_size=1, max_size=8))
def test_the_counts_give_what_scikit_learn_gives(pairs: list[tuple[Stated, Stated]]) -> None:
    counted, library = values(pairs)
    assert counted == pytest.approx(library, abs=1e-12)
    assert all(0 <= value <= 1 for value in counted.values())


@given(st.lists(st.tuples(stated, stated), min_size=2, max_size=6), st.randoms())
def test_the_order_of_the_studies_does_not_matter(pairs: list[tuple[Stated, Stated]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert values(shuffled)[0] == pytest.approx(values(pairs)[0])


@given(st.lists(st.tuples(stated, stated), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_resampling_the_statistics_is_resampling_the_studies(
    pairs: list[tuple[Stated, Stated]], seed: int
) -> None:
    metric = ClinicalEfficacy(CONTEXT)
    rows = np.array([metric.study_statistics(Read(p), Read(r)) for p, r in pairs])
    drawn = np.random.default_rng(seed).integers(0, len(pairs), (5, len(pairs)))
    weights = np.array([np.bincount(draw, minlength=len(pairs)) for draw in drawn], dtype=float)
    resampled = metric.aggregate(weights @ rows)
    for i, draw in enumerate(drawn):
        again, _ = values([pairs[j] for j in draw])
        assert {name: float(column[i]) for name, column in resampled.items()} == pytest.approx(again)


def test_a_worked_example() -> None:
    """liver: hit and a false alarm of another class; spleen: missed; spine counts for bones."""
    reference: Stated = {"liver": {INCREASED, NORMAL}, "spleen": {DECREASED}, "spine": {INCREASED}}
    prediction: Stated = {"liver": {INCREASED, ABSENT}, "spleen": {NORMAL}, "bones": {INCREASED}}
    counted, _ = values([(prediction, reference)])
    assert counted["ce_precision"] == pytest.approx(1 / 3)
    assert counted["ce_recall"] == pytest.approx(1 / 3)
    assert counted["ce_f1"] == pytest.approx(1 / 3)
    assert counted["ce_state_accuracy"] == pytest.approx(2 / 3)


def test_the_two_macro_f1_differ_where_classes_differ() -> None:
    reference: Stated = {"liver": {INCREASED}, "spleen": {INCREASED}, "bones": {DECREASED}}
    prediction: Stated = {"liver": {INCREASED}, "bones": {DECREASED, INCREASED, ABSENT}}
    counted, _ = values([(prediction, reference)])
    # increased: P 1/2, R 1/2; decreased: 1, 1; absent: 0, 0
    assert counted["ce_f1"] == pytest.approx((1 / 2 + 1) / 3)
    assert counted["ce_f1_of_macro"] == pytest.approx(1 / 2)
    prediction = {"liver": {INCREASED}, "bones": {DECREASED}}
    counted, _ = values([(prediction, reference)])
    precision, recall = 2 / 3, 1 / 2
    assert counted["ce_f1"] == pytest.approx((2 / 3 + 1) / 3)
    assert counted["ce_f1_of_macro"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_identity_gives_supported_classes_over_three() -> None:
    one: Stated = {"liver": {INCREASED}}
    counted, _ = values([(one, one)])
    assert counted["ce_f1"] == pytest.approx(1 / 3)
    all_three: Stated = {"liver": {INCREASED}, "spleen": {DECREASED}, "bones": {ABSENT}}
    counted, _ = values([(all_three, all_three)])
    assert counted["ce_f1"] == counted["ce_state_accuracy"] == 1.0


def test_a_failed_study_lowers_recall() -> None:
    sick: Stated = {"liver": {INCREASED}, "spleen": {DECREASED}, "bones": {ABSENT}}
    counted, _ = values([(sick, sick), ({}, sick)])
    assert (counted["ce_precision"], counted["ce_recall"]) == (1.0, 0.5)


def test_tables_by_class_by_organ_and_of_states() -> None:
    reference = {"liver": frozenset({INCREASED}), "spleen": frozenset({DECREASED}), "bones": frozenset()}
    prediction = {"liver": frozenset({INCREASED}), "spleen": frozenset({INCREASED}), "bones": frozenset()}
    tables = efficacy_tables([prediction], [reference], PROTOCOL)
    assert (tables.per_class["increased"].precision, tables.per_class["increased"].support) == (0.5, 1)
    assert tables.per_class["increased"].predicted == 2
    assert (tables.per_organ["liver"].f1, tables.per_organ["spleen"].f1) == (1.0, 0.0)
    assert tables.per_organ["bones"].support == 0
    assert tables.state_labels == ("increased", "decreased", "absent", "normal")
    assert tables.confusion == ((1, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 1))
    assert tables.state_accuracy == pytest.approx(2 / 3)
    assert tables.undefined == ("decreased", "absent")


def test_the_signature_names_the_reading() -> None:
    metric = ClinicalEfficacy(CONTEXT)
    assert metric.signature("ce_f1", frozenset())["avg"] == "macro-of-class-f1"
    assert metric.signature("ce_f1_of_macro", frozenset())["avg"] == "f1-of-macro-precision-and-recall"
    assert metric.signature("ce_recall", frozenset())["protocol"] == PROTOCOL.key
