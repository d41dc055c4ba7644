"""Charts of simulated worlds: the fan ahead of history, and how the worlds end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from quantlib.charts.figure import Traces, days, figure, line
from quantlib.charts.numbers import count, interval, percent, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.errors import DataError

FloatArray = NDArray[np.float64]
LEVELS = (5, 25, 50, 75, 95)


def fan_chart(
    history: pd.Series,
    paths: FloatArray,
    dates: pd.DatetimeIndex,
    *,
    what: str = "Equity",
    simulator: str = "",
    color: str = LIGHT.accent,
    samples: int = 6,
    past: int = 42,
) -> go.Figure:
    """Return recent history as a solid line and the simulated worlds ahead of it as a fan of quantiles.

    Both are drawn as change from today in percent, so the chart reads the same for a price and an equity.

    Parameters
    ----------
    history
        Values up to and including today.
    paths
        Simulated values [n, horizon + 1]; the first column is today, at any scale.
    dates
        The session of each column of `paths`: today first, then the `horizon` sessions ahead.
    what
        What is simulated, for the axis.
    simulator
        The simulator's title, for the subtitle.
    color
        Colour of the fan, such as `series_color(strategy)`.
    samples
        How many single worlds to draw as thin lines; the first ones, so not chosen by their outcome.
    past
        How many sessions of history to show.

    Raises
    ------
    DataError
        The paths are not two-dimensional, or the dates do not fit them.
    """
    if paths.ndim != 2 or paths.shape[0] < 1 or paths.shape[1] != len(dates) or len(dates) < 2:
        raise DataError(
            f"Paths have shape {paths.shape} for {len(dates)} dates; needed are (worlds, dates), today first."
        )
    recent = history.dropna().tail(past + 1)
    if recent.empty:
        raise DataError("There is no history to start the fan from.")
    before = (recent / recent.iloc[-1] - 1.0) * 100
    ahead = (paths / paths[:, :1] - 1.0) * 100
    x = days(dates)
    bands: dict[int, FloatArray] = dict(zip(LEVELS, np.percentile(ahead, LEVELS, axis=0), strict=True))
    edge: dict[str, Any] = {"width": 0.0, "unit": ":.1f} %", "showlegend": False}
    traces: Traces = [
        line(x, bands[5], "5 % of worlds below", color, **edge),
        line(x, bands[95], "95 % below", color, fill="tonexty", fillcolor=fade(color, 0.16), **edge),
        line(x, bands[25], "25 % below", color, **edge),
        line(x, bands[75], "75 % below", color, fill="tonexty", fillcolor=fade(color, 0.26), **edge),
    ]
    for path in ahead[:samples]:
        single = line(x, path, "", color, width=0.8, showlegend=False, opacity=0.45, hoverinfo="skip")
        traces.append({key: value for key, value in single.items() if key not in {"name", "hovertemplate"}})
    traces += [
        line(x, bands[50], "Median world", color, width=2.2, unit=":.1f} %", showlegend=False),
        line(days(before.index), before.to_numpy(), "History", LIGHT.ink, width=2, unit=":.1f} %", showlegend=False),
    ]
    low, median, high = (bands[level][-1] / 100 for level in (5, 50, 95))
    horizon = len(dates) - 1
    flat = high - low < 1e-6
    title = (
        f"In {count(horizon)} sessions half of the worlds end above {signed_percent(median)}, "
        f"1 in 20 below {signed_percent(low)}"
    )
    if flat:
        title = f"Every simulated world stays unchanged for {count(horizon)} sessions: nothing is held"
    source = f" by {simulator}" if simulator else ""
    return figure(
        traces,
        kind=f"Fan chart of {what.lower()}: history, then simulated worlds",
        title=title,
        subtitle=f"{count(len(paths))} simulated worlds{source}; dark band holds half of them, pale band nine in ten",
        note=f"The {min(samples, len(paths))} thin lines are single worlds, the first ones simulated.",
        y=f"{what}, change from today (%)",
        layout={
            "shapes": [_today(x[0])],
            "annotations": [] if flat else _end_labels(x[-1], bands, before, color),
            "xaxis": {"hoverformat": "%a %Y-%m-%d", "range": [days(before.index)[0], x[-1]]},
            "margin": {"r": 100},  # where the labels of the fan's end stand
        },
    )


def _today(x: np.datetime64) -> dict[str, object]:
    return {
        "type": "line",
        "xref": "x",
        "x0": x,
        "x1": x,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": LIGHT.border, "width": 1},
        "layer": "below",
    }


def _end_labels(
    x: np.datetime64, bands: Mapping[int, FloatArray], before: pd.Series, color: str
) -> list[dict[str, object]]:
    """Return the quantiles at the horizon as labels, leaving out those that would overlap."""
    ends = {level: float(row[-1]) for level, row in bands.items()}
    shown_range = max(ends[95], float(before.max())) - min(ends[5], float(before.min()))
    keep: list[int] = []
    for level in (50, 5, 95, 25, 75):  # most needed first
        if all(abs(ends[level] - ends[other]) > 0.055 * shown_range for other in keep):
            keep.append(level)
    words = {50: "median", 5: "5 %:", 25: "25 %:", 75: "75 %:", 95: "95 %:"}
    return [
        {
            "x": x,
            "y": ends[level],
            "xref": "x",
            "yref": "y",
            "xanchor": "left",
            "xshift": 5,
            "text": f"{words[level]} {signed_percent(ends[level] / 100)}",
            "font": {"size": 11, "color": color if level == 50 else LIGHT.muted},
            "showarrow": False,
        }
        for level in sorted(keep)
    ]


def outcome_histogram(
    returns: Mapping[str, FloatArray],
    *,
    horizon: int,
    mean_interval: tuple[float, float] | None = None,
    what: str = "Return",
) -> go.Figure:
    """Return how the worlds end as shares of worlds per band of return, with the losing ones shaded.

    Parameters
    ----------
    returns
        Horizon returns [n] by simulator; the first is drawn as bars, further ones as outlines over it.
    horizon
        Sessions ahead, for the words.
    mean_interval
        95 % interval of the first mean; 1.96 standard errors where not given.
    what
        What is measured.
    """
    if not returns:
        raise DataError("There are no simulated outcomes to draw. Run a simulation first.")
    worlds = {name: np.asarray(values, dtype=np.float64) for name, values in returns.items()}
    for name, values in worlds.items():
        if not len(values) or not np.isfinite(values).all():
            raise DataError(f"The outcomes by {name} hold {len(values)} values, some unknown or none at all.")
    (first, outcome), *others = worlds.items()
    edges = bin_edges(np.concatenate(list(worlds.values())), about=int(np.clip(1.6 * np.sqrt(len(outcome)), 20, 60)))
    width = edges[1] - edges[0]
    centre = (edges[:-1] + edges[1:]) / 2 * 100
    share = np.histogram(outcome, edges)[0] / len(outcome) * 100
    losing = edges[1:] <= 1e-12
    mean = float(outcome.mean())
    error = 1.96 * float(outcome.std(ddof=1)) / np.sqrt(len(outcome)) if len(outcome) > 1 else np.nan
    low, high = mean_interval or (mean - error, mean + error)
    lost = float((outcome < 0).mean())
    traces: Traces = [
        {
            "type": "bar",
            "x": centre,
            "y": share,
            "width": width * 100 * 0.94,
            "name": first,
            "marker": {"color": [fade(LIGHT.loss if bad else LIGHT.gain, 0.72) for bad in losing]},
            "customdata": np.column_stack([edges[:-1], edges[1:]]) * 100,
            "hovertemplate": "%{customdata[0]:.1f} … %{customdata[1]:.1f} %: %{y:.1f} % of worlds",
            "showlegend": False,
        }
    ]
    for i, (name, values) in enumerate(others):
        other = np.histogram(values, edges)[0] / len(values) * 100
        traces.append(
            line(centre, other, name, LIGHT.ink if i == 0 else LIGHT.series[i], unit=":.1f} %", shape="hvh", width=1.4)
        )
    moved = bool(np.abs(outcome).max() > 0)
    title = (
        f"{percent(lost)} of worlds lose money over {count(horizon)} sessions; the mean is "
        f"{interval(mean, low, high, signed=True)}"
    )
    if not moved:
        title = f"Nothing is held, so every world ends unchanged after {count(horizon)} sessions"
    over = f"; outline: {', '.join(name for name, _ in others)}" if others else ""
    marks = [
        {
            "type": "rect",
            "xref": "x",
            "x0": low * 100,
            "x1": high * 100,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": fade(LIGHT.ink, 0.14),
            "line": {"width": 0},
        },
        {
            "type": "line",
            "xref": "x",
            "x0": mean * 100,
            "x1": mean * 100,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": LIGHT.ink, "width": 1.5},
        },
    ]
    label = {
        "x": mean * 100,
        "xref": "x",
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "xshift": 6,
        "text": f"mean {signed_percent(mean)}",
        "showarrow": False,
        "font": {"size": 11, "color": LIGHT.ink},
    }
    return figure(
        traces,
        kind="Histogram of simulated outcomes",
        title=title,
        subtitle=f"{count(len(outcome))} worlds by {first}{over}; orange bars lose; "
        "the grey strip is the mean's 95 % interval",
        x=f"{what} after {count(horizon)} sessions (%)",
        y="Share of worlds (%)",
        height=320,
        layout={
            "bargap": 0,
            "showlegend": len(others) > 1,  # a single outline is named in the subtitle
            "hovermode": "x",
            "xaxis": {"hoverformat": ".1f"},
            "shapes": marks if moved and np.isfinite(low) else [],
            "annotations": [label] if moved else [],
        },
    )


def bin_edges(values: FloatArray, about: int) -> FloatArray:
    """Return equal round bin edges that cover the values and have one edge at zero, so no bin mixes both signs."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    raw = max((high - low) / about, 1e-5)
    scale = 10.0 ** np.floor(np.log10(raw))
    width = scale * next(step for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * scale >= raw * 0.999)
    # One bin beyond the highest value: a histogram's last bin also holds its right edge.
    return np.asarray(np.arange(np.floor(low / width), np.floor(high / width) + 2) * width, dtype=np.float64)
