"""Derived series: numbers computed from one instrument's bars often enough to be stored. `DERIVED` lists them."""

from __future__ import annotations

from quantlib.derived.series import (
    Derived,
    drawdown_from_high,
    momentum_252,
    realised_volatility_21,
    total_return_index,
)

__all__ = ["DERIVED", "Derived"]

DERIVED: dict[str, Derived] = {
    "total_return_index": Derived(
        name="total_return_index",
        title="Total-return index",
        function=total_return_index,
        unit="index",
        note="Adjusted close over its first value, times 100.",
    ),
    "realised_volatility_21": Derived(
        name="realised_volatility_21",
        title="Realised volatility, 21 sessions",
        function=realised_volatility_21,
        unit="percent",
        note="Standard deviation of 21 daily returns, annualised.",
    ),
    "momentum_252": Derived(
        name="momentum_252",
        title="Momentum, 252 sessions",
        function=momentum_252,
        unit="percent",
        note="Adjusted close over that of 252 sessions before, minus 1.",
    ),
    "drawdown_from_high": Derived(
        name="drawdown_from_high",
        title="Drawdown from high",
        function=drawdown_from_high,
        unit="percent",
        note="Adjusted close over its highest so far, minus 1.",
    ),
}
