"""Strategy lab: is this idea worth anything?"""

import datetime as dt
from typing import Any

import streamlit as st

from app import layout
from app.cache import keep, new_run, session, stamp
from app.forms import backtest
from app.layout import chart, table
from quantlib.costs import Costs
from quantlib.errors import QuantError
from quantlib.strategies import STRATEGIES, Strategy, build
from quantlib.workflows.lab import Trial, definition_name, definitions, trials, try_strategy
from quantlib.workflows.market import Prices, stored_prices
from quantlib.workflows.reading import run_link
from quantlib.workflows.research import data_label

NEW = {f"New: {family.title}": family for family in STRATEGIES.values()}
TRADES: dict[str, Any] = {
    "ts": st.column_config.DateColumn("Filled", format="YYYY-MM-DD", pinned=True),
    "symbol": "Symbol",
    "side": "Side",
    "shares": ("Shares", "%,.0f"),
    "price": ("Price", "%,.2f"),
    "notional": ("Amount ($)", "%,.0f"),
    "cost": ("Cost ($)", "%,.2f"),
    "decided": st.column_config.DateColumn("Decided", format="YYYY-MM-DD", help="At the close of that session."),
}


def result(strategy: Strategy, name: str, paid: Costs, start: dt.date | None) -> Trial:
    """Return the backtest on screen; it stays until another is asked for or something else is stored."""
    held = st.session_state.get("lab")
    if held is None or held[0] != (strategy, paid, start, stamp()):
        with st.spinner(f"Running {name} over all its prices, and checking the record…"):
            trial = keep(try_strategy, strategy, name, paid, start)
        new_run()  # it may have been stored just now
        held = st.session_state["lab"] = ((strategy, paid, start, stamp()), trial)
    found: Trial = held[1]
    return found


def trades(trial: Trial) -> None:
    """Draw what was traded, and what that cost."""
    st.markdown(trial.paid.replace("$", "\\$"))
    symbol = st.selectbox("Symbol", trial.run.panel.symbols, key="traded", bind="query-params")
    chart(trial.trades(symbol), "trades-chart")
    table(trial.run.result.trades[::-1], TRADES, "trades", hide_index=True)


def signal(trial: Trial) -> None:
    """Draw the number the rule hangs on, and say why it holds what it holds."""
    if figure := trial.signal():
        chart(figure, "signal")
    st.markdown("\n".join(f"- {reason}" for reason in trial.why.reasons))
    st.markdown(f"**What would turn it around:** {trial.why.invalidation}")


def record(trial: Trial, prices: Prices) -> None:
    """Draw what came out: the verdict, the key numbers, growth, and the detail in tabs."""
    run = trial.run
    layout.verdict(run.verdict.outcome, run.verdict.sentence, run.hindsight)
    st.caption(keep(trials, prices.source).sentence)
    rows = {str(key): (value, low, high, int(n)) for key, value, low, high, n in run.metrics.itertuples()}
    layout.key_metrics(rows, ("sharpe_ratio", "cagr", "max_drawdown", "turnover"))
    log = st.toggle("Log scale", value=True, key="log", bind="query-params", help="Equal distances are equal growth.")
    chart(trial.growth(log=log), "growth")
    layout.tabs(
        {
            "Drawdown": lambda: chart(trial.drawdown(), "drawdown"),
            "Holdings": lambda: chart(trial.weights(), "weights"),
            "Trades": lambda: trades(trial),
            "Metrics": lambda: layout.metrics_table(rows),
            "Checks": lambda: layout.checks((c.outcome, c.title, c.sentence) for c in run.verdict.checks),
            "Signal": lambda: signal(trial),
        }
    )
    layout.provenance({"run": run.run_id, "strategy": run.strategy.id, "data": run.panel.snapshot_id})
    link = f"[This run in MLflow]({run_link(session(), run.mlflow_run_id)})" if run.mlflow_run_id else ""
    st.caption(f"{prices.note} {link}")


def main() -> None:
    """Draw the page."""
    layout.question("Is this idea worth anything?", "A rule, run over all stored prices, after costs.")
    prices = keep(stored_prices)
    if prices is None:
        layout.empty("There are no prices yet.", "Run `make run`, or `workbench ingest` and reload this page.")
    head, there = st.empty(), keep(definitions)
    with head:
        label = {"as of": f"{prices.newest:%Y-%m-%d}", "prices": data_label(prices.source, prices.newest)}
        layout.strip(label, sample=prices.sample)
    if ran := st.session_state.pop("ran", None):
        st.session_state["definition"] = next(name for name, strategy in there.items() if strategy.id == ran)
    chosen = st.selectbox("Definition", [*there, *NEW], key="definition", bind="query-params")
    base = there[chosen] if chosen in there else NEW[chosen]()
    values, paid, start, sent = backtest(base, prices.symbols, prices.first.date(), prices.newest.date())
    trial: Trial | None = None
    try:
        wanted = build(base.family, values)
        if sent and wanted != there.get(chosen):
            result(wanted, definition_name(wanted), paid, start)
            st.session_state["ran"] = wanted.id
            st.rerun()
        if chosen in there:
            trial = result(base, chosen, paid, start)
    except QuantError as error:
        st.error(f"{error}", icon=":material/error:")
        trial = st.session_state.get("lab", (None, None))[1]
    if trial is None:
        st.info("Set the parameters and press **Run**. It takes a second or two, is kept, and counts as one try.")
    else:
        with head:
            layout.strip(trial.label, sample=prices.sample, grade=trial.run.panel.grade)
        record(trial, prices)


main()
