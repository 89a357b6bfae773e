"""PET and CT series of a few slices, written for the tests with any tag changed or taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

PET = "1.2.840.10008.5.1.4.1.1.128"
CT = "1.2.840.10008.5.1.4.1.1.2"
REMOVE = object()
INJECTION = {"RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime"} | {
    "RadiopharmaceuticalStartDateTime",
    "RadionuclideCodeSequence",
}


def pet_header(index: int = 0, **changes: Any) -> pydicom.Dataset:
    """One slice of a sound header: 70 kg, 350 MBq of 18F at 10:00, image at 11:00, corrected to the start."""
    ds = pydicom.Dataset()
    ds.SOPClassUID = PET
    ds.SOPInstanceUID = f"1.2.3.4.5.{index + 1}"
    ds.Modality = "PT"
    ds.Manufacturer = "Scanner maker"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = "20240510"
    ds.SeriesTime = ds.AcquisitionTime = "110000"
    ds.PatientID = "secret-id"
    ds.PatientName = "Secret^Name"
    ds.PatientWeight = "70"
    ds.PatientSize = "1.75"
    ds.PatientSex = "F"
    ds.StudyInstanceUID = "1.2.3.4"
    ds.SeriesInstanceUID = "1.2.3.4.5"
    ds.FrameOfReferenceUID = "1.2.3.4.9"
    ds.SeriesNumber = "3"
    ds.ImagePositionPatient = [-8.0, -8.0, 3.0 * index]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [4, 4]
    ds.SliceThickness = "3"
    ds.CorrectedImage = ["NORM", "ATTN", "SCAT", "DECY"]
    ds.Units = "BQML"
    ds.DecayCorrection = "START"
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.RescaleSlope, ds.RescaleIntercept = "1", "0"
    item = pydicom.Dataset()
    item.RadionuclideTotalDose = "350000000"
    item.RadionuclideHalfLife = "6586.2"
    item.RadiopharmaceuticalStartTime = "100000"
    ds.RadiopharmaceuticalInformationSequence = [item]
    for keyword, value in changes.items():
        if keyword.startswith("NumberOf") and isinstance(value, str) and keyword != "NumberOfFrames":
            value = int(value)
        target = item if keyword in INJECTION else ds
        if keyword in target:
            delattr(target, keyword)
        if value is not REMOVE:
            with disable_value_validation():
                setattr(target, keyword, value)
    return ds


def add_private(
    ds: pydicom.Dataset, group: int, element: int, creator: str, vr: str, value: Any
) -> pydicom.Dataset:
    ds.private_block(group, creator, create=True).add_new(element, vr, value)
    return ds


def save(ds: pydicom.Dataset, path: Path, pixels: np.ndarray) -> Path:
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelData = pixels.astype("<i2").tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def pet_series(folder: Path, count: int = 4, **changes: Any) -> Path:
    """A series whose stored value is 1000 + slice number."""
    for index in range(count):
        save(pet_header(index, **changes), folder / f"pet{index:03d}.dcm", np.full((4, 4), 1000 + index))
    return folder


def ct_series(folder: Path, count: int = 4, **changes: Any) -> Path:
    for index in range(count):
        ds = pet_header(index)
        for keyword in (
            "Units",
            "DecayCorrection",
            "CorrectedImage",
            "RadiopharmaceuticalInformationSequence",
        ):
            delattr(ds, keyword)
        ds.SOPClassUID, ds.Modality, ds.SeriesInstanceUID = CT, "CT", "1.2.3.4.6"
        ds.SOPInstanceUID = f"1.2.3.4.6.{index + 1}"
        ds.RescaleIntercept = "-1024"
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
        save(ds, folder / f"ct{index:03d}.dcm", np.full((4, 4), 1064 + index))
    return folder
