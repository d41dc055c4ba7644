"""Worlds in batches against the plain loop: every world joined to history, decided and run by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import evaluate_in_worlds, run_groups, worlds
from quantlib.backtest.departure import Departure, Variant, depart, recent_history
from quantlib.backtest.groups import GroupTargets
from quantlib.backtest.worlds import PART, run_in_worlds
from quantlib.backtest.worlds_batch import equities_in
from quantlib.backtest.worlds_result import outcomes_of
from quantlib.costs import AnyCosts, Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import max_drawdown, sharpe_ratio
from quantlib.risk import Stops
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.strategies import Group, MACross, Pair, Rotation, Strategy
from quantlib.types import FloatArray, Panel


class Stopped(MACross):
    """Two averages, with stops."""

    family: ClassVar[str] = "stopped"
    stops: Stops = Stops(loss=0.02, trailing=0.03, reentry=5)

    @property
    def risk(self) -> Stops:
        return self.stops


def by_plain_loop(departure: Departure, panels: Iterator[Panel] | list[Panel]) -> FloatArray:
    """Return equity from the start on [accounts, worlds, horizon + 1], world after world, by the public road."""
    strategy, history, found = departure.strategy, departure.history, []
    for world in panels:
        missing = {
            name: np.full((len(world), *history.extra[name].shape[1:]), none)
            for name, none in (("split", 1.0), ("dividend", 0.0))
            if name in history.extra
        }
        whole = history.append(
            Panel(
                index=world.index,
                symbols=world.symbols,
                open=world.open,
                high=world.high,
                low=world.low,
                close=world.close,
                volume=world.volume,
                extra={**missing, **world.extra},
            )
        )
        targets, spread = strategy.targets(whole), strategy.spread_z(whole)
        rows = []
        for one in departure.accounts:
            group = GroupTargets("one", targets, one.stops, spread, strategy.linked, strategy.symbols)
            equity = run_groups(whole, [group], costs=one.costs, execution=one.execution).equity.to_numpy()
            rows.append(equity[len(history) - 1 :] / equity[len(history) - 1])
        found.append(rows)
    return np.array(found).swapaxes(0, 1)


def with_bars(panel: Panel, seed: int, *, volume: bool = True) -> Panel:
    """Return closes with made-up opens, highs, lows and, if asked, volumes."""
    rng = np.random.default_rng(seed)
    close = panel.close
    before = np.vstack([close[:1], close[:-1]])
    opened = before * np.exp(rng.normal(0, 0.004, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.004, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.004, close.shape)))
    traded = rng.lognormal(12, 1, close.shape) if volume else np.full(close.shape, np.nan)
    return Panel(panel.index, panel.symbols, opened, high, low, close, traded, panel.extra)


CASES: dict[str, tuple[Strategy, AnyCosts]] = {
    "averages with stops": (Stopped(universe=("KO", "PEP", "XOM"), fast=5, slow=20), Costs()),
    "a short side, dear to borrow": (
        MACross(universe=("KO", "XOM"), fast=5, slow=20, allow_short=True),
        {"KO": Costs(borrow_bps_per_year=900), "XOM": Costs(commission_bps=7, impact_bps=30)},
    ),
    "a pair with a spread stop": (
        Group(legs=("KO", "PEP"), timing={"kind": "band", "lookback": 30}, stops=Stops(spread_z=2.5, time=9)),
        Costs(),
    ),
    "a pair of the first kind": (Pair(lookback=30), Costs()),
    "a basket with a volatility stop": (
        Group(kind="basket", legs=("KO", "PEP", "JNJ"), stops=Stops(volatility=4.0, profit=0.05, reentry=3)),
        Costs(),
    ),
    "a rotation": (Rotation(universe=("KO", "PEP", "JNJ"), lookback=60), Costs()),
    "what it reads and does not trade": (
        Group(kind="outright", legs=("KO",), timing={"kind": "rules", "long": "XOM.close > sma(XOM.close, 20)"}),
        Costs(),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bars", ["closes", "bars in history", "bars"])
def test_batches_give_what_the_plain_loop_gives(name: str, bars: str, stocks: Panel) -> None:
    strategy, costs = CASES[name]
    panel = stocks.select(("KO", "PEP", "JNJ", "XOM")).tail(700)
    panel = panel if bars == "closes" else with_bars(panel, 1)
    departure = depart(strategy, panel, Variant.own(strategy, costs), Variant.without_cost(strategy))
    panels = list(StationaryBootstrap(block=5).paths(departure.shared, n=7, horizon=60, seed=3))
    if bars == "bars":
        panels = [with_bars(world, 10 + k) for k, world in enumerate(panels)]
    expected = by_plain_loop(departure, panels)
    found = np.concatenate([equity for _, equity in equities_in(departure, panels)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert (expected[:, :, -1] != 1.0).any(), "nothing is traded, so nothing is tested"
    assert not np.allclose(expected[0], expected[1]), "costs must show"


def test_stops_within_the_bar_see_the_bars_of_the_world(stocks: Panel) -> None:
    strategy = Stopped(universe=("XOM",), fast=5, slow=20, stops=Stops(loss=0.01, profit=0.02, watch="intrabar"))
    panel = with_bars(stocks.select(["XOM"]).tail(700), 2)
    departure = depart(strategy, panel, Variant.own(strategy, None), Variant(Costs(), Stops()))
    panels = [with_bars(w, k) for k, w in enumerate(GBM().paths(departure.shared, n=9, horizon=40, seed=1))]
    found = np.concatenate([equity for _, equity in equities_in(departure, panels)], axis=1)
    np.testing.assert_allclose(found, by_plain_loop(departure, panels), rtol=1e-9)
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize("flat", [False, True], ids=["by symbol", "one for all"])
def test_splits_and_dividends_of_past_and_world_are_those_of_the_loop(flat: bool, stocks: Panel) -> None:
    plain = with_bars(stocks.select(["KO", "PEP"]).tail(700), 3, volume=False)
    split, dividend = np.ones(plain.close.shape), np.zeros(plain.close.shape)
    split[300], dividend[400] = 2.0, 0.5
    extra = {"split": split[:, 0], "dividend": dividend[:, 0]} if flat else {"split": split, "dividend": dividend}
    panel = Panel(plain.index, plain.symbols, plain.open, plain.high, plain.low, plain.close, plain.volume, extra)
    strategy = Stopped(universe=("KO", "PEP"), fast=5, slow=20)
    departure = depart(strategy, panel, Variant.own(strategy, None))
    made = list(GBM(window=200).paths(departure.shared, n=4, horizon=30, seed=1))
    paying = np.zeros((30, 2) if not flat else 30)
    paying[10] = 1.0
    one = made[2]
    made[2] = Panel(one.index, one.symbols, one.open, one.high, one.low, one.close, one.volume, {"dividend": paying})
    found = np.concatenate([equity for _, equity in equities_in(departure, made)], axis=1)
    np.testing.assert_allclose(found, by_plain_loop(departure, made), rtol=1e-9)


def test_a_world_does_not_depend_on_its_batch(stocks: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = CASES["averages with stops"][0]
    departure = depart(strategy, stocks.select(strategy.inputs).tail(600), Variant.own(strategy, None))
    panels = list(GBM().paths(departure.shared, n=23, horizon=30, seed=8))
    together = np.concatenate([equity for _, equity in equities_in(departure, panels)], axis=1)
    monkeypatch.setattr("quantlib.backtest.worlds_batch.BATCH_NUMBERS", 1)
    sizes = [(len(batch), equity) for batch, equity in equities_in(departure, panels)]
    assert {size for size, _ in sizes} == {1}
    np.testing.assert_array_equal(together, np.concatenate([equity for _, equity in sizes], axis=1))


@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 3}, {"engine": "processes", "workers": 2}])
def test_the_same_worlds_whoever_runs_them(how: Mapping[str, Any], stocks: Panel) -> None:
    strategy = Group(kind="basket", legs=("KO", "PEP"), stops=Stops(loss=0.05, trailing=0.05, reentry=5))
    panel = stocks.select(strategy.inputs).tail(600)
    n = 2 * PART + 7
    first = evaluate_in_worlds(strategy, GBM(), panel, n=n, horizon=10, seed=5)
    other = evaluate_in_worlds(strategy, GBM(), panel, n=n, horizon=10, seed=5, **how)
    np.testing.assert_array_equal(first.paths, other.paths)
    np.testing.assert_array_equal(first.hold, other.hold)
    np.testing.assert_array_equal(first.account.rows(), other.account.rows())
    alone = evaluate_in_worlds(strategy, GBM(), panel, n=3, horizon=10, seed=5)
    np.testing.assert_array_equal(first.paths[:3], alone.paths)


def test_outcomes_are_the_metrics_of_each_world(stocks: Panel) -> None:
    strategy = CASES["averages with stops"][0]
    panel = stocks.select(strategy.inputs).tail(600)
    found = evaluate_in_worlds(strategy, StationaryBootstrap(block=5), panel, n=12, horizon=60, seed=2)
    own = panel.complete()
    for k, world in enumerate(StationaryBootstrap(block=5).paths(own, n=12, horizon=60, seed=2)):
        returns = pd.Series(found.paths[k]).pct_change().iloc[1:]
        assert found.account.returns[k] == pytest.approx(np.prod(1 + returns) - 1, abs=1e-12)
        assert found.account.sharpe[k] == pytest.approx(sharpe_ratio(returns, periods_per_year=252), rel=1e-9)
        assert found.account.max_drawdown[k] == pytest.approx(max_drawdown(returns), rel=1e-9)
        assert found.account.lowest[k] == found.paths[k].min()
        held = (world.close / own.close[-1]).mean(axis=1)
        assert found.hold[k] == pytest.approx(held[-1] - 1)
        assert found.holding is not None
        assert found.holding.lowest[k] == pytest.approx(min(1.0, held.min()))
        steps = pd.Series(np.append(1.0, held)).pct_change().iloc[1:]
        assert found.holding.sharpe[k] == pytest.approx(sharpe_ratio(steps, periods_per_year=252), rel=1e-9)


def test_ruin_is_counted_at_any_close() -> None:
    paths = np.array([[1.0, 0.4, 1.2], [1.0, 0.6, 0.55], [1.0, 1.1, 0.49]])
    told = outcomes_of(paths, 252)
    assert told.ruin(0.5) == pytest.approx(2 / 3)
    assert told.ruin(0.45) == pytest.approx(1 / 3)
    assert told.ruin() == told.ruin(0.5)


def test_paths_are_kept_up_to_a_cap_and_outcomes_of_all(stocks: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = CASES["averages with stops"][0]
    panel = stocks.select(strategy.inputs).tail(600)
    whole = evaluate_in_worlds(strategy, GBM(), panel, n=PART + 30, horizon=10, seed=5)
    monkeypatch.setattr(worlds, "KEPT_NUMBERS", (PART + 3) * 11)
    found = evaluate_in_worlds(strategy, GBM(), panel, n=PART + 30, horizon=10, seed=5)
    np.testing.assert_array_equal(found.paths, whole.paths[: PART + 3])
    np.testing.assert_array_equal(found.returns, whole.returns)
    assert found.mean_interval == whole.mean_interval


class Counted(GBM):
    """Brownian motion that counts how often it learns."""

    calibrations: ClassVar[list[int]] = []

    def calibrate(self, panel: Panel) -> Any:
        self.calibrations.append(len(panel))
        return super().calibrate(panel)


def test_it_is_calibrated_once(stocks: Panel) -> None:
    Counted.calibrations.clear()
    panel = stocks.select(["KO"]).tail(600)
    found = evaluate_in_worlds(MACross(fast=5, slow=20), Counted(), panel, n=3 * PART, horizon=5, seed=1)
    assert Counted.calibrations == [600]
    same = evaluate_in_worlds(MACross(fast=5, slow=20), GBM(), panel, n=3 * PART, horizon=5, seed=1)
    np.testing.assert_array_equal(found.paths, same.paths)


class OwnWay(GBM):
    """A simulator that makes its worlds in its own way."""

    def paths(
        self, panel: Panel, *, n: int, horizon: int, seed: int, first: int = 0, bars: bool = False
    ) -> Iterator[Panel]:
        for world in super().paths(panel, n=n, horizon=horizon, seed=seed, first=first, bars=bars):
            yield with_bars(world, 1)


def test_a_simulator_with_worlds_of_its_own_is_asked_for_them(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(600)
    strategy = MACross(fast=5, slow=20)
    own, plain = (evaluate_in_worlds(strategy, s, panel, n=9, horizon=40, seed=1) for s in (OwnWay(), GBM()))
    np.testing.assert_array_equal(own.hold, plain.hold)
    assert not np.array_equal(own.paths, plain.paths), "fills are at the open where there is one"


def test_worlds_have_bars_where_stops_need_them_or_where_asked(ohlcv: Panel) -> None:
    panel = ohlcv.tail(700)
    within = Stopped(universe=("^GSPC",), fast=5, slow=20, stops=Stops(loss=0.01, profit=0.02, watch="intrabar"))
    departure = depart(within, panel, Variant.own(within, None))
    for bars in (None, True, False):
        found = evaluate_in_worlds(within, GBM(), panel, n=6, horizon=30, seed=1, bars=bars)
        made = GBM().paths(departure.shared, n=6, horizon=30, seed=1, bars=bars is not False)
        np.testing.assert_allclose(found.paths, by_plain_loop(departure, made)[0], rtol=1e-9)
    at_close = Stopped(universe=("^GSPC",), fast=5, slow=20)
    usual, without, with_ = (
        evaluate_in_worlds(at_close, GBM(), panel, n=6, horizon=30, seed=1, bars=bars) for bars in (None, False, True)
    )
    np.testing.assert_array_equal(usual.paths, without.paths)
    np.testing.assert_array_equal(usual.hold, with_.hold)
    assert not np.array_equal(usual.paths, with_.paths), "fills are at the open where there is one"


def test_what_was_done_before_it_was_cancelled_is_told(stocks: Panel) -> None:
    panel = stocks.select(["KO"]).tail(600)
    strategy, seen = MACross(fast=5, slow=20), []

    def stop() -> bool:
        return len(seen) >= 1

    found = evaluate_in_worlds(
        strategy,
        GBM(),
        panel,
        n=40 * PART,
        horizon=5,
        workers=1,
        on_progress=lambda done, n: seen.append((done, n)),
        cancelled=stop,
    )
    assert seen[0] == (PART, 40 * PART)
    assert PART <= len(found.hold) < 40 * PART
    assert not found.complete
    assert len(found.returns) == len(found.hold)
    whole = evaluate_in_worlds(strategy, GBM(), panel, n=len(found.hold), horizon=5)
    assert whole.complete
    np.testing.assert_array_equal(found.returns, whole.returns)
    with pytest.raises(DataError, match="cancelled before any world"):
        evaluate_in_worlds(strategy, GBM(), panel, n=5, cancelled=lambda: True)


def test_there_must_be_a_world(stocks: Panel) -> None:
    with pytest.raises(DataError, match="n is 0"):
        evaluate_in_worlds(MACross(), GBM(), stocks.select(["KO"]), n=0)


def test_stops_that_cannot_be_watched_are_refused(stocks: Panel) -> None:
    two = Stopped(universe=("KO", "PEP"), fast=5, slow=20, stops=Stops(loss=0.01, watch="intrabar"))
    departure = Departure(two, (Variant(Costs(), two.stops),), stocks.select(two.inputs).tail(60), stocks)
    with pytest.raises(StrategyError, match="for one leg"):
        list(equities_in(departure, [stocks.select(two.inputs).tail(5)]))
    lost = Stopped(fast=5, slow=20, stops=Stops(spread_z=2.0))
    panel = stocks.select(["KO"])
    departure = Departure(lost, (Variant(Costs(), lost.stops),), panel.tail(60), panel)
    with pytest.raises(StrategyError, match="no spread"):
        list(equities_in(departure, [panel.tail(5)]))


def test_the_history_tells_where_every_account_stands(stocks: Panel) -> None:
    """A stop long ago that only the whole history knows of: the twin without it stands elsewhere."""
    n = 1500
    close = np.full(n, 100.0)
    close[200:] = 80.0
    close[200:] *= np.exp(np.linspace(0, 0.05, n - 200))
    panel = Panel.from_frames(pd.DataFrame({"KO": close}, index=pd.bdate_range("2015-01-01", periods=n)))
    strategy = Group(kind="outright", legs=("KO",), stops=Stops(loss=0.1))
    own, without = Variant.own(strategy, None), Variant(Costs(), Stops())
    tail = recent_history(strategy, panel, own, without)
    assert len(tail) == n, "any shorter history would have the stopped account in the market"
    departure = depart(strategy, panel, own, without)
    run = run_in_worlds(departure, GBM(window=500), n=3, horizon=5, seed=1)
    assert (run.accounts[0].returns == 0.0).all()
    assert (run.accounts[1].returns != 0.0).all()
