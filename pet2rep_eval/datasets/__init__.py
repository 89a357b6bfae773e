"""Reading predictions, references and ids in the formats that people have them in, one reader a file."""

from __future__ import annotations

from pet2rep_eval.datasets.reading import (
    iter_reports,
    read_ids,
    read_predictions,
    read_references,
    read_reports,
)
from pet2rep_eval.datasets.records import Record, References, Row, Submission
from pet2rep_eval.datasets.source import (
    ID_COLUMNS,
    PREDICTION_COLUMNS,
    READERS,
    REFERENCE_COLUMNS,
    Reader,
    Source,
)

__all__ = [
    "ID_COLUMNS",
    "PREDICTION_COLUMNS",
    "READERS",
    "REFERENCE_COLUMNS",
    "Reader",
    "Record",
    "References",
    "Row",
    "Source",
    "Submission",
    "iter_reports",
    "read_ids",
    "read_predictions",
    "read_references",
    "read_reports",
]
