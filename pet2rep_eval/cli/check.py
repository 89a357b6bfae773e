"""``pet2rep-eval check``: is this a submission that can be scored?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli import _output

if TYPE_CHECKING:
    from pet2rep_eval.datasets import Submission
    from pet2rep_eval.records import AlignedSystem

_MEANING = {
    "scored": "a report that is scored",
    "missing": "no prediction under the study's id",
    "empty": "a prediction without a word",
    "refused": "the model declines",
    "duplicate": "differing predictions under one id",
    "unreadable": "a broken line or a lost encoding",
    "truncated": "ends inside a sentence",
    "repetitive": "runs in a loop",
    "other_language": "not the reference's language",
    "echoed_prompt": "repeats the instructions",
}


def _result(submission: Submission, aligned: AlignedSystem) -> dict[str, Any]:
    from pet2rep_eval.alignment import flag_counts, outcome_counts
    from pet2rep_eval.records import Outcome

    counts = outcome_counts(aligned)
    failed = {
        outcome.value: [p.study_id for p in aligned.pairs if p.outcome is outcome]
        for outcome in Outcome
        if outcome is not Outcome.SCORED and counts[outcome]
    }
    return {
        "scoreable": counts["scored"] > 0,
        "system": aligned.system,
        "n": len(aligned.pairs),
        "path": submission.path,
        "format": submission.format,
        "encoding": submission.encoding,
        "columns": dict(submission.columns),
        "outcomes": counts,
        "flags": flag_counts(aligned),
        "failed": failed,
        "unknown_ids": list(aligned.unknown_ids),
        "problems": list(submission.problems),
        "notes": list(aligned.notes),
        "provenance": dict(aligned.provenance),
    }


def _grid(result: dict[str, Any]) -> _output.Grid:
    from pet2rep_eval.alignment import named

    rows = []
    for kind, counts in (("outcome", result["outcomes"]), ("flag", result["flags"])):
        rows += [
            (kind, name, str(count), _MEANING[name], named(result["failed"].get(name, [])))
            for name, count in counts.items()
            if count or kind == "outcome"
        ]
    read = " ".join(part for part in (result["format"], result["encoding"]) if part)
    return _output.Grid(
        f"{result['system']}: {result['n']} studies, read as {read}",
        ("", "name", "studies", "meaning", "ids"),
        tuple(rows),
        frozenset({2}),
    )


def _verdict(result: dict[str, Any]) -> str:
    if not result["scoreable"]:
        return "This cannot be scored: no study has a report that is scored."
    failed = result["n"] - result["outcomes"]["scored"]
    if failed:
        return f"This can be scored; {failed} of {result['n']} studies count as failed predictions."
    return "This can be scored."


@click.command("check", short_help="Tell whether a submission can be scored.")
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option("--references", type=click.Path(path_type=Path), help="Reference reports, by study id.")
@click.option("--ids", type=click.Path(path_type=Path), help="Ids of all studies: a text file or a column.")
@click.option("--id-column", help="Column with the study id of the predictions.")
@click.option("--prediction-column", help="Column with the predictions.")
@click.option("--reference-column", help="Column with the references, of --references where given.")
@click.option("--references-id-column", help="Column with the study id in --references.")
@click.option("--lenient", is_flag=True, help="Go past broken lines; they are listed and count as failed.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["table", "json", "markdown"]),
    help="Default: a table on a terminal, JSON in a pipe.",
)
def command(
    predictions: Path,
    references: Path | None,
    ids: Path | None,
    id_column: str | None,
    prediction_column: str | None,
    reference_column: str | None,
    references_id_column: str | None,
    lenient: bool,
    fmt: str | None,
) -> None:
    """Tell whether PREDICTIONS (a file or a folder) is a submission that can be scored.

    Prints the columns chosen, what became of every study, and what is odd. Exit 0: it can be scored, also
    where some studies count as failed; 1: no study can be scored; 2: the input cannot be used.

    \b
    Examples:
      pet2rep-eval check outputs.jsonl --references prompts.jsonl
      pet2rep-eval check results.csv --prediction-column Pred_report --format json
    """
    from pet2rep_eval import datasets
    from pet2rep_eval.alignment import align

    submission = datasets.read_predictions(
        predictions,
        id_column=id_column,
        prediction_column=prediction_column,
        reference_column=None if references else reference_column,
        lenient=lenient,
    )
    known = (
        datasets.read_references(
            references, id_column=references_id_column, reference_column=reference_column
        )
        if references
        else None
    )
    wanted = datasets.read_ids(ids) if ids else None
    inside = any(row.references for row in submission.rows)
    aligned = align(submission, known, wanted, require_references=inside or known is not None)
    result = _result(submission, aligned)
    if not inside and known is None:
        result["notes"].append("There are no references: only the texts and their ids were looked at.")

    chosen = _output.chosen_format(fmt)
    if chosen == "json":
        _output.emit(_output.to_json(result))
    else:
        grid = _grid(result)
        if chosen == "table":
            _output.console().print(_output.to_rich(grid))
        else:
            _output.emit(_output.to_markdown(grid) + "\n")
        _output.emit("\n".join([*(f"- {line}" for line in result["notes"]), "", _verdict(result)]))
    if not result["scoreable"]:
        sys.exit(1)
