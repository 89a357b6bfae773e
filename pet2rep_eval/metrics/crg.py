"""CRG: a clinical score that weighs a hit by how rare positives are (Hamamci et al. 2025), on organ labels.

A label is a (study, organ, class). With T labels, A of them positive in the references, w = (T − A) / (2A)::

    s = TP·w − FN·w − FP,   S_max = A·w,   CRG = S_max / (2·S_max − s)

The perfect system scores 1. Whoever says nothing, or that everything is normal (TP = FP = 0), scores 1/3, and
so does whoever says that everything is abnormal: w is chosen so that both are worth the same. Wrong in all
is 1/5, the least there is. Without any positive label (A = 0), or with nothing but positive ones (A = T), the
formula is 0/0 and the score counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.clinical_efficacy import indicator
from pet2rep_eval.metrics.prepared import PreparedText


def crg(hits: FloatArray, false_alarms: FloatArray, misses: FloatArray, labels: FloatArray) -> FloatArray:
    """CRG of counts (...); *labels* is T."""
    positive = hits + misses
    weight = ratio(labels - positive, 2.0 * positive)
    best = positive * weight
    return ratio(best, 2.0 * best - (hits * weight - misses * weight - false_alarms))


class Crg(Metric):
    """Statistics: 1, then true positives, false positives and false negatives by organ.

    ``crg`` pools all organs; ``crg_by_organ`` is the mean over the organs that any reference calls abnormal.
    """

    name = "crg"
    level = "states"
    scores = ("crg", "crg_by_organ")
    best_by = "crg"

    def __init__(self, context: MetricContext) -> None:
        self.protocol = context.protocol
        self.organs = len(self.protocol.organs)
        self.classes = len(self.protocol.labels)
        self.width = 1 + 3 * self.organs

    def _coded(self, text: PreparedText) -> FloatArray:
        return text.keep(
            ("crg", self.protocol.key),
            lambda: indicator(text.states(self.protocol), self.protocol).astype(np.float64),
        )

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        ours, theirs = self._coded(prediction), self._coded(reference)
        both = (ours * theirs).sum(1)
        return np.concatenate([[1.0], both, ours.sum(1) - both, theirs.sum(1) - both])

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        o = self.organs
        hits, false_alarms, misses = (totals[..., 1 + i * o : 1 + (i + 1) * o] for i in range(3))
        labels = totals[..., :1] * self.classes
        by_organ = crg(hits, false_alarms, misses, np.broadcast_to(labels, hits.shape))
        pooled = crg(hits.sum(-1), false_alarms.sum(-1), misses.sum(-1), labels[..., 0] * o)
        present = (hits + misses) > 0
        return {"crg": pooled, "crg_by_organ": ratio((by_organ * present).sum(-1), present.sum(-1) * 1.0)}

    def by_organ(self, totals: FloatArray) -> Mapping[str, FloatArray]:
        """Organ → its own CRG (...), from summed statistics (..., k)."""
        o = self.organs
        hits, false_alarms, misses = (totals[..., 1 + i * o : 1 + (i + 1) * o] for i in range(3))
        labels = np.broadcast_to(totals[..., :1] * self.classes, hits.shape)
        values = crg(hits, false_alarms, misses, labels)
        return {organ: values[..., i] for i, organ in enumerate(self.protocol.organs)}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {
            "protocol": self.protocol.key,
            "avg": "mean-over-organs" if score == "crg_by_organ" else "pooled",
            "count": "organ-and-class",
            "unmentioned": "normal",
            "missing": "empty",
            "zero-division": "0",
        }
