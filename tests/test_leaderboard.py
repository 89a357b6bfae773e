"""``compare``: rows, ranks, tests, runs, warnings, words; through Python and through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pet2rep_eval.alignment import align
from pet2rep_eval.baselines import BASELINES, baseline_system, most_frequent, nearest, shuffled
from pet2rep_eval.cli import group, main
from pet2rep_eval.datasets.records import References, Row, Submission
from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.leaderboard import Comparison, Entrant, compare, gather, with_baselines
from pet2rep_eval.leaderboard.comparing import _open_ranks, _ranks
from pet2rep_eval.leaderboard.records import Difference
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import AlignedSystem
from pet2rep_eval.significance import Resampling
from pet2rep_eval.template import render, render_template
from tests.conftest import ROOT, SHARED, needs_shared

DEMO = ROOT / "pet2rep_eval" / "demo_data"
QUICK = Resampling(resamples=300)


def reports(n: int = 40) -> dict[str, str]:
    """References in the template's form: liver and lungs increased or not, in turns."""
    found = {}
    for i in range(n):
        states: dict[str, str] = {}
        if i % 2:
            states["lungs"] = "increased"
        if i % 3 == 0:
            states["liver"] = "increased"
        if i % 4 == 0:
            states["spleen"] = "decreased"
        if i % 5 == 0:
            states["stomach"] = "absent"
        found[f"s{i:03}"] = render(states)
    return found


def worse(texts: dict[str, str], share: float, seed: int) -> dict[str, str]:
    """*texts* with a share of the studies given an all-normal report."""
    draw = np.random.default_rng(seed)
    return {study: render({}) if draw.random() < share else text for study, text in texts.items()}


def system(name: str, texts: dict[str, str], references: dict[str, str]) -> AlignedSystem:
    rows = tuple(Row(study, text, i) for i, (study, text) in enumerate(texts.items(), 1))
    return align(Submission(name, rows), References({study: (r,) for study, r in references.items()}))


@pytest.fixture(scope="module")
def compared() -> Comparison:
    references = reports()
    entrants = [
        Entrant("good", (system("good", worse(references, 0.2, 1), references),)),
        Entrant("bad", (system("bad", worse(references, 0.9, 2), references),)),
        Entrant("fair", (system("fair", worse(references, 0.28, 6), references),)),
    ]
    contenders = gather(with_baselines(entrants, ["most_frequent", "nearest"]), metrics=["clinical_efficacy"])
    return compare(contenders, resampling=QUICK, trials=500)


def test_systems_stand_by_value_and_baselines_below(compared: Comparison) -> None:
    assert compared.main == "ce_f1"
    assert [entry.name for entry in compared.entries[:3]] == ["good", "fair", "bad"]
    assert [entry.baseline for entry in compared.entries] == [False] * 3 + [True] * 4
    baselines = [entry.cells["ce_f1"].value for entry in compared.entries[3:]]
    assert baselines == sorted(baselines, reverse=True)
    assert [entry.rank["ce_f1"] for entry in compared.entries[:3]] == [1, 2, 3]


def test_rank_intervals_hold_the_rank_and_follow_the_tests(compared: Comparison) -> None:
    for entry in compared.entries[:3]:
        for score, (low, high) in entry.ranks.items():
            assert low <= entry.rank[score] <= high
    assert compared.entry("bad").ranks["ce_f1"] == (3, 3)
    assert compared.entry("good").ranks["ce_f1"] == (1, 2)


def test_values_and_intervals_are_those_of_the_score_sheet(compared: Comparison) -> None:
    from pet2rep_eval.evaluation import score_systems

    references = reports()
    alone = score_systems(
        [system("good", worse(references, 0.2, 1), references)],
        metrics=["clinical_efficacy"],
        resampling=QUICK,
    )[0]
    for name, score in alone.scores.items():
        cell = compared.entry("good").cells[name]
        assert cell.value == pytest.approx(score.value)
        assert cell.interval == pytest.approx(score.interval)


def test_every_row_is_tested_against_the_baseline(compared: Comparison) -> None:
    assert compared.against == "template"
    assert compared.lift("template") is None
    lift = compared.lift("good")
    assert lift
    expected = compared.entry("good").cells["ce_f1"].value - compared.entry("template").cells["ce_f1"].value
    assert lift.difference == pytest.approx(expected)
    assert lift.interval[0] < lift.difference < lift.interval[1]
    assert lift.p <= lift.p_holm
    assert lift.p <= lift.p_fdr <= lift.p_holm
    assert lift.detectable > 0


def test_the_words_say_what_the_table_shows(compared: Comparison) -> None:
    assert compared.summary.startswith("good has the highest CE F1, ")
    assert "it is ahead of bad" in compared.summary
    assert "it cannot be told from fair" in compared.summary
    assert "would be found four times in five" in compared.summary
    assert any("'absent' (8)" in w and "'decreased' (10)" in w for w in compared.warnings)
    assert "'increased'" not in " ".join(compared.warnings)


def test_the_records_come_out_as_json_and_as_a_table(compared: Comparison) -> None:
    told = json.loads(json.dumps(compared.to_dict()))
    assert told["baseline"] == "template"
    assert len(told["rows"]) == 7
    assert len(told["pairs"]) == 3 * len(compared.scores)
    frame = compared.to_frame()
    assert len(frame) == 7 * len(compared.scores)
    assert {"system", "score", "value", "interval_low", "rank", "p_holm"} <= set(frame.columns)


def test_equal_systems_share_a_rank_and_no_test_tells_them_apart() -> None:
    references = reports(20)
    texts = worse(references, 0.5, 1)
    entrants = [Entrant(name, (system(name, texts, references),)) for name in ("one", "two")]
    found = compare(gather(entrants, metrics=["clinical_efficacy"]), resampling=QUICK, trials=200)
    assert [entry.rank["ce_f1"] for entry in found.entries] == [1, 1]
    assert [entry.ranks["ce_f1"] for entry in found.entries] == [(1, 2), (1, 2)]
    assert all(d.p == 1.0 and d.difference == 0.0 for d in found.pairs)
    assert found.against == "one"


def test_runs_of_one_system_make_one_row() -> None:
    references = reports(30)
    runs = tuple(system("model", worse(references, 0.3, seed), references) for seed in range(4))
    entrants = [Entrant("model", runs), Entrant("single", runs[:1])]
    found = compare(gather(entrants, metrics=["clinical_efficacy"]), resampling=QUICK, trials=200)
    cell = found.entry("model").cells["ce_f1"]
    values = [sheet.scores["ce_f1"].value for sheet in found.contenders[0].runs]
    if found.entries[0].name != "model":
        values = [sheet.scores["ce_f1"].value for sheet in found.contenders[1].runs]
    assert cell.value == pytest.approx(np.mean(values))
    assert cell.sd_runs == pytest.approx(np.std(values, ddof=1))
    assert found.entry("single").cells["ce_f1"].sd_runs is None
    assert cell.interval[0] < cell.value < cell.interval[1]
    assert found.entry("model").runs == 4


def test_a_system_that_is_its_own_runs_is_one_run() -> None:
    """Identical runs change neither the value nor the interval nor the test."""
    references = reports(30)
    run = system("model", worse(references, 0.3, 1), references)
    other = Entrant("other", (system("other", worse(references, 0.6, 2), references),))
    found = [
        compare(gather([Entrant("model", (run,) * k), other]), resampling=QUICK, trials=200) for k in (1, 3)
    ]
    for score in found[0].scores:
        one, three = (c.entry("model").cells[score] for c in found)
        assert one.value == pytest.approx(three.value)
        assert one.interval == pytest.approx(three.interval)
    assert [d.p for d in found[0].pairs] == pytest.approx([d.p for d in found[1].pairs])


def test_what_was_not_scored_alike_is_not_compared() -> None:
    references = reports(10)
    one = gather([Entrant("one", (system("one", references, references),))], metrics=["meteor"])
    fewer = {study: text for study, text in references.items() if study != "s003"}
    two = gather([Entrant("two", (system("two", fewer, fewer),))], metrics=["meteor"])
    with pytest.raises(InputError, match="'two' and 'one' are not scored on the same references"):
        compare([*one, *two])
    with pytest.raises(InputError, match="Two systems are called 'one'"):
        compare([*one, *one])
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    with pytest.raises(UnknownNameError, match="no score named 'bleu'"):
        compare(one, main="bleu")
    with pytest.raises(UnknownNameError, match="no baseline named 'gpt'"):
        compare(one, against="gpt")
    other = gather([Entrant("two", (system("two", references, references),))], metrics=["rouge"])
    with pytest.raises(InputError, match="not scored alike"):
        compare([*one, *other])


def test_ranks_count_the_better_ones() -> None:
    assert _ranks([0.3, 0.5, 0.3, 0.1]) == [2, 1, 2, 4]
    d = [
        Difference("a", "b", "s", 0.2, (0, 0), 0.01, False, 0.01, 0.03, 0.03, 0.1),
        Difference("a", "c", "s", -0.2, (0, 0), 0.01, False, 0.01, 0.04, 0.03, 0.1),
        Difference("b", "c", "s", -0.1, (0, 0), 0.2, False, 0.2, 0.2, 0.2, 0.1),
    ]
    assert _open_ranks(["a", "b", "c"], d, 0.05) == [(2, 2), (2, 3), (1, 2)]


def test_every_baseline_gives_every_study_a_report() -> None:
    references = reports(12) | {"en": render({"liver": "increased"}, "en")}
    like = system("a", references, references)
    for name in BASELINES:
        written = baseline_system(name, like)
        assert [pair.study_id for pair in written.pairs] == list(references)
        assert all(pair.prediction for pair in written.pairs)
    with pytest.raises(UnknownNameError, match="no baseline named 'tempalte'"):
        baseline_system("tempalte", like)
    assert baseline_system("template", like).pairs[-1].prediction == render_template("en")


def test_shuffled_gives_no_study_its_own_report() -> None:
    references = {f"s{i}": f"report {i}" for i in range(30)}
    for seed in range(5):
        given = shuffled(references, seed)
        assert sorted(given.values()) == sorted(references.values())
        assert all(given[study] != report for study, report in references.items())
    assert shuffled(references, 1) == shuffled(references, 1) != shuffled(references, 2)
    assert shuffled({"a": "x"}) == {"a": "x"}


def test_nearest_takes_the_most_similar_other_report() -> None:
    references = {
        "a": "肝右叶见结节，FDG摄取增高。",
        "b": "双肺未见异常。",
        "c": "肝左叶见结节，FDG摄取增高。",
        "d": "双肺未见明显异常。",
    }
    assert nearest(references) == {
        "a": references["c"],
        "b": references["d"],
        "c": references["a"],
        "d": references["b"],
    }
    assert nearest({"a": "x"}) == {"a": "x"}


def test_the_most_frequent_state_is_that_of_most_references() -> None:
    references = {
        "a": render({"liver": "increased", "spleen": "decreased"}),
        "b": render({"liver": "increased"}),
        "c": render({"spleen": "decreased"}),
        "d": render({"liver": "increased"}, "en"),
    }
    written = most_frequent(references)
    states = parse_report(written["a"]).states
    assert "increased" in states["liver"]
    # A tie goes to the more abnormal state.
    assert "decreased" in states["spleen"]
    assert states["stomach"] == {"normal"}
    assert written["d"] == render({"liver": "increased", "spleen": "decreased"}, "en")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["--quiet", *arguments], catch_exceptions=False)


REFERENCES = ("--references", str(DEMO / "references.jsonl"))
SYSTEMS = tuple(str(DEMO / f"{name}.jsonl") for name in ("partial", "broken"))
FEW = ("--resamples", "200", "--trials", "200", "--metric", "clinical_efficacy", "--metric", "rouge")


def test_the_command_prints_json_in_a_pipe() -> None:
    result = run("compare", *SYSTEMS, *REFERENCES, *FEW)
    assert result.exit_code == 0
    told: dict[str, Any] = json.loads(result.stdout)
    assert [row["name"] for row in told["rows"] if not row["baseline"]] == ["partial", "broken"]
    assert told["resampling"]["resamples"] == 200
    assert told["pairs"][0]["exact"]
    assert "partial has the highest CE F1" in told["summary"]
    assert any("Only 12 studies" in warning for warning in told["warnings"])


@pytest.mark.parametrize("kind", ["table", "markdown", "latex", "csv"])
def test_the_command_prints_every_format(kind: str) -> None:
    result = run("compare", *SYSTEMS, *REFERENCES, *FEW, "--format", kind, "--baseline", "all-normal")
    assert result.exit_code == 0
    for word in ("partial", "broken"):
        assert word in result.stdout
    if kind == "csv":
        lines = result.stdout.splitlines()
        assert lines[0].startswith("system,baseline,n,scored,runs,score,value,interval_low")
        assert len(lines) == 1 + 4 * 8
    else:
        assert "1 [1–2]" in result.stdout
        assert "all-normal" in result.stdout
    if kind == "latex":
        assert r"\toprule" in result.stdout


def test_runs_of_the_command_make_one_row() -> None:
    more = str(ROOT / "fixtures" / "systems" / "structured.jsonl")
    result = run(
        "compare",
        *SYSTEMS,
        *REFERENCES,
        *FEW,
        "--run",
        f"partial={more}",
        "--format",
        "markdown",
        "--by",
        "rouge_l",
    )
    assert result.exit_code == 0
    assert "| partial (2 runs) |" in result.stdout
    assert "±: SD over runs" in result.stdout


def test_the_command_refuses_what_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    twice = run("compare", SYSTEMS[0], SYSTEMS[0], *REFERENCES)
    assert twice.exit_code == 2
    assert "Two systems are called 'partial'" in twice.output
    for arguments, message in [
        (["--run", "partial"], "is not SYSTEM=FILE"),
        (["--confidence", "95"], "not between 0 and 1"),
    ]:
        result = run("compare", SYSTEMS[0], *REFERENCES, *arguments)
        assert result.exit_code == 2
        assert message in result.output
    with pytest.raises(SystemExit):
        main(["compare", SYSTEMS[0], *REFERENCES, "--system", "template"])
    assert "A system is called 'template', like a baseline" in capsys.readouterr().err


@pytest.mark.parametrize("policy", ["first", "best", "mean"])
def test_several_references_of_a_study(policy: str, tmp_path: Path) -> None:
    """The prediction is the second reference: best finds it, mean takes half of it, first does not see it."""
    from pet2rep_eval.evaluation import evaluate

    first, second = render({"liver": "increased"}), render({"lungs": "increased"})
    sheet = evaluate({"a": second}, {"a": [first, second]}, policy=policy, resampling=QUICK)
    values = {"first": 0.0, "best": 1.0, "mean": 0.5}
    hits = sheet.suite.aggregate(sheet.statistics.sum(0))
    assert sheet.scores["ce_recall"].value == pytest.approx(values[policy] / 3)
    assert float(hits["ce_recall"]) == pytest.approx(values[policy] / 3)
    assert (sheet.scores["bleu_4"].value == pytest.approx(1.0)) == (policy == "best")
    assert f"|refs:{policy}|" in sheet.scores["ce_f1"].signature


def test_one_reference_is_one_reference_whatever_the_policy() -> None:
    from pet2rep_eval.evaluation import evaluate

    references = reports(6)
    predictions = worse(references, 0.5, 1)
    found = [
        evaluate(predictions, references, policy=policy, resampling=None)
        for policy in ("first", "best", "mean")
    ]
    for sheet in found[1:]:
        assert {n: s.value for n, s in sheet.scores.items()} == pytest.approx(
            {n: s.value for n, s in found[0].scores.items()}
        )
    with pytest.raises(UnknownNameError, match="choice among references"):
        evaluate(predictions, references, policy="worst")


def test_all_published_rows_are_there_and_overall_is_recomputed() -> None:
    from pet2rep_eval.leaderboard.published import PARTS, published

    rows = published()
    assert len(rows) == 49
    assert len({row.system for row in rows}) == 25
    assert [row.input for row in rows].count("fused") == [row.input for row in rows].count("separate") == 24
    for row in rows:
        assert row.recomputed == pytest.approx(np.mean([row.scores[part] for part in PARTS]))
        if (row.system, row.input) != ("GPT-4o", "fused"):
            assert round(100 * row.recomputed, 1) == pytest.approx(100 * row.overall, abs=0.1001)
            assert row.overall_agrees
    misprints = [row for row in rows if not row.overall_agrees]
    assert [(row.system, row.input) for row in misprints] == [("GPT-4o", "fused")]
    assert 100 * misprints[0].recomputed == pytest.approx(18.36, abs=0.005)


def test_f1_of_the_published_table_is_the_harmonic_mean_in_all_rows_but_one() -> None:
    from pet2rep_eval.leaderboard.published import published, remarks

    odd = [row for row in published() if abs(row.scores["ce_f1"] - row.f1_of_macro) > 5e-4]
    assert [(row.system, row.input) for row in odd] == [("LLaVa-V1.5-7B", "separate")]
    told = list(remarks())
    assert sum("Overall is printed as" in remark for remark in told) == 1
    assert "GPT-4o, fused: Overall is printed as 18.5, its six cells give 18.36." in told
    assert sum("METEOR" in remark for remark in told) == 7


@needs_shared
def test_the_published_table_is_the_one_beside_the_project() -> None:
    import csv

    from pet2rep_eval.leaderboard.published import published

    with (SHARED / "facts" / "table1.csv").open(encoding="utf-8") as file:
        facts = list(csv.DictReader(file))
    for fact, row in zip(facts, published(), strict=True):
        assert (fact["model"], fact["released"], fact["group"]) == (row.system, row.released, row.group)
        cells = [float(fact[c]) for c in ("bleu4", "meteor", "rougeL", "precision", "recall", "f1")]
        assert cells == list(row.scores.values())
        assert float(fact["overall"]) == pytest.approx(100 * row.overall)


def test_a_system_is_placed_among_the_published_ones_and_told_what_is_comparable() -> None:
    result = run(
        "compare", SYSTEMS[0], *REFERENCES, "--resamples", "100", "--trials", "100", "--with-published"
    )
    told = json.loads(result.stdout)["published"]
    assert len(told["rows"]) == 26
    own = next(row for row in told["rows"] if row["ours"])
    assert own["system"] == "partial"
    values = [row["scores"]["overall"] for row in told["rows"]]
    assert values == sorted(values, reverse=True)
    assert own["place"] == 1 + sum(
        row["scores"]["overall"] > own["scores"]["overall"] and row["place"] is not None
        for row in told["rows"]
    )
    assert set(told["comparable"].values()) == {"no: 12 studies here, 565 there"}
    assert "not comparable" in told["sentences"][-1]
    table = run(
        "compare",
        SYSTEMS[0],
        *REFERENCES,
        "--resamples",
        "100",
        "--trials",
        "100",
        "--with-published",
        "--format",
        "markdown",
    )
    assert "| ▶ partial |" in table.stdout
    assert "| Template Baseline | – |" in table.stdout


def test_as_many_studies_of_other_patients_are_not_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the right number, under the right profile, and still the template scores something else."""
    from pet2rep_eval.leaderboard import published
    from pet2rep_eval.leaderboard.published import place

    references = reports(12)
    monkeypatch.setattr(published, "STUDIES", 12)
    entrants = with_baselines([Entrant("one", (system("one", references, references),))], [])
    metrics = ["bleu", "meteor", "rouge", "clinical_efficacy"]
    found = {}
    for profile in ("default", "pet2rep-2025"):
        contenders = gather(entrants, profile=profile, metrics=metrics)
        compared = compare(contenders, resampling=Resampling(50), trials=20)
        found[profile] = place(compared)
        assert all("the template's BLEU-4 is" in told for told in found[profile].comparable.values())
        # Without the template's row only profile and protocol can be judged.
        alone = compare(contenders[:1], resampling=Resampling(50), trials=20)
        found[f"{profile} alone"] = place(alone)
    assert found["default alone"].comparable["meteor"] == "no: profile default, not pet2rep-2025"
    assert found["pet2rep-2025 alone"].comparable["meteor"].startswith("uncertain")
    assert found["pet2rep-2025 alone"].comparable["ce_f1"].startswith("uncertain")
    assert found["default alone"].rows[0].system == "one"
    assert found["default alone"].rows[0].place == 1


def test_a_second_run_from_the_cache_prints_the_same(tmp_path: Path) -> None:
    arguments = ("compare", *SYSTEMS, *REFERENCES, *FEW, "--cache", str(tmp_path / "cache"), "--anatomy")
    first, second = run(*arguments), run(*arguments)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert list((tmp_path / "cache").iterdir())
    told = json.loads(second.stdout)
    assert {row["name"] for row in told["ledger"]} == {"partial", "broken", "template", "all_normal"}
    assert [one["system"] for one in told["anatomy"]] == ["partial", "broken"]


def test_tables_of_definitions_and_errors_are_printed() -> None:
    result = run("compare", *SYSTEMS, *REFERENCES, *FEW, "--sensitivity", "--anatomy", "--format", "markdown")
    assert result.exit_code == 0
    for heading in ("CE F1 under other definitions", "Errors by kind", "CT and uptake inside an organ"):
        assert f"**{heading}**" in result.stdout
    assert "| average: micro |" in result.stdout
    assert "partial: studies with most errors" in result.stdout
