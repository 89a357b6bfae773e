"""Volumes from folders, single files, archives and NIfTI; what is refused; the reference objects."""

from __future__ import annotations

import json
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813

from pet2rep_eval.errors import ImagingError, SUVError
from pet2rep_eval.imaging import SUVWarning, load_ct, load_suv, read_suv
from tests.conftest import SHARED, needs_shared
from tests.imaging.headers import REMOVE, ct_series, pet_header, pet_series, save

HOUR = 70000 / 350e6 * 2 ** (3600 / 6586.2)
OBJECTS = ["0_0", "1_0", "2_0", "2_4", "3_1", "3_3", "4_0", "4_2"]


@pytest.fixture(scope="module")
def reference_objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dro")
    with tarfile.open(SHARED / "data" / "suv_dro.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@needs_shared
@pytest.mark.parametrize("name", OBJECTS)
def test_reference_object(reference_objects: Path, name: str) -> None:
    place = reference_objects / f"DRO_{name}"
    volume = read_suv(place / "PT", strict=True)
    inside = sitk.GetArrayFromImage(sitk.ReadImage(str(place / "mask" / "DRO_mask.nii.gz"))) > 0
    found = sitk.GetArrayFromImage(volume.image)[inside]
    slopes = [
        float(pydicom.dcmread(f, stop_before_pixels=True).RescaleSlope) for f in (place / "PT").iterdir()
    ]
    tolerance = max(0.005, 1.01 * max(slopes) * max(volume.conversion.factors))
    assert [found.min(), np.median(found), found.max()] == pytest.approx([0.2, 1.0, 4.0], abs=tolerance)
    assert volume.image.GetPixelID() == sitk.sitkFloat32


def test_a_folder_with_pet_and_ct(tmp_path: Path) -> None:
    pet_series(tmp_path / "a" / "pet")
    ct_series(tmp_path / "a" / "ct")
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / "LICENSE").write_text("Permission is hereby granted " * 40, encoding="utf-8")
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 400)
    (tmp_path / "empty").write_bytes(b"")
    suv, ct = load_suv(tmp_path, strict=True), load_ct(tmp_path)
    assert sitk.GetArrayFromImage(suv)[:, 0, 0] == pytest.approx(HOUR * np.arange(1000, 1004), rel=1e-6)
    assert sitk.GetArrayFromImage(ct)[:, 0, 0].tolist() == [40, 41, 42, 43]
    assert suv.GetSpacing() == (4.0, 4.0, 3.0)
    assert suv.GetOrigin() == (-8.0, -8.0, 0.0)


def test_files_without_preamble_or_suffix(tmp_path: Path) -> None:
    """Old archives hold bare data sets."""
    for index in range(3):
        ds = pet_header(index)
        save(ds, tmp_path / "with.dcm", np.full((2, 2), 700 + index))
        (tmp_path / f"I{index}").write_bytes(b"")
        bare = pydicom.dcmread(tmp_path / "with.dcm")
        del bare.file_meta
        bare.save_as(tmp_path / f"I{index}", implicit_vr=True, little_endian=True, enforce_file_format=False)
    (tmp_path / "with.dcm").unlink()
    found = sitk.GetArrayFromImage(load_suv(tmp_path))
    assert found[:, 0, 0] == pytest.approx(HOUR * np.arange(700, 703), rel=1e-6)


def test_fractional_slopes_of_later_slices_survive(tmp_path: Path) -> None:
    """SimpleITK takes the pixel type of the first slice: an integer slope there cuts off the others."""
    for index, slope in enumerate(("1", "0.25", "0.125")):
        save(
            pet_header(index, RescaleSlope=slope, Units="GML"), tmp_path / f"{index}.dcm", np.full((2, 2), 3)
        )
    plain = sitk.ImageSeriesReader()
    plain.SetFileNames([str(tmp_path / f"{index}.dcm") for index in range(3)])
    assert sitk.GetArrayFromImage(plain.Execute())[:, 0, 0].tolist() != [3, 0.75, 0.375], "the trap is gone"
    assert sitk.GetArrayFromImage(load_suv(tmp_path))[:, 0, 0].tolist() == [3, 0.75, 0.375]


def test_slices_are_ordered_by_position_not_by_name(tmp_path: Path) -> None:
    for index in range(3):
        save(pet_header(index, Units="GML"), tmp_path / f"{9 - index}.dcm", np.full((2, 2), index + 1))
    image = load_suv(tmp_path)
    assert sitk.GetArrayFromImage(image)[:, 0, 0].tolist() == [1, 2, 3]
    assert image.TransformIndexToPhysicalPoint((0, 0, 2))[2] == pytest.approx(6.0)


def test_one_file_is_read_alone(tmp_path: Path) -> None:
    pet_series(tmp_path)
    image = load_suv(tmp_path / "pet002.dcm", strict=True)
    assert sitk.GetArrayFromImage(image) == pytest.approx(1002 * HOUR, rel=1e-6)


def test_zip(tmp_path: Path) -> None:
    pet_series(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in (tmp_path / "in").iterdir():
            archive.write(path, f"../../outside/{path.name}")
    image = load_suv(tmp_path / "study.zip")
    assert image.GetSize() == (4, 4, 4)
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path.parent / "outside").exists()
    (tmp_path / "broken.zip").write_bytes((tmp_path / "study.zip").read_bytes()[:900])
    with pytest.raises(ImagingError, match="archive"):
        load_suv(tmp_path / "broken.zip")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2"])
def test_other_transfer_syntaxes(tmp_path: Path, syntax: str) -> None:
    """RLE, deflated and implicit little endian."""
    for index in range(3):
        path = save(pet_header(index), tmp_path / f"{index}.dcm", np.full((16, 16), 500 + index))
        ds = pydicom.dcmread(path)
        if syntax.endswith(".5"):
            ds.compress(syntax)
        else:
            ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(path, implicit_vr=syntax == "1.2.840.10008.1.2", little_endian=True)
    found = sitk.GetArrayFromImage(load_suv(tmp_path))
    assert found[:, 3, 3] == pytest.approx(HOUR * np.arange(500, 503), rel=1e-6)


def test_warnings_become_errors_when_strict(tmp_path: Path) -> None:
    pet_series(tmp_path, RadiopharmaceuticalStartTime="083000")
    with pytest.warns(SUVWarning, match="150 min"):
        load_suv(tmp_path)
    with pytest.raises(SUVError, match=r"\(0018,1072\)"):
        load_suv(tmp_path, strict=True)


def test_only_the_corrected_of_two_series(tmp_path: Path) -> None:
    pet_series(tmp_path / "ac")
    pet_series(tmp_path / "nac", SeriesInstanceUID="1.2.3.4.7", CorrectedImage=["DECY"])
    with pytest.warns(SUVWarning, match="attenuation-corrected"):
        load_suv(tmp_path)
    pet_series(tmp_path / "other", SeriesInstanceUID="1.2.3.4.8")
    with pytest.raises(SUVError, match=r"3 PET series \(\(0020,000E\)"):
        load_suv(tmp_path)
    assert load_suv(tmp_path, series="1.2.3.4.8").GetSize() == (4, 4, 4)


def test_refused_folders(tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match="cannot be read"):
        load_suv(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagingError, match="no DICOM image"):
        load_suv(tmp_path / "empty")
    ct_series(tmp_path / "ct")
    with pytest.raises(SUVError, match=r"\(0008,0060\) Modality is CT"):
        load_suv(tmp_path / "ct")
    pet_series(tmp_path / "two" / "a")
    pet_series(tmp_path / "two" / "b", PatientID="another", SeriesInstanceUID="1.2.9")
    with pytest.raises(SUVError, match=r"2 patients \(\(0010,0020\)") as caught:
        load_suv(tmp_path / "two")
    assert "secret" not in str(caught.value)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ImagingError, match="loop"):
        load_suv(loop)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    pet_series(tmp_path / "study")
    (tmp_path / "study" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "study" / "self").symlink_to("self")
    assert load_suv(tmp_path).GetSize() == (4, 4, 4)


@pytest.mark.parametrize(("which", "pattern"), [("missing", "missing or unevenly"), ("double", "duplicate")])
def test_slices_that_do_not_follow_each_other(tmp_path: Path, which: str, pattern: str) -> None:
    pet_series(tmp_path, 6)
    if which == "missing":
        (tmp_path / "pet003.dcm").unlink()
    else:
        save(pet_header(2, SOPInstanceUID="1.2.3.99"), tmp_path / "copy.dcm", np.zeros((4, 4)))
    with pytest.raises(SUVError, match=pattern) as caught:
        load_suv(tmp_path)
    assert "(0020,0032)" in str(caught.value)


def test_last_slice_missing_is_known_from_the_announced_number(tmp_path: Path) -> None:
    pet_series(tmp_path, 4, NumberOfSlices="5")
    with pytest.raises(SUVError, match=r"\(0054,0081\)"):
        load_suv(tmp_path)


def test_mixed_orientations_and_tilt(tmp_path: Path) -> None:
    pet_series(tmp_path / "a")
    save(
        pet_header(4, ImageOrientationPatient=[0, 1, 0, -1, 0, 0]), tmp_path / "a" / "x.dcm", np.zeros((4, 4))
    )
    with pytest.raises(SUVError, match=r"\(0020,0037\)"):
        load_suv(tmp_path / "a")
    for index in range(5):
        position = [0.0, 1.5 * index, 3.0 * index]
        save(pet_header(index, ImagePositionPatient=position), tmp_path / "b" / f"{index}", np.zeros((4, 4)))
    with pytest.raises(SUVError, match="sheared"):
        load_suv(tmp_path / "b")


@pytest.mark.parametrize("keep", [100, 700, 0.999])
def test_truncated_file(tmp_path: Path, keep: float) -> None:
    pet_series(tmp_path)
    victim = tmp_path / "pet001.dcm"
    content = victim.read_bytes()
    victim.write_bytes(content[: int(len(content) * keep) if keep < 1 else int(keep)])
    with pytest.raises(ImagingError, match=r"pet001\.dcm"):
        load_suv(tmp_path)


def nifti(path: Path, value: float = 2.0, shape: tuple[int, ...] = (3, 4, 5)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.full(shape, value, dtype=np.float32)), str(path))
    return path


def test_nifti_needs_units(tmp_path: Path) -> None:
    path = nifti(tmp_path / "pet.nii.gz")
    with pytest.raises(SUVError, match="units"):
        load_suv(path)
    assert sitk.GetArrayFromImage(load_suv(path, units="suv")).max() == 2.0
    assert sitk.GetArrayFromImage(load_suv(nifti(tmp_path / "b" / "SUV.nii.gz"))).max() == 2.0
    assert load_ct(path).GetSize() == (5, 4, 3)


BIDS = {
    "Units": "Bq/mL",
    "InjectedRadioactivity": 350,
    "InjectedRadioactivityUnits": "MBq",
    "TracerRadionuclide": "F18",
    "InjectionStart": 0,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 3600,
    "PatientWeight": 70,
}


def test_nifti_with_bids_metadata(tmp_path: Path) -> None:
    path = nifti(tmp_path / "sub-01_pet.nii.gz", 1000.0)
    path.with_name("sub-01_pet.json").write_text(json.dumps(BIDS), encoding="utf-8")
    assert sitk.GetArrayFromImage(load_suv(path, strict=True)).max() == pytest.approx(1000 * HOUR, rel=1e-6)
    less = {k: v for k, v in BIDS.items() if k != "PatientWeight"}
    path.with_name("sub-01_pet.json").write_text(json.dumps(less), encoding="utf-8")
    with pytest.raises(SUVError, match="PatientWeight"):
        load_suv(path)
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tage\tweight\nsub-01\t60\t70\n", encoding="utf-8"
    )
    assert sitk.GetArrayFromImage(load_suv(path)).max() == pytest.approx(1000 * HOUR, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"Units": "counts"}, "Units"),
        ({"InjectedRadioactivity": 0}, "InjectedRadioactivity"),
        ({"InjectedRadioactivityUnits": "rem"}, "InjectedRadioactivityUnits"),
        ({"TracerRadionuclide": "X99"}, "TracerRadionuclide"),
        ({"InjectionStart": None}, "InjectionStart"),
        ({"ImageDecayCorrectionTime": -500}, "cannot be"),
        ({"PatientWeight": "heavy"}, "PatientWeight"),
    ],
)
def test_nifti_with_broken_metadata(tmp_path: Path, change: dict[str, object], pattern: str) -> None:
    path = nifti(tmp_path / "pet.nii.gz")
    path.with_name("pet.json").write_text(json.dumps({**BIDS, **change}), encoding="utf-8")
    with pytest.raises(SUVError, match=pattern):
        load_suv(path)


@pytest.mark.parametrize("rival", ["x.nii", "x.img", "x.hdr"])
def test_a_second_nifti_of_the_same_stem_is_refused(tmp_path: Path, rival: str) -> None:
    """SimpleITK returns the voxels of ``x.nii`` when asked for the ``x.nii.gz`` beside it."""
    nifti(tmp_path / "x.nii.gz", 1.0)
    if rival.endswith(".nii"):
        nifti(tmp_path / rival, 2.0)
        read = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "x.nii.gz"))).max()
        assert read == 2.0, "the trap is gone"
    else:
        (tmp_path / rival).write_bytes(b"")
    with pytest.raises(ImagingError, match=rival):
        load_suv(tmp_path / "x.nii.gz", units="suv")


def test_dynamic_and_damaged_nifti(tmp_path: Path) -> None:
    image = sitk.JoinSeries([sitk.Image(4, 4, 4, sitk.sitkFloat32)] * 3)
    sitk.WriteImage(image, str(tmp_path / "SUV.nii.gz"))
    with pytest.raises(ImagingError, match="4×4×4×3"):
        load_suv(tmp_path / "SUV.nii.gz")
    path = nifti(tmp_path / "c" / "SUV.nii.gz", shape=(40, 40, 40))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ImagingError, match="damaged"):
        load_suv(path)


def test_nothing_warns_on_sound_input(tmp_path: Path) -> None:
    pet_series(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_suv(tmp_path)


def test_missing_tags_in_files(tmp_path: Path) -> None:
    pet_series(tmp_path, PatientWeight=REMOVE)
    with pytest.raises(SUVError, match=r"\(0010,1030\)"):
        load_suv(tmp_path)
