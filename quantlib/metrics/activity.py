"""How much was traded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import periods_of


def turnover(traded_notional: pd.Series, equity: pd.Series, periods_per_year: float) -> float:
    """Return the annual one-way turnover: mean(traded notional / equity) / 2 x P.

    One-way, as funds report it: 1.0 means the whole book was replaced once a year, which is a sale and a
    purchase. Multiply by two for the notional on which costs are paid.

    Parameters
    ----------
    traded_notional
        Purchases and sales of each period, both counted as positive amounts.
    equity
        Equity at the end of each period, above zero, on the same index and in the same currency.
    periods_per_year
        P: 252 for daily stock returns, 365 for crypto, 12 for months.

    Raises
    ------
    DataError
        The indices differ, a value is unknown, a notional is negative or an equity is not above zero.

    Examples
    --------
    >>> turnover(pd.Series([0.0, 200.0]), pd.Series([100.0, 100.0]), periods_per_year=1)
    0.5
    """
    if traded_notional.empty:
        raise DataError("There are no periods to measure turnover over. Give at least one.")
    if not traded_notional.index.equals(equity.index):
        raise DataError("Traded notional and equity have different dates. Put both on one index.")
    notional = traded_notional.to_numpy(dtype=np.float64)
    base = equity.to_numpy(dtype=np.float64)
    if not (np.isfinite(notional).all() and (notional >= 0).all()):
        raise DataError("Traded notional must be known and not negative; sales count as positive amounts.")
    if not (np.isfinite(base).all() and (base > 0).all()):
        raise DataError("Equity must be known and above zero in every period; turnover is a share of it.")
    return float((notional / base).mean() / 2.0 * periods_of(periods_per_year))
