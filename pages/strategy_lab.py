"""Strategy lab: is this idea worth anything?"""

import datetime as dt
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app.cache import keep, new_run, session, stamp
from app.forms import parameters
from app.layout import chart, checks, empty, metrics_table, provenance, question, strip, tabs
from quantlib.charts import drawdown, equity_curves, signal_chart, trades_on_price, weights_over_time
from quantlib.charts.numbers import count, known, money, number, span
from quantlib.costs import Costs
from quantlib.errors import QuantError
from quantlib.metrics import METRICS
from quantlib.strategies import STRATEGIES, Strategy, build
from quantlib.workflows.lab import definition_name, definitions, trials
from quantlib.workflows.market import Prices, stored_prices
from quantlib.workflows.pipeline import data_label
from quantlib.workflows.reading import run_link
from quantlib.workflows.research import StrategyRun, backtest_strategy, holding_equity
from quantlib.workflows.session import Session

NEW = {f"New: {family.title}": family for family in STRATEGIES.values()}
KEY_NUMBERS = ("sharpe_ratio", "cagr", "max_drawdown", "turnover")
COSTS = {
    "commission_bps": ("Commission (bps)", "Of every amount traded."),
    "half_spread_bps": ("Half spread (bps)", "From the middle to the price one gets, of every amount traded."),
    "borrow_bps_per_year": ("Borrow (bps a year)", "Of what is held short."),
}
TRADES = {
    "ts": st.column_config.DateColumn("Filled", format="YYYY-MM-DD", pinned=True),
    "symbol": "Symbol",
    "side": "Side",
    "shares": st.column_config.NumberColumn("Shares", format="%,.0f"),
    "price": st.column_config.NumberColumn("Price", format="%,.2f"),
    "notional": st.column_config.NumberColumn("Amount ($)", format="%,.0f"),
    "cost": st.column_config.NumberColumn("Cost ($)", format="%,.2f"),
    "decided": st.column_config.DateColumn("Decided", format="YYYY-MM-DD", help="At the close of that session."),
}


def lab_backtest(now: Session, strategy: Strategy, name: str, costs: Costs, start: dt.date | None) -> StrategyRun:
    """Return the backtest, stored, logged and counted."""
    return backtest_strategy(now, strategy, name=name, costs=costs, start=start)


def result(strategy: Strategy, name: str, costs: Costs, start: dt.date | None) -> dict[str, Any]:
    """Return the run and the figures made of it so far; it stays until something else is asked or stored."""
    held = st.session_state.get("lab", {})
    if held.get("asked") != (strategy.id, costs, start, stamp()):
        with st.spinner(f"Running {name} over all its prices and checking the record…"):
            run = keep(lab_backtest, strategy, name, costs, start)
        new_run()  # it may have been stored just now
        held = st.session_state["lab"] = {"asked": (strategy.id, costs, start, stamp()), "run": run, "figures": {}}
    return held


def form(base: Strategy, prices: Prices) -> tuple[dict[str, Any], Costs, dt.date | None, bool]:
    """Draw the form and return what it holds, and whether it was sent just now."""
    with st.form("definition-form"):
        st.caption(base.description)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            values = parameters(type(base), base.model_dump(), prices.symbols, base.id)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            paid = {
                name: st.number_input(label, 0.0, 1000.0, default, 0.5, help=text, key=name, bind="query-params")
                for (name, default), (label, text) in zip(Costs().model_dump().items(), COSTS.values(), strict=True)
            }
            span_of = {"min_value": prices.first.date(), "max_value": prices.newest.date()}
            start = st.date_input("From", None, **span_of, format="YYYY-MM-DD", key="from", bind="query-params")
            sent = st.form_submit_button("Run", icon=":material/play_arrow:", type="primary")
    return values, Costs(**paid), start, sent


def trades(held: dict[str, Any], draw: Callable[[str, Callable[[], go.Figure]], None]) -> None:
    """Draw what was traded: how much it cost, one symbol's trades on its price, and all of them as a table."""
    run: StrategyRun = held["run"]
    made, paid = run.result.trades, run.result.costs.sum()
    words = f"{count(len(made))} trades cost {money(made['cost'].sum())}, borrowing {money(paid - made['cost'].sum())}"
    st.markdown(f"**{words}**, on an account that started with {money(run.result.equity.iloc[0])}.".replace("$", "\\$"))
    symbol = st.selectbox("Symbol", run.panel.symbols, key="traded", bind="query-params")
    draw(f"trades-{symbol}", lambda: trades_on_price(run.panel, symbol, made))
    st.dataframe(made[::-1], column_config=TRADES, column_order=list(TRADES), hide_index=True, key="trades")


def signal(held: dict[str, Any], draw: Callable[[str, Callable[[], go.Figure]], None]) -> None:
    """Draw the number the rule hangs on, and say why it holds what it holds."""
    why = held.setdefault("why", held["run"].strategy.explain(held["run"].panel))
    if known(why.value) is not None:
        shown = {"signal": why.signal, "unit": why.unit, "percentile": why.percentile}
        draw("signal", lambda: signal_chart(why.series, why.levels, why.value, **shown))
    st.markdown("\n".join(f"- {reason}" for reason in why.reasons))
    st.markdown(f"**What would turn it around:** {why.invalidation}")
