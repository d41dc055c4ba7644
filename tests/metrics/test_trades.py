from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.metrics import METRICS, trade_summary

KEYS = [key for key, metric in METRICS.items() if metric.made_from == "trades"]


def trades(returns, base=1000.0) -> pd.DataFrame:
    """Return trades one after the other with these returns, and one that is open."""
    left = pd.bdate_range("2024-01-02", periods=len(returns))
    base = np.broadcast_to(base, len(returns))
    closed = pd.DataFrame({"left": left, "return": returns, "pnl": np.asarray(returns, dtype=float) * base})
    still = pd.DataFrame({"left": [pd.NaT], "return": [9.0], "pnl": [9e9]}).astype({"left": left.dtype})
    return pd.concat([still, closed.iloc[::-1]], ignore_index=True)


def test_by_hand():
    # Gains of 4 % and 2 %, losses of 1 % and 1 %, one nothing; ten times.
    table = trades([0.04, -0.01, 0.0, 0.02, -0.01] * 10)
    assert metrics.trade_hit_rate(table) == 0.5
    assert metrics.payoff_ratio(table) == pytest.approx(3.0, rel=1e-12)
    assert metrics.profit_factor(table) == pytest.approx(3.0, rel=1e-12)
    assert metrics.expectancy(table) == pytest.approx(0.04 / 5, rel=1e-12)


def test_profit_factor_is_of_money_and_the_others_of_returns():
    table = trades([0.02, -0.01] * 20, base=[1000.0, 4000.0] * 20)
    assert metrics.profit_factor(table) == pytest.approx(0.5, rel=1e-12)
    assert metrics.payoff_ratio(table) == pytest.approx(2.0, rel=1e-12)


def test_how_they_hang_together():
    rng = np.random.default_rng(1)
    table = trades(rng.normal(0.002, 0.02, 300))
    hit, payoff = metrics.trade_hit_rate(table), metrics.payoff_ratio(table)
    assert metrics.profit_factor(table) == pytest.approx(payoff * hit / (1 - hit), rel=1e-9)
    loss = -table["return"][table["return"] < 0].mean()
    assert metrics.expectancy(table) == pytest.approx(loss * (payoff * hit - (1 - hit)), rel=1e-9)


def test_without_a_loss_there_is_nothing_to_divide_by():
    table = trades([0.01] * 30)
    assert np.isnan(metrics.payoff_ratio(table))
    assert np.isnan(metrics.profit_factor(table))
    assert metrics.trade_hit_rate(table) == 1.0
    assert np.isnan(metrics.trade_hit_rate(trades([0.0] * 30)))


@pytest.mark.parametrize("key", KEYS)
def test_bad_tables_are_refused(key):
    function, table = METRICS[key].function, trades([0.01, -0.01] * 20)
    with pytest.raises(DataError, match="no column 'pnl'"):
        function(table.drop(columns="pnl"))
    with pytest.raises(DataError, match="None of the 1 trades is closed"):
        function(table.iloc[:1])
    with pytest.raises(DataError, match="1 results of 40 closed trades are not known"):
        function(table.assign(**{"return": table["return"].where(table.index != 5)}))


@pytest.mark.parametrize("key", [key for key in KEYS if METRICS[key].least == 30])
def test_ratios_of_few_trades_are_refused(key):
    with pytest.raises(DataError, match="at least 30 observations and 29 came"):
        METRICS[key].function(trades([0.01] * 29))


def test_summary_of_trades():
    table = trades(np.random.default_rng(1).normal(0.002, 0.02, 200))
    found = trade_summary(table, periods_per_year=252, samples=200)
    assert found.index.tolist() == KEYS
    assert (found["n"] == 200).all()
    for key in KEYS:
        assert found.loc[key, "value"] == METRICS[key].function(table)
        assert found.loc[key, "ci_low"] < found.loc[key, "value"] < found.loc[key, "ci_high"]


def test_summary_of_few_trades_shows_what_is_known():
    few = trade_summary(trades([0.01, -0.02] * 5), periods_per_year=252)
    assert few["value"].notna().tolist() == [METRICS[key].least == 1 for key in KEYS]
    assert few["ci_low"].isna().all()
    none = trade_summary(trades([0.01]).iloc[:1], periods_per_year=252)
    assert none["value"].isna().all()
    assert (none["n"] == 0).all()


def test_trades_are_taken_in_the_order_of_their_exits():
    """Streaks widen the interval only where the order is kept; the table above comes last trade first."""
    rng = np.random.default_rng(0)
    weather = np.zeros(400)
    for t in range(1, 400):
        weather[t] = 0.8 * weather[t - 1] + rng.normal(0, 0.01)
    shuffled = rng.permutation(weather)

    def width(values):
        row = trade_summary(trades(values).sample(frac=1, random_state=1), periods_per_year=252).loc["expectancy"]
        return row["ci_high"] - row["ci_low"]

    assert width(weather) > 1.5 * width(shuffled)
