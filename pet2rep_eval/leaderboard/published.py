"""The published table of the benchmark (Table 1 of PET2Rep, arXiv 2508.04062), as data, and a place among it.

``lexicons/published.csv`` holds what is printed, figure by figure. Nothing in it is corrected; what does not
agree with itself is said by :func:`remarks`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from pet2rep_eval import resources
from pet2rep_eval.errors import ResourceError
from pet2rep_eval.leaderboard.records import Comparison

FILE = "published.csv"
STUDIES = 565
PROFILE = "pet2rep-2025"
PROTOCOL = "pet2rep"
PARTS = ("bleu_4", "meteor", "rouge_l", "ce_precision", "ce_recall", "ce_f1")
"""The columns whose mean is Overall."""

_HALF_UNIT, _HALF_UNIT_OVERALL = 0.00005, 0.05
"""Half of the last digit printed: of a cell, and of Overall in per cent."""
_SAME_TEMPLATE = 0.005
"""The template's BLEU-4 on the same references differs by less, whatever the version of the word cutter."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One printed row."""

    system: str
    released: str
    input: str
    """``separate`` or ``fused`` images; ``none`` for the template."""
    group: str
    """``general``, ``medical``, ``closed``, ``baseline``."""
    scores: Mapping[str, float]
    """Of :data:`PARTS`, fractions."""
    sd: Mapping[str, float]
    """What is printed after ±."""
    overall: float
    """As printed, a fraction."""

    @property
    def recomputed(self) -> float:
        """The mean of the six cells."""
        return sum(self.scores[part] for part in PARTS) / len(PARTS)

    @property
    def overall_agrees(self) -> bool:
        """Whether the printed Overall can be the mean of the cells, both being rounded."""
        slack = 100 * _HALF_UNIT + _HALF_UNIT_OVERALL
        return abs(100 * self.overall - 100 * self.recomputed) <= slack + 1e-9

    @property
    def f1_of_macro(self) -> float:
        """Harmonic mean of the printed precision and recall."""
        p, r = self.scores["ce_precision"], self.scores["ce_recall"]
        return 2 * p * r / (p + r) if p + r else 0.0


@cache
def published() -> tuple[PublishedRow, ...]:
    """All printed rows, in the order of the table. Raises :class:`ResourceError` naming the line."""
    found = []
    reader = csv.DictReader(io.StringIO(resources.read_text("lexicons", FILE)))
    for row in reader:
        try:
            found.append(
                PublishedRow(
                    row["system"],
                    row["released"],
                    row["input"],
                    row["group"],
                    {part: float(row[part]) for part in PARTS},
                    {part: float(row[f"{part}_sd"]) for part in PARTS},
                    float(row["overall_percent"]) / 100,
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ResourceError(f"lexicons/{FILE}, line {reader.line_num}: {error}.") from None
    return tuple(found)


def remarks() -> Iterator[str]:
    """What does not agree in the published table, row by row."""
    for row in published():
        name = f"{row.system}, {row.input}"
        if not row.overall_agrees:
            yield (
                f"{name}: Overall is printed as {100 * row.overall:.1f}, its six cells give "
                f"{100 * row.recomputed:.2f}."
            )
        if abs(row.scores["ce_f1"] - row.f1_of_macro) > 5e-4:
            yield (
                f"{name}: F1 is printed as {row.scores['ce_f1']:.4f}, its precision and recall give "
                f"{row.f1_of_macro:.4f}."
            )
        if row.scores["meteor"] < 0.02 and row.scores["bleu_4"] > 0.13:
            yield (
                f"{name}: METEOR {row.scores['meteor']:.4f} beside BLEU-4 {row.scores['bleu_4']:.4f} is "
                "impossible with the same words for both."
            )


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of the joint table."""

    place: int | None
    """By Overall; None for the template."""
    system: str
    input: str
    scores: Mapping[str, float]
    """Of :data:`PARTS` and ``overall``."""
    ours: bool
    """Scored here, not printed there."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Systems among the published ones."""

    rows: tuple[Placed, ...]
    """Best first."""
    comparable: Mapping[str, str]
    """Column → ``uncertain: …`` or ``no: …``; a plain yes needs what is not public."""
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def place(comparison: Comparison) -> Placement:
    """The systems of *comparison* among the published ones, each of those with its better kind of input.

    Systems without all of the columns are told apart by a sentence and not placed.
    """
    best: dict[str, PublishedRow] = {}
    for row in published():
        if row.system not in best or row.overall > best[row.system].overall:
            best[row.system] = row
    rows = [
        Placed(None, row.system, row.input, dict(row.scores) | {"overall": row.overall}, False)
        for row in best.values()
    ]
    names = {"ce_f1": "ce_f1_of_macro"} if comparison.profile == PROFILE else {}
    columns = (*PARTS, "overall")
    complete = all(names.get(column, column) in comparison.scores for column in columns)
    ours = []
    if complete:
        for entry in comparison.entries:
            if not entry.baseline:
                values = {column: entry.cells[names.get(column, column)].value for column in columns}
                ours.append(Placed(None, entry.name, "", values, True))
    baselines = {row.system for row in best.values() if row.group == "baseline"}
    ordered = sorted([*rows, *ours], key=lambda row: -row.scores["overall"])
    placed, count = [], 0
    for one in ordered:
        ranked = one.ours or one.system not in baselines
        count += ranked
        placed.append(replace(one, place=count if ranked else None))
    comparable = _comparable(comparison)
    sentences = list(_sentences(placed, count, comparable))
    if not complete:
        sentences.append("Nothing is placed: the columns of the published table were not all computed.")
    return Placement(tuple(placed), comparable, tuple(sentences))


def _other_references(comparison: Comparison) -> str:
    """Why these cannot be the benchmark's references; empty if they can."""
    n = comparison.entries[0].n
    if n != STUDIES:
        return f"{n} studies here, {STUDIES} there"
    printed = next(row for row in published() if row.group == "baseline")
    copied = next((e for e in comparison.entries if e.baseline and e.name == "template"), None)
    cell = copied.cells.get("bleu_4") if copied else None
    if cell and abs(cell.value - printed.scores["bleu_4"]) > _SAME_TEMPLATE:
        return (
            f"the template's BLEU-4 is {100 * cell.value:.2f} on these references and "
            f"{100 * printed.scores['bleu_4']:.2f} on the benchmark's"
        )
    return ""


def _comparable(comparison: Comparison) -> dict[str, str]:
    other = _other_references(comparison)
    if other:
        return dict.fromkeys((*PARTS, "overall"), f"no: {other}")
    found = {}
    for column in PARTS:
        if column.startswith("ce_"):
            told = "uncertain: organ list and extraction are not public"
            if comparison.protocol != PROTOCOL:
                told = f"no: protocol {comparison.protocol}, not {PROTOCOL}"
            found[column] = told
        elif comparison.profile != PROFILE:
            found[column] = f"no: profile {comparison.profile}, not {PROFILE}"
        else:
            found[column] = "uncertain: its words and text are inferred from the printed figures"
    refused = [column for column, told in found.items() if told.startswith("no")]
    found["overall"] = (
        f"no: it averages {', '.join(refused)}" if refused else "uncertain, as the columns that it averages"
    )
    return found


def _sentences(rows: list[Placed], count: int, comparable: Mapping[str, str]) -> Iterator[str]:
    for i, row in enumerate(rows):
        if row.ours:
            above = next((r.system for r in reversed(rows[:i]) if not r.ours), None)
            below = next((r.system for r in rows[i + 1 :] if not r.ours), None)
            between = [f"below {above}"] if above else []
            between += [f"above {below}"] if below else []
            yield (
                f"{row.system} would stand at place {row.place} of {count} by Overall "
                f"({100 * row.scores['overall']:.1f}), {' and '.join(between)}."
            )
    reasons = sorted(set(comparable.values()))
    if all(told.startswith("no") for told in comparable.values()):
        yield f"The published figures are not comparable with these ({reasons[0].removeprefix('no: ')})."
