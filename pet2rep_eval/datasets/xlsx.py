"""XLSX: the first sheet that has a header with a known id column, else the first sheet."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from pet2rep_eval.datasets.records import Record
from pet2rep_eval.datasets.source import ID_COLUMNS, Reader, Source
from pet2rep_eval.errors import InputError

_REMEDY = "Save it again as .xlsx, or export the sheet as UTF-8 CSV."


def records(source: Source) -> Iterator[Record]:
    """Rows below the header, as values (a formula gives its last result)."""
    try:
        yield from _rows(source)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  (zip, XML and openpyxl raise all kinds on a damaged workbook)
        raise InputError(f"the workbook cannot be read ({error})", path=source.path, remedy=_REMEDY) from None


def _rows(source: Source) -> Iterator[Record]:
    import openpyxl

    # the file is ours to close: openpyxl leaves it open where it finds it damaged
    with warnings.catch_warnings(), source.path.open("rb") as file:
        # openpyxl warns about styles and validations that it does not keep; no text is lost
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            sheets = [s for s in book.worksheets if _header(s)]
            if not sheets:
                raise InputError("the workbook has no cells", path=source.path, remedy=_REMEDY)
            sheet = next((s for s in sheets if {*ID_COLUMNS} & {*_header(s)}), sheets[0])
            header = _header(sheet)
            for number, row in enumerate(sheet.iter_rows(min_row=2, values_only=True), 2):
                if all(value is None for value in row):
                    continue
                fields = {name: _plain(value) for name, value in zip(header, row, strict=False) if name}
                yield Record(number, fields)
        finally:
            book.close()


def _plain(value: object) -> object:
    """Excel writes the carriage return of a line break inside a cell as ``_x000D_``."""
    return value.replace("_x000D_\n", "\n").replace("\r\n", "\n") if isinstance(value, str) else value


def _header(sheet: object) -> list[str]:
    rows = sheet.iter_rows(max_row=1, values_only=True)  # type: ignore[attr-defined]
    first = next(iter(rows), ())
    return ["" if value is None else str(value).strip() for value in first]


READER = Reader("xlsx", lambda source: source.kind == "xlsx", records)
