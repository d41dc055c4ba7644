"""Scenarios on the simulator page: strategies through all of them, one of them opened, and the question in reverse."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_names, heed_number
from app.cache import keep, session
from app.layout import PERCENT, SIGNED, chart, plain, progress, provenance, table, tabs
from app.prices import price_strip
from app.realism import graded
from app.simulator_own import own_scenario
from app.simulator_own_draft import own_scenarios
from quantlib.backtest.stress import MEASURES
from quantlib.charts.reverse import breach_dots, how_far, reverse_bars
from quantlib.charts.scenarios import scenario_bars, scenario_heatmap
from quantlib.errors import QuantError
from quantlib.scenarios import Scenario, to_yaml
from quantlib.simulators import SIMULATORS
from quantlib.strategies import Strategy
from quantlib.workflows.definitions import daily
from quantlib.workflows.lab import definitions
from quantlib.workflows.market import Prices
from quantlib.workflows.provenance import code_version
from quantlib.workflows.stressing import (
    SEARCHED,
    SEARCHED_IN,
    Stressed,
    breaching_worlds,
    scenarios,
    smallest_breach,
    stress_strategies,
)

EXITS: dict[str, Any] = {
    "strategy": st.column_config.TextColumn("Strategy", pinned=True),
    "scenario": "Scenario",
    "return": ("Return", SIGNED),
    "hold": ("Holdings left alone", SIGNED),
    "max_drawdown": ("Deepest fall", PERCENT),
    "reason": "Stopped by",
    "left": st.column_config.DateColumn("Left", format="YYYY-MM-DD"),
    "gap": ("Gap to its price", SIGNED),
}
SHOCKS: dict[str, Any] = {
    "symbol": st.column_config.TextColumn("Symbol", pinned=True),
    "shock": ("Moves", SIGNED),
    "how": "How it is known",
    "r2": ("R²", "%.2f"),
    "low": ("95 % low", SIGNED),
    "high": ("95 % high", SIGNED),
    "because": st.column_config.TextColumn("Because", width="large"),
}
BREACHES: dict[str, Any] = {
    "world": st.column_config.NumberColumn("World", format="%d", pinned=True),
    "loss": ("Loses", PERCENT),
    "words": st.column_config.TextColumn(
        "How far from the usual", help="Of all its symbols' moves together (Mahalanobis); how often, by a normal law."
    ),
}
MOST_WORLDS = 200
#: Most sessions of a loss that is asked for in reverse.
SEARCHED_AHEAD = 252
#: Strategies beside each other from which on a phone has no room for their numbers.
MANY = 10
WORDS = {
    "return": "Return",
    "hold": "Holdings left alone",
    "saved": "Saved by acting",
    "max_drawdown": "Deepest fall",
    "stopped": "Stopped",
}


def stress_page(found: Prices, top: DeltaGenerator) -> None:
    """Draw which strategies go through which scenarios, and what comes of it."""
    known, there = keep(definitions), keep(scenarios)
    heed_names("strategy", "stressed", known)
    heed_number("Worlds of each", "stress-worlds", 1, MOST_WORLDS)
    names = st.multiselect(
        "Strategies", list(known), default=list(keep(daily)), key="stressed", bind="query-params", wrap=True
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        worlds = st.number_input(
            "Worlds of each", 1, MOST_WORLDS, 1, key="stress-worlds", bind="query-params", width=170,
            help="1 is the scenario's own path; more add what history leaves open.",
        )  # fmt: skip
        sent = st.button("Run", icon=":material/play_arrow:", type="primary", key="stress-run", disabled=not names)
    own = own_scenarios()
    chosen = {**{one.title: one for one in there.values()}, **own}
    asked = (tuple(known[name].id for name in names), worlds, tuple(chosen.values()))
    held: tuple[object, Stressed] | None = st.session_state.get("stressed-held")
    if sent:
        try:
            with progress("Going through the scenarios", "scenario") as tell:
                done = stress_strategies(
                    session(), {name: known[name] for name in names}, list(chosen.values()), worlds=int(worlds),
                    on_progress=tell,
                )  # fmt: skip
            held = st.session_state["stressed-held"] = (asked, done)
        except QuantError as error:
            st.error(plain(str(error)), icon=":material/error:")
    with top:
        price_strip(found, held[1].panel.index[-1] if held else None)
    if held is None:
        st.info(
            f"Press Run to send them through {len(chosen)} scenarios, each from the position it holds now, with its "
            "stops. It takes some seconds.",
            icon=":material/play_arrow:",
        )
    elif held[0] != asked:
        st.info("These are the scenarios of the inputs before. Press Run for the new ones.", icon=":material/update:")
    if held is not None:
        matrix(held[1])
    parts = {
        "Scenarios": lambda: one_scenario(chosen, held[1] if held else None),
        "What stopped them": lambda: exits(held[1] if held else None),
        "In reverse": lambda: reverse(known, names),
        "Your own": lambda: own_scenario(own, there, found.symbols),
    }
    heed_names("tab", "stress-tab", parts)
    tabs(parts, key="stress-tab")
    if held is not None:
        provenance({"data": held[1].panel.snapshot_id, "code": code_version(), "seed": "0"})


def matrix(done: Stressed) -> None:
    """Draw strategies against scenarios, by the measure chosen."""
    heed_names("measure", "stress-measure", WORDS.values())
    measure = st.segmented_control(
        "Shown", list(WORDS), default="return", required=True, format_func=WORDS.__getitem__, key="stress-measure",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    for sentence in done.result.sentences[:3]:
        st.markdown(f"- {plain(sentence)}")
    grid = done.result.matrix(measure)
    narrow = " On a narrow screen, touch a cell for its number." if len(grid) >= MANY else ""
    st.caption(f"{MEASURES[measure]}.{narrow}")
    chart(scenario_heatmap(grid, what=WORDS[measure]), "stress-matrix")
    if done.left_out:
        with st.expander(f"{len(done.left_out)} scenarios cannot be seen in these prices"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in done.left_out))


def exits(done: Stressed | None) -> None:
    """Draw every exit that a stop or a limit ordered."""
    if done is None:
        st.caption("Which stops and limits were reached is shown once the scenarios have been run.")
        return
    outcomes = done.result.outcomes
    stopped = outcomes[outcomes["reason"] != ""]
    if stopped.empty:
        st.info("No stop or limit was reached in any of these scenarios.", icon=":material/info:")
        return
    table(stopped, EXITS, "stress-exits", hide_index=True)


def one_scenario(chosen: dict[str, Scenario], done: Stressed | None) -> None:
    """Draw one scenario: its story, its shocks, and what it does to every symbol."""
    heed_names("scenario", "scenario", chosen)
    name = st.selectbox("Scenario", list(chosen), key="scenario", bind="query-params")
    scenario = chosen[name]
    st.markdown(plain(scenario.story))
    st.caption(f"{scenario.sessions} sessions. Source: {plain(scenario.source)}")
    completed = None if done is None else done.completed.get(name)
    if completed is None:
        st.caption("What it does to every symbol is shown once it has been run.")
        st.code(to_yaml(scenario), language="yaml")
        return
    chart(scenario_bars(completed.table, scenario=name), "scenario-bars")
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in completed.said))
    table(completed.table.reset_index(), SHOCKS, "scenario-shocks", hide_index=True)


#: From where a loss in worlds counts, by what it is called.
COUNTS = {"From today": False, "From its highest": True}


def reverse(known: dict[str, Strategy], names: list[str]) -> None:
    """Draw the smallest plausible move that costs what a strategy holds now so much, and the likeliest such worlds."""
    if not names:
        st.info("Choose a strategy above first.", icon=":material/info:")
        return
    heed_names("strategy among those above", "reverse-of", names)
    heed_number("The loss in percent", "reverse-loss", 0.5, 90.0)
    heed_number("Sessions", "reverse-sessions", 1, SEARCHED_AHEAD)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Book of", names, key="reverse-of", bind="query-params")
        loss = st.number_input("Loses (%)", 0.5, 90.0, 10.0, step=0.5, key="reverse-loss", bind="query-params")
        sessions = st.number_input("Over sessions", 1, SEARCHED_AHEAD, 21, key="reverse-sessions", bind="query-params")
    st.markdown("##### The smallest move that costs what it holds now so much")
    smallest(known[name], loss / 100.0, int(sessions))
    st.markdown("##### The likeliest simulated worlds in which it loses so much, with its stops")
    likeliest(known[name], loss / 100.0, int(sessions))


def smallest(strategy: Strategy, loss: float, sessions: int) -> None:
    """Draw the smallest plausible move of the symbols held, and the book."""
    try:
        breach = keep(smallest_breach, strategy, loss, sessions)
    except QuantError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    figure = reverse_bars(
        breach.shock, loss=loss, distance=breach.found.distance, probability=breach.found.probability,
        sessions=breach.sessions,
    )  # fmt: skip
    chart(figure, "reverse")
    book = pd.DataFrame({"symbol": breach.weights.index, "weight": breach.weights.to_numpy()})
    table(book, {"symbol": "Held now", "weight": ("Of equity", SIGNED)}, "reverse-book", hide_index=True)


def likeliest(strategy: Strategy, loss: float, sessions: int) -> None:
    """Draw the simulated worlds that cost the strategy so much: what moved, and how far from the usual."""
    titles = {simulator.title: name for name, simulator in SIMULATORS.items()}
    usual = list(titles.values()).index(SEARCHED_IN)
    heed_names("world", "reverse-world", titles)
    heed_names("way to count", "reverse-counts", COUNTS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        world = st.selectbox("Worlds by", list(titles), usual, key="reverse-world", bind="query-params")
        counts = st.selectbox("The loss counts", list(COUNTS), key="reverse-counts", bind="query-params")
    try:
        with st.spinner(f"Searching {SEARCHED:,} worlds…", show_time=True):
            found = keep(breaching_worlds, strategy, loss, sessions, COUNTS[counts], titles[world])
    except QuantError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    figure = breach_dots(
        found.table, found.symbols, loss=loss, breaching=found.breaching, worlds=found.worlds,
        simulator=found.simulator, sessions=sessions, drawdown=found.drawdown,
    )  # fmt: skip
    chart(figure, "reverse-worlds", table=False)
    graded(found.grade)
    shown = found.table.assign(words=list(map(how_far, found.table["distance"], found.table["plausibility"])))
    columns = {**BREACHES, **{symbol: (symbol, SIGNED) for symbol in found.symbols}}
    table(shown.reset_index(), columns, "reverse-worlds-table", hide_index=True)
