"""What a sweep can vary, and over which values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd
import pytest

from app.lab_sweep import called, grid_values, numeric_fields
from quantlib.backtest.sweep_grid import Grid
from quantlib.backtest.sweep_result import SweepResult
from quantlib.costs import Costs
from quantlib.strategies import READY, STRATEGIES, Group, Strategy
from quantlib.workflows.sweeping import StoredSweep


@pytest.mark.parametrize("strategy", [*STRATEGIES.values()], ids=STRATEGIES)
def test_what_is_offered_is_what_a_sweep_takes(strategy: type[Strategy]) -> None:
    made = strategy()
    offered = list(numeric_fields(made))
    assert len(offered) >= 2
    for name, title, value in offered:
        assert title[0].isupper()
        assert list(Grid.of(made, {name: [value]}).values) == [name]


@pytest.mark.parametrize("strategy", READY.values(), ids=READY)
def test_ready_definitions_offer_numbers_of_theirs(strategy: Strategy) -> None:
    names = [name for name, *_ in numeric_fields(strategy)]
    assert len(names) == len(set(names)) >= 2
    assert "schema_version" not in names


def test_parts_are_named_by_their_place_and_legs_by_their_symbol() -> None:
    found = {name: (title, value) for name, title, value in numeric_fields(Group(legs=("KO", "PEP")))}
    assert found["legs.1.weight"] == ("PEP: Weight", -1.0)
    assert found["timing.entry"] == ("Entry z", 2.0)
    assert "stops.loss" not in found  # not set, so there is nothing around which to vary it


@pytest.mark.parametrize(
    ("low", "high", "steps", "whole", "values"),
    [
        (1.0, 3.0, 5, False, [1.0, 1.5, 2.0, 2.5, 3.0]),
        (126, 378, 5, True, [126, 189, 252, 315, 378]),
        (1, 3, 7, True, [1, 2, 3]),
        (2.0, 2.0, 4, False, [2.0]),
        (0.1, 0.3, 3, False, [0.1, 0.2, 0.3]),
    ],
)
def test_values_are_even_and_stand_once(low: float, high: float, steps: int, whole: bool, values: list[float]) -> None:
    made = grid_values(low, high, steps, whole=whole)
    assert made == values
    assert {type(value) for value in made} == {int if whole else float}


def made(values: Sequence[Any], *, start: date | None = None, costs: Costs | None = None) -> StoredSweep:
    pair = Group(legs=("KO", "PEP"))
    result = SweepResult(pd.DataFrame(), pd.DataFrame(), (), len(values), Grid.of(pair, {"stops.loss": values}))
    return StoredSweep("sweep-1", "A pair", pair, result, date(2022, 12, 28), costs or Costs.free(), start, "sample")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.1, 0.05, 0.2], "0.05–0.2"),
        ([None, 0.05], "not set, 0.05"),
        (["ols", "tls"], "ols, tls"),
        ([True, False], "True, False"),
    ],
)
def test_a_sweep_is_called_by_the_ends_of_numbers_and_by_all_of_anything_else(values: list[Any], said: str) -> None:
    label = called(made(values), {"stops.loss": ("Loss", 0.1)})
    assert label.startswith(f"Loss {said}; all sessions up to 2022-12-28; 0.0 bps of every amount traded")


def test_sweeps_of_other_spans_and_costs_are_called_something_else() -> None:
    one, late, dear = made([1]), made([1], start=date(2019, 1, 2)), made([1], costs=Costs(commission_bps=50.0))
    labels = [called(sweep, {}) for sweep in (one, late, dear)]
    assert len(set(labels)) == 3
    assert "sessions from 2019-01-02 up to 2022-12-28" in labels[1]
