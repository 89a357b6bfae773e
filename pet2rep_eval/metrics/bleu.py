"""BLEU-1 to BLEU-4, as a mean over studies and once over the corpus.

Papineni et al. 2002. The smoothing is named in the signature:

``none``      no match of an order gives 0 (NLTK ``method0`` up to its 1e-77, sacreBLEU ``none``)
``epsilon``   0.1 in place of no match (NLTK ``method1``)
``add-one``   one more match and one more n-gram from order 2 on (NLTK ``method2``)
``nmt``       the same for every order (TensorFlow NMT's ``bleu.py``; PETRG-3D's published numbers)
``exp``       1/2, 1/4, … of a match for the orders without one (mteval, NLTK ``method3``, sacreBLEU ``exp``)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.ngrams import ORDERS, ngram_count, ngram_overlap
from pet2rep_eval.metrics.prepared import PreparedText

_EPSILON = 0.1


def _plain(matches: FloatArray, counts: FloatArray) -> FloatArray:
    return ratio(matches, np.maximum(counts, 1.0))


def _epsilon(matches: FloatArray, counts: FloatArray) -> FloatArray:
    return ratio(np.where(matches == 0, _EPSILON, matches), np.maximum(counts, 1.0))


def _nmt(matches: FloatArray, counts: FloatArray) -> FloatArray:
    return ratio(matches + 1.0, counts + 1.0)


def _add_one(matches: FloatArray, counts: FloatArray) -> FloatArray:
    smoothed = ratio(matches + 1.0, np.maximum(counts, 1.0) + 1.0)
    smoothed[..., 0] = _plain(matches, counts)[..., 0]
    return smoothed


def _exp(matches: FloatArray, counts: FloatArray) -> FloatArray:
    missed = matches == 0
    return ratio(np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matches), np.maximum(counts, 1.0))


SMOOTHINGS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "none": _plain,
    "epsilon": _epsilon,
    "add-one": _add_one,
    "nmt": _nmt,
    "exp": _exp,
}
"""Name → precisions (..., 4) from matches and n-gram counts (..., 4)."""


def bleu(
    matches: FloatArray,
    prediction_length: FloatArray,
    reference_length: FloatArray,
    counts: FloatArray,
    smoothing: str,
) -> FloatArray:
    """BLEU-1 to BLEU-4 (..., 4) of counts (..., 4) and lengths (...).

    An empty prediction, and one without a common word, is 0 whatever the smoothing.
    """
    precisions = SMOOTHINGS[smoothing](matches, counts)
    with np.errstate(divide="ignore"):
        logs = np.log(precisions)
    geometric = np.exp(np.cumsum(logs, axis=-1) / np.arange(1, ORDERS + 1))
    short = np.minimum(0.0, 1.0 - ratio(reference_length, prediction_length))
    scored = (prediction_length > 0) & (matches[..., 0] > 0)
    result: FloatArray = np.where(scored[..., None], geometric * np.exp(short)[..., None], 0.0)
    return result


class Bleu(Metric):
    """Statistics: 1, BLEU-1..4 of the study, its n-gram matches (4), counts (4), and both lengths."""

    name = "bleu"
    scores = (*(f"bleu_{n}" for n in range(1, 5)), *(f"corpus_bleu_{n}" for n in range(1, 5)))
    width = 15
    means = frozenset(f"bleu_{n}" for n in range(1, 5))

    def __init__(self, context: MetricContext, *, smoothing: str = "none") -> None:
        if smoothing not in SMOOTHINGS:
            raise UnknownNameError("smoothing", smoothing, SMOOTHINGS)
        self.words = context.words
        self.smoothing = smoothing

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        overlap = ngram_overlap(self.words, prediction, reference)
        counts = [ngram_count(overlap.prediction_length, n) for n in range(1, ORDERS + 1)]
        statistics = np.empty(self.width)
        statistics[0] = 1.0
        statistics[5:9], statistics[9:13] = overlap.matches, counts
        statistics[13:] = overlap.prediction_length, overlap.reference_length
        statistics[1:5] = self._bleu(statistics)
        return statistics

    def _bleu(self, totals: FloatArray) -> FloatArray:
        return bleu(totals[..., 5:9], totals[..., 13], totals[..., 14], totals[..., 9:13], self.smoothing)

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        means = ratio(totals[..., 1:5], totals[..., :1])
        corpus = self._bleu(totals)
        values = {f"bleu_{n}": means[..., n - 1] for n in range(1, 5)}
        return values | {f"corpus_bleu_{n}": corpus[..., n - 1] for n in range(1, 5)}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {
            "avg": "corpus" if score.startswith("corpus") else "mean-over-studies",
            "smooth": self.smoothing,
            "words": self.words.signature(languages),
            "case": "kept",
        }
