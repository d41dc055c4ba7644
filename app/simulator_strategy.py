"""A strategy in worlds on the simulator page: by every simulator, where nothing can be earned, and with its stops."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_names, heed_number
from app.cache import keep, session
from app.layout import PERCENT, SIGNED, chart, plain, progress, provenance, stamped, table, tabs
from app.prices import price_strip
from app.realism import GRADE, HELP, WHY
from quantlib.backtest.worlds_edge import BY_CHANCE
from quantlib.charts import outcomes_by_simulator, stops_paired, zero_edge_chart
from quantlib.errors import QuantError
from quantlib.simulators import SIMULATORS, USUAL
from quantlib.workflows.examining import Examined, examine
from quantlib.workflows.lab import definitions
from quantlib.workflows.market import Prices
from quantlib.workflows.provenance import code_version

ANSWERS: dict[str, Any] = {
    "simulator": st.column_config.TextColumn("World", pinned=True),
    **GRADE,
    "mean": ("Mean", SIGNED),
    "low": ("95 % low", SIGNED),
    "high": ("95 % high", SIGNED),
    "loses": ("Loses", PERCENT),
    "p05": ("1 in 20 below", SIGNED),
    "p95": ("1 in 20 above", SIGNED),
    "sharpe": ("Sharpe (median)", "%.2f"),
    "drawdown": ("Drawdown (median)", PERCENT),
    "drawdown_p05": ("1 in 20 deeper", PERCENT),
    "ruin": ("Ruined", PERCENT),
    "beyond_holding": ("Beyond holding", SIGNED),
    "verdict": "Says",
    **WHY,
}
#: Fewest and most worlds of each simulator, and sessions of a world.
WORLDS, SESSIONS = (50, 5_000), (21, 504)
MEANS = (
    "Brownian motion, jumps and copulas come first where they were chosen: their returns are independent, so that "
    "without drift there is nothing to find. A law that keeps memory may hold something to find even then."
)


def strategy_page(found: Prices, top: DeltaGenerator) -> None:
    """Draw which strategy lives in which worlds, and what comes of it."""
    known = keep(definitions)
    titles = {name: family.title for name, family in SIMULATORS.items()}
    heed_names("strategy", "strategy", known)
    heed_number("Worlds of each", "lived-worlds", *WORLDS)
    heed_number("Sessions", "lived-horizon", *SESSIONS)
    heed_names("world", "lived-in", titles.values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Strategy", list(known), key="strategy", bind="query-params")
        worlds = st.number_input("Worlds of each", *WORLDS, 300, step=50, key="lived-worlds", bind="query-params")
        horizon = st.number_input("Sessions", *SESSIONS, 252, step=21, key="lived-horizon", bind="query-params")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Worlds by",
            list(titles),
            default=list(USUAL),
            format_func=titles.__getitem__,
            key="lived-in",
            bind="query-params",
        )
        sent = st.button("Run", icon=":material/play_arrow:", type="primary", key="lived-run", disabled=not chosen)
    asked = (known[name].id, int(worlds), int(horizon), tuple(chosen))
    held: dict[str, tuple[object, Examined]] = st.session_state.setdefault("examined", {})
    if sent:
        try:
            with progress(f"{name} lives in {len(chosen)} kinds of worlds", "world") as tell:
                done = examine(
                    session(), known[name], chosen, worlds=int(worlds), horizon=int(horizon), on_progress=tell
                )
            held[name] = (asked, done)
        except QuantError as error:
            st.error(plain(str(error)), icon=":material/error:")
    with top:
        price_strip(found, held[name][1].panel.index[-1] if name in held else None)
    if name not in held:
        st.info(
            "Press Run to let it live in these worlds, once as they are fitted and once with all drift taken out. A "
            "few hundred worlds of a year take some seconds for each simulator.",
            icon=":material/play_arrow:",
        )
        return
    if held[name][0] != asked:
        st.info("These are the worlds of the inputs before. Press Run for the new ones.", icon=":material/update:")
    answer(held[name][1])


def answer(done: Examined) -> None:
    """Draw what was found."""
    stamped(done.hindsight)
    apart, verdict = done.comparison.sentences
    st.subheader(plain(verdict), anchor=False)
    st.caption(plain(apart))
    st.markdown(plain(done.realism), help=HELP)
    for sentence in done.refused:
        st.warning(plain(sentence), icon=":material/info:")
    first = next(iter(done.comparison.results.values()))
    returns = {title: result.returns for title, result in done.comparison.results.items()}
    chart(outcomes_by_simulator(returns, horizon=first.horizon), "by-simulator")
    sections = {
        "By simulator": lambda: table(done.table.reset_index(), ANSWERS, "by-simulator-answers", hide_index=True),
        "No edge": lambda: nothing(done),
        "Stops": lambda: stops(done),
    }
    heed_names("tab", "lived-tab", sections)
    tabs(sections, key="lived-tab")
    provenance({"data": done.panel.snapshot_id, "code": code_version(), "seed": str(first.seed)})


def nothing(done: Examined) -> None:
    """Draw how often it looks good where there is nothing to earn."""
    if not done.edges:
        st.info("None of these simulators has a drift that can be taken out.", icon=":material/info:")
        return
    rows = {
        title: {
            "share": edge.share_good,
            "low": edge.share_interval[0],
            "high": edge.share_interval[1],
            "edge_left": edge.edge_left,
        }
        for title, edge in done.edges.items()
    }
    horizon = next(iter(done.edges.values())).horizon
    chart(zero_edge_chart(pd.DataFrame.from_dict(rows, orient="index"), by_chance=BY_CHANCE, horizon=horizon), "edge")
    for title, edge in done.edges.items():
        if edge.edge_left:
            st.warning(
                f"**{plain(title)}** has {plain(edge.edge_left)} even without drift: an edge of its own, so what looks "
                "good there is no false alarm.",
                icon=":material/info:",
            )
    st.caption(MEANS)
    for title, edge in done.edges.items():
        said = [*edge.sentences, f"Realism of its worlds with drift: grade {done.grades[title].letter}."]
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in said))


def stops(done: Examined) -> None:
    """Draw whether its stops help or hurt."""
    if done.stops is None:
        st.info("It has no stops, so there is nothing to compare.", icon=":material/info:")
        return
    for sentence in done.stops.sentences:
        st.markdown(f"- {plain(sentence)}")
    kept, without = done.stops.kept.returns, done.stops.left_out.returns
    chart(stops_paired(kept, without, horizon=done.stops.horizon, mean=done.stops.mean), "stops-paired")
