"""Charts of indicators and signals against their thresholds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import days, figure, level_marks, line
from quantlib.charts.numbers import Unit, known, number, percent, ratio
from quantlib.charts.theme import LIGHT
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError


def indicator_pane(
    lines: Mapping[str, pd.Series],
    title: str,
    levels: Mapping[str, float] | None = None,
    *,
    unit: str = "",
    height: int = 220,
) -> go.Figure:
    """Return an indicator under its own axis, with its thresholds; made to stand below a price chart.

    Parameters
    ----------
    lines
        The indicator's lines by name, on one calendar.
    title
        The indicator's name with its parameters; the last value and its place are added.
    levels
        Horizontal thresholds by name.
    unit
        Unit of the axis.
    height
        Pixels.
    """
    frame = pd.DataFrame({str(k): v for k, v in lines.items()}).dropna(how="all")
    if frame.empty:
        raise DataError(f"{title} has no value in this span yet; it needs more bars before its first.")
    shown = thin(frame)
    x = days(shown.index)
    now = known(frame.iloc[-1, 0])
    return figure(
        [
            line(x, shown[name].to_numpy(), name, LIGHT.series[i % len(LIGHT.series)], unit=":,.2f}")
            for i, name in enumerate(shown.columns)
        ],
        kind=f"Line chart of {title}",
        title=f"{title} is {ratio(now)}{_place(now, levels or {})}",
        note=drawn(len(frame), len(shown)),
        y=unit,
        height=height,
        layout=level_marks(levels or {}, LIGHT.muted),
    )


def signal_chart(
    series: pd.DataFrame,
    levels: Mapping[str, float],
    value: float,
    *,
    signal: str,
    unit: Unit = "ratio",
    percentile: float | None = None,
    years: float = 3.0,
) -> go.Figure:
    """Return a strategy's signal over its recent past with the thresholds it acts on and a dot for today.

    Parameters
    ----------
    series
        Signal lines over time, one a column, in natural units.
    levels
        Thresholds by name.
    value
        The signal now.
    signal
        Its name.
    unit
        How it is written; "percent" takes fractions.
    percentile
        Where today's value stands in its own whole history, 0 to 1.
    years
        How much of the past is drawn.
    """
    factor, suffix = (100.0, " %") if unit == "percent" else (1.0, "")
    known_rows = series.dropna(how="all")
    if known_rows.empty:
        raise DataError(f"The signal {signal!r} has no value yet; it needs more bars before its first.")
    frame = known_rows.loc[known_rows.index[-1] - pd.Timedelta(days=round(365.25 * years)) :]
    shown = thin(frame) * factor
    x = days(shown.index)
    now = known(value)
    # Of several lines the one that decides is the one that stands at the value.
    gap = (frame.iloc[-1] - now).abs() if now is not None else frame.iloc[-1]
    main = gap.idxmin() if gap.notna().any() else frame.columns[0]
    traces = [
        line(
            x,
            shown[name].to_numpy(),
            str(name),
            LIGHT.ink if name == main else LIGHT.series[i % len(LIGHT.series)],
            unit=f":,.2f}}{suffix}",
            width=1.8 if name == main else 1.0,
        )
        for i, name in enumerate(shown.columns)
    ]
    rank = known(percentile)
    if now is not None:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": x[-1:],
                "y": [now * factor],
                "marker": {"size": 11, "color": LIGHT.accent, "line": {"color": LIGHT.paper, "width": 2}},
                "hovertemplate": f"today %{{y:,.2f}}{suffix}<extra></extra>",
                "showlegend": False,
            }
        )
    where = "" if rank is None else f"; at or above {percent(rank, 0)} of its history"
    name = signal[:1].upper() + signal[1:]
    return figure(
        traces,
        kind=f"Line chart of the signal: {name}",
        title=f"{name} is {number(now, unit)}{_place(now, levels, unit)}{where}",
        subtitle=f"{frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}; dotted lines are what it acts on",
        note=drawn(len(frame), len(shown)),
        y=f"Signal ({suffix.strip()})" if suffix else "Signal",
        height=300,
        layout=level_marks({key: at * factor for key, at in levels.items()}, LIGHT.muted),
    )


def _place(value: float | None, levels: Mapping[str, float], unit: Unit = "ratio") -> str:
    """Return where a value stands between its thresholds, as the tail of a sentence."""
    marks = sorted(
        (float(at), f"“{name}” ({number(at, unit)})") for name, at in levels.items() if known(at) is not None
    )
    if value is None or not marks:
        return ""
    below = [words for at, words in marks if at <= value]
    above = [words for at, words in marks if at > value]
    if below and above:
        return f", between {below[-1]} and {above[0]}"
    return f", above {below[-1]}" if below else f", below {above[0]}"
