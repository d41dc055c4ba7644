"""Charts of a track record: growth with its uncertainty, rolling ratios, months, exposure."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line, log_axis
from quantlib.charts.numbers import Unit, number, percent, ratio, signed_percent
from quantlib.charts.theme import LIGHT, fade, series_color
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError

MONTH_NAMES = 22  # pixels the names of the months take between title and calendar
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def equity_band(
    equity: pd.Series, band: pd.DataFrame, name: str, *, benchmark: pd.Series | None = None, coverage: float = 0.95
) -> go.Figure:
    """Return growth of 1 inside the band that resampled histories of the same returns span.

    Parameters
    ----------
    equity
        The account [T].
    band
        Columns low and high, growth of 1 on the equity's dates [T].
    name
        The strategy.
    benchmark
        Equity of what it has to beat.
    coverage
        Share of the resampled histories between low and high.

    Raises
    ------
    DataError
        The band is not on the equity's dates.
    """
    if not band.index.equals(equity.index):
        raise DataError("The band and the equity have different dates. Make the band from this equity.")
    frame = pd.DataFrame({"low": band["low"], "high": band["high"], name: equity / equity.iloc[0]})
    if benchmark is not None:
        frame["Buy and hold"] = (benchmark / benchmark.iloc[0]).reindex(frame.index)
    shown = thin(frame)
    x, color = days(shown.index), series_color(name)
    traces: Traces = [
        line(x, shown["high"].to_numpy(), "", color, width=0, showlegend=False, hoverinfo="skip") | {"name": "high"},
        line(x, shown["low"].to_numpy(), "", color, width=0, hoverinfo="skip", fill="tonexty")
        | {"name": f"{coverage:.0%} of resampled histories".replace("%", " %"), "fillcolor": fade(color, 0.14)},
        line(x, shown[name].to_numpy(), name, color, unit=":.2f}×"),
    ]
    if benchmark is not None:
        traces.append(line(x, shown["Buy and hold"].to_numpy(), "Buy and hold", LIGHT.muted, unit=":.2f}×", width=1.3))
    last = frame.iloc[-1]
    positive = frame.to_numpy()[np.isfinite(frame.to_numpy())]
    return figure(
        traces,
        kind="Line chart of growth of 1 with a band",
        title=f"{name} turned 1 into {ratio(last[name])}; other orders of the same days end between "
        f"{ratio(last['low'])} and {ratio(last['high'])}",
        subtitle=f"After costs, {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}, log scale",
        note=drawn(len(frame), len(shown)),
        y="Growth of 1 (×)",
        layout={"yaxis": log_axis(float(max(positive.min(), 1e-6)), float(positive.max()))},
    )


def rolling_line(values: pd.Series, what: str, *, window: int, unit: Unit = "ratio", height: int = 220) -> go.Figure:
    """Return a metric over a moving window of sessions, with its own average.

    Parameters
    ----------
    values
        The metric at each window's last session [T], NaN while the window fills; its name gives the colour.
    what
        What is measured, such as "Sharpe ratio".
    window
        Sessions.
    unit
        How it is written.

    Raises
    ------
    DataError
        No window is full.
    """
    known = values.dropna()
    if known.empty:
        raise DataError(f"There are fewer than {window} sessions, so there is no rolling {what}.")
    factor = 100.0 if unit == "percent" else 1.0
    shown = thin((known * factor).to_frame())
    negative = float((known < 0).mean())
    beside = f"; below zero {percent(negative, 0)} of the time" if negative else ""
    name = what if values.name is None else str(values.name)
    return figure(
        [line(days(shown.index), shown.iloc[:, 0].to_numpy(), what, series_color(name), unit=":.2f}")],
        kind=f"Line chart of the rolling {what}",
        title=f"Rolling {what} between {number(known.min(), unit)} and {number(known.max(), unit)}, "
        f"now {number(known.iloc[-1], unit)}{beside}",
        subtitle=f"Over {window} sessions each",
        note=drawn(len(known), len(shown)),
        # Beside a low pane a long title would run into the one above it.
        y="<br>".join(textwrap.wrap(f"{what[:1].upper()}{what[1:]}{' (%)' if unit == 'percent' else ''}", 18)),
        height=height,
    )


def monthly_heatmap(table: pd.DataFrame) -> go.Figure:
    """Return the returns of all months as a calendar, one row a year, with the year's own beside them.

    Parameters
    ----------
    table
        As `metrics.monthly_table` gives it. Index: years. Columns: Jan ... Dec, Year; fractions, NaN where there was
        no session.
    """
    if table.empty:
        raise DataError("There is no month to draw. Run a strategy first.")
    grid = table[[*MONTHS, "Year"]].to_numpy(dtype=np.float64) * 100
    months = grid[:, :12]
    limit = float(np.nanquantile(np.abs(months), 0.98)) or 1.0
    shown = np.round(np.nan_to_num(grid), 1) + 0.0  # no month lost "-0.0"
    text = np.where(np.isfinite(grid), np.char.mod("%.1f", shown), "")
    best, worst = (np.unravel_index(f(months), months.shape) for f in (np.nanargmax, np.nanargmin))
    won = float((months[np.isfinite(months)] > 0).mean())
    years = [str(year) for year in table.index]
    # A year moves further than a month; beyond the scale it only says so by its number.
    heat = {
        "type": "heatmap",
        "x": [*MONTHS, "Year"],
        "y": years,
        "z": np.clip(grid, -limit, limit),
        "zmin": -limit,
        "zmax": limit,
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0.0, LIGHT.loss], [0.5, LIGHT.surface], [1.0, LIGHT.gain]],
        "text": text,
        "texttemplate": "%{text}",
        "showscale": False,
        "hovertemplate": "%{x} %{y}: %{text} %<extra></extra>",
    }
    drawing = figure(
        [heat],
        kind="Calendar of monthly returns",
        title=f"{percent(won, 0)} of months were up; best {MONTHS[best[1]]} {years[best[0]]} "
        f"({signed_percent(months[best] / 100)}), worst {MONTHS[worst[1]]} {years[worst[0]]} "
        f"({signed_percent(months[worst] / 100)})",
        subtitle="Net return in percent; the last column is the whole year",
        height=130 + 20 * len(years),
        layout={
            "hovermode": "closest",
            "yaxis": {"type": "category", "autorange": "reversed", "dtick": 1, "showgrid": False},
            "xaxis": {"type": "category", "side": "top", "showgrid": False, "showline": False},
        },
        table=table,
    )
    head, height = drawing.layout.margin.t, drawing.layout.height
    return drawing.update_layout(margin_t=head + MONTH_NAMES, height=height + MONTH_NAMES)


def exposure(weights: pd.DataFrame) -> go.Figure:
    """Return the gross and the net exposure over time.

    Parameters
    ----------
    weights
        Fractions of equity held [time x leg], negative where short.
    """
    if weights.empty:
        raise DataError("There are no weights to draw. Run a strategy first.")
    frame = pd.DataFrame({"Gross": weights.abs().sum(axis=1), "Net": weights.sum(axis=1)})
    shown = thin(frame * 100)
    held = float((frame["Gross"] > 1e-9).mean())
    x, of = days(shown.index), "Share of equity"
    traces: Traces = [line(x, shown["Gross"].to_numpy(), "Gross", LIGHT.series[0], unit=":.0f} %")]
    if np.allclose(frame["Gross"], frame["Net"], rtol=0.0, atol=1e-9):
        of += ", never short: net is the same as gross"
    else:
        traces.append(line(x, shown["Net"].to_numpy(), "Net", LIGHT.series[1], unit=":.0f} %", dash="dot"))
    return figure(
        traces,
        kind="Line chart of exposure",
        title=f"In the market {percent(held, 0)} of sessions, {percent(frame['Gross'].mean(), 0)} gross on average; "
        f"never above {percent(frame['Gross'].max(), 0)}",
        subtitle=f"{of}, {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}",
        note=drawn(len(frame), len(shown)),
        y="Exposure (% of equity)",
        height=260,
    )
