"""Prepare → generate → score → compare: each stage looks whether its result is there, else makes it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pet2rep_eval import resources
from pet2rep_eval._version import __version__
from pet2rep_eval.errors import InputError
from pet2rep_eval.inference import Prompt, create_backend, generate, read_prompts
from pet2rep_eval.inference.runner import Progress, beside
from pet2rep_eval.pipeline.cache import Cell, content_key, file_key
from pet2rep_eval.pipeline.configuration import ModelSettings, RunConfiguration

if TYPE_CHECKING:
    from pet2rep_eval.inputs import ReadSystem
    from pet2rep_eval.leaderboard import Comparison
    from pet2rep_eval.score_sheet import ScoreSheet

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def _no_bar(title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda done: None)


def _silent(text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a run tells and who renders: the command line fills these in."""

    note: Callable[[str], None] = _silent
    bar: Bar = _no_bar
    """Title and total → a context that gives a function of the number done."""
    write_scores: Callable[[Sequence[ScoreSheet], Path], None] | None = None
    """Writes and renders score sheets into a folder."""
    write_comparison: Callable[[Comparison, Path], None] | None = None
    """Renders a leaderboard into a folder, beside ``leaderboard.json``."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One line of the plan."""

    stage: str
    state: str
    """``there``, ``goes on`` or ``to do``."""
    detail: str
    studies: int | None
    """Still to be done; None where nobody knows yet."""
    seconds: float | None
    """Estimated; None where nothing was measured yet."""
    folder: Path | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where a run put its results."""

    prompts: Path
    outputs: Mapping[str, Path]
    """System → result file."""
    scores: Path | None
    """Folder with ``results.json``; None where there are no references."""
    comparison: Path | None
    failures: Mapping[str, int] = field(default_factory=dict)
    """System → studies without a report; ``prepare`` → studies that could not be prepared."""


def safe_name(text: str) -> str:
    """*text* as the name of a folder."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "system"


class Run:
    """A configured run. ``plan`` only looks; ``execute`` does what is missing."""

    def __init__(self, configuration: RunConfiguration, hooks: Hooks | None = None) -> None:
        self._configuration, self._hooks = configuration, hooks or Hooks()
        # before anything starts: a wrong option of the last model should not show after hours
        self._backends = {
            m.system: create_backend(m.model, m.decoding, m.options) for m in configuration.models
        }
        if configuration.prepare:
            configuration.prepare.chosen()
        references = configuration.references
        if references is not None and not references.exists():
            raise InputError(
                "the reference reports are not there",
                path=references,
                remedy=f"Check 'references' in {configuration.path}.",
            )

    # ---------------------------------------------------------------- cells

    def _cell(self, stage: str, settings: Mapping[str, Any], files: Sequence[str]) -> Cell:
        return Cell(self._configuration.output, stage, content_key(stage, settings, files))

    def _prepare_cell(self) -> Cell | None:
        prepare = self._configuration.prepare
        if prepare is None:
            return None
        for path in prepare.studies:
            if not path.exists():
                raise InputError(
                    "the studies are not there",
                    path=path,
                    remedy=f"Check 'prepare.studies' in {self._configuration.path}.",
                )
        settings = prepare.settings() | {"version": __version__}
        files = [file_key(path, 0) for path in prepare.studies]  # scans are too large to be read for this
        files += [file_key(prepare.references)] if prepare.references else []
        return self._cell("prepare", settings, files)

    def _prompt_file(self) -> Path:
        cell = self._prepare_cell()
        if cell is None:
            return self._configuration.prompts or Path()
        separate = self._configuration.pictures == "separate"
        return cell.folder / ("prompts.separate.jsonl" if separate else "prompts.jsonl")

    def _prompts(self) -> tuple[Prompt, ...]:
        return read_prompts(self._prompt_file(), pictures=self._configuration.pictures)

    def _generate_cell(self, model: ModelSettings, prompts: Sequence[Prompt]) -> Cell:
        settings = dict(self._backends[model.system].settings()) | {"system": model.system}
        return self._cell(f"generate/{safe_name(model.system)}", settings, [p.digest() for p in prompts])

    def _score_cell(self, outputs: Mapping[str, Path]) -> Cell:
        configuration = self._configuration
        settings = {
            "protocol": configuration.protocol,
            "profile": configuration.profile,
            "systems": list(outputs),
            "lexicons": resources.content_hash("lexicons"),
            "grammars": resources.content_hash("grammars"),
            "version": __version__,
        }
        files = [*outputs.values(), configuration.references or self._prompt_file()]
        if Path(configuration.protocol).suffix == ".toml":
            files.append(Path(configuration.protocol))
        return self._cell("score", settings, [file_key(path, 2**40) for path in files])

    def _compare_cell(self, outputs: Mapping[str, Path]) -> Cell:
        configuration = self._configuration
        settings = {"baselines": configuration.baselines, "against": configuration.against}
        return self._cell("compare", settings, [self._score_cell(outputs).key])

    # ---------------------------------------------------------------- plan

    def plan(self) -> tuple[PlannedStage, ...]:
        """What a run would do, without doing any of it."""
        stages: list[PlannedStage] = []
        cell = self._prepare_cell()
        ready = cell is None or cell.done
        if cell:
            prepare = self._configuration.prepare
            where = ", ".join(str(path) for path in prepare.studies) if prepare else ""
            count = prepare.count() if prepare and not cell.done else None
            rate: float | None = cell.seconds_a_study() or _PREPARE_SECONDS
            stages.append(_planned("prepare", cell, where, count, rate, cell.done))
        prompts = self._prompts() if ready else ()
        expected = len(prompts) if ready else stages[0].studies
        outputs: dict[str, Path] = {}
        for model in self._configuration.models:
            name = f"generate {model.system}"
            if not ready:
                rate = _rate(self._configuration.output / "generate" / safe_name(model.system))
                stages.append(_planned(name, None, model.model, expected, rate, False))
                continue
            cell = self._generate_cell(model, prompts)
            outputs[model.system] = cell.folder / "outputs.jsonl"
            left = len(prompts) - _lines(outputs[model.system])
            rate = _rate(cell.folder.parent)
            stages.append(_planned(name, cell, model.model, left, rate, left == 0))
        whole = ready and all(s.state == "there" for s in stages)
        scored = self._score_cell(outputs) if whole else None
        systems = len(self._configuration.models)
        rate = Cell(self._configuration.output, "score", "").seconds_a_study() or _SCORE_SECONDS * systems
        chosen = self._configuration
        detail = f"{systems} systems, protocol {chosen.protocol}, profile {chosen.profile}"
        stages.append(_planned("score", scored, detail, expected, rate, scored is not None and scored.done))
        compared = self._compare_cell(outputs) if whole else None
        rate = Cell(self._configuration.output, "compare", "").seconds_a_study() or _SCORE_SECONDS * systems
        detail = f"against {self._configuration.against or 'the template'}"
        done = compared is not None and compared.done
        stages.append(_planned("compare", compared, detail, expected, rate, done))
        return tuple(stages)

    # ---------------------------------------------------------------- execute

    def execute(self) -> RunResult:
        """Do what is missing. Raises what its stages raise; a second call goes on from there."""
        self._configuration.output.mkdir(parents=True, exist_ok=True)
        failures = self._prepare()
        prompts = self._prompts()
        outputs: dict[str, Path] = {}
        for model in self._configuration.models:
            outputs[model.system], failed = self._generate(model, prompts)
            if failed:
                failures[model.system] = failed
        if self._configuration.references is None and not any(p.reference for p in prompts):
            self._hooks.note("score: left out, since there are no reference reports.")
            return RunResult(self._prompt_file(), outputs, None, None, failures)
        scores = self._evaluate("score", self._score_cell(outputs), len(prompts), outputs, self._score)
        comparison = self._evaluate(
            "compare", self._compare_cell(outputs), len(prompts), outputs, self._compare
        )
        return RunResult(self._prompt_file(), outputs, scores, comparison, failures)

    def _prepare(self) -> dict[str, int]:
        cell, scans = self._prepare_cell(), self._configuration.prepare
        if cell is None or scans is None:
            return {}
        if cell.done:
            self._hooks.note("prepare: there already.")
            return {}
        began = time.monotonic()
        count, failed = scans.prepare(cell.folder, self._hooks)
        if failed:
            return {"prepare": failed}  # not marked as done: they are tried again at the next run
        cell.finish(time.monotonic() - began, count)
        return {}

    def _generate(self, model: ModelSettings, prompts: Sequence[Prompt]) -> tuple[Path, int]:
        cell = self._generate_cell(model, prompts)
        cell.folder.mkdir(parents=True, exist_ok=True)
        output, backend = cell.folder / "outputs.jsonl", self._backends[model.system]
        with self._hooks.bar(model.system, len(prompts)) as show:

            def step(state: Progress) -> None:
                show(state.done + state.failed)

            report = generate(
                prompts,
                backend,
                output,
                system=model.system,
                ordered=True,
                progress=step,
                note=self._hooks.note,
            )
        backend.close()  # the next model may need the memory
        self._hooks.note(
            f"generate {model.system}: {report.generated} new, {report.resumed} were there, "
            f"{len(report.failures)} failed."
        )
        if report.failures:
            study, reason = next(iter(report.failures.items()))
            self._hooks.note(
                f"First failure: {study}: {reason}. All are in {beside(output, 'failures.jsonl')}."
            )
        return output, len(report.failures)

    def _evaluate(
        self,
        stage: str,
        cell: Cell,
        studies: int,
        outputs: Mapping[str, Path],
        work: Callable[[list[ReadSystem], Path], None],
    ) -> Path:
        if cell.done:
            self._hooks.note(f"{stage}: there already.")
            return cell.folder
        began = time.monotonic()
        cell.folder.mkdir(parents=True, exist_ok=True)
        work(self._read(outputs), cell.folder)
        cell.finish(time.monotonic() - began, studies, systems=list(outputs))
        return cell.folder

    def _read(self, outputs: Mapping[str, Path]) -> list[ReadSystem]:
        from pet2rep_eval.inputs import SystemInput, read_systems

        references = str(self._configuration.references or self._prompt_file())
        return read_systems(
            [SystemInput(str(path), system=system, references=references) for system, path in outputs.items()]
        )

    def _score(self, systems: list[ReadSystem], folder: Path) -> None:
        from pet2rep_eval.evaluation import prompt_templates, score_systems
        from pet2rep_eval.significance import Resampling

        configuration = self._configuration
        told = {"protocol": configuration.protocol, "profile": configuration.profile}
        with self._hooks.bar("score", sum(len(system.aligned.pairs) for system in systems)) as show:
            sheets = score_systems(
                [system.aligned for system in systems],
                protocol=configuration.protocol,
                profile=configuration.profile,
                templates=[prompt_templates(system.submission) for system in systems],
                progress=show,
                resampling=Resampling(),
            )
        # what `verify` needs to compute the numbers again
        inputs = [system.source.to_dict() | told | {"metrics": []} for system in systems]
        sheets = [replace(sheet, inputs=given) for sheet, given in zip(sheets, inputs, strict=True)]
        if self._hooks.write_scores:
            self._hooks.write_scores(sheets, folder)
        else:
            _write_json(folder / "results.json", [sheet.to_dict() for sheet in sheets])

    def _compare(self, systems: list[ReadSystem], folder: Path) -> None:
        from pet2rep_eval.evaluation import prompt_templates
        from pet2rep_eval.leaderboard import Entrant, compare, gather, with_baselines

        configuration = self._configuration
        entrants = [
            Entrant(s.aligned.system, (s.aligned,), prompt_templates=prompt_templates(s.submission))
            for s in systems
        ]
        entrants = with_baselines(entrants, configuration.baselines)
        with self._hooks.bar("compare", sum(len(s.pairs) for e in entrants for s in e.runs)) as show:
            contenders = gather(
                entrants, protocol=configuration.protocol, profile=configuration.profile, progress=show
            )
        comparison = compare(contenders, against=configuration.against)
        _write_json(folder / "leaderboard.json", comparison.to_dict())
        if self._hooks.write_comparison:
            self._hooks.write_comparison(comparison, folder)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")


_PREPARE_SECONDS = 2.0
_SCORE_SECONDS = 0.05
"""A study, and a study and system: rough, until the first run has measured its own."""


def _planned(
    stage: str, cell: Cell | None, detail: str, studies: int | None, rate: float | None, done: bool
) -> PlannedStage:
    begun = cell is not None and cell.folder.is_dir()
    seconds = 0.0 if done else studies * rate if studies is not None and rate is not None else None
    state = "there" if done else "goes on" if begun else "to do"
    return PlannedStage(stage, state, detail, 0 if done else studies, seconds, cell.folder if cell else None)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def _rate(folder: Path) -> float | None:
    """Seconds a study over all earlier sessions of a system; None before the first."""
    seconds, studies = 0.0, 0
    for record in folder.glob("*/outputs.run.json"):
        try:
            for session in json.loads(record.read_text(encoding="utf-8"))["sessions"]:
                seconds += session["seconds"]
                studies += session["generated"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return seconds / studies if studies else None
