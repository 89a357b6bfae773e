"""ROUGE-1, ROUGE-2 and ROUGE-L: F scores, means over studies.

Lin 2004, as in the rouge-score package with the same tokens and no stemmer. The longest common subsequence
is rapidfuzz's bit-parallel one, thousands of times faster than a table of Python lists.
"""

from __future__ import annotations

import numpy as np

from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.ngrams import ngram_count, ngram_overlap
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.tokenization import Tokens


def f_score(common: int, prediction: int, reference: int) -> float:
    """Harmonic mean of common/prediction and common/reference; 0 where nothing is common."""
    return 2.0 * common / (prediction + reference) if common else 0.0


def lcs_length(prediction: Tokens, reference: Tokens) -> int:
    """Length in words of the longest common subsequence."""
    from rapidfuzz.distance import LCSseq

    # Numbers stand for words, so that the comparison is exact and not of hashes; all foreign words share one.
    numbers: dict[str, int] = {}
    for token in reference:
        numbers.setdefault(token, len(numbers))
    foreign = len(numbers)
    get = numbers.get
    ours = [get(token, foreign) for token in prediction]
    return int(LCSseq.similarity(ours, [numbers[token] for token in reference]))


class Rouge(Metric):
    """Statistics: 1, and the F of ROUGE-1, ROUGE-2 and ROUGE-L of the study."""

    name = "rouge"
    scores = ("rouge_1", "rouge_2", "rouge_l")
    width = 4
    means = frozenset(scores)

    def __init__(self, context: MetricContext) -> None:
        self.words = context.words

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        ours, theirs = self.words.pair(prediction, reference)
        matches = ngram_overlap(self.words, prediction, reference).matches
        by_order = [
            f_score(matches[n - 1], ngram_count(len(ours), n), ngram_count(len(theirs), n)) for n in (1, 2)
        ]
        return np.array([1.0, *by_order, f_score(lcs_length(ours, theirs), len(ours), len(theirs))])

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        means = ratio(totals[..., 1:], totals[..., :1])
        return {score: means[..., i] for i, score in enumerate(self.scores)}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {
            "avg": "mean-over-studies",
            "of": "f",
            "words": self.words.signature(languages),
            "case": "kept",
            "stemmer": "none",
        }
