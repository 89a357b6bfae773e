"""What the header of a PET series must say before an SUV can be thought of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any

from pet2rep_eval.errors import SUVError
from pet2rep_eval.imaging.header import optional_number, tag_name, text, values
from pet2rep_eval.resources import read_text

PET_STORAGE = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_PET = {
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET Image Storage",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET Image Storage",
}


@cache
def nuclides() -> dict[str, dict[str, Any]]:
    """The table of nuclides in ``lexicons/imaging.toml``."""
    table: dict[str, dict[str, Any]] = tomllib.loads(read_text("lexicons", "imaging.toml"))["nuclides"]
    return table


def coded_nuclide(item: Any) -> str | None:
    """The nuclide that (0054,0300) names, as a key of :func:`nuclides`; None for none or an unknown one."""
    sequence = item.get("RadionuclideCodeSequence") or []
    for code in sequence:
        words = set(re.findall(r"[A-Za-z]+|\d+", text(code, "CodeMeaning")))
        for key, nuclide in nuclides().items():
            if str(nuclide["mass"]) in words and words & set(nuclide["element"]):
                return key
        for key, nuclide in nuclides().items():
            if text(code, "CodeValue") in nuclide["codes"]:
                return key
    return None


def check_is_pet(header: Any) -> None:
    """Raises SUVError unless the object is a classic PET image."""
    modality = text(header, "Modality")
    if modality != "PT":
        raise SUVError(f"{tag_name('Modality')} is '{modality or 'missing'}', not PT: this is no PET series.")
    kind = text(header, "SOPClassUID")
    if kind in ENHANCED_PET:
        raise SUVError(
            f"{tag_name('SOPClassUID')} is {ENHANCED_PET[kind]}: multi-frame PET objects are not supported. "
            "Export the series as single-frame PET images."
        )
    if kind != PET_STORAGE:
        raise SUVError(
            f"{tag_name('SOPClassUID')} is '{kind}', not PET Image Storage: its values have no agreed unit."
        )
    if (optional_number(header, "NumberOfFrames") or 1) > 1:
        raise SUVError(f"{tag_name('NumberOfFrames')} is above 1: multi-frame PET objects are not supported.")


def check_series_type(header: Any) -> None:
    """Raises SUVError for dynamic, gated and projected series."""
    kinds = values(header, "SeriesType")
    for kind, meaning in (("DYNAMIC", "dynamic"), ("GATED", "gated"), ("REPROJECTION", "a projection")):
        if kind in kinds:
            raise SUVError(
                f"{tag_name('SeriesType')} is {' '.join(kinds)}: the series is {meaning}, no static volume."
            )
    for keyword in ("NumberOfTimeSlices", "NumberOfTimeSlots"):
        if (optional_number(header, keyword) or 0) > 1:
            raise SUVError(f"{tag_name(keyword)} is above 1: the series is not a static volume.")


def check_corrections(headers: Sequence[Any]) -> None:
    """Raises SUVError where attenuation is not corrected or the decay correction contradicts itself."""
    for header in headers:
        corrected = values(header, "CorrectedImage")
        if "ATTN" not in corrected:
            raise SUVError(
                f"{tag_name('CorrectedImage')} does not list ATTN: "
                "without attenuation correction there is no SUV."
            )
        decay = text(header, "DecayCorrection").upper()
        if decay in ("START", "ADMIN") and "DECY" not in corrected:
            raise SUVError(
                f"{tag_name('CorrectedImage')} does not list DECY, "
                f"but {tag_name('DecayCorrection')} is {decay}."
            )
        if decay == "NONE" and "DECY" in corrected:
            raise SUVError(
                f"{tag_name('CorrectedImage')} lists DECY, but {tag_name('DecayCorrection')} is NONE."
            )


def radiopharmaceutical(header: Any) -> Any:
    """The one item of (0054,0016). Raises SUVError for none or several."""
    items = header.get("RadiopharmaceuticalInformationSequence") or []
    name = tag_name("RadiopharmaceuticalInformationSequence")
    if len(items) == 0:
        raise SUVError(f"{name} is missing: without dose and time of injection there is no SUV.")
    if len(items) > 1:
        raise SUVError(f"{name} has {len(items)} items: which tracer is shown is not said.")
    return items[0]
