"""The exceptions of this package.

::

    Pet2RepEvalError
    ├── ResourceError        a lexicon, grammar or protocol file: names file, key and phrase
    ├── InputError           predictions, references, ratings: names file and line
    ├── ImagingError         volumes and images: names the file
    │   └── SUVError         a header that gives no SUV: names the DICOM tag
    ├── UnknownNameError     a protocol, metric, profile, ... that is not there: suggests the nearest
    ├── MissingExtraError    an optional dependency that is not installed: says how to install it
    └── BackendError         a model or server that cannot be used

The command line catches :class:`Pet2RepEvalError` alone, prints its message and exits with 2.
Reading a report never raises: what is odd about a text becomes a diagnostic.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class Pet2RepEvalError(Exception):
    """Base of everything this package raises on purpose."""


class ResourceError(Pet2RepEvalError):
    """A lexicon, grammar or protocol file is missing or contradicts itself."""


class InputError(Pet2RepEvalError):
    """A file given by the user cannot be used.

    The message reads ``FILE, line N: what is wrong. What to do.``
    """

    def __init__(
        self,
        problem: str,
        *,
        path: str | Path | None = None,
        line: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.path, self.line, self.remedy = problem, path, line, remedy
        place = "" if path is None else f"{path}" + ("" if line is None else f", line {line}") + ": "
        super().__init__(place + problem.rstrip(".") + "." + ("" if not remedy else " " + remedy))


class ImagingError(Pet2RepEvalError):
    """A volume or an image cannot be read or does not fit."""


class SUVError(ImagingError):
    """The headers do not give a standardised uptake value; the message names the tag."""


class UnknownNameError(Pet2RepEvalError):
    """A name that nothing is registered under; the message suggests the nearest names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(known)
        near = difflib.get_close_matches(name, self.known, n=1, cutoff=0.4)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        super().__init__(f"There is no {kind} named '{name}'.{hint} Known: {', '.join(self.known)}.")


class MissingExtraError(Pet2RepEvalError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"This needs the package '{package}', which is not installed. "
            f"Install it with: pip install 'pet2rep-eval[{extra}]'"
        )


class BackendError(Pet2RepEvalError):
    """A model, program or server cannot be used."""
