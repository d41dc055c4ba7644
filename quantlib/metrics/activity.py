"""How much was held, how much was traded, and how much could be."""

from __future__ import annotations

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.series import number, periods_of
from quantlib.types import FloatArray


def turnover_of(traded: FloatArray, _gross: FloatArray, _net: FloatArray, periods_per_year: float) -> FloatArray:
    """Return half the mean share of equity traded a period, times periods a year, along the last axis."""
    return np.asarray(traded.mean(axis=-1) / 2.0 * periods_per_year)


def gross_exposure_of(
    _traded: FloatArray, gross: FloatArray, _net: FloatArray, _periods_per_year: float = 1.0
) -> FloatArray:
    """Return the mean gross exposure, along the last axis."""
    return np.asarray(gross.mean(axis=-1))


def net_exposure_of(
    _traded: FloatArray, _gross: FloatArray, net: FloatArray, _periods_per_year: float = 1.0
) -> FloatArray:
    """Return the mean net exposure, along the last axis."""
    return np.asarray(net.mean(axis=-1))


def time_in_market_of(
    _traded: FloatArray, gross: FloatArray, _net: FloatArray, _periods_per_year: float = 1.0
) -> FloatArray:
    """Return the share of sessions with a position, along the last axis."""
    return np.asarray((gross > 0.0).mean(axis=-1))


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
    traded = _shares(traded_notional, equity)
    return number(turnover_of(traded, traded, traded, periods_of(periods_per_year)))


def gross_exposure(weights: pd.DataFrame) -> float:
    """Return the mean over all sessions of the sum of absolute weights: 1.0 is fully invested without leverage.

    Parameters
    ----------
    weights
        Value held over equity at each close [time x symbol], none unknown; negative is short.

    Raises
    ------
    DataError
        There are no sessions, or a weight is unknown.
    """
    gross, net = exposures(_some(weights))
    return number(gross_exposure_of(gross, gross, net))


def net_exposure(weights: pd.DataFrame) -> float:
    """Return the mean over all sessions of the sum of weights, longs less shorts; 0.0 is market neutral in money.

    Parameters
    ----------
    weights
        Value held over equity at each close [time x symbol], none unknown; negative is short.

    Raises
    ------
    DataError
        There are no sessions, or a weight is unknown.
    """
    gross, net = exposures(_some(weights))
    return number(net_exposure_of(gross, gross, net))


def time_in_market(weights: pd.DataFrame) -> float:
    """Return the share of sessions that close with a position, 0 to 1.

    Parameters
    ----------
    weights
        Value held over equity at each close [time x symbol], none unknown; negative is short.

    Raises
    ------
    DataError
        There are no sessions, or a weight is unknown.
    """
    gross, net = exposures(_some(weights))
    return number(time_in_market_of(gross, gross, net))


def _some(weights: pd.DataFrame) -> pd.DataFrame:
    if weights.empty:
        raise DataError("There are no sessions to measure exposure over. Give at least one.")
    return weights


def exposures(weights: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Return gross and net exposure at each close [n] as shares of equity, checked."""
    held = weights.to_numpy(dtype=np.float64)
    if not np.isfinite(held).all():
        t, i = np.argwhere(~np.isfinite(held))[0]
        raise DataError(
            f"The weight of {weights.columns[i]} at {weights.index[t]} is {held[t, i]}; accepted: known numbers, 0 for "
            "no position. Leave out the sessions after a ruin."
        )
    return np.abs(held).sum(axis=1), held.sum(axis=1)


def _shares(traded_notional: pd.Series, equity: pd.Series) -> FloatArray:
    """Return traded notional over equity [n], checked."""
    if not traded_notional.index.equals(equity.index):
        raise DataError("Traded notional and equity have different dates. Put both on one index.")
    notional = traded_notional.to_numpy(dtype=np.float64)
    base = equity.to_numpy(dtype=np.float64)
    if not (np.isfinite(notional).all() and (notional >= 0).all()):
        raise DataError("Traded notional must be known and not negative; sales count as positive amounts.")
    if not (np.isfinite(base).all() and (base > 0).all()):
        raise DataError("Equity must be known and above zero in every period; turnover is a share of it.")
    return np.asarray(notional / base)


def account_columns(
    traded_notional: pd.Series, equity: pd.Series, weights: pd.DataFrame
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return share of equity traded, gross and net exposure of each session [n], checked; n may be 0."""
    traded = _shares(traded_notional, equity)
    if not weights.index.equals(equity.index):
        raise DataError("Weights and equity have different dates. Put both on one index.")
    return (traded, *exposures(weights))
