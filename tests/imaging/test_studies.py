"""Studies found in every layout, with what is missing; ids that cannot leave the output folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pet2rep_eval.errors import ImagingError, InputError
from pet2rep_eval.imaging.studies import StudyFiles, find_studies, id_from, safe_id
from tests.imaging.headers import ct_series, pet_series


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def found(*paths: Path) -> dict[str, StudyFiles]:
    return {s.study_id: s for s in find_studies(paths)}


def test_dicom_tree(tmp_path: Path) -> None:
    for number in (1, 2):
        uid = f"1.2.{number}"
        pet_series(
            tmp_path / f"P{number}" / "study" / "2-PET", StudyInstanceUID=uid, SeriesInstanceUID=uid + ".1"
        )
        ct_series(
            tmp_path / f"P{number}" / "study" / "1-CT", StudyInstanceUID=uid, SeriesInstanceUID=uid + ".2"
        )
    pet_series(tmp_path / "P3" / "only", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1")
    studies = found(tmp_path)
    assert list(studies) == ["P1", "P2", "P3"]
    assert studies["P1"].pet == tmp_path / "P1" / "study" / "2-PET"
    assert studies["P1"].ct == tmp_path / "P1" / "study" / "1-CT"
    assert studies["P3"].problem == "no CT was found"


def test_two_studies_of_one_patient_are_told_apart(tmp_path: Path) -> None:
    for when in ("before", "after"):
        for make, kind in ((pet_series, "pet"), (ct_series, "ct")):
            make(
                tmp_path / "P1" / when / kind,
                StudyInstanceUID=f"1.{len(when)}",
                SeriesInstanceUID=f"{len(when)}.{kind == 'ct':d}",
            )
    assert list(found(tmp_path)) == ["P1-after", "P1-before"]


def test_copies_of_a_study_are_studies_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        pet_series(tmp_path / "site" / name / "pet")
        ct_series(tmp_path / "site" / name / "ct")
    studies = found(tmp_path)
    assert list(studies) == ["site-a", "site-b", "site-c"]
    assert all(s.problem is None and s.pet and name[-1] in s.pet.parts for name, s in studies.items())


def test_one_study_by_its_folder(tmp_path: Path) -> None:
    pet_series(tmp_path / "case 7" / "a")
    ct_series(tmp_path / "case 7" / "b")
    (study,) = found(tmp_path / "case 7").values()
    assert study.problem is None
    assert study.study_id in ("a", "b", "case_7")


def test_mixed_folder(tmp_path: Path) -> None:
    pet_series(tmp_path / "x")
    ct_series(tmp_path / "x")
    (study,) = found(tmp_path).values()
    assert (study.pet, study.ct, study.problem) == (tmp_path / "x", tmp_path / "x", None)


def test_two_patients_in_one_folder(tmp_path: Path) -> None:
    pet_series(tmp_path / "x", StudyInstanceUID="1.1")
    ct_series(tmp_path / "x", StudyInstanceUID="1.2", PatientID="other")
    (study,) = found(tmp_path).values()
    assert "2 studies or patients" in str(study.problem)


def test_nifti_layouts(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "autopet/PETCT_01/s1/SUV.nii.gz",
        "autopet/PETCT_01/s1/PET.nii.gz",
        "autopet/PETCT_01/s1/CT.nii.gz",
        "autopet/PETCT_01/s1/CTres.nii.gz",
        "autopet/PETCT_01/s1/SEG.nii.gz",
        "pairs/images/AB01_0000.nii.gz",
        "pairs/images/AB01_0001.nii.gz",
        "pairs/images/AB02_0001.nii.gz",
        "bids/sub-01/ses-a/pet/sub-01_ses-a_trc-FDG_pet.nii.gz",
        "bids/sub-01/ses-a/ct/sub-01_ses-a_ct.nii.gz",
        "bids/sub-02/sub-02_pet.nii.gz",
        "bids/sub-02/sub-02_ct.nii.gz",
        "flat/one_pet.nii.gz",
        "flat/one_ct.nii.gz",
        "flat/two_pet.nii.gz",
        "flat/two_ct.nii.gz",
    )
    auto = found(tmp_path / "autopet")["PETCT_01-s1"]
    assert [p and p.name for p in (auto.pet, auto.ct, auto.lesions)] == [
        "SUV.nii.gz",
        "CT.nii.gz",
        "SEG.nii.gz",
    ]
    pairs = found(tmp_path / "pairs")
    assert pairs["AB01"].pet == tmp_path / "pairs" / "images" / "AB01_0001.nii.gz"
    assert pairs["AB01"].ct == tmp_path / "pairs" / "images" / "AB01_0000.nii.gz"
    assert pairs["AB02"].problem == "no CT was found"
    bids = found(tmp_path / "bids")
    assert list(bids) == ["sub-01-ses-a", "sub-02"]
    assert all(s.problem is None for s in bids.values())
    flat = found(tmp_path / "flat")
    assert {k: v.pet and v.pet.name for k, v in flat.items()} == {
        "flat-one": "one_pet.nii.gz",
        "flat-two": "two_pet.nii.gz",
    }


def test_ambiguous_volumes_are_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "a/pet.nii.gz", "a/CT_lung.nii.gz", "a/CT_soft.nii.gz")
    (study,) = found(tmp_path).values()
    assert "CT_lung.nii.gz, CT_soft.nii.gz" in str(study.problem)


def test_tables(tmp_path: Path) -> None:
    touch(tmp_path, "p.nii.gz", "c.nii.gz")
    (tmp_path / "t.csv").write_text(
        "study_id,pet,ct\na,p.nii.gz,c.nii.gz\n../../x,p.nii.gz,c.nii.gz\nb,gone,c.nii.gz\n"
    )
    studies = found(tmp_path / "t.csv")
    assert studies["a"].problem is None
    assert "cannot name a file" in str(studies["../../x"].problem)
    assert "no such file" in str(studies["b"].problem)
    (tmp_path / "t.jsonl").write_text('{"study_id": "a", "pet": "p.nii.gz", "ct": "c.nii.gz"}\n')
    assert found(tmp_path / "t.jsonl")["a"].pet == tmp_path / "p.nii.gz"
    (tmp_path / "t.jsonl").write_text('{"study_id": "a"\n')
    with pytest.raises(InputError, match="line 1"):
        find_studies([tmp_path / "t.jsonl"])
    (tmp_path / "t.tsv").write_text("study_id\tpet\nx\tp.nii.gz\n")
    with pytest.raises(InputError, match=r"line 2.*'ct'"):
        find_studies([tmp_path / "t.tsv"])


def test_one_id_for_two_studies(tmp_path: Path) -> None:
    touch(tmp_path, "1/x_0000.nii.gz", "1/x_0001.nii.gz", "2/x_0000.nii.gz", "2/x_0001.nii.gz")
    studies = find_studies([tmp_path / "1", tmp_path / "2"])
    assert all("2 studies have this id" in str(s.problem) for s in studies)


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/x_0000.nii.gz", "a/x_0001.nii.gz")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    assert [s.problem for s in find_studies([tmp_path])] == [None]


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImagingError, match="no such file"):
        find_studies([tmp_path / "gone"])
    touch(tmp_path, "x.mhd")
    with pytest.raises(ImagingError, match="give a folder"):
        find_studies([tmp_path / "x.mhd"])


@pytest.mark.parametrize(
    "bad",
    [
        "../../x",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        ".hidden",
        "-o",
        "a\nb",
        "a\0b",
        "x" * 200,
        "a:b",
        "~root",
        "$HOME",
    ],
)
def test_ids_that_cannot_name_a_file(bad: str) -> None:
    with pytest.raises(ImagingError, match="cannot name a file"):
        safe_id(bad)


@pytest.mark.parametrize("good", ["P1", "sub-01_ses-2", "病例001", "a.b", "2024-05 x"])
def test_ids_that_can(good: str) -> None:
    assert safe_id(good) == good


def test_ids_from_folders_are_always_safe() -> None:
    for parts in (["..", "x"], ["a b", "ü/é"], ["....."], ["x" * 300], ["病例", "1"], ["-"]):
        assert safe_id(id_from(parts))
