"""``pet2rep-eval run``: from scans to a leaderboard, as a configuration says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli._output import chosen_format, console, emit, note, progress, to_json

if TYPE_CHECKING:
    from pet2rep_eval.leaderboard import Comparison
    from pet2rep_eval.pipeline import Hooks, PlannedStage, RunResult


@click.command(name="run", short_help="Prepare, generate, score and compare, as a configuration says.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the plan and the estimated time, and stop.")
@click.option(
    "--format", "format_", type=click.Choice(["table", "json"]), help="Default: table on a terminal."
)
def command(config: Path, dry_run: bool, format_: str | None) -> None:
    """Do what CONFIG says: scans to prompts, prompts to reports, reports to scores and a leaderboard.

    Each stage is cached by its content. After a stop the same command goes on. Exit 1 if a study was left
    without a report.

    \b
    Examples:
      pet2rep-eval init study.toml
      pet2rep-eval run study.toml --dry-run
      pet2rep-eval run study.toml
    """
    from pet2rep_eval.pipeline import Run, read_configuration

    run = Run(read_configuration(config), hooks())
    kind = chosen_format(format_)
    if dry_run:
        show_plan(run.plan(), kind)
        return
    result = run.execute()
    show_result(result, kind)
    if result.failures:
        click.get_current_context().exit(1)


def hooks() -> Hooks:
    """Notes and bars on stderr, tables by the renderers of ``score``."""
    from pet2rep_eval.cli.score import write_results
    from pet2rep_eval.pipeline import Hooks

    return Hooks(note=note, bar=progress, write_scores=write_results, write_comparison=write_leaderboard)


def write_leaderboard(comparison: Comparison, folder: Path) -> None:
    """``leaderboard.md`` and ``leaderboard.csv``."""
    from pet2rep_eval.cli._compare_tables import grids
    from pet2rep_eval.cli._output import to_csv, to_markdown

    parts = [to_markdown(grid) for grid in grids(comparison)]
    parts += [comparison.summary, "\n".join(f"- {warning}" for warning in comparison.warnings)]
    emit("\n\n".join(part for part in parts if part), folder / "leaderboard.md")
    rows = comparison.rows()
    emit(to_csv(list(rows[0]), [list(row.values()) for row in rows]), folder / "leaderboard.csv")


def duration(seconds: float | None) -> str:
    """Seconds as people say them; ``?`` where nobody knows."""
    if seconds is None:
        return "?"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show_plan(stages: tuple[PlannedStage, ...], kind: str) -> None:
    """The plan as a table or as JSON, with the estimated time in all."""
    if kind == "json":
        rows = [
            {
                "stage": s.stage,
                "state": s.state,
                "detail": s.detail,
                "studies": s.studies,
                "seconds": s.seconds,
                "folder": str(s.folder) if s.folder else None,
            }
            for s in stages
        ]
        emit(to_json(rows))
        return
    from rich.table import Table

    table = Table("stage", "state", "studies", "time", "what", box=None)
    for s in stages:
        table.add_row(
            s.stage, s.state, "?" if s.studies is None else str(s.studies), duration(s.seconds), s.detail
        )
    out = console()
    out.print(table)
    known = sum(s.seconds for s in stages if s.seconds is not None)
    unknown = [s.stage for s in stages if s.seconds is None]
    rest = f", and {', '.join(unknown)}, of which nothing was measured yet" if unknown else ""
    out.print(f"Estimated time: {duration(known)}{rest}.", markup=False)


def show_result(result: RunResult, kind: str) -> None:
    """Where everything lies, and the tables."""
    places: dict[str, Any] = {
        "prompts": str(result.prompts),
        "outputs": {system: str(path) for system, path in result.outputs.items()},
        "scores": str(result.scores) if result.scores else None,
        "comparison": str(result.comparison) if result.comparison else None,
        "failures": dict(result.failures),
    }
    if kind == "json":
        if result.scores:
            places["results"] = json.loads((result.scores / "results.json").read_text(encoding="utf-8"))
        emit(to_json(places))
        return
    for folder, name in ((result.comparison, "leaderboard.md"), (result.scores, "scores.md")):
        if folder and (folder / name).is_file():
            emit((folder / name).read_text(encoding="utf-8"))
            break
    for name in ("prompts", "scores", "comparison"):
        if places[name]:
            note(f"{name}: {places[name]}")
