"""Planes as pictures: grey CT, coloured PET, both fused; with what is needed to read them again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pet2rep_eval._version import __version__
from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging.colours import coloured
from pet2rep_eval.imaging.geometry import (
    AIR_HU,
    AXES,
    Study,
    Voxels,
    plane_of,
    plane_picture,
    resample_plane,
    voxels,
)
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.planes import KeyPlane

Picture = npt.NDArray[np.uint8]
VARIANTS = ("fused", "pet", "ct")


@dataclass(frozen=True, slots=True)
class Preset:
    """How planes become pictures."""

    name: str
    suv_window: tuple[float, float]
    suv_to_slice_maximum: bool
    """Scale each PET plane to its own maximum after clipping: an intensity then means another SUV in each."""
    ct_window: tuple[float, float] | None
    """HU; None: from the minimum to the maximum of each plane."""
    colours: str
    opacity: float
    """Share of the PET colour in a fused picture, at full intensity where *opacity_follows* is set."""
    opacity_follows: bool
    """Opacity grows with the PET, so that CT without uptake is seen undimmed."""
    pixel_mm: float | None
    """Square pixels of this size; None: one pixel a PET voxel, without aspect correction."""
    format: str
    caption: bool = False
    scale_bar: bool = False


PRESETS: Mapping[str, Preset] = {
    "clinical": Preset("clinical", (0.0, 7.0), False, (-160.0, 240.0), "hot", 0.8, True, 2.0, "png"),
    "pet2rep": Preset("pet2rep", (0.0, 5.0), True, None, "hot", 0.5, False, None, "jpeg"),
}
DEFAULT_PRESET = "clinical"


def preset(name: str, **changes: Any) -> Preset:
    """A preset by name, with single settings replaced. Raises UnknownNameError."""
    if name not in PRESETS:
        raise UnknownNameError("rendering preset", name, PRESETS)
    return replace(PRESETS[name], **changes) if changes else PRESETS[name]


@dataclass(frozen=True, slots=True)
class PlaneValues:
    """SUV and HU of one plane, as it is looked at (rows from the top, columns from the left)."""

    suv: Voxels
    hu: Voxels
    pixel_mm: tuple[float, float]
    """Height and width of a pixel."""


def cut(study: Study, plane: KeyPlane, pixel_mm: float | None = None) -> PlaneValues:
    """The values of a plane; CT and, for square pixels, PET are interpolated for this plane only."""
    axis, way = AXES[plane.orientation], plane.orientation
    ct = resample_plane(study.ct, study.suv, way, plane.index, AIR_HU, pixel_mm)
    across, up = [s for i, s in enumerate(ct.GetSpacing()) if i != axis]
    if plane.slab is not None:
        slab = voxels(study.suv).take(range(*plane.slab), axis=2 - axis).max(axis=2 - axis, keepdims=True)
        pet = _on_plane(study, slab, plane, pixel_mm)
    elif pixel_mm is None:
        pet = plane_of(voxels(study.suv), way, plane.index)
    else:
        pet = plane_picture(resample_plane(study.suv, study.suv, way, plane.index, 0.0, pixel_mm), way)
    return PlaneValues(np.asarray(pet, np.float32), plane_picture(ct, way), (float(up), float(across)))


def _on_plane(study: Study, slab: Voxels, plane: KeyPlane, pixel_mm: float | None) -> Voxels:
    """A projected slab, at the pixel size of the picture."""
    if pixel_mm is None:
        return plane_of(slab, plane.orientation, 0)
    sitk = require("SimpleITK")
    image = sitk.GetImageFromArray(slab)
    image.SetSpacing(study.suv.GetSpacing())
    return plane_picture(resample_plane(image, image, plane.orientation, 0, 0.0, pixel_mm), plane.orientation)


def intensity(values: PlaneValues, style: Preset) -> tuple[Voxels, Voxels, dict[str, list[float]]]:
    """PET and CT in 0 to 1, and the windows that were used."""
    low, high = style.suv_window
    if style.suv_to_slice_maximum:
        high = max(min(high, float(values.suv.max())), 1e-6)
    window = style.ct_window or (float(values.hu.min()), float(values.hu.max()))
    pet = np.clip((values.suv - low) / (high - low), 0, 1)
    ct = np.clip((values.hu - window[0]) / max(window[1] - window[0], 1e-6), 0, 1)
    return pet, ct, {"suv_window": [low, high], "hu_window": [float(window[0]), float(window[1])]}


def render(values: PlaneValues, style: Preset) -> tuple[dict[str, Picture], dict[str, Any]]:
    """The pictures ``fused``, ``pet`` and ``ct`` of a plane, rows × columns × 3, and the windows used."""
    pet, ct, windows = intensity(values, style)
    colour = coloured(pet, style.colours)
    grey = np.repeat(ct[..., None], 3, axis=2)
    share = style.opacity * np.minimum(1.0, 2.5 * pet)[..., None] if style.opacity_follows else style.opacity
    fused = (1 - share) * grey + share * colour
    pictures = {"fused": _bytes(fused), "pet": _bytes(colour), "ct": _bytes(grey)}
    return pictures, windows


def _bytes(colours: npt.NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(colours * 255, 0, 255), dtype=np.uint8)


def annotated(picture: Picture, values: PlaneValues, plane: KeyPlane, style: Preset) -> Any:
    """The picture as a Pillow image, with a caption and a 10 cm bar where the preset asks for them."""
    image_module, draw_module = require("PIL.Image"), require("PIL.ImageDraw")
    image = image_module.fromarray(picture)
    if not (style.caption or style.scale_bar):
        return image
    strip = 14
    canvas = image_module.new("RGB", (image.width, image.height + strip))
    canvas.paste(image, (0, 0))
    pen = draw_module.Draw(canvas)
    if style.caption:
        text = f"{plane.orientation} {plane.position_mm:.0f} mm"
        pen.text((2, image.height + 1), text, fill=(255, 255, 255))
        left, right = ("A", "P") if plane.orientation == "sagittal" else ("R", "L")
        pen.text((2, 2), left, fill=(255, 255, 255))
        pen.text((image.width - 9, 2), right, fill=(255, 255, 255))
    if style.scale_bar:
        length = min(round(100 / values.pixel_mm[1]), image.width - 4)
        y = image.height + strip - 4
        pen.line((image.width - 2 - length, y, image.width - 2, y), fill=(255, 255, 255), width=2)
    return canvas


def encoded(image: Any, style: Preset) -> bytes:
    """The file content of a picture: PNG or JPEG, without any metadata."""
    stream = io.BytesIO()
    if style.format == "jpeg":
        image.save(stream, "JPEG", quality=95)
    elif style.format == "png":
        image.save(stream, "PNG", optimize=False)
    else:
        raise UnknownNameError("picture format", style.format, ("png", "jpeg"))
    return stream.getvalue()


def suffix(style: Preset) -> str:
    """``.png`` or ``.jpg``."""
    return ".jpg" if style.format == "jpeg" else ".png"


def sidecar(
    plane: KeyPlane,
    values: PlaneValues,
    style: Preset,
    windows: Mapping[str, Any],
    conversion: Mapping[str, Any],
) -> dict[str, Any]:
    """What is written beside each picture: how it was made, and nothing about whom it shows."""
    return {
        "plane": asdict(plane),
        "pixel_mm": [round(v, 6) for v in values.pixel_mm],
        "shape": list(values.suv.shape),
        "preset": asdict(style),
        **{k: [round(x, 6) for x in v] for k, v in windows.items()},
        "suv_maximum_shown": round(float(values.suv.max()), 4),
        "suv": dict(conversion),
        "software": f"pet2rep-eval {__version__}",
    }
