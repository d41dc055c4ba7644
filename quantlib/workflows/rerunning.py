"""Runs made again from what MLflow keeps of them, and whether they come out the same to the last bit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from quantlib.backtest import BacktestResult, run_strategy
from quantlib.errors import DataError
from quantlib.ml.scores import gain_over, score
from quantlib.ml.targets.target import Kind
from quantlib.ml.training import answers
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.workflows.model_records import AHEAD, PREDICTIONS
from quantlib.workflows.provenance import code_version
from quantlib.workflows.research import strategy_panel
from quantlib.workflows.run_records import TERMS, costs_from, numbers_of, stored_run
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import ReadRun

#: How scores over whole folds are called; they are means of the folds', not of the rows.
_BY_FOLD = ("auc", "rank_correlation")


@dataclass(frozen=True)
class Rerun:
    """A run that was made again.

    Parameters
    ----------
    run
        What MLflow keeps of it.
    compared
        How many numbers were compared.
    differences
        What came out differently, in sentences; empty where nothing did.
    """

    run: ReadRun
    compared: int
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every number came out the same to the last bit."""
        return not self.differences

    @property
    def sentence(self) -> str:
        """What came of it, in words."""
        if self.same:
            return f"{self.run.name}: {self.compared:,} numbers came out the same to the last bit."
        then, now = self.run.tags.get("code_version", "unknown"), code_version()
        code = "" if then == now else f" It was made by code {then}; this is {now}."
        return f"{self.run.name} came out differently: {' '.join(self.differences)}{code}"


@dataclass(frozen=True)
class RunAgain:
    """A backtest made again.

    Parameters
    ----------
    strategy, panel, result
        The logged definition, the prices of the logged snapshot, and what came out.
    terms
        What it was made with: costs, cash, lag, seed and span.
    """

    strategy: Strategy
    panel: Panel
    result: BacktestResult
    terms: Mapping[str, Any]


def find_run(session: Session, run_id: str) -> ReadRun:
    """Return a logged run by its id in MLflow, or by that of the database, such as "backtest-1f0c…".

    Raises
    ------
    DataError
        There is no such run.
    """
    if "-" in run_id:
        record = stored_run(session, run_id)
        if record is None or record.mlflow_run_id is None:
            raise DataError(f"Run {run_id!r} is not on record. `workbench strategy run` prints the id of each.")
        run_id = record.mlflow_run_id
    return session.tracker.read(run_id)


def rerun(session: Session, run_id: str) -> Rerun:
    """Return whether a logged backtest or model, loaded from MLflow, comes out as it was stored.

    A backtest is run again with the logged strategy, on stored prices that must be those of its snapshot: its targets
    and metrics are compared. A model is asked again about the rows after its last label, and the scores are computed
    again from its predictions out of sample.

    Raises
    ------
    DataError
        There is no such run, it is of another kind or was logged before this could be done, or the prices are no
        longer those of its snapshot.
    """
    run = find_run(session, run_id)
    if run.kind == "backtest":
        return _compare_backtest(session, run, run_again(session, run))
    if run.kind == "model":
        return _compare_model(session, run)
    raise DataError(f"Run {run.name!r} is a {run.kind or 'group of runs'}; accepted: a backtest or a model.")


def run_again(session: Session, run: ReadRun) -> RunAgain:
    """Return a logged backtest made again from MLflow and the prices of its snapshot.

    Raises
    ------
    DataError
        As in `rerun`.
    """
    terms = json.loads(session.tracker.read_text(run.id, TERMS))
    strategy = session.tracker.load(run.id, "strategy")
    if strategy.id != terms["strategy_id"]:
        raise DataError(f"Run {run.name!r} was of {terms['strategy_id']}, but the strategy kept with it {strategy.id}.")
    panel = _prices(session, run, strategy, terms)
    costs = costs_from(terms["costs"])
    result = run_strategy(strategy, panel, costs=costs, cash=terms["cash"], lag=terms["lag"], name=run.name)
    return RunAgain(strategy, panel, result, terms)


def _prices(session: Session, run: ReadRun, strategy: Strategy, terms: Mapping[str, Any]) -> Panel:
    """Return what a run was made on: as it is now, or as it was known on the day it was made."""
    settings = session.settings.model_copy(update={"source": terms["source"]})
    from_there = replace(session, settings=settings)
    found = []
    for as_of in dict.fromkeys((terms["as_of"], f"{run.began:%Y-%m-%d}")):
        span = terms["first"], terms["last"], as_of
        panel = strategy_panel(from_there, strategy, *span, versions=terms.get("models"))
        if panel.snapshot_id == terms["snapshot_id"]:
            return panel
        found.append(panel.snapshot_id)
    what = "data" if strategy.extras else "prices"
    raise DataError(
        f"Run {run.name!r} was made on snapshot {terms['snapshot_id']} of "
        f"{', '.join((*strategy.inputs, *strategy.extras))} from {terms['source']}; those {what} are {found[0]} now, "
        f"and {found[-1]} as known on {run.began:%Y-%m-%d}. They were revised since, so the run cannot be made again; "
        f"run the strategy on the {what} there are."
    )


def _compare_backtest(session: Session, run: ReadRun, again: RunAgain) -> Rerun:
    stored = session.tracker.read_parquet(run.id, "targets.parquet")
    differences, now = [], again.result.targets
    same_frame = list(stored.columns) == list(now.columns) and stored.index.equals(now.index)
    if not (same_frame and np.array_equal(stored.to_numpy(), now.to_numpy(), equal_nan=True)):
        differences.append(f"Its targets differ{_how_many(stored, now) if same_frame else ' in sessions or symbols'}.")
    numbers = numbers_of(again.result, again.result.summary(seed=again.terms["seed"]))
    differences += _different(run.metrics, {key: value for key, value in numbers.items() if math.isfinite(value)})
    return Rerun(run, now.size + len(run.metrics), tuple(differences))


def _how_many(stored: pd.DataFrame, now: pd.DataFrame) -> str:
    rows = (stored.to_numpy() != now.to_numpy()).any(axis=1)
    return f" on {rows.sum():,} of {len(rows):,} sessions, first on {stored.index[rows][0]:%Y-%m-%d}"


def _compare_model(session: Session, run: ReadRun) -> Rerun:
    tracker, kind = session.tracker, kind_of(run)
    ahead, said = tracker.read_parquet(run.id, AHEAD), tracker.read_parquet(run.id, PREDICTIONS)
    differences = []
    stored = ahead.pop("prediction").to_numpy()
    now = answers(tracker.load(run.id, "model"), ahead, kind)
    if not np.array_equal(stored, now, equal_nan=True):
        differences.append(f"{(stored != now).sum():,} of its {len(now):,} predictions differ.")
    scores = score(said["label"].to_numpy(), said["prediction"].to_numpy(), kind)
    yardsticks = [name for name in ("prior", "naive") if name in said]
    gains = [gain_over(said, name, kind, lags=int(run.tags["lags"])) for name in yardsticks]
    numbers = {key: value for key, value in scores.items() if key not in _BY_FOLD and math.isfinite(value)}
    told = dict(zip(("gain", "gain_low", "gain_high"), min(gains), strict=True))
    numbers |= {key: value for key, value in told.items() if math.isfinite(value)}
    differences += _different({key: run.metrics[key] for key in numbers if key in run.metrics}, numbers)
    return Rerun(run, len(now) + len(numbers), tuple(differences))


def kind_of(run: ReadRun) -> Kind:
    """Return what a trained model foretells: a class or a number."""
    if "target_kind" not in run.tags:
        raise DataError(f"Run {run.name!r} was logged before models could be asked again. Train the model anew.")
    return "classification" if run.tags["target_kind"] == "classification" else "regression"


def _well_known(name: str) -> tuple[bool, str]:
    """Return where a number stands among those told first."""
    return name not in {"final_equity", "sharpe_ratio", "log_loss", "mse"}, name


def _different(then: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return in sentences which numbers are not the same to the last bit."""
    names = [name for name in sorted({*then, *now}, key=_well_known) if then.get(name) != now.get(name)]
    shown = [f"{name} was {then.get(name, 'unknown')} and is {now.get(name, 'unknown')}." for name in names[:3]]
    return shown + ([f"{len(names) - 3} more numbers differ."] if len(names) > 3 else [])
