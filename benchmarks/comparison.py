"""Resampling and comparing: CE against a loop over scikit-learn, and thirty systems with all paired tests."""

from __future__ import annotations

import os
import random
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, cpu
from benchmarks.reports import Corpus
from pet2rep_eval.alignment import align
from pet2rep_eval.cache import TextCache
from pet2rep_eval.datasets.records import References, Submission
from pet2rep_eval.datasets.records import Row as Prediction
from pet2rep_eval.leaderboard import Comparison, Entrant, compare, gather, with_baselines
from pet2rep_eval.metrics.profiles import load_profile
from pet2rep_eval.metrics.suite import Suite
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.significance import Resampling, intervals

SYSTEMS = 30
RESAMPLES = 10_000
_LOOP = 20
_SENTENCE = re.compile(r"[^。\n]*[。\n]|[^。\n]+$")


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    """Thirty systems only if *full*; five without."""
    yield from _efficacy(len(corpus.pairs))
    systems = SYSTEMS if full else 5
    entrants = _entrants(corpus, systems)
    with tempfile.TemporaryDirectory() as folder:
        for which in ("first run", "from the cache"):
            start, before = time.perf_counter(), _cpu_of_all()
            found = _compare(entrants, Path(folder))
            seconds, spent = time.perf_counter() - start, _cpu_of_all() - before
            remark = f"{len(found.pairs) // len(found.scores)} pairs of systems, {os.cpu_count()} cores"
            del found
            what = f"{systems} systems × {len(corpus.pairs)} studies, {which}"
            yield Row("compare", what, seconds, "s", remark)
            yield Row("compare", "    CPU of all processes", spent, "CPU s")
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        yield Row("compare", "cache on disk", size / 1e6, "MB")
    own, children = (
        resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    cores = os.cpu_count() or 1
    workers = min(cores, systems) if cores > 1 else 0
    told = f"{own:.0f} and {workers} × {children:.0f}"
    yield Row("compare", "peak memory, sum over processes", own + workers * children, "MB", told)


def _cpu_of_all() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _compare(entrants: list[Entrant], folder: Path) -> Comparison:
    with TextCache(folder) as cache:
        every = with_baselines(entrants, [], cache=cache)
        contenders = gather(every, workers=os.cpu_count() or 1, cache=cache)
        return compare(contenders, resampling=Resampling(RESAMPLES), trials=10_000)


def _entrants(corpus: Corpus, systems: int) -> list[Entrant]:
    """Systems that write the reference with a share of its sentences taken from other references."""
    references = {f"study-{i:03}": reference for i, (_, reference) in enumerate(corpus.pairs)}
    sentences = [_SENTENCE.findall(reference) for reference in references.values()]
    known = References({study: (report,) for study, report in references.items()})
    found = []
    for place in range(systems):
        draw = random.Random(place)
        share = (place + 1) / (systems + 1)
        rows = tuple(
            Prediction(
                study,
                "".join(s if draw.random() >= share else draw.choice(draw.choice(sentences)) for s in own),
                line,
            )
            for line, (study, own) in enumerate(zip(references, sentences, strict=True), 1)
        )
        name = f"changed-{share:.2f}"
        found.append(Entrant(name, (align(Submission(name, rows), known),)))
    return found


def _efficacy(n: int) -> Iterator[Row]:
    """Intervals of all CE scores from statistics that are there, beside a loop over scikit-learn."""
    from sklearn.metrics import precision_recall_fscore_support

    suite = Suite.of(load_profile("default"), load_protocol("pet2rep"), ["clinical_efficacy"])
    metric = suite.metrics[0]
    draw = np.random.default_rng(0)
    organs, classes = len(load_protocol("pet2rep").organs), 3
    theirs = draw.random((n, organs, classes)) < (0.06, 0.02, 0.01)
    ours = np.where(draw.random(theirs.shape) < 0.3, draw.random(theirs.shape) < 0.04, theirs)
    statistics = np.zeros((n, metric.width))
    statistics[:, 0] = 1.0
    counts = ((ours & theirs).sum(1), (ours & ~theirs).sum(1), (~ours & theirs).sum(1))
    statistics[:, 1:10] = np.hstack(counts)
    statistics[:, 10] = organs
    values = {name: float(value) for name, value in suite.aggregate(statistics.sum(0)).items()}
    for method in ("percentile", "bca"):
        how = Resampling(RESAMPLES, method=method)
        seconds, _ = cpu(lambda how=how: intervals(statistics, suite.aggregate, values, how), best_of=3)
        yield Row("compare", f"CE, {n} studies, {RESAMPLES:,} resamples, {method}", seconds, "CPU s")

    def loop() -> float:
        total = 0.0
        for _ in range(_LOOP):
            drawn = draw.integers(0, n, n)
            total += precision_recall_fscore_support(
                theirs[drawn].reshape(-1, classes),
                ours[drawn].reshape(-1, classes),
                average="macro",
                zero_division=0,
            )[2]
        return total

    slow, _ = cpu(loop)
    remark = f"{_LOOP} resamples, scaled up"
    yield Row("compare", "the same by a loop over scikit-learn", slow * RESAMPLES / _LOOP, "CPU s", remark)
