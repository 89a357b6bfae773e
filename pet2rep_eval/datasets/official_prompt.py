"""The benchmark's prompt file: JSON Lines with ``patient_id``, prompts, and ``answer``, the reference."""

from __future__ import annotations

from pet2rep_eval.datasets.source import Reader, Source


def _claims(source: Source) -> bool:
    return (
        source.kind in ("jsonl", "json")
        and "answer" in source.columns
        and any(name.startswith("prompt_") for name in source.columns)
    )


READER = Reader("official_prompt", _claims, lambda source: source.container.records(source))
