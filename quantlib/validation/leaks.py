"""The leak certificate: does any decision change when the future is cut away?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.types import Panel


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
    """

    checked: int
    leaks: tuple[pd.Timestamp, ...]
    largest: float

    @property
    def passed(self) -> bool:
        """Whether no decision used anything later than its own close."""
        return not self.leaks


def certify(
    decide: Callable[[Panel], pd.DataFrame], panel: Panel, *, cuts: int = 25, tolerance: float = 1e-9
) -> LeakCertificate:
    """Return the certificate of a rule on the panel it is used on.

    At each cut point t the rule is run on `panel.until(t)` and its last five rows are compared with the same rows of
    the full run. A rule that looks ahead by even one bar differs at the cut, where that bar is gone. Cut points are
    spread evenly, put on the sessions at which the rule's output changes, where a leak shows, and on those before
    the largest moves, where a leak pays. A leak on none of these sessions passes: the certificate is a search.

    Parameters
    ----------
    decide
        Panel in, frame [time x symbol] out, on the panel's dates.
    cuts
        How many cut points of each sort to try.
    tolerance
        Largest absolute difference that counts as rounding.
    """
    full = decide(panel)
    values = full.to_numpy(dtype=np.float64)
    n_bars = len(panel)
    even = np.linspace(0, n_bars - 2, num=min(cuts, n_bars - 1), dtype=np.int64)
    moves = np.flatnonzero(np.nan_to_num(np.abs(np.diff(values, axis=0))).sum(axis=1) > tolerance)
    # A one-bar leak moves a decision to the bar before its cause: the cuts stand on both sides of each change.
    near = np.concatenate([moves, moves + 1])
    chosen = near[np.linspace(0, len(near) - 1, num=min(2 * cuts, len(near)), dtype=np.int64)] if len(near) else near
    largest_moves = np.argsort(-np.nanmax(np.abs(np.nan_to_num(panel.returns().to_numpy())), axis=1))[:cuts]
    points = np.unique(np.concatenate([even, chosen, largest_moves - 1, largest_moves - 2]))
    points = points[(points >= 0) & (points < n_bars - 1)]
    leaks: list[pd.Timestamp] = []
    largest = 0.0
    for t in points:
        first = max(int(t) - 4, 0)
        cut = decide(panel.until(panel.index[t])).to_numpy(dtype=np.float64)[first:]
        whole = values[first : t + 1]
        known = np.isfinite(cut) & np.isfinite(whole)
        gap = float(np.abs(cut[known] - whole[known]).max()) if known.any() else 0.0
        if (np.isfinite(cut) != np.isfinite(whole)).any():
            gap = float("inf")
        if gap > tolerance:
            leaks.append(panel.index[t])
            largest = max(largest, gap)
    return LeakCertificate(checked=len(points), leaks=tuple(leaks), largest=largest)
