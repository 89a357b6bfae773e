"""Reading long odd texts: how much more CPU time four times the length costs.

The laws of the tests count calls. A copy or a search of the whole text at every place makes no call more, so it shows
only here.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.measure import Row, cpu
from benchmarks.reports import Corpus

LENGTH = 20_000
"""Characters of the shorter text."""


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    """*full*: texts ten times as long."""
    from pet2rep_eval.parsing import parse_report
    from pet2rep_eval.testing import ADVERSARIAL, repeated

    length = 10 * LENGTH if full else LENGTH
    ratios: dict[str, float] = {}
    for name, unit in ADVERSARIAL.items():
        short, long = (
            cpu(partial(parse_report, repeated(unit, size)), best_of=3)[0] for size in (length, 4 * length)
        )
        ratios[name] = long / short
    worst = max(ratios, key=ratios.__getitem__)
    what = f"{4 * length} characters against {length}"
    yield Row("linear", f"{what}, median of {len(ratios)} texts", statistics.median(ratios.values()), "× CPU")
    yield Row("linear", f"{what}, the worst", ratios[worst], "× CPU", worst)
