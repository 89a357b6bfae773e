"""API keys: from the environment or a file, and out of everything that is written."""

from __future__ import annotations

import os
from pathlib import Path

from pet2rep_eval.errors import InputError

HIDDEN = "[key]"


class Secret:
    """A key that shows itself only to :meth:`reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself: for the request's header and nothing else."""
        return self._value

    def scrub(self, text: str) -> str:
        """*text* with the key blotted out, also where a server sends back a part of it (``sk-ab…``)."""
        value = self._value
        for length in (len(value), 24, 16, 12):
            if 8 <= length <= len(value):
                for part in {value, value[:length], value[-length:]}:
                    text = text.replace(part, HIDDEN)
        return text

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key is not written anywhere")


def read_key(variable: str | None, file: str | None, default_variable: str | None = None) -> Secret | None:
    """The key of *file* or the environment *variable*; None where neither is named and the default is unset.

    Raises :class:`InputError`, never with the key in it, where a named source gives none.
    """
    if file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                "the key file cannot be read", path=file, remedy="Check its path and rights."
            ) from error
        source = f"the key file {file}"
    else:
        name = variable or default_variable or ""
        value, source = os.environ.get(name, "").strip(), f"the environment variable {name}"
        if not value and not variable:
            return None
    if not value:
        raise InputError(f"{source} holds no key", remedy="Set it, or leave the option out.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise InputError(f"{source} holds something that is no key", remedy="Put the key alone into it.")
    return Secret(value)
