"""What an evaluation gives: scores with their provenance, tables, outcomes, baselines. Records only."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pet2rep_eval.metrics.base import FloatArray
from pet2rep_eval.metrics.clinical_efficacy import ClassRow, EfficacyTables
from pet2rep_eval.metrics.suite import Suite
from pet2rep_eval.protocols import OrganStates
from pet2rep_eval.records import FLAGS, Outcome, Pair
from pet2rep_eval.significance import Resampling

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Score:
    """A number and what decides it."""

    name: str
    value: float
    """A fraction of 1; CIDEr is the raw COCO value."""
    signature: str
    interval: tuple[float, float] | None = None
    sd: float | None = None
    """Standard deviation over studies; None for scores that are no mean over them."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "sd": self.sd,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class Baseline:
    """A system that looks at no image, scored like any other, and what the system has over it."""

    name: str
    title: str
    scores: Mapping[str, float]
    lift: Mapping[str, float]
    """Score of the system minus score of the baseline."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Abnormal statements of the references that the protocol does not see."""

    statements: int
    unseen: int
    sites: Mapping[str, int]
    """Site or body region → its unseen statements, most frequent first."""

    @property
    def share(self) -> float:
        """0 where the references make no abnormal statement."""
        return self.unseen / self.statements if self.statements else 0.0


@dataclass(frozen=True, slots=True)
class StudyResult:
    """One study of one system."""

    pair: Pair
    scores: Mapping[str, float]
    """The scores of this study alone."""
    reference_states: OrganStates | None = None
    """None where no metric reads states, as *prediction_states*."""
    prediction_states: OrganStates | None = None

    def to_dict(self, *, text: bool = True) -> dict[str, Any]:
        """With the reports, or with their hashes and lengths in place of them."""
        pair = self.pair
        show = (lambda t: t) if text else hashed
        row: dict[str, Any] = {
            "study_id": pair.study_id,
            "outcome": pair.outcome.value,
            "flags": [flag for flag in FLAGS if flag in pair.flags],
            "scores": dict(self.scores),
            "reference": show(pair.reference),
            "prediction": show(pair.prediction),
        }
        if self.reference_states is not None and self.prediction_states is not None:
            row["states"] = {
                organ: {"reference": sorted(theirs), "prediction": sorted(self.prediction_states[organ])}
                for organ, theirs in self.reference_states.items()
                if theirs or self.prediction_states[organ]
            }
        return row


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """The scores of one system."""

    system: str
    protocol: str
    profile: str
    scores: Mapping[str, Score]
    studies: tuple[StudyResult, ...]
    """In the order of the references."""
    suite: Suite
    """The fitted metrics; with *statistics* all that resampling needs."""
    statistics: FloatArray
    """Per study (n, k), in the order of *studies*."""
    efficacy: EfficacyTables | None = None
    """None where clinical efficacy was not asked for."""
    unseen: Unseen | None = None
    baselines: tuple[Baseline, ...] = ()
    notes: tuple[str, ...] = ()
    unknown_ids: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    resampling: Resampling | None = None
    """Of the intervals; None where there are none."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Files and settings, so that the sheet can be computed again."""

    @property
    def n(self) -> int:
        """Number of reference studies."""
        return len(self.studies)

    @property
    def outcomes(self) -> dict[str, int]:
        """Outcome → studies, without those that did not occur; ``scored`` always stands first."""
        found = Counter(study.pair.outcome for study in self.studies)
        return {o.value: found[o] for o in Outcome if found[o] or o is Outcome.SCORED}

    @property
    def flags(self) -> dict[str, int]:
        """Flag → scored studies that carry it, without those that did not occur."""
        found = Counter(flag for study in self.studies for flag in study.pair.flags)
        return {flag: found[flag] for flag in FLAGS if found[flag]}

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; holds no report text."""
        tables = self.efficacy
        sheet: dict[str, Any] = {
            "system": self.system,
            "n": self.n,
            "protocol": self.protocol,
            "profile": self.profile,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "per_class": {k: _row(v) for k, v in tables.per_class.items()} if tables else {},
            "per_organ": {k: _row(v) for k, v in tables.per_organ.items()} if tables else {},
        }
        if tables:
            sheet["confusion"] = {
                "labels": list(tables.state_labels),
                "rows": "reference",
                "matrix": [list(row) for row in tables.confusion],
            }
        if self.unseen:
            sheet["unseen"] = {
                "statements": self.unseen.statements,
                "unseen": self.unseen.unseen,
                "share": self.unseen.share,
                "sites": dict(self.unseen.sites),
            }
        return sheet | {
            "outcomes": self.outcomes,
            "flags": self.flags,
            "baselines": {b.name: {"scores": dict(b.scores), "lift": dict(b.lift)} for b in self.baselines},
            "notes": list(self.notes),
            "unknown_ids": list(self.unknown_ids),
            "provenance": dict(self.provenance),
            "environment": dict(self.environment),
            "resampling": asdict(self.resampling) if self.resampling else None,
            "inputs": dict(self.inputs),
            "studies": {study.pair.study_id: fingerprint(study.pair) for study in self.studies},
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a study, as a pandas table: id, outcome, flags, scores of the study."""
        import pandas as pd

        return pd.DataFrame(list(self.study_rows()))

    def study_rows(self) -> Iterator[dict[str, Any]]:
        """Per study: id, outcome, flags (joined by ``;``) and its scores; no text."""
        for study in self.studies:
            yield {
                "study_id": study.pair.study_id,
                "outcome": study.pair.outcome.value,
                "flags": ";".join(flag for flag in FLAGS if flag in study.pair.flags),
                **study.scores,
            }


def fingerprint(pair: Pair) -> str:
    """Hashes of references and prediction (16 hexadecimal digits each) and the outcome of a study."""
    texts = ("\0".join(pair.references), pair.prediction)
    return " ".join([*(hashed(text)["sha256"][:16] for text in texts), pair.outcome.value])


def _row(row: ClassRow) -> dict[str, Any]:
    return {
        "precision": row.precision,
        "recall": row.recall,
        "f1": row.f1,
        "support": row.support,
        "predicted": row.predicted,
    }


def hashed(text: str) -> dict[str, Any]:
    """What may be published of a report: SHA-256 of its UTF-8 bytes, and its length in characters."""
    return {
        "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
        "characters": len(text),
    }
