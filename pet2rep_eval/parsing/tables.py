"""Rows of numbers under a heading that says what they are: Deauville scores or SUVs by site.

A heading is a line without figures that names a scale ("Lesion / SUVmax now (prior)", "Deauville by site"), or such
words before a colon and a list. Below it, until an empty line or a line of text, each row names a place and bears the
figures.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from pet2rep_eval.parsing.normalise import Normalised

_SCALE = re.compile(r"deauville|suv")
_HEAD = re.compile(r"[^\d。;]{0,60}\b(?P<scale>deauville|suv)[^\d。;]{0,60}")
_INLINE = re.compile(
    r"(?:deauville(?: five point)?(?: scores?| scale)?|ds)(?: by (?:site|region))?:(?=[^\d:]{3,40}[1-5]\b)"
)
_INLINE_SUV = re.compile(r"\bsuv ?(?:max|peak|mean)?\)?:(?=[^:]{0,12}?[a-z][^:.]{1,50}? \(?\d{1,2}\.\d)")
_FIGURE = re.compile(
    r"(?<![\w.,/-])(?<!suv )(?<!segment )(?<!seg )(?<!level )(?<!station )(?<!stn )"
    r"(?!(?:(?<=lesion )|(?<=target ))\d{1,2}(?:[^.\d]))"
    r"\d{1,2}(?:\.\d{1,2})?(?![\w.%]|\s?(?:mm|cm|x|hu|%|:))"
)
_ROW = re.compile(
    r"(?:\d{1,2}[.)]?\s+)?[a-z(][a-z0-9 ()#'.,/-]{1,60}?[\s:/|-]+\(?\d[\d\s.,:;()/|xmc<>-]*"
    r"(?:(?:was|prior|prev|before|now|suv\s?(?:max|peak|mean)?|bl|baseline|d(?=[1-5])|ds)[\d\s.,:;()=/-]*){0,3}"
    r"(?:$|[。;!?\u3400-\u9fff])"
)
"""A name, and behind it nothing but figures."""
_PLACED = re.compile(
    r"\bsuv ?(?:max|peak|mean)? (?:in|of|for|at) [^.;:\d()]{3,60}? (?:was|is|of|measured|measures|reached|at)"
    r" (?P<first>\d{1,2}(?:\.\d{1,2})?)(?P<more>(?:,? (?:and )?(?:,? ?(?:that )?)(?:in|of|for|at) "
    r"[^.;:,\d()]{3,60}? (?:was |of )?\d{1,2}(?:\.\d{1,2})?(?!\w|\.\d|%|\s?(?:mm|cm)))*)"
)
"""A value for each of several places: "SUVmax in the anal canal was 13.6, in the inguinal node 4.7"."""
_VALUES_IN = re.compile(
    r"\bsuv ?(?:max|peak|mean)? (?:was|is|of|reached) \d{1,2}(?:\.\d{1,2})? (?:in|for|at) [^.;:,\d()]{3,60}"
    r"(?P<more>(?:(?:,|,? and) \d{1,2}(?:\.\d{1,2})? (?:in|for|at) [^.;:,\d()]{3,60}){1,8})"
)
"""The same, each value before its place: "SUVmax was 12.4 in the cervix, 6.6 in the iliac nodes"."""
_BEFORE_PLACE = re.compile(r"\d{1,2}(?:\.\d{1,2})?(?= (?:in|for|at) )")
_NAMED_ONCE = re.compile(
    r"\(suv ?(?:max|peak)?:? ?(?:of )?\d{1,2}(?:\.\d{1,2})?\)"
    r"(?P<more>(?:[;,]? (?:and )?[a-z][^;:()\d.]{2,60} \(\d{1,2}\.\d{1,2}\)){1,12})"
)
"""A value named once: "neck (SUVmax 9.5), both axillae (7.1) and the mediastinum (6.4)"."""
_AFTER_COMMA = re.compile(
    r"\bsuv ?(?:max|peak)?:? ?\d{1,2}\.\d{1,2}"
    r"(?P<more>(?:[,;] (?:and )?(?!liver|hepatic|mbp|blood|background|bkg|mediast|ref|prior|prev|now|was)"
    r"[a-z][a-z0-9 ]{1,40}? \d{1,2}\.\d{1,2}(?!\d|\.\d| ?(?:mm|cm|x|%|h\b))){1,12})"
)
"""The same without parentheses: "right humerus SUVmax 5.0, left 5th rib 4.4, T11 6.1"."""
_COMPARED = re.compile(
    r"(?<=[a-z)]) (\d{1,2}\.\d{1,2})(?= \((?:was|prev\b|previously|prior|pre\b|baseline|bl\b) ?\d{1,2}(?:\.\d{1,2})?\))"
)
"""A value beside that of an earlier study: "right paratracheal 5.1 (was 4.8)"."""
_IN_PARENTHESES = re.compile(r"(?<=\()\d{1,2}\.\d{1,2}(?=\))")
_BEHIND_NAME = re.compile(r"(?<= )\d{1,2}\.\d{1,2}(?=[,;.]|$|\s)")
_VALUE = re.compile(r" (\d{1,2}(?:\.\d{1,2})?)(?=[,.;]|$| and )")
_SCORE = re.compile(r"d[1-5](?![a-z0-9/])(?=\s*(?:$|[).,;!?。\n]|[a-z ]{3,30}:))")
_CHANGED_SCORE = re.compile(
    r"\b(?:ds|deauville(?: score)?|d) ?:? ?[1-5] ?(?:-{1,2}>|→|⇒|=>) ?"
    r"(?:(?=(?:ds|deauville(?: score)?|d) ?[1-5]\b)|(?=(?P<now>[1-5])\b))"
)
"""The score of an earlier study before that of the present one: "DS 5 -> DS 1"."""
_OF_VALUE = re.compile(r"suv[^;\n]{0,30}(?:\(|[,.-] )$")
_OF_FIGURE = re.compile(r"\d - $")
_OF_SITE = re.compile(r"(?<!spine)(?<!vertebra)(?<!vertebrae)(?<!bone)(?<!bones): $")
_LYMPHOMA = re.compile(r"deauville|lymphoma|hodgkin")
_GRADED = re.compile(r"suv|deauville|\bds\b|lymphoma|hodgkin|\bcurrent\b|\bnow\b|\btoday\b")
_ARROW = re.compile(r"\d ?(?:->|→|⇒|=>)(?= ?\d)")
_RULE = re.compile(r"[\s:,|-]*")
"""The line between the head of a table and its rows."""
_STROKE = re.compile(r"(?<= )/(?= )")
_NUMBER_OF_ROW = re.compile(r"\s*\d{1,2}[.)]?\s+")
_CELL = re.compile(r"(?<=[;:,|\t])\s*[^;:,|\t]*|^\s*[^;:,|\t]+")
_WIDE = re.compile(r" , ?|,(?! )| ; |\t|: ?|\|")
"""What parts cells in a table whose names may bear commas: "stomach, lower body" is one cell."""
_NAME_AND_FIGURE = re.compile(r"([a-z].*\S) (\d{1,2}(?:\.\d{1,2})?)")
_BESIDE = re.compile(r"\([^()]*\)")
_LEADING = re.compile(r"[(<>~ ]{0,2}(\d{1,2}(?:\.\d{1,2})?)(?![\w.%])")
_EARLIER = re.compile(
    r"baseline|prior|previous|\bprev\b|initial|\bbefore\b|pre-?(?:treat|ther)|earlier|\bbl\b|\bold\b"
)
_DATE = re.compile(
    r"\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*(?: \d{2,4})?|\b\d{1,2}[-/]\d{1,2}[-/]\d{2,4}"
    r"|\b\d{1,2}[-/]20\d\d|\b20\d\d(?:[-/]\d{1,2}){0,2}"
)
_NOW = re.compile(r"\bcurrent\b|\bnow\b|\btoday\b|\bpresent\b|\bthis (?:scan|study|exam)")
_FIRST_COLUMN = re.compile(r"(?:site|lesion|location|region|target|no\b|#|structure|organ|node|station|area)")
_DEAUVILLE = re.compile(r"deauville|\bds\b|\b5-?ps\b")
_LONGEST = 160
"""Characters of a row; what is longer is text."""


def figures(normalised: Normalised) -> Iterator[tuple[int, int, str]]:
    """What stands in such rows: start, end, and what it is.

    ``suv`` and ``deauville`` are figures, ``row`` is where a row begins with its number, ``cell`` what parts two cells,
    ``earlier`` a score of an earlier study.
    """
    text = normalised.text
    if len(text.encode("utf-8", "replace")) > 2 * len(text) or not _GRADED.search(text):
        return  # Chinese, where no such table was ever seen
    yield from ((start, end, "deauville") for start, end in _scores(text))
    for match in _CHANGED_SCORE.finditer(text):
        yield match.start(), match.end(), "earlier"
        if match["now"]:
            yield match.end(), match.end() + 1, "deauville"
    for match in _PLACED.finditer(text):
        yield match.start("first"), match.end("first"), "suv"
        yield from (
            (v.start(1), v.end(1), "suv")
            for v in _VALUE.finditer(text, match.start("more"), match.end("more"))
        )
    for match in _VALUES_IN.finditer(text):
        each = _BEFORE_PLACE.finditer(text, match.start("more"), match.end("more"))
        yield from ((v.start(), v.end(), "suv") for v in each)
    for match in _NAMED_ONCE.finditer(text):
        inside = _IN_PARENTHESES.finditer(text, match.start("more"), match.end("more"))
        yield from ((v.start(), v.end(), "suv") for v in inside)
    for match in _AFTER_COMMA.finditer(text):
        behind = _BEHIND_NAME.finditer(text, match.start("more"), match.end("more"))
        yield from ((v.start(), v.end(), "suv") for v in behind)
    if "suv" in text:
        yield from ((m.start(1), m.end(1), "suv") for m in _COMPARED.finditer(text))
    lines = sorted({0, *normalised.breaks, *normalised.paragraphs, len(text)})
    scales: list[str] = []
    columns: list[str] = []
    wide = False
    for start, end in itertools.pairwise(lines):
        raw = text[start:end]
        if raw.count(" / ") > 1:
            raw = raw.replace(" / ", " | ")  # "2 / L4 vertebra / 1.2 / 7.9"
        line = raw.replace("\t", " ")
        head = _HEAD.fullmatch(_DATE.sub("", line.strip(" .:;,\n").replace(";", ",")))
        if head or _heads_columns(raw):
            scales, columns, wide = _scales(line), _columns(raw), _is_wide(raw)
            continue
        if _RULE.fullmatch(line):
            continue
        cells = _of_one_name(_cells(raw, wide), len(columns), wide) if columns else []
        if len(cells) - len(columns) in (0, 1) and len(columns) > 1 and len(raw) <= _LONGEST:
            yield from _row(cells, ["", *columns] if _is_numbered(cells, columns) else columns, start)
            yield from (
                (start + m.start(), start + m.end(), "cell") for m in _STROKE.finditer(text[start:end])
            )
            continue
        if start in normalised.paragraphs and not _ROW.match(line.strip()):
            scales, columns = [], []
        inline = _INLINE.search(line)
        if inline:
            yield from (
                (start + m.start(), start + m.end(), "deauville")
                for m in _FIGURE.finditer(line, inline.end())
            )
        elif (values := _INLINE_SUV.search(line)) is not None and len(line) <= 2 * _LONGEST:
            yield from (
                (start + m.start(), start + m.end(), "suv")
                for m in _FIGURE.finditer(line, values.end())
                if "." in m.group()
            )
        elif scales and len(line) <= _LONGEST and _ROW.match(line.strip()):
            numbering = _NUMBER_OF_ROW.match(line)
            if numbering:
                yield start, start, "row"
            arrow = _ARROW.search(line)  # "10.5 -> 12.8": the later value is that of now
            begin = arrow.end() if arrow else numbering.end() if numbering else 0
            found = _FIGURE.finditer(line, begin)
            for scale, match in zip(scales, found, strict=False):
                yield start + match.start(), start + match.end(), scale


def _cells(line: str, wide: bool) -> list[tuple[int, str]]:
    """The cells of a row, each with where it begins; empty ones at both ends are no cells."""
    if wide:
        ends = [*(m.span() for m in _WIDE.finditer(line)), (len(line), len(line))]
        begins = [0, *(end for _, end in ends)]
        found = [(begin, line[begin:end]) for begin, (end, _) in zip(begins, ends, strict=False)]
    else:
        found = [(m.start(), m.group()) for m in _CELL.finditer(line)]
    cells = [(at + len(cell) - len(cell.lstrip()), cell.strip()) for at, cell in found]
    while cells and not cells[-1][1]:
        cells.pop()
    while cells and not cells[0][1]:
        del cells[0]
    return cells


def _is_wide(head: str) -> bool:
    """The cells of the head are parted by more than commas of text."""
    return len(_cells(head, True)) > 2


def _head_cells(head: str) -> list[str]:
    cells = _cells(head, True)
    return [cell for _, cell in (cells if len(cells) > 2 else _cells(head, False))]


def _is_numbered(cells: list[tuple[int, str]], columns: list[str]) -> bool:
    """The row begins with its number, for which the head has no column: the figures stand one further on."""
    further = cells[1:]
    return (
        len(further) == len(columns)
        and cells[0][1].rstrip(".)").isdigit()
        and all(_LEADING.match(cell) for (_, cell), scale in zip(further, columns, strict=True) if scale)
    )


def _of_one_name(cells: list[tuple[int, str]], columns: int, wide: bool) -> list[tuple[int, str]]:
    """The cells, those that only the commas of the name in the first column made taken as one."""
    surplus = len(cells) - columns
    ends = _NAME_AND_FIGURE.fullmatch(cells[0][1]) if surplus == -1 and len(cells) > 1 else None
    if ends:
        at = cells[0][0]
        return [(at, ends[1]), (at + ends.start(2), ends[2]), *cells[1:]]  # "Axillary nodes, right 8.4 | 1.1"
    if surplus > 0 and not wide and not any(_LEADING.fullmatch(cell) for _, cell in cells[: surplus + 1]):
        return [cells[0], *cells[surplus + 1 :]]  # "Cervical nodes, left | 11.2 | 1.5"
    return cells


def _heads_columns(line: str) -> bool:
    """ "Lesion no / site / SUVmax today / SUVmax 02 Mar", "Site | current | previous"."""
    cells = _head_cells(line)
    if len(cells) < 3 or not _FIRST_COLUMN.match(cells[0]):
        return False
    compared = any(_NOW.search(c) for c in cells) and any(_EARLIER.search(c) for c in cells)
    return any(c.startswith("suv") for c in cells) or compared


def _columns(head: str) -> list[str]:
    """What each column holds: a scale, or nothing that is read; values of an earlier study are not."""
    cells = _head_cells(head)
    if sum("suv" in cell for cell in cells) == 1:
        cells = [_BESIDE.sub("", cell) if "suv" in cell else cell for cell in cells]  # "SUVmax (previous)"
    scaled = any("suv" in cell or _DEAUVILLE.search(cell) for cell in cells)
    dated = any("suv" in cell and _NOW.search(cell) for cell in cells)
    return [_scale_of(cell, scaled, dated) for cell in cells]


def _scale_of(cell: str, scaled: bool, dated: bool) -> str:
    """The scale of a column; where none is named, those of now bear SUVs, and where it is named, no others."""
    now = _NOW.search(cell) is not None
    if _EARLIER.search(cell) or ("suv" in cell and dated and not now):
        return ""
    if "suv" in cell or (not scaled and now):
        return "suv"
    return "deauville" if _DEAUVILLE.search(cell) else ""


def _row(cells: list[tuple[int, str]], columns: list[str], start: int) -> Iterator[tuple[int, int, str]]:
    """The figures of one row; where it begins with its number, the name stands behind."""
    if cells[0][1].isdigit():
        yield start, start, "row"
    for (at, cell), scale in zip(cells, columns, strict=False):
        match = _LEADING.match(cell) if scale else None
        if match:
            offset = at + match.start(1)
            yield start + offset, start + offset + len(match.group(1)), scale


def _scores(text: str) -> Iterator[tuple[int, int]]:
    """Deauville scores by their letter: "SUVmax 11.8 (D5)", of a lymphoma "L inguinal: D2"; else D5 is a vertebra."""
    found = [(m, _closed(text, m.start(), m.end())) for m in _SCORE.finditer(text)]
    sure = {m.start() for m, closed in found if _is_graded(text, m.start(), closed)}
    lymphoma = bool(sure) or _LYMPHOMA.search(text) is not None
    for match, closed in found:
        start = match.start()
        low = max(0, start - 40)
        of_it = closed or _OF_VALUE.search(text, low, start) or _OF_SITE.search(text, low, start)
        if start in sure or (lymphoma and of_it):
            yield start, match.end()


def _closed(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] == "(" and text[end : end + 1] == ")"


def _is_graded(text: str, start: int, closed: bool) -> bool:
    """It stands in parentheses behind an SUV, or with a dash behind figures: no vertebra does."""
    low = max(0, start - 40)
    return bool((closed and _OF_VALUE.search(text, low, start)) or _OF_FIGURE.search(text, low, start))


def _scales(head: str) -> list[str]:
    """The scales that a heading names, in their order: each once, for values of earlier studies stand behind."""
    return list(dict.fromkeys(_SCALE.findall(head)))
