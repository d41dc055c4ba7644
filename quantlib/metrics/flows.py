"""Returns of an account into which money was paid and from which money was taken."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from quantlib.errors import DataError
from quantlib.metrics.returns import total_return
from quantlib.metrics.series import dated
from quantlib.types import FloatArray

_LARGEST = 690.0
"""Largest exponent whose power is still a number."""


def flow_adjusted_returns(values: pd.Series, flows: pd.Series) -> pd.Series:
    """Return what each period earned, without what was paid in or out: (value - flow) / value before - 1.

    A flow counts at the end of its date, after that date's gain: the value of the date includes it.

    Parameters
    ----------
    values
        Value of the account at dates, ascending: at least two, and one at every flow.
    flows
        Money paid in (above zero) or taken out (below), by date; a flow on the first date is part of its value.

    Returns
    -------
    Series
        Simple returns from the second date on.

    Raises
    ------
    DataError
        A value or flow is unknown or not dated, a flow lies on no date of a value, or a period starts with nothing.
    """
    held, paid = _checked(values, flows)
    where = values.index.get_indexer(flows.index)
    if (where < 0).any():
        raise DataError(
            f"There is a flow on {flows.index[int(np.argmax(where < 0))]:%Y-%m-%d} and no value of the account on that "
            "date. A time-weighted return needs one at every flow; a money-weighted one does not."
        )
    moved = np.zeros(len(held))
    moved[where] = paid
    if (held[:-1] <= 0).any():
        first = values.index[int(np.argmax(held[:-1] <= 0))]
        raise DataError(f"The account is worth nothing on {first:%Y-%m-%d}. Measure the record after it on its own.")
    return pd.Series((held[1:] - moved[1:]) / held[:-1] - 1.0, index=values.index[1:], name="return")


def time_weighted_return(values: pd.Series, flows: pd.Series) -> float:
    """Return what one unit left in the account made, whatever was paid in or out meanwhile: not annualised.

    The returns between flows, linked: it judges the decisions on what to hold. `internal_rate_of_return` judges
    those on when to pay in as well.

    Parameters
    ----------
    values, flows
        See `flow_adjusted_returns`.

    Raises
    ------
    DataError
        See `flow_adjusted_returns`; also where a period lost more than everything.

    References
    ----------
    CFA Institute (2020), GIPS Standards: time-weighted return.

    Examples
    --------
    >>> dates = pd.to_datetime(["2024-01-02", "2024-07-01", "2024-12-31"])
    >>> values = pd.Series([100.0, 210.0, 189.0], index=dates)
    >>> round(time_weighted_return(values, pd.Series([100.0], index=dates[1:2])), 4)
    -0.01
    """
    return total_return(flow_adjusted_returns(values, flows))


def internal_rate_of_return(values: pd.Series, flows: pd.Series) -> float:
    """Return the rate a year at which all that was paid in grows to what was taken out and is left: money-weighted.

    The rate i that solves: first value x (1 + i)^T + sum of flow x (1 + i)^(T - t) = last value, t in years of 365
    days. Of the values only the first and the last count. A flow on the last date counts as paid in after its gain,
    so it earns nothing.

    Parameters
    ----------
    values, flows
        See `flow_adjusted_returns`; here a flow needs no value on its date, but must lie between first and last.

    Raises
    ------
    DataError
        A value or flow is unknown or not dated, a flow lies outside the dates of the values, nothing was paid in or
        nothing came back (no change of sign), no rate fits, or several do.

    References
    ----------
    CFA Institute (2020), GIPS Standards: money-weighted return.

    Examples
    --------
    >>> dates = pd.to_datetime(["2023-01-01", "2024-01-01"])
    >>> round(internal_rate_of_return(pd.Series([100.0, 110.0], index=dates), pd.Series([], index=dates[:0])), 4)
    0.1
    """
    held, paid = _checked(values, flows)
    begin, end = values.index[0], values.index[-1]
    if outside := [date for date in flows.index if not begin <= date <= end]:
        raise DataError(
            f"There is a flow on {outside[0]:%Y-%m-%d}, outside the account's values from {begin:%Y-%m-%d} to "
            f"{end:%Y-%m-%d}. Give a value before and after every flow."
        )
    later = np.asarray(flows.index > begin)  # one on the first date is part of its value
    days = np.concatenate([[0.0], (flows.index[later] - begin).days.to_numpy(dtype=np.float64), [(end - begin).days]])
    return _rate(np.concatenate([[-held[0]], -paid[later], [held[-1]]]), days / 365.0)


def _rate(amounts: FloatArray, years: FloatArray) -> float:
    """Return the one rate at which amounts (paid in below zero, got back above) are worth nothing together."""
    amounts = np.array([amounts[years == t].sum() for t in np.unique(years)])
    years = np.unique(years)
    signs = np.sign(amounts[amounts != 0.0])
    changes = int(np.count_nonzero(np.diff(signs)))
    if changes == 0:
        raise DataError(
            "The cash flows never change sign: nothing was paid in, or nothing came back. No rate explains that; "
            "a record of one side only has no internal rate of return."
        )

    def worth(growth: float) -> float:
        return float(amounts @ np.exp(-growth * years))

    # In logarithms of growth, as far out as the powers stay numbers.
    ends = _LARGEST / max(float(years[-1]), 1.0)
    grid = np.array([-ends, ends]) if changes == 1 else np.linspace(-ends, ends, 20_001)
    found = np.sign([worth(float(growth)) for growth in grid])
    crossings = np.flatnonzero(np.diff(found))
    roots = [math.expm1(brentq(worth, grid[i], grid[i + 1], xtol=1e-14, rtol=1e-14)) for i in crossings]
    if len(roots) == 1:
        return roots[0]
    if not roots:
        raise DataError("No rate makes the cash flows worth nothing together. Check their signs: paid in is above 0.")
    listed = ", ".join(f"{root:.4%}" for root in roots)
    raise DataError(
        f"{len(roots)} rates fit these cash flows ({listed}), as money went in and out {changes} times. "
        "Use the time-weighted return, or measure the stretches between on their own."
    )


def _checked(values: pd.Series, flows: pd.Series) -> tuple[FloatArray, FloatArray]:
    """Return values [at least 2] and flows as float64, refusing what is unknown or not dated."""
    if len(values) < 2:
        raise DataError(f"The account has {len(values)} values; a return needs one at its start and one at its end.")
    dated(values, "Values of the account")
    if len(flows):
        dated(flows, "Flows")
    held, paid = values.to_numpy(dtype=np.float64), flows.to_numpy(dtype=np.float64)
    if not (np.isfinite(held).all() and np.isfinite(paid).all()):
        raise DataError("A value or a flow of the account is not known. Leave its date out, or find the value.")
    return held, paid
