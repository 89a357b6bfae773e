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
    r"deauville(?: five point)?(?: scores?| scale)?(?: by (?:site|region))?:(?=[^\d:]{3,40}[1-5]\b)"
)
_FIGURE = re.compile(
    r"(?<![\w.,/-])(?<!suv )(?<!segment )(?<!seg )(?<!level )(?<!station )"
    r"\d{1,2}(?:\.\d{1,2})?(?![\w.%]|\s?(?:mm|cm|x|hu|%|:))"
)
_ROW = re.compile(
    r"[a-z(][a-z0-9 ()#'.,/-]{2,60}?[\s:/|-]+\(?\d[\d\s.,:;()/|xmc<>-]*"
    r"(?:(?:was|prior|prev|before|now|suv\s?(?:max|peak|mean)?|bl|baseline|d(?=[1-5])|ds)[\d\s.,:;()=/-]*){0,3}"
    r"(?:$|[。;!?\u3400-\u9fff])"
)
"""A name, and behind it nothing but figures."""
_SCORE = re.compile(
    r"(?<=[(:\-,] )d[1-5](?=\s*(?:$|[).,;\n]|\s[a-z]+:))|(?<=\()d[1-5](?=\))|(?<=[:\-,] )d[1-5](?=\s[a-z ]{3,30}:)"
)
"""A Deauville score by its letter: "L inguinal: D2", "SUVmax 11.8 (D5)"."""
_LONGEST = 160
"""Characters of a row; what is longer is text."""


def figures(normalised: Normalised) -> Iterator[tuple[int, int, str]]:
    """Figures of such rows: start, end, and ``suv`` or ``deauville``."""
    text = normalised.text
    if len(text.encode("utf-8", "replace")) > 2 * len(text) or not _SCALE.search(text):
        return  # Chinese, where no such table was ever seen
    yield from ((m.start(), m.end(), "deauville") for m in _SCORE.finditer(text))
    lines = sorted({0, *normalised.breaks, *normalised.paragraphs, len(text)})
    scales: list[str] = []
    for start, end in itertools.pairwise(lines):
        line = text[start:end]
        head = _HEAD.fullmatch(line.strip(" .:\n"))
        if head:
            scales = _scales(line)
            continue
        if start in normalised.paragraphs and not _ROW.match(line.strip()):
            scales = []
        inline = _INLINE.search(line)
        if inline:
            yield from (
                (start + m.start(), start + m.end(), "deauville")
                for m in _FIGURE.finditer(line, inline.end())
            )
        elif scales and len(line) <= _LONGEST and _ROW.match(line.strip()):
            for scale, match in zip(scales, _FIGURE.finditer(line), strict=False):
                yield start + match.start(), start + match.end(), scale


def _scales(head: str) -> list[str]:
    """The scales that a heading names, in their order: each once, for values of earlier studies stand behind."""
    return list(dict.fromkeys(_SCALE.findall(head)))
