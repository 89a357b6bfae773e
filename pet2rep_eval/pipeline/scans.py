"""The first stage: scans to key slices and prompts, by the imaging package."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pet2rep_eval.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from pet2rep_eval.imaging.preparing import Options

_PLAIN: dict[str, tuple[type, ...]] = {
    "layout": (str,),
    "preset": (str,),
    "orientation": (str,),
    "count": (int,),
    "units": (str,),
    "strict": (bool,),
    "threshold": (str,),
    "label_table": (str,),
}
_RENAMED = {"planes": "strategy", "index": "indices", "position": "positions_mm"}
_OWN: dict[str, tuple[type, ...]] = {
    "planes": (str,),
    "index": (list,),
    "position": (list,),
    "colours": (str,),
    "suv_max": (int, float),
    "caption": (bool,),
    "scale_bar": (bool,),
    "prompt": (str,),
    "language": (str,),
    "references": (str,),
    "workers": (int,),
}


class Told(Protocol):
    """What of a run's hooks is used here."""

    def note(self, text: str) -> None:
        """A line for the user."""

    def bar(self, title: str, total: int) -> AbstractContextManager[Any]:
        """A context that gives a function of the number done."""


@dataclass(frozen=True, slots=True)
class Scans:
    """``[prepare]``: what is prepared, and how."""

    studies: tuple[Path, ...]
    references: Path | None = None
    """Reference reports, for the prompts and the scores."""
    prompt: str = "pet2rep"
    language: str = "zh"
    workers: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of :class:`pet2rep_eval.imaging.preparing.Options`."""

    def chosen(self) -> Options:
        """The options as the imaging package takes them. Raises :class:`UnknownNameError` for bad colours."""
        from pet2rep_eval.imaging.colours import colour_map
        from pet2rep_eval.imaging.preparing import Options

        if (colours := dict(self.options.get("changes", ())).get("colours")) is not None:
            colour_map(colours)
        return Options(**self.options)

    def settings(self) -> dict[str, Any]:
        """All that decides the prompts, besides the scans."""
        return {"prompt": self.prompt, "language": self.language, **self.options}

    def count(self) -> int:
        """How many studies can be prepared: looks at the folders, not into the volumes."""
        from pet2rep_eval.imaging.studies import find_studies

        return sum(study.problem is None for study in find_studies(self.studies))

    def prepare(self, output: Path, told: Told) -> tuple[int, int]:
        """Write prompts, pictures and quantities into *output*; how many studies were prepared, and failed.

        Studies that are there already are kept. Raises :class:`InputError` where nothing can be prepared.
        """
        from pet2rep_eval.imaging.outputs import PromptChoice, write_outputs
        from pet2rep_eval.imaging.preparing import Prepared, prepare_studies
        from pet2rep_eval.imaging.studies import find_studies

        found = find_studies(self.studies)
        if not found:
            raise InputError(
                "no PET/CT study was found",
                path=self.studies[0],
                remedy="DICOM, NIfTI, zip archives and tables are read.",
            )
        output.mkdir(parents=True, exist_ok=True)
        done: list[Prepared] = []
        with told.bar("prepare", len(found)) as show:

            def step(result: Prepared) -> None:
                done.append(result)
                show(len(done))

            results = prepare_studies(found, output, self.chosen(), workers=self.workers, progress=step)
        reports, sexes = _reports(self.references)
        write_outputs(output, results, PromptChoice(self.prompt, self.language, reports, sexes))
        failed = [r for r in results if r.problem is not None]
        told.note(f"prepare: {len(results) - len(failed)} studies, {len(failed)} failed.")
        for result in failed[:3]:
            told.note(f"{result.study_id}: {result.problem}")
        if len(failed) == len(results):
            raise InputError(
                f"no study could be prepared; the first: {failed[0].problem}", path=self.studies[0]
            )
        return len(results) - len(failed), len(failed)


def read_scans(table: Mapping[str, Any], path: Path) -> Scans:
    """The table ``[prepare]`` of the configuration *path*; paths are relative to its folder.

    Raises :class:`InputError` and :class:`UnknownNameError` naming file and key.
    """

    def problem(text: str, remedy: str) -> InputError:
        return InputError(text, path=path, remedy=remedy)

    given = dict(table)
    studies = given.pop("studies", None)
    studies = [studies] if isinstance(studies, str) else studies
    if not isinstance(studies, list) or not studies or not all(isinstance(s, str) for s in studies):
        raise problem("'prepare.studies' must name studies", "Give a path or a list of paths.")
    known = _PLAIN | _OWN
    for key, value in given.items():
        if key not in known:
            raise UnknownNameError(f"key 'prepare.{key}' in {path}", key, ("studies", *known))
        if not isinstance(value, known[key]) or (isinstance(value, bool) and bool not in known[key]):
            names = " or ".join(kind.__name__ for kind in known[key])
            raise problem(f"'prepare.{key}' must be of type {names}", "See docs/pipeline.md.")
    changes: dict[str, Any] = {key: given[key] for key in ("colours", "caption", "scale_bar") if key in given}
    if "suv_max" in given:
        changes["suv_window"] = (0.0, float(given["suv_max"]))
    options = {key: given[key] for key in _PLAIN if key in given}
    for key, name in _RENAMED.items():
        if key in given:
            options[name] = tuple(given[key]) if isinstance(given[key], list) else given[key]
    if changes:
        options["changes"] = tuple(changes.items())
    return Scans(
        studies=_places(path, studies),
        references=_places(path, [given["references"]])[0] if "references" in given else None,
        prompt=given.get("prompt", "pet2rep"),
        language=given.get("language", "zh"),
        workers=given.get("workers"),
        options=options,
    )


def _places(path: Path, given: Sequence[str]) -> tuple[Path, ...]:
    return tuple(path.parent / Path(place).expanduser() for place in given)


def _reports(path: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Reports and, where a JSONL file has the key ``sex``, sexes by study id."""
    if path is None:
        return {}, {}
    from pet2rep_eval.datasets import read_references

    reports = {study: texts[0] for study, texts in read_references(path).studies.items()}
    sexes: dict[str, str] = {}
    if path.suffix.lower() == ".jsonl":
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            row = json.loads(line) if line.strip() else {}
            if isinstance(row, dict) and row.get("sex") in ("M", "F"):
                sexes[str(row.get("study_id", ""))] = row["sex"]
    return reports, sexes
