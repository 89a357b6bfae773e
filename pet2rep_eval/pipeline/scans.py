"""The first stage: scans to key slices and prompts, by the imaging package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pet2rep_eval.errors import MissingExtraError
from pet2rep_eval.pipeline.configuration import PrepareSettings


def count_studies(folders: Sequence[Path]) -> int | None:
    """How many studies lie in *folders*; None where nobody has looked."""
    return None


def prepare_studies(settings: PrepareSettings, output: Path, note: Callable[[str], None]) -> int:
    """Write ``prompts.jsonl`` and its pictures into *output*; the number of studies."""
    raise MissingExtraError("pet2rep_eval.imaging", "imaging")
