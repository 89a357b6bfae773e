"""METEOR as NLTK computes it (alpha 0.9, beta 3, gamma 0.5), a mean over studies.

Words match exactly, then by Porter stem, then, for English reports and where the user has WordNet
(``NLTK_DATA``), by synonym; nothing is downloaded and the signature says which. A text without a known word
scores 0; identity scores 1 − 0.5/m³ with m words, the metric's own maximum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.tokenization import Tokenizer

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5

Synonyms = Callable[[str], Iterable[str]]
"""Word → words of the same meaning."""


@cache
def _porter() -> Any:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """NLTK's Porter stem. Its rules look at endings in ASCII letters, so other words are their own stem."""
    if not ("a" <= word[-1:] <= "z"):
        return word
    stemmed: str = _porter().stem(word)
    return stemmed


@cache
def wordnet() -> Any | None:
    """NLTK's WordNet reader if its data are on this machine, else None."""
    import nltk

    for name in ("corpora/wordnet", "corpora/wordnet.zip"):
        try:
            nltk.data.find(name)
        except LookupError:
            continue
        from nltk.corpus import wordnet as reader

        reader.ensure_loaded()
        return reader
    return None


def wordnet_synonyms(reader: Any) -> Synonyms:
    """The single-word lemmas of all meanings of a word."""

    @lru_cache(maxsize=1 << 14)
    def synonyms(word: str) -> frozenset[str]:
        names = (lemma.name() for meaning in reader.synsets(word) for lemma in meaning.lemmas())
        return frozenset(name for name in names if "_" not in name)

    return synonyms


Left = list[tuple[int, str]]
"""Words not matched yet, with their places, in order."""


def _match(ours: Left, theirs: Left) -> tuple[list[tuple[int, int]], Left, Left]:
    """Match equal words from the end backwards, each to the last free place: matches, and what is left."""
    free: dict[str, list[int]] = defaultdict(list)
    for place, word in theirs:
        free[word].append(place)
    matches = []
    unmatched: Left = []
    for place, word in reversed(ours):
        places = free.get(word)
        if places:
            matches.append((place, places.pop()))
        else:
            unmatched.append((place, word))
    unmatched.reverse()
    still_free = {place for places in free.values() for place in places}
    return matches, unmatched, [pair for pair in theirs if pair[0] in still_free]


def _match_synonyms(ours: Left, theirs: Left, synonyms: Synonyms) -> list[tuple[int, int]]:
    """Match each word, from the end backwards, to the last free place of any of its synonyms."""
    free: dict[str, list[int]] = defaultdict(list)
    for place, word in theirs:
        free[word].append(place)
    matches = []
    for place, word in reversed(ours):
        candidates = [free[other] for other in {word, *synonyms(word)} if free.get(other)]
        if candidates:
            matches.append((place, max(candidates, key=lambda places: places[-1]).pop()))
    return matches


def align(
    prediction: Sequence[str], reference: Sequence[str], synonyms: Synonyms | None = None
) -> list[tuple[int, int]]:
    """Pairs of matched places, in the order of the prediction. Words are expected in lower case."""
    matches, ours, theirs = _match(list(enumerate(prediction)), list(enumerate(reference)))
    if ours and theirs:
        by_stem, ours, theirs = _match(
            [(place, stem(word)) for place, word in ours], [(place, stem(word)) for place, word in theirs]
        )
        matches += by_stem
    if ours and theirs and synonyms:
        matches += _match_synonyms(ours, theirs, synonyms)
    matches.sort()
    return matches


def meteor(prediction: Sequence[str], reference: Sequence[str], synonyms: Synonyms | None = None) -> float:
    """METEOR of lower-case words; 0 where nothing matches."""
    matches = align(prediction, reference, synonyms)
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(prediction), len(matches) / len(reference)
    mean = precision * recall / (ALPHA * precision + (1.0 - ALPHA) * recall)
    chunks = 1 + sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in pairwise(matches))
    return float((1.0 - GAMMA * (chunks / len(matches)) ** BETA) * mean)


def _lower(text: PreparedText, tokenizer: Tokenizer) -> tuple[str, ...]:
    return text.keep(
        ("lower", tokenizer.name), lambda: tuple(token.lower() for token in text.tokens(tokenizer))
    )


class Meteor(Metric):
    """Statistics: 1, and METEOR of the study."""

    name = "meteor"
    scores = ("meteor",)
    width = 2
    means = frozenset(scores)

    def __init__(self, context: MetricContext, *, synonyms: str = "if-available") -> None:
        if synonyms not in ("if-available", "none"):
            raise UnknownNameError("choice of synonyms", synonyms, ("if-available", "none"))
        self.words = context.words
        self._synonyms_allowed = synonyms == "if-available"

    def _synonyms(self, language: str) -> Synonyms | None:
        if language != "en" or not self._synonyms_allowed:
            return None
        reader = wordnet()
        return None if reader is None else _shared_synonyms()

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        tokenizer = self.words.tokenizer(reference.language)
        ours, theirs = _lower(prediction, tokenizer), _lower(reference, tokenizer)
        return np.array([1.0, meteor(ours, theirs, self._synonyms(reference.language))])

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        return {"meteor": ratio(totals[..., 1], totals[..., 0])}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        synonyms = any(self._synonyms(language) for language in languages)
        return {
            "avg": "mean-over-studies",
            "match": "exact,stem,wordnet" if synonyms else "exact,stem",
            "words": self.words.signature(languages),
            "case": "lower",
        }


@cache
def _shared_synonyms() -> Synonyms:
    return wordnet_synonyms(wordnet())
