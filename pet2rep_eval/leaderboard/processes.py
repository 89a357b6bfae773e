"""Many systems scored by several processes, each with the references prepared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

from pet2rep_eval.cache import TextCache
from pet2rep_eval.evaluation import Evaluator, score_systems
from pet2rep_eval.metrics.profiles import load_profile
from pet2rep_eval.metrics.suite import Suite
from pet2rep_eval.protocols import Protocol, load_protocol
from pet2rep_eval.records import AlignedSystem
from pet2rep_eval.score_sheet import ScoreSheet

WORTHWHILE = 2000
"""Reports: with fewer, starting processes takes longer than they save."""


@dataclass(frozen=True, slots=True)
class Task:
    """How all systems are scored."""

    protocol: str | Protocol = "pet2rep"
    profile: str = "default"
    metrics: tuple[str, ...] | None = None
    policy: str = "first"


_evaluator: Evaluator | None = None


def _evaluator_of(
    references: Mapping[str, tuple[str, ...]], task: Task, cache: TextCache | None
) -> Evaluator:
    return Evaluator(
        references,
        protocol=task.protocol,
        profile=task.profile,
        metrics=task.metrics,
        baselines=False,
        resampling=None,
        policy=task.policy,
        cache=cache,
    )


def _start(references: Mapping[str, tuple[str, ...]], task: Task, cache: TextCache | None) -> None:
    """In each process: the references are cut, read and counted once."""
    global _evaluator
    _evaluator = _evaluator_of(references, task, cache)


def _score(system: AlignedSystem) -> ScoreSheet:
    assert _evaluator is not None
    sheet = _evaluator.score(system)
    if _evaluator.cache:
        _evaluator.cache.flush()
    # What the metrics counted in the references is large, the same for all, and of no use to resampling.
    return replace(sheet, suite=Suite(()))


def _same_references(systems: Sequence[AlignedSystem]) -> bool:
    first = [(pair.study_id, pair.references) for pair in systems[0].pairs]
    return all([(pair.study_id, pair.references) for pair in s.pairs] == first for s in systems[1:])


def score_in_processes(
    systems: Sequence[AlignedSystem],
    task: Task,
    *,
    workers: int = 1,
    cache: TextCache | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[ScoreSheet]:
    """Score sheets without intervals and baselines, in the order of *systems*.

    With one worker, or with few reports, nothing is started. *progress* is called with the number of studies
    done.
    """
    reports = sum(len(system.pairs) for system in systems)
    if workers < 2 or len(systems) < 2 or reports < WORTHWHILE or not _same_references(systems):
        return score_systems(
            systems,
            protocol=task.protocol,
            profile=task.profile,
            metrics=task.metrics,
            progress=progress,
            resampling=None,
            policy=task.policy,
            baselines=False,
            cache=cache,
        )
    references = {pair.study_id: pair.references for pair in systems[0].pairs}
    found: dict[int, ScoreSheet] = {}
    if cache:
        # What is in the cache is faster read here than in a process that has to start first.
        own = _evaluator_of(references, task, cache)
        for place, system in enumerate(systems):
            if own.is_cached(system):
                found[place] = own.score(system)
        cache.flush()
    left = [place for place in range(len(systems)) if place not in found]
    if left:
        made = _in_processes([systems[place] for place in left], references, task, workers, cache, progress)
        found |= dict(zip(left, made, strict=True))
    return [found[place] for place in range(len(systems))]


def _in_processes(
    systems: Sequence[AlignedSystem],
    references: Mapping[str, tuple[str, ...]],
    task: Task,
    workers: int,
    cache: TextCache | None,
    progress: Callable[[int], None] | None,
) -> list[ScoreSheet]:
    protocol = load_protocol(task.protocol) if isinstance(task.protocol, str) else task.protocol
    suite = Suite.of(load_profile(task.profile), protocol, task.metrics)
    found = []
    with ProcessPoolExecutor(
        min(workers, len(systems)),
        get_context("spawn"),
        initializer=_start,
        initargs=(references, task, cache),
    ) as pool:
        for sheet in pool.map(_score, systems):
            found.append(replace(sheet, suite=suite))
            if progress:
                progress(sum(one.n for one in found))
    return found
