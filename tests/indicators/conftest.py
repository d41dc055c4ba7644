from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.types import PRICE_FIELDS, Panel


@pytest.fixture(scope="session")
def index_bars(ohlcv: Panel) -> Panel:
    """Return 300 sessions of a real index with open, high, low, close and volume."""
    return ohlcv.window("2008-06-02", "2009-12-31").tail(300)


@pytest.fixture(scope="session")
def gappy(index_bars: Panel) -> Panel:
    """Return the index beside two copies: one listed later, one with unknown bars here and there."""
    rows = len(index_bars)
    frames = {}
    for name in PRICE_FIELDS:
        whole = index_bars.frame(name).iloc[:, 0]
        later, holes = whole.copy(), whole.copy()
        later.iloc[:60] = np.nan
        holes.iloc[[5, 100, 101, 180, rows - 1]] = np.nan
        frames[name] = pd.DataFrame({"WHOLE": whole, "LATER": later, "HOLES": holes})
    return Panel.from_frames(
        frames["close"],
        open=frames["open"],
        high=frames["high"],
        low=frames["low"],
        volume=frames["volume"],
    )
