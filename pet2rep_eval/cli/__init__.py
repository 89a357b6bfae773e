"""The command line: one module a sub-command, each imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from pet2rep_eval._version import __version__
from pet2rep_eval.errors import Pet2RepEvalError

COMMANDS: dict[str, str] = {
    "demo": "Score four bundled systems against bundled references.",
    "parse": "Read reports into organ-wise statements.",
    "score": "Score one or more systems' reports.",
    "compare": "Rank systems, with intervals, paired tests and baselines.",
    "verify": "Recompute results, or say why two results differ.",
    "check": "Tell whether a submission can be scored.",
    "lexicon": "Check, grow and export the vocabulary.",
    "prepare": "Turn PET/CT studies into key slices and prompts.",
    "generate": "Let a model write reports for prompts.",
    "run": "Prepare, generate, score and compare, as a configuration says.",
    "init": "Write a commented configuration for run.",
}
"""Sub-command → one-line help. ``pet2rep_eval.cli.<name>`` holds ``command``, a click command."""


class LazyGroup(click.Group):
    """Lists the commands without importing them, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pet2rep_eval.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from pet2rep_eval.errors import UnknownNameError

            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="pet2rep-eval")
@click.option("--quiet", is_flag=True, help="No progress and no notes on stderr.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.pass_context
def group(ctx: click.Context, quiet: bool, no_color: bool) -> None:
    """Reads PET/CT reports as a nuclear medicine physician would, and scores generated ones.

    \b
    Examples:
      pet2rep-eval demo
      pet2rep-eval score outputs.jsonl --references prompts.jsonl
      pet2rep-eval parse report.txt --explain
    """
    ctx.obj = {"quiet": quiet, "no_color": no_color}


def main(args: list[str] | None = None) -> None:
    """Entry point. Exit 0: done. 1: a check that was asked for failed. 2: bad input or usage."""
    try:
        group.main(args=args, prog_name="pet2rep-eval", standalone_mode=True)
    except Pet2RepEvalError as error:
        click.echo(f"pet2rep-eval: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
