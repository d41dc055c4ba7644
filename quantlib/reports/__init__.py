"""Reports: results in, recommendations and one self-contained page out. No database, no network."""

from __future__ import annotations

from quantlib.reports.render import render_html
from quantlib.reports.types import (
    Check,
    MetricValue,
    Provenance,
    Recommendation,
    Report,
    SignalState,
    SimulatedOutcome,
    VerdictSummary,
    WeightChange,
)

__all__ = [
    "Check",
    "MetricValue",
    "Provenance",
    "Recommendation",
    "Report",
    "SignalState",
    "SimulatedOutcome",
    "VerdictSummary",
    "WeightChange",
    "render_html",
]
