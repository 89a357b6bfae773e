"""``pet2rep-eval lexicon``: check, grow and export the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pet2rep_eval.cli import _output
from pet2rep_eval.errors import ResourceError

if TYPE_CHECKING:
    from pet2rep_eval.growing import Survey


@click.group("lexicon", short_help="Check, grow and export the vocabulary.")
def command() -> None:
    """Check, grow and export the vocabulary that reports are read with.

    \b
    Examples:
      pet2rep-eval lexicon check
      pet2rep-eval lexicon unknown reports/ --top 20
      pet2rep-eval lexicon export --format csv > vocabulary.csv
    """


@command.command("check", short_help="Find contradictions and dead phrases in the tables.")
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
def check(folder: Path | None) -> None:
    """Check the bundled tables, or those in FOLDER: every phrase under one concept, none empty, none that can
    never match, every organ named in both languages and scored by the protocol 'sites', no unknown names.

    Exit 0: nothing is wrong; 2: the problems are listed, each with file and line.
    """
    from pet2rep_eval import lexicon_lints

    texts = lexicon_lints.bundled() if folder is None else lexicon_lints.in_folder(folder)
    problems = lexicon_lints.lint(texts, folder="lexicons" if folder is None else str(folder))
    if not problems:
        problems = lexicon_lints.lint_protocols(folder)
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise ResourceError(f"{many} in the lexicon.\n" + "\n".join(map(str, problems)))
    counts = lexicon_lints.counts(texts)
    _output.emit(
        f"Nothing is wrong: {counts['phrases']} phrases under {counts['concepts']} concepts, "
        f"{counts['organs']} organs in both languages, all scored by the protocol 'sites'."
    )


@command.command("unknown", short_help="Rank what the lexicon does not know in given reports.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--text-column", "columns", multiple=True, help="Column of the reports. Can be repeated.")
@click.option("--id-column", help="Column of the study id.")
@click.option("--top", type=click.IntRange(min=1), help="Only so many clauses and words.")
@click.option(
    "--explained", is_flag=True, help="List the clauses that need no statement, with the reason, as well."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv", "markdown"]),
    help="Default: a table on a terminal, JSON in a pipe.",
)
def unknown(
    paths: tuple[Path, ...],
    columns: tuple[str, ...],
    id_column: str | None,
    top: int | None,
    explained: bool,
    format_: str | None,
) -> None:
    """Rank what is not understood in the reports of PATHS: files, folders of .txt, tables, or -.

    Two lists, most frequent first: clauses with a cue of uptake (FDG, 代谢, uptake, …) that gave no
    statement and need one, and words that look like an organ and are not in the lexicon. Above them stands
    the share of distinct clauses with a cue that gave a statement or are explained (a reference value, a
    heading, a measure of a neighbour's statement, …).
    """
    from pet2rep_eval.cli._reports import open_reports
    from pet2rep_eval.growing import Survey

    survey = Survey()
    with _output.progress("Reading reports") as done:
        for path in paths:
            for column in columns or (None,):
                for report in open_reports(path, text_column=column, id_column=id_column).items:
                    survey.add(report.text, report.place)
                    done(survey.reports)
    chosen = _output.chosen_format(format_)
    if chosen == "json":
        values = survey.to_dict(top)
        if explained:
            found = survey.clauses("explained")[:top]
            values["explained_clauses"] = [
                {"text": f.text, "count": f.count, "reason": f.reason, "example": f.example} for f in found
            ]
        _output.emit(_output.to_json(values))
        return
    grids = list(_survey_grids(survey, top, explained))
    if chosen == "csv":
        rows = [(grid.title, *row) for grid in grids for row in grid.rows]
        _output.emit(_output.to_csv(("list", "count", "text", "reason", "example"), rows))
        return
    if chosen == "markdown":
        _output.emit(_summary(survey) + "\n\n" + "\n\n".join(map(_output.to_markdown, grids)))
        return
    out = _output.console()
    out.print(_summary(survey), markup=False)
    for grid in grids:
        out.print(_output.to_rich(grid))


def _summary(survey: Survey) -> str:
    total = len(survey.verdicts)
    why = "; ".join(f"{reason}: {count}" for reason, count in survey.explained().items())
    return (
        f"{survey.reports} reports, {total} distinct clauses with a cue of uptake: "
        f"{survey.total('stated')} give a statement, {survey.total('explained')} are explained, "
        f"{survey.total('unknown')} are not understood ({survey.share:.2%} understood)."
        + (f"\nExplained: {why}." if why else "")
    )


def _survey_grids(survey: Survey, top: int | None, explained: bool) -> Iterator[_output.Grid]:
    columns = ("count", "text", "reason", "example")
    lists = [("clauses not understood", survey.clauses()), ("organ-like words", survey.organ_words())]
    if explained:
        lists.append(("clauses explained", survey.clauses("explained")))
    for title, found in lists:
        rows = tuple((str(f.count), f.text, f.reason, f.example) for f in found[:top])
        yield _output.Grid(title, columns, rows, frozenset({0}))


@command.command("export", short_help="Write the vocabulary as a table for clinicians.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind (SITE, NEG, UP, …). Can be repeated.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv", "markdown"]),
    help="Default: a table on a terminal, JSON in a pipe.",
)
def export(kinds: tuple[str, ...], format_: str | None) -> None:
    """Write every concept with its meaning and its Chinese and English phrases, for review by clinicians."""
    rows = _concepts()
    known = sorted({row["kind"] for row in rows})
    for kind in kinds:
        if kind not in known:
            from pet2rep_eval.errors import UnknownNameError

            raise UnknownNameError("kind of concept", kind, known)
    rows = [row for row in rows if not kinds or row["kind"] in kinds]
    chosen = _output.chosen_format(format_)
    if chosen == "json":
        _output.emit(_output.to_json(rows))
        return
    columns = ("concept", "kind", "meaning", "zh", "en")
    cells = tuple(tuple(_cell(row[column]) for column in columns) for row in rows)
    if chosen == "csv":
        _output.emit(_output.to_csv(columns, cells))
        return
    grid = _output.Grid(f"{len(cells)} concepts", columns, cells)
    if chosen == "markdown":
        _output.emit(_output.to_markdown(grid))
    else:
        _output.console().print(_output.to_rich(grid))


def _cell(value: Any) -> str:
    return "; ".join(value) if isinstance(value, list) else str(value)


def _concepts() -> list[dict[str, Any]]:
    """One row a concept: its name, kind, meaning and phrases."""
    from pet2rep_eval.lexicon import load_lexicon

    lexicon = load_lexicon()
    rows: list[dict[str, Any]] = []
    for name, phrases in lexicon.sources.items():
        first = next((p for language in phrases.values() for p in language), None)
        if first is None:
            continue
        concept = lexicon.phrases[first.lower()]
        site = lexicon.sites.get(concept.organs[0]) if len(concept.organs) == 1 else None
        parts = [
            f"{site.names['zh']} ({site.names['en']})" if site else ", ".join(concept.organs),
            ", ".join(concept.regions),
            # the side of a sub-table, not the one that a phrase begins with
            name.rpartition(".")[2] if name.rpartition(".")[2] == concept.side else "",
            concept.degree or "",
            concept.state.value if concept.state else "",
        ]
        rows.append(
            {
                "concept": name,
                "kind": concept.kind,
                "meaning": "; ".join(part for part in parts if part),
                "organs": list(concept.organs),
                "zh": list(phrases["zh"]),
                "en": list(phrases["en"]),
            }
        )
    return rows
