"""Finds grammars and lexicons: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pet2rep_eval.errors import ResourceError


def resource(kind: str, *names: str) -> Traversable:
    """The data file or folder ``kind/names…``, where *kind* is ``grammars`` or ``lexicons``.

    Raises :class:`ResourceError` if it is not there.
    """
    inside = files("pet2rep_eval").joinpath(kind, *names)
    if inside.is_file() or inside.is_dir():
        return inside
    beside = Path(__file__).resolve().parent.parent.joinpath(kind, *names)
    if beside.exists():
        return beside
    raise ResourceError(
        f"The data file '{'/'.join((kind, *names))}' is missing from the installation. Reinstall pet2rep-eval."
    )


def read_text(kind: str, *names: str) -> str:
    """The text of a data file, UTF-8."""
    return resource(kind, *names).read_text(encoding="utf-8")


def names(kind: str, *folder: str, suffix: str) -> tuple[str, ...]:
    """Stems of the files with *suffix* in a data folder, sorted."""
    return tuple(
        sorted(
            f.name.removesuffix(suffix) for f in resource(kind, *folder).iterdir() if f.name.endswith(suffix)
        )
    )


def _walk(node: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    if node.is_file():
        return [(prefix, node.read_bytes().replace(b"\r\n", b"\n"))]
    found: list[tuple[str, bytes]] = []
    for child in sorted(node.iterdir(), key=lambda c: c.name):
        if not child.name.startswith((".", "__")):
            found += _walk(child, f"{prefix}/{child.name}")
    return found


@cache
def content_hash(kind: str) -> str:
    """The first eight hexadecimal digits of the SHA-256 over all files of *kind*; part of every signature."""
    digest = hashlib.sha256()
    for name, content in _walk(resource(kind), kind):
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:8]
