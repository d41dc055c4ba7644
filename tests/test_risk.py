"""Stops, limits and execution as definitions: overlapping caps and values out of bounds are refused by place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from quantlib.risk import Execution, Limits, Stops


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_net": 3.0}, r"max_net \(3\) is above max_gross \(2\), so it could never bind; give 2 or less"),
        ({"max_weight": 2.5}, r"max_weight \(2\.5\) is above max_gross \(2\), so it could never bind; give 2 or less"),
        ({"max_gross": 0.5, "max_weight": 0.6}, r"max_weight \(0\.6\) is above max_gross \(0\.5\)"),
        ({"max_gross": 4.0}, r"max_gross \(4\) with maintenance 0\.25 is a margin call at once; .* must be below 4"),
        ({"max_gross": 2.0, "maintenance": 0.5}, r"max_gross \(2\) with maintenance 0\.5 .* must be below 2"),
        ({"max_gross": 0.0}, r"max_gross\n +Input should be greater than 0 .*input_value=0\.0"),
        ({"max_gross": float("inf")}, r"max_gross\n +Input should be (a finite number|less than or equal to 10)"),
        ({"drawdown": 1.0}, r"drawdown\n +Input should be less than 1 .*input_value=1\.0"),
        ({"cool_down": 0}, r"cool_down\n +Input should be greater than or equal to 1"),
        ({"max_gros": 1.0}, r"max_gros\n +Extra inputs are not permitted"),
    ],
)
def test_caps_that_contradict_each_other_are_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Limits(**limits)


def test_caps_at_each_others_edge_are_accepted() -> None:
    assert Limits(max_net=2.0, max_weight=2.0).max_net == 2.0
    assert Limits(max_gross=3.99).maintenance == 0.25
    assert Limits(max_gross=10.0, maintenance=0.0).max_gross == 10.0
    assert Limits(max_gross=1.0, maintenance=0.99).maintenance == 0.99


@pytest.mark.parametrize("name", ["loss", "profit", "trailing", "time", "volatility", "spread_z"])
def test_each_stop_counts_and_must_be_above_zero(name: str) -> None:
    assert not Stops().any
    assert Stops(**{name: 2}).any
    with pytest.raises(ValidationError, match=rf"{name}\n +Input should be greater than"):
        Stops(**{name: 0})


def test_what_is_no_stop_by_itself() -> None:
    assert not Stops(watch="intrabar", same_bar="optimistic", reentry=5).any
    with pytest.raises(ValidationError, match="reentry"):
        Stops(reentry="never")
    with pytest.raises(ValidationError, match=r"fill\n +Input should be 'open' or 'close'"):
        Execution(fill="mid")
