"""The whole way on invented patients: phantom DICOM → key slices → prompts → models → scores → leaderboard.

All stages are the real ones. The patients are phantoms, whose reports state exactly what they show.
The models have the real architectures at random weights, so their reports are noise: the demo shows that
everything works on this machine.
"""

from __future__ import annotations

from pathlib import Path

from pet2rep_eval.pipeline.configuration import read_configuration
from pet2rep_eval.pipeline.stages import Hooks, Run, RunResult
from pet2rep_eval.prompts import render_prompt

MODELS = {"tiny LLaVA": "llava", "tiny Qwen2.5-VL": "qwen2_5_vl"}
"""System → family."""

CONFIGURATION = """\
# Written by the full demo; run it again with: pet2rep-eval run run.toml

[run]
output = "results"

[prepare]
studies = "studies"
references = "references.jsonl"

[decoding]
max_new_tokens = 64              # the models have learnt nothing: longer noise teaches nothing

[[model]]
system = "copier"
model = "template:zh"

[[model]]
system = "tiny LLaVA"
model = "transformers:./models/llava"

[[model]]
system = "tiny Qwen2.5-VL"
model = "transformers:./models/qwen2_5_vl"
"""


def full_demo(output: Path, *, studies: int = 12, seed: int = 1, hooks: Hooks | None = None) -> RunResult:
    """Make phantoms, two tiny models and a configuration in *output*, and run it.

    What is there from an earlier call is kept. Needs the extras ``imaging`` and ``inference``; raises
    :class:`MissingExtraError` without them.
    """
    from pet2rep_eval.imaging.phantom_cohort import write_cohort

    told = hooks or Hooks()
    output.mkdir(parents=True, exist_ok=True)
    told.note(f"Writing {studies} phantom studies as DICOM into {output / 'studies'}.")
    with told.bar("phantoms", studies) as show:
        made: list[object] = []

        def step(patient: object) -> None:
            made.append(patient)
            show(len(made))

        write_cohort(output, studies, seed, progress=step)
    told.note("Building two models at random weights.")
    build_models(output / "models")
    configuration = output / "run.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return Run(read_configuration(configuration), told).execute()


def build_models(folder: Path) -> None:
    """The models of :data:`MODELS`, with tokenizers trained on the prompt; those that are there are kept."""
    from pet2rep_eval.inference.tiny_models import build_tiny_model

    system, user = render_prompt()
    for family in MODELS.values():
        if not (folder / family / "config.json").is_file():
            build_tiny_model(family, folder / family, [system, user], seed=1)
