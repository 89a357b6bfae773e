"""The measures of a clause, and what a quoted SUV says."""

from __future__ import annotations

from collections.abc import Sequence

from pet2rep_eval.lexicon import Site
from pet2rep_eval.parsing.drafts import ReadClause
from pet2rep_eval.parsing.measures import read_size, read_suv
from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.records import Suv

SUV_THRESHOLD = 2.0
"""A lesion with a quoted SUV and no word for its uptake is increased from here up (labelling rules)."""


def measured(tokens: Sequence[Token]) -> tuple[tuple[Suv, ...], list[tuple[float, ...]]]:
    """The SUVs and sizes of a clause, without those of an earlier study."""
    suv: tuple[Suv, ...] = ()
    sizes: list[tuple[float, ...]] = []
    prior = aside = False
    for i, token in enumerate(tokens):
        if aside and not token.paren:
            prior = aside = False
        if token.kind == "PRIOR":
            prior = True
            aside = aside or token.paren  # "11 mm (previously 7 mm), SUVmax 3.8"
            last = tokens[i - 1]
            near = token.start - last.end <= 3  # but "SUVmax 3.0 against 15.2 before"
            if token.concept.behind and i and last.kind == "SUV" and last.paren == token.paren and near:
                suv = suv[: -len(read_suv(tokens[i - 1].text)) or None]
        elif token.paren and (
            token.kind == "REF" or (token.concept.copula and (i == 0 or not tokens[i - 1].paren))
        ):
            prior = aside = True  # "SUVmax 1.2 (was 10.5)", "SUVmax 4.9 (liver SUVmax 3.1)"
        elif token.kind == "PRESENT":
            prior = False
        elif (
            token.kind == "SIZE"
            and token.paren
            and suv
            and tokens[i - 1].kind == "SUV"
            and not tokens[i - 1].paren
        ):
            prior = aside = True  # "SUVmax 1.9 (9.4 x 6.0 cm, SUVmax 21.4)"
        elif token.kind == "SUV" and not prior:
            suv += read_suv(token.text)
        elif token.kind == "SIZE" and not prior:
            axes = read_size(token.text)
            if axes:
                sizes.append(axes)
    return suv, sizes


def is_quoted(site: Site, read: ReadClause) -> bool:
    """ "Uptake in the terminal ileum, SUVmax 7": where nobody measures what is ordinary, a quoted SUV is not."""
    return bool(read.suv) and not site.measured and max(v.value for v in read.suv) >= SUV_THRESHOLD
