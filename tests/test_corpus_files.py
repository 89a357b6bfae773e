"""The case files themselves: they load, and they are what their format promises."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from pet2rep_eval.errors import InputError
from tests.conftest import ROOT
from tests.corpus import CORPUS, Expected, load_cases, load_file

LANGUAGES = sorted(
    folder.name for folder in CORPUS.iterdir() if folder.is_dir() and any(folder.rglob("*.txt"))
)
ORGANS = ROOT / "lexicons" / "organs.toml"


@pytest.mark.parametrize("language", LANGUAGES)
def test_titles_are_unique_in_their_file(language: str) -> None:
    seen = Counter((case.path, case.title) for case in load_cases(CORPUS / language))
    assert not [f"{path.name}: {title}" for (path, title), count in seen.items() if count > 1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_twin_follows_its_case(language: str) -> None:
    before = None
    lonely = []
    for case in load_cases(CORPUS / language):
        if case.is_twin and (before is None or before.path != case.path or before.is_twin):
            lonely.append(f"{case.path.name}, line {case.line}: {case.title}")
        before = case
    assert not lonely


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_are_known_sites(language: str) -> None:
    if not ORGANS.is_file():
        pytest.skip("lexicons/organs.toml is not there")
    table = tomllib.loads(ORGANS.read_text(encoding="utf-8"))
    known = set(table) | {key for value in table.values() if isinstance(value, dict) for key in value}
    cases = load_cases(CORPUS / language)
    unknown = [
        f"{case}: {e.organ}" for case in cases for e in case.expected if e.organ and e.organ not in known
    ]
    assert not unknown


def test_no_two_cases_have_the_same_text() -> None:
    first: dict[str, str] = {}
    repeated = []
    for case in load_cases(CORPUS):
        text = case.text.strip()
        assert text, f"{case} has no text"
        if text in first:
            repeated.append(f"{case} repeats {first[text]}")
        first.setdefault(text, str(case))
    assert not repeated


def test_no_label_is_given_twice() -> None:
    doubled = []
    for case in load_cases(CORPUS):
        keys = Counter((e.organ, e.region, e.laterality, e.state) for e in case.expected)
        doubled += [f"{case}: {key}" for key, count in keys.items() if count > 1]
    assert not doubled


def test_reads_every_field(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text(
        "# comment\n=== a title\nfirst line\n---\nsecond line\n---\n@tracer PSMA\n"
        "liver right: increased degree=mild suv=5.6,7 size=23x18,4 ?\nregion chest: normal\n\n"
        "=== not: a title (escaped)\na\\r\\u00e4\n---\n(nothing)\n",
        encoding="utf-8",
    )
    case, twin = load_file(file)
    assert (case.title, case.text, case.tracer, case.line) == (
        "a title",
        "first line\n---\nsecond line",
        "PSMA",
        2,
    )
    assert case.expected == (
        Expected("liver", None, "right", "increased", "mild", (5.6, 7.0), ((23.0, 18.0), (4.0,)), True),
        Expected(None, "chest", None, "normal"),
    )
    assert case.states == {"liver": {"increased"}}
    assert case.regions == {"chest": {"normal"}}
    assert case.arguable == {"liver"}
    assert twin.is_twin
    assert twin.text == "a\rä"
    assert twin.expected == ()


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("liver: normal\n", 1, "before the first title"),
        ("=== t\ntext\nliver: normal\n", 1, "no line '---'"),
        ("===\ntext\n---\nliver: normal\n", 1, "without a title"),
        ("=== t\ntext\n---\n", 1, "no labels"),
        ("=== t\ntext\n---\n(nothing)\nliver: normal\n", 1, "and labels"),
        ("=== t\ntext\n---\nliver normal\n", 4, "no statement"),
        ("=== t\ntext\n---\nliver: hot\n", 4, "unknown state"),
        ("=== t\ntext\n---\nchest: normal\n", 4, "body region in place"),
        ("=== t\ntext\n---\nregion liver: normal\n", 4, "not a body region"),
        ("=== t\ntext\n---\nliver: increased degree=huge\n", 4, "unknown degree"),
        ("=== t\ntext\n---\nliver: increased suv=a\n", 4, "not a number"),
        ("=== t\ntext\n---\nliver: increased colour=red\n", 4, "cannot read"),
        ("=== t\ntext\n---\n@isotope F18\nliver: normal\n", 4, "@tracer"),
    ],
)
def test_malformed_case_is_named_with_file_and_line(
    tmp_path: Path, content: str, line: int, words: str
) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        load_file(file)
    assert caught.value.line == line
    assert "bad.txt" in str(caught.value)


def test_folder_without_cases_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no case found"):
        load_cases(tmp_path)
