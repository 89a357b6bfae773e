"""The input layout of PETRG-3D: ``<id>_0000.nii.gz`` (CT), ``<id>_0001.nii.gz`` (PET), reports."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pet2rep_eval.imaging.geometry import Study, resample
from pet2rep_eval.imaging.header import require

FOLDER = "petrg-3d"


def write_pair(study: Study, folder: Path, study_id: str) -> None:
    """CT in HU on the PET grid, and PET in SUV, both float32, left to the caller to move."""
    sitk = require("SimpleITK")
    sitk.WriteImage(resample(study.ct, study.suv), str(folder / f"{study_id}_0000.nii.gz"))
    sitk.WriteImage(study.suv, str(folder / f"{study_id}_0001.nii.gz"))


def collect(
    output: Path,
    study_ids: Sequence[str],
    reports: Mapping[str, str],
    sexes: Mapping[str, str],
    templates: Mapping[str, str],
) -> Path:
    """Gathers the pairs under ``petrg-3d/images``, with ``reports/<id>.json`` and ``template.json``.

    The hospital of a study is the first two letters of its id, as PETRG-3D's code has it; *templates* (``M``,
    ``F``) is the healthy report of each. Pairs are hard-linked where the file system can, else copied.
    """
    root = output / FOLDER
    images, texts = root / "images", root / "reports"
    for folder in (images, texts):
        folder.mkdir(parents=True, exist_ok=True)
    for study_id in study_ids:
        for number in ("0000", "0001"):
            source = output / "images" / study_id / f"{study_id}_{number}.nii.gz"
            target = images / source.name
            target.unlink(missing_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:
                shutil.copy2(source, target)
        content: dict[str, Any] = {
            "检查所见": reports.get(study_id, ""),
            "性别": {"M": "男", "F": "女"}.get(sexes.get(study_id, ""), ""),
        }
        _write(texts / f"{study_id}.json", content)
    _write(
        root / "template.json", {hospital: dict(templates) for hospital in sorted({s[:2] for s in study_ids})}
    )
    return root


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
