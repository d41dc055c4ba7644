"""Features: the right numbers, from the past alone, on each symbol's own sessions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib

from quantlib.errors import DataError
from quantlib.ml import FEATURES, features
from quantlib.ml.features import WARMUP
from quantlib.types import Panel


def columns_that_see_the_future(table_of: Callable[[Panel], pd.DataFrame], panel: Panel) -> set[str]:
    """Return the columns whose last rows change when the panel ends there."""
    whole = table_of(panel)
    found: set[str] = set()
    for t in panel.index[[300, 341, 380, 420, 460, 498]]:
        then = table_of(panel.until(t)).loc[t]
        now = whole.loc[t]
        same = np.isclose(then, now, rtol=1e-7, atol=1e-9, equal_nan=True).all(axis=0)
        found |= set(whole.columns[~same])
    return found


def test_no_feature_sees_the_future(small: Panel) -> None:
    assert columns_that_see_the_future(features, small) == set()


def test_a_planted_one_bar_leak_is_caught(small: Panel) -> None:
    def leaky(panel: Panel) -> pd.DataFrame:
        table = features(panel)
        wide = panel.frame()
        table["tomorrow"] = (wide.shift(-1) / wide - 1).to_numpy().ravel()
        table["centred"] = wide.rolling(3, center=True).mean().to_numpy().ravel()
        return table

    assert columns_that_see_the_future(leaky, small) == {"tomorrow", "centred"}


def test_each_number_is_what_its_name_says(small: Panel) -> None:
    table = features(small)
    assert list(table.columns) == list(FEATURES)
    assert table.index.names == ["ts", "symbol"]
    assert len(table) == len(small) * 3
    close = small.frame()["PEP"].to_numpy()
    t = 400
    row = table.loc[(small.index[t], "PEP")]
    for n in (1, 2, 5, 10, 21, 63):
        assert row[f"return_{n}"] == pytest.approx(close[t] / close[t - n] - 1)
    assert row["volatility_21"] == pytest.approx(np.std(close[380:401] / close[379:400] - 1, ddof=1))
    last_50 = close[t - 49 : t + 1]
    deviations = (close[t] - last_50.mean()) / np.std(last_50)
    assert row["zscore_50"] == pytest.approx(deviations, rel=0.02)  # whichever divisor the deviation has
    assert row["rsi_14"] == pytest.approx(talib.RSI(close, 14)[t])
    assert row["from_high_252"] == pytest.approx(close[t] / close[t - 251 : t + 1].max() - 1)


def test_days_to_month_end_come_from_the_calendar_not_from_the_rows(small: Panel) -> None:
    days = features(small).xs("KO", level="symbol")["days_to_month_end"]
    for t, left in days.iloc[[10, 200, 499]].items():
        assert left == (t + pd.offsets.MonthEnd(0) - t).days


def test_unknown_until_every_window_is_full(small: Panel) -> None:
    known = features(small).notna().all(axis=1).to_numpy().reshape(-1, 3)
    assert not known[:WARMUP].any()
    assert known[WARMUP:].all()


def test_another_symbols_calendar_changes_nothing(small: Panel) -> None:
    alone = features(small).xs("KO", level="symbol")
    days = pd.date_range(small.index[0], small.index[-1])
    rng = np.random.default_rng(1)
    mixed = small.frame()[["KO"]].reindex(days)
    mixed["COIN"] = 100 * np.exp(0.03 * rng.standard_normal(len(days)).cumsum())
    mixed["DEAD"] = np.nan
    table = features(Panel.from_frames(mixed))
    beside = table.xs("KO", level="symbol")
    pd.testing.assert_frame_equal(beside.loc[alone.index], alone, check_freq=False)
    assert beside.drop(alone.index).isna().all(axis=None)
    coin = table.xs("COIN", level="symbol")["return_1"]
    np.testing.assert_allclose(coin, mixed["COIN"].pct_change())
    assert table.xs("DEAD", level="symbol").isna().all(axis=None)


def test_a_panel_without_symbols_is_refused(small: Panel) -> None:
    with pytest.raises(DataError, match="at least one symbol"):
        features(small.select([]))
