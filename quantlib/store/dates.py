"""The dates on which there are bars, without the bars."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from quantlib.store.database import Store

# As day numbers: a list of them crosses the wire several times faster than rows do.
_DATES = """
SELECT symbol, source, array_agg(ts - DATE '1970-01-01' ORDER BY ts) AS days FROM market_data.bars
WHERE $1::text[] IS NULL OR symbol = ANY ($1::text[])
GROUP BY symbol, source
"""


def stored_dates(
    store: Store, *, symbols: Iterable[str] | None = None
) -> dict[tuple[str, str], NDArray[np.datetime64]]:
    """Return the dates of the stored bars by symbol and source, ascending, as numpy days.

    Parameters
    ----------
    store
        Where from.
    symbols
        Which; all if None.
    """
    with store.bulk() as cursor:
        cursor.execute(_DATES, [None if symbols is None else [str(symbol) for symbol in symbols]])
        table = cursor.fetch_arrow_table()
    days = table["days"].combine_chunks()
    values = days.values.to_numpy(zero_copy_only=False).astype("datetime64[D]")
    ends = days.offsets.to_numpy()
    keys = zip(table["symbol"].to_pylist(), table["source"].to_pylist(), strict=True)
    return {key: values[start:end] for key, start, end in zip(keys, ends[:-1], ends[1:], strict=True)}
