"""Which planes to show: strategies that return index, position in millimetres and the reason.

All work on canonical volumes in physical units, so that shifts, flips and permutations of a file's axes, and
the height of the table, do not change what is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.geometry import AXES, Study, Voxels
from pet2rep_eval.imaging.header import require

ORIENTATIONS = tuple(AXES)
MINIMUM_AREA_MM2 = 25.0
"""A plane shows a finding where it cuts at least this much of it."""


@dataclass(frozen=True, slots=True)
class KeyPlane:
    """A plane to show."""

    orientation: str
    index: int
    """On the canonical PET grid (from right, back or foot)."""
    position_mm: float
    """Patient coordinate along the plane's axis (DICOM: left, back, head positive)."""
    reason: str
    strategy: str
    slab: tuple[int, int] | None = None
    """Half-open range of planes whose maximum is shown in place of the plane itself."""


def _at(study: Study, orientation: str, index: float, strategy: str, reason: str) -> KeyPlane:
    nearest = int(min(max(round(index), 0), study.rows(orientation) - 1))
    return KeyPlane(orientation, nearest, round(study.position_mm(orientation, nearest), 3), reason, strategy)


def body_fraction(study: Study, orientation: str = "coronal", count: int = 3) -> tuple[KeyPlane, ...]:
    """Planes that divide the body evenly: at 1/3, 1/2 and 2/3 of its depth for three."""
    low, high = study.body_range(orientation)
    fractions = np.linspace(1 / 3, 2 / 3, count) if count > 1 else [0.5]
    return tuple(
        _at(
            study,
            orientation,
            low + f * (high - low),
            "body_fraction",
            f"{100 * f:.0f} % of the body's extent",
        )
        for f in fractions
    )


def pet2rep_fixed(study: Study, orientation: str = "coronal", count: int = 3) -> tuple[KeyPlane, ...]:
    """The benchmark's planes: 90, 100 and 110 of 200; on another grid the same fractions of it."""
    rows = study.rows(orientation)
    exact = rows == 200
    wanted = [0.5 + (i - (count - 1) / 2) * 0.05 for i in range(count)]
    note = "" if exact else f" (warning: the grid has {rows} {orientation} planes, not 200)"
    return tuple(
        _at(study, orientation, 200 * f if exact else f * rows, "pet2rep_fixed", f"{f:.2f} of the grid{note}")
        for f in wanted
    )


def centroid(study: Study, orientation: str = "coronal", count: int = 3) -> tuple[KeyPlane, ...]:
    """The plane through the body's centroid, and planes every 40 mm around it."""
    middle, step = study.body_centroid(orientation), 40.0 / study.spacing[AXES[orientation]]
    offsets = [i - (count - 1) / 2 for i in range(count)]
    return tuple(
        _at(study, orientation, middle + o * step, "centroid", f"centroid of the body {40 * o:+.0f} mm")
        for o in offsets
    )


def mip(study: Study, orientation: str = "coronal", count: int = 3) -> tuple[KeyPlane, ...]:
    """The body in *count* slabs of equal thickness: the maximum of the PET in each, the CT of its middle."""
    low, high = study.body_range(orientation)
    edges = np.rint(np.linspace(low, high + 1, count + 1)).astype(int)
    planes = []
    for first, last in itertools.pairwise(edges.tolist()):
        thickness = (last - first) * study.spacing[AXES[orientation]]
        base = _at(study, orientation, (first + last - 1) / 2, "mip", f"maximum over {thickness:.0f} mm")
        slab = (first, max(last, first + 1))
        planes.append(
            KeyPlane(base.orientation, base.index, base.position_mm, base.reason, base.strategy, slab)
        )
    return tuple(planes)


def max_uptake(
    study: Study, orientation: str = "coronal", count: int = 3, exclude: Voxels | None = None
) -> tuple[KeyPlane, ...]:
    """Planes through the highest uptakes outside brain and bladder, at least 20 mm apart.

    *exclude* is a mask on the canonical PET grid, ``[z, y, x]``; without it brain and bladder are guessed
    (:func:`guessed_brain_and_bladder`).
    """
    small, blocks = study.coarse
    hidden = guessed_brain_and_bladder(study) if exclude is None else _shrunk(exclude, small.shape, blocks)
    values = np.where(study.body & ~hidden, small, -np.inf)
    axis = AXES[orientation]
    apart = 20.0 / (study.spacing[axis] * blocks[axis])
    profile = values.max(axis=tuple({0, 1, 2} - {2 - axis}))
    planes: list[KeyPlane] = []
    while len(planes) < count and np.isfinite(profile).any():
        best = int(np.argmax(profile))
        size = "×".join(map(str, blocks))
        reason = f"SUV {profile[best]:.1f} (mean of {size} voxels), brain and bladder apart"
        index = best * blocks[axis] + (blocks[axis] - 1) / 2
        planes.append(_at(study, orientation, index, "max_uptake", reason))
        near = np.abs(np.arange(len(profile)) - best) < max(apart, 1)
        profile = np.where(near, -np.inf, profile)
    return tuple(sorted(planes, key=lambda p: p.index))


def guessed_brain_and_bladder(study: Study) -> Voxels:
    """Where brain and bladder are likely, on the coarse grid.

    Brain: connected uptake above SUV 4 of at least 150 ml in the upper 260 mm of the body. Bladder: the
    hottest connected uptake above SUV 5 of at least 20 ml in the lower half, within 50 mm of the mid-line.
    """
    sitk = require("SimpleITK")
    small, blocks = study.coarse
    size = [s * b for s, b in zip(study.spacing, blocks, strict=True)]
    volume_ml = float(np.prod(size)) / 1000
    hidden = np.zeros(small.shape, dtype=bool)
    low, high = (edge / blocks[2] for edge in study.body_range("axial"))
    middle = study.body_centroid("sagittal") / blocks[0]

    def parts(threshold: float) -> Iterable[tuple[Voxels, Voxels]]:
        mask = sitk.GetImageFromArray(((small > threshold) & study.body).astype(np.uint8))
        labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(mask, True))
        for label in range(1, int(labels.max()) + 1):
            part = labels == label
            yield part, np.array([c.mean() for c in np.nonzero(part)])

    for part, place in parts(4.0):
        if part.sum() * volume_ml >= 150 and (high - place[0]) * size[2] <= 260:
            hidden |= part
    bladders = [
        (float(small[part].max()), part)
        for part, place in parts(5.0)
        if part.sum() * volume_ml >= 20
        and place[0] < (low + high) / 2
        and abs(place[2] - middle) * size[0] <= 50
    ]
    if bladders:
        hidden |= max(bladders, key=lambda found: found[0])[1]
    return _grown(hidden)


def _grown(mask: Voxels) -> Voxels:
    sitk = require("SimpleITK")
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    grown: Voxels = sitk.GetArrayFromImage(sitk.BinaryDilate(image, [1, 1, 1])) > 0
    return grown


def _shrunk(mask: Voxels, shape: tuple[int, ...], blocks: tuple[int, int, int]) -> Voxels:
    """Blocks of which any voxel is in *mask*."""
    bz, by, bx = blocks[::-1]
    nz, ny, nx = shape
    cut = mask[: nz * bz, : ny * by, : nx * bx].reshape(nz, bz, ny, by, nx, bx)
    return np.asarray(cut.any(axis=(1, 3, 5)))


def areas(study: Study, mask: Voxels, orientation: str) -> Voxels:
    """Square millimetres of a mask ``[z, y, x]`` that each plane cuts."""
    axis = AXES[orientation]
    pixel = float(np.prod([s for i, s in enumerate(study.spacing) if i != axis]))
    cut: Voxels = np.asarray(mask.sum(axis=tuple({0, 1, 2} - {2 - axis})) * pixel)
    return cut


def coverage(
    study: Study, masks: Mapping[str, Voxels], orientation: str = "coronal", count: int = 3
) -> tuple[KeyPlane, ...]:
    """The planes that together show most of the *masks*; among equals those that cut most of them.

    Exact for the pairs and triples of planes that are worth trying; greedy above three.
    """
    if not masks:
        raise ImagingError("The strategy 'coverage' needs masks of findings.")
    cut = np.array([areas(study, mask, orientation) for mask in masks.values()])
    need = np.minimum(MINIMUM_AREA_MM2, cut.max(axis=1, keepdims=True) * 0.5)
    seen = (cut >= need) & (cut > 0)
    gain = (cut / np.maximum(cut.max(axis=1, keepdims=True), 1e-9) * seen).sum(axis=0)
    # One plane for each set of findings: the one that cuts them best.
    best: dict[tuple[int, ...], int] = {}
    for index in range(seen.shape[1]):
        key = tuple(np.flatnonzero(seen[:, index]).tolist())
        if key and (key not in best or gain[index] > gain[best[key]]):
            best[key] = index
    candidates = sorted(best.values(), key=lambda i: -gain[i])[:60]
    chosen: tuple[int, ...] = ()
    if candidates and count <= 3:
        chosen = max(
            itertools.combinations(candidates, min(count, len(candidates))),
            key=lambda group: (int(seen[:, group].any(axis=1).sum()), float(gain[list(group)].sum())),
        )
    else:
        left = np.ones(len(cut), dtype=bool)
        while candidates and len(chosen) < count:
            top = max(candidates, key=lambda i: (int((seen[:, i] & left).sum()), float(gain[i])))
            chosen, candidates = (*chosen, top), [i for i in candidates if i != top]
            left = left & ~seen[:, top]
    names = list(masks)
    return tuple(
        _at(
            study,
            orientation,
            i,
            "coverage",
            "shows " + ", ".join(names[n] for n in np.flatnonzero(seen[:, i])),
        )
        for i in sorted(chosen)
    )


def explicit(
    study: Study,
    orientation: str = "coronal",
    *,
    indices: Sequence[int] = (),
    positions_mm: Sequence[float] = (),
) -> tuple[KeyPlane, ...]:
    """Planes that a user names, by index of the canonical grid or by position. Raises ImagingError."""
    rows = study.rows(orientation)
    for index in indices:
        if not 0 <= index < rows:
            raise ImagingError(f"There is no {orientation} plane {index}: the PET has {rows}.")
    chosen = [*indices, *(study.index_at(orientation, position) for position in positions_mm)]
    return tuple(_at(study, orientation, index, "explicit", "named by the user") for index in chosen)


STRATEGIES: dict[str, Callable[..., tuple[KeyPlane, ...]]] = {
    "body_fraction": body_fraction,
    "pet2rep_fixed": pet2rep_fixed,
    "centroid": centroid,
    "mip": mip,
    "max_uptake": max_uptake,
    "coverage": coverage,
    "explicit": explicit,
}
DEFAULT_STRATEGY = "body_fraction"


def choose_planes(
    study: Study,
    strategy: str = DEFAULT_STRATEGY,
    orientation: str = "coronal",
    count: int = 3,
    masks: Mapping[str, Voxels] | None = None,
) -> tuple[KeyPlane, ...]:
    """The planes of a strategy by name. Raises UnknownNameError, ImagingError."""
    if strategy not in STRATEGIES or strategy == "explicit":
        raise UnknownNameError("plane strategy", strategy, [s for s in STRATEGIES if s != "explicit"])
    if orientation not in AXES:
        raise UnknownNameError("orientation", orientation, ORIENTATIONS)
    if strategy == "coverage":
        return coverage(study, masks or {}, orientation, count)
    return STRATEGIES[strategy](study, orientation, count)


def shown(
    study: Study, planes: Sequence[KeyPlane], masks: Mapping[str, Voxels]
) -> dict[str, tuple[int, ...]]:
    """For each mask, which of *planes* (by their place in the sequence) show it; empty: none does."""
    found: dict[str, tuple[int, ...]] = {}
    for name, mask in masks.items():
        hits = []
        for number, plane in enumerate(planes):
            cut = areas(study, mask, plane.orientation)
            need = min(MINIMUM_AREA_MM2, float(cut.max()) * 0.5)
            here = cut[plane.slab[0] : plane.slab[1]].max() if plane.slab else cut[plane.index]
            if here > 0 and here >= need:
                hits.append(number)
        found[name] = tuple(hits)
    return found
