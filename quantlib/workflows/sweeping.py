"""Sweeps as jobs: started from a page or the command line, done by a worker, found again whenever it is looked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import prod
from typing import Any

import pandas as pd

from quantlib.backtest.curves import BUCKETS
from quantlib.backtest.sweep import sweep
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.compute import Engine
from quantlib.costs import AnyCosts, Costs, costs_record
from quantlib.errors import DataError
from quantlib.store import RunRecord, read_strategies, save_runs
from quantlib.store.jobs import Queued
from quantlib.strategies import Strategy, build
from quantlib.types import Panel
from quantlib.workflows.extras import versions_read
from quantlib.workflows.holdout import end_before_holdout
from quantlib.workflows.jobs import start_job
from quantlib.workflows.ledger import is_done, recorded, sets_recorded, sweep_trial
from quantlib.workflows.logged import Logged
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.research import strategy_panel
from quantlib.workflows.run_records import (
    best_sets,
    costs_from,
    definition,
    idea_of,
    readable_runs,
    remember_strategy,
    run_of_kind,
    stored_run,
    tags_of,
)
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

METRICS = ("total_return", "cagr", "volatility", "sharpe_ratio", "max_drawdown")
MOST = 20_000
"""Sets of one sweep that are kept: their table is stored in one piece."""


@dataclass(frozen=True)
class StoredSweep:
    """A sweep that was made.

    Parameters
    ----------
    id
        Hash of everything that went in.
    name, strategy
        What it varies.
    result
        What it found.
    as_of
        The last session it used.
    costs
        What trading cost, by symbol where each had its own.
    start
        The first session that was asked for; None where it was the first there is.
    source
        Whose prices it used.
    """

    id: str
    name: str
    strategy: Strategy
    result: SweepResult
    as_of: date
    costs: AnyCosts
    start: date | None
    source: str


def start_sweep(
    session: Session,
    strategy: Strategy,
    grid: Mapping[str, Sequence[Any]],
    *,
    name: str | None = None,
    start: date | None = None,
    costs: Costs | None = None,
    sample: int | None = None,
    idea: str | None = None,
    open_holdout: bool = False,
    reason: str = "asked for",
) -> Queued:
    """Return the number of the job that will run a strategy for every set of a grid, or for a sample of them.

    Raises
    ------
    StrategyError
        The grid names a parameter the family does not have.
    DataError
        There are more sets than are kept, or than can be counted.
    """
    args = sweep_args(strategy, grid, name, start, costs, sample, idea or session.idea, open_holdout)
    return start_job(session, "sweep", args, reason=reason)


def sweep_args(
    strategy: Strategy,
    grid: Mapping[str, Sequence[Any]],
    name: str | None = None,
    start: date | None = None,
    costs: Costs | None = None,
    sample: int | None = None,
    idea: str | None = None,
    open_holdout: bool = False,
) -> dict[str, Any]:
    """Return the arguments of the task "sweep", checked as far as it goes without prices."""
    sets = prod(Grid.of(strategy, grid).shape)
    if sets >= 2**63:  # no sample is drawn from them either
        raise DataError(f"The grid has {sets:.3g} sets, too many to count. Give fewer values.")
    if min(sets, sample or sets) > MOST:
        raise DataError(f"The grid has {sets:,} sets; at most {MOST:,} are kept. Give fewer values, or draw a sample.")
    given: dict[str, Any] = {"name": name, "start": None if start is None else start.isoformat(), "sample": sample}
    given |= {"idea": idea, "open_holdout": open_holdout or None}
    return {
        "family": strategy.family,
        "params": strategy.model_dump(mode="json"),
        "grid": _pairs(grid),
        **({"costs": costs.model_dump()} if costs is not None else {}),
        **{key: value for key, value in given.items() if value is not None},
    }


def sweep_strategy(
    session: Session,
    strategy: Strategy,
    grid: Mapping[str, Sequence[Any]],
    *,
    name: str | None = None,
    start: date | None = None,
    costs: AnyCosts | None = None,
    sample: int | None = None,
    open_holdout: bool = False,
    engine: Engine = "threads",
    on_progress: Callable[[int, int], None] | None = None,
) -> StoredSweep:
    """Return a sweep over stored prices, stored, logged and counted; the same sweep on the same data is made once.

    Its sets are choices, so they are made on what comes before the hold-out unless that is opened.

    Parameters
    ----------
    name
        What people call the strategy; by default the family's title.
    start
        First session; by default the first there is.
    costs
        None takes the defaults of each symbol's kind of instrument.
    sample
        How many sets to draw from the grid, with the session's seed.
    open_holdout
        Whether to use the hold-out too; that is counted.
    engine
        Where the sets are run.
    on_progress
        Called with (sets done, all sets).

    Raises
    ------
    DataError
        The span lies in the hold-out, which is not opened.
    """
    if engine == "ray" and session.origin != "pipeline":
        session = session.asked(origin="ray")
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    name, seed = name or strategy.title, session.settings.seed
    read, end = versions_read(session, strategy), None if open_holdout else end_before_holdout(session, start)
    panel = strategy_panel(session, strategy, start, end, versions=read.get("models"))
    key = {
        "strategy": strategy.id,
        "grid": _pairs(grid),
        "snapshot": panel.snapshot_id,
        "costs": costs_record(costs),
        "sample": sample,
        "seed": seed,
        "code": code_version(),
        **read,
    }
    run_id = content_id("sweep", key)
    content = {"grid": key["grid"], "sample": sample, "seed": seed}
    parent = sweep_trial(session, "sweep", strategy, panel, name=name, costs=costs, content=content)
    if (made := stored_run(session, run_id)) is not None and is_done(session, parent):
        with recorded(session, parent):  # asked for once more
            return _read(session, made, strategy)
    space = Grid.of(strategy, grid)
    with sets_recorded(session, parent, space, panel) as (running, tried):
        sets = [space.at(place) for place in space.drawn(sample, seed).tolist()]
        tried.begin(sets)
        found = sweep(
            strategy,
            grid,
            panel,
            costs=costs,
            metrics=METRICS,
            curves=BUCKETS,
            sample=sample,
            seed=seed,
            engine=engine,
            on_progress=on_progress,
            on_found=tried.found,
        )
        stored = _store(session, run_id, name, found, panel, key, start, tried.done)
        running.run_id, running.mlflow_run_id = run_id, stored
    return StoredSweep(run_id, name, strategy, found, panel.index[-1].date(), costs, start, panel.source)


def _store(
    session: Session,
    run_id: str,
    name: str,
    found: SweepResult,
    panel: Panel,
    key: Mapping[str, Any],
    start: date | None,
    trials: Sequence[str],
) -> str:
    """Return the run in MLflow of a sweep, logged and stored: its table, and the growth of all sets as one file."""
    strategy = found.grid.strategy
    # Over few sessions no Sharpe ratio is known, and then no set is the best.
    best = found.best() if found.table["sharpe_ratio"].notna().any() else pd.Series(dtype=float)
    params = {
        "name": name, "grid": key["grid"], "sample": key["sample"], "costs": key["costs"], "source": panel.source,
        "start": None if start is None else start.isoformat(), "tried": found.n_tried, "data_grade": panel.grade,
        **{term: key[term] for term in ("models",) if term in key},
    }  # fmt: skip
    mlflow_run_id = session.tracker.log(
        Logged(
            name=f"{name}, {found.n_tried} sets",
            kind="sweep",
            idea=idea_of(session, strategy),
            params={"strategy_id": strategy.id, "seed": key["seed"], **params},
            metrics={f"best_{metric}": float(best[metric]) for metric in METRICS if metric in best},
            tags=tags_of(panel, strategy),
            texts={"strategy.json": definition(strategy)},
            frames={"sweep.csv": found.table, "invalid.csv": found.invalid, **_curves(found, panel, trials)},
            data=panel,
            children=best_sets(found, trials),
        )
    )
    remember_strategy(session, name, strategy)
    record = RunRecord(
        id=run_id,
        kind="sweep",
        strategy_id=strategy.id,
        as_of=panel.index[-1].date(),
        snapshot_id=panel.snapshot_id,
        code_version=code_version(),
        seed=key["seed"],
        params=params,
        metrics={"table": _columns(found.table), "invalid": _columns(found.invalid), "asked": found.asked},
        mlflow_run_id=mlflow_run_id,
    )
    save_runs(session.store, [record])
    return mlflow_run_id


def _curves(found: SweepResult, panel: Panel, trials: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the growth of all sets as a file of one row a set, under the ids of its trials."""
    return {} if found.traces is None else {"curves.parquet": found.traces.frame(panel.index, trials)}


def sweeps(
    session: Session, strategy: Strategy | None = None, source: str | None = None, *, limit: int = 20
) -> list[StoredSweep]:
    """Return the sweeps that were made around a strategy, or all, on a source's prices, or any; the newest first.

    One that cannot be read is left out; `sweep_result` says why.
    """
    return readable_runs(session, "sweep", lambda record: _read(session, record, strategy), strategy, source, limit)


def sweep_result(session: Session, id: str) -> StoredSweep:  # noqa: A002  the field's name everywhere
    """Return a stored sweep.

    Raises
    ------
    DataError
        There is none with that id, or it was stored in another form.
    StrategyError
        Its strategy is no longer accepted.
    """
    return _read(session, run_of_kind(session, id, "sweep"))


def _read(session: Session, record: RunRecord, strategy: Strategy | None = None) -> StoredSweep:
    """Return a sweep from its record, around the strategy at hand; without one it is built from what is stored."""
    try:
        if strategy is None:
            [base] = read_strategies(session.store, [str(record.strategy_id)])
            strategy = build(base.family, base.params)
        grid = Grid.of(strategy, dict(record.params["grid"]))
        varied = [parameter for parameter, _ in record.params["grid"]]
        # The database keeps the columns, not their order, and what is unknown as None.
        table = pd.DataFrame(record.metrics["table"])[[*varied, *METRICS]].astype(dict.fromkeys(METRICS, "float64"))
        invalid = pd.DataFrame(record.metrics["invalid"])[[*varied, "reason"]]
        result = SweepResult(table, invalid, METRICS, int(record.metrics["asked"]), grid)
        name, costs, start = record.params["name"], costs_from(record.params["costs"]), record.params["start"]
        since = None if start is None else date.fromisoformat(start)
        return StoredSweep(record.id, name, strategy, result, record.as_of, costs, since, record.params["source"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"Sweep {record.id!r} was stored in another form and cannot be read ({type(error).__name__}: {error}). "
            "Make it again."
        ) from error


def _pairs(grid: Mapping[str, Sequence[Any]]) -> list[tuple[str, list[Any]]]:
    """Return a grid as it is stored: JSON objects do not keep their order."""
    return [(parameter, list(values)) for parameter, values in grid.items()]


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a table as lists by column, with what is unknown as None."""
    return {str(name): column.astype(object).where(column.notna(), None).tolist() for name, column in table.items()}
