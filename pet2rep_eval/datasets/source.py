"""A file or folder given by the user: what it holds, found by content first and by suffix second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TextIO

from pet2rep_eval.datasets.encoding import decode, text_encoding
from pet2rep_eval.datasets.records import Record
from pet2rep_eval.errors import InputError
from pet2rep_eval.registry import Registry

ID_COLUMNS = ("subject_id", "patient_id", "study_id", "id", "AccNum", "doc_id", "index", "case_id")
PREDICTION_COLUMNS = (
    "prediction",
    "llm_output",
    "response",
    "output",
    "Cleaned_Pred_report",
    "Pred_report",
    "filtered_resps",
    "resps",
)
REFERENCE_COLUMNS = ("reference", "ground_truth", "answer", "GT_report", "target")
PROMPT_COLUMNS = ("prompt_user_text", "prompt_user_fuse", "Question", "question", "prompt", "input")
READY_COLUMNS = ("Cleaned_Pred_report",)
"""Predictions that their system cleaned itself: they are scored as they stand."""

PEEK = 50
"""Records that are looked at to learn the columns."""

_BUILTIN = {
    "official_result": "pet2rep_eval.datasets.official_result:READER",
    "official_prompt": "pet2rep_eval.datasets.official_prompt:READER",
    "petrg3d": "pet2rep_eval.datasets.petrg3d:READER",
    "lmms_eval": "pet2rep_eval.datasets.lmms_eval:READER",
    "vlmevalkit": "pet2rep_eval.datasets.vlmevalkit:READER",
    "jsonl": "pet2rep_eval.datasets.jsonl:READER",
    "json": "pet2rep_eval.datasets.json_document:READER",
    "csv": "pet2rep_eval.datasets.comma_separated:READER",
    "tsv": "pet2rep_eval.datasets.tab_separated:READER",
    "xlsx": "pet2rep_eval.datasets.xlsx:READER",
    "parquet": "pet2rep_eval.datasets.parquet:READER",
    "text": "pet2rep_eval.datasets.plain_text:READER",
}

READERS = Registry("reader", _BUILTIN)
"""Readers from the most to the least particular. The first that claims a file reads it; readers of other
packages are asked before these."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A file format: how to recognise it, how to get at its records, which columns it may have."""

    name: str
    claims: Callable[[Source], bool]
    records: Callable[[Source], Iterator[Record]]
    """A broken record is yielded; :class:`InputError` is for what stops the reading."""
    ids: tuple[str, ...] = ID_COLUMNS
    predictions: tuple[str, ...] = PREDICTION_COLUMNS
    references: tuple[str, ...] = REFERENCE_COLUMNS
    system: Callable[[Path], str] = lambda path: path.stem if path.is_file() else path.resolve().name
    """Name of the system, from the path."""


class Source:
    """A file or folder with what its content tells. Raises :class:`InputError` if it is missing or empty."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise InputError("no such file or folder", path=path, remedy="Check the path.")
        if self.path.is_file():
            with self.path.open("rb") as stream:
                self.head = stream.read(1 << 16)
            if not self.head.strip(b"\xef\xbb\xbf\x00 \t\r\n"):
                raise InputError("the file is empty", path=path, remedy="Write the reports to it again.")
        else:
            self.head = b""

    @cached_property
    def encoding(self) -> str:
        """Python's name of the text encoding; empty for folders, XLSX and Parquet."""
        if self.kind in ("text", "xlsx", "parquet"):
            return ""
        try:
            return text_encoding(self.path)
        except InputError:
            if self.kind == "unknown":
                return ""
            raise

    @property
    def encoding_name(self) -> str:
        """The encoding as messages name it."""
        return self.encoding.upper().removesuffix("-SIG")

    def open_text(self, newline: str | None = None) -> TextIO:
        """The text of the file; bytes that are not of its encoding pass through (see broken_bytes)."""
        # surrogateescape cannot hold the odd byte of UTF-16
        errors = "replace" if self.encoding == "utf-16" else "surrogateescape"
        return self.path.open(encoding=self.encoding, errors=errors, newline=newline)

    @cached_property
    def kind(self) -> str:
        """``jsonl``, ``json``, ``csv``, ``tsv``, ``xlsx``, ``parquet``, ``text`` or ``unknown``."""
        if self.path.is_dir():
            return "text"
        if self.head.startswith(b"PK\x03\x04"):
            return "xlsx"
        if self.head.startswith(b"PAR1"):
            return "parquet"
        suffix = self.path.suffix.lower()
        text = decode(self.head).lstrip("\ufeff \t\r\n")
        if text.startswith("[") and suffix in ("", ".json", ".jsonl", ".ndjson"):
            return "json"
        if text.startswith("{") and suffix not in (".csv", ".tsv"):
            return "json" if suffix != ".jsonl" and not self._has_object_lines(text) else "jsonl"
        if suffix in (".jsonl", ".ndjson"):
            return "jsonl"
        if suffix == ".json":
            return "json"
        header = text.split("\n", 1)[0]
        if suffix == ".tsv" or (suffix != ".txt" and "\t" in header and "," not in header):
            return "tsv"
        if suffix == ".csv":
            return "csv"
        return "text" if suffix == ".txt" else "unknown"

    @staticmethod
    def _has_object_lines(text: str) -> bool:
        """Whether the first line is a whole JSON object and another follows."""
        first, _, rest = text.partition("\n")
        try:
            return isinstance(json.loads(first), dict) and rest.lstrip().startswith("{")
        except ValueError:
            # a long first line is cut by the peek: objects that span lines begin with a short one
            return len(first) > 200

    @cached_property
    def container(self) -> Reader:
        """The plain reader for the kind of file."""
        if self.kind == "unknown":
            raise InputError(
                "the format is not recognised",
                path=self.path,
                remedy="Give JSONL, JSON, CSV, TSV, XLSX, Parquet (with that suffix) or a folder of .txt.",
            )
        reader: Reader = READERS.load(self.kind)
        return reader

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in the first records, in order, as the plain reader sees them."""
        return self.columns_of(self.container)

    def columns_of(self, reader: Reader) -> tuple[str, ...]:
        """Names of the columns in the first records, in order, as *reader* sees them."""
        whole: dict[str, None] = {}
        broken: dict[str, None] = {}
        for record in islice(reader.records(self), PEEK):
            (broken if record.problem else whole).update(dict.fromkeys(record.fields))
        # what can be seen of a broken record may be names inside of objects: better than nothing only
        return tuple(whole or broken)

    @cached_property
    def reader(self) -> Reader:
        """The reader that claims this file."""
        for name in sorted(READERS.names(), key=_BUILTIN.__contains__):
            reader: Reader = READERS.load(name)
            if reader.claims(self):
                return reader
        return self.container
