"""Worlds on the simulator page: a price or a strategy ahead, in the worlds of one simulator beside others."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.address import heed_names
from app.cache import keep, session
from app.forms import parameters
from app.layout import AMOUNT, PERCENT, SIGNED, chart, plain, progress, provenance, stamped, table, tabs, tile
from app.prices import price_strip
from app.realism import GRADE, WHY, graded, realism
from quantlib.charts.numbers import interval, percent, signed_percent
from quantlib.errors import QuantError
from quantlib.simulators import SIMULATORS
from quantlib.strategies import Strategy
from quantlib.workflows import worlds as ahead
from quantlib.workflows.lab import definitions
from quantlib.workflows.market import Prices
from quantlib.workflows.notebook import as_notebook, worlds_cells
from quantlib.workflows.provenance import code_version
from quantlib.workflows.reading import newest_report, report_figures
from quantlib.workflows.worlds import Asked, Extent, Outlook, ask, usual_extent

QUANTILES = {"p05": "1 in 20 below", "p50": "Median", "p95": "1 in 20 above"}
ENDS = {"mean": ("Mean", SIGNED), "loses": ("Loses", PERCENT), **{name: (t, SIGNED) for name, t in QUANTILES.items()}}
WORLDS: dict[str, Any] = {"world": "World", **GRADE, "what": "What", **ENDS, **WHY}
ESTIMATES: dict[str, Any] = {
    "name": st.column_config.TextColumn("Parameter", pinned=True),
    "symbol": "Symbol",
    "value": ("Value", "%.4g"),
    "error": ("Standard error", "%.2g"),
    "unit": "Unit",
}
FIT = {"last": ("Last close", AMOUNT), "drift": ("Drift", SIGNED), "volatility": ("Volatility", PERCENT)}


def subject(symbols: tuple[str, ...]) -> tuple[str, Strategy | None, str]:
    """Draw the choice of what is looked at and in which world; return a name, its strategy and the simulator's name."""
    titles, above = {simulator.title: world for world, simulator in SIMULATORS.items()}, st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Look at", ["Symbol", "Strategy"], default="Symbol", required=True, key="look", bind="query-params"
        )
        known = dict.fromkeys(symbols) if kind == "Symbol" else keep(definitions)
        with above:
            heed_names(kind.lower(), kind.lower(), known)
            heed_names("world", "world", titles)
        name = st.selectbox(kind, list(known), key=kind.lower(), bind="query-params")
        world = st.selectbox("World", list(titles), key="world", bind="query-params")
    return name, known[name], titles[world]


def form(name: str, strategy: Strategy | None, world: str) -> tuple[Asked, bool]:
    """Draw the form of a world; return the question it holds, and whether it was sent just now."""
    model = SIMULATORS[world]
    with st.form(f"form-{world}"):
        st.caption(model.description)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            params = parameters(model, model().model_dump(), [], world, bind="query-params")
            extent = parameters(Extent, usual_extent(session()), [], "run", bind="query-params")
            sent = st.form_submit_button("Run", icon=":material/play_arrow:", type="primary")
    return ask(name, strategy, world, params, extent), sent


def key_numbers(outlook: Outlook) -> None:
    """Draw how the worlds end; of a strategy also how much better that is than holding its symbols."""
    sure = f"95 % interval: {interval(outlook.first.mean, *outlook.first.mean_interval, signed=True)}"
    with st.container(horizontal=True):
        for name, (title, _) in ENDS.items():
            values = outlook.table[name].to_numpy()
            change = values[0] - values[1] if outlook.asked.strategy else None
            write, better = (percent, -1) if name == "loses" else (signed_percent, 1)
            help_text = sure if name == "mean" else None
            tile(title, write(values[0]), change, over="vs hold", better=better, help_text=help_text)


def learned(outlook: Outlook) -> None:
    """Write what the simulator was fitted to, and what it found."""
    st.markdown("  \n".join(f"**{name}:** {value}" for name, value in outlook.facts.items()))
    table(outlook.fit.frame(), FIT, "fit")
    if estimates := outlook.fit.estimates():
        st.caption("Parameters with their standard errors")
        table(pd.DataFrame(estimates), ESTIMATES, "estimates", hide_index=True)
    if len(outlook.fit.symbols) > 1:
        st.caption("Correlation of log returns")
        table(outlook.fit.correlation_frame(), {name: (name, "%.2f") for name in outlook.fit.symbols}, "correlation")


def answer(outlook: Outlook, asked: Asked | None) -> None:
    """Draw an outlook; where it answers an earlier question than the form now holds, say so."""
    if outlook.asked != asked:
        st.info("These are the worlds of the inputs before. Press Run for the new ones.", icon=":material/update:")
    stamped(outlook.hindsight)
    key_numbers(outlook)
    graded(outlook.grade)
    chart(outlook.figures["fan"], "fan")
    sections = {"Outcomes": partial(chart, outlook.figures["outcomes"], "outcomes")}
    if "holding" in outlook.figures:
        sections["Beside holding"] = partial(chart, outlook.figures["holding"], "holding")
    sections["All worlds"] = partial(table, outlook.table, WORLDS, "worlds", hide_index=True)
    sections |= {"What was fitted": partial(learned, outlook), "How real": partial(realism, outlook)}
    heed_names("tab", "tab", sections)
    tabs(sections)
    exports(outlook)
    strategy, seed = outlook.asked.strategy, str(outlook.asked.extent.seed)
    made = {"strategy": strategy.id if strategy else "", "data": outlook.snapshot_id}
    provenance({**made, "code": code_version(), "seed": seed})


def exports(outlook: Outlook) -> None:
    """Draw what can be taken away: every world's end, and the worlds as a notebook."""
    asked = outlook.asked
    file = "".join(sign if sign.isalnum() else "-" for sign in f"{asked.name} {outlook.first.simulator}".lower())
    with st.container(horizontal=True):
        st.download_button(
            "Outcomes (.csv)", outlook.outcomes().to_csv, f"{file}.csv", "text/csv", on_click="ignore",
            icon=":material/download:", key="worlds-csv",
        )  # fmt: skip
        st.download_button(
            "Notebook (.ipynb)", lambda: as_notebook(worlds_cells(asked)), f"{file}.ipynb", "application/x-ipynb+json",
            on_click="ignore", icon=":material/book:", key="worlds-notebook",
        )  # fmt: skip


def worlds(found: Prices, top: DeltaGenerator) -> None:
    """Draw what is asked, and the worlds that answer it; the strip goes to the top."""
    name, strategy, world = subject(found.symbols)
    held: dict[str, Outlook] = st.session_state.setdefault("outlooks", {})
    asked = None
    try:
        asked, sent = form(name, strategy, world)
        if sent or (strategy is None and (name not in held or held[name].asked != asked)):
            with progress(f"Simulating {name}", "world") as tell:
                held[name] = ahead.look_ahead(session(), asked, tell)
    except QuantError as error:
        st.error(str(error), icon=":material/error:")
    with top:
        price_strip(found, held[name].history.index[-1] if name in held else None)
    if name in held:
        answer(held[name], asked)
    elif strategy:
        st.info("Press Run to see it in these worlds; a thousand take some seconds.", icon=":material/play_arrow:")
        if figures := keep(report_figures, strategy.id):
            chart(figures["outlook"], "fan")
            report = keep(newest_report)
            for item in report.recommendations if report else ():
                if item.strategy_id == strategy.id:
                    st.caption(f"Realism of these worlds: {plain(item.grade_sentence)}")
