"""Sizes of a patient by which an activity concentration is normalised.

Sources: lean body mass of Morgan (120) and James (128), Janmahasatian 2005; ideal weight as in DICOM PS3.16;
body surface of Du Bois. Weights in kg, heights in cm, surface in cm². Sex ``O`` is the mean of both.
"""

from __future__ import annotations

from collections.abc import Callable


def _by_sex(male: float, female: float, sex: str) -> float:
    return {"M": male, "F": female, "O": (male + female) / 2}[sex]


def lean_mass_morgan(weight: float, height: float, sex: str) -> float:
    """1.10 W − 120 (W/H)² (men), 1.07 W − 148 (W/H)² (women)."""
    ratio = (weight / height) ** 2
    return _by_sex(1.10 * weight - 120 * ratio, 1.07 * weight - 148 * ratio, sex)


def lean_mass_james(weight: float, height: float, sex: str) -> float:
    """1.10 W − 128 (W/H)² (men), 1.07 W − 148 (W/H)² (women)."""
    ratio = (weight / height) ** 2
    return _by_sex(1.10 * weight - 128 * ratio, 1.07 * weight - 148 * ratio, sex)


def lean_mass_janmahasatian(weight: float, height: float, sex: str) -> float:
    """9270 W / (6680 + 216 BMI) (men), 9270 W / (8780 + 244 BMI) (women)."""
    index = weight / (height / 100) ** 2
    return _by_sex(9270 * weight / (6680 + 216 * index), 9270 * weight / (8780 + 244 * index), sex)


def ideal_weight(weight: float, height: float, sex: str) -> float:
    """48.0 + 1.06 (H − 152) (men), 45.5 + 0.91 (H − 152) (women)."""
    return _by_sex(48.0 + 1.06 * (height - 152), 45.5 + 0.91 * (height - 152), sex)


def body_surface(weight: float, height: float) -> float:
    """Du Bois: 71.84 W^0.425 H^0.725, in cm²."""
    return float(71.84 * weight**0.425 * height**0.725)


LEAN_MASSES: dict[str, Callable[[float, float, str], float]] = {
    "LBM": lean_mass_morgan,
    "LBMJAMES128": lean_mass_james,
    "LBMJANMA": lean_mass_janmahasatian,
    "IBW": ideal_weight,
}
"""DICOM's SUV types in g/ml besides body weight → the mass that stands for the weight, in kg."""

NORMALISATIONS = ("BW", "BSA", *LEAN_MASSES)
"""SUV types by DICOM's defined terms."""


def size_for(kind: str, weight: float, height: float | None = None, sex: str | None = None) -> float:
    """What the activity concentration is multiplied by, over the dose: g for masses, cm² for ``BSA``.

    Raises ValueError where *height* or *sex* is needed and missing, and for an unknown *kind*.
    """
    if kind not in NORMALISATIONS:
        raise ValueError(f"There is no SUV type '{kind}'. Known: {', '.join(NORMALISATIONS)}.")
    if kind == "BW":
        return 1000.0 * weight
    if height is None or height <= 0:
        raise ValueError(f"SUV type {kind} needs the patient's height.")
    if kind == "BSA":
        return body_surface(weight, height)
    if sex not in ("M", "F", "O"):
        raise ValueError(f"SUV type {kind} needs the patient's sex (M, F or O).")
    size = 1000.0 * LEAN_MASSES[kind](weight, height, sex)
    if size <= 0:
        raise ValueError(f"SUV type {kind} gives no positive mass for {weight:g} kg and {height:g} cm.")
    return size
