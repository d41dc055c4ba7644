"""Reading: what is stored, arranged for people to look at. Nothing here computes a strategy or writes."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.theme import TEMPLATES
from quantlib.reports.render import render_html
from quantlib.reports.types import Report
from quantlib.store import coverage, read_ingest_log, read_report, read_reports
from quantlib.workflows.session import Session

#: What a table of runs says of each: how MLflow calls it, and how the table does. Numbers are those of METRICS where
#: they have the same name; `gain` is how much lower the log loss is than that of the base rate.
RUN_LABELS = {
    "tags.kind": "kind",
    "tags.mlflow.runName": "name",
    "tags.as_of": "as_of",
    "tags.verdict": "verdict",
    "tags.family": "family",
    "tags.strategy_id": "strategy_id",
    "tags.source": "source",
    "params.selection_biased": "selection",
    "tags.realism": "realism",
    "tags.snapshot_id": "snapshot_id",
    "tags.code_version": "code_version",
    "start_time": "started",
}
#: What is known of the choice of a run's symbols, as it is logged and as a table says it.
SELECTION = {"True": "biased", "False": "free"}
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
    """Return one row a price source: symbols, bars, first and newest session, when (UTC) and how last loaded."""
    bars = coverage(session.store)
    if bars.empty:
        return pd.DataFrame(columns=["source", "symbols", "bars", "first", "newest", "loaded", "status"])
    table = bars.groupby("source").agg(
        symbols=("symbol", "nunique"), bars=("bars", "sum"), first=("first", "min"), newest=("last", "max")
    )
    log = pd.concat([read_ingest_log(session.store, source=source, limit=1) for source in table.index])
    log = log.set_index("source")
    loaded = log["finished_at"].dt.tz_convert(None)
    return table.assign(loaded=loaded, status=log["status"]).reset_index()


def stored_reports(session: Session) -> pd.DataFrame:
    """Return one row a stored report, the newest first, by id.

    Columns: label (unlike any other's), as_of, title, code_version, made (UTC), size (of its JSON, in bytes).
    """
    reports = read_reports(session.store).set_index("id")
    made = _utc(reports["created_at"])
    label = [
        f"{day}, made {at:%Y-%m-%d %H:%M} UTC by {code} ({name[-4:]})"
        for name, day, at, code in zip(reports.index, reports["as_of"], made, reports["code_version"], strict=True)
    ]
    return reports.assign(label=label, made=made)


def _utc(moments: pd.Series) -> pd.Series:
    """Return moments as times in UTC without their zone, as tables are drawn."""
    return pd.to_datetime(moments, utc=True).dt.tz_localize(None).dt.as_unit("us")


class ReportFile(NamedTuple):
    """A report, the page that `workbench report` writes of it, its size, and whether its bytes are those of the first.

    The page is text: Streamlit takes it as it is, and turning five megabytes into text on every run would be felt.
    """

    report: Report
    html: str
    size: int
    unchanged: bool


def report_file(session: Session, report_id: str) -> ReportFile:
    """Return a stored report as a file; code that was changed since may have changed its looks."""
    record = read_report(session.store, report_id)
    report = Report.model_validate_json(record.body)
    html = render_html(report)
    content = html.encode()
    return ReportFile(report, html, len(content), hashlib.sha256(content).hexdigest() == record.html_sha256)


def runs_table(session: Session, limit: int = 500) -> pd.DataFrame:
    """Return one row a backtest, simulation or model in MLflow, the newest first.

    Parameters
    ----------
    limit
        How many of the newest runs are read.

    Returns
    -------
    DataFrame
        By run id: the labels of RUN_LABELS as text (`started` is a time, UTC) and the numbers of RUN_NUMBERS, NaN where
        a kind of run does not have them; label (unlike any other's), link (into the MLflow UI) and words (all labels
        in small letters, to be searched).
    """
    found = session.tracker.runs(limit)
    numbers = {f"metrics.{name}": name for name in RUN_NUMBERS}
    texts = [name for name in RUN_LABELS.values() if name != "started"]
    table = found.set_index("run_id").reindex(columns=[*RUN_LABELS, *numbers])
    table = table.rename(columns={**RUN_LABELS, **numbers})
    table = table.astype(dict.fromkeys(texts, "str") | dict.fromkeys(RUN_NUMBERS, "float64"))
    table = table[table["kind"].isin(RUN_KINDS)]
    table = table.assign(selection=table["selection"].map(SELECTION).astype("str"))
    ids = table.index.to_series().astype("str")
    return table.assign(
        label=table["name"] + " (" + ids.str[:4] + ")",
        link=ids.map(lambda run_id: run_link(session, run_id)),
        started=_utc(table["started"]),
        words=ids.str.cat(table[texts].fillna(""), sep=" ").str.lower(),
    )


def find_runs(runs: pd.DataFrame, kind: str, strategy_id: str | None = None, text: str = "") -> pd.DataFrame:
    """Return the rows of `runs_table` of one kind, of one strategy where given, that say a text anywhere."""
    found = runs["kind"] == kind
    if strategy_id is not None:
        found &= runs["strategy_id"] == strategy_id
    if text:
        found &= runs["words"].str.contains(text.lower(), regex=False)
    return runs[found]


def run_link(session: Session, run_id: str) -> str:
    """Return where the MLflow UI shows a run."""
    place = session.tracker.place
    base = place.rstrip("/") if place.startswith("http") else f"http://127.0.0.1:{session.settings.mlflow_port}"
    return f"{base}/#/runs/{run_id}"


def ingest_history(session: Session, *, limit: int = 200) -> pd.DataFrame:
    """Return the last ingests, the newest first; see `quantlib.store.read_ingest_log` for the columns."""
    return read_ingest_log(session.store, limit=limit)
