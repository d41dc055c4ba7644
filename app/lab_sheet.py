"""The tear sheet on the page: the verdict, the key numbers, growth, and the detail in tabs made when opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from app import layout
from app.cache import keep, session
from app.lab_trades import trades
from app.layout import PERCENT, chart, plain, table
from quantlib.charts.numbers import interval, percent
from quantlib.errors import DataError
from quantlib.workflows.lab import Trial, trials
from quantlib.workflows.market import Prices
from quantlib.workflows.reading import run_link

KEY_METRICS = ("sharpe_ratio", "cagr", "max_drawdown", "turnover")
DRAWDOWNS: dict[str, Any] = {
    "start": st.column_config.DateColumn(
        "From", format="YYYY-MM-DD", pinned=True, help="First session below the peak."
    ),
    "trough": st.column_config.DateColumn("Trough", format="YYYY-MM-DD"),
    "end": st.column_config.DateColumn("Recovered", format="YYYY-MM-DD", help="A dash where it has not yet."),
    "depth": ("Depth", PERCENT),
    "sessions": ("Sessions", "%,d"),
    "falling": ("of them down", "%,d"),
    "rising": ("and up", "%,d"),
}
FACTOR_COLUMNS: dict[str, Any] = {
    "factor": st.column_config.TextColumn("Factor", pinned=True),
    "value": "Loading (95 % interval)",
    "t_value": ("t", "%.1f"),
}
FACTOR_TITLES = {
    "alpha": "Alpha, a year",
    "Mkt-RF": "Market less the risk-free rate",
    "SMB": "Small less large (SMB)",
    "HML": "Value less growth (HML)",
}


def record(trial: Trial, prices: Prices) -> None:
    """Draw what came out: the verdict, the key numbers, growth, and the detail in tabs."""
    run = trial.run
    layout.verdict(run.verdict.outcome, run.verdict.sentence, run.hindsight)
    st.caption(keep(trials, prices.source).sentence)
    rows = _rows(run.metrics)
    layout.key_metrics(rows, KEY_METRICS)
    chart(trial.sheet.growth(), "growth")
    sections: dict[str, Callable[[], None]] = {
        "Drawdown": lambda: drawdowns(trial),
        "Rolling": lambda: rolling(trial),
        "Months": lambda: chart(trial.sheet.months(), "months"),
        "Trades": lambda: trades(trial),
        "Legs & reasons": lambda: legs(trial),
        "Costs": lambda: costs(trial),
        "Exposure": lambda: exposure(trial),
        "Metrics": lambda: metrics(trial),
        "Factors": lambda: factors(trial),
        "Checks": lambda: layout.checks(run.verdict.checks),
        "Signal": lambda: signal(trial),
    }
    layout.tabs({title: _told(draw) for title, draw in sections.items()})
    layout.provenance({"run": run.run_id, "strategy": run.strategy.id, "data": run.panel.snapshot_id})
    link = f"[This run in MLflow]({run_link(session(), run.mlflow_run_id)})" if run.mlflow_run_id else ""
    st.caption(f"{prices.note} {link}")


def _told(draw: Callable[[], None]) -> Callable[[], None]:
    """Return a section that says why it cannot be drawn where the record does not allow it."""

    def drawn() -> None:
        try:
            with st.spinner("Working it out…", show_time=True):
                draw()
        except DataError as error:
            st.info(str(error), icon=":material/info:")

    return drawn


def _rows(table: pd.DataFrame) -> dict[str, tuple[float, float, float, int]]:
    """Return a table of metrics as the page draws it."""
    return {str(key): (value, low, high, int(n)) for key, value, low, high, n, _ in table.itertuples()}


def metrics(trial: Trial) -> None:
    """Draw every metric, and those against holding."""
    layout.metrics_table(_rows(trial.run.metrics))
    st.markdown("**Against buying the same symbols in equal parts and holding them**")
    layout.metrics_table(_rows(trial.sheet.beside_holding()), "beside-holding")


def drawdowns(trial: Trial) -> None:
    """Draw the loss from the peak, and the deepest ones as a table."""
    chart(trial.drawdown(), "drawdown")
    found = trial.sheet.drawdowns()
    if found.empty:
        st.info("It was never below its peak.", icon=":material/info:")
        return
    table(found, DRAWDOWNS, "drawdowns", hide_index=True)


def rolling(trial: Trial) -> None:
    """Draw ratios over a moving year."""
    for number, figure in enumerate(trial.sheet.rolling()):
        chart(figure, f"rolling-{number}")


def legs(trial: Trial) -> None:
    """Draw whose profit it was, and why its trades ended."""
    chart(trial.sheet.by_leg(), "by-leg")
    chart(trial.sheet.by_reason(), "by-reason")


def costs(trial: Trial) -> None:
    """Draw what was paid, how much more the edge would bear, and what late fills would leave of it."""
    sheet = trial.sheet
    st.markdown(f"**{sheet.break_even()}**")
    st.caption(trial.paid.replace("$", "\\$"))
    st.caption(sheet.capacity().replace("$", "\\$"))
    chart(sheet.costs(), "cost-parts")
    chart(sheet.delay(), "delay")
    if (band := sheet.same_bar()) is not None:
        st.markdown("**Stop and target in one bar:** daily bars do not say which price came first.")
        columns = {"Metric": "Metric", "pessimistic": "Stop first", "optimistic": "Target first"}
        table(band, columns, "same-bar", hide_index=True)


def exposure(trial: Trial) -> None:
    """Draw how much was in the market, and in what."""
    chart(trial.sheet.exposure(), "exposure")
    chart(trial.weights(), "weights")


def factors(trial: Trial) -> None:
    """Draw what the record owes to known factors."""
    found = trial.sheet.factors()
    shown = found.table.reset_index()
    units = ["percent" if name == "alpha" else "ratio" for name in shown["factor"]]
    ends = zip(shown["value"], shown["ci_low"], shown["ci_high"], units, strict=True)
    shown["value"] = [interval(value, low, high, unit, signed=True) for value, low, high, unit in ends]  # type: ignore[arg-type]
    shown["factor"] = shown["factor"].map(lambda name: FACTOR_TITLES.get(name, name))
    alpha = found.table.to_dict(orient="index")["alpha"]
    proof = "is more than nothing" if alpha["ci_low"] > 0 else "cannot be told from nothing"
    st.markdown(
        f"**The factors explain {percent(found.r_squared, 0)} of its variance; the "
        f"{interval(alpha['value'], alpha['ci_low'], alpha['ci_high'], signed=True)} a year that they leave {proof}.**"
    )
    table(shown, FACTOR_COLUMNS, "factors", hide_index=True)
    st.caption(
        f"Three factors of Fama and French (1993), {found.n} months from {found.first} to {found.last}; errors by "
        f"Newey and West with {found.lags} lags. {found.left_out}"
    )


def signal(trial: Trial) -> None:
    """Draw the number the rule hangs on, and say why it holds what it holds."""
    if figure := trial.signal():
        chart(figure, "signal")
    st.markdown("\n".join(f"- {plain(reason)}" for reason in trial.why.reasons))
    st.markdown(f"**What would turn it around:** {plain(trial.why.invalidation)}")
