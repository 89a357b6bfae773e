"""Laws over generated reports: states that are known are read, in both languages and through noise."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import UptakeState
from pet2rep_eval.testing import (
    GeneratedReport,
    bilingual_reports,
    noisy,
    organ_phrases,
    reports,
    stated_organs,
    trailing_noise,
)

many = settings(max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def _states(text: str) -> Mapping[str, frozenset[UptakeState]]:
    return {organ: states for organ, states in parse_report(text).states.items() if states}


@many
@given(bilingual_reports())
def test_both_languages_say_the_same(pair: tuple[GeneratedReport, GeneratedReport]) -> None:
    chinese, english = pair
    assert _states(chinese.text) == chinese.states
    assert _states(english.text) == english.states


@many
@given(reports())
def test_sides_are_read(report: GeneratedReport) -> None:
    read = {(s.organ, s.state, s.laterality) for s in parse_report(report.text).statements if s.state}
    sided = {(one.organ, one.state, one.side) for one in report.stated if one.side}
    assert sided <= read


@many
@given(st.data())
def test_noise_does_not_matter(data: st.DataObject) -> None:
    report = data.draw(reports(max_size=4))
    assert _states(data.draw(noisy(report.text))) == report.states


@many
@given(reports(max_size=4), trailing_noise())
def test_trailing_noise_does_not_matter(report: GeneratedReport, noise: str) -> None:
    assert _states(report.text + noise) == report.states


@many
@given(st.data())
def test_order_does_not_matter(data: st.DataObject) -> None:
    """Each sentence names its organ, so that nothing is carried over."""
    language = data.draw(st.sampled_from(["zh", "en"]))
    sentences = [data.draw(reports(language, max_size=1)) for _ in range(data.draw(st.integers(2, 5)))]
    texts = [s.text.rstrip(".。;； ") for s in sentences]
    # a heading belongs before its own text only
    texts = [text.split("：")[-1].split(": ")[-1].split(":\n")[-1] for text in texts]
    stop = "。" if language == "zh" else ". "
    shuffled = data.draw(st.permutations(texts))
    assert _states(stop.join(texts) + stop) == _states(stop.join(shuffled) + stop)


def test_synonyms_do_not_matter() -> None:
    """Every name of every organ, in a sentence of each language and state."""
    frames = {
        "zh": {
            "increased": "{}FDG摄取增高。",
            "decreased": "{}代谢减低。",
            "normal": "{}未见异常放射性摄取。",
        },
        "en": {
            "increased": "The {} shows increased FDG uptake.",
            "decreased": "The {} shows decreased FDG uptake.",
            "normal": "No abnormal FDG uptake in the {}.",
        },
    }
    wrong = []
    for language, by_state in frames.items():
        for organ, names in organ_phrases(language).items():
            for name in names:
                for state, frame in by_state.items():
                    text = frame.format(name)
                    if _states(text) != {organ: {state}}:
                        wrong.append(f"{text} should say {organ} {state}: {dict(_states(text))}")
    assert not wrong, "\n".join(wrong)


@many
@given(stated_organs(max_size=3))
def test_a_report_in_a_report_is_read_twice(stated: tuple[object, ...]) -> None:
    """Two reports one behind the other state what both state."""
    names = organ_phrases("zh")
    organs = list(dict.fromkeys(one.organ for one in stated))  # type: ignore[attr-defined]
    first = "检查所见：" + "".join(f"{names[organ][0]}FDG摄取增高。" for organ in organs)
    second = "检查所见：" + "".join(f"{names[organ][0]}FDG摄取未见增高。" for organ in organs)
    found = _states(first + "\n影像诊断：恶性。\n" + second)
    assert found == {organ: {UptakeState.INCREASED, UptakeState.NORMAL} for organ in organs}
