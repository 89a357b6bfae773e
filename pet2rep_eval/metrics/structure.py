"""How a report is written: does it follow the template, can it be read, does it copy or repeat?

None of this says that a report is right. It tells why a score is what it is: a system that fills no slot,
drifts into another language or copies the template is seen here first.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache

import numpy as np

from pet2rep_eval.datasets.quality import is_truncated, language_of
from pet2rep_eval.metrics.base import FloatArray, Metric, MetricContext, ratio
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.records import ParsedReport, Statement
from pet2rep_eval.template import LANGUAGES, render_template, template_organs

_MARKS = str.maketrans("", "", "[]【】［］〔〕「」 \t\u3000")
_CLAUSE = re.compile(r"[，。；、！？：,;:!?\n]+|\.(?=\s|$)")
_SENTENCE = re.compile(r"[^。；！？!?;\n]*(?:[。；！？!?;\n]|$)")
_SHORT = 4
"""Characters: shorter clauses ("肝", "normal") repeat in any report."""


def clauses(text: str) -> list[str]:
    """The clauses of a text, without spaces and the template's marks, in lower case; short ones left out."""
    pieces = (piece.translate(_MARKS).lower() for piece in _CLAUSE.split(text))
    return [piece for piece in pieces if len(piece) >= _SHORT]


@cache
def _template_clauses() -> frozenset[str]:
    return frozenset(clause for language in LANGUAGES for clause in clauses(render_template(language)))


def copied_share(text: str, template: str | None = None) -> float:
    """Share of the characters of *text*, by clauses, that stand in *template*; by default the benchmark's."""
    known = _template_clauses() if template is None else frozenset(clauses(template))
    found = clauses(text)
    total = sum(map(len, found))
    return sum(len(clause) for clause in found if clause in known) / total if total else 0.0


def repeated_share(text: str) -> float:
    """Share of the clauses that occurred before in the same text."""
    found = clauses(text)
    return 1.0 - len(set(found)) / len(found) if found else 0.0


def read_share(report: ParsedReport) -> float:
    """Share of the characters that stand in a sentence of which a statement was read; spaces do not count."""
    text = report.text
    places = sorted(
        span.start for s in report.statements for span in (s.mention, s.ct, s.uptake) if span is not None
    )
    total = read = 0
    for match in _SENTENCE.finditer(text):
        size = len("".join(match[0].split()))
        total += size
        at = bisect_left(places, match.start())
        if at < len(places) and places[at] < match.end():
            read += size
    return read / total if total else 0.0


def _place(statement: Statement) -> int:
    spans = [span for span in (statement.mention, statement.uptake, statement.ct) if span is not None]
    return min((span.start for span in spans), default=0)


def in_order(ranks: Sequence[int]) -> int:
    """Length of the longest ascending subsequence."""
    tails: list[int] = []
    for rank in ranks:
        at = bisect_left(tails, rank)
        tails[at : at + 1] = [rank]
    return len(tails)


class Structure(Metric):
    """Statistics: 1 and the ten scores of the study. An empty prediction is 0 in all of them.

    ``slots_filled``     share of the template's organs whose uptake is stated
    ``slots_invented``   share of the organs with stated uptake that have no slot in the template
    ``slots_in_order``   share of those that stand in the template's order (longest ascending subsequence)
    ``parse_coverage``   share of the text in sentences that were read
    ``parsed``           1 if any uptake was read
    ``repetition``       share of clauses that repeat an earlier one
    ``same_language``    1 if the report is in the language of the reference
    ``length_ratio``     characters of prediction over those of reference
    ``truncated``        1 if the text ends before its sentence does
    ``template_copy``    share of the text that stands word for word in the benchmark's template
    """

    name = "structure"
    level = "structure"
    scores = (
        "slots_filled",
        "slots_invented",
        "slots_in_order",
        "parse_coverage",
        "parsed",
        "repetition",
        "same_language",
        "length_ratio",
        "truncated",
        "template_copy",
    )
    width = 1 + len(scores)
    means = frozenset(scores)
    best_by = "parsed"

    def __init__(self, context: MetricContext) -> None:
        self._slots = {organ: place for place, organ in enumerate(template_organs())}

    def study_statistics(self, prediction: PreparedText, reference: PreparedText) -> FloatArray:
        text = prediction.text
        if not text.strip():
            return np.array([1.0, *[0.0] * len(self.scores)])
        report = prediction.report
        first: dict[str, int] = {}
        for statement in report.statements:
            if statement.organ and statement.state:
                place = _place(statement)
                first[statement.organ] = min(place, first.get(statement.organ, place))
        known = sorted((place, self._slots[organ]) for organ, place in first.items() if organ in self._slots)
        size = len("".join(reference.text.split()))
        return np.array(
            [
                1.0,
                len(known) / len(self._slots),
                (len(first) - len(known)) / len(first) if first else 0.0,
                in_order([slot for _, slot in known]) / len(known) if known else 0.0,
                read_share(report),
                1.0 if first or any(s.region and s.state for s in report.statements) else 0.0,
                repeated_share(text),
                1.0 if language_of(text) == reference.language else 0.0,
                len("".join(text.split())) / size if size else 0.0,
                1.0 if is_truncated(text) else 0.0,
                copied_share(text),
            ]
        )

    def aggregate(self, totals: FloatArray) -> dict[str, FloatArray]:
        means = ratio(totals[..., 1:], totals[..., :1])
        return {score: means[..., i] for i, score in enumerate(self.scores)}

    def signature(self, score: str, languages: frozenset[str]) -> dict[str, str]:
        return {"avg": "mean-over-studies", "text": "whole", "missing": "0"}
