"""Charts of a validation: is the record more than luck, choice, a lucky parameter, or a lucky time?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line
from quantlib.charts.numbers import count, percent, ratio
from quantlib.charts.theme import LIGHT, fade, series_color
from quantlib.charts.thinning import thin
from quantlib.errors import DataError
from quantlib.types import FloatArray

#: Values from which on a histogram says more than dots.
MANY = 30


def forward_curves(growth: pd.DataFrame, *, name: str, in_sample: float, out_of_sample: float) -> go.Figure:
    """Return growth of a strategy beside that of choosing among its variants by the past and living with the choice.

    Parameters
    ----------
    growth
        Growth of 1 [day x name], the strategy first; unknown before a curve begins. All are drawn from the first day
        that all of them have.
    name
        The strategy, for its colour.
    in_sample, out_of_sample
        Mean Sharpe ratio a year that was seen when choosing, and that of the time lived with.
    """
    shared = growth.dropna()
    if len(shared) < 2:
        raise DataError(f"The curves share {len(shared)} days; at least 2 are needed to compare them.")
    shared = thin(shared / shared.iloc[0])
    palette = [series_color(name), LIGHT.gain, LIGHT.caution, LIGHT.muted]
    styles = ["solid", "solid", "dash", "dot"]
    lines = [
        line(
            days(shared.index),
            shared[column].to_numpy(),
            str(column),
            palette[k % 4],
            unit=":.2f}×",
            dash=styles[k % 4],
        )
        for k, column in enumerate(shared)
    ]
    return figure(
        lines,
        kind="Line chart of growth of 1",
        title=f"Chosen by the past, it made a Sharpe ratio of {ratio(out_of_sample)} a year out of sample; "
        f"{ratio(in_sample)} was seen in sample",
        subtitle=f"After costs, {shared.index[0]:%Y-%m-%d} to {shared.index[-1]:%Y-%m-%d}",
        y="Growth of 1 (×)",
        table=shared,
    )


def spread_beside(
    values: FloatArray, own: float, *, title: str, subtitle: str, of: str, mark: str, x: str = "Sharpe ratio a year"
) -> go.Figure:
    """Return a distribution with one value marked in it: dots where there are few, a histogram where there are many.

    Parameters
    ----------
    values
        The distribution; the unknown are left out.
    own
        What is marked.
    of, mark
        What the values are of, and the name of the mark.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        raise DataError(f"None of the {len(values)} values is known, so there is nothing to draw.")
    traces: Traces
    if len(known) < MANY:
        ordered = np.sort(known)
        traces = [{
            "type": "scatter", "mode": "markers", "x": ordered, "y": np.arange(1, len(ordered) + 1), "name": of,
            "marker": {"size": 11, "color": [LIGHT.gain if value > 0 else LIGHT.loss for value in ordered],
                       "symbol": ["circle" if value > 0 else "diamond" for value in ordered]},
            "hovertemplate": "%{x:.2f}<extra></extra>", "showlegend": False,
        }]  # fmt: skip
        y, layout = "From the worst to the best", {"yaxis": {"dtick": 1 if len(ordered) < 12 else None}}
        table = pd.DataFrame({x: ordered}, index=pd.RangeIndex(1, len(ordered) + 1))
    else:
        counts, edges = np.histogram(known, bins=min(40, max(12, int(1.6 * np.sqrt(len(known))))))
        traces, table = _bars(counts, edges, of, threshold=0.0, unit=x)
        y, layout = f"Share of {of} (%)", {}
    return figure(
        traces,
        kind=f"Distribution of {len(known):,} {of}",
        title=title,
        subtitle=subtitle,
        x=x,
        y=y,
        height=300,
        layout={"hovermode": "closest", "xaxis": {"hoverformat": ".2f"}, **_mark(mark, own, known), **layout},
        table=table,
    )


def overfitting_logits(counts: FloatArray, edges: FloatArray, *, probability: float) -> go.Figure:
    """Return where the best of one half of the record came to stand in the other half, over all ways to halve it.

    Parameters
    ----------
    counts, edges
        Histogram of the logits; below 0 the choice was worse than the median there.
    probability
        Share of the choices at or below 0.
    """
    traces, table = _bars(
        np.asarray(counts), np.asarray(edges), "ways to halve", threshold=0.0, unit="Logit of the rank"
    )
    finding = (
        f"The best of one half was below the median of the other in {percent(probability, 0)} of the ways to halve"
    )
    return figure(
        traces,
        kind="Histogram of the logits of ranks out of sample",
        title=f"{finding} the record",
        subtitle=f"{count(float(np.sum(counts)))} ways; 50 % is what choosing without any difference gives on average",
        x="Logit of the rank in the other half (below 0: worse than the median)",
        y="Share of ways (%)",
        height=300,
        layout={"hovermode": "closest", "xaxis": {"hoverformat": ".2f"}, **_mark("median", 0.0, np.asarray(edges))},
        table=table,
    )


def luck_chart(
    hurdles: pd.Series, *, sharpe: float, low: float, high: float, trials: int, effective: float, hurdle: float
) -> go.Figure:
    """Return the Sharpe ratio that the best of so many trials shows by luck, beside the strategy's own.

    Parameters
    ----------
    hurdles
        Sharpe ratio a year by the number of independent trials.
    sharpe, low, high
        The strategy's own with its 95 % interval, a year.
    trials, effective
        How many there were, and how many independent ones they amount to.
    hurdle
        What these show by luck.
    """
    x = hurdles.index.to_numpy(dtype=np.float64)
    ends = np.array([x[0], x[-1]])
    traces: Traces = [
        {"type": "scatter", "mode": "lines", "x": np.concatenate([ends, ends[::-1]]),
         "y": np.array([low, low, high, high]), "fill": "toself", "fillcolor": fade(LIGHT.accent, 0.14),
         "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False},
        line(ends, np.array([sharpe, sharpe]), "This strategy, with its 95 % interval", LIGHT.accent, unit=":.2f}"),
        line(x, hurdles.to_numpy(dtype=np.float64), "Best by luck alone", LIGHT.caution, unit=":.2f}", dash="dash"),
        {"type": "scatter", "mode": "markers", "x": [effective], "y": [hurdle], "name": "Trials so far",
         "marker": {"size": 12, "symbol": "diamond", "color": LIGHT.caution},
         "hovertemplate": "%{x:,.1f} independent trials: %{y:.2f} by luck<extra></extra>"},
    ]  # fmt: skip
    beats = "above" if sharpe > hurdle else "not above"
    noun = "trial" if trials == 1 else "trials"
    return figure(
        traces,
        kind="Line chart of the best Sharpe ratio by luck, by the number of trials",
        title=f"Its Sharpe ratio of {ratio(sharpe)} a year is {beats} the {ratio(hurdle)} that the best of "
        f"{count(trials)} {noun} shows by luck",
        subtitle=f"{count(trials)} {noun} of the idea are on record, as many as {ratio(effective, 1)} independent ones",
        x="Independent trials",
        y="Sharpe ratio a year",
        height=320,
        layout={
            "hovermode": "closest",
            "xaxis": {"type": "log", "dtick": 1, "tickformat": ",~r", "hoverformat": ",.3~r"},
        },
        table=hurdles.rename("by luck").rename_axis("independent trials").to_frame(),
    )


def parts_chart(parts: pd.DataFrame, *, title: str, what: str) -> go.Figure:
    """Return the Sharpe ratio of the parts of a record with their 95 % intervals.

    Parameters
    ----------
    parts
        One row a part by its name: sharpe, low, high (a year), n. Parts that are too short are unknown.
    what
        What a part is: "Years", "State of the market".
    """
    known = parts.dropna(subset=["sharpe"])
    if known.empty:
        raise DataError(f"None of the {len(parts)} parts is long enough to judge.")
    good = known["sharpe"] > 0
    traces: Traces = [
        {"type": "scatter", "mode": "markers", "x": known.index[rows].astype(str).to_numpy(),
         "y": known.loc[rows, "sharpe"].to_numpy(), "name": name,
         "marker": {"size": 10, "color": color, "symbol": symbol},
         "error_y": {"type": "data", "symmetric": False, "color": fade(color, 0.5), "thickness": 2,
                     "array": (known["high"] - known["sharpe"])[rows].to_numpy(),
                     "arrayminus": (known["sharpe"] - known["low"])[rows].to_numpy()},
         "customdata": known.loc[rows, "n"].to_numpy(),
         "hovertemplate": "%{x}: %{y:.2f} over %{customdata:,} sessions<extra></extra>"}
        for name, rows, color, symbol in (
            ("above zero", good, LIGHT.gain, "circle"), ("below zero", ~good, LIGHT.loss, "diamond"),
        ) if rows.any()
    ]  # fmt: skip
    return figure(
        traces,
        kind="Dots of the Sharpe ratio by part of the record",
        title=title,
        subtitle="Bars: 95 % intervals",
        x=what,
        y="Sharpe ratio a year",
        height=320,
        layout={"hovermode": "closest", "yaxis": {"zeroline": True},
                "xaxis": {"type": "category", "hoverformat": "", "categoryorder": "array",
                          "categoryarray": known.index.astype(str).tolist()}},
        table=parts,
    )  # fmt: skip


def plateau_line(values: pd.Series, *, chosen: float, title: str) -> go.Figure:
    """Return the Sharpe ratio a year along one parameter, with the chosen value marked; a plateau is flat around it.

    Parameters
    ----------
    values
        Sharpe ratio by the parameter's value, which the index is named after.
    chosen
        The value that was chosen.
    """
    ordered = values.sort_index()
    name = str(ordered.index.name)
    dots = line(
        ordered.index.to_numpy(), ordered.to_numpy(dtype=np.float64), "Sharpe ratio", LIGHT.accent, unit=":.2f}"
    )
    dots |= {"mode": "lines+markers", "marker": {"size": 7}}
    return figure(
        [dots],
        kind=f"Line chart of the Sharpe ratio by {name}",
        title=title,
        subtitle=f"{len(ordered)} values of {name}; the chosen one is {chosen:g}",
        x=name,
        y="Sharpe ratio a year",
        height=300,
        layout={"xaxis": {"hoverformat": "~g"}, **_mark("chosen", chosen, ordered.index.to_numpy(dtype=np.float64))},
        table=ordered.to_frame("Sharpe ratio"),
    )


def cost_room(paid: float, break_even: float) -> go.Figure:
    """Return what was paid a side beside the cost at which nothing is left, in basis points."""
    times = break_even / paid if paid > 0 else float("nan")
    finding = f"Costs may be {ratio(times, 1)} times as high before nothing is left" if times >= 1 else (
        f"Nothing is left: it paid {ratio(paid, 1)} bps a side and bears {ratio(break_even, 1)}")  # fmt: skip
    rows = {"Paid": paid, "Nothing is left at": break_even}
    bars = {
        "type": "bar", "orientation": "h", "y": list(rows)[::-1], "x": list(rows.values())[::-1],
        "marker": {"color": [LIGHT.gain if times >= 1 else LIGHT.loss, LIGHT.muted]}, "width": 0.55,
        "text": [f"{value:.1f} bps" for value in rows.values()][::-1], "textposition": "auto",
        "hovertemplate": "%{y}: %{x:.1f} bps<extra></extra>",
    }  # fmt: skip
    return figure(
        [bars],
        kind="Bars of the cost that was paid and of the cost that leaves nothing",
        title=finding,
        subtitle="Commission, spread and impact on every amount traded",
        x="Basis points a side",
        height=210,
        layout={"hovermode": "closest", "xaxis": {"hoverformat": ".1f", "rangemode": "tozero"}},
        table=pd.DataFrame({"basis points a side": rows}),
    )


def _bars(
    counts: FloatArray, edges: FloatArray, of: str, *, threshold: float, unit: str
) -> tuple[Traces, pd.DataFrame]:
    """Return a histogram as bars in percent, those below the threshold in the colour of a loss, and its table."""
    centre, share = (edges[:-1] + edges[1:]) / 2, counts / max(counts.sum(), 1) * 100
    bar = {
        "type": "bar", "x": centre, "y": share, "width": np.diff(edges) * 0.94, "name": of, "showlegend": False,
        "marker": {"color": [fade(LIGHT.loss if at <= threshold else LIGHT.gain, 0.72) for at in centre]},
        "customdata": np.column_stack([edges[:-1], edges[1:]]),
        "hovertemplate": "%{customdata[0]:.2f} … %{customdata[1]:.2f}: %{y:.1f} %<extra></extra>",
    }  # fmt: skip
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "percent": share}, index=np.round(centre, 4))
    return [bar], table.rename_axis(unit)


def _mark(name: str, x: float, among: FloatArray) -> dict[str, Any]:
    """Return the layout of a vertical line at x with its name beside it, on the side of most of what it is among."""
    if not np.isfinite(x):
        return {}
    ends = [float(np.nanmin(among)), float(np.nanmax(among)), x]
    right = x > (min(ends) + max(ends)) / 2
    ink = {"color": LIGHT.ink, "width": 2, "dash": "dot"}
    said = {
        "text": name,
        "showarrow": False,
        "font": {"size": 12, "color": LIGHT.ink},
        "bgcolor": fade(LIGHT.paper, 0.7),
    }
    side = {"xanchor": "right" if right else "left", "xshift": -5 if right else 5, "yanchor": "top"}
    return {
        "shapes": [{"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": ink}],
        "annotations": [{"xref": "x", "x": x, "yref": "paper", "y": 1, **side, **said}],
    }
