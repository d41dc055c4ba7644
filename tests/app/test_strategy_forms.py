"""The form of a backtest: every field of every family can be changed, and what it holds makes a strategy."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from quantlib.costs import Costs
from quantlib.errors import StrategyError
from quantlib.strategies import READY, STRATEGIES, Strategy, build

SYMBOLS = ["KO", "MSFT", "PEP", "XOM"]


def form(name: str, symbols: list[str]) -> None:
    from datetime import date

    import streamlit as st

    from app.forms import backtest
    from quantlib.strategies import READY, STRATEGIES

    base = READY[name] if name in READY else STRATEGIES[name]()
    st.session_state["held"] = backtest(base, symbols, date(1990, 1, 2), date(2022, 12, 28))


def opened(name: str, **query: str) -> AppTest:
    page = AppTest.from_function(form, kwargs={"name": name, "symbols": SYMBOLS})
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def widget(page: AppTest, key: str) -> Any:
    """Return the one widget under a key, of whatever kind."""
    kinds = (page.multiselect, page.selectbox, page.toggle, page.number_input)
    found = [one for kind in kinds for one in kind if one.key == key]
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


def other(value: Any) -> Any:
    """Return a value of the same kind that a field accepts as well."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return [*value, "XOM"] if "XOM" not in value else [s for s in value if s != "XOM"]
    return {int: lambda v: v + 1, float: lambda v: v + 0.25, str: lambda _: "XOM"}[type(value)](value)


def base(name: str) -> Strategy:
    return READY[name] if name in READY else STRATEGIES[name]()


FIELDS = [(name, field) for name in (*STRATEGIES, *READY) for field in type(base(name)).model_fields]


@pytest.mark.parametrize("name", [*STRATEGIES, *READY])
def test_untouched_it_holds_the_definition_it_started_from(name: str) -> None:
    values, costs, start, sent = opened(name).session_state["held"]
    assert build(base(name).family, values) == base(name)
    assert (costs, start, sent) == (Costs(), None, False)


@pytest.mark.parametrize(("name", "field"), FIELDS, ids="-".join)
def test_each_field_is_labelled_and_a_change_makes_another_definition(name: str, field: str) -> None:
    strategy = base(name)
    page = opened(name)
    one = widget(page, f"{strategy.id}-{field}")
    assert one.label == type(strategy).model_fields[field].title
    wanted = other(getattr(strategy, field))
    one.set_value(wanted)
    page.button[0].click().run()
    assert not page.exception
    values, _, _, sent = page.session_state["held"]
    made = build(strategy.family, values)
    assert sent
    expected = tuple(wanted) if isinstance(wanted, list) else wanted
    assert {key: value for key, value in made if value != getattr(strategy, key)} == {field: expected}
    assert type(getattr(made, field)) is type(getattr(strategy, field))
    page.run()
    assert not page.session_state["held"][3]  # sent is that one run only


def test_symbols_are_those_stored_and_those_of_the_definition() -> None:
    page = opened("pair")
    assert page.selectbox[0].options == SYMBOLS
    assert set(opened("rotation").multiselect[0].options) == {*SYMBOLS, *STRATEGIES["rotation"]().symbols}


def test_bounds_of_a_field_are_bounds_of_its_box() -> None:
    page = opened("ma_cross")
    fast = widget(page, f"{STRATEGIES['ma_cross']().id}-fast")
    assert (fast.min, fast.max, fast.step) == (1, 500, 1)
    assert fast.help == "Sessions."


def test_no_symbol_is_refused_when_it_is_built() -> None:
    page = opened("ma_cross")
    page.multiselect[0].set_value([])
    page.button[0].click().run()
    values, *_ = page.session_state["held"]
    with pytest.raises(StrategyError, match=r"^Moving-average cross: universe "):
        build("ma_cross", values)


def test_costs_and_start_stand_in_the_address() -> None:
    page = opened("pair", commission_bps="2.5", borrow_bps_per_year="75", **{"from": "2010-01-04"})
    _, costs, start, _ = page.session_state["held"]
    assert costs == Costs(commission_bps=2.5, borrow_bps_per_year=75)
    assert str(start) == "2010-01-04"
    page.number_input(key="half_spread_bps").set_value(4.0)
    page.button[0].click().run()
    assert page.session_state["held"][1].half_spread_bps == 4.0


def test_what_is_out_of_bounds_in_the_address_is_not_taken() -> None:
    _, costs, start, _ = opened("pair", commission_bps="-3", **{"from": "2030-01-01"}).session_state["held"]
    assert (costs, start) == (Costs(), None)
