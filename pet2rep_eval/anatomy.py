"""What kinds of errors a system makes, in which organs, and the studies where it makes most of them.

Every difference between the abnormal states of reference and prediction gets exactly one kind. Two differences
that explain each other count as one: a flipped direction is a miss and a false alarm of one organ, a wrong organ
a miss here and a false alarm of the same state elsewhere in the same body region.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import Protocol, load_protocol
from pet2rep_eval.records import ParsedReport, Span, Statement, UptakeState
from pet2rep_eval.score_sheet import ScoreSheet, hashed

if TYPE_CHECKING:
    import pandas as pd

KINDS: Mapping[str, str] = {
    "missed uptake": "the prediction calls the organ normal",
    "omitted organ": "the prediction says nothing of the uptake of the organ",
    "false alarm": "the reference calls the organ normal",
    "invented organ": "the reference says nothing of the uptake of the organ",
    "direction flipped": "abnormal in both, in another direction",
    "wrong organ": "the same state is said of another organ of the same body region",
    "wrong side": "the right organ and state, on the other side",
}
"""Kind of error → what it means."""

AGREEMENT = ("both agree", "CT agrees alone", "uptake agrees alone", "neither agrees")
"""Of an organ that is abnormal in either text, by CT or by uptake."""

Read = Callable[[str], ParsedReport]
_NOT_EVEN = re.compile("(?:不|欠)(?:均匀|对称)")
"""Words that hold those of normality; they negate nothing."""
_PIECE = re.compile(r"[，,；;。]|(?<=\s)(?:and|with|but)(?=\s)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a text says something."""

    span: Span
    text: str

    def to_dict(self, *, text: bool = True) -> dict[str, Any]:
        """With the words, or with their hash in place of them."""
        shown = {"text": self.text} if text else {"sha256": hashed(self.text)["sha256"][:16]}
        return {"start": self.span.start, "end": self.span.end} | shown


@dataclass(frozen=True, slots=True)
class ErrorCase:
    """One error in one study."""

    study_id: str
    kind: str
    """Of :data:`KINDS`."""
    organ: str
    """Organ of the protocol: where the reference is abnormal, or for false alarms the prediction."""
    state: UptakeState
    """Of the reference, or for false alarms of the prediction."""
    instead: str
    """What the prediction says in place of it: a state, an organ, a side; empty where it says nothing."""
    reference: tuple[Evidence, ...]
    prediction: tuple[Evidence, ...]

    def to_dict(self, *, text: bool = True) -> dict[str, Any]:
        return {
            "study_id": self.study_id,
            "kind": self.kind,
            "organ": self.organ,
            "state": self.state.value,
            "instead": self.instead,
            "reference": [evidence.to_dict(text=text) for evidence in self.reference],
            "prediction": [evidence.to_dict(text=text) for evidence in self.prediction],
        }


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The errors of one system."""

    system: str
    cases: tuple[ErrorCase, ...]
    """By study, in the order of the references."""
    hits: int
    """Abnormal (study, organ, class) that are in both."""
    agreement: Mapping[str, int]
    """Of :data:`AGREEMENT`, over (study, organ) abnormal in either text → count."""

    @property
    def kinds(self) -> dict[str, int]:
        """Kind → count, all kinds."""
        found = Counter(case.kind for case in self.cases)
        return {kind: found[kind] for kind in KINDS}

    @property
    def by_organ(self) -> dict[str, dict[str, int]]:
        """Organ → kind → count, most errors first."""
        found: dict[str, Counter[str]] = {}
        for case in self.cases:
            found.setdefault(case.organ, Counter())[case.kind] += 1
        order = sorted(found.items(), key=lambda item: -item[1].total())
        return {organ: {kind: counts[kind] for kind in KINDS} for organ, counts in order}

    @property
    def by_class(self) -> dict[str, dict[str, int]]:
        """State → kind → count."""
        found: dict[str, Counter[str]] = {}
        for case in self.cases:
            found.setdefault(case.state.value, Counter())[case.kind] += 1
        return {state: {kind: counts[kind] for kind in KINDS} for state, counts in sorted(found.items())}

    def worst(self, number: int = 5) -> list[tuple[str, tuple[ErrorCase, ...]]]:
        """The studies with most errors, each with its errors; ties in the order of the references."""
        grouped: dict[str, list[ErrorCase]] = {}
        for case in self.cases:
            grouped.setdefault(case.study_id, []).append(case)
        ordered = sorted(grouped.items(), key=lambda item: -len(item[1]))
        return [(study, tuple(cases)) for study, cases in ordered[:number]]

    def to_dict(self, *, text: bool = True, worst: int = 5) -> dict[str, Any]:
        return {
            "system": self.system,
            "hits": self.hits,
            "kinds": self.kinds,
            "by_organ": self.by_organ,
            "by_class": self.by_class,
            "agreement": dict(self.agreement),
            "worst": [
                {"study_id": study, "errors": [case.to_dict(text=text) for case in cases]}
                for study, cases in self.worst(worst)
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row an error, as a pandas table; no text."""
        import pandas as pd

        columns = ("study_id", "kind", "organ", "state", "instead")
        rows = [(c.study_id, c.kind, c.organ, c.state.value, c.instead) for c in self.cases]
        return pd.DataFrame(rows, columns=list(columns))


@cache
def _ct_words() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Words of an abnormal CT finding, and of negation or normality."""
    findings, negations = [], []
    for phrase, concept in load_lexicon().phrases.items():
        if concept.kind in ("LESION", "FINDING"):
            findings.append(phrase)
        if concept.kind in ("NEG", "SYM") or concept.state is UptakeState.NORMAL:
            negations.append(phrase)
    patterns = []
    for words in (findings, negations):
        ordered = sorted(words, key=len, reverse=True)
        parts = (rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in ordered)
        patterns.append(re.compile("|".join(parts), re.IGNORECASE))
    return patterns[0], patterns[1]


def ct_is_abnormal(text: str) -> bool:
    """Whether a CT description names a finding that is not negated in the same piece of it."""
    finding, negation = _ct_words()
    pieces = (_NOT_EVEN.sub("", piece) for piece in _PIECE.split(text))
    return any(finding.search(piece) and not negation.search(piece) for piece in pieces)


class _Side:
    """One text of a study, by organ of the protocol."""

    def __init__(self, report: ParsedReport, protocol: Protocol) -> None:
        self.text = report.text
        organ_of = {site: organ for organ, sites in protocol.regions.items() for site in sites}
        self.statements: dict[str, list[Statement]] = {organ: [] for organ in protocol.regions}
        for statement in report.statements:
            if statement.organ in organ_of:
                self.statements[organ_of[statement.organ]].append(statement)
        self.states = protocol.states(report)

    def says(self, organ: str) -> bool:
        """Whether any uptake is stated of the organ."""
        return any(s.state for s in self.statements[organ])

    def ct_abnormal(self, organ: str) -> bool:
        return any(s.ct and ct_is_abnormal(s.ct.of(self.text)) for s in self.statements[organ])

    def evidence(self, organ: str, state: UptakeState | None = None) -> tuple[Evidence, ...]:
        """The words about the organ's uptake: in that state, else all of them."""
        stated = [s for s in self.statements[organ] if s.state]
        chosen = [s for s in stated if state is None or s.state is state] or stated
        spans = {span: None for s in chosen for span in [s.uptake or s.mention] if span}
        return tuple(Evidence(span, span.of(self.text)) for span in spans)

    def sides(self, organ: str, state: UptakeState) -> frozenset[str]:
        """Left and right, where the statements of that state say so."""
        told = {s.laterality for s in self.statements[organ] if s.state is state}
        if None in told:
            return frozenset()
        both = {"left", "right"} if "bilateral" in told else set()
        return frozenset({side for side in told if side and side != "bilateral"} | both)


def _group(organ: str, protocol: Protocol) -> str:
    sites = load_lexicon().sites
    return next((sites[site].group for site in protocol.regions[organ] if site in sites), organ)


def study_errors(
    study: str, reference: ParsedReport, prediction: ParsedReport, protocol: Protocol
) -> list[ErrorCase]:
    """The errors of one study, in the order of the protocol's organs."""
    return list(_errors(study, _Side(reference, protocol), _Side(prediction, protocol), protocol))


def _errors(study: str, theirs: _Side, ours: _Side, protocol: Protocol) -> Iterator[ErrorCase]:
    missed: list[tuple[str, UptakeState]] = []
    extra: list[tuple[str, UptakeState]] = []

    def case(kind: str, organ: str, state: UptakeState, instead: str = "", other: str = "") -> ErrorCase:
        said = state if kind in ("wrong organ", "wrong side", "false alarm", "invented organ") else None
        return ErrorCase(
            study,
            kind,
            organ,
            state,
            instead,
            theirs.evidence(organ, state),
            ours.evidence(other or organ, said),
        )

    for organ in protocol.organs:
        want = [label for label in protocol.labels if label in theirs.states[organ]]
        got = [label for label in protocol.labels if label in ours.states[organ]]
        lacking = [state for state in want if state not in got]
        surplus = [state for state in got if state not in want]
        while lacking and surplus:
            yield case("direction flipped", organ, lacking.pop(0), surplus.pop(0).value)
        missed += [(organ, state) for state in lacking]
        extra += [(organ, state) for state in surplus]
        for state in want:
            if state in got:
                left, right = theirs.sides(organ, state), ours.sides(organ, state)
                if left and right and not left & right:
                    yield case("wrong side", organ, state, "+".join(sorted(right)))
    for organ, state in missed:
        group = _group(organ, protocol)
        found = next((e for e in extra if e[1] is state and _group(e[0], protocol) == group), None)
        if found:
            extra.remove(found)
            yield case("wrong organ", organ, state, found[0], found[0])
        else:
            said = ours.says(organ)
            yield case("missed uptake" if said else "omitted organ", organ, state, "normal" if said else "")
    for organ, state in extra:
        yield case("false alarm" if theirs.says(organ) else "invented organ", organ, state)


def anatomy(
    sheet: ScoreSheet, protocol: Protocol | str | None = None, *, read: Read = parse_report
) -> Anatomy:
    """The errors of a system over the studies of its score sheet, against the first reference of each.

    *protocol*: the sheet's own by default. A study without a usable report omits every organ.
    """
    chosen = protocol if isinstance(protocol, Protocol) else load_protocol(protocol or sheet.protocol)
    cases: list[ErrorCase] = []
    agreement = dict.fromkeys(AGREEMENT, 0)
    hits = 0
    for study in sheet.studies:
        theirs = _Side(read(study.pair.reference), chosen)
        ours = _Side(read(study.pair.prediction), chosen)
        cases += _errors(study.pair.study_id, theirs, ours, chosen)
        for organ in chosen.organs:
            hits += len(theirs.states[organ] & ours.states[organ])
            ct = theirs.ct_abnormal(organ), ours.ct_abnormal(organ)
            if any(ct) or theirs.states[organ] or ours.states[organ]:
                alike = (ct[0] == ct[1], theirs.states[organ] == ours.states[organ])
                agreement[_cell(alike)] += 1
    return Anatomy(sheet.system, tuple(cases), hits, agreement)


def _cell(alike: tuple[bool, bool]) -> str:
    return AGREEMENT[{(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[alike]]


def anatomies(
    sheets: Iterable[ScoreSheet], protocol: Protocol | str | None = None, *, read: Read = parse_report
) -> Sequence[Anatomy]:
    """:func:`anatomy` of several systems; every text is read once."""
    known: dict[str, ParsedReport] = {}

    def once(text: str) -> ParsedReport:
        if text not in known:
            known[text] = read(text)
        return known[text]

    return [anatomy(sheet, protocol, read=once) for sheet in sheets]
