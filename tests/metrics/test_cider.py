"""CIDEr equals the COCO evaluation code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from pet2rep_eval.metrics.cider import Cider
from pet2rep_eval.tokenization import load_tokenizer
from tests.metrics.texts import context, corpora, prepare, word_names


@given(corpora, word_names)
def test_cider_is_that_of_coco(corpus: list[tuple[str, str]], words: str) -> None:
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    cut = load_tokenizer(words)
    scorer = CiderScorer()
    for prediction, reference in corpus:
        scorer += (" ".join(cut(prediction)), [" ".join(cut(reference))])
    if any(cut(reference) for _, reference in corpus):
        expected, by_study = scorer.compute_score()
    else:  # the COCO code fails where no reference has a word
        expected, by_study = 0.0, np.zeros(len(corpus))
    references = [prepare(reference) for _, reference in corpus]
    metric = Cider(context(words)).fit(references)
    rows = np.array(
        [
            metric.study_statistics(prepare(prediction), reference)
            for (prediction, _), reference in zip(corpus, references, strict=True)
        ]
    )
    assert metric.aggregate(rows)["cider"] == pytest.approx(by_study, abs=1e-9)
    assert float(metric.aggregate(rows.sum(0))["cider"]) == pytest.approx(float(expected), abs=1e-9)


def test_it_must_see_the_references_first() -> None:
    with pytest.raises(RuntimeError, match="fit"):
        Cider(context()).study_statistics(prepare("肝"), prepare("肝"))


def test_fitting_leaves_the_metric_as_it_was() -> None:
    metric = Cider(context())
    fitted = metric.fit([prepare("肝脏正常"), prepare("双肺正常")])
    assert fitted is not metric
    same = fitted.study_statistics(prepare("肝脏正常"), prepare("肝脏正常"))
    assert float(fitted.aggregate(same)["cider"]) == pytest.approx(10.0)
    with pytest.raises(RuntimeError):
        metric.study_statistics(prepare("肝"), prepare("肝"))
