"""Run records: what is kept of a run, in the database and in MLflow, beside its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult
from quantlib.backtest.sweep_result import SweepResult
from quantlib.charts import equity_curves
from quantlib.costs import AnyCosts, Costs, costs_record
from quantlib.errors import DataError, QuantError, nearest
from quantlib.metrics import METRICS
from quantlib.store import RunRecord, read_runs, read_strategies, save_strategies
from quantlib.strategies import Strategy
from quantlib.types import DateLike, Panel, as_date
from quantlib.validation import Verdict
from quantlib.workflows.definitions import record_of
from quantlib.workflows.logged import Child, Logged
from quantlib.workflows.model_card import strategy_card
from quantlib.workflows.provenance import code_version
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import costs_by_field

Read = TypeVar("Read")

TERMS = "run.json"
"""The file of a run that says all it takes to make it again."""
BEST_SETS = 10
"""Sets of a sweep that get a run of their own; all of them are in its table."""


def remember_strategy(session: Session, name: str, strategy: Strategy) -> None:
    """Store a definition under its id; storing it again, under another name too, changes nothing."""
    if strategy.id not in {record.id for record in read_strategies(session.store)}:
        save_strategies(session.store, [record_of(strategy, name)])


def definition(strategy: Strategy) -> str:
    """Return a strategy's family and parameters as JSON text, enough to build it again."""
    return json.dumps({"family": strategy.family, "params": strategy.model_dump(mode="json")}, indent=2)


def stored_run(session: Session, run_id: str) -> RunRecord | None:
    """Return the record of a run that was made before, or None."""
    return next(iter(read_runs(session.store, id=run_id)), None)


def run_of_kind(session: Session, run_id: str, kind: Literal["sweep", "validation"]) -> RunRecord:
    """Return the record of a sweep or a validation.

    Raises
    ------
    DataError
        There is none with that id.
    """
    record = stored_run(session, run_id)
    if record is None or record.kind != kind:
        known = [one.id for one in read_runs(session.store, kind=kind, metrics=False, limit=100)]
        raise DataError(f"{kind.capitalize()} {run_id!r} is not stored. {nearest(run_id, known)}")
    return record


def readable_runs(
    session: Session,
    kind: Literal["sweep", "validation"],
    read: Callable[[RunRecord], Read],
    strategy: Strategy | None,
    source: str | None,
    limit: int,
) -> list[Read]:
    """Return what `read` makes of the runs of a kind, the newest first, without those that cannot be read.

    Parameters
    ----------
    strategy, source
        Only runs of that strategy, and on that source's prices; None takes any.
    limit
        At most so many. Records are read one by one: each may be a whole table.
    """
    strategy_id = None if strategy is None else strategy.id
    found = read_runs(session.store, kind=kind, strategy_id=strategy_id, metrics=False)
    made: list[Read] = []
    for one in found:
        if len(made) == limit:
            break
        if source is None or one.params.get("source") == source:
            with suppress(QuantError):
                made.append(read(run_of_kind(session, one.id, kind)))
    return made


def tags_of(panel: Panel, strategy: Strategy | None = None) -> dict[str, str]:
    """Return the labels every logged run carries: data snapshot, source, grade, code version, as-of date, strategy."""
    tags = {"snapshot_id": panel.snapshot_id, "source": panel.source, "code_version": code_version()}
    tags |= {"as_of": f"{panel.index[-1]:%Y-%m-%d}", "data_grade": panel.grade}
    return tags if strategy is None else tags | {"strategy_id": strategy.id, "family": strategy.family}


def idea_of(session: Session, strategy: Strategy) -> str:
    """Return what a strategy's runs are trials of, as the ledger has it."""
    return session.idea or strategy.idea


def costs_from(record: Mapping[str, Any]) -> AnyCosts:
    """Return costs from what `costs_record` made of them."""
    return Costs(**record) if set(record) <= set(Costs.model_fields) else {s: Costs(**own) for s, own in record.items()}


def numbers_of(result: BacktestResult, metrics: pd.DataFrame) -> dict[str, float]:
    """Return the numbers of a backtest as they are logged: each metric with its interval, last equity and fills."""
    numbers = {str(key): float(value) for key, value in metrics["value"].items()}
    for bound in ("ci_low", "ci_high"):
        numbers |= {f"{key}_{bound}": float(value) for key, value in metrics[bound].items()}
    return numbers | {"final_equity": float(result.equity.iloc[-1]), "trades": float(len(result.trades))}


def terms_of(
    strategy: Strategy,
    panel: Panel,
    costs: AnyCosts,
    *,
    cash: float,
    lag: int,
    seed: int,
    as_of: DateLike | None,
) -> dict[str, Any]:
    """Return all it takes to make a backtest again, beside its strategy and the prices of its snapshot."""
    return {
        "strategy_id": strategy.id,
        "snapshot_id": panel.snapshot_id,
        "source": panel.source,
        "first": f"{panel.index[0]:%Y-%m-%d}",
        "last": f"{panel.index[-1]:%Y-%m-%d}",
        "as_of": None if as_of is None else f"{as_date(as_of):%Y-%m-%d}",
        "costs": costs_record(costs),
        "cash": cash,
        "lag": lag,
        "seed": seed,
    }


def logged_backtest(
    name: str,
    strategy: Strategy,
    panel: Panel,
    result: BacktestResult,
    metrics: pd.DataFrame,
    verdict: Verdict,
    terms: Mapping[str, Any],
    *,
    idea: str,
    biased: str,
) -> Logged:
    """Return a backtest as it is logged.

    Parameters
    ----------
    terms
        What `terms_of` says.
    idea
        What it is a trial of.
    biased
        Why its symbols were chosen with hindsight; empty where they were not.
    """
    return Logged(
        name=name,
        kind="backtest",
        idea=idea,
        params={
            "strategy_id": strategy.id,
            "seed": terms["seed"],
            **strategy.model_dump(mode="json"),
            **costs_by_field(costs_from(terms["costs"])),
            **{key: terms[key] for key in ("models",) if key in terms},
            "selection_biased": bool(biased),
        },
        metrics=numbers_of(result, metrics),
        tags={
            **tags_of(panel, strategy),
            "verdict": verdict.outcome,
            "look_ahead": next(check.outcome for check in verdict.checks if check.key == "look_ahead"),
        },
        texts={
            "strategy.json": definition(strategy),
            "verdict.txt": "\n".join([verdict.sentence, *(f"{c.outcome}: {c.sentence}" for c in verdict.checks)]),
            TERMS: json.dumps(dict(terms), indent=2),
            "card.md": strategy_card(name, strategy, panel, metrics, verdict, hindsight=biased),
        },
        frames={
            "equity.csv": result.equity.to_frame(),
            "weights.parquet": result.weights,
            "targets.parquet": result.targets,
            "trades.csv": result.trades,
            "metrics.csv": metrics,
        },
        figures={"growth": equity_curves({name: result.equity})},
        data=panel,
        strategy=strategy,
    )


def best_sets(found: SweepResult, trials: Sequence[str], metric: str = "sharpe_ratio") -> list[Child]:
    """Return the best sets of a sweep as runs below it, under the ids of their trials."""
    known = found.table[found.table[metric].notna()]
    known = known.sort_values(metric, ascending=not METRICS[metric].higher_is_better, kind="stable").head(BEST_SETS)
    children = []
    for place, row in known.iterrows():
        params = {name: row[name] for name in found.parameters}
        name = ", ".join(f"{key} {value}" for key, value in params.items())
        at = int(np.flatnonzero(found.table.index == place)[0])
        tags = {"trial_id": trials[at]} if len(trials) == len(found.table) else {}
        children.append(Child(name[:250], params, {key: float(row[key]) for key in found.metrics}, tags))
    return children
