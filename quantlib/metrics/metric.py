"""The card of a metric: what a number is called, how it is written and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from quantlib.metrics.series import Kernel


@dataclass(frozen=True)
class Metric:
    """A metric as the tables, charts and reports show it.

    Parameters
    ----------
    key
        Its name in code and in stored runs.
    title
        Its name for people.
    function
        Computes it for one series; takes `periods_per_year` exactly where `annualised`.
    unit
        "percent": a fraction shown as percent; "ratio": a plain number; "count": a whole number.
    higher_is_better
        Which way is better. Losses: drawdowns are negative numbers, VaR and shortfall positive ones.
    formula
        In words and symbols: r returns, n their number, P periods a year, f the risk-free rate a period.
    reference
        Where it is defined.
    annualised
        Whether it is stated for a year.
    kernel
        The same computed on returns [..., n], along the last axis; None where returns are not what it is
        made from.
    """

    key: str
    title: str
    function: Callable[..., float]
    unit: Literal["percent", "ratio", "count"]
    higher_is_better: bool
    formula: str
    reference: str
    annualised: bool
    kernel: Kernel | None
