"""What a derived series is, and how each is computed from the adjusted bars of one instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from quantlib.indicators import rolling_volatility
from quantlib.metrics import drawdown
from quantlib.types import Panel


@dataclass(frozen=True)
class Derived:
    """A derived series: how it is computed, and what a reader should know.

    Parameters
    ----------
    name
        Key in `DERIVED`, and the `name` of every row.
    title
        Name for people.
    function
        Computes it from a panel of one symbol, adjusted for dividends and splits, in which every close is known.
        Each value uses that session and earlier ones only; NaN where there are too few of them.
    unit
        percent: a fraction, shown as percent; index: 100 on the first session.
    note
        How it is defined.
    """

    name: str
    title: str
    function: Callable[[Panel], pd.Series]
    unit: Literal["percent", "index"]
    note: str


def total_return_index(panel: Panel) -> pd.Series:
    """Return what 100 put in at the first close has become, dividends reinvested.

    Unlike the adjusted close itself, it does not change backwards with every new dividend.
    """
    close = _close(panel)
    index: pd.Series = close / close.iloc[0] * 100.0
    return index


def realised_volatility_21(panel: Panel) -> pd.Series:
    """Return the annualised volatility of the last 21 daily returns, as a fraction."""
    return rolling_volatility(panel.frame("close"), 21, panel.periods_per_year)[panel.symbols[0]]


def momentum_252(panel: Panel) -> pd.Series:
    """Return the total return over the last 252 sessions, as a fraction."""
    close = _close(panel)
    return close / close.shift(252) - 1.0


def drawdown_from_high(panel: Panel) -> pd.Series:
    """Return how far the adjusted close lies below its highest so far, as a fraction, zero or negative."""
    return drawdown(_close(panel).pct_change().fillna(0.0))  # the first session has no return yet


def _close(panel: Panel) -> pd.Series:
    return panel.frame("close")[panel.symbols[0]]
