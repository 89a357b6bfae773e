"""``pet2rep-eval score``: score one or more systems' reports."""

from __future__ import annotations

import json
import re
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
    from pet2rep_eval.score_sheet import ScoreSheet


class Threshold(click.ParamType[tuple[str, float]]):
    """``METRIC=VALUE``, the value a fraction."""

    name = "METRIC=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        score, _, number = str(value).partition("=")
        try:
            return score.strip(), float(number)
        except ValueError:
            self.fail(f"'{value}' is not METRIC=VALUE, such as ce_f1=0.25.", param, ctx)


def output_options(command: Any) -> Any:
    """The options that ``score`` and ``demo`` share."""
    for option in (
        click.option("--no-text", is_flag=True, help="Hashes in place of report text in what is written."),
        click.option(
            "--fail-under",
            type=Threshold(),
            multiple=True,
            help="Exit 1 if a system's score is lower; a fraction of 1. Can be repeated.",
        ),
        click.option("--signatures", is_flag=True, help="Print what decides each number, in tables too."),
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="Default: table on a terminal, json in a pipe.",
        ),
    ):
        command = option(command)
    return command


@click.command(name="score", short_help="Score one or more systems' reports.")
@input_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for results.json, scores.csv, scores.md and a study list of each system.",
)
@output_options
def command(
    given: Given,
    output: Path | None,
    format_: str | None,
    signatures: bool,
    fail_under: tuple[tuple[str, float], ...],
    no_text: bool,
) -> None:
    """Score PREDICTIONS, each the file (or folder of .txt) of one system.

    Reads result and prompt files of the benchmark, JSONL, JSON, CSV, TSV, XLSX, Parquet and the outputs of
    VLMEvalKit and lmms-eval; columns are recognised. Every reference study counts, also where a system has no
    usable report for it.

    \b
    Examples:
      pet2rep-eval score outputs.jsonl --references prompts.jsonl
      pet2rep-eval score a.jsonl b.csv --references refs.csv --protocol sites --output results
      pet2rep-eval score outputs.csv --profile petrg-3d --format markdown
      pet2rep-eval score outputs.jsonl --fail-under ce_f1=0.25
    """
    sheets = score_given(given)
    show(sheets, format_, signatures=signatures)
    if output:
        write_results(sheets, output, text=not no_text)
        note(f"Results: {output}{'/' if not str(output).endswith('/') else ''}")
    check_thresholds(sheets, fail_under)


def score_given(given: Given) -> list[ScoreSheet]:
    """The sheets of the systems that were given, each with its inputs."""
    from dataclasses import replace

    from pet2rep_eval.evaluation import prompt_templates, score_systems
    from pet2rep_eval.inputs import read_systems

    systems = read_systems(given.sources)
    with progress("Scoring", sum(len(system.aligned.pairs) for system in systems)) as done:
        sheets = score_systems(
            [system.aligned for system in systems],
            protocol=given.protocol,
            profile=given.profile,
            metrics=given.metrics or None,
            templates=[prompt_templates(system.submission) for system in systems],
            progress=done,
            resampling=given.resampling,
            policy=given.policy,
        )
    return [
        replace(sheet, inputs=given.settings(source))
        for sheet, source in zip(sheets, given.sources, strict=True)
    ]


def show(sheets: Sequence[ScoreSheet], format_: str | None, *, signatures: bool = False) -> None:
    """Print score sheets to stdout in a format of :data:`FORMATS`."""
    from pet2rep_eval.cli._score_tables import grids, remarks

    kind = chosen_format(format_)
    if kind == "json":
        emit(to_json(as_json(sheets)))
        return
    if kind == "csv":
        emit(as_csv(sheets))
        return
    shown: list[Grid] = list(grids(sheets))
    if kind != "table":
        render = to_markdown if kind == "markdown" else to_latex
        emit("\n\n".join(render(grid) for grid in shown))
        if kind == "markdown":
            emit("\n" + "\n".join(f"- {remark}" for remark in remarks(sheets)))
        return
    out = console()
    for grid in shown:
        out.print(to_rich(grid, out.width))
        out.print()
    if not settings().get("quiet"):
        for remark in remarks(sheets):
            out.print(f"• {remark}", style="dim", markup=False)
    if signatures:
        for sheet in sheets:
            for score in sheet.scores.values():
                out.print(score.signature, style="dim", markup=False, soft_wrap=True)


def as_json(sheets: Sequence[ScoreSheet]) -> Any:
    """One object for one system, a list for several."""
    found = [sheet.to_dict() for sheet in sheets]
    return found[0] if len(found) == 1 else found


def as_csv(sheets: Sequence[ScoreSheet]) -> str:
    """One row a system and score, with its signature."""
    rows = []
    for sheet in sheets:
        for name, score in sheet.scores.items():
            low, high = score.interval or (None, None)
            rows.append((sheet.system, name, score.value, score.sd, low, high, sheet.n, score.signature))
    columns = ("system", "score", "value", "sd", "interval_low", "interval_high", "n", "signature")
    return to_csv(columns, rows)


def write_results(sheets: Sequence[ScoreSheet], folder: Path, *, text: bool = True) -> None:
    """``results.json``, ``scores.csv``, ``scores.md``, and ``studies/SYSTEM.jsonl`` with the reports or,
    without *text*, their hashes."""
    from pet2rep_eval.cli._score_tables import grids, remarks

    emit(to_json(as_json(sheets)), folder / "results.json")
    emit(as_csv(sheets), folder / "scores.csv")
    parts = [to_markdown(grid) for grid in grids(sheets)]
    parts.append("\n".join(f"- {remark}" for remark in remarks(sheets)))
    emit("\n\n".join(parts), folder / "scores.md")
    taken: set[str] = set()
    for sheet in sheets:
        name = file_name(sheet.system, taken)
        lines = (json.dumps(study.to_dict(text=text), ensure_ascii=False) for study in sheet.studies)
        emit("\n".join(lines), folder / "studies" / f"{name}.jsonl")


def file_name(system: str, taken: set[str]) -> str:
    """A file name for a system, unlike those *taken*; nothing in it can leave the folder."""
    stem = re.sub(r"[^\w.-]+", "_", system).strip("._") or "system"
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def check_thresholds(sheets: Sequence[ScoreSheet], thresholds: Sequence[tuple[str, float]]) -> None:
    """Exit 1, with a line for each, if a score is under its threshold."""
    from pet2rep_eval.errors import UnknownNameError

    failed = False
    for sheet in sheets:
        for name, least in thresholds:
            if name not in sheet.scores:
                raise UnknownNameError("score", name, sheet.scores)
            value = sheet.scores[name].value
            if not value >= least:
                click.echo(f"{sheet.system}: {name} is {value:.4f}, under {least:g}.", err=True)
                failed = True
    if failed:
        click.get_current_context().exit(1)
