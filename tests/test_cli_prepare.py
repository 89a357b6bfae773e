"""The command ``prepare`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.errors import ImagingError, InputError, UnknownNameError
from pet2rep_eval.imaging.phantom import Patient, make_phantom
from pet2rep_eval.imaging.phantom_files import write_dicom

COARSE = {"pet_spacing": (8, 8, 8), "ct_spacing": (8, 8, 8)}


def run(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(group, ["prepare", *map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_phantoms_to_prompts(tmp_path: Path) -> None:
    code, text = run(
        "--phantoms",
        2,
        "--seed",
        5,
        "-o",
        tmp_path,
        "--workers",
        1,
        "--preset",
        "pet2rep",
        "--language",
        "en",
    )
    assert code == 0
    assert json.loads(text)["prepared"] == 2
    rows = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [r["patient_id"] for r in rows] == ["phantom-05-0000", "phantom-05-0001"]
    assert all("FDG" in r["answer"] for r in rows)
    assert rows[0]["prompt_system"].startswith("You are")
    code, text = run(
        "--phantoms",
        2,
        "--seed",
        5,
        "-o",
        tmp_path,
        "--workers",
        1,
        "--preset",
        "pet2rep",
        "--language",
        "en",
    )
    assert json.loads(text)["resumed"] == 2


def test_failures_are_listed_and_set_the_exit_code(tmp_path: Path) -> None:
    write_dicom(make_phantom(Patient(), **COARSE), tmp_path / "in" / "good")
    write_dicom(make_phantom(Patient(seed=1), **COARSE), tmp_path / "in" / "bad", changes={"Units": "CNTS"})
    code, text = run(tmp_path / "in", "-o", tmp_path / "out", "--workers", 1, "--caption", "--scale-bar")
    assert code == 1
    report = json.loads(text)
    assert report["prepared"] == 1
    assert "(7053,1000)" in report["failed"]["bad"]
    code, text = run(tmp_path / "in", "-o", tmp_path / "out", "--format", "table", "--workers", 1)
    assert "CNTS" in text


def test_list(tmp_path: Path) -> None:
    write_dicom(make_phantom(Patient(), **COARSE), tmp_path / "in" / "one")
    code, text = run(tmp_path / "in", "--list")
    assert code == 0
    assert json.loads(text)[0]["problem"] is None
    code, text = run(tmp_path / "in", "--list", "--format", "table")
    assert "1 studies, 1 complete" in text


def test_usage(tmp_path: Path) -> None:
    assert run("-o", tmp_path)[0] == 2
    assert run(tmp_path)[0] == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no PET/CT study"):
        run(tmp_path / "empty", "-o", tmp_path / "out")
    with pytest.raises(ImagingError, match="no such file"):
        run(tmp_path / "gone", "-o", tmp_path / "out")
    write_dicom(make_phantom(Patient(), **COARSE), tmp_path / "in" / "one")
    with pytest.raises(UnknownNameError, match="hot_iron"):
        run(tmp_path / "in", "-o", tmp_path / "out", "--colours", "hot_irn")
    with pytest.raises(UnknownNameError, match="clinical"):
        run(tmp_path / "in", "-o", tmp_path / "out", "--preset", "clinicall")
