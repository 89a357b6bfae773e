"""Results as tables for other programs: rows of studies and statements, written as CSV, Parquet or JSON Lines.

Without text, hashes and spans stand in its place, so that scores can be published and reports need not be.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import ParsedReport, Span
from pet2rep_eval.score_sheet import ScoreSheet, hashed

Row = Mapping[str, Any]
FORMATS = ("csv", "parquet", "jsonl")


def study_rows(sheets: Iterable[ScoreSheet], *, text: bool = True) -> Iterator[dict[str, Any]]:
    """One row a system and study: outcome, flags, scores, and both texts or their hashes."""
    for sheet in sheets:
        for row, study in zip(sheet.study_rows(), sheet.studies, strict=True):
            pair = study.pair
            both = {"reference": pair.reference, "prediction": pair.prediction}
            if text:
                told: dict[str, Any] = dict(both)
            else:
                told = {f"{side}_sha256": hashed(written)["sha256"] for side, written in both.items()}
                told |= {f"{side}_characters": len(written) for side, written in both.items()}
            yield {"system": sheet.system, **row, **told}


def statement_rows(
    sheets: Iterable[ScoreSheet],
    *,
    text: bool = True,
    read: Callable[[str], ParsedReport] = parse_report,
) -> Iterator[dict[str, Any]]:
    """One row a statement: of every reference once (system is empty), and of every prediction."""
    seen: set[tuple[str, str]] = set()
    for sheet in sheets:
        for study in sheet.studies:
            pair = study.pair
            for system, side, report in (
                ("", "reference", pair.reference),
                (sheet.system, "prediction", pair.prediction),
            ):
                if side == "reference":
                    if (pair.study_id, report) in seen:
                        continue
                    seen.add((pair.study_id, report))
                for row in _statements(read(report), text):
                    yield {"system": system, "study_id": pair.study_id, "side": side, **row}


def _statements(report: ParsedReport, text: bool) -> Iterator[dict[str, Any]]:
    for s in report.statements:
        yield {
            "organ": s.organ,
            "region": s.region,
            "laterality": s.laterality,
            "state": s.state.value if s.state else None,
            "degree": s.degree,
            **_span("ct", s.ct, report.text, text),
            **_span("uptake", s.uptake, report.text, text),
            "suv": json.dumps([[v.kind, v.value, v.delayed] for v in s.suv]) if s.suv else None,
            "size_mm": json.dumps([list(size) for size in s.size_mm]) if s.size_mm else None,
            "section": s.section,
        }


def _span(name: str, span: Span | None, report: str, text: bool) -> dict[str, Any]:
    piece = span.of(report) if span else None
    last = {name: piece} if text else {f"{name}_sha256": hashed(piece)["sha256"][:16] if piece else None}
    return {f"{name}_start": span.start if span else None, f"{name}_end": span.end if span else None} | last


def write_rows(rows: Iterable[Row], path: str | Path) -> Path:
    """Writes *rows* in the format that the suffix of *path* names; the folder is made.

    Columns are those of the first row; without rows an empty file (a Parquet file without columns) is written.
    Raises ValueError for another suffix.
    """
    target = Path(path)
    kind = target.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"{target.name}: write .{', .'.join(FORMATS)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "jsonl":
        with target.open("w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(dict(row), ensure_ascii=False) + "\n")
        return target
    listed = list(rows)
    if kind == "parquet":
        import pandas as pd

        pd.DataFrame(listed).to_parquet(target, index=False)
        return target
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if listed:
            writer.writerow(listed[0])
            writer.writerows([row.values() for row in listed])
    return target


def write_tables(
    sheets: Sequence[ScoreSheet],
    folder: str | Path,
    *,
    text: bool = True,
    formats: Sequence[str] = ("csv", "parquet"),
    read: Callable[[str], ParsedReport] = parse_report,
) -> list[Path]:
    """``studies`` and ``statements`` of *sheets* in each of *formats*, into *folder*."""
    tables = {
        "studies": list(study_rows(sheets, text=text)),
        "statements": list(statement_rows(sheets, text=text, read=read)),
    }
    return [
        write_rows(rows, Path(folder) / f"{name}.{kind}") for name, rows in tables.items() for kind in formats
    ]
