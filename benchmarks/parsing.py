"""Reading reports: distinct texts a second on one core, cold and warm, against jieba cutting them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Row, cpu
from benchmarks.reports import Corpus


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    """Must run before anything else has read these texts, or *cold* would not be."""
    import logging

    import jieba

    from pet2rep_eval.parsing import parse_report

    texts = corpus.distinct
    start, _ = cpu(lambda: parse_report("肝脏未见异常。"))
    cold, _ = cpu(lambda: [parse_report(text) for text in texts])
    warm, _ = cpu(lambda: [parse_report(text) for text in texts], best_of=3)
    jieba.setLogLevel(logging.ERROR)
    plain = jieba.Tokenizer()
    plain.FREQ, plain.total = plain.gen_pfdict(plain.get_dict_file())
    plain.initialized = True
    cutting, _ = cpu(lambda: [plain.lcut(text) for text in texts])
    yield Row("parsing", "lexicons and grammars loaded", start, "CPU s")
    yield Row("parsing", f"reading {len(texts)} distinct texts, cold", len(texts) / cold, "texts/s")
    yield Row("parsing", "reading them again, warm", len(texts) / warm, "texts/s")
    yield Row("parsing", "jieba cutting them into words", len(texts) / cutting, "texts/s")
