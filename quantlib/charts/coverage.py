"""Charts of the data itself: which sessions are there, and where two vendors say different things."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line, log_axis
from quantlib.charts.numbers import percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError

ROW = 16  # pixels of a symbol
MOST_DOTS = 400
"""Disagreements that are marked; more would hide the line."""


def coverage_heatmap(present: pd.DataFrame) -> go.Figure:
    """Return which share of the sessions an exchange held is stored, one row a symbol, one column a month or year.

    Parameters
    ----------
    present
        Share from 0 to 1 [symbol x period]; NaN where no session was expected, as before a listing.

    Raises
    ------
    DataError
        There is nothing to draw.
    """
    if present.empty or not present.notna().to_numpy().any():
        raise DataError("No session is expected of these symbols, so there is nothing to draw. Choose others.")
    short = (present < 1).sum(axis=1)  # periods with a hole, by symbol
    names = [str(symbol) for symbol in present.index]
    if not short.any():
        finding = f"No session is missing in {len(names)} symbols"
    else:
        finding = f"{(short > 0).sum()} of {len(names)} symbols miss sessions, {short.idxmax()} in the most periods"
    columns = [str(column) for column in present.columns]
    grid = present.to_numpy(dtype=float)
    traces: Traces = [
        {
            "type": "heatmap",
            "x": columns,
            "y": names,
            "z": grid.round(4),
            "zmin": 0,
            "zmax": 1,
            "xgap": 0 if len(columns) > 60 else 1,
            "ygap": 1,
            "colorscale": [[0, LIGHT.loss], [0.999, fade(LIGHT.caution, 0.5)], [1, fade(LIGHT.gain, 0.55)]],
            "showscale": False,
            "hovertemplate": "%{y} %{x}: %{z:.1%} of the sessions<extra></extra>",
        }
    ]
    return figure(
        traces,
        kind="Heat map of stored sessions",
        title=finding,
        subtitle=f"Share of the exchange's sessions stored, {columns[0]} to {columns[-1]}; blank: none expected",
        height=130 + ROW * len(names),
        layout={
            "hovermode": "closest",
            "yaxis": {
                "type": "category",
                "autorange": "reversed",
                "dtick": 1,
                "showgrid": False,
                "tickfont": {"size": 10},
            },
            "xaxis": {"type": "category", "nticks": 14, "showline": False},
        },
        table=present.round(4),
    )


def vendors_side_by_side(closes: pd.DataFrame, apart: pd.Series, *, tolerance: float) -> go.Figure:
    """Return the closes of one symbol by vendor, with the days marked on which they moved differently.

    Parameters
    ----------
    closes
        Closes [time x source], each on its own scale; drawn as growth of 1 from the first day all have.
    apart
        Largest difference of the day's returns between the sources, as a fraction, by day.
    tolerance
        Difference from which a day is marked.

    Raises
    ------
    DataError
        Fewer than two sources share a day.
    """
    shared = closes.dropna()
    if closes.shape[1] < 2 or len(shared) < 2:
        raise DataError("Only one source has prices of this symbol, so there is nothing to compare. Load another.")
    grown = shared / shared.iloc[0]
    shown = thin(grown)
    different = apart.reindex(shared.index)
    marked = different[different > tolerance].sort_values(ascending=False).head(MOST_DOTS).sort_index()
    lowest, highest = float(grown.min().min()), float(grown.max().max())
    names = [str(name) for name in grown.columns]
    traces: Traces = [
        line(days(shown.index), shown[name].to_numpy(), name, LIGHT.series[i % len(LIGHT.series)], unit=":.3f}×",
             dash="solid" if i == 0 else "dot")
        for i, name in enumerate(names)
    ]  # fmt: skip
    if len(marked):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": days(marked.index),
                "y": grown.loc[marked.index, names[0]].to_numpy(),
                "name": "moves differ",
                "marker": {"symbol": "diamond-open", "size": 9, "color": LIGHT.loss},
                "customdata": (marked * 100).round(3).to_numpy(),
                "hovertemplate": "differ by %{customdata} pts",
            }
        )
        day = marked.idxmax()
        finding = f"{len(marked)} of {len(shared):,} days differ, most on {day:%Y-%m-%d}, by {percent(marked.max(), 2)}"
    else:
        finding = f"The sources agree on all {len(shared):,} days they share"
    return figure(
        traces,
        kind="Line chart of one symbol by vendor",
        title=finding,
        subtitle=f"Growth of 1 by source; a day differs where returns are more than {percent(tolerance, 1)} apart",
        note=drawn(len(grown), len(shown)),
        y="Growth of 1 (×)",
        layout={"yaxis": log_axis(lowest, highest)} if highest > 5 * lowest else None,
    )
