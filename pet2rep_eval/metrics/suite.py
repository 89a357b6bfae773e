"""Several metrics as one: one statistics matrix, one aggregation, composites resampled with their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Self

import numpy as np

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.metrics import METRICS
from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.metrics.profiles import Profile
from pet2rep_eval.protocols import Protocol


@dataclass(frozen=True, slots=True)
class Composite:
    """The plain mean of other scores, aggregated together with them."""

    name: str
    parts: tuple[str, ...]

    def aggregate(self, values: Mapping[str, FloatArray]) -> FloatArray:
        total = sum((values[part] for part in self.parts[1:]), values[self.parts[0]])
        return total / len(self.parts)


@dataclass(frozen=True, slots=True)
class Suite:
    """The metrics of an evaluation. Their statistics stand side by side in one vector."""

    metrics: tuple[Metric, ...]
    composites: tuple[Composite, ...] = ()

    @classmethod
    def of(cls, profile: Profile, protocol: Protocol, only: Sequence[str] | None = None) -> Self:
        """The metrics of a profile, or *only* those, unfitted; composites whose parts are all there.

        Raises :class:`UnknownNameError` for a metric that is not registered.
        """
        metrics = []
        for name in profile.metrics if only is None else only:
            context = MetricContext(profile.words_of(name), protocol)
            metrics.append(METRICS.load(name)(context, **profile.options_of(name)))
        scores = {score for metric in metrics for score in metric.scores}
        overall = Composite("overall", profile.overall)
        for part in profile.overall:
            if only is None and part not in scores:
                raise UnknownNameError("score", part, sorted(scores))
        return cls(tuple(metrics), (overall,) if set(profile.overall) <= scores else ())

    @property
    def scores(self) -> tuple[str, ...]:
        """Names of all scores, composites last."""
        return (*(s for m in self.metrics for s in m.scores), *(c.name for c in self.composites))

    @property
    def means(self) -> frozenset[str]:
        """Scores that are means over studies."""
        return frozenset().union(*(m.means for m in self.metrics))

    @property
    def width(self) -> int:
        return sum(m.width for m in self.metrics)

    @property
    def _slices(self) -> list[slice]:
        edges = accumulate((m.width for m in self.metrics), initial=0)
        return [slice(a, b) for a, b in pairwise(edges)]

    def metric_of(self, score: str) -> Metric | Composite:
        """The metric or composite that gives *score*. Raises :class:`UnknownNameError`."""
        for metric in self.metrics:
            if score in metric.scores:
                return metric
        for composite in self.composites:
            if score == composite.name:
                return composite
        raise UnknownNameError("score", score, self.scores)

    def fit(self, references: Sequence[PreparedText]) -> Self:
        """The suite with every metric fitted to the references of all studies."""
        return replace(self, metrics=tuple(metric.fit(references) for metric in self.metrics))

    def statistics(
        self,
        predictions: Sequence[PreparedText],
        references: Sequence[PreparedText],
        progress: Callable[[int], None] | None = None,
    ) -> FloatArray:
        """Statistics (n, k) of all studies. *progress* is called with the number of studies done."""
        rows = np.empty((len(references), self.width))
        for i, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
            for metric, part in zip(self.metrics, self._slices, strict=True):
                rows[i, part] = metric.study_statistics(prediction, reference)
            if progress:
                progress(i + 1)
        return rows

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        """Score → values (...) from summed statistics (..., k)."""
        values: dict[str, FloatArray] = {}
        for metric, part in zip(self.metrics, self._slices, strict=True):
            values |= metric.aggregate(totals[..., part])
        return values | {c.name: c.aggregate(values) for c in self.composites}

    def point_values(
        self, statistics: FloatArray, predictions: Sequence[PreparedText], references: Sequence[PreparedText]
    ) -> dict[str, float]:
        """Score → value over all studies; where a metric has a library for the value, the library's."""
        values = self.aggregate(statistics.sum(0))
        for metric in self.metrics:
            values |= metric.point_values(predictions, references) or {}
        values |= {c.name: c.aggregate(values) for c in self.composites}
        return {name: float(values[name]) for name in self.scores}
