"""Today: what should I do?"""

from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import layout
from app.cache import keep
from app.layout import chart, empty, metrics_table, provenance, question, tabs
from app.prices import prices, report_strip, say_if_stale
from quantlib.charts.numbers import bps, number, percent, signed_percent, span
from quantlib.reports.types import Recommendation, Report
from quantlib.workflows.reading import freshness, newest_report, report_figures

TRUST = {"pass": "Record passes", "weak": "Record shows little", "fail": "Record fails"}
WORD = {
    "enter": ":material/login: Enter",
    "exit": ":material/logout: Exit",
    "rebalance": ":material/sync_alt: Rebalance",
    "hold": ":material/pause: Hold",
    "stay out": ":material/block: Stay out",
}


def cards(report: Report) -> None:
    """Draw one card a strategy: what to do, what to expect, how often it loses."""
    for column, item in zip(st.columns(len(report.recommendations)), report.recommendations, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{item.name}**  \n{WORD[item.action]}")
            st.metric(
                f"Expected over {item.horizon_sessions} sessions",
                signed_percent(item.expected_value),
                help="Mean net return in simulated worlds; below, the 95 % interval of that mean.",
            )
            if item.simulators:
                loses = f"loses in {percent(item.probability_of_loss, 0)} of worlds, realism grade {item.grade}"
                sure = f"95 % interval {span(item.ev_low, item.ev_high)}"
                st.caption(f"{sure} · {loses}", help=layout.plain(item.grade_sentence))
            else:
                st.caption("Not run in simulated worlds; the reasons say why.")
            if item.verdict is not None:
                st.caption(f"{layout.OUTCOMES[item.verdict.outcome]} {TRUST[item.verdict.outcome]}")


def reasons(item: Recommendation) -> None:
    """Write why, what would turn it around, and what it costs."""
    st.markdown("\n".join(f"- {reason}" for reason in item.reasons))
    st.markdown(f"**What would turn it around:** {item.invalidation}")
    if item.changes:
        rows = [(c.symbol, *map(signed_percent, (c.before, c.after, c.change))) for c in item.changes]
        table = pd.DataFrame(rows, columns=["Symbol", "Held", "Wanted", "Change"])
        st.dataframe(table, hide_index=True, key="changes")
        st.caption(f"Making these changes costs about {bps(item.cost)} of equity.")


def record(item: Recommendation, figures: dict[str, go.Figure]) -> None:
    """Draw the backtest and its metrics with their intervals."""
    chart(figures["record"], "record")
    metrics_table({key: (m.value, m.ci_low, m.ci_high, m.n) for key, m in item.metrics.items()})


def signal(item: Recommendation, figures: dict[str, go.Figure]) -> None:
    """Draw the number the decision hangs on."""
    if item.signal is None or "signal" not in figures:
        st.info("There is no signal yet: the history is shorter than the rule's warm-up.")
        return
    st.caption(f"{item.signal.name}: now {number(item.signal.value, item.signal.unit)}")
    chart(figures["signal"], "signal")


def checks(item: Recommendation) -> None:
    """Write what validation made of the record, check by check."""
    if item.verdict is None:
        st.info("This strategy has not been validated.")
        return
    st.markdown(f"**{item.verdict.sentence}**")
    layout.checks(item.verdict.checks)


def data(item: Recommendation) -> None:
    """Write what the prices are, and how fresh."""
    st.markdown(item.data_note)
    shown = keep(freshness).rename(columns=str.capitalize).rename(columns={"Loaded": "Loaded (UTC)"})
    st.dataframe(shown, hide_index=True, key="freshness")


def main() -> None:
    """Draw the page."""
    question("What should I do today?")
    report = keep(newest_report)
    if report is None:
        empty("There are no recommendations yet.", "Run `make run`, or `workbench pipeline` and reload this page.")
        return
    made = report.provenance
    report_strip(report)
    say_if_stale(prices(), report)
    cards(report)

    names = {item.name: item for item in report.recommendations}
    chosen = st.segmented_control(
        "Strategy", list(names), default=next(iter(names)), key="strategy", required=True, bind="query-params"
    )
    item = names[chosen or next(iter(names))]
    st.subheader(item.headline, anchor=False)
    figures = keep(report_figures, item.strategy_id)
    sections = {"Why": partial(reasons, item)}
    if item.simulators:
        chart(figures["outlook"], "outlook")
        sections["Outcomes"] = partial(chart, figures["outcomes"], "outcomes")
    sections |= {"Signal": partial(signal, item, figures), "Record": partial(record, item, figures)}
    tabs(sections | {"Checks": partial(checks, item), "Data": partial(data, item)})
    snapshot = made.snapshots[item.name]
    provenance({"strategy": item.strategy_id, "data": snapshot, "code": made.code_version, "seed": str(made.seed)})


main()
