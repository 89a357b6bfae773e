"""Many studies at once: parallel over processes, memory bounded, finished ones taken as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.imaging.geometry import AXES
from pet2rep_eval.imaging.header import require
from pet2rep_eval.imaging.one_study import IMAGES, LAYOUTS, Options, Prepared, prepare_study
from pet2rep_eval.imaging.planes import STRATEGIES
from pet2rep_eval.imaging.quantities import THRESHOLDS
from pet2rep_eval.imaging.rendering import preset
from pet2rep_eval.imaging.studies import StudyFiles

__all__ = ["IMAGES", "LAYOUTS", "Options", "Prepared", "prepare_studies", "prepare_study"]


def _work(study: StudyFiles, output: str, options: Options) -> Prepared:
    """In a worker process: one thread for SimpleITK, because the studies are what runs in parallel."""
    require("SimpleITK").ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return prepare_study(study, Path(output), options)


def prepare_studies(
    studies: Sequence[StudyFiles],
    output: str | Path,
    options: Options | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[Prepared], None] | None = None,
) -> tuple[Prepared, ...]:
    """Prepares all *studies*, in parallel; in the order given. Finished ones are taken as they are.

    *progress* is called after each. Memory is bounded by *workers* (default: the number of cores, at most
    four). A worker that dies, for want of memory, costs its study and no other.
    """
    chosen = options or Options()
    _check_names(chosen)
    output = Path(output)
    (output / IMAGES).mkdir(parents=True, exist_ok=True)
    for left in (output / IMAGES).glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    count = workers or min(os.cpu_count() or 1, 4)
    done: dict[int, Prepared] = {}
    runner = _serially if count == 1 or len(studies) <= 1 else _in_pool
    for number, result in runner(studies, output, chosen, count):
        done[number] = result
        if progress is not None:
            progress(result)
    return tuple(done[number] for number in range(len(studies)))


def _check_names(options: Options) -> None:
    """Wrong names are an error of the call, not of every study."""
    preset(options.preset)
    for kind, name, known in (
        ("layout", options.layout, LAYOUTS),
        ("plane strategy", options.strategy, tuple(s for s in STRATEGIES if s != "explicit")),
        ("orientation", options.orientation, tuple(AXES)),
        ("threshold rule", options.threshold, tuple(THRESHOLDS)),
    ):
        if name not in known:
            raise UnknownNameError(kind, name, known)


Results = Iterator[tuple[int, Prepared]]


def _serially(studies: Sequence[StudyFiles], output: Path, options: Options, _: int) -> Results:
    for number, study in enumerate(studies):
        yield number, prepare_study(study, output, options)


def _pool(count: int) -> ProcessPoolExecutor:
    from multiprocessing import get_context

    # A fork of a process with threads can hang; fresh processes cost a second each and run long.
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def _in_pool(studies: Sequence[StudyFiles], output: Path, options: Options, count: int) -> Results:
    waiting = iter(enumerate(studies))
    unsure: list[tuple[int, StudyFiles]] = []
    running: dict[Future[Prepared], tuple[int, StudyFiles]] = {}
    with _pool(min(count, len(studies))) as pool:
        try:
            # Two ahead of the workers: thousands of queued studies would only cost memory.
            for number, study in islice(waiting, count + 2):
                running[pool.submit(_work, study, str(output), options)] = (number, study)
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    number, study = running.pop(future)
                    try:
                        yield number, future.result()
                    except BrokenProcessPool:
                        unsure.append((number, study))
                        raise
                    for following, other in islice(waiting, 1):
                        running[pool.submit(_work, other, str(output), options)] = (following, other)
        except BrokenProcessPool:
            unsure += list(running.values())
    # After a worker died: each of the rest in a process of its own, so that the culprit is known.
    for number, study in sorted([*unsure, *waiting], key=lambda item: item[0]):
        with _pool(1) as alone:
            try:
                yield number, alone.submit(_work, study, str(output), options).result()
            except BrokenProcessPool:
                yield (
                    number,
                    Prepared(
                        study.study_id,
                        "the worker process died, probably for want of memory; use --workers 1",
                    ),
                )
