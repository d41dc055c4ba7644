"""What the tests of sweeps share: a definition to vary, and the backtest of every row."""

from __future__ import annotations

from typing import Any

import pytest

from quantlib.backtest import run
from quantlib.backtest.sweep_result import SweepResult
from quantlib.strategies import MACross
from quantlib.types import Panel


def ma(panel: Panel, **more: Any) -> MACross:
    return MACross(universe=panel.symbols, fast=5, slow=20, **more)


def assert_equal_to_runs(found: SweepResult, panel: Panel, **how: Any) -> None:
    """Hold every row against the summary of its own backtest."""
    assert len(found.table)
    for row in found.table.index:
        one = found.definition(row)
        own = panel.select(one.strategy.inputs)
        targets = one.strategy.targets(own)
        result = run(
            own,
            targets,
            stops=one.stops,
            spread_z=one.strategy.spread_z(own),
            linked=one.strategy.linked,
            legs=one.strategy.symbols,
            **how,
        )
        summary = result.summary(samples=0)["value"]
        for key in found.metrics:
            assert found.table.loc[row, key] == pytest.approx(summary[key], rel=1e-9, abs=1e-12, nan_ok=True), (
                row,
                key,
            )
