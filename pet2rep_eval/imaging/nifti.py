"""NIfTI volumes: safely read, with the metadata that make an SUV of them."""

from __future__ import annotations

import gzip
import json
import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import ImagingError, SUVError
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.suv import SuvConversion

SUV_UNITS = {"suv", "suvbw", "g/ml", "gml", "g/cm3"}
ACTIVITY_UNITS = {"bq/ml": 1.0, "bqml": 1.0, "bq/cc": 1.0, "kbq/ml": 1e3, "mbq/ml": 1e6}
DOSE_UNITS = {"bq": 1.0, "kbq": 1e3, "mbq": 1e6, "gbq": 1e9, "mci": 37e6, "uci": 37e3, "ci": 37e9}
HALF_LIVES = {"f18": 6586.2, "18f": 6586.2, "c11": 1221.8, "11c": 1221.8, "ga68": 4062.6, "68ga": 4062.6}


def is_nifti(path: Path) -> bool:
    """By name: ``.nii`` or ``.nii.gz``."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def stem(path: Path) -> str:
    """Name without ``.nii`` or ``.nii.gz``."""
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoredVolume:
    """A NIfTI volume whose voxels are still in the file."""

    path: Path
    size: tuple[int, int, int]
    frame: Any
    """A SimpleITK image of one voxel with the volume's origin, spacing and directions."""

    def read(self, low: Sequence[int] = (0, 0, 0), high: Sequence[int] | None = None) -> Any:
        """The voxels of a half-open box of indices (default: all) in the type of the file.

        A compressed file is unpacked once, and what lies outside of the box is never kept.
        """
        reader = _reader(self.path)
        size = [b - a for a, b in zip(low, self.size if high is None else high, strict=True)]
        more = reader.GetDimension() - 3
        reader.SetExtractIndex([*low, *[0] * more])
        reader.SetExtractSize([*size, *[0] * more])
        try:
            return reader.Execute()
        except RuntimeError as error:
            raise ImagingError(f"{self.path}: the NIfTI file is damaged or cut off.") from error


def open_nifti(path: Path) -> StoredVolume:
    """Checks a NIfTI file and reads its geometry.

    Raises ImagingError for a damaged file, for one that holds no static volume, and where a second file of
    the same stem would be read in its place: for ``x.nii.gz`` SimpleITK returns the voxels of ``x.nii``, or
    of ``x.img``, that lies beside it.
    """
    sitk = require("SimpleITK")
    for suffix in (".nii", ".nii.gz", ".hdr", ".img", ".img.gz", ".hdr.gz"):
        rival = path.with_name(stem(path) + suffix)
        if rival.name.lower() != path.name.lower() and rival.exists():
            raise ImagingError(
                f"{path}: '{rival.name}' lies beside it, and a reader may take its voxels instead. "
                "Move one of the two."
            )
    if not path.is_file():
        raise ImagingError(f"{path}: there is no such file.")
    reader = _reader(path)
    size = reader.GetSize()
    components = reader.GetNumberOfComponents()
    if size[3:] == (1,):
        size = size[:3]
    if len(size) != 3 or components != 1:
        raise ImagingError(
            f"{path}: the volume has size {'×'.join(map(str, size))} with {components} component(s); "
            "one static three-dimensional volume is needed."
        )
    _check_length(path)
    frame = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    whole = reader.GetDimension()
    frame.SetOrigin(reader.GetOrigin()[:3])
    frame.SetSpacing(reader.GetSpacing()[:3])
    frame.SetDirection([reader.GetDirection()[whole * r + c] for r in range(3) for c in range(3)])
    return StoredVolume(path, (int(size[0]), int(size[1]), int(size[2])), frame)


def _reader(path: Path) -> Any:
    """A reader that knows the file's header."""
    reader = require("SimpleITK").ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NiftiImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImagingError(f"{path}: the NIfTI file is damaged or cut off.") from error
    return reader


def read_nifti(path: Path) -> Any:
    """A three-dimensional volume as float32. Raises ImagingError as :func:`open_nifti`."""
    sitk = require("SimpleITK")
    image = open_nifti(path).read()
    return image if image.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def _check_length(path: Path) -> None:
    """Raises ImagingError for a file that is cut off, which SimpleITK may read without a word."""
    packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            head = stream.read(352)
        order = "<" if struct.unpack("<i", head[:4])[0] == 348 else ">"
        dimensions = struct.unpack(f"{order}8h", head[40:56])
        bits = struct.unpack(f"{order}h", head[72:74])[0]
        offset = int(struct.unpack(f"{order}f", head[108:112])[0])
        if struct.unpack(f"{order}i", head[:4])[0] != 348:  # NIfTI-2
            return
        expected = offset + math.prod(dimensions[1 : 1 + dimensions[0]]) * bits // 8
        size = path.stat().st_size
        if packed:
            with path.open("rb") as stream:
                stream.seek(-4, 2)
                size = struct.unpack("<I", stream.read(4))[0]
            if size == expected % 2**32:
                return
            # Several members, or cut off: only unpacking tells.
            with gzip.open(path) as unpacked:
                size = 0
                while chunk := unpacked.read(1 << 22):
                    size += len(chunk)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise ImagingError(f"{path}: the NIfTI file is damaged or cut off ({error}).") from error
    if size < expected:
        raise ImagingError(f"{path}: the NIfTI file is cut off: {size} of {expected} bytes are there.")


def sidecar(path: Path) -> dict[str, Any]:
    """The JSON beside a NIfTI file (BIDS); empty where there is none. Raises ImagingError for broken JSON."""
    beside = path.with_name(stem(path) + ".json")
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ImagingError(f"{beside}: this is no JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ImagingError(f"{beside}: a JSON object with the metadata of the image is expected.")
    return content


def _participant_weight(path: Path) -> float | None:
    """Weight in kg from ``participants.tsv`` of the BIDS tree that *path* lies in."""
    subject = re.match(r"(sub-[A-Za-z0-9]+)", path.name)
    for folder in list(path.parents)[:5]:
        table = folder / "participants.tsv"
        if subject and table.is_file():
            lines = [line.split("\t") for line in table.read_text(encoding="utf-8-sig").splitlines() if line]
            heads = [head.strip().lower() for head in lines[0]]
            column = next(
                (c for c in ("weight", "body_weight", "bodyweight", "weight_kg") if c in heads), None
            )
            for row in lines[1:]:
                if row[0].strip() == subject[1] and column is not None and len(row) > heads.index(column):
                    try:
                        return float(row[heads.index(column)])
                    except ValueError:
                        return None
    return None


def _number(meta: dict[str, Any], path: Path, *keys: str) -> float | None:
    for key in keys:
        value = meta.get(key)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None or value == "" or value == "n/a":
            continue
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise SUVError(f"{path}: '{key}' in its JSON is not a number.") from error
        if not math.isfinite(number):
            raise SUVError(f"{path}: '{key}' in its JSON is not finite.")
        return number
    return None


def _positive(value: float | None, path: Path, what: str) -> float:
    if value is None:
        raise SUVError(f"{path}: '{what}' is missing in its JSON: there is no SUV without it.")
    if value <= 0:
        raise SUVError(f"{path}: '{what}' is {value:g} in its JSON; it must be positive.")
    return value


def _clock(value: Any) -> float | None:
    found = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", str(value or "").strip())
    return None if not found else int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def nifti_conversion(path: Path, units: str | None = None) -> SuvConversion:
    """The factor from a NIfTI's values to SUVbw: declared, or from BIDS-PET metadata.

    *units* ``"suv"`` declares that the values are SUVbw already. A file named ``SUV.nii.gz`` (the layout of
    autoPET) declares it by its name, a JSON beside the file by its ``Units``.
    """
    meta = sidecar(path)
    stated = str(units or meta.get("Units") or "").strip().lower().replace(" ", "")
    if not stated and stem(path).lower() in ("suv", "suvbw"):
        stated = "suv"
    if stated in SUV_UNITS:
        return SuvConversion((1.0,), "declared as SUV", "SUV")
    if not meta:
        raise SUVError(
            f"{path}: a NIfTI file says nothing about its units. Put the BIDS-PET metadata beside it "
            f"({stem(path)}.json), or declare that it holds SUVs already (units='suv', --units suv)."
        )
    if stated not in ACTIVITY_UNITS:
        raise SUVError(
            f"{path}: 'Units' is '{meta.get('Units', 'missing')}' in its JSON; Bq/mL or SUV is needed."
        )
    notes: list[str] = []
    weight = _number(meta, path, "PatientWeight", "BodyWeight", "Weight")
    weight = _positive(weight if weight is not None else _participant_weight(path), path, "PatientWeight")
    if weight > 1000:
        notes.append(f"{path.name}: PatientWeight is {weight:g}: it is taken as grams.")
        weight /= 1000
    dose, half_life = _dose(meta, path), _half_life(meta, path)
    uptake, method, correction = _uptake(meta, path, half_life)
    if uptake is not None and not 1800 <= uptake <= 7200 and half_life < 36000 and correction != "ADMIN":
        notes.append(
            f"{path.name}: {uptake / 60:.0f} min lie between injection and the time of decay correction."
        )
    rate = math.log(2) / half_life
    factor = 1000 * weight / dose * ACTIVITY_UNITS[stated]
    if correction == "START":
        factor *= math.exp(rate * (uptake or 0.0))
    elif correction == "NONE":
        during = rate * _positive(_number(meta, path, "FrameDuration"), path, "FrameDuration")
        factor *= math.exp(rate * (uptake or 0.0)) * during / -math.expm1(-during)
    return SuvConversion(
        (factor,), method, "BQML", correction, uptake_minutes=None if uptake is None else uptake / 60,
        weight_kg=weight, dose_bq=dose, half_life_s=half_life, warnings=tuple(notes),
    )  # fmt: skip


def _dose(meta: dict[str, Any], path: Path) -> float:
    injected = _number(meta, path, "InjectedRadioactivity")
    if injected is None:
        return _positive(_number(meta, path, "RadionuclideTotalDose"), path, "InjectedRadioactivity")
    unit = str(meta.get("InjectedRadioactivityUnits", "")).strip().lower()
    if unit not in DOSE_UNITS:
        raise SUVError(
            f"{path}: 'InjectedRadioactivityUnits' is '{unit or 'missing'}' in its JSON; MBq is usual."
        )
    return _positive(injected, path, "InjectedRadioactivity") * DOSE_UNITS[unit]


def _half_life(meta: dict[str, Any], path: Path) -> float:
    stated = _number(meta, path, "RadionuclideHalfLife", "TracerRadionuclideHalfLife")
    if stated is not None:
        return _positive(stated, path, "RadionuclideHalfLife")
    nuclide = re.sub(r"[^a-z0-9]", "", str(meta.get("TracerRadionuclide", "")).lower())
    if nuclide not in HALF_LIVES:
        raise SUVError(
            f"{path}: neither 'RadionuclideHalfLife' nor a known 'TracerRadionuclide' is in its JSON."
        )
    return HALF_LIVES[nuclide]


def _uptake(meta: dict[str, Any], path: Path, half_life: float) -> tuple[float | None, str, str]:
    """Seconds from injection to the moment of decay correction, by what, and DICOM's word for it."""
    injection = _number(meta, path, "InjectionStart")
    corrected = meta.get("ImageDecayCorrected")
    word = str(meta.get("DecayCorrection", "")).upper()
    if isinstance(corrected, bool):
        if injection is None:
            raise SUVError(f"{path}: 'InjectionStart' is missing in its JSON.")
        key = "ImageDecayCorrectionTime" if corrected else "FrameTimesStart"
        moment = _number(meta, path, key)
        if moment is None and not corrected:
            moment = _number(meta, path, "ScanStart")
        if moment is None:
            raise SUVError(f"{path}: '{key}' is missing in its JSON: the decay of the dose is unknown.")
        if not corrected and "FrameTimesStart" in meta:
            moment += _number(meta, path, "ScanStart") or 0.0
        uptake = moment - injection
        correction = ("ADMIN" if abs(uptake) < 1 else "START") if corrected else "NONE"
    elif word == "ADMIN":
        return None, "DecayCorrection ADMIN", word
    elif word in ("START", "NONE"):
        start, given = _clock(meta.get("AcquisitionTime")), _clock(meta.get("RadiopharmaceuticalStartTime"))
        if start is None or given is None:
            raise SUVError(
                f"{path}: 'RadiopharmaceuticalStartTime' or 'AcquisitionTime' is missing in its JSON."
            )
        uptake, correction = (start - given) % 86400, word
    else:
        raise SUVError(
            f"{path}: 'ImageDecayCorrected' is missing in its JSON: the decay of the dose is unknown."
        )
    if uptake < -1 or uptake > max(86400, 10 * half_life):
        raise SUVError(f"{path}: {uptake:.0f} s lie between injection and decay correction: that cannot be.")
    return max(uptake, 0.0), "BIDS-PET metadata", correction
