"""``pet2rep-eval generate``: let a model write reports for prompts."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from pet2rep_eval.inference.decoding import PRESETS
from pet2rep_eval.inference.prompt_file import INPUTS

DECODING = ("seed", "temperature", "top_p", "top_k", "repetition_penalty", "max_new_tokens")


def _decoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    kinds: dict[str, type] = dict.fromkeys(DECODING, float) | {
        "seed": int,
        "top_k": int,
        "max_new_tokens": int,
    }
    for name in reversed(DECODING):
        command = click.option(
            f"--{name.replace('_', '-')}", type=kinds[name], help="Instead of the preset's."
        )(command)
    return command


_BACKEND_OPTIONS: dict[str, tuple[Any, str]] = {
    "batch_size": (
        int,
        "transformers: studies at once (default: found on memory errors, from 8). command: per start.",
    ),
    "dtype": (str, "transformers: auto, float32, bfloat16, float16."),
    "device_map": (str, "transformers: auto, cpu, cuda, …"),
    "attention": (str, "transformers: sdpa, eager, flash_attention_2."),
    "adapter": (str, "transformers: folder of a LoRA adapter (needs peft)."),
    "quantisation": (str, "transformers: 4bit or 8bit (needs bitsandbytes)."),
    "base_url": (str, "openai: address up to /v1 (default: OPENAI_BASE_URL)."),
    "api_key_env": (str, "openai: environment variable that holds the key (default: OPENAI_API_KEY)."),
    "api_key_file": (str, "openai: file that holds the key."),
    "concurrency": (int, "openai: requests at once (default 4)."),
    "requests_per_minute": (float, "openai: rate limit."),
    "retries": (int, "openai: further tries on 429, 5xx, timeouts and cut connections (default 6)."),
    "timeout": (float, "openai: seconds for a request (default 600). command: for the program."),
    "budget": (float, "openai: money to spend at most in this session; needs both prices."),
    "price_in": (float, "openai: price of a million prompt tokens."),
    "price_out": (float, "openai: price of a million generated tokens."),
    "token_budget": (int, "openai: tokens, prompt and generated, to spend at most in this session."),
}
_BACKEND_FLAGS = {
    "trust_remote_code": "transformers: run Python code that comes with the model. Off; know whom you trust.",
    "allow_pickle": "transformers: also load weights that are not safetensors; they can run code.",
}


def _backend_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(_BACKEND_FLAGS.items()):
        command = click.option(f"--{name.replace('_', '-')}", is_flag=True, default=None, help=text)(command)
    for name, (kind, text) in reversed(_BACKEND_OPTIONS.items()):
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help=text)(command)
    return command


@click.command(name="generate", short_help="Let a model write reports for prompts.")
@click.argument("prompts", type=click.Path(path_type=Path))
@click.option(
    "--model", required=True, help="BACKEND:NAME; BACKEND: transformers, openai, template, command, replay."
)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Result file, JSONL.")
@click.option("--system", help="Name of the system in the results (default: the model).")
@click.option(
    "--preset", type=click.Choice(list(PRESETS)), default="greedy", show_default=True, help="Decoding."
)
@_decoding_options
@click.option(
    "--pictures", type=click.Choice(INPUTS), default="auto", show_default=True, help="Which pictures to send."
)
@click.option(
    "--image-root", type=click.Path(path_type=Path), help="Folder of the pictures (default: the prompts')."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N studies.")
@click.option("--ordered", is_flag=True, help="Put the rows into the order of the prompts at the end.")
@click.option("--overwrite", is_flag=True, help="Start anew instead of resuming.")
@click.option("--no-references", is_flag=True, help="Leave the reference reports out of the results.")
@_backend_options
@click.pass_obj
def command(
    obj: dict[str, Any] | None,
    /,
    prompts: Path,
    model: str,
    output: Path,
    system: str | None,
    preset: str,
    pictures: str,
    image_root: Path | None,
    limit: int | None,
    ordered: bool,
    overwrite: bool,
    no_references: bool,
    **options: Any,
) -> None:
    """Let a model write a report for each study of the prompt file PROMPTS.

    The result file is written study by study and is resumed: run the same command again after a stop.
    Studies that fail are logged beside it with their reasons and tried again at the next start. Exit 1 if any
    is left.

    \b
    Examples:
      pet2rep-eval generate prompts.jsonl --model template:zh -o template.jsonl
      pet2rep-eval generate prompts.jsonl --model transformers:./Qwen2.5-VL-7B-Instruct -o qwen.jsonl
      pet2rep-eval generate prompts.jsonl --model openai:qwen --base-url http://localhost:8000/v1 -o q.jsonl
      pet2rep-eval generate prompts.jsonl --model "command:python infer.py {prompts} {output}" -o mine.jsonl
    """
    from pet2rep_eval.inference import create_backend, generate, read_prompts
    from pet2rep_eval.inference.decoding import decoding
    from pet2rep_eval.inference.runner import beside

    settings = obj or {}
    quiet = bool(settings.get("quiet"))

    def note(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    given = {name: value for name, value in options.items() if value is not None}
    chosen = decoding(preset, {name: given.pop(name) for name in DECODING if name in given})
    studies = read_prompts(prompts, pictures=pictures, image_root=image_root)[:limit]
    backend = create_backend(model, chosen, given)
    try:
        with ExitStack() as stack:
            stack.enter_context(_session(quiet))
            bar = None
            if not quiet and sys.stderr.isatty():
                bar = _bar(stack, len(studies), bool(settings.get("no_color")))
            report = generate(
                studies,
                backend,
                output,
                system=system or model,
                overwrite=overwrite,
                ordered=ordered,
                with_references=not no_references,
                progress=bar,
                note=note,
            )
    except KeyboardInterrupt:
        note(f"Stopped. {output} keeps what is done; the same command goes on from there.")
        sys.exit(130)
    speed = report.tokens_out / report.seconds if report.seconds else 0
    note(
        f"{output}: {report.generated} new, {report.resumed} were there, {len(report.failures)} failed, "
        f"{report.seconds:.1f} s" + (f", {speed:.1f} tokens/s." if speed else ".")
    )
    if report.failures:
        study, reason = next(iter(report.failures.items()))
        note(f"First failure: {study}: {reason}. All are in {beside(output, 'failures.jsonl').name}.")
        sys.exit(1)


@contextmanager
def _session(quiet: bool) -> Iterator[None]:
    """A scheduler's stop ends the session like Ctrl-C, and ``--quiet`` holds back the backends' warnings."""
    log = logging.getLogger("pet2rep_eval")
    before, level = signal.signal(signal.SIGTERM, signal.default_int_handler), log.level
    if quiet:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        log.setLevel(level)


def _bar(stack: ExitStack, total: int, no_color: bool) -> Callable[[Any], None]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = stack.enter_context(
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(stderr=True, no_color=no_color),
        )
    )
    task = bar.add_task("reports", total=total, rate="")

    def show(state: Any) -> None:
        rate = (
            f"{state.tokens_out / state.seconds:.0f} tokens/s" if state.tokens_out and state.seconds else ""
        )
        failed = f", {state.failed} failed" if state.failed else ""
        bar.update(task, completed=state.done + state.failed, rate=rate + failed)

    return show
