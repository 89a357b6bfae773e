"""Words for the NLG metrics: jieba, spaCy's blank English, characters, whitespace, rouge-score's own.

A tokenisation decides a score (eight points of BLEU-4 lie between characters and words), so each has a
signature, and :func:`dropped_share` measures what it throws away: rouge-score's default keeps ASCII only,
and on a Chinese report that is next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from pet2rep_eval.errors import InputError
from pet2rep_eval.registry import Registry

Tokens = tuple[str, ...]

MAX_DROPPED = 0.2
"""Share of non-space characters that a tokenisation may drop before it is refused. English loses up to a
tenth (punctuation) with rouge-score's default, Chinese nine tenths."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]")
_BLOCK = re.compile(r"([\u4E00-\u9FD5a-zA-Z0-9+#&._%\-]+)")
"""What jieba cuts by itself (its ``re_han_default``): memoising these blocks is exact. Memoising runs of Han
characters would not be, since its model looks over the border between Han and Latin (最大SUVmax)."""


def detect_language(text: str) -> str:
    """``zh`` or ``en``. A Han character counts twice: Chinese reports are full of Latin acronyms."""
    return "zh" if 2 * len(_HAN.findall(text)) >= max(1, len(_LATIN.findall(text))) else "en"


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """A way to cut a text into words."""

    name: str
    cut: Callable[[str], Tokens] = field(repr=False)
    signature: str

    def __call__(self, text: str) -> Tokens:
        return self.cut(text)


@cache
def _jieba() -> Any:
    """jieba's tokenizer with its own dictionary and without its cache file.

    Its ``initialize`` would load whatever lies as ``jieba.cache`` in the shared temporary folder, or write it
    there; building the dictionary takes as long as loading it. An instance of our own is also out of reach of
    words that other code adds to jieba's global one.
    """
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba
    jieba.setLogLevel(logging.ERROR)
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


@lru_cache(maxsize=1 << 16)
def _jieba_block(block: str) -> Tokens:
    return tuple(_jieba().cut(block))


def _cut_jieba(text: str) -> Tokens:
    """The words of ``jieba.lcut``, without blank ones. Reports repeat phrases, hence the memo by block."""
    words: list[str] = []
    for position, block in enumerate(_BLOCK.split(text)):
        if position % 2:
            words.extend(_jieba_block(block))
        else:
            words.extend(character for character in block if not character.isspace())
    return tuple(words)


@cache
def _spacy() -> Any:
    import spacy

    return spacy.blank("en")


def _cut_spacy(text: str) -> Tokens:
    return tuple(token.text for token in _spacy().make_doc(text) if not token.is_space)


def _cut_characters(text: str) -> Tokens:
    return tuple(character for character in text if not character.isspace())


def _cut_whitespace(text: str) -> Tokens:
    return tuple(text.split())


def _cut_rouge_score(text: str) -> Tokens:
    """The default of the rouge-score package without its stemmer: lower-case ASCII letters and digits."""
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def jieba_words() -> Tokenizer:
    """Chinese words; published numbers are jieba's."""
    return Tokenizer("jieba", _cut_jieba, f"jieba-{_version('jieba')}")


def spacy_words() -> Tokenizer:
    """English words by the rules of spaCy's blank pipeline; no model."""
    return Tokenizer("spacy", _cut_spacy, f"spacy-blank-en-{_version('spacy')}")


def characters() -> Tokenizer:
    """Every character but spaces, as sacreBLEU's ``char``."""
    return Tokenizer("characters", _cut_characters, "characters")


def whitespace() -> Tokenizer:
    """``str.split``: an unsegmented Chinese clause is one word."""
    return Tokenizer("whitespace", _cut_whitespace, "whitespace")


def rouge_score_default() -> Tokenizer:
    """For comparison with numbers that were computed so; the guard refuses it on Chinese."""
    return Tokenizer("rouge-score", _cut_rouge_score, "rouge-score-ascii")


TOKENIZERS = Registry(
    "tokenizer",
    {
        "jieba": "pet2rep_eval.tokenization:jieba_words",
        "spacy": "pet2rep_eval.tokenization:spacy_words",
        "characters": "pet2rep_eval.tokenization:characters",
        "whitespace": "pet2rep_eval.tokenization:whitespace",
        "rouge-score": "pet2rep_eval.tokenization:rouge_score_default",
    },
)


@cache
def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer registered under *name*. Raises :class:`UnknownNameError`."""
    tokenizer: Tokenizer = TOKENIZERS.load(name)()
    return tokenizer


def dropped_share(text: str, tokens: Iterable[str]) -> float:
    """Share of the non-space characters of *text* that are in none of its *tokens*; 0 for a blank text."""
    total = len("".join(text.split()))
    kept = sum(len("".join(token.split())) for token in tokens)
    return max(0.0, 1.0 - kept / total) if total else 0.0


def guard(tokenizer: Tokenizer, texts: Iterable[tuple[str, Tokens]], *, limit: float = MAX_DROPPED) -> float:
    """The share of all non-space characters that *tokenizer* dropped when it cut *texts* (text, tokens).

    Raises :class:`InputError` where it is more than *limit*: the score would not be about these texts.
    """
    total = dropped = 0.0
    for text, tokens in texts:
        size = len("".join(text.split()))
        total += size
        dropped += size * dropped_share(text, tokens)
    share = dropped / total if total else 0.0
    if share > limit:
        raise InputError(
            f"The tokenisation '{tokenizer.name}' drops {share:.0%} of the characters of these reports",
            remedy="Use 'jieba' or 'characters' for Chinese, 'spacy' for English.",
        )
    return share
