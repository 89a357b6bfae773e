"""CIDEr as the COCO code computes it (n = 1 to 4, sigma 6, clipped), a mean over studies, raw and not × 100.

Vedantam et al. 2015. An n-gram weighs its count times log(studies / references that hold it). The document
frequencies are those of all references of the evaluation and stay fixed under resampling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.ngrams import ORDERS
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.tokenization import Tokenizer, Tokens

SIGMA = 6.0


@dataclass(frozen=True, slots=True)
class _Vector:
    """A text as weighted n-grams of one order: those that some reference holds, and the norm with all."""

    numbers: NDArray[np.int64]
    weights: FloatArray
    norm: float


class DocumentFrequencies:
    """The n-grams of all references, numbered from 1, with the logarithm of the references that hold each.

    An n-gram is coded as (number of its first n−1 words) × base + number of its last word: exact, and in no
    table where a part of it is 0, that is, in no reference.
    """

    def __init__(self, references: Sequence[Tokens]) -> None:
        self.studies = len(references)
        self.log_studies = float(np.log(float(max(1, self.studies))))
        self.words: dict[str, int] = {}
        for tokens in references:
            for token in tokens:
                self.words.setdefault(token, len(self.words) + 1)
        self.tables: list[NDArray[np.int64]] = []
        self.log_counts: list[FloatArray] = []
        known = [self._word_numbers(tokens) for tokens in references]
        numbers = known
        for order in range(1, ORDERS + 1):
            codes = [self._codes(order, n, k) for n, k in zip(numbers, known, strict=True)]
            holders = [np.unique(c) for c in codes]
            table, counts = np.unique(
                np.concatenate(holders) if holders else np.empty(0, np.int64), return_counts=True
            )
            self.tables.append(table)
            self.log_counts.append(np.log(counts.astype(np.float64)))
            numbers = [np.searchsorted(table, c) + 1 for c in codes]

    def _word_numbers(self, tokens: Tokens) -> NDArray[np.int64]:
        get = self.words.get
        return np.fromiter((get(token, 0) for token in tokens), dtype=np.int64, count=len(tokens))

    def _codes(self, order: int, prefixes: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.int64]:
        if order == 1:
            return words
        return (
            prefixes[:-1] * (len(self.words) + 1) + words[order - 1 :] if len(words) >= order else words[:0]
        )

    def vectors(self, tokens: Tokens) -> tuple[_Vector, ...]:
        """The vectors of a text, one an order."""
        words = self._word_numbers(tokens)
        prefixes = words
        found = []
        for order in range(1, ORDERS + 1):
            codes = self._codes(order, prefixes, words)
            table = self.tables[order - 1]
            places = np.searchsorted(table, codes)
            places[places == len(table)] = 0
            is_known = table[places] == codes if len(table) else np.zeros(len(codes), bool)
            prefixes = np.where(is_known, places + 1, 0)
            numbers, counts = np.unique(prefixes[is_known], return_counts=True)
            weights = counts * (self.log_studies - self.log_counts[order - 1][numbers - 1])
            # N-grams in no reference weigh log(studies) and match nothing: they only lengthen the vector.
            foreign = Counter(tokens[i : i + order] for i in np.flatnonzero(~is_known))
            squares = float((weights**2).sum()) + self.log_studies**2 * sum(c * c for c in foreign.values())
            found.append(_Vector(numbers, weights, float(np.sqrt(squares))))
        return tuple(found)


def similarity(prediction: Sequence[_Vector], reference: Sequence[_Vector], bigram_difference: int) -> float:
    """CIDEr of one pair, 0 to 10."""
    values = []
    for ours, theirs in zip(prediction, reference, strict=True):
        j = np.searchsorted(theirs.numbers, ours.numbers)
        j[j == len(theirs.numbers)] = 0
        i = (
            np.flatnonzero(theirs.numbers[j] == ours.numbers)
            if len(theirs.numbers)
            else np.empty(0, np.int64)
        )
        weights = theirs.weights[j[i]]
        dot = float((np.minimum(ours.weights[i], weights) * weights).sum())
        lengths = ours.norm * theirs.norm
        values.append(dot / lengths if lengths else dot)
    return 10.0 * float(np.mean(values)) * float(np.exp(-(bigram_difference**2) / (2.0 * SIGMA**2)))


class Cider(Metric):
    """Statistics: 1, and CIDEr of the study."""

    name = "cider"
    scores = ("cider",)
    width = 2
    means = frozenset(scores)

    def __init__(self, context: MetricContext) -> None:
        self.context = context
        self.words = context.words
        self._frequencies: DocumentFrequencies | None = None

    def fit(self, references: Sequence[PreparedText]) -> Self:
        fitted = type(self)(self.context)
        fitted._frequencies = DocumentFrequencies(
            [text.tokens(self.words.tokenizer(text.language)) for text in references]
        )
        return fitted

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        frequencies = self._frequencies
        if frequencies is None:
            raise RuntimeError("CIDEr counts documents: call fit(references) first")
        tokenizer = self.words.tokenizer(reference.language)
        ours, theirs = prediction.tokens(tokenizer), reference.tokens(tokenizer)
        if not ours:
            return np.array([1.0, 0.0])
        vectors = [self._vectors(text, tokenizer, frequencies) for text in (prediction, reference)]
        difference = max(0, len(ours) - 1) - max(0, len(theirs) - 1)
        return np.array([1.0, similarity(vectors[0], vectors[1], difference)])

    @staticmethod
    def _vectors(
        text: PreparedText, tokenizer: Tokenizer, frequencies: DocumentFrequencies
    ) -> tuple[_Vector, ...]:
        key = ("cider", tokenizer.name, frequencies)
        return text.keep(key, lambda: frequencies.vectors(text.tokens(tokenizer)))

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        return {"cider": ratio(totals[..., 1], totals[..., 0])}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {
            "avg": "mean-over-studies",
            "sigma": "6",
            "df": "references",
            "words": self.words.signature(languages),
            "case": "kept",
        }
