"""Directions and the words for uptake that they wait for."""

from __future__ import annotations

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.records import ABSENT, DECREASED, INCREASED, NORMAL, Open
from pet2rep_eval.parsing.uptake.targets import Targets
from pet2rep_eval.records import UptakeState

_DIRECTION = {"UP": INCREASED, "DOWN": DECREASED, "COLD": ABSENT, "EVEN": NORMAL}
_DIRECT = {"HOT": INCREASED, "HYPO": DECREASED, "VOID": ABSENT}
_TRACER_WORDS = ("放射性", "fdg", "示踪", "显像", "代谢", "metabol", "avid", "photopen")


_NAMING = frozenset("SIDE SITE PART JOIN LIST CENTER".split())
_SAYING = frozenset({"CUE", "HOT"})
_SIGNED = _SAYING | {"SITE", "NODE"}


class Directions(Targets):
    """Increased, decreased, absent, normal: of what?"""

    def on_cue(self, i: int, token: Token) -> None:
        self.out.cue = True
        if self._has_own_verb(i):
            self._close_stretch(i)  # "is not enlarged and its uptake is lower than that of the liver"
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
            self.open = Open(at, i, None, None, negated, False, self.physiological, False, used=True)
            self._reset_modifiers()
            return
        opened = self.open
        if opened is not None and opened.negated and token.paren and not self.tokens[opened.last].paren:
            self._close_stretch(i)  # 无摄取区(放射性缺损)
        if (
            self.open is not None
            and i - self.open.last <= 2 + (self.tokens[i - 1].text == "of")
            and not any(
                t.kind in ("COMMA", "STRUCT", "JOIN", "BUT")
                or (t.kind == "SITE" and t.chinese and self.open.used and self.tokens[i - 1] is t)
                for t in self.tokens[self.open.last + 1 : i]
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
            self.open = Open(i, i, None, None, False, False, False, False, used=True)
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
        self.open = Open(
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
            self.symmetric,
        )
        if self.neg is not None:
            self.neg_used = True
        self._reset_modifiers()

    def _has_own_verb(self, i: int) -> bool:
        """Behind "not enlarged and" a word for uptake begins a sentence of its own."""
        joint = self.tokens[i - 1] if i else None
        following = self.tokens[i + 1] if i + 1 < self.size else None
        return (
            self.neg is not None
            and self.pending is None
            and joint is not None
            and joint.kind == "JOIN"
            and not joint.chinese
            and not joint.concept.alternative
            and following is not None
            and following.concept.copula
            and any(t.kind in ("VERB", "FINDING") for t in self.tokens[: i - 1])
        )

    def on_hot(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def on_hypo(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def on_void(self, i: int, token: Token) -> None:
        self._direct(i, token)

    def _in_centre(self, i: int) -> bool:
        return any(t.kind == "CENTER" for t in self.tokens[max(0, i - 2) : i + 4])

    def _direct(self, i: int, token: Token) -> None:
        state = _DIRECT[token.kind]
        noun = token.concept.noun
        if token.kind == "HYPO" and token.concept.weak and self._in_centre(i):
            state = ABSENT  # "a cold necrotic centre"
        if token.kind == "VOID" and i and not token.chinese:
            back = i - 2 if self.tokens[i - 1].kind == "COMMA" else i - 1
            if (
                self.tokens[back].kind == "VERDICT"
                and self.out.verdicts
                and self.out.verdicts[-1].last == back
            ):
                self.out.verdicts.pop()  # "a nonavid, photopenic core"
            if self.pending is not None and self.pending[0] is INCREASED and self._joined_to(i):
                pstate, at, pneg, pdeg, pphys = self.pending
                self.pending = None
                self._emit(pstate, at, at, pneg, degree=pdeg)  # "an intense rim and a cold centre"
        if (
            token.text in ("positive", "active", "pos")
            and not self.form
            and (
                i == 0
                or self.tokens[i - 1].kind not in ("UP", "DEG")
                or any(t.kind == "MODALITY" for t in self.tokens[:i])
            )
            and not any(
                t.kind in ("LESION", "NODE", "SITE", "CUE", "REGION", "PART", "SUV") for t in self.tokens
            )
        ):
            return  # "serology was positive"
        if self.contrast and not (
            self.open is not None
            or self.out.cue
            or self.earlier_cue
            or any(t.kind == "CUE" for t in self.tokens[i + 1 : i + 4])
            or any(w in token.text for w in _TRACER_WORDS)
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
        opened = self.open
        if token.kind == "HOT" and not noun and not token.chinese and opened is not None and not opened.used:
            joined = opened.degree and self.tokens[i - 1].kind == "JOIN" and opened.last == i - 2
            named = any(t.kind == "SITE" for t in self.tokens[opened.last + 1 : i])
            parted = any(
                t.kind == "JOIN" or t.concept.name == "verb.with" for t in self.tokens[max(0, i - 2) : i]
            )
            if joined or (named and parted):  # "with marked uptake and avid paravertebral tissue",
                self._finish_open()  # "uptake in the prostate plus two avid obturator nodes"
        if (
            token.kind in ("VOID", "HYPO")
            and self.open is not None
            and not self.open.used
            and any(
                (self.open.focal and not t.chinese and t.start - self.tokens[self.open.last].end > 2)
                or t.kind in ("JOIN", "BUT")
                or (t.kind in ("VERB", "PLACE") and not t.chinese)
                for t in self.tokens[self.open.last + 1 : i + self.open.focal]
            )
        ):
            self._finish_open()  # "rim uptake and a cold centre"
        if opened is not None and opened.negated and token.paren and not self.tokens[opened.last].paren:
            self._close_stretch(i)  # "no uptake (photopenic)"
        if token.kind == "VOID" and token.paren and self.neg is not None and not self.tokens[self.neg].paren:
            self._close_stretch(i)  # "without viability (matched defect)"
        negated = self._negated()
        first = i
        degree = self._degree_for(i)
        physiological = self.physiological
        if self.pending is not None and self.pending[1] >= i - 4:
            pstate, at, pneg, pdeg, pphys = self.pending
            self.pending = None
            if pstate is NORMAL and self.neg is not None and self.neg > at:
                pneg, at = False, self.neg  # "unremarkable, with no hypermetabolic focus"
                pstate = state
            first = at
            degree = degree or pdeg
            negated = negated or pneg
            physiological = physiological or pphys
            if noun and pstate in (DECREASED, ABSENT):
                state = pstate
            elif pstate is NORMAL and (noun or (token.kind == "HOT" and at == i - 1)):
                state = NORMAL  # "normally active"
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
        verdict.spread = token.concept.weak and (state is not ABSENT or token.chinese)
        self.open = Open(first, i, None, None, negated, False, physiological, False, used=True)
        self.nouns = {"cue"}
        self.shared = None
        self._reset_modifiers()
        if noun and token.chinese is False:
            self.open = Open(first, i, state, degree, negated, False, physiological, False, used=True)

    def on_up(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_down(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_cold(self, i: int, token: Token) -> None:
        self._towards(i, token)

    def on_even(self, i: int, token: Token) -> None:
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if last is not None and not token.chinese and i and self.tokens[i - 1].concept.copula:
            named = any(t.kind == "SITE" for t in self.tokens[last.last + 1 : i])
            if named and last.state is INCREASED and not last.negated and last.last > last.first - 1:
                last.state, last.degree = NORMAL, None  # "intense uptake in the spleen and kidneys is normal"
                return
        if last is not None and token.text == "normally" and last.last == i - 1 and not last.negated:
            last.state, last.degree, last.last = NORMAL, None, i  # "concentrates the tracer normally"
            return
        if token.concept.tracer:
            self.out.cue = True  # "background activity"
        self._towards(i, token)

    def _joined_to(self, i: int) -> bool:
        """Between the direction that waits and the word at *i* stands a thing of its own, and a joining word."""
        assert self.pending is not None
        between = {t.kind for t in self.tokens[self.pending[1] + 1 : i]}
        return "JOIN" in between and bool(between & {"FOCAL", "PART", "LESION"})

    def _of_size(self, i: int, token: Token) -> bool:
        """ "Decreased from 9 to 6 cm": of how large it is."""
        if token.chinese or self.open is not None or self._next_kind(i) != "IN":
            return False
        after = next((t.kind for t in self.tokens[i + 1 :] if t.kind != "IN"), "")
        return after == "SIZE" or (after in ("", "SUV") and self.tokens[i + 1].text == "from")

    def _of_disease(self, i: int, token: Token) -> bool:
        """ "Marked reduction in hepatic disease": of how much there is of it."""
        if token.chinese or self.open is not None or self._next_kind(i) != "IN" or "CUE" in self.nouns:
            return False
        behind = [t.kind for t in self.tokens[i + 2 : i + 6]]
        names = next((j for j, k in enumerate(behind) if k not in ("SIDE", "SITE", "PART")), len(behind))
        return names < len(behind) and behind[names] == "LESION" and "CUE" not in behind

    def _towards(self, i: int, token: Token) -> None:
        if token.kind == "COLD" and self._next_kind(i) == "REMOVED" and self.tokens[i + 1].paren:
            return  # "absent (splenectomy)"
        if self._of_size(i, token) or self._of_disease(i, token):
            self.change = self.out.change = True
            return
        if (
            token.kind == "EVEN"
            and token.chinese
            and self._next_kind(i) == "SITE"
            and self.tokens[i + 1].start == token.end
            and any(t.kind in ("DOWN", "UP", "COLD") for t in self.tokens[i + 1 :])
        ):
            return  # 正常肾实质显影稀疏
        before = self.tokens[i - 1].kind if i else ""
        if token.concept.weak and before not in (_SIGNED if self.form else _SAYING):
            return  # "effusion (-)", but of a form "L3 (+), sternum (-)"
        if (
            token.kind == "UP"
            and not token.chinese
            and self._next_kind(i) in ("DOWN", "COLD", "HYPO", "VOID")
        ):
            self.degree, self.degree_at = "marked", i
            return  # "strongly decreased"
        if token.kind == "EVEN" and self.neg is not None and self.neg < i - 1 and before == "COMMA":
            self._close_stretch(i)  # "no asymmetry, normal metabolism"
        behind_with = i and self.tokens[i - 1].concept.name == "verb.with"
        if token.kind == "EVEN" and self.neg_used and behind_with and not token.chinese:
            self._close_stretch(i)  # "no abnormal uptake with adequate suppression"
        state = token.concept.state or _DIRECTION[token.kind]
        if token.concept.unless:
            named = {o for t in self.tokens for o in t.concept.organs} or self.about
            state = state if named.isdisjoint(token.concept.unless) else NORMAL
        aside = state is NORMAL and token.paren and self.neg is not None and not self.tokens[self.neg].paren
        negated = not aside and self._negated()  # "no focal uptake (myocardium suppressed)"
        degree = self._degree_for(i)
        if degree is None and token.kind == "UP" and token.text.startswith("intense"):
            degree = "marked"
        following = self._next_kind(i)
        if token.kind == "EVEN" and following == "FINDING" and not token.chinese:
            self.out.structural = True  # "with preserved fatty hila"
            return
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
        if not token.chinese and not takes_next and following == "IN" and self.tokens[i + 1].text == "of":
            ahead = next((t.kind for t in self.tokens[i + 2 : i + 6] if t.kind not in _NAMING), "")
            takes_next = (
                ahead == "CUE" and self._kind_at(i + 2) != "CUE"
            )  # "a reduction of cortical metabolism"
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
            if self.pending is not None and self.pending[1] == i - 1:
                if self.pending[0] is NORMAL:
                    return  # "normal intense uptake"
                if token.kind == "EVEN" and not token.chinese:
                    return  # "reduced background activity"
            self._finish_open()
            self.pending = (
                state,
                i if self.neg is None else min(i, self.neg),
                negated,
                degree,
                self.physiological,
            )
            return
        beside = False
        if token.kind == "COLD" and not token.chinese and self.open is not None and not self.open.used:
            between = self.tokens[self.open.last + 1 : i]
            if self.open.focal and any(t.kind == "JOIN" or t.concept.name == "verb.with" for t in between):
                self._finish_open()  # "ring-shaped accumulation with a central defect"
                self._emit(state, i, i, negated)
                return
        if self.comparison is not None:
            kind, at = self.comparison
            beside = self._target(at) in ("surround", "side")
            state = self._compared(kind, at, state, i)
            self.comparison = None
        if "cue" in self.nouns:
            self._conclude(state, i, negated, degree)
            if beside and state is DECREASED and self.out.verdicts and self.out.verdicts[-1].residual:
                last = self.out.verdicts[-1]
                # 密度较前增高,放射性较邻近椎体稀疏
                last.state, last.residual, last.spread = DECREASED, False, False
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
            self._emit(state, i, i, negated, degree=degree, physiological=self.physiological)
            self._reset_modifiers()
            return
        if token.kind == "COLD" and i and self.tokens[i - 1].kind == "CENTER":
            self._emit(state, i, i, negated)
            return
        self.pending = (state, i, negated, degree, self.physiological)

    def _states(self, noun: int, i: int) -> bool:
        """浓聚如常, 浓聚属正常分布: nothing but a copula between."""
        return i == noun + 1 or (i == noun + 2 and self.tokens[i - 1].concept.copula)

    def _conclude(self, state: UptakeState, i: int, negated: bool, degree: str | None) -> None:
        """A direction has found its word for uptake."""
        verdicts = self.out.verdicts
        opened = self.open
        first = i
        if self.neg is not None:
            first = min(first, self.neg)
        if opened is not None and not opened.used:
            apart = self.tokens[i].paren != self.tokens[opened.last].paren
            after = any(t.kind in ("OF", "COMMA") for t in self.tokens[opened.last : i])
            kind = self.tokens[i].kind
            if opened.negated and (
                (apart and (kind in ("COLD", "EVEN") or state is NORMAL))
                or (after and kind == "COLD")
                or (
                    kind == "EVEN" and i == opened.last + 1 and not self.tokens[i].chinese
                )  # "no uptake, inactive"
            ):
                opened.negated = negated = False  # 无摄取的缺损区, "no uptake (normal)"
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
                t.kind in ("JOIN", "COMMA", "BUT", "NEG")
                or (t.kind == "VERB" and not (t.chinese and t.concept.copula))
                for t in self.tokens[verdicts[-1].last + 1 : i]
            )
            and verdicts[-1].last >= opened.first
        ):
            # 浓聚增高, 浓聚减低: the same expression goes on
            last = verdicts[-1]
            last.last = i
            last.degree = last.degree or degree
            last.activity = last.activity and state is NORMAL  # 浓聚弥漫增高
            if not last.negated and state in (DECREASED, ABSENT) and self.tokens[opened.last].kind == "HOT":
                last.state = INCREASED if self.change else state
            elif state is ABSENT and self.tokens[last.first].kind == "HYPO" and self.tokens[i].chinese:
                last.state = ABSENT  # “冷结节”样放射性缺损
            elif state is NORMAL and self._states(opened.last, i) and self.tokens[i].chinese:
                last.state, last.degree = NORMAL, None  # 浓聚如常
        else:
            self._emit(state, first, i, negated, degree=degree, physiological=self.physiological)
            if opened is not None:
                opened.last = i
        self.shared = None
        self._reset_modifiers()

    def on_verdict(self, i: int, token: Token) -> None:
        assert token.concept.state is not None
        if i and self.tokens[i - 1].kind in ("AGAINST", "CHANGE", "PRIOR"):
            return  # "compared with Deauville 5 at baseline"
        self._emit(token.concept.state, i, i, False)
