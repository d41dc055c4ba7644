"""The Experiments page's last part: what MLflow holds of each run, simulations and models among them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.address import heed_names
from app.cache import keep, session
from app.experiments_ledger import BIASED
from app.layout import PERCENT, SIGNED, plain, table
from quantlib.charts.numbers import count
from quantlib.errors import QuantError
from quantlib.workflows.reading import find_runs, runs_table

#: Newest runs that are read.
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
        "realism": st.column_config.TextColumn("Realism", help="Grade of the worlds, A to F: see the Simulator page."),
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
BEFORE: dict[str, Any] = {"label": st.column_config.TextColumn("Run", pinned=True), "as_of": "As of"}
AFTER: dict[str, Any] = {
    "verdict": "Checks",
    "selection": st.column_config.TextColumn("Selection", help=BIASED),
    "started": st.column_config.DatetimeColumn("Started (UTC)", format="YYYY-MM-DD HH:mm"),
    "link": st.column_config.LinkColumn("MLflow", display_text="open"),
    "source": "Prices",
    "snapshot_id": "Data snapshot",
    "code_version": "Code version",
}


def logged(text: str) -> None:
    """Draw the runs in MLflow with their intervals: backtests, simulations and models, those that say a text."""
    heed_names("kind of run", "runs", KINDS)
    kind = st.segmented_control("Runs", list(KINDS), default="Simulations", key="runs", required=True,
                                bind="query-params", label_visibility="collapsed")  # fmt: skip
    try:
        with st.spinner("Reading the runs from MLflow; the first time takes a few seconds…"):
            runs = keep(runs_table, LIMIT)
    except QuantError as error:
        st.error(f"**MLflow cannot be read; the ledger above does not need it.** {plain(str(error))}",
                 icon=":material/error:")  # fmt: skip
        return
    left = find_runs(runs, KINDS[kind], text=text)
    newest = f" Only the newest {LIMIT} are read; the others are in MLflow." if len(runs) >= LIMIT else ""
    of = count((runs["kind"] == KINDS[kind]).sum())
    st.caption(
        f"{count(len(left))} of {of} {kind.lower()} in MLflow, the newest first, found by the search above.{newest}"
    )
    columns = {**BEFORE, **NUMBERS[KINDS[kind]], **AFTER}
    if kind == "Simulations":
        del columns["verdict"]
    table(left[list(columns)], columns, f"runs-{KINDS[kind]}", hide_index=True,
          height="content" if len(left) <= 10 else 388, alt=f"{kind} that MLflow holds.")  # fmt: skip
    st.caption(f"Kept in `{session().tracker.place}`. The MLflow UI answers while `make run` or `make mlflow` runs.")
