"""Simulated systems with a known truth: how often intervals cover it, how often tests reject a true null.

A study holds labels of three classes. How many is a Poisson number whose mean varies between studies (some
patients have disease everywhere), and a system finds each with a fixed probability and adds false ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pet2rep_eval.significance import (
    FloatArray,
    Resampling,
    bootstrap_test,
    bootstrap_totals,
    intervals,
    randomisation_tests,
)

RECALL = (0.6, 0.4, 0.4)
FALSE_ALARMS = (0.8, 0.6, 0.6)
"""Of the classes, per label of the references."""


def macro_f1(totals: FloatArray) -> FloatArray:
    """From true positives, false positives and false negatives of three classes (..., 9)."""
    hits, false_alarms, misses = totals[..., :3], totals[..., 3:6], totals[..., 6:9]
    below = 2 * hits + false_alarms + misses
    f1: FloatArray = np.divide(2 * hits, below, out=np.zeros(hits.shape), where=below > 0).mean(-1)
    return f1


def studies(draw: np.random.Generator, n: int, expected: Sequence[float]) -> FloatArray:
    """Statistics (n, 9) of one system on studies with *expected* labels of the classes per 565 studies."""
    burden = draw.gamma(2.0, 0.5, (n, 1))
    rates = np.asarray(expected) / 565 * burden
    labels = draw.poisson(rates)
    hits = draw.binomial(labels, RECALL)
    return np.hstack([hits, draw.poisson(rates * FALSE_ALARMS), labels - hits]).astype(np.float64)


def true_f1(expected: Sequence[float]) -> float:
    """Macro F1 of endlessly many studies."""
    labels = np.asarray(expected, dtype=np.float64)
    hits = labels * RECALL
    return float(macro_f1(np.hstack([hits, labels * FALSE_ALARMS, labels - hits])))


def coverage(
    *, draws: int, expected: Sequence[float], resamples: int, seed: int, n: int = 565
) -> dict[str, float]:
    """Method → share of the draws whose 95 % interval of macro F1 holds the truth."""
    draw = np.random.default_rng(seed)
    truth = true_f1(expected)
    covered = dict.fromkeys(("percentile", "bca"), 0)
    for i in range(draws):
        statistics = studies(draw, n, expected)
        value = {"f1": float(macro_f1(statistics.sum(0)))}
        for method in covered:
            how = Resampling(resamples, seed + i, method=method)
            low, high = intervals(statistics, lambda t: {"f1": macro_f1(t)}, value, how)["f1"]
            covered[method] += low <= truth <= high
    return {method: count / draws for method, count in covered.items()}


def null_rejections(
    *, draws: int, studies: int, trials: int, seed: int, expected: Sequence[float] = (200, 60, 40)
) -> dict[str, float]:
    """Test → share of the draws with p ≤ .05, for two systems of which neither is better.

    Both see the same references; each finds and invents with the same probabilities.
    """
    draw = np.random.default_rng(seed)
    rejected = dict.fromkeys(("randomisation", "bootstrap", "folded bootstrap"), 0)
    for i in range(draws):
        rates = np.asarray(expected) / 565 * draw.gamma(2.0, 0.5, (studies, 1))
        labels = draw.poisson(rates)
        systems = []
        for _ in range(2):
            hits = draw.binomial(labels, RECALL)
            false_alarms = draw.poisson(rates * FALSE_ALARMS)
            systems.append(np.hstack([hits, false_alarms, labels - hits]).astype(np.float64))
        points = [float(macro_f1(s.sum(0))) for s in systems]
        resampled = [macro_f1(bootstrap_totals(s, trials, seed + i)) for s in systems]
        exchanged = randomisation_tests(
            systems, lambda t: {"f1": macro_f1(t)}, [(0, 1)], trials=trials, seed=seed + i
        )
        difference = points[0] - points[1]
        rejected["randomisation"] += exchanged[0]["f1"].p <= 0.05
        rejected["bootstrap"] += bootstrap_test(*resampled, difference).p <= 0.05
        rejected["folded bootstrap"] += bootstrap_test(*resampled, difference, folded=True).p <= 0.05
    return {test: count / draws for test, count in rejected.items()}
