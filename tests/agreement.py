"""How well the parser agrees with labels: per class, per state, with a list of the differences."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pet2rep_eval.parsing import parse_report
from tests.corpus import Case

CLASSES = ("increased", "decreased", "absent")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with the states that its organs must get; arguable organs are not compared."""

    name: str
    text: str
    states: Mapping[str, frozenset[str]]
    regions: Mapping[str, frozenset[str]]
    arguable: frozenset[str] = frozenset()


@dataclass(slots=True)
class Agreement:
    """Counts over (text, organ) pairs."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(class or ``normal``, ``tp`` | ``fp`` | ``fn``) → pairs."""
    stated: int = 0
    found: int = 0
    right: int = 0
    differences: list[tuple[str, str, list[str], list[str], str]] = field(default_factory=list)
    """Name, organ, expected, read, text."""

    def f1(self, name: str) -> float:
        tp, fp, fn = (self.counts[name, k] for k in ("tp", "fp", "fn"))
        return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0

    @property
    def macro_f1(self) -> float:
        """Mean over the classes that occur."""
        supported = [c for c in CLASSES if self.counts[c, "tp"] + self.counts[c, "fn"]]
        return sum(self.f1(c) for c in supported) / len(supported) if supported else 1.0

    @property
    def accuracy(self) -> float:
        """Share of stated (text, organ) pairs whose set of states is read exactly."""
        return self.right / self.stated if self.stated else 1.0

    @property
    def organs_found(self) -> float:
        """Share of stated (text, organ) pairs for which any state is read."""
        return self.found / self.stated if self.stated else 1.0

    def __str__(self) -> str:
        parts = [
            f"{c} {self.f1(c):.3f} ({self.counts[c, 'tp'] + self.counts[c, 'fn']})"
            for c in (*CLASSES, "normal")
        ]
        return (
            f"macro F1 {self.macro_f1:.3f} · state accuracy {self.accuracy:.3f} · "
            f"organs found {self.organs_found:.3f} · n {self.stated} · " + " · ".join(parts)
        )


def agree(items: Iterable[Labelled], *, regions: bool = False) -> Agreement:
    """Compares what the parser reads with the labels."""
    out = Agreement()
    for item in items:
        report = parse_report(item.text)
        pairs = [(dict(item.states), report.states)]
        if regions:
            pairs.append((dict(item.regions), report.regions))
        for expected, read in pairs:
            for key in sorted({*expected, *read}):
                if key in item.arguable:
                    continue
                want = {str(s) for s in expected.get(key, frozenset())}
                have = {str(s) for s in read.get(key, frozenset())}
                for name in (*CLASSES, "normal"):
                    kind = {(True, True): "tp", (False, True): "fp", (True, False): "fn"}.get(
                        (name in want, name in have)
                    )
                    if kind:
                        out.counts[name, kind] += 1
                if want:
                    out.stated += 1
                    out.found += bool(have)
                    out.right += want == have
                if want != have:
                    out.differences.append((item.name, key, sorted(want), sorted(have), item.text))
    return out


def from_cases(cases: Iterable[Case]) -> list[Labelled]:
    """Corpus cases as labelled texts."""
    return [Labelled(str(c), c.text, c.states, c.regions, c.arguable) for c in cases]


def from_offsets(labels: Path, table: Path, column: str | None = None) -> list[Labelled]:
    """Labels that name study and column of a table, with the texts of that table."""
    csv.field_size_limit(2**31 - 1)
    with table.open(encoding="utf-8-sig", newline="") as handle:
        texts = {row["AccNum"]: row for row in csv.DictReader(handle)}
    grouped: dict[tuple[str, str], list[dict[str, object]]] = {}
    for line in labels.read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        grouped.setdefault((label["AccNum"], label.get("column", "GT_report")), []).append(label)
    out: list[Labelled] = []
    for (study, name), group in grouped.items():
        if column is not None and name != column:
            continue
        states: dict[str, frozenset[str]] = {}
        regions: dict[str, frozenset[str]] = {}
        for label in group:
            target = states if label.get("organ") else regions
            key = str(label.get("organ") or label.get("region"))
            target[key] = target.get(key, frozenset()) | (
                {str(label["state"])} if label["state"] else frozenset()
            )
        arguable = frozenset(str(x.get("organ") or x.get("region")) for x in group if x["arguable"])
        out.append(Labelled(f"{study}/{name}", texts[study][name], states, regions, arguable))
    return out
