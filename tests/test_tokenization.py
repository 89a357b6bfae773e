"""Words: equal to the libraries' own, nothing dropped, no trace on disk."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.tokenization import TOKENIZERS, detect_language, dropped_share, guard, load_tokenizer

ZH = "双肺见多发结节，最大SUVmax：12.4，大小约3.2cm×1.8cm；\r\n余肺野FDG摄取未见异常。　T2N0-1 +ve &c"
EN = "The liver shows no abnormal uptake (SUVmax 3.1).\nRight hilar node: FDG-avid, 1.2 x 0.8 cm."
MIXED = st.text(st.sampled_from([*ZH, *EN, "\t", "\u3000", "\U00020000", "é"]), max_size=80)


@given(MIXED)
def test_jieba_with_a_memo_is_jieba(text: str) -> None:
    import jieba

    jieba.setLogLevel(60)
    assert list(load_tokenizer("jieba")(text)) == [word for word in jieba.lcut(text) if word.strip()]


@given(MIXED)
def test_characters_are_those_of_sacrebleu(text: str) -> None:
    from sacrebleu.tokenizers.tokenizer_char import TokenizerChar

    assert list(load_tokenizer("characters")(text)) == TokenizerChar()(text).split()


@given(MIXED)
def test_the_ascii_words_are_those_of_rouge_score(text: str) -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    assert list(load_tokenizer("rouge-score")(text)) == DefaultTokenizer().tokenize(text)


@pytest.mark.parametrize("name", ["jieba", "spacy", "characters", "whitespace"])
@given(text=MIXED)
def test_nothing_but_space_is_dropped(name: str, text: str) -> None:
    assert dropped_share(text, load_tokenizer(name)(text)) == 0.0


@pytest.mark.parametrize("name", TOKENIZERS.names())
def test_tokens_hold_no_space_and_are_never_empty(name: str) -> None:
    tokenizer = load_tokenizer(name)
    assert tokenizer.signature
    for text in (ZH, EN, "", " \n\t "):
        assert all(token and not any(c.isspace() for c in token) for token in tokenizer(text))


def test_english_words_part_from_their_punctuation() -> None:
    assert load_tokenizer("spacy")("The liver (SUVmax 3.1).") == (
        "The",
        "liver",
        "(",
        "SUVmax",
        "3.1",
        ")",
        ".",
    )


def test_the_guard_refuses_ascii_words_on_chinese_and_accepts_them_on_english() -> None:
    jieba = load_tokenizer("jieba")
    ascii_words = load_tokenizer("rouge-score")
    with pytest.raises(InputError, match=r"'rouge-score' drops \d+% of the characters.*jieba"):
        guard(ascii_words, [(ZH, ascii_words(ZH))])
    assert 0 < guard(ascii_words, [(EN, ascii_words(EN))]) < 0.2
    assert guard(jieba, [(ZH, jieba(ZH)), ("", ())]) == 0.0


def test_the_share_dropped_counts_characters_of_all_texts() -> None:
    assert dropped_share("ab cd", ["ab"]) == 0.5
    assert dropped_share("  ", []) == 0.0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ZH, "zh"),
        (EN, "en"),
        ("", "en"),
        ("FDG摄取", "zh"),
        ("SUVmax 4.5", "en"),
        ("Findings: 肝 uptake is normal", "en"),
    ],
)
def test_language_by_the_share_of_han(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_an_unknown_tokenizer_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'jieba'"):
        load_tokenizer("jeiba")


def test_importing_loads_no_library_and_cutting_leaves_no_trace(tmp_path) -> None:  # type: ignore[no-untyped-def]
    code = (
        "import sys; from pet2rep_eval.tokenization import load_tokenizer;"
        "assert not {'jieba', 'spacy', 'nltk'} & set(sys.modules);"
        "print('|'.join(load_tokenizer('jieba')('肝脏未见异常')))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        capture_output=True,
        encoding="utf-8",
        env={"TMPDIR": str(tmp_path), "PATH": "", "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    assert run.stdout.strip() == "肝脏|未见异常"
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []
