"""Hypothesis strategies for reports with known states, for the tests of this package and of others.

::

    from hypothesis import given
    from pet2rep_eval.testing import bilingual_reports

    @given(bilingual_reports())
    def test_my_reader(pair):
        chinese, english = pair
        assert my_reader(chinese.text) == chinese.states == english.states

The organs and their names come from the lexicons, the sentences are this module's own. Needs the extra
``testing``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pet2rep_eval.errors import MissingExtraError
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.records import UptakeState

try:
    from hypothesis import strategies as st
except ImportError:
    raise MissingExtraError("hypothesis", "testing") from None

__all__ = [
    "ADVERSARIAL",
    "GeneratedReport",
    "StatedOrgan",
    "bilingual_reports",
    "junk",
    "noisy",
    "organ_phrases",
    "repeated",
    "reports",
    "stated_organs",
    "traditional",
    "trailing_noise",
]

LANGUAGES = ("zh", "en")
PAIRED = (
    "lungs",
    "breasts",
    "adrenals",
    "kidneys",
    "axillary_lymph_nodes",
    "inguinal_lymph_nodes",
    "ovaries_adnexa",
)
"""Organs that sentences are given a side for."""

ADVERSARIAL: Mapping[str, str] = {
    "only brackets": "[【(（{<",
    "closing brackets": "】])）}>",
    "only negations": "未见无不no without ",
    "only organs": "肝脏脾liver spleen ",
    "organs in a list": "肝、脾、",
    "one endless sentence": "肝右叶见低密度灶大小约23mm×18mm伴代谢增高并",
    "one endless English sentence": "the liver and a lesion with increased uptake and ",
    "nodes in a list": "lymph node in the neck, ",
    "commas": "，",
    "colons": "肝：",
    "headings": "检查所见：",
    "headings on lines": "Findings:\n",
    "organs on lines": "肝脏\n",
    "open tags": "<td ",
    "open thoughts": "<think>",
    "open comments": "<!--",
    "closing tags": "</liver>",
    "tags": "<liver>x</liver>",
    "fields of JSON": '"liver": "increased", ',
    "fields": "Liver: increased\n",
    "rows of a table": "| liver | 3.4 | 5.6 |\n",
    "columns": "Liver\t3.4\t5.6\n",
    "rows with a number": "| No. | Site | SUVmax |\n| 1 | Left ilium | 5.6 |\n",
    "scores that changed": "Liver DS 5 -> DS 1\n",
    "lines above lists": "Hypermetabolic sites\nLiver\n",
    "fields in lower case": "liver: avid\n",
    "boxes": "☐ liver ☑ ",
    "sentences": "肝脏代谢增高。",
    "English sentences": "The liver is hypermetabolic. ",
    "cold sentences": "其内见放射性缺损，",
    "and so on": "另见，",
    "states alone": "increased\n",
    "sides": "左右left right ",
    "quotes": "\"'“‘",
    "dotted leaders": "Liver.....",
    "sections in turn": "影像所见：肝。印象：脾。",
    "entities": "&nbsp",
    "escapes": "\\.br",
    "backslashes": "\\",
    "SUVs": "SUVmax 3.4, ",
    "SUV without values": "SUV ",
    "sizes": "3cm×",
    "numbers": "1.2,",
    "digits": "7",
    "spaces": " ",
    "line breaks": "a\n",
    "pipes": "|",
    "stars": "*",
    "hyphens": "-\n",
    "JSON": '[["',
    "stations": "4R、",
    "levels": "II、",
    "vertebrae": "L1-",
    "ribs": "第1肋、",
    "long words": "abcdefghijklm ",
    "one long word": "x",
    "misspelt words": "hypermetabolc ",
    "remainders": "余",
    "comparisons": "较前",
    "earlier studies": "前次代谢增高，",
    "references": "纵隔血池SUVmax 2.1，",
    "largest": "较大者位于",
    "causes": "考虑",
    "abbreviations": "a.b.",
    "stops": "...",
    "cues": "uptake ",
    "NUL": "\x00",
    "halves of pairs": "\ud800",
    "emoji": "🙂",
}
"""What it is → a few characters that, repeated, are hard on a reader of reports (:func:`repeated`)."""

# One sentence for each way to state a state. {organ} is a name, or a list of names for NORMAL.
_FRAMES: Mapping[str, Mapping[UptakeState, Sequence[str]]] = {
    "zh": {
        UptakeState.INCREASED: (
            "{organ}FDG摄取增高",
            "{organ}糖代谢轻度增高，SUVmax约{suv}",
            "{organ}放射性异常浓聚",
            "{organ}见明显高代谢",
            "{organ}示踪剂摄取弥漫性增高，SUVmax {suv}",
            "{organ}密度欠均匀，伴代谢活跃",
        ),
        UptakeState.DECREASED: (
            "{organ}FDG摄取减低",
            "{organ}放射性分布稀疏",
            "{organ}呈低代谢改变",
            "{organ}糖代谢轻度降低",
            "{organ}密度减低，代谢减低",
        ),
        UptakeState.ABSENT: (
            "{organ}放射性缺损",
            "{organ}FDG摄取缺失",
            "{organ}放射性分布缺损",
            "{organ}局部代谢缺损",
        ),
        UptakeState.NORMAL: (
            "{organ}未见异常代谢",
            "{organ}FDG摄取未见增高",
            "{organ}形态、密度及放射性分布未见明显异常",
            "{organ}无代谢增高",
            "{organ}呈生理性摄取",
            "{organ}未见异常放射性浓聚",
        ),
    },
    "en": {
        UptakeState.INCREASED: (
            "The {organ} shows increased FDG uptake",
            "There is intense hypermetabolism in the {organ}, SUVmax {suv}",
            "Mildly increased metabolic activity in the {organ}",
            "The {organ} is FDG-avid with an SUVmax of {suv}",
            "Hypermetabolic {organ}",
        ),
        UptakeState.DECREASED: (
            "The {organ} shows decreased FDG uptake",
            "There is reduced metabolic activity in the {organ}",
            "The {organ} is hypometabolic",
            "Diminished tracer uptake in the {organ}",
        ),
        UptakeState.ABSENT: (
            "The {organ} is photopenic",
            "There is a photopenic defect in the {organ}",
            "The {organ} shows absent FDG uptake",
        ),
        UptakeState.NORMAL: (
            "The {organ} shows no abnormal FDG uptake",
            "No hypermetabolism in the {organ}",
            "The {organ} demonstrates physiologic uptake",
            "FDG uptake in the {organ} is within normal limits",
            "The {organ} is not FDG-avid",
        ),
    },
}
# The same of several organs at once.
_LIST_FRAMES = {
    "zh": ("{organ}均未见异常代谢", "{organ}FDG摄取均未见增高", "{organ}放射性分布均未见异常"),
    "en": (
        "The {organ} show no abnormal FDG uptake",
        "No abnormal uptake in the {organ}",
        "Uptake in the {organ} is within normal limits",
    ),
}
_JOINS = {"zh": ("、", ("及", "和", "、")), "en": (", ", (" and ", ", and ", " or "))}
_OPENINGS = {
    "zh": ("", "检查所见：", "影像所见：\n", "PET/CT所见："),
    "en": ("", "FINDINGS: ", "Findings:\n", "PET/CT FINDINGS: "),
}
_SIDES = {
    "zh": {"left": "左侧", "right": "右侧", "bilateral": "双侧"},
    "en": {"left": "left ", "right": "right ", "bilateral": "bilateral "},
}
_ENDS = {"zh": ("。", "；", "。\n"), "en": (". ", ".\n")}


@dataclass(frozen=True, slots=True)
class StatedOrgan:
    """One thing that a report says, apart from its words."""

    organ: str
    state: UptakeState
    side: str | None = None


@dataclass(frozen=True, slots=True)
class GeneratedReport:
    """A report with what it says."""

    text: str
    language: str
    stated: tuple[StatedOrgan, ...]

    @property
    def states(self) -> Mapping[str, frozenset[UptakeState]]:
        """What ``parse_report(text).states`` must be."""
        found: dict[str, frozenset[UptakeState]] = {}
        for one in self.stated:
            found[one.organ] = found.get(one.organ, frozenset()) | {one.state}
        return found


_CONTEXTUAL = re.compile(
    r"^\d|\d$|(?:^|\s)[a-z]$|'s$|^level |[a-z](?:al|ic|ar|ary|ous|eal|ian)$", re.IGNORECASE
)
"""Names that need their context: station numbers, single letters, and English adjectives, which in a list go with
the noun behind it."""


@cache
def organ_phrases(language: str) -> Mapping[str, tuple[str, ...]]:
    """Organ key → its names in ``zh`` or ``en``, without a side in them and meaning this organ alone.

    Left out are organs that only CT can judge, names that mean another organ where a mass is spoken of or where
    they are said to be normal, and names that need their context.
    """
    lexicon = load_lexicon()
    found: dict[str, tuple[str, ...]] = {}
    for phrases in lexicon.sources.values():
        for phrase in phrases[language]:
            concept = lexicon.phrases[phrase.lower()]
            depends = concept.mass or concept.negated or concept.contextual or concept.finding
            if concept.kind != "SITE" or len(concept.organs) != 1 or concept.side or depends:
                continue
            organ = concept.organs[0]
            if _CONTEXTUAL.search(phrase):
                continue
            if not lexicon.sites[organ].ct_only:
                found[organ] = (*found.get(organ, ()), phrase)
    return {organ: found[organ] for organ in lexicon.sites if organ in found}


@st.composite
def _one_stated(draw: st.DrawFn) -> StatedOrgan:
    organ = draw(st.sampled_from(_bilingual_organs()))
    state = draw(st.sampled_from(list(UptakeState)))
    side = draw(st.sampled_from([None, "left", "right", "bilateral"])) if organ in PAIRED else None
    return StatedOrgan(organ, state, side)


@cache
def _bilingual_organs() -> tuple[str, ...]:
    """Organs with names in both languages."""
    return tuple(sorted(set(organ_phrases("zh")) & set(organ_phrases("en"))))


def stated_organs(*, min_size: int = 1, max_size: int = 8) -> st.SearchStrategy[tuple[StatedOrgan, ...]]:
    """What a report could say: organs with states, and sides where they come in pairs; no two alike."""
    return st.lists(_one_stated(), min_size=min_size, max_size=max_size, unique=True).map(tuple)


@st.composite
def _rendered(draw: st.DrawFn, stated: tuple[StatedOrgan, ...], language: str) -> GeneratedReport:
    parts = [draw(st.sampled_from(_OPENINGS[language]))]
    rest = list(stated)
    while rest:
        together = 1
        while together < min(5, len(rest)) and all(
            one.state is UptakeState.NORMAL and one.organ != rest[0].organ for one in rest[1 : together + 1]
        ):
            together += 1
        listed = rest[0].state is UptakeState.NORMAL and together > 1 and draw(st.booleans())
        here, rest = rest[: together if listed else 1], rest[together if listed else 1 :]
        names = [draw(_named(one, language)) for one in here]
        frames = _LIST_FRAMES[language] if listed else _FRAMES[language][here[0].state]
        comma, last = _JOINS[language]
        named = comma.join(names[:-1]) + (draw(st.sampled_from(last)) if listed else "") + names[-1]
        suv = draw(st.integers(min_value=21, max_value=300)) / 10
        sentence = draw(st.sampled_from(frames)).format(organ=named, suv=f"{suv:.1f}")
        parts.append(sentence + draw(st.sampled_from(_ENDS[language])))
    return GeneratedReport("".join(parts).rstrip("；\n "), language, stated)


def _named(one: StatedOrgan, language: str) -> st.SearchStrategy[str]:
    side = _SIDES[language][one.side] if one.side else ""
    return st.sampled_from(organ_phrases(language)[one.organ]).map(lambda name: side + name)


@st.composite
def reports(draw: st.DrawFn, language: str | None = None, *, max_size: int = 8) -> GeneratedReport:
    """A report in one language (``zh``, ``en``; None: either) that says up to *max_size* things."""
    chosen = language or draw(st.sampled_from(LANGUAGES))
    return draw(_rendered(draw(stated_organs(max_size=max_size)), chosen))


@st.composite
def bilingual_reports(draw: st.DrawFn, *, max_size: int = 8) -> tuple[GeneratedReport, GeneratedReport]:
    """A Chinese and an English report that say the same."""
    stated = draw(stated_organs(max_size=max_size))
    return draw(_rendered(stated, "zh")), draw(_rendered(stated, "en"))


_MARKS = "【】［］〔〕「」『』"
_WIDE = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F) if chr(c) not in "<>&\\`*_#~|"})


@cache
def _traditional_table() -> dict[int, str]:
    """Simplified character → a traditional one that is read as it; the first of several."""
    table: dict[int, str] = {}
    for old, new in load_lexicon().characters.items():
        table.setdefault(ord(new), old)
    return table


def traditional(text: str) -> str:
    """*text* in traditional characters."""
    return text.translate(_traditional_table())


@st.composite
def noisy(draw: st.DrawFn, text: str) -> str:
    """*text* with other typography: what it says stays the same.

    Full-width letters and digits, brackets anywhere, a line break inside, bold marks, zero-width characters,
    capitals, traditional characters.
    """
    how = draw(
        st.sets(
            st.sampled_from(["wide", "marks", "break", "bold", "zero", "case", "traditional"]), max_size=3
        )
    )
    if "case" in how:
        text = text.upper()
    if "traditional" in how:
        text = traditional(text)
    if "wide" in how:
        text = text.translate(_WIDE)
    if "break" in how and len(text) > 2:
        at = draw(st.integers(min_value=1, max_value=len(text) - 1))
        if "\u3400" <= text[at - 1] <= "\u9fff" and "\u3400" <= text[at] <= "\u9fff":
            text = text[:at] + "\n" + text[at:]
        elif text[at] == " " and text[at - 1].isalnum():
            text = text[:at] + "\n" + text[at + 1 :]
    for kind, marks in (("marks", _MARKS), ("zero", "\u200b\ufeff")):
        if kind in how:
            places = draw(st.lists(st.integers(min_value=1, max_value=max(1, len(text) - 1)), max_size=4))
            for at in sorted(places, reverse=True):
                text = text[:at] + draw(st.sampled_from(marks)) + text[at:]
    if "bold" in how:
        text = f"**{text}**"
    return text


def trailing_noise() -> st.SearchStrategy[str]:
    """What can stand behind a report and says nothing: blanks, marks, an end sign, a page number."""
    pieces = [
        "\n",
        " ",
        "\t",
        "。",
        "\n\n",
        "\u200b",
        "】",
        "]",
        "```",
        "---\n",
        "\n【报告结束】",
        "\n第1页",
        "</s>",
        "<br>",
        "…",
        "\x00",
        "🙂",
        "\n\nEnd of report.",
    ]
    return st.lists(st.sampled_from(pieces), max_size=6).map("".join)


@cache
def _vocabulary() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All phrases and all headings of the lexicon."""
    return tuple(sorted(load_lexicon().phrases)), tuple(sorted(load_lexicon().headings))


def repeated(unit: str, length: int) -> str:
    """*unit*, repeated and cut to *length* characters."""
    return (unit * (length // len(unit) + 1))[:length]


def junk(*, max_size: int = 60) -> st.SearchStrategy[str]:
    """Text that no one wrote: phrases of the lexicon, marks, numbers and any characters in any order."""
    phrases, headings = _vocabulary()
    marks = list("，。；：、,.;:!?()（）[]【】{}<>|*#_~`\\\"'/-+=&%@^\n\r\t \x00\u200b\u3000")
    units = [
        "SUVmax",
        "SUV 3.4",
        "3.2cm",
        "23mm×18mm",
        "1,000",
        "L4/5",
        "4R区",
        "&nbsp;",
        "\\n",
        "<td>",
        "<think>",
        "\\.br\\",
    ]
    piece = st.one_of(
        st.sampled_from(phrases),
        st.sampled_from(phrases),
        st.sampled_from(marks),
        st.sampled_from(units),
        st.sampled_from(headings).map(lambda h: h + "："),
        st.text(max_size=6),
        st.integers(min_value=0, max_value=10**6).map(str),
    )
    return st.lists(piece, max_size=max_size).map("".join)
