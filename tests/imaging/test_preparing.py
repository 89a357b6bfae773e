"""Preparing studies: all or nothing each, resumable, in parallel, and without any identity in the output."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.imaging.outputs import PromptChoice, prompt_record, write_outputs
from pet2rep_eval.imaging.phantom import Patient, make_phantom
from pet2rep_eval.imaging.phantom_cohort import write_masks
from pet2rep_eval.imaging.phantom_files import write_dicom, write_nifti
from pet2rep_eval.imaging.preparing import IMAGES, Options, prepare_studies, prepare_study
from pet2rep_eval.imaging.studies import StudyFiles, find_studies

COARSE = {"pet_spacing": (8, 8, 8), "ct_spacing": (8, 8, 8)}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three coarse phantoms: DICOM with masks, NIfTI, and DICOM without a weight."""
    root = tmp_path_factory.mktemp("scans")
    for name, changes in (("one", None), ("three", {"PatientWeight": None})):
        phantom = make_phantom(Patient(study_id=name), **COARSE)
        write_dicom(phantom, root / name, changes=changes)
        if name == "one":
            write_masks(phantom, root / name)
    write_nifti(make_phantom(Patient(study_id="two", lesions=()), **COARSE), root / "two")
    return root


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_failed_study_stops_no_other(scans: Path, tmp_path: Path) -> None:
    results = prepare_studies(find_studies([scans]), tmp_path, workers=1)
    problems = {r.study_id: r.problem for r in results}
    assert problems["one"] is None
    assert problems["two"] is None
    assert "(0010,1030)" in str(problems["three"])
    assert sorted(p.name for p in (tmp_path / IMAGES).iterdir()) == ["one", "two"]
    files = [f.name for f in (tmp_path / IMAGES / "one").iterdir()]
    assert sum(f.endswith(".png") for f in files) == 9, "six separate and three fused"
    assert sum(f.endswith(".json") for f in files) == 10, "a sidecar each, and the record"
    paths = write_outputs(tmp_path, results, PromptChoice(reports={"one": "报告"}))
    rows = [json.loads(line) for line in paths["prompts"].read_text(encoding="utf-8").splitlines()]
    assert [r["patient_id"] for r in rows] == ["one", "two"]
    assert rows[0]["answer"] == "报告"
    assert "answer" not in rows[1]
    assert rows[0]["prompt_user_text"].count("<image>") == 3
    for key in ("prompt_image_fuse", "prompt_image_pet", "prompt_image_ct"):
        assert all((tmp_path / p).is_file() for p in rows[0][key])
    separate = json.loads(paths["separate prompts"].read_text(encoding="utf-8").splitlines()[0])
    assert separate["prompt_user_text"].count("<image>") == 6
    assert "prompt_image_fuse" not in separate
    failures = [json.loads(line) for line in paths["failures"].read_text(encoding="utf-8").splitlines()]
    assert [f["study_id"] for f in failures] == ["three"]
    sheet = paths["contact sheet"].read_text(encoding="utf-8")
    sources = re.findall(r"src='([^']+)'", sheet)
    assert len(sources) == 18
    assert all((tmp_path / s).is_file() for s in sources)
    assert "(0010,1030)" in sheet


def test_prompts_can_be_read_by_the_runner(scans: Path, tmp_path: Path) -> None:
    from pet2rep_eval.inference.prompt_file import read_prompts

    results = prepare_studies(find_studies([scans]), tmp_path, workers=1)
    paths = write_outputs(tmp_path, results, PromptChoice(language="en"))
    assert [len(p.images) for p in read_prompts(paths["prompts"])] == [3, 3]
    pairs = read_prompts(paths["separate prompts"])[0].images
    assert ["_ct." in p.name for p in pairs] == [True, False] * 3, "CT, then PET, plane by plane"


def test_nothing_of_the_identity_is_in_any_output(scans: Path, tmp_path: Path) -> None:
    results = prepare_studies(find_studies([scans]), tmp_path, Options(layout="petrg-3d"), workers=1)
    write_outputs(tmp_path, results, PromptChoice())
    for name, content in tree(tmp_path).items():
        if name.endswith(".gz"):
            import gzip

            content = gzip.decompress(content)
        for secret in (b"Invented", b"MRN-", b"19560403", b"20240510", b"110000", str(scans).encode()):
            if secret in content and not name.startswith("failures") and not name.startswith("contact"):
                pytest.fail(f"{secret!r} stands in {name}")


def test_resuming(scans: Path, tmp_path: Path) -> None:
    studies = [s for s in find_studies([scans]) if s.study_id != "three"]
    first = prepare_studies(studies, tmp_path, workers=1)
    before = tree(tmp_path)
    shutil.rmtree(tmp_path / IMAGES / "two")
    (tmp_path / IMAGES / ".partial-two").mkdir()
    again = prepare_studies(studies, tmp_path, workers=1)
    assert [r.resumed for r in again] == [True, False]
    assert tree(tmp_path) == before
    victim = next((tmp_path / IMAGES / "one").glob("*fused.png"))
    victim.unlink()
    assert [r.resumed for r in prepare_studies(studies, tmp_path, workers=1)] == [False, True]
    other = prepare_studies(studies, tmp_path, Options(count=2), workers=1)
    assert not any(r.resumed for r in other), "other options, other pictures"
    assert len(list((tmp_path / IMAGES / "one").glob("*fused.png"))) == 2
    assert first[0].record["planes"] != other[0].record["planes"]


def test_parallel_equals_serial(scans: Path, tmp_path: Path) -> None:
    studies = find_studies([scans])
    copies = [replace(s, study_id=f"{s.study_id}-{n}") for n in range(3) for s in studies]
    serial = prepare_studies(copies, tmp_path / "a", workers=1)
    parallel = prepare_studies(copies, tmp_path / "b", workers=2)
    assert [(r.study_id, r.problem) for r in serial] == [(r.study_id, r.problem) for r in parallel]
    assert len(parallel) == 9
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_an_id_cannot_leave_the_output_folder(scans: Path, tmp_path: Path) -> None:
    study = replace(find_studies([scans])[0], study_id="../../x")
    result = prepare_study(study, tmp_path / "out" / "deep", Options())
    assert "cannot name a file" in str(result.problem)
    assert not list(tmp_path.rglob("*x*"))


def test_lesions_and_organs(scans: Path, tmp_path: Path) -> None:
    study = next(s for s in find_studies([scans]) if s.study_id == "one")
    assert study.lesions is not None
    record = prepare_study(study, tmp_path, Options(strategy="coverage", threshold="fixed-4.0")).record
    assert len(record["lesions"]) == 7
    assert {row["threshold"] for row in record["lesions"]} == {"fixed-4.0"}
    assert sum(bool(row["shown_in_planes"]) for row in record["lesions"]) >= 5
    organs = {(row["organ"], row["side"]) for row in record["organs"]}
    assert ("lungs", "left") in organs
    assert "increased" in record["expected_states"]["liver"]["states"]
    assert record["body_mean_suv"] == pytest.approx(1.0, abs=0.2)
    json.dumps(record)


def test_a_reference_report_is_held_against_the_image(scans: Path, tmp_path: Path) -> None:
    studies = [s for s in find_studies([scans]) if s.study_id == "one"]
    results = prepare_studies(studies, tmp_path, workers=1)
    verdicts = {}
    for name, text in (
        ("true", make_phantom(Patient(), **COARSE).report("en")),
        ("false", "The liver is normal. The spleen shows increased FDG uptake."),
    ):
        paths = write_outputs(tmp_path, results, PromptChoice(reports={"one": text}))
        row = json.loads(paths["quantities"].read_text(encoding="utf-8"))
        verdicts[name] = {c["organ"]: c["verdict"] for c in row["report_against_image"]}
    assert verdicts["true"]["liver"] == "consistent"
    assert verdicts["true"]["spleen"] == "consistent"
    assert "contradicted" not in (
        verdicts["true"][organ] for organ in ("liver", "spleen", "kidneys", "pancreas")
    )
    assert verdicts["false"] == {"liver": "contradicted", "spleen": "contradicted"}


def test_wrong_dose_is_flagged_by_the_mean_of_the_body(tmp_path: Path) -> None:
    phantom = make_phantom(Patient(), **COARSE)
    write_dicom(phantom, tmp_path / "in", changes={"PatientWeight": "720"})
    record = prepare_study(find_studies([tmp_path / "in"])[0], tmp_path / "out", Options()).record
    assert any("mean SUV of the body" in note for note in record["notes"])


def test_explicit_planes_and_preset(scans: Path, tmp_path: Path) -> None:
    study = next(s for s in find_studies([scans]) if s.study_id == "two")
    options = Options(preset="pet2rep", indices=(3, 9), orientation="axial")
    record = prepare_study(study, tmp_path, options).record
    assert [p["index"] for p in record["planes"]] == [3, 9]
    picture = tmp_path / IMAGES / "two" / record["planes"][0]["files"]["fused"]
    assert picture.suffix == ".jpg"
    with Image.open(picture) as image:
        assert image.size == (54, 40)
    result = prepare_study(study, tmp_path, replace(options, indices=(999,)))
    assert "999" in str(result.problem)


def test_petrg_3d_layout(scans: Path, tmp_path: Path) -> None:
    import SimpleITK as sitk  # noqa: N813

    results = prepare_studies(find_studies([scans]), tmp_path, Options(layout="petrg-3d"), workers=1)
    paths = write_outputs(tmp_path, results, PromptChoice(reports={"one": "所见"}, sexes={"two": "F"}))
    root = paths["petrg-3d"]
    ct, pet = (sitk.ReadImage(str(root / "images" / f"one_000{n}.nii.gz")) for n in (0, 1))
    assert ct.GetSize() == pet.GetSize()
    assert sitk.GetArrayFromImage(ct).min() >= -1024
    assert np.percentile(sitk.GetArrayFromImage(pet), 99.9) > 5
    report = json.loads((root / "reports" / "one.json").read_text(encoding="utf-8"))
    assert report == {"检查所见": "所见", "性别": "男"}
    assert json.loads((root / "reports" / "two.json").read_text(encoding="utf-8"))["性别"] == "女"
    template = json.loads((root / "template.json").read_text(encoding="utf-8"))
    assert set(template) == {"on", "tw"}
    assert set(template["on"]) == {"M", "F"}
    row = json.loads(paths["prompts"].read_text(encoding="utf-8").splitlines()[0])
    assert (tmp_path / row["prompt_volume_ct"]).is_file()


def test_prompts_that_need_the_sex(scans: Path, tmp_path: Path) -> None:
    study = next(s for s in find_studies([scans]) if s.study_id == "two")
    record = prepare_study(study, tmp_path, Options()).record
    with pytest.raises(InputError, match="study 'two'"):
        prompt_record(record, PromptChoice("healthy"))
    assert prompt_record(record, PromptChoice("healthy", sexes={"two": "M"}))["prompt_user_text"]


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        (Options(preset="clinica"), "clinical"),
        (Options(strategy="centroids"), "centroid"),
        (Options(layout="petrg3d"), "petrg-3d"),
        (Options(threshold="40%"), "41%"),
        (Options(orientation="axia"), "axial"),
    ],
)
def test_wrong_names_are_errors_of_the_call(tmp_path: Path, wrong: Options, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near):
        prepare_studies([StudyFiles("a")], tmp_path, wrong)


def test_strict_turns_doubts_into_failures(tmp_path: Path) -> None:
    phantom = make_phantom(Patient(uptake_minutes=150), **COARSE)
    write_dicom(phantom, tmp_path / "in")
    study = find_studies([tmp_path / "in"])[0]
    lenient = prepare_study(study, tmp_path / "out", Options())
    assert any("150 min" in note for note in lenient.record["notes"])
    assert "150 min" in str(prepare_study(study, tmp_path / "out", Options(strict=True)).problem)


def test_pet_and_ct_of_two_patients(tmp_path: Path) -> None:
    a, b = (write_dicom(make_phantom(Patient(study_id=n), **COARSE), tmp_path / n) for n in ("a", "b"))
    result = prepare_study(StudyFiles("x", a / "PT", b / "CT"), tmp_path / "out", Options())
    assert "(0010,0020)" in str(result.problem)
    assert "MRN" not in str(result.problem)


def test_every_kind_of_bad_input_in_one_run(tmp_path: Path) -> None:
    """Each gets its own reason; the good study is done; nothing is written outside of the output folder."""
    scans, out = tmp_path / "scans", tmp_path / "deep" / "out"
    phantom = make_phantom(Patient(lesions=()), **COARSE)
    bad = {
        "modality": {"Modality": "NM"},
        "weight": {"PatientWeight": None},
        "good": {},
        "units": {"Units": "PROPCPS"},
    }
    for name, changes in bad.items():
        write_dicom(replace(phantom, patient=Patient(study_id=name)), scans / name, changes=changes)
    for name in ("gap", "cut", "mixed", "loop"):
        write_dicom(replace(phantom, patient=Patient(study_id=name)), scans / name)
    (scans / "gap" / "PT" / "0050.dcm").unlink()
    victim = scans / "cut" / "PT" / "0040.dcm"
    victim.write_bytes(victim.read_bytes()[:-500])
    write_dicom(replace(phantom, patient=Patient(study_id="else")), tmp_path / "elsewhere")
    for file in (tmp_path / "elsewhere" / "PT").iterdir():
        shutil.copy(file, scans / "mixed" / "PT" / f"second-{file.name}")
    (scans / "loop" / "PT" / "up").symlink_to(scans / "loop", target_is_directory=True)
    (scans / "self").symlink_to("self")
    pet, ct = write_nifti(phantom, scans / "plain")
    pet.with_name("PET.json").unlink()
    (tmp_path / "table.csv").write_text(
        f"study_id,pet,ct\n../../x,{pet},{ct}\nlink,{scans / 'self'},{ct}\n", encoding="utf-8"
    )
    before = set(tree(tmp_path))
    results = prepare_studies(find_studies([scans, tmp_path / "table.csv"]), out, workers=2)
    problems = {r.study_id: r.problem for r in results}
    assert {name for name, problem in problems.items() if problem is None} == {"good", "loop"}
    expected = {
        "modality": "PET was found",
        "weight": "(0010,1030)",
        "units": "(0054,1001)",
        "gap": "missing or unevenly spaced",
        "cut": "0040.dcm",
        "mixed": "patients",
        "plain": "units",
        "../../x": "cannot name a file",
        "link": "no such file",
    }
    for name, words in expected.items():
        assert words in str(problems[name]), (name, problems[name])
    written = set(tree(tmp_path)) - before
    assert written
    assert all(name.startswith("deep/out/images/") for name in written)
    assert {name.split("/")[3] for name in written} == {"good", "loop"}
