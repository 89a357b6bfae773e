"""BLEU equals NLTK and sacreBLEU, for a study and for a corpus."""

from __future__ import annotations

import math
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.metrics.bleu import SMOOTHINGS, Bleu
from pet2rep_eval.metrics.ngrams import ReferenceNgrams, _matches_of_tuples
from pet2rep_eval.tokenization import load_tokenizer
from tests.metrics.texts import context, corpora, en_texts, pairs, prepare, word_names, zh_texts

NLTK_SMOOTHINGS = {"none": "method0", "epsilon": "method1", "add-one": "method2", "exp": "method3"}
WEIGHTS = [tuple(1 / n if i < n else 0.0 for i in range(4)) for n in range(1, 5)]


def nltk_bleu(corpus: list[tuple[tuple[str, ...], tuple[str, ...]]], smoothing: str) -> list[float]:
    from nltk.translate.bleu_score import SmoothingFunction, corpus_bleu

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method = getattr(SmoothingFunction(), NLTK_SMOOTHINGS[smoothing])
        # Orders one at a time: NLTK smooths what the longest weights name.
        return [
            float(
                corpus_bleu(
                    [[r] for _, r in corpus], [p for p, _ in corpus], w[: n + 1], smoothing_function=method
                )
            )
            for n, w in enumerate(WEIGHTS)
        ]


@pytest.mark.parametrize("smoothing", NLTK_SMOOTHINGS)
@given(corpus=corpora, words=word_names)
def test_bleu_is_that_of_nltk(smoothing: str, corpus: list[tuple[str, str]], words: str) -> None:
    metric, tokens = Bleu(context(words), smoothing=smoothing), load_tokenizer(words)
    cut = [(tokens(p), tokens(r)) for p, r in corpus]
    rows = np.array([metric.study_statistics(prepare(p), prepare(r)) for p, r in corpus])
    ours = metric.aggregate(rows)
    for i, pair in enumerate(cut):
        theirs = nltk_bleu([pair], smoothing)
        assert [ours[f"bleu_{n}"][i] for n in range(1, 5)] == pytest.approx(theirs, abs=1e-9)
    assert metric.aggregate(rows.sum(0))["bleu_4"] == pytest.approx(ours["bleu_4"].mean())
    # NLTK gives every prediction at least one n-gram of each order, sacreBLEU and this package do not.
    enough = [len(prediction) >= 4 for prediction, _ in cut]
    if not any(enough):
        return
    total = metric.aggregate(rows[enough].sum(0))
    theirs = nltk_bleu([pair for pair, long in zip(cut, enough, strict=True) if long], smoothing)
    assert [total[f"corpus_bleu_{n}"] for n in range(1, 5)] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("smoothing", ["none", "exp"])
@given(corpus=corpora)
def test_corpus_bleu_of_characters_is_that_of_sacrebleu(
    smoothing: str, corpus: list[tuple[str, str]]
) -> None:
    from sacrebleu.metrics.bleu import BLEU

    metric, tokens = Bleu(context("characters"), smoothing=smoothing), load_tokenizer("characters")
    long_enough = sum(max(0, len(tokens(p)) - 3) for p, _ in corpus) > 0
    matched = any(set(tokens(p)) & set(tokens(r)) for p, r in corpus)
    rows = np.array([metric.study_statistics(prepare(p), prepare(r)) for p, r in corpus])
    ours = metric.aggregate(rows.sum(0))["corpus_bleu_4"]
    theirs = BLEU(tokenize="char", smooth_method=smoothing, force=True)
    score = theirs.corpus_score([p for p, _ in corpus], [[r for _, r in corpus]]).score / 100
    # sacreBLEU leaves out orders that no prediction is long enough for; no report is that short.
    if long_enough and matched:
        assert ours == pytest.approx(score, abs=1e-9)


def nmt_bleu(prediction: tuple[str, ...], reference: tuple[str, ...]) -> float:
    """The smoothed BLEU-4 of TensorFlow's NMT tutorial, in its own order of steps."""
    logs = 0.0
    for n in range(1, 5):
        ours, theirs = (
            Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1)) for t in (prediction, reference)
        )
        logs += 0.25 * math.log(
            (sum((ours & theirs).values()) + 1.0) / (max(0, len(prediction) - n + 1) + 1.0)
        )
    length_ratio = len(prediction) / len(reference)
    return math.exp(logs) * (1.0 if length_ratio > 1.0 else math.exp(1.0 - 1.0 / length_ratio))


@given(pairs)
def test_nmt_smoothing_adds_one_to_every_order(pair: tuple[str, str]) -> None:
    tokens = load_tokenizer("characters")
    prediction, reference = (tokens(text) for text in pair)
    metric = Bleu(context(), smoothing="nmt")
    ours = metric.aggregate(metric.study_statistics(*map(prepare, pair)))["bleu_4"]
    expected = nmt_bleu(prediction, reference) if set(prediction) & set(reference) else 0.0
    assert ours == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_an_empty_prediction_is_zero_and_counts(smoothing: str) -> None:
    metric = Bleu(context(), smoothing=smoothing)
    full = metric.study_statistics(prepare("肝脏未见异常"), prepare("肝脏未见异常"))
    empty = metric.study_statistics(prepare(""), prepare("肝脏未见异常"))
    values = metric.aggregate(full + empty)
    assert metric.aggregate(full)["bleu_4"] == pytest.approx(1.0)
    assert metric.aggregate(empty)["bleu_1"] == 0.0
    assert values["bleu_4"] == pytest.approx(0.5)
    # One of two reports is missing, so the corpus is half as long as its references.
    assert values["corpus_bleu_1"] == pytest.approx(math.exp(-1.0))


def test_an_empty_corpus_of_empty_predictions_is_zero() -> None:
    metric = Bleu(context())
    totals = metric.study_statistics(prepare(""), prepare("")) * 3
    assert set(map(float, metric.aggregate(totals).values())) == {0.0}


@given(st.one_of(zh_texts, en_texts), st.one_of(zh_texts, en_texts))
def test_codes_and_tuples_count_alike(prediction: str, reference: str) -> None:
    ours, theirs = (load_tokenizer("characters")(t) for t in (prediction, reference))
    assert ReferenceNgrams(theirs).matches(ours) == _matches_of_tuples(ours, theirs)


def test_a_reference_with_more_words_than_codes_is_counted_too() -> None:
    reference = tuple(str(i) for i in range(70_000))
    assert ReferenceNgrams(reference).matches(("1", "2", "3", "5", "1")) == (4, 2, 1, 0)


def test_an_unknown_smoothing_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'epsilon'"):
        Bleu(context(), smoothing="epsilom")


def test_the_signature_names_smoothing_and_words() -> None:
    signature = Bleu(context("jieba"), smoothing="nmt").signature("corpus_bleu_4", frozenset({"zh"}))
    assert signature["avg"] == "corpus"
    assert signature["smooth"] == "nmt"
    assert signature["words"].startswith("jieba-")
