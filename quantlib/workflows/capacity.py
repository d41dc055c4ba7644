"""How large an account could follow a run, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.charts.numbers import money
from quantlib.costs import costs_of
from quantlib.metrics import capacity
from quantlib.workflows.research import StrategyRun

#: Sessions that the average daily traded amount is made from, as the engine's impact has it.
SESSIONS = 20
SHARE = 0.5


def capacity_of(run: StrategyRun) -> float:
    """Return the equity at which market impact would eat half of the edge, NaN where that cannot be known.

    The edge is what the account made a year before impact, on average; impact is that of the dearest of its symbols.

    See Also
    --------
    quantlib.metrics.capacity
    """
    result, symbols = run.result, list(run.strategy.symbols)
    alive = result.equity.index[(result.equity > 0) & (result.equity.shift(1, fill_value=1.0) > 0)]
    fills = result.trades.assign(notional=result.trades["notional"].abs())
    traded = fills.pivot_table(index="ts", columns="symbol", values="notional", aggfunc="sum")
    traded = traded.reindex(index=alive, columns=symbols).fillna(0.0)
    prices = run.panel.select(symbols)
    amounts = prices.frame("close") * prices.frame("volume")
    average = amounts.rolling(SESSIONS, min_periods=1).mean().shift(1).loc[alive, symbols]
    if (average.isna() & (traded > 0)).any(axis=None):
        return float("nan")
    impact = (result.cost_parts["impact"] / result.equity.shift(1)).loc[alive].mean()
    edge = float(result.returns[alive].mean() + impact) * result.periods_per_year
    bps = max(costs_of(symbol, run.costs).impact_bps for symbol in symbols)
    if bps == 0.0 or not np.isfinite(edge):
        return float("nan")
    traded.columns = average.columns = pd.Index(symbols)
    return capacity(
        traded,
        result.equity[alive],
        average,
        edge=edge,
        impact_bps=bps,
        periods_per_year=result.periods_per_year,
        share=SHARE,
    )


def capacity_in_words(run: StrategyRun) -> str:
    """Return how large an account could follow a run, in a sentence."""
    if run.result.trades.empty:
        return "It never trades, so nothing can be said about how large an account could follow it."
    found = capacity_of(run)
    if np.isnan(found):
        return "How large an account could follow it is unknown: that takes the volume of every symbol it trades."
    if found == 0.0:
        return "There is no edge that a larger account could take with it."
    return f"Its own market impact would eat half of the edge at an account of {money(float(f'{found:.2g}'))}."
