"""Values of DICOM headers, with errors that name the tag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pet2rep_eval.errors import MissingExtraError, SUVError


def require(package: str) -> Any:
    """Imports a library of the extra ``imaging``; raises :class:`MissingExtraError` with the remedy."""
    from importlib import import_module

    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(package.split(".")[0], "imaging") from error


def tag_name(keyword: str) -> str:
    """``(0010,1030) Patient's Weight`` for the keyword ``PatientWeight``."""
    datadict = require("pydicom.datadict")
    tag = datadict.tag_for_keyword(keyword)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {datadict.dictionary_description(tag)}"


def raw_value(header: Any, tag: Any) -> Any:
    """The value of a keyword, or the element of a tag; odd values are returned rather than warned about."""
    from pydicom.config import disable_value_validation

    with disable_value_validation():
        return header.get(tag)


def text(header: Any, keyword: str) -> str:
    """The value as stripped text; empty where the tag is missing, empty or unreadable."""
    try:
        value = raw_value(header, keyword)
    except Exception:  # noqa: BLE001 - pydicom raises many kinds of error for a broken value
        return ""
    return "" if value is None else str(value).strip().strip("\0").strip()


def values(header: Any, keyword: str) -> tuple[str, ...]:
    """A multi-valued text, stripped and in capitals; empty where missing."""
    try:
        value = raw_value(header, keyword)
    except Exception:  # noqa: BLE001 - as above
        return ()
    if value is None or value == "":
        return ()
    parts = str(value).split("\\") if isinstance(value, str) else list(value)
    return tuple(str(part).strip().upper() for part in parts)


def optional_number(header: Any, keyword: str) -> float | None:
    """A finite number, or None where the tag is missing or empty. Raises SUVError for anything else."""
    try:
        value = raw_value(header, keyword)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        number = float(value)
    except Exception as error:
        raise SUVError(f"{tag_name(keyword)} is not a number. Correct the header.") from error
    if not math.isfinite(number):
        raise SUVError(f"{tag_name(keyword)} is {number}, not a finite number. Correct the header.")
    return number


def positive(header: Any, keyword: str, what: str) -> float:
    """A number above zero. Raises SUVError where it is missing or not positive."""
    number = optional_number(header, keyword)
    if number is None:
        raise SUVError(f"{tag_name(keyword)} is missing: without {what} there is no SUV.")
    if number <= 0:
        raise SUVError(f"{tag_name(keyword)} is {number:g}: {what} must be positive.")
    return number


def private(header: Any, group: int, element: int, creator: str) -> str:
    """Text of a private element ``(group, xx<element>)``; empty where it is not there.

    The block is looked up under *creator*; where the file names no creator at all (de-identification
    often drops it) the first block, ``10xx``, is taken.
    """
    blocks = []
    for block in range(0x10, 0x100):
        owner = raw_value(header, (group, block))
        if owner is not None and str(owner.value).strip().upper() == creator.upper():
            blocks.append(block)
    if not blocks and raw_value(header, (group, 0x10)) is None:
        blocks = [0x10]
    for block in blocks:
        found = raw_value(header, (group, (block << 8) | element))
        if found is None or found.value is None:
            continue
        value = found.value
        if isinstance(value, bytes):
            value = value.decode("ascii", errors="replace")
        return str(value).strip().strip("\0").strip()
    return ""


def private_number(header: Any, group: int, element: int, creator: str) -> float | None:
    """A private number; None where missing. Raises SUVError where it is not a number."""
    value = private(header, group, element, creator)
    if not value:
        return None
    try:
        number = float(value)
    except ValueError as error:
        raise SUVError(f"({group:04X},xx{element:02X}) of '{creator}' is not a number.") from error
    return number if math.isfinite(number) else None


def same(headers: Sequence[Any], keyword: str) -> str:
    """The one value that all slices share. Raises SUVError where they differ (a mixed series)."""
    found = {text(header, keyword) for header in headers}
    if len(found) > 1:
        raise SUVError(
            f"{tag_name(keyword)} differs between the slices ({len(found)} values): the series is mixed. "
            "Give one series only."
        )
    return found.pop()


# --- dates and times (DICOM PS3.5 section 6.2) ---


def zone_of(header: Any) -> timedelta | None:
    """Offset from UTC of the dates and times of a data set, from (0008,0201); None where it says nothing."""
    return _offset(text(header, "TimezoneOffsetFromUTC"))


def _offset(value: str) -> timedelta | None:
    if len(value) != 5 or value[0] not in "+-" or not value[1:].isdigit():
        return None
    offset = timedelta(hours=int(value[1:3]), minutes=int(value[3:5]))
    return -offset if value[0] == "-" else offset


def parse_time(value: str, keyword: str) -> timedelta | None:
    """Time of day of a TM value (also ``HH:MM:SS``); None if empty. Needs hours and minutes."""
    digits, _, fraction = value.replace(":", "").partition(".")
    if not digits:
        return None
    if not digits.isdigit() or len(digits) not in (4, 6) or (fraction and not fraction.isdigit()):
        raise SUVError(f"{tag_name(keyword)} is '{value}', not a time of day (HHMMSS).")
    hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:6] or 0)
    if hour > 23 or minute > 59 or second > 60:
        raise SUVError(f"{tag_name(keyword)} is '{value}', not a time of day (HHMMSS).")
    return timedelta(hours=hour, minutes=minute, seconds=second + float("0." + (fraction or "0")))


def parse_date(value: str, keyword: str) -> datetime | None:
    """Midnight of a DA value (also ``YYYY.MM.DD``); None if empty."""
    digits = value.replace(".", "").replace("-", "")
    if not digits:
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d")
    except ValueError as error:
        raise SUVError(f"{tag_name(keyword)} is '{value}', not a date (YYYYMMDD).") from error


def parse_datetime(value: str, name: str, zone: timedelta | None = None) -> datetime | None:
    """A DT value in the data set's own zone; None where it is empty or has no time of day.

    A value with its own offset is moved to *zone* where the data set names one; else its clock time is kept,
    which is right for scanners that write local time with an offset throughout.
    """
    if not value:
        return None
    body, own = value, None
    for sign in "+-":
        at = value.rfind(sign)
        if at >= 8:
            body, own = value[:at], _offset(value[at:])
    digits, _, fraction = body.strip().partition(".")
    if not digits.isdigit() or (fraction and not fraction.isdigit()) or len(digits) > 14:
        raise SUVError(f"{name} is '{value}', not a date and time (YYYYMMDDHHMMSS).")
    if len(digits) < 12:
        return None
    try:
        moment = datetime.strptime(digits[:12], "%Y%m%d%H%M")
    except ValueError as error:
        raise SUVError(f"{name} is '{value}', not a date and time (YYYYMMDDHHMMSS).") from error
    moment += timedelta(seconds=int(digits[12:14] or 0) + float("0." + (fraction or "0")))
    if own is not None and zone is not None:
        moment += zone - own
    return moment


def date_and_time(header: Any, date: str, time: str, default_dates: Sequence[str] = ()) -> datetime | None:
    """A moment from a DA and a TM tag; None without a time of day or any date."""
    of_day = parse_time(text(header, time), time)
    if of_day is None:
        return None
    for keyword in (date, *default_dates):
        day = parse_date(text(header, keyword), keyword)
        if day is not None:
            return day + of_day
    return None


def acquisition_start(header: Any) -> datetime | None:
    """When the acquisition of a slice began: (0008,0022) with (0008,0032), else (0008,002A)."""
    moment = date_and_time(header, "AcquisitionDate", "AcquisitionTime", ("SeriesDate", "StudyDate"))
    if moment is not None:
        return moment
    return parse_datetime(
        text(header, "AcquisitionDateTime"), tag_name("AcquisitionDateTime"), zone_of(header)
    )


def series_start(header: Any) -> datetime | None:
    """(0008,0021) with (0008,0031)."""
    return date_and_time(header, "SeriesDate", "SeriesTime", ("AcquisitionDate", "StudyDate"))
