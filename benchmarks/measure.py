"""CPU seconds, and how they are printed."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    part: str
    what: str
    value: float
    unit: str
    remark: str = ""


def cpu(work: Callable[[], T], *, best_of: int = 1) -> tuple[float, T]:
    """CPU seconds of *work* in this process, the best of some runs, and what the last one gave."""
    times = []
    for _ in range(best_of):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


def cpu_of_command(*arguments: str, best_of: int = 1) -> float:
    """CPU seconds of ``pet2rep-eval`` with *arguments* in a process of its own, start included."""
    times = []
    for _ in range(best_of):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "pet2rep_eval", *arguments], stdout=subprocess.DEVNULL, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)
