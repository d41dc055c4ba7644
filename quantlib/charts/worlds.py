"""Charts of strategies in simulated worlds: by simulator, with stops and without, and where there is no edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from quantlib.charts.figure import Traces, figure, stack
from quantlib.charts.numbers import count, percent, signed_percent
from quantlib.charts.simulation import bin_edges
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

FloatArray = NDArray[np.float64]

#: Worlds drawn as dots; more would hide each other and make the page slow.
MOST_DOTS = 2_000
#: Returns closer than this are the same.
SAME = 1e-9


def outcomes_by_simulator(returns: Mapping[str, FloatArray], *, horizon: int, what: str = "Return") -> go.Figure:
    """Return how the worlds of each simulator end, one pane each on one axis: what differs is the model.

    Parameters
    ----------
    returns
        Horizon returns [n] by simulator.
    horizon
        Sessions ahead, for the words.
    what
        What is measured.

    Raises
    ------
    DataError
        There are no outcomes, or some are unknown.
    """
    if not returns:
        raise DataError("There are no simulated outcomes to draw. Run a simulation first.")
    worlds = {name: np.asarray(values, dtype=np.float64) for name, values in returns.items()}
    for name, values in worlds.items():
        if not len(values) or not np.isfinite(values).all():
            raise DataError(f"The outcomes by {name} hold {len(values)} values, some unknown or none at all.")
    # One freak world must not press all others into a few bins: the outermost hold what lies beyond.
    pooled = np.concatenate(list(worlds.values()))
    low, high = np.quantile(pooled, [0.002, 0.998])
    edges = bin_edges(np.clip(pooled, low, high), about=40)
    shares = {
        name: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(v) * 100 for name, v in worlds.items()
    }
    top = max(float(share.max()) for share in shares.values())
    means = {name: float(values.mean()) for name, values in worlds.items()}
    least, most = min(means, key=lambda name: means[name]), max(means, key=lambda name: means[name])
    title = f"Over {count(horizon)} sessions the mean is {signed_percent(means[least])} in the worlds of {least}"
    if most != least:
        title += f", {signed_percent(means[most])} in those of {most}"
    panes: list[go.Figure] = []
    for name, values in worlds.items():
        pane_title = f"{name}: mean {signed_percent(means[name])}; {percent((values < 0).mean())} lose"
        panes.append(
            figure(
                [_bars(edges, shares[name], name)],
                kind=f"Histogram of outcomes in the worlds of {name}",
                title=title if not panes else pane_title,
                subtitle="" if panes else f"Share of worlds by {what.lower()}; line: mean; orange bars lose",
                x=f"{what} after {count(horizon)} sessions (%)",
                y="Worlds (%)",
                height=130,
                layout={
                    "bargap": 0,
                    "showlegend": False,
                    "xaxis": {"hoverformat": ".1f"},
                    "yaxis": {"range": [0, top * 1.15], "nticks": 4},
                    "shapes": [_upright(means[name] * 100)],
                    "annotations": [_label(pane_title.split(";", maxsplit=1)[0])] if not panes else [],
                },
            )
        )
    fig = stack(panes)
    rows = {
        name: {
            "worlds": len(values),
            "mean": means[name],
            "loses": float((values < 0).mean()),
            **dict(zip(("p05", "p50", "p95"), np.quantile(values, [0.05, 0.5, 0.95]).tolist(), strict=True)),
        }
        for name, values in worlds.items()
    }
    return _with_table(fig, pd.DataFrame.from_dict(rows, orient="index"))


def stops_paired(
    kept: FloatArray, left_out: FloatArray, *, horizon: int, mean: tuple[float, float, float]
) -> go.Figure:
    """Return every world as a dot: what the account makes without its stops and with them.

    Parameters
    ----------
    kept, left_out
        Returns with the stops and without [n], in the same worlds.
    horizon
        Sessions, for the words.
    mean
        Mean of the difference and its 95 % interval.

    Raises
    ------
    DataError
        The two are not of the same worlds, or some are unknown.
    """
    with_stops, without = np.asarray(kept, dtype=np.float64), np.asarray(left_out, dtype=np.float64)
    if with_stops.shape != without.shape or not len(without):
        raise DataError(
            f"There are {len(with_stops)} outcomes with stops and {len(without)} without; needed are pairs."
        )
    if not (np.isfinite(with_stops).all() and np.isfinite(without).all()):
        raise DataError("Some outcomes are unknown, so worlds cannot be compared with and without stops.")
    gap = with_stops - without
    helped, hurt = gap > SAME, gap < -SAME
    verdict = "help" if mean[1] > 0 else "hurt" if mean[2] < 0 else "make no difference beyond chance"
    title = (
        f"Stops help in {percent(helped.mean(), 0)} of worlds and hurt in {percent(hurt.mean(), 0)}; "
        f"on average they {verdict}: {signed_percent(mean[0])} ({percent(mean[1])} to {percent(mean[2])})"
    )
    if not (helped.any() or hurt.any()):
        title = "No stop changes anything in any world"
    shown = slice(0, MOST_DOTS)
    groups = (
        ("Stops help", helped, LIGHT.gain, "triangle-up"),
        ("Stops hurt", hurt, LIGHT.loss, "triangle-down"),
        ("No difference", ~(helped | hurt), LIGHT.muted, "circle"),
    )
    traces: Traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": without[shown][which[shown]] * 100,
            "y": with_stops[shown][which[shown]] * 100,
            "name": name,
            "marker": {"color": fade(color, 0.55), "symbol": symbol, "size": 6},
            "hovertemplate": "without %{x:.1f} %, with %{y:.1f} %",
        }
        for name, which, color, symbol in groups
        if which[shown].any()
    ]
    low = float(min(with_stops[shown].min(), without[shown].min())) * 100
    high = float(max(with_stops[shown].max(), without[shown].max())) * 100
    room = 0.03 * max(high - low, 1e-6)
    ends = [low - room, high + room]
    line = {"type": "line", "x0": ends[0], "x1": ends[1], "y0": ends[0], "y1": ends[1], "xref": "x", "yref": "y"}
    levels = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    table = pd.DataFrame(
        {
            "with stops": np.quantile(with_stops, levels),
            "without stops": np.quantile(without, levels),
            "difference in the same world": np.quantile(gap, levels),
        },
        index=[f"{level:.0%} of worlds at or below" for level in levels],
    )
    first = f"the first {count(MOST_DOTS)} of " if len(gap) > MOST_DOTS else ""
    return figure(
        traces,
        kind="Scatter of worlds, without stops against with stops",
        title=title,
        subtitle=f"Each dot is a world, {first}{count(len(gap))}; above the line stops help",
        x=f"Without stops, return after {count(horizon)} sessions (%)",
        y="With stops, return (%)",
        height=420,
        layout={
            "hovermode": "closest",
            "xaxis": {"range": ends, "hoverformat": ".1f"},
            "yaxis": {"range": ends},
            "shapes": [{**line, "line": {"color": LIGHT.ink, "width": 1, "dash": "dot"}, "layer": "below"}],
        },
        table=table,
    )


def zero_edge_chart(table: pd.DataFrame, *, by_chance: float, horizon: int) -> go.Figure:
    """Return how often a record without any edge would have been called good, beside what chance alone gives.

    Parameters
    ----------
    table
        One row a strategy or simulator: share called good, with low and high, its 95 % interval; fractions. Optional:
        edge_left, what is an edge there even without drift, empty where nothing is; such rows are no false alarms.
    by_chance
        Share that the rule calls good where there is nothing.
    horizon
        Sessions of each record.

    Raises
    ------
    DataError
        The table is empty or lacks a column.
    """
    if table.empty or not {"share", "low", "high"} <= set(table.columns):
        raise DataError(f"The table has the columns {', '.join(map(str, table.columns))}; needed: share, low, high.")
    share = table["share"].to_numpy(dtype=np.float64)
    low, high = (table[name].to_numpy(dtype=np.float64) for name in ("low", "high"))
    edge = table.get("edge_left", pd.Series("", index=table.index)).to_numpy() != ""
    over = (low > by_chance) & ~edge
    names = [str(name) for name in table.index]
    chance = f"chance gives {percent(by_chance)}"
    if edge.all():
        title = "All of these worlds hold an edge of their own, so none shows a false alarm"
    else:
        title = f"Where there is no edge, {percent(share[~edge].max())} of records look good at most; {chance}"
    if over.any():
        title = (
            f"{names[int(np.argmax(np.where(over, share, -1.0)))]} sees an edge where there is none in "
            f"{percent(share[over].max())} of worlds; {chance}"
        )
    marks = list(zip(over, edge, strict=True))
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "x": share * 100,
        "y": names,
        "name": "Called good",
        "marker": {
            "size": 10,
            "color": [LIGHT.loss if wrong else LIGHT.muted if own else LIGHT.accent for wrong, own in marks],
            "symbol": ["diamond" if wrong else "circle-open" if own else "circle" for wrong, own in marks],
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": (high - share) * 100,
            "arrayminus": (share - low) * 100,
            "color": fade(LIGHT.ink, 0.4),
            "thickness": 2,
        },
        "hovertemplate": "%{y}: %{x:.1f} % of worlds<extra></extra>",
    }
    return figure(
        [dots],
        kind="Share of worlds without an edge in which the record would have been called good",
        title=title,
        subtitle=f"Worlds without drift, {count(horizon)} sessions each; bars: 95 % intervals; line: chance alone"
        + ("; open: worlds with an edge of their own" if edge.any() else ""),
        x="Called good (% of worlds)",
        height=150 + 34 * len(table),
        layout={
            "hovermode": "closest",
            "xaxis": {"rangemode": "tozero", "hoverformat": ".1f"},
            "yaxis": {"type": "category", "autorange": "reversed"},
            "shapes": [_upright(by_chance * 100, dash="dot")],
            "showlegend": False,
        },
        table=table[["share", "low", "high"]],
    )


def _bars(edges: FloatArray, share: FloatArray, name: str) -> dict[str, Any]:
    """Return a histogram as a trace, with the bins that lose in the colour of a loss."""
    losing = edges[1:] <= 1e-12
    return {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2 * 100,
        "y": share,
        "width": (edges[1] - edges[0]) * 100 * 0.94,
        "name": name,
        "marker": {"color": [fade(LIGHT.loss if bad else LIGHT.gain, 0.72) for bad in losing]},
        "hovertemplate": "%{x:.1f} %: %{y:.1f} % of worlds",
        "showlegend": False,
    }


def _upright(x: float, dash: str = "solid") -> dict[str, Any]:
    line = {"color": LIGHT.ink, "width": 1.5, "dash": dash}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "y domain", "y0": 0, "y1": 1, "line": line}


def _label(text: str) -> dict[str, Any]:
    """Return the heading of the first pane, where the others have theirs from the stack."""
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "y domain", "y": 1, "yanchor": "bottom", "yshift": 4}
    return {**place, "text": text, "showarrow": False, "font": {"size": 13}}


def _with_table(fig: go.Figure, table: pd.DataFrame) -> go.Figure:
    meta = dict(fig.layout.meta or {})
    meta["table"] = {
        "index": [str(label) for label in table.index],
        "columns": [str(column) for column in table.columns],
        "values": table.to_numpy().tolist(),
    }
    fig.layout.meta = meta
    return fig
