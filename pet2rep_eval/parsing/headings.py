"""Section headings: where a part of the report begins, and what kind of part it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.normalise import Normalised

READ = frozenset({"findings", "structure"})
"""Sections that describe the present study."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A section heading found in the normalised text."""

    name: str
    start: int
    end: int
    after: int
    """Where the text under it begins."""


_NUMBERING = re.compile(
    r"^[\s(]*(?:(?:\d{1,2}|[一二三四五六七八九十]{1,2}|[ivx]{1,4}|[a-e])[.、):)\s]+)?[-*#>\s]*"
)
_REMARK = re.compile(r"\([^()]{1,40}\)[\s:]*$")
"""检查描述(与前次对比)"""
_SCRIPTS = re.compile(r"[\u3400-\u9fff]+|[a-z0-9/&' -]*[a-z0-9]")


_PAGE = re.compile(r"[-\s]*(?:第 ?\d+ ?页|page ?\d+|\d+ ?/ ?\d+)[-\s.]*")
"""The last line of a page."""
_DOTTED = re.compile(r"\s*([a-z][a-z/& ]{3,40})\.(?=\s)")


def _section_of(name: str) -> str | None:
    """The section that a heading opens; both halves of a bilingual heading must know it."""
    headings = load_lexicon().headings
    if name in headings:
        return headings[name]
    halves = [m.group().strip() for m in _SCRIPTS.finditer(name)]
    if len(halves) == 2 and all(h in headings for h in halves):
        return headings[halves[0]]
    return None


def find_headings(normalised: Normalised) -> list[Heading]:
    """Section headings: a known name before a colon, or alone on its line."""
    text = normalised.text
    starts = sorted({0, *normalised.breaks, *normalised.paragraphs})
    found: dict[int, Heading] = {}
    ends = [*starts[1:], len(text)]
    for start, end in zip(starts, ends, strict=True):
        line = text[start : min(end, start + 60)]
        name = _REMARK.sub("", _NUMBERING.sub("", line)).strip(" :.-\n")
        section = _section_of(name)
        if section and len(text[start:end].strip()) <= 60:
            at = start + line.find(name)
            found[at] = Heading(section, at, at + len(name), end)
    for start in starts:
        match = _DOTTED.match(text, start)
        if match and (section := _section_of(match.group(1).strip())):
            found[match.start(1)] = Heading(section, match.start(1), match.end(1), match.end())
    position = text.find(":")
    while position >= 0:
        low = max(0, position - 40)
        for boundary in range(position - 1, low - 2, -1):
            if (
                boundary < low - 1
                or boundary < 0
                or text[boundary] in "。;:!?\n."
                or boundary + 1 in normalised.breaks
                or boundary + 1 in normalised.paragraphs
            ):
                low = boundary + 1
                break
        raw = text[low:position]
        name = _NUMBERING.sub("", raw).strip(" -*#")
        at = low + raw.rfind(name) if name else position
        section = _section_of(name)
        if section and at not in found:
            found[at] = Heading(section, at, position, position + 1)
        position = text.find(":", position + 1)
    written = (at for at in reversed(starts) if at and text[at:].strip() and not _PAGE.fullmatch(text, at))
    return _diagnoses(sorted(found.values(), key=lambda h: h.start), text, next(written, 0))


_FINDINGS_SHARE = 4
"""What stands before the first heading are the findings if it is at least one part in so many of the text."""


def _diagnoses(headings: list[Heading], text: str, last_line: int) -> list[Heading]:
    """A diagnosis given before anything is described is the history, one given after it, or alone, the impression."""
    before = text[: headings[0].start].strip() if headings else ""
    described = any(c in "。.;:" for c in before) and _FINDINGS_SHARE * len(before) >= len(text)
    described = described or (len(headings) == 1 and last_line <= headings[0].start)
    out: list[Heading] = []
    for heading in headings:
        if heading.name == "diagnosis":
            heading = replace(heading, name="impression" if described else "history")
        described = described or heading.name in READ
        out.append(heading)
    return out
