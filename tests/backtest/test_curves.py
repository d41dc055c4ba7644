"""What is kept of an account for the ledger: moments and growth, the same from a sweep as from a backtest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.backtest import Between, run_strategy, search, sweep
from quantlib.backtest.curves import MOMENTS, RUIN, Traces, edges, traces_nb
from quantlib.backtest.result import active_returns
from quantlib.costs import Costs
from quantlib.errors import StrategyError
from quantlib.metrics import excess_kurtosis, skewness
from quantlib.strategies import MACross
from quantlib.types import Panel

GRID = {"fast": [5, 20], "slow": [20, 60]}
COSTS = Costs(commission_bps=1.0, half_spread_bps=2.0)


@pytest.fixture(scope="module")
def walk() -> pd.Series:
    rng = np.random.default_rng(3)
    returns = 0.01 * rng.standard_t(4, size=700)
    return pd.Series(1e6 * np.cumprod(1 + returns), pd.bdate_range("2010-01-04", periods=700))


def test_moments_are_those_of_the_returns(walk: pd.Series) -> None:
    first = 40
    found = Traces.of(walk.to_numpy()[None, :], np.array([first]), 96)
    returns = walk.pct_change().iloc[first:]
    moments = dict(zip(MOMENTS, found.moments[0], strict=True))
    assert moments == pytest.approx(
        {
            "n": 660,
            "mean": returns.mean(),
            "sd": returns.std(),
            "skew": skewness(returns),
            "kurtosis": excess_kurtosis(returns) + 3.0,
            "sharpe": returns.mean() / returns.std(),
        },
        rel=1e-10,
    )


@pytest.mark.parametrize("buckets", [1, 7, 96, 699, 5000])
def test_growth_adds_up_bucket_by_bucket(walk: pd.Series, buckets: int) -> None:
    growth = Traces.of(walk.to_numpy()[None, :], np.array([0]), buckets).growth
    assert growth.shape == (1, min(buckets, 699))
    marks = edges(700, growth.shape[1])
    assert (marks[0], marks[-1]) == (0, 699)
    assert np.ptp(np.diff(marks)) <= 1, "parts as equal as can be"
    np.testing.assert_allclose(growth[0], np.diff(np.log(walk.to_numpy()[marks])), atol=1e-7)


def test_python_and_compiled_agree(walk: pd.Series) -> None:
    equity = np.stack([walk.to_numpy(), np.full(700, 1e6), np.linspace(1e6, -1e6, 700)])
    first = np.array([0, 0, 31])
    np.testing.assert_allclose(traces_nb(equity, first, 12), traces_nb.py_func(equity, first, 12), rtol=1e-12)


def test_ruin_and_idleness_are_numbers_too() -> None:
    equity = np.array([[1e6] * 50, [1e6] * 20 + [-5.0] * 30])
    found = Traces.of(equity, np.array([0, 10]), 49)
    np.testing.assert_array_equal(found.moments[0, :3], [50, 0, 0])
    assert np.isnan(found.moments[0, 3:]).all()
    assert not found.growth[0].any()
    assert found.growth[1].sum() == pytest.approx(np.log(RUIN))
    short = Traces.of(equity[:, :20], np.array([0, 10]), 96)
    assert np.isnan(short.moments[:, 3:]).all(), "too few returns"
    one = Traces.of(equity[:, :1], np.array([0, 0]), 96)
    assert one.growth.shape == (2, 0)
    assert np.isnan(one.moments[:, 2]).all()


def test_a_sweep_keeps_what_the_backtest_of_each_set_leaves(small: Panel) -> None:
    strategy = MACross(universe=("KO", "PEP"))
    told: list[tuple[dict[str, Any], Traces | str]] = []
    found = sweep(
        strategy,
        GRID,
        small,
        costs=COSTS,
        curves=30,
        on_found=lambda sets, traces: told.extend(zip(map(dict, sets), traces, strict=True)),
    )
    assert len(told) == 4
    assert [one for one, trace in told if isinstance(trace, str)] == [{"fast": 20, "slow": 20}]
    kept = [trace for _, trace in told if isinstance(trace, Traces)]
    assert found.traces is not None
    assert found.traces.growth.dtype == np.float32
    for row in range(len(found.table)):
        result = run_strategy(found.definition(row).strategy, small, costs=COSTS)
        alone = Traces.of_result(result, 30)
        np.testing.assert_allclose(found.traces.moments[row], alone.moments[0], rtol=1e-7)
        np.testing.assert_allclose(found.traces.growth[row], alone.growth[0], atol=1e-6)
        np.testing.assert_array_equal(kept[row].growth[0], found.traces.growth[row])
        assert alone.moments[0, 0] == len(active_returns(result))
        year = found.table["sharpe_ratio"].iloc[row] / np.sqrt(252)
        assert found.traces.moments[row, 5] == pytest.approx(year, rel=1e-9)
    plain = sweep(strategy, GRID, small, costs=COSTS)
    assert plain.traces is None
    pd.testing.assert_frame_equal(plain.table, found.table)


def test_every_account_of_a_set_has_its_own(small: Panel) -> None:
    found = sweep(MACross(universe=("KO", "PEP")), {"fast": [5, 10]}, small, by="symbol", curves=10)
    assert found.traces is not None
    assert found.traces.moments.shape == (4, 6)
    frame = found.traces.frame(small.index, list("abcd"))
    assert frame.shape == (4, 10)
    assert frame.columns[-1] == f"{small.index[-1]:%Y-%m-%d}"


def test_a_search_tells_before_and_after_each_batch(small: Panel) -> None:
    said: list[tuple[str, int]] = []
    found = search(
        MACross(universe=("KO",)),
        {"fast": Between(5, 15), "slow": [30, 60]},
        small,
        trials=10,
        curves=20,
        on_begin=lambda sets: said.append(("begin", len(sets))),
        on_found=lambda sets, traces: said.append(("found", len(traces))),
    )
    assert said == [("begin", 8), ("found", 8), ("begin", 2), ("found", 2)]
    assert found.traces is not None
    assert len(found.traces.moments) == len(found.table) == 10


def test_less_than_no_curves_are_refused(small: Panel) -> None:
    with pytest.raises(StrategyError, match="curves is -1"):
        sweep(MACross(universe=("KO",)), {"fast": [5]}, small, curves=-1)
