"""Charts of event studies: what prices did around events, event by event, and by how strong the event was."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line
from quantlib.charts.numbers import count, interval, percent, ratio, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

#: P-value below which chance is named as unlikely.
UNLIKELY = 0.05


def event_path(
    by_day: pd.DataFrame,
    *,
    what: str,
    events: int,
    clusters: int,
    p_placebo: float,
    over: tuple[int, int] | None = None,
    car: tuple[float, float, float] | None = None,
    model: str = "",
    confidence: float = 0.95,
) -> go.Figure:
    """Return the mean cumulated abnormal return by day from the event, with its interval and the placebo band.

    Parameters
    ----------
    by_day
        Index: days from the event. Columns: car, ci_low, ci_high, placebo_low, placebo_high, log returns from the
        window's begin on; bands that are not known are not drawn.
    what
        What the events are, such as "FOMC decisions".
    events, clusters
        How many, and how many clusters of overlapping windows they make.
    p_placebo
        P-value by placebo dates, of the days the study sums; NaN where none were drawn.
    over
        First and last day the study sums; None for the whole window. The title is of these days.
    car
        Their mean CAR and its interval, low and high; needed where they are not the whole window.
    model
        What the returns are abnormal to, such as "the market".
    confidence
        Of both bands.

    Raises
    ------
    DataError
        There is no day to draw, or the days summed are a part of the window and what they sum to is not given.
    """
    if by_day.empty:
        raise DataError("There is no day to draw. Study at least the day of the event.")
    whole = (int(by_day.index[0]), int(by_day.index[-1]))
    first, final = over or whole
    if (first, final) == whole:
        last = by_day.iloc[-1]
        car = (last["car"], last["ci_low"], last["ci_high"])
        when = f"by day {final}" if final else "by the day itself" if first else "on the day itself"
    elif car is None:
        raise DataError(
            f"The study sums the days {first} to {final} of {whole[0]} to {whole[1]}; give their mean CAR and interval."
        )
    else:
        one = f"on day {first:+d}" if first else "on the day itself"
        when = one if first == final else f"from day {_day(first)} to {_day(final)}"
    shown = by_day[["car", "ci_low", "ci_high", "placebo_low", "placebo_high"]] * 100
    x = by_day.index.to_numpy()
    edge: dict[str, Any] = {"width": 0.0, "unit": ":.2f} %", "showlegend": False}
    traces: Traces = []
    if shown["placebo_low"].notna().all():
        traces += [
            line(x, shown["placebo_low"].to_numpy(), "Placebo dates, low", LIGHT.muted, **edge),
            line(x, shown["placebo_high"].to_numpy(), "Placebo dates, high", LIGHT.muted, **edge)
            | {"fill": "tonexty", "fillcolor": fade(LIGHT.muted, 0.16)},
        ]
    banded = bool(shown["ci_low"].notna().all())
    if banded:
        traces += [
            line(x, shown["ci_low"].to_numpy(), "Interval, low", LIGHT.accent, **edge),
            line(x, shown["ci_high"].to_numpy(), "Interval, high", LIGHT.accent, **edge)
            | {"fill": "tonexty", "fillcolor": fade(LIGHT.accent, 0.2)},
        ]
    mean = line(x, shown["car"].to_numpy(), "Mean", LIGHT.accent, width=2.2, unit=":.2f} %", showlegend=False)
    traces.append(mean | {"mode": "lines+markers"})
    if banded and len(shown) == 1:  # a band needs two days to be seen
        (day,) = shown.to_dict("records")
        ends = {"array": [day["ci_high"] - day["car"]], "arrayminus": [day["car"] - day["ci_low"]]}
        traces[-1]["error_y"] = {"type": "data", "symmetric": False, **ends, "color": LIGHT.accent}
    title = f"{what}: {interval(*car, signed=True)} {when}{f' beyond {model}' if model else ''}"
    if np.isfinite(p_placebo):
        likely = "random dates rarely do as much" if p_placebo < UNLIKELY else "random dates often do as much"
        title += f"; {likely} (p {ratio(p_placebo, 3)})"
    share = percent(confidence, 0)
    counted = {"type": "rect", "xref": "x", "x0": first - 0.5, "x1": final + 0.5, "yref": "paper", "y0": 0, "y1": 1}
    counted |= {"layer": "below", "line": {"width": 0}, "fillcolor": fade(LIGHT.caution, 0.12)}
    bands = [f"blue: {share} interval by clusters"] * banded + [f"grey: {share} of placebo dates"] * (len(traces) > 3)
    bands += ["shaded: the days of the title"] * ((first, final) != whole)
    return figure(
        traces,
        kind="Line chart of cumulated abnormal returns by day from the event",
        title=title,
        subtitle="; ".join(
            [f"Mean of {count(events)} events in {count(clusters)} cluster{'s' * (clusters != 1)}", *bands]
        ),
        x="Sessions from the event",
        y="Cumulated abnormal return (%)",
        table=by_day,
        layout={
            "xaxis": {"hoverformat": "d"},
            "shapes": [
                {"type": "line", "xref": "x", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
                | {"line": {"color": LIGHT.border, "width": 1}},
                *([counted] if (first, final) != whole else []),
            ],
        },
    )


def _day(day: int) -> str:
    return f"{day:+d}" if day else "0"


def event_dots(by_event: pd.DataFrame, *, what: str) -> go.Figure:
    """Return the CAR of each event by its date as dots; what rose and what fell differ by place and colour.

    Parameters
    ----------
    by_event
        Index: ids, in time. Columns: session, car, and title where there is one.
    what
        What the events are.
    """
    cars = _cars(by_event)
    words = by_event["title"] if "title" in by_event else by_event.index.to_series()
    mean, strongest = float(cars.mean()), int(np.abs(cars).argmax())
    sessions = pd.DatetimeIndex(by_event["session"])
    color = [LIGHT.gain if car > 0 else LIGHT.loss for car in cars]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": days(sessions),
        "y": cars * 100,
        "name": "CAR",
        "marker": {"size": 8, "color": color, "opacity": 0.8},
        "text": [html.escape(str(word), quote=False) for word in words],
        "hovertemplate": "%{x|%Y-%m-%d}: %{y:+.2f} %<br>%{text}<extra></extra>",
    }
    return figure(
        [dots],
        kind="Dots of abnormal returns by event",
        title=f"{what}: {percent((cars > 0).mean(), 0)} of {count(len(cars))} gained, {signed_percent(mean, 2)} on "
        f"average; the strongest is {signed_percent(cars[strongest])} on {sessions[strongest]:%Y-%m-%d}",
        subtitle="One dot an event; line: their mean; sums of log returns",
        y="CAR (%)",
        height=300,
        table=by_event[[name for name in ("session", "car", "title") if name in by_event]],
        layout={
            "hovermode": "closest",
            "shapes": [
                {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": mean * 100, "y1": mean * 100}
                | {"line": {"color": LIGHT.ink, "width": 1, "dash": "dot"}}
            ],
        },
    )


def event_strip(abnormal: pd.DataFrame, *, what: str) -> go.Figure:
    """Return abnormal returns as a heat strip: one column an event in time, one row a day of its window.

    Parameters
    ----------
    abnormal
        Abnormal log returns [event x day], ids in time and days from the event.
    what
        What the events are.
    """
    values = abnormal.to_numpy(dtype=np.float64).T * 100
    if not np.isfinite(values).any():
        raise DataError(f"No abnormal return around {what} is known, so there is nothing to draw.")
    mean = np.nanmean(values, axis=1)
    loudest = int(np.argmax(np.nanmean(np.abs(values), axis=1)))
    # The wildest single day would leave all others pale.
    limit = float(np.nanquantile(np.abs(values), 0.98)) or 1.0
    day = abnormal.columns[loudest]
    return figure(
        [
            {
                "type": "heatmap",
                "x": [str(name) for name in abnormal.index],
                "y": [f"{d:+d}" if d else "event" for d in abnormal.columns],
                "z": values,
                "zmin": -limit,
                "zmax": limit,
                "colorscale": [[0.0, LIGHT.loss], [0.5, LIGHT.surface], [1.0, LIGHT.gain]],
                "colorbar": {
                    "title": {"text": "Abnormal return (%)", "side": "top"},
                    "orientation": "h",
                    "y": 0,
                    "yanchor": "top",
                    "thickness": 8,
                    "len": 1.0,
                    "outlinewidth": 0,
                },
                "hovertemplate": "%{x}, day %{y}: %{z:+.2f} %<extra></extra>",
            }
        ],
        kind="Heat strip of abnormal returns by event and day",
        title=f"{what}: prices move most {f'on day {day:+d}' if day else 'on the day of the event'}, by "
        f"{signed_percent(mean[loudest] / 100, 2)} on average over {count(len(abnormal))} events",
        subtitle="One column an event, oldest left; colours end where the wildest 2 % begin",
        y="Sessions from the event",
        height=170 + 16 * len(abnormal.columns),
        table=abnormal,
        layout={
            "hovermode": "closest",
            "xaxis": {"type": "category", "showticklabels": len(abnormal) <= 30, "showgrid": False, "hoverformat": ""},
            "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False},
        },
    )


def dose_scatter(
    by_event: pd.DataFrame,
    *,
    what: str,
    slope: float,
    ci_low: float,
    ci_high: float,
    intercept: float,
    p_value: float,
    unit: str = "standard deviation",
) -> go.Figure:
    """Return the CAR of each event against how strong it was, with the fitted line.

    Parameters
    ----------
    by_event
        Columns: dose, car, session. Events without a dose are left out.
    what
        What the events are.
    slope, ci_low, ci_high, intercept
        The line, in log returns for each unit of the dose, and the slope's interval.
    p_value
        Of no slope.
    unit
        What one unit of the dose is.
    """
    known = by_event[by_event["dose"].notna()]
    cars, doses = _cars(known), known["dose"].to_numpy(dtype=np.float64)
    at = np.array([doses.min(), doses.max()])
    dates = pd.DatetimeIndex(known["session"]).strftime("%Y-%m-%d")
    sure = "a slope by chance is unlikely" if p_value < UNLIKELY else "the slope may be chance"
    return figure(
        [
            {
                "type": "scatter",
                "mode": "markers",
                "x": doses,
                "y": cars * 100,
                "name": "Events",
                "marker": {"size": 8, "color": LIGHT.accent, "opacity": 0.75},
                "text": dates.to_list(),
                "hovertemplate": "%{text}: dose %{x:+.2f}, %{y:+.2f} %<extra></extra>",
            },
            line(at, (intercept + slope * at) * 100, "Fit", LIGHT.ink, unit=":.2f} %", dash="dash"),
        ],
        kind="Scatter of abnormal returns by the strength of the event",
        title=f"{what}: {interval(slope, ci_low, ci_high, signed=True)} for each {unit} of surprise; {sure} "
        f"(p {ratio(p_value, 3)})",
        subtitle=f"{count(len(known))} events with a known dose; without surprise "
        f"{signed_percent(intercept, 2)}; interval by clusters of overlapping windows",
        x=f"Dose ({unit}s)",
        y="CAR (%)",
        height=340,
        table=known[["session", "dose", "car"]],
        layout={"hovermode": "closest", "showlegend": False, "xaxis": {"hoverformat": ".2f"}},
    )


def _cars(by_event: pd.DataFrame) -> np.ndarray:
    cars = by_event["car"].to_numpy(dtype=np.float64)
    if not len(cars) or not np.isfinite(cars).all():
        raise DataError(f"The CARs of {len(cars)} events hold unknown values, or none at all. Study them first.")
    return cars
