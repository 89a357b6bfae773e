"""The anatomy of errors: each kind by hand, evidence, agreement of CT and uptake, tables without text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.anatomy import AGREEMENT, KINDS, anatomies, anatomy, ct_is_abnormal, study_errors
from pet2rep_eval.evaluation import evaluate
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.records import ABNORMAL_STATES
from pet2rep_eval.score_sheet import ScoreSheet
from pet2rep_eval.template import render, template_organs

PROTOCOL = load_protocol("pet2rep")


def sheet_of(predictions: dict[str, str], references: dict[str, str]) -> ScoreSheet:
    return evaluate(predictions, references, metrics=["clinical_efficacy"], resampling=None)


def errors(reference: str, prediction: str) -> list[tuple[str, str, str, str]]:
    found = study_errors("s", parse_report(reference), parse_report(prediction), PROTOCOL)
    return [(case.kind, case.organ, case.state.value, case.instead) for case in found]


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        ("肝脏FDG摄取增高。", "肝脏未见异常摄取。", ("missed uptake", "liver", "increased", "normal")),
        ("肝脏FDG摄取增高。", "双肺未见异常摄取。", ("omitted organ", "liver", "increased", "")),
        ("肝脏未见异常摄取。", "肝脏FDG摄取增高。", ("false alarm", "liver", "increased", "")),
        ("双肺未见异常摄取。", "肝脏FDG摄取增高。", ("invented organ", "liver", "increased", "")),
        ("肝脏FDG摄取增高。", "肝脏FDG摄取减低。", ("direction flipped", "liver", "increased", "decreased")),
        ("肝脏FDG摄取增高。", "脾脏FDG摄取增高。", ("wrong organ", "liver", "increased", "spleen")),
        ("左肾FDG摄取增高。", "右肾FDG摄取增高。", ("wrong side", "kidneys", "increased", "right")),
        (
            "The liver shows increased uptake.",
            "The liver shows no abnormal uptake.",
            ("missed uptake", "liver", "increased", "normal"),
        ),
    ],
)
def test_each_kind_of_error(reference: str, prediction: str, expected: tuple[str, ...]) -> None:
    assert errors(reference, prediction) == [expected]


def test_the_same_state_in_another_region_of_the_body_is_two_errors() -> None:
    assert errors("肝脏FDG摄取增高。", "甲状腺FDG摄取增高。") == [
        ("omitted organ", "liver", "increased", ""),
        ("invented organ", "thyroid", "increased", ""),
    ]


def test_a_side_that_is_not_stated_or_overlaps_is_no_error() -> None:
    for one, other in [("左肾", "肾脏"), ("左肾", "双肾"), ("双肾", "右肾"), ("左肾", "左肾")]:
        assert errors(f"{one}FDG摄取增高。", f"{other}FDG摄取增高。") == []


STATES = st.dictionaries(
    st.sampled_from([o for o in template_organs() if o in PROTOCOL.organs]),
    st.sampled_from(ABNORMAL_STATES),
    max_size=4,
)


@given(STATES, STATES)
def test_every_difference_is_explained_once(theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Misses and false alarms add up to the differences of the labels, whatever they are called."""
    reference, prediction = parse_report(render(theirs)), parse_report(render(ours))
    want, got = PROTOCOL.states(reference), PROTOCOL.states(prediction)
    found = study_errors("s", reference, prediction, PROTOCOL)
    both = [case for case in found if case.kind in ("direction flipped", "wrong organ")]
    missed = [case for case in found if case.kind in ("missed uptake", "omitted organ")] + both
    extra = [case for case in found if case.kind in ("false alarm", "invented organ")] + both
    assert len(missed) == sum(len(want[o] - got[o]) for o in PROTOCOL.organs)
    assert len(extra) == sum(len(got[o] - want[o]) for o in PROTOCOL.organs)


def test_evidence_is_in_both_texts() -> None:
    references = {"a": "肝右叶见结节，FDG摄取增高。双肺未见异常摄取。", "b": "脾脏未见异常摄取。"}
    predictions = {"a": "肝脏未见异常摄取。双肺未见异常摄取。", "b": "脾脏FDG摄取增高。"}
    found = anatomy(sheet_of(predictions, references))
    assert len(found.cases) == 2
    for case in found.cases:
        for evidence in case.reference:
            assert evidence.span.of(references[case.study_id]) == evidence.text
        for evidence in case.prediction:
            assert evidence.span.of(predictions[case.study_id]) == evidence.text
    assert "增高" in found.cases[0].reference[0].text
    assert "未见异常摄取" in found.cases[0].prediction[0].text


def test_counts_by_kind_organ_and_class_and_the_worst_studies() -> None:
    references = {
        "a": render({"liver": "increased", "spleen": "decreased"}),
        "b": render({"lungs": "increased"}),
        "c": render({"lungs": "increased"}),
    }
    predictions = {"a": "", "b": render({}), "c": render({"lungs": "increased"})}
    found = anatomy(sheet_of(predictions, references))
    assert found.hits == 1
    assert found.kinds == dict.fromkeys(KINDS, 0) | {"omitted organ": 2, "missed uptake": 1}
    assert sum(sum(kinds.values()) for kinds in found.by_organ.values()) == 3
    assert found.by_class["decreased"]["omitted organ"] == 1
    assert [study for study, _ in found.worst()] == ["a", "b"]
    assert len(found.worst(1)[0][1]) == 2
    frame = found.to_frame()
    assert list(frame.columns) == ["study_id", "kind", "organ", "state", "instead"]
    assert len(frame) == 3


def test_a_perfect_system_makes_no_error() -> None:
    references = {"a": render({"liver": "increased"}), "b": render({})}
    found = anatomy(sheet_of(references, references))
    assert found.cases == ()
    assert set(found.kinds.values()) == {0}
    assert found.worst() == []
    assert found.agreement["both agree"] >= 1
    assert sum(found.agreement[kind] for kind in AGREEMENT[1:]) == 0


def test_ct_findings_are_told_from_normal_ones() -> None:
    for text in ("右肺上叶见结节影", "肝脏增大", "a nodule in the right lobe", "骨质破坏，形态正常"):
        assert ct_is_abnormal(text), text
    for text in ("未见结节影", "大小、形态正常", "no nodule", "", "密度均匀"):
        assert not ct_is_abnormal(text), text


def test_ct_and_uptake_are_compared_inside_an_organ() -> None:
    references = {"a": "肝右叶见结节影，FDG摄取增高。", "b": "肝右叶见结节影，FDG摄取增高。"}
    predictions = {"a": "肝右叶见结节影，未见异常FDG摄取。", "b": "肝脏FDG摄取增高。"}
    found = anatomy(sheet_of(predictions, references))
    assert found.agreement == {
        "both agree": 0,
        "CT agrees alone": 1,
        "uptake agrees alone": 1,
        "neither agrees": 0,
    }


def test_without_text_there_are_places_and_hashes() -> None:
    references = {"a": "肝右叶见结节，FDG摄取增高。"}
    found = anatomy(sheet_of({"a": "肝脏未见异常摄取。"}, references))
    told = json.dumps(found.to_dict(text=False), ensure_ascii=False)
    assert "摄取" not in told
    assert "sha256" in told
    assert "摄取" in json.dumps(found.to_dict(), ensure_ascii=False)


def test_several_systems_read_every_text_once() -> None:
    references = {"a": render({"liver": "increased"})}
    sheets = [sheet_of({"a": text}, references) for text in (render({}), render({"spleen": "increased"}))]
    read: list[str] = []

    def counted(text: str):  # type: ignore[no-untyped-def]
        read.append(text)
        return parse_report(text)

    found = anatomies(sheets, "sites", read=counted)
    assert len(found) == 2
    assert len(read) == len(set(read)) == 3
