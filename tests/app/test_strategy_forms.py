"""The form of a definition: it holds what it started from, takes every change, and says what is wrong with one."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.lab_draft import Draft
from app.lab_form import legs_of
from quantlib.costs import Costs
from quantlib.strategies import READY, STRATEGIES, Group, Strategy, build
from quantlib.strategies.difference import diff
from quantlib.strategies.legs import KINDS, LEGS, METHODS
from quantlib.strategies.timing import TIMINGS

SYMBOLS = ["CVX", "KO", "MSFT", "PEP", "XOM"]
NAMES = (*STRATEGIES, *READY)
GROUPS = [name for name in READY if isinstance(READY[name], Group)]
PLAIN = [name for name in NAMES if name not in GROUPS and name != "group"]


def form(family: str, params: dict[str, object], symbols: list[str]) -> None:
    import streamlit as st

    from app.lab_draft import Draft
    from app.lab_form import definition_form
    from quantlib.strategies import build

    draft = st.session_state.setdefault("draft", Draft("It", build(family, params)))
    held = definition_form(draft, symbols)
    st.session_state["held"] = held
    draft.typed(held)


def terms() -> None:
    import streamlit as st

    from app.forms import costs

    st.session_state["held"] = costs("3.0 bps of every amount traded")


def base(name: str) -> Strategy:
    return READY[name] if name in READY else STRATEGIES[name]()


def opened(strategy: Strategy) -> AppTest:
    page = AppTest.from_function(form, args=(strategy.family, strategy.model_dump(), SYMBOLS), default_timeout=30)
    page.run()
    assert not page.exception
    return page


def draft_of(page: AppTest) -> Draft:
    found: Draft = page.session_state["draft"]
    return found


def widgets(page: AppTest) -> list[Any]:
    return [*page.multiselect, *page.selectbox, *page.toggle, *page.number_input, *page.text_area, *page.button_group]


def widget(page: AppTest, ending: str) -> Any:
    """Return the one widget whose key ends so, of whatever kind."""
    found = [one for one in widgets(page) if str(one.key).endswith(f"-{ending}")]
    assert len(found) == 1, f"{ending}: {found}"
    return found[0]


def other(value: Any) -> Any:
    """Return a value of the same kind that a field accepts as well."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return [*value, "XOM"] if "XOM" not in value else [s for s in value if s != "XOM"]
    return {int: lambda v: v + 1, float: lambda v: v + 0.25, str: lambda _: "XOM"}[type(value)](value)


@pytest.mark.parametrize("name", NAMES)
def test_untouched_it_holds_the_definition_it_started_from(name: str) -> None:
    page = opened(base(name))
    draft = draft_of(page)
    assert build(draft.family, draft.params) == base(name)
    assert draft.holds(page.session_state["held"])  # so that looking at the form is not taken for a change
    assert (draft.strategy, draft.fault, draft.changed, draft.turn) == (base(name), "", False, 1)
    page.run()
    assert draft_of(page).strategy == base(name)


def test_weights_and_durations_of_legs_are_held_too() -> None:
    legs = tuple({"symbol": s, "weight": w, "duration": d} for s, w, d in (("KO", 2.5, 7.0), ("PEP", -2.5, 3.25)))
    odd = Group(legs=legs, hedge={"method": "dv01"})
    assert draft_of(opened(odd)).strategy == odd


@pytest.mark.parametrize("name", PLAIN)
def test_each_field_is_labelled_and_a_change_makes_another_definition(name: str) -> None:
    strategy = base(name)
    page = opened(strategy)
    for field in type(strategy).model_fields:
        one = widget(page, field)
        assert one.label == type(strategy).model_fields[field].title
        before, wanted = one.value, other(getattr(strategy, field))
        one.set_value(wanted).run()
        assert not page.exception
        made = draft_of(page).strategy
        assert made is not None
        expected = tuple(wanted) if isinstance(wanted, list) else wanted
        assert {key: value for key, value in made if value != getattr(strategy, key)} == {field: expected}
        assert type(getattr(made, field)) is type(getattr(strategy, field))
        widget(page, field).set_value(before).run()
        assert draft_of(page).strategy == strategy


@pytest.mark.parametrize("name", ["group", *GROUPS])
def test_every_number_of_a_group_changes_one_thing_and_back_again_nothing(name: str) -> None:
    strategy = base(name)
    page = opened(strategy)
    labels = [(one.key, one.value) for one in page.number_input]
    assert len(labels) >= 5
    if ("group-1-rotation-rank-top", 1) in labels:
        labels.remove(("group-1-rotation-rank-top", 1))  # none at all would be refused
    for key, value in labels:
        one = page.number_input(key=key)
        # Of places to fill there is room for fewer at least.
        steps = {int: -1 if key.endswith("-top") else 1, float: 0.125}
        wanted = 7 if value is None else value + steps[type(value)]
        one.set_value(wanted).run()
        draft = draft_of(page)
        assert not page.exception
        if key.endswith("-bottom") and draft.strategy is None:  # all legs are bought already
            assert re.search(r"timing.bottom are (\d+) and 1, of \1 legs", draft.fault)
            page.number_input(key=key).set_value(value).run()
            continue
        assert draft.strategy is not None, f"{key}: {draft.fault}"
        # A window left to stand for several things says so once for each.
        changes = diff(strategy, draft.strategy)
        assert len(changes) == 1, f"{key}: {changes}"
        assert one.label.lower() in changes[0].sentence.lower()
        page.number_input(key=key).set_value(value).run()
        assert draft_of(page).strategy == strategy


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_is_a_definition_at_once_and_has_the_usual_of_its_kind(kind: str) -> None:
    page = opened(READY["Exxon against Chevron"])
    widget(page, "kind").set_value(kind).run()
    draft = draft_of(page)
    assert not page.exception
    assert isinstance(draft.strategy, Group), draft.fault
    assert draft.strategy.kind == kind
    assert draft.strategy.symbols[:2] == ("XOM", "CVX")[: LEGS[kind][1]]
    assert draft.strategy.direction == Group(kind=kind, legs=draft.strategy.symbols).direction
    offered = widget(page, "timing")
    assert len(offered.options) == len(TIMINGS[kind])
    methods = [one for one in page.selectbox if str(one.key).endswith("-method")]
    assert [len(one.options) for one in methods] == ([] if kind == "outright" else [len(METHODS[kind])])


def test_a_kind_and_back_is_the_pair_again_with_its_legs() -> None:
    page = opened(Group(legs=("XOM", "CVX")))
    widget(page, "kind").set_value("fly").run()
    assert draft_of(page).strategy is not None
    widget(page, "kind").set_value("pair").run()
    assert draft_of(page).strategy == Group(legs=("XOM", "CVX"))


@pytest.mark.parametrize("method", METHODS["pair"])
def test_every_ratio_is_a_definition_or_says_what_it_misses(method: str) -> None:
    page = opened(Group(legs=("XOM", "CVX")))
    widget(page, "method").set_value(method).run()
    draft = draft_of(page)
    assert not page.exception
    if method == "dv01":
        assert draft.strategy is None
        assert "duration" in draft.fault
    else:
        assert isinstance(draft.strategy, Group), draft.fault
        assert draft.strategy.hedge.method == method
    windows = [one for one in page.number_input if str(one.key).endswith("-hedge-lookback")]
    assert len(windows) == (method not in {"fixed", "dollar_neutral", "dv01"})
    assert len([one for one in page.number_input if str(one.key).endswith("-drift")]) == (method == "kalman")


def test_rules_are_written_in_the_condition_grammar_and_the_place_of_a_fault_is_shown() -> None:
    page = opened(READY["RSI-2"])
    assert draft_of(page).strategy == READY["RSI-2"]
    widget(page, "rules-long").set_value("rsi(close, 3) < 5 and close > sma(close, 150)").run()
    draft = draft_of(page)
    assert [change.place for change in diff(READY["RSI-2"], draft.strategy)] == ["timing.long"]  # type: ignore[arg-type]
    widget(page, "rules-long").set_value("rsi(close, 3) < 5 and smaa(close, 5) > 3").run()
    draft = draft_of(page)
    assert draft.strategy is None
    assert "timing.long cannot be read" in draft.fault
    assert "sma" in draft.fault.replace("smaa", "")  # the nearest name
    caret = draft.fault.splitlines()[-1]
    typed = next(line for line in draft.fault.splitlines() if line.lstrip().startswith("rsi(close, 3)"))
    assert typed[caret.index("^") :].startswith("smaa")
    widget(page, "rules-long").set_value("").run()
    assert "there is no entry" in draft_of(page).fault


def test_a_fault_names_place_what_came_and_what_is_accepted_and_goes_when_mended() -> None:
    page = opened(Group(legs=("KO", "PEP")))
    widget(page, "band-exit").set_value(3.0).run()
    draft = draft_of(page)
    assert draft.strategy is None
    assert draft.fault == "Group: timing.exit (3) must be below entry (2), else a trade would end where it starts"
    assert draft.params["timing"]["exit"] == 3.0  # what was typed stays
    widget(page, "band-entry").set_value(4.0).run()
    assert draft_of(page).fault == ""
    assert [c.place for c in diff(draft.base, draft_of(page).strategy)] == ["timing.entry", "timing.exit"]  # type: ignore[arg-type]


def test_no_symbol_is_refused() -> None:
    page = opened(STRATEGIES["ma_cross"]())
    page.multiselect[0].set_value([]).run()
    assert draft_of(page).strategy is None
    assert draft_of(page).fault.startswith("Moving-average cross: universe ")


def test_a_volatility_target_comes_and_goes_by_its_switch() -> None:
    page = opened(Group(legs=("KO", "PEP")))
    page.toggle[0].set_value(True).run()
    made = draft_of(page).strategy
    assert isinstance(made, Group)
    assert made.volatility_target is not None
    widget(page, "volatility-annual").set_value(0.2).run()
    made = draft_of(page).strategy
    assert isinstance(made, Group)
    assert made.volatility_target is not None
    assert made.volatility_target.annual == 0.2
    page.toggle[0].set_value(False).run()
    assert draft_of(page).strategy == Group(legs=("KO", "PEP"))


def test_a_stop_may_wait_for_a_number_of_sessions() -> None:
    page = opened(Group(legs=("KO", "PEP")))
    widget(page, "reentry").set_value("after n sessions").run()
    widget(page, "reentry-sessions").set_value(11).run()
    made = draft_of(page).strategy
    assert isinstance(made, Group)
    assert made.stops.reentry == 11


def test_symbols_are_those_stored_and_those_of_the_definition() -> None:
    page = opened(STRATEGIES["pair"]())
    assert page.selectbox[0].options == SYMBOLS
    own = STRATEGIES["rotation"]()
    assert set(opened(own).multiselect[0].options) == {*SYMBOLS, *own.symbols}


def test_choices_are_told_in_words_and_kept_as_they_are() -> None:
    page = opened(Group(legs=("KO", "PEP")))
    ways = widget(page, "band-way")
    assert ways.options == ["back to the mean", "away from the mean"]
    ways.set_value("follow").run()
    made = draft_of(page).strategy
    assert isinstance(made, Group)
    assert made.timing.way == "follow"  # type: ignore[union-attr]


def test_bounds_of_a_field_are_bounds_of_its_box() -> None:
    fast = widget(opened(STRATEGIES["ma_cross"]()), "fast")
    assert (fast.min, fast.max, fast.step) == (1, 500, 1)
    assert fast.help == "Sessions."
    loss = widget(opened(Group(legs=("KO", "PEP"))), "stops-loss")
    assert (loss.min, loss.max, loss.value) == (0.0, 10.0, None)


def test_legs_without_a_symbol_are_left_out_and_so_is_a_weight_that_is_not_given() -> None:
    table = pd.DataFrame(
        {"symbol": ["KO", None, "", "PEP"], "weight": [1.0, 2.0, 3.0, None], "duration": [None, None, None, 4.5]}
    )
    assert legs_of(table) == [
        {"symbol": "KO", "weight": 1.0, "duration": None},
        {"symbol": "PEP", "duration": 4.5},
    ]


def costs_page(**query: str) -> AppTest:
    page = AppTest.from_function(terms)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def test_costs_are_the_usual_ones_until_somebody_says_otherwise() -> None:
    page = costs_page()
    assert page.session_state["held"] is None
    assert not page.number_input
    assert "3.0 bps of every amount traded" in page.caption[0].value
    page.toggle(key="own_costs").set_value(True).run()
    assert page.session_state["held"] == Costs()
    page.number_input(key="half_spread_bps").set_value(4.0).run()
    assert page.session_state["held"] == Costs(half_spread_bps=4.0)
    page.toggle(key="own_costs").set_value(False).run()
    assert page.session_state["held"] is None


@pytest.mark.parametrize("own", [{}, {"own_costs": "true"}])
def test_costs_in_the_address_are_taken(own: dict[str, str]) -> None:
    page = costs_page(commission_bps="2.5", borrow_bps_per_year="75", **own)
    assert page.session_state["held"] == Costs(commission_bps=2.5, borrow_bps_per_year=75)


def test_the_choice_of_the_default_costs_stands_in_the_address() -> None:
    assert costs_page(own_costs="true").session_state["held"] == Costs()


def test_what_is_out_of_bounds_in_the_address_is_not_taken() -> None:
    assert costs_page(commission_bps="-3").session_state["held"] == Costs()
