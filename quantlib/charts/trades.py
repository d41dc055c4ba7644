"""Charts of a group's trades: the spread with its entries, how far they went, what they earned and cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.figure import Traces, days, figure, level_marks, line
from quantlib.charts.numbers import count, money, percent, signed_percent
from quantlib.charts.theme import LIGHT, fade
from quantlib.charts.thinning import drawn, thin
from quantlib.errors import DataError

MAX_TRADES = 1000
LEAST_PART = 1e-3  # of the largest part of the costs: a smaller one is not drawn
SHORT_BAR = 0.4  # of the span of all bars: what the amount beside a bar takes


def trades_on_spread(
    spread: pd.Series, trades: pd.DataFrame, *, levels: Mapping[str, float] | None = None, unit: str = "z"
) -> go.Figure:
    """Return a group's spread with the trades on it: where each was entered, left, and why.

    Parameters
    ----------
    spread
        The number the group trades on [T]; its name is drawn.
    trades
        One row a trade: side, entered, left (NaT while open), return, exit_reason.
    levels
        Thresholds by name.
    unit
        What the axis is in.

    Raises
    ------
    DataError
        The spread is never known.
    """
    known = spread.dropna()
    if known.empty:
        raise DataError("The spread is never known, so there is nothing to draw. It may still be warming up.")
    shown = thin(known.to_frame())
    name = "Spread" if spread.name is None else str(spread.name)
    traces: Traces = [line(days(shown.index), shown.iloc[:, 0].to_numpy(), name, LIGHT.accent, unit=":.2f}", width=1.2)]
    drawn_trades = trades.tail(MAX_TRADES)
    marks = {
        "Entered long": ("entered", drawn_trades["side"] == "long", "triangle-up", LIGHT.gain),
        "Entered short": ("entered", drawn_trades["side"] == "short", "triangle-down", LIGHT.loss),
        "Left": ("left", drawn_trades["left"].notna(), "x-thin-open", LIGHT.ink),
    }
    for label, (column, rows, mark, color) in marks.items():
        own = drawn_trades[rows]
        at = pd.DatetimeIndex(own[column])
        why = own["exit_reason" if column == "left" else "entry_reason"].astype("object").to_numpy()
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label,
                "x": days(at),
                "y": spread.reindex(at, method="ffill").to_numpy(dtype=np.float64),
                "customdata": np.column_stack([why, own["return"].map(signed_percent).to_numpy(dtype=object)]),
                "marker": {"symbol": mark, "size": 9, "color": color, "line": {"color": color, "width": 1.5}},
                "hovertemplate": "%{customdata[0]}, trade %{customdata[1]}",
            }
        )
    won = float((trades["pnl"] > 0).mean()) if len(trades) else float("nan")
    title = "No trade was made" if trades.empty else f"{count(len(trades))} trades, {percent(won, 0)} of them won"
    note = "" if len(drawn_trades) == len(trades) else f"The last {MAX_TRADES:,} of {len(trades):,} trades are drawn."
    return figure(
        traces,
        kind="Line chart of the spread with its trades",
        title=title,
        subtitle=f"{name}, {known.index[0]:%Y-%m-%d} to {known.index[-1]:%Y-%m-%d}",
        note=f"{drawn(len(known), len(shown))} {note}".strip(),
        y=unit,
        layout=level_marks(levels or {}, LIGHT.muted),
    )


def excursions(trades: pd.DataFrame) -> go.Figure:
    """Return each trade's result against how far it was under water on its way (maximum adverse excursion).

    Trades that came back from far below are luck a stop would have cut; many of them say that a stop hurts.

    Parameters
    ----------
    trades
        One row a trade: entered, return, mae, mfe, exit_reason; fractions of the gross notional at entry.
    """
    closed = trades.dropna(subset=["return", "mae"])
    if closed.empty:
        raise DataError("There is no finished trade to draw.")
    traces: Traces = []
    for label, rows, color, mark in (
        ("Won", closed["return"] > 0, LIGHT.gain, "circle"),
        ("Lost", closed["return"] <= 0, LIGHT.loss, "diamond"),
    ):
        own = closed[rows]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label,
                "x": own["mae"].to_numpy() * 100,
                "y": own["return"].to_numpy() * 100,
                "customdata": np.column_stack(
                    [own["entered"].dt.strftime("%Y-%m-%d"), own["exit_reason"].astype("object"), own["mfe"] * 100]
                ),
                "marker": {"color": fade(color, 0.75), "size": 8, "symbol": mark},
                "hovertemplate": "Entered %{customdata[0]}: worst %{x:.1f} %, best %{customdata[2]:.1f} %, "
                "result %{y:.1f} % (%{customdata[1]})<extra></extra>",
            }
        )
    winners = closed[closed["return"] > 0]
    title = "No trade won"
    if len(winners):
        title = f"9 of 10 winners were never more than {percent(-winners['mae'].quantile(0.1))} under water"
    return figure(
        traces,
        kind="Scatter of trades",
        title=title,
        subtitle=f"{count(len(closed))} trades; result against the worst point on the way, of the gross at entry",
        x="Worst on the way (%)",
        y="Result (%)",
        height=340,
        layout={"hovermode": "closest", "xaxis": {"showgrid": True, "hoverformat": ".1f"}},
        table=closed[["entered", "return", "mae", "mfe", "exit_reason"]].reset_index(drop=True),
    )


def profit_by_leg(profit: pd.DataFrame, *, height: int = 300) -> go.Figure:
    """Return the profit of each leg so far, and of the group as their sum.

    Parameters
    ----------
    profit
        Profit of each bar in the account's currency [time x leg].
    """
    if profit.empty:
        raise DataError("There is no profit to draw. Run a strategy first.")
    total = profit.cumsum()
    if isinstance(total.columns, pd.MultiIndex):
        total.columns = pd.Index([" ".join(map(str, leg)) for leg in total.columns])
    names = list(total.columns)
    order = total.iloc[-1].abs().sort_values(ascending=False).index[:8]
    frame = total[order].assign(All=total.sum(axis=1))
    shown = thin(frame)
    x = days(shown.index)
    traces: Traces = [
        line(x, shown[name].to_numpy(), name, LIGHT.series[i % len(LIGHT.series)], unit=":,.0f}", width=1.2,
             dash=("solid", "dot")[i // len(LIGHT.series)])
        for i, name in enumerate(order)
    ]  # fmt: skip
    traces.append(line(x, shown["All"].to_numpy(), "All", LIGHT.ink, unit=":,.0f}", width=2))
    ends = total.iloc[-1]
    left_out = "" if len(order) == len(names) else f"{len(names) - len(order)} smaller legs are not drawn."
    return figure(
        traces,
        kind="Line chart of profit by leg",
        title=f"{ends.idxmax()} earned {money(ends.max(), signed=True)}, {ends.idxmin()} "
        f"{money(ends.min(), signed=True)}; together {money(ends.sum(), signed=True)}"
        if len(ends) > 1
        else f"{ends.index[0]} earned {money(ends.iloc[0], signed=True)}",
        subtitle="Profit so far, after its own costs, borrowing and dividends",
        note=f"{drawn(len(frame), len(shown))} {left_out}".strip(),
        y="Profit ($)",
        height=height,
    )


def amounts(values: pd.Series, *, title: str, subtitle: str, kind: str = "Bars of amounts") -> go.Figure:
    """Return named amounts as bars, gains to the right and losses to the left.

    Parameters
    ----------
    values
        Amounts in the account's currency by name, drawn in the order given.
    title, subtitle
        The finding, and how it was measured.
    """
    shown = values[::-1]
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    room = SHORT_BAR * ((high - low) or 1.0)
    short = values[values.abs() < room]  # its amount stands beside the bar
    ends = [min(low, -room if (short < 0).any() else 0.0), max(high, room if (short >= 0).any() else 0.0)]
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": shown.to_numpy(),
        "y": [str(name) for name in shown.index],
        "marker": {"color": [LIGHT.gain if value >= 0 else LIGHT.loss for value in shown]},
        "text": [money(value, signed=True) for value in shown],
        "textposition": "auto",
        "hovertemplate": "%{y}: %{text}<extra></extra>",
        "showlegend": False,
    }
    return figure(
        [bars],
        kind=kind,
        title=title,
        subtitle=subtitle,
        x="Amount ($)",
        height=130 + 28 * len(shown),
        layout={
            "hovermode": "closest",
            "xaxis": {"showgrid": True, "hoverformat": ",.0f", "range": [1.03 * end for end in ends]},
            "yaxis": {"dtick": 1},
        },
        table=values.rename("Amount").to_frame(),
    )


def cost_parts(parts: pd.DataFrame, profit: float) -> go.Figure:
    """Return what trading and holding cost, part by part, beside what was earned.

    Parameters
    ----------
    parts
        What was paid in each bar [time x part], such as commission, spread, impact and borrow; paid is positive.
    profit
        Net profit of the account over the same bars.
    """
    paid = parts.sum()
    total = float(paid.sum())
    before = profit + total
    share = f", {percent(total / before, 0)} of the profit before them" if before > 0 else ""
    return amounts(
        -paid[paid.abs() > LEAST_PART * paid.abs().max()].sort_values(ascending=False),
        title=f"Costs took {money(total)}{share}" if total >= 0 else f"Carry paid {money(-total)} net of costs",
        subtitle="Paid over the whole record, by part",
        kind="Bars of costs by part",
    )


def profit_by_reason(profit: pd.Series) -> go.Figure:
    """Return what the trades earned by the reason they ended for.

    Parameters
    ----------
    profit
        Profit in the account's currency by reason.
    """
    if profit.empty:
        raise DataError("There is no finished trade to draw.")
    ranked = profit.sort_values(ascending=False)
    ranked.index = pd.Index(["still open" if why == "open" else str(why).replace("_", " ") for why in ranked.index])
    best, worst = (why if why == "still open" else f"ended by {why}" for why in ranked.index[[0, -1]])
    title = f"Trades {best} earned {money(ranked.iloc[0], signed=True)}"
    if len(ranked) > 1:
        title += f"; those {worst} {money(ranked.iloc[-1], signed=True)}"
    return amounts(ranked, title=title, subtitle="Profit of trades by the reason they ended for")
