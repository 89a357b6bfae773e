"""What only looks like a word in its place, and what a word means beside others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing.normalise import Normalised

if TYPE_CHECKING:
    from pet2rep_eval.parsing.tokens import Token

_PREDICATES = frozenset(
    "CUE NEG DEG HOT AGAINST ABN UNEVEN DIFFUSE FOCAL VERB UP DOWN PHYS SURROUND CHANGE PRESENT SYM BUT".split()
)

LOCATING = frozenset({"lower", "low", "high", "higher"})
"""Directions that before a name say where: "lower cervical"."""

_ENDS = re.compile(r"\s*(?:[.,;)\n(]|$)")
_VALUE = re.compile(r" ?(?:suv ?(?:max|mean)?)? ?[:=]? ?\d{1,2}\.\d")
_AT_REST = re.compile(
    r" ?(?:[/-] ?stress|and stress|(?:myocardial )?(?:tracer|perfusion|uptake|imag|stud|scan|flow|mbf|phase"
    r"|ef\b|lvef|1?3?n?-?ammonia|82?-?rb|rubidium))"
)
_LIMIT = re.compile(
    r":? ?(?:range|values?|limits?|is)? ?[:=]? ?[<>≥≤] ?\d|:? ?(?:range|values?|limits?) ?[:=]? ?\d"
)

_LEVELS = frozenset({"low", "high"})

_NAMES = frozenset({"SITE", "REGION", "SIDE", "PART", "NODE", "HILUM"})

COMPOUND = frozenset("poor enriched rich positive negative low high deficient active".split())
"""Words that behind a hyphen speak of the word before it: "lipid-poor", "HPV-positive"."""

LIMITED = frozenset({"normal", "rest", "cmr", "background"})
"""Words that before a limit, before a study at rest, or before a verb mean something else."""

PRIOR_TO = frozenset({"from the prior", "from prior", "from the previous", "from previous"})
"""Words for an earlier study that before a disease only say what came of it."""

FIELDS = {"soft tissue": "soft tissues"}
"""Words for a lesion that as the name of a field name a place."""

DENYING = {"devoid": "free of"}
"""Words for a lack of uptake that before a word for abnormal uptake deny it."""

REFERENCES = {
    "background liver": "liver",
    "background hepatic": "liver",
    "physiologic liver": "liver",
    "physiological liver": "liver",
    "=liver": "liver",
}
"""Words for what is compared with that without a value, or behind a key, speak of the organ."""

SHORT_KINDS = frozenset({"UP", "DOWN", "NEG", "SIDE", "PRIOR", "DEG", "PRESENT"})


def settle(tokens: list[Token], doubtful: list[int], normalised: Normalised) -> list[Token]:
    """Drops what only looks like a word: phrases to ignore, and one-character Chinese words out of their place.

    *doubtful* are the indices of the tokens to look at.
    """
    for i in doubtful:
        if not tokens[i].chinese:
            _reconsider(tokens, i, normalised)
    dropped = {i for i in doubtful if not _stands(tokens, i, normalised)}
    for i in doubtful:
        seen = tokens[i].kind in ("DISEASE", "BENIGN") and bool(tokens[i].concept.organs)
        if seen and (_is_seen(tokens, i) or _is_denied(tokens, i) or _names_field(tokens, i, normalised)):
            tokens[i].kind, tokens[i].sign = "SITE", f"{tokens[i].text} seen"
    return [t for i, t in enumerate(tokens) if i not in dropped] if dropped else tokens


def _reconsider(tokens: list[Token], i: int, normalised: Normalised) -> None:
    """What an English word means as the name of a field, behind such a name, or without a value."""
    token = tokens[i]
    if token.text in FIELDS and _is_field(tokens, i, normalised):
        _becomes(token, FIELDS[token.text])
    elif token.text in DENYING and _lacks_abnormal(tokens, i):
        _becomes(token, DENYING[token.text])
    elif token.text in REFERENCES and (_follows_key(token, normalised) or _is_spoken_of(tokens, i)):
        _becomes(token, REFERENCES[token.text])


def _lacks_abnormal(tokens: list[Token], i: int) -> bool:
    """ "Devoid of hypermetabolic lesions": what is lacking is nothing normal."""
    return [t.kind for t in tokens[i + 1 : i + 3]] in (["IN", "HOT"], ["IN", "ABN"], ["IN", "FOCAL"])


def _is_field(tokens: list[Token], i: int, normalised: Normalised) -> bool:
    """ "Soft tissue: deltoid, intense", but not "Skin/soft tissue: scar"."""
    return normalised.text.startswith(":", tokens[i].end) and not (i and tokens[i - 1].kind == "JOIN")


def _follows_key(token: Token, normalised: Normalised) -> bool:
    """ "organ=liver", but not "uptake =liver"."""
    return token.text.startswith("=") and normalised.text[token.start - 1 : token.start].isalpha()


def _is_spoken_of(tokens: list[Token], i: int) -> bool:
    """ "Physiologic liver and bowel activity": no value that others are compared with."""
    before, behind = tokens[i - 1].kind if i else "", [t.kind for t in tokens[i + 1 : i + 5]]
    return (
        (tokens[i].kind == "REF" or (tokens[i].kind == "SURROUND" and not i))
        and before not in ("ABOVE", "BELOW", "EQUAL", "AGAINST")
        and "CUE" in behind
        and "SUV" not in behind
    )


def _becomes(token: Token, phrase: str) -> None:
    """The token means what another phrase means."""
    token.concept = load_lexicon().phrases[phrase]
    token.kind, token.sign = token.concept.kind, f"{phrase} field"


def _is_seen(tokens: list[Token], i: int) -> bool:
    """ "Nasopharyngeal carcinoma (SUVmax 13.1)", "a hypermetabolic lung cancer": the tumour itself, no history."""
    token = tokens[i]
    before = tokens[i - 1] if i else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if after is not None and after.kind == "COMMA":
        after = tokens[i + 2] if i + 2 < len(tokens) else None
    return not token.chinese and (
        (before is not None and before.kind in ("HOT", "VERDICT") and token.start - before.end <= 1)
        or (after is not None and after.kind == "SUV" and after.start - token.end <= 2)
    )


def _names_field(tokens: list[Token], i: int, normalised: Normalised) -> bool:
    """ "Early esophageal cancer: no accumulation"."""
    after = normalised.text[tokens[i].end : tokens[i].end + 1]
    return tokens[i].kind == "DISEASE" and after == ":" and not tokens[i].chinese


def _is_denied(tokens: list[Token], i: int) -> bool:
    """ "No uptake suggestive of spondylodiscitis": of that place."""
    before = [t.kind for t in tokens[max(0, i - 4) : i]]
    return (
        tokens[i].kind == "BENIGN"
        and not tokens[i].chinese
        and before[-2:] == ["CUE", "CAUSE"]
        and (before[:1] == ["NEG"] or before[1:2] == ["NEG"])
    )


def _leads_to_cue(tokens: list[Token], i: int) -> bool:
    """Whether the names of a list lead to a word of uptake."""
    while i < len(tokens) and tokens[i].kind in _NAMES:
        i += 1
        joined = i
        while i < len(tokens) and tokens[i].kind in ("JOIN", "COMMA"):
            i += 1
        if i == joined:
            break
    return i < len(tokens) and tokens[i].kind == "CUE"


_ASKED, _ENDED = re.compile(r"(?:[:|?\t=\]-]|\buptake|\bavid)[ \t]*$"), re.compile(r"(?![ \t]*[a-z0-9])")


def _answers(normalised: Normalised, token: Token) -> bool:
    """ "Nodes avid: Y": a letter alone that fills a field."""
    text = normalised.text
    asked = _ASKED.search(text, max(0, token.start - 8), token.start)
    ended = token.end in normalised.paragraphs or token.end in normalised.breaks
    ended = ended or _ENDED.match(text, token.end) is not None
    return asked is not None and ended


def _is_meant(token: Token, text: str) -> bool:
    """Whether the word means what it usually does."""
    if token.text == "background":
        if text.startswith(" of ", token.end) and text[max(0, token.start - 2) : token.start] in (
            "",
            ". ",
            "a ",
        ):
            return False  # "Background of emphysema."
        return _VALUE.match(text, token.end) is None  # "(SUVmax 4.9; background 2.6)"
    if token.text == "cmr":
        return _ENDS.match(text, token.end) is not None  # "CMR showed …": the other modality
    if token.text == "rest":
        return _AT_REST.match(text, token.end) is None  # "rest perfusion": not the remainder
    return _LIMIT.match(text, token.end) is None  # "1.21 (normal > 2.2)"


def _stands(tokens: list[Token], i: int, normalised: Normalised) -> bool:
    """Whether a token stands where it is a word of its own."""
    token, text = tokens[i], normalised.text
    if token.kind == "IGNORE":
        return False
    if token.text in LIMITED:
        return _is_meant(token, text)
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if (
        token.text in PRIOR_TO
        and after is not None
        and after.kind in ("FINDING", "DISEASE", "BENIGN", "REMOVED")
        and after.start - token.end <= 1
    ):
        return False  # "from the prior stroke"
    if (
        token.text in LOCATING
        and after is not None
        and after.kind in _NAMES
        and after.start - token.end <= 1
        and token.end not in normalised.breaks
        and token.end not in normalised.paragraphs
        and not (
            token.text in _LEVELS
            and (
                _leads_to_cue(tokens, i + 1) or (i and after.kind == "SIDE" and tokens[i - 1].concept.copula)
            )
        )
    ):
        return False  # but "low brain and liver activity"
    if token.text in COMPOUND and text[max(0, token.start - 1) : token.start] == "-":
        begin = token.start - 1
        if text[begin - 1 : begin].isalnum() and not (i and tokens[i - 1].end == begin):
            return False  # "lipid-poor", "HPV-positive": but "FDG-positive" is known
    if not token.chinese and len(token.text) == 1 and token.kind in ("NEG", "VERB"):
        return _answers(normalised, token)
    if not token.chinese or token.end - token.start != 1 or token.kind not in SHORT_KINDS:
        return True
    before = tokens[i - 1] if i else None
    joined_after = after is not None and after.start - token.end <= (2 if token.kind == "NEG" else 0)
    if token.kind in ("UP", "DOWN"):
        joined_before = before is not None and before.end == token.start
        compared = joined_before and any(t.kind == "AGAINST" for t in tokens[max(0, i - 5) : i])  # 较右侧低
        return bool(
            compared
            or (joined_before and before is not None and before.kind in _PREDICATES)
            or (joined_after and after is not None and after.kind in ("CUE", "HOT"))
        )
    return joined_after or (
        token.kind == "SIDE" and before is not None and before.kind in ("BUT", "COMMA", "STOP")
    )
