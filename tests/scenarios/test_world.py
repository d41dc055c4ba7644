from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.scenarios import (
    Scenario,
    complete,
    completed_worlds,
    make_scenario,
    read_scenarios,
    scenario_costs,
    scenario_worlds,
)
from quantlib.types import Panel

DATA = Path(__file__).resolve().parents[2] / "data" / "scenarios"


def scenario(sessions: int = 6, change: float | None = -0.2, **more: object) -> Scenario:
    fields = {
        "schema_version": 1,
        "id": "test",
        "title": "A test",
        "kind": "hypothetical",
        "story": "Shares fall, for the sake of a test.",
        "source": "Own assumption.",
        "sessions": sessions,
        "shocks": [] if change is None else [{"asset": "KO", "change": change}],
    }
    return make_scenario({**fields, **more})


def logs(world: Panel, panel: Panel) -> np.ndarray:
    """Return log moves from the panel's last close [sessions, N]."""
    return np.log(world.close / panel.close[-1])


def test_one_world_is_the_conditional_mean_along_the_path(small):
    done = complete(small, scenario(path="linear"))
    (world,) = scenario_worlds(small, scenario(path="linear"))
    full = np.log1p(done.table["shock"].to_numpy())
    assert logs(world, small) == pytest.approx(np.outer(np.arange(1, 7) / 6, full))
    assert world.close[-1, 0] / small.close[-1, 0] - 1 == pytest.approx(-0.2)
    assert world.symbols == small.symbols
    assert world.index.equals(small.next_sessions(6))
    assert np.isnan(world.high).all()
    assert world.source == "scenario: test"
    assert len(small.append(world)) == len(small) + 6


@pytest.mark.parametrize(
    ("more", "at", "expected"),
    [
        ({"path": "gap"}, 0, -0.2),
        ({"path": "gap"}, 5, -0.2),
        ({"path": "front_loaded"}, 0, 0.8 ** (11 / 36) - 1),
        ({"path": "crash_then_recover", "recovers": 1.0}, 1, -0.2),
        ({"path": "crash_then_recover", "recovers": 1.0}, 5, 0.0),
        ({"path": [0.1, 1.5, 0.2, 0.9, 1, 1]}, 1, 0.8**1.5 - 1),
    ],
)
def test_with_noise_what_is_named_stands_where_it_is_pinned(small, more, at, expected):
    worlds = list(scenario_worlds(small, scenario(**more), n=3, seed=4))
    moved = np.array([world.close[at] / small.close[-1] - 1 for world in worlds])
    assert scenario(**more).shares()[at] == pytest.approx(np.log1p(expected) / np.log(0.8), abs=1e-12)
    if at + 1 in scenario(**more).pinned():
        assert moved[:, 0] == pytest.approx(expected, abs=1e-12)
    else:
        assert np.ptp(moved[:, 0]) > 0
    assert np.ptp(moved[:, 1]) > 1e-4  # the rest is free


def test_worlds_end_by_the_conditional_law(small):
    done = complete(small, scenario(5))
    ends = np.array([logs(w, small)[-1] for w in completed_worlds(small, done, n=1500, seed=1)])
    expected = 5 * done.residual
    error = np.sqrt(np.diag(expected)[1:] / len(ends))
    assert (np.abs(ends.mean(axis=0) - np.log1p(done.table["shock"].to_numpy()))[1:] < 4 * error).all()
    assert np.cov(ends[:, 1:].T) == pytest.approx(expected[1:, 1:], rel=0.12)
    low, high = np.quantile(np.expm1(ends[:, 1]), [0.025, 0.975])
    assert done.table.loc["PEP", ["low", "high"]].to_list() == pytest.approx([low, high], abs=0.005)


def test_on_the_way_it_is_a_bridge(small):
    done = complete(small, scenario(8, change=0.0))
    middle = np.array([logs(w, small)[3] for w in completed_worlds(small, done, n=1500, seed=2)])
    # What is named has the variance of a bridge, t (T - t) / T; the rest what is left beside it.
    assert middle[:, 0].var() == pytest.approx(2 * done.covariance[0, 0], rel=0.1)
    assert middle[:, 1].var() == pytest.approx(
        4 * done.covariance[1, 1] - 2 * done.gain[1, 0] ** 2 * done.covariance[0, 0], rel=0.1
    )


def test_a_world_depends_on_its_number_and_the_seed_alone(small):
    def closes(**more: int) -> list[np.ndarray]:
        return [w.close for w in scenario_worlds(small, scenario(), noise=True, **more)]

    ten = closes(n=10, seed=3)
    assert (closes(n=4, seed=3, first=2)[0] == ten[2]).all()
    assert (closes(n=1, seed=3)[0] == ten[0]).all()
    assert not (closes(n=1, seed=4)[0] == ten[0]).all()


def test_a_law_alone_is_drawn(small):
    history = np.diff(np.log(small.close), axis=0)
    worlds = scenario_worlds(small, scenario(2000, None, law={"volatility": 2}))
    moved = np.diff(logs(next(worlds), small), axis=0)
    assert moved.std(axis=0) == pytest.approx(2 * history.std(axis=0), rel=0.06)
    assert np.corrcoef(moved.T) == pytest.approx(np.corrcoef(history.T), abs=0.06)
    together = scenario_worlds(small, scenario(50, None, law={"correlation": "one"}), seed=1)
    moved = np.diff(logs(next(together), small), axis=0)
    assert np.corrcoef(moved.T) == pytest.approx(1.0)
    assert moved[:, 1] / moved[:, 0] == pytest.approx(np.full(49, history[:, 1].std() / history[:, 0].std()))


def test_volume_goes_on_with_the_liquidity_that_is_left(ohlcv, small):
    halved = scenario(3, None, law={"liquidity": 0.5})
    (world,) = scenario_worlds(ohlcv, halved)
    assert world.volume[:, 0] == pytest.approx(np.full(3, ohlcv.volume[-20:, 0].mean() / 2))
    (world,) = scenario_worlds(small, halved)
    assert np.isnan(world.volume).all()


def test_costs_rise_as_liquidity_falls():
    costs = Costs(half_spread_bps=2, assumed_participation=0.01)
    thin = scenario_costs(costs, scenario(3, None, law={"liquidity": 0.25}))
    assert thin == Costs(half_spread_bps=8, assumed_participation=0.04)
    assert thin.usual_side - thin.per_side == pytest.approx(2 * (costs.usual_side - costs.per_side))
    assert scenario_costs({"KO": costs}, scenario(3)) == {"KO": costs}


def test_the_calendar_is_that_of_the_symbols_together(small):
    days = pd.date_range("2020-01-01", periods=700)
    generator = np.random.default_rng(0)
    coin = pd.Series(np.exp(np.cumsum(generator.normal(0, 0.03, 700))), index=days)
    share = pd.Series(np.exp(np.cumsum(generator.normal(0, 0.01, 700))), index=days).where(days.day_of_week < 5)
    fall = scenario(4, None, shocks=[{"factor": "crypto", "change": -0.6}])
    (alone,) = scenario_worlds(Panel.from_frames(pd.DataFrame({"BTC-USD": coin})), fall)
    assert (alone.index == pd.date_range("2021-12-01", periods=4)).all()
    (beside,) = scenario_worlds(Panel.from_frames(pd.DataFrame({"BTC-USD": coin, "KO": share})), fall)
    assert (beside.index == pd.bdate_range("2021-12-01", periods=4)).all()
    assert beside.close[-1, 0] == pytest.approx(coin.iloc[-1] * 0.4)


def test_a_series_that_stopped_goes_on_from_its_last_close(small):
    frame = small.frame()
    frame.iloc[-2:, 1] = np.nan
    (world,) = scenario_worlds(Panel.from_frames(frame), scenario(1, change=0.0))
    assert world.close[0] == pytest.approx([small.close[-1, 0], small.close[-3, 1], small.close[-1, 2]])
    assert world.index[0] > small.index[-1]


def test_bad_counts_and_other_panels_are_refused(small, stocks):
    for name, value in (("n", 0), ("seed", -1), ("first", 1.5), ("n", True)):
        with pytest.raises(DataError, match=f"{name} is {value}"):
            scenario_worlds(small, scenario(), **{name: value})
    with pytest.raises(DataError, match="was completed for KO, PEP, MSFT"):
        completed_worlds(stocks, complete(small, scenario()))


def test_every_scenario_that_comes_with_the_workbench_makes_worlds_of_shares(stocks):
    panel = stocks.select(["KO", "JPM", "AAPL"]).tail(600)
    made = 0
    for one in read_scenarios(DATA).values():
        if not one.law.changed and not any(shock.factor == "equities" for shock in one.shocks):
            continue
        for world in scenario_worlds(panel, one, n=2, seed=1):
            assert len(world) == one.sessions
            assert np.isfinite(world.close).all()
        made += 1
    assert made >= 22
