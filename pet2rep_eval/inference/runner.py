"""Runs a backend over prompts and keeps a journal: no study twice, none lost, whatever happens between.

Beside ``outputs.jsonl`` lie ``outputs.run.json`` (settings, environment, sessions) and, where requests
failed, ``outputs.failures.jsonl`` (study, reason, time). A failed study is tried again at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pet2rep_eval._version import __version__
from pet2rep_eval.errors import BackendError, InputError
from pet2rep_eval.inference.backends import Backend
from pet2rep_eval.inference.decoding import truncation_note
from pet2rep_eval.inference.journal import Journal, write_atomically
from pet2rep_eval.inference.requests import Completion, Prompt
from pet2rep_eval.prompts import prompt_hash


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; given after every study."""

    done: int
    """Studies with a result, those of earlier sessions included."""
    failed: int
    total: int
    tokens_out: int
    """Generated in this session."""
    seconds: float
    """Since the session's first request."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a session did."""

    total: int
    resumed: int
    """Results that were there before."""
    generated: int
    failures: Mapping[str, str]
    """Study id → reason."""
    tokens_in: int
    tokens_out: int
    seconds: float
    settings: str
    """Eight hexadecimal digits that name all settings."""
    notes: tuple[str, ...] = field(default=())


def settings_hash(settings: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits over *settings*."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:8]


def beside(output: Path, kind: str) -> Path:
    """``outputs.jsonl`` → ``outputs.<kind>``."""
    return output.with_name(f"{output.name.removesuffix('.jsonl')}.{kind}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def generate(
    prompts: Sequence[Prompt],
    backend: Backend,
    output: str | Path,
    *,
    system: str | None = None,
    overwrite: bool = False,
    ordered: bool = False,
    with_references: bool = True,
    progress: Callable[[Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> RunReport:
    """Generate a report for every prompt that has none in *output* yet.

    *output* is the benchmark's result file (``subject_id``, ``llm_output``, ``ground_truth``) with a
    ``provenance`` for every row; *system* names the system there. *ordered* puts the rows into the order of
    the prompts at the end. *with_references* False leaves the reference reports out.

    Raises :class:`InputError` where *output* holds results of other settings or other prompts, and
    :class:`BackendError` where the model cannot be used at all.
    """
    output = Path(output)
    settings = dict(backend.settings())
    notes: list[str] = []

    def tell(text: str) -> None:
        notes.append(text)
        if note:
            note(text)

    with Journal(output, overwrite=overwrite) as journal:
        if journal.repaired:
            tell(f"{output.name}: a half-written last line was repaired.")
        if overwrite:
            for kind in ("run.json", "failures.jsonl"):
                with suppress(FileNotFoundError):
                    beside(output, kind).unlink()
        name = settings_hash(settings)
        _check_resumable(journal, prompts, settings, name)
        pending = [p for p in prompts if p.study_id not in journal.rows]
        cut = _truncation(pending, settings, backend)
        if cut:
            tell(f"Warning: {cut}")
        session = _Session(prompts, backend, journal, name, system, with_references, progress)
        record = _RunRecord(beside(output, "run.json"), settings, backend, tell)
        try:
            session.run(pending)
        finally:
            record.close(session)
        if ordered:
            journal.sort(p.study_id for p in prompts)
    return RunReport(
        total=len(prompts),
        resumed=len(prompts) - len(pending),
        generated=session.generated,
        failures=session.failures,
        tokens_in=session.tokens_in,
        tokens_out=session.tokens_out,
        seconds=session.seconds,
        settings=name,
        notes=tuple(notes),
    )


def _check_resumable(
    journal: Journal, prompts: Sequence[Prompt], settings: Mapping[str, Any], name: str
) -> None:
    by_id = {p.study_id: p for p in prompts}
    for study, row in journal.rows.items():
        provenance = row.get("provenance")
        provenance = provenance if isinstance(provenance, dict) else {}
        if provenance.get("settings") != name:
            raise InputError(
                f"the study '{study}' was generated with other settings{_difference(journal.path, settings)}",
                path=journal.path,
                remedy="Name another --output, or give --overwrite to start anew.",
            )
        prompt = by_id.get(study)
        if prompt is not None and provenance.get("request") != prompt.digest():
            raise InputError(
                f"the study '{study}' was generated from another prompt or other pictures",
                path=journal.path,
                remedy="Name another --output, or give --overwrite to start anew.",
            )


def _truncation(prompts: Sequence[Prompt], settings: Mapping[str, Any], backend: Backend) -> str | None:
    """A warning where the references say that the token limit is too low; for backends that have one."""
    references = [p.reference for p in prompts if p.reference]
    if "decoding" not in settings or not references:
        return None
    exact = backend.count_tokens(references[0]) is not None
    count = (lambda text: backend.count_tokens(text) or 0) if exact else None
    return truncation_note(references, settings["decoding"]["max_new_tokens"], count)


def _difference(path: Path, settings: Mapping[str, Any]) -> str:
    try:
        before = json.loads(beside(path, "run.json").read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return ""
    before, settings = _flat(before), _flat(settings)
    names = [key for key in {**before, **settings} if before.get(key) != settings.get(key)]
    return (
        " (" + "; ".join(f"{n}: {before.get(n)!r}, now {settings.get(n)!r}" for n in names) + ")"
        if names
        else ""
    )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


class _RunRecord:
    """``outputs.run.json``: written at the start and completed at the end of a session."""

    def __init__(
        self, path: Path, settings: Mapping[str, Any], backend: Backend, tell: Callable[[str], None]
    ) -> None:
        self._path, self._settings, self._backend = path, settings, backend
        self._sessions: list[dict[str, Any]] = []
        with suppress(OSError, ValueError, KeyError):
            self._sessions = list(json.loads(path.read_text(encoding="utf-8"))["sessions"])
        before = self._sessions[-1].get("environment") if self._sessions else None
        self._sessions.append({"started": _now(), "environment": self._environment()})
        self._write()
        if before is not None:
            self._warn(before, tell)

    def _environment(self) -> dict[str, Any]:
        here = {
            "pet2rep_eval": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        return here | dict(self._backend.environment())

    def _warn(self, before: Mapping[str, Any], tell: Callable[[str], None]) -> None:
        now = self._sessions[-1]["environment"]
        changed = [f"{k} {before[k]} → {now[k]}" for k in before if k in now and before[k] != now[k]]
        if changed:
            tell(f"The environment changed since the last session: {', '.join(changed)}.")

    def _write(self) -> None:
        record = {"settings": self._settings, "sessions": self._sessions}
        write_atomically(self._path, (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())

    def close(self, session: _Session) -> None:
        # once more: only now a model is loaded and knows its device and precision
        self._sessions[-1] |= {
            "environment": self._environment(),
            "ended": _now(),
            "generated": session.generated,
            "failed": len(session.failures),
            "tokens_in": session.tokens_in,
            "tokens_out": session.tokens_out,
            "seconds": round(session.seconds, 3),
        }
        self._write()


class _Session:
    """One start of the runner: feeds the backend and writes down what comes."""

    def __init__(
        self,
        prompts: Sequence[Prompt],
        backend: Backend,
        journal: Journal,
        settings: str,
        system: str | None,
        with_references: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._prompts = {p.study_id: p for p in prompts}
        self._backend, self._journal, self._settings = backend, journal, settings
        self._system, self._with_references, self._progress = system, with_references, progress
        self._resumed = sum(study in journal.rows for study in self._prompts)
        self.generated = self.tokens_in = self.tokens_out = 0
        self.failures: dict[str, str] = {}
        self.seconds = 0.0

    def run(self, pending: Sequence[Prompt]) -> None:
        if not pending:
            return
        began = time.monotonic()
        waiting = {p.study_id for p in pending}
        with closing(self._backend.generate(pending)) as completions:
            for completion in completions:
                if completion.study_id not in waiting:
                    raise BackendError(
                        f"The backend answered for '{completion.study_id}', which was not asked for."
                    )
                waiting.discard(completion.study_id)
                self._take(completion)
                self.seconds = time.monotonic() - began
                if self._progress:
                    self._progress(self._state())
        for study in sorted(waiting):
            self._take(Completion(study, None, "the backend gave no answer"))

    def _state(self) -> Progress:
        done = self._resumed + self.generated
        return Progress(done, len(self.failures), len(self._prompts), self.tokens_out, self.seconds)

    def _take(self, completion: Completion) -> None:
        self.tokens_in += completion.tokens_in or 0
        self.tokens_out += completion.tokens_out or 0
        if completion.text is None:
            self.failures[completion.study_id] = completion.reason
            self._log_failure(completion)
        else:
            self._journal.append(self._row(completion))
            self.generated += 1

    def _row(self, completion: Completion) -> dict[str, Any]:
        prompt = self._prompts[completion.study_id]
        provenance: dict[str, Any] = {
            "system": self._system,
            "settings": self._settings,
            "prompt": prompt_hash(prompt.system, prompt.user),
            "request": prompt.digest(),
            "finish_reason": completion.finish,
            "tokens_in": completion.tokens_in,
            "tokens_out": completion.tokens_out,
            "version": __version__,
            "time": {
                "finished": _now(),
                "seconds": round(completion.seconds, 4),
                "attempts": completion.attempts,
            },
        }
        row: dict[str, Any] = {"subject_id": completion.study_id, "llm_output": [completion.text]}
        if self._with_references and prompt.reference is not None:
            row["ground_truth"] = prompt.reference
        return row | {"provenance": {k: v for k, v in provenance.items() if v is not None}}

    def _log_failure(self, completion: Completion) -> None:
        row = {
            "study_id": completion.study_id,
            "reason": completion.reason,
            "attempts": completion.attempts,
            "time": _now(),
        }
        with beside(self._journal.path, "failures.jsonl").open("ab", buffering=0) as file:
            file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
            os.fsync(file.fileno())
