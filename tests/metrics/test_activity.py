from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.metrics import turnover


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
