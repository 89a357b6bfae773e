"""Aligned systems → contenders: runs of one system together, baselines beside them, all scored alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pet2rep_eval.baselines import BASELINES, baseline_system, written_system
from pet2rep_eval.cache import TextCache
from pet2rep_eval.errors import InputError
from pet2rep_eval.leaderboard.processes import Task, score_in_processes
from pet2rep_eval.leaderboard.records import Contender
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.protocols import Protocol
from pet2rep_eval.records import AlignedSystem, ParsedReport

ALWAYS = ("template", "all_normal")
"""Baselines that every comparison carries."""

PROMPT_TEMPLATE = "prompt_template"
_TITLES = {name: kind.title for name, kind in BASELINES.items()} | {
    PROMPT_TEMPLATE: "the template in each prompt"
}


@dataclass(frozen=True, slots=True)
class Entrant:
    """What goes into one row before it is scored."""

    name: str
    runs: tuple[AlignedSystem, ...]
    baseline: bool = False
    prompt_templates: Mapping[str, str] = field(default_factory=dict)
    """Study id → the template in its prompt; with them comes a baseline that copies it."""


def with_baselines(
    entrants: Sequence[Entrant], names: Sequence[str], seed: int = 0, cache: TextCache | None = None
) -> list[Entrant]:
    """*entrants* and the baselines *names* on the same studies, with that of the prompts where they have one.

    Raises :class:`UnknownNameError`, and :class:`InputError` where a system bears the name of a baseline.
    """
    like = entrants[0].runs[0]
    taken = {entrant.name for entrant in entrants}
    found = list(entrants)
    told = next((entrant.prompt_templates for entrant in entrants if entrant.prompt_templates), None)
    if told:
        written = written_system(PROMPT_TEMPLATE, like, told)
        found.append(Entrant(PROMPT_TEMPLATE, (written,), baseline=True))
    wanted = [name for name in dict.fromkeys((*ALWAYS, *names)) if name != PROMPT_TEMPLATE]

    def read(text: str) -> ParsedReport:
        return cache.report(text, parse_report) if cache else parse_report(text)

    found += [Entrant(name, (baseline_system(name, like, seed, read),), baseline=True) for name in wanted]
    clash = next((entrant.name for entrant in found if entrant.baseline and entrant.name in taken), None)
    if clash:
        raise InputError(f"A system is called '{clash}', like a baseline", remedy="Name it with --system.")
    return found


def gather(
    entrants: Sequence[Entrant],
    *,
    protocol: str | Protocol = "pet2rep",
    profile: str = "default",
    metrics: Sequence[str] | None = None,
    policy: str = "first",
    progress: Callable[[int], None] | None = None,
    workers: int = 1,
    cache: TextCache | None = None,
) -> list[Contender]:
    """*entrants*, scored. Intervals are left to the comparison, which resamples all of them together.

    *progress* is called with the number of studies done. *workers*: processes, for many reports. *cache*:
    where parses, words and statistics are kept between runs.
    """
    sheets = iter(
        score_in_processes(
            [run for entrant in entrants for run in entrant.runs],
            Task(protocol, profile, tuple(metrics) if metrics else None, policy),
            workers=workers,
            cache=cache,
            progress=progress,
        )
    )
    return [
        Contender(
            entrant.name,
            tuple(next(sheets) for _ in entrant.runs),
            entrant.baseline,
            _TITLES.get(entrant.name, "") if entrant.baseline else "",
        )
        for entrant in entrants
    ]
