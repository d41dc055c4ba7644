"""Sweeps and searches: every row is the backtest of its set, whoever ran it, and nothing is held for long."""

from __future__ import annotations

import subprocess
import sys
import threading
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd
import pytest
from backtest.swept import assert_equal_to_runs, ma

from quantlib.backtest import run_strategy
from quantlib.backtest.search import search
from quantlib.backtest.sweep import sweep
from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.metrics import METRICS
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import READY, Group, MACross, Pair, Rotation, Strategy
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel

MANY = [key for key, metric in METRICS.items() if metric.kernel is not None and metric.made_from == "returns"]


@pytest.mark.parametrize("which", ["panel", "holes"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"costs": Costs(commission_bps=3, impact_bps=20), "lag": 2, "rebalance": "every_bar"},
        {"limits": Limits(max_weight=0.25, drawdown=0.05, cool_down=10), "cash": 5e4},
        {"execution": Execution(fill="close", cash_bps_per_year=200)},
        {"execution": Execution(limit_bps=5, whole_shares=True)},
    ],
)
def test_a_row_is_the_summary_of_its_backtest(which: str, how: dict[str, Any], request: pytest.FixtureRequest) -> None:
    panel = request.getfixturevalue(which)
    grid = {"fast": [3, 8], "slow": [20, 45], "allow_short": [False, True]}
    found = sweep(ma(panel), grid, panel, metrics=MANY, workers=2, **how)
    assert len(found.table) == 8
    assert_equal_to_runs(found, panel, **how)


def test_without_stops_of_the_call_it_is_what_run_strategy_gives(panel: Panel) -> None:
    pair = Pair(lookback=60)
    found = sweep(pair, {"entry": [1.0, 1.5]}, panel)
    for row, entry in enumerate((1.0, 1.5)):
        summary = run_strategy(Pair(lookback=60, entry=entry), panel).summary(samples=0)["value"]
        assert found.table.loc[row, "sharpe_ratio"] == pytest.approx(summary["sharpe_ratio"], rel=1e-9)


@pytest.mark.parametrize("which", ["panel", "holes"])
@pytest.mark.parametrize(
    "stops",
    [
        Stops(),
        Stops(loss=0.03, reentry="next"),
        Stops(trailing=0.03, profit=0.05, reentry=5),
        Stops(time=7),
        Stops(volatility=2.0),
        Stops(loss=0.02, profit=0.03, watch="intrabar"),
    ],
)
def test_by_symbol_every_symbol_trades_alone(which: str, stops: Stops, request: pytest.FixtureRequest) -> None:
    panel = request.getfixturevalue(which)
    limits = Limits(drawdown=0.1)
    found = sweep(ma(panel), {"fast": [3, 8], "slow": [20]}, panel, by="symbol", stops=stops, limits=limits)
    assert list(found.table["symbol"]) == list(panel.symbols) * 2
    assert found.definition(1).strategy.symbols == ("PEP",)
    assert found.definition(1).stops == stops
    assert_equal_to_runs(found, panel, limits=limits)


def test_costs_and_delisting_may_differ_by_symbol(panel: Panel) -> None:
    costs = {symbol: Costs(commission_bps=k) for k, symbol in enumerate(panel.symbols)}
    gone = {"PEP": panel.index[400].date()}
    found = sweep(ma(panel), {"slow": [20, 60]}, panel, by="symbol", costs=costs, delisted=gone)
    for row in found.table.index:
        one = found.definition(row)
        only = {s: d for s, d in gone.items() if s in one.strategy.symbols}
        result = run_strategy(one.strategy, panel.select(one.strategy.symbols), costs=costs, delisted=only)
        total = result.summary(samples=0).loc["total_return", "value"]
        assert found.table.loc[row, "total_return"] == pytest.approx(total, rel=1e-9)


def test_a_pair_goes_for_good_with_its_leg(panel: Panel) -> None:
    group = Group(legs=("KO", "PEP"), timing={"kind": "band", "entry": 1.0, "exit": 0.0, "lookback": 40})
    gone = {"PEP": panel.index[300].date()}
    found = sweep(group, {"timing.entry": [0.8, 1.0, 1.2]}, panel, delisted=gone)
    for row in found.table.index:
        result = run_strategy(found.definition(row).strategy, panel.select(("KO", "PEP")), delisted=gone)
        assert (result.shares.iloc[302:] == 0.0).all(axis=None)
        total = result.summary(samples=0).loc["total_return", "value"]
        assert found.table.loc[row, "total_return"] == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("strategy", [Pair(lookback=40), Rotation(universe=("KO", "PEP", "MSFT"), lookback=20)])
def test_every_family_can_be_swept_on_any_engine(strategy: Strategy, panel: Panel) -> None:
    first = "entry" if isinstance(strategy, Pair) else "top"
    grid = {"lookback": [20, 30, 40], first: [1, 2], "stops.loss": [None, 0.02], "stops.time": [10, 30]}
    ways = [("threads", 1), ("threads", 3), ("processes", 2)]
    one, two, three = (sweep(strategy, grid, panel, engine=e, workers=w) for e, w in ways)  # type: ignore[arg-type]
    assert_equal_to_runs(one, panel)
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)
    pd.testing.assert_frame_equal(one.table, three.table, check_exact=True)
    assert list(one.table[first]) == [values[1] for values in product(*grid.values())]


LEVELS = {"stops.loss": [None, 0.03], "capital": [0.5, 1.0]}


OF_READY: dict[str, dict[str, list[Any]]] = {
    "Large-cap trend": {"fast": [10, 20], "slow": [50, 100]},
    "Coke against Pepsi": {"entry": [1.0, 1.5], "lookback": [40, 60]},
    "Exxon against Chevron": {
        "timing.entry": [1.0, 1.5],
        "stops.spread_z": [None, 2.0],
        "hedge.method": ["ols", "tls"],
    },
    "Coke against Pepsi with drift": {"timing.lookback": [40, 60], "direction": ["both", "long"]},
    "Drug makers' fly": {"timing.entry": [1.0, 1.5], "min_hold": [0, 10]},
    "Sector switch": {"timing.lookback": [60, 90], **LEVELS},
    "Donchian channel": LEVELS,
    "RSI-2": {"timing.long": ["rsi(close, 2) < 10", "rsi(close, 2) < 30"], "stops.time": [None, 4]},
    "Momentum rotation": {"timing.top": [1, 3], **LEVELS},
    "Volatility-managed shares": {"volatility_target.annual": [0.08, 0.15], "hedge.lookback": [30, 63]},
    "Turn of the month": LEVELS,
}


@pytest.mark.parametrize("name", OF_READY)
def test_a_ready_definition_is_swept_as_it_is_run(name: str, stocks: Panel) -> None:
    ready, panel = READY[name], stocks.tail(650)
    found = sweep(ready, OF_READY[name], panel, metrics=MANY, workers=2)
    assert len(found.table["total_return"].unique()) > 1
    assert len(found.table) + len(found.invalid) == prod(map(len, OF_READY[name].values()))
    for row in found.table.index:
        strategy = found.definition(row).strategy
        summary = run_strategy(strategy, panel.select(strategy.inputs)).summary(samples=0)["value"]
        for key in MANY:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), (
                row,
                key,
            )


def test_symbols_weighed_against_each_other_have_no_account_of_their_own(panel: Panel) -> None:
    with pytest.raises(StrategyError, match="by='account'"):
        sweep(Pair(), {"entry": [1.0]}, panel, by="symbol")


def test_a_symbol_that_is_not_there_is_named(panel: Panel) -> None:
    with pytest.raises(StrategyError, match="'XOM' is not in the panel"):
        sweep(Pair(y="XOM"), {"entry": [1.0]}, panel)


class Later(Strategy):
    """Half of the first stock at a session, half of the second 100 sessions later."""

    family: ClassVar[str] = "later"
    title: ClassVar[str] = "Later"
    description: ClassVar[str] = "Buys two stocks one after the other."
    at: int = 100
    universe: tuple[str, ...] = ("KO", "PEP")

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.universe

    @property
    def warmup(self) -> int:
        return 1

    def decide(self, panel: Panel) -> pd.DataFrame:
        weights = pd.DataFrame(0.0, index=panel.index, columns=list(self.universe))
        for k, symbol in enumerate(self.universe):
            weights.loc[panel.index[self.at + 100 * k :], symbol] = 0.5
        return weights


@pytest.mark.parametrize("costs", [Costs(), Costs.free()])
def test_a_record_begins_with_the_first_fill_not_with_a_decision_on_what_is_gone(panel: Panel, costs: Costs) -> None:
    gone = {"KO": panel.index[50].date()}
    found = sweep(Later(), {"at": [100, 150]}, panel, costs=costs, delisted=gone, metrics=MANY)
    for row, at in enumerate((100, 150)):
        result = run_strategy(Later(at=at), panel, costs=costs, delisted=gone)
        assert result.trades["ts"].iloc[0] == panel.index[at + 101]
        summary = result.summary(samples=0)["value"]
        for key in MANY:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), key


@pytest.mark.parametrize("by", ["account", "symbol"])
@pytest.mark.parametrize("execution", [Execution(fill="close"), Execution(whole_shares=True)])
def test_a_record_begins_with_the_first_fill_where_fills_cost_nothing(
    holes: Panel, execution: Execution, by: Literal["account", "symbol"]
) -> None:
    how: dict[str, Any] = {"costs": Costs.free(), "execution": execution}
    found = sweep(ma(holes), {"fast": [3, 8]}, holes, metrics=MANY, by=by, stops=Stops(loss=0.05), **how)
    assert_equal_to_runs(found, holes, **how)


def test_a_fill_too_dear_for_the_account_is_no_beginning(panel: Panel) -> None:
    dear = Costs(impact_bps=10_000)  # an order of many days' volume costs more than there is
    volume = panel.frame("close") * 0.0 + 10.0
    volume.iloc[150:] = 1e9
    thin = Panel.from_frames(panel.frame("close"), volume=volume)
    assert run_strategy(Later(), thin, costs=dear).trades["ts"].iloc[0] > panel.index[150]
    found = sweep(Later(at=100), {"at": [100]}, thin, costs=dear, metrics=MANY)
    assert_equal_to_runs(found, thin, costs=dear)


def test_a_delisted_symbol_that_is_not_there_is_named_by_sweep_and_search(panel: Panel) -> None:
    gone = {"KOO": panel.index[300].date()}
    with pytest.raises(DataError, match=r"'KOO' is delisted but not in the panel\. Did you mean KO"):
        sweep(ma(panel), {"fast": [3]}, panel, delisted=gone)
    with pytest.raises(DataError, match="'KOO' is delisted"):
        search(ma(panel), {"fast": [3, 4]}, panel, trials=2, delisted=gone)


def test_accounts_by_symbol_refuse_a_universe_that_varies(panel: Panel) -> None:
    grid = {"universe": [("KO",), ("KO", "PEP")]}
    with pytest.raises(StrategyError, match=r"by='symbol' gives every symbol.*'universe' cannot vary"):
        sweep(ma(panel), grid, panel, by="symbol")
    assert sweep(ma(panel), grid, panel).n_tried == 2


def test_progress_counts_sets_and_cancelling_keeps_what_is_done(panel: Panel) -> None:
    seen: list[tuple[int, int]] = []
    grid = {"fast": list(range(1, 11)), "slow": list(range(20, 40))}
    whole = sweep(ma(panel), grid, panel, on_progress=lambda done, n: seen.append((done, n)))
    assert seen[-1] == (200, 200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    stop = threading.Event()
    part = sweep(ma(panel), grid, panel, workers=1, on_progress=lambda *_: stop.set(), cancelled=stop.is_set)
    assert 0 < part.n_tried < 200
    assert part.asked == 200
    assert not part.done
    pd.testing.assert_frame_equal(part.table, whole.table.head(part.n_tried))


def test_a_fault_of_ours_is_not_taken_for_an_invalid_set(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: MACross, panel: Panel, memo: Memo) -> FloatArray:
        raise ZeroDivisionError

    monkeypatch.setattr(MACross, "weights", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(ma(panel), {"slow": [20, 30]}, panel, workers=1)
    assert "'slow': 20" in caught.value.__notes__[0]


MEMORY = """
import sys
from pathlib import Path
from skfolio.datasets import load_sp500_dataset
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.strategies import Pair
from quantlib.types import Panel

panel = Panel.from_frames(load_sp500_dataset())
def sets(n):
    return {"lookback": range(20, 20 + n // 50), "entry": [1 + k / 10 for k in range(10)], "exit": [0, .1, .2, .3, .4]}
def most():  # of this process alone: what `getrusage` says begins with the size of whoever started it
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
sweep(Pair(), sets(50), panel, workers=2)
before = most()
found = sweep(Pair(), sets(int(sys.argv[1])), panel, workers=2)
print(found.n_tried, before, most())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux says of a process")
def test_memory_does_not_grow_with_the_sets(tmp_path: Path) -> None:
    script = tmp_path / "memory.py"
    script.write_text(MEMORY)
    said = subprocess.run(
        [sys.executable, script, "500"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    tried, before, after = map(int, said.stdout.split())
    assert tried == 500
    # 500 sets of targets over 8,313 days would be 66 MB; in KiB.
    assert after < 1024 * 1024
    assert after - before < 40 * 1024
