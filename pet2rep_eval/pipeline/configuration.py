"""The configuration of a run: one TOML file, every key checked before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference.decoding import Decoding, decoding
from pet2rep_eval.inference.prompt_file import INPUTS
from pet2rep_eval.pipeline.scans import Scans, read_scans


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One ``[[model]]``."""

    system: str
    model: str
    decoding: Decoding
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of its backend."""


@dataclass(frozen=True, slots=True)
class RunConfiguration:
    """All that a run is told."""

    path: Path
    output: Path
    models: tuple[ModelSettings, ...]
    prepare: Scans | None = None
    prompts: Path | None = None
    """A prompt file, in place of ``[prepare]``."""
    pictures: str = "auto"
    references: Path | None = None
    """Reference reports; by default those in the prompt file."""
    protocol: str = "pet2rep"
    profile: str = "default"
    against: str | None = None
    """The row that all others are tested against: a system or a baseline; by default the template."""
    baselines: tuple[str, ...] = ()
    """Baselines besides the template and all-normal."""


_KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run": {"output": str, "prompts": str, "pictures": str},
    "decoding": {
        "preset": str,
        "seed": int,
        "temperature": (int, float),
        "top_p": (int, float),
        "top_k": int,
        "repetition_penalty": (int, float),
        "max_new_tokens": int,
    },
    "score": {"references": str, "protocol": str, "profile": str},
    "compare": {"baseline": str, "baselines": list},
}


def read_configuration(path: str | Path) -> RunConfiguration:
    """The configuration in a TOML file; its paths are relative to its folder.

    Raises :class:`InputError` naming file and key, and :class:`UnknownNameError` for a key that is not there.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the configuration cannot be read ({error.strerror})",
            path=path,
            remedy="Write one with: pet2rep-eval init CONFIG.toml",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML ({error})", path=path, remedy="See docs/pipeline.md.") from None
    return _Reader(path, data).configuration()


class _Reader:
    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        self._path, self._data = path, data
        known = ("run", "prepare", "decoding", "model", "score", "compare")
        for name in data:
            if name not in known:
                raise UnknownNameError(f"table in {path}", name, known)

    def _problem(self, text: str, remedy: str) -> InputError:
        return InputError(text, path=self._path, remedy=remedy)

    def _table(self, name: str, keys: Mapping[str, type | tuple[type, ...]] | None = None) -> dict[str, Any]:
        table = self._data.get(name, {})
        if not isinstance(table, dict):
            raise self._problem(f"'{name}' is not a table", f"Write [{name}].")
        for key, value in table.items() if keys else ():
            self._check(f"{name}.{key}", key, value, keys or {})
        return dict(table)

    def _check(self, place: str, key: str, value: Any, keys: Mapping[str, type | tuple[type, ...]]) -> None:
        if key not in keys:
            raise UnknownNameError(f"key '{place}' in {self._path}", key, keys)
        kind = keys[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = " or ".join(t.__name__ for t in (kind if isinstance(kind, tuple) else (kind,)))
            raise self._problem(f"'{place}' must be of type {names}", "See docs/pipeline.md.")

    def _place(self, text: str) -> Path:
        return self._path.parent / Path(text).expanduser()

    def configuration(self) -> RunConfiguration:
        run = self._table("run", _KEYS["run"])
        score, compare = self._table("score", _KEYS["score"]), self._table("compare", _KEYS["compare"])
        prepare = self._prepare()
        if (prepare is None) == ("prompts" not in run):
            raise self._problem(
                "the run needs either [prepare] with 'studies', or 'prompts' in [run]", "Give one of them."
            )
        pictures = run.get("pictures", "auto")
        if pictures not in INPUTS:
            raise UnknownNameError("choice of pictures", pictures, INPUTS)
        models = self._models()
        against, baselines = self._rows(models, compare)
        return RunConfiguration(
            path=self._path,
            output=self._place(run.get("output", "results")),
            models=models,
            prepare=prepare,
            prompts=self._place(run["prompts"]) if "prompts" in run else None,
            pictures=pictures,
            references=(
                self._place(score["references"])
                if "references" in score
                else prepare.references
                if prepare
                else None
            ),
            protocol=score.get("protocol", "pet2rep"),
            profile=score.get("profile", "default"),
            against=against,
            baselines=baselines,
        )

    def _rows(
        self, models: tuple[ModelSettings, ...], compare: Mapping[str, Any]
    ) -> tuple[str | None, tuple[str, ...]]:
        from pet2rep_eval.baselines import BASELINES
        from pet2rep_eval.leaderboard import ALWAYS

        chosen = compare.get("baselines", [])
        for name in chosen:
            if name not in BASELINES:
                raise UnknownNameError("baseline", str(name), BASELINES)
        systems = [m.system for m in models]
        for name in systems:
            if name in BASELINES:
                raise self._problem(f"the system '{name}' is called like a baseline", "Give it another name.")
        against = compare.get("baseline")
        rows = [*systems, *dict.fromkeys((*ALWAYS, *chosen))]
        if against is not None and against not in rows:
            raise UnknownNameError("row to compare with", against, rows)
        return against, tuple(chosen)

    def _prepare(self) -> Scans | None:
        return read_scans(self._table("prepare"), self._path) if "prepare" in self._data else None

    def _models(self) -> tuple[ModelSettings, ...]:
        common = self._table("decoding", _KEYS["decoding"])
        tables = self._data.get("model", [])
        if not isinstance(tables, list) or not tables:
            raise self._problem("there is no model", "Write a [[model]] with 'model = \"BACKEND:NAME\"'.")
        found: list[ModelSettings] = []
        for number, table in enumerate(tables, 1):
            options = dict(table)
            model = options.pop("model", None)
            if not isinstance(model, str):
                raise self._problem(f"[[model]] number {number} has no 'model'", "Give BACKEND:NAME.")
            system = options.pop("system", model)
            if not isinstance(system, str) or system in {m.system for m in found}:
                raise self._problem(
                    f"[[model]] number {number}: 'system' must be a name of its own", "Give each model one."
                )
            own = options.pop("decoding", {})
            if not isinstance(own, dict):
                raise self._problem(
                    f"[[model]] number {number}: 'decoding' is not a table", "Write { seed = 1 }."
                )
            for key, value in own.items():
                self._check(f"model.decoding.{key}", key, value, _KEYS["decoding"])
            settings = common | own
            preset = settings.pop("preset", "greedy")
            found.append(ModelSettings(system, self._local(model), decoding(preset, settings), options))
        return tuple(found)

    def _local(self, model: str) -> str:
        """Paths in a model's name are relative to the configuration, as all others."""
        kind, _, name = model.partition(":")
        relative = name.startswith(("./", "../")) or (
            kind == "replay" and name and not Path(name).is_absolute()
        )
        return f"{kind}:{self._place(name)}" if relative and kind in ("transformers", "replay") else model
