"""The plainest alternative to a strategy: buy its symbols in equal parts and hold them."""

from __future__ import annotations

import pandas as pd

from quantlib.backtest.run import BacktestResult, run
from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.types import DateLike, Panel, as_date


def hold_equal_parts(panel: Panel, *, costs: Costs | None = None, since: DateLike | None = None) -> BacktestResult:
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
