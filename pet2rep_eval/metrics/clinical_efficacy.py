"""Clinical efficacy: are the right organs said to be increased, decreased, absent?

Over all (study, organ) pairs of the protocol, every class is a binary label (an organ may have several).
Precision, recall and F1 of a class follow; CE precision, recall and F1 are the means over the classes. A
division by zero is 0. Point values are scikit-learn's; the counts here serve resampling, and a test holds
the two equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, harmonic_mean, ratio
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.protocols import OrganStates, Protocol
from pet2rep_eval.records import UptakeState, most_abnormal

Indicator = NDArray[np.bool_]


def indicator(states: OrganStates, protocol: Protocol) -> Indicator:
    """Organ by class (organs, classes): is the organ said to be in that state?"""
    return np.array([[label in states[organ] for label in protocol.labels] for organ in protocol.organs])


def single_states(states: OrganStates, protocol: Protocol) -> NDArray[np.int64]:
    """The most abnormal state of each organ (organs,) as its place in the labels; after them, normal."""
    places: dict[UptakeState | None, int] = {label: i for i, label in enumerate(protocol.labels)}
    return np.array([places.get(most_abnormal(states[organ]), len(places)) for organ in protocol.organs])


@dataclass(frozen=True, slots=True)
class ClassRow:
    """Precision, recall and F1 of one class, organ, or anything else that counts labels."""

    precision: float
    recall: float
    f1: float
    support: int
    """Labels in the references."""
    predicted: int
    """Labels in the predictions."""


@dataclass(frozen=True, slots=True)
class EfficacyTables:
    """Clinical efficacy in detail, by scikit-learn."""

    per_class: dict[str, ClassRow]
    per_organ: dict[str, ClassRow]
    """All classes of an organ pooled (micro)."""
    state_labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Most abnormal state of each (study, organ): rows are references, columns predictions."""
    state_accuracy: float

    @property
    def undefined(self) -> tuple[str, ...]:
        """Classes with a division by zero, which counts as 0."""
        return tuple(name for name, row in self.per_class.items() if not row.support or not row.predicted)


def _most_abnormal_labels(labels: Indicator, protocol: Protocol) -> NDArray[np.int64]:
    """:func:`single_states` of indicators (..., organs, classes)."""
    severity = np.argsort([list(UptakeState).index(label) for label in protocol.labels])
    first = severity[labels[..., severity].argmax(-1)]
    return np.where(labels.any(-1), first, len(severity))


def _row(values: tuple[NDArray[np.float64], ...], i: int, predicted: int) -> ClassRow:
    precision, recall, f1, support = (column[i] for column in values)
    return ClassRow(float(precision), float(recall), float(f1), int(support), predicted)


def efficacy_tables(
    predictions: Sequence[OrganStates], references: Sequence[OrganStates], protocol: Protocol
) -> EfficacyTables:
    """The tables of a system over its studies, in the order of the references."""
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    shape = (len(references), len(protocol.organs), len(protocol.labels))
    ours, theirs = (
        np.array([indicator(states, protocol) for states in side]).reshape(shape)
        for side in (predictions, references)
    )
    flat = (-1, len(protocol.labels))
    by_class = precision_recall_fscore_support(
        theirs.reshape(flat), ours.reshape(flat), average=None, zero_division=0
    )
    per_class = {
        label.value: _row(by_class, i, int(ours[..., i].sum())) for i, label in enumerate(protocol.labels)
    }
    # One column an organ, one row a (study, class): the scores of a label are then those of an organ.
    columns = (-1, len(protocol.organs))
    by_organ = precision_recall_fscore_support(
        theirs.transpose(0, 2, 1).reshape(columns),
        ours.transpose(0, 2, 1).reshape(columns),
        average=None,
        zero_division=0,
    )
    per_organ = {organ: _row(by_organ, i, int(ours[:, i].sum())) for i, organ in enumerate(protocol.organs)}
    single = [_most_abnormal_labels(side, protocol).ravel() for side in (theirs, ours)]
    matrix = confusion_matrix(*single, labels=range(len(protocol.labels) + 1))
    return EfficacyTables(
        per_class,
        per_organ,
        (*(label.value for label in protocol.labels), UptakeState.NORMAL.value),
        tuple(tuple(int(count) for count in row) for row in matrix),
        float(accuracy_score(*single)),
    )


class ClinicalEfficacy(Metric):
    """Statistics: 1, true positives, false positives and false negatives by class, and the confusion matrix.

    With C classes that is 1 + 3C + (C + 1)²: 26 for the three abnormal states.
    """

    name = "clinical_efficacy"
    level = "states"
    scores = ("ce_precision", "ce_recall", "ce_f1", "ce_f1_of_macro", "ce_state_accuracy")

    def __init__(self, context: MetricContext) -> None:
        self.protocol = context.protocol
        self.classes = len(self.protocol.labels)
        self.width = 1 + 3 * self.classes + (self.classes + 1) ** 2

    def _coded(self, text: PreparedText) -> tuple[Indicator, NDArray[np.int64]]:
        states = text.states(self.protocol)
        return text.keep(
            ("ce", self.protocol.key),
            lambda: (indicator(states, self.protocol), single_states(states, self.protocol)),
        )

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        ours, our_state = self._coded(prediction)
        theirs, their_state = self._coded(reference)
        side = self.classes + 1
        confusion = np.bincount(their_state * side + our_state, minlength=side * side)
        counts = [(ours & theirs).sum(0), (ours & ~theirs).sum(0), (~ours & theirs).sum(0)]
        return np.concatenate([[1.0], *counts, confusion]).astype(np.float64)

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        c = self.classes
        hits, false_alarms, misses = (totals[..., 1 + i * c : 1 + (i + 1) * c] for i in range(3))
        precision, recall = ratio(hits, hits + false_alarms), ratio(hits, hits + misses)
        confusion = totals[..., 1 + 3 * c :]
        return self._named(
            precision.mean(-1),
            recall.mean(-1),
            ratio(2.0 * hits, 2.0 * hits + false_alarms + misses).mean(-1),
            ratio(confusion[..., :: c + 2].sum(-1), confusion.sum(-1)),
        )

    def _named(
        self, precision: FloatArray, recall: FloatArray, f1: FloatArray, accuracy: FloatArray
    ) -> dict[str, FloatArray]:
        values = (precision, recall, f1, harmonic_mean(precision, recall), accuracy)
        return dict(zip(self.scores, values, strict=True))

    def point_values(
        self, predictions: Sequence[PreparedText], references: Sequence[PreparedText]
    ) -> dict[str, FloatArray]:
        tables = self.tables(predictions, references)
        columns = (
            [getattr(row, key) for row in tables.per_class.values()] for key in ("precision", "recall", "f1")
        )
        precision, recall, f1 = (np.asarray(np.mean(column)) for column in columns)
        return self._named(precision, recall, f1, np.asarray(tables.state_accuracy))

    def tables(
        self, predictions: Sequence[PreparedText], references: Sequence[PreparedText]
    ) -> EfficacyTables:
        """Per class, per organ, confusion matrix."""
        return efficacy_tables(
            [text.states(self.protocol) for text in predictions],
            [text.states(self.protocol) for text in references],
            self.protocol,
        )

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        average = {
            "ce_f1": "macro-of-class-f1",
            "ce_f1_of_macro": "f1-of-macro-precision-and-recall",
            "ce_state_accuracy": "study-organ-pairs",
        }
        return {
            "protocol": self.protocol.key,
            "avg": average.get(score, "macro-over-classes"),
            "count": "most-abnormal-state-of-organ" if score == "ce_state_accuracy" else "organ",
            "unmentioned": "normal",
            "missing": "empty",
            "zero-division": "0",
        }
