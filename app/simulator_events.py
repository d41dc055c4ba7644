"""Event studies on the simulator page: how prices moved around events of a kind, and the same put into worlds ahead."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_names, heed_number
from app.cache import keep, session
from app.layout import SIGNED, chart, plain, provenance, table, tabs
from app.prices import price_strip
from app.realism import graded
from quantlib.charts.events import UNLIKELY, dose_scatter, event_dots, event_path, event_strip
from quantlib.charts.numbers import count, interval, known, ratio
from quantlib.errors import QuantError
from quantlib.simulators import SIMULATORS
from quantlib.workflows.event_ahead import event_ahead
from quantlib.workflows.event_study import StudiedEvents, event_kinds, study_events
from quantlib.workflows.market import Prices
from quantlib.workflows.provenance import code_version
from quantlib.workflows.session import Session

EVENTS: dict[str, Any] = {
    "session": st.column_config.DateColumn("Session", format="YYYY-MM-DD", pinned=True),
    "title": st.column_config.TextColumn("Event", width="large"),
    "car": ("Beyond the usual (log)", SIGNED),
    "standardised": ("In deviations", "%.2f"),
    "dose": ("Surprise", "%.2f"),
}
NONE = "None: the mean"
#: Most sessions before and after an event.
BEFORE, AFTER = 60, 120
#: Sessions of the worlds that an event is put into.
AHEAD = 21


def _study(
    session: Session, symbols: tuple[str, ...], kind: str, market: str | None, before: int, after: int
) -> StudiedEvents:
    return study_events(session, symbols, kind=kind, market=market, before=before, after=after)


def events_page(found: Prices, top: DeltaGenerator) -> None:
    """Draw what is studied, and what was found."""
    with top:
        price_strip(found)
    kinds = keep(event_kinds)
    if kinds.empty:
        st.info("There are no events yet. Run `workbench pipeline`, which loads them.", icon=":material/info:")
        return
    # Their number is not part of the name: the address would not hold when another is stored.
    titles = {str(row["title"]): str(kind) for kind, row in kinds.iterrows()}
    heed_names("kind of events", "event-kind", titles)
    heed_names("symbol", "event-symbols", found.symbols)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.selectbox("Events", list(titles), key="event-kind", bind="query-params")
        symbols = st.multiselect(
            "Symbols", list(found.symbols), default=list(found.symbols[:1]), key="event-symbols", bind="query-params"
        )
    kind, explained = titles[title], [NONE, *(symbol for symbol in found.symbols if symbol not in symbols)]
    heed_names("market", "event-market", explained)
    heed_number("Sessions before", "event-before", 0, BEFORE)
    heed_number("Sessions after", "event-after", 0, AFTER)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        market = st.selectbox(
            "Market", explained, key="event-market", bind="query-params", help="What its share of a move is taken off."
        )
        before = st.number_input("Sessions before", 0, BEFORE, 5, key="event-before", bind="query-params")
        after = st.number_input("Sessions after", 0, AFTER, 10, key="event-after", bind="query-params")
    if not symbols:
        st.info("Choose a symbol, or more: what they share of a day counts once.", icon=":material/info:")
        return
    try:
        with st.spinner("Studying the events…", show_time=True):
            done = keep(_study, tuple(symbols), kind, None if market == NONE else market, int(before), int(after))
    except QuantError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    answer(done)


def answer(done: StudiedEvents) -> None:
    """Draw the mean path, then every event."""
    study, what = done.study, done.title
    whose = study.symbols[0] if len(study.symbols) == 1 else f"{count(len(study.symbols))} symbols"
    path = event_path(
        study.by_day, what=f"{whose} around {what}", events=study.n, clusters=study.clusters, p_placebo=study.p_placebo,
        over=study.over, car=(study.car, study.ci_low, study.ci_high),
        model=", ".join(study.explained_by), confidence=study.confidence,
    )  # fmt: skip
    chart(path, "event-path")
    sections = {
        "Every event": lambda: every(done),
        "Day by day": lambda: chart(event_strip(study.abnormal_frame(), what=what), "event-strip"),
        "Surprise": lambda: dose(done),
        "In worlds ahead": lambda: ahead(done),
        "Notes": lambda: notes(done),
    }
    heed_names("tab", "event-tab", sections)
    tabs(sections, key="event-tab")
    provenance({"data": done.panel.snapshot_id, "code": code_version(), "seed": "0"})


def every(done: StudiedEvents) -> None:
    """Draw each event's own move, and those left out with the reason."""
    study = done.study
    chart(event_dots(study.by_event, what=done.title), "event-dots")
    columns = {name: column for name, column in EVENTS.items() if name in study.by_event}
    table(study.by_event.reset_index(), columns, "event-table", hide_index=True)
    if len(study.left_out):
        with st.expander(f"{count(len(study.left_out))} left out, with the reason"):
            st.dataframe(study.left_out.reset_index(), hide_index=True, key="event-left-out")


def dose(done: StudiedEvents) -> None:
    """Draw how the move grows with the surprise."""
    found = done.study.dose
    if found is None:
        st.info("The surprise of these events is not stored, or of too few of them.", icon=":material/info:")
        return
    figure = dose_scatter(
        done.study.by_event, what=done.title, slope=found.slope, ci_low=found.ci_low, ci_high=found.ci_high,
        intercept=found.intercept, p_value=found.p_value,
    )  # fmt: skip
    chart(figure, "event-dose")


def ahead(done: StudiedEvents) -> None:
    """Draw a symbol's worlds with such an event in them, and what it changes."""
    titles = {simulator.title: name for name, simulator in SIMULATORS.items()}
    heed_names("symbol among those studied", "ahead-symbol", done.study.symbols)
    heed_names("world", "ahead-world", titles)
    heed_number("Session", "ahead-day", 1, AHEAD)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = st.selectbox("Symbol", done.study.symbols, key="ahead-symbol", bind="query-params")
        world = titles[st.selectbox("World", list(titles), key="ahead-world", bind="query-params")]
        day = st.number_input("On session", 1, AHEAD, 5, key="ahead-day", bind="query-params")
    try:
        with st.spinner("Putting it into the worlds…", show_time=True):
            found = event_ahead(session(), done, symbol, world, day=int(day), horizon=AHEAD)
    except QuantError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    mean, off = found.difference
    change = interval(mean, mean - 1.96 * off, mean + 1.96 * off, signed=True)
    st.markdown(
        f"By the end of {AHEAD} sessions the event changes {plain(symbol)} by **{change}** on average, beside the same "
        "worlds without it."
    )
    graded(found.grade)
    chance = done.study.p_placebo
    doubt = f" Random dates {'rarely' if chance < UNLIKELY else 'often'} do as much (p {ratio(chance, 3)})."
    st.caption(
        "What is put in is the study's mean move from the event's day on, and the interval is of the draws alone: how "
        f"sure the move itself is stands above.{doubt if known(chance) else ''}"
    )
    chart(found.figure, "event-fan")


def notes(done: StudiedEvents) -> None:
    """Write what to know about the study."""
    st.markdown("\n".join(f"- {plain(note)}" for note in done.study.notes) or "Nothing to add.")
