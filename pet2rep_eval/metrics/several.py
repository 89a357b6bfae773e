"""Several references of one study: the first counts, or the best, or the mean of all.

``best`` is chosen by each metric for itself, by its score for the study alone; ``mean`` is the mean of the
statistics. What a metric counts over all references (CIDEr) it counts over the first of each study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from pet2rep_eval.cache import TextCache, text_hash
from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.metrics.base import FloatArray, Metric
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.metrics.suite import Suite

POLICIES = ("first", "best", "mean")


def check_policy(policy: str) -> str:
    """*policy* itself. Raises :class:`UnknownNameError`."""
    if policy not in POLICIES:
        raise UnknownNameError("choice among references", policy, POLICIES)
    return policy


def decisive(metric: Metric) -> str:
    """The score of *metric* that says which of several references fits best: its ``best_by``, or its last."""
    chosen = getattr(metric, "best_by", None)
    return chosen if isinstance(chosen, str) else metric.scores[-1]


def combined(suite: Suite, rows: FloatArray, policy: str) -> FloatArray:
    """Statistics (k,) of a study from those against each of its references (references, k)."""
    if policy == "first" or len(rows) == 1:
        first: FloatArray = rows[0]
        return first
    if policy == "mean":
        mean: FloatArray = rows.mean(0)
        return mean
    parts = []
    start = 0
    for metric in suite.metrics:
        own = rows[:, start : start + metric.width]
        parts.append(own[int(np.argmax(metric.aggregate(own)[decisive(metric)]))])
        start += metric.width
    return np.concatenate(parts)


def statistics(
    suite: Suite,
    predictions: Sequence[PreparedText],
    references: Sequence[Sequence[PreparedText]],
    policy: str,
    progress: Callable[[int], None] | None = None,
    memo: StatisticsMemo | None = None,
) -> FloatArray:
    """Statistics (n, k) of all studies, each with one or more references.

    *progress* is called with the number of studies done; *memo* keeps them between runs.
    """
    rows = np.empty((len(references), suite.width))
    for i, (prediction, several) in enumerate(zip(predictions, references, strict=True)):
        used = several[:1] if policy == "first" else several
        known = memo.get(prediction, used) if memo else None
        if known is None:
            known = combined(suite, suite.statistics([prediction] * len(used), used), policy)
            if memo:
                memo.put(known, prediction, used)
        rows[i] = known
        if progress:
            progress(i + 1)
    return rows


class StatisticsMemo:
    """Statistics of studies in a cache, by the texts and by all that decides them besides."""

    def __init__(self, cache: TextCache, decided_by: str) -> None:
        """*decided_by*: signatures, settings and what the metrics were fitted to."""
        self.cache = cache
        self._decided_by = hashlib.sha256(decided_by.encode("utf-8", "surrogatepass")).digest()

    def _parts(self, prediction: str, references: Sequence[PreparedText]) -> tuple[bytes, ...]:
        texts = (prediction, *(reference.text for reference in references))
        return (self._decided_by, *(text_hash(text) for text in texts))

    def holds(self, prediction: str, references: Sequence[PreparedText]) -> bool:
        """Whether the statistics of a study are there."""
        return self.cache.get("statistics", *self._parts(prediction, references)) is not None

    def get(self, prediction: PreparedText, references: Sequence[PreparedText]) -> FloatArray | None:
        """Statistics (k,) of a study, or None."""
        kept = self.cache.get("statistics", *self._parts(prediction.text, references))
        return None if kept is None else np.frombuffer(kept, dtype=np.float64)

    def put(self, row: FloatArray, prediction: PreparedText, references: Sequence[PreparedText]) -> None:
        """Keeps the statistics (k,) of a study."""
        kept = np.ascontiguousarray(row, dtype=np.float64).tobytes()
        self.cache.put(kept, "statistics", *self._parts(prediction.text, references))
