"""The template renders exactly the benchmark's text, and a text for any states."""

from __future__ import annotations

import copy
import json
import re
import tomllib

import pytest

from pet2rep_eval import resources, template
from pet2rep_eval.errors import ResourceError, UnknownNameError
from pet2rep_eval.records import UptakeState
from tests.conftest import SHARED, needs_shared


@pytest.fixture(scope="module")
def prompt_row():
    path = SHARED / "data/pet2rep/prompt_qwen25vl.jsonl"
    return json.loads(path.read_text(encoding="utf-8").splitlines()[0])


@needs_shared
def test_chinese_template_equals_the_prompt_file(prompt_row):
    official = prompt_row["prompt_user_text"].split("严格按照以下格式输出：\n", 1)[1]
    assert template.render_template("zh") == official.rstrip("\n")


@needs_shared
def test_english_template_equals_the_benchmark_page():
    page = (SHARED / "data/pet2rep/template_en.txt").read_text(encoding="utf-8")
    assert template.render_template("en") == page.split("following format:", 1)[1].strip()


def test_shape_of_the_template():
    text = template.render_template("zh")
    assert len(text) == 996
    assert text.count("\n") == 6
    assert text.count("【") == text.count("】") == 26
    kinds = [f.kind for s in template.slots() for f in s.fields["zh"].values()]
    assert (kinds.count("uptake"), kinds.count("contrast")) == (24, 2)
    assert len({s.paragraph for s in template.slots()}) == 7


def test_organs_are_sites_and_both_languages_state_the_same_uptake():
    if (SHARED / "protocol/sites.tsv").is_file():
        sites = {
            line.split("\t")[0]
            for line in (SHARED / "protocol/sites.tsv").read_text(encoding="utf-8").splitlines()[1:]
        }
        assert {o for s in template.slots() for o in s.organs} <= sites
    for slot in template.slots():
        uptake = [[n for n, f in slot.fields[lang].items() if f.kind == "uptake"] for lang in ("zh", "en")]
        assert uptake[0] == uptake[1], slot.name


@pytest.mark.parametrize("language", ["zh", "en"])
def test_without_marks_only_the_marks_go(language):
    marked = template.render_template(language)
    assert template.render_template(language, marks=False) == re.sub(r"[\[\]【】]", "", marked)


def test_fields_replace_conclusions():
    text = template.render_template("zh", {"lungs.uptake": "摄取未见异常", "lungs.ct": "清晰"})
    assert "两肺[清晰]，FDG【摄取未见异常】。" in text
    assert text.count("摄取增高") == template.render_template("zh").count("摄取增高") - 1
    with pytest.raises(UnknownNameError, match=r"lungs\.uptake"):
        template.render_template("zh", {"lung.uptake": "x"})
    with pytest.raises(UnknownNameError, match="template language"):
        template.render_template("fr")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_normal_speaks_of_no_change(language):
    text = template.all_normal(language)
    changed = (
        "摄取增高",
        "减低",
        "缺失",
        "肿块影",
        "囊状",
        "钙化",
        "with 【increased】",
        "reduced",
        "absent",
        "cyst",
    )
    assert not [word for word in changed if word in text]
    assert text == template.render({}, language)
    # normal uptake wordings of the template stay as they are
    assert ("FDG【呈生理性摄取】" if language == "zh" else "FDG uptake is 【physiological】") in text


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("state", list(UptakeState))
@pytest.mark.parametrize("slot", [s for s in template.slots() if s.has_uptake], ids=lambda s: s.name)
def test_each_slot_has_a_phrase_for_each_state(slot, state, language):
    text = template.render({slot.name: state}, language)
    normal = template.all_normal(language)
    assert (text == normal) is (state is UptakeState.NORMAL)
    inside = re.findall("【(.*?)】", text)
    before = re.findall("【(.*?)】", normal)
    changed = [a.lower() for a, b in zip(inside, before, strict=True) if a != b]
    words = {
        "zh": {"increased": ["增高"], "decreased": ["减低"], "absent": ["缺"]},
        "en": {
            "increased": ["increase"],
            "decreased": ["decrease", "reduced"],
            "absent": ["absent", "defect"],
        },
    }[language].get(state)
    fields = [f for f in slot.fields[language].values() if f.kind == "uptake"]
    assert len(changed) == (0 if words is None else len(fields))
    assert all(any(word in c for word in words) for c in changed)


def test_the_template_says_what_its_data_say():
    abnormal = {
        s.name: f.state
        for s in template.slots()
        for f in s.fields["zh"].values()
        if f.state not in (None, "normal")
    }
    assert abnormal == {
        "cervical_lymph_nodes": "increased",
        "lungs": "increased",
        "liver_margin": "increased",
        "liver_left_lobe": "decreased",
        "portal_vein": "increased",
        "abdominal_lymph_nodes": "increased",
        "kidney_left": "absent",
        "stomach": "increased",
    }
    english = {
        s.name: f.state
        for s in template.slots()
        for f in s.fields["en"].values()
        if f.state not in (None, "normal")
    }
    assert english == abnormal
    for language in ("zh", "en"):
        assert template.render(abnormal, language, ct="template") == template.render_template(language)


def test_states_of_an_organ_are_laid_over_its_slots():
    chosen = template.slot_states({"liver": {"decreased", "increased"}, "kidneys": ["absent", "normal"]})
    assert (chosen["liver_margin"], chosen["liver_left_lobe"]) == ("increased", "decreased")
    assert (chosen["kidney_left"], chosen["kidney_right"]) == ("absent", "normal")
    chosen = template.slot_states({"liver": "increased", "kidney_right": UptakeState.DECREASED})
    assert (chosen["liver_margin"], chosen["liver_left_lobe"]) == ("increased", "increased")
    assert (chosen["kidney_left"], chosen["kidney_right"]) == ("normal", "decreased")
    assert set(chosen) == {s.name for s in template.slots() if s.has_uptake}


def test_states_that_cannot_be_said_are_refused():
    with pytest.raises(UnknownNameError, match="organ of the template"):
        template.render({"heart": "increased"})
    with pytest.raises(ValueError, match="do not fit"):
        template.render({"spleen": {"increased", "absent"}})
    with pytest.raises(ValueError, match="share a slot"):
        template.render({"bones": "increased", "spine": "absent"})


def test_sentences_begin_with_a_capital():
    text = template.render({"stomach": "normal", "liver": "absent"}, "en")
    assert re.search(r"\. (【|\[)?[a-z]", text) is None


def _broken(change):
    raw = copy.deepcopy(tomllib.loads(resources.read_text("lexicons", "template.toml")))
    change(raw)
    return raw


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda r: r["slot"][0]["zh"]["ct"].pop("text"), r"slot brain\.zh\.ct"),
        (lambda r: r["slot"][0]["zh"]["uptake"].update(frame="nowhere"), "nowhere"),
        (lambda r: r["slot"][0].pop("en"), r"slot brain\.en"),
        (lambda r: r["slot"][1].update(name="brain"), "twice"),
        (lambda r: r.pop("opening"), "opening"),
        (lambda r: r["slot"][0]["en"].update(text="{nothing}"), r"slot brain\.en"),
    ],
)
def test_contradicting_data_name_file_and_key(change, match):
    with pytest.raises(ResourceError, match=match) as caught:
        template.build_template(_broken(change))
    assert "lexicons/template.toml" in str(caught.value)
