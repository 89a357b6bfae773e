"""One pass over the tokens of a clause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.nouns import Nouns
from pet2rep_eval.parsing.uptake.records import ABSENT, INCREASED, NORMAL, Reading, Verdict
from pet2rep_eval.parsing.uptake.targets import REFERENCE_ORGANS


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
    organs = about & REFERENCE_ORGANS
    if not COMPARING.isdisjoint([t.kind for t in tokens]):
        before = frozenset(o for t in _before_comparison(tokens) for o in t.concept.organs)
        organs = (before & REFERENCE_ORGANS) if before else organs
    reader = Reader(tokens, inherits_cue, earlier_cue)
    reader.change, reader.form, reader.contrast, reader.about = change, form, contrast, organs
    return reader.run()


_CAUSES = frozenset("LESION FINDING BENIGN DISEASE UNCERTAIN".split())

COMPARING = frozenset({"BELOW", "ABOVE", "EQUAL", "AGAINST"})
"""Kinds of the words that compare: what they mean may depend on what the text speaks of."""


def _before_comparison(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens before the first word that compares."""
    at = next((i for i, t in enumerate(tokens) if t.kind in COMPARING), 0)
    return tokens[:at]


class Reader(Nouns):
    """Walks over the tokens; every kind that matters has its ``on_…``."""

    def run(self) -> Reading:
        handlers = _handlers()
        for i, token in enumerate(self.tokens):
            if i in self.skip or (token.kind == "EVEN" and i in self.out.compared):
                continue
            if self.cause and token.kind not in ("PHYS", "BUT", "JOIN", "URINE"):
                if self._is_new_subject(i):
                    self._close_stretch(i)
                    self.cause = False
                elif token.text == "normal" and self.tokens[i - 1].kind == "CAUSE":
                    self.out.called_physiological = True  # "compatible with normal thymus"
                    continue
                elif token.kind == "COMMA" or (token.kind in ("NEG", "VERB") and not token.chinese):
                    self.cause = False
                else:
                    continue
            handler = handlers.get(token.kind)
            if handler is not None:
                handler(self, i, token)
        self.out.cue_at_end = "cue" in self.nouns or self.open is not None
        self._close_stretch(self.size)
        self._finish()
        kinds = {t.kind for t in self.tokens}
        if "UNCERTAIN" in kinds:
            unclear = next(i for i, t in enumerate(self.tokens) if t.kind == "UNCERTAIN")
            aside = self.tokens[unclear].concept.before or self.tokens[unclear].paren
            said = [
                v for v in self.out.verdicts if v.last < unclear and aside and not self.tokens[v.last].paren
            ]
            self.out.verdicts[:] = said
            self.out.uncertain = not said
            self.out.called_physiological = False  # "difficult to evaluate due to urinary activity"
            if said:
                self.out.compared.update(range(unclear, self.size))
        if self.no_new:
            self.out.verdicts = [v for v in self.out.verdicts if not v.negated]
        if not self.out.resolved and self.out.cue and self._resolves():
            # "resolution of the previously hypermetabolic nodes"
            self.out.resolved = True
            for verdict in self.out.verdicts:
                if verdict.state is INCREASED:
                    verdict.state, verdict.degree, verdict.prior = NORMAL, None, False
        if "MODALITY" in kinds and not self.out.cue:
            self.out.verdicts = [v for v in self.out.verdicts if not v.bare]
        self.out.contrast = self.contrast
        return self.out

    def _is_new_subject(self, i: int) -> bool:
        """考虑囊肿余肝代谢均匀: dictated without a comma, the cause ends where another place has its verdict."""
        token, before = self.tokens[i], self.tokens[i - 1]
        if not token.chinese or token.kind not in ("SITE", "SIDE", "REST") or before.kind not in _CAUSES:
            return False
        at = i
        while self._kind_at(at) in ("SITE", "SIDE", "REST", "PART"):
            at += 1
        return any(self._kind_at(j) == "CUE" for j in range(at, at + 3)) and "CAUSE" in [
            t.kind for t in self.tokens[max(0, i - 4) : i]
        ]

    def _of_rim(self, index: int) -> bool:
        """ "A photopenic lesion without rim activity": the second word adds nothing to the first."""
        verdict = self.out.verdicts[index]
        if not index or not verdict.negated or self.tokens[verdict.last].chinese:
            return False
        before = self.out.verdicts[index - 1]
        between = self.tokens[before.last + 1 : verdict.first]
        return (
            before.state is ABSENT
            and self.tokens[verdict.first].kind == "NEG"
            and any(t.kind in ("FOCAL", "PART") for t in self.tokens[verdict.first : verdict.last])
            and not any(t.kind in ("JOIN", "VERB") for t in between)
            and (
                [t.kind for t in self.tokens[verdict.first : verdict.last]] == ["NEG", "FOCAL"]
                or not any(t.kind == "COMMA" for t in between)
            )
        )

    def _is_defect(self, verdict: Verdict) -> bool:
        """放射性缺损区(“冷结节”), 无摄取区(放射性缺损): the word for a defect says more."""
        vague = self.tokens[verdict.last].kind == "HYPO" and self.tokens[verdict.last].concept.weak
        last = self.tokens[verdict.last]
        none = verdict.no_uptake or (
            verdict.negated and last.chinese and last.kind == "HOT"
        )  # 无浓聚坏死区呈缺损
        if not (vague or none):
            return False
        aside = not (vague or self.tokens[verdict.last].chinese)  # "no uptake (photopenic)"
        defects = [
            v
            for v in self.out.verdicts
            if v.state is ABSENT and v is not verdict and (self.tokens[v.first].paren or not aside)
        ]
        return any(not self._parted(verdict, other) for other in defects)

    def _parted(self, one: Verdict, other: Verdict) -> bool:
        """A name or a joining word stands between the two."""
        early, late = (one, other) if one.last < other.first else (other, one)
        return any(t.kind in ("SITE", "JOIN") for t in self.tokens[early.last + 1 : late.first])

    def _is_valued(self, verdict: Verdict) -> bool:
        """ "Uptake in the right testis amounted to SUVmax 7.9 and the left was without": it has its own value."""
        later = min([v.first for v in self.out.verdicts if v.first > verdict.last], default=self.size)
        kinds = [t.kind for t in self.tokens[verdict.last + 1 : later]]
        if self.tokens[0].chinese or "SUV" not in kinds:
            return False
        behind = kinds[kinds.index("SUV") + 1 :]
        return "JOIN" in behind and "SITE" in behind and "VERB" in behind

    def _is_grave_focus(self) -> bool:
        """ "A focus in the L5/S1 disc is suspicious for discitis": what PET shows is a focus of uptake."""
        at = next((i for i, t in enumerate(self.tokens) if t.kind == "FOCAL" and t.concept.noun), -1)
        return (
            at >= 0
            and self._names_next(at + 1)
            and any(t.concept.grave for t in self.tokens[at:])
            and not any(
                t.kind in ("NEG", "FINDING", "STRUCT", "MODALITY", "PRIOR", "PHYS") for t in self.tokens
            )
        )

    def _surrounds(self, verdict: Verdict) -> bool:
        """ "Uptake in the psoas muscle surrounding a photopenic collection": both are there."""
        later = next((v for v in self.out.verdicts if v.first > verdict.last), None)
        return (
            later is not None
            and later.state is ABSENT
            and any(
                t.kind == "PLACE" and t.text == "surrounding" for t in self.tokens[verdict.last : later.first]
            )
        )

    def _denied_on_pet(self) -> bool:
        """ "There is no hepatic lesion of concern on PET": what PET shows is its uptake."""
        kinds = [t.kind for t in self.tokens]
        if "NEG" not in kinds or not self.tokens[-1].concept.weak or kinds[-1] != "CUE":
            return False
        return not {"LESION", "NODE"}.isdisjoint(kinds[kinds.index("NEG") :]) and "UNCERTAIN" not in kinds

    def _resolves(self) -> bool:
        """It is said, and not denied, that something has gone."""
        at = next((i for i, t in enumerate(self.tokens) if t.kind == "RESOLVED"), -1)
        return at == 0 or (at > 0 and (self.tokens[at - 1].kind != "NEG" or self.tokens[at].chinese))

    def _from_with(self, at: int) -> int:
        """ "Nodules with diffuse increase in both lungs": where that begins which the index is part of."""
        return next((i for i in range(at, 0, -1) if self.tokens[i].concept.name == "verb.with"), 0)

    def _of_side(self, at: int) -> bool:
        """Only a side and a direction, in a sentence that speaks of uptake."""
        return (
            self.earlier_cue
            and at == self.size - 1 == 1
            and self.tokens[0].kind == "SIDE"
            and not self.tokens[0].chinese
            and self.tokens[1].kind in ("UP", "DOWN")
        )

    def _contrasts(self, at: int) -> bool:
        """The clause sets its predicate against what was said of uptake before."""
        return self.tokens[0].kind == "BUT" and at > 0 and self.tokens[at - 1].concept.copula

    def _of_brain(self, at: int) -> bool:
        """ "L lateral temporal -3.4 decreased", "the cuneus shows a diffuse reduction": of the brain, how it is."""
        named = self.tokens[:at]
        noun = self.tokens[at].concept.noun
        behind = self.tokens[at + 1 :]
        return (
            (not behind or (noun and all(t.kind == "SIDE" for t in behind)))
            and self.tokens[at].kind == "DOWN"
            and not self.tokens[at].chinese
            and all(
                t.kind in ("SITE", "SIDE", "PART", "DEG", "JOIN")
                or (noun and (t.kind in ("DIFFUSE", "COMMA") or t.text.startswith("show")))
                for t in named
            )
            and any(t.kind == "SITE" for t in named)
            and all(t.concept.organs == ("brain",) for t in named if t.kind == "SITE")
        )

    def _says_it_all(self, at: int) -> bool:
        """ "Tonsils intense, symmetrical", "marrow diffusely ↑"."""
        named = any(t.kind in ("SITE", "LESION", "NODE", "FOCAL", "PART") for t in self.tokens[:at])
        arrow = not self.tokens[at].text.isalpha()
        return (
            self.tokens[at].concept.hot
            and (arrow or self._kind_at(at + 1) in ("", "COMMA", "JOIN"))
            and named
            and not self.out.structural
            and not any(t.kind in ("STRUCT", "MODALITY", "CONTRAST") for t in self.tokens)
        )

    def _of_heart(self, at: int) -> bool:
        """A defect in a wall of the heart: of perfusion, or of metabolism."""
        behind = self.tokens[at + 1 : at + 5]
        return (
            bool(behind)
            and behind[0].kind in ("IN", "OF")
            and any(t.kind == "SITE" and t.concept.organs == ("heart",) for t in behind)
            and not any(t.kind in ("MODALITY", "CONTRAST") for t in self.tokens)
        )

    def _increase_in(self, at: int) -> bool:
        """ "Diffuse increase in the spleen": of a place, and of nothing that the CT shows."""
        token = self.tokens[at]
        predicate = at == self.size - 1 and any(t.kind == "SITE" for t in self.tokens[:at])
        return (
            not token.chinese
            and not self.out.structural
            and (self._names_next(at + 1) or predicate)
            and not any(t.kind in ("STRUCT", "FINDING", "SIZE", "CONTRAST") for t in self.tokens)
            and not any(t.kind == "LESION" for t in self.tokens[self._from_with(at) :])
            and any(t.kind in ("DEG", "DIFFUSE", "FOCAL", "NEG", "UNEVEN") for t in self.tokens[:at])
        )

    def _finish(self) -> None:
        if self.pending is not None:
            state, at, negated, degree, _physiological = self.pending
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
            elif state is NORMAL and self.seen_physiological and not self.out.cue:
                pass  # 为正常生理性分布: said of what stood before
            elif state is NORMAL:
                self._emit(NORMAL, at, at, False, bare=not self.tokens[at].concept.tracer)
            elif self.tokens[at].concept.noun and self.earlier_cue and not negated and self._of_heart(at):
                self._emit(
                    state, at, at, False, degree=degree
                )  # "perfusion shows a large, severe defect of the anterior wall"
            elif (
                state is ABSENT
                and (self.earlier_cue or self.out.cue)
                and not negated
                and any(t.kind == "CENTER" for t in self.tokens)
            ):
                self._emit(state, at, at, False)  # "avid at the periphery, absent in the necrotic core"
            elif state is ABSENT and self.earlier_cue and not negated and self._contrasts(at):
                self._emit(state, at, at, False)  # "preserved in the septum, but was absent in the apex"
            elif (self._of_side(at) or self._of_brain(at)) and not negated:
                self._emit(state, at, at, False, degree=degree)  # "the right cord is silent; left increased"
            elif state is INCREASED and not negated and self._says_it_all(at):
                self._emit(INCREASED, at, at, False, degree=degree or "marked")
            elif state is INCREASED and self._increase_in(at):
                self._emit(INCREASED, at, at, negated, degree=degree)
            elif self.form and not self.out.structural and "缺如" not in self.tokens[at].text:
                self._emit(state, at, at, negated, degree=degree)
            elif negated and self.out.structural is False and state is INCREASED:
                self._emit(NORMAL, at, at, False, bare=True)
        if not self.out.verdicts and self._is_grave_focus():
            self._emit(INCREASED, 0, self.size - 1, False)
        if not self.out.verdicts and self._denied_on_pet():
            self._emit(NORMAL, 0, self.size - 1, False)
        if len(self.out.verdicts) > 1:
            self.out.verdicts = [
                v for i, v in enumerate(self.out.verdicts) if not (self._of_rim(i) or self._is_defect(v))
            ]
        if any(v.state is NORMAL and self.tokens[v.first].kind == "VERDICT" for v in self.out.verdicts):
            self.out.verdicts = [v for v in self.out.verdicts if not v.shape or self.tokens[v.last].chinese]
        verdicts = self.out.verdicts
        cold = self.valued and all(v.activity or v.state is ABSENT for v in verdicts)
        if any(not v.activity for v in verdicts) and not cold:
            self.out.verdicts = [
                v for v in verdicts if not v.activity or self._is_valued(v) or self._surrounds(v)
            ]
        if self.seen_physiological and not self.out.verdicts:
            self.out.physiological = True


@lru_cache(maxsize=1)
def _handlers() -> dict[str, Callable[[Reader, int, Token], None]]:
    """Kind → what deals with it."""
    return {name[3:].upper(): getattr(Reader, name) for name in dir(Reader) if name.startswith("on_")}
