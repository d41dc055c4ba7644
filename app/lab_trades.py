"""The trades of a run: on the spread, as a table, and each one opened to see why it was taken."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.layout import AMOUNT, PERCENT, SIGNED, chart, plain, table
from quantlib.charts.numbers import money, number, ratio, span
from quantlib.conditions import Trace
from quantlib.metrics import METRICS
from quantlib.workflows.lab import Trial
from quantlib.workflows.opened_trade import OpenedTrade

DAY = "YYYY-MM-DD"
#: Pixels of a table of which two stand beside each other, and below each other on a phone.
HALF = 490
GROUP_TRADES: dict[str, Any] = {
    "entered": st.column_config.DateColumn("Entered", format=DAY, pinned=True),
    "left": st.column_config.DateColumn("Left", format=DAY, help="Empty while open."),
    "side": "Side",
    "sessions": ("Sessions", "%,d"),
    "pnl": ("Profit ($)", "%,.0f"),
    "return": ("Of its base", SIGNED),
    "mae": ("Worst on the way", PERCENT),
    "mfe": ("Best on the way", PERCENT),
    "exit_reason": "Ended by",
    "base": ("Base ($)", "%,.0f"),
    "fees": ("Fees ($)", "%,.2f"),
}
FILLS: dict[str, Any] = {
    "ts": st.column_config.DateColumn("Filled", format=DAY, pinned=True),
    "symbol": "Symbol",
    "side": "Side",
    "shares": ("Shares", "%,.0f"),
    "price": ("Price", AMOUNT),
    "notional": ("Amount ($)", "%,.0f"),
    "cost": ("Cost ($)", AMOUNT),
    "decided": st.column_config.DateColumn("Decided", format=DAY, help="At the close of that session."),
    "reason": "Why",
}
ORDERS: dict[str, Any] = {
    "ordered": st.column_config.DateColumn("Ordered", format=DAY, pinned=True),
    "symbol": "Symbol",
    "weight": ("Weight", PERCENT),
    "reason": "Why",
    "status": "State",
    "filled": st.column_config.DateColumn("Filled", format=DAY),
}
MARKS = {True: ":material/check:", False: ":material/close:", None: ":material/help:"}


def trades(trial: Trial) -> None:
    """Draw what was traded: on the spread or the price, how far each went, and one of them opened."""
    result = trial.run.result
    if (figure := trial.sheet.spread_trades()) is not None:
        chart(figure, "spread-trades")
    else:
        symbol = st.selectbox("Symbol", trial.run.panel.symbols, key="traded", bind="query-params")
        chart(trial.trades(symbol), "trades-chart")
    if result.group_trades.empty:
        st.info("It never traded, so there is no trade to open.", icon=":material/info:")
        return
    if result.group_trades["left"].notna().any():
        chart(trial.sheet.excursions(), "excursions")
    _numbers(trial)
    _open(trial)
    shown = result.group_trades[::-1]
    st.markdown("**All trades**, the newest first. Select one to open it.")
    names = _names(result.group_trades)

    def selected() -> None:
        rows = st.session_state["group-trades"]["selection"]["rows"]
        if rows:
            st.session_state["trade"] = names[len(names) - 1 - rows[0]]

    table(shown, GROUP_TRADES, "group-trades", hide_index=True, on_select=selected, selection_mode="single-row")
    with st.expander(f"All {len(result.trades):,} fills", on_change="rerun", key="fills") as every:
        if every.open:
            table(result.trades[::-1], FILLS, "trades", hide_index=True)


def _numbers(trial: Trial) -> None:
    """Draw what the closed trades made, each with its interval."""
    found = trial.sheet.of_trades()
    with st.container(horizontal=True):
        for key, row in found.iterrows():
            metric = METRICS[str(key)]
            around = "no interval" if pd.isna(row["ci_low"]) else span(row["ci_low"], row["ci_high"], metric.unit)
            st.metric(metric.title, number(row["value"], metric.unit), around, delta_color="off", delta_arrow="off",
                      border=True, help=f"{metric.formula} Source: {metric.reference}")  # fmt: skip


def _names(group_trades: pd.DataFrame) -> list[str]:
    """Return what to call each trade in the address and in the list."""
    dates = group_trades["entered"].dt.strftime("%Y-%m-%d")
    return [f"{date} {side}" for date, side in zip(dates, group_trades["side"], strict=True)]


def _open(trial: Trial) -> None:
    """Draw one trade: why it was taken, what was ordered and filled, and whose profit it was."""
    names = _names(trial.run.result.group_trades)
    name = st.selectbox("Open a trade", names[::-1], index=None, key="trade", bind="query-params",
                        placeholder="Choose one to see why it was taken")  # fmt: skip
    if name is None:
        return
    opened = trial.sheet.opened(names.index(name))
    with st.container(border=True):
        st.markdown(plain(opened.sentence))
        if opened.reasons:
            st.markdown("\n".join(["**Why it was taken**, as known at that close:", "",
                                   *(f"- {plain(reason)}" for reason in opened.reasons)]))  # fmt: skip
        for title, trace in opened.traces.items():
            st.markdown(f"**{title}:** {plain(trace.sentence)}")
            st.markdown("\n".join(_tree(trace)))
        if opened.measured:
            st.caption(" · ".join(f"{name} {ratio(value)}" for name, value in opened.measured.items()))
        _amounts(opened)


def _amounts(opened: OpenedTrade) -> None:
    legs = " · ".join(f"**{symbol}** {money(value, signed=True)}" for symbol, value in opened.legs.items())
    st.markdown(f"Profit by leg: {legs}".replace("$", "\\$"))
    if opened.shared:
        st.caption("It was turned around in a session that the trade before or after it shares; the legs' profit of "
                   "that session counts for both.")  # fmt: skip
    with st.container(horizontal=True):
        with st.container(width=HALF):
            st.caption("Orders")
            table(opened.orders, ORDERS, "opened-orders", hide_index=True)
        with st.container(width=HALF):
            st.caption("Fills")
            table(opened.fills, FILLS, "opened-fills", hide_index=True)


def _tree(trace: Trace, depth: int = 0) -> list[str]:
    """Return the parts of a condition as a nested list, each with its mark and its numbers."""
    own = [f"{'  ' * depth}- {MARKS[trace.truth]} {plain(trace.phrase)}"] if trace.is_truth else []
    return own + [line for child in trace.children for line in _tree(child, depth + bool(own))]
