"""A text with what has been computed from it, so that no metric cuts or reads it twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from pet2rep_eval.records import ParsedReport
from pet2rep_eval.tokenization import Tokenizer, Tokens, detect_language

if TYPE_CHECKING:
    from pet2rep_eval.cache import TextCache
    from pet2rep_eval.protocols import OrganStates, Protocol

T = TypeVar("T")

_MARKS = str.maketrans("", "", "[]【】［］〔〕「」")
"""The benchmark's field marks and what models turn them into. Round brackets stay: reports use them."""


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """Which part of a text the NLG metrics see."""

    section: str = "findings"
    """``findings``, or ``all`` for the full answer."""
    brackets: str = "strip"
    """``strip`` removes the marks of the template's fields, ``keep`` leaves them."""

    def __post_init__(self) -> None:
        if self.section not in ("findings", "all") or self.brackets not in ("strip", "keep"):
            raise ValueError(f"no such text policy: section={self.section!r}, brackets={self.brackets!r}")

    @property
    def signature(self) -> dict[str, str]:
        return {"section": self.section, "brackets": self.brackets}


class PreparedText:
    """A report, its parse, its words in each tokenisation, and whatever a metric keeps with it.

    Compared by identity. Not frozen, since it fills as it is used; the text itself does not change.
    """

    def __init__(
        self,
        text: str,
        policy: TextPolicy | None = None,
        language: str | None = None,
        cache: TextCache | None = None,
    ) -> None:
        """*language*: ``zh`` or ``en`` where the text does not tell, being empty. *cache*: where parses and
        words are kept between runs."""
        self.cache = cache
        self.text = text
        self.language = language or detect_language(text)
        """``zh`` or ``en``."""
        self.policy = policy or TextPolicy()
        self._kept: dict[Hashable, object] = {}

    @cached_property
    def report(self) -> ParsedReport:
        """The parse."""
        from pet2rep_eval.parsing import parse_report

        return self.cache.report(self.text, parse_report) if self.cache else parse_report(self.text)

    @cached_property
    def scored_text(self) -> str:
        """What the NLG metrics compare: findings or everything, with or without the template's marks.

        A text without findings (only an impression, say) is compared as a whole.
        """
        text = self.text
        if self.policy.section == "findings":
            findings = [s.span.of(text) for s in self.report.sections if s.name == "findings"]
            text = "\n".join(part.strip() for part in findings if part.strip()) or text
        return text.translate(_MARKS) if self.policy.brackets == "strip" else text

    def tokens(self, tokenizer: Tokenizer) -> Tokens:
        """Words of :attr:`scored_text`."""
        return self.keep(("tokens", tokenizer.name), lambda: self._cut(tokenizer))

    def _cut(self, tokenizer: Tokenizer) -> Tokens:
        if self.cache is None:
            return tokenizer(self.scored_text)
        # By the whole text: the parse, which tells the findings, is then not needed to find the words.
        how = f"{tokenizer.signature}|{self.policy.section}|{self.policy.brackets}"
        return self.cache.tokens(self.text, how, lambda: tokenizer(self.scored_text))

    def states(self, protocol: Protocol) -> OrganStates:
        """Organ of the protocol → its abnormal states."""
        return self.keep(("states", protocol.key), lambda: self._read(protocol))

    def _read(self, protocol: Protocol) -> OrganStates:
        if self.cache is None:
            return protocol.states(self.report)
        return self.cache.states(self.text, protocol.key, lambda: protocol.states(self.report))

    def keep(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value kept under *key*, computed at the first call."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]  # type: ignore[return-value]
