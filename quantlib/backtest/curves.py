"""An account in a hundred numbers: moments of its returns and its growth in equal parts of the span, for the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.compiled import kernel
from quantlib.metrics.series import ENOUGH, NEGLIGIBLE
from quantlib.types import FloatArray

MOMENTS = ("n", "mean", "sd", "skew", "kurtosis", "sharpe")
"""What is kept of an account's returns by session: see `Traces`."""
BUCKETS = 96
RUIN = 1e-9
"""Part of the money begun with that an account counts as having left once it has lost all: its logarithm is known."""


@dataclass(frozen=True)
class Traces:
    """What accounts leave behind: enough to compare them by, in a fraction of the space.

    Parameters
    ----------
    moments
        Of the returns from the first fill on [account, 6], as `MOMENTS` names them: how many, mean, standard deviation
        (n - 1), skewness and kurtosis (3 for a normal law), both corrected for n, and Sharpe ratio of a session, not
        annualised. Unknown is NaN: the last three below 30 returns or where they do not vary.
    growth
        Log growth in equal parts of the whole span [account, bucket], float32; 0 before the first fill.
    """

    moments: FloatArray
    growth: NDArray[np.float32]

    @classmethod
    def of(cls, equity: FloatArray, first: NDArray[np.int64], buckets: int = BUCKETS) -> Traces:
        """Return the traces of accounts from their equity [A, T] and the row of their first fill [A], 0 for none."""
        equity = np.require(equity, np.float64, ["C", "W"])  # or all of it is compiled once more for others
        return cls.split(traces_nb(equity, first, min(buckets, equity.shape[1] - 1)))

    @classmethod
    def split(cls, rows: FloatArray) -> Traces:
        """Return traces from rows of moments and growth side by side, as a sweep carries them."""
        return cls(rows[:, : len(MOMENTS)], rows[:, len(MOMENTS) :].astype(np.float32))

    @classmethod
    def of_result(cls, result: BacktestResult, buckets: int = BUCKETS) -> Traces:
        """Return the trace of a backtest, as the same set of a sweep has it."""
        first = len(result.equity) - len(active_returns(result))
        return cls.of(result.equity.to_numpy(dtype=np.float64)[None, :], np.array([first]), buckets)

    def frame(self, index: pd.DatetimeIndex, labels: Sequence[str]) -> pd.DataFrame:
        """Return the growth as a table, one row an account and one column the last session of each bucket."""
        ends = index[edges(len(index), self.growth.shape[1])[1:]]
        return pd.DataFrame(self.growth, index=pd.Index(labels), columns=ends.strftime("%Y-%m-%d"))


def edges(sessions: int, buckets: int) -> NDArray[np.int64]:
    """Return the rows between which the buckets lie [buckets + 1], from the first session to the last."""
    return np.arange(buckets + 1) * (sessions - 1) // max(buckets, 1)


@kernel
def traces_nb(equity: FloatArray, first: NDArray[np.int64], buckets: int) -> FloatArray:
    """Return moments and growth of accounts [A, 6 + buckets], from equity [A, T] and first [A]."""
    n_bars = equity.shape[1]
    out = np.full((len(equity), 6 + buckets), np.nan)
    returns = np.empty(n_bars)
    for a in range(len(equity)):
        begin = first[a]
        n = n_bars - begin
        before = max(equity[a, begin - 1] if begin > 0 else equity[a, 0], 0.0)
        total = 0.0
        for t in range(begin, n_bars):
            value = max(equity[a, t], 0.0)
            returns[t] = value / before - 1.0 if before > 0.0 else 0.0
            total += returns[t]
            before = value
        mean, second, third, fourth = total / n, 0.0, 0.0, 0.0
        for t in range(begin, n_bars):
            off = returns[t] - mean
            square = off * off
            second += square
            third += square * off
            fourth += square * square
        out[a, 0], out[a, 1] = n, mean
        if n > 1:
            deviation = np.sqrt(second / (n - 1))
            out[a, 2] = deviation
            if n >= ENOUGH and deviation > NEGLIGIBLE:
                # As `quantlib.metrics.shape` has them: G1 and G2 of Joanes and Gill (1998).
                out[a, 3] = third / n / (second / n) ** 1.5 * np.sqrt(n * (n - 1.0)) / (n - 2.0)
                plain = n * fourth / second**2 - 3.0
                out[a, 4] = ((n + 1.0) * plain + 6.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)) + 3.0
                out[a, 5] = mean / deviation
        least = RUIN * max(equity[a, 0], RUIN)
        last = np.log(max(equity[a, 0], least))
        for k in range(buckets):
            now = np.log(max(equity[a, (k + 1) * (n_bars - 1) // buckets], least))
            out[a, 6 + k] = now - last
            last = now
    return out
