"""Worlds: what could happen next to a price or a strategy, in the worlds of one simulator beside another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantlib.backtest import WorldsResult, check_simulable, run_strategy
from quantlib.charts import fan_chart, outcome_histogram, series_color
from quantlib.charts.numbers import count, ratio
from quantlib.errors import DataError, nearest
from quantlib.simulators import SIMULATORS, USUAL, Calibration, Simulator
from quantlib.simulators.realism_card import RealismGrade
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel
from quantlib.workflows.grading import CARD_WORLDS, grade_of
from quantlib.workflows.research import hindsight, shared_panel, simulate_strategy
from quantlib.workflows.session import Session

FARTHEST, MOST_WORLDS = 504, 20_000
Model = TypeVar("Model", bound=BaseModel)


class Extent(BaseModel):
    """How many worlds, how far ahead, from which seed, and whether the other simulators run beside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = Field(ge=1, le=FARTHEST, title="Sessions ahead")
    worlds: int = Field(ge=1, le=MOST_WORLDS, title="Worlds")
    seed: int = Field(ge=0, title="Seed", description="Same seed, same worlds.")
    compare: bool = Field(default=True, title="Compare", description="With the simulators of every day.")


def usual_extent(session: Session) -> dict[str, Any]:
    """Return the fields of `Extent` that the settings ask for, cut to what a person would wait for."""
    settings = session.settings
    return {
        "horizon": min(settings.horizon, FARTHEST),
        "worlds": min(settings.worlds, MOST_WORLDS),
        "seed": max(settings.seed, 0),
        "compare": True,
    }


@dataclass(frozen=True)
class Asked:
    """What is asked of the simulators; equal questions have equal answers as long as the prices stay.

    Parameters
    ----------
    name
        The symbol, or what people call the strategy.
    strategy
        Its definition; None where a price is looked at.
    simulators
        One or more; the first is the one asked for, the others are to compare with.
    extent
        How many worlds and how far.
    """

    name: str
    strategy: Strategy | None
    simulators: tuple[Simulator, ...]
    extent: Extent


@dataclass(frozen=True)
class Outlook:
    """One price or strategy in simulated worlds.

    Parameters
    ----------
    asked
        The question.
    history
        The price or the strategy's equity up to today.
    worlds
        Outcomes by the simulator's title, in the order asked.
    grades
        How real those worlds are, by the same titles.
    fit
        What the first simulator learned.
    snapshot_id
        Content hash of the prices it learned from.
    hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    """

    asked: Asked
    history: pd.Series
    worlds: Mapping[str, WorldsResult]
    grades: Mapping[str, RealismGrade]
    fit: Calibration
    snapshot_id: str
    hindsight: str = ""

    @property
    def first(self) -> WorldsResult:
        """The outcomes in the worlds asked for."""
        return next(iter(self.worlds.values()))

    @property
    def grade(self) -> RealismGrade:
        """How real the worlds asked for are."""
        return next(iter(self.grades.values()))

    @cached_property
    def figures(self) -> dict[str, go.Figure]:
        """Charts by place: fan, outcomes (others as outlines) and, of a strategy, holding."""
        (title, first), *_ = self.worlds.items()
        name, strategy = self.asked.name, self.asked.strategy
        sure = first.mean_interval
        returns = {other: result.returns for other, result in self.worlds.items()}
        figures = {
            "fan": fan_chart(
                self.history,
                first.paths,
                first.dates,
                what="Account" if strategy else f"Price of {name}",
                simulator=title,
                color=series_color(name),
                past=max(first.horizon, 42),
            ),
            "outcomes": outcome_histogram(returns, horizon=first.horizon, mean_interval=sure),
        }
        if strategy:
            beside = {title: first.returns, "holding its symbols in equal parts": first.hold}
            figures["holding"] = outcome_histogram(beside, horizon=first.horizon, mean_interval=sure)
        return figures

    @cached_property
    def table(self) -> pd.DataFrame:
        """How the worlds end: one row a simulator, and for a strategy one more for holding its symbols.

        Columns: world, grade (how real), what, mean, loses (share of worlds), p05, p50, p95 (returns over the
        horizon), as fractions; and why that grade.
        """
        rows = []
        for title, result in self.worlds.items():
            grade = self.grades[title]
            place = {"world": title, "grade": grade.letter, "why": grade.reasons}
            rows.append({**place, "what": self.asked.name, **_ends(result.returns)})
            if self.asked.strategy:
                rows.append({**place, "what": "Holding its symbols", **_ends(result.hold)})
        return pd.DataFrame(rows)

    def outcomes(self) -> pd.DataFrame:
        """Return every world's return over the horizon [world x simulator], how real they are in each one's title."""
        titles = {title: f"{title} (realism grade {grade.letter})" for title, grade in self.grades.items()}
        returns = {titles[title]: result.returns for title, result in self.worlds.items()}
        return pd.DataFrame(returns).rename_axis("world")

    @property
    def facts(self) -> dict[str, str]:
        """What the first simulator learned beyond drift, volatility and correlation, in words by name."""
        fit = self.fit
        facts = {
            "Learned from": f"{count(fit.sessions)} sessions, {fit.start:%Y-%m-%d} to {fit.end:%Y-%m-%d}",
            "Sessions a year": count(fit.periods_per_year),
        }
        block = getattr(fit, "block", None)
        return facts if block is None else facts | {"Mean block": f"{ratio(block, 1)} sessions"}


def ask(
    name: str, strategy: Strategy | None, world: str, params: Mapping[str, Any], extent: Mapping[str, Any]
) -> Asked:
    """Return a question, checked.

    Parameters
    ----------
    name, strategy
        As in `Asked`.
    world, params
        Name and parameters of the simulator; others beside it share its values where they have the same fields.
    extent
        Fields of `Extent`.

    Raises
    ------
    DataError
        There is no such simulator, or a value is unknown or out of range; the message names it.
    """
    if world not in SIMULATORS:
        raise DataError(f"There is no simulator {world!r}. {nearest(world, SIMULATORS)}")
    far = _checked(Extent, "Extent", extent)
    simulators = [_checked(SIMULATORS[world], SIMULATORS[world].title, params)]
    for other in USUAL if far.compare else ():
        if other != world:
            family = SIMULATORS[other]
            simulators.append(family(**{key: value for key, value in params.items() if key in family.model_fields}))
    return Asked(name, strategy, tuple(simulators), far)


def _checked(model: type[Model], title: str, values: Mapping[str, Any]) -> Model:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        place = str(first["loc"][0])
        known = model.model_fields.get(place)
        label = known.title if known and known.title else place
        what = first["msg"][:1].lower() + first["msg"][1:]
        raise DataError(f"{title}, {label}: {what}; got {first['input']!r}.") from None


def look_ahead(session: Session, asked: Asked, on_progress: Callable[[int, int], None] | None = None) -> Outlook:
    """Return what could happen to a price, held without costs, or to a strategy from today's position on, after costs.

    A strategy's simulations are stored and logged like any other run; a price's are not. How real each simulator's
    worlds are is remembered either way.

    Parameters
    ----------
    on_progress
        Called with (worlds done, worlds in all), those that are compared with history among them.

    Raises
    ------
    DataError
        A symbol is unknown or has fewer than 60 sessions.
    """
    strategy = asked.strategy
    if strategy is not None:
        check_simulable(strategy)
    panel = shared_panel(session, strategy.inputs if strategy else [asked.name])
    worlds: dict[str, WorldsResult] = {}
    grades: dict[str, RealismGrade] = {}
    n = asked.extent.worlds

    def tell(done: int, _: int) -> None:
        if on_progress is not None:
            before = len(worlds) * n + len(grades) * CARD_WORLDS
            on_progress(before + done, len(asked.simulators) * (n + CARD_WORLDS))

    for simulator in asked.simulators:
        grades[simulator.title] = grade_of(session, simulator, panel, on_progress=tell)
        if strategy is None:
            worlds[simulator.title] = _price_worlds(panel, simulator, asked)
            tell(0, n)
            continue
        worlds[simulator.title] = simulate_strategy(
            session,
            strategy,
            simulator,
            name=asked.name,
            n=n,
            horizon=asked.extent.horizon,
            seed=asked.extent.seed,
            on_progress=tell,
        )
    history = run_strategy(strategy, panel).equity if strategy else panel.frame("close")[asked.name]
    fit = asked.simulators[0].calibrate(panel)
    return Outlook(asked, history, worlds, grades, fit, panel.snapshot_id, hindsight(session, panel))


def _price_worlds(panel: Panel, simulator: Simulator, asked: Asked) -> WorldsResult:
    n, horizon, seed = asked.extent.worlds, asked.extent.horizon, asked.extent.seed
    closes = simulator.closes(panel, n=n, horizon=horizon, seed=seed)[:, :, 0]
    paths = np.column_stack([np.ones(n), closes / panel.close[-1, 0]])
    return WorldsResult(
        simulator=simulator.name,
        horizon=horizon,
        seed=seed,
        calibrated_on=simulator.calibrate(panel).sessions,
        paths=paths,
        hold=paths[:, -1] - 1.0,
        dates=pd.DatetimeIndex(panel.index[-1:].append(panel.next_sessions(horizon))),
    )


def _ends(returns: FloatArray) -> dict[str, float]:
    low, middle, high = np.quantile(returns, [0.05, 0.5, 0.95])
    return {
        "mean": float(returns.mean()),
        "loses": float((returns < 0).mean()),
        "p05": float(low),
        "p50": float(middle),
        "p95": float(high),
    }
