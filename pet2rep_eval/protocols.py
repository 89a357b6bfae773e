"""Scoring protocols: which organs are scored, from which sites, by which classes. One TOML file each.

A protocol is total: :meth:`Protocol.states` labels every organ of it for any report, and an organ that is not
mentioned, or mentioned without uptake, has the empty set.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pet2rep_eval import resources
from pet2rep_eval.errors import ResourceError, UnknownNameError
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.records import ABNORMAL_STATES, ParsedReport, UptakeState

OrganStates = Mapping[str, frozenset[UptakeState]]
"""Organ of a protocol → its abnormal states; empty: nothing abnormal is said of it. Total over the organs."""

ENTRY_POINTS = "pet2rep_eval.protocols"
"""Other packages add protocols here: an entry that loads to the path of a TOML file."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Organs, the sites that each takes, and the classes that are scored."""

    name: str
    title: str
    labels: tuple[UptakeState, ...]
    """The scored classes, in the order of every table."""
    regions: Mapping[str, tuple[str, ...]]
    """Organ of the protocol → keys of the sites that count for it."""
    hash: str = ""
    """First eight hexadecimal digits of the SHA-256 of the file; part of the signature."""

    @property
    def key(self) -> str:
        """Name and hash, such as ``pet2rep-1a2b3c4d``: what a signature says."""
        return f"{self.name}-{self.hash}"

    @property
    def organs(self) -> tuple[str, ...]:
        return tuple(self.regions)

    @property
    def sites(self) -> frozenset[str]:
        """All sites that the protocol sees."""
        return frozenset(site for sites in self.regions.values() for site in sites)

    def states(self, parsed: ParsedReport) -> OrganStates:
        """Every organ of the protocol with the scored states that *parsed* gives to any of its sites."""
        stated, scored = parsed.states, frozenset(self.labels)
        nothing: frozenset[UptakeState] = frozenset()
        return {
            organ: nothing.union(*(stated.get(site, nothing) for site in sites)) & scored
            for organ, sites in self.regions.items()
        }


def protocol_names() -> tuple[str, ...]:
    """Bundled protocols, then those of other packages."""
    bundled = resources.names("lexicons", "protocols", suffix=".toml")
    return (*bundled, *sorted({e.name for e in entry_points(group=ENTRY_POINTS)} - set(bundled)))


@cache
def load_protocol(name: str) -> Protocol:
    """The protocol of that name: bundled, of another package, or a path that ends in ``.toml``.

    Raises :class:`UnknownNameError`, or :class:`ResourceError` naming file and key.
    """
    if name in resources.names("lexicons", "protocols", suffix=".toml"):
        return _read(
            resources.read_text("lexicons", "protocols", f"{name}.toml"), f"protocols/{name}.toml", name
        )
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ResourceError(
                f"{path}: no such protocol file. Give the name of a protocol or the path of one."
            )
        return _read(path.read_text(encoding="utf-8"), str(path), path.stem)
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            path = Path(str(entry.load()))
            return _read(path.read_text(encoding="utf-8"), str(path), name)
    raise UnknownNameError("protocol", name, protocol_names())


def _read(text: str, place: str, name: str) -> Protocol:
    import hashlib

    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ResourceError(f"{place}: this is not TOML: {error}.") from error
    known = load_lexicon().sites
    regions: dict[str, tuple[str, ...]] = {}
    for organ, sites in table.get("regions", {}).items():
        if not isinstance(sites, list) or not sites:
            raise ResourceError(f"{place}, regions.{organ}: a list of one or more site keys is needed.")
        for site in sites:
            if site not in known:
                near = difflib.get_close_matches(str(site), list(known), n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise ResourceError(f"{place}, regions.{organ}: '{site}' is no site of organs.toml.{hint}")
        regions[organ] = tuple(sites)
    if not regions:
        raise ResourceError(f"{place}: the table [regions] is missing or empty.")
    try:
        labels = tuple(UptakeState(label) for label in table["labels"])
    except (KeyError, ValueError):
        known_labels = ", ".join(ABNORMAL_STATES)
        raise ResourceError(f"{place}, labels: a list of some of {known_labels} is needed.") from None
    if not labels or UptakeState.NORMAL in labels or len(set(labels)) < len(labels):
        raise ResourceError(
            f"{place}, labels: abnormal states are needed, each once; normal is the empty set."
        )
    digest = hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:8]
    return Protocol(name, str(table.get("title", name)), labels, regions, digest)
