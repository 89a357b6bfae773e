"""The vocabulary: TOML tables of phrases compiled into one look-up of phrase → concept.

A table is a concept (``increased.word``); its ``kind`` is the terminal that the grammars see; ``zh`` and ``en``
list its phrases; every other key is a property that its mentions carry. Organs are the tables of
``organs.toml``; their kind is ``SITE``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pet2rep_eval.errors import ResourceError
from pet2rep_eval.records import UptakeState
from pet2rep_eval.resources import content_hash, read_text

TABLES = ("organs", "uptake", "findings", "context", "regions", "groups")
"""The files whose phrases become tokens; one phrase belongs to one concept over all of them."""
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Site:
    """An organ, as in every output."""

    key: str
    names: Mapping[str, str]
    """Language → display name."""
    group: str
    """Body region it lies in."""
    nodes: tuple[str, ...] = ()
    """Station of the lymph nodes beside it."""
    station: bool = False
    """It is a lymph node station itself."""
    normally: bool = False
    """It normally shows tracer."""
    ct_only: bool = False
    """Only the CT can judge it."""
    measured: bool = False
    """Its ordinary uptake is often quoted, so that an SUV says nothing."""
    symmetrically: bool = False
    """What it shows on both sides alike is ordinary."""


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """What a phrase means."""

    name: str
    kind: str
    organs: tuple[str, ...] = ()
    side: str | None = None
    degree: str | None = None
    regions: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    mass: str | None = None
    """The organ meant when a mass and no node is named there."""
    state: UptakeState | None = None
    noun: bool = False
    tracer: bool = False
    alternative: bool = False
    before: bool = False
    """A place word that precedes what it is said of."""
    finding: bool = False
    """A finding that names its organ (脂肪肝): never a mere member of a list."""
    negated: str | None = None
    """The organ meant instead where the clause denies something."""
    compartment: bool = False
    """A space or fold that in a list of nodal stations is one of them (肠系膜)."""
    weak: bool = False
    """A word for uptake that states nothing by itself."""
    contextual: bool = False
    """A part that means its organ only where the text does not speak of another."""
    unless: tuple[str, ...] = ()
    """The organs beside which it is only a part; empty: any other."""
    exception: bool = False
    """What follows is left out of what the sentence denies ("except for")."""
    overrides: bool = False
    """A judgement on what the sentence said before ("within normal limits")."""
    elsewhere: bool = False
    """The rest of the body, where it begins a sentence (其余部位)."""
    grave: bool = False
    """A cause that makes uptake abnormal whatever the organ ("suspicious for")."""
    around: bool = False
    """It says that something lies around what it is said of (周围)."""
    copula: bool = False
    """It says what something is ("is", "was")."""
    doubtful: bool = False
    """What it means depends on what stands beside it: contextual, with organs that it gives way to, or a level."""
    level: bool = False
    """It says how high something lies ("at the level of")."""
    hot: bool = False
    """A comparison or change that speaks of uptake by itself ("less avid than")."""
    perfect: bool = False
    """With what follows it says how something has changed ("has markedly decreased")."""
    behind: bool = False
    """It stands behind what it is said of ("SUV 7.0 on the prior study")."""
    every: bool = False
    """What follows is said of all that the sentence named (均属)."""
    into: bool = False
    """It says that something grows into what it is said of."""
    past: bool = False
    """A verb of what is over ("had been")."""
    lined: bool = False
    """What lies around it is still of the organ."""
    specifies: bool = False
    """What follows says where that is which the sentence has spoken of ("including")."""
    fluid: bool = False
    """An effusion: which organ it means depends on the cavity."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All phrases with their concepts, the organs, headings, tracers and character variants."""

    phrases: Mapping[str, Concept]
    """Lower-case phrase → concept."""
    sites: Mapping[str, Site]
    headings: Mapping[str, str]
    """Lower-case heading → section name."""
    tracers: Mapping[str, str]
    characters: Mapping[str, str]
    """Traditional or variant character → the one used in the phrases."""
    sources: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Concept name → language → phrases, as written in the tables."""
    hash: str


def _as_tuple(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


def _side_of(phrase: str) -> str | None:
    """The side that a phrase names: 右叶, 肝左外叶, "left lobe"."""
    for prefix, side in (("双", "bilateral"), ("两", "bilateral"), ("left ", "left"), ("right ", "right")):
        if phrase.startswith(prefix):
            return side
    left, right = "左" in phrase, "右" in phrase
    if left == right or "动脉" in phrase:
        return None
    return "left" if left else "right"


_FLAGS = (
    "noun",
    "tracer",
    "alternative",
    "before",
    "fluid",
    "weak",
    "contextual",
    "finding",
    "compartment",
    "exception",
    "copula",
    "around",
    "grave",
    "elsewhere",
    "overrides",
    "into",
    "every",
    "behind",
    "hot",
    "perfect",
    "level",
    "specifies",
    "lined",
    "past",
)
_KNOWN = {
    *_FLAGS,
    "kind",
    "side",
    "degree",
    "organs",
    "region",
    "nodes",
    "unless",
    "mass",
    "negated",
    "state",
    "after",
    "name",
    "group",
}
_KNOWN |= {"station", "normally", "measured", "symmetrically", "ct_only", *LANGUAGES}


def _concept(file: str, name: str, table: Mapping[str, Any], inherited: Mapping[str, Any]) -> Concept:
    unknown = [k for k, v in table.items() if k not in _KNOWN and not isinstance(v, dict)]
    if unknown:
        raise ResourceError(
            f"lexicons/{file}.toml, table [{name}]: unknown key '{unknown[0]}'. Known: {', '.join(sorted(_KNOWN))}."
        )
    merged = {**inherited, **{k: v for k, v in table.items() if not isinstance(v, dict)}}
    kind = merged.get("kind")
    if not kind:
        raise ResourceError(f"lexicons/{file}.toml, table [{name}]: it has phrases but no 'kind'.")
    state = merged.get("state")
    doubtful = any(merged.get(flag) for flag in ("contextual", "unless", "level"))
    return Concept(
        name=name,
        kind=kind,
        organs=_as_tuple(merged.get("organs")),
        side=merged.get("side"),
        degree=merged.get("degree"),
        regions=_as_tuple(merged.get("region")),
        nodes=_as_tuple(merged.get("nodes")),
        mass=merged.get("mass"),
        negated=merged.get("negated"),
        unless=_as_tuple(merged.get("unless")),
        state=UptakeState(state) if state else None,
        doubtful=doubtful,
        **{flag: bool(merged.get(flag)) for flag in _FLAGS},
    )


def _walk(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if any(language in table and isinstance(table[language], list) for language in LANGUAGES):
        yield name, table
    for key, value in table.items():
        if isinstance(value, dict) and key != "name":
            yield from _walk(f"{name}.{key}", value)


def _load_table(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text("lexicons", f"{file}.toml"))
    except tomllib.TOMLDecodeError as error:
        raise ResourceError(f"lexicons/{file}.toml is not valid TOML: {error}.") from error


def compile_lexicon(tables: Mapping[str, Mapping[str, Any]], *, digest: str = "") -> Lexicon:
    """Compiles parsed TOML tables (file stem → content).

    Raises :class:`ResourceError` where a phrase stands under two concepts, is empty, or a table is malformed.
    """
    phrases: dict[str, Concept] = {}
    origin: dict[str, str] = {}
    sources: dict[str, dict[str, tuple[str, ...]]] = {}
    sites: dict[str, Site] = {}
    twice: list[str] = []
    for file in TABLES:
        for top, content in tables[file].items():
            inherited: dict[str, Any] = {}
            if file == "organs":
                missing = [k for k in ("name", "group") if k not in content]
                if missing:
                    raise ResourceError(f"lexicons/organs.toml, table [{top}]: '{missing[0]}' is missing.")
                station = bool(content.get("station"))
                sites[top] = Site(
                    top,
                    content["name"],
                    content["group"],
                    (top,) if station else _as_tuple(content.get("nodes")),
                    station,
                    bool(content.get("normally")),
                    bool(content.get("ct_only")),
                    bool(content.get("measured")),
                    bool(content.get("symmetrically")),
                )
                inherited = {"kind": "SITE", "organs": top, "nodes": sites[top].nodes}
            for name, table in _walk(top, content):
                concept = _concept(file, name, table, inherited)
                sided: dict[str | None, Concept] = {None: concept}
                for language in LANGUAGES:
                    sources.setdefault(name, {})[language] = tuple(table.get(language, ()))
                    for phrase in table.get(language, ()):
                        key = phrase.lower()
                        place = f"lexicons/{file}.toml [{name}]"
                        if not key.strip() or key != key.strip():
                            raise ResourceError(
                                f"{place}: the phrase '{phrase}' is empty or has spaces at its ends."
                            )
                        if key in origin and origin[key] != place:
                            twice.append(
                                f"The phrase '{phrase}' stands under two concepts: "
                                f"{origin[key]} and {place}. Remove one."
                            )
                            continue
                        origin[key] = place
                        side = (
                            _side_of(key)
                            if concept.kind in ("SITE", "PART") and "heart" not in concept.organs
                            else None
                        )
                        if side not in sided:
                            sided[side] = _concept(file, name, {**table, "side": side}, inherited)
                        phrases[key] = sided[side]
    if twice:
        raise ResourceError("\n".join(twice))
    characters = tables["characters"]
    headings = {
        h.lower(): section
        for section, table in tables["sections"].items()
        for language in LANGUAGES
        for h in table[language]
    }
    tracers = {
        p.lower(): tracer
        for tracer, table in tables["tracers"].items()
        for language in LANGUAGES
        for p in table[language]
    }
    variants = dict(zip(characters["traditional"], characters["simplified"], strict=True))
    return Lexicon(phrases, sites, headings, tracers, variants, sources, digest)


@cache
def load_lexicon() -> Lexicon:
    """The bundled lexicon, compiled once.

    Raises :class:`ResourceError` naming file, table and phrase where the tables contradict each other.
    """
    return compile_lexicon(
        {f: _load_table(f) for f in (*TABLES, "sections", "tracers", "characters")},
        digest=content_hash("lexicons"),
    )
