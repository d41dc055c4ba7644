"""What each family decides, against hand-made cases and other libraries."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from quantlib.errors import DataError, StrategyError
from quantlib.strategies import MACross, Pair, Rotation, Strategy, build
from quantlib.strategies.pair import pair_side_nb
from quantlib.types import Panel


def test_ma_cross_holds_an_equal_share_of_what_is_above_its_slow_average(stocks: Panel) -> None:
    panel = stocks.select(["KO", "MSFT"])
    weights = MACross(universe=("KO", "MSFT"), fast=50, slow=200).targets(panel)
    close = panel.frame()
    expected = 0.5 * (close.rolling(50).mean() > close.rolling(200).mean())
    pd.testing.assert_frame_equal(weights.iloc[199:], expected.iloc[199:], check_freq=False)
    assert (weights.iloc[:199] == 0).all().all()


def test_ma_cross_goes_short_only_when_told_to(stocks: Panel) -> None:
    panel = stocks.select(["GE"])
    flat = MACross(universe=("GE",)).targets(panel)
    short = MACross(universe=("GE",), allow_short=True).targets(panel)
    assert flat.min().item() == 0.0
    assert short.min().item() == -1.0
    pd.testing.assert_frame_equal(flat, short.clip(lower=0.0))


def test_a_gap_in_one_symbol_keeps_its_last_decision(stocks: Panel) -> None:
    close = stocks.select(["KO", "MSFT"]).tail(600).frame().copy()
    close.iloc[400, 0] = np.nan
    strategy = MACross(universe=("KO", "MSFT"), fast=20, slow=60)
    with_gap = strategy.targets(Panel.from_frames(close))
    assert with_gap["KO"].iloc[400] == with_gap["KO"].iloc[399]
    alone = MACross(universe=("KO",), fast=20, slow=60).targets(Panel.from_frames(close[["KO"]].dropna()))
    pd.testing.assert_series_equal(with_gap["KO"].drop(close.index[400]), alone["KO"] / 2, check_freq=False)


def test_pair_spread_equals_a_regression_by_statsmodels(stocks: Panel) -> None:
    pair = Pair(y="KO", x="PEP", lookback=120)
    spread = pair._spread(stocks.select(["KO", "PEP"]))
    log = np.log(stocks.frame()[["KO", "PEP"]])
    for t in (119, 500, 4000, 8312):
        part = log.iloc[t - 119 : t + 1]
        fit = sm.OLS(part["KO"], sm.add_constant(part["PEP"])).fit()
        assert spread["beta"].iloc[t] == pytest.approx(fit.params["PEP"], rel=1e-6)
        assert spread["z"].iloc[t] == pytest.approx(fit.resid.iloc[-1] / np.sqrt(fit.mse_resid), rel=1e-6)


def test_pair_side_walks_the_states_of_a_trade() -> None:
    z = np.array([0.0, 2.5, 1.0, 0.4, -2.1, -3.0, -4.5, -3.0, -2.2, -0.3, -2.1, 0.0, np.nan, 2.2, np.nan, 0.1])
    beta = np.full(z.shape, 0.8)
    beta[5:] = 1.2
    held, blocked = pair_side_nb(z, beta, 2.0, 0.5, 4.0)
    short, long_, late = -0.8, 0.8, 1.2
    expected = [0, short, short, 0, long_, long_, 0, 0, 0, 0, late, 0, 0, -late, -late, 0]
    np.testing.assert_allclose(held, expected)
    np.testing.assert_array_equal(held, pair_side_nb.py_func(z, beta, 2.0, 0.5, 4.0)[0])
    assert not blocked
    assert pair_side_nb(z[:9], beta[:9], 2.0, 0.5, 4.0)[1]


def test_pair_legs_stand_or_fall_together_with_gross_one(stocks: Panel) -> None:
    weights = Pair().targets(stocks.select(["KO", "PEP"]))
    gross = weights.abs().sum(axis=1)
    assert set(gross.round(12)) == {0.0, 1.0}
    on = weights[gross > 0]
    assert len(on) > 500
    assert (np.sign(on["KO"]) == -np.sign(on["PEP"])).all()


def test_pair_without_a_positive_hedge_does_not_trade() -> None:
    rng = np.random.default_rng(3)
    x = np.cumsum(rng.normal(0, 0.01, 400))
    close = pd.DataFrame({"A": 50 * np.exp(-x), "B": 50 * np.exp(x)}, index=pd.bdate_range("2020-01-01", periods=400))
    assert (Pair(y="A", x="B", lookback=60).targets(Panel.from_frames(close)) == 0).all().all()


def test_rotation_holds_the_strongest_from_each_months_first_session(factor_etfs: Panel) -> None:
    strategy = Rotation(absolute=False)
    weights = strategy.targets(factor_etfs)
    close = factor_etfs.frame()
    momentum = close.pct_change(126, fill_method=None)
    firsts = [group.index[0] for _, group in close.groupby([close.index.year, close.index.month])]
    for day in firsts[8:]:
        assert weights.loc[day].idxmax() == momentum.loc[day].idxmax()
    assert (weights.sum(axis=1).iloc[160:] == 1.0).all()
    changes = weights.index[weights.ne(weights.shift()).any(axis=1)][1:]
    assert set(changes) <= set(firsts)


def test_rotation_prefers_cash_to_a_faller() -> None:
    index = pd.bdate_range("2020-01-01", periods=120)
    falling = pd.DataFrame({"A": np.linspace(100, 80, 120), "B": np.linspace(100, 70, 120)}, index=index)
    panel = Panel.from_frames(falling)
    assert (Rotation(universe=("A", "B"), lookback=20).targets(panel) == 0).all().all()
    kept = Rotation(universe=("A", "B"), lookback=20, absolute=False).targets(panel)
    assert kept["A"].iloc[-1] == 1.0


def test_ids_depend_on_content_only() -> None:
    assert MACross(universe=("KO",), fast=50).id == MACross(fast=50, universe=("KO",)).id
    assert MACross(fast=50).id != MACross(fast=51).id
    assert Pair().id == "pair-" + Pair().id.removeprefix("pair-")
    assert Pair(y="KO", x="PEP", entry=2).id == Pair(entry=2.0).id


@pytest.mark.parametrize(
    ("family", "params", "message"),
    [
        ("ma_crss", {}, "Did you mean ma_cross"),
        ("ma_cross", {"fast": 200, "slow": 50}, "must be shorter"),
        ("ma_cross", {"fst": 5}, "Did you mean fast"),
        ("ma_cross", {"universe": []}, "universe needs at least 1; choose more"),
        ("ma_cross", {"fast": 0}, "greater than or equal to 1"),
        ("ma_cross", {"universe": ["KO", "KO"]}, "each symbol may stand once"),
        ("pair", {"y": "KO", "x": "KO"}, "two legs must differ"),
        ("pair", {"entry": 0.2, "exit": 0.5}, "must rise in that order"),
        ("rotation", {"universe": ["A", "B"], "top": 2}, "must be less than"),
    ],
)
def test_bad_definitions_are_refused_with_the_place(family: str, params: dict[str, object], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        build(family, params)


def test_a_symbol_that_is_not_there_is_named_with_its_neighbour(stocks: Panel) -> None:
    with pytest.raises(DataError, match="Did you mean PEP"):
        Pair(y="KO", x="PEPP").targets(stocks)


def spread_panel(z_like: list[float], *, lookback: int = 60, against: bool = False) -> Panel:
    """Return a pair whose spread is noise, then goes where `z_like` says, in standard deviations of the noise."""
    rng = np.random.default_rng(8)
    n = 200 + len(z_like)
    x = np.cumsum(rng.normal(0, 0.01, n))
    spread = np.concatenate([rng.normal(0, 0.01, 200), 0.01 * np.array(z_like)])
    y = (-x if against else x) + spread
    close = pd.DataFrame({"A": 50 * np.exp(y), "B": 50 * np.exp(x)}, index=pd.bdate_range("2020-01-01", periods=n))
    return Panel.from_frames(close)


@pytest.mark.parametrize(
    ("path", "against", "state", "change"),
    [
        ([0.2], False, "entry is at 2", "reaches 2"),
        ([3.0], False, "holds the spread short", "given up if the spread widens to 4"),
        ([-3.0], False, "holds the spread long", "given up if the spread widens to 4"),
        ([3.0, 9.0, 5.0], False, "was given up at 4", "has been within 0.5"),
        ([12.0], False, "beyond 4, where the rule no longer enters", "back between 2 and 4"),
        ([0.2], True, "without a positive hedge ratio", "move together again"),
    ],
)
def test_a_pair_says_the_state_it_is_in(path: list[float], against: bool, state: str, change: str) -> None:
    pair = Pair(y="A", x="B", lookback=60)
    why = pair.explain(spread_panel(path, against=against))
    assert state in " ".join(why.reasons)
    assert change in why.invalidation


def ranked(returns: dict[str, float], **fields: object) -> tuple[Rotation, Panel]:
    """Return a rotation and a panel in which each symbol moves steadily by its return over 20 sessions."""
    index = pd.bdate_range("2020-01-01", periods=80)
    steps = np.arange(80)[:, None]
    close = 100 * (1 + np.array(list(returns.values()))) ** (steps / 20)
    panel = Panel.from_frames(pd.DataFrame(close, index=index, columns=list(returns)))
    return Rotation(universe=tuple(returns), lookback=20, **fields), panel


def test_a_rotation_says_what_would_change_its_choice() -> None:
    strategy, panel = ranked({"A": 0.10, "B": 0.06, "C": 0.02})
    assert "If B gains 4.0 % on A" in strategy.explain(panel).invalidation
    strategy, panel = ranked({"A": 0.10, "B": 0.06, "C": 0.02}, top=2)
    assert "If C gains 4.0 % on B" in strategy.explain(panel).invalidation
    strategy, panel = ranked({"A": -0.02, "B": -0.06})
    why = strategy.explain(panel)
    assert "the rule wants cash" in " ".join(why.reasons)
    assert "Cash stays until a leader has risen" in why.invalidation
    assert "A is nearest with -2.0 %" in why.invalidation
    strategy, panel = ranked({"A": -0.02, "B": -0.06}, absolute=False)
    assert "If B gains 4.0 % on A" in strategy.explain(panel).invalidation


def test_a_rotation_says_when_the_ranking_has_changed_since() -> None:
    strategy, panel = ranked({"A": 0.10, "B": 0.06, "C": 0.02})
    close = panel.frame().copy()
    close.iloc[-3:, 1] *= 1.2
    assert "the next monthly choice is B" in strategy.explain(Panel.from_frames(close)).invalidation


class Monday(Strategy):
    """The shortest strategy there can be: in the market on Mondays."""

    family: ClassVar[str] = "monday"
    title: ClassVar[str] = "Mondays"
    description: ClassVar[str] = "Holds KO on Mondays."
    symbols: ClassVar[tuple[str, ...]] = ("KO",)
    warmup: ClassVar[int] = 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return 1 on Mondays."""
        return pd.DataFrame({"KO": (panel.index.day_of_week == 0) * 1.0}, index=panel.index)


def test_a_strategy_of_a_few_lines_explains_its_weights(stocks: Panel) -> None:
    why = Monday().explain(stocks.until("2022-12-19"))
    assert why.value == 1.0
    assert why.reasons == ("The rule wants KO +100.0 %.", "It has wanted a position on 19 % of 8,307 sessions.")
    assert Monday().explain(stocks).reasons[0] == "The rule wants no position."


def test_an_infinite_weight_is_refused(stocks: Panel) -> None:
    class Broken(Monday):
        def decide(self, panel: Panel) -> pd.DataFrame:
            return pd.DataFrame({"KO": np.inf}, index=panel.index)

    with pytest.raises(StrategyError, match="infinite weight"):
        Broken().targets(stocks)
