"""What a comparison is made with."""

from __future__ import annotations

from pet2rep_eval.parsing.tokens import Token
from pet2rep_eval.parsing.uptake.records import DECREASED, NORMAL
from pet2rep_eval.parsing.uptake.stretch import Stretch
from pet2rep_eval.records import UptakeState

REFERENCE_ORGANS = frozenset({"liver", "great_vessels", "mediastinal_hilar_lymph_nodes", "spleen", "heart"})
"""Organs that uptake is compared with."""


_BESIDE = frozenset("PART CUE DEG OF PLACE EVEN LESION SITE REGION SIDE REF".split())
"""Kinds that may stand between what is compared with and the word that compares: 与颈部软组织本底水平相近."""


class Targets(Stretch):
    """Finds what stands behind, or in Chinese before, a word that compares."""

    def _is_reference(self, token: Token) -> bool:
        """What lesions elsewhere are compared with: to be colder than it is no defect."""
        organs = frozenset(token.concept.organs)
        if token.kind == "REF":
            return not ("liver" in self.about and any(w in token.text for w in ("liver", "hepat", "肝")))
        if self.about == {"liver"} and organs == {"spleen"}:
            return False  # a liver colder than the spleen is fatty
        return not REFERENCE_ORGANS.isdisjoint(organs) and self.about.isdisjoint(organs)

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
                if kind == "JOIN" and self._begins_anew(j + 1):
                    break  # "above liver and marrow diffusely increased"
                if kind == "SURROUND" or self.tokens[j].concept.around:
                    found = "surround"
                elif kind == "REF" or (kind in ("SITE", "REGION") and found is None):
                    found = found or ("reference" if self._is_reference(self.tokens[j]) else "side")
                elif kind == "PART" and found is None:
                    found = "side"
                elif kind == "EVEN" and found is None and self._next_kind(j) != "SITE":
                    found = "surround"
                elif kind == "SIDE" and found is None:
                    found = "side"
                elif kind == "REST" and found is None:
                    found = "surround"
                if kind in ("CUE", "LESION") and found is not None and self.tokens[j].chinese:
                    break
                if kind == "IN" and found is None and j == i + 1:
                    continue
                if kind == "SITE" and self.tokens[j - 1].kind == "REST" and not self.tokens[j].chinese:
                    break  # "lower than the remaining liver": the liver is the subject
                if kind in ("JOIN", "LIST", "IN") and found is None:
                    break
                if kind == "IN" and found is not None:
                    break
                self.out.compared.add(j)
            elif kind in ("DEG", "INVOLVE"):
                if self.tokens[j].concept.name == "involve.near":
                    found = "surround"  # 较邻近肝实质稀疏
                continue
            else:
                break
        return found

    def _begins_anew(self, j: int) -> bool:
        """Behind the joining word stand names with a verdict of their own."""
        if j >= self.size or self.tokens[j].chinese:
            return False
        first = j
        while self._kind_at(j) in ("SITE", "SIDE", "PART", "REGION"):
            j += 1
        return j > first and self._kind_at(j) in (
            "DIFFUSE",
            "UP",
            "DOWN",
            "VERB",
            "HOT",
            "EVEN",
            "DEG",
            "HYPO",
        )

    def _target_before(self, i: int) -> str | None:
        """与肝脏相仿: what is compared with stands before the word that compares."""
        found: str | None = None
        j = i - 1
        seen: list[int] = []
        while j >= 0 and i - j <= 7:
            token = self.tokens[j]
            if token.kind == "JOIN" and token.text in ("与", "和", "同", "跟"):
                self.out.compared.update(seen)
                parts = any(self.tokens[k].kind == "PART" for k in seen)
                return found or ("side" if parts else None)
            if token.kind == "SURROUND" or token.concept.around:
                found = "surround"
            elif token.kind in ("REF", "SITE", "REGION") and found is None:
                found = "reference" if self._is_reference(token) else "side"
            elif token.kind == "SIDE" and found is None:
                found = "side"
            elif token.kind not in _BESIDE and token.concept.name != "involve.near":
                return None
            seen.append(j)
            j -= 1
        return None

    def _compared(self, kind: str, at: int, state: UptakeState, i: int) -> UptakeState:
        target = self._target(at)
        between = [t.kind for t in self.tokens[at + 1 : i]]
        if target is None and "SURROUND" in between:
            target = "surround"
        if state is DECREASED and target == "reference":
            return NORMAL
        return state
