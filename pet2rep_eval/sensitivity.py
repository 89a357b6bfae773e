"""The same predictions under every plausible definition of the same word: what moves, and whose rank.

"CE F1" can be the mean of the classes' F1 or the F1 of mean precision and recall, over classes, labels or
organs, of all states of an organ or of its most abnormal one, with organs that a reference does not mention
taken as normal or left out, read from the findings or from the whole text. BLEU, METEOR and ROUGE can be of
words, characters or blank-separated pieces, with the template's marks or without. All of these are computed at
once from the same texts; one stays as it is in the profile, and the others differ from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pet2rep_eval.metrics import METRICS
from pet2rep_eval.metrics.base import FloatArray, MetricContext, Words, harmonic_mean, ratio
from pet2rep_eval.metrics.clinical_efficacy import indicator
from pet2rep_eval.metrics.prepared import PreparedText, TextPolicy
from pet2rep_eval.metrics.profiles import Profile, load_profile
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.parsing.headings import READ
from pet2rep_eval.protocols import Protocol, load_protocol
from pet2rep_eval.records import ParsedReport
from pet2rep_eval.score_sheet import ScoreSheet

if TYPE_CHECKING:
    import pandas as pd

Flags = NDArray[np.bool_]

AVERAGES = ("macro of F1", "F1 of macros", "micro", "by organ")
COUNTS = ("all states", "most abnormal")
UNMENTIONED = ("normal", "left out")
SECTIONS = ("findings", "whole text")
WORDS: Mapping[str, Words | None] = {
    "words": None,
    "characters": Words("characters", "characters"),
    "whitespace": Words("whitespace", "whitespace"),
}
MARKS = ("stripped", "kept")
TEXT_SCORES = {"bleu_4": "bleu", "meteor": "meteor", "rouge_l": "rouge"}
"""Score → its metric."""
WHOLE = (*sorted(READ), "impression")
"""Sections that are read of a whole text."""
Systems = Mapping[str, Sequence[ScoreSheet]]
"""Row → the score sheets of its runs, all on the same references."""
Read = Callable[[str], ParsedReport]


@dataclass(frozen=True, slots=True)
class Definition:
    """One way to define a score."""

    score: str
    choices: Mapping[str, str]
    """What is chosen → choice, such as ``average`` → ``micro``."""
    changed: tuple[str, ...]
    """What differs from the usual definition; empty for that one."""

    @property
    def name(self) -> str:
        """What is unusual about it."""
        return ", ".join(f"{key}: {self.choices[key]}" for key in self.changed) or "as usual"


@dataclass(frozen=True, slots=True)
class Line:
    """The rows of a leaderboard under one definition."""

    definition: Definition
    values: Mapping[str, float]
    """Row → value."""
    ranks: Mapping[str, int]
    """Row → rank among all rows, baselines too."""
    moves: Mapping[str, int]
    """Row → places won (positive) or lost against the usual definition."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """All definitions; the usual one of a score stands first among its own."""

    lines: tuple[Line, ...]

    def single(self) -> Iterator[Line]:
        """The usual definitions, and those that differ from them in one choice."""
        yield from (line for line in self.lines if len(line.definition.changed) <= 1)

    def spread(self, score: str) -> dict[str, tuple[float, float, int, int]]:
        """Row → least and greatest value, best and worst rank, over all definitions of *score*."""
        lines = [line for line in self.lines if line.definition.score == score]
        return {
            row: (
                min(line.values[row] for line in lines),
                max(line.values[row] for line in lines),
                min(line.ranks[row] for line in lines),
                max(line.ranks[row] for line in lines),
            )
            for row in lines[0].values
        }

    @property
    def scores(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.definition.score for line in self.lines))

    def to_dict(self) -> dict[str, Any]:
        return {"lines": [asdict(line) for line in self.lines]}

    def to_frame(self) -> pd.DataFrame:
        """One row a definition and system, as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """One row a definition and system."""
        return [
            {
                "score": line.definition.score,
                "definition": line.definition.name,
                "changes": len(line.definition.changed),
                "system": row,
                "value": value,
                "rank": line.ranks[row],
                "move": line.moves[row],
            }
            for line in self.lines
            for row, value in line.values.items()
        ]


def sensitivity(
    systems: Systems,
    *,
    profile: str | Profile = "default",
    protocols: Sequence[str | Protocol] = ("pet2rep", "sites"),
    read: Read = parse_report,
    text_scores: bool = True,
) -> Sensitivity:
    """All definitions for *systems* that were scored on the same references.

    The first of *protocols* is the usual one. Of a system with several runs every value is the mean over them.
    """
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    several = [p if isinstance(p, Protocol) else load_protocol(p) for p in protocols]
    known: dict[str, ParsedReport] = {}

    def once(text: str) -> ParsedReport:
        if text not in known:
            known[text] = read(text)
        return known[text]

    lines = list(_efficacy_lines(systems, several, chosen, once))
    if text_scores:
        lines += _text_lines(systems, chosen, once)
    return Sensitivity(tuple(lines))


def _line(definition: Definition, values: Mapping[str, float], usual: Line | None) -> Line:
    ranks = {row: 1 + sum(v > value + 1e-12 for v in values.values()) for row, value in values.items()}
    moves = {row: (usual.ranks[row] - rank if usual else 0) for row, rank in ranks.items()}
    return Line(definition, dict(values), ranks, moves)


def _definitions(
    score: str, choices: Mapping[str, Sequence[str]], usual: Mapping[str, str]
) -> Iterator[Definition]:
    """Every combination, the usual one first."""
    found = []
    for combination in product(*choices.values()):
        picked = dict(zip(choices, combination, strict=True))
        changed = tuple(key for key in choices if picked[key] != usual[key])
        found.append(Definition(score, picked, changed))
    yield from sorted(found, key=lambda definition: len(definition.changed))


def _lines(
    definitions: Iterator[Definition], values_of: Callable[[Definition], Mapping[str, float]]
) -> Iterator[Line]:
    usual: Line | None = None
    for definition in definitions:
        line = _line(definition, values_of(definition), usual)
        usual = usual or line
        yield line


@dataclass(frozen=True, slots=True)
class _Labels:
    """What one reading of one protocol gives: (n, organs, classes) and who is mentioned (n, organs)."""

    states: Flags
    mentioned: Flags


def _labels(texts: Sequence[str], protocol: Protocol, read: Read) -> _Labels:
    known: dict[str, tuple[Flags, Flags]] = {}
    for text in texts:
        if text not in known:
            report = read(text)
            stated = report.states
            said = [any(stated.get(s) for s in sites) for sites in protocol.regions.values()]
            known[text] = indicator(protocol.states(report), protocol), np.array(said)
    return _Labels(np.array([known[t][0] for t in texts]), np.array([known[t][1] for t in texts]))


def efficacy_f1(
    ours: Flags, theirs: Flags, mentioned: Flags, *, average: str, count: str, unmentioned: str
) -> float:
    """CE F1 of labels (n, organs, classes) under one definition; *mentioned* (n, organs) by the reference."""
    if count == "most abnormal":
        # Labels stand from most to least abnormal: the first of each organ is kept.
        ours, theirs = (side & (np.cumsum(side, axis=-1) == 1) for side in (ours, theirs))
    kept = mentioned[..., None] if unmentioned == "left out" else np.ones_like(mentioned)[..., None]
    axis = {"micro": (0, 1, 2), "by organ": (0, 2)}.get(average, (0, 1))
    hits, false_alarms, misses = (
        (side & kept).sum(axis=axis).astype(np.float64)
        for side in (ours & theirs, ours & ~theirs, ~ours & theirs)
    )
    if average == "F1 of macros":
        precision, recall = ratio(hits, hits + false_alarms), ratio(hits, hits + misses)
        return float(harmonic_mean(np.asarray(precision.mean()), np.asarray(recall.mean())))
    f1 = ratio(2 * hits, 2 * hits + false_alarms + misses)
    if average == "by organ":
        present = (hits + misses) > 0
        return float(f1[present].mean()) if present.any() else 0.0
    return float(np.mean(f1))


def _predictions(sheet: ScoreSheet) -> list[str]:
    return [study.pair.prediction for study in sheet.studies]


def _references(systems: Systems) -> list[str]:
    first = next(iter(systems.values()))[0]
    return [study.pair.reference for study in first.studies]


def _efficacy_lines(
    systems: Systems,
    protocols: Sequence[Protocol],
    profile: Profile,
    read: Read,
) -> Iterator[Line]:
    readers = {"findings": read, "whole text": lambda text: parse_report(text, sections=WHOLE)}
    by_name = {protocol.name: protocol for protocol in protocols}
    references: dict[tuple[str, str], _Labels] = {}
    predictions: dict[tuple[str, str], dict[str, list[_Labels]]] = {}
    for section, reader in readers.items():
        for name, protocol in by_name.items():
            references[section, name] = _labels(_references(systems), protocol, reader)
            predictions[section, name] = {
                row: [_labels(_predictions(sheet), protocol, reader) for sheet in runs]
                for row, runs in systems.items()
            }

    def values(definition: Definition) -> dict[str, float]:
        key = definition.choices["section"], definition.choices["protocol"]
        theirs = references[key]
        how = {name: definition.choices[name] for name in ("average", "count", "unmentioned")}
        return {
            row: float(
                np.mean([efficacy_f1(run.states, theirs.states, theirs.mentioned, **how) for run in runs])
            )
            for row, runs in predictions[key].items()
        }

    choices = {
        "average": AVERAGES,
        "count": COUNTS,
        "unmentioned": UNMENTIONED,
        "section": SECTIONS,
        "protocol": tuple(by_name),
    }
    usual = {name: options[0] for name, options in choices.items()}
    if "ce_f1_of_macro" in profile.overall:
        usual["average"] = "F1 of macros"
    yield from _lines(_definitions("ce_f1", choices, usual), values)


def _prepare(texts: Sequence[str], policy: TextPolicy, read: Read) -> list[PreparedText]:
    known: dict[str, PreparedText] = {}
    for text in texts:
        if text not in known:
            known[text] = PreparedText(text, policy)
            if policy.section == "findings":
                known[text].report = read(text)
    return [known[text] for text in texts]


def _text_lines(systems: Systems, profile: Profile, read: Read) -> Iterator[Line]:
    usual = {
        "words": "words",
        "section": "whole text" if profile.text.section == "all" else "findings",
        "marks": "kept" if profile.text.brackets == "keep" else "stripped",
    }
    choices = {"words": tuple(WORDS), "section": SECTIONS, "marks": MARKS}
    found: dict[tuple[str, str, str], dict[str, dict[str, float]]] = {}
    for section, marks in product(SECTIONS, MARKS):
        policy = TextPolicy(
            "all" if section == "whole text" else "findings", "keep" if marks == "kept" else "strip"
        )
        references = _prepare(_references(systems), policy, read)
        runs = {
            row: [_prepare(_predictions(sheet), policy, read) for sheet in sheets]
            for row, sheets in systems.items()
        }
        for words in WORDS:
            found[words, section, marks] = _text_values(runs, references, words, profile)
    for score in TEXT_SCORES:
        yield from _lines(
            _definitions(score, choices, usual),
            lambda d, score=score: found[d.choices["words"], d.choices["section"], d.choices["marks"]][score],  # type: ignore[misc]
        )


def _text_values(
    runs: Mapping[str, Sequence[Sequence[PreparedText]]],
    references: Sequence[PreparedText],
    words: str,
    profile: Profile,
) -> dict[str, dict[str, float]]:
    """Score → row → value."""
    found: dict[str, dict[str, float]] = {}
    for score, name in TEXT_SCORES.items():
        cut = WORDS[words] or profile.words_of(name)
        metric = METRICS.load(name)(MetricContext(cut, load_protocol("pet2rep")), **profile.options_of(name))
        found[score] = {}
        for row, texts in runs.items():
            by_run = []
            for predictions in texts:
                rows: FloatArray = np.array(
                    [metric.study_statistics(p, r) for p, r in zip(predictions, references, strict=True)]
                )
                by_run.append(float(metric.aggregate(rows.sum(0))[score]))
            found[score][row] = float(np.mean(by_run))
    return found
