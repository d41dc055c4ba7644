"""The three numbers of an account that a sweep needs, in one pass over its equity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.metrics.series import ENOUGH, NEGLIGIBLE
from quantlib.types import FloatArray


@kernel
def equity_metrics_nb(equity: FloatArray, periods_per_year: float, first: int) -> tuple[float, float, float]:
    """Return total return, Sharpe ratio and maximum drawdown of an account from its first fill on.

    The same numbers as `total_return`, `sharpe_ratio` and `max_drawdown` of `active_returns(result)`, to 1e-9: the
    first return is that of row `first` over the row before; equity below zero counts as zero, a ruined account has a
    return of -1 and then 0. The Sharpe ratio is NaN below 30 returns and where returns do not vary.

    Parameters
    ----------
    equity
        Account value at each close [T], known in every row.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.
    first
        Row of the first fill, 0 to T - 1; 0 for an account that never traded, whose first return is 0.
    """
    n = len(equity) - first
    before = max(equity[first - 1] if first > 0 else equity[0], 0.0)
    start, peak, trough, depth = before, before, before, 0.0
    shift, total, squares = 0.0, 0.0, 0.0
    for i in range(n):
        value = max(equity[first + i], 0.0)
        r = value / before - 1.0 if before > 0.0 else 0.0
        if i == 0:
            shift = r
        # Sums about the first return: those about zero would lose the spread of returns that hardly vary.
        off = r - shift
        total += off
        squares += off * off
        if value > peak:
            peak = trough = value
        elif value < trough:
            # The deepest since the peak so far; a division costs more than all the rest.
            trough = value
            depth = min(depth, value / peak - 1.0)
        before = value
    grown = before / start - 1.0 if start > 0.0 else 0.0
    if n < ENOUGH:
        return grown, np.nan, depth
    deviation = np.sqrt(max(squares - total * total / n, 0.0) / (n - 1))
    if deviation <= NEGLIGIBLE:
        return grown, np.nan, depth
    return grown, (shift + total / n) / deviation * np.sqrt(periods_per_year), depth


@kernel
def equities_metrics_nb(equity: FloatArray, periods_per_year: float, first: NDArray[np.int64]) -> FloatArray:
    """Return total return, Sharpe ratio and maximum drawdown of accounts [A, 3], from equity [A, T] and first [A].

    In the file of what it calls: numba keeps what it has compiled until the file of a function changes.
    """
    out = np.empty((len(equity), 3))
    for a in range(len(equity)):
        out[a, 0], out[a, 1], out[a, 2] = equity_metrics_nb(equity[a], periods_per_year, first[a])
    return out
