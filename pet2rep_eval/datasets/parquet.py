"""Parquet, read in batches."""

from __future__ import annotations

from collections.abc import Iterator

from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import Reader, Source
from pet2rep_eval.errors import InputError


def records(source: Source) -> Iterator[Record]:
    """The rows of the file; *line* is the number of the row."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(source.path) as file:
            for batch in file.iter_batches(batch_size=256):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(number, fields)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the Parquet file cannot be read ({error})",
            path=source.path,
            line=number + 1,
            remedy="Write it again, or export it as JSON Lines.",
        ) from None


READER = Reader("parquet", lambda source: source.kind == "parquet", records)
