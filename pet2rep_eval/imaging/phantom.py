"""A synthetic whole-body PET/CT with known organs, lesions, SUVs and report, so that all can be run offline.

The anatomy is data (``lexicons/phantom.toml``). :func:`make_phantom` paints it on two grids and adds blur and
noise; :mod:`~pet2rep_eval.imaging.phantom_files` writes it as DICOM or NIfTI, :func:`report` as a report.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging.header import require
from pet2rep_eval.records import UptakeState
from pet2rep_eval.resources import read_text

PSF_FWHM_MM = 6.0
COUNTS_PER_SUV = 150.0
CT_NOISE_HU = 12.0
AIR = -1000.0
LOW = (-216.0, -160.0, -440.0)
HIGH = (216.0, 160.0, 560.0)
"""Field of view in patient coordinates, mm."""


@dataclass(frozen=True, slots=True)
class Structure:
    """An ellipsoid, or an elliptic cylinder along z, of one density and one uptake."""

    name: str
    shape: str
    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float
    suv: float
    organ: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Lesion:
    """An ellipsoid that a report names."""

    name: str
    organ: str
    state: UptakeState
    center: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float
    suv: float
    sentences: tuple[tuple[str, str], ...]
    """Language → sentence with places for size and SUV."""

    @property
    def size_mm(self) -> tuple[float, float]:
        """The two axial axes, the longer one first."""
        first, second = sorted((2 * self.radii[0], 2 * self.radii[1]), reverse=True)
        return round(first), round(second)

    def shape(self) -> Structure:
        return Structure(self.name, "ellipsoid", self.center, self.radii, self.hu, self.suv, self.organ)


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom a phantom stands for."""

    study_id: str = "phantom"
    sex: str = "M"
    weight_kg: float = 72.0
    height_cm: float = 170.0
    dose_mbq: float = 270.0
    uptake_minutes: float = 60.0
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the patient lies in the scanner: ±40 mm in y for other heights of the table."""
    stature: float = 1.0
    """Scale of the anatomy."""
    lesions: tuple[str, ...] | None = None
    """Names of the lesions that the patient has; None: all of the phantom."""
    lesion_scale: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Phantom:
    """Volumes with their truth. SimpleITK images, float32, patient coordinates."""

    patient: Patient
    suv: Any
    ct: Any
    lesions: tuple[Lesion, ...]
    structures: tuple[Structure, ...] = field(repr=False, default=())

    def masks(self, grid: Any | None = None) -> dict[str, npt.NDArray[np.bool_]]:
        """Lesion name → voxels ``[z, y, x]`` on *grid* (default: the PET) whose centre it covers."""
        grid = self.suv if grid is None else grid
        return {lesion.name: _inside(grid, lesion.shape(), self.patient) for lesion in self.lesions}

    def organ_masks(self, grid: Any | None = None) -> dict[str, npt.NDArray[np.bool_]]:
        """Structure name → visible voxels on *grid*: without what is painted over them."""
        grid = self.suv if grid is None else grid
        painted = np.full(grid.GetSize()[::-1], -1, dtype=np.int16)
        shapes = (*self.structures, *(lesion.shape() for lesion in self.lesions))
        for number, structure in enumerate(shapes):
            painted[_inside(grid, structure, self.patient)] = number
        return {s.name: painted == number for number, s in enumerate(self.structures)}

    @property
    def states(self) -> dict[str, frozenset[UptakeState]]:
        """Organ key → abnormal states, as its report states them."""
        return abnormal_states(self.lesions)

    def report(self, language: str = "zh") -> str:
        return report(self.patient, self.lesions, language)


def abnormal_states(findings: Sequence[Lesion]) -> dict[str, frozenset[UptakeState]]:
    """Organ key → states of its lesions."""
    found: dict[str, frozenset[UptakeState]] = {}
    for lesion in findings:
        found[lesion.organ] = found.get(lesion.organ, frozenset()) | {lesion.state}
    return found


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(read_text("lexicons", "phantom.toml"))


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def structures(sex: str = "M") -> tuple[Structure, ...]:
    """The anatomy, in the order in which it is painted."""
    found = []
    for raw in _data()["structure"]:
        if raw.get("organ") == "prostate" and sex != "M":
            continue
        x, y, z = _triple(raw["center"])
        sides = (("right ", -x), ("left ", x)) if raw.get("mirror") else (("", x),)
        for side, place in sides:
            found.append(
                Structure(
                    side + raw["name"], raw["shape"], (place, y, z), _triple(raw["radii"]), float(raw["hu"]),
                    float(raw["suv"]), raw.get("organ"), raw.get("role"),
                )
            )  # fmt: skip
    return tuple(found)


def lesions(names: Sequence[str] | None = None, scale: float = 1.0) -> tuple[Lesion, ...]:
    """The phantom's lesions, or those of *names*, with axes times *scale*. Raises UnknownNameError."""
    known = {raw["name"]: raw for raw in _data()["lesion"]}
    found = []
    for name in known if names is None else names:
        if name not in known:
            raise UnknownNameError("lesion of the phantom", name, known)
        raw = known[name]
        a, b, c = (scale * r for r in _triple(raw["radii"]))
        found.append(
            Lesion(
                name, raw["organ"], UptakeState(raw["state"]), _triple(raw["center"]), (a, b, c),
                float(raw["hu"]), float(raw["suv"]), (("zh", raw["zh"]), ("en", raw["en"])),
            )
        )  # fmt: skip
    return tuple(found)


def empty_grid(spacing: Sequence[float], low: Sequence[float] = LOW, high: Sequence[float] = HIGH) -> Any:
    """An image of zeros over the field of view, axes to left, back and head."""
    sitk = require("SimpleITK")
    size = [max(1, round((b - a) / s)) for a, b, s in zip(low, high, spacing, strict=True)]
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([a + s / 2 for a, s in zip(low, spacing, strict=True)])
    return image


def _box(grid: Any, structure: Structure, patient: Patient) -> tuple[list[slice], npt.NDArray[np.bool_]]:
    """Slices ``[z, y, x]`` around a structure, and which of their voxel centres it covers."""
    scale = patient.stature
    distances, slices = [], []
    for axis in range(3):
        middle = scale * structure.center[axis] + patient.offset_mm[axis]
        radius = scale * structure.radii[axis]
        origin, step, count = grid.GetOrigin()[axis], grid.GetSpacing()[axis], grid.GetSize()[axis]
        first = max(0, math.floor((middle - radius - origin) / step))
        last = min(count, math.ceil((middle + radius - origin) / step) + 1)
        slices.append(slice(first, max(first, last)))
        distances.append((origin + step * np.arange(first, max(first, last)) - middle) / radius)
    x, y, z = distances
    if structure.shape == "cylinder":
        flat = (x[None, None, :] ** 2 + y[None, :, None] ** 2) <= 1
        covered = flat & (np.abs(z)[:, None, None] <= 1)
    else:
        covered = x[None, None, :] ** 2 + y[None, :, None] ** 2 + z[:, None, None] ** 2 <= 1
    return slices[::-1], covered


def _inside(grid: Any, structure: Structure, patient: Patient) -> npt.NDArray[np.bool_]:
    mask = np.zeros(grid.GetSize()[::-1], dtype=bool)
    place, covered = _box(grid, structure, patient)
    mask[tuple(place)] = covered
    return mask


def _painted(
    grid: Any, shapes: Sequence[Structure], patient: Patient, attribute: str, outside: float
) -> npt.NDArray[np.float32]:
    values = np.full(grid.GetSize()[::-1], outside, dtype=np.float32)
    for structure in shapes:
        place, covered = _box(grid, structure, patient)
        values[tuple(place)][covered] = getattr(structure, attribute)
    return values


def make_phantom(
    patient: Patient | None = None,
    *,
    pet_spacing: Sequence[float] = (4.0, 4.0, 5.0),
    ct_spacing: Sequence[float] = (2.4, 2.4, 4.0),
    noise: bool = True,
) -> Phantom:
    """The volumes of a patient: PET blurred (6 mm FWHM) with Poisson noise, CT with noise and a table."""
    sitk = require("SimpleITK")
    who = patient or Patient()
    random = np.random.default_rng(who.seed)
    anatomy, findings = structures(who.sex), lesions(who.lesions, who.lesion_scale)
    shapes = (*anatomy, *(lesion.shape() for lesion in findings))
    pet_grid, ct_grid = empty_grid(pet_spacing), empty_grid(ct_spacing)
    suv = sitk.GetImageFromArray(_painted(pet_grid, shapes, who, "suv", 0.0))
    suv.CopyInformation(pet_grid)
    suv = sitk.SmoothingRecursiveGaussian(suv, PSF_FWHM_MM / (2 * math.sqrt(2 * math.log(2))))
    suv_values = np.maximum(sitk.GetArrayFromImage(suv), 0)
    hu = _painted(ct_grid, (_table(who), *shapes), who, "hu", AIR)
    if noise:
        suv_values = (random.poisson(suv_values * COUNTS_PER_SUV) / COUNTS_PER_SUV).astype(np.float32)
        hu += random.normal(0, CT_NOISE_HU, hu.shape).astype(np.float32)
    result, ct = sitk.GetImageFromArray(suv_values), sitk.GetImageFromArray(np.rint(hu))
    result.CopyInformation(pet_grid)
    ct.CopyInformation(ct_grid)
    return Phantom(who, result, ct, findings, anatomy)


def _table(patient: Patient) -> Structure:
    """The patient lies on it; seen on CT only."""
    return Structure("table", "cylinder", (0, 142, 60), (200, 14, 2000), -200, 0.0)


def random_patient(seed: int, study_id: str | None = None) -> Patient:
    """A patient whose build, position and lesions follow from *seed*."""
    random = np.random.default_rng([20, seed])
    names = [raw["name"] for raw in _data()["lesion"]]
    chosen = [name for name in names if random.random() < 0.45]
    stature = float(random.uniform(0.93, 1.03))
    return Patient(
        study_id or f"phantom-{seed:04d}",
        "M" if random.random() < 0.5 else "F",
        round(72 * stature**3 * float(random.uniform(0.9, 1.1)), 1),
        round(170 * stature, 1),
        round(float(random.uniform(220, 350)), 1),
        round(float(random.uniform(55, 75)), 1),
        (0.0, round(float(random.uniform(-12, 12)), 1), 0.0),
        round(stature, 4),
        tuple(chosen),
        round(float(random.uniform(0.9, 1.25)), 3),
        seed,
    )


def cohort(count: int, seed: int = 0) -> Iterator[Patient]:
    """*count* random patients; the same seed gives the same ones."""
    for number in range(count):
        patient = random_patient(1000 * seed + number)
        yield replace(patient, study_id=f"phantom-{seed:02d}-{number:04d}")


def report(patient: Patient, findings: Sequence[Lesion], language: str = "zh") -> str:
    """The report of a patient, as free text: what is abnormal lesion by lesion, and the rest normal."""
    normal = _data()["normal"]
    if language not in ("zh", "en"):
        raise UnknownNameError("language", language, ("zh", "en"))
    sentences = [normal["opening"][language]]
    said: set[str] = set()
    abnormal = {lesion.organ for lesion in findings}
    for raw in normal["sentence"]:
        if raw.get("sex", patient.sex) != patient.sex:
            continue
        for organ in raw["organs"]:
            if organ in abnormal and organ not in said:
                sentences += [
                    _sentence(lesion, patient, language) for lesion in findings if lesion.organ == organ
                ]
                said.add(organ)
        if not abnormal & set(raw["organs"]):
            sentences.append(raw[language])
    return ("" if language == "zh" else " ").join(sentences)


def _sentence(lesion: Lesion, patient: Patient, language: str) -> str:
    axes = [str(round(patient.stature * axis)) for axis in lesion.size_mm]
    size = "mm×".join(axes) + "mm" if language == "zh" else " × ".join(axes) + " mm"
    return dict(lesion.sentences)[language].format(size=size, suv=f"{lesion.suv:.1f}")
