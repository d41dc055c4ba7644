"""Reading: what is stored, arranged for people to look at. Nothing here computes a strategy or writes."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts.theme import TEMPLATES
from quantlib.reports.types import Report
from quantlib.store import coverage, read_ingest_log, read_report, read_reports
from quantlib.workflows.session import Session


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
