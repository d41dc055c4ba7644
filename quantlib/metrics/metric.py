"""The card of a metric: what a number is called, how it is written and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from quantlib.metrics.series import Kernel

MadeFrom = Literal["returns", "benchmark", "account", "trades", "flows"]
"""What a metric is made from: returns; returns and those of a benchmark; an account's traded notional and weights;
closed trades; values of an account with the money paid in and out."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric as the tables, charts and reports show it.

    Parameters
    ----------
    key
        Its name in code and in stored runs.
    title
        Its name for people.
    function
        Computes it for one record; takes `periods_per_year` exactly where `annualised`.
    unit
        "percent": a fraction shown as percent; "ratio": a plain number; "count": a whole number.
    higher_is_better
        Which way is better; None where neither is. Losses: drawdowns are negative numbers, VaR and shortfall
        positive ones.
    formula
        In words and symbols: r returns, n their number, P periods a year, f the risk-free rate a period, b returns of
        the benchmark.
    reference
        Where it is defined.
    annualised
        Whether it is stated for a year.
    made_from
        What record it needs.
    kernel
        The same computed along the last axis of columns [..., n]: returns; returns, benchmark; share of equity traded,
        gross, net exposure; return and profit of trades. None where there is no interval to draw.
    least
        Observations below which it is unknown: an amount says what was, a ratio of few says nothing.
    differs
        How the number of quantstats or empyrical differs, and why; empty where it is the same or they have none.
    """

    key: str
    title: str
    function: Callable[..., float]
    unit: Literal["percent", "ratio", "count"]
    higher_is_better: bool | None
    formula: str
    reference: str
    annualised: bool
    kernel: Kernel | None
    made_from: MadeFrom = "returns"
    least: int = 1
    differs: str = ""
