"""Laws of every hand-written case: what does not matter to a reader does not matter to the parser."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from pet2rep_eval.explain import phrases, within
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import ParsedReport, Span, UptakeState
from pet2rep_eval.testing import traditional
from tests.corpus import CORPUS, Case, load_cases

CASES = load_cases(CORPUS)
BY_FILE: dict[str, list[Case]] = {}
for _case in CASES:
    BY_FILE.setdefault(f"{_case.path.parent.name}/{_case.path.stem}", []).append(_case)

every_file = pytest.mark.parametrize("file", sorted(BY_FILE))

_TICKED = re.compile(r"[\[［]\s*[xX√✓]?\s*[\]］]")
_IN_MARKS = re.compile(r"【([^【】]{1,14})】")
_MARKUP = re.compile(r"[<&\\`{}|~*]")
WIDE = str.maketrans(
    {chr(c): chr(c + 0xFEE0) for c in (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B))}
)
HALF = str.maketrans("，；：（）！？", ",;:()!?")
FULL = str.maketrans(",;:()!?", "，；：（）！？")


def _states(text: str) -> Mapping[str, frozenset[UptakeState]]:
    return {organ: states for organ, states in parse_report(text).states.items() if states}


def _abnormal(text: str) -> Mapping[str, frozenset[UptakeState]]:
    found = {organ: states - {UptakeState.NORMAL} for organ, states in _states(text).items()}
    return {organ: states for organ, states in found.items() if states}


def _differences(
    file: str, change: Callable[[str], str], *, where: Callable[[Case], bool] = lambda case: True
) -> list[str]:
    """Cases of a file that are read otherwise after *change*."""
    out = []
    for case in BY_FILE[file]:
        if not where(case):
            continue
        before, after = _states(case.text), _states(change(case.text))
        if before != after:
            out.append(f"{case}: {before} became {after} in {change(case.text)!r}")
    return out


def _spans(report: ParsedReport) -> list[Span]:
    found = [
        s for statement in report.statements for s in (statement.ct, statement.uptake, statement.mention) if s
    ]
    found += [d.span for d in report.diagnostics]
    for section in report.sections:
        found += [section.span, *([section.heading] if section.heading else [])]
    return found


UPTAKE_KINDS = frozenset(
    ("CUE", "HOT", "HYPO", "VOID", "UP", "DOWN", "COLD", "EVEN", "SYM", "PHYS", "UNEVEN", "DIFFUSE", "FOCAL")
) | {
    "ABN",
    "URINE",
    "NEG",
    "VERDICT",
    "SUV",
    "RESOLVED",
    "LIKEWISE",
    "BELOW",
    "ABOVE",
    "EQUAL",
    "SURROUND",
    "REF",
    "DEG",
}


@every_file
def test_spans_tell_the_truth(file: str) -> None:
    wrong = []
    for case in BY_FILE[file]:
        report = parse_report(case.text)
        assert report.text == case.text
        wrong += [f"{case}: {s}" for s in _spans(report) if not 0 <= s.start <= s.end <= len(case.text)]
        found = phrases(case.text)
        for statement in report.statements:
            assert (statement.organ is None) != (statement.region is None)
            if statement.mention and statement.organ:
                assert statement.mention.of(case.text).strip()
            if statement.uptake:
                kinds = {p.kind for p in within(found, statement.uptake)}
                if not kinds & UPTAKE_KINDS:
                    wrong.append(f"{case}: no word of uptake in '{statement.uptake.of(case.text)}' ({kinds})")
            if statement.state is not None and statement.uptake is None:
                wrong.append(f"{case}: {statement.organ or statement.region} has a state and no words for it")
    assert not wrong, "\n".join(wrong)


@every_file
def test_a_text_cut_anywhere_is_read(file: str) -> None:
    for case in BY_FILE[file]:
        for part in range(1, 8):
            report = parse_report(case.text[: len(case.text) * part // 8])
            assert all(s.end <= len(report.text) for s in _spans(report))


@every_file
def test_line_ends_do_not_matter(file: str) -> None:
    # a rule of a Markdown table and carriage returns that a case is about aside
    wrong = _differences(
        file,
        lambda text: text.replace("\n", "\r\n"),
        where=lambda case: "\r" not in case.text and "|--" not in case.text,
    )
    assert not wrong, "\n".join(wrong)


@every_file
@pytest.mark.parametrize(
    "noise", ["\n\n", " \u200b【报告结束】", "\n第1页", "。\n", "\n---\n", "</s>", "\x00", "…"]
)
def test_trailing_noise_does_not_matter(file: str, noise: str) -> None:
    wrong = _differences(file, lambda text: text + noise)
    assert not wrong, "\n".join(wrong)


@every_file
def test_width_of_punctuation_does_not_matter(file: str) -> None:
    def plain(case: Case) -> bool:
        return not _MARKUP.search(case.text)  # where a mark is part of markup it must stay

    wrong = _differences(file, lambda text: text.translate(HALF), where=plain)
    wrong += _differences(file, lambda text: text.translate(FULL), where=plain)
    assert not wrong, "\n".join(wrong)


@every_file
def test_width_of_letters_does_not_matter(file: str) -> None:
    def plain(case: Case) -> bool:
        # whether a line goes on in lower case cannot be seen of full-width letters
        return not _MARKUP.search(case.text) and (
            case.path.parent.name == "zh" or len(case.text.strip().splitlines()) == 1
        )

    wrong = _differences(file, lambda text: text.translate(WIDE), where=plain)
    assert not wrong, "\n".join(wrong)


@every_file
def test_capitals_do_not_matter(file: str) -> None:
    def plain(case: Case) -> bool:
        return (
            case.text.isascii() and len(case.text.strip().splitlines()) == 1 and not _MARKUP.search(case.text)
        )

    wrong = _differences(file, str.upper, where=plain)
    assert not wrong, "\n".join(wrong)


@every_file
def test_traditional_characters_do_not_matter(file: str) -> None:
    def plain(case: Case) -> bool:
        return case.path.parent.name == "zh" and not _IN_MARKS.search(case.text)

    wrong = _differences(file, traditional, where=plain)
    assert not wrong, "\n".join(wrong)


@every_file
def test_style_of_marks_does_not_matter(file: str) -> None:
    def plain(case: Case) -> bool:
        # headings in marks and tick boxes are more than marks
        return not _TICKED.search(case.text) and not _heads(case.text) and not _MARKUP.search(case.text)

    for left, right in ("［］", "〔〕", "「」", "『』"):
        change = str.maketrans("[]【】", left + right + left + right)
        wrong = _differences(file, lambda text, table=change: text.translate(table), where=plain)
        assert not wrong, "\n".join(wrong)


@every_file
def test_marks_do_not_matter_to_abnormal_states(file: str) -> None:
    wrong = []
    for case in BY_FILE[file]:
        if _TICKED.search(case.text) or _heads(case.text) or _MARKUP.search(case.text):
            continue
        bare = re.sub(r"[\[\]【】［］〔〕]", "", case.text)
        if _abnormal(case.text) != _abnormal(bare):
            wrong.append(f"{case}: {_abnormal(case.text)} became {_abnormal(bare)}")
    assert not wrong, "\n".join(wrong)


def _heads(text: str) -> bool:
    """A mark stands around a heading: the line or the text begins with it."""
    return any(match.start() == 0 or text[match.start() - 1] in "\n。" for match in _IN_MARKS.finditer(text))


@every_file
def test_a_byte_order_mark_does_not_matter(file: str) -> None:
    wrong = _differences(
        file,
        lambda text: "\ufeff" + text,
        where=lambda case: not case.text.lstrip().startswith(("{", "[", "`")),
    )
    assert not wrong, "\n".join(wrong)


@every_file
def test_steps_are_linear(file: str) -> None:
    for case in BY_FILE[file]:
        text = case.text + "\n\n"
        once, many = parse_report(text).steps, parse_report(text * 8).steps
        assert once <= 12 * len(text), f"{case}: {once} steps for {len(text)} characters"
        assert many <= 9 * once + 60, f"{case}: {once} steps grew to {many} in eight times the text"
