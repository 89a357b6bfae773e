"""The phantom: written and read back it equals the truth, and its report says what it shows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging import load_ct, load_suv, read_suv
from pet2rep_eval.imaging.geometry import Study
from pet2rep_eval.imaging.phantom import Patient, Phantom, cohort, lesions, make_phantom, report
from pet2rep_eval.imaging.phantom_files import write_nifti
from pet2rep_eval.records import UptakeState


def test_dicom_read_back_equals_the_truth(phantom: Phantom, phantom_dicom: Path) -> None:
    found = read_suv(phantom_dicom, strict=True)
    truth, values = sitk.GetArrayFromImage(phantom.suv), sitk.GetArrayFromImage(found.image)
    slopes = truth.max(axis=(1, 2)) / 32767
    assert (np.abs(values - truth).max(axis=(1, 2)) <= 0.51 * slopes + 1e-6).all(), "half a stored step"
    headers = [pydicom.dcmread(f, stop_before_pixels=True) for f in (phantom_dicom / "PT").iterdir()]
    assert len({h.RescaleSlope for h in headers}) > 100, "every slice has a slope of its own"
    assert len({h.AcquisitionTime for h in headers}) == 5, "five beds"
    assert found.conversion.reference_source == "frame reference time"
    assert found.image.GetOrigin() == pytest.approx(phantom.suv.GetOrigin())
    ct = sitk.GetArrayFromImage(load_ct(phantom_dicom))
    assert np.abs(ct - np.maximum(sitk.GetArrayFromImage(phantom.ct), -1024)).max() == 0


def test_nifti_read_back_equals_the_truth(tmp_path: Path) -> None:
    phantom = make_phantom(pet_spacing=(8, 8, 8), ct_spacing=(8, 8, 8))
    truth = sitk.GetArrayFromImage(phantom.suv)
    pet, ct = write_nifti(phantom, tmp_path / "bids")
    assert sitk.GetArrayFromImage(load_suv(pet, strict=True)) == pytest.approx(truth, rel=1e-5, abs=1e-6)
    assert load_ct(ct).GetSize() == phantom.ct.GetSize()
    pet, _ = write_nifti(phantom, tmp_path / "suv", as_suv=True)
    assert (sitk.GetArrayFromImage(load_suv(pet)) == truth).all()


def test_suvs_are_those_of_the_design(phantom: Phantom, study: Study) -> None:
    values = sitk.GetArrayFromImage(phantom.suv)
    masks = phantom.organ_masks()
    for structure in phantom.structures:
        if min(structure.radii) < 25 or structure.organ is None:
            continue
        core = (
            sitk.GetArrayFromImage(
                sitk.BinaryErode(sitk.GetImageFromArray(masks[structure.name].astype(np.uint8)), [2, 2, 2])
            )
            > 0
        )
        if core.sum() < 100:
            continue
        assert values[core].mean() == pytest.approx(structure.suv, rel=0.05), structure.name
    lesion_masks = phantom.masks()
    for lesion in phantom.lesions:
        if lesion.state is UptakeState.INCREASED and min(lesion.size_mm) >= 18:
            assert values[lesion_masks[lesion.name]].max() == pytest.approx(lesion.suv, rel=0.15), lesion.name
    assert study.body_mean() == pytest.approx(1.0, abs=0.15)


def test_all_states_are_there(phantom: Phantom) -> None:
    assert {s for states in phantom.states.values() for s in states} == {
        UptakeState.INCREASED,
        UptakeState.DECREASED,
        UptakeState.ABSENT,
    }
    assert phantom.states["liver"] == {UptakeState.INCREASED, UptakeState.ABSENT}


def test_report_names_every_lesion_and_nothing_else() -> None:
    for language, size in (("zh", "23mm×18mm"), ("en", "23 × 18 mm")):
        whole = report(Patient(), lesions(), language)
        assert size in whole
        assert "SUVmax 8.0" in whole
        empty = report(Patient(lesions=()), (), language)
        assert size not in empty
        assert "SUVmax" not in empty
    assert "前列腺" not in report(Patient(sex="F"), (), "zh")
    with pytest.raises(UnknownNameError):
        report(Patient(), (), "fr")


def test_report_parses_to_the_states(phantom: Phantom) -> None:
    parse_report = pytest.importorskip("pet2rep_eval.parsing").parse_report
    for language in ("zh", "en"):
        states = parse_report(phantom.report(language), language=language).states
        abnormal = {
            organ: frozenset(found - {UptakeState.NORMAL})
            for organ, found in states.items()
            if found - {UptakeState.NORMAL}
        }
        assert abnormal == phantom.states, language


def test_cohorts_are_reproducible_and_varied() -> None:
    first, again, other = list(cohort(12, 3)), list(cohort(12, 3)), list(cohort(12, 4))
    assert first == again
    assert first != other
    assert len({p.study_id for p in first}) == 12
    assert len({p.lesions for p in first}) > 4
    a, b = (make_phantom(p, pet_spacing=(8, 8, 10), ct_spacing=(8, 8, 10)) for p in (first[0], first[0]))
    assert (sitk.GetArrayFromImage(a.suv) == sitk.GetArrayFromImage(b.suv)).all()


def test_unknown_lesion() -> None:
    with pytest.raises(UnknownNameError, match="lung nodule"):
        lesions(["lung nodul"])


def test_reading_the_phantom_does_not_warn(phantom_dicom: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_suv(phantom_dicom)
