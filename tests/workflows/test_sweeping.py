"""Sweeps through the session: stored once, found again, and made by a job."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from quantlib.errors import DataError, StrategyError
from quantlib.store.job_worker import RunningJob
from quantlib.strategies import MACross
from quantlib.workflows.jobs import job
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.sweeping import MOST, start_sweep, sweep_result, sweep_strategy, sweeps
from quantlib.workflows.worker import run_job

KO = MACross(universe=("KO",), fast=10, slow=50)
GRID = {"slow": [50, 80], "fast": [5, 10, 60]}


def test_a_sweep_is_stored_once_with_the_numbers_of_its_runs(lab: Session) -> None:
    told: list[tuple[int, int]] = []
    made = sweep_strategy(lab, KO, GRID, name="Coke", on_progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (6, 6)
    assert (made.result.n_tried, len(made.result.invalid), made.result.done) == (5, 1, True)
    assert "shorter than the slow one" in made.result.invalid["reason"].iloc[0]
    row = made.result.table.query("fast == 10 and slow == 80").iloc[0]
    alone = backtest_strategy(lab, KO.model_copy(update={"slow": 80})).metrics["value"]
    for metric in ("total_return", "sharpe_ratio", "max_drawdown"):
        assert row[metric] == pytest.approx(alone[metric], rel=1e-9)

    again = sweep_strategy(lab, KO, GRID, name="Coke", on_progress=lambda *_: pytest.fail("It is stored already."))
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
