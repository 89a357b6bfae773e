"""Several metrics as one: sums, composites, names, profiles."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.evaluation import evaluate
from pet2rep_eval.metrics import METRICS
from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.prepared import PreparedText, TextPolicy
from pet2rep_eval.metrics.profiles import load_profile, profile_names
from pet2rep_eval.metrics.suite import Composite, Suite
from pet2rep_eval.protocols import load_protocol

TEXT_METRICS = ["bleu", "meteor", "rouge", "cider"]
PREDICTIONS = ("肝脏未见异常摄取。", "", "双肺FDG摄取增高，脾脏未见异常。", "肝脏FDG摄取增高。")
REFERENCES = ("肝脏未见异常。", "双肺摄取增高。", "双肺FDG摄取增高，脾脏未见异常摄取。", "脾脏FDG摄取减低。")


def texts(reports: tuple[str, ...]) -> list[PreparedText]:
    return [PreparedText(report, TextPolicy("all", "strip")) for report in reports]


def suite(profile: str = "default") -> Suite:
    return Suite.of(load_profile(profile), load_protocol("pet2rep"), TEXT_METRICS)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_builds_its_metrics_and_its_overall(name: str) -> None:
    profile = load_profile(name)
    built = Suite.of(profile, load_protocol("pet2rep"))
    assert {"bleu_4", "corpus_bleu_1", "meteor", "rouge_l", "cider", "ce_f1", "ce_f1_of_macro"} <= set(
        built.scores
    )
    assert built.scores[-1] == "overall"
    assert len(profile.overall) == 6


def test_aggregating_sums_is_aggregating_studies_and_works_on_leading_axes() -> None:
    predictions, references = texts(PREDICTIONS), texts(REFERENCES)
    fitted = suite().fit(references)
    rows = fitted.statistics(predictions, references)
    assert rows.shape == (4, fitted.width)
    weights = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 0, 4]], dtype=float)
    stacked = fitted.aggregate((weights @ rows).reshape(3, 1, -1))
    for i, weight in enumerate(weights):
        chosen = np.repeat(np.arange(4), weight.astype(int))
        again = fitted.statistics([predictions[j] for j in chosen], [references[j] for j in chosen])
        for name, value in fitted.aggregate(again.sum(0)).items():
            assert stacked[name].shape == (3, 1)
            assert stacked[name][i, 0] == pytest.approx(float(value))


def test_means_over_studies_are_means_of_the_studies_own_scores() -> None:
    references = texts(REFERENCES)
    fitted = suite().fit(references)
    rows = fitted.statistics(texts(PREDICTIONS), references)
    one_by_one, total = fitted.aggregate(rows), fitted.aggregate(rows.sum(0))
    assert {"bleu_4", "meteor", "rouge_l", "cider"} <= fitted.means
    for name in fitted.means:
        assert total[name] == pytest.approx(one_by_one[name].mean())
    assert not any(name.startswith("corpus") for name in fitted.means)


def test_a_composite_is_the_mean_of_its_parts() -> None:
    values = {"a": np.array([0.2, 0.4]), "b": np.array([0.4, 0.8])}
    assert Composite("overall", ("a", "b")).aggregate(values) == pytest.approx([0.3, 0.6])


def test_overall_is_left_out_where_a_part_is_not_computed() -> None:
    assert "overall" not in suite().scores
    assert suite().metric_of("bleu_2").name == "bleu"
    with pytest.raises(UnknownNameError, match="score named 'overall'"):
        suite().metric_of("overall")


def test_a_profile_can_give_a_metric_its_own_words() -> None:
    profile = load_profile("pet2rep-2025")
    assert profile.words_of("meteor").zh == "whitespace"
    assert profile.words_of("bleu").zh == "jieba"
    assert "ce_f1_of_macro" in profile.overall
    assert "words" in profile.inferred


class Length(Metric):
    """A metric of another package: how long predictions are, in units of their references."""

    name = "length"
    scores = ("length_ratio",)
    width = 3

    def __init__(self, context: MetricContext) -> None:
        self.words = context.words

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        ours, theirs = self.words.pair(prediction, reference)
        return np.array([1.0, len(ours), len(theirs)])

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        return {"length_ratio": ratio(totals[..., 1], totals[..., 2])}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {"avg": "corpus", "words": self.words.signature(languages)}


def test_a_metric_of_another_package_joins_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("length", f"{__name__}:Length", METRICS.group)
    monkeypatch.setattr(
        "pet2rep_eval.registry.entry_points", lambda group: EntryPoints([entry]).select(group=group)
    )
    assert METRICS.names()[-1] == "length"
    sheet = evaluate({"1": "肝脏"}, {"1": "肝脏未见异常"}, metrics=["length", "rouge"])
    assert list(sheet.scores) == ["length_ratio", "rouge_1", "rouge_2", "rouge_l"]
    assert sheet.scores["length_ratio"].value == pytest.approx(0.5)
    assert "avg:corpus|words:jieba" in sheet.scores["length_ratio"].signature
    assert set(sheet.baselines[0].lift) == set(sheet.scores)


def test_progress_counts_studies() -> None:
    seen: list[int] = []
    references = texts(REFERENCES)
    suite().fit(references).statistics(references, references, seen.append)
    assert seen == [1, 2, 3, 4]


def test_unknown_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match=r"profile named 'petrg3d'.*Did you mean 'petrg-3d'"):
        load_profile("petrg3d")
    with pytest.raises(UnknownNameError, match=r"metric named 'blue'.*Did you mean 'bleu'"):
        Suite.of(load_profile("default"), load_protocol("pet2rep"), ["blue"])
    assert set(METRICS.names()) >= {*TEXT_METRICS, "clinical_efficacy"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (TextPolicy("all", "strip"), "双肺见结节，FDG摄取增高（SUVmax 5.1）。"),
        (TextPolicy("all", "keep"), "双肺[见结节]，FDG【摄取增高】（SUVmax 5.1）。"),
    ],
)
def test_marks_are_stripped_or_kept(policy: TextPolicy, expected: str) -> None:
    assert PreparedText("双肺[见结节]，FDG【摄取增高】（SUVmax 5.1）。", policy).scored_text == expected


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="section='impression'"):
        TextPolicy("impression", "strip")
