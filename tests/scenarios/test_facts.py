"""The facts of historical scenarios, compared with the closes of their windows."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skfolio.datasets import load_sp500_index

from quantlib.scenarios import Scenario, read_scenarios

HISTORICAL = {
    key: one
    for key, one in read_scenarios(Path(__file__).resolve().parents[2] / "data" / "scenarios").items()
    if one.kind == "historical"
}


@cache
def sp500() -> pd.Series:
    return load_sp500_index().iloc[:, 0]


def window(series: pd.Series, one: Scenario) -> pd.Series:
    """Return the values from the window's start to its end; a series without a value on its last days ends earlier."""
    return series.dropna().loc[str(one.window.start) : str(one.window.end)]


def shock(one: Scenario, factor: str, unit: str) -> float | None:
    found = [getattr(s, unit) for s in one.shocks if s.factor == factor]
    return found[0] if found else None


@pytest.mark.parametrize("key", [key for key in HISTORICAL if key != "crash-1987"])
def test_the_index_moved_as_the_scenario_says(key):
    one = HISTORICAL[key]
    closes = window(sp500(), one)
    assert closes.index[0] == pd.Timestamp(one.window.start)
    assert closes.index[-1] == pd.Timestamp(one.window.end)
    assert len(closes) - 1 == one.sessions
    assert shock(one, "equities", "change") == pytest.approx(closes.iloc[-1] / closes.iloc[0] - 1, abs=1e-3)
    if not isinstance(one.path, str):
        moved = np.log(closes / closes.iloc[0]).to_numpy()[1:]
        assert one.shares() == pytest.approx(moved / moved[-1], abs=1e-3)


def test_black_monday_follows_the_closes_its_source_names():
    one = HISTORICAL["crash-1987"]
    closes = np.array([float(text) for text in re.findall(r"\d{3}\.\d\d", one.source)])
    assert len(closes) - 1 == one.sessions
    assert closes[-1] / closes[-2] - 1 == pytest.approx(-0.2047, abs=1e-4)  # the day everybody knows
    assert shock(one, "equities", "change") == pytest.approx(closes[-1] / closes[0] - 1, abs=1e-3)
    moved = np.log(closes[1:] / closes[0])
    assert one.shares() == pytest.approx(moved / moved[-1], abs=1e-3)


def compared(series: pd.Series, factor: str, unit: str, names: list[str], tolerance: float) -> None:
    ratio = series.dropna()
    for key in names:
        one = HISTORICAL[key]
        values = window(ratio, one)
        expected = values.iloc[-1] / values.iloc[0] - (unit == "change")
        assert shock(one, factor, unit) == pytest.approx(expected, abs=tolerance), key


def shocked(factor: str, first: str, last: str) -> list[str]:
    return [
        key
        for key, one in HISTORICAL.items()
        if any(s.factor == factor for s in one.shocks)
        and first <= str(one.window.start)
        and str(one.window.end) <= last
    ]


def test_nasdaq_oil_and_volatility_moved_as_the_scenarios_say():
    from arch.data import nasdaq, vix, wti

    technology = shocked("technology", "1999", "2018-12-31")
    assert len(technology) == 3
    compared(nasdaq.load()["Close"], "technology", "change", technology, 1e-3)
    oil = shocked("oil", "1986", "2019-03")
    assert len(oil) >= 9
    compared(wti.load().iloc[:, 0], "oil", "change", oil, 2e-3)
    volatility = shocked("volatility", "2014", "2019-02")
    assert len(volatility) == 4
    compared(vix.load().iloc[:, 0], "volatility", "times", volatility, 0.01)


@pytest.mark.replay
def test_later_and_earlier_years_moved_so_too(replay):
    oil = pd.read_csv(replay / "macro" / "wti_daily_eia.csv", index_col=0, parse_dates=True).iloc[:, 0]
    compared(oil, "oil", "change", shocked("oil", "1986", "2023"), 2e-3)
    cboe = pd.read_csv(replay / "macro" / "vix_daily_cboe.csv", index_col=0, parse_dates=True)
    compared(cboe["CLOSE"], "volatility", "times", shocked("volatility", "1990", "2023"), 0.01)
    prices = pd.read_parquet(replay / "prices" / "crypto_daily_2014_20220214.parquet")
    bitcoin = prices[prices["symbol"] == "BTC-USD"].set_index("date")["close"]
    compared(bitcoin, "crypto", "change", ["covid-2020"], 1e-3)


@pytest.mark.replay
def test_yields_moved_about_as_their_monthly_averages_did(replay):
    monthly = pd.read_csv(replay / "macro" / "us10y_monthly.csv", index_col=0).iloc[:, 0]
    monthly.index = pd.PeriodIndex(monthly.index, freq="M")
    compared_with = 0
    for key, one in HISTORICAL.items():
        said = shock(one, "rates_10y", "bps")
        first, last = pd.Period(one.window.start, "M"), pd.Period(one.window.end, "M")
        if said is None or first == last:
            continue
        # A day may differ from its month's average, by more than half a point only in a panic.
        assert said == pytest.approx(100 * (monthly[last] - monthly[first]), abs=50), key
        compared_with += 1
    assert compared_with >= 7
