"""The reports that are measured on: real ones beside the project where they are, else those of the fixtures.

Both are pools of reports. New ones are made by taking sentences of the pool in the order of a report and
drawing the numbers in them anew, until the length is right; how many clauses repeat is measured and stated.
"""

from __future__ import annotations

import csv
import random
import re
from dataclasses import dataclass
from pathlib import Path

from pet2rep_eval.datasets import quality

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "petrg3d" / "valid_infer_ckpt1260_autopet.csv"
LENGTH = 1000

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE = re.compile(r"[^。\n]*[。\n]|[^。\n]+$")
_CLAUSE = re.compile(r"[，。；：\n]+")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Reports and where they come from."""

    source: str
    distinct: tuple[str, ...]
    """The pool: distinct whole reports."""
    pairs: tuple[tuple[str, str], ...]
    """Predictions and references of about :data:`LENGTH` characters, all distinct."""

    @property
    def unrepeated(self) -> tuple[str, ...]:
        """Texts of :data:`LENGTH` characters and a little more, made of the pool's sentences, each taken once."""
        sentences = dict.fromkeys(s for text in self.distinct for s in _SENTENCE.findall(text))
        made, current = [], ""
        for sentence in sentences:
            current += sentence
            if len(current) >= LENGTH:
                made.append(current)
                current = ""
        return tuple(made)

    @property
    def repeat_rate(self) -> float:
        """Share of the clauses of all pairs that occurred before."""
        clauses = [c for pair in self.pairs for text in pair for c in _CLAUSE.split(text) if c.strip()]
        return 1 - len(set(clauses)) / len(clauses)


def _real() -> list[str]:
    csv.field_size_limit(1 << 30)
    with REAL.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row[column] for column in ("GT_report", "Cleaned_Pred_report") for row in rows]


def _bundled() -> list[str]:
    """The texts of the whole-report fixtures and of the corpus, without titles and expectations."""
    found = []
    for path in sorted((ROOT / "fixtures").glob("*/**/zh/*.txt")):
        blocks = re.split(r"^=== .*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        texts = [block.split("\n---\n", 1)[0].strip() for block in blocks if "\n---\n" in block]
        if texts:
            found.append("\n".join(texts))
    return found


def _renumbered(sentence: str, draw: random.Random) -> str:
    def number(match: re.Match[str]) -> str:
        old = match[0]
        if len(old) > 6:  # a model in a loop of digits
            return old
        if "." in old:
            return f"{draw.uniform(0.5, 2.0) * float(old):.1f}"
        return old if len(old) == 1 else str(max(1, round(draw.uniform(0.8, 1.2) * int(old))))

    return _NUMBER.sub(number, sentence)


def _recombined(pool: list[list[str]], draw: random.Random) -> str:
    """A report of about :data:`LENGTH` characters: each sentence from the same place of some other report."""
    parts: list[str] = []
    size, place = 0, 0.0
    mean = sum(map(len, pool)) / len(pool)
    while size < LENGTH:
        sentences = draw.choice(pool)
        sentence = _renumbered(sentences[int(place * len(sentences)) % len(sentences)], draw)
        parts.append(sentence)
        size += len(sentence)
        place = (place + 1 / mean) % 1.0
    return "".join(parts)


def load(pairs: int = 565, seed: int = 0) -> Corpus:
    """The pool, and *pairs* new pairs; half of a prediction's sentences are its reference's."""
    reports = list(dict.fromkeys(_real() if REAL.is_file() else _bundled()))
    # Models in a loop have written some of the reports: no source of sentences.
    pool = [_SENTENCE.findall(report) for report in reports if not quality.is_repetitive(report)]
    draw = random.Random(seed)
    made = []
    for _ in range(pairs):
        reference = _recombined(pool, draw)
        other = _SENTENCE.findall(_recombined(pool, draw))
        prediction = "".join(
            ours if draw.random() < 0.5 else theirs
            for ours, theirs in zip(_SENTENCE.findall(reference), other, strict=False)
        )
        made.append((prediction, reference))
    source = "real reports beside the project" if REAL.is_file() else "reports of fixtures/"
    return Corpus(source, tuple(reports), tuple(made))
