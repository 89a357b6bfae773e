"""PETRG-3D's result file: CSV with ``AccNum``, a very large ``Question`` and ``GT_report``.

Each prediction is there twice, as the model wrote it (``Pred_report``) and up to its end mark
(``Cleaned_Pred_report``).
"""

from __future__ import annotations

from pet2rep_eval.datasets.source import Reader, Source


def _claims(source: Source) -> bool:
    return "AccNum" in source.columns and bool({"Pred_report", "Cleaned_Pred_report"} & {*source.columns})


READER = Reader("petrg3d", _claims, lambda source: source.container.records(source))
