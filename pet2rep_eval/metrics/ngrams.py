"""How many n-grams of a prediction its reference holds: what BLEU and ROUGE-n both count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.metrics.base import Words
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.tokenization import Tokens

ORDERS = 4
"""n-grams of 1 to 4 words."""

_MAX_VOCABULARY = (1 << 16) - 2
"""Four word numbers of 16 bits fill a 64-bit code; a reference with more words is counted as tuples."""


class ReferenceNgrams:
    """The n-grams of a reference as sorted integer codes, made once and matched by any number of predictions.

    A code is a number in base (distinct words + 1) whose digits are word numbers from 1, with 0 for a word
    the reference does not have. So codes are exact, and an n-gram with a foreign word matches nothing.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.length = len(tokens)
        self.numbers: dict[str, int] = {}
        for token in tokens:
            self.numbers.setdefault(token, len(self.numbers) + 1)
        self._tables = [
            np.unique(codes, return_counts=True)
            for codes in self._codes(tokens)
            if len(self.numbers) <= _MAX_VOCABULARY
        ]

    def encode(self, tokens: Tokens) -> NDArray[np.uint64]:
        """Word numbers of *tokens*; 0 for words that the reference does not have."""
        get = self.numbers.get
        return np.fromiter((get(token, 0) for token in tokens), dtype=np.uint64, count=len(tokens))

    def _codes(self, tokens: Tokens) -> list[NDArray[np.uint64]]:
        words = self.encode(tokens)
        base = np.uint64(len(self.numbers) + 1)
        codes = [words]
        for order in range(2, ORDERS + 1):
            codes.append(codes[-1][:-1] * base + words[order - 1 :] if len(words) >= order else words[:0])
        return codes

    def matches(self, prediction: Tokens) -> tuple[int, ...]:
        """For n = 1 to 4, the n-grams of *prediction* that the reference has, at most as often as there."""
        if not self._tables:
            return _matches_of_tuples(prediction, self.tokens)
        found = []
        for codes, (table, counts) in zip(self._codes(prediction), self._tables, strict=True):
            if not len(codes) or not len(table):
                found.append(0)
                continue
            places = np.searchsorted(table, codes)
            places[places == len(table)] = 0
            hits = places[table[places] == codes]
            found.append(int(np.minimum(np.bincount(hits, minlength=len(table)), counts).sum()))
        return tuple(found)


def _matches_of_tuples(prediction: Tokens, reference: Tokens) -> tuple[int, ...]:
    found = []
    for order in range(1, ORDERS + 1):
        ours, theirs = (
            Counter(zip(*(t[i:] for i in range(order)), strict=False)) for t in (prediction, reference)
        )
        found.append((ours & theirs).total())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Overlap:
    """The n-grams that a prediction shares with its reference."""

    matches: tuple[int, ...]
    """For n = 1 to 4."""
    prediction_length: int
    """In words, as is *reference_length*."""
    reference_length: int


def ngram_overlap(words: Words, prediction: PreparedText, reference: PreparedText) -> Overlap:
    """The overlap of two texts, kept with the prediction: BLEU and ROUGE ask for the same."""
    tokenizer = words.tokenizer(reference.language)
    ours = prediction.tokens(tokenizer)

    def compute() -> Overlap:
        theirs = reference.keep(
            ("ngrams", tokenizer.name), lambda: ReferenceNgrams(reference.tokens(tokenizer))
        )
        return Overlap(theirs.matches(ours), len(ours), theirs.length)

    return prediction.keep(("overlap", tokenizer.name, reference), compute)


def ngram_count(length: int, order: int) -> int:
    """The n-grams of that order in a text of *length* words."""
    return max(0, length - order + 1)
