"""Whole commands in a process of their own: ``score`` with everything, and ``--help``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, cpu_of_command
from benchmarks.reports import Corpus


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.jsonl"
        rows = (
            {"study_id": f"s{i}", "prediction": prediction, "reference": reference}
            for i, (prediction, reference) in enumerate(corpus.pairs)
        )
        file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        seconds = cpu_of_command("--quiet", "score", str(file), "--format", "json")
    yield Row("score", f"score of {len(corpus.pairs)} pairs, all metrics, baselines", seconds, "CPU s")
    yield Row("help", "pet2rep-eval --help", cpu_of_command("--help", best_of=5), "CPU s", "best of 5")
