"""Text encodings: UTF-8 with or without a byte order mark, UTF-16 with one, GB18030."""

from __future__ import annotations

import re
from pathlib import Path

from pet2rep_eval.errors import InputError

_SMUGGLED = re.compile("[\udc80-\udcff]")
_HALF = re.compile("[\ud800-\udfff]")


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def text_encoding(path: Path) -> str:
    """The encoding of a text file, found in one pass over its lines.

    A file is UTF-8 if most of its lines beyond ASCII are: single broken ones are then reported where they
    stand, rather than the whole file being read as something else. Raises :class:`InputError`.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        stream.seek(0)
        beyond = valid = first_bad = 0
        gb18030 = True
        for number, line in enumerate(stream, 1):
            if line.isascii():
                continue
            beyond += 1
            if _is(line, "utf-8"):
                valid += 1
            else:
                first_bad = first_bad or number
                gb18030 = gb18030 and _is(line, "gb18030")
    if valid == beyond or valid * 2 > beyond:
        return "utf-8-sig"
    if not gb18030:
        raise InputError(
            "the text is neither UTF-8 nor GB18030",
            path=path,
            line=first_bad,
            remedy="Save the file as UTF-8.",
        )
    return "gb18030"


def read_text(path: Path) -> str:
    """The text of a small file. Raises :class:`InputError`."""
    try:
        return path.read_bytes().decode(text_encoding(path))
    except UnicodeDecodeError as error:
        raise InputError(
            f"the text cannot be decoded ({error.reason})", path=path, remedy="Save the file as UTF-8."
        ) from None


def decode(data: bytes) -> str:
    """Text of the first bytes of a file, for looking at only: what cannot be decoded is replaced."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    # a character may be cut at the end of the bytes
    encoding = "utf-8" if _is(data[: data.rfind(b"\n") + 1] or data[:-3], "utf-8") else "gb18030"
    return data.decode(encoding, errors="replace")


def broken_bytes(text: str) -> bool:
    """Whether *text*, read with ``surrogateescape``, holds bytes that are not of the encoding."""
    return not text.isascii() and _SMUGGLED.search(text) is not None


def printable(text: str) -> str:
    """*text* with halves of surrogate pairs (from JSON escapes cut in two) replaced by U+FFFD."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)
