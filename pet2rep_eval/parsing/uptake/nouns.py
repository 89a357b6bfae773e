"""Structure, lesions and the joints between phrases."""

from __future__ import annotations

from pet2rep_eval.parsing.grammar import ELEMENTS
from pet2rep_eval.parsing.tokens import SEEN, Token
from pet2rep_eval.parsing.uptake.modifiers import Modifiers
from pet2rep_eval.parsing.uptake.records import NORMAL


class Nouns(Modifiers):
    """What a direction can be about besides uptake, and where a stretch ends."""

    def on_struct(self, i: int, token: Token) -> None:
        before = self.tokens[i - 1].kind if i else ""
        if self.seen_physiological and self.tokens[i - 1].kind == "PHYS":
            self.physiological = self.seen_physiological = False
        if self.pending is not None:
            state, _at, negated, _, _ = self.pending
            self.pending = None
            self.shared = (state, negated, i)
            self.out.structural = True
            if state is not NORMAL and not negated and self._next_kind(i) == "JOIN":
                self.change = True
                self.out.change = True
        if not (before in ("JOIN",) and self.nouns) and before != "STRUCT":
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
        if (not token.chinese and "in size" in token.text) or token.text in ("enlarging",):
            self.change = True
        if (
            "cue" in self.nouns
            and self.tokens[i - 1].kind != "JOIN"
            and self.open is not None
            and self.open.used
        ):
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

    def _of_known(self, i: int) -> bool:
        """ "Previously described nodes have no uptake": what was seen then is the subject now."""
        at = next((j for j in range(i - 1, -1, -1) if self.tokens[j].kind == "PRIOR"), -1)
        behind = self.tokens[at + 1 : i]
        return (
            at >= 0
            and bool(behind)
            and behind[0].start - self.tokens[at].end <= 1
            and behind[0].kind in ("SITE", "SIDE", "NODE", "LESION")
            and all(t.kind in ELEMENTS or t.kind in ("JOIN", "COMMA", "OF", "IN") for t in behind)
        )

    def _denies_size(self, i: int, token: Token) -> bool:
        """ "Not enlarged, with increased uptake": what is denied stands before the preposition."""
        return (
            token.concept.name == "verb.with"
            and self.neg is not None
            and self.neg == i - 2
            and self.tokens[i - 1].kind == "FINDING"
            and self.tokens[self.neg].text.endswith("not")
        )

    def on_verb(self, i: int, token: Token) -> None:
        if token.chinese:
            if self.neg is not None and self.neg < i - 1 and self.neg_used:
                self._close_stretch(i)
            return
        if i and self.tokens[i - 1].kind == "JOIN" and self.neg is not None:
            self._close_stretch(i)  # "is no longer enlarged and shows …"
        if self._denies_size(i, token):
            self._close_stretch(i)
        if self.prior and not self.out.verdicts and not token.concept.past and self._of_known(i):
            self.prior = False
        self.degree = self.abnormal = self.focal = None
        last = self.out.verdicts[-1] if self.out.verdicts else None
        self._leave_prior()
        if token.concept.state is not None:
            self.prior = False
        if self.named_since and self.neg_used and last is not None and token.concept.name != SEEN:
            self._close_stretch(i)  # a new subject has its verb
            self.named_since = False
            return
        if token.concept.name == SEEN:
            if self.neg is not None and not self.neg_used and last is not None and not last.negated:
                last.state, last.degree, last.negated, last.prior = NORMAL, None, True, False
                self.neg_used = True
            elif self.neg is not None and not self.neg_used and self.open is not None and not self.open.used:
                self.open.negated = True
                self.neg_used = True
