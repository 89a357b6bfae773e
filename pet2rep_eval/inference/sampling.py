"""Sampling that does not depend on the batch.

A model's own sampling draws from one random state for the whole batch, so a study's text would change
with the batch size and after a resume. Here each study has a random generator of its own, seeded by the run's
seed and its id. Adding Gumbel noise to the log-probabilities and taking the largest is exactly a draw from
them, so generation itself can stay greedy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from pet2rep_eval.inference.decoding import Decoding


def study_seed(seed: int, study_id: str) -> int:
    """A 63-bit seed for one study of a run."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{study_id}".encode()).digest()[:8], "big") >> 1


def generation_settings(decoding: Decoding, defaults: Any) -> Any:
    """A ``GenerationConfig`` with *decoding* and the end and padding tokens of *defaults*, nothing else.

    Checkpoints bring decoding settings of their own (Qwen2.5-VL a repetition penalty of 1.05); what is
    recorded here is what is done.
    """
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=decoding.max_new_tokens,
        repetition_penalty=decoding.repetition_penalty,
        eos_token_id=defaults.eos_token_id,
        pad_token_id=defaults.pad_token_id,
        bos_token_id=defaults.bos_token_id,
    )


def sampler(decoding: Decoding, study_ids: Sequence[str], device: Any) -> list[Any]:
    """Logits processors that make greedy generation a draw for each study; none for greedy decoding."""
    if decoding.greedy:
        return []
    import torch
    from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    generators = [
        torch.Generator(device=device).manual_seed(study_seed(decoding.seed, study)) for study in study_ids
    ]

    class GumbelNoise(LogitsProcessor):  # type: ignore[misc]
        """Adds standard Gumbel noise, row by row from its study's generator."""

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            # double precision: float32 cannot hold uniforms near 1, where the largest noises come from
            uniform = torch.stack(
                [
                    torch.rand(scores.shape[1], generator=g, device=device, dtype=torch.float64)
                    for g in generators
                ]
            )
            noise = -torch.log(-torch.log(uniform.clamp(min=1e-300)))
            return torch.log_softmax(scores.double(), dim=-1) + noise

    chain: list[Any] = [TemperatureLogitsWarper(decoding.temperature)]
    if decoding.top_k:
        chain.append(TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1:
        chain.append(TopPLogitsWarper(decoding.top_p))
    return [*chain, GumbelNoise()]
