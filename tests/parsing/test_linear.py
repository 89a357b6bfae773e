"""Any string is read, in work that grows at most with its length; counted, never timed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from pet2rep_eval.parsing import parse_report
from pet2rep_eval.testing import ADVERSARIAL, repeated

adversarial = pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL)


def _calls(action: Callable[[], object]) -> int:
    """Calls of functions, Python's own ones included, that *action* makes."""
    count = 0

    def saw(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(saw)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


@adversarial
def test_steps_grow_with_the_length(unit: str) -> None:
    short, long = parse_report(repeated(unit, 5_000)), parse_report(repeated(unit, 20_000))
    assert long.steps <= 4.2 * short.steps + 100
    assert long.steps <= 12 * 20_000


@adversarial
def test_calls_grow_with_the_length(unit: str) -> None:
    parse_report(repeated(unit, 4_000))  # what is loaded and remembered once
    short = _calls(lambda: parse_report(repeated(unit, 4_000)))
    long = _calls(lambda: parse_report(repeated(unit, 16_000)))
    # clauses are cut at a length that the shorter text may not reach, so a little more than four times
    assert long <= 6 * short + 2_000


@pytest.mark.slow
@adversarial
def test_two_million_characters(unit: str) -> None:
    report = parse_report(repeated(unit, 2_000_000))
    assert report.steps <= 12 * 2_000_000
    assert len(report.text) == 2_000_000


@pytest.mark.parametrize(
    "text", ["", " ", "\x00", "\ufeff", "\n", "。", "[", "】", "<think>", "0", "\ud800", "FDG", "肝"]
)
def test_next_to_nothing_is_read(text: str) -> None:
    report = parse_report(text)
    assert report.text == text
    assert not any(report.states.values())


def test_what_is_remembered_is_bounded() -> None:
    """A stream of a million reports must not fill the memory: every cache that depends on a text has a size."""
    import importlib
    import inspect
    import pkgutil

    import pet2rep_eval.parsing as parsing

    found = 0
    for module_info in pkgutil.walk_packages(parsing.__path__, "pet2rep_eval.parsing."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            if hasattr(value, "cache_parameters") and inspect.signature(value.__wrapped__).parameters:
                found += 1
                size = value.cache_parameters()["maxsize"]
                assert size is not None, f"{module_info.name}.{name} remembers without end"
                assert size <= 100_000, f"{module_info.name}.{name}"
    assert found


def test_remembering_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before decides nothing, and what is remembered of clauses has a size."""
    from pet2rep_eval.parsing import remembered
    from tests.corpus import CORPUS, load_cases

    texts = [case.text for case in load_cases(CORPUS)][::3]
    once = [parse_report(text) for text in texts]
    monkeypatch.setattr(remembered, "_REMEMBERED", 16)
    remembered.forget()
    again = [parse_report(text) for text in reversed(texts)]
    assert len(remembered._known) <= 18
    assert len(remembered._readings) <= 18
    assert again[::-1] == once


def test_thousands_of_reports_leave_nothing_behind() -> None:
    """Fewer blocks of memory stay than reports were read."""
    import gc
    import sys as system

    def read(first: int, last: int) -> None:
        for number in range(first, last):
            parse_report(
                f"第{number}号：肝右叶见结节，大小约{number}mm，FDG摄取增高，SUVmax {number / 7:.2f}。脾未见异常。"
            )

    read(0, 3_000)
    gc.collect()
    before = system.getallocatedblocks()
    read(3_000, 6_000)
    gc.collect()
    assert system.getallocatedblocks() - before < 3_000


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        parse_report("肝脏FDG摄取增高。")
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_reading_makes_no_cycles() -> None:
    parse_report("肝脏FDG摄取增高。The spleen is hypermetabolic.")
    gc.collect()
    try:
        gc.disable()
        for i in range(50):
            parse_report(
                f"肝S{i % 8 + 1}结节，SUVmax {i}.1。Left lung nodule {i} mm, avid, mostly in the upper lobe."
            )
        assert gc.collect() < 50
    finally:
        gc.enable()
