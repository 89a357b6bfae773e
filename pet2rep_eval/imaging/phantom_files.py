"""A phantom as files: DICOM series as scanners write them, NIfTI with BIDS-PET metadata, and its reports."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pet2rep_eval.imaging.geometry import voxels
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.phantom import Phantom
from pet2rep_eval.imaging.suv_times import mean_activity_time

HALF_LIFE_S = 6586.2
BED_SECONDS = 120
BED_PLANES = 40
STARTED = datetime(2024, 5, 10, 11, 0, 0)
UID_ROOT = "2.25"
"""UIDs derived from a UUID need no registered root."""


def _uid(*parts: object) -> str:
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:16]
    return f"{UID_ROOT}.{int.from_bytes(digest, 'big')}"


def write_dicom(phantom: Phantom, folder: Path, *, changes: Mapping[str, Any] | None = None) -> Path:
    """Folders ``PT`` and ``CT`` of single-frame files in *folder*.

    The PET is in Bq/ml, corrected to the series time; every slice has a slope of its own, and the beds are
    acquired one after the other from the feet. *changes* replaces top-level tags of the PET (None removes).
    """
    _write_pet(phantom, folder / "PT", dict(changes or {}))
    _write_ct(phantom, folder / "CT")
    return folder


def _write_pet(phantom: Phantom, folder: Path, changes: Mapping[str, Any]) -> None:
    pydicom = require("pydicom")
    who = phantom.patient
    activity = who.dose_mbq * 1e6 * 2 ** (-who.uptake_minutes * 60 / HALF_LIFE_S) / (who.weight_kg * 1000)
    late = mean_activity_time(HALF_LIFE_S, BED_SECONDS)
    injected = STARTED - timedelta(minutes=who.uptake_minutes)
    values = voxels(phantom.suv)
    for index, plane in enumerate(values):
        bed = index // BED_PLANES
        becquerels = plane.astype(np.float64) * activity
        slope = float(f"{max(becquerels.max(), 1.0) / 32767:.8g}")
        stored = np.rint(becquerels / slope).astype("<i2")
        ds = _dataset(phantom, "PT", index, phantom.suv, stored)
        started = STARTED + timedelta(seconds=BED_SECONDS * bed)
        ds.SeriesType = ["WHOLE BODY", "IMAGE"]
        ds.Units, ds.DecayCorrection = "BQML", "START"
        ds.CorrectedImage = ["NORM", "DTIM", "RAN", "SCAT", "ATTN", "DECY"]
        ds.AcquisitionDate, ds.AcquisitionTime = f"{started:%Y%m%d}", f"{started:%H%M%S}"
        ds.SeriesDate, ds.SeriesTime = f"{STARTED:%Y%m%d}", f"{STARTED:%H%M%S}"
        ds.ActualFrameDuration = str(1000 * BED_SECONDS)
        ds.FrameReferenceTime = f"{1000 * (BED_SECONDS * bed + late):.3f}"
        ds.NumberOfSlices = len(values)
        ds.RescaleSlope, ds.RescaleIntercept = f"{slope:.8g}", "0"
        item = pydicom.Dataset()
        item.Radiopharmaceutical = "FDG"
        item.RadionuclideTotalDose = f"{who.dose_mbq * 1e6:.0f}"
        item.RadionuclideHalfLife = f"{HALF_LIFE_S:g}"
        item.RadiopharmaceuticalStartTime = f"{injected:%H%M%S}"
        item.RadiopharmaceuticalStartDateTime = f"{injected:%Y%m%d%H%M%S}"
        ds.RadiopharmaceuticalInformationSequence = [item]
        for keyword, value in changes.items():
            if keyword in ds:
                delattr(ds, keyword)
            if value is not None:
                setattr(ds, keyword, value)
        _save(ds, folder / f"{index:04d}.dcm")


def _write_ct(phantom: Phantom, folder: Path) -> None:
    for index, plane in enumerate(voxels(phantom.ct)):
        stored = np.clip(np.rint(plane) + 1024, 0, 32767).astype("<i2")
        ds = _dataset(phantom, "CT", index, phantom.ct, stored)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.KVP = "120"
        ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
        _save(ds, folder / f"{index:04d}.dcm")


def _dataset(phantom: Phantom, modality: str, index: int, image: Any, stored: Any) -> Any:
    """A header with an invented identity, which must appear in no output."""
    pydicom = require("pydicom")
    who = phantom.patient
    ds = pydicom.Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.128" if modality == "PT" else "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = _uid(who, modality, index)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(who), _uid(who, modality)
    ds.FrameOfReferenceUID = _uid(who, "frame")
    ds.Modality, ds.Manufacturer = modality, "pet2rep-eval phantom"
    ds.PatientName, ds.PatientID = f"Invented^{who.study_id}", f"MRN-{who.study_id}"
    ds.PatientBirthDate, ds.PatientSex = "19560403", who.sex
    ds.PatientWeight, ds.PatientSize = f"{who.weight_kg:g}", f"{who.height_cm / 100:.3f}"
    ds.StudyDate, ds.StudyTime = f"{STARTED:%Y%m%d}", f"{STARTED:%H%M%S}"
    ds.SeriesNumber, ds.InstanceNumber = "2" if modality == "PT" else "1", str(index + 1)
    ds.SeriesDescription = f"phantom {modality}"
    x, y, z = image.GetSpacing()
    ds.ImagePositionPatient = [round(v, 6) for v in image.TransformIndexToPhysicalPoint((0, 0, index))]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [y, x], f"{z:g}"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = stored.tobytes()
    return ds


def _save(ds: Any, path: Path) -> None:
    require("pydicom")
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def write_nifti(phantom: Phantom, folder: Path, *, as_suv: bool = False) -> tuple[Path, Path]:
    """``PET.nii.gz`` with BIDS-PET metadata (or ``SUV.nii.gz``) and ``CT.nii.gz``; their paths."""
    sitk = require("SimpleITK")
    who = phantom.patient
    folder.mkdir(parents=True, exist_ok=True)
    ct = folder / "CT.nii.gz"
    sitk.WriteImage(sitk.Cast(phantom.ct, sitk.sitkInt16), str(ct))
    if as_suv:
        pet = folder / "SUV.nii.gz"
        sitk.WriteImage(phantom.suv, str(pet))
        return pet, ct
    pet = folder / "PET.nii.gz"
    passed = who.uptake_minutes * 60
    activity = who.dose_mbq * 1e6 * math.exp(-math.log(2) * passed / HALF_LIFE_S) / (who.weight_kg * 1000)
    sitk.WriteImage(sitk.Cast(phantom.suv * activity, sitk.sitkFloat32), str(pet))
    meta = {
        "Modality": "PT",
        "Units": "Bq/mL",
        "TracerName": "FDG",
        "TracerRadionuclide": "F18",
        "InjectedRadioactivity": who.dose_mbq,
        "InjectedRadioactivityUnits": "MBq",
        "TimeZero": "10:00:00",
        "InjectionStart": 0,
        "ScanStart": passed,
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": passed,
        "PatientWeight": who.weight_kg,
    }
    (folder / "PET.json").write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return pet, ct


def write_reports(phantom: Phantom, folder: Path) -> None:
    """``report.zh.txt`` and ``report.en.txt``: what the phantom shows, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("zh", "en"):
        (folder / f"report.{language}.txt").write_text(phantom.report(language) + "\n", encoding="utf-8")
