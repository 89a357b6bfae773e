"""When: the moment to which a PET series is decay-corrected, and the moment of injection.

Sources: DICOM PS3.3 C.8.9.1, the vendor-neutral pseudo-code of QIBA, the IBSI-SUV manual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pet2rep_eval.errors import SUVError
from pet2rep_eval.imaging.header import (
    acquisition_start,
    optional_number,
    parse_datetime,
    parse_time,
    private,
    series_start,
    tag_name,
    text,
    zone_of,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SHIFTED = timedelta(days=30)
"""From here on two dates of one examination are not a slip of the clock but de-identification."""


@dataclass(frozen=True, slots=True)
class ReferenceTimes:
    """To which moment each slice is decay-corrected, and where that was read."""

    moments: tuple[datetime, ...]
    source: str


def acquisition_starts(headers: Sequence[Any]) -> tuple[datetime | None, ...]:
    """Start of the acquisition of every slice."""
    starts: list[datetime | None] = []
    for header in headers:
        start = acquisition_start(header)
        series = series_start(header)
        borrowed = not text(header, "AcquisitionDate") and text(header, "AcquisitionTime")
        # Without a date of its own a slice acquired after midnight would seem to precede its series.
        if start is not None and series is not None and borrowed and series - start > timedelta(hours=12):
            start += DAY
        starts.append(start)
    return tuple(starts)


def _moved(moment: datetime, near: datetime, name: str, headers: Sequence[Any], notes: list[str]) -> datetime:
    """*moment*, with its day taken from *near* where de-identification shifted one of the two."""
    distance = abs(moment - near)
    declared = any(
        text(headers[0], keyword) in ("MODIFIED", "REMOVED")
        for keyword in ("LongitudinalTemporalInformationModified",)
    )
    if distance < SHIFTED and not (declared and distance > 2 * DAY):
        return moment
    notes.append(
        f"{name} lies {distance.days} days from the acquisition: dates were shifted by de-identification. "
        "Its time of day is used."
    )
    moved = datetime.combine(near.date(), moment.time())
    return moved - DAY if moved > near else moved


def _explicit(headers: Sequence[Any], earliest: datetime | None, notes: list[str]) -> ReferenceTimes | None:
    """A tag that says outright to when the values are corrected."""
    readers: tuple[tuple[str, Callable[[Any], str]], ...] = (
        (tag_name("DecayCorrectionDateTime"), lambda h: text(h, "DecayCorrectionDateTime")),
        ("(0009,100D) of GE", lambda h: private(h, 0x0009, 0x0D, "GEMS_PETD_01")),
        ("(0071,1022) of Siemens", lambda h: private(h, 0x0071, 0x22, "SIEMENS MED PT")),
    )
    found: list[ReferenceTimes] = []
    for name, reader in readers:
        moments = [parse_datetime(reader(header), name, zone_of(header)) for header in headers]
        known = [moment for moment in moments if moment is not None]
        if not known:
            continue
        if len(known) < len(headers):
            raise SUVError(f"{name} is missing in {len(headers) - len(known)} of {len(headers)} slices.")
        if max(known) - min(known) > MINUTE:
            raise SUVError(f"{name} differs between the slices: they are not corrected to one moment.")
        if earliest is not None:
            known = [_moved(moment, earliest, name, headers, notes) for moment in known]
        found.append(ReferenceTimes(tuple(known), name))
    if len(found) > 1 and abs(found[0].moments[0] - found[1].moments[0]) > MINUTE:
        notes.append(
            f"{found[0].source} and {found[1].source} disagree by more than a minute; the first is used."
        )
    return found[0] if found else None


def mean_activity_time(half_life: float, duration: float) -> float:
    """Seconds from the start of a frame to when the activity equals its mean over the frame."""
    decay = math.log(2) / half_life
    return math.log(decay * duration / -math.expm1(-decay * duration)) / decay


def _computed_back(
    headers: Sequence[Any], starts: Sequence[datetime], half_life: float, notes: list[str]
) -> ReferenceTimes | None:
    """Acquisition − frame reference time + mean activity time, for every slice."""
    is_ge = text(headers[0], "Manufacturer").upper().startswith("GE")
    offsets = [optional_number(header, "FrameReferenceTime") for header in headers]
    known = [offset for offset in offsets if offset is not None]
    # 0 in every slice says that the tag is not filled; below 0 is against the standard.
    if len(known) < len(headers) or min(known) < 0 or max(known) == 0 or (min(known) == 0 and not is_ge):
        return None
    moments = []
    for header, start, offset in zip(headers, starts, known, strict=True):
        late = 0.0
        if not is_ge:
            duration = optional_number(header, "ActualFrameDuration")
            if duration is None or duration <= 0:
                return None
            late = mean_activity_time(half_life, duration / 1000)
        moments.append(start + timedelta(seconds=late - offset / 1000))
    if max(moments) - min(moments) > MINUTE:
        notes.append(
            f"{tag_name('FrameReferenceTime')} and the acquisition times give reference times that differ by "
            f"{(max(moments) - min(moments)) / MINUTE:.1f} min between slices; they are not used."
        )
        return None
    return ReferenceTimes(tuple(moments), "frame reference time")


def reference_times(headers: Sequence[Any], half_life: float, notes: list[str]) -> ReferenceTimes:
    """To when DecayCorrection START corrected each slice.

    The first that applies: a tag that says so; the frame reference time; the series time, if it is not later
    than the earliest acquisition; the earliest acquisition. Doubts are appended to *notes*.
    """
    acquired = acquisition_starts(headers)
    starts = tuple(start for start in acquired if start is not None)
    earliest = min(starts) if starts else None
    explicit = _explicit(headers, earliest, notes)
    if explicit is not None:
        if earliest is not None and explicit.moments[0] - earliest > DAY:
            raise SUVError(f"{explicit.source} is more than a day after the acquisition (0008,0032).")
        return explicit
    # The same in all slices, except where a series crosses midnight without a date of its own.
    series = min((moment for header in headers if (moment := series_start(header)) is not None), default=None)
    if earliest is None:
        if series is None:
            raise SUVError(
                f"{tag_name('AcquisitionTime')} and {tag_name('SeriesTime')} are missing: "
                "the moment of decay correction is unknown."
            )
        notes.append(
            f"{tag_name('AcquisitionTime')} is missing: {tag_name('SeriesTime')} could not be checked."
        )
        return ReferenceTimes((series,) * len(headers), "series time")
    if len(starts) < len(headers):
        raise SUVError(f"{tag_name('AcquisitionTime')} is missing in {len(headers) - len(starts)} slices.")
    back = _computed_back(headers, starts, half_life, notes)
    usable = series is not None and series <= earliest + SECOND and earliest - series < DAY
    if back is not None:
        if usable and series is not None and abs(back.moments[0] - series) > MINUTE:
            notes.append(
                f"{tag_name('SeriesTime')} and the reference time computed from "
                f"{tag_name('FrameReferenceTime')} differ by "
                f"{abs(back.moments[0] - series) / MINUTE:.1f} min; the computed one is used."
            )
        return back
    if usable and series is not None:
        return ReferenceTimes((series,) * len(headers), "series time")
    reason = "is missing" if series is None else "does not precede the acquisition within a day"
    notes.append(f"{tag_name('SeriesTime')} {reason}; the earliest acquisition is taken as the reference.")
    return ReferenceTimes((earliest,) * len(headers), "earliest acquisition")


def injection_time(
    headers: Sequence[Any], item: Any, reference: datetime, notes: list[str]
) -> tuple[datetime, str] | None:
    """When the tracer was given, and by which tag; None where the header does not say.

    (0018,1078) with its date; else (0018,1072) on the day of *reference*, a day earlier if that is later.
    """
    name = tag_name("RadiopharmaceuticalStartDateTime")
    stated = text(item, "RadiopharmaceuticalStartDateTime")
    moment = parse_datetime(stated, name, zone_of(headers[0]))
    time_of_day = parse_time(text(item, "RadiopharmaceuticalStartTime"), "RadiopharmaceuticalStartTime")
    if moment is not None:
        moment = _moved(moment, reference, name, headers, notes)
        if time_of_day is not None:
            clock = datetime.combine(moment.date(), datetime.min.time()) + time_of_day
            apart = abs(moment - clock)
            minutes = min(apart, DAY - apart) / MINUTE
            if minutes > 1 and stated[8:].strip("0123456789. ") and zone_of(headers[0]) is None:
                # The date and time names its zone and nothing else does: the plain time is that of all others.
                notes.append(
                    f"{name} is in a time zone of its own, {minutes:.0f} min from "
                    f"{tag_name('RadiopharmaceuticalStartTime')}; the latter is used."
                )
                return _clock_before(time_of_day, reference), tag_name("RadiopharmaceuticalStartTime")
            if minutes > 1:
                notes.append(
                    f"{name} and {tag_name('RadiopharmaceuticalStartTime')} differ by "
                    f"{minutes:.0f} min; the first is used."
                )
        return moment, name
    if time_of_day is None:
        return None
    return _clock_before(time_of_day, reference), tag_name("RadiopharmaceuticalStartTime")


def _clock_before(time_of_day: timedelta, reference: datetime) -> datetime:
    """A time of day on the day of *reference*, or a day earlier if that is later."""
    moment = datetime.combine(reference.date(), datetime.min.time()) + time_of_day
    return moment - DAY if moment > reference else moment
