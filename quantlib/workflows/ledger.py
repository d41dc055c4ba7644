"""The trial ledger: every backtest, set of a sweep and model is written down before it runs, and counted once.

Workflows call `recorded`; nobody else has to do anything. `trials_of` is what a verdict deflates a Sharpe ratio by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from quantlib.backtest.curves import MOMENTS, Traces
from quantlib.backtest.result import BacktestResult
from quantlib.backtest.sweep_grid import Grid
from quantlib.costs import AnyCosts, costs_record
from quantlib.errors import DataError, QuantError, StrategyError
from quantlib.models.trials import Kind, Origin, Trial
from quantlib.store.trials import (
    Ending,
    begin_trials,
    count_trials,
    curves_of,
    end_trials,
    read_growth,
    read_trials,
    trial_id,
)
from quantlib.strategies import Strategy
from quantlib.types import DateLike, Panel
from quantlib.validation.trials import Trials, effective_trials
from quantlib.workflows.provenance import code_version
from quantlib.workflows.run_records import idea_of
from quantlib.workflows.session import Session


def backtest_trial(
    session: Session, strategy: Strategy, panel: Panel, *, name: str, costs: AnyCosts, cash: float, lag: int
) -> Trial:
    """Return the trial that a backtest is: the same definition on the same prices with the same terms is the same one.

    Its code and its name make no difference; a set of a sweep is the same trial as the backtest of that set.
    """
    terms = {"costs": costs_record(costs), "cash": float(cash), "lag": lag}
    idea = idea_of(session, strategy)
    return _trial(
        session,
        "backtest",
        idea,
        panel,
        id=_tried(idea, strategy, panel, terms),
        strategy_id=strategy.id,
        title=name,
        params=strategy.model_dump(mode="json"),
        terms={**terms, "source": panel.source, "data_grade": panel.grade},
    )


def sweep_trial(
    session: Session,
    kind: Kind,
    strategy: Strategy,
    panel: Panel,
    *,
    name: str,
    costs: AnyCosts,
    content: Mapping[str, Any],
    cash: float = 1_000_000.0,
    lag: int = 1,
) -> Trial:
    """Return the row of a sweep or search; no trial itself, for its sets are.

    Parameters
    ----------
    kind
        "sweep" or "search".
    content
        What makes it this one: its grid, sample and seed.
    """
    terms = {"costs": costs_record(costs), "cash": float(cash), "lag": lag}
    idea = idea_of(session, strategy)
    return _trial(
        session,
        kind,
        idea,
        panel,
        id=_tried(idea, strategy, panel, terms, **{kind: content}),
        strategy_id=strategy.id,
        title=name,
        params=dict(content),
        terms={**terms, "source": panel.source, "data_grade": panel.grade},
    )


def model_trial(session: Session, panel: Panel, *, target: str, name: str, params: Mapping[str, Any]) -> Trial:
    """Return the trial that training a model is; without an idea of its own it is one of the target it predicts."""
    idea = session.idea or target
    content = {"idea": idea, "snapshot": panel.snapshot_id, "params": params}
    return _trial(session, "model", idea, panel, id=trial_id(content), title=name, params=params)


def _tried(idea: str, strategy: Strategy, panel: Panel, terms: Mapping[str, Any], **more: Any) -> str:
    return trial_id({"idea": idea, "strategy": strategy.id, "snapshot": panel.snapshot_id, **terms, **more})


def _trial(session: Session, kind: Kind, idea: str, panel: Panel, **more: Any) -> Trial:
    return Trial(
        kind=kind,
        idea=idea,
        universe=",".join(panel.symbols),
        first=panel.index[0].date(),
        last=panel.index[-1].date(),
        snapshot_id=panel.snapshot_id,
        code_version=code_version(),
        origin=session.origin,
        who=session.who,
        **more,
    )


@dataclass
class Running:
    """A trial that is being run; what came of it is put here.

    Attributes
    ----------
    id
        Which.
    result
        The backtest; None where it has no returns of its own.
    run_id, mlflow_run_id
        Where its detail is kept.
    stopped
        Whether it was cut short, so that it is not done, although nothing was raised.
    """

    id: str
    result: BacktestResult | None = None
    run_id: str | None = None
    mlflow_run_id: str | None = None
    stopped: bool = False


@contextmanager
def recorded(session: Session, trial: Trial) -> Iterator[Running]:
    """Write a trial before the work inside and complete it afterwards, also where that raises.

    What is killed on the way stays begun, which counts; asked for again, it is the same trial.
    """
    begin_trials(session.store, [trial])
    running = Running(trial.id)
    try:
        yield running
    except BaseException as error:
        # What has shown its numbers counts, whatever went wrong with it afterwards.
        seen = running.result is not None or running.mlflow_run_id is not None
        with suppress(QuantError):  # the database may be what went away
            end_trials(session.store, [_ended(running) if seen else _stopped(trial.id, error)])
        raise
    end_trials(session.store, [_ended(running)])


def shown(session: Session, running: Running, result: BacktestResult) -> None:
    """Write down what a trial has made before anything judges it: the verdict on it counts it like all others."""
    running.result = result
    end_trials(session.store, [_ended(running)])


def _ended(running: Running) -> Ending:
    result = running.result
    ending = Ending(running.id) if result is None else _ending(running.id, Traces.of_result(result))
    return replace(ending, run_id=running.run_id, mlflow_run_id=running.mlflow_run_id)


def _ending(trial: str, traces: Traces) -> Ending:
    n, *rest = traces.moments[0].tolist()
    return Ending(trial, n=int(n), curve=traces.growth[0], **dict(zip(MOMENTS[1:], rest, strict=True)))


def _stopped(trial: str, error: BaseException) -> Ending:
    refused = isinstance(error, DataError | StrategyError)
    return Ending(trial, "refused" if refused else "failed", str(error) or type(error).__name__)


@dataclass
class SetsTried:
    """The sets of a sweep or a search, written down in bulk: begun before they run, completed as they come.

    Parameters
    ----------
    session, parent
        Whose sets, and the sweep or search they belong to.
    grid, panel
        What they are made from, and run on.
    done
        The trials of those that were run, in their order.
    """

    session: Session
    parent: Trial
    grid: Grid
    panel: Panel
    done: list[str] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _waiting: list[Ending] = field(default_factory=list)

    AT_ONCE = 1_000
    """Sets completed in one write."""

    def begin(self, sets: Sequence[Mapping[str, Any]]) -> None:
        """Write down sets that are about to run."""
        trials = [self._set(one) for one in sets]
        begin_trials(self.session.store, trials)
        self._ids |= {_key(one): trial.id for one, trial in zip(sets, trials, strict=True)}
        self._open.update(trial.id for trial in trials)

    def _set(self, parameters: Mapping[str, Any]) -> Trial:
        idea, terms = self.parent.idea, {key: self.parent.terms[key] for key in ("costs", "cash", "lag")}
        try:
            one = self.grid.definition(parameters)
            stops = {} if one.stops == one.strategy.risk else {"stops": one.stops.model_dump()}
            same = {"id": _tried(idea, one.strategy, self.panel, terms, **stops), "strategy_id": one.strategy.id}
        except StrategyError:  # refused when it is run, with the reason
            same = {"id": trial_id({"of": self.parent.id, "set": _key(parameters)})}
        update = {"kind": "set", "parent": self.parent.id, "params": dict(parameters), "terms": {}}
        return self.parent.model_copy(update={"strategy_id": None, **update, **same})

    def found(self, sets: Sequence[Mapping[str, Any]], traces: Sequence[Traces | str]) -> None:
        """Complete sets that were run or refused; written once a thousand have come, or at the end."""
        for one, trace in zip(sets, traces, strict=True):
            trial = self._ids[_key(one)]
            if isinstance(trace, str):
                self._waiting.append(Ending(trial, "refused", trace))
            else:
                self.done.append(trial)
                self._waiting.append(_ending(trial, trace))
        if len(self._waiting) >= self.AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what has come."""
        end_trials(self.session.store, list({ending.id: ending for ending in self._waiting}.values()))
        self._open.difference_update(ending.id for ending in self._waiting)
        self._waiting.clear()

    def stop(self, error: BaseException) -> None:
        """Write what has come, and that the rest was never run: it does not count."""
        self.write()
        end_trials(self.session.store, [_stopped(trial, error) for trial in sorted(self._open)])


def _key(parameters: Mapping[str, Any]) -> str:
    return repr(sorted(parameters.items()))


@contextmanager
def sets_recorded(session: Session, parent: Trial, grid: Grid, panel: Panel) -> Iterator[tuple[Running, SetsTried]]:
    """Write a sweep or search before the work inside and complete it afterwards, and give what its sets are told to."""
    begin_trials(session.store, [parent])
    running, tried = Running(parent.id), SetsTried(session, parent, grid, panel)
    try:
        yield running, tried
    except BaseException as error:
        with suppress(QuantError):
            tried.stop(error)
            end_trials(session.store, [_stopped(parent.id, error)])
        raise
    tried.write()
    ending = Ending(parent.id, "failed", "It was stopped on the way.") if running.stopped else Ending(parent.id)
    end_trials(session.store, [replace(ending, run_id=running.run_id, mlflow_run_id=running.mlflow_run_id)])


def is_done(session: Session, trial: Trial) -> bool:
    """Return whether a trial has been done before."""
    found = read_trials(session.store, id=trial.id)
    return bool((found["outcome"] == "done").any())


def trials_of(session: Session, idea: str, models: Iterable[str] = ()) -> Trials:
    """Return how much has been tried of an idea, for a verdict: the number of trials, and what it amounts to.

    All distinct trials that were begun count, from wherever they were asked for. What they amount to is told by the
    growth of those that were done: what was killed on the way has shown nobody anything to choose by.

    Parameters
    ----------
    models
        The registered models that a strategy reads. Whoever chose them chose among all models of their targets, so
        those are added, each as one unlike all others.

    See Also
    --------
    quantlib.validation.trials.effective_trials
    """
    found, more = read_growth(session.store, idea), _models_behind(session, set(models))
    done = found[(found["outcome"] == "done") & found["last"].notna()]
    if done.empty:
        return Trials(len(found) + more, float(len(found) + more), float("nan"))
    # A former run did not keep its first session, nor any growth; where it lies in time makes no difference then.
    known = effective_trials(
        curves_of(done),
        done["sharpe"].to_numpy(dtype=np.float64),
        first=done["first"].fillna(done["last"]).tolist(),
        last=done["last"].tolist(),
        sessions=done["n"].to_numpy(dtype=np.float64),
    )
    return replace(known, n=len(found) + more, effective=known.effective + more)


def models_tried(session: Session, target: str) -> int:
    """Return how many different models of a target were scored, whatever the idea; newer prices make no other.

    What a search tries is not among them: it sees nothing of the sessions that are scored.
    """
    return _different(_models(session), {target})


def _models_behind(session: Session, names: set[str]) -> int:
    """Return how many different models there are of the targets that models of these names foretell."""
    if not names:
        return 0
    found = _models(session)
    return _different(found, set(found.loc[found["title"].isin(names), "target"]))


def _different(models: pd.DataFrame, targets: set[str]) -> int:
    return len(models[models["target"].isin(targets)].drop_duplicates(["params", "universe"]))


def _models(session: Session) -> pd.DataFrame:
    found = read_trials(session.store, kind="model", counted=True)
    asked = [json.loads(params) for params in found["params"]]
    # Models of before there were others were all of one target, and the idea's name is its.
    return found.assign(target=[one.get("target", idea) for one, idea in zip(asked, found["idea"], strict=True)])


def trial_counts(session: Session) -> dict[str, int]:
    """Return how many trials there are by idea, the latest idea first."""
    return count_trials(session.store)


def ledger_table(
    session: Session,
    idea: str | None = None,
    *,
    kind: Kind | None = None,
    origin: Origin | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    limit: int | None = 100_000,
) -> pd.DataFrame:
    """Return the ledger, the newest first.

    Parameters
    ----------
    idea, kind, origin
        Only those.
    start, end
        Only trials whose sessions reach into this span.
    limit
        At most so many.

    Returns
    -------
    DataFrame
        The columns of the model `Trial` without the curve; `params` and `terms` are JSON as text.
    """
    return read_trials(session.store, idea=idea, kind=kind, origin=origin, start=start, end=end, limit=limit)
