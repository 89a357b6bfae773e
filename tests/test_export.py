"""``compare --output``: every table in every format, with text and without."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.evaluation import evaluate
from pet2rep_eval.export import statement_rows, study_rows, write_rows, write_tables
from pet2rep_eval.leaderboard import Contender
from pet2rep_eval.leaderboard.ledger import ledger
from pet2rep_eval.template import render
from tests.conftest import ROOT

DEMO = ROOT / "pet2rep_eval" / "demo_data"
REFERENCES = ("--references", str(DEMO / "references.jsonl"))
TEXTS = {"a": "肝右叶见结节，约23×18mm，FDG摄取增高，SUVmax 5.6。盆腔未见异常摄取。", "b": render({})}


def compared(folder: Path, *more: str) -> Path:
    arguments = ["--quiet", "compare", str(DEMO / "partial.jsonl"), str(DEMO / "broken.jsonl"), *REFERENCES]
    arguments += ["--resamples", "100", "--trials", "100", "--metric", "clinical_efficacy"]
    arguments += ["--sensitivity", "--anatomy", "--format", "json", "--output", str(folder), *more]
    result = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared(tmp_path_factory.mktemp("out"))


def test_everything_is_written_in_every_format(folder: Path) -> None:
    import pandas as pd

    assert {path.name for path in folder.iterdir()} == {
        "results.json",
        "leaderboard.json",
        "leaderboard.md",
        "leaderboard.tex",
        "leaderboard.csv",
        "leaderboard.parquet",
        "tests.csv",
        "sensitivity.csv",
        "errors.jsonl",
        "studies.csv",
        "studies.parquet",
        "statements.csv",
        "statements.parquet",
    }
    assert r"\toprule" in (folder / "leaderboard.tex").read_text(encoding="utf-8")
    assert "| partial | 1" in (folder / "leaderboard.md").read_text(encoding="utf-8")
    for name in ("leaderboard", "studies", "statements"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(table) > 0
        assert list(rows[0]) == list(table.columns)
    studies = pd.read_parquet(folder / "studies.parquet")
    assert len(studies) == 24
    assert {"system", "study_id", "outcome", "flags", "ce_f1", "reference", "prediction"} <= set(
        studies.columns
    )


def test_what_is_written_can_be_verified(folder: Path) -> None:
    result = CliRunner().invoke(group, ["verify", str(folder / "results.json"), "--format", "json"])
    assert result.exit_code == 0, result.output
    assert all(one["same"] for one in json.loads(result.output))


def test_errors_are_written_with_their_evidence(folder: Path) -> None:
    lines = (folder / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [json.loads(line) for line in lines]
    assert {error["system"] for error in errors} == {"partial", "broken"}
    assert any(error["reference"] and "text" in error["reference"][0] for error in errors)


def test_without_text_no_report_is_in_any_file(tmp_path: Path) -> None:
    """Pieces of every report are looked for in every file."""
    folder = compared(tmp_path / "out", "--no-text")
    reports = [
        value
        for name in ("references", "partial", "broken")
        for line in (DEMO / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        for value in json.loads(line).values()
        if isinstance(value, str) and len(value) > 40
    ]
    pieces = {report[i : i + 12] for report in reports for i in range(0, len(report) - 12, 12)}
    # Organs have the same English names in tables as in reports.
    pieces = {piece for piece in pieces if not piece.isascii() or "uptake" in piece}
    assert len(pieces) > 100
    for path in folder.iterdir():
        content = path.read_bytes()
        # Parquet holds short strings as they are, compressed pages are small enough to be read back.
        found = [piece for piece in pieces if piece.encode() in content]
        assert not found, (path.name, found[:3])
    import pandas as pd

    for name in ("studies", "statements"):
        table = pd.read_parquet(folder / f"{name}.parquet")
        told = table.to_csv()
        assert not [piece for piece in pieces if piece in told], name
        assert not {"reference", "prediction", "ct", "uptake"} & set(table.columns)
        assert any(column.endswith("sha256") for column in table.columns)


def test_statements_are_those_of_both_texts() -> None:
    sheet = evaluate({"a": TEXTS["a"], "b": ""}, TEXTS, metrics=["clinical_efficacy"], resampling=None)
    rows = list(statement_rows([sheet, sheet]))
    liver = [row for row in rows if row["organ"] == "liver" and row["study_id"] == "a"]
    # The reference once, the prediction of each system.
    assert [row["side"] for row in liver] == ["reference", "prediction", "prediction"]
    assert liver[0]["state"] == "increased"
    assert "增高" in liver[0]["uptake"]
    assert TEXTS["a"][liver[0]["uptake_start"] : liver[0]["uptake_end"]] == liver[0]["uptake"]
    assert json.loads(liver[0]["suv"]) == [["max", 5.6, False]]
    assert json.loads(liver[0]["size_mm"]) == [[23.0, 18.0]]
    assert any(row["region"] == "pelvis" for row in rows)


def test_tables_can_be_written_by_themselves(tmp_path: Path) -> None:
    sheet = evaluate(TEXTS, TEXTS, metrics=["meteor"], resampling=None)
    written = write_tables([sheet], tmp_path, formats=("jsonl",), text=False)
    assert [path.name for path in written] == ["studies.jsonl", "statements.jsonl"]
    first = json.loads(written[0].read_text(encoding="utf-8").splitlines()[0])
    assert first["prediction_characters"] == len(TEXTS["a"])
    assert next(study_rows([sheet]))["prediction"] == TEXTS["a"]
    with pytest.raises(ValueError, match=r"write \.csv"):
        write_rows([], tmp_path / "table.xls")
    assert write_rows([], tmp_path / "empty.csv").read_text(encoding="utf-8") == ""


def test_the_ledger_sets_what_was_read_beside_everything() -> None:
    references = {"a": render({"liver": "increased"}), "b": render({"liver": "increased"})}
    predictions = {"a": references["a"], "b": "天气很好。"}
    sheet = evaluate(predictions, references, metrics=["clinical_efficacy"], resampling=None)
    told = {"one": {"a": references["a"], "b": "没有别的。"}}
    (row,) = ledger([Contender("one", (sheet,))], templates=told)
    assert row.parsed == 1
    assert row.ce_f1 == pytest.approx(sheet.scores["ce_f1"].value)
    assert row.ce_f1_parsed == pytest.approx(1 / 3)
    assert row.ce_f1 < row.ce_f1_parsed
    assert row.prompt_copy == pytest.approx(0.5)
    assert row.structure["parsed"] == 0.5
    assert row.to_dict()["outcomes"] == {"scored": 2}
