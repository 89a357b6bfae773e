"""What was scored: files and the columns chosen in them, kept with results so that they can be read again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from pet2rep_eval.alignment import align
from pet2rep_eval.datasets import read_ids, read_predictions, read_references
from pet2rep_eval.datasets.records import References, Submission
from pet2rep_eval.errors import InputError
from pet2rep_eval.records import AlignedSystem


@dataclass(frozen=True, slots=True)
class SystemInput:
    """One system's file, with all that decides how it is read."""

    predictions: str
    system: str | None = None
    references: str | None = None
    ids: str | None = None
    id_column: str | None = None
    prediction_column: str | None = None
    reference_column: str | None = None
    references_id_column: str | None = None
    lenient: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What was given, with the hash of each file; folders have none."""
        given = {key: value for key, value in asdict(self).items() if value}
        for role in ("predictions", "references", "ids"):
            path = given.get(role)
            if path and Path(path).is_file():
                given[f"{role}_sha256"] = file_hash(path)
        return given

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """What :meth:`to_dict` wrote. Raises :class:`InputError`."""
        known = {field.name for field in fields(cls)}
        if "predictions" not in given:
            raise InputError("the results do not say which file was scored", remedy="Score it again.")
        return cls(**{key: value for key, value in given.items() if key in known})


def file_hash(path: str | Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ReadSystem:
    """A system as it was read."""

    source: SystemInput
    submission: Submission
    aligned: AlignedSystem


def read_systems(sources: Sequence[SystemInput]) -> list[ReadSystem]:
    """The systems of *sources*, aligned; references and ids that they share are read once.

    Raises :class:`InputError` naming file and line.
    """
    known: dict[tuple[str, str | None, str | None], References] = {}
    ids: dict[str, tuple[str, ...]] = {}
    found = []
    for source in sources:
        references = None
        if source.references:
            key = (source.references, source.references_id_column, source.reference_column)
            if key not in known:
                known[key] = read_references(
                    source.references,
                    id_column=source.references_id_column,
                    reference_column=source.reference_column,
                )
            references = known[key]
        if source.ids and source.ids not in ids:
            ids[source.ids] = read_ids(source.ids)
        submission = read_predictions(
            source.predictions,
            system=source.system,
            id_column=source.id_column,
            prediction_column=source.prediction_column,
            reference_column=None if source.references else source.reference_column,
            lenient=source.lenient,
        )
        aligned = align(submission, references, ids.get(source.ids or ""))
        found.append(ReadSystem(source, submission, aligned))
    return found
