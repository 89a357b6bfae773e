"""What is odd about a prediction's text: it is empty or a refusal (outcomes), or carries flags.

Words are in ``lexicons/outcomes.toml``. Flags change no number; they tell readers of a table where to look.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache

from pet2rep_eval import resources
from pet2rep_eval.errors import ResourceError
from pet2rep_eval.tokenization import detect_language

FILE = "outcomes.toml"

REFUSAL_LIMIT = 1200
"""A refusal is short: a longer text is taken for what it is."""

_WORD = re.compile(r"\w")
_SENTENCE = re.compile(r"(?<=[。！？!?；\n])|(?<=\.)(?=\s)")
_CLAUSE = re.compile(r"[，。；、！？：,;:!?\n]+|\.\s")
_CLOSERS = "】］」』）〕)]}>*_`\"'”’|~ \t\r\n\u3000"
_FINAL = "。．！？!?；;…."
_LOOP = re.compile(r"(.{1,60}?)\1{5,}", re.DOTALL)
_LOOP_LENGTH = 30
_TAIL, _TAIL_DISTINCT = 24, 8
_FOREIGN = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0900-\u097f\u0e00-\u0e7f]")
_LETTER = re.compile(r"[^\W\d_]")
_ECHO_LENGTH = 8


@dataclass(frozen=True, slots=True)
class _Words:
    refusal: re.Pattern[str]
    findings: re.Pattern[str]
    nothing: frozenset[str]
    instruction: re.Pattern[str]
    echo: tuple[str, ...]


@cache
def _words() -> _Words:
    try:
        raw = tomllib.loads(resources.read_text("lexicons", FILE))
        return _Words(
            re.compile("|".join(f"(?:{p})" for p in raw["refusal"]), re.IGNORECASE),
            re.compile("|".join(f"(?:{p})" for p in raw["findings"]), re.IGNORECASE),
            frozenset(raw["nothing"]),
            re.compile(raw["instruction"], re.IGNORECASE),
            tuple(raw["echo"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, re.error) as error:
        raise ResourceError(f"lexicons/{FILE}: {error}") from None


def is_empty(text: str) -> bool:
    """Whether nothing is said: no letter or digit, or what a program writes in place of nothing."""
    return not _WORD.search(text) or text.strip().casefold() in _words().nothing


def is_garbage(text: str) -> bool:
    """Whether most of the text was lost to a wrong decoding."""
    lost = text.count("\ufffd")
    return lost * 3 > len(text)


def is_refusal(text: str) -> bool:
    """Whether the model declines: a short text with a sentence that says so and no findings beside it.

    A report with a disclaimer, or with words such as "cannot exclude" or 不能除外, is no refusal.
    """
    words = _words()
    if len(text) > REFUSAL_LIMIT or not words.refusal.search(text):
        return False
    rest = [s for s in _SENTENCE.split(text) if s.strip() and not words.refusal.search(s)]
    return sum(1 for s in rest if words.findings.search(s)) < 2


def is_truncated(text: str) -> bool:
    """Whether the text ends before its sentence does, or with a number that a sentence would follow."""
    end = text.rstrip(_CLOSERS)
    if not end or end[-1] not in _FINAL:
        return True
    return bool(re.search(r"(?:^|[\s。；;])\d{1,3}\.$", end))


def is_repetitive(text: str) -> bool:
    """Whether the text runs in a loop: one piece six times on end, or a few clauses over and over."""
    # repeated digits, dots and dashes make rulers and tables, so a loop needs a word and some length
    for match in _LOOP.finditer(text):
        if len(match[0]) >= _LOOP_LENGTH and _WORD.search(match[1]):
            return True
    clauses = [c.strip() for c in _CLAUSE.split(text) if c.strip()]
    return any(
        len(set(clauses[start : start + _TAIL])) <= _TAIL_DISTINCT
        for start in range(0, len(clauses) - _TAIL + 1, _TAIL // 2)
    )


def language_of(text: str) -> str:
    """``zh``, ``en``, or ``other`` for a text mostly in another script."""
    letters = len(_LETTER.findall(text))
    if letters and len(_FOREIGN.findall(text)) * 3 > letters:
        return "other"
    return detect_language(text)


@lru_cache(maxsize=256)
def _instructions(prompt: str) -> tuple[str, ...]:
    """Sentences of a prompt that address the model; those of a template in it are meant to be repeated."""
    prompt = re.sub(r"<template>.*?</template>", "\n", prompt, flags=re.DOTALL).replace("\\n", "\n")
    pieces = (s.strip() for s in re.split(r"[。！？：:\n]|\.\s|<[^>]*>", prompt))
    return tuple(s for s in pieces if len(s) >= _ECHO_LENGTH and _words().instruction.search(s))


def echoes(text: str, prompt: str = "") -> bool:
    """Whether the text repeats instructions: of *prompt*, or of the prompts that are known."""
    return any(s in text for s in _words().echo) or any(s in text for s in _instructions(prompt))


def flags(text: str, reference: str, prompt: str = "") -> frozenset[str]:
    """The flags of a scored prediction, of ``pet2rep_eval.records.FLAGS``."""
    found = set()
    if is_truncated(text):
        found.add("truncated")
    if is_repetitive(text):
        found.add("repetitive")
    if reference and language_of(text) != language_of(reference):
        found.add("other_language")
    if echoes(text, prompt):
        found.add("echoed_prompt")
    return frozenset(found)
