"""Whether an edge is there in every part of the record: by calendar, and by the state of the market."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from quantlib.errors import DataError
from quantlib.metrics import ENOUGH
from quantlib.types import Panel
from quantlib.validation.sharpe import ReturnMoments

VOLATILITY, TREND = 63, 200
"""Sessions that the market's volatility and its trend are measured over."""
REACH = float(ndtri(0.975))
"""Standard errors to each side of a 95 % interval."""


def by_subperiod(returns: pd.Series, *, parts: int = 8) -> pd.DataFrame:
    """Return the Sharpe ratio in runs of whole calendar years, or of quarters where there are too few years.

    Parameters
    ----------
    returns
        Net returns, dated.
    parts
        Most parts to make; each has as many years as keeps to that.

    Returns
    -------
    DataFrame
        One row a part, by its name ("2008-2011"): sharpe, low, high (per session, 95 %), n, first, last.
    """
    _check(returns)
    days = pd.DatetimeIndex(returns.index)
    years = days.year - days.year[0]
    quarters = 4 * years + days.quarter - 1
    unit, name = (years, "%Y") if years[-1] >= 3 else (quarters - quarters[0], "%Y-%m")
    length = -(-(int(unit[-1]) + 1) // parts)
    label = pd.Series(unit // length, index=returns.index)
    found = {}
    for _, part in returns.groupby(label):
        first, last = (f"{day:{name}}" for day in (part.index[0], part.index[-1]))
        found[first if first == last else f"{first}-{last}" if name == "%Y" else f"{first} to {last}"] = _row(part)
    return _table(found, "part")


def by_regime(returns: pd.Series, panel: Panel) -> pd.DataFrame:
    """Return the Sharpe ratio by the state of the market: calm, middling or wild, and rising or falling.

    The market is all symbols of the panel in equal parts. Each session is put where the market stood at the close
    before: by the volatility of its last 63 sessions, in thirds of all sessions judged, and by whether it stood above
    its own 200-session mean. Sessions before both are known belong nowhere.

    Parameters
    ----------
    returns
        Net returns on dates of the panel.
    panel
        Prices that tell the market's state.

    Returns
    -------
    DataFrame
        One row a state: sharpe, low, high (per session, 95 %), n, first, last. A state of too few sessions is NaN.
    """
    _check(returns)
    market = panel.returns().mean(axis=1).fillna(0.0)
    level = (1.0 + market).cumprod()
    volatility = market.iloc[1:].rolling(VOLATILITY).std().shift(1).reindex(returns.index)
    above = (level / level.rolling(TREND).mean() - 1.0).shift(1).reindex(returns.index)
    low, high = volatility.quantile([1 / 3, 2 / 3])
    states = {
        "calm": volatility <= low,
        "middling": (volatility > low) & (volatility <= high),
        "wild": volatility > high,
        "rising": above > 0,
        "falling": above <= 0,
    }
    return _table({name: _row(returns[state]) for name, state in states.items()}, "regime")


def _row(part: pd.Series) -> dict[str, object]:
    sharpe = low = high = float("nan")
    if len(part) >= ENOUGH:
        moments = ReturnMoments.of(part)
        reach = REACH * float(np.sqrt(moments.stretch / (moments.n - 1)))
        sharpe, low, high = moments.sharpe, moments.sharpe - reach, moments.sharpe + reach
    ends = (part.index[0], part.index[-1]) if len(part) else (pd.NaT, pd.NaT)
    return {"sharpe": sharpe, "low": low, "high": high, "n": len(part), "first": ends[0], "last": ends[1]}


def _table(found: dict[str, dict[str, object]], name: str) -> pd.DataFrame:
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(name)


def _check(returns: pd.Series) -> None:
    if len(returns) == 0 or returns.isna().any():
        raise DataError(f"{len(returns)} returns, {int(returns.isna().sum())} unknown; give at least one and no NaN.")
