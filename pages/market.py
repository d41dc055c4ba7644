"""Market: what is the market doing?"""

from typing import Any

import pandas as pd
import streamlit as st

from app.cache import keep
from app.forms import indicators
from app.layout import TILE, chart, empty, key_number, provenance, question, strip
from quantlib.charts.numbers import percent, signed_percent
from quantlib.errors import QuantError
from quantlib.workflows.market import instrument_view, market_pulse, market_table, stored_prices, universe_lists
from quantlib.workflows.provenance import code_version

SPANS = {"1y": 1, "3y": 3, "10y": 10, "all": None}
CHANGES = {"day": "1 day", "month": "1 month", "year": "1 year"}
COLUMNS: dict[str, Any] = {
    "symbol": st.column_config.TextColumn("Symbol", pinned=True),
    "name": "Name",
    "year_line": st.column_config.LineChartColumn("Last year"),
    "last": st.column_config.NumberColumn("Last", format="%,.2f"),
    **{name: st.column_config.NumberColumn(title, format="%+.1f %%") for name, title in CHANGES.items()},
    "volatility": st.column_config.NumberColumn("Volatility", format="%.1f %%", help="A year, over 63 sessions."),
    "session": st.column_config.DateColumn("Newest", format="YYYY-MM-DD"),
    "sector": "Sector",
    "kind": "Kind",
}
PULSE = {
    "month": ("Median, 1 month", signed_percent, "Half of the symbols did better over 21 sessions."),
    "above": ("In an uptrend", percent, "Share of symbols above their own average of 200 sessions."),
    "volatility": ("Volatility", percent, "Median, annualised, over 63 sessions."),
}


def key_numbers(table: pd.DataFrame, pulse: pd.DataFrame) -> None:
    """Draw how the symbols move as a whole, and which of them moved most."""
    with st.container(horizontal=True):
        for name, (title, write, help_text) in PULSE.items():
            key_number(title, pulse[name], write, help_text, colored=name != "volatility")
        rows = table[table["session"] == table["session"].max()].dropna(subset="month").sort_values("month")
        for title, one in {"Best, 1 month": rows.tail(1), "Worst, 1 month": rows.head(1)}.items():
            for symbol, change, line in zip(one["symbol"], one["month"], one["year_line"], strict=True):
                st.metric(title, symbol, signed_percent(change), chart_data=line, border=True, width=TILE)


def universe(table: pd.DataFrame, key: str) -> None:
    """Draw the list; a click on a row chooses the instrument below it."""

    def choose() -> None:
        if rows := st.session_state[key]["selection"]["rows"]:
            st.session_state["symbol"] = table["symbol"].iloc[rows[0]]

    st.dataframe(
        table.assign(**{name: table[name] * 100 for name in (*CHANGES, "volatility")}),
        column_order=list(COLUMNS),
        column_config=COLUMNS,
        hide_index=True,
        height=35 * min(len(table) + 1, 9) + 3,
        placeholder="–",
        on_select=choose,
        selection_mode="single-row",
        key=key,
        alt="The symbols of the list with last close, changes, volatility and their last year.",
    )


def instrument(table: pd.DataFrame, key: str) -> str:
    """Draw one instrument with its indicators and return the content hash of its prices."""

    def mark() -> None:
        row = int(table["symbol"].eq(st.session_state["symbol"]).argmax())
        st.session_state[key] = {"selection": {"rows": [row], "columns": [], "cells": []}}

    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = st.selectbox("Instrument", list(table["symbol"]), key="symbol", bind="query-params", on_change=mark)
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
    facts = table.set_index("symbol").loc[symbol, ["name", "kind", "sector"]]
    st.caption("  \n".join([" · ".join(filter(None, facts)), *view.notes]))
    return view.snapshot_id


def main() -> None:
    """Draw the page."""
    question("What is the market doing?")
    prices = keep(stored_prices)
    if prices is None:
        empty("There are no prices yet.", "Run `make run`, or `workbench ingest` and reload this page.")
        return
    lists = keep(universe_lists)
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    name = right.selectbox("List", list(lists.index), key="list", bind="query-params")
    chosen = lists.loc[name]
    with left:
        strip({"as of": f"{prices.newest:%Y-%m-%d}", "prices": prices.title}, sample=prices.sample)
    if prices.missed > 1:
        since = f"**No bar since {prices.newest:%A, %Y-%m-%d}**; {prices.missed} weekdays are missing."
        st.warning(f"{since} Run `workbench ingest --source {prices.source}` and reload.", icon=":material/schedule:")
    table = keep(market_table, chosen["symbols"])
    key_numbers(table, keep(market_pulse, chosen["symbols"]))
    universe(table, f"table-{name}")
    st.caption(f"{chosen['title']}: {len(chosen['symbols'])} of {chosen['of']} have prices. {chosen['note']}")
    provenance({"source": prices.source, "data": instrument(table, f"table-{name}"), "code": code_version()})


main()
