"""DICOM series: found in folders, checked, read as volumes with float values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import ImagingError, SUVError
from pet2rep_eval.imaging.header import optional_number, require, tag_name, text, values

DICOM_SUFFIXES = {".dcm", ".dicom", ".ima", ""}
NOT_IMAGES = {
    ".json",
    ".txt",
    ".tsv",
    ".csv",
    ".md",
    ".png",
    ".jpg",
    ".jpeg",
    ".html",
    ".gz",
    ".nii",
    ".zip",
    ".xml",
}
UNCOMPRESSED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
GAP_TOLERANCE = 0.03
"""Share of the slice distance by which single distances may differ; scanners round positions."""


@dataclass(frozen=True, slots=True)
class DicomFile:
    """One file with its header (no pixels)."""

    path: Path
    header: Any
    position: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Series:
    """The files of one series, in order along the normal of the slices (foot to head for axial ones)."""

    files: tuple[DicomFile, ...]

    @property
    def header(self) -> Any:
        return self.files[0].header

    @property
    def headers(self) -> tuple[Any, ...]:
        return tuple(f.header for f in self.files)

    @property
    def uid(self) -> str:
        return text(self.header, "SeriesInstanceUID")

    @property
    def modality(self) -> str:
        return text(self.header, "Modality")

    @property
    def label(self) -> str:
        """What tells the series from others in a message: no identity, no dates."""
        number = text(self.header, "SeriesNumber") or "?"
        return f"{self.modality} series {number} ({len(self.files)} files)"


def walk_files(folder: Path) -> Iterator[Path]:
    """Files below *folder*, sorted; links to folders are followed once, so that loops end."""
    seen: set[tuple[int, int]] = set()
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            status = here.stat()
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise ImagingError(f"{here}: the folder cannot be read ({error.strerror}).") from error
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.is_file():
                    yield Path(entry.path)
            except OSError:  # a link that leads to itself
                continue
        pending.extend(reversed(folders))


def has_preamble(path: Path) -> bool:
    """Whether a file carries DICOM's mark after 128 bytes."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_header(path: Path, *, tags: Sequence[str] | None = None) -> DicomFile | None:
    """Header of a DICOM image; None for a file that is no DICOM image (a DICOMDIR, a text).

    Raises ImagingError for a file that is cut off or damaged.
    """
    pydicom = require("pydicom")
    marked = has_preamble(path)
    if not marked and (path.suffix.lower() not in DICOM_SUFFIXES or path.name.upper() == "DICOMDIR"):
        return None
    from pydicom.config import disable_value_validation

    try:
        with path.open("rb") as stream, disable_value_validation():
            header = pydicom.dcmread(
                stream, stop_before_pixels=True, force=not marked, specific_tags=list(tags) if tags else None
            )
            remaining = path.stat().st_size - stream.tell()
            kind = text(header, "SOPClassUID")
    except Exception as error:
        if not marked and not path.suffix:
            return None  # a LICENSE or VERSION file: only its lack of a suffix made it a candidate
        raise ImagingError(
            f"{path}: the DICOM file is damaged or cut off ({type(error).__name__})."
        ) from error
    if not kind:
        if not marked and path.suffix.lower() not in (".dcm", ".dicom", ".ima"):
            return None
        raise ImagingError(f"{path}: this is no DICOM image, or it is cut off. Take it out of the folder.")
    if "Rows" not in header and not tags:
        return None
    if tags is None:
        _check_length(path, header, remaining)
    return DicomFile(path, header, _position(header))


def _check_length(path: Path, header: Any, remaining: int) -> None:
    """Raises ImagingError where fewer bytes of pixels are there than the header announces."""
    syntax = str(getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", "1.2.840.10008.1.2"))
    if syntax not in UNCOMPRESSED:
        if syntax != "1.2.840.10008.1.2.1.99" and remaining < 16:
            raise ImagingError(f"{path}: the pixel data (7FE0,0010) are missing; the file is cut off.")
        return
    size = [optional_number(header, k) or 0 for k in ("Rows", "Columns", "BitsAllocated")]
    samples = optional_number(header, "SamplesPerPixel") or 1
    frames = optional_number(header, "NumberOfFrames") or 1
    expected = int(size[0] * size[1] * size[2] / 8 * samples * frames)
    prefix = 8 if syntax == "1.2.840.10008.1.2" else 12
    if remaining < expected + prefix:
        raise ImagingError(
            f"{path}: the file is cut off: {expected} bytes of pixel data (7FE0,0010) are announced, "
            f"{max(remaining - prefix, 0)} are there. Copy it again."
        )


def _position(header: Any) -> tuple[float, float, float] | None:
    try:
        x, y, z = (float(v) for v in header.ImagePositionPatient)
    except Exception:  # noqa: BLE001 - missing, empty or unreadable
        return None
    return x, y, z


def orientation(header: Any) -> tuple[float, ...]:
    """Six direction cosines. Raises ImagingError where (0020,0037) is missing or broken."""
    try:
        cosines = tuple(float(v) for v in header.ImageOrientationPatient)
    except Exception as error:
        raise ImagingError(f"{tag_name('ImageOrientationPatient')} is missing or unreadable.") from error
    if len(cosines) != 6:
        raise ImagingError(f"{tag_name('ImageOrientationPatient')} has {len(cosines)} values, not 6.")
    return cosines


def normal(cosines: Sequence[float]) -> tuple[float, float, float]:
    """Row direction × column direction: the way in which slices follow each other."""
    a, b, c, d, e, f = cosines
    return b * f - c * e, c * d - a * f, a * e - b * d


def series_in(folder: Path) -> tuple[Series, ...]:
    """All image series below *folder*. Raises ImagingError for damaged files."""
    return group_series(tuple(walk_files(folder)))


def group_series(paths: Sequence[Path]) -> tuple[Series, ...]:
    """The image series that *paths* hold, each sorted along its normal."""
    groups: dict[str, list[DicomFile]] = {}
    for path in paths:
        if path.suffix.lower() in NOT_IMAGES:
            continue
        found = read_header(path)
        if found is not None:
            groups.setdefault(text(found.header, "SeriesInstanceUID"), []).append(found)
    return tuple(Series(_sorted(files)) for _, files in sorted(groups.items()))


def _sorted(files: Sequence[DicomFile]) -> tuple[DicomFile, ...]:
    try:
        along = normal(orientation(files[0].header))
    except ImagingError:
        return tuple(files)
    return tuple(
        sorted(
            files,
            key=lambda f: (
                0.0 if f.position is None else sum(p * n for p, n in zip(f.position, along, strict=True)),
                str(f.path),
            ),
        )
    )


def check_geometry(series: Series, error: type[ImagingError] = ImagingError) -> None:
    """Raises *error* for missing, duplicate or uneven slices, mixed orientations, a tilted gantry."""
    files = series.files
    first = orientation(files[0].header)
    along = normal(first)
    for keyword in ("Rows", "Columns", "FrameOfReferenceUID"):
        if len({text(f.header, keyword) for f in files}) > 1:
            raise error(
                f"{series.label}: {tag_name(keyword)} differs between the slices: the series is mixed."
            )
    for f in files:
        if f.position is None:
            raise error(f"{f.path}: {tag_name('ImagePositionPatient')} is missing or unreadable.")
        if max(abs(a - b) for a, b in zip(first, orientation(f.header), strict=True)) > 1e-3:
            raise error(f"{series.label}: {tag_name('ImageOrientationPatient')} differs between the slices.")
    spacings = {values(f.header, "PixelSpacing") for f in files}
    if () in spacings:
        raise error(f"{series.label}: {tag_name('PixelSpacing')} is missing.")
    steps = [[float(v) for v in pair] for pair in spacings]
    if max(steps)[0] - min(steps)[0] > 1e-3:
        raise error(f"{series.label}: {tag_name('PixelSpacing')} differs between the slices.")
    if len(files) == 1:
        return
    places = [sum(p * n for p, n in zip(f.position or (), along, strict=True)) for f in files]
    gaps = [b - a for a, b in pairwise(places)]
    usual = sorted(gaps)[len(gaps) // 2]
    name = tag_name("ImagePositionPatient")
    if min(gaps) < max(1e-3, 0.05 * usual):
        at = gaps.index(min(gaps))
        raise error(
            f"{series.label}: two slices lie at one position ({places[at]:.2f} mm along the axis, {name}): "
            "duplicate slices, or several time points."
        )
    for at, gap in enumerate(gaps):
        if abs(gap - usual) > max(GAP_TOLERANCE * usual, 0.02):
            raise error(
                f"{series.label}: the distance between two slices is {gap:.3f} mm at {places[at]:.2f} mm, "
                f"elsewhere {usual:.3f} mm ({name}): slices are missing or unevenly spaced."
            )
    sideways = max(
        abs((b - a) - (places[-1] - places[0]) * n)
        for a, b, n in zip(files[0].position or (), files[-1].position or (), along, strict=True)
    )
    if sideways > max(1.0, 0.01 * abs(places[-1] - places[0])):
        raise error(
            f"{series.label}: the slices are sheared (tilted gantry): {sideways:.1f} mm sideways ({name})."
        )


def check_complete(series: Series) -> None:
    """Raises SUVError where the header announces more slices (0054,0081) than there are."""
    announced = optional_number(series.header, "NumberOfSlices")
    if announced and len(series.files) < announced:
        raise SUVError(
            f"{series.label}: {tag_name('NumberOfSlices')} announces {announced:.0f} slices, "
            f"{len(series.files)} are there."
        )


def read_volume(series: Series) -> Any:
    """The volume as float32 after each slice's own rescale slope and intercept.

    The pixel type is set for the whole series: left alone, SimpleITK takes that of the first slice and
    cuts off the fractions of all others.
    """
    sitk = require("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(f.path) for f in series.files])
    reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise ImagingError(
            f"{series.files[0].path.parent}: the pixels of {series.label} cannot be read: they are damaged, "
            "cut off or in an unknown transfer syntax."
        ) from error
    if len(series.files) > 1 and image.GetSize()[2] != len(series.files):
        raise ImagingError(
            f"{series.label}: {image.GetSize()[2]} slices were read from {len(series.files)} files."
        )
    return image
