"""Score sheets as tables: one system in detail, several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pet2rep_eval.cli._output import Grid
from pet2rep_eval.score_sheet import ScoreSheet

TITLES: Mapping[str, str] = {
    **{f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)},
    **{f"corpus_bleu_{n}": f"BLEU-{n}, corpus" for n in range(1, 5)},
    "meteor": "METEOR",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "ce_precision": "CE precision",
    "ce_recall": "CE recall",
    "ce_f1": "CE F1",
    "ce_f1_of_macro": "CE F1 of macro P, R",
    "ce_state_accuracy": "State accuracy",
    "overall": "Overall",
}
"""Score → how a table calls it; scores of other packages keep their name."""

_MAIN = ("overall", "ce_f1")
_SIDE_BY_SIDE = ("bleu_4", "meteor", "rouge_l", "ce_precision", "ce_recall", "ce_f1", "overall")
_SHORT = {"ce_precision": "CE P", "ce_recall": "CE R"}
_CAPTION = "Values × 100, CIDEr too."


def title(score: str) -> str:
    return TITLES.get(score, score)


def hundred(value: float | None) -> str:
    """A fraction × 100 with two decimals; a dash for None."""
    return "–" if value is None else f"{100 * value:.2f}"


def lift(value: float) -> str:
    """A difference × 100 with its sign; a zero has none."""
    text = f"{100 * value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def span(interval: tuple[float, float] | None) -> str:
    """An interval × 100 with one decimal; a dash for None."""
    if interval is None:
        return "–"
    low, high = (f"{100 * bound:.1f}".replace("-0.0", "0.0").replace("-", "−") for bound in interval)
    return f"{low}–{high}"


def scores_grid(sheet: ScoreSheet) -> Grid:
    """All scores of one system, with what the baselines reach and the lift over them."""
    how = sheet.resampling
    columns = ["Score", "Value", *([f"{100 * how.confidence:g} %"] if how else []), "SD"]
    for baseline in sheet.baselines:
        columns += [baseline.name.replace("_", "-"), "lift"]
    rows = []
    for name, score in sheet.scores.items():
        between = [span(score.interval)] if how else []
        row = [title(name), hundred(score.value), *between, hundred(score.sd)]
        for baseline in sheet.baselines:
            row += [hundred(baseline.scores[name]), lift(baseline.lift[name])]
        rows.append(tuple(row))
    stressed = frozenset(i for i, name in enumerate(sheet.scores) if name in _MAIN)
    heading = f"{sheet.system}: {sheet.n} studies, protocol {sheet.protocol}, profile {sheet.profile}"
    bootstrap = f" Intervals: {how.title} bootstrap over studies ({how.resamples:,})." if how else ""
    caption = f"{_CAPTION}{bootstrap} SD over studies."
    if sheet.baselines:
        told = "; ".join(f"{b.name.replace('_', '-')}, {b.title}" for b in sheet.baselines)
        caption += f" Baselines: {told}."
    return Grid(heading, tuple(columns), tuple(rows), frozenset(range(1, len(columns))), caption, stressed)


def classes_grid(sheet: ScoreSheet) -> Grid | None:
    """Precision, recall, F1 and support of each class."""
    if not sheet.efficacy:
        return None
    rows = [
        (label, hundred(r.precision), hundred(r.recall), hundred(r.f1), str(r.support), str(r.predicted))
        for label, r in sheet.efficacy.per_class.items()
    ]
    columns = ("Class", "Precision", "Recall", "F1", "In references", "Predicted")
    return Grid("Uptake states, over all organs", columns, tuple(rows), frozenset(range(1, 6)))


def organs_grid(sheet: ScoreSheet) -> Grid | None:
    """The organs with anything abnormal in references or predictions, most frequent first."""
    if not sheet.efficacy:
        return None
    organs = [(o, r) for o, r in sheet.efficacy.per_organ.items() if r.support or r.predicted]
    organs.sort(key=lambda item: -item[1].support)
    rows = [
        (
            o.replace("_", " "),
            hundred(r.precision),
            hundred(r.recall),
            hundred(r.f1),
            str(r.support),
            str(r.predicted),
        )
        for o, r in organs
    ]
    quiet = len(sheet.efficacy.per_organ) - len(organs)
    caption = f"{quiet} more organs: nothing abnormal in references or predictions." if quiet else ""
    columns = ("Organ", "Precision", "Recall", "F1", "In references", "Predicted")
    return Grid("Organs, over all states", columns, tuple(rows), frozenset(range(1, 6)), caption)


def confusion_grid(sheet: ScoreSheet) -> Grid | None:
    """The most abnormal state of each organ in reference (rows) and prediction (columns)."""
    if not sheet.efficacy:
        return None
    labels = sheet.efficacy.state_labels
    rows = tuple(
        (label, *map(str, counts)) for label, counts in zip(labels, sheet.efficacy.confusion, strict=True)
    )
    columns = ("Reference ↓  prediction →", *labels)
    return Grid("Most abnormal state of each organ", columns, rows, frozenset(range(1, len(columns))))


def outcomes_grid(sheets: Sequence[ScoreSheet]) -> Grid:
    """What became of the reference studies, and the flags of those that were scored."""

    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()) or "–"

    rows = []
    for sheet in sheets:
        outcomes = dict(sheet.outcomes)
        scored = outcomes.pop("scored")
        rows.append((sheet.system, str(sheet.n), str(scored), told(outcomes), told(sheet.flags)))
    caption = (
        "Failed studies count: 0 for the text metrics, no abnormal organ for CE. Flags change no number."
    )
    columns = ("System", "Studies", "Scored", "Failed", "Flags of scored ones")
    return Grid("Outcomes", columns, tuple(rows), frozenset({1, 2}), caption)


def comparison_grid(sheets: Sequence[ScoreSheet]) -> Grid:
    """One row a system, then the baselines on the same references."""
    shown = [s for s in _SIDE_BY_SIDE if all(s in sheet.scores for sheet in sheets)]
    shown = shown or list(sheets[0].scores)
    columns = ("System", "Scored", *(_SHORT.get(s, title(s)) for s in shown), "lift")
    main = "overall" if "overall" in shown else shown[-1]
    rows = []
    for sheet in sheets:
        template = next((b for b in sheet.baselines if b.name == "template"), None)
        rows.append(
            (
                sheet.system,
                f"{sheet.outcomes['scored']}/{sheet.n}",
                *(hundred(sheet.scores[s].value) for s in shown),
                lift(template.lift[main]) if template else "–",
            )
        )
    best = max(range(len(sheets)), key=lambda i: sheets[i].scores[main].value)
    groups: dict[tuple[tuple[str, float], ...], str] = {}
    for sheet in sheets:
        for baseline in sheet.baselines:
            key = tuple(baseline.scores.items())
            if key not in groups:
                groups[key] = baseline.name
                label = f"({baseline.name.replace('_', '-')})"
                rows.append((label, "", *(hundred(baseline.scores[s]) for s in shown), ""))
    heading = f"{len(sheets)} systems, protocol {sheets[0].protocol}, profile {sheets[0].profile}"
    caption = f"{_CAPTION} In brackets: baselines. Lift: {title(main)} over the benchmark's template, copied."
    numeric = frozenset(range(1, len(columns)))
    return Grid(heading, columns, tuple(rows), numeric, caption, frozenset({best}))


def class_comparison_grid(sheets: Sequence[ScoreSheet]) -> Grid | None:
    """F1 of each class, one row a system."""
    tables = [sheet.efficacy for sheet in sheets]
    first = tables[0]
    if first is None or any(t is None or list(t.per_class) != list(first.per_class) for t in tables):
        return None
    columns = ("System", *first.per_class)
    rows = tuple(
        (sheet.system, *(f"{hundred(r.f1)} ({r.predicted})" for r in table.per_class.values()))
        for sheet, table in zip(sheets, tables, strict=True)
        if table
    )
    support = ", ".join(f"{c} {r.support}" for c, r in first.per_class.items())
    caption = f"F1, and how often a state is predicted. In the references: {support}."
    return Grid("Uptake states", columns, rows, frozenset(range(1, len(columns))), caption)


def grids(sheets: Sequence[ScoreSheet]) -> Iterator[Grid]:
    """The tables of one system in detail, or of several side by side."""
    found: tuple[Grid | None, ...]
    if len(sheets) == 1:
        sheet = sheets[0]
        found = (scores_grid(sheet), classes_grid(sheet), confusion_grid(sheet), organs_grid(sheet))
    else:
        found = (comparison_grid(sheets), class_comparison_grid(sheets))
    yield from (grid for grid in found if grid)
    yield outcomes_grid(sheets)


def remarks(sheets: Sequence[ScoreSheet]) -> list[str]:
    """What a reader must know beside the numbers; each sentence once, with the systems it is about."""
    about: dict[str, list[str]] = {}
    for sheet in sheets:
        unseen = sheet.unseen
        notes = list(sheet.notes)
        if unseen and unseen.statements:
            first = ", ".join(f"{site} {count}" for site, count in list(unseen.sites.items())[:3])
            notes.append(
                f"The protocol '{sheet.protocol}' does not see {unseen.unseen} of {unseen.statements} "
                f"abnormal statements of the references ({unseen.share:.0%})"
                + (f": {first}, …" if first else "")
                + "."
            )
        for note in notes:
            about.setdefault(note, []).append(sheet.system)
    return [
        note if len(systems) == len(sheets) else f"{', '.join(systems)}: {note}"
        for note, systems in about.items()
    ]
