from __future__ import annotations

import pytest
from pydantic import ValidationError

from quantlib.costs import Costs
from quantlib.errors import DataError


def test_defaults_are_above_zero():
    costs = Costs()
    assert (costs.commission_bps, costs.half_spread_bps, costs.borrow_bps_per_year) == (1.0, 2.0, 50.0)
    assert costs.per_side == pytest.approx(0.0003, rel=1e-12)


def test_a_side_of_10_000_costs_commission_and_half_the_spread():
    assert 10_000 * Costs(commission_bps=0.5, half_spread_bps=1.5).per_side == pytest.approx(2.0)


def test_free_costs_nothing():
    assert Costs.free().per_side == 0.0
    assert Costs.free().borrow_bps_per_year == 0.0


def test_json_round_trip_and_value_equality():
    costs = Costs(commission_bps=0.35, borrow_bps_per_year=120)
    again = Costs.model_validate_json(costs.model_dump_json())
    assert again == costs
    assert hash(again) == hash(costs)


def test_frozen():
    costs = Costs()
    with pytest.raises(ValidationError, match="frozen"):
        costs.commission_bps = 0.0
    assert costs.commission_bps == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"commission_bps": -1}, r"commission_bps is -1; accepted: 0 to 1,000 basis points"),
        ({"half_spread_bps": 1_000.5}, r"half_spread_bps is 1000\.5; accepted: 0 to 1,000"),
        ({"borrow_bps_per_year": float("nan")}, r"borrow_bps_per_year is nan; accepted: 0 to 100,000"),
        ({"half_spread_bps": float("inf")}, r"half_spread_bps is inf"),
        ({"commission_bps": "cheap"}, r"commission_bps is 'cheap'"),
        ({"comission_bps": 1}, r"no 'comission_bps'. Did you mean commission_bps\?"),
    ],
)
def test_bad_values_are_refused_in_one_line(given, message):
    with pytest.raises(DataError, match=message) as caught:
        Costs(**given)
    assert "\n" not in str(caught.value)


def test_broken_json_is_refused():
    with pytest.raises(DataError, match="Costs cannot be read"):
        Costs.model_validate("3 bps")
