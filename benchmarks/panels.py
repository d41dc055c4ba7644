"""Loading a panel from the embedded database against pandas over SQLAlchemy."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.race import Race, best_times, must_agree
from quantlib.store import Store, check_bars, embedded, read_panel, write_bars

SYMBOLS, DAYS = 100, 5_000
QUERY = "SELECT symbol, ts, close FROM market_data.bars"


def bars() -> pd.DataFrame:
    """Return daily bars of made-up prices: random walks with an open, a high, a low and a volume."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (DAYS, SYMBOLS)), axis=0))
    dates = pd.bdate_range("2000-01-03", periods=DAYS)
    frame = pd.DataFrame(
        {
            "symbol": np.repeat([f"S{i:03}" for i in range(SYMBOLS)], DAYS),
            "ts": np.tile(dates, SYMBOLS),
            "open": (close * 0.999).T.ravel(),
            "high": (close * 1.01).T.ravel(),
            "low": (close * 0.99).T.ravel(),
            "close": close.T.ravel(),
            "volume": 1e6,
            "adj_close": close.T.ravel(),
            "source": "made-up",
        }
    )
    return check_bars(frame)[0]


def races() -> list[Race]:
    """Return the race over a database of its own in a temporary folder, stopped and removed afterwards."""
    names = [f"S{i:03}" for i in range(SYMBOLS)]
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        home = Path(folder).resolve()
        try:
            with Store.connect(None, home) as store:
                write_bars(store, bars())

                def by_pandas() -> pd.DataFrame:
                    long = pd.read_sql(QUERY, store.engine)
                    return long.pivot(index="ts", columns="symbol", values="close")  # noqa: PD010  the faster way

                must_agree("sum of closes", read_panel(store, names).close.sum(), by_pandas().to_numpy().sum(), 1e-12)
                seconds = best_times(
                    {
                        "read_panel, all six fields": lambda: read_panel(store, names),
                        "pandas.read_sql and pivot, closes only": by_pandas,
                    },
                    rounds=4,
                )
        finally:
            embedded.stop(home)
    return [
        Race(
            f"Panel from the embedded database: {SYMBOLS} symbols x {DAYS:,} days",
            seconds,
            SYMBOLS * DAYS / 1e6,
            "million bars",
            "Ours reads open, high, low, close, volume and adjusted close, and adjusts; the peer reads closes.",
        )
    ]
