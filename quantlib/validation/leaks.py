"""The leak certificate: does any decision change when the future is cut away?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.compute import Progress
from quantlib.errors import DataError
from quantlib.types import FloatArray, Panel

_ROWS = 5
"""Rows compared at each cut: a leak of some bars ahead shows on the last ones."""


@dataclass(frozen=True)
class LeakCertificate:
    """The outcome of comparing decisions made with and without the future.

    Parameters
    ----------
    checked
        How many cut points were compared.
    leaks
        The sessions at which a decision differed, first ones first.
    largest
        The largest difference found in any output.
    decisions
        At how many sessions the rule's output changes.
    every
        Each how many-th of these the future was cut away at; None where that was not asked for.
    complete
        Whether all cut points were compared; a cancelled certificate has fewer.
    """

    checked: int
    leaks: tuple[pd.Timestamp, ...]
    largest: float
    decisions: int = 0
    every: int | None = None
    complete: bool = True

    @property
    def passed(self) -> bool:
        """Whether no decision used anything later than its own close, as far as was looked."""
        return not self.leaks

    @property
    def sentence(self) -> str:
        """What was looked at, in a sentence."""
        each = {None: "", 1: f", at every one of its {self.decisions:,} decisions among them"}.get(
            self.every, f", at every {_ordinal(self.every or 0)} of its {self.decisions:,} decisions among them"
        )
        stopped = "" if self.complete else " It was cancelled before all of them."
        return f"The future was cut away at {self.checked:,} sessions{each}.{stopped}"


def certify(
    decide: Callable[[Panel], pd.DataFrame],
    panel: Panel,
    *,
    cuts: int = 25,
    every: int | None = None,
    tolerance: float = 1e-9,
    on_progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LeakCertificate:
    """Return the certificate of a rule on the panel it is used on.

    At each cut point t the rule is run on `panel.until(t)` and its last five rows are compared with the same rows of
    the full run. A rule that looks ahead by even one bar differs at the cut, where that bar is gone. Cut points are
    spread evenly, put on the sessions at which the rule's output changes, where a leak shows, and on those before
    the largest moves, where a leak pays. A leak on none of these sessions passes: the certificate is a search. With
    `every=1` it is a proof for each change of a decision in this record, and a search for the sessions between.

    Parameters
    ----------
    decide
        Panel in, frame [time x symbol] out, on the panel's dates.
    cuts
        How many cut points of each sort to try.
    every
        Cut at every so many-th session at which the output changes as well; None leaves it with the search.
    tolerance
        Largest absolute difference that counts as rounding.
    on_progress
        Called with (cut points done, all).
    cancelled
        Asked before each; once it says yes, what was found by then is returned.

    Raises
    ------
    DataError
        `every` is below 1.
    """
    if every is not None and every < 1:
        raise DataError(f"every is {every}; accepted: a whole number of 1 or more, or None.")
    values = decide(panel).to_numpy(dtype=np.float64)
    moves = decisions(values, tolerance)
    points = _points(values, panel, moves, cuts, every)
    leaks: list[pd.Timestamp] = []
    largest, checked = 0.0, 0
    for t in points:
        if cancelled is not None and cancelled():
            break
        first = max(int(t) + 1 - _ROWS, 0)
        cut = decide(panel.until(panel.index[t])).to_numpy(dtype=np.float64)[first:]
        whole = values[first : t + 1]
        known = np.isfinite(cut) & np.isfinite(whole)
        gap = float(np.abs(cut[known] - whole[known]).max()) if known.any() else 0.0
        if (np.isfinite(cut) != np.isfinite(whole)).any():
            gap = float("inf")
        if gap > tolerance:
            leaks.append(panel.index[t])
            largest = max(largest, gap)
        checked += 1
        if on_progress is not None:
            on_progress(checked, len(points))
    return LeakCertificate(
        checked=checked,
        leaks=tuple(leaks),
        largest=largest,
        decisions=len(moves),
        every=every,
        complete=checked == len(points),
    )


def decisions(values: FloatArray, tolerance: float = 1e-9) -> NDArray[np.intp]:
    """Return the rows of an output [T, N] that differ from the row before."""
    return np.flatnonzero(np.nan_to_num(np.abs(np.diff(values, axis=0))).sum(axis=1) > tolerance) + 1


def _points(
    values: FloatArray, panel: Panel, moves: NDArray[np.intp], cuts: int, every: int | None
) -> NDArray[np.intp]:
    """Return the rows after which the future is cut away, rising."""
    n_bars = len(panel)
    even = np.linspace(0, n_bars - 2, num=min(cuts, n_bars - 1), dtype=np.int64)
    # A one-bar leak moves a decision to the bar before its cause: the cuts stand on both sides of each change.
    near = np.concatenate([moves - 1, moves])
    chosen = near[np.linspace(0, len(near) - 1, num=min(2 * cuts, len(near)), dtype=np.int64)] if len(near) else near
    largest_moves = np.argsort(-np.nanmax(np.abs(np.nan_to_num(panel.returns().to_numpy())), axis=1))[:cuts]
    each = moves[::every] if every is not None else moves[:0]
    points = np.unique(np.concatenate([even, chosen, largest_moves - 1, largest_moves - 2, each]))
    return points[(points >= 0) & (points < n_bars - 1)]


def _ordinal(n: int) -> str:
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
