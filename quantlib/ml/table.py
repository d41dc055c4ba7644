"""The long table everything here is kept in: one row a (ts, symbol), each symbol on its own sessions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.types import Panel

Columns = Callable[[pd.DataFrame], dict[str, pd.DataFrame]]


def rows_of(panel: Panel) -> pd.MultiIndex:
    """Return the index (ts, symbol) of a panel's long table, every symbol of a session together."""
    return pd.MultiIndex.from_product([panel.index, panel.symbols], names=["ts", "symbol"])


def long_table(panel: Panel, columns: Columns) -> pd.DataFrame:
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
    table = {
        name: pd.concat([part[name].reindex(panel.index) for part in parts], axis=1)[list(panel.symbols)]
        .to_numpy()
        .ravel()
        for name in parts[0]
    }
    return pd.DataFrame(table, index=rows_of(panel))


def wide_table(panel: Panel, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return frames on the panel's own rows and symbols [time x symbol] as a table indexed (ts, symbol)."""
    return pd.DataFrame(
        {name: np.asarray(frame, dtype=np.float64).ravel() for name, frame in frames.items()}, index=rows_of(panel)
    )
