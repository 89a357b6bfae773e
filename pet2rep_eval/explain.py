"""What of a text the reading used: the phrases in it, and what became of each clause about uptake.

For people, not for scores: ``parse --explain`` and ``lexicon unknown`` are built on it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pet2rep_eval.parsing import parse_report
from pet2rep_eval.parsing.measures import read_suv
from pet2rep_eval.parsing.normalise import normalise
from pet2rep_eval.parsing.tokens import tokenise
from pet2rep_eval.records import ParsedReport, Section, Span, Statement

CUE = re.compile(
    r"FDG|放射性|摄取|攝取|代谢|代謝|浓聚|濃聚|浓集|濃集|浓密|濃密|示踪剂|示蹤劑|显像剂|顯像劑|SUV|显影|顯影"
    r"|uptake|avid|metaboli|tracer|photopen|radioactiv",
    re.IGNORECASE,
)
"""What makes a clause one about uptake; apart from the lexicon, so that the lexicon can be measured by it."""

RULES = {
    "direct": "the clause names the organ and says its uptake",
    "attributive": "the uptake stands before the organ that it is said of",
    "inside": "the organ stands between the words of the uptake",
    "extended": "what was said of a place before, of what it grows into",
    "likewise": "the same as what was said of the organ before (likewise, 亦)",
    "exception": "the sentence denies uptake save here",
    "announced": "the sentence opened with the finding, and a list of places follows",
    "compound": "of a compound, the word that stands last is meant",
    "located": "the uptake is said first, then where it lies",
    "specified": "the finding is somewhere, in the bones or all over the body, and the clause says where",
    "carried": "the clause names no organ; it speaks of the one before it",
    "remainder": "the rest of the same organ or region",
    "SUV only": "a lesion with a quoted SUV and no word for its uptake: increased from 2.0 up",
    "described": "structure alone; no uptake is stated",
    "seen earlier": "uptake of an earlier study, of which nothing new is said",
    "called physiological": "what was said before is called physiological",
    "nodes of the heading": "lymph nodes without a station take that of the heading",
    "region of the heading": "no organ is named; the region of the heading, or the whole body",
}
"""What the name of an attribution rule on a statement means."""

_CLAUSE = re.compile(r"(?:[^。，；;,.!?！？\r\n]|[,.](?=\S)(?<=\d[,.])(?=\d)|\.(?=[^\s\d]))+")
_SENTENCE_END = re.compile(r"[。；;!?！？\r\n]|\.(?=\s|$)")
_READ = frozenset({"findings", "structure"})


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of the lexicon, or a measure, found in a text."""

    span: Span
    kind: str
    """The terminal that the grammar sees: ``CUE``, ``NEG``, ``SITE``, …"""
    concept: str
    """Dotted name of its table in the lexicon; a measure or mark has that of its pattern."""
    organs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClauseReading:
    """What became of one clause about uptake."""

    span: Span
    verdict: str
    """``stated``, ``explained`` or ``unknown``."""
    reason: str
    """The attribution rule of a statement, why none is needed, or what is not understood."""


def phrases(text: str) -> tuple[Phrase, ...]:
    """The phrases that the parser sees in *text*, in order and without overlap."""
    normalised = normalise(text)
    return tuple(
        Phrase(normalised.span(t.start, t.end), t.kind, t.concept.name, t.concept.organs)
        for t in tokenise(normalised)
    )


def within(found: Sequence[Phrase], span: Span) -> Sequence[Phrase]:
    """Those of the ordered phrases *found* that lie inside *span*."""
    first = bisect_left(found, span.start, key=lambda p: p.span.start)
    last = bisect_left(found, span.end, key=lambda p: p.span.start)
    return [p for p in found[first:last] if _inside(p.span, span)]


def _inside(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def clause_spans(text: str) -> Iterator[Span]:
    """Clauses as a reader of the page sees them: between commas, semicolons, full stops and line breaks.

    A point or comma inside a number is no end, nor is a point inside a word.
    """
    for match in _CLAUSE.finditer(text):
        piece = match.group()
        start = match.start() + len(piece) - len(piece.lstrip())
        end = match.end() - len(piece) + len(piece.rstrip())
        if start < end:
            yield Span(start, end)


def uptake_clauses(report: ParsedReport) -> tuple[ClauseReading, ...]:
    """Every clause of a report that has a cue of uptake, with what became of it."""
    spans = [s for s in clause_spans(report.text) if CUE.search(report.text, s.start, s.end)]
    if not spans:
        return ()
    found = phrases(report.text)
    judge = _Judge(report, found)
    return tuple(judge.read(span) for span in spans)


_DIRECTIONS = frozenset(("HOT", "HYPO", "VOID", "UP", "DOWN", "COLD", "EVEN", "SYM", "PHYS", "VERDICT"))
_COMPARISONS = frozenset(("CHANGE", "PRIOR", "RESOLVED"))


_PLACES = frozenset(("SITE", "REGION", "NODE", "HILUM"))
_SPREAD = frozenset(("DIFFUSE", "FOCAL", "SYM", "UNEVEN"))
_SCAN = re.compile(r"(?:18F-?|F-?18[- ]?)?FDG[- ]{0,2}PET(?:[-/]CT)?", re.IGNORECASE)
_NEAR = 8
"""Statements looked at on each side of a measure: a list of organs may share it."""


def _place(statement: Statement) -> int:
    span = statement.uptake or statement.ct or statement.mention
    return span.start if span else 0


def _names_tracer(here: Sequence[Phrase]) -> bool:
    """Nothing but the name of the tracer speaks of uptake: 静脉注射18F-FDG."""
    said = [p for p in here if p.kind in _DIRECTIONS | _SPREAD | {"CUE", "NEG", "SUV", "ABN"}]
    return bool(said) and all(p.concept == "cue.tracer" for p in said)


class _Judge:
    """Decides on the clauses of one report."""

    def __init__(self, report: ParsedReport, found: Sequence[Phrase]) -> None:
        self.report, self.found = report, found
        stated = [s for s in report.statements if s.state is not None and s.uptake is not None]
        self.stated = sorted(stated, key=lambda s: s.uptake.start if s.uptake else 0)
        self.starts = [s.uptake.start for s in self.stated if s.uptake]
        # how far any of the statements up to here reaches
        self.reach: list[int] = []
        for s in self.stated:
            end = s.uptake.end if s.uptake else 0
            self.reach.append(max(end, self.reach[-1]) if self.reach else end)
        self.placed = sorted(report.statements, key=_place)
        self.places = [_place(s) for s in self.placed]
        self.section_starts = [(s.heading or s.span).start for s in report.sections]
        self.ends = [m.start() for m in _SENTENCE_END.finditer(report.text)]

    def read(self, span: Span) -> ClauseReading:
        statement = self._statement_over(span)
        if statement is not None:
            return ClauseReading(span, "stated", statement.rule or "stated")
        reason = self._explanation(span)
        if reason is not None:
            return ClauseReading(span, "explained", reason)
        return ClauseReading(span, "unknown", self._missing(span))

    def _statement_over(self, span: Span) -> Statement | None:
        """A statement whose uptake words lie in *span*, in part at least."""
        before = bisect_left(self.starts, span.end)
        if before == 0 or self.reach[before - 1] <= span.start:
            return None
        for statement in reversed(self.stated[:before]):
            if statement.uptake and statement.uptake.end > span.start:
                return statement
        return None

    def _sentence(self, span: Span) -> Span:
        after = bisect_left(self.ends, span.end)
        before = bisect_right(self.ends, span.start) - 1
        start = self.ends[before] + 1 if before >= 0 else 0
        return Span(start, self.ends[after] if after < len(self.ends) else len(self.report.text))

    def _explanation(self, span: Span) -> str | None:
        section = self._section(span)
        if section is not None:
            heading = section.heading
            if section.name not in _READ:
                return f"section '{section.name}' is not read"
            if heading and heading.start < span.end <= heading.end:
                return "heading"
        here = self._phrases(span)
        kinds = {p.kind for p in here}
        if not CUE.search(_SCAN.sub("", span.of(self.report.text))):
            return "names the examination"
        if _names_tracer(here):
            return "names the tracer"
        if "REF" in kinds:
            return "reference value"
        if "CONTRAST" in kinds:
            return "contrast agent"
        if "UNCERTAIN" in kinds:
            return "cannot be judged"
        if kinds & _COMPARISONS:
            return "comparison with another study"
        carried = self._carried(span, here, kinds)
        if carried:
            return carried
        following = self.report.text[span.end : span.end + 1]
        if "SITE" not in kinds and not kinds & _DIRECTIONS and following in ("：", ":"):
            return "heading"
        return None

    def _phrases(self, span: Span) -> Sequence[Phrase]:
        """The phrases in *span*, with a measure that goes on past its end (SUVmax 8.9, SUVavg 5.9)."""
        first = bisect_right(self.found, span.start, key=lambda p: p.span.end)
        last = bisect_left(self.found, span.end, key=lambda p: p.span.start)
        return [p for p in self.found[first:last] if p.kind == "SUV" or _inside(p.span, span)]

    def _section(self, span: Span) -> Section | None:
        """The section that most of a clause lies in: the last that begins before its end."""
        at = bisect_left(self.section_starts, span.end) - 1
        return self.report.sections[at] if at >= 0 else None

    def _carried(self, span: Span, here: Sequence[Phrase], kinds: set[str]) -> str | None:
        """The clause gives only a measure, begins or repeats what a neighbour states, or names its cause."""
        text = self.report.text
        near = self._near(span)
        sentence = self._sentence(span)
        neighbours = [s.uptake for s in self._between(sentence) if s.uptake]
        before = any(uptake.start < span.start for uptake in neighbours)
        after = any(uptake.start >= span.end for uptake in neighbours)
        if "SUV" in kinds and not kinds & _DIRECTIONS:
            values = {v for p in here if p.kind == "SUV" for v in read_suv(p.span.of(text).lower())}
            if not values and before:
                return "measure without its value"
            if values and values <= {v for s in near for v in s.suv}:
                stated = any(s.state is not None and values & set(s.suv) for s in near)
                return "measure of a neighbour's statement" if stated else "value without a verdict"
        if after and not kinds & (_DIRECTIONS - {"SYM", "EVEN"}) and kinds & {"CUE", *_SPREAD}:
            return "begins what the sentence states next"
        if before and "CAUSE" in kinds:
            return "cause of what a neighbour states"
        if kinds & {"NEG", "EVEN", "SYM", "PHYS"} and self._repeats(span):
            return "repeats a neighbour's statement"
        if kinds & {"NEG", "EVEN", "PHYS"} and self._beside(span):
            return "beside an organ, hence of none"
        if (self._without_organ(span) or "SUV" in kinds) and self._begins_beside(span):
            return "beside an organ, hence of none"
        return None

    def _repeats(self, span: Span) -> bool:
        """By itself the clause says just what was said before of its organ: one statement is kept."""
        alone = [s for s in parse_report(span.of(self.report.text)).statements if s.state is not None]
        earlier = self.stated[: bisect_left(self.starts, span.start)][-1:]
        if not alone or not earlier or earlier[0].uptake is None:
            return False
        last = earlier[0]
        between = self._phrases(Span(earlier[0].uptake.end, span.start))
        elsewhere = any(p.kind in _PLACES and p.organs != (last.organ,) for p in between)
        same = {s.state for s in alone} == {last.state}
        return same and not elsewhere and all(s.organ in (None, last.organ) for s in alone)

    def _beside(self, span: Span) -> bool:
        """The sentence names organs only to say where something else lies, and no lymph node."""
        before = self._phrases(Span(self._sentence(span).start, span.end))
        named = [i for i, p in enumerate(before) if p.kind in ("SITE", "REGION", "NODE")]
        return bool(named) and all(
            before[i].kind != "NODE" and i + 1 < len(before) and before[i + 1].kind == "PLACE" for i in named
        )

    def _begins_beside(self, span: Span) -> bool:
        """The first name of the sentence only says beside what the lesion lies."""
        sentence = Span(self._sentence(span).start, span.end)
        compares = any(p.kind in ("BELOW", "ABOVE", "EQUAL", "AGAINST") for p in self._phrases(span))
        for part in (sentence,) if compares else (span, sentence):
            words = self._phrases(part)
            first = next((i for i, p in enumerate(words) if p.kind in _PLACES), None)
            if first is not None:
                listed = ("PART", "SIDE", "JOIN", "SITE")  # 输尿管与髂血管之间
                following = next((p.kind for p in words[first + 1 :] if p.kind not in listed), "")
                return words[first].kind == "HILUM" or (words[first].kind != "NODE" and following == "PLACE")
        return False

    def _without_organ(self, span: Span) -> bool:
        """The reading itself says that this uptake belongs to no organ."""
        return any(
            d.code == "P002" and d.span.start < span.end and span.start < d.span.end
            for d in self.report.diagnostics
        )

    def _near(self, span: Span) -> Sequence[Statement]:
        """Statements on either side of the end of *span*, in text order."""
        at = bisect_left(self.places, span.end)
        return self.placed[max(0, at - _NEAR) : at + _NEAR]

    def _between(self, span: Span) -> Sequence[Statement]:
        first = bisect_left(self.starts, span.start)
        return self.stated[first : bisect_left(self.starts, span.end)]

    def _missing(self, span: Span) -> str:
        """What could not be understood, as a hint for whoever grows the vocabulary."""
        kinds = {p.kind for p in within(self.found, span)}
        if self._without_organ(span):
            return "it belongs to no named organ"
        if not kinds & {"CUE", *_DIRECTIONS, "SUV"}:
            return "no word for uptake is known here"
        if not kinds & {*_DIRECTIONS, "NEG", "SUV", "ABN", "UNEVEN", "DIFFUSE", "FOCAL"}:
            return "no word says how much"
        return "its words are known, not their order"
