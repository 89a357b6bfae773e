"""``pet2rep-eval parse``: its JSON is the public contract, and its errors name file and line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pet2rep_eval.cli import _output, _parse_tables, group
from pet2rep_eval.errors import InputError
from pet2rep_eval.explain import RULES, phrases
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.report_json import report_dict
from tests.corpus import CORPUS, load_cases

TEXT = (
    "检查所见：肝右叶见片状低密度灶，约23mm×18mm，FDG摄取轻度增高，SUVmax约5.6；余肝FDG摄取未见异常。"
    "心脏不大。颈部未见异常代谢。\n影像诊断：肝右叶高代谢灶，考虑恶性。"
)


def run(*args: object, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["parse", *map(str, args)], input=stdin, catch_exceptions=True)


def read(*args: object, stdin: str | bytes | None = None) -> Any:
    result = run(*args, stdin=stdin)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def error(*args: object, stdin: str | bytes | None = None) -> str:
    result = run(*args, stdin=stdin)
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_one_report_is_the_object_of_the_contract(file: Path) -> None:
    value = read(file)
    assert list(value) == ["language", "tracer", "organs", "regions", "statements", "diagnostics"]
    assert (value["language"], value["tracer"]) == ("zh", "FDG")
    liver = value["organs"]["liver"]
    assert list(liver) == ["state", "states", "ct", "uptake"]
    assert (liver["state"], liver["states"]) == ("increased", ["increased", "normal"])
    assert value["organs"]["heart"] | {"ct": []} == {"state": None, "states": [], "ct": [], "uptake": []}
    assert value["regions"] == {"head_neck": {"state": "normal", "states": ["normal"]}}
    first = value["statements"][0]
    assert list(first) == [
        "organ",
        "region",
        "laterality",
        "state",
        "degree",
        "ct",
        "uptake",
        "suv",
        "size_mm",
        "section",
    ]
    assert first["organ"] == "liver"
    assert first["region"] is None
    assert (first["state"], first["degree"], first["section"]) == ("increased", "mild", "findings")
    assert first["suv"] == [{"kind": "max", "value": 5.6, "delayed": False}]
    assert first["size_mm"] == [[23.0, 18.0]]
    assert first["uptake"]["text"] == "FDG摄取轻度增高"
    spans = [s[key] for s in value["statements"] for key in ("ct", "uptake") if s[key]]
    spans += [span for organ in value["organs"].values() for span in (*organ["ct"], *organ["uptake"])]
    for span in spans:
        assert list(span) == ["start", "end", "text"]
        assert TEXT[span["start"] : span["end"]] == span["text"]
    for diagnostic in value["diagnostics"]:
        assert list(diagnostic) == ["code", "message", "start", "end"]
    assert "肝" in run(file).stdout  # characters stand as they are


def test_json_lines_carry_the_study_id(file: Path) -> None:
    lines = run(file, "--format", "jsonl").stdout.splitlines()
    assert len(lines) == 1
    value = json.loads(lines[0])
    assert list(value)[:2] == ["study_id", "language"]
    assert value.pop("study_id") == "report"
    assert value == read(file)


def test_standard_input_is_one_report(file: Path) -> None:
    assert read(stdin=TEXT) == read(file)
    assert read("-", stdin=TEXT) == read(file)
    assert read("-", stdin=TEXT.encode("gb18030")) == read(file)
    assert read("-", stdin="\ufeff" + TEXT) == read(file)


def test_a_model_output_in_json_is_one_report_on_standard_input() -> None:
    value = read(stdin='{"肝脏": "FDG摄取增高", "脾脏": "未见异常代谢"}')
    assert value["organs"]["liver"]["states"] == ["increased"]
    assert value["organs"]["spleen"]["states"] == ["normal"]


def test_json_lines_on_standard_input_are_many_reports() -> None:
    rows = [
        {"study_id": "a", "report": "肝脏FDG摄取增高。"},
        {"study_id": "b", "report": "脾脏FDG摄取减低。"},
    ]
    stdin = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    values = read(stdin=stdin)
    assert [v["study_id"] for v in values] == ["a", "b"]
    assert [list(v["organs"]) for v in values] == [["liver"], ["spleen"]]
    named = read("--text-column", "report", stdin=stdin)
    assert named == values


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_table_is_many_reports(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"many.{suffix}"
    if suffix == "csv":
        path.write_text(
            "subject_id,findings\n7,肝脏FDG摄取增高。\n8,The spleen is photopenic.\n", encoding="utf-8"
        )
    else:
        path.write_text(
            '{"subject_id": 7, "findings": "肝脏FDG摄取增高。"}\n'
            '{"subject_id": 8, "findings": "The spleen is photopenic."}\n',
            encoding="utf-8",
        )
    values = read(path)
    assert [(v["study_id"], v["language"]) for v in values] == [("7", "zh"), ("8", "en")]
    lines = run(path, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == values
    assert [v["language"] for v in read(path, "--language", "en")] == ["en", "en"]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("key,words,report\nx,肝脏FDG摄取增高。,no\n", encoding="utf-8")
    values = read(path, "--text-column", "words", "--id-column", "key")
    assert values[0]["study_id"] == "x"
    assert values[0]["organs"]["liver"]["state"] == "increased"


def test_a_folder_is_many_reports_with_their_line_ends(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("脾脏FDG摄取减低。\r\n肝脏FDG摄取增高。".encode())
    (tmp_path / "a.txt").write_bytes("双肺未见异常代谢。".encode("gb18030"))
    (tmp_path / "readme.md").write_text("no report", encoding="utf-8")
    values = read(tmp_path)
    assert [v["study_id"] for v in values] == ["a", "b"]
    span = values[1]["organs"]["liver"]["uptake"][0]
    assert span["start"] == len("脾脏FDG摄取减低。\r\n肝脏")


def test_no_reports_at_all_is_an_empty_list() -> None:
    assert read("--text-column", "report", stdin='{"report": ""}\n')[0]["statements"] == []


def test_no_text_leaves_spans_and_hashes(file: Path) -> None:
    output = run(file, "--no-text", "--explain").stdout
    assert not set("肝脏摄取增高异常") & set(output)
    span = json.loads(output)["statements"][0]["uptake"]
    assert set(span) == {"start", "end", "sha256"}
    assert len(span["sha256"]) == 16


def test_a_section_can_be_asked_for(file: Path) -> None:
    value = read(file, "--section", "impression")
    assert {s["section"] for s in value["statements"]} == {"impression"}


def test_explain_names_phrases_and_rule(file: Path) -> None:
    value = read(file, "--explain")
    first = value["statements"][0]
    assert first["mention"]["text"].startswith("肝")
    assert [(p["text"], p["concept"]) for p in first["phrases"]] == [
        ("FDG摄取", "cue.uptake"),
        ("轻度", "degree.mild"),
        ("增高", "increased.word"),
    ]
    assert first["rule"] in RULES
    table = run(file, "--explain", "--format", "table").stdout
    assert "增高 (increased.word)" in table
    assert f"{first['rule']}: {RULES[first['rule']]}" in table
    assert "FDG摄取轻度增高[1]" in table


def test_every_rule_has_a_meaning() -> None:
    made = {s.rule for case in load_cases(CORPUS) for s in parse_report(case.text).statements}
    assert made <= set(RULES), f"say in explain.RULES what {sorted(made - set(RULES))} mean"


def test_the_text_is_highlighted(file: Path) -> None:
    report = parse_report(TEXT)
    text = _parse_tables.highlighted(report)
    assert "".join(c for c in text.plain if c not in "[]").count("肝") == TEXT.count("肝")
    styled = {text.plain[s.start : s.end]: str(s.style) for s in text.spans}
    increased = next(piece for piece, style in styled.items() if "on red" in style)
    assert increased == "FDG摄取轻度增高"
    assert any("underline" in style for style in styled.values())
    assert any(style == "dim" and "考虑恶性" in piece for piece, style in styled.items())


def test_tables_are_made_for_a_terminal(file: Path, tmp_path: Path) -> None:
    one = run(file, "--format", "table").stdout
    assert "liver" in one
    assert "5.6" in one
    assert "23×18" in one
    (tmp_path / "second.txt").write_text("The kidneys are photopenic.", encoding="utf-8")
    many = run(tmp_path, "--format", "table").stdout
    assert "2 reports." in many
    assert "kidneys" in many


def test_a_pipe_gives_json_and_a_terminal_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _output.chosen_format(None) == "json"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert _output.chosen_format(None) == "table"


def test_errors_name_file_and_line(tmp_path: Path) -> None:
    assert "nowhere.txt: no such file" in error(tmp_path / "nowhere.txt")
    empty = tmp_path / "empty.txt"
    empty.write_text("", encoding="utf-8")
    assert "empty.txt: the file is empty" in error(empty)
    (tmp_path / "folder").mkdir()
    assert "no .txt files" in error(tmp_path / "folder")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"id": 1, "text": "肝脏FDG摄取增高。"}\n{"id": 2, "text": \n', encoding="utf-8")
    assert "broken.jsonl, line 2: " in error(broken)
    columns = tmp_path / "columns.csv"
    columns.write_text("id,words\n1,肝脏FDG摄取增高。\n", encoding="utf-8")
    assert "--text-column" in error(columns)
    assert "no column 'text'" in error(columns, "--text-column", "text")
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xff\xff\x81\x81")
    assert "neither UTF-8 nor GB18030" in error(binary)


def test_errors_of_standard_input_name_the_line() -> None:
    assert "<stdin>: there is no text" in error(stdin="\n")
    assert "<stdin>, line 2: the line is not a whole JSON object" in error(
        stdin='{"id": 1, "text": "肝"}\n{"id": 2,\n'
    )
    assert "<stdin>, line 1: there is no column 'words'" in error(
        "--text-column", "words", stdin='{"id": 1}\n'
    )
    assert "<stdin>, line 2: there is no column with a text" in error(
        stdin='{"id": 1, "text": "肝"}\n{"id": 2}\n'
    )


def test_reports_are_read_one_at_a_time(tmp_path: Path) -> None:
    """What stands before a broken line is printed already: memory does not grow with the file."""
    path = tmp_path / "many.jsonl"
    row = json.dumps({"id": 1, "text": "肝脏FDG摄取增高。"}, ensure_ascii=False)
    path.write_text((row + "\n") * 60 + "{broken\n", encoding="utf-8")
    result = run(path, "--format", "jsonl")
    assert isinstance(result.exception, InputError)
    assert len(result.stdout.splitlines()) == 60


def test_the_program_exits_with_2_and_a_message(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pet2rep_eval", "parse", str(tmp_path / "nowhere.txt")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pet2rep-eval: ")
    assert "Traceback" not in done.stderr


def test_every_case_of_the_corpus_has_a_json_form() -> None:
    for case in load_cases(CORPUS):
        report = parse_report(case.text)
        value = json.loads(json.dumps(report_dict(report, study_id="x", rules=True), ensure_ascii=False))
        assert set(value["organs"]) == set(report.states)
        for statement in value["statements"]:
            for key in ("ct", "uptake", "mention"):
                span = statement[key]
                assert span is None or case.text[span["start"] : span["end"]] == span["text"]


def test_phrases_come_in_order_without_overlap() -> None:
    for case in load_cases(CORPUS):
        end = 0
        for phrase in phrases(case.text):
            assert end <= phrase.span.start <= phrase.span.end <= len(case.text)
            end = phrase.span.end
