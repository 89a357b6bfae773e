"""ROUGE equals the rouge-score package with the same tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from pet2rep_eval.metrics.rouge import Rouge, lcs_length
from pet2rep_eval.tokenization import Tokenizer, load_tokenizer
from tests.metrics.texts import context, pairs, prepare, word_names


class Cut:
    """A tokenizer as rouge-score wants it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def tokenize(self, text: str) -> list[str]:
        return list(self.tokenizer(text))


@given(pairs, word_names)
def test_rouge_is_that_of_rouge_score(pair: tuple[str, str], words: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    prediction, reference = pair
    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Cut(load_tokenizer(words))).score(
        reference, prediction
    )
    metric = Rouge(context(words))
    ours = metric.aggregate(metric.study_statistics(prepare(prediction), prepare(reference)))
    assert [ours[score] for score in metric.scores] == pytest.approx(
        [theirs[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")], abs=1e-12
    )


def test_foreign_words_do_not_match_each_other() -> None:
    assert lcs_length(("x", "a", "y"), ("a", "b")) == 1
    assert lcs_length((), ("a",)) == 0


def test_values_are_means_over_studies() -> None:
    metric = Rouge(context())
    rows = np.array(
        [metric.study_statistics(prepare(p), prepare("肝脏未见异常")) for p in ("肝脏未见异常", "", "双肺")]
    )
    assert metric.aggregate(rows.sum(0))["rouge_l"] == pytest.approx(1 / 3)
    assert metric.aggregate(rows)["rouge_l"] == pytest.approx([1.0, 0.0, 0.0])
