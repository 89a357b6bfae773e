"""Score sheets → one table: intervals, paired tests, ranks, lift over baselines, what to beware of."""

from __future__ import annotations

from pet2rep_eval.leaderboard.comparing import MAIN_SCORES, compare
from pet2rep_eval.leaderboard.gathering import ALWAYS, Entrant, gather, with_baselines
from pet2rep_eval.leaderboard.records import Cell, Comparison, Contender, Difference, Entry
from pet2rep_eval.significance import RARE

__all__ = [
    "ALWAYS",
    "MAIN_SCORES",
    "RARE",
    "Cell",
    "Comparison",
    "Contender",
    "Difference",
    "Entrant",
    "Entry",
    "compare",
    "gather",
    "with_baselines",
]
