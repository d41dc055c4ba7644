from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.ml import targets
from quantlib.types import Panel


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_label_is_the_direction_of_the_coming_sessions(small: Panel, horizon: int) -> None:
    table = targets(small, horizon=horizon)
    close = small.frame()["MSFT"]
    rows = table.xs("MSFT", level="symbol")
    for t in (0, 123, 499 - horizon):
        forward = close.iloc[t + horizon] / close.iloc[t] - 1
        assert rows["forward_return"].iloc[t] == pytest.approx(forward)
        assert rows["up"].iloc[t] == float(forward > 0)
        assert rows["label_end"].iloc[t] == small.index[t + horizon]
    assert rows.tail(horizon).isna().all(axis=None)
    assert rows.iloc[:-horizon].notna().all(axis=None)
    assert set(rows["up"].dropna()) == {0.0, 1.0}


def test_a_price_that_stands_still_is_not_up() -> None:
    close = pd.DataFrame({"A": [5.0, 5.0, 6.0]}, index=pd.bdate_range("2024-01-01", periods=3))
    assert targets(Panel.from_frames(close), horizon=1)["up"].tolist()[:2] == [0.0, 1.0]


def test_the_horizon_counts_the_symbols_own_sessions() -> None:
    days = pd.date_range("2024-01-04", "2024-01-10")  # Thursday to Wednesday
    close = pd.DataFrame({"COIN": np.arange(1.0, 8.0), "STOCK": np.arange(11.0, 18.0)}, index=days)
    close.loc[days.day_of_week >= 5, "STOCK"] = np.nan
    table = targets(Panel.from_frames(close), horizon=2)
    assert table.loc[("2024-01-05", "STOCK"), "label_end"] == pd.Timestamp("2024-01-09")
    assert table.loc[("2024-01-05", "COIN"), "label_end"] == pd.Timestamp("2024-01-07")
    assert table.loc[("2024-01-05", "STOCK"), "forward_return"] == pytest.approx(16 / 12 - 1)
    assert table.loc[("2024-01-06", "STOCK")].isna().all(axis=None)


def test_a_horizon_below_one_session_is_refused(small: Panel) -> None:
    with pytest.raises(DataError, match="horizon is 0; accepted"):
        targets(small, horizon=0)
