"""A small separate package is built, installed into a folder, and its metric, reader and protocol are used."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

PACKAGE = Path(__file__).parent / "plugin_package"
DEMO = ROOT / "pet2rep_eval" / "demo_data"
REFERENCES = DEMO / "references.jsonl"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package's wheel is unpacked in, as an installer would."""
    work = tmp_path_factory.mktemp("plugin")
    build = "import sys; from hatchling.build import build_wheel; sys.stdout.write(build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", build, str(work)], cwd=PACKAGE, check=True, capture_output=True, text=True
    )
    (wheel,) = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work / "site")
    return work / "site"


def run(site: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    paths = [str(site)] if site else []
    return subprocess.run(
        [sys.executable, "-m", "pet2rep_eval", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*paths, str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def psv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The references as predictions, in the format that only the plugin reads."""
    rows = [json.loads(line) for line in REFERENCES.read_text(encoding="utf-8").splitlines()]
    path = tmp_path_factory.mktemp("data") / "perfect.psv"
    lines = (f"{row['study_id']}|{row['reference'].replace(chr(10), '')}" for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_metric_reader_and_protocol_of_another_package_are_used(installed: Path, psv: Path) -> None:
    done = run(
        installed,
        "score",
        psv,
        "--references",
        REFERENCES,
        "--metric",
        "characters_in_common",
        "--metric",
        "clinical_efficacy",
        "--protocol",
        "two_organs",
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    sheet: dict[str, Any] = json.loads(done.stdout)
    score = sheet["scores"]["characters_in_common"]
    assert score["value"] == pytest.approx(1.0, abs=0.02)
    assert score["interval"] is not None
    assert score["sd"] is not None
    assert "|of:distinct-characters|" in score["signature"]
    assert sheet["protocol"] == "two_organs"
    assert list(sheet["per_class"]) == ["increased"]
    assert list(sheet["per_organ"]) == ["liver", "lungs"]
    assert sheet["outcomes"] == {"scored": 12}


def test_the_metric_is_compared_and_tested_like_any_other(installed: Path) -> None:
    systems = [DEMO / f"{name}.jsonl" for name in ("partial", "perfect")]
    done = run(
        installed,
        "compare",
        *systems,
        "--references",
        REFERENCES,
        "--metric",
        "characters_in_common",
        "--format",
        "csv",
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    best = next(row for row in rows if row["system"] == "perfect")
    assert (best["score"], best["rank"]) == ("characters_in_common", "1")
    assert float(best["value"]) == pytest.approx(1.0)
    assert 0.0 < float(best["p"]) <= 1.0


def test_without_the_package_its_names_are_unknown(psv: Path) -> None:
    done = run(
        None, "score", DEMO / "partial.jsonl", "--references", REFERENCES, "--metric", "characters_in_common"
    )
    assert done.returncode == 2
    assert "There is no metric named 'characters_in_common'" in done.stderr
    done = run(None, "score", psv, "--references", REFERENCES)
    assert done.returncode == 2
    assert "the format is not recognised" in done.stderr
