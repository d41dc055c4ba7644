"""An event put into simulated worlds: the response that a study measured, on a day ahead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import fan_chart
from quantlib.charts.theme import LIGHT
from quantlib.errors import DataError, nearest
from quantlib.simulators import SIMULATORS
from quantlib.simulators.impulse import Impulse
from quantlib.simulators.realism_card import RealismGrade
from quantlib.types import FloatArray
from quantlib.workflows.event_study import StudiedEvents
from quantlib.workflows.grading import grade_of
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session

#: How the event's day is drawn.
MARK = {"color": LIGHT.muted, "width": 1, "dash": "dot"}


@dataclass(frozen=True, eq=False)
class EventAhead:
    """One symbol in simulated worlds with an event in them.

    Parameters
    ----------
    symbol, simulator
        Whose price, and the title of the worlds.
    day
        The session of the horizon on which the event comes.
    history
        Closes up to today.
    paths, without
        Closes with the event and without it [n, horizon + 1], today's first; the same numbers up to the event.
    dates
        Today, then the sessions ahead [horizon + 1].
    grade
        How real the worlds without the event are.
    """

    symbol: str
    simulator: str
    day: int
    history: pd.Series
    paths: FloatArray
    without: FloatArray
    dates: pd.DatetimeIndex
    grade: RealismGrade

    @property
    def difference(self) -> tuple[float, float]:
        """Mean of what the event changes by the end, as a fraction, and its standard error over the worlds."""
        change = self.paths[:, -1] / self.without[:, -1] - 1.0
        return float(change.mean()), float(change.std(ddof=1) / np.sqrt(len(change)))

    @cached_property
    def figure(self) -> go.Figure:
        """The price ahead as a fan, with the event's day marked."""
        fig = fan_chart(self.history, self.paths, self.dates, what=f"Price of {self.symbol}", simulator=self.simulator)
        at = self.dates[self.day].to_datetime64()
        fig.add_shape(type="line", xref="x", x0=at, x1=at, yref="paper", y0=0, y1=1, line=MARK, layer="below")
        fig.add_annotation(x=at, y=0, yref="paper", yanchor="bottom", xanchor="left", text="event", showarrow=False)
        return fig


def event_ahead(
    session: Session, done: StudiedEvents, symbol: str, world: str, *, day: int = 5, n: int = 500, horizon: int = 21
) -> EventAhead:
    """Return a symbol's worlds with the mean response of a study put in on a day, beside the same worlds without.

    Parameters
    ----------
    symbol
        One of those studied.
    world
        Name of a simulator, at its defaults.
    day
        Session of the horizon, the first being 1.

    Raises
    ------
    DataError
        There is no such simulator, the day lies beyond the horizon, or the history is too short.
    """
    if world not in SIMULATORS:
        raise DataError(f"There is no simulator {world!r}. {nearest(world, SIMULATORS)}")
    inner = SIMULATORS[world]()
    panel = shared_panel(session, [symbol])
    event = Impulse(inner=inner, days=(day,), **done.study.impulse())
    seed, start = session.settings.seed, np.full((n, 1), panel.close[-1, 0])
    paths, without = (
        np.hstack([start, simulator.closes(panel, n=n, horizon=horizon, seed=seed)[:, :, 0]])
        for simulator in (event, inner)
    )
    dates = panel.index[-1:].append(panel.next_sessions(horizon))
    grade = grade_of(session, inner, panel)
    return EventAhead(symbol, inner.title, day, panel.frame()[symbol], paths, without, pd.DatetimeIndex(dates), grade)
