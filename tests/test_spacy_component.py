"""The parser as a component of a spaCy pipeline."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
import spacy
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc

from pet2rep_eval.parsing import parse_report
from tests.corpus import CORPUS, load_cases

ZH = "检查所见：肝右叶见低密度灶， 伴FDG摄取增高，SUVmax 5.6。\n脾  未见异常代谢。颈部未见异常代谢。诊断：肝高代谢灶。"
EN = "FINDINGS: The liver shows a lesion with increased uptake.  The spleen is not FDG-avid.\nIMPRESSION: Liver lesion."


@pytest.fixture(scope="module", params=["zh", "en"])
def nlp(request: pytest.FixtureRequest) -> Language:
    pipeline = spacy.blank(request.param)
    pipeline.add_pipe("pet2rep_findings")
    return pipeline


def test_spacy_finds_it_by_its_entry_point() -> None:
    found = {entry.name: entry for entry in entry_points(group="spacy_factories")}
    assert found["pet2rep_findings"].value == "pet2rep_eval.spacy_component:make_findings"


@pytest.mark.parametrize("text", [ZH, EN])
def test_spans_and_statements(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert doc.text == text
    report = parse_report(text)
    assert doc._.pet2rep_statements == report.statements
    assert doc._.pet2rep_states == report.states
    assert doc._.pet2rep_report.sections == report.sections
    organs = {span.label_ for span in doc.spans["organs"]}
    assert {"liver", "spleen"} <= organs
    assert [span.label_ for span in doc.spans["uptake"]][:2] == ["increased", "normal"]
    for statement in report.statements:
        if statement.uptake and statement.state:
            assert any(
                span.label_ == statement.state.value and statement.uptake.of(text) in span.text
                for span in doc.spans["uptake"]
            )
        if statement.ct:
            assert any(statement.ct.of(text) in span.text for span in doc.spans["ct"])
    assert len(doc.spans["findings"]) == sum(len(doc.spans[key]) for key in ("organs", "ct", "uptake"))
    starts = [span.start for span in doc.spans["findings"]]
    assert starts == sorted(starts)


def test_regions_are_among_the_organs() -> None:
    pipeline = spacy.blank("zh")
    pipeline.add_pipe("pet2rep_findings")
    doc = pipeline(ZH)
    assert "head_neck" in {span.label_ for span in doc.spans["organs"]}


def test_displacy_shows_it(nlp: Language) -> None:
    html = displacy.render(nlp(EN), style="span", options={"spans_key": "findings"}, jupyter=False)
    for word in ("liver", "increased", "normal", "CT"):
        assert word in html
    assert "<div" in html


def test_settings_and_prefix() -> None:
    pipeline = spacy.blank("zh")
    pipeline.add_pipe(
        "pet2rep_findings", config={"language": "en", "sections": ["impression"], "prefix": "pet2rep_"}
    )
    doc = pipeline(ZH)
    assert doc._.pet2rep_report.language == "en"
    assert {s.section for s in doc._.pet2rep_statements} == {"impression"}
    assert set(doc.spans) == {"pet2rep_organs", "pet2rep_ct", "pet2rep_uptake", "pet2rep_findings"}


def test_documents_can_be_stored_and_shared_out(nlp: Language) -> None:
    doc = nlp(ZH)
    again = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert again._.pet2rep_statements == doc._.pet2rep_statements
    assert [s.label_ for s in again.spans["uptake"]] == [s.label_ for s in doc.spans["uptake"]]


def test_it_stands_beside_other_components() -> None:
    """Components that write entities, sentences and span groups of their own."""
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    ruler = pipeline.add_pipe("span_ruler", config={"spans_key": "medspacy_spans"})
    ruler.add_patterns([{"label": "FINDING", "pattern": "lesion"}])
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "ANATOMY", "pattern": "liver"}])
    pipeline.add_pipe("pet2rep_findings")
    pipeline.add_pipe("merge_entities")
    doc = pipeline(EN)
    assert [e.label_ for e in doc.ents] == ["ANATOMY"]
    assert len(list(doc.sents)) >= 2
    assert {s.label_ for s in doc.spans["medspacy_spans"]} == {"FINDING"}
    assert "increased" in {s.label_ for s in doc.spans["uptake"]}

    copy = spacy.blank("en").from_config(pipeline.config)
    assert copy.has_pipe("pet2rep_findings")


def test_texts_without_anything(nlp: Language) -> None:
    for text in ("", " ", "\n", "Hello", "您好"):
        doc = nlp(text)
        assert doc._.pet2rep_statements == ()
        assert not list(doc.spans["findings"])


def test_every_case_of_the_corpus(nlp: Language) -> None:
    cases = [case for case in load_cases(CORPUS) if case.path.parent.name == nlp.lang]
    for case, doc in zip(cases, nlp.pipe(case.text for case in cases), strict=True):
        assert doc.text == case.text
        stated = {s.state.value for s in doc._.pet2rep_statements if s.state and s.uptake}
        assert {span.label_ for span in doc.spans["uptake"]} == stated
