"""A cohort of random phantoms as files, with masks and reports: a data set that anyone can make."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.phantom import (
    Patient,
    Phantom,
    abnormal_states,
    cohort,
    lesions,
    make_phantom,
    report,
)
from pet2rep_eval.imaging.phantom_files import write_dicom, write_nifti

PET_SPACING = (4.0, 4.0, 5.0)
CT_SPACING = (3.0, 3.0, 5.0)


def write_cohort(
    folder: str | Path,
    count: int,
    seed: int = 0,
    *,
    kind: str = "dicom",
    language: str = "zh",
    progress: Callable[[Patient], None] | None = None,
) -> Path:
    """*count* phantoms below ``folder/studies``, and ``folder/references.jsonl``; returns the former.

    *kind* is ``dicom`` or ``nifti``. A study that is there already is not made again: the same seed gives
    the same patient. Lesion masks and organ labels lie beside the volumes, where
    :func:`~pet2rep_eval.imaging.studies.find_studies` finds them.
    """
    if kind not in ("dicom", "nifti"):
        raise ValueError(f"A cohort is written as 'dicom' or 'nifti', not '{kind}'.")
    root = Path(folder)
    studies = root / "studies"
    studies.mkdir(parents=True, exist_ok=True)
    lines = []
    for patient in cohort(count, seed):
        place = studies / patient.study_id
        if not place.is_dir():
            phantom = make_phantom(patient, pet_spacing=PET_SPACING, ct_spacing=CT_SPACING)
            partial = studies / f".{patient.study_id}"
            write_dicom(phantom, partial) if kind == "dicom" else write_nifti(phantom, partial)
            write_masks(phantom, partial)
            partial.replace(place)
        findings = lesions(patient.lesions, patient.lesion_scale)
        states = {organ: sorted(found) for organ, found in sorted(abnormal_states(findings).items())}
        text = report(patient, findings, language)
        lines.append({"study_id": patient.study_id, "sex": patient.sex, "reference": text, "states": states})
        if progress is not None:
            progress(patient)
    with (root / "references.jsonl").open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return studies


def write_masks(phantom: Phantom, folder: Path) -> None:
    """``SEG.nii.gz`` (a value for each lesion) and ``organs.nii.gz`` with ``organs.json``, on the PET grid.

    Organs are those of the patient without lesions, as a segmenter gives them.
    """
    sitk = require("SimpleITK")
    folder.mkdir(parents=True, exist_ok=True)
    shape = phantom.suv.GetSize()[::-1]

    def save(values: npt.NDArray[np.uint8], name: str) -> None:
        image = sitk.GetImageFromArray(values)
        image.CopyInformation(phantom.suv)
        sitk.WriteImage(image, str(folder / name))

    found = np.zeros(shape, np.uint8)
    for number, mask in enumerate(phantom.masks().values(), 1):
        found[mask] = number
    save(found, "SEG.nii.gz")
    organs = np.zeros(shape, np.uint8)
    names: dict[int, str] = {}
    visible = replace(phantom, lesions=()).organ_masks()
    for structure in phantom.structures:
        if structure.organ is not None:
            names[len(names) + 1] = structure.name
            organs[visible[structure.name]] = len(names)
    save(organs, "organs.nii.gz")
    (folder / "organs.json").write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
