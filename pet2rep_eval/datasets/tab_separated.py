"""TSV: quoted like CSV, with tabs between the cells."""

from __future__ import annotations

from pet2rep_eval.datasets.comma_separated import separated
from pet2rep_eval.datasets.source import Reader

READER = Reader("tsv", lambda source: source.kind == "tsv", lambda source: separated(source, "\t"))
