"""Intervals and paired tests against scipy and sacreBLEU, exact tests, corrections, and simulations."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.significance import (
    EXACT_UP_TO,
    FloatArray,
    Resampling,
    bootstrap_test,
    bootstrap_totals,
    corrected,
    detectable_difference,
    exchanges,
    interval,
    intervals,
    randomisation_tests,
    rank_intervals,
    resample_counts,
)
from tests.conftest import SHARED, needs_shared
from tests.simulation import coverage, macro_f1, null_rejections


def ratio_and_mean(totals: FloatArray) -> Mapping[str, FloatArray]:
    """A score that is linear in the statistics and one that is not."""
    return {"mean": totals[..., 1] / totals[..., 0], "ratio": totals[..., 1] / totals[..., 2]}


def some_statistics(n: int, seed: int = 3) -> FloatArray:
    draw = np.random.default_rng(seed)
    return np.column_stack([np.ones(n), draw.gamma(2.0, 1.0, n), draw.gamma(3.0, 2.0, n) + 0.5])


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("score", ["mean", "ratio"])
@pytest.mark.parametrize("n", [13, 565])
def test_intervals_are_those_of_scipy(method: str, score: str, n: int) -> None:
    from scipy.stats import bootstrap

    statistics = some_statistics(n)
    values = {name: float(v) for name, v in ratio_and_mean(statistics.sum(0)).items()}
    ours = intervals(statistics, ratio_and_mean, values, Resampling(resamples=999, seed=7, method=method))

    def by_studies(places: np.ndarray, axis: int = -1) -> FloatArray:
        return ratio_and_mean(statistics[places].sum(axis if axis >= 0 else places.ndim - 1))[score]

    theirs = bootstrap(
        (np.arange(n),),
        by_studies,
        n_resamples=999,
        method="BCa" if method == "bca" else method,
        rng=np.random.default_rng(7),
        vectorized=True,
    ).confidence_interval
    assert ours[score] == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_intervals_of_macro_f1_are_those_of_scipy() -> None:
    from scipy.stats import bootstrap

    draw = np.random.default_rng(5)
    counts = draw.poisson([1.0, 0.1, 0.2, 0.5, 0.1, 0.1, 0.6, 0.1, 0.2], (200, 9)).astype(float)
    value = float(macro_f1(counts.sum(0)))
    ours = intervals(counts, lambda t: {"f1": macro_f1(t)}, {"f1": value}, Resampling(2000, seed=1))["f1"]
    theirs = bootstrap(
        (np.arange(200),),
        lambda places, axis=-1: macro_f1(counts[places].sum(places.ndim - 1)),
        n_resamples=2000,
        method="BCa",
        rng=np.random.default_rng(1),
        vectorized=True,
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_blocks_of_resamples_are_one_draw() -> None:
    """More cells than one block holds: the draws are those of a single call."""
    n, resamples = 3000, 2000
    blocks = list(resample_counts(n, resamples, seed=11))
    assert len(blocks) > 1
    drawn = np.random.default_rng(11).integers(0, n, (resamples, n))
    assert np.array_equal(np.concatenate(blocks)[1500], np.bincount(drawn[1500], minlength=n))
    assert all((block.sum(1) == n).all() for block in blocks)


def test_a_score_that_no_study_moves_has_an_interval_of_no_width() -> None:
    resampled = np.full(100, 0.25)
    assert interval(resampled, 0.25, np.full(30, 0.25)) == (0.25, 0.25)


def test_bca_gives_the_percentile_interval_where_it_is_undefined() -> None:
    resampled = np.linspace(0.1, 0.2, 101)
    beyond = interval(resampled, 0.5, np.linspace(0.4, 0.6, 20))
    assert beyond == interval(resampled, 0.5, method="percentile") == pytest.approx((0.1025, 0.1975))


def test_resampling_refuses_what_is_no_resampling() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'bca'"):
        Resampling(method="bka")
    with pytest.raises(ValueError, match="confidence"):
        Resampling(confidence=95)
    assert Resampling(100, 3, 0.9, "percentile").signature == "percentile-90,resamples=100,seed=3"


def brute_force_p(ours: FloatArray, theirs: FloatArray, score: str) -> float:
    """The exact two-sided p of exchanging studies, one exchange after the other."""
    observed = abs(ratio_and_mean(ours.sum(0))[score] - ratio_and_mean(theirs.sum(0))[score])
    count = 0
    for swapped in itertools.product([False, True], repeat=len(ours)):
        swap = np.array(swapped)[:, None]
        one, other = np.where(swap, theirs, ours), np.where(swap, ours, theirs)
        found = abs(ratio_and_mean(one.sum(0))[score] - ratio_and_mean(other.sum(0))[score])
        count += found >= observed - 1e-12
    return count / 2 ** len(ours)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_few_studies_give_the_exact_permutation_test(n: int) -> None:
    ours, theirs = some_statistics(n, 1), some_statistics(n, 2)
    found = randomisation_tests([ours, theirs], ratio_and_mean, [(0, 1)])[0]
    for score, test in found.items():
        assert test.exact
        assert test.p == pytest.approx(brute_force_p(ours, theirs, score), abs=1e-15)


def test_the_exact_test_of_a_mean_is_scipys() -> None:
    from scipy.stats import permutation_test

    ours, theirs = some_statistics(EXACT_UP_TO, 1), some_statistics(EXACT_UP_TO, 2)
    found = randomisation_tests([ours, theirs], ratio_and_mean, [(0, 1)])[0]["mean"]
    expected = permutation_test(
        (ours[:, 1], theirs[:, 1]),
        lambda x, y, axis: np.mean(x, axis=axis) - np.mean(y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.difference == pytest.approx(expected.statistic)


def test_one_study_more_is_drawn_and_near_the_exact_test() -> None:
    n = EXACT_UP_TO + 1
    ours, theirs = some_statistics(n, 1), some_statistics(n, 2)
    trials = 20_000
    drawn = randomisation_tests([ours, theirs], ratio_and_mean, [(0, 1)], trials=trials)[0]
    for score, test in drawn.items():
        exact = brute_force_p(ours, theirs, score)
        assert not test.exact
        assert abs(test.p - exact) < 4 * np.sqrt(exact * (1 - exact) / trials) + 1 / trials


@given(st.integers(1, 30), st.integers(0, 100))
def test_a_system_does_not_differ_from_itself(n: int, seed: int) -> None:
    statistics = some_statistics(n, seed)
    found = randomisation_tests([statistics, statistics], ratio_and_mean, [(0, 1)], trials=50)[0]
    assert all(test.p == 1.0 and test.difference == 0.0 for test in found.values())
    values = ratio_and_mean(bootstrap_totals(statistics, 50, 0))["ratio"]
    assert bootstrap_test(values, values, 0.0).p == 1.0


def test_no_p_value_is_zero_and_the_order_of_the_systems_only_turns_the_sign() -> None:
    good = some_statistics(60)
    bad = good * [1.0, 0.1, 1.0]
    pairs = [(0, 1), (1, 0)]
    one, other = randomisation_tests([good, bad], ratio_and_mean, pairs, trials=400)
    assert one["mean"].p == other["mean"].p == 1 / 401
    assert one["mean"].difference == -other["mean"].difference > 0


def test_many_pairs_at_once_are_the_pairs_one_by_one() -> None:
    systems = [some_statistics(40, seed) for seed in range(5)]
    pairs = list(itertools.combinations(range(5), 2))
    together = randomisation_tests(systems, ratio_and_mean, pairs, trials=300, seed=4)
    for pair, found in zip(pairs, together, strict=True):
        alone = randomisation_tests([systems[i] for i in pair], ratio_and_mean, [(0, 1)], trials=300, seed=4)
        assert alone[0] == found


def test_exchanges_are_drawn_evenly_and_repeat_with_their_seed() -> None:
    one = np.concatenate(list(exchanges(101, 2000, 3)[0]))
    assert one.shape == (2000, 101)
    assert np.array_equal(one, np.concatenate(list(exchanges(101, 2000, 3)[0])))
    assert set(np.unique(one)) == {0.0, 1.0}
    assert np.all(np.abs(one.mean(0) - 0.5) < 5 * 0.5 / np.sqrt(2000))


@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg", "none"])
def test_corrections_by_hand(correction: str) -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    by_hand = {
        "holm": [0.03, 0.06, 0.06, 0.02],
        "benjamini-hochberg": [0.02, 0.04, 0.04, 0.02],
        "none": p,
    }
    assert corrected(p, correction) == pytest.approx(by_hand[correction])
    assert corrected([], correction) == []


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
def test_corrected_p_values_keep_their_order_and_never_shrink(p: list[float]) -> None:
    for correction in ("holm", "benjamini-hochberg"):
        adjusted = corrected(p, correction)
        assert all(a >= b - 1e-15 and a <= 1.0 for a, b in zip(adjusted, p, strict=True))
        order = np.argsort(p, kind="stable")
        assert np.all(np.diff(np.array(adjusted)[order]) >= -1e-15)
    with pytest.raises(UnknownNameError):
        corrected(p, "bonferoni")


def test_rank_intervals_leave_open_what_the_tests_leave_open() -> None:
    better = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
    assert rank_intervals(better) == [(1, 2), (1, 3), (2, 3), (4, 4)]
    assert rank_intervals(np.zeros((3, 3), dtype=bool)) == [(1, 3)] * 3


def test_the_detectable_difference_of_a_mean_is_the_textbooks() -> None:
    """(z of .975 + z of .8) standard errors of the paired difference."""
    n = 400
    ours, theirs = some_statistics(n, 1), some_statistics(n, 2)
    by_resample = [ratio_and_mean(bootstrap_totals(s, 4000, 0))["mean"] for s in (ours, theirs)]
    error = np.std(ours[:, 1] - theirs[:, 1]) / np.sqrt(n)
    assert detectable_difference(*by_resample) == pytest.approx(2.8016 * error, rel=0.06)


def test_the_paired_bootstrap_of_a_mean_is_near_the_t_test() -> None:
    from scipy.stats import ttest_rel

    n = 300
    ours, theirs = some_statistics(n, 1), some_statistics(n, 6)
    values = [ratio_and_mean(bootstrap_totals(s, 20_000, 0))["mean"] for s in (ours, theirs)]
    difference = float(ours[:, 1].mean() - theirs[:, 1].mean())
    expected = ttest_rel(ours[:, 1], theirs[:, 1]).pvalue
    assert bootstrap_test(*values, difference).p == pytest.approx(expected, abs=0.015)


@needs_shared
@pytest.mark.parametrize("test_type", ["ar", "bs"])
def test_p_values_on_real_pairs_are_those_of_sacrebleu(
    test_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A published system against itself with a share of its reports
    mixed up, on its 135 real pairs, in the same run."""
    import random

    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest as Oracle

    from pet2rep_eval.metrics.base import MetricContext, Words
    from pet2rep_eval.metrics.bleu import Bleu
    from pet2rep_eval.metrics.prepared import PreparedText, TextPolicy

    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    csv.field_size_limit(1 << 30)
    path = SHARED / "data" / "petrg3d" / "valid_infer_ckpt1260_autopet.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 135
    metric = Bleu(MetricContext(Words(), protocol=None))  # type: ignore[arg-type]

    def prepared(texts: list[str]) -> list[PreparedText]:
        return [PreparedText(text, TextPolicy("all", "keep"), "zh") for text in texts]

    references = prepared([row["GT_report"] for row in rows])
    published = [row["Cleaned_Pred_report"] for row in rows]
    systems = [prepared(published)]
    for share in (0.1, 0.3, 0.6):
        draw = random.Random(5)
        systems.append(
            prepared([draw.choice(published) if draw.random() < share else text for text in published])
        )
    statistics = [
        np.array([metric.study_statistics(p, r) for p, r in zip(system, references, strict=True)])
        for system in systems
    ]
    trials = 2000
    if test_type == "ar":
        pairs = [(0, i) for i in range(1, len(systems))]
        ours = [
            found["corpus_bleu_4"].p
            for found in randomisation_tests(statistics, metric.aggregate, pairs, trials=trials)
        ]
    else:
        values = [metric.aggregate(bootstrap_totals(s, trials, 0))["corpus_bleu_4"] for s in statistics]
        points = [float(metric.aggregate(s.sum(0))["corpus_bleu_4"]) for s in statistics]
        ours = [
            bootstrap_test(values[0], v, points[0] - point, folded=True).p
            for v, point in zip(values[1:], points[1:], strict=True)
        ]

    def spaced(texts: list[PreparedText]) -> list[str]:
        return [" ".join(metric.words.tokenizer("zh")(text.text)) for text in texts]

    oracle = Oracle(
        [(f"system {i}", spaced(system)) for i, system in enumerate(systems)],
        {"BLEU": BLEU(tokenize="none", force=True)},
        [spaced(references)],
        test_type=test_type,
        n_samples=trials,
    )()[1]["BLEU"]
    assert oracle[0].score / 100 == pytest.approx(
        float(metric.aggregate(statistics[0].sum(0))["corpus_bleu_4"]), abs=1e-6
    )
    theirs = [result.p_value for result in oracle[1:]]
    # One of them must not be at either end, or there would be nothing to compare.
    assert any(0.01 < p < 0.9 for p in theirs)
    for p, q in zip(ours, theirs, strict=True):
        pooled = (p + q) / 2
        error = np.sqrt(2 * pooled * (1 - pooled) / trials)
        assert abs(p - q) <= 3 * error + 1e-12


def test_intervals_cover_the_truth_in_a_short_simulation() -> None:
    """120 draws of 565 studies; the long run stands in docs/comparing.md and is a slow test."""
    found = coverage(draws=120, expected=(200, 60, 40), resamples=500, seed=1)
    for method in ("percentile", "bca"):
        assert 0.88 <= found[method] <= 1.0


def test_the_tests_reject_a_true_null_hypothesis_rarely_in_a_short_simulation() -> None:
    found = null_rejections(draws=200, studies=100, trials=199, seed=1)
    assert 0.01 <= found["randomisation"] <= 0.10
    assert 0.01 <= found["bootstrap"] <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize("expected", [(200, 60, 40), (300, 20, 20), (400, 100, 20)])
def test_intervals_cover_the_truth(expected: tuple[int, int, int]) -> None:
    found = coverage(draws=2000, expected=expected, resamples=2000, seed=2)
    print(expected, found)
    assert 0.93 <= found["bca"] <= 0.97


@pytest.mark.slow
def test_the_tests_reject_a_true_null_hypothesis_one_time_in_twenty() -> None:
    found = null_rejections(draws=5000, studies=565, trials=999, seed=2)
    print(found)
    assert 0.04 <= found["randomisation"] <= 0.06
    assert 0.04 <= found["bootstrap"] <= 0.06
    assert found["folded bootstrap"] > 0.08
