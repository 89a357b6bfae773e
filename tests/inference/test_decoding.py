"""Decoding settings: presets, changes, the warning about long references."""

from __future__ import annotations

import pytest

from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference.decoding import Decoding, decoding, estimated_tokens, truncation_note


def test_greedy_is_the_default_and_the_official_settings_a_preset() -> None:
    assert decoding() == Decoding()
    assert decoding().greedy
    official = decoding("official-sampling", {"seed": 3})
    assert official == Decoding(seed=3, temperature=0.7, top_k=50, max_new_tokens=1024)
    assert not official.greedy


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": True},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": 1.5},
        {"max_new_tokens": 0},
        {"repetition_penalty": 0},
        {"seed": -1},
        {"seed": "x"},
    ],
)
def test_bad_values_are_named(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(change))):
        decoding("greedy", change)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="official-sampling"):
        decoding("official")
    with pytest.raises(UnknownNameError, match="temperature"):
        decoding("greedy", {"temprature": 1})


def test_long_references_are_announced() -> None:
    texts = ["肝脏" * 10, "肝脏" * 100]
    assert truncation_note(texts, 1024) is None
    note = truncation_note(texts, 100)
    assert note is not None
    assert note.startswith("1 of 2 references are longer than 100 tokens (the longest has about 150)")
    assert truncation_note(texts, 199, len) is not None
    assert truncation_note(texts, 200, len) is None
    assert estimated_tokens("") == 0
    assert estimated_tokens("abcdefgh") == 2
