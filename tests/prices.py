"""Made-up daily prices for tests that only need some."""

from __future__ import annotations

import numpy as np
import pandas as pd


def prices(seed: int, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Return whole daily bars, the same for the same seed."""
    close = 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, len(days))))
    columns = {"ts": days, "open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e6}
    return pd.DataFrame(columns | {"adj_close": close})
