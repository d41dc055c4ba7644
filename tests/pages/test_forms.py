"""Forms made from a definition's fields, whoever defines them."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from quantlib.simulators import SIMULATORS
from quantlib.strategies import STRATEGIES


def simulator_form(name: str) -> None:
    import streamlit as st

    from app.forms import parameters
    from quantlib.simulators import SIMULATORS

    model = SIMULATORS[name]
    st.session_state["held"] = parameters(model, model().model_dump(), [], name, bind="query-params")


def strategy_form(name: str) -> None:
    import streamlit as st

    from app.forms import parameters
    from quantlib.strategies import STRATEGIES

    model = STRATEGIES[name]
    st.session_state["held"] = parameters(model, model().model_dump(), ["KO", "PEP", "MSFT"], name)


@pytest.mark.parametrize("name", SIMULATORS)
def test_a_simulators_form_holds_its_defaults(name):
    page = AppTest.from_function(simulator_form, args=(name,)).run()
    assert not page.exception
    assert SIMULATORS[name](**page.session_state["held"]) == SIMULATORS[name]()


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "group"])  # a group is made of parts
def test_a_strategys_form_holds_its_defaults(name):
    page = AppTest.from_function(strategy_form, args=(name,)).run()
    assert not page.exception
    held = {key: tuple(v) if isinstance(v, list) else v for key, v in page.session_state["held"].items()}
    assert STRATEGIES[name](**held) == STRATEGIES[name]()


def test_words_are_chosen_and_numbers_may_be_left_empty():
    page = AppTest.from_function(simulator_form, args=("stationary_bootstrap",)).run()
    assert page.selectbox(key="stationary_bootstrap-drift").options == ["history", "none"]
    block, window = (page.number_input(key=f"stationary_bootstrap-{name}") for name in ("block", "window"))
    assert (block.value, window.value) == (None, None)
    assert (block.proto.placeholder, window.proto.placeholder) == ("auto", "all")
    assert (block.min, window.min) == (1, 60)
    block.set_value(7.5)
    window.set_value(250)
    page.run()
    held = page.session_state["held"]
    assert (held["block"], held["window"]) == (7.5, 250)
    assert isinstance(held["window"], int)


def test_every_field_has_a_title_for_people():
    for model in (*SIMULATORS.values(), *STRATEGIES.values()):
        for name, field in model.model_fields.items():
            assert field.title, f"{model.__name__}.{name}"
