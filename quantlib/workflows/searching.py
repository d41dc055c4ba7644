"""A search through the session: every set it tries is written down before it runs, and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from quantlib.backtest.curves import BUCKETS
from quantlib.backtest.search import Between, search
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.compute import Engine
from quantlib.costs import AnyCosts
from quantlib.strategies import Strategy
from quantlib.workflows.extras import versions_read
from quantlib.workflows.holdout import end_before_holdout
from quantlib.workflows.ledger import sets_recorded, sweep_trial
from quantlib.workflows.logged import Logged
from quantlib.workflows.research import strategy_panel
from quantlib.workflows.run_records import best_sets, definition, idea_of, tags_of
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs


def search_strategy(
    session: Session,
    strategy: Strategy,
    space: Mapping[str, Between | Sequence[Any]],
    *,
    objective: str = "sharpe_ratio",
    trials: int = 100,
    name: str | None = None,
    start: date | None = None,
    costs: AnyCosts | None = None,
    open_holdout: bool = False,
    engine: Engine = "threads",
    on_progress: Callable[[int, int], None] | None = None,
) -> SweepResult:
    """Return every set that a search with the session's seed tried before the hold-out; logged, and counted.

    Parameters
    ----------
    space, objective, trials
        As in `quantlib.backtest.search`.
    name, start, costs, open_holdout, engine, on_progress
        As in `quantlib.workflows.sweeping.sweep_strategy`.

    Raises
    ------
    StrategyError
        A parameter or the objective is unknown, or none of the sets tried is valid.
    DataError
        The span lies in the hold-out, which is not opened.

    Examples
    --------
    >>> search_strategy(session, Pair(), {"entry": Between(1.0, 3.0)}, trials=50)  # doctest: +SKIP
    """
    if engine == "ray" and session.origin != "pipeline":
        session = session.asked(origin="ray")
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    name, seed = name or strategy.title, session.settings.seed
    read, end = versions_read(session, strategy), None if open_holdout else end_before_holdout(session, start)
    panel = strategy_panel(session, strategy, start, end, versions=read.get("models"))
    written = [(key, asdict(one) if isinstance(one, Between) else list(one)) for key, one in space.items()]
    content = {"space": written, "objective": objective, "trials": trials, "seed": seed}
    parent = sweep_trial(session, "search", strategy, panel, name=name, costs=costs, content=content)
    with sets_recorded(session, parent, Grid(strategy, {}), panel) as (running, tried):
        found = search(
            strategy,
            space,
            panel,
            objective=objective,
            trials=trials,
            seed=seed,
            costs=costs,
            curves=BUCKETS,
            engine=engine,
            on_progress=on_progress,
            on_begin=tried.begin,
            on_found=tried.found,
        )
        traces = {} if found.traces is None else {"curves.parquet": found.traces.frame(panel.index, tried.done)}
        logged = Logged(
            name=f"{name}, a search of {trials} sets",
            kind="search",
            idea=idea_of(session, strategy),
            params={"strategy_id": strategy.id, "source": panel.source, "data_grade": panel.grade, **content, **read},
            metrics={f"best_{objective}": float(found.best(objective)[objective])} if _known(found, objective) else {},
            tags=tags_of(panel, strategy),
            texts={"strategy.json": definition(strategy)},
            frames={"search.csv": found.table, "invalid.csv": found.invalid, **traces},
            data=panel,
            children=best_sets(found, tried.done, objective),
        )
        running.mlflow_run_id = session.tracker.log(logged)
    return found


def _known(found: SweepResult, objective: str) -> bool:
    """Return whether the objective is known of any set; over few sessions no ratio is."""
    return bool(found.table[objective].notna().any()) if len(found.table) else False
