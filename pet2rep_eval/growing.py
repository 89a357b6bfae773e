"""What the lexicon does not know yet, counted over many reports, so that vocabulary grows from data."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pet2rep_eval.explain import phrases, uptake_clauses
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import ParsedReport, Span
from pet2rep_eval.resources import read_text

_NOT_READ = frozenset({"technique", "history", "comparison"})
_WORD = re.compile(r"[\u3400-\u9fff]{2,8}|[A-Za-z][A-Za-z-]{3,30}")
_HAN_EDGE = re.compile(r"^[见示呈于在的及和与、并且或均约为其可余另有内部处]+")
_LONGEST_CLAUSE = 200


@dataclass(frozen=True, slots=True)
class Found:
    """Something unknown, with how often and where first."""

    text: str
    count: int
    reason: str
    """Why a clause is not understood; the clause that a word stands in."""
    example: str
    """File and line of the first."""


@dataclass(slots=True)
class Survey:
    """Counts over reports. Memory grows with what is distinct, not with the number of reports."""

    reports: int = 0
    verdicts: dict[str, str] = field(default_factory=dict)
    """Distinct clause with a cue → ``stated``, ``explained`` or ``unknown``; unknown if it ever was."""
    reasons: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    not_understood: Counter[str] = field(default_factory=Counter)
    """Clause → how often it was ``unknown``."""
    words: Counter[str] = field(default_factory=Counter)
    word_places: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, text: str, place: str) -> None:
        """Reads one more report. *place* names it in the result."""
        report = parse_report(text)
        self.reports += 1
        for clause in uptake_clauses(report):
            words = " ".join(clause.span.of(text).split())
            self.counts[words] += 1
            self.not_understood[words] += clause.verdict == "unknown"
            before = self.verdicts.get(words)
            if before is None or (clause.verdict == "unknown" and before != "unknown"):
                self.verdicts[words] = clause.verdict
                self.reasons[words] = clause.reason
                self.places[words] = place
        for word, clause_text in _organ_like(report):
            self.words[word] += 1
            self.word_places.setdefault(word, (clause_text, place))

    def total(self, verdict: str) -> int:
        """Distinct clauses with that verdict."""
        return sum(v == verdict for v in self.verdicts.values())

    @property
    def share(self) -> float:
        """Share of the distinct clauses with a cue that are stated or explained; 1 where there is none."""
        return 1 - self.total("unknown") / len(self.verdicts) if self.verdicts else 1.0

    def explained(self) -> Mapping[str, int]:
        """Why distinct clauses need no statement, the most frequent reason first."""
        reasons = Counter(self.reasons[c] for c, v in self.verdicts.items() if v == "explained")
        return dict(reasons.most_common())

    def clauses(self, verdict: str = "unknown") -> list[Found]:
        """Clauses of that verdict, the most frequent first; of ``unknown``, counted where they were so."""
        counts = self.not_understood if verdict == "unknown" else self.counts
        chosen = [c for c, v in self.verdicts.items() if v == verdict]
        ranked = sorted(chosen, key=lambda c: (-counts[c], c))
        return [Found(c[:_LONGEST_CLAUSE], counts[c], self.reasons[c], self.places[c]) for c in ranked]

    def organ_words(self) -> list[Found]:
        """Words that look like an organ and that the lexicon does not know, the most frequent first."""
        ranked = sorted(self.words.items(), key=lambda item: (-item[1], item[0]))
        return [Found(w, n, self.word_places[w][0], self.word_places[w][1]) for w, n in ranked]

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """The whole survey as plain values; *top* limits the lists."""

        def listed(found: Iterable[Found], reason: str) -> list[dict[str, Any]]:
            shown = list(found)[:top]
            return [{"text": f.text, "count": f.count, reason: f.reason, "example": f.example} for f in shown]

        return {
            "reports": self.reports,
            "clauses": {
                "with_cue": sum(self.counts.values()),
                "distinct": len(self.verdicts),
                "stated": self.total("stated"),
                "explained": self.total("explained"),
                "unknown": self.total("unknown"),
                "share": self.share,
            },
            "explained": dict(self.explained()),
            "unknown": listed(self.clauses(), "reason"),
            "words": listed(self.organ_words(), "clause"),
        }


@cache
def _shapes() -> tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Endings of organ-like words, Chinese and English, and what only looks like one."""
    table = tomllib.loads(read_text("lexicons", "growing.toml"))
    ends, others = table["organ_like"], table["not_an_organ"]
    return tuple(ends["zh"]), tuple(ends["en"]), frozenset((*others["zh"], *others["en"]))


def _organ_like(report: ParsedReport) -> Iterator[tuple[str, str]]:
    """Words between the phrases of a text that look like an organ, each with its surroundings."""
    chinese, english, others = _shapes()
    unread = [s.span for s in report.sections if s.name in _NOT_READ]
    for gap in _gaps(report.text):
        for match in _WORD.finditer(report.text, gap.start, gap.end):
            if any(s.start <= match.start() < s.end for s in unread):
                continue
            word = match.group()
            if word[0].isascii():
                word = word.lower().strip("-")
                like = len(word) > 3 and word.endswith(english)
            else:
                word = _HAN_EDGE.sub("", word)
                like = len(word) > 1 and word.endswith(chinese)
            if like and word not in others:
                around = report.text[max(0, match.start() - 20) : match.end() + 20]
                yield word, " ".join(around.split())


def _gaps(text: str) -> Iterator[Span]:
    """What lies between the phrases of the lexicon."""
    position = 0
    for phrase in phrases(text):
        if phrase.span.start > position:
            yield Span(position, phrase.span.start)
        position = max(position, phrase.span.end)
    if position < len(text):
        yield Span(position, len(text))
