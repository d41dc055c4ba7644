"""Charts of how a result depends on what was chosen: parameters, and how late orders fill."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, figure
from quantlib.charts.numbers import percent, ratio
from quantlib.charts.theme import LIGHT, fade, series_color
from quantlib.errors import DataError

#: Value below which a share of it says nothing.
LEAST = 0.05


def by_delay(table: pd.DataFrame, *, metric: str = "Sharpe ratio", name: str = "") -> go.Figure:
    """Return a metric by how many sessions after the decision orders fill, with intervals.

    Parameters
    ----------
    table
        Index: sessions of delay. Columns: value, ci_low, ci_high.
    metric
        What is measured.
    name
        The strategy, for its colour.
    """
    color = series_color(name or metric)
    values = table["value"]
    title = f"{metric} {ratio(values.iloc[0])} at the next session"
    if len(values) > 1 and np.isfinite(values.iloc[1]):
        title += f", {ratio(values.iloc[1])} one later"
        if values.iloc[0] >= LEAST and values.iloc[1] > 0:
            title += f": {percent(values.iloc[1] / values.iloc[0], 0)} of it is left"
    dots = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [str(delay) for delay in table.index],
        "y": values.to_numpy(),
        "name": metric,
        "line": {"color": color, "width": 1.4},
        "marker": {"size": 9, "color": color},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": (table["ci_high"] - values).to_numpy(),
            "arrayminus": (values - table["ci_low"]).to_numpy(),
            "color": fade(color, 0.5),
            "thickness": 2,
        },
        "hovertemplate": "%{y:.2f}",
    }
    return figure(
        [dots],
        kind=f"{metric} by delay",
        title=title,
        subtitle="Bars: 95 % intervals",
        x="Sessions from decision to fill",
        y=metric,
        height=280,
        table=table,
        layout={"xaxis": {"type": "category", "hoverformat": ""}, "hovermode": "closest"},
    )


def sweep_heatmap(
    grid: pd.DataFrame,
    metric: str,
    *,
    chosen: tuple[object, object] | None = None,
    title: str = "",
    subtitle: str = "",
) -> go.Figure:
    """Return a metric over two parameters: a plateau is worth more than a peak.

    Parameters
    ----------
    grid
        The metric [parameter of the rows x parameter of the columns]; the axes' names are the parameters', NaN where
        a combination is not possible.
    metric
        What is measured.
    chosen
        Row and column of the definition that is looked at, framed where the grid has it.
    title, subtitle
        Another finding than the best of the grid, and how it was measured.
    """
    values = grid.to_numpy(dtype=np.float64)
    if not np.isfinite(values).any():
        raise DataError(f"No combination has a known {metric}, so there is nothing to draw.")
    best = np.unravel_index(np.nanargmax(values), values.shape)
    around = values[max(best[0] - 1, 0) : best[0] + 2, max(best[1] - 1, 0) : best[1] + 2]
    rows, columns = [value_label(v) for v in grid.index], [value_label(v) for v in grid.columns]
    limit = float(np.nanmax(np.abs(values))) or 1.0
    text = np.where(np.isfinite(values), np.char.mod("%.2f", np.round(np.nan_to_num(values), 2) + 0.0), "")
    traces: Traces = [
        {
            "type": "heatmap",
            "x": columns,
            "y": rows,
            "z": values,
            "zmin": -limit,
            "zmax": limit,
            "xgap": 1,
            "ygap": 1,
            "colorscale": [[0.0, LIGHT.loss], [0.5, LIGHT.surface], [1.0, LIGHT.gain]],
            "text": text,
            "texttemplate": "%{text}" if values.size <= 225 else "",
            "textfont": {"size": 11},
            "colorbar": {"title": {"text": metric, "side": "right"}, "thickness": 10, "outlinewidth": 0},
            "hovertemplate": f"{grid.index.name} %{{y}}, {grid.columns.name} %{{x}}: %{{z:.3f}}<extra></extra>",
        }
    ]
    frames = []
    if chosen is not None and chosen[0] in grid.index and chosen[1] in grid.columns:
        row, column = rows.index(value_label(chosen[0])), columns.index(value_label(chosen[1]))
        around_it = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
        frames.append({"type": "rect", **around_it, "line": {"color": LIGHT.ink, "width": 2}})
    return figure(
        traces,
        kind=f"Heat map of the {metric}",
        title=title
        or f"Best {metric} {values[best]:.2f} at {grid.index.name} {rows[best[0]]}, {grid.columns.name} "
        f"{columns[best[1]]}; {np.nanmean(around):.2f} on average around it, {np.nanmedian(values):.2f} in the middle",
        subtitle=subtitle
        or f"{int(np.isfinite(values).sum()):,} combinations tried; the best of many looks good by luck alone",
        x=str(grid.columns.name),
        y=str(grid.index.name),
        height=170 + 30 * len(rows),
        layout={
            "hovermode": "closest",
            "xaxis": {"type": "category", "showgrid": False, "hoverformat": ""},
            "yaxis": {"type": "category", "showgrid": False},
            "shapes": frames,
        },
        table=grid,
    )


def value_label(value: object) -> str:
    """Return a parameter's value as it is written beside a map."""
    if value is None or (isinstance(value, float) and np.isnan(value)):  # a table has NaN for None
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
