from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import metrics
from quantlib.errors import DataError
from quantlib.metrics import METRICS, account_summary, turnover


def test_replacing_the_book_once_a_year_is_one():
    # A purchase and a sale of the whole book, 200 traded, on one of 252 sessions.
    traded = pd.Series(0.0, index=range(252))
    traded.iloc[100] = 200.0
    equity = pd.Series(100.0, index=range(252))
    assert turnover(traded, equity, periods_per_year=252) == pytest.approx(1.0, rel=1e-12)


def test_each_period_is_measured_against_its_own_equity():
    traded, equity = pd.Series([100.0, 300.0]), pd.Series([100.0, 600.0])
    assert turnover(traded, equity, periods_per_year=4) == pytest.approx((1.0 + 0.5) / 2 / 2 * 4, rel=1e-12)


def test_no_trade_no_turnover():
    assert turnover(pd.Series([0.0, 0.0]), pd.Series([1.0, 1.0]), periods_per_year=252) == 0.0


@pytest.mark.parametrize(
    ("traded", "equity", "message"),
    [
        ([], [], "no periods"),
        ([-1.0], [1.0], "not negative"),
        ([np.nan], [1.0], "known"),
        ([1.0], [0.0], "above zero"),
        ([1.0], [np.nan], "above zero"),
        ([1.0, 1.0], [1.0], "different dates"),
    ],
)
def test_bad_input_is_refused(traded, equity, message):
    with pytest.raises(DataError, match=message):
        turnover(pd.Series(traded, dtype=float), pd.Series(equity, dtype=float), periods_per_year=252)


def test_periods_per_year_is_checked():
    with pytest.raises(DataError, match="periods_per_year"):
        turnover(pd.Series([1.0]), pd.Series([1.0]), periods_per_year=0)


WEIGHTS = pd.DataFrame({"A": [0.0, 1.0, 1.2, 0.0], "B": [0.0, 0.5, -0.8, 0.0]})


def test_exposures_by_hand():
    assert metrics.gross_exposure(WEIGHTS) == pytest.approx((1.5 + 2.0) / 4, rel=1e-12)
    assert metrics.net_exposure(WEIGHTS) == pytest.approx((1.5 + 0.4) / 4, rel=1e-12)
    assert metrics.time_in_market(WEIGHTS) == 0.5


def test_a_pair_that_is_flat_in_money_is_in_the_market():
    hedged = pd.DataFrame({"A": [0.5] * 4, "B": [-0.5] * 4})
    assert metrics.net_exposure(hedged) == 0.0
    assert metrics.time_in_market(hedged) == metrics.gross_exposure(hedged) == 1.0


@pytest.mark.parametrize("function", [metrics.gross_exposure, metrics.net_exposure, metrics.time_in_market])
def test_unknown_weights_are_refused(function):
    with pytest.raises(DataError, match="no sessions"):
        function(WEIGHTS.iloc[:0])
    with pytest.raises(DataError, match="The weight of B at 2 is nan"):
        function(WEIGHTS.replace(-0.8, np.nan))


def account(n: int) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2024-01-02", periods=n)
    weights = pd.DataFrame({"A": rng.uniform(0, 1, n), "B": rng.uniform(-1, 0.2, n)}, index=dates)
    weights.iloc[::7] = 0.0
    return pd.Series(rng.uniform(0, 900, n), index=dates), pd.Series(rng.uniform(900, 1100, n), index=dates), weights


def test_summary_of_an_account():
    traded, equity, weights = account(200)
    table = account_summary(traded, equity, weights, periods_per_year=252, samples=200)
    expected = {
        "turnover": turnover(traded, equity, periods_per_year=252),
        "gross_exposure": metrics.gross_exposure(weights),
        "net_exposure": metrics.net_exposure(weights),
        "time_in_market": metrics.time_in_market(weights),
    }
    assert table.index.tolist() == [k for k, m in METRICS.items() if m.made_from == "account"] == list(expected)
    assert table["value"].tolist() == list(expected.values())
    assert (table["ci_low"] < table["value"]).all()
    assert (table["value"] < table["ci_high"]).all()
    assert (table["n"] == 200).all()
    few = account_summary(*(part.iloc[:29] for part in account(200)), periods_per_year=252)
    assert few["value"].notna().all()
    assert few["ci_low"].isna().all()


def test_summary_of_an_account_ruined_on_its_first_session_is_unknown():
    table = account_summary(*(part.iloc[:0] for part in account(5)), periods_per_year=252)
    assert table["value"].isna().all()
    assert (table["n"] == 0).all()


def test_summary_of_an_account_refuses_other_dates():
    traded, equity, weights = account(40)
    with pytest.raises(DataError, match="Weights and equity have different dates"):
        account_summary(traded, equity, weights.iloc[1:], periods_per_year=252)
    with pytest.raises(DataError, match="different dates"):
        account_summary(traded.iloc[1:], equity, weights, periods_per_year=252)
