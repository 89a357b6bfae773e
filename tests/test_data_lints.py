"""The data files are sound: every lint that ``lexicon check`` runs, and what spans several of them."""

from __future__ import annotations

import re

import pytest

from pet2rep_eval import lexicon_lints, resources
from pet2rep_eval.explain import RULES
from pet2rep_eval.lexicon import LANGUAGES, load_lexicon
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import load_protocol, protocol_names
from pet2rep_eval.records import REGIONS
from tests.conftest import ROOT
from tests.corpus import CORPUS, load_cases, load_file


def test_no_lint_finds_anything() -> None:
    found = lexicon_lints.lint(lexicon_lints.bundled()) + lexicon_lints.lint_protocols()
    assert not found, "\n".join(map(str, found))


def test_every_organ_is_named_and_worded_in_both_languages() -> None:
    lexicon = load_lexicon()
    worded = {
        (organ, language)
        for name, phrases in lexicon.sources.items()
        for language in LANGUAGES
        for phrase in phrases[language]
        for organ in lexicon.phrases[phrase.lower()].organs
    }
    for key, site in lexicon.sites.items():
        assert set(site.names) == set(LANGUAGES)
        assert site.group in REGIONS
        for language in LANGUAGES:
            assert (key, language) in worded


def test_every_organ_is_scored_by_the_protocol_sites() -> None:
    protocol = load_protocol("sites")
    assert protocol.sites == frozenset(load_lexicon().sites)


@pytest.mark.parametrize("name", protocol_names())
def test_a_protocol_labels_every_concept(name: str) -> None:
    """Whatever a report says of an organ that the protocol has, the protocol has a set of states for it."""
    protocol = load_protocol(name)
    nothing = protocol.states(parse_report(""))
    assert set(nothing) == set(protocol.organs)
    assert not any(nothing.values())
    for case in load_cases(CORPUS)[::7]:
        assert set(protocol.states(parse_report(case.text))) == set(protocol.organs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_region_is_worded(language: str) -> None:
    lexicon = load_lexicon()
    worded = {
        region
        for phrases in lexicon.sources.values()
        for phrase in phrases[language]
        for region in lexicon.phrases[phrase.lower()].regions
    }
    assert worded == set(REGIONS)


def test_no_python_and_no_link_lies_among_the_data() -> None:
    for folder in ("lexicons", "grammars"):
        for path in (ROOT / folder).rglob("*"):
            assert not path.is_symlink(), path
            assert path.suffix != ".py", path


def test_grammars_hold_no_vocabulary() -> None:
    """Neither a Chinese character nor an English word of the lexicon outside of comments."""
    for name in resources.names("grammars", suffix=".lark"):
        text = resources.read_text("grammars", f"{name}.lark")
        code = "\n".join(row for row in text.splitlines() if not row.lstrip().startswith("//"))
        assert not re.search(r"[\u3400-\u9fff\"]", code), name


def test_every_case_file_is_run() -> None:
    files = {path for path in (ROOT / "fixtures" / "corpus").rglob("*") if path.is_file()}
    assert files == {case.path for case in load_cases(CORPUS)}


@pytest.mark.parametrize("folder", ["reports/dev", "reports/held_out"])
def test_every_report_file_loads(folder: str) -> None:
    files = sorted((ROOT / "fixtures" / folder).rglob("*.txt"))
    assert files
    for path in files:
        assert load_file(path)


def test_rules_are_explained_and_documented() -> None:
    text = (ROOT / "docs" / "parser.md").read_text(encoding="utf-8")
    for name, meaning in RULES.items():
        assert meaning
        assert f"`{name}`" in text, f"docs/parser.md does not name the rule '{name}'"
