"""Volumes from what a user has: a DICOM folder, one DICOM file, a zip archive, a NIfTI file."""

from __future__ import annotations

import stat
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pet2rep_eval.errors import ImagingError, SUVError
from pet2rep_eval.imaging.dicom import (
    Series,
    check_complete,
    check_geometry,
    group_series,
    read_volume,
    series_in,
    walk_files,
)
from pet2rep_eval.imaging.header import require, tag_name, text, values
from pet2rep_eval.imaging.nifti import is_nifti, nifti_conversion, read_nifti
from pet2rep_eval.imaging.suv import SuvConversion, SUVWarning, suv_conversion
from pet2rep_eval.imaging.suv_checks import check_is_pet

if TYPE_CHECKING:
    import SimpleITK

MAX_ARCHIVE_BYTES = 32 * 2**30
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class SuvVolume:
    """A PET volume in SUVbw with how it came about."""

    image: Any
    """SimpleITK image, float32, in the geometry of the file."""
    conversion: SuvConversion
    frame_of_reference: str = ""
    sex: str = ""
    """``M``, ``F`` or ``O`` as in the header; empty for NIfTI."""
    patient: str = field(default="", repr=False)
    """The header's patient id, to compare with the CT's; never written anywhere."""


def load_suv(
    path: str | Path, *, strict: bool = False, units: str | None = None, series: str | None = None
) -> SimpleITK.Image:
    """A PET volume as SUVs by body weight.

    *path* is a DICOM folder (searched with its sub-folders), one DICOM file (read alone), a zip archive of
    DICOM files, or a NIfTI file with BIDS-PET metadata or ``units="suv"``. *series* is a SeriesInstanceUID
    where a folder holds several PET series. Returns a SimpleITK image of float32.

    Raises :class:`SUVError`, naming the tag, where the headers give no SUV; doubts are issued as
    :class:`~pet2rep_eval.imaging.suv.SUVWarning`, or raised where *strict* is set.
    """
    return read_suv(path, strict=strict, units=units, series=series).image


def load_ct(path: str | Path, *, series: str | None = None) -> SimpleITK.Image:
    """A CT volume in Hounsfield units as a SimpleITK image of float32; *path* as for :func:`load_suv`."""
    with located(Path(path)) as place:
        if is_nifti(place):
            return read_nifti(place)
        chosen = choose_ct(_series_at(place), place, series)
        check_geometry(chosen)
        return read_volume(chosen)


def read_suv(
    path: str | Path, *, strict: bool = False, units: str | None = None, series: str | None = None
) -> SuvVolume:
    """As :func:`load_suv`, with the record of the conversion."""
    with located(Path(path)) as place:
        notes: list[str] = []
        if is_nifti(place):
            conversion = nifti_conversion(place, units)
            volume = SuvVolume(_scaled(read_nifti(place), conversion.factors), conversion)
        else:
            if units is not None:
                raise SUVError(
                    f"{place}: units are declared for NIfTI files only; DICOM headers name their own."
                )
            chosen = choose_pet(_series_at(place), place, series, notes)
            volume = suv_of(chosen, complete=not place.is_file())
    for note in (*notes, *volume.conversion.warnings):
        if strict:
            raise SUVError(note)
        warnings.warn(note, SUVWarning, stacklevel=3)
    return volume


def suv_of(series: Series, *, complete: bool = True) -> SuvVolume:
    """The SUV volume of a PET series. Raises SUVError."""
    check_is_pet(series.header)
    check_geometry(series, SUVError)
    if complete:
        check_complete(series)
    conversion = suv_conversion(series.headers)
    image = _scaled(read_volume(series), conversion.factors)
    header = series.header
    frame, sex, patient = (text(header, k) for k in ("FrameOfReferenceUID", "PatientSex", "PatientID"))
    return SuvVolume(image, conversion, frame, sex, patient)


def _scaled(image: Any, factors: Sequence[float]) -> Any:
    """*image* times one factor, or one for every slice; calculated in double precision."""
    sitk = require("SimpleITK")
    import numpy as np

    voxels = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(voxels).all():
        raise SUVError("The volume holds values that are not finite.")
    if len(set(factors)) == 1 and factors[0] == 1.0:
        return image
    scaled = np.empty(voxels.shape, dtype=np.float32)
    for index in range(len(scaled)):
        scaled[index] = voxels[index].astype(np.float64) * factors[index if len(factors) > 1 else 0]
    result = sitk.GetImageFromArray(scaled)
    result.CopyInformation(image)
    return result


def _series_at(place: Path) -> tuple[Series, ...]:
    found = group_series((place,)) if place.is_file() else series_in(place)
    if not found:
        raise ImagingError(
            f"{place}: there is no DICOM image. Give a folder of DICOM files, a zip or a NIfTI file."
        )
    return found


def _one_patient(found: Sequence[Series], place: Path, error: type[ImagingError]) -> None:
    patients = {text(f.header, "PatientID") for s in found for f in s.files}
    if len(patients) > 1:
        raise error(
            f"{place}: the files belong to {len(patients)} patients ({tag_name('PatientID')}). "
            "Give the folder of one study."
        )


def choose_pet(found: Sequence[Series], place: Path, uid: str | None, notes: list[str]) -> Series:
    """The PET series among those of a folder. Raises SUVError where there is none, or more than one."""
    _one_patient(found, place, SUVError)
    wanted = [s for s in found if (s.uid == uid if uid else s.modality == "PT")]
    if not wanted:
        kinds = ", ".join(sorted({s.modality or "none" for s in found}))
        raise SUVError(f"{place}: {tag_name('Modality')} is {kinds}; there is no PET series (PT).")
    if len(wanted) > 1:
        corrected = [s for s in wanted if "ATTN" in values(s.header, "CorrectedImage")]
        if len(corrected) == 1:
            notes.append(
                f"{len(wanted)} PET series; only {corrected[0].label} is attenuation-corrected "
                f"({tag_name('CorrectedImage')}) and is taken."
            )
            return corrected[0]
        raise SUVError(
            f"{place}: there are {len(wanted)} PET series ({tag_name('SeriesInstanceUID')}): "
            f"{'; '.join(s.label for s in wanted)}. Give the folder of one of them, or its SeriesInstanceUID."
        )
    return wanted[0]


def choose_ct(
    found: Sequence[Series], place: Path, uid: str | None = None, frame_of_reference: str = ""
) -> Series:
    """The CT series of a folder: with several, that of the PET's frame of reference with most slices.

    Raises ImagingError where there is none, or where two are equally good.
    """
    _one_patient(found, place, ImagingError)
    wanted = [
        s
        for s in found
        if (s.uid == uid if uid else s.modality == "CT" and "LOCALIZER" not in values(s.header, "ImageType"))
    ]
    if not wanted:
        kinds = ", ".join(sorted({s.modality or "none" for s in found}))
        raise ImagingError(f"{place}: {tag_name('Modality')} is {kinds}; there is no CT series.")
    if len(wanted) > 1 and frame_of_reference:
        near = [s for s in wanted if text(s.header, "FrameOfReferenceUID") == frame_of_reference]
        wanted = near or wanted
    if len(wanted) > 1:
        most = max(len(s.files) for s in wanted)
        wanted = [s for s in wanted if len(s.files) == most]
    if len(wanted) > 1:
        raise ImagingError(
            f"{place}: there are {len(wanted)} CT series: {'; '.join(s.label for s in wanted)}. "
            "Give the folder of one of them, or its SeriesInstanceUID."
        )
    kind = text(wanted[0].header, "SOPClassUID")
    if kind != CT_STORAGE:
        raise ImagingError(f"{place}: {tag_name('SOPClassUID')} is '{kind}', not CT Image Storage.")
    return wanted[0]


@contextmanager
def located(path: Path) -> Iterator[Path]:
    """*path* itself, or the temporary folder that a zip archive was unpacked into. Raises ImagingError."""
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise ImagingError(f"{path}: it cannot be read ({error.strerror}).") from error
    if stat.S_ISREG(kind) and path.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="pet2rep-eval-") as folder:
            _unpack(path, Path(folder))
            inside = [f for f in walk_files(Path(folder)) if is_nifti(f)]
            if len(inside) == 1:
                yield inside[0]
            else:
                yield Path(folder)
    else:
        yield path


def _unpack(archive: Path, folder: Path) -> None:
    """The regular files of a zip archive under names of our own, so that none lands outside *folder*."""
    try:
        with zipfile.ZipFile(archive) as content:
            members = [
                m for m in content.infolist() if not m.is_dir() and not stat.S_ISLNK(m.external_attr >> 16)
            ]
            if sum(m.file_size for m in members) > MAX_ARCHIVE_BYTES:
                raise ImagingError(
                    f"{archive}: the archive unpacks to more than {MAX_ARCHIVE_BYTES >> 30} GiB."
                )
            for number, member in enumerate(members):
                name = Path(member.filename.replace("\\", "/")).name
                if name.startswith(".") or name.upper() == "DICOMDIR":
                    continue
                # NIfTI files and their JSON keep their names, which say what they are.
                named = is_nifti(Path(name)) or name.lower().endswith(".json")
                target = folder / (name if named else f"{number:06d}{Path(name).suffix}")
                with content.open(member) as source, target.open("wb") as sink:
                    while chunk := source.read(1 << 20):
                        sink.write(chunk)
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ImagingError(f"{archive}: the archive is damaged, encrypted or cut off ({error}).") from error
