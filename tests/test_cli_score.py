"""``pet2rep-eval score`` and ``demo``: formats, files, thresholds, errors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pet2rep_eval.cli import group, main
from pet2rep_eval.cli.score import file_name
from tests.conftest import ROOT

DEMO = ROOT / "pet2rep_eval" / "demo_data"
REFERENCES = str(DEMO / "references.jsonl")
PARTIAL = str(DEMO / "partial.jsonl")
BROKEN = str(DEMO / "broken.jsonl")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, list(arguments), catch_exceptions=False)


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message of a command that ends with exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code == 2
    return capsys.readouterr().err


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_pipe_gets_the_json_of_the_contract() -> None:
    result = run("score", PARTIAL, "--references", REFERENCES)
    assert result.exit_code == 0
    sheet = json.loads(result.stdout)
    assert (sheet["system"], sheet["n"], sheet["protocol"], sheet["profile"]) == (
        "partial",
        12,
        "pet2rep",
        "default",
    )
    names = [
        "bleu_1",
        "bleu_4",
        "corpus_bleu_1",
        "corpus_bleu_4",
        "meteor",
        "rouge_1",
        "rouge_2",
        "rouge_l",
        "cider",
    ]
    names += ["ce_precision", "ce_recall", "ce_f1", "ce_f1_of_macro", "ce_state_accuracy", "overall"]
    for name in names:
        score = sheet["scores"][name]
        assert 0 <= score["value"] <= 10
        assert score["signature"].startswith(f"{name}|")
    assert set(sheet["per_class"]["increased"]) >= {"precision", "recall", "f1", "support"}
    assert sheet["outcomes"] == {"scored": 12}
    assert sheet["flags"] == {"other_language": 1}
    assert set(sheet["baselines"]) == {"template", "all_normal"}
    assert "jieba" in sheet["environment"]


def test_several_systems_give_a_list_in_the_order_given() -> None:
    result = run("score", BROKEN, PARTIAL, "--references", REFERENCES, "--system", "first")
    assert [sheet["system"] for sheet in json.loads(result.stdout)] == ["first", "partial"]


def test_a_table_shows_scores_outcomes_and_what_is_not_seen() -> None:
    result = run("score", BROKEN, "--references", REFERENCES, "--format", "table")
    for words in (
        "BLEU-4",
        "CE F1",
        "Overall",
        "all-normal",
        "lift",
        "missing 2",
        "truncated 2",
        "does not see",
        "Organs",
    ):
        assert words in result.stdout, words
    assert "\x1b" not in result.stdout


def test_a_table_of_several_systems_has_a_row_for_each_and_for_the_baselines() -> None:
    result = run("score", BROKEN, PARTIAL, "--references", REFERENCES, "--format", "table")
    lines = result.stdout.splitlines()
    rows = [line.split()[0] for line in lines if line.strip()]
    assert {"broken", "partial"} <= set(rows)
    assert {"(template)", "(all-normal)"} <= set(rows)


def test_csv_has_a_row_for_each_score() -> None:
    result = run("score", BROKEN, PARTIAL, "--references", REFERENCES, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["system"] for row in rows} == {"broken", "partial"}
    one = next(row for row in rows if row["system"] == "partial" and row["score"] == "rouge_l")
    assert 0.2 < float(one["value"]) < 0.6
    assert one["signature"].startswith("rouge_l|")
    assert one["n"] == "12"


def test_markdown_and_latex_are_tables() -> None:
    markdown = run("score", PARTIAL, "--references", REFERENCES, "--format", "markdown").stdout
    assert "| CE F1 |" in markdown
    assert "| --- | ---: |" in markdown
    latex = run("score", PARTIAL, "--references", REFERENCES, "--format", "latex").stdout
    assert latex.count(r"\begin{tabular}") == latex.count(r"\bottomrule") == 5
    assert "partial: 12 studies" in latex
    assert r"pet2rep, profile default" in latex


def test_latex_escapes_what_it_must() -> None:
    from pet2rep_eval.cli._output import Grid, to_latex

    text = to_latex(Grid("a_b", ("x & y",), (("50 % \\ {z}",), ("−1",))))
    assert r"\caption{a\_b}" in text
    assert r"x \& y \\" in text
    assert r"50 \% \textbackslash{} \{z\} \\" in text
    assert r"$-$1 \\" in text


def test_markdown_escapes_bars() -> None:
    from pet2rep_eval.cli._output import Grid, to_markdown

    assert "| a\\|b |" in to_markdown(Grid("", ("c",), (("a|b",),)))


def test_output_folder_holds_results_tables_and_studies(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    result = run(
        "score", BROKEN, PARTIAL, "--references", REFERENCES, "--output", str(folder), "--format", "csv"
    )
    assert str(folder) in result.stderr
    sheets = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [sheet["system"] for sheet in sheets] == ["broken", "partial"]
    assert (folder / "scores.csv").read_text(encoding="utf-8") == result.stdout
    assert "| broken |" in (folder / "scores.md").read_text(encoding="utf-8")
    studies = [
        json.loads(line)
        for line in (folder / "studies" / "broken.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert [s["outcome"] for s in studies].count("missing") == 2
    assert "摄取" in studies[0]["reference"]
    assert studies[0]["states"]["lungs"] == {"reference": ["increased"], "prediction": ["increased"]}


def test_no_text_writes_hashes_in_place_of_reports(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("--quiet", "score", PARTIAL, "--references", REFERENCES, "--output", str(folder), "--no-text")
    written = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())
    assert "摄取" not in written
    assert "uptake" not in written.replace("uptake states", "").replace("Uptake states", "")
    assert '"sha256": "' in written


def test_thresholds_decide_the_exit_code() -> None:
    assert run("score", PARTIAL, "--references", REFERENCES, "--fail-under", "rouge_l=0.01").exit_code == 0
    result = run("score", PARTIAL, BROKEN, "--references", REFERENCES, "--fail-under", "rouge_l=0.2")
    assert result.exit_code == 1
    assert "broken: rouge_l is 0." in result.stderr
    assert "partial:" not in result.stderr
    assert json.loads(result.stdout)[0]["system"] == "partial"
    wrong = run("score", PARTIAL, "--references", REFERENCES, "--fail-under", "rouge_l")
    assert wrong.exit_code == 2
    assert "METRIC=VALUE" in wrong.stderr


def test_only_the_metrics_that_are_asked_for() -> None:
    sheet = json.loads(run("score", PARTIAL, "--references", REFERENCES, "--metric", "rouge").stdout)
    assert list(sheet["scores"]) == ["rouge_1", "rouge_2", "rouge_l"]
    assert sheet["per_class"] == {}


def test_signatures_are_printed_when_asked_for() -> None:
    text = run("score", PARTIAL, "--references", REFERENCES, "--format", "table", "--signatures").stdout
    assert "ce_f1|protocol:pet2rep-" in text
    assert "ce_f1|" not in run("score", PARTIAL, "--references", REFERENCES, "--format", "table").stdout


def test_ids_bring_missing_studies_to_light(tmp_path: Path) -> None:
    predictions = write(
        tmp_path / "p.jsonl",
        {"id": "1", "prediction": "肝脏FDG摄取增高。", "reference": "肝脏FDG摄取增高。"},
        {"id": "2", "prediction": "双肺未见异常摄取。", "reference": "双肺未见异常摄取。"},
    )
    ids = tmp_path / "ids.txt"
    ids.write_text("1\n2\n3\n4\n", encoding="utf-8")
    alone = json.loads(run("score", predictions).stdout)
    assert alone["n"] == 2
    assert any("missing studies cannot be seen" in note for note in alone["notes"])
    known = json.loads(run("score", predictions, "--ids", str(ids)).stdout)
    assert known["outcomes"] == {"scored": 2, "missing": 2}
    assert known["scores"]["rouge_l"]["value"] == pytest.approx(0.5)


def test_columns_can_be_named(tmp_path: Path) -> None:
    predictions = tmp_path / "p.csv"
    predictions.write_text("number,text\n1,肝脏FDG摄取增高。\n", encoding="utf-8")
    references = tmp_path / "r.csv"
    references.write_text("key,report\n1,肝脏FDG摄取增高。\n", encoding="utf-8")
    options = ("--id-column", "number", "--prediction-column", "text", "--references-id-column", "key")
    result = run(
        "score", str(predictions), "--references", str(references), *options, "--reference-column", "report"
    )
    sheet = json.loads(result.stdout)
    assert sheet["scores"]["rouge_l"]["value"] == 1.0
    assert "prediction:text" in sheet["scores"]["rouge_l"]["signature"]


def test_a_broken_line_stops_unless_lenient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references = write(tmp_path / "r.jsonl", *({"id": i, "reference": "肝脏FDG摄取增高。"} for i in "12"))
    predictions = tmp_path / "p.jsonl"
    predictions.write_text(
        '{"id": "1", "prediction": "肝脏FDG摄取增高。"}\n{"id": "2", "pred', encoding="utf-8"
    )
    message = failing(capsys, "score", str(predictions), "--references", references)
    assert "p.jsonl, line 2:" in message
    assert "--lenient" in message
    sheet = json.loads(run("score", str(predictions), "--references", references, "--lenient").stdout)
    assert sheet["outcomes"]["scored"] == 1
    assert sheet["n"] == 2


def test_errors_name_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there.jsonl" in failing(capsys, "score", str(tmp_path / "there.jsonl"))
    assert "Did you mean 'pet2rep'" in failing(
        capsys, "score", PARTIAL, "--references", REFERENCES, "--protocol", "pet2rp"
    )
    assert "Did you mean 'petrg-3d'" in failing(
        capsys, "score", PARTIAL, "--references", REFERENCES, "--profile", "petrg3d"
    )
    assert "Did you mean 'rouge'" in failing(
        capsys, "score", PARTIAL, "--references", REFERENCES, "--metric", "rougue"
    )
    assert "Did you mean 'rouge_l'" in failing(
        capsys,
        "score",
        PARTIAL,
        "--references",
        REFERENCES,
        "--metric",
        "rouge",
        "--fail-under",
        "rougel=0.1",
    )
    other = write(tmp_path / "other.jsonl", {"id": "x", "prediction": "肝脏FDG摄取增高。"})
    assert "no study id is shared" in failing(capsys, "score", other, "--references", REFERENCES)
    many = run("score", PARTIAL, "--references", REFERENCES, "--system", "a", "--system", "b")
    assert many.exit_code == 2


def test_system_names_make_safe_file_names() -> None:
    taken: set[str] = set()
    assert file_name("../../x", taken) == "x"
    assert file_name("a/b c", taken) == "a_b_c"
    assert file_name("A/b c", taken) == "A_b_c-2"
    assert file_name("...", taken) == "system"
    assert file_name("通义千问-7B", taken) == "通义千问-7B"


def test_the_demonstration_says_where_the_results_lie(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    result = run("demo", "--output", str(folder), "--format", "table")
    assert result.exit_code == 0
    for system in ("perfect", "partial", "copier", "broken"):
        assert system in result.stdout
        assert (folder / "studies" / f"{system}.jsonl").is_file()
    assert str(folder / "results.json") in result.stderr
    assert len(json.loads((folder / "results.json").read_text(encoding="utf-8"))) == 4
    silent = run("--quiet", "demo", "--output", str(folder))
    assert silent.stderr == ""
    assert len(json.loads(silent.stdout)) == 4


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys\nfrom pet2rep_eval.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'jieba', 'spacy', 'sklearn', 'nltk', 'pandas', 'lark', 'rich', 'torch'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    for arguments in (["--help"], ["score", "--help"], ["demo", "--help"]):
        run = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, encoding="utf-8", check=True
        )
        assert "heavy: []" in run.stdout, arguments
        assert "Usage" in run.stdout


def test_numbers_are_whole_on_a_narrow_terminal() -> None:
    from rich.console import Console

    from pet2rep_eval.cli._output import Grid, to_rich

    numbers = tuple(f"{100 - i}.25" for i in range(8))
    columns = ("System", "Scored", *(f"Score-{i} of it" for i in range(8)))
    grid = Grid(
        "t", columns, (("a system with a rather long name", "12/12", *numbers),), frozenset(range(1, 10))
    )
    for width in (80, 110, 200):
        out = Console(width=width, file=io.StringIO(), color_system=None)
        out.print(to_rich(grid, width))
        lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert any(all(number in line for number in ("12/12", *numbers)) for line in lines), width
