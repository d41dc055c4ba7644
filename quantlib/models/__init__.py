"""The rows that are stored, one Pydantic model per table: `MODELS` is what tables, checks and documentation go by."""

from __future__ import annotations

from quantlib.models.base import Row
from quantlib.models.events import News, Release, SecurityEvent, Sentiment, WorldEvent
from quantlib.models.macro import DerivedValue, MacroSeries, Observation, SimulatorGrade
from quantlib.models.market import Action, Bar, BarGrade, BarRevision, BarSeries, Measure, Membership, Repair, SourceRow
from quantlib.models.ops import JobProgress, Occurrence, QuarantinedRow, Schedule, StoredPayload, VendorState
from quantlib.models.promotions import Promotion
from quantlib.models.trials import Trial

MODELS: dict[str, type[Row]] = {
    "payloads": StoredPayload,
    "bars": Bar,
    "bar_revisions": BarRevision,
    "bar_series": BarSeries,
    "actions": Action,
    "measures": Measure,
    "membership": Membership,
    "sources": SourceRow,
    "bar_grades": BarGrade,
    "repairs": Repair,
    "releases": Release,
    "security_events": SecurityEvent,
    "world_events": WorldEvent,
    "news": News,
    "sentiment": Sentiment,
    "series": MacroSeries,
    "observations": Observation,
    "derived": DerivedValue,
    "realism": SimulatorGrade,
    "trials": Trial,
    "promotions": Promotion,
    "quarantine": QuarantinedRow,
    "vendors": VendorState,
    "job_progress": JobProgress,
    "schedules": Schedule,
    "occurrences": Occurrence,
}

__all__ = ["MODELS", "Row"]
