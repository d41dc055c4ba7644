"""Several groups on one account: what each gets, and books that balance."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from quantlib.backtest import run_strategy
from quantlib.backtest.portfolio import Member, Portfolio, run_portfolio
from quantlib.backtest.sizing import Sizing
from quantlib.costs import Costs
from quantlib.risk import Limits
from quantlib.strategies import Group, MACross, Pair, Rotation, Strategy
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
    sizing = Sizing(method="volatility", lookback=126, largest=10)
    whole = run_portfolio(Portfolio(members=(TREND, PAIR), sizing=sizing), panel)
    assert whole.shares.nunique().min() > 10
    assert whole.correlation.shape == (2, 2)
    for t in (300, 451):
        part = run_portfolio(Portfolio(members=(TREND, PAIR), sizing=sizing), panel.until(panel.index[t]))
        np.testing.assert_allclose(part.result.equity, whole.result.equity.iloc[: t + 1], rtol=1e-12)


def test_the_gross_cap_scales_all_groups(panel: Panel) -> None:
    members = (TREND.model_copy(update={"share": 1.0}), PAIR.model_copy(update={"share": 1.0}))
    made = run_portfolio(
        Portfolio(members=members, sizing=Sizing(method="volatility", volatility=0.5), limits=Limits(max_gross=1.0)),
        panel, costs=Costs.free(),
    )  # fmt: skip
    assert made.result.targets.abs().sum(axis=1).max() <= 1.0 + 1e-12


class Heavy(Strategy):
    """Three times the account in one stock."""

    family: ClassVar[str] = "heavy"
    title: ClassVar[str] = "Heavy"
    description: ClassVar[str] = "Holds three times the account."

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("KO",)

    @property
    def warmup(self) -> int:
        return 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        return pd.DataFrame(3.0, index=panel.index, columns=["KO"])


def test_weights_are_capped_by_the_limits_of_the_portfolio_only(panel: Panel) -> None:
    limits = Limits(max_gross=3.5, drawdown=0.05)
    made = run_portfolio(Portfolio(members=(Member(name="H", strategy=Heavy(), share=1.0),), limits=limits), panel)
    assert (made.result.targets["KO"] == 3.0).all()
    assert (made.alone["H"].targets["KO"] == 3.0).all()
    # The whole stands aside at its drawdown limit; what the group did alone goes on.
    assert "drawdown" in set(made.result.group_trades["exit_reason"])
    assert "drawdown" not in set(made.alone["H"].group_trades["exit_reason"])


def test_shares_are_multiples_of_the_groups_own_small_weights(stocks: Panel) -> None:
    small = Group(legs=("KO", "PEP"), capital=0.1, timing={"kind": "band", "entry": 1.0, "lookback": 40})
    members = tuple(Member(name=name, strategy=small, share=1.0) for name in "abcde")
    made = run_portfolio(Portfolio(members=members, limits=Limits(max_gross=1.0)), stocks.tail(900))
    assert made.result.targets.abs().sum(axis=1).max() == pytest.approx(0.5)


def test_it_is_content_and_comes_back_from_json() -> None:
    portfolio = Portfolio(members=(TREND, PAIR), sizing=Sizing(method="hrp"))
    again = Portfolio.model_validate(json.loads(portfolio.model_dump_json()))
    assert again == portfolio
    assert again.id == portfolio.id
    assert Portfolio(members=(PAIR, TREND)).id != portfolio.id
    assert Portfolio(members=(TREND, Member(name="R", strategy=Rotation(), share=1.0))).inputs[:2] == ("KO", "MSFT")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((TREND, TREND), "'Trend' stands twice"),
        ((), "at least 1 item"),
    ],
)
def test_bad_portfolios_are_refused(members: tuple[Member, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Portfolio(members=members)
