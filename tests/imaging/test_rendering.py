"""Pixels: the public demo slices are reproduced in palette, blending, background and size law."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging.colours import COLOUR_MAPS, colour_map, coloured
from pet2rep_eval.imaging.geometry import Study
from pet2rep_eval.imaging.planes import choose_planes
from pet2rep_eval.imaging.rendering import (
    PRESETS,
    PlaneValues,
    annotated,
    cut,
    encoded,
    preset,
    render,
    sidecar,
)
from tests.conftest import SHARED, needs_shared


def picture(suv: np.ndarray, hu: np.ndarray, name: str = "pet2rep") -> np.ndarray:
    return render(PlaneValues(suv, hu, (4, 4)), preset(name))[0]["fused"]


def test_hot_is_three_ramps() -> None:
    table = colour_map("hot")
    assert table.shape == (256, 3)
    assert table[0] == pytest.approx([0.0416, 0, 0])
    assert table[-1] == pytest.approx([1, 1, 1])
    assert table[93, 0] < 1 <= table[94, 0], "red is full from .365"
    assert table[93, 1] == 0 < table[94, 1], "then green begins"
    assert table[190, 2] == 0 < table[191, 2], "and blue at .746"
    assert (np.diff(table, axis=0) >= 0).all()


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_maps(name: str) -> None:
    table = colour_map(name)
    assert table.shape == (256, 3)
    assert table.min() >= 0
    assert table.max() <= 1
    assert coloured(np.array([-1.0, 0.0, 1.0, 2.0]), name) == pytest.approx(table[[0, 0, 255, 255]])


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="hot"):
        colour_map("hott")
    with pytest.raises(UnknownNameError, match="clinical"):
        preset("clinic")


def test_blending_is_half_and_half_everywhere() -> None:
    suv, hu = np.linspace(0, 5, 256)[None].repeat(3, 0), np.array([[-1000.0], [0.0], [1000.0]]).repeat(256, 1)
    found = picture(suv, hu).astype(float)
    expected = 255 * (0.5 * np.array([0, 0.5, 1])[:, None, None] + 0.5 * colour_map("hot")[None])
    assert np.abs(found - expected).max() <= 1


def test_uptake_above_the_clip_cannot_be_told_apart() -> None:
    hu = np.array([[-1000.0, 1000.0, 0, 0]])
    assert (
        picture(np.array([[0.0, 1, 5, 50]]), hu)[0, 2:] == picture(np.array([[0.0, 1, 9, 5]]), hu)[0, 2:]
    ).all()


@needs_shared
@pytest.mark.parametrize("index", [90, 100, 110])
def test_public_demo_slices(index: int) -> None:
    image = Image.open(SHARED / "data" / "pet2rep" / f"demo_{index}_coronal.jpg")
    demo = np.asarray(image).astype(float)
    assert image.size == (200, 219)
    # Background: coldest PET on thinnest CT, as our own file shows it after JPEG.
    flat = Image.fromarray(picture(np.zeros((32, 32)), np.zeros((32, 32)) - 1000))
    stream = io.BytesIO()
    flat.save(stream, "JPEG", quality=95)
    background = np.asarray(Image.open(stream)).astype(float)[5, 5]
    assert np.abs(demo[2:30, 2:30].reshape(-1, 3).mean(axis=0) - background).max() <= 1
    # Grey cancels in differences of channels: what remains lies on the half-strength curve of the palette.
    body = demo[60:200].reshape(-1, 3)
    seen = np.stack([body[:, 0] - body[:, 1], body[:, 1] - body[:, 2]], axis=1)

    def distance(name: str) -> float:
        table = 127.5 * colour_map(name)
        curve = np.stack([table[:, 0] - table[:, 1], table[:, 1] - table[:, 2]], axis=1)
        return float(np.median(np.sqrt(((seen[:, None] - curve[None]) ** 2).sum(-1)).min(axis=1)))

    assert distance("hot") < 2.0
    assert distance("hot") < 0.5 * min(distance(name) for name in ("pet", "hot_metal_blue", "spring"))


def test_presets_on_the_phantom(study: Study) -> None:
    plane = choose_planes(study)[1]
    values = cut(study, plane, PRESETS["pet2rep"].pixel_mm)
    fused = render(values, PRESETS["pet2rep"])[0]["fused"]
    assert fused.shape == (study.rows("axial"), study.rows("sagittal"), 3), "one pixel a voxel"
    assert fused[2, 2].tolist() == pytest.approx([5, 0, 0], abs=2), "the demo's background"
    clinical = PRESETS["clinical"]
    values = cut(study, plane, clinical.pixel_mm)
    pictures, windows = render(values, clinical)
    assert values.pixel_mm == pytest.approx((2.0, 2.0))
    assert windows == {"suv_window": [0.0, 7.0], "hu_window": [-160.0, 240.0]}
    height = study.rows("axial") * study.spacing[2]
    assert pictures["fused"].shape[0] == pytest.approx(height / 2, abs=1)
    assert (pictures["ct"][..., 0] == pictures["ct"][..., 2]).all(), "grey"


def test_clinical_intensity_means_the_same_everywhere() -> None:
    style, hu = preset("clinical"), np.zeros((1, 3))
    hot, cold = (
        render(PlaneValues(np.array([[2.0, 2.0, top]]), hu, (2, 2)), style)[0]["pet"] for top in (3, 30)
    )
    assert (hot[0, 0] == cold[0, 0]).all()


def test_caption_and_bar_add_a_strip(study: Study) -> None:
    plane = choose_planes(study)[0]
    style = preset("clinical", caption=True, scale_bar=True)
    values = cut(study, plane, style.pixel_mm)
    fused = render(values, style)[0]["fused"]
    image = annotated(fused, values, plane, style)
    assert image.height == fused.shape[0] + 14
    strip = np.asarray(image)[fused.shape[0] :]
    assert (strip[-6:, :, 0] == 255).sum(axis=1).max() >= 48, "10 cm at 2 mm a pixel"


@pytest.mark.parametrize("name", list(PRESETS))
def test_files_hold_pixels_and_nothing_else(study: Study, name: str) -> None:
    style = preset(name)
    plane = choose_planes(study)[0]
    values = cut(study, plane, style.pixel_mm)
    fused = render(values, style)[0]["fused"]
    content = encoded(annotated(fused, values, plane, style), style)
    image = Image.open(io.BytesIO(content))
    assert image.size == (fused.shape[1], fused.shape[0])
    assert not image.getexif()
    if style.format == "png":
        assert (np.asarray(image) == fused).all()
        assert not image.info
    with pytest.raises(UnknownNameError, match="png"):
        encoded(image, replace(style, format="tiff"))


def test_sidecar_says_how_the_picture_was_made(study: Study) -> None:
    style = preset("clinical")
    plane = choose_planes(study)[0]
    values = cut(study, plane, style.pixel_mm)
    record = sidecar(plane, values, style, render(values, style)[1], {"suv_type": "BW"})
    record = json.loads(json.dumps(record))
    assert record["plane"]["orientation"] == "coronal"
    assert record["plane"]["position_mm"] == plane.position_mm
    assert record["suv_window"] == [0.0, 7.0]
    assert record["pixel_mm"] == [2.0, 2.0]
    assert record["software"].startswith("pet2rep-eval ")
