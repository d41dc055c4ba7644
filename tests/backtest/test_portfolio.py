"""Several groups on one account: what each gets, and books that balance."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from quantlib.backtest import run_strategy
from quantlib.backtest.portfolio import Member, Portfolio, run_portfolio
from quantlib.backtest.sizing import Sizing
from quantlib.costs import Costs
from quantlib.risk import Limits
from quantlib.strategies import MACross, Pair, Rotation
from quantlib.types import Panel

TREND = Member(name="Trend", strategy=MACross(universe=("KO", "MSFT"), fast=20, slow=60), share=0.5)
PAIR = Member(name="Pair", strategy=Pair(y="KO", x="PEP", lookback=60), share=0.5)


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT"]).tail(700)


def test_groups_share_cash_and_keep_their_own_legs(panel: Panel) -> None:
    made = run_portfolio(Portfolio(members=(TREND, PAIR)), panel)
    result = made.result
    assert result.leg_pnl.columns.tolist() == [
        ("Trend", "KO"), ("Trend", "MSFT"), ("Pair", "KO"), ("Pair", "PEP")
    ]  # fmt: skip
    financing = -result.cost_parts["financing"]
    change = result.equity.diff().fillna(0.0)
    np.testing.assert_allclose(result.leg_pnl.sum(axis=1) + financing, change, atol=1e-9 * 1e6)
    assert (made.shares == 0.5).all().all()


def test_one_fixed_group_is_the_strategy_alone(panel: Panel) -> None:
    alone = run_strategy(PAIR.strategy, panel)
    made = run_portfolio(Portfolio(members=(Member(name="Pair", strategy=PAIR.strategy, share=1.0),)), panel)
    np.testing.assert_allclose(made.result.equity, alone.equity, rtol=1e-12)


def test_shares_follow_the_groups_own_past(panel: Panel) -> None:
    whole = run_portfolio(Portfolio(members=(TREND, PAIR), sizing=Sizing(method="volatility", lookback=126)), panel)
    assert whole.shares.nunique().min() > 10
    assert whole.correlation.shape == (2, 2)
    for t in (300, 451):
        part = run_portfolio(
            Portfolio(members=(TREND, PAIR), sizing=Sizing(method="volatility", lookback=126)),
            panel.until(panel.index[t]),
        )
        np.testing.assert_allclose(part.result.equity, whole.result.equity.iloc[: t + 1], rtol=1e-12)


def test_the_gross_cap_scales_all_groups(panel: Panel) -> None:
    members = (TREND.model_copy(update={"share": 1.0}), PAIR.model_copy(update={"share": 1.0}))
    made = run_portfolio(
        Portfolio(members=members, sizing=Sizing(method="volatility", volatility=0.5), limits=Limits(max_gross=1.0)),
        panel, costs=Costs.free(),
    )  # fmt: skip
    assert made.result.targets.abs().sum(axis=1).max() <= 1.0 + 1e-12


def test_it_is_content_and_comes_back_from_json() -> None:
    portfolio = Portfolio(members=(TREND, PAIR), sizing=Sizing(method="hrp"))
    again = Portfolio.model_validate(json.loads(portfolio.model_dump_json()))
    assert again == portfolio
    assert again.id == portfolio.id
    assert Portfolio(members=(PAIR, TREND)).id != portfolio.id
    assert Portfolio(members=(TREND, Member(name="R", strategy=Rotation(), share=1.0))).inputs[:2] == ("KO", "MSFT")


@pytest.mark.parametrize(
    ("members", "limits", "words"),
    [
        ((TREND, TREND), Limits(), "'Trend' stands twice"),
        ((TREND, PAIR), Limits(max_gross=0.8), "shares add up to 1 and max_gross is 0.8"),
        ((), Limits(), "at least 1 item"),
    ],
)
def test_bad_portfolios_are_refused(members: tuple[Member, ...], limits: Limits, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Portfolio(members=members, limits=limits)
