"""Geometry and key planes: one orientation for all files, identical single planes, stable choices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.geometry import (
    AXES,
    Study,
    canonical,
    plane_of,
    plane_picture,
    resample,
    resample_plane,
    voxels,
    zscore,
)
from pet2rep_eval.imaging.nifti import open_nifti
from pet2rep_eval.imaging.phantom import Patient, Phantom, make_phantom
from pet2rep_eval.imaging.planes import STRATEGIES, choose_planes, explicit, shown
from pet2rep_eval.imaging.rendering import cut, preset, render


def canonical_masks(phantom: Phantom) -> dict[str, np.ndarray]:
    """The masks in the order of canonical voxels: the phantom is stored from front to back."""
    return {k: v[:, ::-1, :] for k, v in phantom.masks().items()}


@pytest.mark.parametrize("orientation", list(AXES))
@pytest.mark.parametrize("angle", [0.0, 0.07])
def test_a_single_plane_equals_the_full_resample(orientation: str, angle: float) -> None:
    random = np.random.default_rng(1)
    ct = sitk.GetImageFromArray(random.normal(0, 300, (30, 40, 50)).astype(np.float32))
    ct.SetSpacing((0.977, 0.977, 2.5))
    ct.SetOrigin((-24.3, -19.1, -36.7))
    pet = sitk.Image(17, 15, 21, sitk.sitkFloat32)
    pet.SetSpacing((2.73, 2.73, 3.27))
    pet.SetOrigin((-23.0, -20.0, -33.0))
    c, s = np.cos(angle), np.sin(angle)
    pet.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    whole = resample(ct, pet)
    for index in range(pet.GetSize()[AXES[orientation]]):
        single = plane_picture(resample_plane(ct, pet, orientation, index), orientation)
        assert (single == plane_of(voxels(whole), orientation, index)).all()


@pytest.mark.parametrize("orientation", list(AXES))
@pytest.mark.parametrize("angle", [0.0, 0.05])
def test_a_box_of_the_file_gives_the_planes_of_the_whole(
    phantom: Phantom, tmp_path: Path, orientation: str, angle: float
) -> None:
    ct = sitk.Flip(phantom.ct, (True, False, True))
    c, s = np.cos(angle), np.sin(angle)
    turned = np.array(ct.GetDirection()).reshape(3, 3) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    ct.SetDirection(turned.ravel().tolist())
    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    stored = Study.of(phantom.suv, open_nifti(tmp_path / "ct.nii.gz"))
    planes = [(orientation, stored.rows(orientation) * n // 5) for n in (2, 3)]
    near, whole = stored.with_ct(planes), stored.with_ct()
    size = [study.ct.GetNumberOfPixels() for study in (near, whole)]
    assert size[0] < 0.7 * size[1]
    for way, index in planes:
        for pixel in (None, 2.0):
            a, b = (
                sitk.GetArrayFromImage(resample_plane(s.ct, s.suv, way, index, pixel_mm=pixel))
                for s in (near, whole)
            )
            assert np.abs(a - b).max() < 0.01, "rounding of the origin apart"


def test_square_pixels_keep_the_borders(study: Study) -> None:
    plane = resample_plane(study.suv, study.suv, "coronal", 40, 0.0, 2.0)
    assert plane.GetSpacing()[0] == pytest.approx(2.0)
    assert plane.GetSpacing()[2] == pytest.approx(2.0)
    for corner in (-0.5, 0.5):
        ours = plane.TransformContinuousIndexToPhysicalPoint(
            [corner if corner < 0 else plane.GetSize()[0] - 0.5, 0, -0.5]
        )
        theirs = study.suv.TransformContinuousIndexToPhysicalPoint(
            [corner if corner < 0 else study.suv.GetSize()[0] - 0.5, 40, -0.5]
        )
        assert ours == pytest.approx(theirs)


def test_views_put_right_and_front_where_readers_expect_them(phantom: Phantom, study: Study) -> None:
    values = voxels(study.suv)
    liver = sitk.GetArrayFromImage(canonical(_image(phantom, "liver"))) > 0
    bladder = sitk.GetArrayFromImage(canonical(_image(phantom, "bladder"))) > 0
    spine = sitk.GetArrayFromImage(canonical(_image(phantom, "spine"))) > 0
    middle = values.shape[2] / 2
    columns = np.nonzero(plane_of(liver, "coronal", 40))[1]
    assert columns.mean() < middle, "the liver is on the image's left"
    rows = np.nonzero(plane_of(bladder, "coronal", 44))[0]
    assert rows.mean() > 0.6 * values.shape[0], "the bladder is below"
    assert np.nonzero(plane_of(spine, "sagittal", 54))[1].mean() > values.shape[1] / 2, "front is left"
    assert np.nonzero(plane_of(spine, "axial", 100))[0].mean() > values.shape[1] / 2, "front is up"


def _image(phantom: Phantom, name: str) -> sitk.Image:
    image = sitk.GetImageFromArray(phantom.organ_masks()[name].astype(np.uint8))
    image.CopyInformation(phantom.suv)
    return image


def pictures(study: Study, strategy: str, masks: dict[str, np.ndarray]) -> list[bytes]:
    style = preset("pet2rep")
    planes = choose_planes(study, strategy, masks=masks)
    return [render(cut(study, p), style)[0]["fused"].tobytes() for p in planes]


@pytest.mark.parametrize("change", ["shift", "flip", "permute"])
@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s != "explicit"])
def test_storage_does_not_change_what_is_shown(
    phantom: Phantom, study: Study, strategy: str, change: str
) -> None:
    suv, ct = sitk.Image(phantom.suv), sitk.Image(phantom.ct)
    if change == "shift":
        for image in (suv, ct):
            image.SetOrigin(np.add(image.GetOrigin(), (31.0, -250.5, 77.25)).tolist())
    elif change == "flip":
        suv = sitk.Flip(suv, (True, False, True))
        ct = sitk.Flip(ct, (False, True, True))
    else:
        suv = sitk.PermuteAxes(suv, (2, 0, 1))
        ct = sitk.PermuteAxes(ct, (1, 2, 0))
    masks = canonical_masks(phantom)
    assert pictures(Study.of(suv, ct), strategy, masks) == pictures(study, strategy, masks)


def test_findings_shown_by_each_strategy(phantom: Phantom, study: Study) -> None:
    masks = canonical_masks(phantom)
    count = {
        name: sum(
            bool(hits) for hits in shown(study, choose_planes(study, name, masks=masks), masks).values()
        )
        for name in STRATEGIES
        if name != "explicit"
    }
    assert count["mip"] == len(masks)
    assert count["coverage"] == 6, "three planes cannot show all seven"
    assert max(count[name] for name in ("body_fraction", "pet2rep_fixed", "centroid")) < count["coverage"]
    five = shown(study, choose_planes(study, "coverage", count=5, masks=masks), masks)
    assert all(five.values()), "five planes show all"
    assert {hits[0] for hits in five.values()} <= set(range(5))


def test_the_height_of_the_table_does_not_matter_to_body_planes() -> None:
    found: dict[str, list[list[str]]] = {"body_fraction": [], "centroid": [], "pet2rep_fixed": []}
    for height in (-40.0, 0.0, 40.0):
        phantom = make_phantom(
            Patient(offset_mm=(0, height, 0)), pet_spacing=(6, 4, 8), ct_spacing=(8, 8, 8), noise=False
        )
        study = Study.of(phantom.suv, phantom.ct)
        organs = {k: v[:, ::-1, :] for k, v in phantom.organ_masks().items() if v.any()}
        for name, rows in found.items():
            hits = shown(study, choose_planes(study, name), organs)
            rows.append(sorted(k for k, v in hits.items() if v))
    for name in ("body_fraction", "centroid"):
        assert max(map(len, found[name])) - min(map(len, found[name])) <= 1
    lost = max(map(len, found["pet2rep_fixed"])) - min(map(len, found["pet2rep_fixed"]))
    assert lost >= 4, "fixed planes lose organs when the table moves"


def test_fixed_planes_warn_on_another_grid(study: Study) -> None:
    assert all("warning" in p.reason for p in choose_planes(study, "pet2rep_fixed"))
    cube = sitk.Image(20, 200, 20, sitk.sitkFloat32) + 1.0
    exact = choose_planes(Study.of(cube, cube), "pet2rep_fixed")
    assert [p.index for p in exact] == [90, 100, 110]
    assert not any("warning" in p.reason for p in exact)


def test_maximum_uptake_leaves_out_brain_and_bladder(phantom: Phantom, study: Study) -> None:
    masks = canonical_masks(phantom)
    hits = shown(study, choose_planes(study, "max_uptake"), masks)
    assert hits["liver metastasis"]
    bladder = phantom.organ_masks()["bladder"][:, ::-1, :] | phantom.organ_masks()["brain"][:, ::-1, :]
    from pet2rep_eval.imaging.planes import max_uptake

    assert [p.position_mm for p in max_uptake(study, exclude=bladder)]


def test_explicit_planes(study: Study) -> None:
    by_index = explicit(study, indices=[10])[0]
    by_place = explicit(study, positions_mm=[by_index.position_mm + 1.0])[0]
    assert by_place.index == 10
    with pytest.raises(ImagingError, match="no coronal plane 999"):
        explicit(study, indices=[999])
    with pytest.raises(ImagingError, match="outside the PET"):
        explicit(study, "axial", positions_mm=[5000.0])


def test_refusals(study: Study, phantom: Phantom) -> None:
    with pytest.raises(UnknownNameError, match="body_fraction"):
        choose_planes(study, "body_fractions")
    with pytest.raises(UnknownNameError, match="coronal"):
        choose_planes(study, orientation="coronel")
    with pytest.raises(ImagingError, match="masks"):
        choose_planes(study, "coverage")
    away = sitk.Image(phantom.ct)
    away.SetOrigin((5000, 0, 0))
    with pytest.raises(ImagingError, match="do not overlap"):
        Study.of(phantom.suv, away)
    empty = Study.of(phantom.suv * 0.0, phantom.ct)
    with pytest.raises(ImagingError, match="no body"):
        choose_planes(empty)


def test_zscore_names_its_domain(phantom: Phantom) -> None:
    hu = sitk.GetArrayFromImage(phantom.ct)
    scaled, domain = zscore(hu)
    assert domain == "grid"
    assert scaled.mean() == pytest.approx(0, abs=1e-3)
    assert scaled.std() == pytest.approx(1, abs=1e-3)
    inside = hu > -500
    scaled, domain = zscore(hu, inside)
    assert domain == "body"
    assert scaled[inside].std() == pytest.approx(1, abs=1e-3)
    with pytest.raises(ImagingError, match="one value"):
        zscore(np.zeros((2, 2)))
