"""What ``compare`` shows and writes beside the leaderboard itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pet2rep_eval.cli import _compare_tables as tables
from pet2rep_eval.cli._output import Grid, emit, to_json, to_latex, to_markdown

if TYPE_CHECKING:
    from pet2rep_eval.anatomy import Anatomy
    from pet2rep_eval.leaderboard import Comparison
    from pet2rep_eval.leaderboard.ledger import LedgerRow
    from pet2rep_eval.leaderboard.published import Placement
    from pet2rep_eval.records import ParsedReport
    from pet2rep_eval.score_sheet import ScoreSheet
    from pet2rep_eval.sensitivity import Sensitivity


@dataclass(frozen=True, slots=True)
class Extras:
    """What was asked for."""

    ledger: Sequence[LedgerRow]
    placement: Placement | None = None
    sensitivity: Sensitivity | None = None
    anatomies: Sequence[Anatomy] = ()
    text: bool = True
    """Whether report text may be shown and written."""

    def grids(self) -> Iterator[Grid]:
        """Their tables."""
        yield from tables.ledger_grids(self.ledger)
        if self.placement:
            yield tables.published_grid(self.placement)
        if self.sensitivity:
            yield from tables.sensitivity_grids(self.sensitivity)
        if self.anatomies:
            yield tables.anatomy_grid(self.anatomies)
            yield tables.agreement_grid(self.anatomies)
            for anatomy in self.anatomies:
                yield tables.organs_grid(anatomy)
                yield tables.worst_grid(anatomy, text=self.text)

    def sentences(self) -> Iterator[str]:
        """What they show, in words."""
        if self.placement:
            yield from self.placement.sentences

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {"ledger": [row.to_dict() for row in self.ledger]}
        if self.placement:
            found["published"] = self.placement.to_dict()
        if self.sensitivity:
            found["sensitivity"] = self.sensitivity.to_dict()
        if self.anatomies:
            found["anatomy"] = [anatomy.to_dict(text=self.text) for anatomy in self.anatomies]
        return found


def gather_extras(
    comparison: Comparison,
    *,
    protocol: str,
    profile: str,
    read: Callable[[str], ParsedReport],
    templates: Mapping[str, Mapping[str, str]],
    with_published: bool,
    sensitivity: bool,
    anatomy: bool,
    text: bool,
) -> Extras:
    """Computes what was asked for; every text is parsed once."""
    from pet2rep_eval.leaderboard.ledger import ledger
    from pet2rep_eval.leaderboard.published import place

    known: dict[str, ParsedReport] = {}

    def once(report: str) -> ParsedReport:
        if report not in known:
            known[report] = read(report)
        return known[report]

    contenders = comparison.contenders
    moved: Sensitivity | None = None
    if sensitivity:
        from pet2rep_eval.sensitivity import sensitivity as under_definitions

        protocols = list(dict.fromkeys((protocol, "pet2rep", "sites")))
        moved = under_definitions(
            {c.name: c.runs for c in contenders}, profile=profile, protocols=protocols, read=once
        )
    found: Sequence[Anatomy] = ()
    if anatomy:
        from pet2rep_eval.anatomy import anatomies

        found = anatomies([c.runs[0] for c in contenders if not c.baseline], protocol, read=once)
    return Extras(
        ledger(contenders, protocol=protocol, read=once, templates=templates),
        place(comparison) if with_published else None,
        moved,
        found,
        text,
    )


def finished_sheets(
    comparison: Comparison, settings: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[ScoreSheet]:
    """The systems' sheets with their inputs and, where a row is one run, the intervals of the comparison."""
    found = []
    for contender in comparison.contenders:
        if contender.baseline:
            continue
        cells = comparison.entry(contender.name).cells
        for sheet, inputs in zip(contender.runs, settings[contender.name], strict=True):
            if len(contender.runs) == 1:
                scores = {n: replace(s, interval=cells[n].interval) for n, s in sheet.scores.items()}
                sheet = replace(sheet, scores=scores, resampling=comparison.resampling)
            found.append(replace(sheet, inputs=inputs))
    return found


def write_all(
    comparison: Comparison,
    extras: Extras,
    sheets: Sequence[ScoreSheet],
    shown: Sequence[Grid],
    folder: Path,
    read: Callable[[str], ParsedReport],
) -> None:
    """Everything, in every format: leaderboard, tests, definitions, errors, studies, statements, results."""
    from pet2rep_eval.export import write_rows, write_tables

    emit(to_json([sheet.to_dict() for sheet in sheets]), folder / "results.json")
    emit(to_json(comparison.to_dict() | extras.to_dict()), folder / "leaderboard.json")
    words = [comparison.summary, *extras.sentences(), *(f"- {warning}" for warning in comparison.warnings)]
    emit("\n\n".join([*map(to_markdown, shown), *words]), folder / "leaderboard.md")
    emit("\n\n".join(map(to_latex, shown)), folder / "leaderboard.tex")
    for kind in ("csv", "parquet"):
        write_rows(comparison.rows(), folder / f"leaderboard.{kind}")
    tests = [d.to_dict() for d in (*comparison.to_baseline, *comparison.pairs)]
    write_rows(tests, folder / "tests.csv")
    if extras.sensitivity:
        write_rows(extras.sensitivity.rows(), folder / "sensitivity.csv")
    if extras.anatomies:
        errors = (
            {"system": anatomy.system, **case.to_dict(text=extras.text)}
            for anatomy in extras.anatomies
            for case in anatomy.cases
        )
        write_rows(errors, folder / "errors.jsonl")
    write_tables(sheets, folder, text=extras.text, read=read)
