"""Structure metrics: template adherence, coverage, repetition, language, length, copying."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.evaluation import evaluate
from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.metrics.structure import (
    Structure,
    copied_share,
    in_order,
    read_share,
    repeated_share,
)
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.template import all_normal, render, render_template, template_organs

METRIC = Structure(MetricContext(Words(), load_protocol("pet2rep")))


def of(prediction: str, reference: str | None = None) -> dict[str, float]:
    row = METRIC.study_statistics(
        PreparedText(prediction), PreparedText(all_normal("zh") if reference is None else reference)
    )
    return {name: float(value) for name, value in METRIC.aggregate(row).items()}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_template_follows_the_template(language: str) -> None:
    found = of(render_template(language), render_template(language))
    assert found["slots_filled"] > 0.9
    assert found["slots_invented"] < 0.1
    assert found["slots_in_order"] > 0.9
    assert found["parse_coverage"] > 0.9
    assert found["template_copy"] == 1.0
    assert found["same_language"] == found["length_ratio"] == found["parsed"] == 1.0
    assert found["truncated"] == 0.0


def test_the_template_without_its_marks_is_a_copy_too() -> None:
    assert copied_share(render_template("zh", marks=False)) > 0.9
    assert 0.0 < copied_share(render({"liver": "increased", "lungs": "increased"})) < 1.0
    assert copied_share("颈部见肿大淋巴结，放射性分布异常浓聚。") == 0.0
    assert copied_share("abcd ef, g h i j.", "x, g h i j.") == 0.4


def test_an_empty_report_is_nothing_in_every_respect() -> None:
    assert set(of("").values()) == {0.0}
    assert set(of(" \n").values()) == {0.0}


def test_slots_are_counted_by_organ() -> None:
    found = of("肝脏FDG摄取增高。双肺未见异常摄取。膀胱未见异常摄取。乳腺FDG摄取增高。")
    slots = set(template_organs())
    stated = set(
        parse_report("肝脏FDG摄取增高。双肺未见异常摄取。膀胱未见异常摄取。乳腺FDG摄取增高。").states
    )
    assert {"liver", "lungs", "breasts"} <= stated
    assert found["slots_filled"] == pytest.approx(len(stated & slots) / len(slots))
    assert found["slots_invented"] == pytest.approx(len(stated - slots) / len(stated))


def test_the_order_of_the_template_is_seen() -> None:
    straight = of("甲状腺FDG摄取增高。双肺FDG摄取增高。肝脏FDG摄取增高。脾脏FDG摄取增高。")
    turned = of("脾脏FDG摄取增高。肝脏FDG摄取增高。双肺FDG摄取增高。甲状腺FDG摄取增高。")
    assert straight["slots_in_order"] > turned["slots_in_order"] == 0.25


@given(st.lists(st.integers(0, 20), max_size=12))
def test_the_longest_ascending_run_is_that_of_all_subsequences(ranks: list[int]) -> None:
    best = [1] * len(ranks)
    for i in range(len(ranks)):
        best[i] += max((best[j] for j in range(i) if ranks[j] < ranks[i]), default=0)
    assert in_order(ranks) == max(best, default=0)


def test_coverage_is_that_of_the_sentences_that_were_read() -> None:
    text = "肝脏FDG摄取增高。今天天气很好啊。"
    assert read_share(parse_report(text)) == pytest.approx(10 / 18, abs=0.03)
    assert read_share(parse_report("今天天气很好啊。")) == 0.0
    assert of("今天天气很好啊。")["parsed"] == 0.0


def test_repetition_is_that_of_clauses() -> None:
    assert repeated_share("肝脏未见异常，肝脏未见异常，脾脏未见异常。") == pytest.approx(1 / 3)
    assert repeated_share("肝脏未见异常。脾脏未见异常。") == 0.0
    assert repeated_share("，，。") == 0.0


def test_language_length_and_truncation() -> None:
    chinese = "肝脏FDG摄取增高。"
    found = of("The liver shows increased uptake and", chinese)
    assert found["same_language"] == 0.0
    assert found["truncated"] == 1.0
    assert found["length_ratio"] == pytest.approx(31 / 10)


def test_they_are_scores_of_an_evaluation() -> None:
    references = {"a": render({"liver": "increased"}), "b": render({}), "c": render({})}
    predictions = {"a": render_template("zh"), "b": ""}
    sheet = evaluate(predictions, references, metrics=["structure", "crg"])
    assert 0.3 < sheet.scores["slots_filled"].value <= 1 / 3
    assert sheet.scores["parsed"].sd is not None
    assert sheet.scores["crg"].interval is not None
    assert sheet.scores["slots_filled"].signature.startswith("slots_filled|avg:mean-over-studies|text:whole|")
    assert "|lexicons:" in sheet.scores["parsed"].signature
