"""The time machine on the simulator page: one day as it was lived, and the walk from day to day."""

from __future__ import annotations

from datetime import date

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_day, heed_names
from app.cache import keep, session
from app.layout import SIGNED, chart, plain, progress, provenance, table, tabs
from app.prices import price_strip
from quantlib.charts import weights_over_time
from quantlib.charts.numbers import count, percent, signed_percent
from quantlib.errors import QuantError
from quantlib.reports.recommend import signal_figure
from quantlib.strategies import Strategy
from quantlib.workflows.lab import definitions
from quantlib.workflows.market import Prices
from quantlib.workflows.provenance import code_version
from quantlib.workflows.time_machine import Moment, Walk, go_back, walk

#: Sessions that a walk covers unless other days are chosen.
STROLL = 21
#: No prices are older.
FIRST = date(1900, 1, 1)
WALKED = {
    "day": st.column_config.DateColumn("Close of", format="YYYY-MM-DD", pinned=True),
    "action": "Action",
    "headline": st.column_config.TextColumn("What there was to do", width="large"),
    "revised": st.column_config.CheckboxColumn("Other today", help="Today's data decide another thing."),
}
CHANGES = {"symbol": "Symbol", "before": ("Held", SIGNED), "after": ("Wanted", SIGNED)}


def time_machine(found: Prices, top: DeltaGenerator) -> None:
    """Draw a definition at the end of a day, with nothing that became known later; then the walk."""
    there, newest = keep(definitions), found.newest.date()
    heed_names("strategy", "strategy", there)
    heed_day("The day", "day", FIRST, newest)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Strategy", list(there), key="strategy", bind="query-params")
        day = st.date_input("At the end of", newest, min_value=FIRST, max_value=newest, key="day", bind="query-params")
    try:
        moment = keep(go_back, there[name], f"{day:%Y-%m-%d}")
    except QuantError as error:
        with top:
            price_strip(found)
        st.error(plain(str(error)), icon=":material/error:")
        return
    with top:
        price_strip(found, moment.day)
    then(moment)
    sections = {
        "Why": lambda: why(moment),
        "Signal": lambda: signal(moment),
        "Held": lambda: chart(weights_over_time(moment.result.weights, when=f"on {moment.day:%Y-%m-%d}"), "weights"),
        "Walk": lambda: stroll(name, there[name], moment),
    }
    heed_names("tab", "time-tab", sections)
    tabs(sections, key="time-tab")
    provenance({"strategy": moment.strategy.id, "data": moment.panel.snapshot_id, "code": code_version()})


def then(moment: Moment) -> None:
    """Write what there was to do, and on what."""
    st.subheader(moment.stance.headline, anchor=False)
    equity, inputs = moment.result.equity, plain(", ".join(moment.strategy.inputs))
    st.caption(
        f"As known at the close of {moment.day:%A, %Y-%m-%d}: {count(len(moment.panel))} sessions of {inputs}; the "
        f"account had made {signed_percent(equity.iloc[-1] / equity.iloc[0] - 1)} since "
        f"{moment.panel.index[0]:%Y-%m-%d}, after costs."
    )


def why(moment: Moment) -> None:
    """Write the reasons of that day, what would have turned it around, and the doubts about its prices."""
    st.markdown("\n".join(f"- {reason}" for reason in moment.explanation.reasons))
    st.markdown(f"**What would have turned it around:** {moment.explanation.invalidation}")
    if moment.stance.changes:
        shown = pd.DataFrame([change.model_dump() for change in moment.stance.changes])
        table(shown, CHANGES, "then-changes", hide_index=True)
    if moment.panel.grade != "ok":
        st.caption(f":material/flag: The prices of these days are graded {moment.panel.grade}.")


def signal(moment: Moment) -> None:
    """Draw the number the decision hung on."""
    if (figure := signal_figure(moment.explanation)) is None:
        st.info("There was no signal yet: the history is shorter than the rule's warm-up.", icon=":material/info:")
        return
    chart(figure, "signal")


def stroll(name: str, strategy: Strategy, moment: Moment) -> None:
    """Draw the walk up to the day, each close with what was known on it."""
    first, last = moment.panel.index[-min(STROLL, len(moment.panel))].date(), moment.day.date()
    heed_day("The first day of the walk", "walk-from", FIRST, last)
    with st.form("walk"), st.container(horizontal=True, vertical_alignment="bottom"):
        start = st.date_input("From", first, min_value=FIRST, max_value=last, key="walk-from", bind="query-params")
        sent = st.form_submit_button("Walk", icon=":material/directions_walk:")
    held: dict[str, tuple[object, Walk]] = st.session_state.setdefault("walks", {})
    asked = (strategy.id, start, last)
    if sent:
        try:
            with progress(f"Walking {name}", "session") as tell:
                held[name] = (asked, walk(session(), strategy, start, last, on_progress=tell))
        except QuantError as error:
            st.error(plain(str(error)), icon=":material/error:")
    if name not in held or held[name][0] != asked:
        st.caption("Press Walk: every close is decided again with what was known then, in some tenths of a second.")
        return
    walked = held[name][1]
    days = len(walked.days)
    if walked.revised:
        share = f"{count(walked.revised)} of {count(days)} days ({percent(walked.revised / days, 0)})"
        st.warning(
            f"**On {share} today's data decide another thing.** A price was changed afterwards; what was decided then "
            "is the honest record.",
            icon=":material/history:",
        )
    else:
        st.success(f"All {count(days)} decisions are those that today's backtest makes.", icon=":material/check:")
    chart(weights_over_time(walked.decided, when=f"after {last:%Y-%m-%d}"), "walked-weights")
    table(walked.days.reset_index(names="day"), WALKED, "walked", hide_index=True)
