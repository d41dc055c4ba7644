"""A race: several ways to do the same work, run in turn on the same machine in the same minutes."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Race:
    """The work, how long each contestant took at best, and how much work it was.

    Parameters
    ----------
    work
        What was done, exactly.
    seconds
        Best time by contestant; ours come first.
    units, unit
        How much one run does, such as 8.3 "million bars", for a throughput.
    note
        What the contestants do differently, and how it was checked that they agree.
    """

    work: str
    seconds: Mapping[str, float]
    units: float
    unit: str
    note: str


def best_times(contestants: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Return each contestant's best time in seconds.

    Every round runs all of them one after the other, so a slow minute of the machine slows all alike; the first
    round only warms up (compiled code, caches) and is not counted.
    """
    best = dict.fromkeys(contestants, float("inf"))
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            gc.collect()
            begin = time.perf_counter()
            run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - begin)
    return best


def must_agree(what: str, ours: float, theirs: float, tolerance: float) -> None:
    """Refuse to compare the speed of two different answers."""
    if not abs(ours / theirs - 1.0) < tolerance:
        raise SystemExit(f"{what}: the contestants disagree, {ours!r} against {theirs!r}; their speeds mean nothing.")
