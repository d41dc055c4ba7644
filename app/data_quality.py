"""The Data page's first half: how fresh and how sound each series is, and what to do about what is not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.cache import hour, keep, session, stamp
from app.data_jobs import refresh
from app.layout import chart, table
from quantlib.charts import coverage_heatmap, vendors_side_by_side
from quantlib.charts.numbers import UNKNOWN, count
from quantlib.errors import DataError, QuantError
from quantlib.grades import GRADES
from quantlib.workflows.quality import (
    APART,
    coverage_matrix,
    decide,
    disagreements,
    doubts,
    quarantined,
    repairs,
)

DAY = "YYYY-MM-DD"
#: Symbols a heat map tells apart.
MOST_ROWS = 60
FRESHNESS: dict[str, Any] = {
    "symbol": st.column_config.TextColumn("Symbol", pinned=True),
    "source": "Source",
    "grade": st.column_config.TextColumn("Worst grade", help=" ".join(f"{k}: {v}" for k, v in GRADES.items())),
    "last": st.column_config.DateColumn("Newest", format=DAY),
    "expected": st.column_config.DateColumn(
        "Expected", format=DAY, help="Last session of its exchange that has ended."
    ),
    "behind": st.column_config.NumberColumn("Sessions behind", format="%d"),
    "missing": st.column_config.NumberColumn(
        "Missing inside", format="%d", help="Sessions without a bar from its first to its last."
    ),
    "doubted": st.column_config.NumberColumn("Doubted", format="%d", help="Bars with a doubt about them."),
    "quarantined": st.column_config.NumberColumn("Turned away", format="%d"),
    "bars": st.column_config.NumberColumn("Bars", format="%,d"),
    "calendar": "Calendar",
}
DOUBTS: dict[str, Any] = {
    "ts": st.column_config.DateColumn("Day", format=DAY),
    "grade": "Grade",
    "check_name": "Check",
    "reason": st.column_config.TextColumn("What was seen", width="large"),
    "source": "Source",
}
ASIDE: dict[str, Any] = {
    "name": "Symbol or file",
    "source": "Source",
    "kind": "Table",
    "reason": st.column_config.TextColumn("Rule it breaks", width="medium"),
    "row": st.column_config.TextColumn("The row as it came", width="large"),
    "times": "Times",
    "last_seen_at": st.column_config.DatetimeColumn("Last (UTC)", format="YYYY-MM-DD HH:mm"),
    "payload_id": "Answer it came in",
}
REPAIRS: dict[str, Any] = {
    "symbol": "Symbol",
    "source": "Source",
    "ts": st.column_config.DateColumn("Day", format=DAY),
    "change": st.column_config.TextColumn("Before → after", width="medium"),
    "reason": st.column_config.TextColumn("Why", width="large"),
    "status": "State",
}


def fresh(rows: pd.DataFrame) -> None:
    """Draw the table of series, the stalest and worst first, and what to do about the chosen ones."""
    only = st.segmented_control(
        "Show", ["All", "Behind", "Doubted"], default="All", key="only", required=True, bind="query-params"
    )
    shown = rows
    if only == "Behind":
        shown = rows[rows["behind"] > 0]
    elif only == "Doubted":
        shown = rows[rows["grade"] != "ok"]
    if shown.empty:
        st.success("No series is behind." if only == "Behind" else "Nothing speaks against any bar.")
        return
    event = st.dataframe(
        shown, column_order=list(FRESHNESS), column_config=FRESHNESS, hide_index=True, key=f"fresh-{only}-{stamp()}",
        placeholder=UNKNOWN, on_select="rerun", selection_mode="multi-row",
        height="content" if len(shown) <= 12 else 456,
    )  # fmt: skip
    chosen = list(dict.fromkeys(shown["symbol"].iloc[event["selection"]["rows"]]))
    with st.container(horizontal=True, vertical_alignment="center"):
        refresh(chosen, f"{len(chosen)} chosen" if chosen else "everything")
        st.caption(f"{count(len(shown))} series. Choose rows to see their doubts, or to refresh only them.")
    for symbol in chosen[:3]:
        found = keep(doubts, symbol)
        st.markdown(f"**{symbol}**")
        if found.empty:
            st.caption("Nothing speaks against any bar of it.")
        else:
            table(found, DOUBTS, f"doubts-{symbol}", hide_index=True, height="content" if len(found) <= 8 else 320)


def gaps() -> None:
    """Draw which sessions are there, as a heat map of a list of the universe."""
    lists = {one.title: name for name, one in session().universe.lists.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("List", ["All stored", *lists], key="gaps-list", bind="query-params")
        by = st.segmented_control("By", ["Year", "Month"], default="Year", key="gaps-by", required=True)
    with st.spinner("Comparing with the exchanges' calendars…"):
        try:
            matrix = keep(coverage_matrix, lists.get(chosen), by.lower(), hour())
        except DataError as error:
            st.info(str(error), icon=":material/inbox:")
            return
    if by == "Month":
        matrix = matrix.iloc[:, -120:]
    if len(matrix) > MOST_ROWS:
        matrix = matrix.loc[matrix.fillna(1).mean(axis=1).sort_values().index[:MOST_ROWS]]
        st.caption(f"The {MOST_ROWS} symbols with the most missing.")
    chart(coverage_heatmap(matrix), "gaps")


def side_by_side(rows: pd.DataFrame) -> None:
    """Draw one symbol as two or more vendors have it, and the days on which they differ."""
    several = rows.groupby("symbol")["source"].nunique()
    symbols = list(several[several > 1].index)
    if not symbols:
        st.info("**No symbol comes from more than one vendor yet.**\n\nLoad one from another to compare them, "
                "such as `workbench ingest --source alpha_vantage --symbol KO`.", icon=":material/inbox:")  # fmt: skip
        return
    symbol = st.selectbox("Symbol", symbols, key="compare-symbol", bind="query-params")
    try:
        closes, apart = keep(disagreements, symbol)
        chart(vendors_side_by_side(closes, apart, tolerance=APART), "vendors-compared")
    except QuantError as error:
        st.info(str(error), icon=":material/inbox:")
        return
    worst = apart[apart > APART].sort_values(ascending=False).head(20)
    if len(worst):
        both = closes.loc[worst.index].assign(difference=(worst * 100).round(3))
        both.index = pd.DatetimeIndex(both.index).strftime("%Y-%m-%d")
        st.caption("The days they differ most on, in percentage points of the day's move.")
        st.dataframe(both, key="apart", placeholder=UNKNOWN)


def aside() -> None:
    """Draw what was turned away, by reason."""
    rows = keep(quarantined)
    if rows.empty:
        st.success("Nothing has been turned away.")
        return
    reasons = rows["reason"].value_counts()
    st.caption(f"{count(len(rows))} rows. Nothing is lost: each is kept as it came, with the answer it came in.")
    reason = st.selectbox("Rule", ["All", *reasons.index], key="rule",
                          format_func=lambda one: one if one == "All" else f"{one} ({reasons[one]:,})")  # fmt: skip
    table(rows if reason == "All" else rows[rows["reason"] == reason], ASIDE, "aside", hide_index=True, height=420)


def mend() -> None:
    """Draw the proposed repairs with a way to apply or dismiss each."""
    rows = keep(repairs)
    if rows.empty:
        st.success("No repair is proposed.")
        return
    st.caption(
        "A repair changes one bar, keeps what was there before, and holds when the vendor sends the fault again."
    )
    # Chosen rows are places in the table: once its order can have changed, the choice must not stay.
    event = st.dataframe(
        rows[list(REPAIRS)], column_config=REPAIRS, hide_index=True, key=f"repairs-{stamp()}",
        on_select="rerun", selection_mode="multi-row", placeholder=UNKNOWN,
        height="content" if len(rows) <= 12 else 456,
    )  # fmt: skip
    keys = rows.iloc[event["selection"]["rows"]][["symbol", "source", "ts", "check_name"]]
    chosen = list(keys.itertuples(index=False, name=None))
    with st.container(horizontal=True):
        for label, apply in {"Apply": True, "Dismiss": False}.items():
            st.button(
                f"{label} {len(chosen) or ''}".strip(), key=f"repair-{label}", disabled=not chosen,
                type="primary" if apply else "secondary", on_click=_decide, args=(chosen,), kwargs={"apply": apply},
            )  # fmt: skip


def _decide(chosen: list[tuple[Any, ...]], *, apply: bool) -> None:
    try:
        for key in chosen:
            decide(session(), *key, apply=apply)
        verb = "applied" if apply else "dismissed"
        st.session_state["data-said"] = f"{count(len(chosen))} {verb}. The values before are kept."
    except QuantError as error:
        st.session_state["data-failed"] = str(error)
