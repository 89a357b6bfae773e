"""Quantities on shapes whose values are known by hand, threshold rules, lesion metrics, claimed numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.quantities import (
    PEAK_RADIUS_MM,
    THRESHOLDS,
    LiverReference,
    Verdict,
    axial_axes,
    check_size,
    check_suv,
    hot_components,
    lesion_metrics,
    region_quantities,
    suv_peak,
    tally,
    threshold,
)

SPACING = (2.0, 2.0, 2.0)


def ball(radius: float, spacing: tuple[float, float, float] = SPACING, size: int = 31) -> np.ndarray:
    z, y, x = np.indices((size, size, size)) - size // 2
    return (x * spacing[0]) ** 2 + (y * spacing[1]) ** 2 + (z * spacing[2]) ** 2 <= radius**2


def test_a_uniform_ball() -> None:
    mask = ball(14)
    suv = np.where(mask, 6.0, 1.0)
    found = region_quantities(suv, mask, SPACING, name="ball")
    assert (found.suv_max, found.suv_mean, found.suv_sd) == (6.0, 6.0, 0.0)
    assert found.suv_peak == pytest.approx(6.0), "a sphere of 6.2 mm fits into it"
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 14**3 / 1000, rel=0.03)
    assert found.mtv_ml == found.volume_ml
    assert found.tlg == pytest.approx(6 * found.mtv_ml)
    assert found.axes_mm == pytest.approx((28, 28), abs=3)
    assert found.record()["threshold"] == "41%"


def test_peak_of_a_single_hot_voxel_is_its_share_of_a_cubic_centimetre() -> None:
    suv = np.zeros((31, 31, 31))
    suv[15, 15, 15] = 100.0
    share = suv_peak(suv, suv > 0, SPACING)
    assert share == pytest.approx(100 * 8 / 1000, rel=0.01), "8 mm³ of 1000 mm³"
    assert pytest.approx(6.2, abs=0.01) == PEAK_RADIUS_MM


def test_peak_at_the_border_uses_what_is_there() -> None:
    suv = np.full((9, 9, 9), 3.0)
    corner = np.zeros(suv.shape, bool)
    corner[0, 0, 0] = True
    assert suv_peak(suv, corner, SPACING) == pytest.approx(3.0)


def test_threshold_rules_change_the_volume() -> None:
    mask = ball(20, size=41)
    z, y, x = np.indices(mask.shape) - 20
    suv = np.clip(8.0 - 0.35 * 2 * np.sqrt(x**2 + y**2 + z**2), 0, None) * mask
    liver = LiverReference(2.0, 0.25)
    volumes = {r: region_quantities(suv, mask, SPACING, rule=r, liver=liver).mtv_ml for r in THRESHOLDS}
    assert volumes["fixed-2.5"] > volumes["41%"] > volumes["percist"] > volumes["fixed-4.0"]
    levels = {r: threshold(r, 8.0, liver) for r in THRESHOLDS}
    assert levels == pytest.approx(
        {"41%": 3.28, "50%": 4.0, "fixed-2.5": 2.5, "fixed-4.0": 4.0, "percist": 3.5}
    )


def test_refusals() -> None:
    with pytest.raises(UnknownNameError, match="41%"):
        threshold("42%", 8.0)
    with pytest.raises(ImagingError, match="liver"):
        threshold("percist", 8.0)
    with pytest.raises(ImagingError, match="empty"):
        region_quantities(np.zeros((2, 2, 2)), np.zeros((2, 2, 2), bool), SPACING)
    with pytest.raises(ImagingError, match="shape"):
        region_quantities(np.zeros((2, 2, 2)), np.zeros((2, 2, 3), bool), SPACING)


@pytest.mark.parametrize("angle", [0, 30, 45, 80])
def test_axes_do_not_depend_on_the_direction(angle: float) -> None:
    y, x = np.indices((81, 81)) - 40
    turned = math.radians(angle)
    along, across = x * math.cos(turned) + y * math.sin(turned), -x * math.sin(turned) + y * math.cos(turned)
    mask = np.zeros((3, 81, 81), bool)
    mask[1] = (along / 23) ** 2 + (across / 12) ** 2 <= 1
    assert axial_axes(mask, (1.0, 1.0, 3.0)) == pytest.approx((46, 24), abs=1.5)


def test_lesion_metrics() -> None:
    reference = np.zeros((20, 20, 20), bool)
    predicted = reference.copy()
    reference[2:6, 2:6, 2:6] = True
    reference[12:14, 12:14, 12:14] = True
    predicted[4:8, 2:6, 2:6] = True
    predicted[16:18, 2:4, 2:4] = True
    found = lesion_metrics(predicted, reference, (10.0, 10.0, 10.0))
    assert found.dice == pytest.approx(2 * 32 / (72 + 72))
    assert found.false_negative_ml == 8
    assert found.false_positive_ml == 8
    empty = lesion_metrics(predicted, np.zeros_like(reference), (10.0, 10.0, 10.0))
    assert math.isnan(empty.dice)
    assert math.isnan(empty.false_negative_ml)
    assert empty.false_positive_ml == 72


def test_components_touch_by_edges_and_not_by_corners() -> None:
    reference = np.zeros((4, 4, 4), bool)
    reference[0, 0, 0] = reference[0, 1, 1] = True
    predicted = np.zeros_like(reference)
    predicted[0, 0, 0] = True
    unit = (10.0, 10.0, 10.0)
    assert lesion_metrics(predicted, reference, unit).false_negative_ml == 0
    reference[0, 1, 1], reference[1, 1, 1] = False, True
    assert lesion_metrics(predicted, reference, unit).false_negative_ml == 1


def test_hot_components_are_sorted_and_filtered() -> None:
    values = np.zeros((20, 20, 20), np.float32)
    values[2:8, 2:8, 2:8] = 6
    values[12:15, 12:15, 12:15] = 9
    values[18, 18, 18] = 50
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((4.0, 4.0, 4.0))
    found = hot_components(image, 4.0, smallest_ml=1.0)
    assert [int(m.sum()) for m in found] == [216, 27]
    assert len(hot_components(image, 4.0, 1.0, exclude=values > 8)) == 1


@pytest.mark.parametrize(
    ("claimed", "measured", "decimals", "same", "verdict"),
    [
        (5.6, 5.68, 1, True, Verdict.VERIFIED),
        (5.6, 5.75, 1, True, Verdict.CONTRADICTED),
        (6, 5.55, 0, True, Verdict.VERIFIED),
        (5.6, 6.1, 1, False, Verdict.VERIFIED),
        (5.6, 7.0, 1, False, Verdict.CONTRADICTED),
        (5.6, None, 1, True, Verdict.UNVERIFIABLE),
        (5.6, math.nan, 1, True, Verdict.UNVERIFIABLE),
    ],
)
def test_claimed_suv(claimed: float, measured: float | None, decimals: int, same: bool, verdict: str) -> None:
    assert check_suv(claimed, measured, decimals=decimals, same_image=same) == verdict


def test_claimed_sizes() -> None:
    assert check_size([18, 23], [23.9, 18.5]) == Verdict.VERIFIED
    assert check_size([23], [23.9, 18.5]) == Verdict.VERIFIED
    assert check_size([30, 18], [23.9, 18.5]) == Verdict.CONTRADICTED
    assert check_size([50], [46]) == Verdict.VERIFIED, "10 %"
    assert check_size([23, 18, 20], [23, 18]) == Verdict.UNVERIFIABLE
    assert check_size([23], None) == Verdict.UNVERIFIABLE
    assert tally({"a": Verdict.VERIFIED, "b": Verdict.UNVERIFIABLE, "c": Verdict.VERIFIED}) == {
        "verified": 2,
        "contradicted": 0,
        "unverifiable": 1,
    }
