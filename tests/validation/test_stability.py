"""Sharpe ratios by part of the record, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, norm, skew

from quantlib.errors import DataError
from quantlib.types import Panel
from quantlib.validation import by_regime, by_subperiod


def random(days: pd.DatetimeIndex, seed: int = 0) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).normal(0.0005, 0.01, len(days)), index=days)


def test_subperiods_are_runs_of_whole_years() -> None:
    returns = random(pd.bdate_range("2001-06-01", "2020-03-31"))
    parts = by_subperiod(returns)
    names = ["2001-2003", "2004-2006", "2007-2009", "2010-2012", "2013-2015", "2016-2018", "2019-2020"]
    assert list(parts.index) == names
    assert parts["n"].sum() == len(returns)
    one = returns.loc["2004-01-01":"2006-12-31"]
    row = parts.loc["2004-2006"]
    assert row["sharpe"] == pytest.approx(one.mean() / one.std())
    assert (row["first"], row["last"], row["n"]) == (one.index[0], one.index[-1], len(one))
    # Mertens' error of a Sharpe ratio, from scipy's moments.
    ratio = row["sharpe"]
    shape = 1 - skew(one, bias=False) * ratio + (kurtosis(one, bias=False) + 2) / 4 * ratio**2
    error = np.sqrt(shape / (len(one) - 1))
    assert row["high"] - ratio == pytest.approx(norm.ppf(0.975) * error, rel=1e-6)
    assert ratio - row["low"] == pytest.approx(norm.ppf(0.975) * error, rel=1e-6)


def test_a_short_record_is_cut_into_quarters_and_a_part_of_few_days_is_unknown() -> None:
    returns = random(pd.bdate_range("2020-02-20", "2021-08-31"))
    parts = by_subperiod(returns)
    assert list(parts["n"].cumsum())[-1] == len(returns)
    assert len(parts) == 7
    assert parts["first"].iloc[1] == pd.Timestamp("2020-04-01")
    assert np.isnan(parts["sharpe"].iloc[0])  # 28 days of the first quarter
    assert parts["sharpe"].iloc[1:].notna().all()


def market() -> Panel:
    """Return one price that is calm and rises, is middling and rises, and is wild and falls, 500 sessions each."""
    rng = np.random.default_rng(1)
    moves = np.concatenate(
        [rng.normal(mean, spread, 500) for mean, spread in ((2e-3, 2e-3), (2e-3, 7e-3), (-3e-3, 0.02))]
    )
    days = pd.bdate_range("2010-01-01", periods=1500)
    return Panel.from_frames(pd.DataFrame({"A": 100 * np.exp(moves.cumsum())}, index=days))


def test_regimes_are_known_at_the_close_before() -> None:
    panel = market()
    returns = random(panel.index, 3)
    found = by_regime(returns, panel)
    close = panel.frame()["A"]
    moves = close.pct_change()
    n = dict.fromkeys(found.index, 0)
    kept: dict[str, list[float]] = {name: [] for name in found.index}
    spreads = [np.nan] * 64 + [moves.iloc[t - 63 : t].std() for t in range(64, 1500)]  # 63 moves up to the day before
    low, high = np.nanquantile(spreads, [1 / 3, 2 / 3])
    for t in range(1500):
        states = []
        if t >= 64:
            states.append("calm" if spreads[t] <= low else "middling" if spreads[t] <= high else "wild")
        if t >= 200:
            states.append("rising" if close.iloc[t - 1] > close.iloc[t - 200 : t].mean() else "falling")
        for name in states:
            n[name] += 1
            kept[name].append(returns.iloc[t])
    assert found["n"].to_dict() == n
    for name, own in kept.items():
        assert found.loc[name, "sharpe"] == pytest.approx(np.mean(own) / np.std(own, ddof=1))


def test_an_edge_of_one_regime_shows_there_alone() -> None:
    panel = market()
    returns = random(panel.index, 4) - 0.0005
    returns.iloc[1100:] += 0.004
    found = by_regime(returns, panel)
    assert found.loc["wild", "low"] > 0
    assert found.loc["falling", "low"] > 0
    assert found.loc["calm", "low"] < 0 < found.loc["calm", "high"]


def test_a_state_that_never_was_is_unknown() -> None:
    days = pd.bdate_range("2020-01-01", periods=400)
    rising = Panel.from_frames(pd.DataFrame({"A": np.linspace(100, 200, 400)}, index=days))
    found = by_regime(random(days), rising)
    assert found.loc["falling", "n"] == 0
    assert np.isnan(found.loc["falling", "sharpe"])
    with pytest.raises(DataError, match="1 unknown"):
        by_subperiod(random(days).where(np.arange(400) != 5))
