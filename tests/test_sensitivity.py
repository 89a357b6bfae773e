"""The same predictions under other definitions: each against scikit-learn or the metric itself."""

from __future__ import annotations

import numpy as np
import pytest

from pet2rep_eval.alignment import align
from pet2rep_eval.datasets.records import References, Row, Submission
from pet2rep_eval.evaluation import evaluate, score_systems
from pet2rep_eval.score_sheet import ScoreSheet
from pet2rep_eval.sensitivity import AVERAGES, Sensitivity, efficacy_f1, sensitivity
from pet2rep_eval.template import render

REFERENCES = {
    "a": "影像所见：肝脏FDG摄取增高，边缘见缺损。双肺未见异常摄取。\n影像诊断：肝癌。",
    "b": "影像所见：脾脏FDG摄取减低。\n影像诊断：脾脏FDG摄取减低。",
    "c": render({"stomach": "absent", "lungs": "increased"}),
    "d": "双肺FDG摄取增高。",
}
GOOD = dict(REFERENCES) | {"d": "双肺FDG摄取增高，肝脏未见异常摄取。甲状腺FDG摄取增高。"}
BAD = {study: render({"lungs": "increased", "thyroid": "increased"}) for study in REFERENCES}


def sheets(texts: dict[str, str], runs: int = 1) -> list[ScoreSheet]:
    return [evaluate(texts, REFERENCES, resampling=None)] * runs


@pytest.fixture(scope="module")
def found() -> Sensitivity:
    return sensitivity({"good": sheets(GOOD), "bad": sheets(BAD)})


def test_every_combination_is_there_and_the_usual_one_first(found: Sensitivity) -> None:
    assert found.scores == ("ce_f1", "bleu_4", "meteor", "rouge_l")
    by_score = {s: [line for line in found.lines if line.definition.score == s] for s in found.scores}
    assert len(by_score["ce_f1"]) == 4 * 2 * 2 * 2 * 2
    assert all(len(by_score[s]) == 3 * 2 * 2 for s in found.scores[1:])
    for lines in by_score.values():
        assert lines[0].definition.changed == ()
        assert lines[0].definition.name == "as usual"
        assert all(line.definition.changed for line in lines[1:])
        names = [tuple(line.definition.choices.values()) for line in lines]
        assert len(set(names)) == len(names)
    assert len([line for line in found.single() if line.definition.score == "ce_f1"]) == 1 + 3 + 1 + 1 + 1 + 1


def test_the_usual_definitions_give_the_scores_of_the_sheet(found: Sensitivity) -> None:
    for line in found.lines:
        if not line.definition.changed:
            for name, texts in (("good", GOOD), ("bad", BAD)):
                expected = sheets(texts)[0].scores[line.definition.score].value
                assert line.values[name] == pytest.approx(expected), line.definition


def test_profiles_choose_what_is_usual() -> None:
    found = sensitivity({"good": sheets(GOOD)}, profile="pet2rep-2025", protocols=("pet2rep",))
    usual = {
        line.definition.score: line.definition.choices for line in found.lines if not line.definition.changed
    }
    assert usual["ce_f1"]["average"] == "F1 of macros"
    assert usual["bleu_4"] == {"words": "words", "section": "whole text", "marks": "stripped"}
    sheet = evaluate(GOOD, REFERENCES, profile="pet2rep-2025", resampling=None)
    values = {
        line.definition.score: line.values["good"] for line in found.lines if not line.definition.changed
    }
    assert values["bleu_4"] == pytest.approx(sheet.scores["bleu_4"].value)
    assert values["meteor"] == pytest.approx(sheet.scores["meteor"].value)
    assert values["ce_f1"] == pytest.approx(sheet.scores["ce_f1_of_macro"].value)


def random_labels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    theirs = draw.random((30, 5, 3)) < 0.15
    ours = np.where(draw.random(theirs.shape) < 0.3, draw.random(theirs.shape) < 0.3, theirs)
    return ours, theirs


@pytest.mark.parametrize("average", AVERAGES)
def test_averages_are_those_of_scikit_learn(average: str) -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    ours, theirs = random_labels(1)
    value = efficacy_f1(
        ours, theirs, np.ones((30, 5), bool), average=average, count="all states", unmentioned="normal"
    )
    flat = [side.reshape(-1, 3) for side in (theirs, ours)]
    if average == "macro of F1":
        expected = f1_score(*flat, average="macro", zero_division=0)
    elif average == "micro":
        expected = f1_score(*flat, average="micro", zero_division=0)
    elif average == "F1 of macros":
        p, r = (score(*flat, average="macro", zero_division=0) for score in (precision_score, recall_score))
        expected = 2 * p * r / (p + r)
    else:
        columns = [side.transpose(0, 2, 1).reshape(-1, 5) for side in (theirs, ours)]
        expected = f1_score(*columns, average="macro", zero_division=0)
    assert value == pytest.approx(expected)


def test_only_the_most_abnormal_state_of_an_organ_can_count() -> None:
    theirs = np.array([[[True, False, True]]])
    ours = np.array([[[False, False, True]]])
    how = {"average": "micro", "unmentioned": "normal"}
    mentioned = np.ones((1, 1), bool)
    assert efficacy_f1(ours, theirs, mentioned, count="all states", **how) == pytest.approx(2 / 3)
    # The reference's most abnormal state is increased, the prediction's is absent.
    assert efficacy_f1(ours, theirs, mentioned, count="most abnormal", **how) == 0.0
    assert efficacy_f1(theirs, theirs, mentioned, count="most abnormal", **how) == 1.0


def test_organs_that_the_reference_does_not_mention_can_be_left_out() -> None:
    theirs = np.array([[[True], [False]]])
    ours = np.array([[[True], [True]]])
    mentioned = np.array([[True, False]])
    how = {"average": "micro", "count": "all states"}
    assert efficacy_f1(ours, theirs, mentioned, unmentioned="normal", **how) == pytest.approx(2 / 3)
    assert efficacy_f1(ours, theirs, mentioned, unmentioned="left out", **how) == 1.0


def test_by_organ_without_any_abnormal_organ_is_zero() -> None:
    nothing = np.zeros((2, 3, 3), bool)
    how = {"average": "by organ", "count": "all states", "unmentioned": "normal"}
    assert efficacy_f1(nothing, nothing, np.ones((2, 3), bool), **how) == 0.0


def test_the_whole_text_is_read_where_it_is_asked_for() -> None:
    references = {"a": "影像所见：双肺未见异常摄取。\n影像诊断：肝脏FDG摄取增高。"}
    said = {"a": "影像所见：肝脏FDG摄取增高。"}
    system = {"one": [evaluate(said, references, resampling=None)]}
    found = sensitivity(system, protocols=("pet2rep",), text_scores=False)
    values = {line.definition.name: line.values["one"] for line in found.single()}
    assert values["as usual"] == 0.0
    assert values["section: whole text"] == pytest.approx(1 / 3)


def test_words_and_marks_change_the_text_scores() -> None:
    references = {"a": "双肺[未见异常]，FDG【摄取增高】。", "b": "肝脏[未见异常]，FDG【摄取减低】。"}
    predictions = {"a": "双肺未见异常，FDG摄取减低。", "b": "肝脏未见异常，FDG摄取减低。"}
    found = sensitivity({"one": [evaluate(predictions, references, resampling=None)]}, protocols=("pet2rep",))
    bleu = {
        line.definition.name: line.values["one"]
        for line in found.single()
        if line.definition.score == "bleu_4"
    }
    assert len(set(bleu.values())) >= 3
    assert bleu["marks: kept"] < bleu["as usual"]
    assert bleu["words: whitespace"] < bleu["as usual"]


def test_ranks_and_moves_belong_together(found: Sensitivity) -> None:
    usual = {line.definition.score: line for line in found.lines if not line.definition.changed}
    for line in found.lines:
        for row, rank in line.ranks.items():
            assert rank == 1 + sum(v > line.values[row] + 1e-12 for v in line.values.values())
            assert line.moves[row] == usual[line.definition.score].ranks[row] - rank
    for score in found.scores:
        for row, (low, high, best, worst) in found.spread(score).items():
            values = [line.values[row] for line in found.lines if line.definition.score == score]
            assert (low, high) == (min(values), max(values))
            assert 1 <= best <= worst <= 2


def test_runs_are_averaged_and_rows_come_out_as_a_table() -> None:
    once = sensitivity({"m": sheets(GOOD)}, protocols=("pet2rep",), text_scores=False)
    twice = sensitivity({"m": sheets(GOOD, runs=2)}, protocols=("pet2rep",), text_scores=False)
    mixed = sensitivity({"m": [*sheets(GOOD), *sheets(BAD)]}, protocols=("pet2rep",), text_scores=False)
    bad = sensitivity({"m": sheets(BAD)}, protocols=("pet2rep",), text_scores=False)
    for one, two, both, other in zip(once.lines, twice.lines, mixed.lines, bad.lines, strict=True):
        assert one.values["m"] == pytest.approx(two.values["m"])
        assert both.values["m"] == pytest.approx((one.values["m"] + other.values["m"]) / 2)
    frame = once.to_frame()
    assert len(frame) == len(once.lines) == 32
    assert set(frame.columns) == {"score", "definition", "changes", "system", "value", "rank", "move"}
    assert len(once.to_dict()["lines"]) == 32


def test_a_failed_study_counts_under_every_definition() -> None:
    rows = tuple(Row(study, text, i) for i, (study, text) in enumerate(GOOD.items()) if study != "c")
    aligned = align(Submission("x", rows), References({s: (t,) for s, t in REFERENCES.items()}))
    fewer = score_systems([aligned], resampling=None)
    with_all = sensitivity({"m": sheets(GOOD)}, protocols=("pet2rep",))
    without = sensitivity({"m": fewer}, protocols=("pet2rep",))
    for one, other in zip(with_all.lines, without.lines, strict=True):
        assert other.values["m"] <= one.values["m"] + 1e-12
