"""Bad input names file, line and remedy; lenient reading lists what it goes past."""

from __future__ import annotations

import json

import pytest

from pet2rep_eval import datasets
from pet2rep_eval.errors import InputError

GOOD = '{"subject_id": "a", "llm_output": ["x"]}\n'


def raised(read, path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    error = caught.value
    assert str(error).startswith(str(path))
    assert error.remedy, "an error says what to do"
    return error


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("read", [datasets.read_predictions, datasets.read_references, datasets.read_ids])
def test_no_such_file(read, tmp_path):
    assert "no such file" in str(raised(read, tmp_path / "absent.jsonl"))


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff", "\ufeff\n"])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.tsv"])
def test_empty_file(tmp_path, name, content):
    assert "is empty" in str(raised(datasets.read_predictions, written(tmp_path, name, content)))


@pytest.mark.parametrize(
    ("name", "content"), [("x.csv", "id,prediction\n"), ("x.json", "[]"), ("x.json", " [ ] ")]
)
def test_no_studies(tmp_path, name, content):
    error = raised(datasets.read_predictions, written(tmp_path, name, content))
    assert "no studies" in str(error)


def test_empty_folder(tmp_path):
    assert "it is empty" in str(raised(datasets.read_predictions, tmp_path))
    written(tmp_path, "notes.md", "x")
    assert "notes.md" in str(raised(datasets.read_predictions, tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.jsonl", '{"study_id": "a", "something": "x"}\n', None),
        ("x.csv", "study_id,something\na,x\n", 1),
        ("x.tsv", "study_id\tsomething\na\tx\n", 1),
        ("x.json", '[{"study_id": "a", "something": "x"}]', None),
    ],
)
def test_no_recognisable_column(tmp_path, name, content, line):
    path = written(tmp_path, name, content)
    error = raised(datasets.read_predictions, path)
    assert error.line == line
    assert "'something'" in str(error)
    assert "--prediction-column" in str(error)
    assert "llm_output" in str(error)
    assert datasets.read_predictions(path, prediction_column="something").rows[0].text == "x"
    assert "--reference-column" in str(raised(datasets.read_references, path))
    error = raised(datasets.read_predictions, path, prediction_column="somthing")
    assert "Did you mean 'something'?" in str(error)
    error = raised(datasets.read_predictions, path, prediction_column="something", id_column="key")
    assert "no column 'key'" in str(error)


def test_no_id_column(tmp_path):
    error = raised(datasets.read_predictions, written(tmp_path, "x.csv", "prediction\nx\n"))
    assert "--id-column" in str(error)


def test_unknown_format(tmp_path):
    assert "format is not recognised" in str(
        raised(datasets.read_predictions, written(tmp_path, "x.bin", b"\x00\x01\x02 words"))
    )


BROKEN = [
    ("x.jsonl", GOOD + '{"subject_id": "b", "llm_output": ["y"\n' + GOOD.replace('"a"', '"c"'), 2, "b"),
    ("x.jsonl", GOOD + "\n\n[1, 2]\n", 4, None),
    ("x.jsonl", GOOD + '{"llm_output": ["y"]}\n', 2, None),
    ("x.jsonl", GOOD + '{"subject_id": "b"}\n', 2, "b"),
    ("x.jsonl", GOOD + '{"subject_id": "b", "llm_output": {"no": "text"}}\n', 2, "b"),
    ("x.jsonl", GOOD + '{"subject_id": "", "llm_output": ["y"]}\n', 2, None),
    ("x.csv", "id,prediction\na,x\nb,y,z\n", 3, "b"),
    ("x.csv", "id,prediction\na,x\nb\n", 3, "b"),
    ("x.csv", 'id,prediction\n"a","x\nover lines"\nb,"y"z\nc,w\n', 4, None),
    ("x.csv", 'id,prediction\na,x\nb,"never closed\nc,w\n', 3, None),
    ("x.csv", "id,prediction\na,x\n,y\n", 3, None),
    ("x.json", '[{"id": "a", "prediction": "x"},\n\n "loose",\n {"id": "c", "prediction": "w"}]', 3, None),
]


@pytest.mark.parametrize(("name", "content", "line", "study"), BROKEN)
def test_a_broken_line_in_predictions(tmp_path, name, content, line, study):
    path = written(tmp_path, name, content)
    error = raised(datasets.read_predictions, path)
    assert error.line == line
    assert "--lenient" in str(error)
    lenient = datasets.read_predictions(path, lenient=True)
    assert len(lenient.problems) == 1
    assert lenient.problems[0].startswith(f"{path}, line {line}: ")
    assert [r.study_id for r in lenient.rows if r.problem] == ([study] if study else [])
    assert lenient.rows[0].study_id == "a"


def test_broken_bytes_are_named_by_line(tmp_path):
    good = '{"id": "a", "prediction": "肝脏未见异常"}\n'.encode()
    bad = '{"id": "b", "prediction": "肝脏'.encode() + b"\xff\xfe" + '未见异常"}\n'.encode()
    path = written(tmp_path, "x.jsonl", good + bad + good.replace(b'"a"', b'"c"'))
    error = raised(datasets.read_predictions, path)
    assert (error.line, "UTF-8" in str(error)) == (2, True)
    lenient = datasets.read_predictions(path, lenient=True)
    assert [(r.study_id, bool(r.problem)) for r in lenient.rows] == [("a", False), ("b", True), ("c", False)]
    table = written(
        tmp_path, "x.csv", "id,prediction\na,肝脏\nb,脾".encode() + b"\xff\n" + "c,左肾\n".encode()
    )
    assert raised(datasets.read_predictions, table).line == 3
    document = written(
        tmp_path,
        "x.json",
        b'[{"id": "a",\n "prediction": "' + "肝脏".encode() + b'\xff"},\n' + '"脾脏",\n"胃"]'.encode(),
    )
    assert raised(datasets.read_predictions, document).line == 2


def test_neither_encoding(tmp_path):
    path = written(tmp_path, "x.csv", b"id,prediction\na,x\n" + b"b,\xff\xff\xff\n")
    error = raised(datasets.read_predictions, path)
    assert (error.line, "GB18030" in str(error)) == (3, True)


def test_a_file_of_a_folder_that_cannot_be_decoded(tmp_path):
    written(tmp_path, "a.txt", "肝脏未见异常")
    written(tmp_path, "b.txt", b"\xff\xff\xff")
    assert "b.txt" in str(raised(datasets.read_predictions, tmp_path))
    lenient = datasets.read_predictions(tmp_path, lenient=True)
    assert [(r.study_id, bool(r.problem)) for r in lenient.rows] == [("a", False), ("b", True)]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('[{"id": "a", "prediction": "x"},\n{"id": "b", "prediction": }]', 2),
        ('[{"id": "a", "prediction": "x"}\n\n{"id": "b", "prediction": "y"}]', 3),
        ('[{"id": "a", "prediction": "x"},\n', 2),
        ('{"a": "x",\n "b": "y"\n}\ntail', 4),
        ('"text"', 1),
        ('[{"id": "a", "prediction": "x"}]\n{}', 2),
        ('[{"id": "a", "prediction": "x"}', 1),
    ],
)
def test_a_broken_document(tmp_path, content, line):
    path = written(tmp_path, "x.json", content)
    assert raised(datasets.read_predictions, path, lenient=True).line == line


def test_broken_binary_files(tmp_path):
    assert "workbook" in str(
        raised(datasets.read_predictions, written(tmp_path, "x.xlsx", b"PK\x03\x04 no zip"))
    )
    assert "Parquet" in str(
        raised(datasets.read_predictions, written(tmp_path, "x.parquet", b"PAR1 no table"))
    )


REFERENCES = [
    ('{"id": "a", "answer": "x"}\n{"id": "a", "answer": "x"}\n', 2, "second time"),
    ('{"id": "a", "answer": "x"}\n{"id": "b", "answer": \n', 2, "whole JSON"),
    ('{"id": "a", "answer": "x"}\n{"answer": "y"}\n', 2, "no study id"),
    ('{"id": "a", "answer": "x"}\n\n{"id": "b", "answer": " "}\n', 3, "is empty"),
    ('{"id": "a", "answer": "x"}\n{"id": "b"}\n', 2, "is empty"),
    ('{"id": "a", "answer": "x"}\n{"id": "b", "answer": {"a": 1}}\n', 2, "cannot be read"),
]


@pytest.mark.parametrize(("content", "line", "words"), REFERENCES)
def test_bad_references(tmp_path, content, line, words):
    error = raised(datasets.read_references, written(tmp_path, "x.jsonl", content))
    assert (error.line, words in str(error)) == (line, True)


def test_bad_ids(tmp_path):
    path = written(tmp_path, "x.csv", "id,prediction\na,x\n,y\n")
    assert raised(datasets.read_ids, path).line == 3


def test_a_header_that_names_a_column_twice(tmp_path):
    error = raised(datasets.read_predictions, written(tmp_path, "x.csv", "id,prediction,prediction\na,x,y\n"))
    assert (error.line, "'prediction'" in str(error)) == (1, True)


def test_half_a_surrogate_pair_does_not_travel(tmp_path):
    path = written(tmp_path, "x.jsonl", json.dumps({"id": "a", "prediction": "x \ud83d"}) + "\n")
    assert datasets.read_predictions(path).rows[0].text == "x \ufffd"


def test_deep_nesting(tmp_path):
    path = written(tmp_path, "x.jsonl", GOOD + "[" * 200_000 + "\n")
    assert raised(datasets.read_predictions, path).line == 2
