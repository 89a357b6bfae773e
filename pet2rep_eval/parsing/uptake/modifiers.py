"""Negation, degree, spread and cause."""

from __future__ import annotations

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.comparisons import Comparisons
from pet2rep_eval.parsing.uptake.records import ABSENT, DECREASED, INCREASED, NORMAL

_NOUNS = frozenset({"CUE", "STRUCT", "LESION", "NODE", "FINDING", "HOT"})

_SAID = frozenset("CUE HOT HYPO VOID UP DOWN COLD EVEN ABN LESION NODE FINDING STRUCT VERDICT".split())
_SUBJECT = frozenset("IN SIDE SITE PART JOIN VERB".split())


_ONLY_NAMES = frozenset({"SITE", "SIDE", "JOIN", "URINE"})


class Modifiers(Comparisons):
    """Words that change what other words say."""

    def _not_seen(self, i: int) -> bool:
        """ "Abnormal accumulation is not seen in the liver": the denial stands behind its noun."""
        if self.tokens[i].chinese or self._next_kind(i) not in ("VERB", "IN") or self.neg is not None:
            return False
        behind = [t.kind for t in self.tokens[i + 2 :]]
        if not _SAID.isdisjoint(behind):
            return False
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if self.open is not None and not self.open.used:
            self.open.negated = True
            self._finish_open()
            return True
        placed = self._next_kind(i) == "VERB" or self._names_next(i + 1)
        noun = last is not None and (
            self.tokens[last.last].concept.noun or self.tokens[last.last].kind == "CUE"
        )
        if last is not None and noun and placed and last.state is INCREASED and not last.negated:
            last.state, last.degree, last.negated = NORMAL, None, True
            return True
        return False

    def _of_known_lesion(self, i: int) -> bool:
        """原肿瘤处未见高摄取: what was seen then is looked at now."""
        before = [t.kind for t in self.tokens[max(0, i - 3) : i] if t.kind != "PART"]
        return self.tokens[i].chinese and before[-2:] == ["PRIOR", "LESION"]

    def on_neg(self, i: int, token: Token) -> None:
        if self._not_seen(i):
            return
        if i and i == self.size - 1 and token.concept.behind:
            last = self.out.verdicts[-1] if self.out.verdicts else None
            if self.open is not None and not self.open.used:
                self.open.negated = True  # "Thyroid uptake: none"
                return
            if last is not None and last.last == i - 1 and last.state is INCREASED and not last.negated:
                last.state, last.degree, last.negated = NORMAL, None, True  # "Right hilar node avid | no"
                return
        self.neg = i
        self.neg_used = False
        if token.concept.state is not None or self._of_known_lesion(i):
            self.prior = False

    def _is_predicate(self, i: int) -> bool:
        """The degree stands behind the verb of a word for uptake, at the end of what is said of it."""
        opened = self.open
        if opened is None or opened.used or opened.negated or self.tokens[i].chinese:
            return False
        between = [t.kind for t in self.tokens[opened.last + 1 : i]]
        return (
            between[:1] == ["VERB"]
            and {"DIFFUSE", "UNEVEN", "FOCAL"} & set(between) != set()
            and all(k in ("VERB", "DIFFUSE", "UNEVEN", "FOCAL", "JOIN") for k in between)
            and self._next_kind(i) in ("", "IN", "COMMA", "PLACE")
        )

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
            self.open is not None
            and not self.open.used
            and self.neg == i - 1 == self.open.last + 1
            and not self.neg_used
            and token.chinese
            and self._next_kind(i) not in ("CUE", "HOT", "UP", "DOWN", "ABN")
        ):
            self.open.negated = self.neg_used = True  # 放射性摄取不明显
        elif self._is_predicate(i) and self.open is not None:
            self.open.degree = self.open.degree or self.degree  # "uptake was diffuse and moderately intense"
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
        pending = self.pending
        if pending is not None and pending[:2] == (INCREASED, i - 1) and not token.chinese:
            self.pending = None  # "high physiological excretion", but not "decreased physiologic uptake"
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if (
            last is not None
            and last.state is INCREASED
            and i
            and (
                self.tokens[i - 1].kind == "VERB"
                or (self.tokens[i - 1].kind == "JOIN" and last.last == i - 2 and not token.chinese)
            )
            and (not token.chinese or self.tokens[i - 1].concept.copula)
        ):
            self.out.called_physiological = True  # "intense uptake is physiologic"
        elif (
            last is not None
            and last.last == i - 1
            and last.state is INCREASED
            and token.text.endswith("ally")
        ):
            last.state, last.degree, last.last = NORMAL, None, i  # "accumulate physiologically"
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
        if token.concept.weak and following not in ("CUE", "HOT", "UP", "DOWN", "COLD"):
            return  # "no residual disease", "abnormally pale"
        found = self.tokens[j - 1].concept.finding  # "no suspicious lung nodule"
        if following in _NOUNS or following in ("UP", "DOWN", "COLD") or found:
            self.abnormal = i
            return
        negated = self._negated()
        if following == "IN" and any(t.kind == "STRUCT" for t in self.tokens[j : j + 3]):
            self.out.structural = True  # "no abnormalities in size or density"
            return
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if last is not None and last.state in (DECREASED, ABSENT) and self.tokens[i - 1].concept.copula:
            return  # "hypometabolism was the only abnormality"
        if "cue" in self.nouns:
            opened = self.open
            degree = opened is not None and not opened.used and opened.degree and not opened.negated
            if opened and degree and self.neg is not None and self.neg > opened.last and not token.chinese:
                self._finish_open()  # "mild uptake around the prosthesis without focal abnormality"
                return
            self._conclude(INCREASED, i, negated, None)
        elif "struct" in self.nouns:
            self.out.structural = True
        elif following == "IN" and any(t.kind == "CUE" for t in self.tokens[j : j + 3]):
            self.abnormal = i
        elif negated:
            self._emit(NORMAL, self.neg if self.neg is not None else i, i, False, bare=True)

    def on_focal(self, i: int, token: Token) -> None:
        self.focal = i
        if token.concept.noun and self.pending is not None and self.pending[0] is INCREASED:
            state, at, negated, degree, physiological = self.pending
            if at == i - 1 and self._next_kind(i) != "CUE":
                self.pending = None  # "an intense focus"
                self._emit(state, at, i, negated, degree=degree, physiological=physiological)
                return
        denied = token.concept.noun and self.neg is not None and not self.neg_used and not self.out.cue
        alone = self._next_kind(i) not in ("CUE", "HOT", "IN", "VOID", "HYPO") or self._names_next(i + 1)
        if i + 1 < self.size and self.tokens[i + 1].concept.name == "verb.with":
            alone = False  # "no foci with pathological uptake"
        if denied and alone and self.neg is not None:
            self._emit(NORMAL, self.neg, i, False)  # "no other focus in the skeleton"
            self.neg_used = True
            return
        if self.open is not None and not self.open.used and self.neg is None:
            self.open.focal = True

    def _spread_of_hot(self, i: int, token: Token) -> bool:
        """皮层浓聚对称, 心肌浓聚不均匀: how the tracer is spread, in an organ that normally shows it."""
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if last is None or last.negated or last.degree:
            return False
        if last.last != i - 1:
            # "accumulation of the liver is homogeneous"
            between = self.tokens[last.last + 1 : i]
            said = token.kind == "SYM" and not token.chinese and between[-1].concept.copula
            if not said or not all(t.kind in _SUBJECT for t in between):
                return False
        elif not token.chinese:
            return False
        before = self.tokens[last.last]
        if before.kind != "HOT" or not before.concept.noun or last.state is not INCREASED:
            return False
        last.last = i
        if token.kind == "SYM":
            last.state, last.spread = NORMAL, True
        else:
            last.activity = True
        return True

    def on_uneven(self, i: int, token: Token) -> None:
        if self._spread_of_hot(i, token):
            return
        if self.open is not None and not self.open.used:
            self.open.spread = True
            self.open.uneven = token.kind == "UNEVEN"

    def on_diffuse(self, i: int, token: Token) -> None:
        if self.open is not None and not self.open.used and not token.chinese and i - self.degree_at <= 2:
            self.open.degree = self.open.degree or self.degree  # "uptake is mild and diffuse"
        self.on_uneven(i, token)

    def on_sym(self, i: int, token: Token) -> None:
        if token.text == "一致":
            target = self._target_before(i)
            if target is not None and (target != "side" or self.out.cue):
                self._compare("equal", i)  # 与周围皮层代谢一致, but not 范围与放疗野一致
                return
        if self._spread_of_hot(i, token):
            return
        rest = (
            self.tokens[0].kind in ("REST", "SURROUND")
            and i == self.size - 1
            and all(t.kind in ("PART", "SITE", "SIDE") for t in self.tokens[1:i])
        )
        if rest and (self.earlier_cue or (self.form and not token.chinese)):
            self._emit(NORMAL, i, i, False)  # 肝右叶囊肿代谢缺损,余均匀; "remaining parenchyma homogeneous"
            return
        if self.open is not None and not self.open.used and "cue" in self.nouns:
            self.open.spread = True
        elif self.pending is None and self._next_kind(i) in (
            "CUE",
            "OF",
            "DEG",
            "PHYS",
            "FOCAL",
            "DIFFUSE",
            "SIDE",
            "SITE",
            "PART",
        ):
            self.spread = True
            self.symmetric = token.concept.weak
        elif "struct" in self.nouns:
            self.out.structural = True
        elif i == self.size - 1 == 0 and self.form and not token.chinese and not token.concept.weak:
            self._emit(NORMAL, i, i, False, bare=True)  # "Spleen: homogeneous"
        elif i == self.size - 1 == 0 and self.earlier_cue and token.chinese:
            self._emit(NORMAL, i, i, False).spread = True  # 轻度显影，分布均匀

    def on_instead(self, i: int, token: Token) -> None:
        self.instead = self.cause = True

    def on_suv(self, i: int, token: Token) -> None:
        self.valued = True

    def on_cause(self, i: int, token: Token) -> None:
        # 疑似低代谢区: it leads to what is found, and names no cause
        leads = self._next_kind(i) in ("HOT", "HYPO", "VOID") and not self.out.verdicts and self.open is None
        cold = self._next_kind(i) in ("DOWN", "COLD") and self._kind_at(i + 2) == "CUE"
        cold = cold and not (
            token.chinese or self.out.verdicts or self.open
        )  # "poorly seen owing to reduced uptake"
        self.cause = not (cold or (leads and token.chinese))
        if self._next_kind(i) == "CUE" and token.text.endswith("related"):
            self.cause, self.abnormal = False, i  # "metformin related uptake"

    def _shows_urine(self, i: int) -> bool:
        before = [t.kind for t in self.tokens[:i]]
        return (
            "SITE" in before
            and before[-1] == "VERB"
            and i == self.size - 1
            and "excret" in self.tokens[i].text
        )

    def on_urine(self, i: int, token: Token) -> None:
        if i and self.tokens[i - 1].kind == "ABOVE":
            return  # "uptake exceeding urine"
        if i and self.tokens[i - 1].text == "to" and self.out.verdicts:
            self.out.called_physiological = True  # "… corresponds to urine activity"
            return
        alone = i == self.size - 1 == 1 and self.tokens[0].concept.copula and self.earlier_cue
        if self.cause or alone or (i and self.out.verdicts and self.tokens[i - 1].concept.copula):
            self.out.called_physiological = True  # "… is excreted tracer"
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
            or "activ" in token.text
        ):
            self.physiological = True
            if not token.chinese and self.pending is not None and self.pending[1] == i - 1:
                self.pending = None  # "intense urinary activity"
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
        elif self._shows_urine(i):
            self._emit(NORMAL, i, i, False)  # "the bladder shows urinary excretion"
        elif self.earlier_cue and not token.chinese and all(t.kind in _ONLY_NAMES for t in self.tokens):
            self._emit(NORMAL, i, i, False)  # "FDG distribution: liver normal, kidneys urinary excretion"

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
