"""Stops, limits and execution as definitions: overlapping caps and values out of bounds are refused by place."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from quantlib.errors import StrategyError
from quantlib.risk import Execution, Limits, Stops
from quantlib.strategies import Group, build


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_net": 3.0}, r"max_net \(3\) is above max_gross \(2\), so it could never bind; give 2 or less"),
        ({"max_weight": 2.5}, r"max_weight \(2\.5\) is above max_gross \(2\), so it could never bind; give 2 or less"),
        ({"max_gross": 0.5, "max_weight": 0.6}, r"max_weight \(0\.6\) is above max_gross \(0\.5\)"),
        ({"max_gross": 4.0}, r"max_gross \(4\) with maintenance 0\.25 is a margin call at once; .* must be below 4"),
        ({"max_gross": 2.0, "maintenance": 0.5}, r"max_gross \(2\) with maintenance 0\.5 .* must be below 2"),
        ({"max_gross": 0.0}, r"^Limits: max_gross is 0\.0; accepted: greater than 0\.$"),
        (
            {"max_gross": float("inf")},
            r"^Limits: max_gross is inf; accepted: (a finite number|less than or equal to 10)",
        ),
        ({"drawdown": 1.0}, r"^Limits: drawdown is 1\.0; accepted: less than 1\.$"),
        ({"cool_down": 0}, r"^Limits: cool_down is 0; accepted: greater than or equal to 1\.$"),
        ({"cool_down": "soon"}, r"^Limits: cool_down is 'soon'; accepted: a valid integer\.$"),
        ({"max_gros": 1.0}, r"^Limits has no 'max_gros'\. Did you mean max_gross\?$"),
    ],
)
def test_caps_that_contradict_each_other_are_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message):
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
    with pytest.raises(StrategyError, match=rf"^Stops: {name} is 0; accepted: greater than"):
        Stops(**{name: 0})


def test_what_is_no_stop_by_itself() -> None:
    assert not Stops(watch="intrabar", same_bar="optimistic", reentry=5).any
    with pytest.raises(StrategyError, match=r"reentry is 'never'; accepted: 'reset' or 'next', or a valid integer\.$"):
        Stops(reentry="never")
    with pytest.raises(StrategyError, match=r"^Execution: fill is 'mid'; accepted: 'open' or 'close'\.$"):
        Execution(fill="mid")


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        ({"loss": -1}, r"stops\.loss should be greater than 0 \(got -1\)"),
        ({"los": 1}, r"stops\.los is not a parameter\. Did you mean loss\?"),
    ],
)
def test_as_a_part_of_a_definition_the_fault_is_told_with_its_place_in_that(stops: dict[str, Any], said: str) -> None:
    parts: dict[str, Any] = {"legs": ("KO", "PEP"), "timing": {"kind": "band"}, "stops": stops}
    with pytest.raises(StrategyError, match=said):
        build("group", parts)
    with pytest.raises(ValidationError) as refused:
        Group(**parts)
    assert refused.value.errors()[0]["loc"] == ("stops", next(iter(stops)))


def test_what_was_accepted_travels_and_stays_as_it_is() -> None:
    stops = Stops(loss=0.1, reentry=5)
    assert pickle.loads(pickle.dumps(stops)) == stops == Stops.model_validate_json(stops.model_dump_json())
    assert Group(legs=("KO", "PEP"), timing={"kind": "band"}, stops=stops).stops is stops
    with pytest.raises(ValidationError, match="frozen"):
        stops.loss = 0.2  # type: ignore[misc]  # that is what is tried
