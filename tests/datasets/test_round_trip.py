"""A dataset written in any format reads back equal."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pet2rep_eval import datasets
from pet2rep_eval.datasets import values

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,11}", fullmatch=True)
CHARACTERS = st.one_of(
    st.sampled_from(list("肝脏未见异常摄取增高。，；：【】[]{}\"',;\t\n \\/=|#")),
    st.characters(blacklist_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")),
)
# a text that is a written-out list is unwrapped on purpose, and so is Excel's escape of a carriage return
TEXTS = st.text(CHARACTERS, max_size=40).filter(
    lambda t: values.texts(t).texts == (t,) and "_x000D_" not in t
)
STUDIES = st.dictionaries(IDS, st.tuples(TEXTS, TEXTS.filter(str.strip)), min_size=1, max_size=6)
COLUMNS = ("study_id", "prediction", "reference")


def _rows(studies):
    return [(study, *texts) for study, texts in studies.items()]


def _objects(studies):
    return [dict(zip(COLUMNS, row, strict=True)) for row in _rows(studies)]


def _jsonl(path, studies):
    lines = (json.dumps(o, ensure_ascii=len(o["prediction"]) % 2 == 0) for o in _objects(studies))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _json(path, studies):
    path.write_text(json.dumps(_objects(studies), ensure_ascii=False, indent=1), encoding="utf-8")


def _separated(delimiter, encoding):
    def write(path, studies):
        with path.open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(stream, delimiter=delimiter)
            writer.writerows([COLUMNS, *_rows(studies)])

    return write


def _xlsx(path, studies):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(COLUMNS)
    for number, row in enumerate(_rows(studies), 2):
        for column, value in enumerate(row, 1):
            cell = book.active.cell(number, column, value)
            # openpyxl takes "=…" for a formula
            cell.data_type = "s"
    book.save(path)


def _parquet(path, studies):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(_objects(studies)), path)


FORMATS = {
    "x.jsonl": _jsonl,
    "x.json": _json,
    "x.csv": _separated(",", "utf-8"),
    "bom.csv": _separated(",", "utf-8-sig"),
    "x.tsv": _separated("\t", "utf-8"),
    "x.xlsx": _xlsx,
    "x.parquet": _parquet,
}


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(studies=STUDIES)
def test_round_trip(name, studies):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        FORMATS[name](path, studies)
        submission = datasets.read_predictions(path)
        assert {r.study_id: (r.text, r.references[0]) for r in submission.rows} == studies
        assert [r.study_id for r in submission.rows] == list(studies)
        assert datasets.read_references(path).studies == {k: (v[1],) for k, v in studies.items()}


@settings(max_examples=40, deadline=None)
@given(studies=STUDIES)
def test_round_trip_of_a_folder(studies):
    # names of files may not differ only in case on some systems
    studies = {k.lower(): v for k, v in studies.items()}
    with tempfile.TemporaryDirectory() as folder:
        for study, (text, _) in studies.items():
            Path(folder, f"{study}.txt").write_text(text, encoding="utf-8", newline="")
        submission = datasets.read_predictions(folder)
        assert {r.study_id: r.text for r in submission.rows} == {k: v[0] for k, v in studies.items()}


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["肝脏", "脾脏", "未见异常", "摄取增高", "，", "。", "FDG", "左肾"]), min_size=12
    )
)
def test_gb18030_is_told_from_utf8(words):
    text = "".join(words)
    with tempfile.TemporaryDirectory() as folder:
        for encoding in ("utf-8", "utf-8-sig", "gb18030"):
            path = Path(folder) / f"{encoding}.csv"
            path.write_text(f"id,prediction\na,{text}\n", encoding=encoding)
            assert [r.text for r in datasets.read_predictions(path).rows] == [text], encoding
