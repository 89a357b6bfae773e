"""``pet2rep-eval parse``: read reports into organ-wise statements."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli import _output

if TYPE_CHECKING:
    from pet2rep_eval.cli._reports import Report
    from pet2rep_eval.records import ParsedReport, Statement


@click.command("parse", short_help="Read reports into organ-wise statements.")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default=Path("-"), required=False)
@click.option(
    "--language",
    type=click.Choice(["auto", "zh", "en"]),
    default="auto",
    show_default=True,
    help="Language that the result is labelled with.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "jsonl"]),
    help="Default: a table on a terminal, JSON in a pipe.",
)
@click.option("--explain", is_flag=True, help="Show which phrase and which rule gave each statement.")
@click.option(
    "--section",
    "sections",
    multiple=True,
    help="Read this section in place of the findings (impression, history, …). Can be repeated.",
)
@click.option("--text-column", help="Column of the reports in a table.")
@click.option("--id-column", help="Column of the study id in a table.")
@click.option("--no-text", is_flag=True, help="Hashes and spans in place of report text.")
def command(
    file: Path,
    language: str,
    format_: str | None,
    explain: bool,
    sections: tuple[str, ...],
    text_column: str | None,
    id_column: str | None,
    no_text: bool,
) -> None:
    """Read the reports in FILE into organ-wise statements of uptake.

    FILE is a text file (one report), a folder of .txt, a table with a text column (JSONL, CSV, JSON, TSV,
    XLSX, Parquet), or - for standard input (one report, or JSON Lines with a study id). Spans are character
    offsets into each text exactly as it was given. One report gives one JSON object, several a list, or with
    --format jsonl one object a line with study_id.

    \b
    Examples:
      pet2rep-eval parse report.txt --explain
      pet2rep-eval parse reports.csv --text-column findings --format jsonl > read.jsonl
      echo "肝脏FDG摄取增高，SUVmax 5.6。" | pet2rep-eval parse
    """
    from pet2rep_eval.cli._reports import open_reports

    chosen = _output.chosen_format(format_)
    reports = open_reports(file, text_column=text_column, id_column=id_column)
    # a bar would run into what is printed to the same terminal as it is read
    streamed = sys.stdout.isatty() and (explain or chosen != "table")
    parsed = _parsed(reports.items, language, sections, bar=not reports.single and not streamed)
    if chosen == "table":
        from pet2rep_eval.cli import _parse_tables

        if explain:
            _parse_tables.show_explained(parsed, text=not no_text)
        elif reports.single:
            _parse_tables.show_one(next(parsed)[1], text=not no_text)
        else:
            _parse_tables.show_many(parsed)
        return
    values = (
        _values(
            given, report, study=not reports.single or chosen == "jsonl", text=not no_text, explain=explain
        )
        for given, report in parsed
    )
    if chosen == "jsonl":
        for value in values:
            click.echo(json.dumps(value, ensure_ascii=False))
    elif reports.single:
        _output.emit(_output.to_json(next(values)))
    else:
        _print_list(values)


def _silent(number: int) -> None:
    """In place of a bar."""


def _parsed(
    reports: Iterator[Report], language: str, sections: tuple[str, ...], *, bar: bool
) -> Iterator[tuple[Report, ParsedReport]]:
    from pet2rep_eval.parsing import parse_report

    with _output.progress("Reading reports") if bar else nullcontext(_silent) as done:
        for number, given in enumerate(reports, 1):
            yield given, parse_report(given.text, language, sections=sections or None)
            done(number)


def _values(given: Report, report: ParsedReport, *, study: bool, text: bool, explain: bool) -> dict[str, Any]:
    """The JSON form of one report; with *explain*, each statement has its mention, rule and phrases."""
    from pet2rep_eval.report_json import report_dict

    value = report_dict(report, study_id=given.study_id if study else None, text=text, rules=explain)
    if explain:
        from pet2rep_eval.explain import phrases

        found = phrases(report.text)
        for statement, shown in zip(report.statements, value["statements"], strict=True):
            shown["phrases"] = composition(statement, report.text, found, text=text)
    return value


def composition(
    statement: Statement, report_text: str, found: Any, *, text: bool = True
) -> list[dict[str, Any]]:
    """The phrases of the lexicon that the uptake words of a statement are made of."""
    from pet2rep_eval.explain import within

    if statement.uptake is None:
        return []
    return [
        {"start": p.span.start, "end": p.span.end}
        | ({"text": p.span.of(report_text)} if text else {})
        | {"concept": p.concept}
        for p in within(found, statement.uptake)
    ]


def _print_list(values: Iterator[dict[str, Any]]) -> None:
    """A JSON list, written as it is made, one object a line."""
    before = "[\n"
    for value in values:
        click.echo(before + json.dumps(value, ensure_ascii=False), nl=False)
        before = ",\n"
    click.echo("[]" if before == "[\n" else "\n]")
