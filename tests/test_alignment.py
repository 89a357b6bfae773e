"""Every reference study ends in exactly one outcome, and nothing is dropped without a word."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pet2rep_eval import datasets
from pet2rep_eval.alignment import NO_REFERENCE, align, flag_counts, near_ids, outcome_counts
from pet2rep_eval.datasets import References, Row, Submission
from pet2rep_eval.errors import InputError
from pet2rep_eval.records import FLAGS, Outcome
from tests.conftest import ROOT, SHARED, needs_shared

REPORT = "右肺上叶见结节影，FDG摄取增高。肝脏FDG摄取未见异常。"
OTHER = "右肺上叶见结节影，FDG摄取减低。肝脏FDG摄取未见异常。"


def references(*ids, text=REPORT):
    return References(dict.fromkeys(ids, (text,)), {"id": "id", "reference": "answer"}, path="refs.jsonl")


def submission(*rows, **options):
    made = tuple(
        row if isinstance(row, Row) else Row(row[0], row[1], number, references=tuple(row[2:]))
        for number, row in enumerate(rows, 1)
    )
    columns = {"id": "id", "prediction": "prediction"}
    return Submission("system", made, columns, path="preds.jsonl", **options)


def outcomes(aligned):
    return {p.study_id: p.outcome.value for p in aligned.pairs}


def test_all_outcomes():
    aligned = align(
        submission(
            ("scored", REPORT),
            ("empty", "【】"),
            ("nothing", "nan"),
            ("refused", "抱歉，我无法生成报告。"),
            ("twice", REPORT),
            ("twice", OTHER),
            ("same", REPORT),
            ("same", REPORT + " 【报告结束】"),
            Row("broken", "", 9, "the line is broken"),
            ("lost", "\ufffd\ufffd\ufffd"),
            ("half", REPORT),
            Row("half", "", 12, "the line is broken"),
            ("stranger", REPORT),
        ),
        references(
            "scored", "gone", "empty", "nothing", "refused", "twice", "same", "broken", "lost", "half"
        ),
    )
    assert outcomes(aligned) == {
        "scored": "scored",
        "gone": "missing",
        "empty": "empty",
        "nothing": "empty",
        "refused": "refused",
        "twice": "duplicate",
        "same": "scored",
        "broken": "unreadable",
        "lost": "unreadable",
        "half": "duplicate",
    }
    assert [p.study_id for p in aligned.pairs if p.prediction] == ["scored", "same"]
    assert aligned.unknown_ids == ("stranger",)
    counts = {"scored": 2, "missing": 1, "empty": 2, "refused": 1, "duplicate": 2, "unreadable": 2}
    assert outcome_counts(aligned) == counts
    notes = " ".join(aligned.notes)
    assert "merged (1): same." in notes
    assert "Differing predictions under one id count as failed (2): twice, half." in notes
    assert "left out (1): stranger." in notes


def test_flags_are_counted_and_change_nothing():
    aligned = align(
        submission(("a", "The liver shows increased"), ("b", REPORT)),
        references("a", "b"),
    )
    assert outcomes(aligned) == {"a": "scored", "b": "scored"}
    assert aligned.pairs[0].flags == {"truncated", "other_language"}
    assert aligned.pairs[0].prediction == "The liver shows increased"
    assert flag_counts(aligned) == {"truncated": 1, "repetitive": 0, "other_language": 1, "echoed_prompt": 0}


def test_given_references_win_and_disagreement_is_named():
    inside = submission(("a", REPORT, "一"), ("b", REPORT, "二"), ("c", REPORT, "x 三\n"))
    given = References(
        {"a": ("一",), "b": ("不同",), "c": ("x三",)}, {"id": "k", "reference": "answer"}, path="r"
    )
    aligned = align(inside, given)
    assert [p.reference for p in aligned.pairs] == ["一", "不同", "x三"]
    assert any("for 1 studies: b." in note for note in aligned.notes)
    assert aligned.provenance == {
        "id": "id",
        "prediction": "prediction",
        "reference": "file.answer",
        "cleaning": "think+fence+end-mark",
    }
    alone = align(inside)
    assert [p.reference for p in alone.pairs] == ["一", "二", "x 三\n"]
    assert any("missing studies cannot be seen" in note for note in alone.notes)
    assert not any("cannot be seen" in note for note in aligned.notes)


def test_ids_make_missing_studies_seen():
    aligned = align(submission(("a", REPORT, "一"), ("b", REPORT, "二")), ids=["a", "c"])
    assert outcomes(aligned) == {"a": "scored", "c": "missing"}
    assert aligned.pairs[1].references == NO_REFERENCE
    assert aligned.unknown_ids == ("b",)
    assert not any("cannot be seen" in note for note in aligned.notes)
    assert any("without a reference (1): c." in note for note in aligned.notes)
    aligned = align(submission(("a", REPORT)), references("a", "b", "c"), ids=["b", "a"])
    assert outcomes(aligned) == {"b": "missing", "a": "scored"}
    with pytest.raises(InputError, match=r"1 of the ids have no reference: z\..*"):
        align(submission(("a", REPORT)), references("a"), ids=["a", "z"])


def test_ids_are_text_and_likeness_is_told():
    aligned = align(
        submission(("1", REPORT), ("2", REPORT), ("X_7", REPORT)), references("001", "2", "x-7", "0002")
    )
    assert outcomes(aligned) == {"001": "missing", "2": "scored", "x-7": "missing", "0002": "missing"}
    assert aligned.unknown_ids == ("1", "X_7")
    assert any("'1' for '001', 'X_7' for 'x-7'" in note for note in aligned.notes)


def test_likeness_needs_one_candidate():
    assert near_ids(["1"], ["01", "001"]) == {}
    assert near_ids(["1.0", "Ａ２"], ["001", "a2"]) == {"1.0": "001", "Ａ２": "a2"}
    assert near_ids(["10"], ["1", "100"]) == {}


def test_no_shared_ids():
    with pytest.raises(
        InputError, match=r"preds\.jsonl, line 1: no study id is shared: 'id' holds 'a'"
    ) as caught:
        align(submission(("a", REPORT)), references("b"))
    assert "--id-column" in str(caught.value)
    with pytest.raises(InputError, match="differ only in leading zeros"):
        align(submission(("1", REPORT)), references("001"))
    with pytest.raises(InputError, match="no study id is shared"):
        align(submission(("a", REPORT, "r")), ids=["b"])


def test_no_references():
    with pytest.raises(InputError, match="no references to score against"):
        align(submission(("a", REPORT)))
    unasked = align(submission(("a", REPORT)), require_references=False)
    assert outcomes(unasked) == {"a": "scored"}
    with pytest.raises(InputError, match=r"line 2: the study 'b' has no reference beside its prediction"):
        align(submission(("a", REPORT, "r"), ("b", REPORT)))
    with pytest.raises(InputError, match=r"line 2: the study 'a' has two different references"):
        align(submission(("a", REPORT, "r"), ("a", REPORT, "s")))


def test_an_unreadable_study_without_its_reference_still_counts():
    aligned = align(
        submission(("a", REPORT, "r"), Row("b", "", 2, "broken"), problems=("x, line 2: broken.",))
    )
    assert outcomes(aligned) == {"a": "scored", "b": "unreadable"}
    assert any(note == "Gone past: x, line 2: broken." for note in aligned.notes)
    assert any("without a reference (1): b." in note for note in aligned.notes)


def test_cleaning_can_be_chosen_and_is_named():
    thought = f"<think>…</think>{REPORT}"
    rows = (("a", thought),)
    cleaned = align(submission(*rows), references("a"))
    assert cleaned.pairs[0].prediction == REPORT
    assert any("Cleaning changed predictions: think 1." in note for note in cleaned.notes)
    for kept in (
        align(submission(*rows), references("a"), cleaning="none"),
        align(submission(*rows, cleaning="none"), references("a")),
    ):
        assert kept.pairs[0].prediction == thought
        assert kept.provenance["cleaning"] == "none"
    assert (
        align(submission(*rows, cleaning="none"), references("a"), cleaning="default").pairs == cleaned.pairs
    )


TEXTS = st.sampled_from(
    [REPORT, OTHER, "", "nan", "抱歉，我无法生成报告。", f"<think>x</think>{REPORT}", "\ufffd" * 9]
)
ROWS = st.lists(
    st.tuples(st.sampled_from("abcdef"), TEXTS, st.sampled_from(["", "broken"])), max_size=12
).map(lambda rows: [Row(i, "" if p else t, n, p) for n, (i, t, p) in enumerate(rows, 1)])


@settings(deadline=None)
@given(rows=ROWS, ids=st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
def test_every_study_has_exactly_one_outcome(rows, ids):
    known = references(*ids)
    made = Submission("s", tuple(rows), {"id": "id", "prediction": "p"}, path="p")
    predicted = {r.study_id for r in rows}
    if predicted and not predicted & set(ids):
        with pytest.raises(InputError, match="no study id is shared"):
            align(made, known)
        return
    aligned = align(made, known)
    assert [p.study_id for p in aligned.pairs] == ids
    assert set(aligned.unknown_ids) == predicted - set(ids)
    for pair in aligned.pairs:
        assert (pair.outcome is Outcome.MISSING) == (pair.study_id not in predicted)
        assert bool(pair.prediction) == (pair.outcome is Outcome.SCORED)
        assert pair.flags <= set(FLAGS)
        assert not pair.flags or pair.outcome is Outcome.SCORED
    assert sum(outcome_counts(aligned).values()) == len(ids)
    # the order of the rows decides nothing
    again = Submission("s", tuple(reversed(rows)), {"id": "id", "prediction": "p"}, path="p")
    assert outcomes(align(again, known)) == outcomes(aligned)


@settings(deadline=None, max_examples=30)
@given(kept=st.lists(st.booleans(), min_size=3, max_size=8).filter(any))
def test_lenient_reading_and_alignment_lose_no_study(kept):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        lines = [json.dumps({"id": f"s{i}", "prediction": REPORT}) for i in range(len(kept))]
        path.write_text(
            "\n".join(line if whole else line[:-9] for line, whole in zip(lines, kept, strict=True)),
            encoding="utf-8",
        )
        aligned = align(
            datasets.read_predictions(path, lenient=True), references(*(f"s{i}" for i in range(len(kept))))
        )
    assert [p.outcome is Outcome.SCORED for p in aligned.pairs] == kept
    assert {p.outcome for p in aligned.pairs if p.outcome is not Outcome.SCORED} <= {Outcome.UNREADABLE}


def test_formats_align_alike():
    folder = ROOT / "fixtures/datasets"
    known = datasets.read_references(folder / "official_prompt.jsonl")
    names = ["official_result.jsonl", "petrg3d.csv", "plain.jsonl", "gb18030.csv", "texts", "vlmevalkit.tsv"]
    pairs = [align(datasets.read_predictions(folder / name), known).pairs for name in names]
    stripped = [
        [(p.study_id, p.references, p.prediction.strip(), p.outcome) for p in group] for group in pairs
    ]
    assert all(group == stripped[0] for group in stripped)


@needs_shared
def test_the_real_pairs():
    path = SHARED / "data/petrg3d/valid_infer_ckpt1260_autopet.csv"
    aligned = align(datasets.read_predictions(path))
    assert outcome_counts(aligned)["scored"] == len(aligned.pairs) == 135
    rows = {r.study_id: r.text for r in datasets.read_predictions(path).rows}
    assert all(p.prediction == rows[p.study_id] for p in aligned.pairs), (
        "published texts are scored as they stand"
    )
    assert aligned.provenance == {
        "id": "AccNum",
        "prediction": "Cleaned_Pred_report",
        "reference": "GT_report",
        "cleaning": "none",
    }
