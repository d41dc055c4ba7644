"""Stress of strategies: from today's position, with their stops, through the worlds of scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from quantlib.backtest.accounts import simulate
from quantlib.backtest.departure import Departure, Variant, depart, joined
from quantlib.backtest.groups import group_of
from quantlib.backtest.market import prepare
from quantlib.backtest.state import CASH, DECISION, REASONS, SHARES, IntArray, Log
from quantlib.backtest.worlds_result import outcomes_of
from quantlib.charts.numbers import percent, signed_percent
from quantlib.costs import AnyCosts
from quantlib.errors import DataError, nearest
from quantlib.risk import Execution
from quantlib.strategies import Strategy
from quantlib.types import FloatArray, Panel

#: Numbers of an outcome that a matrix can be made of, and what they are called.
MEASURES = {
    "return": "Return of the strategy",
    "max_drawdown": "Maximum drawdown of the strategy",
    "hold": "Return of today's holdings",
    "hold_drawdown": "Maximum drawdown of today's holdings",
    "saved": "Return of the strategy beyond that of its holdings",
    "stopped": "Share of worlds in which something stopped it",
}


@dataclass(frozen=True)
class StressResult:
    """What strategies come to in the worlds of scenarios.

    Parameters
    ----------
    outcomes
        One row a strategy, scenario and world: strategy, scenario, world (number within the scenario), return and
        max_drawdown of the account over the scenario, hold and hold_drawdown of the holdings it has today left alone,
        reason of the first exit that a stop or limit ordered ("" where none did), fired (the session whose prices did
        it), left (the session it was filled), session (its number within the scenario, 1 for the first; NaN where
        none) and gap (price of that fill over the last close before it, less one; of the leg that moved most).
    as_of
        The session whose close all start from.
    """

    outcomes: pd.DataFrame
    as_of: pd.Timestamp

    @cached_property
    def _measured(self) -> pd.DataFrame:
        outcomes = self.outcomes
        return outcomes.assign(
            saved=outcomes["return"] - outcomes["hold"], stopped=(outcomes["reason"] != "").astype(np.float64)
        )

    def matrix(self, measure: str = "return") -> pd.DataFrame:
        """Return a number by strategy and scenario, the mean over the scenario's worlds [strategy x scenario].

        Parameters
        ----------
        measure
            One of `MEASURES`.

        Raises
        ------
        DataError
            There is no such measure.
        """
        if measure not in MEASURES:
            raise DataError(f"A stress has no {measure!r}. {nearest(measure, MEASURES)}")
        return self._wide(self._measured.groupby(["strategy", "scenario"], sort=False)[measure].mean())

    @property
    def stops(self) -> pd.DataFrame:
        """What stopped each strategy in each scenario, in words [strategy x scenario]; "–" where nothing did."""
        said = self.outcomes.groupby(["strategy", "scenario"], sort=False).apply(_what_stopped)
        return self._wide(said)

    def _wide(self, values: pd.Series) -> pd.DataFrame:
        rows, columns = (list(dict.fromkeys(self.outcomes[name])) for name in ("strategy", "scenario"))
        wide = pd.DataFrame({scenario: values.xs(scenario, level="scenario") for scenario in columns})
        return wide.reindex(index=pd.Index(rows, name="strategy")).rename_axis(columns="scenario")

    @property
    def sentences(self) -> list[str]:
        """One sentence a strategy: where it loses most, what that is worth beside its holdings, and what stopped it."""
        returns, holds, stops = (table.to_dict("index") for table in (self.matrix(), self.matrix("hold"), self.stops))
        said = []
        for name, row in returns.items():
            worst = min(row, key=lambda scenario: row[scenario])
            stopped = stops[name][worst]
            tail = "nothing stops it" if stopped == NOTHING else f"stopped by {stopped}"
            said.append(
                f"{name} fares worst in {worst}: {signed_percent(row[worst])}, where today's holdings left alone make "
                f"{signed_percent(holds[name][worst])}; {tail}."
            )
        return said


NOTHING = "–"


def stress(
    strategies: Mapping[str, Strategy],
    worlds: Mapping[str, Iterable[Panel]],
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    during: Mapping[str, AnyCosts] | None = None,
    execution: Execution | None = None,
) -> StressResult:
    """Return what strategies come to in scenarios, each from the position it holds at the panel's last close.

    The strategy goes on deciding in every world, with its stops and costs, as on history. Beside it stand the holdings
    of that close, left alone: their shares and the cash, without interest or borrow.

    Parameters
    ----------
    strategies
        By name.
    worlds
        By scenario the panels it may come to, each with at least the strategies' inputs, on sessions after the panel's
        last. They are read once and none is kept.
    panel
        History up to the as-of date.
    costs
        One for all symbols, or by symbol; None takes the defaults.
    during
        By scenario, the costs from its first session on, where they are others there.
    execution
        How orders fill; None takes the defaults: at the open where one is known.

    Raises
    ------
    DataError
        There is no strategy or world, a world lacks a symbol or begins before history ends, an input's last close is
        unknown, an account is ruined by then, or costs are those of no scenario.

    Examples
    --------
    >>> found = stress({"Trend": MACross()}, {"crash": [world]}, panel)  # doctest: +SKIP
    >>> found.matrix("return"), found.stops  # doctest: +SKIP
    """
    if not strategies:
        raise DataError("There is no strategy to stress. Give one or more by name.")
    for scenario in during or {}:
        if scenario not in worlds:
            raise DataError(f"There are costs during {scenario!r}, but no such scenario. {nearest(scenario, worlds)}")
    execution = execution or Execution()
    departures = {}
    for name, strategy in strategies.items():
        own = Variant.own(strategy, costs)
        departures[name] = depart(strategy, panel, Variant(own.costs, own.stops, execution))
    rows: list[dict[str, Any]] = []
    for scenario, panels in worlds.items():
        then = (during or {}).get(scenario)
        for number, world in enumerate(panels):
            _check_world(scenario, world, panel)
            for name, departure in departures.items():
                found = _through(departure, world.select(departure.strategy.inputs), then)
                rows.append({"strategy": name, "scenario": scenario, "world": number, **found})
    if not rows:
        raise DataError("There is no world to go through. Give each scenario one panel or more.")
    table = pd.DataFrame(rows)
    # By strategy first, as the matrices are read; scenarios and worlds stay in the order given.
    order = {name: k for k, name in enumerate(strategies)}
    table = table.sort_values("strategy", key=lambda column: column.map(order), kind="stable", ignore_index=True)
    return StressResult(table, panel.index[-1])


def _check_world(scenario: str, world: Panel, panel: Panel) -> None:
    if not len(world):
        raise DataError(f"A world of {scenario!r} has no session. Give it one or more.")
    if world.index[0] <= panel.index[-1]:
        raise DataError(
            f"A world of {scenario!r} begins on {world.index[0]:%Y-%m-%d}, and history ends on "
            f"{panel.index[-1]:%Y-%m-%d}. Let it begin on a later session."
        )


def _through(departure: Departure, world: Panel, then: AnyCosts | None) -> dict[str, Any]:
    """Return what an account and its holdings left alone come to in a world of its inputs.

    `then` are the costs from the world's first session on; None keeps those of history.
    """
    start, one = departure.start, departure.accounts[0]
    whole = joined(departure.history, world, departure.strategy)
    group = group_of(departure.strategy, whole)
    market = prepare(whole, one.costs, one.execution)
    later = None if then is None else (start + 1, prepare(whole, then, one.execution))
    plan, equity, record, log = simulate(whole, market, [group], None, 1_000_000.0, 1, "on_change", later)
    if equity[start] <= 0.0:
        raise departure.ruined()
    held = record.bars[CASH, start] + _value(whole, record.legs[SHARES][:, start], plan.column, start)
    both = np.stack([equity[start:], held]) / equity[start]
    told = outcomes_of(both, departure.shared.periods_per_year)
    return {
        "return": told.returns[0],
        "max_drawdown": told.max_drawdown[0],
        "hold": told.returns[1],
        "hold_drawdown": told.max_drawdown[1],
        **_first_stop(whole, log, plan.column, start),
    }


def _value(panel: Panel, shares: FloatArray, column: IntArray, start: int) -> FloatArray:
    """Return what shares that are left alone [L] are worth with their dividends, from the start on [horizon + 1]."""
    closes = panel.frame("close").ffill().to_numpy()[start:, column]
    grown, paid = np.ones(closes.shape), np.zeros(closes.shape)
    if "split" in panel.extra:
        grown[1:] = np.cumprod(panel.frame("split").to_numpy()[start + 1 :, column], axis=0)
    if "dividend" in panel.extra:
        paid[1:] = panel.frame("dividend").to_numpy()[start + 1 :, column]
    grown *= shares
    return np.asarray((closes * grown + np.cumsum(paid * grown, axis=0)).sum(axis=1))


def _first_stop(panel: Panel, log: Log, column: IntArray, start: int) -> dict[str, Any]:
    """Return the first exit after the start that something else than a decision ordered, and when.

    An exit that history ordered at the last close, to be filled in the scenario's first bar, is not the scenario's.
    """
    fills = log.fills[: log.used[0]]
    bar, leg, price, row, reason = fills[:, 0], fills[:, 1], fills[:, 3], fills[:, 6], fills[:, 7]
    exits = (row > start) & (reason != DECISION)
    if not exits.any():
        return {"reason": "", "fired": pd.NaT, "left": pd.NaT, "session": np.nan, "gap": np.nan}
    first = int(bar[exits].min())
    at = exits & (bar == first)
    before = panel.frame("close").ffill().to_numpy()[first - 1, column[leg[at].astype(np.int64)]]
    moves = price[at] / before - 1.0
    return {
        "reason": REASONS[int(reason[at][0])],
        "fired": panel.index[int(row[at][0])],
        "left": panel.index[first],
        "session": float(first - start),
        "gap": float(moves[np.argmax(np.abs(moves))]),
    }


def _what_stopped(worlds: pd.DataFrame) -> str:
    """Return in words what stopped a strategy in the worlds of one scenario."""
    stopped = worlds[worlds["reason"] != ""]
    if stopped.empty:
        return NOTHING
    reason = stopped["reason"].mode().iloc[0].replace("_", " ")
    if len(worlds) == 1:
        return f"{reason} on session {stopped['session'].iloc[0]:.0f}"
    share = percent(len(stopped) / len(worlds), 0)
    return f"{reason}, in {share} of worlds, session {stopped['session'].median():.0f} in the middle"
