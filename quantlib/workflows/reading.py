"""Reading: what is stored, arranged for people to look at. Nothing here computes a strategy or writes."""

from __future__ import annotations

from urllib.parse import urlsplit

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.numbers import UNKNOWN
from quantlib.charts.theme import TEMPLATES
from quantlib.reports.render import render_html
from quantlib.reports.types import Report
from quantlib.store import coverage, read_ingest_log, read_report, read_reports
from quantlib.workflows.session import Session

#: What a table of runs says of each: how MLflow calls it, and how the table does. Numbers are those of METRICS where
#: they have the same name; `gain` is how much lower the log loss is than that of the base rate.
RUN_LABELS = {
    "run_id": "run_id",
    "tags.kind": "kind",
    "tags.mlflow.runName": "name",
    "tags.as_of": "as_of",
    "tags.verdict": "verdict",
    "tags.family": "family",
    "tags.strategy_id": "strategy_id",
    "tags.source": "source",
    "tags.snapshot_id": "snapshot_id",
    "tags.code_version": "code_version",
    "start_time": "started",
}
RUN_NUMBERS = (
    *("sharpe_ratio", "sharpe_ratio_ci_low", "sharpe_ratio_ci_high", "cagr", "max_drawdown", "turnover", "trades"),
    *("expected_value", "expected_value_low", "expected_value_high", "probability_of_loss", "p05", "p95"),
    *("auc", "log_loss", "prior_log_loss", "gain", "gain_low", "gain_high"),
)
RUN_KINDS = ("backtest", "simulation", "model")


def newest_report(session: Session, report_id: str | None = None) -> Report | None:
    """Return a stored report, by default the newest; None where there is none yet."""
    if read_reports(session.store).empty:
        return None
    return Report.model_validate_json(read_report(session.store, report_id).body)


def report_figures(session: Session, strategy_id: str, report_id: str | None = None) -> dict[str, go.Figure]:
    """Return the charts of one strategy in a stored report by their place; empty where it has none."""
    report = newest_report(session, report_id)
    stored = report.figures.get(strategy_id, {}) if report else {}
    return {place: go.Figure(figure).update_layout(template=TEMPLATES["light"]) for place, figure in stored.items()}


def freshness(session: Session) -> pd.DataFrame:
    """Return one row a price source: symbols, bars, first and newest session, when and how it was last loaded."""
    bars = coverage(session.store)
    if bars.empty:
        return pd.DataFrame(columns=["source", "symbols", "bars", "first", "newest", "loaded", "status"])
    table = bars.groupby("source").agg(
        symbols=("symbol", "nunique"), bars=("bars", "sum"), first=("first", "min"), newest=("last", "max")
    )
    log = read_ingest_log(session.store).drop_duplicates("source").set_index("source")
    return table.assign(loaded=log["finished_at"], status=log["status"]).reset_index()


def stored_reports(session: Session) -> pd.DataFrame:
    """Return one row a stored report, the newest first: id, as_of, title, html_sha256, code_version, created_at."""
    return read_reports(session.store)


def report_html(session: Session, report_id: str) -> str:
    """Return a stored report as the HTML page that `workbench report` writes, to the byte."""
    return render_html(Report.model_validate_json(read_report(session.store, report_id).body))


def runs_table(session: Session, limit: int = 500) -> pd.DataFrame:
    """Return one row a backtest, simulation or model in MLflow, the newest first.

    Parameters
    ----------
    limit
        How many of the newest runs are read.

    Returns
    -------
    DataFrame
        The labels of RUN_LABELS as text (`started` as UTC time) and the numbers of RUN_NUMBERS, NaN where a kind of
        run does not have them.
    """
    found = session.tracker.runs(limit)
    numbers = {f"metrics.{name}": name for name in RUN_NUMBERS}
    table = found.reindex(columns=[*RUN_LABELS, *numbers]).rename(columns={**RUN_LABELS, **numbers})
    table = table.astype(dict.fromkeys(numbers.values(), "float64"))
    return table[table["kind"].isin(RUN_KINDS)].reset_index(drop=True)


def run_differences(session: Session, run_ids: tuple[str, ...]) -> pd.DataFrame:
    """Return what went into some runs where they differ: one row a parameter, one column a run id, all as text."""
    found = session.tracker.runs().set_index("run_id").loc[list(run_ids)]
    given = found.filter(regex=r"^params\.|^tags\.(family|source|snapshot_id|code_version|as_of)$")
    given.columns = given.columns.str.partition(".").get_level_values(2)
    table = given.T.sort_index().astype(object)
    table = table.where(table.notna(), UNKNOWN).astype(str)
    return table[table.ne(table.iloc[:, 0], axis=0).any(axis=1)].rename_axis(columns=None, index="parameter")


def run_curves(session: Session, run_ids: tuple[str, ...]) -> dict[str, pd.Series]:
    """Return the logged equity of some backtests by run id.

    Raises
    ------
    DataError
        A run has no equity curve.
    """
    curves = {run_id: session.tracker.read_csv(run_id, "equity.csv")["equity"] for run_id in run_ids}
    return {run_id: curve.set_axis(pd.DatetimeIndex(curve.index)) for run_id, curve in curves.items()}


def run_link(session: Session, run_id: str) -> str:
    """Return where the MLflow UI shows a run."""
    uri = session.tracker.uri
    base = f"http://127.0.0.1:{session.settings.mlflow_port}"
    if uri.startswith("http"):
        parts = urlsplit(uri)
        base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    return f"{base}/#/runs/{run_id}"
