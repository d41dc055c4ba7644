from __future__ import annotations

import pandas as pd
import pytest

from quantlib.types import Panel


@pytest.fixture(scope="session")
def daily(stocks: Panel) -> pd.Series:
    """Return daily returns of a real stock over four years that include the fall of March 2020."""
    return stocks.window("2018-12-31", "2022-12-28").returns()["KO"].iloc[1:]
