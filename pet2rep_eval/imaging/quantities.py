"""SUV quantities of a region, each with the name of the rule that it depends on; metrics of lesion masks.

A metabolic tumour volume without its threshold means nothing: common rules differ by a factor of two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.header import require

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating]
Spacing = tuple[float, float, float]
PEAK_ML = 1.0
PEAK_RADIUS_MM = (3 * 1000 * PEAK_ML / (4 * math.pi)) ** (1 / 3)
"""6.2 mm: the radius of 1 cm³."""


@dataclass(frozen=True, slots=True)
class LiverReference:
    """Uptake of normal liver, for thresholds that refer to it."""

    mean: float
    sd: float


THRESHOLDS: dict[str, Callable[[float, LiverReference | None], float]] = {
    "41%": lambda maximum, _: 0.41 * maximum,
    "50%": lambda maximum, _: 0.5 * maximum,
    "fixed-2.5": lambda _, __: 2.5,
    "fixed-4.0": lambda _, __: 4.0,
    "percist": lambda _, liver: 1.5 * liver.mean + 2 * liver.sd if liver else math.nan,
}
"""Name → threshold from the region's SUVmax and the liver. PERCIST 1.0: 1.5 × mean + 2 SD of the liver."""
DEFAULT_THRESHOLD = "41%"


@dataclass(frozen=True, slots=True)
class RegionQuantities:
    """Quantities of one region. SUVs by body weight, volumes in ml."""

    name: str
    suv_max: float
    suv_mean: float
    """Over the region as it was given."""
    suv_sd: float
    suv_peak: float
    """Highest mean of a sphere of 1 cm³ whose centre lies in the region."""
    volume_ml: float
    threshold: str
    threshold_suv: float
    mtv_ml: float
    """Volume of the region's voxels at or above the threshold."""
    tlg: float
    """Their mean SUV times their volume."""
    axes_mm: tuple[float, float]
    """Longest axial diameter of the region and the widest one across it, in its largest slice."""

    def record(self) -> dict[str, Any]:
        """For JSON, rounded to what is meaningful; NaN as None."""

        def rounded(value: float, digits: int = 4) -> float | None:
            return round(value, digits) if math.isfinite(value) else None

        return {
            "name": self.name,
            "suv_max": rounded(self.suv_max),
            "suv_mean": rounded(self.suv_mean),
            "suv_sd": rounded(self.suv_sd),
            "suv_peak": rounded(self.suv_peak),
            "volume_ml": rounded(self.volume_ml),
            "threshold": self.threshold,
            "threshold_suv": rounded(self.threshold_suv),
            "mtv_ml": rounded(self.mtv_ml),
            "tlg": rounded(self.tlg),
            "axes_mm": [rounded(a, 1) for a in self.axes_mm],
        }


def threshold(rule: str, maximum: float, liver: LiverReference | None = None) -> float:
    """The SUV from which a voxel counts. Raises UnknownNameError, ImagingError (PERCIST without a liver)."""
    if rule not in THRESHOLDS:
        raise UnknownNameError("threshold rule", rule, THRESHOLDS)
    value = THRESHOLDS[rule](maximum, liver)
    if math.isnan(value):
        raise ImagingError(f"The threshold rule '{rule}' needs the uptake of the liver. Give a liver mask.")
    return value


def region_quantities(
    suv: Values,
    mask: Mask,
    spacing: Spacing,
    *,
    name: str = "region",
    rule: str = DEFAULT_THRESHOLD,
    liver: LiverReference | None = None,
) -> RegionQuantities:
    """Quantities of the voxels of *mask* (both ``[z, y, x]``; *spacing* is x, y, z in mm).

    Raises ImagingError for an empty mask or one of another shape.
    """
    if suv.shape != mask.shape:
        raise ImagingError(f"{name}: the mask has shape {mask.shape}, the PET {suv.shape}.")
    values = suv[mask].astype(np.float64)
    if values.size == 0:
        raise ImagingError(f"{name}: the mask is empty.")
    voxel_ml = math.prod(spacing) / 1000
    maximum = float(values.max())
    level = threshold(rule, maximum, liver)
    above = values[values >= level]
    return RegionQuantities(
        name,
        maximum,
        float(values.mean()),
        float(values.std()),
        suv_peak(suv, mask, spacing),
        values.size * voxel_ml,
        rule,
        level,
        above.size * voxel_ml,
        float(above.sum()) * voxel_ml,
        axial_axes(mask, spacing),
    )


def _sphere(spacing: Spacing, radius: float) -> tuple[npt.NDArray[np.float64], tuple[int, int, int]]:
    """Share of each voxel around a centre that lies within *radius*, ``[z, y, x]``; sums to 1."""
    reach = [math.ceil(radius / s + 0.5) for s in spacing]
    fine = 5
    offsets = (np.arange(fine) - (fine - 1) / 2) / fine
    axes = [
        (np.arange(-n, n + 1)[:, None] + offsets).ravel() * s for n, s in zip(reach, spacing, strict=True)
    ]
    x, y, z = axes
    inside = x[None, None, :] ** 2 + y[None, :, None] ** 2 + z[:, None, None] ** 2 <= radius**2
    nx, ny, nz = (2 * n + 1 for n in reach)
    share = inside.reshape(nz, fine, ny, fine, nx, fine).mean(axis=(1, 3, 5))
    return share / share.sum(), (reach[2], reach[1], reach[0])


def suv_peak(suv: Values, mask: Mask, spacing: Spacing) -> float:
    """Highest mean over 1 cm³ around any voxel of *mask*. Outside of the image nothing counts."""
    share, reach = _sphere(spacing, PEAK_RADIUS_MM)
    places = np.nonzero(mask)
    low = [max(0, int(p.min()) - r) for p, r in zip(places, reach, strict=True)]
    high = [min(n, int(p.max()) + r + 1) for p, r, n in zip(places, reach, suv.shape, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    pad = [(r, r) for r in reach]
    values = np.pad(suv[box].astype(np.float64), pad)
    weight = np.pad(np.ones(values.shape - 2 * np.array(reach)), pad)
    inner = mask[box]
    total, weights = np.zeros(inner.shape), np.zeros(inner.shape)
    for offset in zip(*np.nonzero(share), strict=True):
        window = tuple(slice(o, o + n) for o, n in zip(offset, inner.shape, strict=True))
        total += share[offset] * values[window]
        weights += share[offset] * weight[window]
    return float((total / weights)[inner].max())


def axial_axes(mask: Mask, spacing: Spacing) -> tuple[float, float]:
    """Longest axial diameter and the greatest width across it, in the slice of largest area; in mm.

    Both are measured between outer borders of voxels along the direction.
    """
    plane = mask[int(np.argmax(mask.sum(axis=(1, 2))))]
    rows, columns = np.nonzero(plane)
    if rows.size == 0:
        return 0.0, 0.0
    sx, sy = spacing[0], spacing[1]
    angles = np.linspace(0, math.pi, 90, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    places = np.stack([columns * sx, rows * sy], axis=1) @ directions
    pixel = np.abs(directions[0]) * sx + np.abs(directions[1]) * sy
    extents = np.ptp(places, axis=0) + pixel
    # A pixel's corner overstates an oblique extent: the side of the pixel seen from there is what counts.
    extents -= pixel - np.sqrt((directions[0] * sx) ** 2 + (directions[1] * sy) ** 2)
    longest = int(np.argmax(extents))
    return float(extents[longest]), float(extents[(longest + 45) % 90])


@dataclass(frozen=True, slots=True)
class LesionMetrics:
    """How a predicted lesion mask fits a reference, as autoPET scores it; NaN for an empty reference."""

    dice: float
    false_positive_ml: float
    """Volume of predicted components that touch no reference voxel."""
    false_negative_ml: float
    """Volume of reference components that no predicted voxel touches."""


def lesion_metrics(predicted: Mask, reference: Mask, spacing: Spacing) -> LesionMetrics:
    """Dice, false positive and false negative volume; components are 18-connected."""
    if predicted.shape != reference.shape:
        raise ImagingError(f"The masks have shapes {predicted.shape} and {reference.shape}.")
    voxel_ml = math.prod(spacing) / 1000
    if not reference.any():
        return LesionMetrics(math.nan, _untouched(predicted, reference) * voxel_ml, math.nan)
    both = int((predicted & reference).sum())
    return LesionMetrics(
        2 * both / (int(predicted.sum()) + int(reference.sum())),
        _untouched(predicted, reference) * voxel_ml,
        _untouched(reference, predicted) * voxel_ml,
    )


def components(mask: Mask) -> tuple[npt.NDArray[np.int32], int]:
    """18-connected components: labels from 1, and their number."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, ndimage.generate_binary_structure(3, 2))
    return labels, int(count)


def _untouched(mask: Mask, other: Mask) -> int:
    """Voxels of those components of *mask* that share none with *other*."""
    labels, count = components(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    touched = np.unique(labels[mask & other])
    sizes[touched] = 0
    return int(sizes[1:].sum())


def hot_components(
    suv: Any, level: float = 4.0, smallest_ml: float = 1.0, exclude: Mask | None = None
) -> list[Mask]:
    """Connected regions of a SimpleITK volume at or above *level*, the largest first: candidates."""
    sitk = require("SimpleITK")
    values = sitk.GetArrayFromImage(suv)
    mask = values >= level
    if exclude is not None:
        mask &= ~exclude
    labels, count = components(mask)
    smallest = smallest_ml * 1000 / math.prod(suv.GetSpacing())
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    order = [int(i) for i in np.argsort(-sizes[1:]) + 1 if sizes[i] >= smallest]
    return [labels == label for label in order]


class Verdict:
    """What became of a number that a report claims."""

    VERIFIED = "verified"
    CONTRADICTED = "contradicted"
    UNVERIFIABLE = "unverifiable"


def check_suv(claimed: float, measured: float | None, *, decimals: int = 1, same_image: bool = True) -> str:
    """A claimed SUV against a measured one.

    Tolerance on the same image: 0.1, or half of the last digit quoted, whichever is more; for another
    reader's value 10 %. No measurement: unverifiable.
    """
    if measured is None or not math.isfinite(measured):
        return Verdict.UNVERIFIABLE
    tolerance = max(0.1, 0.5 * 10**-decimals) if same_image else max(0.1, 0.1 * measured)
    return Verdict.VERIFIED if abs(claimed - measured) <= tolerance + 1e-9 else Verdict.CONTRADICTED


def check_size(claimed_mm: Sequence[float], measured_mm: Sequence[float] | None) -> str:
    """Claimed axes against measured ones, in any order; tolerance 2 mm or 10 %, whichever is more."""
    if not measured_mm or not claimed_mm:
        return Verdict.UNVERIFIABLE
    ours = sorted(measured_mm, reverse=True)
    theirs = sorted(claimed_mm, reverse=True)
    if len(theirs) > len(ours):
        return Verdict.UNVERIFIABLE
    near = all(abs(a - b) <= max(2.0, 0.1 * b) + 1e-9 for a, b in zip(theirs, ours, strict=False))
    return Verdict.VERIFIED if near else Verdict.CONTRADICTED


def tally(verdicts: Mapping[str, str]) -> dict[str, int]:
    """How often each verdict was given; the three are never folded together."""
    kinds = (Verdict.VERIFIED, Verdict.CONTRADICTED, Verdict.UNVERIFIABLE)
    return {kind: sum(v == kind for v in verdicts.values()) for kind in kinds}
