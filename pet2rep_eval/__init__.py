"""Reads PET/CT reports as a nuclear medicine physician would, and scores generated ones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pet2rep_eval._version import __version__

if TYPE_CHECKING:
    from pet2rep_eval.evaluation import evaluate
    from pet2rep_eval.protocols import load_protocol

_HOMES = {
    "evaluate": "pet2rep_eval.evaluation",
    "load_protocol": "pet2rep_eval.protocols",
}
"""Public name → its module, imported at first use, so that importing the package costs nothing."""

__all__ = ["__version__", "evaluate", "load_protocol"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pet2rep_eval' has no attribute '{name}'")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
