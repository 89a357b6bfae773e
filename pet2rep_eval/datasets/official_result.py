"""The benchmark's result file, JSON Lines.

It has ``subject_id`` (earlier ``patient_id``), ``llm_output``, a list with one string, and ``ground_truth``.
"""

from __future__ import annotations

from pet2rep_eval.datasets.source import Reader, Source


def _claims(source: Source) -> bool:
    return source.kind in ("jsonl", "json") and "llm_output" in source.columns


READER = Reader("official_result", _claims, lambda source: source.container.records(source))
