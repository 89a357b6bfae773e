"""Named prompts: the benchmark's own word for word, the others whole and harmless."""

from __future__ import annotations

import json

import pytest

from pet2rep_eval import parse_report
from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.prompts import (
    LANGUAGES,
    VARIANTS,
    describe_prompt,
    example_reports,
    healthy_report,
    prompt_hash,
    prompt_names,
    render_prompt,
    strip_image_marks,
)
from pet2rep_eval.records import UptakeState
from pet2rep_eval.template import render_template
from tests.conftest import SHARED, needs_shared


@needs_shared
def test_the_benchmarks_prompt_is_word_for_word_that_of_its_demo() -> None:
    row = json.loads(
        (SHARED / "data/pet2rep/prompt_qwen25vl.jsonl").read_text(encoding="utf-8").splitlines()[0]
    )
    assert render_prompt("pet2rep", "zh", "fused") == (row["prompt_system"], row["prompt_user_text"])


@needs_shared
def test_the_english_prompt_is_word_for_word_that_of_the_page() -> None:
    page = (SHARED / "data/pet2rep/template_en.txt").read_text(encoding="utf-8")
    assert strip_image_marks("\n".join(render_prompt("pet2rep", "en", "fused"))) == page.rstrip("\n")


@pytest.mark.parametrize("name", prompt_names())
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("variant", "pictures"), list(zip(VARIANTS, (3, 6), strict=True)))
def test_every_prompt_renders_without_open_slots(
    name: str, language: str, variant: str, pictures: int
) -> None:
    system, user = render_prompt(name, language, variant, sex="F")
    assert system
    assert user.count("<image>") == pictures
    assert "{" not in user
    assert "<image>" not in strip_image_marks(user)
    assert (render_template(language) in user) == (name in ("pet2rep", "few-shot", "bilingual"))
    assert describe_prompt(name)


def test_variants_and_prompts_have_hashes_of_their_own() -> None:
    rendered = [
        render_prompt(name, language, variant, sex="M")
        for name in prompt_names()
        for language in LANGUAGES
        for variant in VARIANTS
    ]
    assert len({prompt_hash(*texts) for texts in rendered}) == len(rendered)
    assert prompt_hash("a", "b") != prompt_hash("", "ab")


def test_the_healthy_report_fits_the_sex() -> None:
    assert "前列腺" in healthy_report("zh", "M")
    assert "前列腺" not in healthy_report("zh", "F")
    assert "uterus" in healthy_report("en", "F")
    assert healthy_report("zh", "M") in render_prompt("healthy", "zh", sex="M")[1]
    with pytest.raises(InputError, match="sex"):
        render_prompt("healthy", "zh")


def test_own_template_and_examples_stand_in_place_of_the_bundled_ones() -> None:
    assert render_prompt("healthy", "zh", template="{images}正常。")[1].endswith(
        "<template>{images}正常。</template>"
    )
    user = render_prompt("few-shot", "en", examples=["First.", "Second."])[1]
    assert "Example 1: First.\nExample 2: Second.\n" in user
    assert render_prompt("pet2rep", "zh", images=1)[1].count("<image>") == 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("pet2re", "zh", "fused"), "pet2rep"),
        (("pet2rep", "cn", "fused"), "zh"),
        (("pet2rep", "zh", "fusd"), "fused"),
    ],
)
def test_unknown_names_suggest_the_nearest(arguments: tuple[str, str, str], hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        render_prompt(*arguments)


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("图像<image> <image> <image>，按照", "图像，按照"),
        ("images <image> <image>. Then", "images. Then"),
        ("see <image> and write", "see and write"),
        ("<image>\n<image>\nWrite", "Write"),
        ("Write <image>", "Write"),
        ("none", "none"),
    ],
)
def test_image_marks_go_with_the_spaces_around_them(text: str, stripped: str) -> None:
    assert strip_image_marks(text) == stripped


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sex", ["M", "F"])
def test_the_healthy_report_states_nothing_abnormal(language: str, sex: str) -> None:
    states = parse_report(healthy_report(language, sex), language=language).states
    assert {organ for organ, found in states.items() if found != {UptakeState.NORMAL}} == set()
    assert {"brain", "lungs", "liver", "kidneys", "spine"} <= set(states)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_reports_hold_all_states(language: str) -> None:
    states = [parse_report(text, language=language).states for text in example_reports(language)]
    stated = {state for found in states for organ in found.values() for state in organ}
    assert stated == set(UptakeState)
