"""``command:``: any program that reads a prompt file and writes a result file.

For models with code of their own (PETRG-3D, RadFM, MedFlamingo, …). The program gets the prompts that are
still to be done and appends rows ``{"subject_id": …, "llm_output": ["…"]}`` to the result file; what it has
written is taken over while it runs, so that a kill loses no finished study.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval.errors import BackendError, InputError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.prompt_file import ID_KEYS, write_prompts
from pet2rep_eval.inference.requests import Completion, Prompt

RESULT_ID_KEYS = ("subject_id", *(key for key in ID_KEYS if key != "subject_id"))
TEXT_KEYS = ("llm_output", "prediction", "response", "output", "text")

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """Options of ``command:``."""

    timeout: float | None = None
    """Seconds for the whole program; then it is ended."""
    batch_size: int | None = None
    """Prompts for one start of the program; by default all."""


def result_text(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Study id and text of a result row; None where it has neither. ``llm_output`` may be a list of one."""
    identity = next((row[key] for key in RESULT_ID_KEYS if row.get(key) not in (None, "")), None)
    given = next((row[key] for key in TEXT_KEYS if key in row), None)
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(identity, str | int) or not isinstance(given, str):
        return None
    return str(identity), given


class _Results:
    """Reads the whole lines that were appended to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def new(self, *, final: bool = False) -> list[tuple[str, str] | None]:
        """Id and text of each new row; None for a line that is no result row."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        end = len(content) if final else content.rfind(b"\n") + 1
        self._offset += end
        found: list[tuple[str, str] | None] = []
        for line in content[:end].split(b"\n"):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                found.append(result_text(row) if isinstance(row, dict) else None)
        return found


class CommandBackend:
    """Runs the program and takes over its rows."""

    def __init__(self, command: str, decoding: Decoding, options: Options) -> None:
        self._command, self._decoding, self._options = command, decoding, options
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"the command cannot be read ({error})", remedy="Close its quotes.") from error
        slots = [name for name in ("prompts", "output") if "{" + name + "}" not in command]
        if not self._words or slots:
            raise InputError(
                f"the command lacks {' and '.join('{' + s + '}' for s in slots) or 'a program'}",
                remedy="Write for example: --model 'command:python my_model.py {prompts} {output}'",
            )

    def settings(self) -> Mapping[str, Any]:
        return {"model": f"command:{self._command}", "decoding": self._decoding.settings()}

    def environment(self) -> Mapping[str, Any]:
        return {}

    def count_tokens(self, text: str) -> int | None:
        return None

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        size = self._options.batch_size or len(prompts)
        for start in range(0, len(prompts), max(size, 1)):
            yield from self._run(prompts[start : start + size])

    def close(self) -> None:
        """Nothing to free: the program ends with its batch."""

    def _run(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        folder = Path(tempfile.mkdtemp(prefix="pet2rep-eval-"))
        try:
            write_prompts(prompts, folder / "prompts.jsonl")
            (folder / "decoding.json").write_text(json.dumps(self._decoding.settings()), encoding="utf-8")
            yield from self._watch(prompts, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _watch(self, prompts: Sequence[Prompt], folder: Path) -> Generator[Completion, None, None]:
        places = {name: str(folder / f"{name}.jsonl") for name in ("prompts", "output")}
        places["decoding"] = str(folder / "decoding.json")
        words = [_fill(word, places) for word in self._words]
        results, waiting = _Results(folder / "output.jsonl"), {p.study_id for p in prompts}
        odd: list[str] = []
        with (folder / "stderr").open("wb") as errors:
            try:
                program = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
            except OSError as error:
                raise BackendError(
                    f"The program '{words[0]}' cannot be started: {error.strerror}."
                ) from error
            began = last = time.monotonic()
            why = ""
            try:
                ended = False
                while not ended:
                    try:
                        program.wait(_POLL_S)
                        ended = True
                    except subprocess.TimeoutExpired:
                        if self._options.timeout and time.monotonic() - began > self._options.timeout:
                            why = f"the program was ended after {self._options.timeout:g} s"
                            program.kill()
                            program.wait()
                            ended = True
                    rows = results.new(final=ended)
                    now = time.monotonic()
                    for row in rows:
                        if row is None or row[0] not in waiting:
                            odd.append(
                                "a line that is no result row" if row is None else f"a row for '{row[0]}'"
                            )
                            continue
                        waiting.discard(row[0])
                        yield Completion(row[0], row[1], seconds=(now - last) / len(rows))
                    last = now if rows else last
            finally:
                if program.poll() is None:
                    program.terminate()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        program.wait(5)
                    program.kill()
                    program.wait()
        code = program.returncode
        tail = (folder / "stderr").read_bytes()[-2000:].decode("utf-8", "replace").strip().splitlines()[-1:]
        why = why or (
            f"the program ended with code {code}" if code else "the program gave no result for this study"
        )
        if code and tail:
            why += f": {tail[0][:300]}"
        if odd:
            why += f" (it wrote {odd[0]}, which was not asked for)"
        for prompt in prompts:
            if prompt.study_id in waiting:
                yield Completion(prompt.study_id, None, why, seconds=time.monotonic() - began)


def _fill(word: str, places: Mapping[str, str]) -> str:
    for name, place in places.items():
        word = word.replace("{" + name + "}", place)
    return word


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> CommandBackend:
    """*name* is a command line with ``{prompts}``, ``{output}`` and, if wanted, ``{decoding}``. No shell."""
    return CommandBackend(name, decoding, read_options(Options, "command", options))
