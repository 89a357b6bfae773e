"""``check`` tells what would be scored, and its exit status says whether anything can be."""

from __future__ import annotations

import json

import pytest

from pet2rep_eval.cli import main
from tests.conftest import ROOT

FOLDER = ROOT / "fixtures/datasets"
REPORT = "右肺上叶见结节影，FDG摄取增高。肝脏FDG摄取未见异常。"


@pytest.fixture
def check(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as caught:
            main(["check", *map(str, args)])
        output = capsys.readouterr()
        return caught.value.code or 0, output.out, output.err

    return run


def test_a_good_submission(check):
    code, out, _ = check(FOLDER / "official_result.jsonl", "--references", FOLDER / "official_prompt.jsonl")
    result = json.loads(out)
    assert code == 0
    assert result["scoreable"] is True
    assert result["outcomes"] == {
        "scored": 3,
        "missing": 0,
        "empty": 0,
        "refused": 0,
        "duplicate": 0,
        "unreadable": 0,
    }
    assert result["columns"] == {"id": "subject_id", "prediction": "llm_output", "reference": "ground_truth"}
    assert (result["n"], result["format"], result["encoding"]) == (3, "official_result", "UTF-8")


def test_a_table_with_everything_in_it(check, tmp_path):
    path = tmp_path / "model.jsonl"
    rows = [
        ("study-01", REPORT),
        ("study-02", "I'm sorry, I can't assist with that."),
        ("003", REPORT),
        ("003", "x"),
    ]
    path.write_text("".join(json.dumps({"id": i, "output": t}) + "\n" for i, t in rows), encoding="utf-8")
    for fmt in ("table", "markdown"):
        code, out, _ = check(path, "--references", FOLDER / "official_prompt.jsonl", "--format", fmt)
        assert code == 0
        assert "model: 3 studies, read as jsonl UTF-8" in out
        assert "prediction from 'output'" in out
        assert "2 of 3 studies count as failed" in out
        for line in out.splitlines():
            if "refused" in line or "duplicate" in line:
                assert ("study-02" in line) or ("003" in line)


def test_nothing_to_score_is_exit_1(check, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,prediction\n003,\nstudy-02,nan\n", encoding="utf-8")
    code, out, _ = check(path, "--references", FOLDER / "official_prompt.jsonl")
    result = json.loads(out)
    assert (code, result["scoreable"]) == (1, False)
    assert result["failed"] == {"missing": ["study-01"], "empty": ["study-02", "003"]}
    code, out, _ = check(path, "--references", FOLDER / "official_prompt.jsonl", "--format", "table")
    assert (code, "cannot be scored" in out) == (1, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("", "is empty"),
        ("a,b\n1,2\n", "line 1: no column holds the id"),
        ("id,prediction\nzzz,text\n", "no study id is shared"),
        ("id,prediction\n003,text,more\n", "line 2: the row has 3 cells"),
    ],
)
def test_bad_input_is_exit_2_with_file_and_remedy(check, tmp_path, content, words):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    code, out, err = check(path, "--references", FOLDER / "official_prompt.jsonl")
    assert (code, out) == (2, "")
    assert err.startswith(f"pet2rep-eval: {path}")
    assert words in err
    assert err.rstrip().endswith(".")


def test_lenient_lists_what_it_goes_past(check, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(f"id,prediction\n003,{REPORT}\nstudy-02,text,more\n", encoding="utf-8")
    code, out, _ = check(path, "--references", FOLDER / "official_prompt.jsonl", "--lenient")
    result = json.loads(out)
    assert code == 0
    assert result["problems"] == [f"{path}, line 3: the row has 3 cells where the header has 2."]
    assert result["failed"] == {"missing": ["study-01"], "unreadable": ["study-02"]}


def test_without_references(check, tmp_path):
    code, out, _ = check(FOLDER / "texts")
    result = json.loads(out)
    assert (code, result["n"]) == (0, 3)
    assert any("There are no references" in note for note in result["notes"])
    ids = tmp_path / "ids.txt"
    ids.write_text("003\nstudy-01\nstudy-02\nstudy-99\n", encoding="utf-8")
    code, out, _ = check(FOLDER / "texts", "--ids", ids)
    assert json.loads(out)["failed"] == {"missing": ["study-99"]}


def test_the_id_column_of_the_references(check, tmp_path):
    path = tmp_path / "refs.csv"
    path.write_text("number,id,answer\n003,x,y\n", encoding="utf-8")
    code, _, err = check(FOLDER / "texts", "--references", path)
    assert (code, "--references-id-column" in err) == (2, True)
    code, out, _ = check(FOLDER / "texts", "--references", path, "--references-id-column", "number")
    assert (code, json.loads(out)["unknown_ids"]) == (0, ["study-01", "study-02"])


def test_columns_by_option(check):
    code, out, _ = check(FOLDER / "petrg3d.csv", "--prediction-column", "Pred_report")
    result = json.loads(out)
    assert (code, result["columns"]["prediction"]) == (0, "Pred_report")
    assert any("Cleaning changed predictions: end-mark 3." in note for note in result["notes"])
    code, _, err = check(FOLDER / "petrg3d.csv", "--prediction-column", "Pred_reprt")
    assert (code, "Did you mean 'Pred_report'?" in err) == (2, True)
