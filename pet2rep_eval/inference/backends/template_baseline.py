"""``template:``: the baseline that copies the template and looks at no picture."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.inference.backends import read_options
from pet2rep_eval.inference.decoding import Decoding
from pet2rep_eval.inference.requests import Completion, Prompt

NAMES = ("zh", "en", "prompt")
"""``zh``, ``en``: the benchmark's template. ``prompt``: whatever template stands in the prompt."""

_TAGGED = re.compile(r"<template>(.*?)</template>", re.DOTALL)
_ANNOUNCED = re.compile(
    r"(?:严格按照以下格式输出：|strictly following the following format:|模板：|Template:)\s*(.+)\Z",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Options:
    """No options."""


def template_in(user: str) -> str | None:
    """The template that stands in a prompt's user text, or None.

    Between ``<template>`` and ``</template>`` (PETRG-3D's way), or all that follows its announcement.
    """
    found = _TAGGED.search(user) or _ANNOUNCED.search(user)
    return found[1].replace("\\n", "\n").strip() if found else None


class TemplateBackend:
    """Gives the template itself for every study."""

    def __init__(self, name: str) -> None:
        if name not in NAMES:
            raise UnknownNameError("template", name, NAMES)
        self._name = name

    def settings(self) -> Mapping[str, Any]:
        return {"model": f"template:{self._name}"}

    def environment(self) -> Mapping[str, Any]:
        return {}

    def count_tokens(self, text: str) -> int | None:
        return None

    def generate(self, prompts: Sequence[Prompt]) -> Generator[Completion, None, None]:
        text: str | None = None
        if self._name != "prompt":
            from pet2rep_eval.template import render_template

            text = render_template(self._name)
        for prompt in prompts:
            found = text if self._name != "prompt" else template_in(prompt.user)
            reason = "" if found is not None else "no template found in the prompt"
            yield Completion(prompt.study_id, found, reason, finish="stop" if found is not None else None)

    def close(self) -> None:
        """Nothing to free."""


def create(name: str, decoding: Decoding, options: Mapping[str, Any]) -> TemplateBackend:
    """*name* is ``zh``, ``en`` or ``prompt``; decoding plays no part."""
    read_options(Options, "template", options)
    return TemplateBackend(name or "zh")
