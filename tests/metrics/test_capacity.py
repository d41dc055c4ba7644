from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.metrics import capacity

DATES = pd.bdate_range("2024-01-02", periods=252)


def record(traded=100.0, equity=1000.0, amount=1e6) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Return a record of one order a session in A, and none in B, of which nothing is known."""
    orders = pd.DataFrame({"A": traded, "B": 0.0}, index=DATES)
    return orders, pd.Series(equity, index=DATES), pd.DataFrame({"A": amount, "B": np.nan}, index=DATES)


GIVEN = {"edge": 0.08, "impact_bps": 50.0, "periods_per_year": 252}


def test_at_capacity_impact_costs_the_stated_share():
    """Trade the same shares of an account of that size, and count what the square-root law takes."""
    rng = np.random.default_rng(0)
    orders, equity, amount = record(rng.uniform(0, 300, 252), rng.uniform(800, 1200, 252), rng.uniform(1e5, 1e7, 252))
    for share in (0.25, 0.5, 2 / 3):
        size = capacity(orders, equity, amount, share=share, **GIVEN)
        notional = orders["A"] / equity * size
        cost = (notional * 0.005 * np.sqrt(notional / amount["A"])).sum() / size
        assert cost == pytest.approx(share * 0.08, rel=1e-12)


def test_two_thirds_of_the_edge_is_where_profit_is_largest():
    def profit(size):
        notional = 0.1 * size
        return 0.08 * size - 252 * notional * 0.005 * (notional / 1e6) ** 0.5

    best = capacity(*record(), share=2 / 3, **GIVEN)
    assert profit(best) > max(profit(0.99 * best), profit(1.01 * best))


def test_what_it_grows_with():
    one = capacity(*record(), **GIVEN)
    assert capacity(*record(amount=2e6), **GIVEN) == pytest.approx(2 * one, rel=1e-12)
    assert capacity(*record(), **GIVEN | {"edge": 0.16}) == pytest.approx(4 * one, rel=1e-12)
    assert capacity(*record(traded=200.0), **GIVEN) == pytest.approx(one / 8, rel=1e-12)
    assert capacity(*record(traded=1e8, equity=1e9), **GIVEN) == pytest.approx(one, rel=1e-12)


def test_without_an_edge_there_is_none_and_without_orders_it_is_unknown():
    assert capacity(*record(), **GIVEN | {"edge": -0.02}) == 0.0
    assert np.isnan(capacity(*record(traded=0.0), **GIVEN))


def test_bad_input_is_refused():
    orders, equity, amount = record()
    with pytest.raises(DataError, match=r"1 of 252 orders have no known.*first is A at 2024-01-04"):
        capacity(orders, equity, amount.assign(A=amount["A"].where(DATES[2] != DATES)), **GIVEN)
    with pytest.raises(DataError, match="252 of 252 orders"):
        capacity(orders, equity, amount * 0, **GIVEN)
    with pytest.raises(DataError, match="different dates"):
        capacity(orders, equity.iloc[1:], amount, **GIVEN)
    with pytest.raises(DataError, match="different symbols"):
        capacity(orders, equity, amount[["B", "A"]], **GIVEN)
    with pytest.raises(DataError, match="not negative"):
        capacity(-orders, equity, amount, **GIVEN)
    with pytest.raises(DataError, match="above zero"):
        capacity(orders, equity * 0, amount, **GIVEN)


@pytest.mark.parametrize("bad", [{"edge": np.nan}, {"impact_bps": 0.0}, {"share": 1.5}, {"periods_per_year": 0}])
def test_parameters_are_checked(bad):
    with pytest.raises(DataError, match=next(iter(bad))):
        capacity(*record(), **GIVEN | bad)
