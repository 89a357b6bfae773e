"""Parses, tokens and statistics on disk, keyed by what they are computed from.

A key is a hash of the text together with the hashes of vocabulary, grammars and this package's own code, so
an entry is never stale: other words or other rules are other keys. It is one SQLite file that several
processes may use at once. It can be deleted at any time, and whatever is wrong with it (no space, no rights,
a broken file) costs time and never a result. Tokens hold report text: keep it where reports may be kept.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Self

from pet2rep_eval import resources
from pet2rep_eval._version import __version__
from pet2rep_eval.records import (
    Diagnostic,
    ParsedReport,
    Section,
    Span,
    Statement,
    Suv,
    UptakeState,
)

FILE = "texts.sqlite3"
_BATCH = 500
_WAIT_SECONDS = 30.0


@cache
def code_hash() -> str:
    """The first 16 hexadecimal digits over the Python files of this package."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _file_hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def code_of(thing: object) -> str:
    """Hash of the file that the class of *thing* is written in; that of a metric of another package, say."""
    import inspect

    try:
        return _file_hash(inspect.getfile(type(thing)))
    except (TypeError, OSError):
        return "unknown"


@cache
def _rules() -> bytes:
    parts = (__version__, code_hash(), resources.content_hash("lexicons"), resources.content_hash("grammars"))
    return "|".join(parts).encode()


@lru_cache(maxsize=1 << 12)
def text_hash(text: str) -> bytes:
    """SHA-256 of a text, 32 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class TextCache:
    """What was computed from texts, in a folder. Writes are gathered and written by :meth:`flush`."""

    def __init__(self, folder: str | Path) -> None:
        """Opens or makes the cache; nothing is raised where that is impossible, see :attr:`problem`."""
        self.folder = Path(folder)
        self.problem = ""
        """Why the cache is not used; empty if it is."""
        self.hits = self.misses = 0
        self._new: dict[bytes, bytes] = {}
        self._connection: sqlite3.Connection | None = None
        self._open(again=True)

    def _open(self, *, again: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.folder / FILE, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            # Write-ahead: readers and one writer do not block each other.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"
            )
            self._connection = connection
        except sqlite3.DatabaseError as error:
            if (again and "not a database" in str(error)) or "malformed" in str(error):
                with suppress(OSError):
                    (self.folder / FILE).unlink()
                self._open(again=False)
                return
            self._give_up(error)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.problem = f"The cache in {self.folder} is not used: {error}."
        self._connection = None
        self._new.clear()

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """In another process the same folder is opened anew."""
        return type(self), (self.folder,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, kind: str, *parts: bytes) -> bytes | None:
        """The entry of that kind, or None."""
        if self._connection is None:
            return None
        key = _key(kind, parts)
        found = self._new.get(key)
        if found is None:
            try:
                row = self._connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
            found = row[0] if row else None
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def put(self, value: bytes, kind: str, *parts: bytes) -> None:
        """Keeps an entry."""
        if self._connection is None:
            return
        self._new[_key(kind, parts)] = value
        if len(self._new) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Writes what is new."""
        if self._connection is None or not self._new:
            return
        rows = list(self._new.items())
        self._new.clear()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Writes what is new and closes the file."""
        self.flush()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def report(self, text: str, parse: Callable[[str], ParsedReport]) -> ParsedReport:
        """The parse of *text*."""
        key = text_hash(text)
        kept = self.get("report", key)
        if kept is not None:
            return decode_report(text, json.loads(zlib.decompress(kept)))
        report = parse(text)
        self.put(zlib.compress(_json(encode_report(report)), 1), "report", key)
        return report

    def tokens(self, text: str, how: str, cut: Callable[[], Sequence[str]]) -> tuple[str, ...]:
        """The words of *text*; *how* names what is cut and by which tokenizer."""
        parts = (text_hash(text), how.encode())
        kept = self.get("tokens", *parts)
        if kept is not None:
            return tuple(json.loads(zlib.decompress(kept)))
        found = tuple(cut())
        self.put(zlib.compress(_json(found), 1), "tokens", *parts)
        return found

    def states(
        self, text: str, protocol: str, read: Callable[[], Mapping[str, frozenset[UptakeState]]]
    ) -> Mapping[str, frozenset[UptakeState]]:
        """Organ of a protocol → states in *text*; *protocol* holds its name and hash."""
        parts = (text_hash(text), protocol.encode())
        kept = self.get("states", *parts)
        if kept is not None:
            return {organ: frozenset(map(UptakeState, found)) for organ, found in json.loads(kept).items()}
        found = read()
        self.put(_json({organ: sorted(states) for organ, states in found.items()}), "states", *parts)
        return found


def _key(kind: str, parts: Sequence[bytes]) -> bytes:
    digest = hashlib.blake2b(_rules(), digest_size=20)
    for part in (kind.encode(), *parts):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _pair(span: Span | None) -> list[int] | None:
    return None if span is None else [span.start, span.end]


def _span(pair: Sequence[int] | None) -> Span | None:
    return None if pair is None else Span(pair[0], pair[1])


def encode_report(report: ParsedReport) -> dict[str, Any]:
    """A parse as plain values, without its text."""
    return {
        "language": report.language,
        "tracer": report.tracer,
        "steps": report.steps,
        "statements": [
            [
                s.organ,
                s.region,
                s.laterality,
                s.state,
                s.degree,
                _pair(s.ct),
                _pair(s.uptake),
                [[v.value, v.kind, v.delayed] for v in s.suv],
                s.size_mm,
                s.section,
                _pair(s.mention),
                s.rule,
            ]
            for s in report.statements
        ],
        "sections": [[s.name, _pair(s.span), _pair(s.heading)] for s in report.sections],
        "diagnostics": [[d.code, d.message, _pair(d.span)] for d in report.diagnostics],
    }


def decode_report(text: str, kept: Mapping[str, Any]) -> ParsedReport:
    """What :func:`encode_report` made of the parse of *text*."""
    return ParsedReport(
        text,
        kept["language"],
        tuple(
            Statement(
                organ,
                region,
                side,
                UptakeState(state) if state else None,
                degree,
                _span(ct),
                _span(uptake),
                tuple(Suv(*v) for v in suv),
                tuple(tuple(size) for size in sizes),
                section,
                _span(mention),
                rule,
            )
            for organ, region, side, state, degree, ct, uptake, suv, sizes, section, mention, rule in kept[
                "statements"
            ]
        ),
        tuple(Section(name, Span(*span), _span(heading)) for name, span, heading in kept["sections"]),
        tuple(Diagnostic(code, message, Span(*span)) for code, message, span in kept["diagnostics"]),
        kept["tracer"],
        kept["steps"],
    )
