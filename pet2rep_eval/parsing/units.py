"""A clause: the tokens between two commas, and what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

from pet2rep_eval.parsing.grammar import ELEMENTS
from pet2rep_eval.parsing.tokens import Token


@dataclass(slots=True, init=False)
class Clause:
    """Tokens between two commas, or a heading with its colon."""

    tokens: list[Token]
    section: str
    first: bool
    """It begins a sentence."""
    paragraph: bool
    """It begins a line or paragraph."""
    heading: bool
    chinese: bool
    stop: int
    """Where the comma or full stop that ends it stands, in the normalised text."""
    continued: bool
    """The sentence goes on after it."""

    colon: bool
    """A colon stands behind it."""
    inline: bool
    """A heading of a section that stands within a line."""
    soft: bool
    """Only a semicolon stands before it."""
    asks: bool
    """A question mark stands behind it."""
    announces: bool
    """A colon stands behind what it says first: what a semicolon parts may be of the same list."""
    heads_list: bool
    """A line of its own that says what is common to the places named below it."""
    trailing: bool
    """Words that the lexicon does not know stand between its last token and its end."""

    def __init__(
        self,
        tokens: list[Token],
        section: str,
        first: bool,
        paragraph: bool,
        heading: bool = False,
        chinese: bool = True,
        stop: int = -1,
        continued: bool = False,
        colon: bool = False,
        inline: bool = False,
        soft: bool = False,
        asks: bool = False,
        announces: bool = False,
        heads_list: bool = False,
        trailing: bool = False,
    ) -> None:
        self.tokens = tokens
        self.section = section
        self.first = first
        self.paragraph = paragraph
        self.heading = heading
        self.chinese = chinese
        self.stop = stop
        self.continued = continued
        self.colon = colon
        self.inline = inline
        self.soft = soft
        self.asks = asks
        self.announces = announces
        self.heads_list = heads_list
        self.trailing = trailing

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end


def is_chinese(tokens: list[Token]) -> bool:
    return sum([t.chinese for t in tokens]) * 2 >= len(tokens)


def names_only(tokens: list[Token]) -> bool:
    """A clause that only names places: a heading before its colon, or a member of a list."""
    return (
        any(t.kind in ("SITE", "REGION", "HILUM", "NODE") for t in tokens)
        and all(
            t.kind in ELEMENTS
            or t.kind in ("JOIN", "OF", "REST", "CUE", "COMMA")
            or (t.paren and t.kind in ("DIFFUSE", "FOCAL"))
            for t in tokens
        )
        and not any(t.kind == "CUE" and not t.concept.tracer for t in tokens)
    )


def says_so(token: Token) -> bool:
    return token.kind in (
        "HOT",
        "HYPO",
        "VOID",
        "EVEN",
        "COLD",
        "UP",
        "DOWN",
        "PHYS",
        "URINE",
        "VERDICT",
    ) or (token.kind == "CUE" and not token.concept.weak)


def says(clause: Clause) -> bool:
    return any(says_so(t) for t in clause.tokens)
