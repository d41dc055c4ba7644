"""Features a model may learn from: what each symbol's own closes say at each close."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.indicators import rolling_volatility, rsi, zscore
from quantlib.types import Panel

LAGS = (1, 2, 5, 10, 21, 63)
FEATURES: dict[str, str] = {
    **{f"return_{n}": f"Return over the last {n} session{'s' * (n > 1)}" for n in LAGS},
    "volatility_21": "Volatility of a session, over the last 21",
    "zscore_50": "Close against its 50-session mean, in standard deviations",
    "rsi_14": "Relative strength index over 14 sessions",
    "from_high_252": "Distance from the highest close of 252 sessions",
    "days_to_month_end": "Calendar days left in the month",
}
WARMUP = 251


def features(panel: Panel) -> pd.DataFrame:
    """Return the feature table, one row a (ts, symbol) and one column a name of `FEATURES`.

    A row uses closes up to and including its own, counted in the symbol's own sessions, so a calendar shared with
    other symbols changes nothing. Unknown, as in the first 251 sessions of a symbol, is NaN. Returns,
    distances and volatility (of one session, so that it needs no calendar) are fractions, RSI is 0 to 100.

    Examples
    --------
    >>> features(panel).xs("KO", level="symbol")["rsi_14"].plot()  # doctest: +SKIP
    """

    def columns(close: pd.DataFrame) -> dict[str, pd.DataFrame]:
        dates = pd.DatetimeIndex(close.index)
        left = (dates.days_in_month - dates.day).to_numpy(dtype=np.float64)
        return {
            **{f"return_{n}": close / close.shift(n) - 1.0 for n in LAGS},
            "volatility_21": rolling_volatility(close, 21, periods_per_year=1),
            "zscore_50": zscore(close, 50),
            "rsi_14": rsi(close, 14),
            "from_high_252": close / close.rolling(WARMUP + 1).max() - 1.0,
            "days_to_month_end": pd.DataFrame(
                np.repeat(left[:, None], close.shape[1], axis=1), index=close.index, columns=close.columns
            ),
        }

    return long_table(panel, columns)


def long_table(panel: Panel, columns: Callable[[pd.DataFrame], dict[str, pd.DataFrame]]) -> pd.DataFrame:
    """Return a table indexed (ts, symbol) of what `columns` makes of closes, on each symbol's own sessions.

    Parameters
    ----------
    panel
        The panel; every (ts, symbol) of it is a row of the table.
    columns
        Closes without gaps [time x symbol] in, frames of the same shape out, by column name. Called once for each
        set of symbols that share their sessions.

    Raises
    ------
    DataError
        The panel has no symbols.
    """
    if not panel.symbols:
        raise DataError("A feature table needs a panel with at least one symbol; this one has none.")
    close = panel.frame()
    known = close.notna()
    shared: dict[bytes, list[str]] = {}
    for symbol in panel.symbols:
        shared.setdefault(known[symbol].to_numpy().tobytes(), []).append(symbol)
    parts = [columns(close.loc[known[symbols[0]], symbols]) for symbols in shared.values()]
    index = pd.MultiIndex.from_product([panel.index, panel.symbols], names=["ts", "symbol"])
    table = {
        name: pd.concat([part[name].reindex(panel.index) for part in parts], axis=1)[list(panel.symbols)]
        .to_numpy()
        .ravel()
        for name in parts[0]
    }
    return pd.DataFrame(table, index=index)
