"""The result file as a journal: append-only, synced per study, repaired after a kill.

A line is written with one system call and synced before the next study counts as done. So at any moment
the file holds whole lines and at most one half-written last line, which the next start completes or removes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from pet2rep_eval.errors import InputError


class Journal:
    """An append-only JSONL file with one row a study, locked against a second writer.

    Raises :class:`InputError` where the file cannot be written, is in use, or holds a broken line that is not
    the last.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.repaired = False
        """A half-written last line was found and dealt with."""
        try:
            new = not self.path.exists()
            self._file: BinaryIO = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise InputError(
                f"the output file cannot be written ({error.strerror})",
                path=path,
                remedy="Create its folder first.",
            ) from error
        try:
            self._lock()
            if overwrite:
                self._file.truncate(0)
            if new:
                _sync_folder(self.path.parent)
            self.rows: dict[str, dict[str, Any]] = self._read()
            """Study id → row."""
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "another run is writing to this file",
                path=self.path,
                remedy="Wait for it, or name another --output.",
            ) from None

    def _read(self) -> dict[str, dict[str, Any]]:
        self._file.seek(0)
        content = self._file.read()
        rows: dict[str, dict[str, Any]] = {}
        start, number = 0, 0
        while start < len(content):
            number += 1
            stop = content.find(b"\n", start)
            line = content[start:] if stop < 0 else content[start:stop]
            last = stop < 0 or stop + 1 == len(content)
            row = _row(line)
            if row is None and line.strip():
                if not last:
                    raise InputError(
                        "not a result row (a JSON object with 'subject_id' and 'llm_output')",
                        path=self.path,
                        line=number,
                        remedy="Repair the line, or name another --output.",
                    )
                self._file.truncate(start)
                self.repaired = True
            elif row is not None:
                if row["subject_id"] in rows:
                    raise InputError(
                        f"the study '{row['subject_id']}' is there twice",
                        path=self.path,
                        line=number,
                        remedy="Remove one of its lines.",
                    )
                rows[row["subject_id"]] = row
                if stop < 0:
                    # a closing brace proves that the row is whole: only the line feed was lost
                    self._file.write(b"\n")
                    self.repaired = True
            if stop < 0:
                break
            start = stop + 1
        if self.repaired:
            os.fsync(self._file.fileno())
        return rows

    def append(self, row: Mapping[str, Any]) -> None:
        """Write *row* and sync it to the disk."""
        if row["subject_id"] in self.rows:
            raise ValueError(f"the study {row['subject_id']!r} is in the journal already")
        self._file.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        os.fsync(self._file.fileno())
        self.rows[row["subject_id"]] = dict(row)

    def sort(self, order: Iterable[str]) -> None:
        """Put the rows into *order* (study ids); rows that it does not name follow. Atomic."""
        rank = {study: i for i, study in enumerate(order)}
        rows = sorted(self.rows.values(), key=lambda row: rank.get(row["subject_id"], len(rank)))
        if rows == list(self.rows.values()):
            return
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_atomically(self.path, lines.encode("utf-8", "replace"))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = (
        isinstance(row, dict)
        and isinstance(row.get("subject_id"), str)
        and isinstance(row.get("llm_output"), list)
    )
    return row if whole else None


def _sync_folder(folder: Path) -> None:
    # without it a crash of the machine can lose the new file's name; not every file system can do it
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* by *content*: a reader, or a kill, sees the old or the new file, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)
