"""A leaderboard as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pet2rep_eval.cli._output import Grid
from pet2rep_eval.cli._score_tables import hundred, lift, span, title
from pet2rep_eval.leaderboard import Comparison, Difference, Entry
from pet2rep_eval.leaderboard.published import PARTS, Placement

SHOWN = ("bleu_4", "meteor", "rouge_l", "ce_precision", "ce_recall")
"""Columns of the second table, where they are there."""
_PAIRS = 45
"""Pairs that are listed; beyond that the rank intervals must do, and the files have them all."""
_SHORT = {"ce_precision": "CE P", "ce_recall": "CE R"}


def headline(comparison: Comparison) -> list[str]:
    """The scores of the first table: the one that ranks, and CE F1."""
    return [comparison.main, *(s for s in ("ce_f1",) if s in comparison.scores and s != comparison.main)]


def leaderboard_grid(comparison: Comparison) -> Grid:
    """Systems by rank, then the baselines."""
    how = comparison.resampling
    columns = ["System", "Rank"]
    for score in headline(comparison):
        columns += [title(score), f"{100 * how.confidence:g} %"]
    columns += ["vs base", "p"]
    rows = []
    for entry in comparison.entries:
        row = [_name(entry), _rank(entry, comparison)]
        for score in headline(comparison):
            row += [_value(entry, score), span(entry.cells[score].interval)]
        over = comparison.lift(entry.name)
        row += [lift(over.difference), p_value(over.p_holm)] if over else ["–", "–"]
        rows.append(tuple(row))
    n, main = comparison.entries[0].n, title(comparison.main)
    heading = f"{n} studies, protocol {comparison.protocol}, profile {comparison.profile}"
    caption = (
        f"Values × 100. Ranked by {main}; in brackets the ranks that paired tests leave open. Intervals: "
        f"{how.title} bootstrap over studies ({how.resamples:,}, seed {how.seed}). vs base: {main} less that "
        f"of {_plain(comparison.against)}; p: approximate randomisation ({comparison.trials:,}), adjusted by "
        "Holm."
    )
    if any(entry.runs > 1 for entry in comparison.entries):
        caption += " ±: SD over runs."
    numeric = frozenset(range(1, len(columns)))
    return Grid(heading, tuple(columns), tuple(rows), numeric, caption, frozenset({0}))


def scores_grid(comparison: Comparison) -> Grid | None:
    """The other scores, each with its interval."""
    first = headline(comparison)
    scores = [s for s in SHOWN if s in comparison.scores and s not in first]
    if not scores:
        scores = [s for s in comparison.scores if s not in first]
    if not scores:
        return None
    rows = [
        (_name(entry), *(f"{_value(entry, s)}\n{span(entry.cells[s].interval)}" for s in scores))
        for entry in comparison.entries
    ]
    columns = ("System", *(_SHORT.get(s, title(s)) for s in scores))
    return Grid("Other scores", columns, tuple(rows), frozenset(range(1, len(columns))))


def _value(entry: Entry, score: str) -> str:
    cell = entry.cells[score]
    return hundred(cell.value) + (f" ±{100 * cell.sd_runs:.1f}" if cell.sd_runs is not None else "")


def _plain(name: str) -> str:
    return name.replace("_", "-")


def _name(entry: Entry) -> str:
    runs = f" ({entry.runs} runs)" if entry.runs > 1 else ""
    return (f"baseline: {_plain(entry.name)}" if entry.baseline else entry.name) + runs


def _rank(entry: Entry, comparison: Comparison) -> str:
    if entry.baseline:
        return "–"
    rank = entry.rank[comparison.main]
    tied = sum(other.rank.get(comparison.main) == rank for other in comparison.entries) > 1
    low, high = entry.ranks[comparison.main]
    between = f"{low}" if low == high else f"{low}–{high}"
    return f"{rank}{'=' if tied else ''} [{between}]"


def p_value(p: float) -> str:
    """Three decimals, or a bound: nothing is 0."""
    return "< .001" if p < 0.001 else f"{p:.3f}"


def _between(interval: tuple[float, float]) -> str:
    """An interval of differences × 100."""
    low, high = (f"{100 * bound:.1f}".replace("-", "−") for bound in interval)
    return f"{low} to {high}"


def tests_grid(differences: Sequence[Difference], heading: str, caption: str) -> Grid:
    """Pairs of rows with difference, interval, p-values and what would have been found."""
    columns = ("", "Score", "Difference", "95 %", "p", "bootstrap", "Holm", "BH", "Detectable")
    rows = [
        (
            f"{_plain(d.first)} − {_plain(d.second)}",
            title(d.score),
            lift(d.difference),
            _between(d.interval),
            p_value(d.p),
            p_value(d.p_bootstrap),
            p_value(d.p_holm),
            p_value(d.p_fdr),
            hundred(d.detectable),
        )
        for d in differences
    ]
    return Grid(heading, columns, tuple(rows), frozenset(range(2, 9)), caption)


def grids(comparison: Comparison) -> Iterator[Grid]:
    """The leaderboard, the tests against the baseline, and those of all pairs where they are few."""
    yield leaderboard_grid(comparison)
    others = scores_grid(comparison)
    if others:
        yield others
    scores = headline(comparison)
    systems = {entry.name for entry in comparison.entries if not entry.baseline}
    to_base = [d for s in scores for d in comparison.to_baseline if d.score == s and d.first in systems]
    exact = any(d.exact for d in comparison.to_baseline)
    kind = "all exchanges of studies" if exact else "approximate randomisation"
    caption = (
        f"× 100. p: {kind}; bootstrap: paired bootstrap; Holm, BH: p adjusted for all rows. Detectable: the "
        "true difference that is found four times in five."
    )
    if to_base:
        yield tests_grid(to_base, f"Against {_plain(comparison.against)}", caption)
    pairs = [d for s in scores for d in comparison.pairs if d.score == s]
    if pairs and len(pairs) <= _PAIRS:
        yield tests_grid(pairs, "All pairs of systems", caption.replace("all rows", "all pairs"))


def published_grid(placement: Placement) -> Grid:
    """The systems among the published ones."""
    columns = ("System", "Place", "Images", *(_SHORT.get(c, title(c)) for c in PARTS), "Overall")
    rows = tuple(
        (
            f"▶ {row.system}" if row.ours else row.system,
            "–" if row.place is None else str(row.place),
            row.input or "–",
            *(hundred(row.scores[c]) for c in PARTS),
            f"{100 * row.scores['overall']:.1f}",
        )
        for row in placement.rows
    )
    stressed = frozenset(i for i, row in enumerate(placement.rows) if row.ours)
    told: dict[str, list[str]] = {}
    for column, reason in placement.comparable.items():
        told.setdefault(reason, []).append(_SHORT.get(column, title(column)))
    caption = (
        "▶: scored here; the others as printed, with their better kind of images. Comparable? "
        + "; ".join(f"{', '.join(names)}: {reason}" for reason, names in told.items())
    )
    numeric = frozenset({1, *range(3, 10)})
    return Grid("Among the published systems", columns, rows, numeric, f"{caption}.", stressed)
