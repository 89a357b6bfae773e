"""Score sheets: intention to treat, baselines and lift, unseen statements, signatures, published numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence

import numpy as np
import pytest

import pet2rep_eval
from pet2rep_eval.alignment import align
from pet2rep_eval.datasets import read_predictions
from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.evaluation import Evaluator, evaluate, prompt_templates, score_systems
from pet2rep_eval.metrics.profiles import load_profile
from pet2rep_eval.records import AlignedSystem, Outcome, Pair
from pet2rep_eval.template import all_normal, render_template
from pet2rep_eval.tokenization import TOKENIZERS, Tokenizer
from tests.conftest import SHARED, needs_shared

TEXT_METRICS = ("bleu", "meteor", "rouge", "cider")
REFERENCES = {
    "a": "双肺见结节，FDG摄取增高。肝脏FDG摄取未见异常。",
    "b": "肝脏见囊肿，放射性缺损。双肺未见异常摄取。",
    "c": "脾脏FDG摄取减低。纵隔淋巴结代谢增高。",
}
PREDICTIONS = {"a": "双肺见结节，FDG摄取增高。肝脏FDG摄取增高。", "b": REFERENCES["b"], "c": REFERENCES["c"]}


def system(pairs: Sequence[Pair], name: str = "model") -> AlignedSystem:
    return AlignedSystem(name, tuple(pairs))


def test_a_failed_study_is_an_empty_prediction_and_never_left_out() -> None:
    full = evaluate(PREDICTIONS, REFERENCES)
    for outcome in set(Outcome) - {Outcome.SCORED}:
        failed = evaluate(
            system(
                [
                    Pair(k, (r,), "" if k == "b" else PREDICTIONS[k], outcome if k == "b" else Outcome.SCORED)
                    for k, r in REFERENCES.items()
                ]
            )
        )
        assert failed.n == 3
        assert failed.outcomes == {"scored": 2, outcome.value: 1}
        for name in ("bleu_4", "meteor", "rouge_l"):
            of_b = full.studies[1].scores[name]
            assert of_b > 0.99
            assert failed.scores[name].value == pytest.approx(full.scores[name].value - of_b / 3)
        assert failed.efficacy is not None
        assert failed.efficacy.per_class["absent"].recall == 0.0
        assert failed.efficacy.per_class["absent"].support == 1


def test_the_text_of_an_unscored_pair_is_not_read() -> None:
    pairs = [Pair(k, (r,), r, Outcome.REFUSED) for k, r in REFERENCES.items()]
    sheet = evaluate(system(pairs))
    assert sheet.scores["bleu_1"].value == sheet.scores["ce_recall"].value == 0.0


def test_scores_of_states() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    assert sheet.efficacy is not None
    by_class = sheet.efficacy.per_class
    # pet2rep sees: lungs increased (a), liver absent (b), spleen decreased (c); liver of a is a false alarm
    assert {c: (r.support, r.predicted, r.recall) for c, r in by_class.items()} == {
        "increased": (1, 2, 1.0),
        "decreased": (1, 1, 1.0),
        "absent": (1, 1, 1.0),
    }
    assert sheet.scores["ce_precision"].value == pytest.approx((0.5 + 1 + 1) / 3)
    assert sheet.scores["ce_f1"].value == pytest.approx((2 / 3 + 1 + 1) / 3)
    parts = ("bleu_4", "meteor", "rouge_l", "ce_precision", "ce_recall", "ce_f1")
    assert sheet.scores["overall"].value == pytest.approx(np.mean([sheet.scores[p].value for p in parts]))


def test_statements_that_the_protocol_does_not_see_are_counted() -> None:
    unseen = evaluate(PREDICTIONS, REFERENCES).unseen
    assert unseen is not None
    assert (unseen.statements, unseen.unseen) == (4, 1)
    assert unseen.sites == {"mediastinal_hilar_lymph_nodes": 1}
    assert unseen.share == 0.25
    everything = evaluate(PREDICTIONS, REFERENCES, protocol="sites").unseen
    assert everything is not None
    assert everything.unseen == 0


def test_the_baselines_are_scored_like_systems_and_the_lift_is_the_difference() -> None:
    references = {**REFERENCES, "d": "The liver shows increased uptake. The lungs show no abnormal uptake."}
    sheet = evaluate({**PREDICTIONS, "d": ""}, references)
    writers = {"template": render_template, "all_normal": all_normal}
    assert [b.name for b in sheet.baselines] == list(writers)
    for baseline in sheet.baselines:
        languages = {study: "en" if study == "d" else "zh" for study in references}
        copies = {study: writers[baseline.name](language) for study, language in languages.items()}
        as_system = evaluate(copies, references)
        assert baseline.scores == pytest.approx({n: s.value for n, s in as_system.scores.items()})
        for name, score in sheet.scores.items():
            assert baseline.lift[name] == pytest.approx(score.value - baseline.scores[name])
    assert (
        dict(zip(writers, (b.scores["ce_recall"] for b in sheet.baselines), strict=True))["all_normal"] == 0.0
    )


def test_study_order_moves_no_score() -> None:
    one = evaluate(PREDICTIONS, REFERENCES)
    other = evaluate(PREDICTIONS, dict(reversed(REFERENCES.items())))
    assert {n: s.value for n, s in one.scores.items()} == pytest.approx(
        {n: s.value for n, s in other.scores.items()}
    )


def test_statistics_give_the_scores_back() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    again = sheet.suite.aggregate(sheet.statistics.sum(0))
    assert {n: float(v) for n, v in again.items()} == pytest.approx(
        {n: s.value for n, s in sheet.scores.items()}
    )
    assert sheet.statistics.shape == (3, sheet.suite.width)


def test_only_means_over_studies_have_a_standard_deviation() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    values = [study.scores["rouge_l"] for study in sheet.studies]
    assert sheet.scores["rouge_l"].sd == pytest.approx(np.std(values, ddof=1))
    assert sheet.scores["ce_f1"].sd is sheet.scores["corpus_bleu_4"].sd is None


def test_signatures_name_what_decides_a_number() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    signature = sheet.scores["ce_f1"].signature.split("|")
    assert signature[0] == "ce_f1"
    fields = dict(part.split(":", 1) for part in signature[1:])
    assert fields["avg"] == "macro-of-class-f1"
    assert fields["protocol"].startswith("pet2rep-")
    assert {"lexicons", "grammars", "version", "profile", "missing", "unmentioned", "n", "refs"} <= set(
        fields
    )
    assert "section:findings" in sheet.scores["bleu_4"].signature
    assert "smooth:none" in sheet.scores["bleu_4"].signature
    assert "mean-of:bleu_4+meteor" in sheet.scores["overall"].signature
    inferred = evaluate(PREDICTIONS, REFERENCES, profile="pet2rep-2025").scores
    assert "words:whitespace" in inferred["meteor"].signature
    assert "inferred:section,brackets,words,overall" in inferred["overall"].signature
    assert len({score.signature for score in sheet.scores.values()}) == len(sheet.scores)


def test_words_follow_the_language_of_the_reference() -> None:
    english = "The liver shows increased uptake (SUVmax 5.1)."
    sheet = evaluate({"a": "肝脏FDG摄取增高。"}, {"a": english})
    assert "words:spacy-blank-en" in sheet.scores["bleu_1"].signature
    # states are compared across languages
    assert sheet.studies[0].scores["ce_f1"] == pytest.approx(1 / 3)
    assert sheet.studies[0].scores["rouge_l"] < 0.2


def test_a_study_known_by_its_id_alone_needs_no_reference() -> None:
    pairs = [Pair("a", (REFERENCES["a"],), REFERENCES["a"]), Pair("x", ("",), "", Outcome.MISSING)]
    sheet = evaluate(system(pairs), metrics=["rouge"])
    assert sheet.scores["rouge_l"].value == pytest.approx(0.5)
    assert "words:jieba" in sheet.scores["rouge_l"].signature
    assert "spacy" not in sheet.scores["rouge_l"].signature


def test_systems_with_the_same_references_share_the_work() -> None:
    systems = [system([Pair(k, (r,), r) for k, r in REFERENCES.items()], name) for name in ("x", "y")]
    seen: list[int] = []
    sheets = score_systems(systems, metrics=["rouge"], progress=seen.append)
    assert sheets[0].suite is sheets[1].suite
    assert seen == [1, 2, 3, 4, 5, 6]
    assert [sheet.system for sheet in sheets] == ["x", "y"]


def test_an_evaluator_wants_exactly_its_studies() -> None:
    evaluator = Evaluator(REFERENCES, metrics=["rouge"])
    with pytest.raises(InputError, match="not those of the references"):
        evaluator.score(system([Pair("a", (REFERENCES["a"],), "")]))
    with pytest.raises(InputError, match="no reference studies"):
        Evaluator({})
    with pytest.raises(InputError, match="There are no references"):
        evaluate(PREDICTIONS)


def test_unknown_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match="protocol named"):
        evaluate(PREDICTIONS, REFERENCES, protocol="pet3rep")
    with pytest.raises(UnknownNameError, match="profile named"):
        evaluate(PREDICTIONS, REFERENCES, profile="defautl")
    with pytest.raises(UnknownNameError, match="metric named"):
        evaluate(PREDICTIONS, REFERENCES, metrics=["rogue"])


def test_classes_without_support_or_prediction_are_named() -> None:
    notes = " ".join(evaluate({"a": ""}, {"a": REFERENCES["a"]}).notes)
    assert "No reference states 'absent'" in notes
    assert "No prediction states 'increased'" in notes


def test_a_tokenisation_that_drops_the_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lossy = Tokenizer("lossy", lambda text: tuple(c for c in text if c.isascii() and c.strip()), "lossy")
    monkeypatch.setitem(TOKENIZERS._builtin, "jieba", f"{__name__}:LOSSY")
    monkeypatch.setitem(globals(), "LOSSY", lambda: lossy)
    from pet2rep_eval.tokenization import load_tokenizer

    load_tokenizer.cache_clear()
    try:
        with pytest.raises(InputError, match=r"'lossy' drops \d+% of the characters"):
            evaluate(PREDICTIONS, REFERENCES, metrics=["rouge"])
    finally:
        load_tokenizer.cache_clear()


def test_the_public_form_is_json_without_report_text() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    text = json.dumps(sheet.to_dict(), ensure_ascii=False)
    assert "摄取" not in text
    value = json.loads(text)
    assert list(value)[:7] == ["system", "n", "protocol", "profile", "scores", "per_class", "per_organ"]
    assert {"outcomes", "flags", "baselines", "environment", "unseen", "confusion"} <= set(value)
    assert set(value["scores"]["bleu_4"]) == {"value", "interval", "sd", "signature"}
    assert set(value["baselines"]["template"]) == {"scores", "lift"}
    assert len(value["per_organ"]) == 19


def test_studies_come_as_a_table_and_as_records() -> None:
    sheet = evaluate(PREDICTIONS, REFERENCES)
    frame = sheet.to_frame()
    assert list(frame["study_id"]) == ["a", "b", "c"]
    assert frame["meteor"].mean() == pytest.approx(sheet.scores["meteor"].value)
    record = sheet.studies[0].to_dict()
    assert record["reference"] == REFERENCES["a"]
    assert record["states"]["liver"] == {"reference": [], "prediction": ["increased"]}
    hidden = sheet.studies[0].to_dict(text=False)
    assert hidden["prediction"]["characters"] == len(PREDICTIONS["a"])
    assert "摄取" not in json.dumps(hidden, ensure_ascii=False)


def test_the_public_names_are_found_where_they_are_said_to_be() -> None:
    assert pet2rep_eval.evaluate is evaluate
    assert list(pet2rep_eval.__all__) == sorted(pet2rep_eval.__all__)
    for name in pet2rep_eval.__all__:
        assert getattr(pet2rep_eval, name)
        assert name in dir(pet2rep_eval)
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        _ = pet2rep_eval.evaluat


PETRG = SHARED / "data" / "petrg3d" / "valid_infer_ckpt1260_autopet.csv"


def published() -> dict[str, str]:
    with (PETRG.parent / "complete_CN_nlg_evaluation_results_autopet.csv").open(encoding="utf-8-sig") as file:
        return next(csv.DictReader(file))


@needs_shared
def test_all_published_numbers_of_petrg_3d_come_out() -> None:
    submission = read_predictions(PETRG)
    sheet = evaluate(align(submission), profile="petrg-3d", metrics=TEXT_METRICS)
    names = {"METEOR": "meteor", "CIDEr": "cider", **{f"ROUGE-{n}": f"rouge_{n.lower()}" for n in "12L"}}
    names |= {f"BLEU-{n}": f"bleu_{n}" for n in range(1, 5)}
    compared = 0
    for column, printed in published().items():
        corpus = column.startswith("Overall_")
        name = names[column.removeprefix("Overall_")]
        name = f"corpus_{name}" if corpus and name.startswith("bleu") else name
        assert f"{100 * sheet.scores[name].value:.2f}" == printed, column
        compared += 1
    assert compared == 17


@needs_shared
def test_the_template_in_each_prompt_beats_the_model() -> None:
    submission = read_predictions(PETRG)
    templates = prompt_templates(submission)
    assert len(templates) == 135
    (sheet,) = score_systems(
        [align(submission)], profile="petrg-3d", metrics=TEXT_METRICS, templates=[templates]
    )
    baseline = next(b for b in sheet.baselines if b.name == "prompt_template")
    printed = {name: f"{100 * baseline.scores[name]:.2f}" for name in ("bleu_4", "meteor", "rouge_l")}
    assert printed == {"bleu_4": "47.99", "meteor": "52.61", "rouge_l": "70.91"}
    assert baseline.lift["rouge_l"] < 0


@needs_shared
def test_characters_in_place_of_words_move_bleu_by_eight_points(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from pet2rep_eval import evaluation
    from pet2rep_eval.metrics.base import Words

    profile = replace(load_profile("petrg-3d"), words=Words("characters", "characters"))
    monkeypatch.setattr(evaluation, "load_profile", lambda name: profile)
    sheet = evaluate(align(read_predictions(PETRG)), metrics=TEXT_METRICS)
    printed = {name: f"{100 * sheet.scores[name].value:.2f}" for name in ("bleu_4", "meteor", "rouge_l")}
    assert printed == {"bleu_4": "40.97", "meteor": "51.91", "rouge_l": "43.32"}


@needs_shared
def test_nearly_half_of_the_abnormal_statements_escape_the_nineteen_organs() -> None:
    sheet = evaluate(align(read_predictions(PETRG)), profile="petrg-3d", metrics=["clinical_efficacy"])
    assert sheet.unseen is not None
    assert 0.35 < sheet.unseen.share < 0.55  # lymphoma: nodes that the template has no slot for
    assert next(iter(sheet.unseen.sites)) == "mediastinal_hilar_lymph_nodes"
