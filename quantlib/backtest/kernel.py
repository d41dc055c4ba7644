"""The backtest kernel: one pass over the bars, on bare arrays."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from quantlib.types import FloatArray

#: Bars without a price after which a position is no longer waited for: longer than any weekend with holidays.
PATIENCE = 5


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def simulate_account_nb(
    open_: FloatArray,
    close: FloatArray,
    targets: FloatArray,
    per_side: float,
    borrow_per_bar: float,
    cash: float,
    lag: int,
    every_bar: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Return equity [T], cash [T], shares [T, N], fill prices [T, N], costs [T] and decision rows [T, N].

    Bar by bar: (1) the decision of `lag` bars ago becomes an order for every symbol if it differs from the decision
    before it, or always with `every_bar`; (2) shorts held overnight pay for the borrow; (3) orders fill at the open,
    at the close where no open is known, and wait where neither is; positions are sized on equity at the fill less
    the estimated cost of the fill, so a fully invested account stays above zero cash; (4) positions are marked at
    the close, or at the last known one. Fill prices are NaN and decision rows -1 where nothing was traded.
    An account that falls to zero is closed and stays there.

    A decision waits as a whole while a position it changes has no price, as a stock has none at a weekend on which
    crypto trades: else the new position would be bought before the old one is sold. After `PATIENCE` bars without
    a price the position is taken to be stuck (halted, delisted): the rest is filled, sized on equity without it.
    """
    n_bars, n_symbols = close.shape
    equity = np.empty(n_bars)
    cash_path = np.empty(n_bars)
    shares_path = np.zeros((n_bars, n_symbols))
    fills = np.full((n_bars, n_symbols), np.nan)
    costs = np.zeros(n_bars)
    decided = np.full((n_bars, n_symbols), -1, dtype=np.int64)

    shares = np.zeros(n_symbols)
    mark = np.full(n_symbols, np.nan)
    price = np.full(n_symbols, np.nan)
    want = np.zeros(n_symbols)
    row = np.full(n_symbols, -1, dtype=np.int64)
    waiting = np.zeros(n_symbols, dtype=np.bool_)
    silent = np.zeros(n_symbols, dtype=np.int64)
    ruined = False

    for t in range(n_bars):
        d = t - lag
        if d >= 0 and not ruined:
            changed = every_bar
            for i in range(n_symbols):
                before = targets[d - 1, i] if d > 0 else 0.0
                if targets[d, i] != before:
                    changed = True
            if changed:
                for i in range(n_symbols):
                    want[i] = targets[d, i]
                    row[i] = d
                    waiting[i] = True

        for i in range(n_symbols):
            if shares[i] < 0:
                fee = -shares[i] * mark[i] * borrow_per_bar
                cash -= fee
                costs[t] += fee

        any_waiting = False
        blocked = False
        value = cash
        for i in range(n_symbols):
            price[i] = open_[t, i] if np.isfinite(open_[t, i]) else close[t, i]
            known = np.isfinite(price[i])
            silent[i] = 0 if known else silent[i] + 1
            if shares[i] != 0.0 and known:
                value += shares[i] * price[i]
            elif shares[i] != 0.0 and not waiting[i]:
                value += shares[i] * mark[i]
            elif shares[i] != 0.0 and silent[i] <= PATIENCE:
                blocked = True
            if waiting[i] and known:
                any_waiting = True
        if any_waiting and not blocked and value > 0:
            estimate = 0.0
            for i in range(n_symbols):
                if waiting[i] and np.isfinite(price[i]):
                    estimate += abs(want[i] * value - shares[i] * price[i]) * per_side
            base = value - estimate
            for i in range(n_symbols):
                if waiting[i] and np.isfinite(price[i]):
                    waiting[i] = False
                    change = want[i] * base / price[i] - shares[i]
                    if change != 0.0:
                        notional = change * price[i]
                        fee = abs(notional) * per_side
                        cash -= notional + fee
                        costs[t] += fee
                        shares[i] += change
                        if want[i] == 0.0:
                            shares[i] = 0.0
                        fills[t, i] = price[i]
                        decided[t, i] = row[i]

        value = cash
        for i in range(n_symbols):
            if np.isfinite(close[t, i]):
                mark[i] = close[t, i]
            if shares[i] != 0.0:
                value += shares[i] * mark[i]
        if value <= 0.0 and not ruined:
            ruined = True
            cash = value
            for i in range(n_symbols):
                shares[i] = 0.0
                waiting[i] = False
        equity[t] = value
        cash_path[t] = cash
        shares_path[t] = shares
    return equity, cash_path, shares_path, fills, costs, decided
