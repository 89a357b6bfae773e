"""Every format reads to the same studies; columns and encodings are recognised and can be named."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from pet2rep_eval import datasets
from pet2rep_eval.errors import InputError, UnknownNameError
from tests.conftest import ROOT, SHARED, needs_shared

FOLDER = ROOT / "fixtures/datasets"
PREDICTIONS = json.loads((FOLDER / "by_id.json").read_text(encoding="utf-8"))
LMMS = "lmms_eval/some__model/20260101_120000_samples_pet_report.jsonl"

FILES = {
    # file → reader, encoding, id column, prediction column, reference column, system
    "official_result.jsonl": ("official_result", "UTF-8", "subject_id", "llm_output", "ground_truth"),
    "petrg3d.csv": ("petrg3d", "UTF-8", "AccNum", "Cleaned_Pred_report", "GT_report"),
    "plain.jsonl": ("jsonl", "UTF-8", "study_id", "prediction", "reference"),
    "plain.json": ("json", "UTF-8", "study_id", "prediction", "reference"),
    "by_id.json": ("json", "UTF-8", "id", "(value)", None),
    "plain.csv": ("csv", "UTF-8", "study_id", "prediction", "reference"),
    "semicolon.csv": ("csv", "UTF-8", "study_id", "prediction", "reference"),
    "gb18030.csv": ("csv", "GB18030", "study_id", "prediction", "reference"),
    "plain.tsv": ("tsv", "UTF-8", "study_id", "prediction", "reference"),
    "texts": ("text", "", "id", "text", None),
    "vlmevalkit.tsv": ("vlmevalkit", "UTF-8", "index", "prediction", "answer"),
    LMMS: ("lmms_eval", "UTF-8", "doc_id", "filtered_resps", "target"),
}


def references():
    return dict(datasets.read_references(FOLDER / "official_prompt.jsonl").studies)


@pytest.mark.parametrize("name", FILES)
def test_every_format_reads_to_the_same_studies(name):
    reader, encoding, id_column, prediction, reference = FILES[name]
    submission = datasets.read_predictions(FOLDER / name)
    assert submission.format == reader
    assert submission.encoding == encoding
    roles = {"id": id_column, "prediction": prediction, "reference": reference}
    assert submission.columns == {k: v for k, v in roles.items() if v}
    for column in submission.columns.values():
        assert repr(column) in submission.notes[0]
    read = {row.study_id: row.text.strip() for row in submission.rows}
    expected = {str(i): t for i, t in enumerate(PREDICTIONS.values())} if name == LMMS else PREDICTIONS
    assert read == expected
    if reference:
        assert [r.references[0] for r in submission.rows] == [t[0] for t in references().values()]
    assert submission.problems == ()


@pytest.mark.parametrize("name", [n for n, row in FILES.items() if row[4] and n != LMMS])
def test_references_read_from_every_format_that_has_them(name):
    assert datasets.read_references(FOLDER / name).studies == references()


def test_system_names(tmp_path):
    assert datasets.read_predictions(FOLDER / "plain.csv").system == "plain"
    assert datasets.read_predictions(FOLDER / "texts").system == "texts"
    assert datasets.read_predictions(FOLDER / LMMS).system == "some__model"
    assert datasets.read_predictions(FOLDER / "plain.csv", system="gpt").system == "gpt"
    dotted = tmp_path / "model-v1.5"
    shutil.copytree(FOLDER / "texts", dotted)
    assert datasets.read_predictions(dotted).system == "model-v1.5"


def test_columns_can_be_named():
    raw = datasets.read_predictions(FOLDER / "petrg3d.csv", prediction_column="Pred_report")
    assert all("【病例结束】" in row.text for row in raw.rows)
    assert (raw.cleaning, datasets.read_predictions(FOLDER / "petrg3d.csv").cleaning) == ("default", "none")
    inside = datasets.read_predictions(FOLDER / LMMS, id_column="doc.patient_id")
    assert [r.study_id for r in inside.rows] == list(PREDICTIONS)
    by_name = datasets.read_references(FOLDER / "plain.csv", reference_column="prediction")
    assert by_name.studies["003"] == (PREDICTIONS["003"],)


def test_the_order_of_the_list_decides_and_the_others_are_told():
    submission = datasets.read_predictions(FOLDER / "petrg3d.csv")
    assert submission.columns["prediction"] == "Cleaned_Pred_report"
    assert "also there: 'Pred_report'" in submission.notes[0]


def test_column_order(tmp_path):
    ids = ["subject_id", "patient_id", "study_id", "id", "AccNum", "doc_id", "index", "case_id"]
    outputs = ["prediction", "llm_output", "response", "output"]
    outputs += ["Cleaned_Pred_report", "Pred_report", "filtered_resps", "resps"]
    targets = ["reference", "ground_truth", "answer", "GT_report", "target"]
    path = tmp_path / "all.jsonl"
    while targets:
        row = {name: f"text of {name}" for name in reversed(ids + outputs + targets)}
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
        chosen = datasets.read_predictions(path).columns
        assert chosen == {"id": ids[0], "prediction": outputs[0], "reference": targets[0]}
        ids, outputs, targets = (ids[1:] or ids), (outputs[1:] or outputs), targets[1:]


def test_names_of_columns_may_differ_in_case(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Study_ID,Prediction \n1,text\n", encoding="utf-8")
    submission = datasets.read_predictions(path)
    assert submission.columns == {"id": "Study_ID", "prediction": "Prediction"}


def test_a_cell_of_any_size(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["AccNum", "Question", "GT_report", "Pred_report"])
        writer.writerow(["a", "<image>\n" * 400_000, "未见异常", "肝脏FDG摄取增高。"])
    submission = datasets.read_predictions(path)
    assert [r.text for r in submission.rows] == ["肝脏FDG摄取增高。"]


def test_nested_and_written_lists(tmp_path):
    path = tmp_path / "x.jsonl"
    rows = [
        {"id": 1, "resps": [["first", "second"]], "target": ["ref one", "ref two"]},
        {"id": 2.0, "resps": "['written \\'out\\'']", "target": "ref"},
        {"id": " 003 ", "resps": None, "target": "ref"},
        {"id": "d", "resps": {"content": "inner"}, "target": "ref"},
        {"id": "e", "resps": "[normal] brain, 【increased】 uptake in the [left lobe]", "target": "ref"},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    submission = datasets.read_predictions(path)
    assert {r.study_id: r.text for r in submission.rows} == {
        "1": "first",
        "2": "written 'out'",
        "003": "",
        "d": "inner",
        "e": rows[4]["resps"],
    }
    assert submission.rows[0].references == ("ref one", "ref two")
    assert any("1 row(s) of 'resps' hold several outputs" in note for note in submission.notes)


def test_spreadsheet_ids_are_not_guessed(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["study_id", "prediction"])
    for study in (1, 2.0, "003", 10**15):
        sheet.append([study, "text"])
    sheet.append([None, None])
    book.save(tmp_path / "x.xlsx")
    read = datasets.read_predictions(tmp_path / "x.xlsx")
    assert [r.study_id for r in read.rows] == ["1", "2", "003", "1000000000000000"]


def test_a_spreadsheet_whose_data_are_on_the_second_sheet(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["About this file"])
    book.create_sheet("data").append(["index", "prediction", "question"])
    book["data"].append(["a", "first line_x000D_\nsecond", "q"])
    book.save(tmp_path / "x.xlsx")
    read = datasets.read_predictions(tmp_path / "x.xlsx")
    assert (read.format, read.rows[0].text) == ("vlmevalkit", "first line\nsecond")


def test_a_full_cell_is_told(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["id", "prediction"])
    book.active.append(["a", "字" * 32767])
    book.save(tmp_path / "x.xlsx")
    assert any("may be cut" in note for note in datasets.read_predictions(tmp_path / "x.xlsx").notes)


LINES = b'{"id": "a", "prediction": "x"}\n{"id": "b", "prediction": "y"}\n'
LIST = b'\xef\xbb\xbf[{"id": "a", "prediction": "x"},\n {"id": "b", "prediction": "y"}]'
SPREAD = b'{\n "a": "x",\n "b": "y"\n}'
WRAPPED = b'{"predictions": [{"id": "a", "prediction": "x"}, {"id": "b", "prediction": "y"}]}'
NESTED = b'{"a": {"prediction": "x"}, "b": {"prediction": "y"}}'
UTF16 = "\ufeffid\tprediction\na\tx\nb\ty\n".encode("utf-16-le")


@pytest.mark.parametrize(
    ("content", "suffixes", "kind"),
    [
        (LINES, ["", ".json", ".txt", ".jsonl"], "jsonl"),
        (LIST, ["", ".json", ".jsonl"], "json"),
        (SPREAD, ["", ".json", ".txt"], "json"),
        (WRAPPED, ["", ".json", ".txt"], "json"),
        (NESTED, ["", ".json", ".txt"], "json"),
        (UTF16, ["", ".tsv", ".csv"], "tsv"),
    ],
)
def test_content_decides_over_the_suffix(tmp_path, content, suffixes, kind):
    for suffix in suffixes:
        path = tmp_path / f"x{suffix}"
        path.write_bytes(content)
        read = datasets.read_predictions(path)
        assert {r.study_id: r.text for r in read.rows} == {"a": "x", "b": "y"}
        assert read.format == kind, suffix


def test_ids_from_a_list_or_a_column(tmp_path):
    listed = tmp_path / "ids.txt"
    listed.write_text("\ufeffa\n 003 \n\na\n", encoding="utf-8")
    assert datasets.read_ids(listed) == ("a", "003")
    assert datasets.read_ids(FOLDER / "official_prompt.jsonl") == tuple(PREDICTIONS)
    assert datasets.read_ids(FOLDER / "texts") == tuple(sorted(PREDICTIONS))


def test_reports_to_parse(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "肝脏未见异常。"}\n{"text": "脾脏未见异常。"}\n', encoding="utf-8")
    assert [(r.study_id, r.text) for r in datasets.read_reports(path)] == [
        ("1", "肝脏未见异常。"),
        ("2", "脾脏未见异常。"),
    ]
    assert {r.study_id: r.text.strip() for r in datasets.read_reports(FOLDER / "texts")} == PREDICTIONS


def test_a_reader_can_be_named_and_unknown_names_suggest():
    assert datasets.read_predictions(FOLDER / "official_result.jsonl", reader="jsonl").format == "jsonl"
    with pytest.raises(UnknownNameError, match="'jsonl'"):
        datasets.read_predictions(FOLDER / "plain.jsonl", reader="jsonlines")


def test_a_named_reader_reads_a_file_of_any_suffix(tmp_path):
    path = tmp_path / "x.dat"
    shutil.copy(FOLDER / "gb18030.csv", path)
    assert {r.study_id: r.text for r in datasets.read_predictions(path, reader="csv").rows} == PREDICTIONS


def test_a_reader_of_another_package(tmp_path, monkeypatch):
    def records(source):
        for number, line in enumerate(source.path.read_bytes().split(b"\x00"), 1):
            study, _, text = line.decode("utf-8").partition("=")
            yield datasets.Record(number, {"key": study, "prediction": text})

    own = datasets.Reader("zeros", lambda s: s.path.suffix == ".zeros", records, ids=("key",))
    names, load = datasets.READERS.names(), datasets.READERS.load
    monkeypatch.setattr(datasets.READERS, "names", lambda: (*names, "zeros"))
    monkeypatch.setattr(datasets.READERS, "load", lambda name: own if name == "zeros" else load(name))
    path = tmp_path / "x.zeros"
    path.write_bytes("a=肝脏\x00b=\x00c=脾脏".encode())
    read = datasets.read_predictions(path)
    assert (read.format, {r.study_id: r.text for r in read.rows}) == (
        "zeros",
        {"a": "肝脏", "b": "", "c": "脾脏"},
    )
    assert datasets.read_predictions(FOLDER / "plain.csv").format == "csv"


def test_every_registered_reader_loads_under_its_name():
    for name in datasets.READERS.names():
        assert datasets.READERS.load(name).name == name


def test_prompts_stand_beside_predictions():
    assert all("健康者模板" in row.prompt for row in datasets.read_predictions(FOLDER / "petrg3d.csv").rows)


@needs_shared
def test_real_files():
    path = SHARED / "data/petrg3d/valid_infer_ckpt1260_autopet.csv"
    submission = datasets.read_predictions(path)
    assert (submission.format, len(submission.rows)) == ("petrg3d", 135)
    assert submission.columns == {
        "id": "AccNum",
        "prediction": "Cleaned_Pred_report",
        "reference": "GT_report",
    }
    assert len(datasets.read_references(path).studies) == 135
    prompt = datasets.read_references(SHARED / "data/pet2rep/prompt_qwen25vl.jsonl")
    assert (prompt.format, list(prompt.studies)) == ("official_prompt", ["demo_001"])
    with pytest.raises(InputError, match="--references"):
        datasets.read_predictions(SHARED / "data/pet2rep/prompt_qwen25vl.jsonl")
