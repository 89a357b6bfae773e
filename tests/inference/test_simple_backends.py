"""``template:``, ``replay:``, ``command:`` and how backends are named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pet2rep_eval.errors import BackendError, InputError, UnknownNameError
from pet2rep_eval.inference import Completion, Decoding, Prompt, create_backend, read_prompts
from pet2rep_eval.inference.backends.template_baseline import template_in
from pet2rep_eval.prompts import healthy_report, render_prompt
from pet2rep_eval.template import render_template
from tests.inference.studies import write_studies

PROGRAM = """
import json, sys
prompts, output, mode = sys.argv[1:4]
with open(output, "a", encoding="utf-8") as file:
    for n, line in enumerate(open(prompts, encoding="utf-8")):
        row = json.loads(line)
        if mode == "half" and n == 2:
            file.write("no JSON\\n"); file.flush()
            sys.exit("out of memory")
        if mode == "hang" and n == 1:
            import time; time.sleep(60)
        assert all(open(p, "rb").read(4) == b"\\x89PNG" for p in row["prompt_image_fuse"])
        done = {"subject_id": row["patient_id"], "llm_output": [row["prompt_user_text"][-4:]]}
        file.write(json.dumps(done) + "\\n")
        file.flush()
"""


@pytest.fixture
def prompts(tmp_path: Path) -> tuple[Prompt, ...]:
    return read_prompts(write_studies(tmp_path / "in", 5))


def answers(model: str, prompts: tuple[Prompt, ...], **options: object) -> dict[str, Completion]:
    return {c.study_id: c for c in create_backend(model, Decoding(), options).generate(prompts)}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_template_copies_the_benchmarks_template(prompts: tuple[Prompt, ...], language: str) -> None:
    found = answers(f"template:{language}", prompts)
    assert len(found) == 5
    assert {c.text for c in found.values()} == {render_template(language)}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_template_in_a_prompt_is_found(language: str) -> None:
    for name in ("pet2rep", "few-shot"):
        assert template_in(render_prompt(name, language)[1]) == render_template(language)
    assert template_in(render_prompt("healthy", language, sex="M")[1]) == healthy_report(language, "M")
    assert template_in("a <template>one\\ntwo</template> b") == "one\ntwo"
    assert template_in(render_prompt("free", language)[1]) is None


def test_a_prompt_without_template_fails_with_a_reason(prompts: tuple[Prompt, ...]) -> None:
    assert {c.reason for c in answers("template:prompt", prompts).values()} == {
        "no template found in the prompt"
    }


def test_replay_gives_existing_outputs_and_names_what_is_missing(
    prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    outputs = tmp_path / "old.jsonl"
    old = [{"subject_id": "study-000", "llm_output": ["A"]}, {"subject_id": "study-001", "llm_output": "B"}]
    outputs.write_text("".join(json.dumps(row) + "\n" for row in old), encoding="utf-8")
    found = answers(f"replay:{outputs}", prompts)
    assert [found[f"study-00{i}"].text for i in range(3)] == ["A", "B", None]
    assert found["study-002"].reason == "no output for this study in old.jsonl"


def test_unusable_outputs_are_named(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    row = '{"subject_id": "study-000", "llm_output": ["x"]}\n'
    path.write_text(row + row.replace("x", "y"), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: .*two different"):
        create_backend(f"replay:{path}", Decoding())
    path.write_text(row + '{"subject_id": "study-001", "llm_out\n', encoding="utf-8")
    found = answers(f"replay:{path}", prompts)
    assert found["study-000"].text == "x"
    assert found["study-001"].reason
    with pytest.raises(InputError, match=r"none\.jsonl"):
        create_backend(f"replay:{tmp_path / 'none.jsonl'}", Decoding())


def test_replay_reads_what_score_reads(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("id,prediction\nstudy-000,肝脏\nstudy-001,\n", encoding="utf-8")
    found = answers(f"replay:{path}", prompts)
    assert [found[f"study-00{i}"].text for i in range(3)] == ["肝脏", "", None]


def command(tmp_path: Path, mode: str) -> str:
    program = tmp_path / "my model.py"
    program.write_text(PROGRAM, encoding="utf-8")
    return f"command:'{sys.executable}' '{program}' {{prompts}} {{output}} {mode}"


def test_command_reads_prompts_and_writes_results(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    found = answers(command(tmp_path, "all"), prompts, batch_size=2)
    assert [found[p.study_id].text for p in prompts] == [p.user[-4:] for p in prompts]


def test_a_program_that_dies_keeps_its_rows_and_gives_the_others_a_reason(
    prompts: tuple[Prompt, ...], tmp_path: Path
) -> None:
    found = answers(command(tmp_path, "half"), prompts)
    assert [found[p.study_id].text is not None for p in prompts] == [True, True, False, False, False]
    assert "ended with code 1: out of memory" in found["study-004"].reason
    assert "no result row" in found["study-004"].reason


def test_a_program_that_hangs_is_ended(prompts: tuple[Prompt, ...], tmp_path: Path) -> None:
    found = answers(command(tmp_path, "hang"), prompts, timeout=1.0)
    assert [found[p.study_id].text is not None for p in prompts] == [True, False, False, False, False]
    assert "ended after 1 s" in found["study-001"].reason


def test_commands_that_cannot_run(prompts: tuple[Prompt, ...]) -> None:
    with pytest.raises(InputError, match=r"lacks \{output\}"):
        create_backend("command:python x.py {prompts}", Decoding())
    with pytest.raises(InputError, match="quotes"):
        create_backend("command:python 'x.py {prompts} {output}", Decoding())
    with pytest.raises(BackendError, match="no-such-program"):
        answers("command:no-such-program {prompts} {output}", prompts)


def test_backends_are_found_by_name() -> None:
    with pytest.raises(InputError, match="names no backend"):
        create_backend("qwen", Decoding())
    with pytest.raises(UnknownNameError, match="'template'"):
        create_backend("templat:zh", Decoding())
    with pytest.raises(UnknownNameError, match="zh"):
        create_backend("template:cn", Decoding())
    with pytest.raises(UnknownNameError, match="timeout"):
        create_backend("command:x {prompts} {output}", Decoding(), {"timeot": 3})
    with pytest.raises(InputError, match=r"'timeout' .* must be of type float"):
        create_backend("command:x {prompts} {output}", Decoding(), {"timeout": "3"})


def test_a_secret_in_the_options_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="must not stand") as caught:
        create_backend("command:x {prompts} {output}", Decoding(), {"api_key": "sk-123"})
    assert "sk-123" not in str(caught.value)
