"""Event studies: what prices did around events beyond what a model expects, and whether chance would do as much."""

from __future__ import annotations

from quantlib.event_study.days import event_days
from quantlib.event_study.result import DoseResponse, EventStudy, Model
from quantlib.event_study.study import study

__all__ = ["DoseResponse", "EventStudy", "Model", "event_days", "study"]
