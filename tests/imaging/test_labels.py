"""Label maps of segmenters, organ statistics, expected uptake states and their comparison with a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from pet2rep_eval.errors import ImagingError, UnknownNameError
from pet2rep_eval.imaging.geometry import Study, voxels
from pet2rep_eval.imaging.labels import (
    CONSISTENT,
    CONTRADICTED,
    NOT_ASSESSABLE,
    bundled_table,
    compare_with_report,
    expected_states,
    load_labels,
    organ_of,
    organ_uptake,
    read_table,
    references,
    side_of,
)
from pet2rep_eval.imaging.phantom import Patient, Phantom, make_phantom
from pet2rep_eval.records import UptakeState
from tests.conftest import SHARED, needs_shared

INCREASED, DECREASED, ABSENT, NORMAL = UptakeState


def whole_organs(phantom: Phantom) -> dict[str, np.ndarray]:
    """The masks that a segmenter would give: organs with the lesions in them, in canonical order."""
    plain = make_phantom(Patient(lesions=()), noise=False).organ_masks()
    return {s.name: plain[s.name][:, ::-1, :] for s in phantom.structures if s.organ}


@pytest.mark.parametrize(
    ("name", "organ", "side"),
    [
        ("kidney_left", "kidneys", "left"),
        ("lung_lower_lobe_right", "lungs", "right"),
        ("vertebrae_L5", "spine", None),
        ("rib_left_7", "bones", "left"),
        ("Liver", "liver", None),
        ("adrenal gland right", "adrenals", "right"),
        ("urinary_bladder", "bladder", None),
        ("trachea", None, None),
        ("spinal_cord", None, None),
    ],
)
def test_names_of_segments(name: str, organ: str | None, side: str | None) -> None:
    assert organ_of(name) == organ
    assert side_of(name) == side


def test_bundled_table() -> None:
    table = bundled_table("totalsegmentator")
    assert len(table) == 117
    assert (table[1], table[5], table[51], table[90]) == ("spleen", "liver", "heart", "brain")
    mapped = {organ_of(name) for name in table.values()} - {None}
    assert {"liver", "lungs", "spine", "bones", "kidneys", "great_vessels", "intestine"} <= mapped
    with pytest.raises(UnknownNameError, match="totalsegmentator"):
        bundled_table("totalsegmentor")


@needs_shared
def test_every_organ_key_is_a_site() -> None:
    import tomllib

    from pet2rep_eval.resources import read_text

    rows = (SHARED / "protocol" / "sites.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sites = {row.split("\t")[0] for row in rows}
    data = tomllib.loads(read_text("lexicons", "label_maps.toml"))
    assert set(data["organs"]) <= sites
    assert set(data["rule"]["physiological"]) | set(data["rule"]["uneven"]) <= sites
    phantom = tomllib.loads(read_text("lexicons", "phantom.toml"))
    named = {s.get("organ") for s in phantom["structure"]} | {s["organ"] for s in phantom["lesion"]}
    assert named - {None} <= sites


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"1": "liver", "2": "aorta"}'),
        ("a.json", '{"liver": 1, "aorta": 2}'),
        ("dataset.json", '{"labels": {"background": 0, "liver": 1, "aorta": 2}}'),
        ("a.tsv", "index\tname\n1\tliver\n2\taorta\n"),
        ("a.csv", "index,name\n1,liver\n2,aorta\n"),
    ],
)
def test_tables(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_table(tmp_path / name) == {1: "liver", 2: "aorta"}


def test_label_map_on_another_grid(phantom: Phantom, study: Study, tmp_path: Path) -> None:
    masks = phantom.organ_masks(phantom.ct)
    values = np.zeros(phantom.ct.GetSize()[::-1], np.uint8)
    values[masks["liver"]], values[masks["aorta"]] = 1, 2
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(phantom.ct)
    sitk.WriteImage(image, str(tmp_path / "seg.nii.gz"))
    with pytest.raises(ImagingError, match="names of the labels"):
        load_labels(tmp_path / "seg.nii.gz", study.suv)
    found = load_labels(tmp_path / "seg.nii.gz", study.suv, {1: "liver", 2: "aorta"})
    truth = phantom.organ_masks()["liver"][:, ::-1, :]
    overlap = 2 * (found["liver"] & truth).sum() / (found["liver"].sum() + truth.sum())
    assert overlap > 0.97
    (tmp_path / "seg.json").write_text(json.dumps({"1": "liver"}), encoding="utf-8")
    with pytest.raises(ImagingError, match="value 2"):
        load_labels(tmp_path / "seg.nii.gz", study.suv)
    (tmp_path / "seg.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ImagingError, match="no table"):
        load_labels(tmp_path / "seg.nii.gz", study.suv)


def test_folder_of_masks(phantom: Phantom, study: Study, tmp_path: Path) -> None:
    for name in ("liver", "spleen"):
        image = sitk.GetImageFromArray(phantom.organ_masks()[name].astype(np.uint8))
        image.CopyInformation(phantom.suv)
        sitk.WriteImage(image, str(tmp_path / f"{name}.nii.gz"))
    found = load_labels(tmp_path, study.suv)
    assert (found["spleen"] == phantom.organ_masks()["spleen"][:, ::-1, :]).all()
    (tmp_path / "sub").mkdir()
    with pytest.raises(ImagingError, match="no NIfTI mask"):
        load_labels(tmp_path / "sub", study.suv)


def test_fractions_are_no_labels(study: Study, tmp_path: Path) -> None:
    sitk.WriteImage(study.suv, str(tmp_path / "x.nii.gz"))
    with pytest.raises(ImagingError, match="whole numbers"):
        load_labels(tmp_path / "x.nii.gz", study.suv, {1: "liver"})


def test_organ_statistics(phantom: Phantom, study: Study) -> None:
    rows = organ_uptake(voxels(study.suv), whole_organs(phantom), study.spacing)
    found = {(r.organ, r.side): r for r in rows}
    assert found["spleen", None].suv_median == pytest.approx(1.9, rel=0.05)
    assert found["kidneys", "left"].volume_ml == pytest.approx(found["kidneys", "right"].volume_ml, rel=0.05)
    assert found["lungs", "right"].suv_max == pytest.approx(8.0, rel=0.15)


def test_references_are_those_of_the_design(phantom: Phantom, study: Study) -> None:
    level = references(voxels(study.suv), whole_organs(phantom))
    assert level.liver.mean == pytest.approx(2.3, rel=0.03)
    assert level.blood_pool == pytest.approx(1.7, rel=0.05)
    with pytest.raises(ImagingError, match="aorta"):
        references(voxels(study.suv), {"liver": whole_organs(phantom)["liver"]})


def test_expected_states_of_the_phantom(phantom: Phantom, study: Study) -> None:
    expected = expected_states(voxels(study.suv), whole_organs(phantom), study.spacing)
    abnormal = {organ: e.states for organ, e in expected.items() if e.states}
    truth = {o: s for o, s in phantom.states.items() if o in expected}
    assert abnormal == truth


def test_a_healthy_phantom_is_healthy(phantom: Phantom) -> None:
    healthy = make_phantom(Patient(lesions=()))
    study = Study.of(healthy.suv, healthy.ct)
    expected = expected_states(voxels(study.suv), whole_organs(healthy), study.spacing)
    assert not {organ: e.states for organ, e in expected.items() if e.states}


def test_comparison_with_a_report(phantom: Phantom, study: Study) -> None:
    expected = expected_states(voxels(study.suv), whole_organs(phantom), study.spacing)
    stated = {
        "liver": frozenset({INCREASED, ABSENT}),
        "lungs": frozenset({NORMAL}),
        "spleen": frozenset({NORMAL}),
        "pancreas": frozenset({INCREASED, NORMAL}),
        "brain": frozenset({ABSENT}),
        "heart": frozenset({NORMAL}),
        "kidneys": frozenset({INCREASED}),
        "spine": frozenset(),
        "cervical_lymph_nodes": frozenset({INCREASED}),
    }
    verdicts = {c.organ: c.verdict for c in compare_with_report(expected, stated)}
    assert verdicts == {
        "liver": CONSISTENT,
        "lungs": CONTRADICTED,
        "spleen": CONSISTENT,
        "pancreas": CONTRADICTED,
        "brain": CONSISTENT,
        "heart": NOT_ASSESSABLE,
        "kidneys": NOT_ASSESSABLE,
        "spine": NOT_ASSESSABLE,
        "cervical_lymph_nodes": NOT_ASSESSABLE,
    }
