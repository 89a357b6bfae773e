"""``pet2rep-eval verify``: recompute results, or say why two results differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pet2rep_eval.cli._output import Grid, chosen_format, console, emit, to_json, to_markdown, to_rich

if TYPE_CHECKING:
    from pet2rep_eval.verification import Verification

_SHOWN = 10
"""Study ids named in a table."""


@click.command(name="verify", short_help="Recompute results and say what matches.")
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--against", type=click.Path(path_type=Path), help="Other results: say why the two differ.")
@click.option(
    "--predictions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Where the file that was scored is now. Once for each system of the results.",
)
@click.option("--references", type=click.Path(path_type=Path), help="Where the references are now.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "json", "markdown")),
    help="Default: table on a terminal, json in a pipe.",
)
@click.pass_context
def command(
    ctx: click.Context,
    results: Path,
    against: Path | None,
    predictions: tuple[Path, ...],
    references: Path | None,
    format_: str | None,
) -> None:
    """Recompute RESULTS (the JSON of ``score``) from the files that were scored, and print what matches.

    With --against nothing is recomputed: two results are compared, and every score that differs is explained
    by what decides it. Exit 1 if anything that counts differs: a number, a text, a setting, the vocabulary,
    the grammars, the version.

    \b
    Examples:
      pet2rep-eval verify results/results.json
      pet2rep-eval verify results/results.json --references here/references.jsonl
      pet2rep-eval verify ours.json --against theirs.json
    """
    from pet2rep_eval.verification import load_results, match, recompute, verify

    recorded = load_results(results)
    if against:
        pairs = match(recorded, load_results(against))
        labels = (results.name, against.name)
    else:
        moved = [str(path) for path in predictions]
        computed = recompute(recorded, predictions=moved, references=str(references) if references else None)
        pairs = list(zip(recorded, computed, strict=True))
        labels = ("recorded", "now")
    if labels[0] == labels[1]:
        labels = (str(results), str(against))
    found = [verify(first, second) for first, second in pairs]
    kind = chosen_format(format_)
    if kind == "json":
        emit(to_json([one.to_dict() for one in found] if len(found) > 1 else found[0].to_dict()))
    elif kind == "markdown":
        for one in found:
            emit("\n\n".join([*map(to_markdown, grids(one, labels)), verdict(one)]))
    else:
        out = console()
        for one in found:
            for grid in grids(one, labels):
                out.print(to_rich(grid))
            out.print(verdict(one), markup=False)
    if not all(one.same for one in found):
        ctx.exit(1)


def grids(found: Verification, labels: tuple[str, str]) -> Iterator[Grid]:
    """What decides the numbers, the studies that differ, and the scores with the reasons."""
    decides = [(f.name, f.first, f.second, _verdict(f.same, f.decisive)) for f in found.fields]
    yield Grid(f"{found.system}: what decides the numbers", ("Field", *labels, ""), tuple(decides))
    differing = [(what, ids) for what, ids in found.studies.items() if ids]
    if differing:
        studies = tuple(
            (what, str(len(ids)), ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else ""))
            for what, ids in differing
        )
        yield Grid("Studies", ("What", "Studies", "Ids"), studies, frozenset({1}))
    scores = tuple(
        (
            score.name,
            _number(score.first),
            _number(score.second),
            "DIFFERS" if not score.same else "same" if score.interval_same else "interval differs",
        )
        for score in found.scores
    )
    yield Grid("Scores", ("Score", *labels, ""), scores, frozenset({1, 2}))
    why: dict[str, list[str]] = {}
    for score in found.scores:
        if not (score.same and score.interval_same):
            for reason in score.reasons or ("nothing that is recorded",):
                why.setdefault(reason, []).append(score.name)
    if why:
        every = sum(not (score.same and score.interval_same) for score in found.scores)
        rows = [(why_, _named(names, every)) for why_, names in why.items()]
        yield Grid("Why", (f"{labels[0]} / {labels[1]}", "Scores"), tuple(rows))


def _named(names: list[str], every: int) -> str:
    return "all that differ" if len(names) == every > 1 else ", ".join(names)


def _verdict(same: bool, decisive: bool) -> str:
    return "same" if same else ("DIFFERS" if decisive else "differs")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6f}"


def verdict(found: Verification) -> str:
    """One sentence."""
    differing = [field.name for field in found.fields if field.decisive and not field.same]
    differing += [f"{what} {len(ids)}" for what, ids in found.studies.items() if ids]
    if found.same:
        return f"{found.system}: everything matches."
    numbers = [score.name for score in found.scores if not score.same]
    if not numbers:
        if not differing:
            return f"{found.system}: all values match; intervals differ."
        return f"{found.system}: all values match, although these differ: {', '.join(differing)}."
    because = f" These differ: {', '.join(differing)}." if differing else ""
    return f"{found.system}: {len(numbers)} of {len(found.scores)} scores differ.{because}"
