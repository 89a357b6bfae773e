"""What a comparison gives: rows, differences of two rows, the leaderboard. Records only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.score_sheet import ScoreSheet
from pet2rep_eval.significance import FloatArray, Resampling

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Contender:
    """What one row of the table is about: a system with one or more runs, or a baseline."""

    name: str
    runs: tuple[ScoreSheet, ...]
    baseline: bool = False
    """It looks at no image; it is compared with, and has no rank."""
    title: str = ""

    @property
    def statistics(self) -> FloatArray:
        """Per study (n, k), the mean over runs."""
        mean: FloatArray = np.mean([sheet.statistics for sheet in self.runs], axis=0)
        return mean


@dataclass(frozen=True, slots=True)
class Cell:
    """One score of one row."""

    value: float
    """Mean over runs."""
    interval: tuple[float, float]
    """Over studies."""
    sd: float | None
    """Over studies, of the first run; None for scores that are no mean over them."""
    sd_runs: float | None
    """Over runs; None with one run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table."""

    name: str
    title: str
    baseline: bool
    n: int
    scored: int
    """Studies with a usable report, of the run with fewest."""
    runs: int
    cells: Mapping[str, Cell]
    rank: Mapping[str, int]
    """Score → rank among the systems, 1 is best; equal values share one. Empty for baselines."""
    ranks: Mapping[str, tuple[int, int]]
    """Score → best and worst rank that the paired tests leave open."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two rows compared in one score."""

    first: str
    second: str
    score: str
    difference: float
    interval: tuple[float, float]
    """Percentile interval of the paired difference."""
    p: float
    """Approximate randomisation, or exact with few studies."""
    exact: bool
    p_bootstrap: float
    p_holm: float
    """*p* adjusted over the family: all pairs of systems, or all rows against the baseline."""
    p_fdr: float
    """The same by Benjamini and Hochberg."""
    detectable: float
    """True difference that such a test finds four times in five at .05."""

    def to_dict(self) -> dict[str, Any]:
        """Flat: the interval as two numbers."""
        found = asdict(self)
        found["interval_low"], found["interval_high"] = found.pop("interval")
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """The leaderboard."""

    entries: tuple[Entry, ...]
    """Best first by the main score, then the baselines."""
    main: str
    """The score that ranks."""
    against: str
    """The baseline that every other row is tested against."""
    to_baseline: tuple[Difference, ...]
    pairs: tuple[Difference, ...]
    """All pairs of systems, in all scores."""
    resampling: Resampling
    trials: int
    protocol: str
    profile: str
    warnings: tuple[str, ...] = ()
    summary: str = ""
    contenders: tuple[Contender, ...] = field(default=(), repr=False)
    """In the order of the entries."""

    @property
    def scores(self) -> tuple[str, ...]:
        return tuple(self.entries[0].cells)

    def entry(self, name: str) -> Entry:
        """The row of that name. Raises :class:`UnknownNameError`."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise UnknownNameError("row", name, [entry.name for entry in self.entries])

    def lift(self, name: str, score: str | None = None) -> Difference | None:
        """What the row *name* has over the baseline; None for the baseline itself."""
        score = score or self.main
        found = (d for d in self.to_baseline if d.first == name and d.score == score)
        return next(found, None)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, without the statistics."""
        return {
            "protocol": self.protocol,
            "profile": self.profile,
            "main": self.main,
            "baseline": self.against,
            "resampling": asdict(self.resampling),
            "trials": self.trials,
            "rows": [asdict(entry) for entry in self.entries],
            "to_baseline": [asdict(d) for d in self.to_baseline],
            "pairs": [asdict(d) for d in self.pairs],
            "warnings": list(self.warnings),
            "summary": self.summary,
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a system and score, as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """One row a system and score: value, interval, SDs, rank, lift over the baseline with its test."""
        found = []
        for entry in self.entries:
            for score, cell in entry.cells.items():
                lift = self.lift(entry.name, score)
                low, high = entry.ranks.get(score, (None, None))
                found.append(
                    {
                        "system": entry.name,
                        "baseline": entry.baseline,
                        "n": entry.n,
                        "scored": entry.scored,
                        "runs": entry.runs,
                        "score": score,
                        "value": cell.value,
                        "interval_low": cell.interval[0],
                        "interval_high": cell.interval[1],
                        "sd": cell.sd,
                        "sd_runs": cell.sd_runs,
                        "rank": entry.rank.get(score),
                        "rank_low": low,
                        "rank_high": high,
                        "lift": lift.difference if lift else None,
                        "p": lift.p if lift else None,
                        "p_holm": lift.p_holm if lift else None,
                    }
                )
        return found
