"""Sweeps through the session: stored once, found again, and made by a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from quantlib.costs import Costs
from quantlib.errors import DataError, StrategyError
from quantlib.store import StrategyRecord, read_runs, save_runs, save_strategies
from quantlib.store.job_worker import RunningJob
from quantlib.strategies import MACross
from quantlib.strategies.from_file import load_source
from quantlib.workflows.jobs import job
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.sweeping import MOST, start_sweep, sweep_result, sweep_strategy, sweeps
from quantlib.workflows.trading_costs import usual_costs
from quantlib.workflows.worker import run_job

KO = MACross(universe=("KO",), fast=10, slow=50)
GRID = {"slow": [50, 80], "fast": [5, 10, 60]}


def test_a_sweep_is_stored_once_with_the_numbers_of_its_runs(lab: Session) -> None:
    told: list[tuple[int, int]] = []
    made = sweep_strategy(
        lab, KO, GRID, name="Coke", open_holdout=True, on_progress=lambda done, of: told.append((done, of))
    )
    assert told[-1] == (6, 6)
    assert (made.result.n_tried, len(made.result.invalid), made.result.done) == (5, 1, True)
    assert "shorter than the slow one" in made.result.invalid["reason"].iloc[0]
    row = made.result.table.query("fast == 10 and slow == 80").iloc[0]
    alone = backtest_strategy(lab, KO.model_copy(update={"slow": 80})).metrics["value"]
    for metric in ("total_return", "sharpe_ratio", "max_drawdown"):
        assert row[metric] == pytest.approx(alone[metric], rel=1e-9)

    again = sweep_strategy(
        lab, KO, GRID, name="Coke", open_holdout=True, on_progress=lambda *_: pytest.fail("It is stored already.")
    )
    assert again.id == made.id
    assert again.result.parameters == ("slow", "fast"), "in the order that was asked for"
    np.testing.assert_array_equal(again.result.table, made.result.table)
    assert again.result.pivot("fast", "slow").equals(made.result.pivot("fast", "slow"))
    assert [one.id for one in sweeps(lab, KO)] == [made.id]
    assert sweeps(lab, MACross()) == []


def test_a_job_makes_the_sweep_and_says_what_came_of_it(lab: Session) -> None:
    queued = start_sweep(lab, KO, {"slow": [30, 40]}, name="Coke", start=date(2018, 1, 2))
    assert start_sweep(lab, KO, {"slow": [30, 40]}, name="Coke", start=date(2018, 1, 2)).id == queued.id
    asked = job(lab, queued.id)
    run_job(lab, RunningJob(queued.id, asked["task"], asked["args"], 1, lambda: ""), say=lambda _: None)
    done = job(lab, queued.id)
    assert done["outcome"] == "done"
    assert done["said"].startswith("2 sets of Coke tried. Kept as sweep-")
    found = sweep_result(lab, done["said"].removesuffix(".").rsplit(" ", 1)[1])
    assert found.result.table["slow"].tolist() == [30, 40]


def test_what_cannot_be_swept_is_refused_before_it_is_queued(lab: Session) -> None:
    with pytest.raises(StrategyError, match="no parameter 'fats'"):
        start_sweep(lab, KO, {"fats": [1]})
    with pytest.raises(DataError, match=f"at most {MOST:,} are kept"):
        start_sweep(lab, KO, {"fast": range(1, 300), "slow": range(300, 400)})
    with pytest.raises(DataError, match="is not stored"):
        sweep_result(lab, "sweep-nothing")
    with pytest.raises(DataError, match=r"1e\+22 sets, too many to count"):
        start_sweep(lab, KO, {f"universe.{k}": range(10) for k in range(22)}, sample=10)


def test_a_sweep_keeps_what_it_ran_on(lab: Session) -> None:
    grid = {"slow": [45, 55]}
    usual = sweep_strategy(lab, KO, grid)
    dear = sweep_strategy(lab, KO, grid, costs=Costs(commission_bps=50.0), start=date(2019, 1, 2))
    assert (usual.costs, usual.start, usual.source) == (usual_costs(lab, ["KO"]), None, "sample")
    assert (dear.costs, dear.start, dear.source) == (Costs(commission_bps=50.0), date(2019, 1, 2), "sample")
    for made in (usual, dear):
        stored = sweep_result(lab, made.id)
        assert (stored.costs, stored.start, stored.source) == (made.costs, made.start, made.source)
    assert {usual.id, dear.id} <= {one.id for one in sweeps(lab, KO, "sample")}
    assert sweeps(lab, KO, "yahoo") == []
    assert len(sweeps(lab, KO, limit=1)) == 1


def test_over_too_few_sessions_for_a_sharpe_ratio_nothing_is_lost(lab: Session) -> None:
    short = MACross(universe=("PEP",), fast=10, slow=50)
    made = sweep_strategy(lab, short, {"fast": [5, 10, 60]}, start=date(2022, 12, 1), open_holdout=True)
    assert made.result.table["sharpe_ratio"].isna().all()
    assert (made.result.n_tried, len(made.result.invalid)) == (2, 1)
    stored = sweep_result(lab, made.id)
    assert stored.result.table.dtypes["sharpe_ratio"] == np.float64
    assert stored.result.table["total_return"].equals(made.result.table["total_return"])
    [record] = read_runs(lab.store, id=made.id)
    assert record.mlflow_run_id
    assert record.params["tried"] == 2


def test_one_that_cannot_be_read_is_left_out_and_says_why_when_asked_for(lab: Session) -> None:
    good = sweep_strategy(lab, KO, {"slow": [65, 75]})
    [record] = read_runs(lab.store, id=good.id)
    save_strategies(lab.store, [StrategyRecord("gone-0", "gone", "Gone", {})])
    save_runs(
        lab.store,
        [
            replace(record, id="sweep-old", params={**record.params, "grid": {"slow": [65, 75]}}),
            replace(record, id="sweep-gone", strategy_id="gone-0"),
        ],
    )
    assert good.id in {one.id for one in sweeps(lab, KO)}
    assert not {"sweep-old", "sweep-gone"} & {one.id for one in sweeps(lab)}
    with pytest.raises(DataError, match="stored in another form"):
        sweep_result(lab, "sweep-old")
    with pytest.raises(StrategyError, match="gone"):
        sweep_result(lab, "sweep-gone")


def test_a_strategy_out_of_a_file_is_found_again_by_the_one_at_hand(lab: Session) -> None:
    text = (
        "from typing import ClassVar\n\nfrom quantlib.strategies import MACross\n\n\n"
        "class Own(MACross):\n"
        '    """Cross."""\n\n'
        '    family: ClassVar[str] = "own_cross"\n    title: ClassVar[str] = "Own cross"\n\n\n'
        'strategy = Own(universe=("KO",), fast=10, slow=50)\n'
    )
    own = load_source(text, "own.py")
    made = sweep_strategy(lab, own, {"slow": [50, 60]})
    again = sweep_strategy(lab, own, {"slow": [50, 60]})
    assert (again.id, again.strategy) == (made.id, own)
    assert [one.id for one in sweeps(lab, own)] == [made.id]
