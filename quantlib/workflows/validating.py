"""Validating: the whole verdict on a strategy, with the ledger's count; kept as a card, and found again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import plotly.graph_objects as go
from pydantic import ValidationError

from quantlib.backtest import holding_beside, run_strategy
from quantlib.backtest.curves import Traces
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.variants import Variants, variants_of
from quantlib.costs import AnyCosts, Costs, costs_record
from quantlib.errors import DataError, StrategyError
from quantlib.reports.verdict_card import verdict_card
from quantlib.reports.verdict_figures import verdict_figures
from quantlib.reports.verdict_types import VerdictCard
from quantlib.sources import SOURCES
from quantlib.store import RunRecord, save_runs
from quantlib.store.jobs import Queued
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation import validate_deeply
from quantlib.workflows.extras import versions_read
from quantlib.workflows.holdout import end_before_holdout, holdout_budget
from quantlib.workflows.jobs import start_job
from quantlib.workflows.ledger import SetsTried, is_done, recorded, sets_recorded, sweep_trial, trials_of
from quantlib.workflows.logged import Logged
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.research import backtest_strategy, data_label, hindsight, strategy_panel
from quantlib.workflows.run_records import (
    definition,
    idea_of,
    readable_runs,
    remember_strategy,
    run_of_kind,
    stored_run,
    tags_of,
)
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import costs_in_words, usual_costs

CARD = "verdict.json"
"""The file of a run in MLflow that holds the card."""
SAMPLES = 200
"""Random entries that are drawn."""
#: Percent of the whole work that running the variants is.
_VARIANTS = 30


@dataclass(frozen=True)
class Validated:
    """A validation that was made.

    Parameters
    ----------
    card
        What was found.
    id
        Hash of everything that went in; None where it is not kept: a quick one, or one that was cancelled.
    mlflow_run_id
        Where its detail is.
    again
        Whether it was there already.
    """

    card: VerdictCard
    id: str | None
    mlflow_run_id: str | None = None
    again: bool = False


def start_validation(
    session: Session, strategy: Strategy, *, reason: str = "asked for", idea: str | None = None, **terms: Any
) -> Queued:
    """Return the number of the job that will validate a strategy.

    Parameters
    ----------
    terms
        As in `validate_strategy`: name, start, open_holdout, costs, cash, lag.
    """
    return start_job(session, "validate", validation_args(strategy, idea=idea or session.idea, **terms), reason=reason)


def validation_args(strategy: Strategy, **terms: Any) -> dict[str, Any]:
    """Return the arguments of the task "validate"; terms that are None are left to their defaults."""
    given = {name: value for name, value in terms.items() if value is not None and value is not False}
    if isinstance(start := given.get("start"), date):
        given["start"] = start.isoformat()
    if isinstance(costs := given.get("costs"), Costs):
        given["costs"] = costs.model_dump()
    return {"family": strategy.family, "params": strategy.model_dump(mode="json"), **given}


def validate_strategy(
    session: Session,
    strategy: Strategy,
    *,
    name: str | None = None,
    start: date | None = None,
    open_holdout: bool = False,
    costs: AnyCosts | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Validated:
    """Return the whole verdict on a strategy over stored prices, stored, logged and counted.

    The strategy's neighbourhood is run too, and every variant of it is a trial of the idea, written in the ledger
    below this validation. The Sharpe ratio is deflated by all trials of the idea there are by then, wherever they came
    from. Asked again with nothing else tried in between, it is found and not made again.

    Parameters
    ----------
    name
        What people call the strategy; by default the family's title.
    start
        First session; by default the first there is.
    open_holdout
        Whether to judge by the hold-out too; that is counted.
    costs
        None takes the defaults of each symbol's kind of instrument.
    cash, lag
        What the account begins with, and sessions from a decision to its fill.
    on_progress
        Called with (percent done, 100); what it raises stops the work.
    cancelled
        Asked all along; once it says yes the checks made by then are returned, and nothing is kept of them but the
        trials.

    Raises
    ------
    DataError
        The span lies in the hold-out, which is not opened, or the symbols share no session.
    StrategyError
        The strategy cannot be run.
    """
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    name, idea, seed = name or strategy.title, idea_of(session, strategy), session.settings.seed
    read, end = versions_read(session, strategy), None if open_holdout else end_before_holdout(session, start)
    panel = strategy_panel(session, strategy, start, end, versions=read.get("models"))
    key = {
        "strategy": strategy.id, "snapshot": panel.snapshot_id, "costs": costs_record(costs), "cash": cash, "lag": lag,
        "seed": seed, "samples": SAMPLES, "idea": idea, "code": code_version(), **read,
    }  # fmt: skip
    parent = sweep_trial(
        session, "search", strategy, panel, name=f"{name}, its like", costs=costs, cash=cash, lag=lag,
        content={"around": strategy.id},
    )  # fmt: skip
    if is_done(session, parent) and (found := stored_run(session, _id(session, key))) is not None:
        with recorded(session, parent):  # asked for once more
            return _validated(found)
    tell = on_progress or (lambda *_: None)
    with sets_recorded(session, parent, Grid(strategy, {}, None), panel) as (running, tried):
        terms: dict[str, Any] = {"costs": costs, "cash": cash, "lag": lag}
        variants = variants_of(
            strategy, panel, **terms, on_sets=tried.begin, cancelled=cancelled,
            on_progress=lambda done, of: tell(_VARIANTS * done // max(of, 1), 100),
        )  # fmt: skip
        _count(tried, variants, cash)
        trials, run_id = trials_of(session, idea, read.get("models", ())), _id(session, key)
        result = run_strategy(strategy, panel, **terms, name=name)
        verdict = validate_deeply(
            strategy, panel, variants, trials, **terms, result=result, samples=SAMPLES, seed=seed, cancelled=cancelled,
            on_progress=lambda done, of: tell(_VARIANTS + (100 - _VARIANTS) * done // max(of, 1), 100),
        )  # fmt: skip
        card = verdict_card(
            verdict, result, trials, holding=_held(panel.select(strategy.symbols), result, costs),
            **_about(session, name, strategy, panel, costs, cash, lag, open_holdout=open_holdout),
        )  # fmt: skip
        if not card.complete:
            running.stopped = True
            return Validated(card, None)
        stored = _store(session, run_id, card, strategy, panel, variants, key)
        running.run_id, running.mlflow_run_id = run_id, stored
    return Validated(card, run_id, stored)


def quick_verdict(
    session: Session,
    strategy: Strategy,
    *,
    name: str | None = None,
    start: date | None = None,
    open_holdout: bool = False,
    costs: AnyCosts | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
) -> Validated:
    """Return the card of the checks that every backtest makes, within a second or two; the backtest is a trial.

    Parameters
    ----------
    name, start, open_holdout, costs, cash, lag
        As in `validate_strategy`.
    """
    end = None if open_holdout else end_before_holdout(session, start)
    run = backtest_strategy(session, strategy, name=name, start=start, end=end, costs=costs, cash=cash, lag=lag)
    about = _about(session, run.name, strategy, run.panel, run.costs, run.cash, run.lag, open_holdout=open_holdout)
    trials = trials_of(session, idea_of(session, strategy), run.models)
    return Validated(verdict_card(run.verdict, run.result, trials, **about), None, run.mlflow_run_id)


def _id(session: Session, key: Mapping[str, Any]) -> str:
    """Return the id of a validation by what went in, how much has been tried by now among it."""
    trials = trials_of(session, key["idea"], key.get("models", ()))
    counted = [trials.n, float(f"{trials.effective:.9g}"), float(f"{trials.variance:.9g}")]
    return content_id("validation", {**key, "trials": counted})


def _count(tried: SetsTried, variants: Variants, cash: float) -> None:
    """Complete the variants in the ledger; what changed nothing but the size, or was not run, is no trial."""
    values = variants.returns.to_numpy(dtype=np.float64).T
    known = np.isfinite(values)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    equity = cash * np.cumprod(1.0 + np.where(known, values, 0.0), axis=1)
    traces = Traces.of(np.ascontiguousarray(equity), first.astype(np.int64))
    tried.found(variants.sets, [Traces(traces.moments[k : k + 1], traces.growth[k : k + 1]) for k in range(len(known))])
    tried.stop(StrategyError("It was not run, or is the strategy itself but for its size."))


def _held(traded: Panel, result: Any, costs: AnyCosts) -> Any:
    """Return the equity of holding the same symbols; None where they never all trade at once."""
    try:
        return holding_beside(traded, result, costs=costs)
    except DataError:
        return None


def _about(
    session: Session,
    name: str,
    strategy: Strategy,
    panel: Panel,
    costs: AnyCosts,
    cash: float,
    lag: int,
    *,
    open_holdout: bool,
) -> dict[str, Any]:
    """Return what a card says of what was judged, on what."""
    idea = idea_of(session, strategy)
    budget = holdout_budget(session, idea)
    return {
        "name": name, "strategy_id": strategy.id, "family": strategy.family, "idea": idea,
        "first": panel.index[0].date(), "last": panel.index[-1].date(), "sessions": len(panel),
        "source": panel.source, "sample": SOURCES[panel.source].sample,
        "data_label": data_label(panel.source, panel.index[-1]), "grade": panel.grade,
        "hindsight": hindsight(session, panel), "cash": cash, "lag": lag, "paid": costs_in_words(costs),
        "opened": open_holdout, "holdout": budget.sentence, "openings": budget.openings,
    }  # fmt: skip


def _store(
    session: Session,
    run_id: str,
    card: VerdictCard,
    strategy: Strategy,
    panel: Panel,
    variants: Variants,
    key: Mapping[str, Any],
) -> str:
    """Return the run in MLflow of a validation, logged and stored: its card, its figures and its variants' returns."""
    params = {
        "name": card.name, "idea": card.idea, "costs": key["costs"], "cash": card.cash, "lag": card.lag,
        "source": card.source, "opened": card.opened, "data_grade": card.grade,
        **{term: key[term] for term in ("models",) if term in key},
    }  # fmt: skip
    numbers = {check.key: check.value for check in card.checks if check.value is not None}
    mlflow_run_id = session.tracker.log(
        Logged(
            name=f"{card.name}, validated",
            kind="validation",
            idea=card.idea,
            params={"strategy_id": strategy.id, "seed": key["seed"], **params},
            metrics={**numbers, "trials": card.luck.n if card.luck else 0, "openings": card.openings},
            tags={**tags_of(panel, strategy), "verdict": card.outcome, "edge": card.edge},
            texts={"strategy.json": definition(strategy), CARD: card.model_dump_json(indent=2)},
            frames={"variants.parquet": variants.returns.set_axis(variants.returns.columns.astype(str), axis=1)},
            figures=verdict_figures(card),
            data=panel,
        )
    )
    remember_strategy(session, card.name, strategy)
    record = RunRecord(
        id=run_id, kind="validation", strategy_id=strategy.id, as_of=card.last, snapshot_id=panel.snapshot_id,
        code_version=code_version(), seed=key["seed"], params=params, metrics=card.model_dump(mode="json"),
        mlflow_run_id=mlflow_run_id,
    )  # fmt: skip
    save_runs(session.store, [record])
    return mlflow_run_id


def validations(
    session: Session, strategy: Strategy | None = None, source: str | None = None, *, limit: int = 20
) -> list[Validated]:
    """Return the validations that were made of a strategy, or of any, on a source's prices; the newest first.

    One that was stored in another form is left out; `validation_result` says why.
    """
    return readable_runs(session, "validation", _validated, strategy, source, limit)


def validation_result(session: Session, id: str) -> Validated:  # noqa: A002  the field's name everywhere
    """Return a stored validation.

    Raises
    ------
    DataError
        There is none with that id, or it was stored in another form.
    """
    return _validated(run_of_kind(session, id, "validation"))


def _validated(record: RunRecord) -> Validated:
    return Validated(_read(record), record.id, record.mlflow_run_id, again=True)


def validation_figures(session: Session, id: str) -> dict[str, go.Figure]:  # noqa: A002  as above
    """Return the figures of a stored validation, by name."""
    return verdict_figures(validation_result(session, id).card)


def _read(record: RunRecord) -> VerdictCard:
    try:
        return VerdictCard.model_validate_json(json.dumps(record.metrics))
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"Validation {record.id!r} was stored in another form and cannot be read ({first['loc']}: {first['msg']}). "
            "Make it again."
        ) from None
