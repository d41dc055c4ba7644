"""The time machine: what was known on a day, what a strategy made of it, and the walk from one day to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from quantlib.backtest import BacktestResult, run_strategy
from quantlib.costs import AnyCosts
from quantlib.errors import DataError
from quantlib.reports.stance import Stance, stance
from quantlib.strategies import Explanation, Strategy
from quantlib.types import DateLike, Panel, as_date, check_span
from quantlib.workflows.extras import explained
from quantlib.workflows.research import choose_source, data_label, strategy_panel
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs

#: Weights closer than this are the same decision.
SAME_DECISION = 1e-9


@dataclass(frozen=True)
class Moment:
    """One strategy at the close of one day, with nothing that became known later.

    Parameters
    ----------
    name, strategy
        What people call it, and its definition.
    panel
        The prices as they were known at the end of that day; the last row is the last session up to it.
    result
        The backtest up to that close.
    explanation
        The signal and the reasons then.
    stance
        What there was to do at the next session.
    label
        Where the prices come from, and up to when.
    """

    name: str
    strategy: Strategy
    panel: Panel
    result: BacktestResult
    explanation: Explanation
    stance: Stance
    label: str

    @property
    def day(self) -> pd.Timestamp:
        """The last session whose close was known."""
        return self.panel.index[-1]

    @property
    def decided(self) -> pd.Series:
        """Weights decided at that close, by symbol."""
        return self.result.targets.iloc[-1]


def go_back(
    session: Session, strategy: Strategy, day: DateLike, *, name: str | None = None, costs: AnyCosts | None = None
) -> Moment:
    """Return where a strategy stood at the end of a day, by the code that runs today on what was known then.

    Nothing is stored or logged: it is a look, not a try.

    Parameters
    ----------
    day
        A session, or a day without one, which then stands where the session before it closed.
    costs
        Of all symbols or by symbol; None takes the defaults of each symbol's kind of instrument.

    Raises
    ------
    DataError
        A symbol is unknown or had no price by then, or all of them shared no session.
    """
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    panel = strategy_panel(session, strategy, end=day, as_of=day)
    result = run_strategy(strategy, panel, costs=costs, name=name)
    return Moment(
        name=name or strategy.title,
        strategy=strategy,
        panel=panel,
        result=result,
        explanation=explained(session, strategy, panel),
        stance=stance(strategy.symbols, result),
        label=data_label(choose_source(session), panel.index[-1]),
    )


@dataclass(frozen=True)
class Walk:
    """A strategy walked from day to day.

    Parameters
    ----------
    days
        One row a session: action, headline, then (weights decided then, by symbol), later (those that today's backtest
        decides for the same close), revised (whether they differ).
    decided, hindsight
        The same weights as tables [session x symbol].
    """

    days: pd.DataFrame
    decided: pd.DataFrame
    hindsight: pd.DataFrame

    @property
    def revised(self) -> int:
        """On how many days today's data say another thing than what was known then."""
        return int(self.days["revised"].sum())


def walk(
    session: Session,
    strategy: Strategy,
    start: DateLike,
    end: DateLike,
    *,
    name: str | None = None,
    costs: AnyCosts | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Walk:
    """Return what a strategy decided at every close of a span, each day with what was known on it and nothing more.

    Beside it stands what the backtest over all that is known today decides for the same closes: where both differ,
    either a price was changed afterwards, or a rule looks ahead.

    Parameters
    ----------
    start, end
        First and last day of the walk.
    on_progress
        Called with (sessions walked, sessions in all).

    Raises
    ------
    DataError
        No session lies in the span, or what `go_back` refuses.
    """
    first, last = as_date(start, "start"), as_date(end, "end")
    check_span(first, last)
    today = strategy_panel(session, strategy)
    sessions = today.index[(today.index >= first) & (today.index <= last)]
    if sessions.empty:
        raise DataError(
            f"There is no session from {first:%Y-%m-%d} to {last:%Y-%m-%d}; prices of all its symbols reach from "
            f"{today.index[0]:%Y-%m-%d} to {today.index[-1]:%Y-%m-%d}."
        )
    rows, decided = [], []
    for moment in _moments(session, strategy, sessions, name, costs):
        rows.append({"action": moment.stance.action, "headline": moment.stance.headline})
        decided.append(moment.decided)
        if on_progress is not None:
            on_progress(len(rows), len(sessions))
    then = pd.DataFrame(decided, index=sessions)
    later = strategy.targets(today).loc[sessions, then.columns]
    days = pd.DataFrame(rows, index=sessions)
    days["revised"] = ((then - later).abs() > SAME_DECISION).any(axis=1)
    return Walk(days, then, later)


def _moments(
    session: Session, strategy: Strategy, sessions: pd.DatetimeIndex, name: str | None, costs: AnyCosts | None
) -> Iterator[Moment]:
    costs = usual_costs(session, strategy.inputs) if costs is None else costs
    for day in sessions:
        yield go_back(session, strategy, day, name=name, costs=costs)
