"""Random reports for the metrics: Chinese and English words in any order, so that all matches occur."""

from __future__ import annotations

from hypothesis import strategies as st

from pet2rep_eval.metrics.base import MetricContext, Words
from pet2rep_eval.metrics.prepared import PreparedText, TextPolicy

ZH_PARTS = (
    "肝脏",
    "双肺",
    "未见异常",
    "FDG摄取",
    "增高",
    "，",
    "。",
    "SUVmax",
    "3.2cm",
    "结节",
    "代谢",
    "左",
    "右",
    "\n",
)
EN_PARTS = (
    "liver", "Liver", "lungs", "lung", "shows", "showed", "no", "uptake", "abnormal", "abnormalities",
    "increased", "increasing", "FDG", "-", "avid", ".", ",", "3.2", "cm", "nodes", "node",
)  # fmt: skip

zh_texts = st.lists(st.sampled_from(ZH_PARTS), max_size=40).map("".join)
en_texts = st.lists(st.sampled_from(EN_PARTS), max_size=40).map(" ".join)
pairs = st.one_of(st.tuples(zh_texts, zh_texts), st.tuples(en_texts, en_texts))
corpora = st.one_of(
    st.lists(st.tuples(zh_texts, zh_texts), min_size=1, max_size=6),
    st.lists(st.tuples(en_texts, en_texts), min_size=1, max_size=6),
)
word_names = st.sampled_from(["jieba", "spacy", "characters", "whitespace"])


def prepare(text: str) -> PreparedText:
    """The whole text, marks kept, so that no parse is needed."""
    return PreparedText(text, TextPolicy("all", "keep"))


def context(words: str = "characters") -> MetricContext:
    """For metrics that need no protocol."""
    return MetricContext(Words(words, words), protocol=None)  # type: ignore[arg-type]
