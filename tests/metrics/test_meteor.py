"""METEOR equals NLTK's, with its stems, its chunks and its choice among several places."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.metrics import meteor as module
from pet2rep_eval.metrics.meteor import Meteor, align, meteor, stem, wordnet_synonyms
from pet2rep_eval.tokenization import load_tokenizer
from tests.metrics.texts import context, pairs, prepare, word_names


@dataclass(frozen=True)
class Lemma:
    word: str

    def name(self) -> str:
        return self.word


@dataclass(frozen=True)
class Meaning:
    words: tuple[str, ...]

    def lemmas(self) -> list[Lemma]:
        return [Lemma(word) for word in self.words]


class FakeWordNet:
    """Synonyms as NLTK's reader gives them; with no meanings it is what offline NLTK needs."""

    def __init__(self, *meanings: tuple[str, ...]) -> None:
        self.meanings = meanings

    def synsets(self, word: str) -> list[Meaning]:
        return [Meaning(words) for words in self.meanings if word in words]


NO_WORDNET = FakeWordNet()
WORDNET = FakeWordNet(
    ("liver", "lungs", "hot_spot"), ("increased", "avid", "abnormal"), ("no", "avid"), ("node", "lump")
)


@given(pairs, word_names)
def test_meteor_is_that_of_nltk_without_wordnet(pair: tuple[str, str], words: str) -> None:
    from nltk.translate.meteor_score import meteor_score

    prediction, reference = (load_tokenizer(words)(text) for text in pair)
    metric = Meteor(context(words), synonyms="none")
    ours = metric.aggregate(metric.study_statistics(prepare(pair[0]), prepare(pair[1])))["meteor"]
    assert ours == pytest.approx(meteor_score([reference], prediction, wordnet=NO_WORDNET), abs=1e-12)


@given(pairs)
def test_meteor_with_synonyms_is_that_of_nltk(pair: tuple[str, str]) -> None:
    from nltk.translate.meteor_score import meteor_score

    prediction, reference = (load_tokenizer("spacy")(text) for text in pair)
    lower = [[word.lower() for word in words] for words in (prediction, reference)]
    ours = meteor(lower[0], lower[1], wordnet_synonyms(WORDNET))
    assert ours == pytest.approx(meteor_score([reference], prediction, wordnet=WORDNET), abs=1e-12)


@given(st.text(st.sampled_from("abcdeilngsyzé肝2.-"), min_size=1, max_size=12))
def test_stems_are_those_of_nltk(word: str) -> None:
    from nltk.stem.porter import PorterStemmer

    assert stem(word) == PorterStemmer().stem(word)


def test_identity_gives_the_metrics_own_maximum() -> None:
    for m in (1, 4, 9):
        words = [f"w{i}" for i in range(m)]
        assert meteor(words, words) == pytest.approx(1 - 0.5 / m**3)


def test_a_word_matches_its_last_free_place() -> None:
    assert align(["a", "b", "a"], ["a", "a", "b", "a"]) == [(0, 1), (1, 2), (2, 3)]
    assert align(["nodes"], ["x", "node"]) == [(0, 1)]
    assert meteor([], ["a"]) == meteor(["a"], []) == meteor(["a"], ["b"]) == 0.0


def test_synonyms_serve_english_reports_only_and_the_signature_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def value(prediction: str, reference: str) -> float:
        metric = Meteor(context("whitespace"))
        return float(
            metric.aggregate(metric.study_statistics(prepare(prediction), prepare(reference)))["meteor"]
        )

    module._shared_synonyms.cache_clear()
    monkeypatch.setattr(module, "wordnet", lambda: WORDNET)
    assert value("one lump", "one node") > value("one lump", "one mass")
    assert value("肝脏 lump", "肝脏 node 异常") == value("肝脏 lump", "肝脏 mass 异常")
    assert Meteor(context()).signature("meteor", frozenset({"en"}))["match"] == "exact,stem,wordnet"
    assert Meteor(context()).signature("meteor", frozenset({"zh"}))["match"] == "exact,stem"
    assert Meteor(context(), synonyms="none").signature("meteor", frozenset({"en"}))["match"] == "exact,stem"
    module._shared_synonyms.cache_clear()


def test_without_wordnet_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    module.wordnet.cache_clear()
    assert module.wordnet() is None
    assert Meteor(context()).signature("meteor", frozenset({"en"}))["match"] == "exact,stem"
    module.wordnet.cache_clear()
