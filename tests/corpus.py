"""Reads the hand-written cases of ``fixtures/corpus``.

A case file holds cases of one phenomenon::

    # lines before the first title are a comment
    === title of the case
    report text, may span lines
    ---
    @tracer PSMA
    liver right: increased degree=mild suv=5.6 size=23x18
    kidneys: none
    region chest: normal ?

- One line for each (organ, side, state). States: ``increased``, ``decreased``, ``absent``, ``normal``
  and ``none`` (the organ is described, its uptake is not stated). ``(nothing)`` alone: no uptake is stated.
- The states listed for an organ, ``none`` aside, are exactly those that must be read. Organs not listed
  must get no state.
- ``suv`` and ``size`` (millimetres, axes joined by ``x``) take several values separated by commas. What is
  left out of a line (side, degree, SUV, size) is not stated by the text or not at issue.
- A trailing `` ?`` marks a line that two careful readers could label differently.
- A *negative twin* stands right behind its case, and its title starts with ``not: ``: a near-identical text
  in which the phenomenon must not trigger.
- The last line ``---`` of a case ends its text, so that a text may hold Markdown rules. Escapes ``\\r``,
  ``\\t``, ``\\0``, ``\\uXXXX`` of a text are only replaced if its title ends in `` (escaped)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pet2rep_eval.errors import InputError
from pet2rep_eval.records import REGIONS

CORPUS = Path(__file__).resolve().parent.parent / "fixtures" / "corpus"
TWIN = "not: "
ESCAPED = " (escaped)"
STATES = ("increased", "decreased", "absent", "normal", "none")
DEGREES = ("mild", "moderate", "marked")

_LINE = re.compile(
    r"(?P<region>region\s+)?(?P<key>[a-z_]+)(?:\s+(?P<side>left|right|bilateral))?\s*:\s*(?P<state>[a-z]+)(?P<rest>.*)"
)
_ESCAPE = re.compile(r"\\(?:(?P<plain>[rt0])|u(?P<code>[0-9a-fA-F]{4}))")


@dataclass(frozen=True, slots=True)
class Expected:
    """One statement that a case expects. Exactly one of *organ* and *region* is set."""

    organ: str | None
    region: str | None
    laterality: str | None
    state: str | None
    """None where the organ is described without uptake."""
    degree: str | None = None
    suv: tuple[float, ...] = ()
    size: tuple[tuple[float, ...], ...] = ()
    """In millimetres, each with one to three axes."""
    arguable: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A text with what must be read from it."""

    path: Path
    line: int
    """Line of the title in its file."""
    title: str
    text: str
    expected: tuple[Expected, ...]
    """Empty where the text states no uptake."""
    tracer: str | None = None

    @property
    def is_twin(self) -> bool:
        """Whether this is the negative twin of the case before it."""
        return self.title.startswith(TWIN)

    @property
    def states(self) -> dict[str, frozenset[str]]:
        """Organ → the states it must get; empty for organs described without uptake."""
        return self._grouped("organ")

    @property
    def regions(self) -> dict[str, frozenset[str]]:
        """Body region → the states it must get."""
        return self._grouped("region")

    @property
    def arguable(self) -> frozenset[str]:
        """Organs and regions with a line that two careful readers could label differently."""
        return frozenset(e.organ or e.region or "" for e in self.expected if e.arguable)

    def _grouped(self, kind: str) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for e in self.expected:
            key = e.organ if kind == "organ" else e.region
            if key:
                found[key] = found.get(key, frozenset()) | ({e.state} if e.state else frozenset())
        return found

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}: {self.title}"


def load_cases(folder: Path) -> list[Case]:
    """All cases of the files ``*.txt`` in *folder* and below, by file name and then in file order.

    Raises :class:`InputError` with file and line for a malformed case, and where there is no case at all.
    """
    cases = [case for path in sorted(folder.rglob("*.txt")) for case in load_file(path)]
    if not cases:
        raise InputError("no case found", path=folder, remedy="Case files are named *.txt.")
    return cases


def load_file(path: Path) -> list[Case]:
    """The cases of one file, in order."""
    try:
        # Carriage returns can be part of a case, so they are kept.
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", path=path, remedy="Save the file as UTF-8.") from error
    starts = [number for number, line in enumerate(lines) if line.startswith("===")]
    for number, line in enumerate(lines[: starts[0]] if starts else lines):
        if line.strip() and not line.startswith("#"):
            raise InputError(
                "text before the first title",
                path=path,
                line=number + 1,
                remedy="Start a case with '=== title'.",
            )
    ends = [*starts[1:], len(lines)]
    return [_case(path, start, lines[start:end]) for start, end in zip(starts, ends, strict=False)]


def _case(path: Path, start: int, block: list[str]) -> Case:
    title = block[0].removeprefix("===").strip()
    if not title or not block[0].startswith("=== "):
        raise InputError("a case without a title", path=path, line=start + 1, remedy="Write '=== title'.")
    rules = [number for number, line in enumerate(block) if line == "---"]
    if not rules:
        raise InputError(
            f"case '{title}' has no line '---'",
            path=path,
            line=start + 1,
            remedy="Put it between text and labels.",
        )
    text = "\n".join(block[1 : rules[-1]])
    if title.endswith(ESCAPED):
        text = _ESCAPE.sub(_unescaped, text)
    expected: list[Expected] = []
    tracer: str | None = None
    nothing = False
    for number, line in _labels(block, rules[-1]):
        if line.startswith("@"):
            words = line.split()
            if len(words) != 2 or words[0] != "@tracer" or tracer:
                raise InputError(
                    f"cannot read '{line}'",
                    path=path,
                    line=start + number + 1,
                    remedy="Write '@tracer PSMA', once.",
                )
            tracer = words[1]
        elif line == "(nothing)":
            nothing = True
        else:
            expected.append(_expected(line, path, start + number + 1))
    if nothing == bool(expected):
        raise InputError(
            f"case '{title}' " + ("has '(nothing)' and labels" if nothing else "has no labels"),
            path=path,
            line=start + 1,
            remedy="List what must be read, or write '(nothing)' alone.",
        )
    return Case(path, start + 1, title, text, tuple(expected), tracer)


def _labels(block: list[str], rule: int) -> Iterator[tuple[int, str]]:
    for number in range(rule + 1, len(block)):
        if block[number].strip():
            yield number, block[number].strip()


def _expected(line: str, path: Path, number: int) -> Expected:
    def bad(problem: str, remedy: str) -> InputError:
        return InputError(f"{problem} in '{line}'", path=path, line=number, remedy=remedy)

    match = _LINE.fullmatch(line)
    if not match:
        raise bad("no statement", "Write 'ORGAN [side]: STATE [degree=…] [suv=…] [size=…] [?]'.")
    state, key = match["state"], match["key"]
    if state not in STATES:
        raise bad(f"unknown state '{state}'", f"States are {', '.join(STATES)}.")
    if match["region"] and (key not in REGIONS or match["side"]):
        raise bad("not a body region", f"Body regions are {', '.join(REGIONS)}, without a side.")
    if not match["region"] and key in REGIONS:
        raise bad("a body region in place of an organ", f"Write 'region {key}: {state}'.")
    words = match["rest"].split()
    arguable = bool(words) and words[-1] == "?"
    fields: dict[str, str] = {}
    for word in words[:-1] if arguable else words:
        name, equals, value = word.partition("=")
        if name not in ("degree", "suv", "size") or not equals or not value or name in fields:
            raise bad(f"cannot read '{word}'", "Fields are degree=, suv= and size=, each once.")
        fields[name] = value
    degree = fields.get("degree")
    if degree is not None and degree not in DEGREES:
        raise bad(f"unknown degree '{degree}'", f"Degrees are {', '.join(DEGREES)}.")
    try:
        suv = tuple(float(value) for value in fields["suv"].split(",")) if "suv" in fields else ()
        sizes = fields["size"].split(",") if "size" in fields else []
        size = tuple(tuple(float(axis) for axis in value.split("x")) for value in sizes)
    except ValueError:
        raise bad("not a number", "Write suv=5.6,7 and size=23x18,4 (millimetres).") from None
    return Expected(
        organ=None if match["region"] else key,
        region=key if match["region"] else None,
        laterality=match["side"],
        state=None if state == "none" else state,
        degree=degree,
        suv=suv,
        size=size,
        arguable=arguable,
    )


def _unescaped(match: re.Match[str]) -> str:
    if match["plain"]:
        return {"r": "\r", "t": "\t", "0": "\0"}[match["plain"]]
    return chr(int(match["code"], 16))
