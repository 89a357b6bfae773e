"""Comparison with other tissue and with earlier studies."""

from __future__ import annotations

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.directions import Directions
from pet2rep_eval.parsing.uptake.records import DECREASED, INCREASED, NORMAL
from pet2rep_eval.records import UptakeState

_BETWEEN = frozenset("DEG ABN FOCAL DIFFUSE SIDE SITE PART NODE LESION".split())
"""Kinds that may stand between "resolution of" and the word for uptake."""


_OF_PARTS = frozenset({"PART", "BELOW", "ABOVE"})
_UNCOMPLETED = frozenset("ABN HOT CUE DEG FOCAL UP DIFFUSE".split())


class Comparisons(Directions):
    """Lower than the liver, less than before, resolved."""

    def on_below(self, i: int, token: Token) -> None:
        self._compare("not above" if token.concept.state is NORMAL else "below", i)

    def on_above(self, i: int, token: Token) -> None:
        if i and self.tokens[i - 1].kind == "RESOLVED":
            return  # "no longer visible above background"
        self._compare("above", i)

    def on_equal(self, i: int, token: Token) -> None:
        self._compare("equal", i)

    def on_against(self, i: int, token: Token) -> None:
        if self._next_kind(i) == "PRIOR" and not token.chinese:
            self._changed(None, i)  # "as compared with the baseline study"
            return
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
                    (last.state is DECREASED or last.residual)
                    and target == "reference"
                    and any(t.text in ("lower", "less", "low") for t in self.tokens[last.first : i])
                ):
                    last.state, last.residual = NORMAL, False
                return
            self.comparison = ("against", i)
            if self.pending is not None and not token.chinese:
                state, _at, negated, degree, _physiological = self.pending
                if "cue" in self.nouns or self.earlier_cue:
                    self.pending = None
                    self._conclude(self._compared("against", i, state, i), i, negated, degree)

    def _leave_prior(self) -> None:
        """ "The previously avid nodes were …": what stands before the noun alone was earlier."""
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if (
            self.prior
            and last is not None
            and last.prior
            and last.adjective
            and not self.tokens[last.last].chinese
        ):
            self.prior, self.open = False, None

    def _compare(self, kind: str, i: int) -> None:
        if self._next_kind(i) == "SIZE":
            return  # 短径均小于10mm
        self._leave_prior()
        target = self._target(i)
        if self.tokens[i].chinese:
            target = self._target_before(i) or target
        elif target == "side" and i and self.tokens[i - 1].kind == "SIDE" and not (self.out.cue or self.open):
            return  # "left greater than right": which side has more of what was said
        elif (
            target == "side"
            and i
            and self.out.verdicts
            and self.tokens[i - 1].kind == self._next_kind(i) == "SIDE"
        ):
            return  # "hypometabolism, right greater than left"
        elif all(t.kind in _OF_PARTS for t in self.tokens):
            return  # "mesial greater than lateral"
        if (
            kind in ("below", "equal")
            and self.open is not None
            and self.open.negated
            and self.tokens[i - 1].kind == "COMMA"
        ):
            self._finish_open()
            return  # "no focal uptake, below liver"
        ahead = [t.kind for t in self.tokens[i + 1 : i + 4]]
        if target is None and kind == "below" and not self.tokens[i].chinese and self._next_kind(i) == "IN":
            ahead = ["CHANGE"]  # "less intense than on the June scan"
        if any(k in ("PRIOR", "CHANGE") for k in (ahead[:1] if self.tokens[i].chinese else ahead)):
            # "decreased compared with the previous study"
            self.on_change(i, self.tokens[i])
            if self.open is not None and not self.open.used:
                self._conclude(INCREASED, i, False, None)
            return
        spoken = (
            self.valued
            or (self.form and not self.out.structural and target in ("reference", "surround"))
            or any(self.tokens[j].kind == "REF" or self.tokens[j].concept.tracer for j in self.out.compared)
            or self.tokens[i].concept.hot
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
                negated = kind != "not above" and self._negated()
                self.pending = (state, i, negated, self._degree_for(i), False)
                self.skip = {j for j in self.out.compared if self.tokens[j].kind == "EVEN"}
                self.out.compared -= {j for j in self.out.compared if j > i and self.tokens[j].kind == "CUE"}
            return
        said = self.out.verdicts[-1] if self.out.verdicts else None
        if kind == "above" and target is None and said is not None and said.state is DECREASED:
            return  # "the hypometabolism exceeded the abnormality on MRI"
        if self.comparison is not None:
            self.comparison = None
        negated = self._negated()
        if kind == "equal" and target is None:
            return  # like before, like the other findings: no verdict
        if kind == "equal" or kind == "not above":
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
        if state is DECREASED and self.out.verdicts and self.out.verdicts[-1].residual:
            self.out.verdicts[-1].state, self.out.verdicts[-1].residual = DECREASED, False
        pool = kind == "above" and any(
            "血池" in self.tokens[j].text or "pool" in self.tokens[j].text for j in self.out.compared
        )
        if self.out.verdicts:
            self.out.verdicts[-1].above_pool = pool
        if (state is NORMAL or pool) and self.out.verdicts:
            self.out.verdicts[-1].spread = True  # a word for the state itself says more

    def on_down(self, i: int, token: Token) -> None:
        at = i - 2 if i > 1 and self.tokens[i - 1].kind == "DEG" else i - 1
        changed = at >= 0 and self.tokens[at].concept.perfect and token.start - self.tokens[at].end > 1
        if (changed and self._next_kind(i) != "CUE") or self._falls(i):
            self._changed(DECREASED, i)  # "has markedly decreased"
            return
        super().on_down(i, token)

    def _falls(self, i: int) -> bool:
        """ "Decreased from SUVmax 12.1 to 3.4", "decreased to SUVmax 3.4": it was more before, and is still there."""
        behind = self.tokens[i + 1 : i + 3]
        if self.tokens[i].chinese or not behind:
            return False
        words = [t.text for t in behind if t.kind == "IN"]
        return (
            (behind[0].kind == "SUV" and "from" in behind[0].text)
            or words == ["from", "to"]
            or (words in (["from"], ["to"]) and behind[-1].kind == "SUV" and behind[0].kind == "IN")
        )

    def on_change(self, i: int, token: Token) -> None:
        if token.concept.state is DECREASED and self._next_kind(i) == "CUE" and not self.out.cue:
            self.on_down(i, token)  # "the rest of the gland has reduced activity"
            return
        self._changed(token.concept.state, i)

    def _of_subject(self, i: int) -> bool:
        """ "The hypometabolism of the parietal lobe has worsened": it is still there."""
        last = self.out.verdicts[-1] if self.out.verdicts else None
        return (
            last is not None
            and not self.tokens[i].chinese
            and self.tokens[i - 1].kind == "VERB"
            and any(t.kind == "SITE" for t in self.tokens[last.last + 1 : i])
        )

    def _changed(self, direction: UptakeState | None, i: int) -> None:
        """A change since an earlier study: less than before is still there."""
        self.change = True
        self.out.change = True
        if direction is not None and self.open is not None and not self.open.used:
            self._conclude(direction, i, self.neg is not None, None)
            return
        if direction is None and self._of_subject(i):
            return
        if (
            self.out.verdicts
            and self.out.verdicts[-1].state is DECREASED
            and not self.out.verdicts[-1].negated
            # but not "lower than the liver, metabolic response"
            and self.tokens[self.out.verdicts[-1].last].kind != "BELOW"
        ):
            self.out.verdicts[-1].state, self.out.verdicts[-1].residual = INCREASED, True
        if self.open is not None and not self.open.used:
            return
        if self.pending is not None and self.pending[0] is DECREASED:
            _state, at, negated, _degree, phys = self.pending
            self.pending = (INCREASED, at, negated, None, phys)

    def on_prior(self, i: int, token: Token) -> None:
        last = self.out.verdicts[-1] if self.out.verdicts else None
        following = self.tokens[i + 1] if i + 1 < self.size else None
        alone = following is None or following.kind in ("VERB", "JOIN")
        if following is not None and following.kind == "SUV" and following.paren and not token.paren:
            alone = last is not None and self._was(last.first)  # "which was avid earlier (SUVmax 9.2)"
        behind = token.concept.behind or (not token.chinese and alone)
        if behind and last is not None and last.last == i - 1 and token.paren == self.tokens[i - 1].paren:
            last.prior = True  # "highly avid on the baseline scan"
            return
        if (
            token.concept.behind
            and last is None
            and self.open is None
            and self._next_kind(i) in ("NEG", "VERB")
        ):
            return  # "the lesion seen on the prior study is not avid"
        if (
            self.open is not None
            and self.open.negated
            and not token.chinese
            and i
            and self.tokens[i - 1].kind == "IN"
        ):
            return  # "no activity at the site of the previously described mass"
        called = (
            self.pending is not None
            and self.pending[0] is NORMAL
            and i > 0
            and self.tokens[i - 1].kind == "IN"
        )
        if called and not token.chinese:
            return  # "negative in all previously involved nodes"
        if self._next_kind(i) not in ("FINDING", "STRUCT", "SIZE"):
            if self.open is not None and (
                any(t.kind in ("SUV", "COMMA") for t in self.tokens[self.open.last : i])
                or (
                    token.paren
                    and not self.tokens[self.open.last].paren
                    and (not token.chinese or self._next_kind(i) == "SUV")
                )
            ):
                self._finish_open()  # "uptake in the thyroid (SUV 9.1, previously 8.7)"
            elif (
                self.pending is not None
                and self.pending[0] is NORMAL
                and any(t.kind in ("SUV", "COMMA") for t in self.tokens[self.pending[1] : i])
            ):
                self._emit(NORMAL, self.pending[1], self.pending[1], self.pending[2], bare=True)
                self.pending = None
            self.prior = True
            if self.valued:
                self.out.change = True

    def _was(self, at: int) -> bool:
        """A verb of the past stands before the word at *at* and its adverbs."""
        while at and self.tokens[at - 1].kind in ("DEG", "DIFFUSE", "FOCAL", "UP"):
            at -= 1
        return at > 0 and self.tokens[at - 1].concept.past

    def on_present(self, i: int, token: Token) -> None:
        self.prior = False
        last = self.out.verdicts[-1] if self.out.verdicts else None
        if (
            last is not None
            and not token.chinese
            and last.last < i - 1
            and last.state is INCREASED
            and self._was(last.first)
        ):
            last.prior = True  # "the lesion which had been avid is now photopenic"
            self._close_stretch(i)
        if last is not None and last.last == i - 1 and not token.chinese:
            last.prior = False  # "is not avid at present"
        elif last is not None and token.concept.overrides:
            last.prior = True
            self._close_stretch(i)  # 由高代谢转为放射性缺损
        elif last is not None and last.prior and token.chinese and last.last == i - 1:
            self._close_stretch(i)  # 由原来的高代谢转为放射性缺损
        following = next(
            (t.kind for t in self.tokens[i + 1 : i + 5] if t.kind not in ("PART", "DIFFUSE", "COMMA")), ""
        )
        if not token.chinese and token.text.startswith("new") and following == "CUE" and self.neg is None:
            self.abnormal = i  # "new uptake in the sigmoid"
        if self.neg == i - 1 and token.text in ("new", "新见", "新增", "新发", "新出现"):
            self.no_new = True  # "no new lesion" states nothing

    def on_resolved(self, i: int, token: Token) -> None:
        if token.concept.before and self._next_kind(i) in _UNCOMPLETED:
            self.out.resolved, self.prior = True, False
            self.neg, self.neg_used = i, False  # 原病灶处未再见异常浓聚
            return
        if i and self.tokens[i - 1].kind == "NEG" and not token.chinese:
            return  # "has not resolved"
        if token.text.startswith("未") and not (self.prior or self.change or self.out.verdicts):
            return  # 胆囊未见显示: removed, not resolved
        ahead = [t for t in self.tokens[i + 1 : i + 8] if t.kind not in _BETWEEN]
        if i == 0:
            ahead = [t for t in ahead if t.kind not in ("PRIOR", "VERB")]
        if ahead and ahead[0].kind == "IN":
            ahead = ahead[1:]
        elif i:
            ahead = []
        if (
            not token.chinese
            and not self.out.cue
            and any(t.kind == "CUE" or (t.kind == "HOT" and t.concept.noun) for t in ahead[:1])
        ):
            self.out.resolved = True  # "resolution of the uptake in the hilar node"
            self.pending = (NORMAL, i, False, None, False)
            return
        if token.paren and not token.concept.hot and self.out.verdicts and not self.tokens[0].paren:
            return  # "diffuse hypometabolism (seizures resolved clinically)"
        behind = {t.kind for t in self.tokens[i + 1 :]} if not token.chinese else set()
        if self._next_kind(i) == "IN" and {"PRIOR", "HOT"} <= behind:
            return  # "resolution of previously avid nodes": the nodes are named behind
        seen = not behind.isdisjoint(
            ("CUE", "ABOVE")
        )  # "resolved on PET", "no longer visible above background"
        if (
            seen
            or (self.form and i == 0 and not token.chinese)
            or self.out.cue
            or self.earlier_cue
            or "cue" in self.nouns
            or token.concept.hot
            or any(
                t.kind == "FOCAL" and t.concept.noun for t in self.tokens[:i]
            )  # "splenic foci have resolved"
        ):
            self.prior = False
            self.out.resolved = True
            last = self.out.verdicts[-1] if self.out.verdicts else None
            if last is not None and last.state is INCREASED and not last.negated:
                last.state, last.degree, last.last, last.prior = NORMAL, None, i, False
                last.spread = True
            else:
                self._emit(NORMAL, i, i, False).spread = True  # a later word says more
            if self.open is not None:
                self.open.used = True
