from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError

# Three drawdowns: of 10 % over one session, of 50 % over four, and an open one of 20 %.
WEALTH = [1.0, 0.9, 1.1, 1.2, 0.9, 0.6, 0.6, 1.1, 1.2, 1.25, 1.0, 1.1]
DATES = pd.bdate_range("2024-01-02", periods=len(WEALTH))
RETURNS = pd.Series(np.diff(WEALTH, prepend=1.0) / np.array([1.0, *WEALTH[:-1]]), index=DATES)


def test_the_table_of_drawdowns_by_hand():
    expected = pd.DataFrame(
        {
            "start": DATES[[4, 10, 1]],
            "trough": DATES[[5, 10, 1]],
            "end": [DATES[8], pd.NaT, DATES[2]],
            "depth": [-0.5, -0.2, -0.1],
            "sessions": [4, 2, 1],
            "falling": [2, 1, 1],
            "rising": [2, 1, 0],
        },
        index=pd.RangeIndex(1, 4, name="rank"),
    )
    table = metrics.drawdown_table(RETURNS)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-12, check_freq=False)
    pd.testing.assert_frame_equal(metrics.drawdown_table(RETURNS, top=2), table.head(2))


def test_the_numbers_under_water_by_hand():
    assert metrics.longest_drawdown(RETURNS) == 4
    assert metrics.time_under_water(RETURNS) == pytest.approx(7 / 12, rel=1e-12)
    depths = [0.1, 0.25, 0.5, 0.5, 1 / 12, 0.2, 0.12]
    assert metrics.ulcer_index(RETURNS) == pytest.approx((np.square(depths).sum() / 12) ** 0.5, rel=1e-12)
    long = pd.Series([*RETURNS, *[0.0] * 20])
    assert metrics.recovery_factor(long) == pytest.approx(0.1 / 0.5, rel=1e-12)


def test_the_table_tells_what_the_single_numbers_do(daily):
    table = metrics.drawdown_table(daily, top=10_000)
    assert table["depth"].iloc[0] == metrics.max_drawdown(daily)
    assert table["sessions"].max() == metrics.longest_drawdown(daily)
    assert table["sessions"].sum() / len(daily) == pytest.approx(metrics.time_under_water(daily), rel=1e-12)
    assert (table["falling"] + table["rising"] == table["sessions"]).all()
    assert table["depth"].is_monotonic_increasing
    assert table["end"].isna().sum() <= 1
    depth = metrics.drawdown(daily)
    for row in table.itertuples():
        stop = daily.index[-1] if pd.isna(row.end) else row.end
        assert depth[row.start : stop].min() == row.depth == depth[row.trough]
        assert pd.isna(row.end) or depth[row.end] >= -1e-12


def test_a_price_regained_but_for_rounding_is_regained():
    price = np.array([1.0, 0.9, 1.0, 1.1])
    returns = pd.Series([-0.1, 1 / 0.9 - 1 - 1e-16, 0.1], index=pd.bdate_range("2024-01-02", periods=3))
    assert np.cumprod(1 + returns.to_numpy())[1] == pytest.approx(price[2], abs=1e-15)
    assert metrics.drawdown_table(returns)["end"].iloc[0] == returns.index[1]


def test_a_loss_in_the_first_session_starts_there():
    returns = pd.Series([-0.1, 0.05], index=pd.bdate_range("2024-01-02", periods=2))
    row = metrics.drawdown_table(returns).iloc[0]
    assert row["start"] == returns.index[0]
    assert pd.isna(row["end"])


def test_without_a_loss_the_table_is_empty_and_keeps_its_form():
    returns = pd.Series([0.01, 0.0], index=pd.bdate_range("2024-01-02", periods=2))
    empty = metrics.drawdown_table(returns)
    assert empty.empty
    assert empty.dtypes.equals(metrics.drawdown_table(RETURNS).dtypes)
    assert metrics.longest_drawdown(returns) == metrics.time_under_water(returns) == metrics.ulcer_index(returns) == 0.0
    assert np.isnan(metrics.recovery_factor(pd.Series([0.01] * 30)))


def test_ruin_is_never_regained():
    returns = pd.Series([0.1, -1.0, 0.0, 0.0], index=pd.bdate_range("2024-01-02", periods=4))
    row = metrics.drawdown_table(returns).iloc[0]
    assert (row["depth"], row["sessions"], row["end"]) == (-1.0, 3, pd.NaT)


@pytest.mark.parametrize("top", [0, -1, 2.5])
def test_top_is_checked(top):
    with pytest.raises(DataError, match="top is"):
        metrics.drawdown_table(RETURNS, top)


@pytest.mark.parametrize(
    ("index", "message"), [(range(12), "accepted: dates"), (DATES[::-1], "ascending"), (DATES[[0] * 12], "twice")]
)
def test_an_index_that_is_not_of_dates_in_order_is_refused(index, message):
    with pytest.raises(DataError, match=message):
        metrics.drawdown_table(pd.Series(RETURNS.to_numpy(), index=index))
