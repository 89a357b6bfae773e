"""A leaderboard as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pet2rep_eval.cli._output import Grid
from pet2rep_eval.cli._score_tables import hundred, lift, span, title
from pet2rep_eval.leaderboard import Comparison, Difference, Entry
from pet2rep_eval.leaderboard.published import PARTS, Placement

if TYPE_CHECKING:
    from pet2rep_eval.anatomy import Anatomy, Evidence
    from pet2rep_eval.leaderboard.ledger import LedgerRow
    from pet2rep_eval.sensitivity import Line, Sensitivity

SHOWN = ("bleu_4", "meteor", "rouge_l", "ce_precision", "ce_recall")
"""Columns of the second table, where they are there."""
_PAIRS = 45
"""Pairs that are listed; beyond that the rank intervals must do, and the files have them all."""
_SIDE_BY_SIDE = 7
"""Rows of the leaderboard beside each other in a table of definitions."""
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


def ledger_grids(rows: Sequence[LedgerRow]) -> Iterator[Grid]:
    """How the reports are written; CRG, and CE of what was read beside CE of all."""
    columns = (
        "System",
        "Failed",
        "Cut",
        "Loops",
        "Tongue",
        "Slots",
        "Order",
        "Read",
        "Again",
        "Length",
        "Copied",
    )
    written: list[tuple[str, ...]] = []
    for row in rows:
        s = row.structure
        copied = row.prompt_copy if row.prompt_copy is not None else s["template_copy"]
        failed = sum(count for outcome, count in row.outcomes.items() if outcome != "scored")
        counts = (failed, *(row.flags.get(f, 0) for f in ("truncated", "repetitive", "other_language")))
        shares = (s["slots_filled"], s["slots_in_order"], s["parse_coverage"], s["repetition"])
        told = (*map(str, counts), *(f"{100 * share:.0f}" for share in shares))
        written.append((_plain(row.name), *told, f"{s['length_ratio']:.2f}", f"{100 * copied:.0f}"))
    caption = (
        "Failed, cut off, in loops, in another tongue: studies. Slots: organs of the template with stated uptake; "
        "Order: of these, in its order; Read: text in sentences that were read; Again: clauses that repeat; all "
        "in %. Length: of the reference. Copied: % of the text word for word from the prompt's template where "
        "there is one, else the benchmark's."
    )
    yield Grid(
        "How the reports are written", columns, tuple(written), frozenset(range(1, len(columns))), caption
    )
    read = tuple(
        (
            _plain(row.name),
            f"{row.crg:.3f}",
            hundred(row.ce_f1),
            hundred(row.ce_f1_parsed),
            str(row.parsed),
            str(sum(row.outcomes.values())),
        )
        for row in rows
    )
    caption = "CRG: 1 is perfect, 1/3 is silence. Of the read ones: studies in which any uptake was read."
    heads = ("System", "CRG", "CE F1", "of the read ones", "read", "studies")
    yield Grid("Clinical efficacy of all and of what was read", heads, read, frozenset(range(1, 6)), caption)


def sensitivity_grids(found: Sensitivity) -> Iterator[Grid]:
    """For each score: the usual definition, those that differ in one choice, and the spread over all."""
    for score in found.scores:
        lines = [line for line in found.single() if line.definition.score == score]
        names = list(lines[0].values)
        spread = found.spread(score)
        every = sum(line.definition.score == score for line in found.lines)
        for start in range(0, len(names), _SIDE_BY_SIDE):
            shown = names[start : start + _SIDE_BY_SIDE]
            rows = [(line.definition.name, *(_moved(line, name) for name in shown)) for line in lines]
            last = (_spread(*spread[name]) for name in shown)
            rows.append((f"all {every}", *last))
            caption = (
                "× 100; # rank among all rows, places won ▲ or lost ▼. Last row: least to greatest value and rank "
                f"over all {every} combinations."
            )
            columns = ("Definition", *map(_plain, shown))
            numeric = frozenset(range(1, len(columns)))
            heading = f"{title(score)} under other definitions"
            yield Grid(heading, columns, tuple(rows), numeric, caption, frozenset({0}))


def _moved(line: Line, row: str) -> str:
    move = line.moves[row]
    arrow = f"{'▲' if move > 0 else '▼'}{abs(move)}" if move else ""
    return f"{100 * line.values[row]:.1f} #{line.ranks[row]}{arrow}"


def _spread(low: float, high: float, best: int, worst: int) -> str:
    ranks = f"#{best}" if best == worst else f"#{best}–{worst}"
    return f"{100 * low:.0f}–{100 * high:.0f} {ranks}"


def anatomy_grid(found: Sequence[Anatomy]) -> Grid:
    """Errors by kind, one column a system."""
    from pet2rep_eval.anatomy import KINDS

    rows = [("found", *(str(one.hits) for one in found), "abnormal in both, in the same state")]
    rows += [(kind, *(str(one.kinds[kind]) for one in found), told) for kind, told in KINDS.items()]
    columns = ("Error", *(one.system for one in found), "Meaning")
    return Grid("Errors by kind", columns, tuple(rows), frozenset(range(1, len(columns) - 1)))


def agreement_grid(found: Sequence[Anatomy]) -> Grid:
    """CT and uptake of the same organ: which of them agrees with the reference."""
    from pet2rep_eval.anatomy import AGREEMENT

    rows = [(kind, *(str(one.agreement[kind]) for one in found)) for kind in AGREEMENT]
    columns = ("Organs abnormal in either text", *(one.system for one in found))
    return Grid("CT and uptake inside an organ", columns, tuple(rows), frozenset(range(1, len(columns))))


def organs_grid(anatomy: Anatomy, limit: int = 10) -> Grid:
    """Errors by organ and by class, one column a kind."""
    from pet2rep_eval.anatomy import KINDS

    shown = list(anatomy.by_organ.items())[:limit] + list(anatomy.by_class.items())
    rows = [
        (name.replace("_", " "), *(str(counts[kind]) if counts[kind] else "·" for kind in KINDS))
        for name, counts in shown
    ]
    more = len(anatomy.by_organ) - limit
    caption = f"{more} more organs with fewer errors. " if more > 0 else ""
    columns = ("Organ or class", *KINDS)
    numeric = frozenset(range(1, len(columns)))
    return Grid(
        f"{anatomy.system}: errors by organ and class", columns, tuple(rows), numeric, caption.strip()
    )


def worst_grid(anatomy: Anatomy, *, text: bool, number: int = 3, errors: int = 6) -> Grid:
    """The studies with most errors, with the words of both texts or, without *text*, their places."""

    def told(evidence: Sequence[Evidence]) -> str:
        if not evidence:
            return "–"
        first = evidence[0]
        place = f"{first.span.start}–{first.span.end}"
        return f"{first.text} ({place})" if text else place

    rows = []
    for study, cases in anatomy.worst(number):
        for case in cases[:errors]:
            organ = f"{case.organ.replace('_', ' ')}, {case.state.value}"
            rows.append((study, case.kind, organ, told(case.reference), told(case.prediction)))
        if len(cases) > errors:
            rows.append((study, f"{len(cases) - errors} more", "", "", ""))
    columns = ("Study", "Error", "Organ", "Reference says", "Prediction says")
    return Grid(f"{anatomy.system}: studies with most errors", columns, tuple(rows))
