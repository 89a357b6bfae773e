"""Arguments and options that say what is scored and how: shared by ``score`` and ``compare``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pet2rep_eval.inputs import SystemInput
    from pet2rep_eval.significance import Resampling


@dataclass(frozen=True, slots=True)
class Given:
    """What the user asked to be scored."""

    sources: tuple[SystemInput, ...]
    protocol: str
    profile: str
    metrics: tuple[str, ...]
    """Empty for those of the profile."""
    policy: str
    resampling: Resampling | None

    def settings(self, source: SystemInput) -> dict[str, Any]:
        """Files and settings of one system, for its results."""
        return source.to_dict() | {
            "protocol": self.protocol,
            "profile": self.profile,
            "metrics": list(self.metrics),
            "several_references": self.policy,
        }


_PATH = click.Path(path_type=Path)

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("predictions", nargs=-1, required=True, type=_PATH),
    click.option("--references", type=_PATH, help="File of reference reports."),
    click.option("--ids", type=_PATH, help="File of the ids of all studies, so that missing ones count."),
    click.option(
        "--protocol",
        default="pet2rep",
        show_default=True,
        help="Organs and classes: a name, or a .toml file.",
    ),
    click.option("--profile", default="default", show_default=True, help="Text, words and metric settings."),
    click.option("--metric", "metrics", multiple=True, help="Only this metric. Can be repeated."),
    click.option("--system", "systems", multiple=True, help="Name of a system, in the order of PREDICTIONS."),
    click.option("--id-column", help="Column of the study id."),
    click.option("--prediction-column", help="Column of the predicted report."),
    click.option("--reference-column", help="Column of the reference report, in --references if given."),
    click.option("--references-id-column", help="Column of the study id in --references."),
    click.option("--lenient", is_flag=True, help="Go past broken lines; their studies count as failed."),
    click.option(
        "--several-references",
        "policy",
        type=click.Choice(("first", "best", "mean")),
        default="first",
        show_default=True,
        help="Of a study with several references: the first counts, the best, or the mean.",
    ),
    click.option(
        "--interval",
        "method",
        type=click.Choice(("bca", "percentile", "none")),
        default="bca",
        show_default=True,
        help="Bootstrap interval over studies.",
    ),
    click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the intervals."),
    click.option("--resamples", type=int, default=10_000, show_default=True, help="Of the bootstrap."),
    click.option("--seed", type=int, default=0, show_default=True, help="Of all random draws."),
)

_READING = (
    "references",
    "ids",
    "id_column",
    "prediction_column",
    "reference_column",
    "references_id_column",
)
_NAMES = (
    "predictions",
    *_READING,
    *("protocol", "profile", "metrics", "systems", "lenient", "policy"),
    *("method", "confidence", "resamples", "seed"),
)


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives *command* the arguments and options above, packed into its argument ``given``."""

    @functools.wraps(command)
    def packed(**values: Any) -> Any:
        own = {name: values.pop(name) for name in _NAMES}
        return command(given=_given(own), **values)

    for option in reversed(_OPTIONS):
        packed = option(packed)
    return packed


def _given(values: Mapping[str, Any]) -> Given:
    from pet2rep_eval.inputs import SystemInput
    from pet2rep_eval.significance import Resampling

    predictions, systems = values["predictions"], values["systems"]
    if len(systems) > len(predictions):
        raise click.UsageError("There are more --system names than PREDICTIONS.")
    if not 0.0 < values["confidence"] < 1.0:
        raise click.UsageError(f"--confidence {values['confidence']:g} is not between 0 and 1, such as 0.95.")
    if values["resamples"] < 1:
        raise click.UsageError("--resamples must be at least 1.")
    shared = {name: str(values[name]) if values[name] else None for name in _READING}
    sources = tuple(
        SystemInput(str(path), systems[i] if i < len(systems) else None, lenient=values["lenient"], **shared)
        for i, path in enumerate(predictions)
    )
    how = None
    if values["method"] != "none":
        how = Resampling(values["resamples"], values["seed"], values["confidence"], values["method"])
    return Given(sources, values["protocol"], values["profile"], values["metrics"], values["policy"], how)
