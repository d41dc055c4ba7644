"""Charts of scenarios: what each does to each strategy or asset, how a shock was got, and what would break the book."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, figure
from quantlib.charts.numbers import percent, ratio, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

ROW = 24
"""Pixels of a row."""
MOST_LABELS = 400
"""Cells that are written out; more would not be readable."""
HOW = {
    "named": ("Named", LIGHT.accent),
    "conditional": ("By history, given what is named", LIGHT.series[3]),
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
    text = [[signed_percent(v) if np.isfinite(v) else "" for v in line] for line in values]
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
            "texttemplate": "%{text}" if values.size <= MOST_LABELS else "",
            "textfont": {"size": 11},
            "colorbar": {"title": {"text": f"{what} (%)", "side": "right"}, "thickness": 10, "outlinewidth": 0},
            "hoverongaps": False,
            "hovertemplate": "%{x}, %{y}: %{z:+.1f} %<extra></extra>",
        }
    ]
    unknown = int((~np.isfinite(values)).all(axis=0).sum())
    return figure(
        traces,
        kind=f"Heat map of the {what.lower()} in {len(columns)} scenarios",
        title=title,
        subtitle=f"{what} over the scenario; scenarios differ in length and in likelihood",
        note=f"{unknown} of {len(columns)} scenarios have no number here" if unknown else "",
        height=150 + ROW * len(columns),
        layout={
            "hovermode": "closest",
            "xaxis": {"type": "category", "showgrid": False, "hoverformat": "", "side": "bottom"},
            "yaxis": {"type": "category", "showgrid": False, "autorange": "reversed"},
        },
        table=grid,
    )


def _losing(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    known = values[:, np.isfinite(values).any(axis=0)]
    everywhere = int((np.nanmax(known, axis=0) < 0).sum())
    return f"{everywhere} of {known.shape[1]} scenarios lose in every row"


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


def reverse_bars(
    shocks: pd.Series, *, loss: float, distance: float, probability: float, sessions: int = 1
) -> go.Figure:
    """Return the smallest move that breaks a book, symbol by symbol.

    Parameters
    ----------
    shocks
        Move of each symbol, as a fraction.
    loss
        What the book loses by it.
    distance
        Standard deviations of the book.
    probability
        Of losing as much, by the normal law.
    sessions
        Over which it all happens.

    Raises
    ------
    DataError
        A move is not known, or there is none.
    """
    values = shocks.to_numpy(dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise DataError("The smallest move is not known for every symbol, so there is nothing to draw.")
    ordered = shocks.sort_values(ascending=False, kind="stable")
    largest = int(np.abs(ordered.to_numpy()).argmax())
    when = "one session" if sessions == 1 else f"{sessions:,} sessions"
    traces: Traces = [
        {
            "type": "bar",
            "orientation": "h",
            "x": ordered.to_numpy() * 100,
            "y": [str(symbol) for symbol in ordered.index],
            "name": "Move (%)",
            "marker": {"color": [fade(LIGHT.loss if move < 0 else LIGHT.gain, 0.8) for move in ordered]},
            "text": [signed_percent(move) for move in ordered],
            "textposition": "auto",
            "hovertemplate": "%{y} %{x:+.2f} %<extra></extra>",
        }
    ]
    return figure(
        traces,
        kind="Bar chart of the smallest move that loses so much",
        title=f"The likeliest way to lose {percent(loss)} in {when} moves {ordered.index[largest]} by "
        f"{signed_percent(ordered.iloc[largest])}",
        subtitle=f"{ratio(distance, 1)} standard deviations of the book away; {_odds(probability)} by a normal law, "
        "whose tails are too thin",
        x="Move (%)",
        height=140 + ROW * len(ordered),
        layout={
            "hovermode": "closest",
            "showlegend": False,
            "xaxis": {"hoverformat": ""},
            "yaxis": {"type": "category", "categoryorder": "array", "categoryarray": list(map(str, ordered.index))},
        },
        table=ordered.to_frame("shock"),
    )


def _odds(probability: float) -> str:
    """Return a probability in words: as a percentage, or one in how many."""
    if probability >= 0.001:
        return percent(probability)
    return f"once in {1 / probability:.1e} times" if probability < 1e-9 else f"once in {1 / probability:,.0f} times"
