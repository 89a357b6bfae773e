"""The state of reading: what is open, pending and denied in the stretch of words being read."""

from __future__ import annotations

from collections.abc import Sequence

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.records import DECREASED, INCREASED, NORMAL, Open, Reading, Verdict
from pet2rep_eval.records import UptakeState


class Stretch:
    """A stretch of words that one negation can reach over, and the words for uptake open in it."""

    pending: tuple[UptakeState, int, bool, str | None, bool] | None = None
    """State, index, negated, degree, physiological."""
    open: Open | None = None
    neg: int | None = None
    neg_used = False
    degree: str | None = None
    degree_at = -9
    physiological = False
    seen_physiological = False
    spread = False
    symmetric = False
    abnormal: int | None = None
    focal: int | None = None
    prior = False
    change = False
    shared: tuple[UptakeState, bool, int] | None = None
    comparison: tuple[str, int] | None = None
    cause = False
    form = False
    contrast = False
    about: frozenset[str] = frozenset()
    named_since = False
    no_new = False
    instead = False
    valued = False

    def __init__(self, tokens: Sequence[Token], inherits_cue: bool, earlier_cue: bool) -> None:
        self.tokens = tokens
        self.size = len(tokens)
        self.out = Reading()
        self.nouns: set[str] = {"cue"} if inherits_cue else set()
        self.inherited = inherits_cue
        self.earlier_cue = earlier_cue
        self.skip: set[int] = set()

    def _kind_at(self, i: int) -> str:
        return self.tokens[i].kind if i < self.size else ""

    def _next_kind(self, i: int) -> str:
        return self._kind_at(i + 1)

    def _names_next(self, i: int) -> bool:
        """A preposition at *i* leads straight to a named place."""
        if self._kind_at(i) != "IN":
            return False
        after = next(
            (t.kind for t in self.tokens[i + 1 : i + 4] if t.kind not in ("SIDE", "PART", "REST")), ""
        )
        return after in ("SITE", "REGION", "HILUM")

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
        elif self.change and state is DECREASED and self.tokens[last].kind != "HYPO":
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

    def _absorb(self, i: int) -> None:
        """Modifiers between two words for uptake belong to the expression as a whole."""
        assert self.open is not None
        self.open.degree = self.open.degree or self._degree_for(i)
        self.open.abnormal |= self.abnormal is not None
        self.open.focal |= self.focal is not None
        self.open.physiological |= self.physiological
        self.open.negated |= self.neg is not None
        self._reset_modifiers()

    def _reset_modifiers(self) -> None:
        self.abnormal = None
        self.focal = None
        self.physiological = False
        self.degree = None
        self.spread = self.symmetric = False

    def _close_stretch(self, i: int) -> None:
        self._finish_open()
        self.neg, self.neg_used = None, False
        self.nouns = set()
        self.inherited = False
        self._reset_modifiers()
        self.shared = None

    def _is_diffuse(self, opened: Open) -> bool:
        return any(t.kind == "DIFFUSE" for t in self.tokens[max(0, opened.first - 1) : opened.last])

    def _is_low(self, opened: Open) -> bool:
        return any(
            t.kind == "DEG" and t.concept.weak for t in self.tokens[max(0, opened.first - 1) : opened.last]
        )

    def _only_persists(self, opened: Open) -> bool:
        """ "Residual uptake (Deauville score 3)": how much that is, a score says."""
        said = [t for t in self.tokens[opened.first : opened.last + 1] if t.kind == "ABN"]
        return bool(said) and all(t.concept.weak for t in said) and not opened.degree and not opened.focal

    def _is_ordinary(self, opened: Open) -> bool:
        """ "Low-grade homogeneous activity", "symmetric uptake in both hila": how much that is depends on the organ."""
        if opened.degree == "mild" and self.tokens[opened.last].text == "显影":
            return True
        if opened.focal:
            return False
        if opened.symmetric and opened.degree != "marked":
            return not self.tokens[opened.last].concept.weak  # but a symmetric distribution is normal
        low = opened.degree == "mild" and (opened.spread or self._is_low(opened))
        return low and not opened.uneven and not self._is_diffuse(opened)

    def _finish_open(self) -> None:
        opened, self.open = self.open, None
        if opened is None or opened.used:
            return
        first, last = opened.first, opened.last
        was_prior, self.prior = self.prior, opened.prior or self.prior
        if opened.negated:
            verdict = self._emit(NORMAL, first, last, False)
            verdict.negated = verdict.no_uptake = True
        elif opened.physiological:
            self._emit(NORMAL, first, last, False)
        elif not opened.abnormal and self._is_ordinary(opened):
            verdict = self._emit(INCREASED, first, last, False, degree=opened.degree)
            verdict.activity, verdict.symmetric = True, opened.symmetric
        elif opened.abnormal or opened.degree or (opened.focal and not opened.uneven):
            verdict = self._emit(INCREASED, first, last, False, degree=opened.degree)
            shape = self.tokens[last].chinese and not opened.abnormal
            verdict.shape = (
                shape and (not opened.degree or (self._is_diffuse(opened) and opened.degree == "mild"))
            ) or self._only_persists(opened)
        elif opened.spread or (opened.focal and opened.uneven) or self.tokens[last].text == "显影":
            verdict = self._emit(NORMAL, first, last, False)
            verdict.spread, verdict.even = True, opened.spread and not opened.uneven
        elif not self.tokens[last].concept.weak and not (first == last and self.tokens[last].concept.tracer):
            verdict = self._emit(INCREASED, first, last, False)
            verdict.activity = True
        self.prior = was_prior
