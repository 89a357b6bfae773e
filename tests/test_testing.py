"""The public strategies give what they promise: reports whose states are known, and noise that says nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from pet2rep_eval import testing
from pet2rep_eval.lexicon import load_lexicon
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import UptakeState
from pet2rep_eval.testing import GeneratedReport, StatedOrgan


def test_all_is_sorted_and_there() -> None:
    assert sorted(testing.__all__) == testing.__all__
    assert all(hasattr(testing, name) for name in testing.__all__)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_names_mean_one_organ_without_a_side(language: str) -> None:
    lexicon = load_lexicon()
    names = testing.organ_phrases(language)
    assert len(names) >= 40
    for organ, phrases in names.items():
        for phrase in phrases:
            concept = lexicon.phrases[phrase.lower()]
            assert (concept.organs, concept.side) == ((organ,), None)


@pytest.mark.parametrize("state", list(UptakeState))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_state_occurs(language: str, state: UptakeState) -> None:
    report = find(
        testing.reports(language),
        lambda r: any(one.state is state for one in r.stated),
        settings=settings(database=None),
    )
    assert report.language == language
    assert report.text


def test_sides_lists_and_several_states_occur() -> None:
    # finding one is enough: it need not be made small
    quiet = settings(database=None, max_examples=20_000, phases=[Phase.generate])
    find(testing.stated_organs(), lambda stated: any(one.side for one in stated), settings=quiet)
    find(testing.reports("zh"), lambda r: "均未见" in r.text, settings=quiet)
    find(testing.reports(), lambda r: any(len(s) > 1 for s in r.states.values()), settings=quiet)


def test_states_are_the_sum_of_what_is_said() -> None:
    report = GeneratedReport(
        "",
        "zh",
        (
            StatedOrgan("liver", UptakeState.INCREASED),
            StatedOrgan("liver", UptakeState.NORMAL),
            StatedOrgan("lungs", UptakeState.ABSENT, "left"),
        ),
    )
    assert report.states == {
        "liver": {UptakeState.INCREASED, UptakeState.NORMAL},
        "lungs": {UptakeState.ABSENT},
    }


@given(testing.bilingual_reports())
def test_both_languages_say_the_same_things(pair: tuple[GeneratedReport, GeneratedReport]) -> None:
    chinese, english = pair
    assert (chinese.language, english.language) == ("zh", "en")
    assert chinese.stated == english.stated
    assert len(chinese.stated) == len(set(chinese.stated))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_noise_keeps_letters(data: st.DataObject) -> None:
    """Noise changes how letters look and what stands between them, never which letters there are."""
    report = data.draw(testing.reports())
    noisy = data.draw(testing.noisy(report.text))
    table = {ord(old): new for old, new in load_lexicon().characters.items()}

    def letters(text: str) -> Counter[str]:
        narrow = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text)
        return Counter(c for c in narrow.translate(table).lower() if c.isalnum())

    assert letters(noisy) == letters(report.text)


@given(testing.trailing_noise())
def test_trailing_noise_states_nothing(noise: str) -> None:
    assert not any(parse_report(noise).states.values())


def test_traditional_is_read_back() -> None:
    assert testing.traditional("肝脏代谢增高，脑显影") != "肝脏代谢增高，脑显影"
    table = {ord(old): new for old, new in load_lexicon().characters.items()}
    assert testing.traditional("肝脏代谢增高，脑显影").translate(table) == "肝脏代谢增高，脑显影"
