"""What a metric is: a vector of statistics for each study, which add up, and a function of their sum.

Because the statistics add up, a bootstrap of a metric is one matrix product of resampling weights
(resamples, n) with its statistics (n, k), followed by one vectorised :meth:`Metric.aggregate`; a paired test
is two of them. No text is touched again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.tokenization import Tokenizer, Tokens, load_tokenizer

if TYPE_CHECKING:
    from pet2rep_eval.metrics.prepared import PreparedText
    from pet2rep_eval.protocols import Protocol

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Words:
    """The tokenisation of each language, by name. The language of the *reference* decides for both texts."""

    zh: str = "jieba"
    en: str = "spacy"

    def tokenizer(self, language: str) -> Tokenizer:
        return load_tokenizer(self.en if language == "en" else self.zh)

    def pair(self, prediction: PreparedText, reference: PreparedText) -> tuple[Tokens, Tokens]:
        """Tokens of both texts, cut alike."""
        tokenizer = self.tokenizer(reference.language)
        return prediction.tokens(tokenizer), reference.tokens(tokenizer)

    def signature(self, languages: Iterable[str]) -> str:
        """The tokenisations in use, such as ``jieba-0.42.1`` or ``en=…,zh=…`` where there are two."""
        used = {language: self.tokenizer(language).signature for language in sorted(set(languages))}
        if len(set(used.values())) == 1:
            return next(iter(used.values()))
        return ",".join(f"{language}={signature}" for language, signature in used.items())


@dataclass(frozen=True, slots=True)
class MetricContext:
    """What a metric is built from, besides its own options."""

    words: Words
    protocol: Protocol


class Metric(ABC):
    """Base of the metrics. A subclass is built with ``(context, **options)`` of a profile.

    The statistics of a study are a vector of fixed length :attr:`width` whose first entry is 1, so that a sum
    over studies holds their number.
    """

    name: ClassVar[str]
    level: ClassVar[str] = "text"
    """``text`` compares words, ``states`` compares what was read."""
    scores: tuple[str, ...]
    """Names of the values that :meth:`aggregate` gives."""
    width: int
    """Length of the statistics of a study."""
    means: frozenset[str] = frozenset()
    """Those of :attr:`scores` that are means over studies, and so have a standard deviation over them."""

    def fit(self, references: Sequence[PreparedText]) -> Self:
        """The metric after a look at all references; itself unless it counts something in them."""
        return self

    @abstractmethod
    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        """Statistics (k,) of one study. An empty prediction is that of a failed study."""

    @abstractmethod
    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        """Score name → values (...) from summed statistics (..., k), vectorised over the leading axes."""

    def point_values(
        self, predictions: Sequence[PreparedText], references: Sequence[PreparedText]
    ) -> dict[str, FloatArray] | None:
        """The scores of all studies by a library of record, if there is one; equal to :meth:`aggregate`."""
        return None

    @abstractmethod
    def signature(self, score: str, languages: frozenset[str]) -> Mapping[str, str]:
        """What decides the number besides the texts, in the order of printing."""


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """``numerator / denominator``, and 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)


def harmonic_mean(a: FloatArray, b: FloatArray) -> FloatArray:
    """``2ab / (a + b)``, and 0 where both are 0."""
    return ratio(2.0 * a * b, a + b)
