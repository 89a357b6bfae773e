"""What stands beside the scores of a system: outcomes, flags, structure, copying, and CE of what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pet2rep_eval.leaderboard.records import Contender
from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.crg import Crg
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.metrics.structure import Structure, copied_share
from pet2rep_eval.protocols import Protocol, load_protocol
from pet2rep_eval.records import ParsedReport
from pet2rep_eval.score_sheet import ScoreSheet


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One system, its first run."""

    name: str
    baseline: bool
    outcomes: Mapping[str, int]
    flags: Mapping[str, int]
    structure: Mapping[str, float]
    """Scores of :class:`~pet2rep_eval.metrics.structure.Structure`, means over all studies."""
    crg: float
    parsed: int
    """Studies in whose report any uptake was read."""
    ce_f1: float | None
    """Over all studies; None where CE was not scored."""
    ce_f1_parsed: float | None
    """Over the parsed ones alone: what a scorer gives that leaves out what it cannot read."""
    prompt_copy: float | None
    """Mean share of the text that stands word for word in the template of its prompt; None without one."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ledger(
    contenders: Sequence[Contender],
    *,
    protocol: str | Protocol | None = None,
    read: Callable[[str], ParsedReport] | None = None,
    templates: Mapping[str, Mapping[str, str]] | None = None,
) -> list[LedgerRow]:
    """The ledger of *contenders*, in their order.

    *templates*: row → study id → the template in its prompt. *read*: how reports are parsed, from a cache say.
    """
    sheet = contenders[0].runs[0]
    chosen = protocol if isinstance(protocol, Protocol) else load_protocol(protocol or sheet.protocol)
    context = MetricContext(Words(), chosen)
    structure, crg = Structure(context), Crg(context)
    known: dict[str, PreparedText] = {}

    def prepared(text: str) -> PreparedText:
        if text not in known:
            known[text] = PreparedText(text)
            if read:
                known[text].report = read(text)
        return known[text]

    rows = []
    for contender in contenders:
        run = contender.runs[0]
        pairs = [(prepared(s.pair.prediction), prepared(s.pair.reference)) for s in run.studies]
        by_study = np.array([structure.study_statistics(p, r) for p, r in pairs])
        means = structure.aggregate(by_study.sum(0))
        parsed = by_study[:, 1 + structure.scores.index("parsed")] > 0
        positives = np.array([crg.study_statistics(p, r) for p, r in pairs]).sum(0)
        told = (templates or {}).get(contender.name)
        rows.append(
            LedgerRow(
                contender.name,
                contender.baseline,
                run.outcomes,
                run.flags,
                {name: float(value) for name, value in means.items()},
                float(crg.aggregate(positives)["crg"]),
                int(parsed.sum()),
                _efficacy(run, np.ones(run.n, dtype=bool)),
                _efficacy(run, parsed),
                _copied(run, told) if told else None,
            )
        )
    return rows


def _efficacy(sheet: ScoreSheet, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> float | None:
    if "ce_f1" not in sheet.scores:
        return None
    return float(sheet.suite.aggregate(sheet.statistics[chosen].sum(0))["ce_f1"])


def _copied(sheet: ScoreSheet, templates: Mapping[str, str]) -> float:
    shares = [copied_share(s.pair.prediction, templates.get(s.pair.study_id, "")) for s in sheet.studies]
    return float(np.mean(shares))
