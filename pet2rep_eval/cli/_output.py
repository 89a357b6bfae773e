"""Shared rendering of the command line: tables for a terminal, text formats for files and pipes.

Results go to stdout, progress and notes to stderr. rich is imported only when something is drawn.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LONG = 8
"""Headings over numbers are broken into lines beyond this length."""

FORMATS = ("table", "json", "csv", "markdown", "latex")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table before it is rendered: cells are text already."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Places of the columns that are aligned right."""
    caption: str = ""
    key_rows: frozenset[int] = frozenset()
    """Rows to stress."""


def settings(ctx: click.Context | None = None) -> Mapping[str, Any]:
    """The global options (``quiet``, ``no_color``) of the running command; none outside of one."""
    ctx = ctx or click.get_current_context(silent=True)
    found = ctx.find_object(dict) if ctx else None
    return found or {}


def chosen_format(given: str | None, default: str = "json") -> str:
    """*given*, or else a table on a terminal and *default* in a pipe."""
    return given or ("table" if sys.stdout.isatty() else default)


def console(*, stderr: bool = False) -> Console:
    """A rich console that obeys ``--no-color``. In a pipe it is 110 columns wide, so that nothing is cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        no_color=bool(settings().get("no_color")),
        highlight=False,
        width=None if stream.isatty() else 110,
    )


def note(text: str) -> None:
    """A line for the user on stderr, unless ``--quiet``."""
    if not settings().get("quiet"):
        click.echo(text, err=True)


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, fed with the number done; silent when quiet or where stderr is no terminal.

    ::

        with progress("Scoring", 565) as done:
            done(1)
    """
    if settings().get("quiet") or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def _header(name: str) -> str:
    """A long heading over numbers, on several lines."""
    return re.sub(r"(?<=-)|\s", "\n", name) if len(name) > _LONG else name


def to_rich(grid: Grid, width: int = 110) -> Table:
    """The grid as a rich table for a terminal of *width* columns.

    Numbers are never broken into lines: where it gets narrow, space and the names of rows give way.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=grid.title or None,
        caption=grid.caption or None,
        box=box.SIMPLE_HEAD,
        padding=(0, 1 if width >= 100 else 0),
        title_style="bold",
        title_justify="left",
        caption_justify="left",
        header_style="bold cyan",
        pad_edge=False,
    )
    for place, name in enumerate(grid.columns):
        if place in grid.numeric:
            table.add_column(_header(name), justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold", min_width=8)
    for place, row in enumerate(grid.rows):
        table.add_row(*map(Text, row), style="bold" if place in grid.key_rows else None)
    return table


def to_markdown(grid: Grid) -> str:
    """A GitHub table, with its title above it."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rule = ["---:" if place in grid.numeric else "---" for place in range(len(grid.columns))]
    parts = [f"**{grid.title}**\n"] if grid.title else []
    parts += [line(grid.columns), line(rule), *map(line, grid.rows)]
    return "\n".join([*parts, *([f"\n{grid.caption}"] if grid.caption else [])])


_LATEX = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "−": "$-$"}
)


def to_latex(grid: Grid) -> str:
    """A booktabs table."""

    def line(cells: Iterable[str]) -> str:
        return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"

    columns = "".join("r" if place in grid.numeric else "l" for place in range(len(grid.columns)))
    caption = [rf"\caption{{{grid.title.translate(_LATEX)}}}"] if grid.title else []
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            *caption,
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line(grid.columns),
            r"\midrule",
            *map(line, grid.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated, quoted where needed, ``\\n`` at line ends."""
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def to_json(value: object) -> str:
    """Indented, in the order given, characters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def emit(text: str, path: Path | None = None) -> None:
    """*text* to stdout, or to a file, with one newline at its end."""
    text = text.rstrip("\n") + "\n"
    if path is None:
        click.echo(text, nl=False)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
