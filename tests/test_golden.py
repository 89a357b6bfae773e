"""The systems of fixtures/systems and of the demonstration give the score sheets in fixtures/golden.

Through the command line, as a user would. ``pytest tests/test_golden.py --update-golden`` rewrites them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.template import render_template
from tests.conftest import ROOT

DEMO = ROOT / "pet2rep_eval" / "demo_data"
GOLDEN = ROOT / "fixtures" / "golden"
REFERENCES = DEMO / "references.jsonl"
SYSTEMS = sorted(
    [*(ROOT / "fixtures" / "systems").glob("*.jsonl"), *(p for p in DEMO.glob("*.jsonl") if p != REFERENCES)],
    key=lambda path: path.stem,
)

LABELS: dict[str, dict[str, str]] = {
    "demo-zh-01": {"lungs": "increased", "bones": "increased"},
    "demo-zh-02": {"brain": "decreased", "liver": "absent", "kidneys": "absent"},
    "demo-zh-03": {
        "cervical_lymph_nodes": "increased",
        "spleen": "increased",
        "abdominal_lymph_nodes": "increased",
    },
    "demo-zh-04": {
        "thyroid": "increased",
        "stomach": "increased",
        "intestine": "increased",
        "bones": "decreased",
    },
    "demo-zh-05": {},
    "demo-zh-06": {
        "brain": "absent",
        "nasopharynx": "increased",
        "cervical_lymph_nodes": "increased",
        "esophagus": "increased",
        "liver": "decreased",
        "prostate": "increased",
    },
    "demo-en-01": {"lungs": "increased", "liver": "increased", "adrenals": "increased"},
    "demo-en-02": {"brain": "decreased", "kidneys": "absent", "intestine": "increased"},
    "demo-en-03": {
        "cervical_lymph_nodes": "increased",
        "spleen": "increased",
        "abdominal_lymph_nodes": "increased",
        "bones": "increased",
    },
    "demo-en-04": {
        "thyroid": "increased",
        "esophagus": "increased",
        "liver": "absent",
        "bones": "decreased",
    },
    "demo-en-05": {},
    "demo-en-06": {
        "nasopharynx": "increased",
        "pancreas": "increased",
        "liver": "decreased",
        "gallbladder": "increased",
        "bones": "increased",
    },
}
"""What the demonstration's references were written to say, in the organs of the protocol ``pet2rep``."""


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(path: Path) -> dict[str, Any]:
    arguments = ["--quiet", "score", str(path), "--references", str(REFERENCES), "--format", "json"]
    result = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    sheet: dict[str, Any] = json.loads(result.stdout)
    return sheet


def lasting(value: Any) -> Any:
    """*value* without what changes with versions, paths and the last digits of floating point numbers.

    Intervals are drawn at random and tested where they are made.
    """
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in ("environment", "interval")}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str):
        value = value.replace(str(ROOT) + "/", "")
        value = re.sub(r"\b(lexicons|grammars|version):[^|]+", r"\1:*", value)
        value = re.sub(r"\b(jieba|spacy-blank-en)-[0-9.]+", r"\1-*", value)
        return re.sub(r"\bprotocol:(\w+)-[0-9a-f]{8}", r"protocol:\1-*", value)
    return value


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_a_system_gives_its_score_sheet(path: Path, request: pytest.FixtureRequest) -> None:
    sheet = lasting(run(path))
    golden = GOLDEN / f"{path.stem}.json"
    if request.config.getoption("--update-golden"):
        golden.write_text(json.dumps(sheet, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert sheet == json.loads(golden.read_text(encoding="utf-8"))


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {path.stem for path in SYSTEMS}
    assert len(SYSTEMS) >= 8


@pytest.mark.parametrize("study", rows(REFERENCES), ids=lambda row: row["study_id"])
def test_the_demonstrations_references_say_what_they_were_written_to_say(study: dict[str, str]) -> None:
    states = load_protocol("pet2rep").states(parse_report(study["reference"]))
    found = {organ: "+".join(sorted(labels)) for organ, labels in states.items() if labels}
    assert found == LABELS[study["study_id"]]


def test_the_demonstration_holds_all_states_in_both_languages() -> None:
    for language in ("zh", "en"):
        stated = {
            state
            for row in rows(REFERENCES)
            if f"-{language}-" in row["study_id"]
            for states in parse_report(row["reference"]).states.values()
            for state in states
        }
        assert {state.value for state in stated} == {"increased", "decreased", "absent", "normal"}


@pytest.mark.parametrize(
    ("name", "f1"), [("structured", 1.0), ("marks_dropped", 1.0), ("other_language", 1.0), ("flipped", 0.0)]
)
def test_systems_that_were_written_from_the_labels_score_as_they_must(name: str, f1: float) -> None:
    sheet = run(ROOT / "fixtures" / "systems" / f"{name}.jsonl")
    assert sheet["scores"]["ce_f1"]["value"] == pytest.approx(f1)
    assert sheet["outcomes"] == {"scored": 12}


def test_the_perfect_system_is_perfect_and_the_copier_is_the_baseline() -> None:
    perfect, copier = (run(DEMO / f"{name}.jsonl") for name in ("perfect", "copier"))
    for name in (
        "bleu_4",
        "corpus_bleu_4",
        "rouge_l",
        "ce_precision",
        "ce_recall",
        "ce_f1",
        "ce_state_accuracy",
    ):
        assert perfect["scores"][name]["value"] == pytest.approx(1.0)
    assert 0.999 < perfect["scores"]["meteor"]["value"] < 1.0
    for name, value in copier["baselines"]["template"]["scores"].items():
        assert copier["scores"][name]["value"] == pytest.approx(value)


def test_the_copier_copies_the_template() -> None:
    for row in rows(DEMO / "copier.jsonl"):
        assert row["llm_output"] == [render_template(row["subject_id"].split("-")[1])]


def test_the_broken_system_fails_in_every_way_there_is() -> None:
    sheet = run(DEMO / "broken.jsonl")
    assert sheet["outcomes"] == {
        "scored": 6,
        "missing": 2,
        "empty": 1,
        "refused": 1,
        "duplicate": 1,
        "unreadable": 1,
    }
    assert set(sheet["flags"]) == {"truncated", "repetitive", "other_language", "echoed_prompt"}
    assert sheet["unknown_ids"] == ["demo-en-66"]
