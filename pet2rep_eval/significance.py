"""Intervals and paired tests over per-study statistics that add up.

A metric is seen here as an array (n, k) of statistics, one row a study, and a function from summed statistics
(..., k) to scores. A resample of the studies is then a row of counts, all resamples together are one matrix
product, and no text is touched. The same counts serve every system, so that systems are compared on the same
resampled studies.

Bootstrap: Efron and Tibshirani 1993, percentile and BCa as in ``scipy.stats.bootstrap``, whose intervals are
met exactly with the same seed. Approximate randomisation: Noreen 1989, Riezler and Maxwell 2005. Paired
bootstrap: Koehn 2004, made two-sided. p = (c + 1) / (trials + 1), never 0.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.errors import UnknownNameError

FloatArray = NDArray[np.float64]
Aggregate = Callable[[FloatArray], Mapping[str, FloatArray]]
"""Summed statistics (..., k) → score → values (...)."""

METHODS = ("bca", "percentile")
TESTS = ("randomisation", "bootstrap")
CORRECTIONS = ("holm", "benjamini-hochberg", "none")

RARE = 20
"""A class with fewer labels in the references: intervals of CE may cover less than they say."""
EXACT_UP_TO = 12
"""With that many studies or fewer, all 2ⁿ exchanges are tried and p is exact."""
_CELLS = 1 << 22
"""Counts held at once: 32 MB."""
_TRIALS_AT_ONCE = 1000
"""Trials of a randomisation test in one block, so that two cores have something to share."""
_TOLERANCE = 1e-12
"""Differences that are equal but for the order of additions count as equal."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How numbers are resampled; part of what decides them."""

    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95
    method: str = "bca"
    """One of :data:`METHODS`."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UnknownNameError("interval method", self.method, METHODS)
        if not 0.0 < self.confidence < 1.0 or self.resamples < 1:
            raise ValueError(
                f"confidence {self.confidence} is not in (0, 1), or {self.resamples} < 1 resamples"
            )

    @property
    def title(self) -> str:
        """The method as a caption calls it."""
        return {"bca": "BCa", "percentile": "percentile"}[self.method]

    @property
    def signature(self) -> str:
        """Such as ``bca-95,resamples=10000,seed=0``."""
        return f"{self.method}-{100 * self.confidence:g},resamples={self.resamples},seed={self.seed}"


def resample_counts(n: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each study is drawn, in blocks (rows, n); the rows of all blocks are *resamples*.

    The draws are those of ``scipy.stats.bootstrap`` with ``rng=np.random.default_rng(seed)``.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, n, (rows, n))
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def bootstrap_totals(statistics: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Summed statistics (resamples, k) of resampled studies, from statistics (n, k)."""
    return np.concatenate([block @ statistics for block in resample_counts(len(statistics), resamples, seed)])


def jackknife_totals(statistics: FloatArray) -> FloatArray:
    """Summed statistics (n, k) without each study in turn."""
    totals: FloatArray = statistics.sum(0) - statistics
    return totals


def interval(
    resampled: FloatArray,
    value: float,
    jackknife: FloatArray | None = None,
    *,
    method: str = "bca",
    confidence: float = 0.95,
) -> tuple[float, float]:
    """The interval of a score from its resampled values (resamples,) and, for BCa, its jackknife values (n,).

    BCa is undefined where all resamples lie on one side of the value, or no study moves it; the percentile
    interval is given then, as it is without *jackknife*.
    """
    alpha = (1.0 - confidence) / 2.0
    levels = np.array([alpha, 1.0 - alpha])
    if method == "bca" and jackknife is not None:
        adjusted = _bca_levels(resampled, value, jackknife, levels)
        levels = levels if adjusted is None else adjusted
    low, high = np.percentile(resampled, 100.0 * levels)
    return float(low), float(high)


def _bca_levels(
    resampled: FloatArray, value: float, jackknife: FloatArray, levels: FloatArray
) -> FloatArray | None:
    from scipy.special import ndtr, ndtri

    # The mean of < and <= is what scipy takes, since discrete scores tie with their value.
    tie = _TOLERANCE * max(1.0, abs(value))
    sides = np.count_nonzero(resampled < value - tie), np.count_nonzero(resampled <= value + tie)
    below = sum(sides) / (2 * len(resampled))
    if not 0.0 < below < 1.0:
        return None
    bias = ndtri(below)
    influence = (len(jackknife) - 1) * (jackknife.mean() - jackknife)
    spread = float(np.sum(influence**2))
    acceleration = float(np.sum(influence**3)) / (6.0 * spread**1.5) if spread > 0.0 else 0.0
    quantiles = bias + ndtri(levels)
    adjusted: FloatArray = ndtr(bias + quantiles / (1.0 - acceleration * quantiles))
    return adjusted


def intervals(
    statistics: FloatArray, aggregate: Aggregate, values: Mapping[str, float], how: Resampling
) -> dict[str, tuple[float, float]]:
    """Score → interval over studies, from statistics (n, k) and the scores' own values."""
    resampled = aggregate(bootstrap_totals(statistics, how.resamples, how.seed))
    jackknife = aggregate(jackknife_totals(statistics)) if how.method == "bca" else {}
    return {
        name: interval(
            resampled[name], value, jackknife.get(name), method=how.method, confidence=how.confidence
        )
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Is the difference of two systems on the same studies more than chance?"""

    difference: float
    """Score of the first minus score of the second."""
    p: float
    """Two-sided."""
    exact: bool = False
    """All exchanges were tried."""


def exchanges(n: int, trials: int, seed: int) -> tuple[Iterator[FloatArray], int, bool]:
    """Blocks (rows, n) of zeros and ones, one where two systems swap a study; their number; are these all?

    Up to :data:`EXACT_UP_TO` studies all exchanges are there, the one that swaps nothing among them.
    """
    if n <= EXACT_UP_TO:
        every = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
        return iter([every.astype(np.float64)]), 1 << n, True

    def draw() -> Iterator[FloatArray]:
        rng = np.random.default_rng(seed)
        step = max(1, min(_TRIALS_AT_ONCE, _CELLS // n))
        for start in range(0, trials, step):
            rows = min(step, trials - start)
            bits = np.unpackbits(
                np.frombuffer(rng.bytes(rows * ((n + 7) // 8)), np.uint8).reshape(rows, -1), axis=1
            )
            yield bits[:, :n].astype(np.float64)

    return draw(), trials, False


def randomisation_tests(
    statistics: Sequence[FloatArray],
    aggregate: Aggregate,
    pairs: Sequence[tuple[int, int]],
    *,
    trials: int = 10_000,
    seed: int = 0,
) -> list[dict[str, PairedTest]]:
    """Approximate randomisation for each of the *pairs* of systems: score → test.

    *statistics*: per system (n, k), the same studies in the same order. Under the null hypothesis the two
    outputs of a study may be exchanged; p is the share of exchanges with a difference at least as large.
    """
    first = np.array([a for a, _ in pairs], dtype=np.intp)
    second = np.array([b for _, b in pairs], dtype=np.intp)
    stacked = np.stack(statistics)
    systems, n, width = stacked.shape
    totals = stacked.sum(1)
    values = aggregate(totals)
    observed = {name: value[first] - value[second] for name, value in values.items()}
    limits = {name: np.abs(d) - _TOLERANCE * np.maximum(1.0, np.abs(d)) for name, d in observed.items()}
    extreme = {name: np.zeros(len(pairs), dtype=np.int64) for name in values}
    flat = stacked.transpose(1, 0, 2).reshape(n, systems * width)
    blocks, count, exact = exchanges(n, trials, seed)
    rows = min(count, max(1, _TRIALS_AT_ONCE, 1 << n if exact else 0))
    group = max(1, _CELLS // (8 * width * rows))

    def count_extreme(block: FloatArray) -> dict[str, NDArray[np.int64]]:
        found = {name: np.zeros(len(pairs), dtype=np.int64) for name in values}
        moved = (block @ flat).reshape(len(block), systems, width)
        for start in range(0, len(pairs), group):
            part = slice(start, start + group)
            i, j = first[part], second[part]
            shift = moved[:, j] - moved[:, i]
            ours, theirs = aggregate(totals[i] + shift), aggregate(totals[j] - shift)
            for name in values:
                far = np.abs(ours[name] - theirs[name]) >= limits[name][part]
                found[name][part] = np.count_nonzero(far, axis=0)
        return found

    # numpy works on both cores from threads, and the order of the blocks does not matter.
    threads = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(blocks, threads)):
            for counted in pool.map(count_extreme, batch):
                for name, counts in counted.items():
                    extreme[name] += counts
    return [
        {
            name: PairedTest(
                float(observed[name][place]),
                float(extreme[name][place] / count if exact else (extreme[name][place] + 1) / (count + 1)),
                exact,
            )
            for name in values
        }
        for place in range(len(pairs))
    ]


def bootstrap_test(
    ours: FloatArray, theirs: FloatArray, difference: float, *, folded: bool = False
) -> PairedTest:
    """Paired bootstrap from the scores (resamples,) of two systems on the same resamples.

    The resampled differences, moved so that their mean is 0, stand for the null hypothesis. *folded* takes
    their absolute values first, as sacreBLEU and the Moses script do; that looks at one tail only, so p is
    about half as large and a true null hypothesis is rejected twice as often.
    """
    resampled = np.abs(ours - theirs) if folded else ours - theirs
    moved = resampled - resampled.mean()
    limit = abs(difference) - _TOLERANCE * max(1.0, abs(difference))
    extreme = int(np.count_nonzero((moved if folded else np.abs(moved)) >= limit))
    return PairedTest(difference, (extreme + 1) / (len(resampled) + 1))


def detectable_difference(
    ours: FloatArray, theirs: FloatArray, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest true difference that a two-sided test at *alpha* finds with probability *power*.

    From the standard error of the paired difference over resamples (resamples,), by the normal approximation.
    """
    from scipy.special import ndtri

    error = float(np.std(ours - theirs, ddof=1))
    return float(ndtri(1.0 - alpha / 2.0) + ndtri(power)) * error


def corrected(p_values: Sequence[float], correction: str = "holm") -> list[float]:
    """p-values of a family of tests, adjusted for their number.

    ``holm`` (Holm 1979) bounds the chance of any false positive, ``benjamini-hochberg`` (1995, by scipy) the
    expected share of them. Raises :class:`UnknownNameError`.
    """
    if correction not in CORRECTIONS:
        raise UnknownNameError("correction", correction, CORRECTIONS)
    p = np.asarray(p_values, dtype=np.float64)
    if correction == "none" or not len(p):
        return [float(value) for value in p]
    if correction == "benjamini-hochberg":
        from scipy.stats import false_discovery_control

        return [float(value) for value in false_discovery_control(p)]
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = steps
    return [float(value) for value in adjusted]


def rank_intervals(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Best and worst rank of each system that the tests leave open, from ``better[i, j]``: i beats j.

    A system ranks below all that beat it and above all that it beats (Mogstad et al. 2024). With p-values
    adjusted by Holm over all pairs, all ranks are inside at once with the confidence of the tests.
    """
    beaten_by, beats = better.sum(0), better.sum(1)
    return [(1 + int(low), len(better) - int(high)) for low, high in zip(beaten_by, beats, strict=True)]
