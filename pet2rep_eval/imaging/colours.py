"""Colour maps: matplotlib's ``hot`` (three ramps) and the palettes of the DICOM standard."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging.header import require

Table = npt.NDArray[np.float64]
PALETTES = {
    "hot_iron": "HOT_IRON",
    "pet": "PET",
    "hot_metal_blue": "HOT_METAL_BLUE",
    "pet_20_step": "PET_20_STEP",
    "spring": "SPRING",
    "summer": "SUMMER",
    "fall": "FALL",
    "winter": "WINTER",
}
"""Our name → well-known name of DICOM PS3.6 B.1."""
COLOUR_MAPS = ("hot", "grey", "inverse_grey", *PALETTES)


def _hot() -> Table:
    place = np.linspace(0, 1, 256)
    red = np.interp(place, [0, 0.365079], [0.0416, 1])
    green = np.interp(place, [0.365079, 0.746032], [0, 1])
    blue = np.interp(place, [0.746032, 1], [0, 1])
    return np.stack([red, green, blue], axis=1)


@cache
def colour_map(name: str) -> Table:
    """256 entries of red, green, blue in 0 to 1. Raises UnknownNameError."""
    if name == "hot":
        return _hot()
    if name in ("grey", "inverse_grey"):
        ramp = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
        return ramp if name == "grey" else ramp[::-1]
    if name not in PALETTES:
        raise UnknownNameError("colour map", name, COLOUR_MAPS)
    require("pydicom")
    from pydicom.config import disable_value_validation
    from pydicom.pixels import apply_color_lut

    with disable_value_validation():
        table = apply_color_lut(np.arange(256, dtype=np.uint8)[None], palette=PALETTES[name])
    top = np.iinfo(table.dtype).max
    return np.asarray(table[0], dtype=np.float64) / top


def coloured(values: npt.NDArray[np.floating], name: str) -> Table:
    """Colours of values in 0 to 1, as matplotlib maps them (256 equal bins); shape (…, 3), 0 to 1."""
    table = colour_map(name)
    bins = np.clip((np.clip(np.nan_to_num(values), 0, 1) * 256).astype(np.int64), 0, 255)
    return np.asarray(table[bins])
