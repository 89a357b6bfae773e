"""The vocabulary compiles from its tables, and contradictions are errors that name file, table and phrase."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from pet2rep_eval.errors import ResourceError
from pet2rep_eval.lexicon import TABLES, compile_lexicon, load_lexicon
from pet2rep_eval.records import UptakeState
from pet2rep_eval.resources import content_hash, read_text
from tests.conftest import SHARED, needs_shared

ORGAN = {"name": {"zh": "甲", "en": "first"}, "group": "chest", "zh": ["甲"], "en": ["first"]}


def tables(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Small sound tables, with those of *changed* in place of theirs."""
    whole: dict[str, dict[str, Any]] = {name: {} for name in (*TABLES, "sections", "tracers")}
    whole["organs"] = {"first": ORGAN}
    whole["uptake"] = {"increased": {"kind": "UP", "zh": ["高"], "en": ["high"]}}
    whole["sections"] = {"findings": {"zh": ["所见"], "en": ["findings"]}}
    whole["tracers"] = {"FDG": {"zh": ["FDG"], "en": ["fdg"]}}
    whole["characters"] = {"traditional": "見", "simplified": "见"}
    return whole | changed


def test_phrases_lead_to_concepts() -> None:
    lexicon = compile_lexicon(tables(), digest="x")
    assert lexicon.phrases["甲"].organs == ("first",)
    assert lexicon.phrases["high"].kind == "UP"
    assert lexicon.sites["first"].names == {"zh": "甲", "en": "first"}
    assert lexicon.headings == {"所见": "findings", "findings": "findings"}
    assert lexicon.tracers == {"fdg": "FDG"}
    assert lexicon.characters == {"見": "见"}
    assert lexicon.sources["first"] == {"zh": ("甲",), "en": ("first",)}
    assert lexicon.hash == "x"


def test_sub_tables_inherit_and_override() -> None:
    organ = {**ORGAN, "nodes": "first", "left": {"side": "left", "zh": ["甲左"], "en": []}}
    lexicon = compile_lexicon(tables(organs={"first": organ}))
    concept = lexicon.phrases["甲左"]
    assert (concept.name, concept.organs, concept.side, concept.nodes) == (
        "first.left",
        ("first",),
        "left",
        ("first",),
    )


def test_a_phrase_that_begins_with_a_side_has_it() -> None:
    organ = {**ORGAN, "zh": ["甲", "左甲", "双甲"], "en": ["first", "right first"]}
    lexicon = compile_lexicon(tables(organs={"first": organ}))
    sides = {phrase: concept.side for phrase, concept in lexicon.phrases.items() if concept.organs}
    assert sides == {"甲": None, "左甲": "left", "双甲": "bilateral", "first": None, "right first": "right"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"uptake": {"up": {"kind": "UP", "zh": ["甲"], "en": []}}}, "'甲' stands under two concepts"),
        ({"uptake": {"up": {"kind": "UP", "zh": [""], "en": []}}}, "empty or has spaces"),
        ({"uptake": {"up": {"kind": "UP", "zh": [" 高"], "en": []}}}, "empty or has spaces"),
        ({"uptake": {"up": {"zh": ["高"], "en": []}}}, r"table \[up\]: it has phrases but no 'kind'"),
        ({"uptake": {"up": {"kind": "UP", "tint": 1, "zh": ["高"], "en": []}}}, "unknown key 'tint'"),
        ({"organs": {"first": {"zh": ["甲"], "en": []}}}, r"organs.toml, table \[first\]: 'name' is missing"),
        ({"organs": {"first": {"name": ORGAN["name"], "zh": ["甲"], "en": []}}}, "'group' is missing"),
    ],
)
def test_contradictions_are_errors(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ResourceError, match=words):
        compile_lexicon(tables(**changed))


def test_the_bundled_lexicon_is_loaded_once_and_hashed() -> None:
    lexicon = load_lexicon()
    assert load_lexicon() is lexicon
    assert lexicon.hash == content_hash("lexicons")
    assert len(lexicon.hash) == 8


@pytest.mark.parametrize(
    ("phrase", "organ"),
    [
        ("renal", "kidneys"), ("hepatic", "liver"), ("splenic", "spleen"), ("垂体", "brain"),
        ("副脾", "spleen"), ("骶骨", "spine"), ("舌根", "oropharynx_tonsils"), ("base of tongue", "oropharynx_tonsils"),
        ("胸壁", "muscles_soft_tissue"), ("brown fat", "muscles_soft_tissue"), ("子宫", "uterus"),
    ],
)  # fmt: skip
def test_breadth_of_the_vocabulary(phrase: str, organ: str) -> None:
    concept = load_lexicon().phrases.get(phrase.lower())
    if concept is None:
        from pet2rep_eval.parsing import parse_report

        assert organ in parse_report(f"{phrase} FDG摄取增高。").states, phrase
    else:
        assert organ in concept.organs


def test_group_words_stand_for_their_organs() -> None:
    phrases = load_lexicon().phrases
    assert set(phrases["泌尿系统"].organs) == {"kidneys", "ureters_collecting_system", "bladder"}
    assert set(phrases["gastrointestinal tract"].organs) == {"stomach", "intestine"}


def test_states_of_words_are_states() -> None:
    states = {concept.state for concept in load_lexicon().phrases.values()} - {None}
    assert states <= set(UptakeState)


@needs_shared
def test_the_organ_keys_are_those_of_the_rules() -> None:
    rows = (SHARED / "protocol" / "sites.tsv").read_text(encoding="utf-8").splitlines()[1:]
    sites = load_lexicon().sites
    assert set(sites) == {row.split("\t")[0] for row in rows}
    assert {key: site.group for key, site in sites.items()} == {
        row.split("\t")[0]: row.split("\t")[3] for row in rows
    }


def test_the_growing_table_is_not_part_of_the_vocabulary() -> None:
    table = tomllib.loads(read_text("lexicons", "growing.toml"))
    assert set(table) == {"organ_like", "not_an_organ"}
    assert "growing" not in TABLES
