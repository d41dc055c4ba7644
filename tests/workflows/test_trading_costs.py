"""What trading costs where nobody said otherwise."""

from __future__ import annotations

import pytest

from quantlib.costs import Costs, default_costs
from quantlib.strategies import MACross
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import costs_by_field, costs_in_words, usual_costs


def test_each_symbol_has_the_costs_of_its_kind(lab: Session) -> None:
    costs = usual_costs(lab, ["KO", "MTUM", "BTC-USD", "UNHEARD"])
    kinds = ("stock", "etf", "crypto", "stock")
    assert list(costs.values()) == [default_costs(kind) for kind in kinds]


def test_a_backtest_pays_them(lab: Session) -> None:
    """Commission 1, half spread 2 and impact 100 x sqrt(0.0001) = 1 bps a side for a stock."""
    trades = backtest_strategy(lab, MACross(universe=("KO",), fast=20, slow=100)).result.trades
    assert trades["cost"].sum() / (trades["shares"] * trades["price"]).sum() == pytest.approx(4e-4, rel=1e-9)


def test_they_are_told_as_ranges() -> None:
    both = {"KO": default_costs("stock"), "MTUM": default_costs("etf")}
    assert costs_in_words(both) == "2.0 bps to 3.0 bps of every amount traded, 40.0 bps to 50.0 bps a year on shorts"
    assert costs_in_words(Costs()) == "3.0 bps of every amount traded, 50.0 bps a year on shorts"
    assert costs_by_field(both)["half_spread_bps"] == "1.0 to 2.0"
    assert costs_by_field(both)["commission_bps"] == "1.0"
    assert list(costs_by_field(Costs())) == list(Costs.model_fields)
