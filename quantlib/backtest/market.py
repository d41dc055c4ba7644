"""The market as the kernel sees it: prices and costs as bare arrays, made once and used by any number of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.costs import BPS, Costs, costs_of
from quantlib.errors import DataError, nearest
from quantlib.risk import Execution
from quantlib.types import FloatArray, Panel, as_date

#: Bars that the average traded amount looks back.
AMOUNT_BARS = 20


#: Planes of `Market.bars`; the last three are left out where they hold nothing.
PRICE, CLOSE, OPEN, HIGH, LOW, AMOUNT, SPLIT, DIVIDEND = range(8)

#: What is known of a symbol: row of its last session (-1 before the first row, T where there is none), and as fractions
#: the cost of a side without impact, of impact at full participation, of impact where the traded amount is unknown, and
#: of borrowing for a bar.
SYMBOL = np.dtype([("last", "i8"), ("side", "f8"), ("impact", "f8"), ("assumed", "f8"), ("borrow", "f8")], align=True)


class Market(NamedTuple):
    """Prices and costs of N symbols over T bars, each symbol's bars beside each other in memory.

    Parameters
    ----------
    bars
        By plane [K, N, T]: price of fills (the open or the close), close, open, high, low; average traded amount
        of the bars before; new shares for an old one, and cash a share. NaN where unknown.
    symbols
        Rows of `SYMBOL` [N].
    financing, interest
        Rates for a bar on cash below and above zero.
    limit
        How much better than the mark an entry must be, as a fraction; NaN without limit.
    at_close, whole
        Whether orders fill at the close, and in whole shares only.
    """

    bars: FloatArray
    symbols: NDArray[np.void]
    financing: float
    interest: float
    limit: float
    at_close: bool
    whole: bool


def prepare(
    panel: Panel,
    costs: Costs | Mapping[str, Costs] | None = None,
    execution: Execution | None = None,
    *,
    delisted: Mapping[str, date] | None = None,
) -> Market:
    """Return the market of a panel for `equity_of` and `equities_of`, to be made once for thousands of accounts.

    Parameters
    ----------
    costs
        One for all symbols, or by symbol; None takes the defaults, which are above zero.
    execution
        How orders fill, and the rates on cash.
    delisted
        Last session by symbol; who holds it then gets its close.

    Raises
    ------
    DataError
        The panel is empty, a symbol has no costs, a delisted one is not in the panel, or a split or dividend is not
        a number in range.
    """
    if len(panel) == 0:
        raise DataError("The panel has no sessions. Choose a span with data.")
    execution = execution or Execution()
    costs = Costs() if costs is None else costs
    at_close = execution.fill == "close"
    year = panel.periods_per_year
    return Market(
        bars=_planes(panel, at_close=at_close),
        symbols=_symbols(panel, costs, year, _last_rows(panel, delisted or {})),
        financing=execution.financing_bps_per_year * BPS / year,
        interest=execution.cash_bps_per_year * BPS / year,
        limit=np.nan if execution.limit_bps is None else execution.limit_bps * BPS,
        at_close=at_close,
        whole=execution.whole_shares,
    )


def _planes(panel: Panel, *, at_close: bool) -> FloatArray:
    actions = bool({"split", "dividend"} & set(panel.extra))
    volume = not np.isnan(panel.volume).all()
    bars = np.empty((8 if actions else 6 if volume else 5, len(panel.symbols), len(panel)))
    for plane, field in ((CLOSE, panel.close), (OPEN, panel.open), (HIGH, panel.high), (LOW, panel.low)):
        bars[plane] = field.T
    bars[PRICE] = bars[CLOSE] if at_close else np.where(np.isnan(bars[OPEN]), bars[CLOSE], bars[OPEN])
    if len(bars) > AMOUNT:
        bars[AMOUNT] = average_amount(panel.close, panel.volume).T
    if actions:
        bars[SPLIT] = _actions(panel, "split", none=1.0).T
        bars[DIVIDEND] = _actions(panel, "dividend", none=0.0).T
    return bars


def _symbols(panel: Panel, costs: Costs | Mapping[str, Costs], year: int, last: NDArray[np.int64]) -> NDArray[np.void]:
    each = [costs_of(symbol, costs) for symbol in panel.symbols]
    symbols = np.zeros(len(each), dtype=SYMBOL)
    symbols["last"] = last
    symbols["side"] = [one.per_side for one in each]
    symbols["impact"] = [one.impact_bps * BPS for one in each]
    symbols["assumed"] = [one.usual_side - one.per_side for one in each]
    symbols["borrow"] = [one.borrow_bps_per_year * BPS / year for one in each]
    return symbols


def average_amount(close: FloatArray, volume: FloatArray, bars: int = AMOUNT_BARS) -> FloatArray:
    """Return the mean of close x volume over the `bars` bars before each, NaN where none is known [T, N]."""
    if np.isnan(volume).all():
        return np.full(close.shape, np.nan)
    return pd.DataFrame(close * volume).rolling(bars, min_periods=1).mean().shift(1).to_numpy()


def _actions(panel: Panel, name: str, *, none: float) -> FloatArray:
    """Return splits or dividends [T, N], `none` throughout where the panel has none."""
    if name not in panel.extra:
        return np.full(panel.close.shape, none)
    values = panel.frame(name).to_numpy()
    wrong = ~(values > 0 if name == "split" else values >= 0) | np.isinf(values)
    if wrong.any():
        t, i = np.argwhere(wrong)[0]
        accepted = "above zero, 1 for none" if name == "split" else "zero or above, 0 for none"
        raise DataError(
            f"The {name} of {panel.symbols[i]} on {panel.index[t]:%Y-%m-%d} is {values[t, i]:g}; accepted: {accepted}."
        )
    return np.asarray(values, dtype=np.float64)


def check_delisted(delisted: Mapping[str, date], panel: Panel) -> None:
    """Raise a DataError where a delisted symbol is not in the panel."""
    for symbol in delisted:
        if symbol not in panel.symbols:
            raise DataError(f"{symbol!r} is delisted but not in the panel. {nearest(symbol, panel.symbols)}")


def _last_rows(panel: Panel, delisted: Mapping[str, date]) -> NDArray[np.int64]:
    rows = np.full(len(panel.symbols), len(panel), dtype=np.int64)
    check_delisted(delisted, panel)
    for symbol, day in delisted.items():
        stamp = as_date(day)
        if stamp <= panel.index[-1]:
            rows[panel.symbols.index(symbol)] = int(panel.index.searchsorted(stamp, side="right")) - 1
    return rows
