"""Lints of the vocabulary: what a table says twice, what can never match, what names something unknown.

Compiling a lexicon stops at the first contradiction; this finds all of them, each with file and line.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pet2rep_eval import resources
from pet2rep_eval.errors import InputError, ResourceError
from pet2rep_eval.lexicon import LANGUAGES, TABLES, compile_lexicon
from pet2rep_eval.parsing.normalise import normalise
from pet2rep_eval.protocols import load_protocol
from pet2rep_eval.records import REGIONS, UptakeState

FILES = (*TABLES, "sections", "tracers", "characters")
_NOT_IN_GRAMMAR = frozenset({"IGNORE", "STOP"})
"""Kinds that are dropped, or end a sentence, before the grammar sees a clause."""
_SIDES = ("left", "right", "bilateral")
_DEGREES = ("mild", "moderate", "marked")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a table."""

    file: str
    line: int
    """From 1; 0 where no line can be named."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.message}"


def bundled() -> dict[str, str]:
    """File stem → text of the tables that the package works with."""
    return {name: resources.read_text("lexicons", f"{name}.toml") for name in FILES}


def in_folder(folder: Path) -> dict[str, str]:
    """The same of another folder. Raises :class:`InputError` naming the file that is missing."""
    texts = {}
    for name in FILES:
        path = folder / f"{name}.toml"
        if not path.is_file():
            raise InputError(
                "no such lexicon table", path=path, remedy=f"A lexicon folder holds {name}.toml."
            )
        texts[name] = path.read_text(encoding="utf-8")
    return texts


def lint(texts: Mapping[str, str], *, folder: str = "lexicons") -> tuple[Problem, ...]:
    """All problems of the tables *texts* (file stem → TOML), in order of file and line.

    *folder* is what the messages call the place of the files.
    """
    tables: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for name in FILES:
        try:
            tables[name] = tomllib.loads(texts[name])
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            number = int(line.group(1)) if line else 0
            problems.append(Problem(f"{folder}/{name}.toml", number, f"this is not valid TOML: {error}."))
    if problems:
        return tuple(problems)
    lines = {name: _Lines(f"{folder}/{name}.toml", texts[name]) for name in FILES}
    found = [p for check in _CHECKS for p in check(tables, lines)]
    if not found:
        try:
            compile_lexicon(tables)
        except (ResourceError, ValueError, TypeError, KeyError, AttributeError) as error:
            found.append(Problem(folder, 0, str(error)))
    return tuple(sorted(set(found)))


def lint_protocols(folder: Path | None = None) -> tuple[Problem, ...]:
    """Protocols that do not load, and organs that the protocol ``sites`` leaves out."""
    from pet2rep_eval.lexicon import load_lexicon

    problems = []
    scored: frozenset[str] = frozenset()
    if folder is None:
        names = resources.names("lexicons", "protocols", suffix=".toml")
        places = {name: name for name in names}
    else:
        places = {path.stem: str(path) for path in sorted((folder / "protocols").glob("*.toml"))}
    for name, place in places.items():
        try:
            protocol = load_protocol(place)
        except ResourceError as error:
            problems.append(Problem(f"lexicons/protocols/{name}.toml", 0, str(error)))
            continue
        scored |= protocol.sites if name == "sites" else frozenset()
    if "sites" in places:
        problems += [
            Problem(
                "lexicons/protocols/sites.toml", 0, f"the organ '{site}' is not scored; add it to [regions]."
            )
            for site in load_lexicon().sites
            if site not in scored
        ]
    return tuple(problems)


class _Lines:
    """Where things stand in a TOML file."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.rows = text.split("\n")
        self.tables: dict[str, int] = {}
        for number, row in enumerate(self.rows, 1):
            match = re.match(r"\s*\[+([^\]]+)\]", row)
            if match:
                self.tables.setdefault(match.group(1).strip().replace('"', ""), number)

    def table(self, name: str) -> int:
        return self.tables.get(name, 0)

    def phrase(self, table: str, phrase: str) -> int:
        """Line of a phrase in a table; that of the table where the phrase is written in escapes."""
        start = self.table(table)
        wanted = (f'"{phrase}"', f"'{phrase}'")
        for number in range(start, len(self.rows)):
            row = self.rows[number]
            if number > start and re.match(r"\s*\[[^\]\"',]+\]\s*(?:#.*)?$", row):
                break
            if any(w in row for w in wanted):
                return number + 1
        return start

    def problem(self, line: int, message: str) -> Problem:
        return Problem(self.file, line, message)


Tables = Mapping[str, Mapping[str, Any]]
Places = Mapping[str, _Lines]


def _walk(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield name, table
    for key, value in table.items():
        if isinstance(value, dict) and key != "name":
            yield from _walk(f"{name}.{key}", value)


def _all(tables: Tables, files: tuple[str, ...]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for file in files:
        for top, content in tables[file].items():
            if isinstance(content, dict):
                for name, table in _walk(top, content):
                    yield file, name, table


def _phrases(table: Mapping[str, Any]) -> Iterator[str]:
    for language in LANGUAGES:
        value = table.get(language)
        if isinstance(value, list):
            yield from (phrase for phrase in value if isinstance(phrase, str))


def _shape(tables: Tables, lines: Places) -> Iterator[Problem]:
    """Phrases are lists of strings that are not empty and that the normalised text can hold."""
    for file, name, table in _all(tables, (*TABLES, "sections", "tracers")):
        where = lines[file]
        for language in LANGUAGES:
            value = table.get(language)
            if value is None:
                continue
            if not isinstance(value, list) or any(not isinstance(p, str) for p in value):
                yield where.problem(where.table(name), f"[{name}] {language}: a list of strings is needed.")
        for phrase in _phrases(table):
            line = where.phrase(name, phrase)
            if not phrase.strip() or phrase != phrase.strip():
                yield where.problem(
                    line, f"[{name}]: the phrase '{phrase}' is empty or has spaces at its ends."
                )
                continue
            read = normalise(phrase).text
            if read != phrase.lower():
                yield where.problem(
                    line, f"[{name}]: '{phrase}' can never match, as texts are read; write '{read}'."
                )


def _twice(tables: Tables, lines: Places) -> Iterator[Problem]:
    """No phrase stands under two concepts, and none twice in a table."""
    for files in (TABLES, ("sections",), ("tracers",)):
        first: dict[str, tuple[str, str, int]] = {}
        for file, name, table in _all(tables, files):
            for language in LANGUAGES:
                inside: set[str] = set()
                for phrase in _phrases({language: table.get(language)}):
                    key = phrase.lower()
                    line = lines[file].phrase(name, phrase)
                    if key in inside:
                        yield lines[file].problem(
                            line, f"[{name}] {language}: '{phrase}' stands there twice."
                        )
                        continue
                    inside.add(key)
                    other_file, other, other_line = first.setdefault(key, (file, name, line))
                    if (other_file, other) != (file, name):
                        yield lines[file].problem(
                            line,
                            f"the phrase '{phrase}' stands under two concepts: under [{name}] here and under "
                            f"[{other}] in {lines[other_file].file}, line {other_line}. Remove one.",
                        )


def _organs(tables: Tables, lines: Places) -> Iterator[Problem]:
    """Every organ has a name and phrases in both languages, and a body region."""
    where = lines["organs"]
    for key, table in tables["organs"].items():
        line = where.table(key)
        name = table.get("name")
        for language in LANGUAGES:
            if not isinstance(name, dict) or not name.get(language):
                yield where.problem(line, f"[{key}]: the display name in '{language}' is missing.")
            if not any(True for _, t in _walk(key, table) for _ in _phrases({language: t.get(language)})):
                yield where.problem(line, f"[{key}]: there is no phrase in '{language}'.")
        if table.get("group") not in REGIONS:
            yield where.problem(line, f"[{key}]: 'group' is one of {', '.join(REGIONS)}.")


def _references(tables: Tables, lines: Places) -> Iterator[Problem]:
    """Properties name what is there: sites, regions, sides, degrees, states, terminals of the grammar."""
    sites = frozenset(tables["organs"])
    terminals = grammar_terminals()
    allowed: dict[str, tuple[str, ...] | frozenset[str]] = {
        "organs": sites,
        "nodes": sites,
        "mass": sites,
        "region": REGIONS,
        "side": _SIDES,
        "degree": _DEGREES,
        "state": tuple(state.value for state in UptakeState),
        "kind": terminals | _NOT_IN_GRAMMAR,
    }
    for file, name, table in _all(tables, TABLES):
        for prop, known in allowed.items():
            value = table.get(prop)
            for one in value if isinstance(value, list) else () if value is None else (value,):
                if one not in known:
                    if prop == "kind":
                        why = "is no terminal of grammars/clause.lark; declare it there"
                    else:
                        near = difflib.get_close_matches(str(one), sorted(known), n=1)
                        why = "is not known" + (f"; did you mean '{near[0]}'" if near else "")
                    line = lines[file].table(name)
                    yield lines[file].problem(line, f"[{name}] {prop}: '{one}' {why}.")


def _characters(tables: Tables, lines: Places) -> Iterator[Problem]:
    """Each character has one to be read as, and that one is read as itself."""
    where = lines["characters"]
    old, new = tables["characters"]["traditional"], tables["characters"]["simplified"]
    if len(old) != len(new):
        yield where.problem(
            1, f"{len(old)} characters are to be read as {len(new)}: the strings must be as long."
        )
        return
    if len(set(old)) != len(old):
        doubled = sorted(c for c in set(old) if old.count(c) > 1)
        yield where.problem(1, f"'{''.join(doubled)}' stand in 'traditional' more than once.")
    chained = sorted(b for a, b in zip(old, new, strict=True) if b in old and a != b)
    if chained:
        yield where.problem(1, f"'{''.join(chained)}' are read as another character themselves.")


def grammar_terminals() -> frozenset[str]:
    """The terminals that the clause grammar declares."""
    text = resources.read_text("grammars", "clause.lark")
    return frozenset(
        word for row in re.findall(r"^%declare\s+(.+)$", text, re.MULTILINE) for word in row.split()
    )


_CHECKS: tuple[Callable[[Tables, Places], Iterator[Problem]], ...] = (
    _shape,
    _twice,
    _organs,
    _references,
    _characters,
)


def counts(texts: Mapping[str, str]) -> dict[str, int]:
    """How many phrases, concepts and organs tables without problems have."""
    lexicon = compile_lexicon({name: tomllib.loads(texts[name]) for name in FILES})
    return {"phrases": len(lexicon.phrases), "concepts": len(lexicon.sources), "organs": len(lexicon.sites)}
