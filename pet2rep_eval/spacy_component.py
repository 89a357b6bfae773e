"""The parser as a spaCy pipeline component, beside any other: ``nlp.add_pipe("pet2rep_findings")``.

spaCy finds it by its entry point. It needs nothing but the text, so it works in every pipeline, blank ones
included::

    nlp = spacy.blank("zh")
    nlp.add_pipe("pet2rep_findings")
    doc = nlp("肝脏FDG摄取增高。")
    doc.spans["organs"], doc.spans["uptake"]      # labels: the organ, the state
    doc._.pet2rep_statements
    displacy.render(doc, style="span", options={"spans_key": "findings"})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

# spaCy imports this module when the component is asked for, and a factory is made by its decorator
from spacy.language import Language  # noqa: TID253
from spacy.tokens import Doc  # noqa: TID253
from spacy.tokens import Span as DocSpan  # noqa: TID253

from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import ParsedReport, Span, Statement, UptakeState

__all__ = ["Findings", "make_findings"]

NAME = "pet2rep_findings"
SPANS = ("organs", "ct", "uptake", "findings")
"""Groups of ``doc.spans``; ``findings`` holds the other three, for display."""


@lru_cache(maxsize=64)
def _read(text: str, language: str, sections: tuple[str, ...] | None) -> ParsedReport:
    return parse_report(text, language, sections=sections)


def _report(doc: Doc) -> ParsedReport:
    """The report of a document. Read again rather than stored, so that documents can be written to disk and
    handed between processes; a text is read once as long as it is among the last 64."""
    settings: Mapping[str, Any] = doc.user_data.get(NAME) or {}
    sections = settings.get("sections")
    return _read(doc.text, settings.get("language", "auto"), tuple(sections) if sections else None)


def _statements(doc: Doc) -> tuple[Statement, ...]:
    return _report(doc).statements


def _states(doc: Doc) -> Mapping[str, frozenset[UptakeState]]:
    return _report(doc).states


_EXTENSIONS = {"pet2rep_report": _report, "pet2rep_statements": _statements, "pet2rep_states": _states}


def _register() -> None:
    for name, getter in _EXTENSIONS.items():
        if not Doc.has_extension(name):
            Doc.set_extension(name, getter=getter)


_register()


@Language.factory(  # type: ignore[untyped-decorator]
    NAME,
    default_config={"language": "auto", "sections": None, "prefix": ""},
    assigns=["doc.spans", *(f"doc._.{name}" for name in _EXTENSIONS)],
)
def make_findings(
    nlp: Language, name: str, language: str, sections: list[str] | None, prefix: str
) -> Findings:
    """The component. *language* and *sections* as in ``parse_report``; *prefix* is put before the names of
    the span groups, where another component uses these names."""
    return Findings(language, tuple(sections) if sections else None, prefix)


class Findings:
    """Writes organs, CT findings and uptake into ``doc.spans``; the statements are under ``doc._``."""

    def __init__(
        self, language: str = "auto", sections: tuple[str, ...] | None = None, prefix: str = ""
    ) -> None:
        self.language, self.sections, self.prefix = language, sections, prefix

    def __call__(self, doc: Doc) -> Doc:
        doc.user_data[NAME] = {
            "language": self.language,
            "sections": list(self.sections) if self.sections else None,
        }
        statements = _report(doc).statements
        groups: dict[str, list[tuple[Span | None, str | None]]] = {
            "organs": [(s.mention, s.organ or s.region) for s in statements],
            "ct": [(s.ct, "CT") for s in statements],
            "uptake": [(s.uptake, s.state.value) for s in statements if s.state],
        }
        found = {key: _spans(doc, marks) for key, marks in groups.items()}
        found["findings"] = sorted(
            (span for spans in found.values() for span in spans), key=lambda span: (span.start, span.end)
        )
        for key in SPANS:
            doc.spans[self.prefix + key] = found[key]
        return doc


def _spans(doc: Doc, marks: Iterable[tuple[Span | None, str | None]]) -> list[DocSpan]:
    """Character ranges as spans of whole tokens, each range and label once."""
    found = []
    for span, label in dict.fromkeys(marks):
        if span is None or not label:
            continue
        piece = doc.char_span(span.start, span.end, label=label, alignment_mode="expand")
        if piece is not None:
            found.append(piece)
    return found
