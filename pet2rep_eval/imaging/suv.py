"""From the headers of a PET series to factors that turn its values into SUVs by body weight.

Sources: DICOM PS3.3 C.8.9.1, the vendor-neutral pseudo-code of QIBA, the IBSI-SUV manual. What a header does
not say is an error that names the tag; what it says doubtfully is a warning. docs/imaging.md lists both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pet2rep_eval.errors import SUVError
from pet2rep_eval.imaging.body_size import LEAN_MASSES, size_for
from pet2rep_eval.imaging.header import (
    optional_number,
    positive,
    private_number,
    same,
    tag_name,
    text,
)
from pet2rep_eval.imaging.suv_checks import (
    check_corrections,
    check_is_pet,
    check_series_type,
    coded_nuclide,
    nuclides,
    radiopharmaceutical,
)
from pet2rep_eval.imaging.suv_times import acquisition_starts, injection_time, reference_times


class SUVWarning(UserWarning):
    """A header that gives an SUV which may be wrong; the message names the tag."""


@dataclass(frozen=True, slots=True)
class SuvConversion:
    """How the rescaled values of a series become SUVs by body weight."""

    factors: tuple[float, ...]
    """One a slice, in the order of the headers: SUVbw = (stored × slope + intercept) × factor."""
    method: str
    units: str
    decay_correction: str = ""
    reference_source: str = ""
    uptake_minutes: float | None = None
    """From injection to the start of the acquisition."""
    weight_kg: float | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    warnings: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """What may be written beside an image: no identity, no dates, no dose of a named patient's day."""
        constant = max(self.factors) - min(self.factors) <= 1e-12 * max(self.factors)
        return {
            "suv_type": "BW",
            "suv_factor": self.factors[0] if constant else None,
            "suv_factor_range": [min(self.factors), max(self.factors)],
            "method": self.method,
            "units": self.units,
            "decay_correction": self.decay_correction or None,
            "reference_time_from": self.reference_source or None,
            "uptake_minutes": None if self.uptake_minutes is None else round(self.uptake_minutes, 2),
            "warnings": list(self.warnings),
        }


def _weight(header: Any, notes: list[str]) -> float:
    weight = positive(header, "PatientWeight", "the weight")
    if weight > 1000:
        notes.append(f"{tag_name('PatientWeight')} is {weight:g}: it is taken as grams.")
        weight /= 1000
    return weight


def _height(header: Any, notes: list[str]) -> float:
    """In cm."""
    height = positive(header, "PatientSize", "the height, which this SUV type needs,")
    if height > 3:
        notes.append(f"{tag_name('PatientSize')} is {height:g}: it is taken as centimetres.")
        return height
    return 100 * height


def _factor_of_suv_type(headers: Sequence[Any], units: str, notes: list[str]) -> tuple[float, str]:
    """Factor from an SUV of another type to SUVbw: units GML and CM2ML."""
    kind = same(headers, "SUVType").upper() or ("BSA" if units == "CM2ML" else "BW")
    if (kind == "BSA") != (units == "CM2ML") or (kind not in ("BW", "BSA") and kind not in LEAN_MASSES):
        raise SUVError(
            f"{tag_name('SUVType')} is '{kind}', which does not go with {tag_name('Units')} {units}."
        )
    if kind == "BW":
        return 1.0, kind
    header = headers[0]
    weight, height, sex = _weight(header, notes), _height(header, notes), text(header, "PatientSex").upper()
    if kind != "BSA" and sex not in ("M", "F", "O"):
        raise SUVError(f"{tag_name('PatientSex')} is '{sex or 'missing'}': SUV type {kind} needs M, F or O.")
    try:
        return 1000 * weight / size_for(kind, weight, height, sex), kind
    except ValueError as error:
        raise SUVError(f"{tag_name('SUVType')}: {error}") from error


def _private_factors(headers: Sequence[Any], element: int) -> tuple[float, ...] | None:
    """A factor of Philips for every slice; None unless all slices have one above zero."""
    found = [private_number(header, 0x7053, element, "Philips PET Private Group") for header in headers]
    known = tuple(factor for factor in found if factor is not None and factor > 0)
    if known and len(known) < len(headers):
        raise SUVError(
            f"(7053,10{element:02X}) is not filled in {len(headers) - len(known)} of {len(headers)} slices."
        )
    return known or None


def _dose(item: Any, weight: float, notes: list[str]) -> float:
    name = tag_name("RadionuclideTotalDose")
    dose = positive(item, "RadionuclideTotalDose", "the dose")
    if dose < 1e4:
        notes.append(f"{name} is {dose:g}: it is taken as MBq.")
        return dose * 1e6
    if dose < 1e6 and weight > 20:
        notes.append(f"{name} is {dose:g} Bq, hardly enough for an image: it may be in kBq.")
    return dose


def _half_life(item: Any) -> float:
    half_life = positive(item, "RadionuclideHalfLife", "the half-life")
    nuclide = coded_nuclide(item)
    if nuclide is not None:
        known = float(nuclides()[nuclide]["half_life"])
        if abs(half_life / known - 1) > 0.03:
            raise SUVError(
                f"{tag_name('RadionuclideHalfLife')} is {half_life:g} s, but "
                f"{tag_name('RadionuclideCodeSequence')} names {nuclide} with {known:g} s."
            )
    return half_life


def _check_uptake(uptake: timedelta, half_life: float, name: str, notes: list[str]) -> None:
    """Raises SUVError for an uptake time that cannot be; notes an unusual one."""
    seconds = uptake.total_seconds()
    if seconds < 0:
        raise SUVError(
            f"{name} is {-seconds / 60:.1f} min after the image: the uptake time would be negative."
        )
    # Nobody images after ten half-lives: that is a slip of the clock. Long-lived nuclides are imaged late.
    limit = 10 * half_life if half_life > 36000 else min(86400.0, max(10 * half_life, 10800.0))
    if seconds > limit:
        raise SUVError(f"{name} is {seconds / 3600:.1f} h before the image: that is no uptake time.")
    if half_life < 36000 and not 1800 <= seconds <= 7200:
        notes.append(f"{name}: the uptake time is {seconds / 60:.0f} min, outside 30 to 120 min.")


def suv_conversion(headers: Sequence[Any]) -> SuvConversion:
    """Factors from rescaled values to SUVbw for the slices of one PET series, from their data sets.

    Raises :class:`SUVError`, naming the tag, where the headers give no SUV.
    """
    if not headers:
        raise SUVError("The series has no slices.")
    for header in headers:
        check_is_pet(header)
        if optional_number(header, "RescaleSlope") is None:
            raise SUVError(f"{tag_name('RescaleSlope')} is missing: the stored values have no scale.")
    # Names are compared and never shown.
    for keyword in ("SeriesInstanceUID", "PatientID"):
        same(headers, keyword)
    check_series_type(headers[0])
    notes: list[str] = []
    units = same(headers, "Units").upper()
    decay = same(headers, "DecayCorrection").upper()
    check_corrections(headers)
    count = len(headers)
    if units in ("GML", "CM2ML"):
        factor, kind = _factor_of_suv_type(headers, units, notes)
        return SuvConversion((factor,) * count, f"SUV type {kind}", units, decay, warnings=tuple(notes))
    scale = (1.0,) * count
    if units == "CNTS":
        direct = _private_factors(headers, 0x00)
        if direct is not None:
            return SuvConversion(
                direct, "Philips SUV factor (7053,1000)", units, decay, warnings=tuple(notes)
            )
        activity = _private_factors(headers, 0x09)
        if activity is None:
            raise SUVError(
                f"{tag_name('Units')} is CNTS without the Philips factors (7053,1000) or (7053,1009): "
                "counts have no SUV."
            )
        scale = activity
    elif units != "BQML":
        raise SUVError(
            f"{tag_name('Units')} is '{units or 'missing'}': only BQML, GML, CM2ML and CNTS give an SUV."
        )
    return _from_activity(headers, scale, units, decay, notes)


def _from_activity(
    headers: Sequence[Any], scale: tuple[float, ...], units: str, decay: str, notes: list[str]
) -> SuvConversion:
    """Factors for values that are activity concentrations once multiplied by *scale*."""
    if decay not in ("START", "ADMIN", "NONE"):
        raise SUVError(f"{tag_name('DecayCorrection')} is '{decay or 'missing'}', not START, ADMIN or NONE.")
    header, item = headers[0], radiopharmaceutical(headers[0])
    for other in headers[1:]:
        for keyword in ("PatientWeight",):
            if optional_number(other, keyword) != optional_number(header, keyword):
                raise SUVError(f"{tag_name(keyword)} differs between the slices: the series is mixed.")
        for keyword in (
            "RadionuclideTotalDose",
            "RadionuclideHalfLife",
            "RadiopharmaceuticalStartTime",
            "RadiopharmaceuticalStartDateTime",
        ):
            if text(radiopharmaceutical(other), keyword) != text(item, keyword):
                raise SUVError(f"{tag_name(keyword)} differs between the slices: the series is mixed.")
    weight = _weight(header, notes)
    dose, half_life = _dose(item, weight, notes), _half_life(item)
    factors, source, uptake = _decayed(headers, item, decay, 1000 * weight / dose, half_life, notes)
    return SuvConversion(
        tuple(a * b for a, b in zip(factors, scale, strict=True)),
        "activity, dose and weight"
        if units == "BQML"
        else "Philips activity factor (7053,1009), dose and weight",
        units,
        decay,
        source,
        uptake,
        weight,
        dose,
        half_life,
        tuple(dict.fromkeys(notes)),
    )


def _decayed(
    headers: Sequence[Any], item: Any, decay: str, factor: float, half_life: float, notes: list[str]
) -> tuple[tuple[float, ...], str, float | None]:
    """*factor* with the decay between injection and image, for every slice; where from; minutes of uptake."""
    acquired = acquisition_starts(headers)
    starts = [start for start in acquired if start is not None]
    rate = math.log(2) / half_life
    if decay == "ADMIN":
        if starts:
            injection = injection_time(headers, item, min(starts), notes)
            if injection is not None:
                _check_uptake(min(starts) - injection[0], half_life, injection[1], notes)
                return (
                    (factor,) * len(headers),
                    "injection",
                    (min(starts) - injection[0]).total_seconds() / 60,
                )
        return (factor,) * len(headers), "injection", None
    if decay == "START":
        reference = reference_times(headers, half_life, notes)
        moments = reference.moments
    else:
        if len(starts) < len(headers):
            raise SUVError(f"{tag_name('AcquisitionTime')} is missing: the decay until the image is unknown.")
        moments = tuple(starts)
    injection = injection_time(headers, item, min(moments), notes)
    if injection is None:
        raise SUVError(
            f"{tag_name('RadiopharmaceuticalStartDateTime')} and {tag_name('RadiopharmaceuticalStartTime')} "
            "are missing: the decay of the dose is unknown."
        )
    given, name = injection
    if min(moments) < given:
        _check_uptake(min(moments) - given, half_life, name, notes)
    begun = min(starts) if starts else min(moments)
    _check_uptake(begun - given, half_life, name, notes)
    seconds = [(moment - given).total_seconds() for moment in moments]
    if decay == "START":
        found = tuple(factor * math.exp(rate * passed) for passed in seconds)
        return found, reference.source, (begun - given).total_seconds() / 60
    decayed = []
    for header, passed in zip(headers, seconds, strict=True):
        duration = positive(
            header, "ActualFrameDuration", "the frame duration, which DecayCorrection NONE needs,"
        )
        during = rate * duration / 1000
        decayed.append(factor * during / -math.expm1(-during) * math.exp(rate * passed))
    return tuple(decayed), "acquisition of each slice", (begun - given).total_seconds() / 60
