"""``pet2rep-eval demo``: score four bundled systems against bundled references."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path

import click

from pet2rep_eval.cli._output import note, progress
from pet2rep_eval.cli.score import check_thresholds, output_options, show, write_results

SYSTEMS = ("perfect", "partial", "copier", "broken")
"""Files of ``demo_data``: repeats the references; finds some of it; copies the prompt's template; fails in
every way there is."""


@click.command(name="demo", short_help="Score four bundled systems against bundled references.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-results"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--full",
    is_flag=True,
    help="From invented scans to a leaderboard: phantom DICOM, key slices, two tiny models, scores (five minutes).",
)
@click.option("--protocol", default="pet2rep", show_default=True, help="Organs and classes.")
@click.option("--profile", default="default", show_default=True, help="Text, words and metric settings.")
@output_options
def command(
    output: Path,
    full: bool,
    protocol: str,
    profile: str,
    format_: str | None,
    signatures: bool,
    fail_under: tuple[tuple[str, float], ...],
    no_text: bool,
) -> None:
    """Score four bundled systems against twelve bundled reports, six Chinese and six English.

    The reports were written for this project and hold all four uptake states. The systems: one that repeats
    the references, one that finds some of it, one that copies the prompt's template, and one that fails in
    every way there is (missing, empty, refused, duplicate, unreadable, truncated, …).
    """
    if full:
        from pet2rep_eval.cli._output import chosen_format
        from pet2rep_eval.cli.run import hooks, show_result
        from pet2rep_eval.pipeline import full_demo

        show_result(full_demo(output, hooks=hooks()), chosen_format(format_))
        return
    from pet2rep_eval.alignment import align
    from pet2rep_eval.datasets import read_predictions, read_references
    from pet2rep_eval.evaluation import score_systems

    folder = files("pet2rep_eval") / "demo_data"
    with ExitStack() as stack:  # one by one: Python 3.11 takes no folder out of a zipped wheel
        paths = {
            name: stack.enter_context(as_file(folder / f"{name}.jsonl")) for name in ("references", *SYSTEMS)
        }
        references = read_references(paths["references"])
        aligned = [align(read_predictions(paths[name], system=name), references) for name in SYSTEMS]
    with progress("Scoring", sum(len(system.pairs) for system in aligned)) as done:
        sheets = score_systems(aligned, protocol=protocol, profile=profile, progress=done)
    show(sheets, format_, signatures=signatures)
    write_results(sheets, output, text=not no_text)
    note(
        f"Results: {output / 'results.json'}, {output / 'scores.csv'}, {output / 'scores.md'}, "
        f"{output / 'studies'}. Your own: pet2rep-eval score PREDICTIONS --references FILE"
    )
    check_thresholds(sheets, fail_under)
