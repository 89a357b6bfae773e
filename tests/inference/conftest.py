"""Tiny models, built once for a test session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inference.studies import SYSTEM, USER


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family → folder of a model at random weights."""
    pytest.importorskip("transformers")
    import torch

    from pet2rep_eval.inference.tiny_models import build_tiny_model

    torch.set_num_threads(1)
    built: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in built:
            folder = tmp_path_factory.mktemp("models") / family
            built[family] = build_tiny_model(
                family, folder, [SYSTEM, USER, "肝脏FDG摄取增高，未见异常。"], seed=1
            )
        return built[family]

    return build
