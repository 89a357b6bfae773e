"""Whatever stands in a file, reading it gives a submission or an error that names the file."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pet2rep_eval import datasets
from pet2rep_eval.errors import InputError
from tests.conftest import ROOT

FOLDER = ROOT / "fixtures/datasets"
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".xlsx", ".parquet", ".txt", "")


@cache
def _spreadsheet():
    import openpyxl

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.xlsx"
        book = openpyxl.Workbook()
        book.active.append(["id", "prediction"])
        book.active.append(["a", "肝脏FDG摄取增高。"])
        book.save(path)
        return path.read_bytes()


@cache
def _columnar():
    import pyarrow
    import pyarrow.parquet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.parquet"
        table = pyarrow.Table.from_pylist([{"id": "a", "prediction": "肝脏FDG摄取增高。"}])
        pyarrow.parquet.write_table(table, path)
        return path.read_bytes()


def _read(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        path.write_bytes(content)
        for read in (
            datasets.read_predictions,
            lambda p: datasets.read_predictions(p, lenient=True),
            datasets.read_references,
            datasets.read_ids,
            datasets.read_reports,
        ):
            error = None
            try:
                read(path)
            except InputError as raised:
                error = raised
            assert error is None or (str(error).startswith(str(path)) and error.remedy)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=80), suffix=st.sampled_from(SUFFIXES))
def test_any_bytes(content, suffix):
    _read(content, suffix)


@settings(max_examples=150, deadline=None)
@given(
    content=st.text(st.sampled_from('{}[]",:\n\t;\\ idprectonAanswer1é肝\ufeff'), max_size=80),
    suffix=st.sampled_from(SUFFIXES),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]),
)
def test_any_text(content, suffix, encoding):
    _read(content.encode(encoding), suffix)


@pytest.mark.parametrize(
    "name", ["official_result.jsonl", "plain.json", "by_id.json", "petrg3d.csv", "xlsx", "parquet"]
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files(name, data):
    whole = {"xlsx": _spreadsheet, "parquet": _columnar}.get(name, lambda: (FOLDER / name).read_bytes())()
    place = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    damaged = whole[:place] + data.draw(st.binary(max_size=5)) + whole[place + length :]
    if data.draw(st.booleans()):
        damaged = damaged[:place]
    _read(damaged, Path(name).suffix or f".{name}")
