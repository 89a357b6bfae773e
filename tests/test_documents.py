"""The examples of docs/protocol.md are read as the page says, and docs/parser.md names what the parser has."""

from __future__ import annotations

import re

import pytest

from pet2rep_eval.explain import RULES as MEANINGS
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.parsing.rules import RULES
from pet2rep_eval.records import REGIONS
from tests.conftest import ROOT

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
PARSER = (ROOT / "docs" / "parser.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\| (?!text \||---)(.+?) \| (.+?) \|$", PROTOCOL, re.MULTILINE)


def expected(reading: str) -> dict[str, set[str]]:
    """``liver increased + normal, region chest normal, arguable`` as organ or region → states."""
    found = {}
    for part in reading.split(", "):
        if part != "arguable":
            name, _, states = part.removeprefix("region ").partition(" ")
            found[name] = set() if states == "none" else set(states.split(" + "))
    return found


@pytest.mark.parametrize(("text", "reading"), EXAMPLES)
def test_an_example_is_read_as_the_page_says(text: str, reading: str) -> None:
    report = parse_report(text)
    read = {name: {s.value for s in states} for name, states in {**report.states, **report.regions}.items()}
    want = expected(reading)
    assert set(want) <= {*load_lexicon().sites, *REGIONS}
    assert {name: states for name, states in read.items() if states} == {
        name: states for name, states in want.items() if states
    }


def test_there_are_many_examples() -> None:
    assert len(EXAMPLES) > 80


def test_the_rules_are_listed_in_their_order() -> None:
    listed = re.findall(r"^\d+\. `([^`]+)`:", PARSER, re.MULTILINE)
    assert listed == [name for name, *_ in RULES]


def test_every_mark_on_a_statement_is_explained() -> None:
    for name in MEANINGS:
        assert f"`{name}`" in PARSER, name


def test_every_diagnostic_is_listed() -> None:
    code = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "pet2rep_eval" / "parsing").rglob("*.py"))
    made = set(re.findall(r'"(P\d{3})"', code))
    listed = set(re.findall(r"^\| (P\d{3}) \|", PARSER, re.MULTILINE))
    assert made == listed
