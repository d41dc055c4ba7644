"""Market: what is the market doing?"""

from typing import Any

import pandas as pd
import streamlit as st

from app.cache import keep
from app.forms import indicators
from app.layout import AMOUNT, PERCENT, SIGNED, TILE, chart, provenance, question, table, tile
from app.prices import price_strip, prices
from quantlib.charts import sparkline
from quantlib.charts.numbers import percent, signed_percent
from quantlib.errors import QuantError
from quantlib.workflows.market import instrument_view, market_pulse, market_table, universe_lists
from quantlib.workflows.provenance import code_version

SPANS = {"1y": 1, "3y": 3, "10y": 10, "all": None}
COLUMNS: dict[str, Any] = {
    "symbol": st.column_config.TextColumn("Symbol", pinned=True),
    "name": "Name",
    "year_line": st.column_config.LineChartColumn("Last year"),
    "last": ("Last", AMOUNT),
    "day": ("1 day", SIGNED),
    "month": ("1 month", SIGNED),
    "year": ("1 year", SIGNED),
    "volatility": ("Volatility", PERCENT),
    "session": st.column_config.DateColumn("Newest", format="YYYY-MM-DD"),
    "sector": "Sector",
    "kind": "Kind",
}
PULSE = {
    "month": ("Median, 1 month", signed_percent, "Half of the symbols did better over 21 sessions."),
    "above": ("In an uptrend", percent, "Share of symbols above their own average of 200 sessions."),
    "volatility": ("Volatility", percent, "Median, annualised, over 63 sessions."),
}


def key_numbers(rows: pd.DataFrame, pulse: pd.DataFrame) -> None:
    """Draw how the symbols move as a whole, and which of them moved most."""
    with st.container(horizontal=True):
        for name, (title, write, help_text) in PULSE.items():
            values = pulse[name].dropna()
            change = values.diff(21).iloc[-1] if len(values) else None
            better = 0 if name == "volatility" else 1
            now = write(values.iloc[-1] if len(values) else None)
            tile(title, now, change, over="a month", better=better, line=sparkline(values), help_text=help_text)
        ranked = rows[rows["session"] == rows["session"].max()].dropna(subset="month").sort_values("month")
        for title, one in {"Best, 1 month": ranked.tail(1), "Worst, 1 month": ranked.head(1)}.items():
            for symbol, change, line in zip(one["symbol"], one["month"], one["year_line"], strict=True):
                st.metric(title, symbol, signed_percent(change), chart_data=line, border=True, width=TILE)


def universe(rows: pd.DataFrame, key: str) -> None:
    """Draw the list; a click on a row chooses the instrument below it."""

    def choose() -> None:
        if chosen := st.session_state[key]["selection"]["rows"]:
            st.session_state["symbol"] = rows["symbol"].iloc[chosen[0]]

    alt = "The symbols of the list with last close, changes, volatility and their last year."
    height = 35 * min(len(rows) + 1, 9) + 3
    table(rows, COLUMNS, key, hide_index=True, height=height, on_select=choose, selection_mode="single-row", alt=alt)


def instrument(rows: pd.DataFrame, key: str) -> str:
    """Draw one instrument with its indicators and return the content hash of its prices."""

    def mark() -> None:
        row = int(rows["symbol"].eq(st.session_state["symbol"]).argmax())
        st.session_state[key] = {"selection": {"rows": [row], "columns": [], "cells": []}}

    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = st.selectbox("Instrument", list(rows["symbol"]), key="symbol", bind="query-params", on_change=mark)
        span = st.segmented_control("Span", list(SPANS), default="3y", key="span", required=True, bind="query-params")
        with st.popover("Indicators", icon=":material/show_chart:"):
            log = st.toggle("Logarithmic price axis", key="log", bind="query-params")
            lines = indicators()
    try:
        view = keep(instrument_view, symbol, SPANS[span], lines, log)
    except QuantError as error:
        st.error(str(error), icon=":material/error:")
        return ""
    chart(view.figure, "instrument")
    facts = rows.set_index("symbol").loc[symbol, ["name", "kind", "sector"]]
    st.caption("  \n".join([" · ".join(filter(None, facts)), *view.notes]))
    return view.snapshot_id


def main() -> None:
    """Draw the page."""
    question("What is the market doing?")
    found = prices()
    lists = keep(universe_lists)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    name = right.selectbox("List", list(lists.index), key="list", bind="query-params")
    chosen = lists.loc[name]
    with left:
        price_strip(found)
    rows = keep(market_table, chosen["symbols"])
    key_numbers(rows, keep(market_pulse, chosen["symbols"]))
    universe(rows, f"table-{name}")
    st.caption(f"{chosen['title']}: {len(chosen['symbols'])} of {chosen['of']} have prices. {chosen['note']}")
    provenance({"source": found.source, "data": instrument(rows, f"table-{name}"), "code": code_version()})


main()
