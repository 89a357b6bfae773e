"""Profiles: named readings of "the metrics", as data in ``lexicons/profiles.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pet2rep_eval import resources
from pet2rep_eval.errors import ResourceError, UnknownNameError
from pet2rep_eval.metrics.base import Words
from pet2rep_eval.metrics.prepared import TextPolicy


@dataclass(frozen=True, slots=True)
class Profile:
    """Which part of a text is compared, in which words, by which metrics with which options."""

    name: str
    title: str
    text: TextPolicy
    words: Words
    metrics: tuple[str, ...]
    overall: tuple[str, ...]
    """The scores whose plain mean is ``overall``."""
    inferred: tuple[str, ...] = ()
    """Settings that a publication does not state and that were read out of its numbers."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Metric → its options; ``words`` among them overrides the profile's words."""

    def words_of(self, metric: str) -> Words:
        own = self.options.get(metric, {}).get("words")
        return Words(**own) if own else self.words

    def options_of(self, metric: str) -> dict[str, Any]:
        return {key: value for key, value in self.options.get(metric, {}).items() if key != "words"}


@cache
def _profiles() -> dict[str, dict[str, Any]]:
    return tomllib.loads(resources.read_text("lexicons", "profiles.toml"))


def profile_names() -> tuple[str, ...]:
    """All profiles, ``default`` first."""
    return tuple(_profiles())


@cache
def load_profile(name: str) -> Profile:
    """The profile of that name. Raises :class:`UnknownNameError`; :class:`ResourceError` names the key."""
    if name not in _profiles():
        raise UnknownNameError("profile", name, profile_names())
    table = _profiles()[name]
    try:
        return Profile(
            name,
            table["title"],
            TextPolicy(table["section"], table["brackets"]),
            Words(**table["words"]),
            tuple(table["metrics"]),
            tuple(table["overall"]),
            tuple(table["inferred"]),
            {key: value for key, value in table.items() if isinstance(value, dict) and key != "words"},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ResourceError(f"profiles.toml, profile '{name}': {error}.") from error
