"""What a sweep can vary, and over which values."""

from __future__ import annotations

import pytest

from app.lab_sweep import grid_values, numeric_fields
from quantlib.backtest.sweep_grid import Grid
from quantlib.strategies import READY, STRATEGIES, Group, Strategy


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
