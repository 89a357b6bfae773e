"""BLEU, METEOR and ROUGE on ready tokens (characters) against NLTK and rouge-score, at equal values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row, cpu
from benchmarks.reports import Corpus
from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.bleu import Bleu
from pet2rep_eval.metrics.cider import Cider
from pet2rep_eval.metrics.meteor import Meteor
from pet2rep_eval.metrics.prepared import PreparedText, TextPolicy
from pet2rep_eval.metrics.rouge import Rouge
from pet2rep_eval.tokenization import load_tokenizer

WEIGHTS = [tuple(1 / n for _ in range(n)) for n in range(1, 5)]
SAMPLE = 12


class _NoWordNet:
    def synsets(self, word: str) -> list[object]:
        return []


class _Ready:
    """Tokens for rouge-score, cut before."""

    def __init__(self, tokens: dict[str, list[str]]) -> None:
        self.tokens = tokens

    def tokenize(self, text: str) -> list[str]:
        return self.tokens[text]


def _library(
    pairs: list[tuple[str, str]], tokens: dict[str, list[str]]
) -> tuple[float, float, list[list[float]]]:
    from nltk.translate.bleu_score import sentence_bleu
    from nltk.translate.meteor_score import meteor_score
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=_Ready(tokens))
    warnings.simplefilter("ignore")
    sentence_bleu([["a"]], ["a"])
    meteor_score([["a"]], ["a"], wordnet=_NoWordNet())
    nltk_seconds, by_nltk = cpu(
        lambda: [
            [
                *(float(v) for v in sentence_bleu([tokens[r]], tokens[p], WEIGHTS)),
                meteor_score([tokens[r]], tokens[p], wordnet=_NoWordNet()),
            ]
            for p, r in pairs
        ]
    )
    rouge_seconds, by_rouge = cpu(lambda: [scorer.score(r, p) for p, r in pairs])
    values = [
        [*one, *(two[name].fmeasure for name in ("rouge1", "rouge2", "rougeL"))]
        for one, two in zip(by_nltk, by_rouge, strict=True)
    ]
    return nltk_seconds, rouge_seconds, values


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    """The libraries run on a sample and are scaled up, unless *full*."""
    characters = load_tokenizer("characters")
    pairs = list(corpus.pairs)
    tokens = {text: list(characters(text)) for pair in pairs for text in pair}
    context = MetricContext(Words("characters", "characters"), protocol=None)  # type: ignore[arg-type]
    metrics = [Bleu(context), Meteor(context, synonyms="none"), Rouge(context)]
    names = [*(f"bleu_{n}" for n in range(1, 5)), "meteor", "rouge_1", "rouge_2", "rouge_l"]

    def prepared() -> list[tuple[PreparedText, PreparedText]]:
        made = [tuple(PreparedText(text, TextPolicy("all", "keep")) for text in pair) for pair in pairs]
        for pair in made:
            for text in pair:
                text.tokens(characters)
                assert text.language
        return made  # type: ignore[return-value]

    best = float("inf")
    for _ in range(3):
        ready = prepared()
        seconds, rows = cpu(
            lambda ready=ready: [[m.study_statistics(p, r) for m in metrics] for p, r in ready]
        )
        best = min(best, seconds)
    values: dict[str, list[float]] = {}
    for place, metric in enumerate(metrics):
        values |= {k: list(v) for k, v in metric.aggregate(np.array([row[place] for row in rows])).items()}

    count = len(pairs) if full else SAMPLE
    nltk_seconds, rouge_seconds, theirs = _library(pairs[:count], tokens)
    ours = [[values[name][i] for name in names] for i in range(count)]
    difference = float(np.abs(np.array(ours) - np.array(theirs)).max())
    if difference > 1e-9:
        raise AssertionError(f"values differ from the libraries by {difference}")
    scale = len(pairs) / count
    remark = "" if full else f"{count} pairs, scaled up"
    yield Row("nlg", f"BLEU, METEOR, ROUGE of {len(pairs)} pairs, characters", best, "CPU s")
    yield Row("nlg", "the same with NLTK", nltk_seconds * scale, "CPU s", remark)
    yield Row("nlg", "the same with rouge-score", rouge_seconds * scale, "CPU s", remark)
    yield Row("nlg", "faster by", (nltk_seconds + rouge_seconds) * scale / best, "times")
    yield Row("nlg", "largest difference of values", difference, "")

    cider = Cider(context)
    ready = prepared()
    seconds, _ = cpu(
        lambda: (lambda fitted: [fitted.study_statistics(p, r) for p, r in ready])(
            cider.fit([r for _, r in ready])
        )
    )
    yield Row("nlg", f"CIDEr of {len(pairs)} pairs, characters", seconds, "CPU s")
