"""Refusals, emptiness and flags: told from reports with the same words."""

from __future__ import annotations

import pytest

from pet2rep_eval import datasets
from pet2rep_eval.datasets import quality
from pet2rep_eval.template import all_normal, render_template
from tests.conftest import SHARED, needs_shared

REFUSALS = [
    "I'm sorry, I can't assist with that.",
    "I’m sorry, but I can’t help with interpreting medical images.",
    "I am unable to provide a medical diagnosis based on FDG uptake. Please consult a physician.",
    "I cannot generate a report from these images.",
    "As an AI language model, I do not interpret PET/CT scans.",
    "Sorry, no images were provided.",
    "Unable to process the request.",
    "抱歉，我无法根据这些图像生成报告。",
    "抱歉，我无法直接解读医学图像。建议您咨询专业的核医学科医师，由其结合FDG摄取情况出具报告。",
    "对不起，作为一个人工智能助手，我不能提供医学诊断。",
    "很遗憾，无法提供该患者的报告。",
    "我无法查看您上传的图片。请提供文字描述。",
    "作为AI模型，我没有能力分析PET/CT影像。",
    "未收到任何影像，请重新上传。",
]
REPORTS = [
    "右肺上叶结节，FDG摄取增高，恶性不能除外。肝脏未见异常摄取。",
    "The lung nodule shows increased FDG uptake; malignancy cannot be excluded. Liver unremarkable.",
    "A small lesion cannot be excluded due to motion. No abnormal uptake in the liver. Lungs unremarkable.",
    "抱歉，我不是医生，以下仅供参考。\n右肺上叶结节，FDG摄取增高。\n肝脏FDG摄取未见异常。\n脾脏未见异常。",
    "I'm sorry, I am not a doctor. The lungs show increased FDG uptake. The liver shows no abnormal uptake.",
    "因患者无法配合，部分图像有伪影。双肺未见异常密度影。肝脏摄取未见异常。",
    "肝脏FDG摄取增高。",
    "右肾显示不清，无法评估。左肾FDG摄取缺失。",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text):
    assert quality.is_refusal(text)


@pytest.mark.parametrize("text", [*REPORTS, render_template("zh"), render_template("en"), all_normal("en")])
def test_reports_are_no_refusals(text):
    assert not quality.is_refusal(text)


def test_a_long_text_is_no_refusal():
    assert not quality.is_refusal("I'm sorry, I can't do that. " + "words and words " * 100)


@pytest.mark.parametrize(
    "text", ["", " \n", "。", "【】", "```", "nan", "None", "NULL", "Failed to obtain answer via API."]
)
def test_empty(text):
    assert quality.is_empty(text)


@pytest.mark.parametrize("text", ["正常", "x", "none seen", "0"])
def test_not_empty(text):
    assert not quality.is_empty(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("肝脏FDG摄取未见异常。", False),
        ("FDG【摄取未见异常。】", False),
        ("心影[未见异常。]", False),
        ("FDG uptake is normal.", False),
        ("Impression: no abnormal uptake.**\n", False),
        ("SUVmax 3.2.", False),
        ("肝脏FDG摄", True),
        ("双肺可见多发结节，大者位于", True),
        ("The liver shows a", True),
        ("1.右肺结节。 2.", True),
        ("大小约1.8*1.1cm，", True),
    ],
)
def test_truncated(text, expected):
    assert quality.is_truncated(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("肝脏未见异常。" + "腹股沟皮下、" * 20, True),
        ("1234567890" * 10, True),
        ("The liver is normal. " * 8, True),
        (
            "双侧臀大肌外侧、右侧臀中肌外侧、" * 3
            + "、".join(f"{s}侧臀{m}肌" for s in "左右" for m in "大中小")
            + "、"
            + "左侧臀大肌、右侧臀大肌、左侧臀中肌、" * 12,
            True,
        ),
        ("| --- | --- | --- | --- | --- | --- |\n" * 2, False),
        ("-" * 200, False),
        ("肝脏未见异常。脾脏未见异常。胰腺未见异常。双肾未见异常。胆囊未见异常。肾上腺未见异常。", False),
        (render_template("zh"), False),
        (render_template("en"), False),
        (all_normal("zh"), False),
        (all_normal("en"), False),
    ],
)
def test_repetitive(text, expected):
    assert quality.is_repetitive(text) is expected


def test_languages():
    assert quality.language_of(render_template("zh")) == "zh"
    assert quality.language_of(render_template("en")) == "en"
    assert quality.language_of("肺に結節があり、FDGの集積を認める。") == "other"
    assert quality.language_of("В легких повышенное накопление.") == "other"


def test_flags():
    reference = "肝脏FDG摄取增高。"
    assert quality.flags("肝脏FDG摄取增高。", reference) == frozenset()
    assert quality.flags("The liver shows increased uptake.", reference) == {"other_language"}
    assert quality.flags(render_template("zh"), reference) == frozenset()
    echo = "请你根据提供的全身FDG-PET/CT图像，按照结构化格式生成核医学报告。"
    assert quality.flags(echo, reference) == {"echoed_prompt"}


def test_an_echo_of_an_unknown_prompt():
    prompt = "请写出本次检查的所见部分，不要写其他内容。\\n<template>双肺未见异常放射性浓聚。</template>"
    assert quality.echoes("请写出本次检查的所见部分，不要写其他内容。双肺", prompt)
    assert not quality.echoes("双肺未见异常放射性浓聚。", prompt)
    assert not quality.echoes("双肺未见异常放射性浓聚。")


def test_garbage():
    assert quality.is_garbage("\ufffd\ufffd\ufffd肝")
    assert not quality.is_garbage("肝脏未见\ufffd异常")
    assert not quality.is_garbage("")


@needs_shared
def test_flags_of_real_reports():
    submission = datasets.read_predictions(SHARED / "data/petrg3d/valid_infer_ckpt1260_autopet.csv")
    references = [row.references[0] for row in submission.rows]
    assert not [r for r in references if quality.flags(r, r) or quality.is_refusal(r) or quality.is_empty(r)]
    found = [quality.flags(row.text, row.references[0], row.prompt) for row in submission.rows]
    assert sum("truncated" in f for f in found) == 18
    assert sum("repetitive" in f for f in found) == 6
    assert not any("echoed_prompt" in f for f in found)
    assert not any(quality.is_refusal(row.text) for row in submission.rows)
