"""Charts of scenarios: what each does to each strategy or asset, and how a shock was got."""

from __future__ import annotations

import html
import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, figure
from quantlib.charts.numbers import percent, ratio, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

ROW = 24
"""Pixels of a row."""
NARROW, LINE, SIGN = 220, 14, 6.2
"""Pixels that a phone leaves to the columns of a heat map, and of a line and a sign of its labels."""
NAME = 18
"""Signs of a scenario's name on one line, so that the names leave a phone some room for what they name."""
HOW = {
    "named": ("Named", LIGHT.accent),
    "conditional": ("By history", LIGHT.series[3]),
    "proxy": ("By a proxy", LIGHT.series[1]),
    "law": ("Nothing named", LIGHT.muted),
}
"""By how a shock was got: its words and its colour."""


def scenario_heatmap(grid: pd.DataFrame, *, what: str = "Return") -> go.Figure:
    """Return a heat map of what every scenario does to every strategy or asset.

    Parameters
    ----------
    grid
        Returns as fractions [strategy or asset x scenario]; NaN where a scenario cannot be had.
    what
        What the numbers are.

    Raises
    ------
    DataError
        No number is known.
    """
    values = grid.to_numpy(dtype=np.float64)
    if not np.isfinite(values).any():
        raise DataError("No scenario has a result, so there is nothing to draw. Load what shows its factors.")
    row, column = np.unravel_index(np.nanargmin(values), values.shape)
    rows, columns = [str(name) for name in grid.index], [str(name) for name in grid.columns]
    if values[row, column] < 0:
        title = f"{columns[column]} is the worst for {rows[row]}: {signed_percent(values[row, column])}"
    else:
        title = "No scenario loses money"
    if len(rows) > 1 and values[row, column] < 0:
        title += f"; {_losing(values)}"
    limit = float(np.nanmax(np.abs(values))) * 100 or 1.0
    few = len(rows) <= 6
    rounded = np.round(values * 100, int(few)) + 0.0
    text = [["" if np.isnan(v) else f"{v:+.{int(few)}f}" if v else "0" for v in line] for line in rounded]
    upright, tall = _upright(rows)
    names = [_wrapped(name, NAME) for name in columns]
    height = len(names) * max(ROW, LINE * (1 + max(name.count("<br>") for name in names)))
    traces: Traces = [
        {
            "type": "heatmap",
            # Scenarios are many and have long names, so they stand one below the other.
            "x": rows,
            "y": columns,
            "z": values.T * 100,
            "zmin": -limit,
            "zmax": limit,
            "xgap": 1,
            "ygap": 1,
            "colorscale": [[0.0, LIGHT.loss], [0.5, LIGHT.surface], [1.0, LIGHT.gain]],
            "text": [list(line) for line in zip(*text, strict=True)],
            # Without a size plotly takes the largest that fits a cell, which differs from a phone to a wide screen.
            "texttemplate": "%{text}",
            "colorbar": {
                "title": {"text": f"{what} (%)", "side": "top"},
                "orientation": "h",
                "y": 0,
                "yanchor": "top",
                "thickness": 8,
                "len": 1.0,
                "outlinewidth": 0,
            },
            "hoverongaps": False,
            "hovertemplate": "%{x}, %{y}: %{z:+.1f} %<extra></extra>",
        }
    ]
    unknown = int((~np.isfinite(values)).all(axis=0).sum())
    return figure(
        traces,
        kind=f"Heat map of the {what.lower()} in {len(columns)} scenarios",
        title=title,
        subtitle=f"{what} over the scenario, in percent; scenarios differ in length and in likelihood",
        note=f"{unknown} of {len(columns)} scenarios have no number here" if unknown else "",
        height=150 + tall + height,
        layout={
            "hovermode": "closest",
            "font": {"size": 12},
            "xaxis": {
                "type": "category",
                "showgrid": False,
                "showline": False,
                "ticks": "",
                "hoverformat": "",
                "side": "top",
                "tickangle": -90 if upright else 0,
                "tickvals": list(range(len(rows))),
                "ticktext": rows if upright else [_wrapped(name, int(NARROW / len(rows) / SIGN)) for name in rows],
                "tickfont": {"size": 11 if len(rows) <= 14 else 8},
            },
            "yaxis": {
                "type": "category",
                "showgrid": False,
                "autorange": "reversed",
                "tickvals": list(range(len(columns))),
                "ticktext": names,
                "tickfont": {"size": 11},
            },
        },
        table=grid,
    )


def _wrapped(name: str, width: int) -> str:
    return "<br>".join(html.escape(part, quote=False) for part in textwrap.wrap(name, width)) or name


def _upright(rows: list[str]) -> tuple[bool, int]:
    """Return whether names above columns have to stand upright to fit a phone, and how many pixels they are tall."""
    width = int(NARROW / len(rows) / SIGN)
    if max(len(word) for name in rows for word in [*name.split(), ""]) > width:
        return True, int(SIGN * max(map(len, rows)))
    return False, LINE * max(len(textwrap.wrap(name, width)) for name in rows)


def _losing(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    known = values[:, np.isfinite(values).any(axis=0)]
    everywhere = int((np.nanmax(known, axis=0) < 0).sum())
    return f"{everywhere} of {known.shape[1]} scenarios lose in every column"


def scenario_bars(table: pd.DataFrame, *, scenario: str) -> go.Figure:
    """Return one scenario's move of every symbol as bars, coloured by how it was got, with 95 % intervals.

    Parameters
    ----------
    table
        By symbol: shock, low, high as fractions; how (a key of `HOW`); r2.
    scenario
        Its title.

    Raises
    ------
    DataError
        The table is empty, or says how in a way there is no colour for.
    """
    if table.empty:
        raise DataError(f"{scenario} moves no symbol, so there is nothing to draw.")
    if strange := set(table["how"]) - set(HOW):
        raise DataError(f"A shock was got by {min(strange)!r}; accepted: {', '.join(HOW)}.")
    ordered = table.sort_values("shock", ascending=False, kind="stable")
    worst, best = ordered.index[-1], ordered.index[0]
    low, high = ordered["shock"].iloc[-1], ordered["shock"].iloc[0]
    title = f"{scenario}: {worst} {signed_percent(low)}"
    if len(ordered) > 1:
        title += f", {best} {signed_percent(high)}; half of the symbols below {signed_percent(table['shock'].median())}"
    if (table["how"] == "law").all():
        width = float((table["high"] - table["low"]).max()) / 2
        title = f"{scenario}: no direction is given; up to {percent(width)} either way is usual"
    traces: Traces = []
    for how, (words, color) in HOW.items():
        some = ordered[ordered["how"] == how]
        if some.empty:
            continue
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "x": some["shock"].to_numpy() * 100,
                "y": [str(symbol) for symbol in some.index],
                "name": words,
                "marker": {"color": fade(color, 0.8)},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": ((some["high"] - some["shock"]) * 100).to_numpy(),
                    "arrayminus": ((some["shock"] - some["low"]) * 100).to_numpy(),
                    "color": fade(LIGHT.ink, 0.5),
                    "thickness": 1.2,
                    "width": 3,
                },
                "customdata": [f"R² {ratio(r2)}" for r2 in some["r2"]],
                "hovertemplate": "%{y} %{x:+.1f} %, %{customdata}",
            }
        )
    return figure(
        traces,
        kind="Bar chart of a scenario's moves by symbol",
        title=title,
        subtitle="Lines: 95 % intervals given what is named, by a normal law; R² is the share that is explained",
        x="Move (%)",
        height=150 + ROW * len(ordered),
        layout={
            "hovermode": "closest",
            "barmode": "overlay",  # a symbol has one bar; grouped ones would leave room for those it has not
            "xaxis": {"hoverformat": ""},
            "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": list(map(str, ordered.index))},
        },
        table=ordered,
    )
