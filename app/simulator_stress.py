"""Scenarios on the simulator page: strategies through all of them, one of them opened, and the question in reverse."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.cache import keep, session
from app.layout import PERCENT, SIGNED, chart, plain, progress, provenance, table, tabs
from app.prices import price_strip
from quantlib.backtest.stress import MEASURES
from quantlib.charts.scenarios import reverse_bars, scenario_bars, scenario_heatmap
from quantlib.errors import QuantError
from quantlib.scenarios import Scenario, parse_scenario, to_yaml
from quantlib.strategies import Strategy
from quantlib.workflows.definitions import daily
from quantlib.workflows.lab import definitions
from quantlib.workflows.market import Prices
from quantlib.workflows.provenance import code_version
from quantlib.workflows.stressing import Stressed, scenarios, smallest_breach, stress_strategies

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
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = st.multiselect("Strategies", list(known), default=list(keep(daily)), key="stressed")
        worlds = st.number_input("Worlds of each", 1, 200, 1, key="stress-worlds", bind="query-params",
                                 help="1 is the scenario's own path; more add what history leaves open.")  # fmt: skip
        sent = st.button("Run", icon=":material/play_arrow:", type="primary", key="stress-run", disabled=not names)
    own: dict[str, Scenario] = st.session_state.setdefault("own-scenarios", {})
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
    parts = {"Scenarios": lambda: one_scenario(chosen, held[1] if held else None)}
    if held is not None:
        done = held[1]
        matrix(done)
        parts = {"What stopped them": lambda: exits(done), **parts}
    tabs({**parts, "In reverse": lambda: reverse(known, names), "Your own": lambda: own_scenario(own, there)})
    if held is not None:
        provenance({"data": held[1].panel.snapshot_id, "code": code_version(), "seed": "0"})


def matrix(done: Stressed) -> None:
    """Draw strategies against scenarios, by the measure chosen."""
    measure = st.segmented_control(
        "Shown", list(WORDS), default="return", required=True, format_func=WORDS.__getitem__, key="stress-measure",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    for sentence in done.result.sentences[:3]:
        st.markdown(f"- {plain(sentence)}")
    st.caption(f"{MEASURES[measure]}.")
    chart(scenario_heatmap(done.result.matrix(measure), what=WORDS[measure]), "stress-matrix")
    if done.left_out:
        with st.expander(f"{len(done.left_out)} scenarios cannot be seen in these prices"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in done.left_out))


def exits(done: Stressed) -> None:
    """Draw every exit that a stop or a limit ordered."""
    outcomes = done.result.outcomes
    stopped = outcomes[outcomes["reason"] != ""]
    if stopped.empty:
        st.info("No stop or limit was reached in any of these scenarios.", icon=":material/info:")
        return
    table(stopped, EXITS, "stress-exits", hide_index=True)


def one_scenario(chosen: dict[str, Scenario], done: Stressed | None) -> None:
    """Draw one scenario: its story, its shocks, and what it does to every symbol."""
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


def reverse(known: dict[str, Strategy], names: list[str]) -> None:
    """Draw the smallest plausible move that costs what a strategy holds now a given share."""
    if not names:
        st.info("Choose a strategy above first.", icon=":material/info:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Book of", names, key="reverse-of")
        loss = st.number_input("Loses (%)", 0.5, 90.0, 10.0, step=0.5, key="reverse-loss", bind="query-params")
        sessions = st.number_input("Over sessions", 1, 252, 21, key="reverse-sessions", bind="query-params")
    try:
        breach = keep(smallest_breach, known[name], loss / 100.0, int(sessions))
    except QuantError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    figure = reverse_bars(
        breach.shock, loss=loss / 100.0, distance=breach.found.distance, probability=breach.found.probability,
        sessions=breach.sessions,
    )  # fmt: skip
    chart(figure, "reverse")
    book = pd.DataFrame({"symbol": breach.weights.index, "weight": breach.weights.to_numpy()})
    table(book, {"symbol": "Held now", "weight": ("Of equity", SIGNED)}, "reverse-book", hide_index=True)


def own_scenario(own: dict[str, Scenario], there: dict[str, Scenario]) -> None:
    """Draw the text of a scenario to change and take in; a fault is said with its place."""
    pattern = st.selectbox("Begin with", list(there), key="own-pattern", format_func=lambda key: there[key].title)
    text = st.text_area("Scenario (YAML)", to_yaml(there[pattern]), height=360, key=f"own-text-{pattern}")
    if st.button("Take it in", icon=":material/add:", key="own-take"):
        try:
            scenario = parse_scenario(text)
        except QuantError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        own[scenario.title] = scenario
        st.session_state["own-said"] = scenario.title
        st.rerun()
    if said := st.session_state.pop("own-said", ""):
        st.success(f"{plain(said)} is among the scenarios of this visit. Press Run.", icon=":material/check:")
    st.caption("It is kept for this visit. To keep it for good, save the text as a file in `data/scenarios`.")
