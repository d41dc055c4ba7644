"""Strategies with their stops through scenarios: two cases walked by hand, and the rest against plain backtests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import run_strategy, stress
from quantlib.backtest.stress import MEASURES, NOTHING
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import max_drawdown
from quantlib.risk import Execution, Stops
from quantlib.simulators import GBM
from quantlib.strategies import MACross, Pair, Strategy
from quantlib.types import Panel


class Half(Strategy):
    """Put half of the account in A once, and hold."""

    family: ClassVar[str] = "half"
    title: ClassVar[str] = "Half"
    description: ClassVar[str] = "For tests."
    stops: Stops = Stops()

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("A",)

    @property
    def warmup(self) -> int:
        return 1

    @property
    def risk(self) -> Stops:
        return self.stops

    def decide(self, panel: Panel) -> pd.DataFrame:
        return pd.DataFrame(0.5, index=panel.index, columns=["A"])


def bars(opens: list[float], lows: list[float], closes: list[float], start: str) -> Panel:
    """Return one symbol's bars from a date on; the high is the higher of open and close."""
    index = pd.bdate_range(start, periods=len(opens))
    frames = [pd.DataFrame({"A": values}, index=index) for values in (opens, lows, closes)]
    return Panel.from_frames(
        frames[2], open=frames[0], low=frames[1], high=frames[0].where(frames[0] > frames[2], frames[2])
    )


FLAT = bars([100.0] * 300, [100.0] * 300, [100.0] * 300, "2020-01-01")
TOMORROW = f"{FLAT.next_sessions(1)[0]:%Y-%m-%d}"
# One percent a side, and nothing else.
DEAR = Costs(commission_bps=100, half_spread_bps=0, impact_bps=0, borrow_bps_per_year=0)

# By hand. History: half of 1,000,000 less the fee of going there, 1 % of 500,000 = 5,000, at 100:
#   shares 0.5 x 995,000 / 100 = 4,975; notional 497,500; fee 4,975; cash 1,000,000 - 497,500 - 4,975 = 497,525.
# As of the last close: equity 497,525 + 497,500 = 995,025. Base of the trade 497,500, its result so far -4,975.
CRASH = bars(
    [100.0, 94.0, 80.0, 70.0, 62.0],
    [95.0, 90.0, 78.0, 68.0, 59.0],
    [95.0, 90.5, 85.0, 70.0, 60.0],
    TOMORROW,
)


def test_a_stop_watched_at_the_close_is_filled_in_the_gap_after_it() -> None:
    """The stop of 10 % is -49,750.

    Session 1 closes at 95: result -4,975 - 4,975 x 5 = -29,850, no stop. Session 2 closes at 90.5: -4,975 - 4,975 x 9.5
    = -52,237.50, which fires. Session 3 opens in a gap, at 80: 4,975 x 80 = 398,000 less 3,980 are had, cash 497,525 +
    394,020 = 891,545. The decision never changes, so the account stays out: 891,545 / 995,025 - 1 = -10.40 %.
    Left alone the shares are worth 4,975 x 60 = 298,500 at the end: 796,025 / 995,025 - 1 = -20.00 %.
    """
    found = stress({"Half": Half(stops=Stops(loss=0.1))}, {"crash": [CRASH]}, FLAT, costs=DEAR)
    row = found.outcomes.iloc[0]
    assert row["return"] == pytest.approx(891_545 / 995_025 - 1, abs=1e-12)
    assert row["max_drawdown"] == pytest.approx(891_545 / 995_025 - 1, abs=1e-12)
    assert row["hold"] == pytest.approx(796_025 / 995_025 - 1, abs=1e-12)
    assert row["hold_drawdown"] == pytest.approx(796_025 / 995_025 - 1, abs=1e-12)
    assert row["reason"] == "loss"
    assert (row["fired"], row["left"]) == (CRASH.index[1], CRASH.index[2])
    assert row["session"] == 3.0
    assert row["gap"] == pytest.approx(80 / 90.5 - 1)
    assert found.as_of == FLAT.index[-1]
    assert found.stops.loc["Half", "crash"] == "loss on session 3"
    assert found.sentences == [
        "Half fares worst in crash: -10.4 %, where today's holdings left alone make -20.0 %; "
        "stopped by loss on session 3."
    ]


def test_a_stop_watched_within_the_bar_is_filled_at_the_open_behind_it() -> None:
    """The stop of 8 % stands at 92: session 2 opens above it, at 94, and its low of 90 goes through.

    It sells at 92: 4,975 x 92 = 457,700 less 4,577 are had, cash 497,525 + 453,123 = 950,648. The stop of 17 % stands
    at 83: session 3 opens behind it, in the gap, and it sells at 80: 891,545 as above, but on the day itself.
    """
    strategies = {
        "near": Half(stops=Stops(loss=0.08, watch="intrabar")),
        "far": Half(stops=Stops(loss=0.17, watch="intrabar")),
    }
    found = stress(strategies, {"crash": [CRASH]}, FLAT, costs=DEAR).outcomes.set_index("strategy")
    assert found.loc["near", "return"] == pytest.approx(950_648 / 995_025 - 1, abs=1e-12)
    assert found.loc["near", "fired"] == found.loc["near", "left"] == CRASH.index[1]
    assert found.loc["far", "return"] == pytest.approx(891_545 / 995_025 - 1, abs=1e-12)
    assert found.loc["far", "fired"] == found.loc["far", "left"] == CRASH.index[2]
    assert found.loc["far", "gap"] == pytest.approx(80 / 90.5 - 1)


def test_costs_of_a_scenario_are_paid_from_its_first_session_on() -> None:
    """History paid 1 % to get in, so the account and its stop are as above; the exit at 80 pays 3 %.

    4,975 x 80 = 398,000 less 11,940 are had, cash 497,525 + 386,060 = 883,585.
    """
    then = {"crash": DEAR.model_copy(update={"half_spread_bps": 200.0})}
    strategies = {"Half": Half(stops=Stops(loss=0.1))}
    found = stress(strategies, {"crash": [CRASH], "again": [CRASH]}, FLAT, costs=DEAR, during=then).outcomes
    assert found.loc[0, "return"] == pytest.approx(883_585 / 995_025 - 1, abs=1e-12)
    assert found.loc[0, "hold"] == pytest.approx(796_025 / 995_025 - 1, abs=1e-12)
    assert found.loc[0, "session"] == 3.0
    assert found.loc[1, "return"] == pytest.approx(891_545 / 995_025 - 1, abs=1e-12), "only of the scenario named"
    with pytest.raises(DataError, match="costs during 'crush', but no such scenario"):
        stress(strategies, {"crash": [CRASH]}, FLAT, during={"crush": DEAR})


def test_what_history_ordered_is_filled_at_the_scenarios_costs() -> None:
    """5,000 shares bought free of cost; the close of 80 orders the exit, filled at 80 for 2 %: 8,000 of 900,000."""
    past = FLAT.append(bars([100.0], [80.0], [80.0], TOMORROW))
    world = bars([80.0, 50.0], [50.0, 40.0], [50.0, 40.0], f"{past.next_sessions(1)[0]:%Y-%m-%d}")
    then = {"crash": Costs.free().model_copy(update={"commission_bps": 200.0})}
    found = stress({"Half": Half(stops=Stops(loss=0.1))}, {"crash": [world]}, past, costs=Costs.free(), during=then)
    assert found.outcomes.loc[0, "return"] == pytest.approx(-8_000 / 900_000, abs=1e-12)


def test_an_exit_that_history_ordered_is_not_the_scenarios() -> None:
    """History closes 20 % down and orders the exit; it is filled in the scenario, but no stop of the scenario's."""
    last = FLAT.next_sessions(1)
    past = FLAT.append(bars([100.0], [80.0], [80.0], TOMORROW))
    world = bars([80.0, 50.0], [50.0, 40.0], [50.0, 40.0], f"{past.next_sessions(1)[0]:%Y-%m-%d}")
    found = stress({"Half": Half(stops=Stops(loss=0.1))}, {"crash": [world]}, past, costs=Costs.free()).outcomes.iloc[0]
    assert past.index[-1] == last[0]
    assert found["reason"] == ""
    assert found["return"] == pytest.approx(0.0, abs=1e-12), "sold at the open of 80"
    assert found["hold"] == pytest.approx((500_000 + 5_000 * 40) / 900_000 - 1)


def test_without_stops_the_account_is_its_holdings() -> None:
    found = stress({"Half": Half()}, {"crash": [CRASH]}, FLAT, costs=DEAR)
    row = found.outcomes.iloc[0]
    assert row["return"] == pytest.approx(row["hold"], abs=1e-12)
    assert row["reason"] == ""
    assert np.isnan(row["session"])
    assert found.stops.loc["Half", "crash"] == NOTHING
    assert found.sentences[0].endswith("nothing stops it.")


def test_holdings_left_alone_are_split_and_paid() -> None:
    """Split 2:1 on session 2, and 1 a share paid on session 3: 5,000 shares are 10,000 and get 10,000."""
    plain = bars([100.0, 50.0, 49.0], [100.0, 50.0, 49.0], [100.0, 50.0, 49.0], TOMORROW)
    extra = {"split": np.array([[1.0], [2.0], [1.0]]), "dividend": np.array([[0.0], [0.0], [1.0]])}
    world = Panel.from_frames(plain.frame(), open=plain.frame("open"), extra=extra)
    past = Panel.from_frames(
        FLAT.frame(), open=FLAT.frame("open"), extra={"split": np.ones((300, 1)), "dividend": np.zeros((300, 1))}
    )
    row = stress({"Half": Half()}, {"split": [world]}, past, costs=Costs.free()).outcomes.iloc[0]
    assert row["hold"] == pytest.approx(0.0, abs=1e-12)
    assert row["return"] == pytest.approx(0.0, abs=1e-12)


def test_each_outcome_is_the_backtest_through_history_and_world(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "XOM"]).tail(400)
    strategies = {"Trend": MACross(universe=("XOM", "KO"), fast=5, slow=20), "Pair": Pair(lookback=30)}
    worlds = list(GBM().paths(panel, n=3, horizon=40, seed=1))
    read: list[int] = []

    def stream() -> Iterator[Panel]:
        for k, world in enumerate(worlds[:2]):
            read.append(k)
            yield world

    found = stress(strategies, {"two": stream(), "one": [worlds[2]]}, panel, execution=Execution(fill="close"))
    assert read == [0, 1], "a stream is read once, whatever the number of strategies"
    assert list(found.outcomes["strategy"]) == ["Trend"] * 3 + ["Pair"] * 3
    assert list(found.outcomes["scenario"]) == ["two", "two", "one"] * 2
    for name, strategy in strategies.items():
        rows = found.outcomes[found.outcomes["strategy"] == name]
        for world, (_, row) in zip(worlds, rows.iterrows(), strict=True):
            whole = panel.append(world).select(strategy.inputs)
            result = run_strategy(strategy, whole, execution=Execution(fill="close"))
            after = result.equity.iloc[399:]
            assert row["return"] == pytest.approx(after.iloc[-1] / after.iloc[0] - 1, rel=1e-6)
            assert row["max_drawdown"] == pytest.approx(max_drawdown(after.pct_change().iloc[1:]), rel=1e-6)
            shares, cash = result.shares.iloc[399], result.cash.iloc[399]
            held = (cash + whole.frame().iloc[-1] @ shares) / after.iloc[0] - 1
            assert row["hold"] == pytest.approx(held, rel=1e-6, abs=1e-9)
    for measure in ("return", "hold"):
        grid = found.matrix(measure)
        assert list(grid.index) == list(strategies)
        assert list(grid.columns) == ["two", "one"]
        both = found.outcomes.query("strategy == 'Trend' and scenario == 'two'")[measure]
        assert grid.loc["Trend", "two"] == pytest.approx(both.mean())


def test_what_stops_it_is_said_by_share_where_a_scenario_has_many_worlds() -> None:
    calm = bars([100.0] * 5, [100.0] * 5, [100.0] * 5, TOMORROW)
    found = stress({"Half": Half(stops=Stops(loss=0.1))}, {"crash": [CRASH, calm, CRASH, calm]}, FLAT, costs=DEAR)
    assert found.stops.loc["Half", "crash"] == "loss, in 50 % of worlds, session 3 in the middle"
    assert found.matrix("stopped").loc["Half", "crash"] == 0.5
    gap = found.outcomes["return"] - found.outcomes["hold"]
    assert found.matrix("saved").loc["Half", "crash"] == pytest.approx(gap.mean())
    assert all(np.isfinite(found.matrix(measure)).all(axis=None) for measure in MEASURES)


def test_what_cannot_be_stressed_is_refused() -> None:
    one = {"Half": Half()}
    with pytest.raises(DataError, match="no strategy"):
        stress({}, {"crash": [CRASH]}, FLAT)
    with pytest.raises(DataError, match="no world"):
        stress(one, {"crash": []}, FLAT)
    with pytest.raises(DataError, match=r"'crash' begins on 2020-01-01, and history ends on"):
        stress(one, {"crash": [FLAT]}, FLAT)
    with pytest.raises(DataError, match="has no session"):
        stress(one, {"crash": [CRASH.tail(0)]}, FLAT)
    other = Panel.from_frames(CRASH.frame().rename(columns={"A": "B"}))
    with pytest.raises(DataError, match="'A' is not in the panel"):
        stress(one, {"crash": [other]}, FLAT)
    with pytest.raises(DataError, match="Did you mean return"):
        stress(one, {"crash": [CRASH]}, FLAT).matrix("retrun")
    with pytest.raises(StrategyError, match="spread stop"):
        stress({"Half": Half(stops=Stops(spread_z=2.0))}, {"crash": [CRASH]}, FLAT)
