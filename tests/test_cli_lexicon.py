"""``pet2rep-eval lexicon``: check finds what is wrong, unknown ranks what is missing, export hands it on."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pet2rep_eval.cli import group
from pet2rep_eval.errors import InputError, ResourceError, UnknownNameError
from pet2rep_eval.explain import CUE, clause_spans, uptake_clauses
from pet2rep_eval.growing import Survey
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing import parse_report
from tests.conftest import ROOT


def run(*args: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(group, ["lexicon", *map(str, args)], input=stdin, catch_exceptions=True)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    folder = tmp_path / "lexicons"
    shutil.copytree(ROOT / "lexicons", folder)
    return folder


def problem(folder: Path) -> str:
    result = run("check", folder)
    assert isinstance(result.exception, ResourceError), result.output
    return str(result.exception)


def test_the_bundled_tables_are_sound() -> None:
    result = run("check")
    assert result.exit_code == 0, str(result.exception)
    assert "Nothing is wrong" in result.stdout
    assert f"{len(load_lexicon().sites)} organs" in result.stdout


def test_a_sound_folder_passes(tables: Path) -> None:
    assert run("check", tables).exit_code == 0


def _insert(folder: Path, file: str, text: str) -> int:
    """Appends to a table; returns the line that *text* begins on."""
    path = folder / f"{file}.toml"
    before = path.read_text(encoding="utf-8").rstrip("\n") + "\n"
    path.write_text(before + text, encoding="utf-8")
    return before.count("\n") + 1


def test_one_phrase_under_two_concepts_is_named_with_both_lines(tables: Path) -> None:
    line = _insert(tables, "uptake", '\n[increased.new]\nkind = "UP"\nzh = ["肝脏"]\nen = []\n')
    message = problem(tables)
    assert f"uptake.toml, line {line + 3}: the phrase '肝脏' stands under two concepts" in message
    assert "[liver] in" in message
    assert "organs.toml, line " in message
    assert "1 problem in" in message


PHRASES = 'zh = ["高高"]\nen = []\n'
UP = 'kind = "UP"\n'
NAMED = 'name = { zh = "甲", en = "x" }\n'
WRONG = {
    "has spaces at its ends": ("uptake", UP + 'zh = [" 高高 "]\n'),
    "is empty": ("uptake", UP + 'zh = [""]\n'),
    "'甲：乙' can never match, as texts are read; write '甲:乙'": ("uptake", UP + 'zh = ["甲：乙"]\n'),
    "stands there twice": ("uptake", UP + 'zh = ["高高", "高高"]\n'),
    "'UPWARD' is no terminal of grammars/clause.lark": ("uptake", 'kind = "UPWARD"\n' + PHRASES),
    "state: 'hot' is not known": ("uptake", 'kind = "VERDICT"\nstate = "hot"\n' + PHRASES),
    "did you mean 'left'": ("context", 'kind = "SIDE"\nside = "lefft"\n' + PHRASES),
    "a list of strings is needed": ("context", 'kind = "SIDE"\nzh = "高高"\n'),
    "did you mean 'liver'": ("groups", 'kind = "SITE"\norgans = ["livr"]\n' + PHRASES),
    "region: 'leg' is not known": ("regions", 'kind = "REGION"\nregion = "leg"\n' + PHRASES),
    "the display name in 'en' is missing": (
        "organs",
        'name = { zh = "甲" }\ngroup = "chest"\nzh = ["高高"]\nen = ["y"]\n',
    ),
    "there is no phrase in 'en'": ("organs", NAMED + 'group = "chest"\n' + PHRASES),
    "'group' is one of head_neck": ("organs", NAMED + 'group = "leg"\nzh = ["高高"]\nen = ["xyz"]\n'),
    "stands under two concepts": ("sections", 'zh = ["检查所见"]\nen = []\n'),
    "unknown key 'colour'": ("uptake", "colour = 1\n" + UP + PHRASES),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_named(tables: Path, words: str) -> None:
    file, text = WRONG[words]
    line = _insert(tables, file, "\n[x]\n" + text)
    message = problem(tables)
    assert words in message
    assert f"{file}.toml" in message
    if "unknown key" not in words:
        named = {f"{file}.toml, line {n}" for n in range(line, line + text.count("\n") + 2)}
        assert any(place in message for place in named), message


def test_a_broken_table_is_named(tables: Path) -> None:
    line = _insert(tables, "uptake", "[x\n")
    assert f"uptake.toml, line {line}: this is not valid TOML" in problem(tables)


def test_all_problems_are_listed_at_once(tables: Path) -> None:
    _insert(tables, "uptake", '\n[x]\nkind = "UPWARD"\nzh = ["肝脏", "甲：乙"]\nen = []\n')
    message = problem(tables)
    assert "3 problems" in message


def test_an_organ_without_a_score_is_named(tables: Path) -> None:
    path = tables / "protocols" / "sites.toml"
    rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(row for row in rows if not row.startswith("skin")), encoding="utf-8")
    assert "the organ 'skin' is not scored" in problem(tables)


def test_a_missing_table_is_named(tables: Path) -> None:
    (tables / "groups.toml").unlink()
    result = run("check", tables)
    assert isinstance(result.exception, InputError)
    assert "groups.toml: no such lexicon table" in str(result.exception)


def test_unknown_ranks_clauses_and_words(tmp_path: Path) -> None:
    strange = "代谢图谱呈蓝色"
    texts = [
        f"{strange}。脾脏FDG摄取增高。",
        f"{strange}，丁戊腺见结节。脾脏FDG摄取增高。",
        "右侧丁戊腺增厚。",
    ]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    value = json.loads(run("unknown", tmp_path).stdout)
    assert value["reports"] == 3
    clauses = value["clauses"]
    assert clauses["distinct"] == clauses["stated"] + clauses["explained"] + clauses["unknown"]
    assert [(u["text"], u["count"]) for u in value["unknown"]] == [(strange, 2)]
    assert value["unknown"][0]["example"].endswith("0.txt")
    assert clauses["share"] == pytest.approx(1 - 1 / clauses["distinct"])
    words = {w["text"]: w["count"] for w in value["words"]}
    assert words.get("丁戊腺") == 2
    assert list(words.values()) == sorted(words.values(), reverse=True)
    one = json.loads(run("unknown", tmp_path, "--top", 1).stdout)
    assert len(one["words"]) == 1


def test_unknown_reads_several_columns(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("id,a,b\n1,肝脏FDG摄取增高。,脾脏FDG摄取减低。\n", encoding="utf-8")
    value = json.loads(run("unknown", path, "--text-column", "a", "--text-column", "b").stdout)
    assert (value["reports"], value["clauses"]["stated"]) == (2, 2)


def test_unknown_in_every_format(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("纵隔血池SUVmax 2.1。代谢图谱呈蓝色。", encoding="utf-8")
    table = run("unknown", path, "--format", "table").stdout
    assert "代谢图谱呈蓝色" in table
    assert "50.00% understood" in table
    markdown = run("unknown", path, "--format", "markdown", "--explained").stdout
    assert "| 1 | 纵隔血池SUVmax 2.1 | reference value |" in markdown
    rows = list(csv.reader(io.StringIO(run("unknown", path, "--format", "csv", "--explained").stdout)))
    assert rows[0] == ["list", "count", "text", "reason", "example"]
    assert ["clauses explained", "1", "纵隔血池SUVmax 2.1", "reference value", str(path)] in rows
    value = json.loads(run("unknown", path, "--explained").stdout)
    assert [e["reason"] for e in value["explained_clauses"]] == ["reference value"]


def _verdicts(text: str) -> list[tuple[str, str, str]]:
    report = parse_report(text)
    return [(c.span.of(text), c.verdict, c.reason) for c in uptake_clauses(report)]


@pytest.mark.parametrize(
    ("text", "clause", "reason"),
    [
        ("肝脏见肿块，FDG摄取增高，SUVmax 5.6。", "SUVmax 5.6", "measure of a neighbour's statement"),
        ("肝脏FDG摄取增高，SUVmax 5.6，SUVavg 3.1。", "SUVavg 3.1", "measure of a neighbour's statement"),
        ("纵隔血池SUVmax 2.1。", "纵隔血池SUVmax 2.1", "reference value"),
        ("肝脏FDG摄取增高。\n诊断：肝脏高代谢。", "诊断：肝脏高代谢", "section 'impression' is not read"),
        ("静脉注射18F-FDG 7.2mCi。肝脏FDG摄取增高。", "静脉注射18F-FDG 7.2mCi", "names the tracer"),
        ("18F-FDG PET/CT显示肝脏增大。", "18F-FDG PET/CT显示肝脏增大", "names the examination"),
        ("肝脏见肿块，FDG摄取增高，SUVmax（img12）。", "SUVmax（img12）", "measure without its value"),
    ],
)  # fmt: skip
def test_clauses_that_need_no_statement_are_explained(text: str, clause: str, reason: str) -> None:
    assert (clause, "explained", reason) in _verdicts(text)


def test_what_is_not_understood_is_not_explained_away() -> None:
    assert _verdicts("代谢图谱呈蓝色。")[0][1] == "unknown"
    assert [v for _, v, _ in _verdicts("今日检查，摄取增高。")] == ["unknown"]


def test_what_lies_beside_an_organ_is_of_none_and_the_reading_says_so() -> None:
    text = "胰头下方十二指肠旁见结节，摄取增高。"
    assert [(v, r) for _, v, r in _verdicts(text)] == [("explained", "beside an organ, hence of none")]
    assert [d.code for d in parse_report(text).diagnostics if d.code == "P002"] == ["P002"]


def test_clauses_end_where_a_reader_sees_an_end() -> None:
    text = "大小1.5cm，FDG摄取增高；SUVmax 5.6。No uptake, e.g. here. 1,000 mm\r\nlast"
    assert [s.of(text) for s in clause_spans(text)] == [
        "大小1.5cm",
        "FDG摄取增高",
        "SUVmax 5.6",
        "No uptake",
        "e.g",
        "here",
        "1,000 mm",
        "last",
    ]


def test_a_clause_is_unknown_if_it_ever_was() -> None:
    survey = Survey()
    survey.add("今日检查，FDG摄取增高。", "first")
    survey.add("肝脏见结节，FDG摄取增高。", "second")
    assert CUE.search("FDG摄取增高")
    assert survey.verdicts["FDG摄取增高"] == "unknown"
    assert [(f.text, f.count, f.example) for f in survey.clauses()] == [("FDG摄取增高", 1, "first")]
    assert survey.share == 0.0
    assert Survey().share == 1.0


def test_export_holds_every_concept() -> None:
    rows = json.loads(run("export").stdout)
    lexicon = load_lexicon()
    exported = {phrase.lower() for row in rows for phrase in (*row["zh"], *row["en"])}
    assert exported == set(lexicon.phrases)
    liver = next(row for row in rows if row["concept"] == "liver")
    assert (liver["kind"], liver["organs"]) == ("SITE", ["liver"])
    assert "肝 (liver)" in liver["meaning"]


def test_export_in_every_format() -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", "--format", "csv", "--kind", "NEG").stdout)))
    assert {row["kind"] for row in rows} == {"NEG"}
    assert any("未见" in row["zh"].split("; ") for row in rows)
    assert "| negation | NEG |" in run("export", "--format", "markdown", "--kind", "NEG").stdout
    assert "negation" in run("export", "--format", "table", "--kind", "NEG").stdout
    wrong = run("export", "--kind", "NEGG").exception
    assert isinstance(wrong, UnknownNameError)
    assert "Did you mean 'NEG'" in str(wrong)
