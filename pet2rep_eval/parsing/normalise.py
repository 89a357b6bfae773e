"""Reading order of characters: markup off, widths and variants unified, every character with its origin.

The normalised text holds what the lexicon matches on; ``origin`` leads each of its characters back into the text
exactly as it was given, so that every span tells the truth.
"""

from __future__ import annotations

import re
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
    r"|(?P<tag></?[a-zA-Z\u4e00-\u9fff][\w\u4e00-\u9fff-]{0,20}(?:\s[^<>]{0,200})?/?>)"
    r"|(?P<boxed>【[^【】\n]{1,14}】[:：]?)"
    r"|(?P<null>[\"'][^\"'\n]{1,40}[\"']\s{0,3}:\s{0,3}null\b)"
    r"|(?P<bullet>^[ \t]*(?:[-*+]|\d{1,2}[.)、)])[ \t]+)"
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
_TICKED = re.compile(r"\[[xX✓√]\]|[☑☒]|\[ \][^\[\]\n]{1,30}\[ \]")
_UNTICKED = re.compile(r"(?:\[[ _]\]|☐)[^\[\]\n☐☑☒]{1,40}")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&nbsp;": " ", "&quot;": '"', "&apos;": "'"}
_HAN = re.compile(r"[\u3400-\u9fff]")
_JSON = re.compile(r"\s*(?:```(?:json)?\s*)?[\[{]\s*[\"'{\[]")
BRACKETS = '[]【】［］〔〕「」『』〖〗{}＜＞《》“”"”'
_FOLDED = {
    "，": ",", "；": ";", "：": ":", "（": "(", "）": ")", "！": "!", "？": "?", "﹐": ",", "､": "、", "｡": "。", "﹔": ";", "﹕": ":",
    "–": "-", "—": "-", "−": "-", "‑": "-", "‐": "-", "―": "-", "×": "x", "✕": "x", "＊": "*", "’": "'", "‘": "'", "´": "'", "∕": "/",
    "⁄": "/", "～": "~", "∼": "~", "•": "\n", "●": "\n", "◆": "\n", "■": "\n", "▪": "\n", "►": "\n", "➢": "\n", "√": " ", "☑": " ",
    "Ⅰ": "ⅰ", "│": "|", "｜": "|", "…": "。",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Normalised:
    """Text to match on. ``origin[i]`` is the place of character *i* in the original; ``breaks`` are line breaks."""

    text: str
    origin: tuple[int, ...]
    breaks: frozenset[int]
    """Places in ``text`` where a line began that nothing but the layout separates from the one before."""
    paragraphs: frozenset[int]
    """Places where a paragraph began: an empty line or a list mark stood there."""
    length: int

    def span(self, start: int, end: int) -> Span:
        """The range of the original that the range *start* to *end* of this text came from."""
        if start >= end:
            at = self.origin[start] if start < len(self.origin) else self.length
            return Span(at, at)
        return Span(self.origin[start], self.origin[end - 1] + 1)


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


def normalise(text: str) -> Normalised:
    """Normalises *text*, in time linear in its length."""
    json_shaped = _JSON.match(text) is not None
    if _TICKED.search(text):
        # a box that is not ticked says nothing; blanks of the same length keep every place
        text = _UNTICKED.sub(lambda m: " " * len(m.group()), text)
    table = _character_table()
    out: list[str] = []
    origin: list[int] = []
    breaks: set[int] = set()
    paragraphs: set[int] = set()

    def plain(start: int, end: int) -> None:
        piece = text[start:end].translate(table)
        if "\x00" not in piece and "\n" not in piece and "|" not in piece and not json_shaped:
            out.append(piece)
            origin.extend(range(start, end))
            return
        for at, character in enumerate(piece, start):
            raw = text[at]
            if json_shaped and raw in "{}[]":
                paragraphs.add(len(origin))
            elif json_shaped and raw == "," and text[at - 1 : at] in ('"', "]", "}", "'"):
                paragraphs.add(len(origin))
            elif character == "\n":
                paragraphs.add(len(origin))
            elif character == "|":
                # the first cell of a row names what the others are about
                line = text.rfind("\n", max(0, at - 200), at) + 1
                out.append(":" if text[line:at].strip(" |") and "|" not in text[line:at].strip(" |") else ",")
                origin.append(at)
            elif character != "\x00":
                out.append(character)
                origin.append(at)

    def last() -> str:
        return out[-1][-1] if out and out[-1] else ""

    position = 0
    close = 0
    for match in _MARKUP.finditer(text):
        start, end = match.span()
        if start < position:  # inside a comment
            continue
        if start > position:
            plain(position, start)
        position = end
        kind = match.lastgroup
        if kind == "comment":
            if 0 <= close < end:
                close = text.find("-->", end)  # found once for all comments before it: linear
            if close >= 0:
                position = close + 3
        elif kind == "space" or kind == "escape":
            value = match.group()
            lines = max(value.count("\n"), value.count("\r")) if kind == "space" else int(value == "\\n")
            following = text[end : end + 1]
            if lines and following.isascii() and following.islower():
                # a line that goes on in lower case is no new sentence; a word may even be torn
                breaks.add(len(origin))
                if _torn(out, text, end):
                    continue
            elif lines > 1 or (lines == 1 and following.isascii() and following.isupper()):
                paragraphs.add(len(origin))
            elif lines == 1:
                breaks.add(len(origin))
            if not (_HAN.match(last() or " ") and (_HAN.match(following) or lines)) and last() not in (
                "",
                " ",
            ):
                out.append(" ")
                origin.append(start)
        elif kind == "entity":
            value = _ENTITIES.get(match.group(), " ")
            if value not in BRACKETS:
                out.append(value)
                origin.append(start)
        elif kind == "boxed":
            name = match.group()[1:].rstrip(":：】").strip().lower()
            phrase = load_lexicon().phrases.get(name)
            if name in load_lexicon().headings or (phrase is not None and phrase.kind in ("REGION", "SITE")):
                paragraphs.add(len(origin))
                plain(start, start + match.group().index("】"))
                out.append(":")
                origin.append(start + match.group().index("】"))
            else:
                plain(start, end)
        elif kind == "tag" and match.group().strip("</>").lower() in load_lexicon().phrases:
            plain(start + 1, end - 1)  # 〈normal〉: a bracket, no markup
        elif kind in ("block", "rule", "think", "fence", "bullet", "hash", "tag"):
            paragraphs.add(len(origin))
        elif kind == "hl7":
            following = text[end : end + 1]
            if not (following.isascii() and following.islower()):
                paragraphs.add(len(origin))
            if last() not in ("", " "):
                out.append(" ")
                origin.append(start)
        elif kind == "cell":
            out.append(",")
            origin.append(start)
        elif kind == "mark" and match.group() == "*" and text[start - 1 : start].isdigit():
            out.append("*")
            origin.append(start)
        elif kind == "mark" and match.group() == "~" and text[start - 1 : start].isdigit():
            out.append("~")
            origin.append(start)
    if position < len(text):
        plain(position, len(text))
    return Normalised("".join(out), tuple(origin), frozenset(breaks), frozenset(paragraphs), len(text))


def language_of(text: str) -> str:
    """``zh`` where one character in ten that is a letter is Chinese, else ``en``."""
    sample = text[:20000]
    han = len(_HAN.findall(sample))
    letters = sum(c.isascii() and c.isalpha() for c in sample)
    return "zh" if han and han * 9 >= letters else "en"
