from __future__ import annotations

import pytest
from pydantic import ValidationError

from quantlib.costs import Costs, costs_of, default_costs
from quantlib.errors import DataError
from quantlib.types import Instrument


def test_defaults_are_above_zero():
    costs = Costs()
    assert (costs.commission_bps, costs.half_spread_bps, costs.borrow_bps_per_year) == (1.0, 2.0, 50.0)
    assert costs.per_side == pytest.approx(0.0003, rel=1e-12)
    assert (costs.impact_bps, costs.assumed_participation) == (100.0, 1e-4)
    assert costs.usual_side == pytest.approx(0.0004, rel=1e-12)


def test_a_side_of_10_000_costs_commission_and_half_the_spread():
    assert 10_000 * Costs(commission_bps=0.5, half_spread_bps=1.5).per_side == pytest.approx(2.0)


def test_free_costs_nothing():
    assert Costs.free().per_side == 0.0
    assert Costs.free().borrow_bps_per_year == 0.0
    assert Costs.free().usual_side == 0.0


def test_doubled_costs_double_every_price_and_leave_the_size_of_orders() -> None:
    costs = Costs(commission_bps=0.5, half_spread_bps=1.5, borrow_bps_per_year=40, impact_bps=80)
    double = costs.times(2.0)
    assert double == Costs(commission_bps=1, half_spread_bps=3, borrow_bps_per_year=80, impact_bps=160)
    assert double.usual_side == pytest.approx(2 * costs.usual_side)


def test_every_kind_of_instrument_has_costs_above_zero() -> None:
    for kind in Instrument.model_fields["kind"].annotation.__args__:
        assert min(default_costs(kind).model_dump().values()) > 0, kind
    assert default_costs("crypto").per_side > default_costs("stock").per_side > default_costs("future").per_side
    with pytest.raises(DataError, match=r"no costs of 'stonk'. Did you mean stock\?"):
        default_costs("stonk")


def test_costs_by_symbol_must_have_the_symbol() -> None:
    cheap, dear = Costs(commission_bps=0), Costs(commission_bps=9)
    assert costs_of("KO", cheap) == cheap
    assert costs_of("KO", {"KO": dear, "PEP": cheap}) == dear
    with pytest.raises(DataError, match=r"no costs of KOO. Did you mean KO\?"):
        costs_of("KOO", {"KO": dear})


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
        ({"impact_bps": 10_001}, r"impact_bps is 10001; accepted: 0 to 10,000 basis points"),
        ({"assumed_participation": 1.5}, r"assumed_participation is 1\.5; accepted: 0 to 1 of the average"),
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
