"""Worlds: what could happen next to a price or a strategy, in the worlds of one simulator beside another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pydantic import ValidationError

from quantlib.backtest import WorldsResult, run
from quantlib.charts import fan_chart, outcome_histogram, series_color
from quantlib.charts.numbers import count, ratio
from quantlib.costs import Costs
from quantlib.errors import DataError, nearest
from quantlib.simulators import SIMULATORS, Calibration, Simulator
from quantlib.strategies import Strategy
from quantlib.types import FloatArray
from quantlib.workflows.research import shared_panel, simulate_strategy
from quantlib.workflows.session import Session


@dataclass(frozen=True)
class Outlook:
    """One price or strategy in simulated worlds.

    Parameters
    ----------
    name
        What is looked at.
    trades
        Whether it is a strategy, so that holding its symbols is another thing.
    history
        Its price or equity up to today.
    worlds
        Outcomes by the simulator's title; the one asked for first, those to compare with after it.
    fit
        What the first simulator learned.
    snapshot_id
        Content hash of the prices it learned from.
    """

    name: str
    trades: bool
    history: pd.Series
    worlds: Mapping[str, WorldsResult]
    fit: Calibration
    snapshot_id: str

    @property
    def first(self) -> WorldsResult:
        """The outcomes in the worlds asked for."""
        return next(iter(self.worlds.values()))


def build_simulator(name: str, params: Mapping[str, Any]) -> Simulator:
    """Return a simulator from its name and parameters.

    Raises
    ------
    DataError
        There is no such simulator, or a parameter is unknown or out of range; the message names it.
    """
    if name not in SIMULATORS:
        raise DataError(f"There is no simulator {name!r}. {nearest(name, SIMULATORS)}")
    fields = SIMULATORS[name].model_fields
    try:
        return SIMULATORS[name](**params)
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0])
        label = fields[place].title or place if place in fields else place
        what = first["msg"][:1].lower() + first["msg"][1:]
        raise DataError(f"{SIMULATORS[name].title}, {label}: {what}; got {first['input']!r}.") from None


def beside(simulator: Simulator, others: Sequence[str]) -> tuple[Simulator, ...]:
    """Return a simulator and others by name that share its parameters of the same name: drift and window."""
    shared = simulator.model_dump()
    return (
        simulator,
        *(
            SIMULATORS[name](**{k: v for k, v in shared.items() if k in SIMULATORS[name].model_fields})
            for name in others
        ),
    )


def price_outlook(
    session: Session, symbol: str, simulators: Sequence[Simulator], *, n: int, horizon: int, seed: int
) -> Outlook:
    """Return where one price could go: the outcome of holding it, without costs. Nothing is stored.

    Parameters
    ----------
    simulators
        One or more; the first is the one asked for.
    n, horizon, seed
        Worlds, sessions ahead and seed.

    Raises
    ------
    DataError
        The symbol is unknown or has fewer than 60 sessions, or a count is out of range.
    """
    panel = shared_panel(session, [symbol])
    dates = panel.index[-1:].append(panel.next_sessions(max(horizon, 1)))
    worlds = {}
    for simulator in simulators:
        closes = simulator.closes(panel, n=n, horizon=horizon, seed=seed)[:, :, 0]
        paths = np.column_stack([np.ones(n), closes / panel.close[-1, 0]])
        worlds[simulator.title] = WorldsResult(
            simulator=simulator.name,
            horizon=horizon,
            seed=seed,
            calibrated_on=simulator.calibrate(panel).sessions,
            paths=paths,
            hold=paths[:, -1] - 1.0,
            dates=pd.DatetimeIndex(dates),
        )
    history = panel.frame("close")[symbol]
    fit = simulators[0].calibrate(panel)
    return Outlook(symbol, trades=False, history=history, worlds=worlds, fit=fit, snapshot_id=panel.snapshot_id)


def strategy_outlook(
    session: Session,
    name: str,
    strategy: Strategy,
    simulators: Sequence[Simulator],
    *,
    n: int,
    horizon: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Outlook:
    """Return how a strategy could fare from today's position on, after costs. Every simulation is stored and logged.

    Parameters
    ----------
    name
        What people call it.
    simulators, n, horizon, seed
        As in `price_outlook`.
    on_progress
        Called with (worlds done, worlds in all).
    """
    panel = shared_panel(session, strategy.symbols)
    worlds: dict[str, WorldsResult] = {}

    def tell(done: int, total: int) -> None:
        if on_progress is not None:
            on_progress(len(worlds) * total + done, len(simulators) * total)

    for simulator in simulators:
        result = simulate_strategy(
            session,
            strategy,
            simulator,
            name=name,
            n=n,
            horizon=horizon,
            seed=seed,
            on_progress=tell,
        )
        # A simulator that learns from a window knows less than the panel holds, so its mean is less certain.
        worlds[simulator.title] = replace(result, calibrated_on=simulator.calibrate(panel).sessions)
    equity = run(panel, strategy.targets(panel), costs=Costs()).equity
    fit = simulators[0].calibrate(panel)
    return Outlook(name, trades=True, history=equity, worlds=worlds, fit=fit, snapshot_id=panel.snapshot_id)


def outlook_figures(outlook: Outlook) -> dict[str, go.Figure]:
    """Return the charts of an outlook by place: fan, outcomes (others as outlines) and, of a strategy, holding."""
    (title, first), *_ = outlook.worlds.items()
    figures = {
        "fan": fan_chart(
            outlook.history,
            first.paths,
            first.dates,
            what="Account" if outlook.trades else f"Price of {outlook.name}",
            simulator=title,
            color=series_color(outlook.name),
        ),
        "outcomes": outcome_histogram(
            {name: result.returns for name, result in outlook.worlds.items()},
            horizon=first.horizon,
            mean_interval=first.mean_interval,
        ),
    }
    if outlook.trades:
        figures["holding"] = outcome_histogram(
            {title: first.returns, "holding its symbols in equal parts": first.hold},
            horizon=first.horizon,
            mean_interval=first.mean_interval,
        )
    return figures


def outcome_table(outlook: Outlook) -> pd.DataFrame:
    """Return how the worlds end, one row a simulator, and for a strategy one more for holding its symbols.

    Returns
    -------
    DataFrame
        world, what, mean, loses (share of worlds), p05, p50, p95 (returns over the horizon), as fractions.
    """
    rows = []
    for title, result in outlook.worlds.items():
        rows.append(_ends(title, outlook.name, result.returns))
        if outlook.trades:
            rows.append(_ends(title, "Holding", result.hold))
    return pd.DataFrame(rows)


def _ends(world: str, what: str, returns: FloatArray) -> dict[str, object]:
    low, middle, high = np.quantile(returns, [0.05, 0.5, 0.95])
    return {
        "world": world,
        "what": what,
        "mean": float(returns.mean()),
        "loses": float((returns < 0).mean()),
        "p05": float(low),
        "p50": float(middle),
        "p95": float(high),
    }


def fit_facts(fit: Calibration) -> dict[str, str]:
    """Return what a simulator learned beyond drift, volatility and correlation, as words by name."""
    facts = {
        "Learned from": f"{count(fit.sessions)} sessions, {fit.start:%Y-%m-%d} to {fit.end:%Y-%m-%d}",
        "Sessions a year": count(fit.periods_per_year),
    }
    block = getattr(fit, "block", None)
    return facts if block is None else facts | {"Mean block": f"{ratio(block, 1)} sessions"}
