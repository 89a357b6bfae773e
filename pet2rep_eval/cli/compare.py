"""``pet2rep-eval compare``: several systems, with intervals, paired tests, ranks and baselines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli._inputs import Given, input_options
from pet2rep_eval.cli._output import (
    FORMATS,
    Grid,
    chosen_format,
    console,
    emit,
    note,
    progress,
    settings,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
    to_rich,
)

if TYPE_CHECKING:
    from pet2rep_eval.cli._compare_extras import Extras
    from pet2rep_eval.inputs import ReadSystem
    from pet2rep_eval.leaderboard import Comparison, Entrant
    from pet2rep_eval.records import ParsedReport

BASELINE_NAMES = ("most_frequent", "shuffled", "nearest")


class Run(click.ParamType[tuple[str, str]]):
    """``SYSTEM=FILE``."""

    name = "SYSTEM=FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        system, sign, path = str(value).partition("=")
        if not (system and sign and path):
            self.fail(f"'{value}' is not SYSTEM=FILE, such as model=seed1.jsonl.", param, ctx)
        return system, path


@click.command(name="compare", short_help="Rank systems, with intervals, paired tests and baselines.")
@input_options
@click.option("--baseline", "against", help="Row that all others are tested against. Default: the template.")
@click.option(
    "--add-baseline",
    "more",
    multiple=True,
    type=click.Choice((*BASELINE_NAMES, "all")),
    help="One more baseline beside template and all-normal. Can be repeated.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=Run(),
    help="One more run of a system, such as another seed: its runs make one row. Can be repeated.",
)
@click.option("--by", "main", help="Score that ranks. Default: overall, else CE F1.")
@click.option("--trials", type=int, default=10_000, show_default=True, help="Of the randomisation tests.")
@click.option(
    "--workers",
    type=int,
    default=0,
    help="Processes that score. Default: as many as there are cores, where there are many reports.",
)
@click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="PET2REP_EVAL_CACHE",
    help="Folder where parses, words and statistics are kept between runs. It will hold report text.",
)
@click.option("--with-published", is_flag=True, help="Place the systems among the published ones.")
@click.option("--sensitivity", is_flag=True, help="The same predictions under every plausible definition.")
@click.option("--anatomy", is_flag=True, help="What kinds of errors are made, where, and the worst studies.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the tables in every format, per study and per statement.",
)
@click.option("--no-text", is_flag=True, help="Hashes and spans in place of report text in what is written.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Default: table on a terminal, json in a pipe.",
)
def command(
    given: Given,
    against: str | None,
    more: tuple[str, ...],
    runs: tuple[tuple[str, str], ...],
    main: str | None,
    trials: int,
    workers: int,
    cache_folder: Path | None,
    with_published: bool,
    sensitivity: bool,
    anatomy: bool,
    output: Path | None,
    no_text: bool,
    format_: str | None,
) -> None:
    """Compare PREDICTIONS, each the file of one system, on the same references.

    One table with an interval for every score, ranks with what paired tests leave open, and baselines that
    look at no image. Every row is tested against a baseline, and all pairs of systems against each other.

    \b
    Examples:
      pet2rep-eval compare a.jsonl b.jsonl --references refs.jsonl
      pet2rep-eval compare a.jsonl b.jsonl --references refs.jsonl --baseline a --by ce_f1
      pet2rep-eval compare a1.jsonl --system a --run a=a2.jsonl --run a=a3.jsonl --references refs.jsonl
      pet2rep-eval compare a.jsonl --references refs.jsonl --add-baseline all --sensitivity --output results
    """
    from pet2rep_eval.cache import TextCache
    from pet2rep_eval.cli._compare_extras import finished_sheets, gather_extras, write_all
    from pet2rep_eval.cli._compare_tables import grids
    from pet2rep_eval.leaderboard import compare, gather, with_baselines
    from pet2rep_eval.parsing import parse_report
    from pet2rep_eval.significance import Resampling

    resampling = given.resampling or Resampling()
    names = BASELINE_NAMES if "all" in more else more
    if against and against.replace("-", "_") in BASELINE_NAMES:
        names = (*names, against.replace("-", "_"))
    cache = TextCache(cache_folder) if cache_folder else None
    entrants = with_baselines(read_entrants(given, runs), names, resampling.seed, cache)
    known = [entrant.name for entrant in entrants]
    if against and against not in known and against.replace("-", "_") in known:
        against = against.replace("-", "_")
    with progress("Scoring", sum(len(run.pairs) for e in entrants for run in e.runs)) as done:
        contenders = gather(
            entrants,
            protocol=given.protocol,
            profile=given.profile,
            metrics=given.metrics or None,
            policy=given.policy,
            progress=done,
            workers=workers or os.cpu_count() or 1,
            cache=cache,
        )
    comparison = compare(contenders, against=against, main=main, resampling=resampling, trials=trials)

    def read(text: str) -> ParsedReport:
        return cache.report(text, parse_report) if cache else parse_report(text)

    extras = gather_extras(
        comparison,
        protocol=given.protocol,
        profile=given.profile,
        read=read,
        templates={e.name: e.prompt_templates for e in entrants if e.prompt_templates},
        with_published=with_published,
        sensitivity=sensitivity,
        anatomy=anatomy,
        text=not no_text,
    )
    show(comparison, extras, format_)
    if output:
        sheets = finished_sheets(comparison, _settings(given, runs, entrants))
        write_all(comparison, extras, sheets, [*grids(comparison), *extras.grids()], output, read)
        note(f"Results: {output}{'/' if not str(output).endswith('/') else ''}")
    if cache:
        cache.close()
        if cache.problem:
            note(cache.problem)


def _settings(
    given: Given, runs: Sequence[tuple[str, str]], entrants: Sequence[Entrant]
) -> dict[str, list[dict[str, Any]]]:
    """System → the inputs of each of its runs."""
    from dataclasses import replace

    first = given.sources[0]
    systems = [entrant for entrant in entrants if not entrant.baseline]
    found: dict[str, list[dict[str, Any]]] = {entrant.name: [] for entrant in systems}
    for source, entrant in zip(given.sources, systems, strict=False):
        found[entrant.name].append(given.settings(source))
    for name, path in runs:
        found[name].append(given.settings(replace(first, predictions=path, system=name)))
    return found


def read_entrants(given: Given, runs: Sequence[tuple[str, str]]) -> list[Entrant]:
    """The systems that were given, with their runs, in the order given. Raises :class:`UsageError`."""
    from dataclasses import replace

    from pet2rep_eval.evaluation import prompt_templates
    from pet2rep_eval.inputs import read_systems
    from pet2rep_eval.leaderboard import Entrant

    first = given.sources[0]
    more = [replace(first, predictions=path, system=system) for system, path in runs]
    grouped: dict[str, list[ReadSystem]] = {}
    for place, system in enumerate(read_systems([*given.sources, *more])):
        name = system.aligned.system
        if place < len(given.sources) and name in grouped:
            raise click.UsageError(f"Two systems are called '{name}'. Name them with --system, or use --run.")
        grouped.setdefault(name, []).append(system)
    return [
        Entrant(
            name,
            tuple(system.aligned for system in systems),
            prompt_templates=prompt_templates(systems[0].submission),
        )
        for name, systems in grouped.items()
    ]


def show(comparison: Comparison, extras: Extras, format_: str | None) -> None:
    """Print a leaderboard to stdout in a format of :data:`FORMATS`."""
    kind = chosen_format(format_)
    if kind == "json":
        emit(to_json(comparison.to_dict() | extras.to_dict()))
    elif kind == "csv":
        rows = comparison.rows()
        emit(to_csv(list(rows[0]), [list(row.values()) for row in rows]))
    else:
        from pet2rep_eval.cli._compare_tables import grids

        sentences = [comparison.summary, *extras.sentences()]
        print_grids([*grids(comparison), *extras.grids()], sentences, comparison.warnings, kind)


def print_grids(shown: Sequence[Grid], sentences: Sequence[str], warnings: Sequence[str], kind: str) -> None:
    """Tables, then sentences, then warnings."""
    if kind in ("markdown", "latex"):
        render = to_markdown if kind == "markdown" else to_latex
        emit("\n\n".join(render(grid) for grid in shown))
        if kind == "markdown":
            emit("\n" + "\n\n".join([*sentences, *(f"- {warning}" for warning in warnings)]))
        return
    out = console()
    for grid in shown:
        out.print(to_rich(grid))
        out.print()
    for sentence in sentences:
        out.print(sentence, markup=False)
    if not settings().get("quiet"):
        for warning in warnings:
            out.print(f"• {warning}", style="dim", markup=False)
