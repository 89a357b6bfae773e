"""``verify``: results are recomputed, and what differs is found and named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pet2rep_eval.cli import group, main
from pet2rep_eval.verification import load_results, signature_fields, verify
from tests.conftest import ROOT

DEMO = ROOT / "pet2rep_eval" / "demo_data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["--quiet", *arguments], catch_exceptions=False)


def score(folder: Path, *more: str, predictions: Path | None = None, references: Path | None = None) -> Path:
    arguments = [str(predictions or folder / "system.jsonl")]
    arguments += ["--references", str(references or folder / "references.jsonl")]
    result = run("score", *arguments, "--format", "json", "--resamples", "200", *more)
    assert result.exit_code == 0
    path = folder / f"results{len(list(folder.glob('results*')))}.json"
    path.write_text(result.stdout, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DEMO / "partial.jsonl", tmp_path / "system.jsonl")
    shutil.copy(DEMO / "references.jsonl", tmp_path / "references.jsonl")
    return tmp_path


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in change(rows))
    path.write_text(text, encoding="utf-8")


def verified(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = run("verify", *map(str, arguments), "--format", "json")
    found: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, found


def differing(found: dict[str, Any]) -> set[str]:
    return {field["name"] for field in found["fields"] if not field["same"]}


def test_what_was_scored_is_reproduced(folder: Path) -> None:
    code, found = verified(score(folder))
    assert code == 0
    assert found["same"]
    assert found["reproduced"]
    assert not differing(found)
    assert len(found["scores"]) >= 19
    assert all(s["same"] and s["interval_same"] and not s["reasons"] for s in found["scores"])


def test_one_changed_prediction_is_found_and_named(folder: Path) -> None:
    results = score(folder)

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[2]["prediction"] = rows[2]["prediction"].replace("。", "，", 1)
        return rows

    rewrite(folder / "system.jsonl", change)
    code, found = verified(results)
    assert code == 1
    assert found["studies"]["changed prediction"] == ["demo-zh-03"]
    assert not any(ids for what, ids in found["studies"].items() if what != "changed prediction")


def test_one_dropped_study_is_found_and_named(folder: Path) -> None:
    results = score(folder)
    rewrite(folder / "references.jsonl", lambda rows: rows[:-1])
    code, found = verified(results)
    assert code == 1
    assert found["studies"]["dropped"] == ["demo-en-06"]
    assert "n" in differing(found)
    overall = next(s for s in found["scores"] if s["name"] == "overall")
    assert not overall["same"]
    assert any(reason.startswith("dropped (1): demo-en-06") for reason in overall["reasons"])


def test_a_prediction_that_is_gone_is_a_changed_outcome(folder: Path) -> None:
    results = score(folder)
    rewrite(folder / "system.jsonl", lambda rows: rows[1:])
    code, found = verified(results)
    assert code == 1
    assert found["studies"]["changed outcome"] == ["demo-zh-01"]


def test_a_changed_reference_is_found(folder: Path) -> None:
    results = score(folder)

    def change(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[0]["reference"] += "。"
        return rows

    rewrite(folder / "references.jsonl", change)
    code, found = verified(results)
    assert code == 1
    assert found["studies"]["changed reference"] == ["demo-zh-01"]


def test_another_profile_is_found_and_explains_the_scores_that_it_moves(folder: Path) -> None:
    ours, theirs = score(folder), score(folder, "--profile", "pet2rep-2025")
    code, found = verified(ours, "--against", theirs)
    assert code == 1
    assert "profile" in differing(found)
    by_name = {s["name"]: s for s in found["scores"]}
    assert not by_name["meteor"]["same"]
    assert any(r == "profile: default / pet2rep-2025" for r in by_name["meteor"]["reasons"])
    assert any(r.startswith("words: ") for r in by_name["meteor"]["reasons"])
    assert by_name["ce_f1"]["same"]


def test_a_result_that_claims_another_profile_is_not_reproduced(folder: Path) -> None:
    results = score(folder)
    sheet = json.loads(results.read_text(encoding="utf-8"))
    sheet["inputs"]["profile"] = sheet["profile"] = "pet2rep-2025"
    results.write_text(json.dumps(sheet), encoding="utf-8")
    code, found = verified(results)
    assert code == 1
    assert not found["reproduced"]


def test_another_protocol_is_found(folder: Path) -> None:
    ours, theirs = score(folder), score(folder, "--protocol", "sites")
    code, found = verified(ours, "--against", theirs)
    assert code == 1
    assert {"protocol", "protocol's hash"} <= differing(found)


def test_another_seed_moves_intervals_alone(folder: Path) -> None:
    ours, theirs = score(folder), score(folder, "--seed", "5")
    code, found = verified(ours, "--against", theirs)
    assert code == 1
    assert found["reproduced"]
    assert differing(found) == {"resampling"}
    assert any(not s["interval_same"] for s in found["scores"])


@pytest.mark.parametrize("what", ["lexicon", "version"])
def test_another_lexicon_and_another_version_are_found(folder: Path, what: str, tmp_path: Path) -> None:
    """An installation that differs in one file verifies results of this one."""
    results = score(folder)
    other = tmp_path / "other"
    for name in ("pet2rep_eval", "lexicons", "grammars"):
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    if what == "lexicon":
        changed = other / "lexicons" / "uptake.toml"
        changed.write_text(changed.read_text(encoding="utf-8") + "\n# one more line\n", encoding="utf-8")
    else:
        (other / "pet2rep_eval" / "_version.py").write_text('__version__ = "9.9.9"\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pet2rep_eval", "verify", str(results), "--format", "json"],
        env=os.environ | {"PYTHONPATH": str(other)},
        capture_output=True,
        text=True,
        check=False,
        cwd=other,
    )
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert differing(found) == {"lexicons" if what == "lexicon" else "version of pet2rep_eval"}
    assert found["reproduced"]
    assert not found["same"]


def test_files_that_have_moved_can_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = score(folder)
    (folder / "system.jsonl").rename(folder / "moved.jsonl")
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(results)])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "system.jsonl: this file was scored and is no longer there" in message
    assert "--predictions" in message
    assert verified(results, "--predictions", folder / "moved.jsonl")[0] == 0


def test_several_systems_are_verified_one_by_one(folder: Path) -> None:
    second = DEMO / "copier.jsonl"
    result = run(
        "score",
        str(folder / "system.jsonl"),
        str(second),
        "--references",
        str(folder / "references.jsonl"),
        "--format",
        "json",
        "--metric",
        "clinical_efficacy",
    )
    results = folder / "both.json"
    results.write_text(result.stdout, encoding="utf-8")
    done = run("verify", str(results), "--format", "json")
    assert done.exit_code == 0
    assert [one["system"] for one in json.loads(done.stdout)] == ["system", "copier"]


@pytest.mark.parametrize("kind", ["table", "markdown"])
def test_tables_say_what_differs(folder: Path, kind: str) -> None:
    ours, theirs = score(folder), score(folder, "--profile", "pet2rep-2025")
    result = run("verify", str(ours), "--against", str(theirs), "--format", kind)
    assert result.exit_code == 1
    assert "DIFFERS" in result.stdout
    assert "profile: default / pet2rep-2025" in result.stdout
    same = run("verify", str(ours), "--against", str(ours), "--format", kind)
    assert same.exit_code == 0
    assert "everything matches" in same.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "line 1: this is not JSON"),
        ("[1]", "these are no results of pet2rep-eval"),
        ('{"system": "a", "scores": {}, "environment": {}}', "without fingerprints"),
    ],
)
def test_what_is_no_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_difference_that_nothing_recorded_explains_is_called_so(folder: Path) -> None:
    results = score(folder)
    first = load_results(results)[0]
    second = json.loads(json.dumps(first))
    second["scores"]["meteor"]["value"] += 0.01
    found = verify(first, second)
    meteor = next(s for s in found.scores if s.name == "meteor")
    assert not meteor.same
    assert meteor.reasons == ()
    assert not found.same


def test_signatures_are_read_back() -> None:
    fields = signature_fields("ce_f1|protocol:pet2rep-1a|avg:macro|cleaning:think+fence|n:565")
    assert fields == {"protocol": "pet2rep-1a", "avg": "macro", "cleaning": "think+fence", "n": "565"}
