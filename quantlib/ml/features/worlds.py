"""What simulated worlds say of the coming month, given the last two years."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.ml.features.group import FeatureGroup
from quantlib.ml.table import long_table
from quantlib.simulators import StationaryBootstrap
from quantlib.types import FloatArray, Panel

WINDOW, AHEAD, WORLDS = 504, 21, 200
#: The block is given rather than chosen by the data: choosing it would make a symbol's worlds depend on the others.
SIMULATOR = StationaryBootstrap(block=10.0)
_COLUMNS = ("world_up", "world_shortfall", "world_drawdown")


def worlds(panel: Panel) -> pd.DataFrame:
    """Return statistics of 200 bootstrap worlds of 21 sessions, one row a (ts, symbol).

    The worlds are drawn anew on a symbol's first session of each month, from its 504 returns up to that close, and
    their statistics stand until the next. The seed is the month's, so a shorter history gives the same.
    `world_up` is the share of worlds that end higher, `world_shortfall` the mean return of the worst twentieth,
    `world_drawdown` the mean deepest drawdown, both fractions at or below zero.
    """

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        dates = pd.DatetimeIndex(close.index)
        month = (dates.year * 12 + dates.month).to_numpy()
        found = np.full((len(_COLUMNS), *close.shape), np.nan)
        values = close.to_numpy()
        begins = np.flatnonzero(np.diff(month, prepend=month[:1]))
        for t in begins[begins >= WINDOW]:
            moving = np.ptp(values[t - WINDOW : t + 1], axis=0) > 0  # no law is fitted to a price that stands still
            if moving.any():
                past = Panel.from_frames(close.iloc[t - WINDOW : t + 1, np.flatnonzero(moving)])
                found[:, t, moving] = _statistics(past, int(month[t]))
        latest = np.zeros(len(close), dtype=np.intp)
        latest[begins] = begins
        stands = found[:, np.maximum.accumulate(latest)]
        return {
            name: pd.DataFrame(stands[k], index=close.index, columns=close.columns) for k, name in enumerate(_COLUMNS)
        }

    return long_table(panel, columns)


def _statistics(past: Panel, seed: int) -> FloatArray:
    """Return the three statistics [3, N] of worlds that follow this past."""
    growth = SIMULATOR.closes(past, n=WORLDS, horizon=AHEAD, seed=seed) / past.close[-1]
    final = growth[:, -1] - 1.0
    worst = np.sort(final, axis=0)[: WORLDS // 20].mean(axis=0)
    peak = np.maximum(np.maximum.accumulate(growth, axis=1), 1.0)
    return np.stack([(final > 0).mean(axis=0), worst, (growth / peak).min(axis=1).mean(axis=0) - 1.0])


WORLD_STATISTICS = FeatureGroup(
    "worlds",
    "Simulated worlds",
    "What worlds bootstrapped from the last two years do over the next month.",
    worlds,
    {
        "world_up": "Share of worlds that end higher after 21 sessions",
        "world_shortfall": "Mean return of the worst twentieth of worlds after 21 sessions",
        "world_drawdown": "Mean deepest drawdown of the worlds within 21 sessions",
    },
    WINDOW + AHEAD + 2,
)
