"""Reading: what is stored, arranged for people to look at. Nothing here computes a strategy or writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import sparkline
from quantlib.charts.theme import TEMPLATES
from quantlib.reports.types import Report
from quantlib.store import coverage, read_ingest_log, read_report, read_reports
from quantlib.types import Panel
from quantlib.workflows.research import choose_source, load_panel
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


def market_table(session: Session, universe_list: str = "all") -> pd.DataFrame:
    """Return one row a stored symbol of a list: its facts, last close, changes over time, volatility and a sparkline.

    Columns: symbol, name, kind, sector, last, session, day, month, year (simple returns over 1, 21 and 252 of its
    own sessions, NaN where there are fewer), volatility (annualised, last 63 sessions), year_line.
    """
    bars = coverage(session.store)
    here = set() if bars.empty else set(bars.loc[bars["source"] == choose_source(session), "symbol"])
    symbols = [s for s in session.universe.symbols(universe_list) if s in here]
    if not symbols:
        return pd.DataFrame(columns=["symbol"])
    panel = load_panel(session, symbols)
    facts = {i.symbol: (i.name, i.kind, i.sector) for i in session.universe.instruments}
    rows = [_market_row(panel.select([symbol]), *facts[symbol]) for symbol in panel.symbols]
    return pd.DataFrame(rows)


def _market_row(panel: Panel, name: str, kind: str, sector: str) -> dict[str, object]:
    own = panel.complete()
    close = own.close[:, 0]

    def change(sessions: int) -> float:
        return float(close[-1] / close[-1 - sessions] - 1.0) if len(close) > sessions else float("nan")

    moves = np.diff(np.log(close[-64:]))
    volatility = float(moves.std(ddof=1) * np.sqrt(own.periods_per_year)) if len(moves) > 20 else float("nan")
    return {
        "symbol": panel.symbols[0],
        "name": name,
        "kind": kind,
        "sector": sector,
        "last": float(close[-1]),
        "session": own.index[-1],
        "day": change(1),
        "month": change(21),
        "year": change(252),
        "volatility": volatility,
        "year_line": sparkline(close[-252:]),
    }
