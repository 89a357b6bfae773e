"""VLMEvalKit's result file: XLSX, TSV or others with ``index``, ``question``, ``answer``, ``prediction``."""

from __future__ import annotations

from pet2rep_eval.datasets.source import Reader, Source


def _claims(source: Source) -> bool:
    return {"index", "question", "prediction"} <= {*source.columns}


READER = Reader("vlmevalkit", _claims, lambda source: source.container.records(source))
