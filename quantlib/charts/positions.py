"""Charts of what was held and traded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, line
from quantlib.charts.numbers import count, money, percent
from quantlib.charts.prices import price_line
from quantlib.charts.theme import LIGHT
from quantlib.errors import DataError
from quantlib.types import Panel

MAX_LINES = 2  # more weights than this cover each other as lines, and are read better as a heat map
MAX_COLUMNS = 400
MAX_TRADES = 1000


def weights_over_time(weights: pd.DataFrame, *, when: str = "now") -> go.Figure:
    """Return portfolio weights over time: step lines for up to two holdings, a heat map for more.

    Parameters
    ----------
    weights
        Fractions of equity [time x symbol], negative where short; symbols never held are left out.
    when
        What the last row is, for the title: "now", or such as "on 2020-03-13".
    """
    if weights.empty:
        raise DataError("There are no weights to draw. Run a strategy first.")
    held = weights.loc[:, (weights.abs() > 1e-9).any()]
    now = held.iloc[-1]
    now = now[now.abs() > 5e-4].sort_values(ascending=False, key=abs)
    title = f"Nothing is held {when}"
    if len(now):
        more = f" and {len(now) - 3} more" if len(now) > 3 else ""
        title = f"Held {when}: " + ", ".join(f"{s} {percent(w)}" for s, w in now.head(3).items()) + more
    subtitle = f"Share of equity, {weights.index[0]:%Y-%m-%d} to {weights.index[-1]:%Y-%m-%d}"
    if held.shape[1] <= MAX_LINES:
        # A step needs only the rows on which some weight differs from the row before, and the last.
        moved = (held.round(4).diff().abs() > 0).any(axis=1)
        moved.iloc[[0, -1]] = True
        shown = _last_of_each(held[moved], 3 * MAX_COLUMNS) * 100
        x = days(shown.index)
        traces: Traces = [
            line(
                x,
                shown[s].to_numpy(),
                str(s),
                LIGHT.series[i % len(LIGHT.series)],
                unit=":.1f} %",
                shape="hv",
                connectgaps=False,
            )
            for i, s in enumerate(shown.columns)
        ]
        note = "" if len(shown) == int(moved.sum()) else f"{len(held):,} sessions drawn as {len(shown):,}."
        if not traces:
            traces = [
                line(
                    days(weights.index[[0, -1]]),
                    np.zeros(2),
                    "Holdings",
                    LIGHT.muted,
                    unit=":.1f} %",
                )
            ]
        return figure(
            traces,
            kind="Step lines of portfolio weights",
            title=title,
            subtitle=subtitle,
            note=note,
            y="Weight (%)",
            height=300,
            layout={"showlegend": True, "margin": {"t": 84}},  # one line alone also needs its name
        )
    shown = _last_of_each(held, MAX_COLUMNS) * 100
    order = held.abs().sum().sort_values().index  # most held on top
    limit = float(np.nanmax(np.abs(shown.to_numpy()))) or 1.0
    scale = [[0.0, LIGHT.loss], [0.5, LIGHT.surface], [1.0, LIGHT.gain]]
    if not (shown < 0).to_numpy().any():
        scale = [[0.0, LIGHT.surface], [1.0, LIGHT.gain]]
    heat = {
        "type": "heatmap",
        "name": "Weight",
        "x": days(shown.index),
        "y": [str(s) for s in order],
        "z": shown[order].to_numpy().T,
        "zmin": -limit if len(scale) == 3 else 0.0,
        "zmax": limit,
        "colorscale": scale,
        "hovertemplate": "%{y} %{z:.1f} %<br>%{x|%Y-%m-%d}<extra></extra>",
        "colorbar": {"title": {"text": "Weight (%)", "side": "right"}, "thickness": 10, "outlinewidth": 0},
    }
    return figure(
        [heat],
        kind="Heat map of portfolio weights",
        title=title,
        subtitle=subtitle,
        note=""
        if len(shown) == len(held)
        else f"Every {len(held) // len(shown)}th of {len(held):,} sessions is drawn.",
        height=120 + 18 * len(order),
        layout={"hovermode": "closest", "yaxis": {"showgrid": False, "dtick": 1}},
    )


def _last_of_each(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the last row of each of `n` equal stretches: a sample, for values that have no extremes to keep."""
    if len(frame) <= n:
        return frame
    return frame.iloc[np.linspace(0, len(frame), n + 1).astype(int)[1:] - 1]


def trades_on_price(panel: Panel, symbol: str, trades: pd.DataFrame, *, unit: str = "$") -> go.Figure:
    """Return the closes of one symbol with its trades: a triangle up for a buy, down for a sale.

    Parameters
    ----------
    panel
        Prices.
    symbol
        Whose trades to draw.
    trades
        Columns ts, symbol, side ("buy" or "sell"), shares, price, cost, as a backtest returns them.
    unit
        Currency of the price axis.
    """
    fig = price_line(panel, symbol, unit=unit)
    own = trades[trades["symbol"] == symbol]
    shown = own.tail(MAX_TRADES)
    sides = {
        "buy": ("Buys", "triangle-up", LIGHT.gain),
        "sell": ("Sales", "triangle-down", LIGHT.loss),
    }
    traces: Traces = []
    for side, (name, mark, color) in sides.items():
        rows = shown[shown["side"] == side]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": days(pd.DatetimeIndex(rows["ts"])),
                "y": rows["price"].to_numpy(dtype=np.float64),
                "customdata": rows[["shares", "cost"]].abs().to_numpy(dtype=np.float64),
                "marker": {
                    "symbol": mark,
                    "size": 9,
                    "color": color,
                    "line": {"color": LIGHT.paper, "width": 1},
                },
                "hovertemplate": "%{customdata[0]:,.0f} shares at %{y:,.2f}, cost %{customdata[1]:,.2f}",
            }
        )
    sold = int((own["side"] == "sell").sum())
    bought = int((own["side"] == "buy").sum())
    title = f"{symbol} was never traded"
    if len(own):
        title = f"{count(bought)} buys and {count(sold)} sales of {symbol} cost {money(own['cost'].sum())} in all"
    note = "" if len(shown) == len(own) else f"The last {len(shown):,} of {len(own):,} trades are drawn."
    prices = [trace.to_plotly_json() for trace in fig.data]
    return figure(
        [*prices, *traces],
        kind=f"Line chart of the close of {symbol} with its trades",
        title=title,
        subtitle=fig.layout.meta["subtitle"],
        note=f"{fig.layout.meta['note']} {note}".strip(),
        y=f"Price ({unit})",
    )
