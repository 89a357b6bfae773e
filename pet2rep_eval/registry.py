"""Names of things that can be added: a lazily imported factory, then entry points of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pet2rep_eval.errors import UnknownNameError


class Registry:
    """A table from a name to ``module:attribute``; nothing is imported before it is asked for.

    Another package adds an entry through the entry point group ``pet2rep_eval.<kind>s``,
    for example ``pet2rep_eval.metrics``. Built-in names cannot be overridden.
    """

    def __init__(self, kind: str, builtin: Mapping[str, str]) -> None:
        self.kind = kind
        self._builtin = dict(builtin)

    @property
    def group(self) -> str:
        return f"pet2rep_eval.{self.kind}s"

    def names(self) -> tuple[str, ...]:
        """Built-in names in the order of the table, then names of other packages, sorted."""
        others = sorted({e.name for e in entry_points(group=self.group)} - set(self._builtin))
        return (*self._builtin, *others)

    def load(self, name: str) -> Any:
        """The object registered under *name*. Raises :class:`UnknownNameError`."""
        target = self._builtin.get(name)
        if target is not None:
            module, _, attribute = target.partition(":")
            return getattr(import_module(module), attribute)
        for entry in entry_points(group=self.group):
            if entry.name == name:
                return entry.load()
        raise UnknownNameError(self.kind.replace("_", " "), name, self.names())
