"""Conditions: one small safe language for timing, gates and alerts, evaluated on a panel; see docs/conditions.md."""

from __future__ import annotations

from quantlib.conditions.condition import Condition, parse
from quantlib.conditions.errors import ConditionError
from quantlib.conditions.evaluator import evaluate, evaluate_each
from quantlib.conditions.extras import EXTRAS, extra_key, extra_parts
from quantlib.conditions.functions import FUNCTIONS
from quantlib.conditions.trace import Trace, explain

__all__ = [
    "EXTRAS",
    "FUNCTIONS",
    "Condition",
    "ConditionError",
    "Trace",
    "evaluate",
    "evaluate_each",
    "explain",
    "extra_key",
    "extra_parts",
    "parse",
]
