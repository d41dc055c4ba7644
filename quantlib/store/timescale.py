"""Weekly and monthly bars, computed in the database from the daily ones."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.store.database import Store
from quantlib.store.migrations.bar_views import PERIODS, select_bars_by
from quantlib.types import DateLike, as_date, check_span

# Not read from the views: where they are continuous aggregates, a restated past shows there up to an hour later.
_WHERE = "symbol = ANY ($1::text[]) AND ($2::text IS NULL OR source = $2) AND ts BETWEEN $3::date AND $4::date"


def read_bars_by(
    store: Store,
    symbols: str | Sequence[str],
    by: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    source: str | None = None,
) -> pd.DataFrame:
    """Return weekly or monthly bars: what `market_data.weekly_bars` and `monthly_bars` hold, always up to date.

    Parameters
    ----------
    store
        Where from.
    symbols
        Names wanted.
    by
        `week`, from Monday, or `month`.
    start, end
        First and last session used, both included; a period they cut holds only the sessions inside.
    source
        One source's bars; those of all sources, a row for each, if None.

    Returns
    -------
    DataFrame
        `symbol`, `source`, `ts` (first day of the period), first `open`, highest `high`, lowest `low`, last
        `close`, sum of `volume`, last `adj_close`, number of `sessions`; sorted by the first three. A value that
        one of the sessions it is taken from does not have is NaN. Prices are as delivered, not adjusted.

    Raises
    ------
    DataError
        The period is neither, the end is before the start, or a symbol has no bars at all.

    Examples
    --------
    >>> read_bars_by(store, ["KO", "PEP"], by="week", start="2020-01-01")  # doctest: +SKIP
    """
    if by not in PERIODS:
        raise DataError(f"Bars by {by!r} are not offered. {nearest(by, PERIODS)}")
    wanted = [symbols] if isinstance(symbols, str) else list(symbols)
    first, last = check_span(start, end)
    low = first if first is not None else as_date("0001-01-01")
    high = last if last is not None else as_date("9999-12-31")
    with store.bulk() as cursor:
        cursor.execute(
            f"{select_bars_by(by, _WHERE)} ORDER BY 1, 2, 3",
            [wanted, source, low.date(), high.date()],
        )
        frame: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
        if absent := set(wanted).difference(frame["symbol"]):
            cursor.execute("SELECT DISTINCT symbol FROM market_data.bars")
            stored = [row[0] for row in cursor.fetchall()]
            if unknown := sorted(absent.difference(stored)):
                raise DataError(f"No bars of {unknown[0]!r} are stored. {nearest(unknown[0], stored)}")
    return frame.astype({"symbol": "str", "source": "str", "ts": "datetime64[us]"})
