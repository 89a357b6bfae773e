"""lmms-eval's samples file: JSON Lines with ``doc_id``, ``target``, and lists ``filtered_resps``, ``resps``.

The system is named by the folder, which the harness calls after the model; the file is called after the task.
"""

from __future__ import annotations

from pathlib import Path

from pet2rep_eval.datasets.source import Reader, Source


def _claims(source: Source) -> bool:
    return "doc_id" in source.columns and bool({"resps", "filtered_resps"} & {*source.columns})


def _system(path: Path) -> str:
    return path.resolve().parent.name if "samples_" in path.name else path.stem


READER = Reader("lmms_eval", _claims, lambda source: source.container.records(source), system=_system)
