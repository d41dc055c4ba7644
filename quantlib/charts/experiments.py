"""Charts of many trials at once: their growth over each other, and their parameters beside what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from quantlib.charts.figure import Traces, days, figure, line, log_axis
from quantlib.charts.numbers import ratio, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError
from quantlib.types import FloatArray

CURVES = 400
"""Thin lines drawn at most: more of them are one surface."""
PATHS = 2_000
"""Lines across parameters drawn at most: plotly draws more of them slowly."""
NAMED = 8
"""Curves told apart by colour and dash at most."""
TICKS = 12
"""Values of a category written beside its axis at most."""
#: Results by the column they are in: title, and how they are written beside their axis.
RESULTS = {"sharpe": ("Sharpe", ".2f"), "cagr": ("Return", ".1%"), "drawdown": ("Drawdown", ".1%")}
#: Rank correlation from which a parameter is said to order the results.
ORDERS_THEM = 0.3


def evenly(values: FloatArray, n: int) -> NDArray[np.intp]:
    """Return the places of `n` values that stand evenly in their order, the lowest and the highest among them."""
    order = np.argsort(values, kind="stable")
    return order if len(order) <= n else order[np.linspace(0, len(order) - 1, n).round().astype(np.intp)]


def trial_curves(growth: pd.DataFrame, chosen: Sequence[str] = ()) -> go.Figure:
    """Return the growth of many trials as thin lines and of some as coloured ones with their names, log scale.

    Parameters
    ----------
    growth
        Growth of 1 [date x trial] by the trials' names, NaN outside a trial's own span.
    chosen
        Names of those that are told apart, at most NAMED.

    Raises
    ------
    DataError
        There is no curve, or a chosen one is not among them.
    """
    if growth.empty:
        raise DataError("None of these trials has a curve. Curves are kept of trials since there is a ledger.")
    if missing := [name for name in chosen if name not in growth.columns]:
        raise DataError(f"There is no curve of {missing[0]!r} among these. Choose one that is.")
    ends = growth.ffill().iloc[-1].to_numpy(dtype=np.float64)
    others = np.flatnonzero(~growth.columns.isin(list(chosen)))
    kept = others[evenly(ends[others], CURVES)]
    dates = pd.DatetimeIndex(growth.index).normalize()
    traces: Traces = [_thin_lines(growth.iloc[:, kept])] if len(kept) else []
    for i, name in enumerate(chosen[:NAMED]):
        color, dash = LIGHT.series[i % len(LIGHT.series)], ("solid", "dot")[i // len(LIGHT.series) % 2]
        traces.append(line(days(dates), growth[name].to_numpy(), name, color, unit=":.2f}×",
                           dash=dash, width=2.2))  # fmt: skip
    low, middle, high = np.quantile(ends, [0.0, 0.5, 1.0])
    many = len(ends) > 1
    title = (
        f"{len(ends):,} trials turned 1 into {ratio(low)} to {ratio(high)}, the middle one into {ratio(middle)}"
        if many else f"{growth.columns[0]} turned 1 into {ratio(high)}"
    )  # fmt: skip
    if many and chosen:
        best = max(chosen[:NAMED], key=lambda name: ends[growth.columns.get_loc(name)])
        title += f"; of those chosen {best} made most, {ratio(ends[growth.columns.get_loc(best)])}"
    quantiles = growth.quantile([0.05, 0.5, 0.95], axis=1).T.set_axis(["5 % below", "Middle", "95 % below"], axis=1)
    values = growth.to_numpy()[np.isfinite(growth.to_numpy())]
    return figure(
        traces,
        kind="Line chart of the growth of 1 of many trials",
        title=title,
        subtitle=f"After costs, each from its own first session, at {len(growth)} dates from "
        f"{growth.index[0]:%Y-%m-%d} to {growth.index[-1]:%Y-%m-%d}, log scale",
        note=f"{len(kept):,} of {len(others):,} thin lines are drawn, evenly from the least growth to the most."
        if len(kept) < len(others) else "",
        y="Growth of 1 (×)",
        height=420,
        layout={
            "yaxis": log_axis(float(max(values.min(), 1e-6)), float(values.max())),
            "xaxis": {"type": "date"},
            # Names of trials are long: below the drawing they may take the lines they need.
            "legend": {"orientation": "h", "y": -0.1, "yanchor": "top"},
        },
        table=pd.concat([quantiles, growth[list(chosen[:NAMED])]], axis=1).rename(index=lambda day: f"{day:%Y-%m-%d}"),
    )  # fmt: skip


def _thin_lines(growth: pd.DataFrame) -> dict[str, Any]:
    """Return many lines as one trace that is broken between them: a trace each would take seconds to draw."""
    values = growth.to_numpy(dtype=np.float64)
    broken = np.vstack([values, np.full((1, values.shape[1]), np.nan)])
    moments = growth.index.to_numpy().astype("datetime64[ms]").astype(np.float64)  # numbers travel in a third
    x = np.tile(np.append(moments, moments[-1]), values.shape[1])
    strength = float(np.clip(40.0 / values.shape[1], 0.18, 0.6))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": broken.T.ravel().astype(np.float32),
        "line": {"color": fade(LIGHT.muted, strength), "width": 1, "simplify": True},
        "hoverinfo": "skip",
        "showlegend": False,
        "connectgaps": False,
    }


def parameter_paths(parameters: pd.DataFrame, results: pd.DataFrame) -> go.Figure:
    """Return parameters beside what came of them, one line a trial, coloured by its Sharpe ratio.

    Parameters
    ----------
    parameters
        [trial x parameter], numbers or text.
    results
        Columns sharpe and cagr a year and drawdown, by the same trials; those without a Sharpe ratio are left out.

    Raises
    ------
    DataError
        No trial has a known Sharpe ratio, or the trials differ in no parameter.
    """
    known = results.loc[parameters.index]
    known = known[known[list(RESULTS)].notna().all(axis=1)]
    if known.empty:
        raise DataError("None of these trials has a known Sharpe ratio, so there is nothing to set beside parameters.")
    if parameters.shape[1] == 0:
        raise DataError("These trials differ in no parameter. Choose the idea or the sweep whose sets are to be seen.")
    n = len(known)
    rows = known.index[np.sort(evenly(known["sharpe"].to_numpy(dtype=np.float64), PATHS))]
    given, came = parameters.loc[rows], known.loc[rows]
    titles = [title for title, _ in RESULTS.values()]
    shown = pd.concat([given, came[list(RESULTS)].set_axis(titles, axis=1)], axis=1)
    scores = [
        {"label": title, "values": came[name].to_numpy(), "tickformat": form} for name, (title, form) in RESULTS.items()
    ]
    font = {"size": 12, "color": LIGHT.muted}
    trace = {
        "type": "parcoords",
        "dimensions": [*(_dimension(given[name]) for name in given), *scores],
        "line": {
            "color": came["sharpe"].to_numpy(),
            "colorscale": [[0.0, LIGHT.series[1]], [0.5, LIGHT.series[4]], [1.0, LIGHT.series[0]]],
        },
        "domain": {"y": [0.0, 0.84]},  # names and ends of the axes stand above it
        "unselected": {"line": {"color": LIGHT.grid, "opacity": 0.25}},
        "labelfont": {"size": 12, "color": LIGHT.ink},
        "tickfont": font,
        "rangefont": {"size": 11, "color": LIGHT.muted},
        "labelside": "top",
    }
    best = came.iloc[int(came["sharpe"].to_numpy().argmax())]
    return figure(
        [trace],
        kind="Parallel coordinates of parameters and results",
        title=_finding(parameters.loc[known.index], known["sharpe"]),
        subtitle=f"{n:,} trials, from amber for the lowest Sharpe ratio to blue for the highest; the best has "
        f"{ratio(best['sharpe'])} and made {signed_percent(best['cagr'])} a year. Drag along an axis to narrow it",
        note=f"{len(rows):,} of {n:,} lines are drawn, evenly from the lowest Sharpe ratio to the highest."
        if len(rows) < n else "",
        height=440,
        layout={"margin": {"l": 56, "r": 44, "b": 28}, "hovermode": "closest"},
        table=shown.rename(index=str),
    )  # fmt: skip


def _dimension(values: pd.Series) -> dict[str, Any]:
    """Return an axis: numbers as they are, text as codes with the words beside them."""
    name = str(values.name).rpartition(".")[2].replace("_", " ")
    label = {"label": name[:1].upper() + name[1:]}
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=np.float64)
        distinct = np.unique(numbers)
        ticks = {"tickvals": distinct, "ticktext": [f"{one:g}" for one in distinct]} if len(distinct) <= TICKS else {}
        return {**label, "values": numbers, **ticks}
    words = sorted(values.unique(), key=_in_order)
    codes = {word: code for code, word in enumerate(words)}
    every = -(-len(words) // TICKS)
    return {
        **label,
        "values": values.map(codes).to_numpy(dtype=np.float64),
        "tickvals": list(range(0, len(words), every)),
        "ticktext": [word if len(word) <= 18 else f"{word[:17]}…" for word in words[::every]],
    }


def _in_order(word: str) -> tuple[int, float, str]:
    """Return where a word stands: numbers by size before words by letters."""
    try:
        return 0, float(word), ""
    except ValueError:
        return 1, 0.0, word


def _finding(parameters: pd.DataFrame, sharpe: pd.Series) -> str:
    numbers = parameters.select_dtypes("number")
    orders = numbers.rank().corrwith(sharpe.rank()).dropna()
    if orders.empty or len(sharpe) < 5:
        return f"The best Sharpe ratio is {ratio(sharpe.max())}, the middle one {ratio(sharpe.median())}"
    name = str(orders.abs().idxmax())
    if abs(orders[name]) < ORDERS_THEM:
        return f"No one parameter orders the Sharpe ratio; {name} does most: rank correlation {orders[name]:+.2f}"
    way = "rises" if orders[name] > 0 else "falls"
    return f"The Sharpe ratio {way} with {name}: rank correlation {orders[name]:+.2f}"
