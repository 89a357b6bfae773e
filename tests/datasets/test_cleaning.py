"""What is taken off a prediction, and what is left alone."""

from __future__ import annotations

import pytest

from pet2rep_eval import datasets
from pet2rep_eval.datasets.cleaning import clean, signature
from tests.conftest import SHARED, needs_shared

REPORT = "右肺上叶见结节影，FDG摄取增高。肝脏FDG摄取未见异常。脾脏未见异常代谢。"
ENGLISH = "The right lung shows a nodule with increased FDG uptake. The liver shows no abnormal uptake."


@pytest.mark.parametrize(
    ("text", "kept", "rules"),
    [
        (REPORT, REPORT, ()),
        (f"  {REPORT}\n", REPORT, ()),
        (f"<think>肝脏可能摄取增高？</think>\n\n{REPORT}", REPORT, ("think",)),
        (f"<think>a</think>{REPORT}<THINK>b</THINK>", REPORT, ("think",)),
        (f"先看肺，再看肝。</think>\n{REPORT}", REPORT, ("think",)),
        (f"The lungs first.</think>\n{ENGLISH}", ENGLISH, ("think",)),
        (f"{REPORT}\n<think>写完了，但是没有", REPORT, ("think",)),
        (f"{REPORT}\n</think>\n\n以上内容仅供参考", REPORT, ("think",)),
        (f"```markdown\n{REPORT}\n```", REPORT, ("fence",)),
        (f"以下是报告：\n```\n{REPORT}\n```\n", f"以下是报告：\n{REPORT}", ("fence",)),
        (f"{REPORT} 【报告结束】 【病例结束】 【病例结束】", REPORT, ("end-mark",)),
        (f"{REPORT}[报告结束]", REPORT, ("end-mark",)),
        (f"{REPORT} 【报告结束】\n</think>\n\n{REPORT}{REPORT}", REPORT, ("think", "end-mark")),
        (f"最后要写【报告结束】。</think>{REPORT}【报告结束】", REPORT, ("think", "end-mark")),
        ("<think>肝脏摄取", "", ("think",)),
        ("FDG【摄取增高】，左肾[见囊肿]。", "FDG【摄取增高】，左肾[见囊肿]。", ()),
        ("大小约1<2cm，密度减低。", "大小约1<2cm，密度减低。", ()),
        ("a `b` c", "a `b` c", ()),
    ],
)
def test_cleaning(text, kept, rules):
    assert (clean(text).text, clean(text).rules) == (kept, rules)
    assert clean(kept).text == kept
    assert clean(text, "none").text == text


def test_signatures_name_the_rules():
    assert signature("default") == "think+fence+end-mark"
    assert signature("none") == "none"


@needs_shared
def test_cleaning_agrees_with_what_petrg3d_published():
    """One of 135 differs: there the model closes a tag it never opened and speaks on."""
    path = SHARED / "data/petrg3d/valid_infer_ckpt1260_autopet.csv"
    ready = datasets.read_predictions(path)
    raw = datasets.read_predictions(path, prediction_column="Pred_report")
    assert (ready.cleaning, raw.cleaning) == ("none", "default")
    both = zip(ready.rows, raw.rows, strict=True)
    assert [a.study_id for a, b in both if a.text.strip() != clean(b.text).text] == ["AP_b3d4773f85-0"]
