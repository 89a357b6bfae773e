"""CSV, also with semicolons; the quoting of RFC 4180, cells of any size."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

from pet2rep_eval.datasets.encoding import broken_bytes
from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import Reader, Source
from pet2rep_eval.errors import InputError


def separated(source: Source, delimiter: str) -> Iterator[Record]:
    """Rows below a header. A row with too many or too few cells is broken.

    Rows without any text, as spreadsheets leave them, are passed over.
    """
    # prompts with image tokens outgrow the 131,072 characters that csv allows a cell; the limit is a C long
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with source.open_text(newline="") as stream:
        rows = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(rows)]
        except (csv.Error, StopIteration) as error:
            raise InputError(
                f"the header cannot be read ({error})", path=source.path, line=1, remedy="Write it again."
            ) from None
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if twice is not None:
            raise InputError(
                f"the column '{twice}' is there twice", path=source.path, line=1, remedy="Rename one of them."
            )
        while True:
            line = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(line, {}, f"the quoting of the row is broken ({error})")
                continue
            if not any(cell.strip() for cell in row):
                continue
            fields: dict[str, object] = {**dict.fromkeys(header), **dict(zip(header, row, strict=False))}
            if len(row) != len(header):
                yield Record(line, fields, f"the row has {len(row)} cells where the header has {len(header)}")
            elif any(broken_bytes(cell) for cell in row):
                yield Record(line, fields, f"the row holds bytes that are not {source.encoding_name}")
            else:
                yield Record(line, fields)


def _records(source: Source) -> Iterator[Record]:
    with source.open_text() as stream:
        header = stream.readline()
    return separated(source, max(",;\t", key=header.count))


READER = Reader("csv", lambda source: source.kind == "csv", _records)
