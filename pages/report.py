"""Report: what do I hand out?"""

import pandas as pd
import streamlit as st

from app.cache import keep
from app.layout import empty, provenance, question, table, tabs
from app.prices import report_strip
from quantlib.charts.numbers import UNKNOWN, count
from quantlib.workflows.reading import ReportFile, report_file, stored_reports

HEIGHT = 1100
COLUMNS = {
    "as_of": st.column_config.DateColumn("As of", format="YYYY-MM-DD"),
    "title": "Title",
    "made": st.column_config.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm"),
    "code_version": "Code version",
    "size": st.column_config.NumberColumn("Data", format="bytes"),
}


def preview(file: ReportFile) -> None:
    """Draw the file itself, as whoever receives it will see it."""
    with st.container(border=True):
        st.iframe(file.html, height=HEIGHT, alt=f"Preview of the report as of {file.report.as_of}")


def made_from(file: ReportFile) -> None:
    """Write everything that is needed to make the report again."""
    made = file.report.provenance
    looks = "the same numbers as when it was made; its looks have changed with the code since"
    facts = {
        "As of the close of": f"{file.report.as_of}",
        "Prices": f"{made.data_label} ({made.source})",
        "Universe": made.universe,
        "Costs": made.costs or UNKNOWN,
        "Code version": made.code_version,
        "Seed": str(made.seed),
        "Simulators": ", ".join(made.simulators),
        "Worlds and horizon": f"{count(made.worlds)} worlds, {made.horizon_sessions} sessions",
        **{f"Strategy: {name}": found for name, found in made.strategies.items()},
        **{f"Data snapshot: {name}": found for name, found in made.snapshots.items()},
        "File": "the same bytes as when it was made" if file.unchanged else looks,
    }
    st.dataframe(pd.DataFrame(facts.items(), columns=["What", "Which"]), hide_index=True, height="content", key="facts")


def main() -> None:
    """Draw the page."""
    question("What do I hand out?", "One file that opens anywhere, offline, with its charts, reasons and provenance.")
    reports = keep(stored_reports)
    if reports.empty:
        empty("There is no report yet.", "Run `make run`, or `workbench pipeline` and reload this page.")
    head, ids = st.container(), dict(zip(reports["label"], reports.index, strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = ids[st.selectbox("Report", list(ids), key="report", bind="query-params")]
        with st.spinner("Writing the file…"):
            file = keep(report_file, chosen)
        st.download_button(
            f"Download ({file.size / 1e6:.1f} MB)",
            file.html.encode,
            file_name=f"recommendations-{file.report.as_of}.html",
            mime="text/html",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
        )
    made = file.report.provenance
    with head:
        report_strip(file.report)
    tabs(
        {
            "Preview": lambda: preview(file),
            "Made from": lambda: made_from(file),
            "All reports": lambda: table(reports, COLUMNS, "reports", hide_index=True),
        }
    )
    provenance({"report": chosen, "code": made.code_version, "seed": str(made.seed)})


main()
