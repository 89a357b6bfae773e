"""The Lark parser, fed with kinds that are tokens already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from lark import Lark
from lark import Token as LarkToken
from lark.lexer import Lexer

from pet2rep_eval.resources import read_text


class _KindLexer(Lexer):
    """Feeds kinds that are tokens already."""

    def __init__(self, conf: object) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any = None) -> Iterator[LarkToken]:
        for index, kind in enumerate(lexer_state):
            yield LarkToken(kind, str(index), start_pos=index, end_pos=index + 1)


@lru_cache(maxsize=1)
def parser() -> Lark:
    """The parser of ``grammars/clause.lark``."""
    return Lark(
        read_text("grammars", "clause.lark"), parser="lalr", lexer=_KindLexer, propagate_positions=True
    )
