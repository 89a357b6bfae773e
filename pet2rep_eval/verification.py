"""Are these numbers reproduced, and why do two results differ?

A result is the JSON of a score sheet. It carries what decided its numbers: settings, versions, hashes of
vocabulary and grammars, the signature of each score, and hashes of the texts of every study.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import InputError
from pet2rep_eval.evaluation import prompt_templates, score_systems
from pet2rep_eval.inputs import SystemInput, read_systems
from pet2rep_eval.significance import Resampling

Result = Mapping[str, Any]
"""A score sheet as JSON."""

TOLERANCE = 1e-9
_NAMED = 8
_DECISIVE = ("pet2rep_eval", "lexicons", "grammars")
"""Entries of the environment that must be the same; others are named only where a number differs."""
_TITLES = {"pet2rep_eval": "version of pet2rep_eval", "lexicons": "lexicons", "grammars": "grammars"}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that decides numbers, in two results."""

    name: str
    first: str
    second: str
    same: bool
    decisive: bool = True
    """Whether a difference is one that counts."""


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """One score in two results."""

    name: str
    first: float | None
    second: float | None
    same: bool
    interval_same: bool
    reasons: tuple[str, ...]
    """What differs between the results that decides this score."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Two results of one system: what was recorded and what is computed now, or two files."""

    system: str
    fields: tuple[Field, ...]
    studies: Mapping[str, tuple[str, ...]]
    """``dropped``, ``added``, ``changed reference``, ``changed prediction``, ``changed outcome`` → ids."""
    scores: tuple[ScoreDifference, ...]

    @property
    def same(self) -> bool:
        """Whether everything that counts is the same."""
        return (
            all(field.same for field in self.fields if field.decisive)
            and not any(self.studies.values())
            and all(score.same and score.interval_same for score in self.scores)
        )

    @property
    def reproduced(self) -> bool:
        """Whether all numbers are the same, whatever decided them."""
        return all(score.same for score in self.scores)

    def to_dict(self) -> dict[str, Any]:
        return {"same": self.same, "reproduced": self.reproduced} | asdict(self)


def load_results(path: str | Path) -> list[Result]:
    """The score sheets of a file that ``score`` or ``compare`` wrote. Raises :class:`InputError`."""
    remedy = "Give the results.json of pet2rep-eval score --output."
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"it cannot be read: {error}", path=path, remedy=remedy) from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"this is not JSON: {error.msg}", path=path, line=error.lineno, remedy=remedy
        ) from None
    if isinstance(found, dict) and "sheets" in found:
        found = found["sheets"]
    sheets = found if isinstance(found, list) else [found]
    for sheet in sheets:
        if not isinstance(sheet, dict) or not {"system", "scores", "environment"} <= set(sheet):
            raise InputError("these are no results of pet2rep-eval", path=path, remedy=remedy)
        if "studies" not in sheet:
            raise InputError(
                "these results were written by a version without fingerprints of the studies",
                path=path,
                remedy="Score again.",
            )
    return sheets


def recompute(
    recorded: Sequence[Result],
    *,
    predictions: Sequence[str] = (),
    references: str | None = None,
) -> list[Result]:
    """The results that the recorded inputs and settings give now.

    *predictions* and *references* stand in for recorded files that have moved; the former one a result.
    Raises :class:`InputError`.
    """
    if predictions and len(predictions) != len(recorded):
        raise InputError(
            f"{len(predictions)} files of predictions for {len(recorded)} results",
            remedy="Give one file for each, in the order of the results.",
        )
    found = []
    for place, result in enumerate(recorded):
        source = SystemInput.from_dict(result.get("inputs", {}))
        source = replace(source, system=result["system"])
        if predictions:
            source = replace(source, predictions=predictions[place])
        if references:
            source = replace(source, references=references)
        for role in (source.predictions, source.references, source.ids):
            if role and not Path(role).exists():
                raise InputError(
                    "this file was scored and is no longer there",
                    path=role,
                    remedy="Give the files with --predictions and --references, or run from their folder.",
                )
        told = result["inputs"]
        system = read_systems([source])[0]
        sheet = score_systems(
            [system.aligned],
            protocol=told.get("protocol", result["protocol"]),
            profile=told.get("profile", result["profile"]),
            metrics=told.get("metrics") or None,
            templates=[prompt_templates(system.submission)],
            resampling=Resampling(**result["resampling"]) if result.get("resampling") else None,
            policy=told.get("several_references", "first"),
        )[0]
        found.append(json.loads(json.dumps(sheet.to_dict())))
    return found


def match(first: Sequence[Result], second: Sequence[Result]) -> list[tuple[Result, Result]]:
    """The results of the same system in two files; two single results always match.

    Raises :class:`InputError`.
    """
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    others = {result["system"]: result for result in second}
    pairs = [(result, others[result["system"]]) for result in first if result["system"] in others]
    if not pairs:
        named = ", ".join(others)
        raise InputError("the two files share no system", remedy=f"The second holds: {named}.")
    return pairs


def verify(first: Result, second: Result) -> Verification:
    """What is the same and what differs in two results, and for each score why."""
    fields = list(_fields(first, second))
    studies = _studies(first["studies"], second["studies"])
    names = [*first["scores"], *(name for name in second["scores"] if name not in first["scores"])]
    scores = [_score(name, first, second, fields, studies) for name in names]
    return Verification(first["system"], tuple(fields), studies, tuple(scores))


def _fields(first: Result, second: Result) -> Iterator[Field]:
    yield _field("system", first["system"], second["system"], decisive=False)
    for name in ("n", "profile", "protocol"):
        yield _field(name, first[name], second[name])
    one, other = _signature_values(first, "protocol"), _signature_values(second, "protocol")
    if one or other:
        yield _field("protocol's hash", one, other)
    yield _field("references", _signature_values(first, "refs"), _signature_values(second, "refs"))
    yield _field("resampling", _told(first.get("resampling")), _told(second.get("resampling")))
    ours, theirs = first["environment"], second["environment"]
    for name in dict.fromkeys([*_DECISIVE, *ours, *theirs]):
        title = _TITLES.get(name, name)
        yield _field(title, ours.get(name), theirs.get(name), decisive=name in _DECISIVE)


def _field(name: str, first: Any, second: Any, *, decisive: bool = True) -> Field:
    return Field(name, str(first), str(second), str(first) == str(second), decisive)


def _told(resampling: Mapping[str, Any] | None) -> str:
    return Resampling(**resampling).signature if resampling else "none"


def signature_fields(signature: str) -> dict[str, str]:
    """``ce_f1|protocol:pet2rep-1a2b3c4d|…`` → field → value."""
    return dict(part.split(":", 1) for part in signature.split("|")[1:] if ":" in part)


def _signature_values(result: Result, key: str) -> str:
    found = {signature_fields(score["signature"]).get(key) for score in result["scores"].values()}
    return ",".join(sorted(value for value in found if value))


def _studies(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    both = {study: (first[study].split(), second[study].split()) for study in first if study in second}
    return {
        "dropped": tuple(study for study in first if study not in second),
        "added": tuple(study for study in second if study not in first),
        "changed reference": tuple(study for study, (a, b) in both.items() if a[0] != b[0]),
        "changed prediction": tuple(study for study, (a, b) in both.items() if a[1] != b[1]),
        "changed outcome": tuple(study for study, (a, b) in both.items() if a[2] != b[2]),
    }


def _score(
    name: str,
    first: Result,
    second: Result,
    fields: Sequence[Field],
    studies: Mapping[str, tuple[str, ...]],
) -> ScoreDifference:
    one, other = first["scores"].get(name), second["scores"].get(name)
    if one is None or other is None:
        where = "second" if other is None else "first"
        return ScoreDifference(
            name,
            one["value"] if one else None,
            other["value"] if other else None,
            False,
            True,
            (f"not computed in the {where}",),
        )
    same = math.isclose(one["value"], other["value"], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    bounds = [(score.get("interval") or []) for score in (one, other)]
    interval_same = len(bounds[0]) == len(bounds[1]) and all(
        math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in zip(*bounds, strict=True)
    )
    reasons = [] if same and interval_same else list(_reasons(one, other, fields, studies))
    return ScoreDifference(name, one["value"], other["value"], same, interval_same, tuple(reasons))


def _reasons(
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    fields: Sequence[Field],
    studies: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    ours, theirs = signature_fields(one["signature"]), signature_fields(other["signature"])
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            yield f"{key}: {ours.get(key, 'not there')} / {theirs.get(key, 'not there')}"
    for what, ids in studies.items():
        if ids:
            more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
            yield f"{what} ({len(ids)}): {', '.join(ids[:_NAMED])}{more}"
    for field in fields:
        if not field.same and (field.name == "resampling" or not field.decisive) and field.name != "system":
            yield f"{field.name}: {field.first} / {field.second}"
