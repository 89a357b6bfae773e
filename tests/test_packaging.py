"""The wheel holds the package with its data folders, and works where the checkout is not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pet2rep_eval import parse_report
from tests.conftest import ROOT
from tests.corpus import load_cases

DATA = ("lexicons", "grammars")


def _build(folder: Path, **environment: str) -> Path:
    """A wheel, built as an installer builds it, without a network."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of pure Python, as where there is no C compiler."""
    return _build(tmp_path_factory.mktemp("wheel"), HATCH_BUILD_NO_HOOKS="1")


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


READ = """
import hashlib, json, sys
from pet2rep_eval.parsing import parse_report, tokens
digests = [hashlib.sha256(repr(parse_report(text)).encode()).hexdigest() for text in json.load(sys.stdin)]
json.dump([tokens.__file__, digests], sys.stdout)
"""


def test_the_compiled_parser_reads_as_the_python_one(tmp_path: Path) -> None:
    """Every statement, span, rule and diagnostic of all bundled texts."""
    wheel = _build(tmp_path)
    if wheel.name.endswith("-any.whl"):
        pytest.skip("no C compiler here: the wheel is pure Python")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    texts = [case.text for folder in ("corpus", "reports") for case in load_cases(ROOT / "fixtures" / folder)]
    done = subprocess.run(
        [sys.executable, "-P", "-c", READ],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "unpacked")},
    )
    assert done.returncode == 0, done.stderr
    file, digests = json.loads(done.stdout)
    assert file.startswith(str(tmp_path))
    assert Path(file).suffix in (".so", ".pyd")
    expected = [hashlib.sha256(repr(parse_report(text)).encode()).hexdigest() for text in texts]
    different = [text for text, ours, theirs in zip(texts, expected, digests, strict=True) if ours != theirs]
    assert not different
