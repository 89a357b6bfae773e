"""``pet2rep-eval init``: write a commented configuration for ``run``."""

from __future__ import annotations

from pathlib import Path

import click

TEMPLATE = """\
# A run of pet2rep-eval: prepare -> generate -> score -> compare.
#   pet2rep-eval run CONFIG.toml --dry-run     what it would do, and how long that takes
#   pet2rep-eval run CONFIG.toml               do it; after a stop the same command goes on
# Paths are relative to this file. Every stage is cached by its content: other settings or other files
# give other folders under 'output', and going back finds the old results.

[run]
output = "results"
# prompts = "prompts.jsonl"      # a prompt file that is there already, in place of [prepare]
# pictures = "auto"              # fused, separate, pet, ct or none

[prepare]
studies = "studies"              # PET/CT studies: DICOM or NIfTI, a folder or a list of folders
# What 'pet2rep-eval prepare' takes can stand here too, with _ in place of -.

[decoding]                       # for all models; a model can have its own: decoding = { seed = 1 }
preset = "greedy"                # greedy, official-sampling, petrg-3d
# max_new_tokens = 1024
# temperature = 0.7
# seed = 0

[[model]]
system = "copier"                # the name in the tables
model = "template:zh"            # the baseline that copies the template

# [[model]]
# system = "Qwen2.5-VL-7B"
# model = "transformers:./Qwen2.5-VL-7B-Instruct"
# batch_size = 8
# adapter = "lora"               # a LoRA adapter

# [[model]]
# system = "mine"
# model = "openai:mine"          # any OpenAI-compatible server
# base_url = "http://localhost:8000/v1"
# api_key_env = "MY_KEY"         # the variable that holds the key, never the key itself
# concurrency = 8

# [[model]]
# system = "PETRG-3D"
# model = "command:python infer.py {prompts} {output}"

[score]
protocol = "pet2rep"             # or sites, or a .toml file
profile = "default"              # or pet2rep-2025, petrg-3d
# references = "references.csv"  # by default the references in the prompts

[compare]
# baseline = "template"          # the row that all others are tested against
# baselines = ["shuffled"]       # besides the template and all-normal
"""


@click.command(name="init", short_help="Write a commented configuration for run.")
@click.argument("config", type=click.Path(path_type=Path), default="pet2rep.toml")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def command(config: Path, force: bool) -> None:
    """Write a commented configuration to CONFIG (default: pet2rep.toml).

    \b
    Example:
      pet2rep-eval init study.toml && pet2rep-eval run study.toml --dry-run
    """
    from pet2rep_eval.cli._output import note
    from pet2rep_eval.errors import InputError

    try:
        with config.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace("CONFIG.toml", config.name))
    except FileExistsError:
        raise InputError(
            "the file is there already", path=config, remedy="Name another, or give --force."
        ) from None
    except OSError as error:
        raise InputError(
            f"the file cannot be written ({error.strerror})", path=config, remedy="Create its folder first."
        ) from error
    note(f"{config}: edit it, then: pet2rep-eval run {config} --dry-run")
