"""Reads PET/CT reports as a nuclear medicine physician would, and scores generated ones."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pet2rep_eval._version import __version__

if TYPE_CHECKING:
    from pet2rep_eval.evaluation import evaluate
    from pet2rep_eval.lexicon import load_lexicon
    from pet2rep_eval.parsing import parse_report
    from pet2rep_eval.protocols import load_protocol
    from pet2rep_eval.template import render_template

_HOMES = {
    "evaluate": "pet2rep_eval.evaluation",
    "load_lexicon": "pet2rep_eval.lexicon",
    "load_protocol": "pet2rep_eval.protocols",
    "parse_report": "pet2rep_eval.parsing",
    "render_template": "pet2rep_eval.template",
}
"""Public name → its module, imported at first use, so that importing the package costs nothing."""

__all__ = ["__version__", "evaluate", "load_lexicon", "load_protocol", "parse_report", "render_template"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pet2rep_eval' has no attribute '{name}'")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
