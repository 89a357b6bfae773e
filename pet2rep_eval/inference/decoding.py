"""How a model picks its words: recorded with every report, greedy unless asked otherwise."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pet2rep_eval.errors import InputError, UnknownNameError


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding settings. ``temperature`` 0 is greedy decoding; then top-p and top-k do nothing."""

    seed: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    repetition_penalty: float = 1.0
    max_new_tokens: int = 1024

    def __post_init__(self) -> None:
        wrong = [
            name
            for name, good in {
                "seed": self.seed >= 0,
                "temperature": 0 <= self.temperature < math.inf,
                "top_p": 0 < self.top_p <= 1,
                "top_k": self.top_k >= 0,
                "repetition_penalty": 0 < self.repetition_penalty < math.inf,
                "max_new_tokens": self.max_new_tokens > 0,
            }.items()
            if not good
        ]
        if wrong:
            values = ", ".join(f"{name} = {getattr(self, name)}" for name in wrong)
            raise InputError(
                f"decoding settings out of range: {values}",
                remedy="temperature, seed, top_k: 0 or more; top_p: over 0, at most 1; the others: over 0.",
            )

    @property
    def greedy(self) -> bool:
        return self.temperature == 0

    def settings(self) -> dict[str, float | int]:
        """All settings by name, for provenance."""
        return asdict(self)


PRESETS: dict[str, Decoding] = {
    "greedy": Decoding(),
    "official-sampling": Decoding(temperature=0.7, top_k=50, max_new_tokens=1024),
    "petrg-3d": Decoding(temperature=0.7, top_p=0.9, repetition_penalty=1.05, max_new_tokens=1024),
}
"""``official-sampling``: the benchmark's own runner. ``petrg-3d``: PETRG-3D's released settings."""


def decoding(preset: str = "greedy", changes: Mapping[str, Any] | None = None) -> Decoding:
    """A preset with some settings changed.

    Raises :class:`UnknownNameError` for an unknown preset or setting, :class:`InputError` for a bad value.
    """
    if preset not in PRESETS:
        raise UnknownNameError("decoding preset", preset, PRESETS)
    known = {f.name: type(getattr(PRESETS[preset], f.name)) for f in fields(Decoding)}
    changed: dict[str, Any] = {}
    for name, value in (changes or {}).items():
        if name not in known:
            raise UnknownNameError("decoding setting", name, known)
        try:
            if isinstance(value, bool) or (known[name] is int and float(value) != int(value)):
                raise ValueError
            changed[name] = known[name](value)
        except (TypeError, ValueError):
            kind = "a whole number" if known[name] is int else "a number"
            raise InputError(f"the decoding setting '{name}' must be {kind}, not {value!r}") from None
    return replace(PRESETS[preset], **changed)


_CJK = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def estimated_tokens(text: str) -> int:
    """Rough number of model tokens: .75 for a Chinese character, one for four other characters.

    Serves where no tokenizer is at hand. Qwen's tokenizer takes .6 to .8 tokens for a character of a
    Chinese report.
    """
    chinese = len(_CJK.findall(text))
    return math.ceil(0.75 * chinese + (len(text) - chinese) / 4)


def truncation_note(
    references: Iterable[str], max_new_tokens: int, count_tokens: Callable[[str], int] | None = None
) -> str | None:
    """A warning where some references are longer than a generated report can become, else None."""
    lengths = [(count_tokens or estimated_tokens)(text) for text in references]
    over = sum(length > max_new_tokens for length in lengths)
    if not over:
        return None
    about = "" if count_tokens else "about "
    return (
        f"{over} of {len(lengths)} references are longer than {max_new_tokens} tokens "
        f"(the longest has {about}{max(lengths)}); such reports will be cut off. Raise --max-new-tokens."
    )
