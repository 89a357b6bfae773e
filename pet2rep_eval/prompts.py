"""Named prompts: what a model is told, rendered from ``lexicons/prompts.toml``.

The prompt ``pet2rep`` is the benchmark's own text. A prompt's hash goes into the provenance of every
generated report, so that two systems that were told different things are not mistaken for comparable.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any

from pet2rep_eval.errors import InputError, ResourceError, UnknownNameError
from pet2rep_eval.resources import read_text

LANGUAGES = ("zh", "en")
VARIANTS = ("fused", "separate")
SEXES = ("M", "F")
IMAGE_MARK = "<image>"
"""Stands in a prompt for one picture."""

_MARKS = re.compile(rf"\s*(?:{re.escape(IMAGE_MARK)}\s*)+")
_SLOT = re.compile(r"\{(images|template|healthy|examples)\}")
_FILE = "prompts.toml"


@cache
def _data() -> dict[str, Any]:
    data = tomllib.loads(read_text("lexicons", _FILE))
    for name, prompt in data["prompts"].items():
        for language in LANGUAGES:
            if not prompt.get(language, "").strip():
                raise ResourceError(f"{_FILE}: the prompt '{name}' has no text in '{language}'. Add it.")
            if prompt[language].count("{images}") != 1:
                raise ResourceError(
                    f"{_FILE}: the prompt '{name}' in '{language}' must hold '{{images}}' once. Put it in."
                )
    return data


def prompt_names() -> tuple[str, ...]:
    """The names that :func:`render_prompt` knows, in the order of the file."""
    return tuple(_data()["prompts"])


def describe_prompt(name: str) -> str:
    """One line that says what the prompt *name* is."""
    return str(_prompt(name)["description"])


def _prompt(name: str) -> dict[str, str]:
    known = prompt_names()
    if name not in known:
        raise UnknownNameError("prompt", name, known)
    found: dict[str, str] = _data()["prompts"][name]
    return found


def _choice(kind: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise UnknownNameError(kind, value, known)
    return value


def healthy_report(language: str = "zh", sex: str = "M") -> str:
    """A report without abnormality for a patient of *sex* (``M`` or ``F``), several paragraphs."""
    texts = _data()["healthy"][_choice("language", language, LANGUAGES)]
    pelvis: str = texts[_choice("sex", sex, SEXES)]
    return str(texts["text"]).replace("{pelvis}", pelvis)


def example_reports(language: str = "zh") -> tuple[str, ...]:
    """The invented example reports of the prompt ``few-shot``."""
    return tuple(_data()["examples"][_choice("language", language, LANGUAGES)])


def _numbered(examples: Sequence[str], language: str) -> str:
    label = "示例{}：" if language == "zh" else "Example {}: "
    return "\n".join(label.format(i) + text.strip() for i, text in enumerate(examples, 1))


def render_prompt(
    name: str = "pet2rep",
    language: str = "zh",
    variant: str = "fused",
    *,
    images: int | None = None,
    sex: str | None = None,
    template: str | None = None,
    examples: Sequence[str] | None = None,
) -> tuple[str, str]:
    """System and user text of a named prompt.

    *variant* is ``fused`` (a picture a plane) or ``separate`` (CT and PET of each plane); *images* is the
    number of pictures, by default three and six. The user text holds one ``<image>`` for each, as in the
    benchmark's prompt file; :func:`strip_image_marks` removes them. *template* replaces the benchmark's
    template, *examples* the bundled example reports. *sex* (``M``, ``F``) is needed by prompts with a
    healthy report, unless *template* gives that report.

    Raises :class:`UnknownNameError` for a name, language, variant or sex that is not there and
    :class:`InputError` where a prompt needs the sex.
    """
    prompt = _prompt(name)
    _choice("language", language, LANGUAGES)
    pictures = _data()["images"][_choice("prompt variant", variant, VARIANTS)]
    count = int(pictures["count"]) if images is None else images
    marks = " ".join([IMAGE_MARK] * count)
    parts = {"images": pictures[language].replace("{placeholders}", marks).rstrip()}
    text = prompt[language]
    if "{healthy}" in text:
        if template is None and sex is None:
            raise InputError(
                f"the prompt '{name}' depends on the patient's sex, which is not given",
                remedy="Give M or F for the study, or choose another prompt.",
            )
        parts["healthy"] = template if template is not None else healthy_report(language, str(sex))
    if "{examples}" in text:
        parts["examples"] = _numbered(example_reports(language) if examples is None else examples, language)
    if "{template}" in text:
        parts["template"] = template if template is not None else _benchmark_template(language)
    text = _SLOT.sub(lambda match: parts[match[1]], text)
    system: str = _data()["system"][language]
    return system, text


def _benchmark_template(language: str) -> str:
    from pet2rep_eval.template import render_template

    return render_template(language)


def prompt_hash(system: str, user: str) -> str:
    """First eight hexadecimal digits of the SHA-256 over both texts: names a prompt in provenance."""
    return hashlib.sha256(f"{system}\0{user}".encode()).hexdigest()[:8]


def strip_image_marks(text: str) -> str:
    """*text* without literal ``<image>``, for models that get pictures as parts of their own.

    A model whose own image token is ``<image>`` would otherwise count them as pictures and fail.
    """

    def between(match: re.Match[str]) -> str:
        before, after = text[: match.start()], text[match.end() :]
        return (
            " "
            if before[-1:].isascii() and before[-1:].isalnum() and after[:1].isascii() and after[:1].isalnum()
            else ""
        )

    return _MARKS.sub(between, text)
