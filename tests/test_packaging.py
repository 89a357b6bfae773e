"""The wheel holds the package with its data folders, and works where the checkout is not."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

DATA = ("lexicons", "grammars")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as an installer builds it, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(folder.glob("*.whl"))


def _kept(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")


def test_the_wheel_holds_package_and_data_as_they_are(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix(): path for path in (ROOT / "pet2rep_eval").rglob("*") if _kept(path)
    }
    for folder in DATA:
        expected |= {
            f"pet2rep_eval/{path.relative_to(ROOT).as_posix()}": path
            for path in (ROOT / folder).rglob("*")
            if _kept(path)
        }
    assert set(held) == set(expected)
    different = [name for name, path in expected.items() if held[name] != path.read_bytes()]
    assert not different
    assert "pet2rep_eval/py.typed" in held


def test_the_wheel_names_its_entry_points_and_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {name.rpartition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        points = archive.read(info["entry_points.txt"]).decode()
        assert "LICENSE" in info
    assert "pet2rep-eval = pet2rep_eval.cli:main" in points
    assert "pet2rep_findings = pet2rep_eval.spacy_component:make_findings" in points


CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import pet2rep_eval
assert pet2rep_eval.__file__.startswith(sys.argv[1]), pet2rep_eval.__file__
from pet2rep_eval import load_lexicon, load_protocol, parse_report, render_template
report = parse_report("肝脏FDG摄取增高。The spleen is photopenic.")
assert {k: {s.value for s in v} for k, v in report.states.items()} == {"liver": {"increased"}, "spleen": {"absent"}}
assert load_protocol("sites").sites == set(load_lexicon().sites)
assert parse_report(render_template("en")).states
from pet2rep_eval.resources import content_hash
print(content_hash("lexicons"), content_hash("grammars"))
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path, zipped: bool) -> None:
    place = wheel
    if not zipped:
        place = tmp_path / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, str(place)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    from pet2rep_eval.resources import content_hash

    assert done.stdout.split() == [content_hash("lexicons"), content_hash("grammars")]
