"""Reading reports: distinct texts a second on one core, cold and warm, against jieba cutting them.

Measured is the parser that is imported: that of the checkout is pure Python, that of a wheel built with a C compiler is
compiled (``make bench`` measures both).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import Row, cpu
from benchmarks.reports import Corpus


def run(corpus: Corpus, *, full: bool) -> Iterator[Row]:
    """Must run before anything else has read these texts, or *cold* would not be."""
    import logging

    import jieba

    from pet2rep_eval.parsing import parse_report, remembered

    kind = "compiled" if str(remembered.__file__).endswith((".so", ".pyd")) else "pure Python"
    start, _ = cpu(lambda: parse_report("肝脏未见异常。"))
    yield Row("parsing", "lexicons and grammars loaded", start, "CPU s", kind)
    jieba.setLogLevel(logging.ERROR)
    plain = jieba.Tokenizer()
    plain.FREQ, plain.total = plain.gen_pfdict(plain.get_dict_file())
    plain.initialized = True
    pools = {"distinct texts": corpus.distinct, "texts without a repeated sentence": corpus.unrepeated}
    for name, texts in pools.items():
        remembered.forget()
        cold, warm = _each(parse_report, texts, 1), _each(parse_report, texts, 3)
        cutting = _each(plain.lcut, texts, 2)
        yield Row(
            "parsing", f"reading {len(texts)} {name}, cold", cold, "texts/s", f"{cold / cutting:.2f} × jieba"
        )
        yield Row("parsing", "reading them again, warm", warm, "texts/s", f"{warm / cutting:.2f} × jieba")
        yield Row("parsing", "jieba cutting them into words", cutting, "texts/s")


def _each(work: Callable[[str], object], texts: Sequence[str], best_of: int) -> float:
    """Texts a second."""
    seconds, _ = cpu(lambda: [work(text) for text in texts], best_of=best_of)
    return len(texts) / seconds
