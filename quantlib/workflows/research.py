"""Research: load a panel, run a strategy on it and in simulated worlds; every run is stored and logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from quantlib.backtest import BacktestResult, WorldsResult, check_simulable, evaluate_in_worlds, run_strategy
from quantlib.costs import AnyCosts, costs_record
from quantlib.errors import ConfigError, DataError, nearest
from quantlib.simulators import SIMULATORS, Simulator
from quantlib.sources import SOURCES
from quantlib.store import RunRecord, coverage, read_panel, save_runs
from quantlib.store.canonical import FRESH_DAYS, LONG_DAYS
from quantlib.strategies import Strategy
from quantlib.types import DateLike, Panel
from quantlib.validation import Verdict, validate
from quantlib.workflows.definitions import check_prices, daily
from quantlib.workflows.extras import versions_read, with_extras
from quantlib.workflows.grading import grade_of
from quantlib.workflows.ledger import backtest_trial, recorded, shown, trials_of
from quantlib.workflows.logged import Logged
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.run_records import (
    definition,
    idea_of,
    logged_backtest,
    remember_strategy,
    stored_run,
    tags_of,
    terms_of,
)
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs


@dataclass(frozen=True)
class StrategyRun:
    """A backtest with all that belongs to it.

    Parameters
    ----------
    name, strategy, panel, costs
        What was run, and on what; the panel has just the strategy's symbols.
    result, metrics, verdict
        What came out; metrics by key, as `quantlib.metrics.summary` gives them.
    run_id, mlflow_run_id
        Where it is stored. The run id is a hash of everything that went in, so the same run has the same id.
    hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    cash, lag
        What the account began with, and sessions from a decision to its fill.
    models
        The version of each model it has read, by name.
    """

    name: str
    strategy: Strategy
    panel: Panel
    costs: AnyCosts
    result: BacktestResult
    metrics: pd.DataFrame
    verdict: Verdict
    run_id: str
    mlflow_run_id: str | None
    hindsight: str = ""
    cash: float = 1_000_000.0
    lag: int = 1
    models: Mapping[str, int] = field(default_factory=dict)


def choose_source(session: Session) -> str:
    """Return the price source in force: the setting, or with "auto" the one that serves the daily strategies best.

    That is the registered source that has most symbols of the definitions run daily, each with bars over a year or half
    as long as the longest; of equal ones, and as fresh as the newest of them, the one with the lowest priority number.

    Raises
    ------
    DataError
        Nothing is stored yet.
    ConfigError
        Nothing is stored of the source that the setting names, or of any that is registered.
    """
    bars = coverage(session.store)
    if bars.empty:
        raise DataError("There are no prices yet. Run `workbench ingest --source sample`, or `make run`.")
    wanted, stored = session.settings.source, set(bars["source"])
    if wanted not in stored | {"auto"}:
        raise ConfigError(f"WORKBENCH_SOURCE is {wanted!r}, of which nothing is stored. {nearest(wanted, stored)}")
    usable = (stored if wanted == "auto" else {wanted}) & set(SOURCES)
    if not usable:
        unknown = ", ".join(sorted(stored if wanted == "auto" else {wanted}))
        raise ConfigError(f"Prices are stored of {unknown}, which is not in SOURCES. {nearest(unknown, SOURCES)}")
    needed = {symbol for strategy in daily(session).values() for symbol in strategy.inputs}
    own = bars[bars["source"].isin(usable)]
    days = (own["last"] - own["first"]).dt.days
    longest = days.groupby(own["symbol"]).transform("max")
    long = own[(days >= (longest / 2).clip(upper=LONG_DAYS)) & own["symbol"].isin(needed)]
    served = long["source"].value_counts().reindex(sorted(usable), fill_value=0)
    best = own[own["source"].isin(served.index[served == served.max()])]
    newest = best.groupby("source")["last"].max()
    fresh = newest.index[(newest.max() - newest).dt.days <= FRESH_DAYS]
    return min(map(str, fresh), key=lambda source: (SOURCES[source].priority, source))


def data_label(source: str, end: pd.Timestamp) -> str:
    """Return the grade of the prices in words, and up to when they are used; a sample is always called a sample."""
    title, day = SOURCES[source].title, f"{end:%Y-%m-%d}"
    if not SOURCES[source].sample:
        return f"{title}, up to {day}"
    label = title[0].lower() + title[1:]
    return label if label.endswith(day) else f"{label}, used up to {day}"


def load_panel(
    session: Session,
    symbols: Iterable[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    as_of: DateLike | None = None,
) -> Panel:
    """Return daily bars of some symbols, adjusted for dividends and splits, from the source in force.

    Parameters
    ----------
    as_of
        Only what was known at the end of that day.

    Raises
    ------
    DataError
        A symbol is unknown, the span is empty or upside down.

    Examples
    --------
    >>> panel = load_panel(session, ["KO", "PEP"], start="2015-01-01")  # doctest: +SKIP
    """
    return read_panel(session.store, list(symbols), start, end, as_of=as_of, source=choose_source(session))


def shared_panel(
    session: Session,
    symbols: Iterable[str],
    start: DateLike | None = None,
    end: DateLike | None = None,
    as_of: DateLike | None = None,
) -> Panel:
    """Return a panel as `load_panel` does, up to the last session on which every symbol has a close.

    That a symbol has no close after it stays among the doubts: it is why the panel ends there.

    Raises
    ------
    DataError
        The symbols share no session in the span.
    """
    panel = load_panel(session, symbols, start, end, as_of)
    shared = panel.complete()
    if len(shared) == 0:
        raise DataError(f"{', '.join(panel.symbols)} share no session. Choose symbols that traded at the same time.")
    until = panel.until(shared.index[-1])
    return replace(until, flags=until.flags + tuple(flag for flag in shared.flags if flag.ts > shared.index[-1]))


def strategy_panel(
    session: Session,
    strategy: Strategy,
    start: DateLike | None = None,
    end: DateLike | None = None,
    as_of: DateLike | None = None,
    *,
    versions: Mapping[str, int] | None = None,
) -> Panel:
    """Return all that a strategy reads: a panel of its inputs as `shared_panel` gives it, with its extras.

    See Also
    --------
    quantlib.workflows.extras.with_extras
    """
    panel = shared_panel(session, strategy.inputs, start, end, as_of)
    return with_extras(session, panel, strategy.extras, as_of=as_of, versions=versions)


def hindsight(session: Session, panel: Panel) -> str:
    """Return why testing the symbols of a panel over its span looks into the future; empty where it does not.

    See Also
    --------
    quantlib.universe.Universe.selection_bias
    """
    return session.universe.selection_bias(panel.symbols, panel.index[0])


def backtest_strategy(
    session: Session,
    strategy: Strategy,
    *,
    name: str | None = None,
    as_of: DateLike | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    costs: AnyCosts | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
) -> StrategyRun:
    """Return the strategy's backtest up to a date, stored in the database, logged to MLflow and counted as a trial.

    The same strategy on the same data with the same costs and code is the same run: it is computed again where
    needed, but stored and logged once, and counted once.

    Parameters
    ----------
    name
        What people call it; by default the family's title.
    as_of
        Only what was known at the end of that day; by default all there is.
    start, end
        First and last session of the backtest; by default all, up to the last one on which every symbol traded.
    costs
        Of all symbols or by symbol; None takes the defaults of each symbol's kind of instrument.
    cash, lag
        What the account begins with, and sessions from a decision to its fill.
    """
    check_prices(session, strategy)
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    name = name or strategy.title
    read = versions_read(session, strategy)
    panel = strategy_panel(session, strategy, start, end, as_of, versions=read.get("models"))
    with recorded(
        session, backtest_trial(session, strategy, panel, name=name, costs=costs, cash=cash, lag=lag)
    ) as trial:
        result = run_strategy(strategy, panel, costs=costs, cash=cash, lag=lag, name=name)
        shown(session, trial, result)
        run = _run(session, name, strategy, panel, result, costs, cash, lag, as_of, read)
        trial.run_id, trial.mlflow_run_id = run.run_id, run.mlflow_run_id
    return run


def _run(
    session: Session,
    name: str,
    strategy: Strategy,
    panel: Panel,
    result: BacktestResult,
    costs: AnyCosts,
    cash: float,
    lag: int,
    as_of: DateLike | None,
    read: Mapping[str, Any],
) -> StrategyRun:
    """Return a backtest with its numbers and its verdict, stored and logged where it is new."""
    metrics = result.summary(seed=session.settings.seed)
    verdict = validate(
        strategy, panel, costs=costs, cash=cash, lag=lag, result=result, seed=session.settings.seed,
        trials=trials_of(session, idea_of(session, strategy), read.get("models", ())),
    )  # fmt: skip
    key = {
        "strategy": strategy.id,
        "snapshot": panel.snapshot_id,
        "costs": costs_record(costs),
        "cash": cash,
        "lag": lag,
        "code": code_version(),
        "seed": session.settings.seed,
        "data_grade": panel.grade,
        **read,
    }
    run_id = content_id("backtest", key)
    biased, known = hindsight(session, panel), stored_run(session, run_id)
    mlflow_run_id = known.mlflow_run_id if known else None
    if known is None or not session.tracker.exists:
        seed = session.settings.seed
        terms = terms_of(strategy, panel, costs, cash=cash, lag=lag, seed=seed, as_of=as_of) | dict(read)
        idea = idea_of(session, strategy)
        logged = logged_backtest(name, strategy, panel, result, metrics, verdict, terms, idea=idea, biased=biased)
        mlflow_run_id = session.tracker.log(logged)
        remember_strategy(session, name, strategy)
        save_runs(
            session.store,
            [
                RunRecord(
                    id=run_id,
                    kind="backtest",
                    strategy_id=strategy.id,
                    as_of=panel.index[-1].date(),
                    snapshot_id=panel.snapshot_id,
                    code_version=code_version(),
                    seed=session.settings.seed,
                    params={
                        "name": name,
                        "costs": costs_record(costs),
                        "cash": cash,
                        "lag": lag,
                        "source": panel.source,
                        "selection_biased": bool(biased),
                        "data_grade": panel.grade,
                        **read,
                    },
                    metrics={str(k): float(v) for k, v in metrics["value"].items() if pd.notna(v)},
                    mlflow_run_id=mlflow_run_id,
                )
            ],
        )
    return StrategyRun(
        name, strategy, panel, costs, result, metrics, verdict, run_id, mlflow_run_id, biased, cash, lag,
        read.get("models", {}),
    )  # fmt: skip


def simulate_strategy(
    session: Session,
    strategy: Strategy,
    simulator: Simulator | str,
    *,
    name: str | None = None,
    as_of: DateLike | None = None,
    end: DateLike | None = None,
    n: int | None = None,
    horizon: int | None = None,
    seed: int | None = None,
    costs: AnyCosts | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> WorldsResult:
    """Return how the strategy fares over its next sessions in simulated worlds; stored and logged with their grade.

    How real the worlds are, `quantlib.workflows.grading.grade_of` says; it is computed here where it is not known yet.

    Parameters
    ----------
    simulator
        A simulator, or the name of one with its default parameters.
    n, horizon, seed
        Worlds, sessions ahead and seed; by default those of the settings.
    """
    check_simulable(strategy)
    settings, costs = session.settings, usual_costs(session, strategy.inputs) if costs is None else costs
    if isinstance(simulator, str):
        if simulator not in SIMULATORS:
            raise DataError(f"There is no simulator {simulator!r}. {nearest(simulator, SIMULATORS)}")
        simulator = SIMULATORS[simulator]()
    panel = shared_panel(session, strategy.inputs, None, end, as_of)
    n, horizon = n or settings.worlds, horizon or settings.horizon
    seed = settings.seed if seed is None else seed
    worlds = evaluate_in_worlds(
        strategy, simulator, panel, n=n, horizon=horizon, seed=seed, costs=costs, on_progress=on_progress
    )
    params = {"n": n, "horizon": horizon, "costs": costs_record(costs), "simulator": simulator.name}
    params |= {f"simulator_{k}": v for k, v in simulator.model_dump(mode="json").items()}
    params["data_grade"] = panel.grade
    key = {"strategy": strategy.id, "snapshot": panel.snapshot_id, "code": code_version(), "seed": seed, **params}
    run_id = content_id("simulation", key)
    grade = grade_of(session, simulator, panel)
    params |= {"selection_biased": bool(hindsight(session, panel)), "realism": grade.letter}
    if stored_run(session, run_id) is None or not session.tracker.exists:
        low, high = worlds.mean_interval
        metrics = {
            "expected_value": worlds.mean,
            "expected_value_low": low,
            "expected_value_high": high,
            "probability_of_loss": worlds.probability_of_loss,
            "p05": worlds.quantile(0.05),
            "p50": worlds.quantile(0.5),
            "p95": worlds.quantile(0.95),
        }
        logged = Logged(
            name=f"{name or strategy.title} in {simulator.title}",
            kind="simulation",
            idea=idea_of(session, strategy),
            params={"strategy_id": strategy.id, "seed": seed, **params},
            metrics=metrics,
            tags={**tags_of(panel, strategy), "realism": grade.letter},
            frames={"outcomes.csv": pd.DataFrame({"return": worlds.returns, "hold": worlds.hold})},
            texts={"strategy.json": definition(strategy), "realism.txt": grade.sentence},
            data=panel,
            strategy=strategy,
        )
        mlflow_run_id = session.tracker.log(logged)
        remember_strategy(session, name or strategy.title, strategy)
        record = RunRecord(
            id=run_id,
            kind="simulation",
            strategy_id=strategy.id,
            as_of=panel.index[-1].date(),
            snapshot_id=panel.snapshot_id,
            code_version=code_version(),
            seed=seed,
            params=params,
            metrics=metrics,
            mlflow_run_id=mlflow_run_id,
        )
        save_runs(session.store, [record])
    return worlds
