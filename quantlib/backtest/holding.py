"""The plainest alternative to a strategy: buy its symbols in equal parts and hold them."""

from __future__ import annotations

import pandas as pd

from quantlib.backtest.result import BacktestResult
from quantlib.backtest.run import run
from quantlib.costs import AnyCosts
from quantlib.errors import DataError
from quantlib.types import DateLike, Panel, as_date


def hold_equal_parts(panel: Panel, *, costs: AnyCosts | None = None, since: DateLike | None = None) -> BacktestResult:
    """Return the account that buys every symbol of a panel for the same amount and holds, after costs.

    It decides at `since`, or at the first session on which every price is known where that is later, so that a
    symbol listed afterwards is not bought on credit.

    Raises
    ------
    DataError
        The symbols share no session from then on.
    """
    shared = panel.complete()
    if since is not None:
        shared = shared.window(since)
    if len(shared) == 0:
        raise DataError(f"{', '.join(panel.symbols)} share no session, so they cannot be held together.")
    weights = pd.DataFrame(1.0 / len(panel.symbols), index=panel.index, columns=pd.Index(panel.symbols, name="symbol"))
    weights.loc[weights.index < as_date(shared.index[0])] = 0.0
    return run(panel, weights, costs=costs)


def holding_beside(panel: Panel, result: BacktestResult, *, costs: AnyCosts) -> pd.Series:
    """Return the equity of holding the symbols of a panel, beginning where both can be compared.

    That is the later of the strategy's first trade and the first session with a price of every symbol; compare with
    the strategy's equity from the first date of what is returned.
    """
    since = result.trades["decided"].iloc[0] if len(result.trades) else panel.index[0]
    held = hold_equal_parts(panel, costs=costs, since=since)
    bought = held.trades["ts"].iloc[0] if len(held.trades) else panel.index[0]
    # One session before the fill, and two sessions at least, so that there is a curve to draw.
    first = max(min(int(panel.index.searchsorted(bought)) - 1, len(panel) - 2), 0)
    return held.equity.iloc[first:]
