"""Charts of results: growth, drawdown, runs side by side, and how sure a metric is."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line, log_axis
from quantlib.charts.numbers import Unit, interval, number, percent, ratio
from quantlib.charts.theme import LIGHT, fade, series_color
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError

BENCHMARK = "Buy and hold"
VISIBLE = 5e-4  # the smallest fraction that one decimal of a percent shows


def equity_curves(
    curves: Mapping[str, pd.Series],
    benchmark: pd.Series | None = None,
    *,
    benchmark_name: str = BENCHMARK,
    log: bool = False,
    colors: Mapping[str, str] | None = None,
) -> go.Figure:
    """Return growth of 1 over time, one line a strategy.

    Parameters
    ----------
    curves
        Equity by strategy name, in any currency; each is divided by its first value.
    benchmark
        Equity of what the strategies have to beat; grey.
    benchmark_name
        What the legend calls it.
    log
        Whether the axis is logarithmic, where equal distances are equal growth.
    colors
        Colour by curve name, such as another strategy's `series_color`; from the curve's own name where not given.
    """
    frame = _growth(curves, benchmark, benchmark_name)
    names = [str(name) for name in curves]
    shown = thin(frame)
    return figure(
        _curve_lines(shown, names, benchmark_name, colors or {}, ":.2f}×"),
        kind="Line chart of growth of 1",
        title=_growth_finding(frame, names, benchmark_name),
        subtitle=f"After costs, {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}"
        + (", log scale" if log else ""),
        note=drawn(len(frame), len(shown)),
        y="Growth of 1 (×)",
        layout={"yaxis": log_axis(float(frame.min().min()), float(frame.max().max()))} if log else None,
    )


def compare_runs(curves: Mapping[str, pd.Series], *, colors: Mapping[str, str] | None = None) -> go.Figure:
    """Return runs of different spans side by side: growth of 1 over the days all of them have, log scale.

    Runs take their colours in the order given, since several may be of one strategy.

    Raises
    ------
    DataError
        There is no run, or the runs share no two days.
    """
    if not curves:
        raise DataError("There is no run to compare. Choose at least one.")
    shared = pd.concat({str(k): v for k, v in curves.items()}, axis=1, join="inner").dropna()
    if len(shared) < 2:
        raise DataError("These runs share no two days, so they cannot be compared. Choose runs that overlap.")
    own = {str(k): LIGHT.series[i % len(LIGHT.series)] for i, k in enumerate(shared.columns)}
    return equity_curves({str(k): shared[k] for k in shared.columns}, log=True, colors=colors or own)


def drawdown(
    curves: Mapping[str, pd.Series], *, colors: Mapping[str, str] | None = None, height: int = 240
) -> go.Figure:
    """Return the loss from the highest value so far over time, in percent, one line a strategy.

    Parameters
    ----------
    curves
        Equity by strategy name, in any currency.
    colors
        As in `equity_curves`.
    height
        Pixels.
    """
    frame = _growth(curves, None, "")
    under = (frame / frame.cummax() - 1.0) * 100
    shown = thin(under)
    names = [str(name) for name in curves]
    traces = _curve_lines(shown, names, "", colors or {}, ":.1f} %")
    if len(traces) == 1:
        traces[0] |= {"fill": "tozeroy", "fillcolor": fade(traces[0]["line"]["color"], 0.14)}
    title, subtitle = _drawdown_finding(under / 100)
    return figure(
        traces,
        kind="Line chart of drawdown",
        title=title,
        subtitle=subtitle,
        note=drawn(len(under), len(shown)),
        y="Drawdown (%)",
        height=height,
        layout={"yaxis": {"rangemode": "tozero"}},
    )


def metric_intervals(
    rows: Mapping[str, tuple[float, float, float]],
    metric: str = "Sharpe ratio",
    *,
    unit: Unit = "ratio",
    colors: Mapping[str, str] | None = None,
) -> go.Figure:
    """Return one metric of several strategies as dots with their 95 % intervals, beside the line at zero.

    Parameters
    ----------
    rows
        Value, low end and high end by strategy name, in natural units.
    metric
        What is measured.
    unit
        How it is written.
    colors
        As in `equity_curves`.
    """
    if not rows:
        raise DataError("There is no strategy to compare. Choose at least one.")
    factor = 100.0 if unit == "percent" else 1.0
    traces: Traces = []
    for name, (value, low, high) in reversed(list(rows.items())):
        color = (colors or {}).get(name) or series_color(name)
        label = interval(value, low, high, unit)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [low * factor, high * factor],
                "y": [name, name],
                "line": {"color": fade(color, 0.45), "width": 7},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [value * factor],
                "y": [name],
                "name": name,
                "marker": {"color": color, "size": 12, "line": {"color": LIGHT.paper, "width": 1.5}},
                "hovertemplate": f"{label}<extra></extra>",
                "showlegend": False,
            }
        )
    ends = [at * factor for values in rows.values() for at in values] + [0.0]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    above = [name for name, (_, low, _) in rows.items() if low > 0]
    below = [name for name, (_, _, high) in rows.items() if high < 0]
    clear = above + below
    if not clear:
        title = f"No strategy's {metric} is clear of zero"
    elif len(clear) == len(rows) > 1:
        title = f"Every strategy's {metric} is clear of zero"
    else:
        title = f"{metric} clear of zero: {', '.join(clear)}"
    table = pd.DataFrame(list(rows.values()), index=list(rows), columns=[metric, "95 % low", "95 % high"])
    return figure(
        traces,
        kind=f"Dots with intervals of the {metric}",
        title=title,
        subtitle="Dot: estimate; bar: 95 % interval; "
        + ", ".join(f"{k} {number(v[0], unit)}" for k, v in rows.items()),
        x=f"{metric} (%)" if unit == "percent" else metric,
        height=110 + 44 * len(rows),
        table=table,
        layout={
            "hovermode": "closest",
            "xaxis": {
                "range": [min(ends) - room, max(ends) + room],
                "showgrid": True,
                "zeroline": True,
                "zerolinecolor": LIGHT.muted,
                "zerolinewidth": 1.5,
            },
            "yaxis": {"showgrid": False, "ticklabelstandoff": 10},
        },
    )


def _growth(curves: Mapping[str, pd.Series], benchmark: pd.Series | None, benchmark_name: str) -> pd.DataFrame:
    if not curves:
        raise DataError("There is no equity curve to draw. Run a strategy first.")
    series = {str(name): curve.dropna() for name, curve in curves.items()}
    if benchmark is not None:
        series[benchmark_name] = benchmark.dropna()
    for name, curve in series.items():
        if len(curve) < 2:
            raise DataError(f"The equity of {name} has {len(curve)} values; a curve needs at least 2.")
    growth = {name: curve / curve.iloc[0] for name, curve in series.items()}
    return pd.DataFrame(growth).sort_index()


def _curve_lines(
    shown: pd.DataFrame, names: list[str], benchmark_name: str, colors: Mapping[str, str], unit: str
) -> Traces:
    """Return one line a column; names that fall on one colour are told apart by their dashes."""
    x = days(shown.index)
    used: dict[str, int] = {}
    traces: Traces = []
    for name in shown.columns:
        y = shown[name].to_numpy()
        if name == benchmark_name and name not in names:
            traces.append(line(x, y, name, LIGHT.muted, unit=unit, width=1.3, connectgaps=True))
            continue
        color = colors.get(name) or series_color(name)
        dash = ("solid", "dot", "dashdot", "longdash")[used.get(color, 0) % 4]
        used[color] = used.get(color, 0) + 1
        traces.append(line(x, y, name, color, unit=unit, dash=dash, connectgaps=True))
    return traces


def _growth_finding(frame: pd.DataFrame, names: list[str], benchmark_name: str) -> str:
    last = {str(name): float(column.dropna().to_numpy()[-1]) for name, column in frame.items()}
    with_benchmark = benchmark_name in last and benchmark_name not in names
    beside = f"; {benchmark_name.lower()} into {ratio(last[benchmark_name])}" if with_benchmark else ""
    if len(names) == 1:
        return f"{names[0]} turned 1 into {ratio(last[names[0]])}{beside}"
    order = sorted(names, key=last.__getitem__)
    least, most = order[0], order[-1]
    return f"{most} made most and turned 1 into {ratio(last[most])}; {least} least, into {ratio(last[least])}{beside}"


def _drawdown_finding(under: pd.DataFrame) -> tuple[str, str]:
    """Return title and subtitle of drawdowns given as fractions at or below zero."""
    low = under.min().sort_values()
    deepest, depth = str(low.index[0]), -float(low.iloc[0])
    if len(low) > 1:
        shallow = f"shallowest: {low.index[-1]} {percent(-float(low.iloc[-1]))}"
        return (
            f"Deepest drawdown: {deepest} {percent(depth)}; {shallow}",
            f"{under.index[0]:%Y-%m-%d} to {under.index[-1]:%Y-%m-%d}",
        )
    if depth < VISIBLE:
        return "Equity never fell below its highest value so far", ""
    now = -float(under[deepest].iloc[-1])
    place = "at its highest value" if now < VISIBLE else f"{percent(now)} below the highest value"
    return f"Drawdown never passed {percent(depth)}; now {place}", f"Deepest on {under[deepest].idxmin():%Y-%m-%d}"
