"""The benchmark's report template: from states or conclusions to text, the inverse of parsing.

The template is data (``lexicons/template.toml``): slots in the order of the text, each with the words
around its fields. A field is a CT conclusion (``[…]``), an uptake conclusion (``【…】``) or a note on
contrast agent. Prompts, baselines, phantoms and tests render from here; nothing here reads a report.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pet2rep_eval import resources
from pet2rep_eval.errors import ResourceError, UnknownNameError
from pet2rep_eval.records import UptakeState

LANGUAGES = ("zh", "en")
FILE = "template.toml"

States = Mapping[str, UptakeState | str | Iterable[UptakeState | str]]
"""Slot name or organ key → one state, or the set of states of an organ that has several slots."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in the template that a report fills in."""

    name: str
    text: str
    """What the benchmark's template says."""
    normal: str
    """A normal conclusion in its place."""
    phrases: Mapping[UptakeState, str]
    """State → uptake conclusion; empty for CT and contrast."""
    state: UptakeState | None = None
    """What an uptake conclusion of the template states; None for CT and contrast."""

    @property
    def kind(self) -> Literal["ct", "uptake", "contrast"]:
        if self.name.startswith("uptake"):
            return "uptake"
        return "contrast" if self.name == "contrast" else "ct"


@dataclass(frozen=True, slots=True)
class Slot:
    """What the template says about one thing."""

    name: str
    paragraph: int
    """1 to 7; each is a line of the Chinese text."""
    organs: tuple[str, ...]
    """Site keys that the slot speaks of."""
    laterality: str | None
    text: Mapping[str, str]
    """Language → connecting words around ``{field}`` names."""
    fields: Mapping[str, Mapping[str, Field]]
    """Language → field name → field."""

    @property
    def has_uptake(self) -> bool:
        """Whether a report states uptake here."""
        return any(f.kind == "uptake" for f in self.fields["zh"].values())


@dataclass(frozen=True, slots=True)
class Template:
    """The whole template with its marks, in both languages."""

    slots: tuple[Slot, ...]
    opening: Mapping[str, str]
    marks: Mapping[str, tuple[str, str]]
    """Kind of field → opening and closing mark."""


def _bad(key: str, problem: str) -> ResourceError:
    return ResourceError(f"lexicons/{FILE}, {key}: {problem}")


def _names(text: str, key: str) -> list[str]:
    import string

    try:
        return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise _bad(key, f"the braces of '{text}' do not match ({error}).") from None


def _field(name: str, raw: Mapping[str, str], frames: Mapping[str, Mapping[str, str]], key: str) -> Field:
    phrases: dict[UptakeState, str] = {}
    if "frame" in raw:
        if raw["frame"] not in frames:
            raise _bad(key, f"frame '{raw['frame']}' is not among {', '.join(frames)}.")
        phrases = {state: frames[raw["frame"]][state.value] for state in UptakeState}
    if name.startswith("uptake") != bool(phrases):
        raise _bad(key, "an uptake field needs a frame, and no other field has one.")
    normal = raw.get("normal") or phrases.get(UptakeState.NORMAL)
    if not raw.get("text") or not normal:
        raise _bad(key, "'text' and 'normal' (or a frame) are needed.")
    state = UptakeState(raw.get("state", "normal")) if phrases else None
    return Field(name, raw["text"], normal, phrases, state)


def _slot(raw: Mapping[str, Any], frames: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Slot:
    fields: dict[str, dict[str, Field]] = {}
    for language in LANGUAGES:
        key = f"slot {raw['name']}.{language}"
        if language not in raw:
            raise _bad(key, "the slot has no text in this language.")
        table = {k: v for k, v in raw[language].items() if k != "text"}
        if sorted(table) != sorted(_names(raw[language]["text"], key)):
            raise _bad(key, "the fields named in 'text' are not the ones described.")
        fields[language] = {k: _field(k, v, frames[language], f"{key}.{k}") for k, v in table.items()}
    return Slot(
        raw["name"],
        raw["paragraph"],
        tuple(raw["organs"]),
        raw.get("laterality"),
        {language: raw[language]["text"] for language in LANGUAGES},
        fields,
    )


@cache
def load_template() -> Template:
    """The template as data. Raises :class:`ResourceError` naming file and key if it contradicts itself."""
    try:
        raw = tomllib.loads(resources.read_text("lexicons", FILE))
        return build_template(raw)
    except tomllib.TOMLDecodeError as error:
        raise ResourceError(f"lexicons/{FILE}: {error}") from None


def build_template(raw: Mapping[str, Any]) -> Template:
    """The template of a parsed TOML table; see :func:`load_template`."""
    try:
        slots = tuple(_slot(s, raw["frames"]) for s in raw["slot"])
        marks = {kind: (pair[0], pair[1]) for kind, pair in raw["marks"].items()}
        opening = {language: raw["opening"][language] for language in LANGUAGES}
    except KeyError as error:
        raise _bad(str(error), "this key is missing.") from None
    names = [s.name for s in slots]
    for name in names:
        if names.count(name) > 1:
            raise _bad(f"slot {name}", "this name is used twice.")
    return Template(slots, opening, marks)


def slots() -> tuple[Slot, ...]:
    """The slots in the order of the text."""
    return load_template().slots


def template_organs() -> tuple[str, ...]:
    """Site keys with an uptake slot, in the order of the text."""
    return tuple(dict.fromkeys(organ for s in slots() if s.has_uptake for organ in s.organs))


def _language(language: str) -> str:
    if language not in LANGUAGES:
        raise UnknownNameError("template language", language, LANGUAGES)
    return language


def _render(conclusions: Mapping[tuple[str, str], str], language: str, marks: bool) -> str:
    """Text of the whole template; *conclusions* maps (slot, field) to what stands between the marks."""
    template = load_template()
    lines: dict[int, list[str]] = {}
    for slot in template.slots:
        filled = {}
        for name, field in slot.fields[language].items():
            left, right = template.marks[field.kind] if marks else ("", "")
            filled[name] = left + conclusions[slot.name, name] + right
        lines.setdefault(slot.paragraph if language == "zh" else 0, []).append(
            slot.text[language].format(**filled)
        )
    if language == "zh":
        return template.opening["zh"] + "\n".join("".join(line) for line in lines.values())
    return " ".join([template.opening["en"], *lines[0]])


def _override(
    conclusions: dict[tuple[str, str], str], fields: Mapping[str, str] | None, language: str
) -> dict[tuple[str, str], str]:
    known = [f"{slot}.{name}" for slot, name in conclusions]
    for key, text in (fields or {}).items():
        if key not in known:
            raise UnknownNameError(f"template field ({language})", key, known)
        slot, _, name = key.partition(".")
        conclusions[slot, name] = text
    return conclusions


def _texts(language: str, attribute: Literal["text", "normal"]) -> dict[tuple[str, str], str]:
    """(slot, field) → the template's own conclusion, or a normal one.

    The template words normal uptake differently for different organs; these wordings are kept in either case.
    """
    found = {}
    for slot in slots():
        for name, field in slot.fields[language].items():
            keep = attribute == "text" or field.state is UptakeState.NORMAL
            found[slot.name, name] = field.text if keep else _cased(field, field.normal)
    return found


def _cased(field: Field, phrase: str) -> str:
    """*phrase* with a capital where the template's own conclusion begins a sentence."""
    return phrase[0].upper() + phrase[1:] if field.text[0].isupper() else phrase


def render_template(language: str = "zh", fields: Mapping[str, str] | None = None, marks: bool = True) -> str:
    """The benchmark's template, word for word, as a copier would output it.

    *fields* replaces conclusions: ``{"lungs.uptake": "摄取未见异常"}``. *marks*: with brackets.
    Raises :class:`UnknownNameError` for a field or language that is not there.
    """
    return _render(_override(_texts(_language(language), "text"), fields, language), language, marks)


def all_normal(language: str = "zh", marks: bool = True) -> str:
    """The template with every CT and uptake conclusion normal: the baseline that never finds anything."""
    return _render(_texts(_language(language), "normal"), language, marks)


def slot_states(states: States) -> dict[str, UptakeState]:
    """Slot name → state, for every slot with an uptake conclusion.

    *states* is keyed by slot names (``kidney_left``) or organ keys (``kidneys``). The states of an organ are
    laid over its slots in order, most abnormal first, the last state repeated: the liver with the states
    increased and decreased is ``increased``, its left lobe ``decreased``. What is not named is normal.
    Raises :class:`UnknownNameError` for a key without an uptake slot, ValueError for states without a place.
    """
    given: dict[str, list[UptakeState]] = {}
    with_uptake = [s for s in slots() if s.has_uptake]
    known = dict.fromkeys([s.name for s in with_uptake] + list(template_organs()))
    for key, value in states.items():
        if key not in known:
            raise UnknownNameError("organ of the template", key, known)
        raw = {UptakeState(value)} if isinstance(value, str) else {UptakeState(v) for v in value}
        given[key] = [s for s in UptakeState if s in raw]
    found: dict[str, UptakeState] = {}
    for slot in with_uptake:
        if slot.name in given and slot.name not in slot.organs:
            choice, siblings = given[slot.name], [slot.name]
        else:
            organs = [given[organ] for organ in slot.organs if organ in given]
            if any(o != organs[0] for o in organs):
                raise ValueError(
                    f"{' and '.join(slot.organs)} share a slot of the template and cannot differ"
                )
            choice, siblings = (
                organs[0] if organs else [],
                [s.name for s in with_uptake if s.organs == slot.organs],
            )
        if len(choice) > len(siblings):
            raise ValueError(
                f"{len(choice)} states do not fit into {len(siblings)} slot(s): {', '.join(siblings)}"
            )
        place = min(siblings.index(slot.name), len(choice) - 1)
        found[slot.name] = choice[place] if choice else UptakeState.NORMAL
    return found


def render(
    states: States,
    language: str = "zh",
    *,
    fields: Mapping[str, str] | None = None,
    marks: bool = True,
    ct: Literal["normal", "template"] = "normal",
) -> str:
    """A report in the template's form that states *states* (see :func:`slot_states`); the rest is normal.

    CT conclusions are normal, or with ``ct="template"`` the template's own; *fields* replaces single ones.
    ``parse_report(render(states)).states`` gives *states* back, with the other slots normal.
    """
    chosen = slot_states(states)
    conclusions = _texts(_language(language), "text" if ct == "template" else "normal")
    for slot in slots():
        state = chosen.get(slot.name)
        for name, field in slot.fields[language].items():
            if state and field.phrases:
                own = state is field.state
                conclusions[slot.name, name] = field.text if own else _cased(field, field.phrases[state])
    return _render(_override(conclusions, fields, language), language, marks)
