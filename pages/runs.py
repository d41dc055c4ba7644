"""Runs: what have I tried, and how did it do?"""

from typing import Any

import pandas as pd
import streamlit as st

from app.cache import keep, session
from app.layout import PERCENT, SIGNED, chart, empty, question, strip, table
from quantlib.charts.numbers import count
from quantlib.errors import QuantError
from quantlib.sources import SOURCES
from quantlib.workflows.reading import find_runs, run_comparison, run_differences, runs_table

MOST = 6  # curves a chart tells apart
LIMIT = 500
KINDS = {"Backtests": "backtest", "Simulations": "simulation", "Models": "model"}
NUMBERS: dict[str, dict[str, Any]] = {
    "backtest": {
        "sharpe_ratio": ("Sharpe", "%.2f"),
        "sharpe_ratio_ci_low": ("95 % low", "%.2f"),
        "sharpe_ratio_ci_high": ("95 % high", "%.2f"),
        "cagr": ("CAGR", SIGNED),
        "max_drawdown": ("Drawdown", PERCENT),
        "turnover": ("Turnover", PERCENT),
        "trades": ("Trades", "%,.0f"),
    },
    "simulation": {
        "expected_value": ("Expected", SIGNED),
        "expected_value_low": ("95 % low", SIGNED),
        "expected_value_high": ("95 % high", SIGNED),
        "probability_of_loss": ("Loses", PERCENT),
        "p05": ("1 in 20 below", SIGNED),
        "p95": ("1 in 20 above", SIGNED),
    },
    "model": {
        "auc": ("AUC", "%.3f"),
        "log_loss": ("Log loss", "%.4f"),
        "prior_log_loss": ("Base rate's", "%.4f"),
        "gain": ("Gain", "%+.4f"),
        "gain_low": ("95 % low", "%+.4f"),
        "gain_high": ("95 % high", "%+.4f"),
    },
}
BIASED = "Biased: its symbols were chosen from a list drawn up after the first day used, so with hindsight."
BEFORE = {"label": st.column_config.TextColumn("Run", pinned=True), "as_of": "As of"}
AFTER = {
    "verdict": "Checks",
    "selection": st.column_config.TextColumn("Selection", help=BIASED),
    "started": st.column_config.DatetimeColumn("Started (UTC)", format="YYYY-MM-DD HH:mm"),
    "link": st.column_config.LinkColumn("MLflow", display_text="open"),
    "source": "Prices",
    "snapshot_id": "Data snapshot",
    "code_version": "Code version",
}


def overview(runs: pd.DataFrame) -> None:
    """Draw the filters and the runs they leave."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Kind", list(KINDS), default="Backtests", key="kind", required=True, bind="query-params"
        )
        names = runs[runs["kind"] == "backtest"].groupby("strategy_id", sort=False)["name"].first()
        ids = {"All": None, **dict(zip(names, names.index, strict=True))}
        strategy = st.selectbox("Strategy", list(ids), key="strategy", bind="query-params", disabled=kind == "Models")
        text = st.text_input("Search", key="search", placeholder="Name, id, snapshot, code", bind="query-params")
    left = find_runs(runs, KINDS[kind], None if kind == "Models" else ids[strategy], text or "")
    shown = f"{count(len(left))} of {count((runs['kind'] == KINDS[kind]).sum())} {kind.lower()}, the newest first."
    biased = int((left["selection"] == "biased").sum())
    st.caption(f"{shown} Selection-biased: {count(biased)}. {BIASED}" if biased else shown)
    columns = {**BEFORE, **NUMBERS[KINDS[kind]], **AFTER}
    if kind == "Simulations":
        del columns["verdict"]
    height = "content" if len(left) <= 10 else 388
    table(left[list(columns)], columns, f"runs-{KINDS[kind]}", hide_index=True, height=height)


def compared(runs: pd.DataFrame) -> None:
    """Draw the curves of some backtests side by side, and what went into them where they differ."""
    ids = dict(zip(runs["label"], runs.index, strict=True))
    first = list(runs.drop_duplicates("strategy_id")["label"].head(3))
    chosen = st.multiselect(
        "Backtests to compare", list(ids), first, max_selections=MOST, key="compare", bind="query-params"
    )
    if not chosen:
        st.info("Choose a backtest to draw its curve.")
        return
    try:
        chart(keep(run_comparison, tuple((ids[label], label) for label in chosen)), "compared")
    except QuantError as error:
        st.error(f"{error}", icon=":material/error:")
    if len(chosen) > 1:
        differ = keep(run_differences, tuple(ids[label] for label in chosen))
        st.markdown("**What went in, where they differ**")
        st.dataframe(differ.set_axis(chosen, axis=1), height="content", key="differences")


def main() -> None:
    """Draw the page."""
    question("What have I tried, and how did it do?", "Every backtest, simulation and model is logged to MLflow.")
    with st.spinner("Reading the runs from MLflow; the first time takes a few seconds…"):
        runs = keep(runs_table, LIMIT)
    if runs.empty:
        empty("Nothing has been tried yet.", "Run `make run`, or a backtest in the strategy lab, and come back.")
    sample = all(source in SOURCES and SOURCES[source].sample for source in runs["source"])
    number = {name.lower(): count((runs["kind"] == kind).sum()) for name, kind in KINDS.items()}
    strip(number, sample=sample)
    if len(runs) >= LIMIT:
        st.caption(f"Only the newest {LIMIT} are read; the others are in MLflow.")
    overview(runs)
    if (runs["kind"] == "backtest").any():
        compared(runs[runs["kind"] == "backtest"])
    st.caption(f"Kept in `{session().tracker.place}`. The MLflow UI answers while `make run` or `make mlflow` runs.")


main()
