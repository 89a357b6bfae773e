"""What is taken off a prediction before it is scored: reasoning, code fences, the end mark and the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

RULES = ("think", "fence", "end-mark")
"""Names of the rules in the order of their work; part of every signature."""

_TAG = r"(?:think|thinking|reasoning)"
_THINK = re.compile(rf"<{_TAG}>.*?(?:</{_TAG}>|\Z)", re.DOTALL | re.IGNORECASE)
_THINK_END = re.compile(rf"</{_TAG}>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*[\w+-]*[ \t]*$\n?", re.MULTILINE)
_END = re.compile(r"[【\[［]\s*(?:报告|病例)结束\s*[】\]］]")
_CUE = re.compile(
    r"摄取|代谢|放射性|浓聚|示踪剂|密度|未见|uptake|avid|metaboli[cs]|tracer|unremarkable|density|no abn",
    re.IGNORECASE,
)
_REPORT_CUES = 3
"""So many words that only findings use make a text a report."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A prediction ready to be scored, and the rules that changed it."""

    text: str
    rules: tuple[str, ...] = ()


def reads_as_report(text: str) -> bool:
    """Whether *text* uses the words of findings, so that it is not talk about them."""
    return len(list(islice(_CUE.finditer(text), _REPORT_CUES))) == _REPORT_CUES


def _without_reasoning(text: str) -> str:
    """*text* without ``<think>…</think>``; an unclosed part reaches to the end.

    Many chat templates open the tag inside the prompt, so that an answer begins with reasoning and only
    closes it. Then the answer is what follows the last closing tag, if that is a report. Models that were
    not taught to think also write the tag after a finished report; then the report before it stands.
    """
    text = _THINK.sub("", text)
    ends = list(_THINK_END.finditer(text))
    if not ends:
        return text
    before, after = text[: ends[0].start()], text[ends[-1].end() :]
    finished = _END.search(before)
    if finished and reads_as_report(before[: finished.start()]):
        return before
    return after if reads_as_report(after) or not reads_as_report(before) else before


def clean(text: str, cleaning: str = "default") -> Cleaned:
    """*text* as it is scored; ``cleaning="none"`` leaves it as it stands.

    The first 【报告结束】 ends a report: what a model writes after it (repeated end marks, a second report,
    code) is not part of its answer. Fence lines go, what stands between them stays.
    """
    if cleaning == "none":
        return Cleaned(text)
    applied = []
    thought = _without_reasoning(text) if "<" in text else text
    if thought != text:
        applied.append("think")
    plain = _FENCE.sub("", thought) if "```" in thought or "~~~" in thought else thought
    if plain != thought:
        applied.append("fence")
    end = _END.search(plain)
    if end:
        plain = plain[: end.start()]
        applied.append("end-mark")
    return Cleaned(plain.strip(), tuple(applied))


def signature(cleaning: str) -> str:
    """What the cleaning is called in a signature."""
    return "none" if cleaning == "none" else "+".join(RULES)
