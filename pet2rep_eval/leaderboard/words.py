"""What a leaderboard shows, in words, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pet2rep_eval.leaderboard.records import Comparison, Contender, Entry
from pet2rep_eval.significance import RARE

FEW = 30
"""Studies. The bootstrap takes their spread for that of all studies, which with so few it understates."""

_NAMED = 4


def warnings(contenders: Sequence[Contender]) -> Iterator[str]:
    """What makes intervals and tests weaker than they look."""
    sheet = contenders[0].runs[0]
    rare = [
        f"'{label}' ({row.support})"
        for label, row in (sheet.efficacy.per_class.items() if sheet.efficacy else ())
        if row.support < RARE
    ]
    if rare:
        yield (
            f"Fewer than {RARE} labels in the references: {', '.join(rare)}. CE averages over classes, so "
            "its intervals rest on few cases and can cover as little as 87 % where they say 95 %; a class "
            "without any label adds 0 to the CE of every system."
        )
    if sheet.n <= FEW:
        yield f"Only {sheet.n} studies: intervals are too narrow, and only large differences show."
    failed = [
        f"{c.name} ({run.n - run.outcomes['scored']})"
        for c in contenders
        for run in c.runs
        if run.outcomes["scored"] < run.n
    ]
    if failed:
        yield f"Studies without a usable report count as failed: {', '.join(failed)}."


def score_name(score: str) -> str:
    """``ce_f1`` as a sentence calls it: CE F1."""
    return (
        score.replace("_", " ").replace("ce f1", "CE F1").replace("ce ", "CE ").replace("overall", "Overall")
    )


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 2 else names)


def _verb(names: Sequence[str], singular: str) -> str:
    return singular if len(names) == 1 else singular.removesuffix("s")


def _p(p: float) -> str:
    return f"p = {p:.3f}" if p >= 0.001 else f"p = {p:.1g}"


def summary(comparison: Comparison) -> str:
    """The table in a few sentences. Scores × 100, as the table prints them."""
    return " ".join(_sentences(comparison))


def _sentences(comparison: Comparison) -> Iterator[str]:
    main, name = comparison.main, score_name(comparison.main)
    level = 1.0 - comparison.resampling.confidence
    systems = [entry for entry in comparison.entries if not entry.baseline]
    if systems:
        yield _leader(comparison, systems, name)
    best = max((entry.cells[main].value for entry in systems), default=0.0)
    above = [e.name for e in comparison.entries if e.baseline and e.cells[main].value > best]
    if systems and above:
        who = "it" if len(systems) == 1 else "every system"
        yield f"Without looking at any image, {_listed(above)} {_verb(above, 'scores')} higher than {who}."
    lifts = {entry.name: comparison.lift(entry.name) for entry in systems}
    ahead = [who for who, d in lifts.items() if d and d.p_holm <= level and d.difference > 0]
    behind = [who for who, d in lifts.items() if d and d.p_holm <= level and d.difference < 0]
    tested = sum(d is not None for d in lifts.values())
    if tested:
        against = f"'{comparison.against}'"
        open_ = tested - len(ahead) - len(behind)
        parts = [
            *([f"ahead of {against}: {_listed(ahead)}"] if ahead else []),
            *([f"behind {against}: {_listed(behind)}"] if behind else []),
            *([f"not told from {against}: {open_}"] if open_ else []),
        ]
        yield f"Tested in {name}, {'; '.join(parts)}."
    detectable = [d.detectable for d in comparison.pairs if d.score == main]
    detectable = detectable or [d.detectable for d in lifts.values() if d]
    if detectable:
        n, usual = comparison.entries[0].n, 100 * float(np.median(detectable))
        yield (
            f"With {n} studies, a true difference of {usual:.1f} in {name} between two such rows would be "
            "found four times in five."
        )


def _leader(comparison: Comparison, systems: Sequence[Entry], name: str) -> str:
    level = 1.0 - comparison.resampling.confidence
    first = systems[0]
    cell = first.cells[comparison.main]
    low, high = (100 * bound for bound in cell.interval)
    told = f"{100 * cell.value:.1f} ({100 * comparison.resampling.confidence:g} % interval {low:.1f} to {high:.1f})"
    if len(systems) == 1:
        return f"{first.name} reaches {told} in {name}."
    begin = f"{first.name} has the highest {name}, {told}"
    beaten, level_with = [], []
    for d in comparison.pairs:
        if d.score == comparison.main and first.name in (d.first, d.second):
            other = d.second if d.first == first.name else d.first
            if d.p_holm <= level:
                beaten.append(other)
            else:
                level_with.append((other, d.p_holm))
    parts = []
    if beaten:
        parts.append(f"it is ahead of {_listed(beaten)}")
    if level_with:
        names = [other for other, _ in level_with]
        least = min(p for _, p in level_with)
        parts.append(f"it cannot be told from {_listed(names)} (adjusted {_p(least)} or more)")
    return f"{begin}: {', '.join(parts)}."
