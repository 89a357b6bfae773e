"""What a clause says of uptake: negation × degree × direction × comparison compose to a state.

One pass over the tokens of a clause. A *cue* (uptake, FDG, 代谢) waits for a direction, a direction waits for what it
is about (uptake, or structure), a negation reaches to the end of its stretch. Nothing here knows of organs, save
that a comparison needs to know what it compares with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.records import UptakeState

INCREASED, DECREASED = UptakeState.INCREASED, UptakeState.DECREASED
ABSENT, NORMAL = UptakeState.ABSENT, UptakeState.NORMAL

_DIRECTION = {"UP": INCREASED, "DOWN": DECREASED, "COLD": ABSENT, "EVEN": NORMAL}
_DIRECT = {"HOT": INCREASED, "HYPO": DECREASED, "VOID": ABSENT}
_SEEN_WORDS = frozenset(
    "seen noted identified visualized visualised found observed evident present detected appreciated visible depicted demonstrated confirmed".split()
)
_TRACER_WORDS = ("放射性", "fdg", "示踪", "显像", "代谢", "metabol", "avid")
_NOUNS = frozenset({"CUE", "STRUCT", "LESION", "NODE", "FINDING", "HOT"})


_REFERENCE_ORGANS = frozenset({"liver", "great_vessels", "mediastinal_hilar_lymph_nodes", "spleen", "heart"})


@dataclass(slots=True)
class Verdict:
    """A statement about uptake inside a clause; ``first`` and ``last`` are token indices, inclusive."""

    state: UptakeState
    first: int
    last: int
    degree: str | None = None
    activity: bool = False
    """Only "activity is seen": whether that is much depends on the organ."""
    bare: bool = False
    """A normal word without any word for uptake."""
    prior: bool = False
    """Said of an earlier study."""
    negated: bool = False
    residual: bool = False
    """Less than before, but still there."""
    adjective: bool = False
    spread: bool = False
    """Only says how tracer is spread (不均匀, 弥漫分布), or how it changed: a later word can say more."""
    no_uptake: bool = False
    """No uptake at all: normal, unless the next words call it a defect."""


@dataclass(slots=True)
class Reading:
    """What one clause says. Readings are remembered and shared: nobody changes one after it is made."""

    verdicts: list[Verdict] = field(default_factory=list)
    cue: bool = False
    """The clause speaks of uptake at all."""
    cue_at_end: bool = False
    """The last noun is uptake, so that a direction in the next clause is about it."""
    structural: bool = False
    physiological: bool = False
    """The clause says "physiological" and no other word of uptake."""
    called_physiological: bool = False
    """The clause names a physiological cause for what was said."""
    resolved: bool = False
    change: bool = False
    compared: set[int] = field(default_factory=set)
    """Tokens that name what is compared with: no subject of the sentence."""
    contrast: bool = False
    """It speaks of contrast agent."""
    uncertain: bool = False
    """It says that uptake cannot be judged."""


@dataclass(slots=True)
class _Open:
    """A word for uptake that has no direction yet."""

    first: int
    last: int
    default: UptakeState | None
    degree: str | None
    negated: bool
    focal: bool
    physiological: bool
    abnormal: bool
    spread: bool = False
    prior: bool = False
    symmetric: bool = False
    uneven: bool = False
    used: bool = False


def read(
    tokens: Sequence[Token],
    *,
    inherits_cue: bool,
    earlier_cue: bool,
    change: bool = False,
    form: bool = False,
    contrast: bool = False,
    about: frozenset[str] = frozenset(),
) -> Reading:
    """Reads a clause.

    *inherits_cue*: the clause before ended on a word for uptake, so a lone direction is about uptake.
    *earlier_cue*: the sentence spoke of uptake before this clause. *change*: it compares with an earlier study.
    *form*: the clause fills a field of a form, so that a lone direction is about uptake. *contrast*: the sentence
    speaks of contrast agent. *about*: the organs that the text speaks of, so that "colder than the liver" said of a
    liver lesion is a defect and said of a node is not.
    """
    compared = frozenset(o for t in _before_comparison(tokens) for o in t.concept.organs) & _REFERENCE_ORGANS
    key = (
        tuple([(t.kind, t.text, t.paren) for t in tokens]),
        (inherits_cue, earlier_cue, change, form, contrast),
        compared | (about & _REFERENCE_ORGANS),
    )
    known = _read_before.get(key)
    if known is None:
        reader = _Reader(tokens, inherits_cue, earlier_cue)
        reader.change, reader.form, reader.contrast, reader.about = change, form, contrast, key[2]
        known = reader.run()
        if len(_read_before) >= _REMEMBERED:
            _read_before.clear()
        _read_before[key] = known
    return known


_REMEMBERED = 20_000
_read_before: dict[tuple[object, ...], Reading] = {}
"""Readings by what decides them: reports repeat clauses, and distinct reports repeat many of them."""


def _before_comparison(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens before the first word that compares."""
    at = next((i for i, t in enumerate(tokens) if t.kind in ("BELOW", "ABOVE", "EQUAL", "AGAINST")), 0)
    return tokens[:at]


class _Reader:
    def __init__(self, tokens: Sequence[Token], inherits_cue: bool, earlier_cue: bool) -> None:
        self.tokens = tokens
        self.size = len(tokens)
        self.out = Reading()
        self.nouns: set[str] = {"cue"} if inherits_cue else set()
        self.inherited = inherits_cue
        self.earlier_cue = earlier_cue
        self.open: _Open | None = None
        self.pending: tuple[UptakeState, int, bool, str | None, bool] | None = (
            None  # state, index, negated, degree, physiological
        )
        self.neg: int | None = None
        self.neg_used = False
        self.degree: str | None = None
        self.degree_at = -9
        self.physiological = False
        self.seen_physiological = False
        self.spread = False
        self.symmetric = False
        self.abnormal: int | None = None
        self.focal: int | None = None
        self.prior = False
        self.change = False
        self.shared: tuple[UptakeState, bool, int] | None = None
        self.comparison: tuple[str, int] | None = None
        self.cause = False
        self.skip: set[int] = set()
        self.form = self.contrast = False
        self.about: frozenset[str] = frozenset()
        self.named_since = self.no_new = self.instead = self.valued = False

    def _is_reference(self, token: Token) -> bool:
        """What lesions elsewhere are compared with: to be colder than it is no defect."""
        organs = frozenset(token.concept.organs)
        if token.kind == "REF":
            return True
        return not _REFERENCE_ORGANS.isdisjoint(organs) and self.about.isdisjoint(organs)

    # --- the walk

    def run(self) -> Reading:
        for i, token in enumerate(self.tokens):
            if i in self.skip or (token.kind == "EVEN" and i in self.out.compared):
                continue
            if self.cause and token.kind not in ("PHYS", "BUT", "JOIN", "URINE"):
                if token.kind == "COMMA" or (token.kind in ("NEG", "VERB") and not token.chinese):
                    self.cause = False
                else:
                    continue
            handler = getattr(self, "on_" + token.kind.lower(), None)
            if handler is not None:
                handler(i, token)
        self._close_stretch(self.size)
        self._finish()
        if any(t.kind == "UNCERTAIN" for t in self.tokens):
            self.out.verdicts.clear()
            self.out.uncertain = True
        if self.no_new:
            self.out.verdicts = [v for v in self.out.verdicts if not v.negated]
        self.out.contrast = self.contrast
        return self.out

    def _next_kind(self, i: int) -> str:
        return self.tokens[i + 1].kind if i + 1 < self.size else ""

    def _next_token(self, i: int) -> Token | None:
        return self.tokens[i + 1] if i + 1 < self.size else None

    def _emit(
        self,
        state: UptakeState,
        first: int,
        last: int,
        negated: bool,
        *,
        degree: str | None = None,
        bare: bool = False,
        physiological: bool = False,
        adjective: bool = False,
    ) -> Verdict:
        verdict = Verdict(
            state, first, last, degree, bare=bare, prior=self.prior, negated=negated, adjective=adjective
        )
        if negated:
            if state is NORMAL and not bare:
                # "not normal" says that something is wrong, not what
                verdict.state = INCREASED if not self.tokens[last].chinese else NORMAL
            else:
                verdict.state = NORMAL
            verdict.degree = None
        elif physiological and state is INCREASED:
            verdict.state, verdict.degree = NORMAL, None
        elif self.change and state is DECREASED:
            verdict.state, verdict.residual, verdict.spread = INCREASED, True, True
        if not bare:
            self.out.cue = True
        self.out.verdicts.append(verdict)
        return verdict

    def _negated(self) -> bool:
        if self.neg is not None:
            self.neg_used = True
            return True
        return False

    def _degree_for(self, i: int) -> str | None:
        return self.degree if self.degree and i - self.degree_at <= 4 else None

    # --- words for uptake

    def on_cue(self, i: int, token: Token) -> None:
        self.out.cue = True
        if self.pending is not None:
            state, at, negated, degree, physiological = self.pending
            self.pending = None
            self._emit(
                state,
                at,
                i,
                negated,
                degree=degree or self._degree_for(i),
                physiological=physiological or self.physiological,
            )
            self.nouns = {"cue"}
            self.shared = (state, negated, i)
            self.open = _Open(at, i, None, None, negated, False, self.physiological, False, used=True)
            self._reset_modifiers()
            return
        if (
            self.open is not None
            and i - self.open.last <= 2
            and not any(
                t.kind in ("COMMA", "STRUCT", "JOIN", "BUT") for t in self.tokens[self.open.last + 1 : i]
            )
        ):
            self.open.last = i
            if self.out.verdicts and self.open.used and self.out.verdicts[-1].last >= self.open.first:
                self.out.verdicts[-1].last = max(i, self.out.verdicts[-1].last)
            self._absorb(i)
            self.nouns.add("cue")
            return
        self._finish_open()
        before = self.tokens[i - 1].kind if i else ""
        if not (before in ("JOIN", "COORD") and self.nouns) and not (before == "STRUCT" and token.chinese):
            self.nouns = set()
        self.nouns.add("cue")
        if before == "JOIN" and self.shared is not None and i - self.shared[2] <= 3:
            state, negated, _ = self.shared
            self._emit(state, i, i, negated)
            self.open = _Open(i, i, None, None, False, False, False, False, used=True)
            return
        first = min(
            x
            for x in (
                i,
                self.neg if self.neg is not None else i,
                self.abnormal if self.abnormal is not None else i,
                self.degree_at if self._degree_for(i) else i,
            )
        )
        self.open = _Open(
            first,
            i,
            None,
            self._degree_for(i),
            self.neg is not None,
            self.focal is not None,
            self.physiological,
            self.abnormal is not None,
            self.spread,
            self.prior,
        )
        if self.neg is not None:
            self.neg_used = True
        self._reset_modifiers()

    def _absorb(self, i: int) -> None:
        """Modifiers between two words for uptake belong to the expression as a whole."""
        assert self.open is not None
        self.open.degree = self.open.degree or self._degree_for(i)
        self.open.abnormal |= self.abnormal is not None
        self.open.focal |= self.focal is not None
        self.open.physiological |= self.physiological
        self.open.negated |= self.neg is not None
        self._reset_modifiers()

    def on_hot(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def on_hypo(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def on_void(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def _direct(self, i: int, token: Token) -> None:
        state = _DIRECT[token.kind]
        noun = token.concept.noun
        if self.contrast and not (
            self.open is not None or self.out.cue or any(w in token.text for w in _TRACER_WORDS)
        ):
            return
        if (
            token.kind == "VOID"
            and not token.chinese
            and self.neg_used
            and self.tokens[i - 1].kind == "JOIN"
            and not self.tokens[i - 1].concept.alternative
        ):
            self._close_stretch(i)  # "without activity and photopenic"
        if (
            token.kind in ("VOID", "HYPO")
            and self.open is not None
            and not self.open.used
            and any(
                t.kind in ("JOIN", "BUT") or (t.kind == "VERB" and not t.chinese)
                for t in self.tokens[self.open.last + 1 : i]
            )
        ):
            self._finish_open()  # "rim uptake and a cold centre"
        negated = self._negated()
        first = i
        degree = self._degree_for(i)
        physiological = self.physiological
        if self.pending is not None and self.pending[1] >= i - 4:
            pstate, at, pneg, pdeg, pphys = self.pending
            self.pending = None
            first = at
            degree = degree or pdeg
            negated = negated or pneg
            physiological = physiological or pphys
            if noun and pstate in (DECREASED, ABSENT):
                state = pstate
            elif noun and pstate is NORMAL:
                state = NORMAL
            elif token.kind == "HOT" and not noun and pstate is DECREASED:
                state = INCREASED
                if self._next_kind(i) == "AGAINST":
                    # "less metabolically active than the white matter"
                    state = DECREASED if self._target(i + 1) in ("surround", "side") else NORMAL
        if (
            self.open is not None
            and not self.open.used
            and not any(t.kind in ("COMMA",) for t in self.tokens[self.open.last : i])
        ):
            first = min(first, self.open.first)
            negated = negated or (self.open.negated and token.chinese) or self.open.negated
            degree = degree or self.open.degree
            physiological = physiological or self.open.physiological
        elif (
            self.open is not None
            and self.open.used
            and self.out.verdicts
            and self.out.verdicts[-1].last == i - 1
            and self.out.verdicts[-1].state is state
        ):
            self.out.verdicts[-1].last = i
            return
        if self.neg is not None:
            first = min(first, self.neg)
        verdict = self._emit(
            state, first, i, negated, degree=degree, physiological=physiological, adjective=not noun
        )
        verdict.spread = token.concept.weak
        self.open = _Open(first, i, None, None, negated, False, physiological, False, used=True)
        self.nouns = {"cue"}
        self.shared = None
        self._reset_modifiers()
        if noun and token.chinese is False:
            self.open = _Open(first, i, state, degree, negated, False, physiological, False, used=True)

    def _reset_modifiers(self) -> None:
        self.abnormal = None
        self.focal = None
        self.physiological = False
        self.degree = None
        self.spread = self.symmetric = False

    # --- directions

    def on_up(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_down(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_cold(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_even(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def _towards(self, i: int, token: Token) -> None:
        state = _DIRECTION[token.kind]
        negated = self._negated()
        degree = self._degree_for(i)
        if degree is None and token.kind == "UP" and token.text.startswith("intense"):
            degree = "marked"
        following = self._next_kind(i)
        takes_next = following in ("CUE", "STRUCT") or (
            following == "IN" and i + 2 < self.size and self.tokens[i + 2].kind in ("CUE", "STRUCT")
        )
        if not token.chinese and following in (
            "ABN",
            "FOCAL",
            "DIFFUSE",
            "UNEVEN",
            "PHYS",
            "DEG",
            "HOT",
            "UP",
            "DOWN",
        ):
            ahead = next(
                (
                    t.kind
                    for t in self.tokens[i + 1 : i + 5]
                    if t.kind not in ("ABN", "FOCAL", "DIFFUSE", "UNEVEN", "PHYS", "DEG", "UP", "DOWN")
                ),
                "",
            )
            takes_next = ahead in ("CUE", "HOT", "STRUCT")
        if not token.chinese and not takes_next and following in ("SIDE", "SITE", "PART"):
            ahead = next(
                (
                    t.kind
                    for t in self.tokens[i + 1 : i + 6]
                    if t.kind not in ("SIDE", "SITE", "PART", "JOIN", "LIST", "CENTER")
                ),
                "",
            )
            takes_next = ahead in ("CUE",)
        attributive = takes_next and (not token.chinese or following == "CUE")
        if attributive and not (
            "cue" in self.nouns and self.open is not None and not self.open.used and token.chinese
        ):
            if self.neg is not None and self.pending is None:
                pass
            self._finish_open()
            self.pending = (
                state,
                i if self.neg is None else min(i, self.neg),
                negated,
                degree,
                self.physiological,
            )
            return
        if self.comparison is not None:
            kind, at = self.comparison
            state = self._compared(kind, at, state, i)
            self.comparison = None
        if "cue" in self.nouns:
            self._conclude(state, i, negated, degree)
            return
        if "struct" in self.nouns:
            self.out.structural = True
            self.shared = None
            if token.kind != "EVEN":
                self.nouns = set()
            self._reset_modifiers()
            return
        lone = token.kind in ("UP", "DOWN") or "缺损" in token.text
        if self.earlier_cue and token.chinese and lone and not self.inherited:
            self._emit(state, i, i, negated, degree=degree)
            self._reset_modifiers()
            return
        if token.kind == "COLD" and i and self.tokens[i - 1].kind == "CENTER":
            self._emit(state, i, i, negated)
            return
        self.pending = (state, i, negated, degree, self.physiological)

    def _conclude(self, state: UptakeState, i: int, negated: bool, degree: str | None) -> None:
        """A direction has found its word for uptake."""
        verdicts = self.out.verdicts
        opened = self.open
        first = i
        if self.neg is not None:
            first = min(first, self.neg)
        if opened is not None and not opened.used:
            if (
                self.tokens[i].kind == "COLD"
                and opened.negated
                and (
                    self.tokens[i].paren != self.tokens[opened.last].paren
                    or any(t.kind in ("OF", "COMMA") for t in self.tokens[opened.last : i])
                )
            ):
                opened.negated = negated = False  # 无摄取的缺损区
            negated = negated or opened.negated
            if opened.negated or opened.first < first:
                first = min(first, opened.first)
            verdict = self._emit(
                state,
                first,
                i,
                negated,
                degree=degree or opened.degree,
                physiological=opened.physiological or self.physiological,
            )
            verdict.prior = verdict.prior or opened.prior
            opened.used = True
            opened.last = i
        elif (
            opened is not None
            and verdicts
            and verdicts[-1].last >= opened.last
            and i - verdicts[-1].last <= 5
            and not any(
                t.kind in ("JOIN", "COMMA", "BUT", "VERB", "NEG")
                for t in self.tokens[verdicts[-1].last + 1 : i]
            )
            and verdicts[-1].last >= opened.first
        ):
            # 浓聚增高, 浓聚减低: the same expression goes on
            last = verdicts[-1]
            last.last = i
            last.degree = last.degree or degree
            if not last.negated and state in (DECREASED, ABSENT) and self.tokens[opened.last].kind == "HOT":
                last.state = INCREASED if self.change else state
        else:
            self._emit(state, first, i, negated, degree=degree, physiological=self.physiological)
            if opened is not None:
                opened.last = i
        self.shared = None
        self._reset_modifiers()

    def on_verdict(self, i: int, token: Token) -> None:
        assert token.concept.state is not None
        self._emit(token.concept.state, i, i, False)

    # --- comparison

    def on_below(self, i: int, token: Token) -> None:
        self._compare("not above" if token.concept.state is NORMAL else "below", i)

    def on_above(self, i: int, token: Token) -> None:
        self._compare("above", i)

    def on_equal(self, i: int, token: Token) -> None:
        self._compare("equal", i)

    def on_against(self, i: int, token: Token) -> None:
        if token.chinese or self._target(i) is not None:
            target = self._target(i)
            if (
                target is not None
                and not token.chinese
                and self.out.verdicts
                and self.out.verdicts[-1].last >= i - 2
            ):
                # "increased relative to liver": the verdict stands, what it is compared with is no subject
                last = self.out.verdicts[-1]
                if (
                    last.state is DECREASED
                    and target == "reference"
                    and any(t.text in ("lower", "less", "low") for t in self.tokens[last.first : i])
                ):
                    last.state = NORMAL
                return
            self.comparison = ("against", i)
            if self.pending is not None and not token.chinese:
                state, at, negated, degree, physiological = self.pending
                if "cue" in self.nouns or self.earlier_cue:
                    self.pending = None
                    self._conclude(self._compared("against", i, state, i), i, negated, degree)

    def _target(self, i: int) -> str | None:
        """What a comparison is made with: ``reference`` (liver, blood pool), ``surround``, ``side`` or None."""
        end = min(self.size, i + 7)
        found: str | None = None
        for j in range(i + 1, end):
            kind = self.tokens[j].kind
            if kind in (
                "SITE",
                "REGION",
                "REF",
                "SURROUND",
                "SIDE",
                "PART",
                "LIST",
                "JOIN",
                "HILUM",
                "PLACE",
                "NODE",
                "LESION",
                "IN",
                "CUE",
                "EVEN",
                "REST",
                "OF",
                "CENTER",
            ):
                if kind == "SURROUND" or (kind == "PLACE" and self.tokens[j].text.startswith("周围")):
                    found = "surround"
                elif kind == "REF" or (kind in ("SITE", "REGION") and found is None):
                    found = found or ("reference" if self._is_reference(self.tokens[j]) else "side")
                elif kind == "PART" and found is None and self.tokens[j].chinese:
                    found = "side"
                elif kind == "EVEN" and found is None:
                    found = "surround"
                elif kind == "SIDE" and found is None:
                    found = "side"
                elif kind == "REST" and found is None:
                    found = "surround"
                if kind in ("CUE", "LESION") and found is not None and self.tokens[j].chinese:
                    break
                if kind == "IN" and found is None and j == i + 1:
                    continue
                if kind in ("JOIN", "LIST", "IN") and found is None:
                    break
                if kind == "IN" and found is not None:
                    break
                self.out.compared.add(j)
            elif kind in ("DEG", "INVOLVE"):
                continue
            else:
                break
        return found

    def _target_before(self, i: int) -> str | None:
        """与肝脏相仿: what is compared with stands before the word that compares."""
        found: str | None = None
        j = i - 1
        seen: list[int] = []
        while j >= 0 and i - j <= 7:
            token = self.tokens[j]
            if token.kind == "JOIN" and token.text in ("与", "和", "同", "跟"):
                self.out.compared.update(seen)
                return found
            if token.kind == "SURROUND":
                found = "surround"
            elif token.kind in ("REF", "SITE", "REGION") and found is None:
                found = "reference" if self._is_reference(token) else "side"
            elif token.kind == "SIDE" and found is None:
                found = "side"
            elif token.kind not in ("PART", "CUE", "DEG", "OF", "PLACE", "EVEN"):
                return None
            seen.append(j)
            j -= 1
        return None

    def _compare(self, kind: str, i: int) -> None:
        target = self._target(i)
        if self.tokens[i].chinese:
            target = self._target_before(i) or target
        elif target == "side" and i and self.tokens[i - 1].kind == "SIDE" and not (self.out.cue or self.open):
            return  # "left greater than right": which side has more of what was said
        ahead = [t.kind for t in self.tokens[i + 1 : i + 4]]
        if any(k in ("PRIOR", "CHANGE") for k in ahead) and not self.tokens[i].chinese:
            # "decreased compared with the previous study"
            self.on_change(i, self.tokens[i])
            if self.open is not None and not self.open.used:
                self._conclude(INCREASED, i, False, None)
            return
        spoken = (
            self.valued
            or any(self.tokens[j].kind == "REF" for j in self.out.compared)
            or any(w in self.tokens[i].text for w in ("intense", "avid", "metabolic", "hotter", "colder"))
        )
        if not (self.nouns & {"cue"} or self.earlier_cue or self.open is not None or self.out.cue or spoken):
            if "CUE" in ahead:
                state = (
                    INCREASED
                    if kind == "above"
                    else NORMAL
                    if kind == "equal" or target != "surround"
                    else DECREASED
                )
                self.pending = (state, i, self._negated(), self._degree_for(i), False)
                self.skip = {j for j in self.out.compared if self.tokens[j].kind == "EVEN"}
                self.out.compared -= {j for j in self.out.compared if j > i and self.tokens[j].kind == "CUE"}
            return
        if self.comparison is not None:
            self.comparison = None
        negated = self._negated()
        if kind == "equal" and target is None:
            return  # like before, like the other findings: no verdict
        if kind == "equal":
            state = NORMAL
        elif kind == "not above":
            state = NORMAL
        elif kind == "above":
            state = INCREASED
        else:
            state = DECREASED if target in ("surround", "side") else NORMAL
        if self.pending is not None:
            self.pending = None
        opened = self.open
        if (
            opened is not None
            and opened.used
            and self.out.verdicts
            and self.out.verdicts[-1].first >= opened.first
            and i - self.out.verdicts[-1].last <= 2
        ):
            last = self.out.verdicts[-1]
            if kind != "above" and last.state is INCREASED and not last.negated:
                # "mild uptake, lower than liver": the comparison is the verdict
                last.state, last.degree, last.last = state, None, i
            return
        self._conclude(state, i, negated and state is not NORMAL, self._degree_for(i))
        if state is NORMAL and self.out.verdicts:
            self.out.verdicts[-1].spread = True  # a word for the state itself says more

    def _compared(self, kind: str, at: int, state: UptakeState, i: int) -> UptakeState:
        target = self._target(at)
        between = [t.kind for t in self.tokens[at + 1 : i]]
        if target is None and "SURROUND" in between:
            target = "surround"
        if state is DECREASED and target == "reference":
            return NORMAL
        return state

    def on_change(self, i: int, token: Token) -> None:
        self.change = True
        self.out.change = True
        if token.concept.state is not None and self.open is not None and not self.open.used:
            self._conclude(token.concept.state, i, self.neg is not None, None)
            return
        if (
            self.out.verdicts
            and self.out.verdicts[-1].state is DECREASED
            and not self.out.verdicts[-1].negated
        ):
            self.out.verdicts[-1].state, self.out.verdicts[-1].residual = INCREASED, True
        if self.open is not None and not self.open.used:
            return
        if self.pending is not None and self.pending[0] is DECREASED:
            state, at, negated, degree, phys = self.pending
            self.pending = (INCREASED, at, negated, None, phys)

    def on_prior(self, i: int, token: Token) -> None:
        if self._next_kind(i) not in ("FINDING", "STRUCT", "SIZE"):
            self.prior = True
            if self.valued:
                self.out.change = True

    def on_present(self, i: int, token: Token) -> None:
        self.prior = False
        if self.neg == i - 1 and token.text in ("new", "新见", "新增", "新发", "新出现"):
            self.no_new = True  # "no new lesion" states nothing

    def on_resolved(self, i: int, token: Token) -> None:
        if token.text.startswith("未") and not (self.prior or self.change or self.out.verdicts):
            return  # 胆囊未见显示: removed, not resolved
        if self.out.cue or self.earlier_cue or "cue" in self.nouns:
            self.prior = False
            self.out.resolved = True
            last = self.out.verdicts[-1] if self.out.verdicts else None
            if last is not None and last.state is INCREASED and not last.negated:
                last.state, last.degree, last.last, last.prior = NORMAL, None, i, False
            else:
                self._emit(NORMAL, i, i, False)
            if self.open is not None:
                self.open.used = True

    # --- modifiers

    def on_neg(self, i: int, token: Token) -> None:
        self.neg = i
        self.neg_used = False

    def on_deg(self, i: int, token: Token) -> None:
        self.degree, self.degree_at = token.concept.degree, i
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if (
            last is not None
            and self.neg is not None
            and self.neg == i - 1
            and not self.neg_used
            and last.state is INCREASED
            and last.last >= self.neg - 2
        ):
            following = self._next_kind(i)
            if following not in ("CUE", "HOT", "UP", "ABN"):
                # 浓聚不明显: there is next to none
                last.state, last.degree, last.last, last.negated = NORMAL, None, i, True
                self.neg_used = True
        elif (
            last is not None
            and last.last == i - 1
            and last.degree is None
            and last.state is INCREASED
            and self.neg is None
            and token.chinese
        ):
            last.degree = token.concept.degree
            last.last = i

    def on_phys(self, i: int, token: Token) -> None:
        if self.cause or self.instead:
            if not self.instead and not (self.neg is not None and not self.neg_used):
                self.out.called_physiological = True
            return
        if self.neg is not None and self.neg == i - 1:
            self.neg_used = True  # "is not physiological"
            return
        self.physiological = self.seen_physiological = True
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if (
            last is not None
            and last.state is INCREASED
            and i
            and self.tokens[i - 1].kind == "VERB"
            and (not token.chinese or self.tokens[i - 1].text == "为")
        ):
            self.out.called_physiological = True  # "intense uptake is physiologic"
        if self.open is not None and not self.open.used:
            self.open.physiological = True

    def on_abn(self, i: int, token: Token) -> None:
        following = self._next_kind(i)
        j = i + 1
        while (
            j < self.size
            and self.tokens[j].kind
            in (
                "DEG",
                "FOCAL",
                "DIFFUSE",
                "UNEVEN",
                "PHYS",
                "ABN",
                "OF",
                "SIDE",
                "SITE",
                "PART",
                "REGION",
                "JOIN",
            )
            and not (
                self.tokens[j].chinese and self.tokens[j].kind in ("SIDE", "SITE", "PART", "REGION", "JOIN")
            )
        ):
            j += 1
        following = self.tokens[j].kind if j < self.size else ""
        if following in _NOUNS or following in ("UP", "DOWN", "COLD"):
            self.abnormal = i
            return
        negated = self._negated()
        if following == "IN" and any(t.kind == "STRUCT" for t in self.tokens[j : j + 3]):
            self.out.structural = True  # "no abnormalities in size or density"
            return
        if "cue" in self.nouns:
            self._conclude(INCREASED, i, negated, None)
        elif "struct" in self.nouns:
            self.out.structural = True
        elif following == "IN" and any(t.kind == "CUE" for t in self.tokens[j : j + 3]):
            self.abnormal = i
        elif negated:
            self._emit(NORMAL, self.neg if self.neg is not None else i, i, False, bare=True)

    def on_focal(self, i: int, token: Token) -> None:
        self.focal = i
        if self.open is not None and not self.open.used:
            self.open.focal = True

    def on_uneven(self, i: int, token: Token) -> None:
        if self.open is not None and not self.open.used:
            self.open.spread = True
            self.open.uneven = token.kind == "UNEVEN"

    def on_diffuse(self, i: int, token: Token) -> None:
        self.on_uneven(i, token)

    def on_sym(self, i: int, token: Token) -> None:
        if self.open is not None and not self.open.used and "cue" in self.nouns:
            self.open.spread = True
        elif self.pending is None and self._next_kind(i) in (
            "CUE",
            "DEG",
            "PHYS",
            "FOCAL",
            "DIFFUSE",
            "SIDE",
            "SITE",
            "PART",
        ):
            self.spread = self.symmetric = True
        elif "struct" in self.nouns:
            self.out.structural = True

    # --- nouns of structure

    def on_struct(self, i: int, token: Token) -> None:
        before = self.tokens[i - 1].kind if i else ""
        if self.seen_physiological and self.tokens[i - 1].kind == "PHYS":
            self.physiological = self.seen_physiological = False
        if self.pending is not None:
            state, at, negated, _, _ = self.pending
            self.pending = None
            self.shared = (state, negated, i)
            self.out.structural = True
            if state is not NORMAL and not negated and self._next_kind(i) == "JOIN":
                self.change = True
                self.out.change = True
        if not (before in ("JOIN",) and self.nouns) and not (before == "STRUCT"):
            if self.open is not None and not self.open.used and before != "JOIN":
                self._finish_open()
            self.nouns = set()
        self.nouns.add("struct")
        self.abnormal = None

    def on_finding(self, i: int, token: Token) -> None:
        self.abnormal = None
        self.out.structural = True
        self.degree = None
        if (
            self.pending is not None
            and self.pending[0] is not NORMAL
            and self.tokens[i - 1].kind in ("UP", "DOWN")
        ):
            self.pending = None
        if not token.chinese and "in size" in token.text or token.text in ("enlarging",):
            self.change = True
        if "cue" in self.nouns and self.tokens[i - 1].kind != "JOIN":
            if self.open is not None and self.open.used:
                self.nouns = set()

    def on_lesion(self, i: int, token: Token) -> None:
        self.abnormal = None
        if (
            self.pending is not None
            and not token.chinese
            and self.pending[0] is not NORMAL
            and (self.earlier_cue or self.out.cue) is False
        ):
            return

    def on_node(self, i: int, token: Token) -> None:
        self.on_lesion(i, token)

    def on_urine(self, i: int, token: Token) -> None:
        if self.cause:
            self.out.called_physiological = True
            return
        following = self._next_kind(i)
        if (
            following in ("CUE", "HOT")
            or (self.open is not None)
            or self.out.verdicts
            or "显像剂" in token.text
            or "放射性" in token.text
            or "示踪剂" in token.text
            or "tracer" in token.text
            or "activity" in token.text
        ):
            self.physiological = True
            if (
                self.out.verdicts
                and self.out.verdicts[-1].state is INCREASED
                and self.out.verdicts[-1].last >= i - 3
            ):
                self.out.verdicts[-1].state = NORMAL
            elif self.open is not None:
                self.open.physiological = True
            elif following not in ("CUE", "HOT"):
                self._emit(NORMAL, i, i, False)
        elif not self.out.cue and token.chinese:
            self.out.called_physiological = True

    def on_contrast(self, i: int, token: Token) -> None:
        self.nouns = {"struct"}
        self.contrast = True
        if (
            self.open is not None
            and self.open.used
            and self.out.verdicts
            and self.out.verdicts[-1].last >= i - 2
        ):
            self.out.verdicts.pop()  # "positive oral contrast"
            self.open = None
        self._finish_open()

    def on_site(self, i: int, token: Token) -> None:
        """A new place ends the reach of a negation that has done its work."""
        self.named_since = True
        if (
            self.neg_used
            and self.out.verdicts
            and token.chinese
            and self.tokens[i - 1].kind not in ("JOIN", "COMMA", "IN")
        ):
            back = i - 1
            while back >= 0 and self.tokens[back].kind in ("SIDE", "PART"):
                back -= 1
            if back >= 0 and self.tokens[back].kind not in ("JOIN", "COMMA", "NEG", "DEG", "ABN", "IN"):
                self._close_stretch(i)

    # --- joints

    def on_join(self, i: int, token: Token) -> None:
        if self.cause:
            return
        if self.shared is not None and i - self.shared[2] > 2:
            self.shared = None

    def on_in(self, i: int, token: Token) -> None:
        if (
            not token.chinese
            and self.neg_used
            and self.out.verdicts
            and self.out.verdicts[-1].negated
            and self.out.verdicts[-1].last >= i - 3
        ):
            self.neg, self.neg_used = None, False

    def on_but(self, i: int, token: Token) -> None:
        if token.chinese and self.neg is not None and self.neg == i - 1 and not self.neg_used:
            return
        self._close_stretch(i)

    def on_verb(self, i: int, token: Token) -> None:
        if token.chinese:
            if self.neg is not None and self.neg < i - 1 and self.neg_used:
                self._close_stretch(i)
            return
        self.degree = self.abnormal = self.focal = None
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if self.named_since and self.neg_used and last is not None and token.text not in _SEEN_WORDS:
            self._close_stretch(i)  # a new subject has its verb
            self.named_since = False
            return
        if token.text in _SEEN_WORDS:
            if self.neg is not None and not self.neg_used and last is not None and not last.negated:
                last.state, last.degree, last.negated = NORMAL, None, True
                self.neg_used = True
            elif self.neg is not None and not self.neg_used and self.open is not None and not self.open.used:
                self.open.negated = True
                self.neg_used = True

    def on_instead(self, i: int, token: Token) -> None:
        self.instead = self.cause = True

    def on_suv(self, i: int, token: Token) -> None:
        self.valued = True

    def on_cause(self, i: int, token: Token) -> None:
        self.cause = True

    def _close_stretch(self, i: int) -> None:
        self._finish_open()
        self.neg, self.neg_used = None, False
        self.nouns = set()
        self.inherited = False
        self._reset_modifiers()
        self.shared = None

    def _finish_open(self) -> None:
        opened, self.open = self.open, None
        if opened is None or opened.used:
            return
        first, last = opened.first, opened.last
        was_prior, self.prior = self.prior, opened.prior or self.prior
        if opened.negated:
            verdict = self._emit(NORMAL, first, last, False)
            verdict.negated = verdict.no_uptake = True
        elif opened.physiological or (opened.symmetric and not opened.focal and not opened.abnormal):
            self._emit(NORMAL, first, last, False)
        elif opened.abnormal or opened.degree or (opened.focal and not opened.uneven):
            self._emit(INCREASED, first, last, False, degree=opened.degree)
        elif opened.spread or (opened.focal and opened.uneven):
            self._emit(NORMAL, first, last, False).spread = True
        elif self.tokens[last].text == "显影":
            self._emit(NORMAL, first, last, False).spread = True
        elif not self.tokens[last].concept.weak and not (first == last and self.tokens[last].concept.tracer):
            verdict = self._emit(INCREASED, first, last, False)
            verdict.activity = True
        self.prior = was_prior

    def _finish(self) -> None:
        if self.pending is not None:
            state, at, negated, degree, physiological = self.pending
            if (
                self.out.cue
                and not self.tokens[at].chinese
                and self.out.verdicts
                and self.out.verdicts[-1].activity
            ):
                last = self.out.verdicts[-1]
                last.activity, last.state, last.degree, last.negated = (
                    False,
                    NORMAL if negated else state,
                    degree,
                    negated,
                )
                last.last = max(last.last, at)
            elif state is NORMAL:
                self._emit(NORMAL, at, at, False, bare=True)
            elif self.form and not self.out.structural:
                self._emit(state, at, at, negated, degree=degree)
            elif negated and self.out.structural is False and state is INCREASED and self.tokens[at].chinese:
                self._emit(NORMAL, at, at, False, bare=True)
        verdicts = self.out.verdicts
        if any(not v.activity for v in verdicts):
            self.out.verdicts = [v for v in verdicts if not v.activity]
        if self.seen_physiological and not self.out.verdicts:
            self.out.physiological = True
        self.out.cue_at_end = "cue" in self.nouns or (self.open is not None)
