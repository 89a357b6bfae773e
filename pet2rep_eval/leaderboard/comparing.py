"""Score sheets → leaderboard: intervals, paired tests, ranks.

All systems are resampled with the same studies, so their differences are paired. Ranks are those of the
values; the rank interval of a system is what paired tests of all systems leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.leaderboard.records import Cell, Comparison, Contender, Difference, Entry
from pet2rep_eval.leaderboard.words import summary, warnings
from pet2rep_eval.significance import (
    FloatArray,
    PairedTest,
    Resampling,
    bootstrap_test,
    corrected,
    detectable_difference,
    interval,
    jackknife_totals,
    randomisation_tests,
    rank_intervals,
    resample_counts,
)

MAIN_SCORES = ("overall", "ce_f1")
"""The first of these that is there ranks the table, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class _Resampled:
    """Scores of all contenders under the same resamples: score → (resamples, contenders)."""

    values: Mapping[str, FloatArray]
    jackknife: Mapping[str, FloatArray]


def _resample(contenders: Sequence[Contender], how: Resampling) -> _Resampled:
    runs = [sheet for contender in contenders for sheet in contender.runs]
    owner = np.repeat(np.arange(len(contenders)), [len(c.runs) for c in contenders])
    share = np.zeros((len(runs), len(contenders)))
    share[np.arange(len(runs)), owner] = 1.0 / np.bincount(owner)[owner]
    aggregate = runs[0].suite.aggregate
    stacked = np.stack([sheet.statistics for sheet in runs], axis=1)
    n, _, width = stacked.shape
    flat = stacked.reshape(n, -1)
    blocks = [
        aggregate((counts @ flat).reshape(-1, len(runs), width))
        for counts in resample_counts(n, how.resamples, how.seed)
    ]
    values = {name: np.concatenate([block[name] for block in blocks]) @ share for name in blocks[0]}
    left_out = aggregate(jackknife_totals(flat).reshape(n, len(runs), width)) if how.method == "bca" else {}
    return _Resampled(values, {name: value @ share for name, value in left_out.items()})


def _check(contenders: Sequence[Contender]) -> None:
    if not contenders:
        raise InputError("There is nothing to compare", remedy="Give predictions of one or more systems.")
    first = contenders[0].runs[0]
    for contender in contenders:
        for sheet in contender.runs:
            if [(s.pair.study_id, s.pair.references) for s in sheet.studies] != [
                (s.pair.study_id, s.pair.references) for s in first.studies
            ]:
                raise InputError(
                    f"'{sheet.system}' and '{first.system}' are not scored on the same references",
                    remedy="Give one file of references for all with --references.",
                )
            if list(sheet.scores) != list(first.scores) or sheet.protocol != first.protocol:
                raise InputError(f"'{sheet.system}' and '{first.system}' are not scored alike")
    names = [contender.name for contender in contenders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(
            f"Two systems are called '{twice}'", remedy="Name them with --system, or as runs with --run."
        )


def _cell(contender: Contender, score: str, place: int, drawn: _Resampled, how: Resampling) -> Cell:
    by_run = [sheet.scores[score].value for sheet in contender.runs]
    value = float(np.mean(by_run))
    left_out = drawn.jackknife.get(score)
    between = interval(
        drawn.values[score][:, place],
        value,
        None if left_out is None else left_out[:, place],
        method=how.method,
        confidence=how.confidence,
    )
    spread = float(np.std(by_run, ddof=1)) if len(by_run) > 1 else None
    return Cell(value, between, contender.runs[0].scores[score].sd, spread)


def _differences(
    score: str,
    names: Sequence[str],
    values: Sequence[Mapping[str, float]],
    drawn: FloatArray,
    places: Sequence[tuple[int, int]],
    tests: Sequence[Mapping[str, PairedTest]],
    how: Resampling,
) -> list[Difference]:
    """The *places* (first, second) compared in one score; they are one family of tests."""
    p = [test[score].p for test in tests]
    holm, fdr = corrected(p, "holm"), corrected(p, "benjamini-hochberg")
    found = []
    for k, (i, j) in enumerate(places):
        ours, theirs = drawn[:, i], drawn[:, j]
        difference = values[i][score] - values[j][score]
        between = interval(ours - theirs, difference, method="percentile", confidence=how.confidence)
        found.append(
            Difference(
                names[i],
                names[j],
                score,
                difference,
                between,
                p[k],
                tests[k][score].exact,
                bootstrap_test(ours, theirs, difference).p,
                holm[k],
                fdr[k],
                detectable_difference(ours, theirs, alpha=1.0 - how.confidence),
            )
        )
    return found


def _ranks(values: Sequence[float]) -> list[int]:
    """1 + the number of better values; equal values (to 1e-12) share a rank."""
    return [1 + sum(other > value + 1e-12 for other in values) for value in values]


def _open_ranks(names: Sequence[str], pairs: Sequence[Difference], alpha: float) -> list[tuple[int, int]]:
    better = np.zeros((len(names), len(names)), dtype=np.bool_)
    place = {name: i for i, name in enumerate(names)}
    for d in pairs:
        if d.p_holm <= alpha and d.difference:
            i, j = place[d.first], place[d.second]
            better[(i, j) if d.difference > 0 else (j, i)] = True
    return rank_intervals(better)


def compare(
    contenders: Sequence[Contender],
    *,
    against: str | None = None,
    main: str | None = None,
    resampling: Resampling | None = None,
    trials: int = 10_000,
) -> Comparison:
    """The leaderboard of *contenders*, which were scored on the same references.

    *against*: name of the row that all others are tested against; by default the first baseline, else the
    first row. *main*: the score that ranks. Raises :class:`InputError`, :class:`UnknownNameError`.
    """
    _check(contenders)
    how = resampling or Resampling()
    scores = list(contenders[0].runs[0].scores)
    main = main or next((score for score in MAIN_SCORES if score in scores), scores[-1])
    if main not in scores:
        raise UnknownNameError("score", main, scores)
    names = [c.name for c in contenders]
    if against is None:
        against = next((c.name for c in contenders if c.baseline), names[0])
    if against not in names:
        raise UnknownNameError("baseline", against, names)

    drawn = _resample(contenders, how)
    values = [
        {s: float(np.mean([run.scores[s].value for run in c.runs])) for s in scores} for c in contenders
    ]
    systems = [i for i, c in enumerate(contenders) if not c.baseline]
    base = names.index(against)
    to_base = [(i, base) for i in range(len(contenders)) if i != base]
    among = list(combinations(systems, 2))
    tests = randomisation_tests(
        [c.statistics for c in contenders],
        contenders[0].runs[0].suite.aggregate,
        [*to_base, *among],
        trials=trials,
        seed=how.seed,
    )

    to_baseline = [
        d
        for s in scores
        for d in _differences(s, names, values, drawn.values[s], to_base, tests[: len(to_base)], how)
    ]
    pairs = [
        d
        for s in scores
        for d in _differences(s, names, values, drawn.values[s], among, tests[len(to_base) :], how)
    ]
    ranks = {s: _ranks([values[i][s] for i in systems]) for s in scores}
    open_ranks = {
        s: _open_ranks([names[i] for i in systems], [d for d in pairs if d.score == s], 1.0 - how.confidence)
        for s in scores
    }
    entries = [
        Entry(
            c.name,
            c.title,
            c.baseline,
            c.runs[0].n,
            min(sheet.outcomes["scored"] for sheet in c.runs),
            len(c.runs),
            {score: _cell(c, score, i, drawn, how) for score in scores},
            {} if c.baseline else {s: ranks[s][systems.index(i)] for s in scores},
            {} if c.baseline else {s: open_ranks[s][systems.index(i)] for s in scores},
        )
        for i, c in enumerate(contenders)
    ]
    order = sorted(range(len(entries)), key=lambda i: (contenders[i].baseline, -entries[i].cells[main].value))
    comparison = Comparison(
        tuple(entries[i] for i in order),
        main,
        against,
        tuple(to_baseline),
        tuple(pairs),
        how,
        trials,
        contenders[0].runs[0].protocol,
        contenders[0].runs[0].profile,
        tuple(warnings(contenders)),
        contenders=tuple(contenders[i] for i in order),
    )
    return replace(comparison, summary=summary(comparison))
