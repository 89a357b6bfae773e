"""``run``: configuration, cache by content, dry run, and everything end to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pet2rep_eval.cli import group
from pet2rep_eval.errors import InputError, UnknownNameError
from pet2rep_eval.inference import read_prompts
from pet2rep_eval.pipeline import Hooks, Run, full_demo, read_configuration
from pet2rep_eval.pipeline.cache import Cell, content_key, file_key
from pet2rep_eval.pipeline.full_demo import MODELS
from tests.inference.studies import write_studies


def invoke(*args: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(group, [*map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


CONFIG = """
[run]
output = "results"
prompts = "prompts.jsonl"

[[model]]
system = "copier"
model = "template:zh"

[[model]]
system = "old outputs"
model = "replay:old.jsonl"

[compare]
baseline = "template"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Four studies; the second system repeats the references of three of them."""
    write_studies(tmp_path, 4)
    prompts = read_prompts(tmp_path / "prompts.jsonl")
    rows = [{"subject_id": p.study_id, "llm_output": [p.reference]} for p in prompts[:3]]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "old.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "run.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "run.toml"


def execute(config: Path) -> tuple[Any, list[str]]:
    notes: list[str] = []
    return Run(read_configuration(config), Hooks(note=notes.append)).execute(), notes


def test_a_run_from_prompts_scores_all_systems(config: Path) -> None:
    code, said, notes = invoke("run", config, "--format", "json")
    assert code == 1, "one study of one system has no report"
    found = json.loads(said)
    assert found["failures"] == {"old outputs": 1}
    sheets = {sheet["system"]: sheet for sheet in found["results"]}
    assert set(sheets) == {"copier", "old outputs"}
    assert sheets["old outputs"]["outcomes"] == {"scored": 3, "missing": 1}
    assert sheets["old outputs"]["scores"]["bleu_4"]["value"] > sheets["copier"]["scores"]["bleu_4"]["value"]
    assert "First failure: study-003: no output for this study in old.jsonl" in notes
    for path in found["outputs"].values():
        assert Path(path).is_file()


def test_a_second_run_makes_nothing_anew(config: Path) -> None:
    first, _ = execute(config)
    before = {p: p.stat().st_mtime_ns for p in config.parent.rglob("*.jsonl")} | {
        p: p.stat().st_mtime_ns for p in config.parent.rglob("results.json")
    }
    second, notes = execute(config)
    assert second == first
    assert "score: there already." in notes
    changed = [p.name for p, t in before.items() if p.stat().st_mtime_ns != t]
    assert set(changed) <= {"outputs.failures.jsonl"}


def test_other_settings_make_other_folders_and_going_back_finds_the_old(config: Path) -> None:
    first, _ = execute(config)
    text = config.read_text(encoding="utf-8")
    config.write_text(text + '\n[score]\nprotocol = "sites"\n', encoding="utf-8")
    second, notes = execute(config)
    assert second.scores != first.scores
    assert second.outputs == first.outputs
    assert not any("there already" in n for n in notes)
    config.write_text(text, encoding="utf-8")
    third, notes = execute(config)
    assert third == first
    assert "score: there already." in notes


def test_a_changed_prompt_or_output_makes_its_stages_anew(config: Path) -> None:
    first, _ = execute(config)
    path = config.parent / "prompts.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("病例0", "病例9"), encoding="utf-8")
    second, _ = execute(config)
    assert all(second.outputs[s] != first.outputs[s] for s in first.outputs)
    old = config.parent / "old.jsonl"
    old.write_text(old.read_text(encoding="utf-8").replace("未见异常", "增高"), encoding="utf-8")
    third, _ = execute(config)
    assert third.outputs["copier"] == second.outputs["copier"]
    assert third.outputs["old outputs"] != second.outputs["old outputs"]
    assert third.scores != second.scores


def test_a_dry_run_tells_and_does_nothing(config: Path) -> None:
    code, said, _ = invoke("run", config, "--dry-run", "--format", "json")
    plan = {stage["stage"]: stage for stage in json.loads(said)}
    assert (code, list(plan)) == (0, ["generate copier", "generate old outputs", "score", "compare"])
    assert {s["state"] for s in plan.values()} == {"to do"}
    assert (plan["score"]["studies"], plan["generate copier"]["seconds"]) == (4, None)
    assert not (config.parent / "results").exists()
    execute(config)
    code, said, _ = invoke("run", config, "--dry-run", "--format", "json")
    plan = {stage["stage"]: stage for stage in json.loads(said)}
    assert plan["generate copier"]["state"] == "there"
    assert (plan["generate old outputs"]["state"], plan["generate old outputs"]["studies"]) == ("goes on", 1)
    assert plan["generate old outputs"]["seconds"] is not None


def test_the_plan_as_a_table(config: Path) -> None:
    _, said, _ = invoke("run", config, "--dry-run", "--format", "table")
    assert "generate old outputs" in said
    assert "of which nothing was measured yet" in said


def test_without_references_there_are_reports_and_no_scores(config: Path) -> None:
    path = config.parent / "prompts.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(r | {"answer": None}) + "\n" for r in rows), encoding="utf-8")
    result, notes = execute(config)
    assert (result.scores, result.comparison) == (None, None)
    assert any("no reference reports" in n for n in notes)
    answers = [{"id": r["patient_id"], "reference": r["answer"]} for r in rows]
    (config.parent / "refs.jsonl").write_text(
        "".join(json.dumps(a) + "\n" for a in answers), encoding="utf-8"
    )
    config.write_text(CONFIG + '\n[score]\nreferences = "refs.jsonl"\n', encoding="utf-8")
    result, _ = execute(config)
    assert result.scores is not None


def test_the_results_can_be_deleted(config: Path) -> None:
    first, _ = execute(config)
    assert first.scores is not None
    shutil.rmtree(first.scores)
    assert execute(config)[0] == first
    assert (first.scores / "results.json").is_file()


# ------------------------------------------------------------------ configuration


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("[runn]\n", "'run'"),
        ("[score]\nprotocl = 'x'\n", "protocol"),
        ("[score]\nprotocol = 3\n", "'score.protocol' must be of type str"),
        ("[decoding]\ntemprature = 1.0\n", "temperature"),
        ("[decoding]\nseed = true\n", "'decoding.seed' must be of type int"),
        ("[[model]]\nsystem = 'x'\n", "number 3 has no 'model'"),
        ("[[model]]\nsystem = 'copier'\nmodel = 'template:en'\n", "a name of its own"),
        ("[[model]]\nmodel = 'template:zh'\nconcurrency = 3\n", "no option of the backend 'template:'"),
        ("[[model]]\nmodel = 'openai:x'\nbase_url = 'http://x/v1'\napi_key = 'sk-1'\n", "must not stand"),
        ("[prepare]\nstudies = 'x'\n", "either"),
        ("x = \n", "not TOML"),
    ],
)
def test_bad_configurations_are_named(config: Path, change: str, message: str) -> None:
    config.write_text(config.read_text(encoding="utf-8") + "\n" + change, encoding="utf-8")
    with pytest.raises((InputError, UnknownNameError), match=message) as caught:
        Run(read_configuration(config))
    assert "sk-1" not in str(caught.value)


def test_more_bad_configurations(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    with pytest.raises(InputError, match="init CONFIG"):
        read_configuration(path)
    path.write_text("[run]\nprompts = 'p.jsonl'\n", encoding="utf-8")
    with pytest.raises(InputError, match="no model"):
        read_configuration(path)
    path.write_text(CONFIG.replace('baseline = "template"', 'baseline = "templat"'), encoding="utf-8")
    with pytest.raises(UnknownNameError, match="template"):
        read_configuration(path)


def test_decoding_is_common_or_a_models_own(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        "[run]\nprompts = 'p.jsonl'\n[decoding]\npreset = 'official-sampling'\nseed = 3\n"
        "[[model]]\nsystem = 'a'\nmodel = 'template:zh'\n"
        "[[model]]\nsystem = 'b'\nmodel = 'transformers:./m'\ndecoding = { seed = 4, temperature = 0 }\n",
        encoding="utf-8",
    )
    a, b = read_configuration(path).models
    assert (a.decoding.seed, a.decoding.temperature, a.decoding.top_k) == (3, 0.7, 50)
    assert (b.decoding.seed, b.decoding.temperature) == (4, 0)
    assert b.model == f"transformers:{tmp_path / 'm'}"


def test_init_writes_a_configuration_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    code, _, notes = invoke("init", path)
    assert (code, "--dry-run" in notes) == (0, True)
    found = read_configuration(path)
    assert found.prepare is not None
    assert found.prepare.studies == (tmp_path / "studies",)
    text = path.read_text(encoding="utf-8")
    # what is commented out is right as well
    commented = (
        text.replace("# [[model]]", "[[model]]").replace("# system", "system").replace("# model", "model")
    )
    commented = "\n".join(
        line.removeprefix("# ") for line in commented.splitlines() if " = " in line or "[" in line
    )
    path.write_text(commented.replace("studies =", "unused =", 0), encoding="utf-8")
    with pytest.raises(InputError, match="either"):  # prompts and prepare at once
        read_configuration(path)
    with pytest.raises(InputError, match="there already"):
        invoke("init", path)
    assert invoke("init", path, "--force")[0] == 0
    assert path.read_text(encoding="utf-8") == text


# ------------------------------------------------------------------ cache


def test_keys_follow_content_and_not_places(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x").write_text("1", encoding="utf-8")
    assert file_key(tmp_path / "a") == file_key(tmp_path / "b")
    (tmp_path / "b" / "sub" / "x").write_text("2", encoding="utf-8")
    assert file_key(tmp_path / "a") != file_key(tmp_path / "b")
    (tmp_path / "b" / "sub" / "x").rename(tmp_path / "b" / "sub" / "y")
    assert len({content_key("s", {"a": 1}), content_key("s", {"a": 2}), content_key("t", {"a": 1})}) == 3
    assert content_key("s", {"a": 1, "b": 2}) == content_key("s", {"b": 2, "a": 1})


def test_a_stage_is_done_when_its_mark_is_written(tmp_path: Path) -> None:
    cell = Cell(tmp_path, "score", "abc")
    assert (cell.done, cell.seconds_a_study()) == (False, None)
    cell.folder.mkdir(parents=True)
    assert not cell.done
    cell.finish(6.0, 3)
    assert (cell.done, cell.seconds_a_study()) == (True, 2.0)


# ------------------------------------------------------------------ from scans

SCANS = """
[prepare]
studies = "studies"
references = "references.jsonl"
workers = 1
{more}

[run]
pictures = "{pictures}"

[[model]]
system = "copier"
model = "template:prompt"
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two phantom patients as DICOM."""
    pytest.importorskip("SimpleITK")
    pytest.importorskip("pydicom")
    from pet2rep_eval.imaging.phantom_cohort import write_cohort

    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder, 2, seed=1)
    return folder


def scans_config(cohort: Path, folder: Path, pictures: str = "auto", more: str = "") -> Path:
    for name in ("studies", "references.jsonl"):
        (folder / name).symlink_to(cohort / name)
    (folder / "run.toml").write_text(SCANS.format(pictures=pictures, more=more), encoding="utf-8")
    return folder / "run.toml"


def test_from_dicom_to_leaderboard(cohort: Path, tmp_path: Path) -> None:
    config = scans_config(cohort, tmp_path)
    plan = Run(read_configuration(config)).plan()
    assert [(s.stage, s.state, s.studies) for s in plan] == [
        ("prepare", "to do", 2),
        ("generate copier", "to do", 2),
        ("score", "to do", 2),
        ("compare", "to do", 2),
    ]
    result, _ = execute(config)
    prompts = read_prompts(result.prompts)
    assert [len(p.images) for p in prompts] == [3, 3]
    assert all(p.reference for p in prompts)
    assert result.scores is not None
    assert result.comparison is not None
    rows = json.loads((result.comparison / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert next(row["name"] for row in rows) == "copier"
    again, notes = execute(config)
    assert again == result
    assert "prepare: there already." in notes
    assert {s.state for s in Run(read_configuration(config)).plan()} == {"there"}


def test_separate_pictures_have_their_own_prompts(cohort: Path, tmp_path: Path) -> None:
    config = scans_config(cohort, tmp_path, "separate", 'language = "en"\nplanes = "centroid"\nsuv_max = 8')
    result, _ = execute(config)
    prompts = read_prompts(result.prompts, pictures="separate")
    assert [len(p.images) for p in prompts] == [6, 6]
    assert prompts[0].user.count("<image>") == 6
    assert "CT first" in prompts[0].user


def test_a_study_that_cannot_be_prepared_counts_as_missing(cohort: Path, tmp_path: Path) -> None:
    config = scans_config(cohort, tmp_path)
    (tmp_path / "studies").unlink()
    shutil.copytree(cohort / "studies", tmp_path / "studies")
    broken = sorted((tmp_path / "studies").iterdir())[0]
    shutil.rmtree(broken / "CT")
    result, notes = execute(config)
    assert result.failures == {"prepare": 1}
    assert any(n.startswith(f"{broken.name}: no CT") for n in notes)
    assert result.scores is not None
    found = json.loads((result.scores / "results.json").read_text(encoding="utf-8"))[0]
    assert found["outcomes"] == {"scored": 1, "missing": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("plane = 'centroid'", "planes"),
        ("count = 'three'", "'prepare.count' must be of type int"),
        ("strict = 1", "'prepare.strict' must be of type bool"),
        ("colours = 'hott'", "hot"),
    ],
)
def test_bad_prepare_tables_are_named(tmp_path: Path, more: str, message: str) -> None:
    (tmp_path / "run.toml").write_text(SCANS.format(pictures="auto", more=more), encoding="utf-8")
    with pytest.raises((InputError, UnknownNameError), match=message):
        Run(read_configuration(tmp_path / "run.toml"))


def test_scans_and_references_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(SCANS.format(pictures="auto", more=""), encoding="utf-8")
    with pytest.raises(InputError, match=r"references\.jsonl: the reference reports are not there"):
        Run(read_configuration(tmp_path / "run.toml"))
    (tmp_path / "references.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="studies are not there"):
        Run(read_configuration(tmp_path / "run.toml")).plan()


@pytest.mark.slow
def test_the_full_demo_runs_all_stages(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    notes: list[str] = []
    result = full_demo(tmp_path, hooks=Hooks(note=notes.append))
    assert set(result.outputs) == {"copier", *MODELS}
    assert result.failures == {}
    for path in result.outputs.values():
        assert len(path.read_text(encoding="utf-8").splitlines()) == 12
    assert result.comparison is not None
    rows = json.loads((result.comparison / "leaderboard.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["name"] == "copier", "models at random weights do not beat the template"
    code, said, _ = invoke("run", tmp_path / "run.toml", "--format", "json")
    assert (code, json.loads(said)["comparison"]) == (0, str(result.comparison))


def test_the_scores_of_a_run_can_be_verified(config: Path) -> None:
    result, _ = execute(config)
    assert result.scores is not None
    code, said, _ = invoke("verify", result.scores / "results.json")
    assert code == 0, said
