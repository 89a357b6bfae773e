"""Reading order of characters: markup off, widths and variants unified, every character with its origin.

The normalised text holds what the lexicon matches on; each of its characters leads back into the text exactly as
it was given, so that every span tells the truth.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.records import Span

# What is not text. Bounded repetition keeps each alternative linear on adversarial input.
_MARKUP = re.compile(
    r"(?P<think><think>(?:[^<]|<(?!/think>))*+(?:</think>)?)"
    r"|(?P<comment><!--)"
    r"|(?P<block></?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|section)\b[^<>]{0,200}>)"
    r"|(?P<cell></?t[dh]\b[^<>]{0,200}>)"
    r"|(?P<inline></?(?:b|i|u|em|strong|span|sup|sub|font|a|small|mark)(?:\s[^<>]{0,200})?>)"
    r"|(?P<tag></?[a-zA-Z\u4e00-\u9fff][\w\u4e00-\u9fff-]{0,20}(?:\s+[\w:-]{1,30}\s*=[^<>]{0,200})?\s*/?>)"
    r"|(?P<boxed>【[^【】\n]{1,14}】[:：]?|^[\[［〔「『〖{][a-zA-Z][^\[\]［］〔〕「」『』〖〗{}\n]{1,30}[\]］〕」』〗}](?=[ \t]*[^\s:：.,;。，；]))"
    r"|(?P<null>[\"'][^\"'\n]{1,40}[\"']\s{0,3}:\s{0,3}null\b)"
    r"|(?P<bullet>^[ \t]*(?:[-–—*+☑☒·‣▪]|>{1,2}|\d{1,2}[.)、)]|\[[xXｘＸ✓√]\])[ \t]+|^[ \t]*\d{1,2}(?:、|[ \t](?=[\u3400-\u9fff、]{1,14}[:：])))"
    r"|(?P<entity>&(?:lt|gt|amp|nbsp|quot|apos|\#\d{1,5});)"
    r"|(?P<hl7>\\(?:\.br|\.sp\d{0,2}|X0[ADad]{1,3}[^\\\n]{0,6}|[HNFSTRE])\\)"
    r"|(?P<escape>\\[nrt])"
    r"|(?P<fence>```[a-zA-Z]{0,10})"
    r"|(?P<rule>^[ \t]{0,3}(?:-{3,}|\*{3,}|_{3,}|={3,}|\|[-:| ]{3,}\|?)[ \t]*$)"
    r"|(?P<mark>\*{1,3}|_{2,3}|~{1,2}|`)"
    r"|(?P<hash>^[ \t]*\#{1,6}(?=\s))"
    r"|(?P<hyphen>(?<=[a-z])-[ \t]*\r?\n[ \t]*(?=[a-z]))"
    r"|(?P<space>[ \t\r\n\f\v\u00a0\u2000-\u200a\u2028\u2029\u3000]+)"
    r"|(?P<zero>[\u200b-\u200f\u2060\ufeff\u00ad]+)",
    re.DOTALL | re.MULTILINE,
)
# Where markup can begin at all: a set of characters, searched for much faster than the alternatives above.
# Marks of lines count behind a line break only, a hyphen also between letters.
_MARKUP_START = re.compile(
    r"[<【［〔「『〖{\"'&\\`*_~ \t\r\n\f\v\u00a0\u2000-\u200f\u2028\u2029\u2060\u3000\ufeff\u00ad\-+\d=|\#\[]"
    r"(?:(?<=[^\-+\d=|\#\[])|(?<=^.)|(?<=[a-z]-))",
    re.DOTALL | re.MULTILINE,
)
_GAPS = re.compile(r"(?<=[\u3400-\u9fff0-9)）])[ \u3000]{1,2}(?=[\u3400-\u9fff])")
_MARKS = re.compile(r"(?<=[\u3400-\u9fff0-9)）])[，。；,;]")
_PHRASE = 8
"""Characters between two gaps from which on they part phrases, not words."""
_BEGINS = re.compile(r"[\u3400-\u9fffFfSs]")
"""Dictation without punctuation: many gaps between Chinese words, hardly a comma."""
_INDENTED = re.compile(r"(?:[-–—*+☑☒·‣▪]|>{1,2}|\d{1,2}[.)、)]|\[[xXｘＸ✓√]\])[ \t]+")
"""A list mark behind the indentation of its line."""
_SUBNUMBER = re.compile(r"^[ \t]*\d{1,2}\.\d{1,2}[.)]?[ \t]+(?=[A-Z\u3400-\u9fff])", re.MULTILINE)
"""The number of an item: "4.1 Liver: …"."""
_EITHER = re.compile(
    r"((?:uptake|avid|hypermetabolic|hypermetabolism)) ?\(?\b(?:y ?/ ?n|yes ?/ ?no)\b\)?:?(?=[ \t\r]*$)",
    re.IGNORECASE | re.MULTILINE,
)
"""The head of a list of answers: "Increased uptake Y / N"."""
_LEADER = re.compile(r"(?<=[^\s.])[ \t]?\.{4,}+[ \t]?")
_TICKED = re.compile(r"\[[xXｘＸ✓√]\]|[☑☒]|\[ \][^\[\]\n]{1,30}\[ \]")
_BOX_LAST = re.compile(
    r"^[^\n\[☐□☑☒]*[^\s\[☐□☑☒](?:[ \t]*(?:\[[ xXｘＸ✓√_]\]|[☐□☑☒])[^\n\[☐□☑☒]*?){2,6}(?<=[\]☐□☑☒])(?![ \t]*\w)",
    re.MULTILINE,
)
_UNTICKED_BEHIND = re.compile(r"[^\[\]\n☐□☑☒.:;：；，。]{1,40}(?:\[[ _]\]|☐|□)")
_TICK_INSIDE = re.compile(r"(?<=[a-z])[ \t]{1,160}+(?:\[[xXｘＸ✓√]\]|[☑☒])(?= ?[a-z])")
"""Behind the name of a field, which it parts from its answer."""
_UNTICKED = re.compile(r"(?:\[[ _]\]|☐|□)[^\[\]\n\u3000☐□☑☒.:;：；，。]{1,40}")
_MEASURED = re.compile(
    r"(?<![^\n])(?:\[[ _]\]|☐|□)(?=[^\[\]\n☐□☑☒]{1,80}(?:\d ?[mc]m\b|\bsuv))", re.IGNORECASE
)
"""Before a finding with its measures, where the ticks of other lines say that there is none."""
_CLOSING = re.compile(r"</([^<>/]{1,60})>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&nbsp;": " ", "&quot;": '"', "&apos;": "'"}
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN_RUN = re.compile(r"[A-Za-z]+")
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_APART = re.compile(r"[\x00\n|]")
_APART_JSON = re.compile(r"[\x00\n|,]")
"""Characters that a stretch of plain text does not simply keep."""
_CELL = re.compile(r"[^ |]")
_BARS = re.compile(r"\|[ |]*")
_JSON = re.compile(r"\s*(?:```(?:json)?\s*)?[\[{]\s*[\"'{\[]")
BRACKETS = '[]【】［］〔〕「」『』〖〗{}＜＞《》“”"”'
_FOLDED = {
    "，": ",", "；": ";", "：": ":", "（": "(", "）": ")", "！": "!", "？": "?", "﹐": ",", "､": "、", "｡": "。", "﹔": ";", "﹕": ":",
    "–": "-", "—": "-", "−": "-", "‑": "-", "‐": "-", "―": "-", "×": "x", "✕": "x", "＊": "*", "’": "'", "‘": "'", "´": "'", "∕": "/",
    "⁄": "/", "～": "~", "∼": "~", "•": "\n", "●": "\n", "◆": "\n", "■": "\n", "▪": "\n", "►": "\n", "➢": "\n", "√": " ", "☑": " ", "☒": " ",
    "Ⅰ": "ⅰ", "│": "|", "｜": "|", "…": "。",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Normalised:
    """Text to match on, and the way back from each of its characters to the original."""

    text: str
    starts: tuple[int, ...]
    """Where runs of characters begin in ``text`` that stand together in the original, too."""
    shifts: tuple[int, ...]
    """For each run, how much further on its characters stand in the original."""
    breaks: frozenset[int]
    """Places in ``text`` where a line began that nothing but the layout separates from the one before."""
    paragraphs: frozenset[int]
    """Places where a paragraph began: an empty line or a list mark stood there."""
    length: int

    def span(self, start: int, end: int) -> Span:
        """The range of the original that the range *start* to *end* of this text came from."""
        starts, shifts = self.starts, self.shifts
        if start >= end:
            at = self.length
            if start < len(self.text):
                at = start + shifts[bisect_right(starts, start) - 1]
            return Span(at, at)
        return Span(
            start + shifts[bisect_right(starts, start) - 1], end + shifts[bisect_right(starts, end - 1) - 1]
        )


@lru_cache(maxsize=1)
def _character_table() -> dict[int, str]:
    table = {ord(k): v for k, v in load_lexicon().characters.items()}
    table.update(dict.fromkeys(range(0xD800, 0xE000), "\ufffd"))  # halves of pairs cannot be searched
    for code in range(0xFF01, 0xFF5F):
        table[code] = chr(code - 0xFEE0).lower()
    table.update({ord(k): v for k, v in _FOLDED.items()})
    table.update({ord(c): "\x00" for c in BRACKETS})  # a bracket is evidence of nothing: it is dropped
    for code in range(ord("A"), ord("Z") + 1):
        table[code] = chr(code + 32)
    for index, code in enumerate(range(0x2160, 0x216C)):
        table[code] = chr(0x2170 + index)
    return table


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset(w for p in load_lexicon().phrases if p.isascii() for w in p.split())


_LEFT = re.compile(r"[a-z]+\Z")
_RIGHT = re.compile(r"[a-z]+")


def _torn(out: list[str], text: str, end: int) -> bool:
    """Whether a line break tears a known word in two: "pancre" and "atic"."""
    left = _LEFT.search("".join(out[-3:])[-30:])
    right = _RIGHT.match(text, end)
    if not left or not right:
        return False
    known = _vocabulary()
    joined = left.group() + right.group()
    return joined in known and len(joined) >= 5 and not (left.group() in known and right.group() in known)


def _is_spaced(text: str) -> bool:
    gaps = len(_GAPS.findall(text))
    return gaps > 3 * (1 + len(_MARKS.findall(text))) and len(text) > _PHRASE * gaps


def _names_places(name: str) -> bool:
    """The name of a section, or of places: "[Liver, GB, spleen]"."""
    lexicon = load_lexicon()
    if name in lexicon.headings:
        return True
    found = [lexicon.phrases.get(part.strip()) for part in re.split(r",|/|&| and ", name)]
    return all(c is not None and c.kind in ("REGION", "SITE", "NODE") for c in found)


def _blank(match: re.Match[str]) -> str:
    """Blanks of the same length, so that every place is kept."""
    return " " * len(match.group())


def normalise(text: str) -> Normalised:
    """Normalises *text*, in time linear in its length."""
    json_shaped = _JSON.match(text) is not None
    if _EITHER.search(text):
        text = _EITHER.sub(lambda m: m.group(1) + "?" + " " * (m.end() - m.end(1) - 1), text)
    if len(_SUBNUMBER.findall(text)) > 2:
        text = _SUBNUMBER.sub(_blank, text)
    if "...." in text:
        text = _LEADER.sub(lambda m: ":" + " " * (len(m.group()) - 1), text)  # "Brain ........ normal"
    if _TICKED.search(text):
        # a box that is not ticked says nothing; in a line that ends with one the boxes stand behind: "Yes [ ]  No [x]"
        text = _MEASURED.sub(_blank, text)
        text = _BOX_LAST.sub(lambda m: _UNTICKED_BEHIND.sub(_blank, m.group()), text)
        text = _UNTICKED.sub(_blank, text)
        text = _TICK_INSIDE.sub(lambda m: ":" + " " * (len(m.group()) - 1), text)
    builder = _Builder(text, json_shaped)
    markup, plain = _MARKUP.match, builder.plain
    position = 0
    close = 0
    for candidate in _MARKUP_START.finditer(text):
        start = candidate.start()
        if start < position:
            continue
        match = markup(text, start)
        if match is None:
            continue
        if start > position:
            plain(position, start)
        position = match.end()
        if match.lastgroup == "comment":
            if 0 <= close < position:
                close = text.find("-->", position)  # found once for all comments before it: linear
            if close >= 0:
                position = close + 3
        else:
            builder.mark(match)
            indented = _INDENTED.match(text, position) if match.lastgroup == "space" else None
            if indented and ("\n" in match.group() or "\r" in match.group()):
                builder.paragraphs.add(builder.size)
                position = indented.end()
    if position < len(text):
        plain(position, len(text))
    return builder.done()


class _Builder:
    """Puts the normalised text together, piece by piece."""

    def __init__(self, text: str, json_shaped: bool) -> None:
        self.text, self.json_shaped = text, json_shaped
        self.out: list[str] = []
        self.size = 0
        """Characters in ``out``."""
        self.starts: list[int] = [0]
        self.shifts: list[int] = [0]
        self.breaks: set[int] = set()
        self.paragraphs: set[int] = set()
        self.first_cell: tuple[int, int, int] | None = None
        """Where the first cell of the text begins, where the bars behind it begin and end."""
        self.spaced = text.count(" ") > 3 * sum(map(text.count, "，。；")) and _is_spaced(text)
        """Spaces stand where others write commas."""
        self.closed: frozenset[str] | None = None
        """The names of the tags that the text closes, found at the first tag."""
        self.table = _character_table()
        self.apart = _APART_JSON if json_shaped else _APART

    def done(self) -> Normalised:
        return Normalised(
            "".join(self.out),
            tuple(self.starts),
            tuple(self.shifts),
            frozenset(self.breaks),
            frozenset(self.paragraphs),
            len(self.text),
        )

    def add(self, piece: str, at: int) -> None:
        """Adds characters that stand from *at* on in the original."""
        shift = at - self.size
        if shift != self.shifts[-1]:
            self.starts.append(self.size)
            self.shifts.append(shift)
        self.out.append(piece)
        self.size += len(piece)

    def is_closed(self, name: str) -> bool:
        """Whether the text closes a tag of this name somewhere."""
        if self.closed is None:
            self.closed = frozenset(m.group(1) for m in _CLOSING.finditer(self.text))
        return name in self.closed

    def last(self) -> str:
        """The character before, or nothing."""
        return self.out[-1][-1] if self.out else ""

    def plain(self, start: int, end: int) -> None:
        """Text without markup."""
        text = self.text
        piece = text[start:end].translate(self.table)
        if self.apart.search(piece) is None:
            self.add(piece, start)
            return
        kept = 0
        for match in self.apart.finditer(piece):
            index = match.start()
            at, raw = start + index, text[start + index]
            character = match.group()
            if character == "," and not (raw == "," and text[at - 1 : at] in ('"', "]", "}", "'")):
                continue
            if index > kept:
                self.add(piece[kept:index], start + kept)
            kept = index + 1
            if character == "|":
                # the first cell of a row names what the others are about
                self.add(":" if self._after_first_cell(at) else ",", at)
            elif character in "\n," or (self.json_shaped and raw in "{}[]"):
                if self.json_shaped and self.last() not in ("", " "):
                    self.add(" ", at)
                self.paragraphs.add(self.size)
        if kept < len(piece):
            self.add(piece[kept:], start + kept)

    def _after_first_cell(self, at: int) -> bool:
        text = self.text
        line = text.rfind("\n", max(0, at - 200), at) + 1
        if line:
            cells = text[line:at].strip(" |")
            return bool(cells) and "|" not in cells
        # the line is long, and what the text begins with is sought once: linear
        if self.first_cell is None:
            begin = _CELL.search(text)
            cell = begin.start() if begin else len(text)
            bars = _BARS.search(text, cell)
            self.first_cell = (cell, *(bars.span() if bars else (len(text), len(text))))
        cell, bar, rest = self.first_cell
        return cell < at and (at <= bar or at <= rest)

    def mark(self, match: re.Match[str]) -> None:
        """Markup, a comment apart: what it means for the text around it."""
        text = self.text
        start, end = match.span()
        kind = match.lastgroup
        if kind == "space" or kind == "escape":
            self._space(match, kind)
        elif kind == "entity":
            value = _ENTITIES.get(match.group(), " ")
            if value not in BRACKETS:
                self.add(value, start)
        elif kind == "boxed":
            name = match.group()[1:].rstrip(":：】]］〕」』〗}").strip().lower()
            if _names_places(name):
                self.paragraphs.add(self.size)
                self.plain(
                    start + (text[start] != "【"), start + len(match.group().rstrip(":：】]］〕」』〗}"))
                )
                self.add(":", start + len(match.group().rstrip(":：】]］〕」』〗}")))
            else:
                if text[start] != "【":
                    self.paragraphs.add(self.size)
                self.plain(start, end)
        elif kind == "tag" and self.is_closed(match.group().strip("<>")):
            if self.last() not in ("", " ", "\n"):
                self.add(" ", start)  # </liver><spleen>
            self.paragraphs.add(self.size)  # <liver>no avid lesion</liver>
            if _names_places(match.group().strip("<>").lower().partition("_")[0]):
                self.add(match.group().strip("<>").lower().replace("_", " ") + ":", start + 1)
        elif kind == "tag" and match.group().strip("</>").lower() in load_lexicon().phrases:
            if match.group().startswith("</"):
                self.paragraphs.add(self.size)
            else:
                self.plain(start + 1, end - 1)  # 〈normal〉: a bracket, no markup
        elif kind in ("block", "rule", "think", "fence", "bullet", "hash", "tag"):
            if kind in ("block", "tag") and self.last().isascii() and self.last().isalnum():
                self.add(" ", start)  # "no uptake</p><p>spleen"
            wrapped = match.group()[:3].lower() == "<br" and _HAN.match(self.last()) and _HAN.match(text, end)
            (self.breaks if wrapped else self.paragraphs).add(self.size)  # 放射<br>性摄取
        elif kind == "hl7":
            following = text[end : end + 1]
            if not (following.isascii() and following.islower()):
                self.paragraphs.add(self.size)
            if self.last() not in ("", " "):
                self.add(" ", start)
        elif kind == "cell":
            self.add(",", start)
        elif kind == "mark" and match.group() in ("*", "~") and text[start - 1 : start].isdigit():
            self.add(match.group(), start)

    def _cell_mark(self, gap: str, start: int, end: int) -> str:
        """What a wide gap between the cells of a row stands for: a colon behind the first, a comma behind others."""
        if (
            self.last() in (":", ",")
            or not ("\t" in gap or "\u3000" in gap or "   " in gap)
            or self.text[end : end + 1]
            in (
                "",
                "\n",
                "\r",
            )
        ):
            return ""
        line = max(
            self.text.rfind("\n", max(0, start - 60), start), self.text.rfind("\r", max(0, start - 60), start)
        )
        cell = self.text[line + 1 : start] if line >= 0 or start < 60 else ""
        if not cell.strip() and line >= 0:
            return ""  # an indented line
        return ":" if _FIRST_CELL.fullmatch(cell) else ","

    def _is_field_below(self, start: int, end: int) -> bool:
        """ "liver: no uptake", and below it "spleen: no uptake"."""
        begin = self.text.rfind("\n", max(0, start - 120), start) + 1
        above = begin > 0 or start <= 120
        return above and bool(_SHORT_FIELD.match(self.text, end)) and bool(_KEY.match(self.text, begin))

    def _space(self, match: re.Match[str], kind: str) -> None:
        start, end = match.span()
        value = match.group()
        lines = max(value.count("\n"), value.count("\r")) if kind == "space" else int(value == "\\n")
        following = self.text[end : end + 1]
        if lines and following.isascii() and following.islower():
            # a line that goes on in lower case is no new sentence, unless it is a field below another; a word may even
            # be torn
            if lines == 1 and self._is_field_below(start, end):
                self.paragraphs.add(self.size)
            else:
                self.breaks.add(self.size)
            if _torn(self.out, self.text, end):
                return
        elif lines > 1 or (
            lines == 1
            and (
                (following.isascii() and following.isupper())
                or following == "|"
                or self.text.startswith("**", end)
                or _COLUMNS.match(self.text, end)
            )
        ):
            self.paragraphs.add(self.size)
        elif lines == 1:
            self.breaks.add(self.size)
        if not lines and (mark := self._cell_mark(value, start, end)):
            self.add(mark, start)
            return
        last = self.last()
        if (
            self.spaced
            and not lines
            and kind == "space"
            and last not in ("", " ", ",", "、")
            and _BEGINS.match(following)
        ):
            self.add("," if len(value) == 1 else "。", start)
            return
        if last not in ("", " ") and not (_HAN.match(last) and (lines or _HAN.match(following))):
            # no phrase reaches over into the name of the next field
            cells = "\t" in value and not lines  # no phrase reaches over into the next cell
            self.add("\n" if lines and _FIELD.match(self.text, end) else "\t" if cells else " ", start)


_FIRST_CELL = re.compile(r"[^\n\r\t\u3000:：,，。;；、]{1,40}")
_COLUMNS = re.compile(r"[^\n\r\t]{1,40}\t")
"""The first column of a row."""

_FIELD = re.compile(r"[A-Za-z][^\n\r:.;,]{0,40}:")
"""A name and a colon at the begin of a line."""
_KEY = re.compile(r"[\ufeff >*•-]{0,8}[A-Za-z][^\n\r:：=.;,，；。]{0,40}[:：=]")
_SHORT_FIELD = re.compile(r"[a-z][^\n\r:：=.;；。]{0,30}(?:[:：] |=|：)")


def language_of(text: str) -> str:
    """``zh`` where one character in ten that is a letter is Chinese, else ``en``."""
    sample = text[:20000]
    han = sum(map(len, _HAN_RUN.findall(sample)))
    letters = sum(map(len, _LATIN_RUN.findall(sample)))
    return "zh" if han and han * 9 >= letters else "en"
