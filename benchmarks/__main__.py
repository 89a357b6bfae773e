"""``python -m benchmarks [PART …] [--full] [--output FILE]``"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from benchmarks import reports
from benchmarks.measure import Row

PARTS = {
    "parsing": "benchmarks.parsing",
    "linear": "benchmarks.linear",
    "nlg": "benchmarks.nlg",
    "comparison": "benchmarks.comparison",
    "commands": "benchmarks.commands",
    "inference": "benchmarks.inference",
    "imaging": "benchmarks.imaging",
}
"""Part → module with ``run(corpus, full=…)``. Parsing stands first: it must meet its texts cold."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measured speed of pet2rep-eval."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default all")
    parser.add_argument("--full", action="store_true", help="slow libraries on all pairs, not on a sample")
    parser.add_argument("--output", type=Path, default=Path("benchmarks.json"), help="JSON file")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    corpus = reports.load()
    print(
        f"{corpus.source}: {len(corpus.distinct)} distinct; {len(corpus.pairs)} pairs made from their "
        f"sentences, {corpus.repeat_rate:.0%} of the clauses repeat"
    )
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; CPU time\n")
    rows: list[Row] = []
    for part in options.parts or PARTS:
        run: Callable[..., Iterator[Row]] = import_module(PARTS[part]).run
        for row in run(corpus, full=options.full):
            rows.append(row)
            remark = f"  ({row.remark})" if row.remark else ""
            print(f"{row.part:8} {row.what:55} {row.value:12.4g} {row.unit}{remark}", flush=True)
    result = {
        "source": corpus.source,
        "pairs": len(corpus.pairs),
        "repeat_rate": corpus.repeat_rate,
        "python": platform.python_version(),
        "rows": [
            {"part": r.part, "what": r.what, "value": r.value, "unit": r.unit, "remark": r.remark}
            for r in rows
        ],
    }
    options.output.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(f"\n{options.output}")


if __name__ == "__main__":
    main()
