"""Daily bars as delivered: long, of every source, neither adjusted nor chosen from, for those who judge them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from quantlib.store.database import Store
from quantlib.types import BAR_COLUMNS

# The driver reads bulk results by COPY, half as fast again, but only where a statement has no parameters; so the
# values go into settings of the transaction first.
_ASK = "SELECT set_config('delivered.symbols', $1::text[]::text, true), set_config('delivered.source', $2, true)"
_READ = "SELECT symbol, ts, open, high, low, close, volume, adj_close, source FROM market_data.bars"
# A list compared by ANY would be read from its setting again for every row.
_OF_SYMBOLS = "symbol IN (SELECT unnest(current_setting('delivered.symbols')::text[]))"
_OF_SOURCE = "source = current_setting('delivered.source')"


def read_bars(store: Store, *, symbols: Iterable[str] | None = None, source: str | None = None) -> pd.DataFrame:
    """Return stored bars as they were delivered, in no order; `read_panel` is for those who compute with them.

    Parameters
    ----------
    store
        Where from.
    symbols, source
        Which; all of them where None.

    Returns
    -------
    DataFrame
        Columns `quantlib.types.BAR_COLUMNS`; NaN where a value is unknown. Empty where nothing is stored of that.
    """
    wanted = None if symbols is None else list(symbols)
    asked = [part for part, of in ((_OF_SYMBOLS, wanted), (_OF_SOURCE, source)) if of is not None]
    with store.bulk() as cursor:
        cursor.execute(_ASK, [wanted or [], source or ""])
        cursor.fetchall()
        cursor.execute(f"{_READ} WHERE {' AND '.join(asked)}" if asked else _READ)
        frame: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    return frame.astype({"symbol": "str", "source": "str", "ts": "datetime64[us]"})[list(BAR_COLUMNS)]


def vendor_adjusted(store: Store, source: str) -> set[str]:
    """Return the symbols of a source with bars that carry an adjusted close of the vendor's."""
    query = "SELECT DISTINCT symbol FROM market_data.bars WHERE source = $1 AND adj_close IS NOT NULL"
    with store.bulk() as cursor:
        cursor.execute(query, [source])
        return {row[0] for row in cursor.fetchall()}
