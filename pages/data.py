"""Data: how good is what everything stands on, and is it fresh?"""

import streamlit as st

from app import data_jobs, data_quality
from app.cache import hour, keep
from app.layout import empty, question, strip, tabs
from quantlib.charts.numbers import count, percent
from quantlib.workflows.quality import freshness, repairs


def main() -> None:
    """Draw the page."""
    question("How good is the data, and is it fresh?", "Every series beside its exchange's calendar, and every doubt.")
    data_jobs.said()
    with st.spinner("Looking at every series…"):
        rows = keep(freshness, hour())
    if rows.empty:
        empty("There are no prices yet.", "Run `make run`, or `workbench ingest`, and reload this page.")
    live = rows[~rows["ended"]]
    newest = f"{rows['last'].max():%Y-%m-%d}"
    strip({"newest bar": newest, "symbols": count(rows["symbol"].nunique())}, sample=live.empty)
    with st.container(horizontal=True):
        st.metric("Series", count(len(rows)), border=True, help="One a symbol and source.")
        current = percent((live["behind"] == 0).mean()) if len(live) else "–"
        st.metric("Up to date", current, border=True, help="Share of live series that have their last session.")
        st.metric("Doubted", count((rows["grade"] != "ok").sum()), border=True, help="Series with a doubt about a bar.")
        st.metric("Turned away", count(rows["quarantined"].sum()), border=True, help="Rows kept in quarantine.")
        proposed = keep(repairs)
        open_ones = int((proposed["status"] == "proposed").sum()) if len(proposed) else 0
        st.metric("Repairs proposed", count(open_ones), border=True)
    if ended := len(rows) - len(live):
        st.caption(f"{count(ended)} series have ended (a sample, files, delisted), so they cannot be behind.")
    if not rows["doubted"].any():
        st.caption("No bar is doubted. The checks run nightly where a worker runs, and with `workbench quality check`.")
    tabs(
        {
            "Freshness": lambda: data_quality.fresh(rows),
            "Gaps": data_quality.gaps,
            "Vendors compared": lambda: data_quality.side_by_side(rows),
            "Turned away": data_quality.aside,
            "Repairs": data_quality.mend,
            "Jobs": data_jobs.jobs,
            "Schedule": data_jobs.schedules,
            "Vendors": data_jobs.vendors,
        }
    )


main()
