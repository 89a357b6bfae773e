"""Volumes in one orientation, planes cut from them in millimetres, the body within them.

Canonical arrays are indexed ``[z, y, x]``: z from foot to head, y from back to front, x from the patient's
right to left, the order in which the benchmark counts its coronal planes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pet2rep_eval.errors import ImagingError
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.nifti import StoredVolume

Voxels = npt.NDArray[Any]
AIR_HU = -1024.0
AXES = {"coronal": 1, "sagittal": 0, "axial": 2}
"""Orientation of a plane → axis of the SimpleITK index (x, y, z) that it is perpendicular to."""
BODY_SUV = 0.15
"""Above this a coarse voxel counts as body: air and table stay below, lung and fat above."""
COARSE_MM = 8.0


def canonical(image: Any) -> Any:
    """*image* with axes to the left, front and head: permuted and flipped, never interpolated."""
    sitk = require("SimpleITK")
    if image.GetDimension() != 3:
        raise ImagingError(f"A volume of three dimensions is needed, this has {image.GetDimension()}.")
    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return image if code == "LAS" else sitk.DICOMOrient(image, "LAS")


def voxels(image: Any) -> Voxels:
    """The voxels of a SimpleITK image, indexed ``[z, y, x]``, without a copy.

    They live only as long as the image does: never hand in an image that nothing else holds.
    """
    array: Voxels = require("SimpleITK").GetArrayViewFromImage(image)
    return array


def resample(moving: Any, grid: Any, outside: float = AIR_HU) -> Any:
    """*moving* on the grid of *grid*, linearly interpolated, float32; *outside* where it has no values."""
    sitk = require("SimpleITK")
    return sitk.Resample(moving, grid, sitk.Transform(), sitk.sitkLinear, outside, sitk.sitkFloat32)


def resample_plane(
    moving: Any,
    grid: Any,
    orientation: str,
    index: int,
    outside: float = AIR_HU,
    pixel_mm: float | None = None,
) -> Any:
    """One plane of :func:`resample`, without the rest of it: identical values, a fraction of the work.

    With *pixel_mm* the plane has square pixels of that size instead of the grid's own.
    """
    sitk = require("SimpleITK")
    axis = AXES[orientation]
    size, spacing = list(grid.GetSize()), list(grid.GetSpacing())
    first = [0.0, 0.0, 0.0]
    first[axis] = float(index)
    if pixel_mm is not None:
        for other in {0, 1, 2} - {axis}:
            extent = size[other] * spacing[other]
            # The outer borders stay where they are; pixel centres move inwards by half the difference.
            size[other] = max(1, round(extent / pixel_mm))
            new = extent / size[other]
            first[other] = (new / spacing[other] - 1) / 2
            spacing[other] = new
    size[axis] = 1
    origin = grid.TransformContinuousIndexToPhysicalPoint(first)
    return sitk.Resample(
        moving, size, sitk.Transform(), sitk.sitkLinear, origin, spacing, grid.GetDirection(), outside,
        sitk.sitkFloat32,
    )  # fmt: skip


def plane_of(volume: Voxels, orientation: str, index: int) -> Voxels:
    """A plane of a canonical array as it is looked at: head or front up, right (or front) to the left."""
    if orientation == "coronal":
        return volume[::-1, index, :]
    if orientation == "sagittal":
        return volume[::-1, ::-1, index]
    return volume[index, ::-1, :]


def plane_picture(plane: Any, orientation: str) -> Voxels:
    """The array of a one-plane image from :func:`resample_plane`, as it is looked at."""
    return plane_of(require("SimpleITK").GetArrayFromImage(plane), orientation, 0)


def zscore(ct: Voxels, inside: Voxels | None = None) -> tuple[Voxels, str]:
    """CT minus its mean, over its standard deviation, with the name of the domain that gave both.

    The domain is the whole ``grid`` (as the benchmark says it), or the ``body`` where a mask is given.
    """
    values = ct if inside is None else ct[inside]
    spread = float(values.std(dtype=np.float64))
    if values.size == 0 or spread == 0:
        raise ImagingError("The CT has one value only: it has no z-score.")
    scaled = (ct - float(values.mean(dtype=np.float64))) / spread
    return scaled.astype(np.float32), "grid" if inside is None else "body"


@dataclass(frozen=True)
class Study:
    """A canonical PET volume in SUV, and a CT that keeps its own grid until a plane needs it."""

    suv: Any
    ct: Any
    """A SimpleITK image, or a :class:`~pet2rep_eval.imaging.nifti.StoredVolume` until :meth:`with_ct`."""

    @classmethod
    def of(cls, suv: Any, ct: Any) -> Study:
        """From volumes as they were read. Raises ImagingError where they do not overlap."""
        study = cls(canonical(suv), ct)
        low, high = _bounds(study.suv, study.suv.GetSize())
        stored = isinstance(ct, StoredVolume)
        other_low, other_high = _bounds(ct.frame, ct.size) if stored else _bounds(ct, ct.GetSize())
        shared = np.minimum(high, other_high) - np.maximum(low, other_low)
        if (shared <= 0).any():
            raise ImagingError("PET and CT do not overlap in space: they are not of one study.")
        return study

    def with_ct(self, planes: Sequence[tuple[str, int]] | None = None) -> Study:
        """With the CT in memory: all of it, or what *planes* (orientation, index) need.

        A CT in a file is read for the box around the planes only, which saves most of its memory.
        """
        if not isinstance(self.ct, StoredVolume):
            return self
        if planes is None:
            return self._holding(self.ct.read())
        indices = []
        for orientation, index in planes:
            corners = [(-0.5, n - 0.5) for n in self.suv.GetSize()]
            corners[AXES[orientation]] = (float(index), float(index))
            for corner in itertools.product(*corners):
                point = self.suv.TransformContinuousIndexToPhysicalPoint(corner)
                indices.append(self.ct.frame.TransformPhysicalPointToContinuousIndex(point))
        last = np.array(self.ct.size) - 1
        # Two voxels around, so that interpolation finds its neighbours whatever the rounding.
        low = np.clip(np.floor(np.min(indices, axis=0)).astype(int) - 2, 0, last)
        high = np.clip(np.ceil(np.max(indices, axis=0)).astype(int) + 2, 0, last) + 1
        return self._holding(self.ct.read(low.tolist(), high.tolist()))

    def _holding(self, ct: Any) -> Study:
        """The same PET, with what was computed from it, and another CT."""
        study = Study(self.suv, ct)
        study.__dict__.update({k: v for k, v in self.__dict__.items() if k in ("coarse", "body")})
        return study

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres along x, y, z of the PET grid."""
        x, y, z = self.suv.GetSpacing()
        return x, y, z

    def rows(self, orientation: str) -> int:
        """How many planes of an orientation the PET grid has."""
        return int(self.suv.GetSize()[AXES[orientation]])

    def position_mm(self, orientation: str, index: float) -> float:
        """Patient coordinate (DICOM: left, back, head positive) of a plane's centre along its axis."""
        axis = AXES[orientation]
        centre = [(n - 1) / 2 for n in self.suv.GetSize()]
        centre[axis] = float(index)
        return float(self.suv.TransformContinuousIndexToPhysicalPoint(centre)[axis])

    def index_at(self, orientation: str, position_mm: float) -> int:
        """The plane nearest to a patient coordinate. Raises ImagingError outside the grid."""
        places = [self.position_mm(orientation, index) for index in range(self.rows(orientation))]
        nearest = int(np.argmin([abs(place - position_mm) for place in places]))
        if abs(places[nearest] - position_mm) > self.spacing[AXES[orientation]]:
            raise ImagingError(
                f"{position_mm:g} mm lies outside the PET: {orientation} planes reach from {min(places):.1f} "
                f"to {max(places):.1f} mm."
            )
        return nearest

    @cached_property
    def coarse(self) -> tuple[Voxels, tuple[int, int, int]]:
        """The PET averaged over blocks of about 8 mm, ``[z, y, x]``, and the block size along x, y, z."""
        sitk = require("SimpleITK")
        factors = [
            max(1, min(int(COARSE_MM / s + 0.5), n))
            for s, n in zip(self.suv.GetSpacing(), self.suv.GetSize(), strict=True)
        ]
        small = sitk.GetArrayFromImage(sitk.BinShrink(self.suv, factors))
        return small, (factors[0], factors[1], factors[2])

    @cached_property
    def body(self) -> Voxels:
        """The body on the grid of :attr:`coarse`: the largest connected part above :data:`BODY_SUV`.

        Raises ImagingError where nothing is above it.
        """
        sitk = require("SimpleITK")
        small, _ = self.coarse
        mask = sitk.GetImageFromArray((small > BODY_SUV).astype(np.uint8))
        parts = sitk.RelabelComponent(sitk.ConnectedComponent(mask, False))
        largest: Voxels = sitk.GetArrayFromImage(parts) == 1
        if not largest.any():
            raise ImagingError(f"No voxel of the PET is above SUV {BODY_SUV}: there is no body in it.")
        return largest

    def body_range(self, orientation: str) -> tuple[float, float]:
        """First and last plane of the body, as indices of the PET grid."""
        axis = AXES[orientation]
        hits = np.flatnonzero(self.body.any(axis=tuple({0, 1, 2} - {2 - axis})))
        block = self.coarse[1][axis]
        return float(hits[0] * block), float(min((hits[-1] + 1) * block, self.rows(orientation)) - 1)

    def body_centroid(self, orientation: str) -> float:
        """Mean plane of the body, as an index of the PET grid."""
        axis = AXES[orientation]
        block = self.coarse[1][axis]
        places = np.nonzero(self.body)[2 - axis]
        return float(places.mean() * block + (block - 1) / 2)

    def body_mean(self) -> float:
        """Mean SUV in the body: about 1 where the whole body is in the image and the headers are right."""
        return float(self.coarse[0][self.body].mean(dtype=np.float64))


def _bounds(image: Any, size: Sequence[int]) -> tuple[Voxels, Voxels]:
    corners = [
        image.TransformContinuousIndexToPhysicalPoint(
            [-0.5 if not bit >> axis & 1 else n - 0.5 for axis, n in enumerate(size)]
        )
        for bit in range(8)
    ]
    return np.min(corners, axis=0), np.max(corners, axis=0)
