"""The simulator page under a reader's hands: a price at once, a strategy on Run, and nothing lost on the way."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from skfolio.datasets import load_sp500_dataset
from streamlit.testing.v1 import AppTest

from app import cache
from quantlib.charts.numbers import percent, signed_percent
from quantlib.errors import DataError
from quantlib.simulators import GBM
from quantlib.strategies import READY
from quantlib.types import Panel
from quantlib.workflows import worlds
from quantlib.workflows.time_machine import go_back

WORLDS = "60"


def numbers(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def press_run(page: AppTest) -> AppTest:
    (button,) = [button for button in page.button if button.label == "Run"]
    return button.click().run()


def charts(page: AppTest) -> list[list[str]]:
    specs = [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]
    return [[trace.get("name", "") for trace in spec["data"]] for spec in specs]


def test_a_price_is_simulated_without_pressing_anything(app):
    page = app("simulator")
    assert list(numbers(page)) == ["Mean", "Loses", "1 in 20 below", "Median", "1 in 20 above"]
    assert len(charts(page)) == 2
    assert not page.info


def test_its_numbers_are_those_of_the_simulator(app):
    page = app("simulator", symbol="KO", world=GBM.title, run__worlds="500", run__horizon="10", run__seed="3")
    close = load_sp500_dataset()[["KO"]]
    ends = GBM().closes(Panel.from_frames(close), n=500, horizon=10, seed=3)[:, -1, 0] / close["KO"].iloc[-1] - 1
    assert numbers(page) == {
        "Mean": signed_percent(ends.mean()),
        "Loses": percent((ends < 0).mean()),
        "1 in 20 below": signed_percent(np.quantile(ends, 0.05)),
        "Median": signed_percent(np.median(ends)),
        "1 in 20 above": signed_percent(np.quantile(ends, 0.95)),
    }


def test_both_worlds_are_compared(app):
    page = app("simulator", tab="All worlds")
    assert list(page.dataframe[0].value["world"]) == ["Stationary bootstrap", "Geometric Brownian motion"]


def test_what_was_fitted_is_shown(app):
    page = app("simulator", symbol="KO", tab="What was fitted")
    fit = page.dataframe[0].value
    moves = np.diff(np.log(load_sp500_dataset()["KO"]))
    assert fit["volatility"].iloc[0] == pytest.approx(100 * moves.std() * np.sqrt(252), abs=0.05)
    assert any("Mean block" in text.value for text in page.markdown)


def test_a_strategy_waits_for_run_and_shows_the_newest_report_till_then(app):
    page = app("simulator", look="Strategy")
    assert "Press Run" in page.info[0].value
    assert len(charts(page)) == 1
    assert not page.metric


def test_a_run_shows_the_strategy_beside_holding_and_stays_when_inputs_change(app):
    page = press_run(app("simulator", look="Strategy", strategy="Coke against Pepsi", run__worlds=WORLDS))
    assert not page.exception
    assert not page.error
    assert not page.info
    ran = numbers(page)
    assert all(metric.delta for metric in page.metric), "each number stands against holding"
    assert [tab.label for tab in page.tabs] == [
        "Outcomes",
        "Beside holding",
        "All worlds",
        "What was fitted",
        "How real",
    ]

    page.selectbox(key="world").select(GBM.title).run()
    assert numbers(page) == ran, "nothing vanishes"
    assert "Press Run" in page.info[0].value
    page.run()
    assert numbers(page) == ran

    press_run(page)
    assert not page.info
    assert numbers(page) != ran


def test_leaving_a_strategy_and_coming_back_finds_its_worlds(app):
    page = press_run(app("simulator", look="Strategy", strategy="Coke against Pepsi", run__worlds=WORLDS))
    ran = numbers(page)
    page.selectbox(key="strategy").select("Factor ETF switch").run()
    assert not page.metric
    page.selectbox(key="strategy").select("Coke against Pepsi").run()
    assert numbers(page) == ran


def test_the_date_is_the_symbols_own(app):
    strip = app("simulator", symbol="^IXIC").markdown[0].value
    assert "2018-12-31" in strip


def test_a_refusal_is_one_sentence_and_the_worlds_before_still_stand(app, monkeypatch):
    page = app("simulator")
    before = numbers(page)

    def refuse(*_: object) -> None:
        raise DataError("A simulator needs at least 60 sessions.")

    monkeypatch.setattr(worlds, "look_ahead", refuse)
    page.number_input(key="run-worlds").set_value(70)
    press_run(page)
    assert [error.value for error in page.error] == ["A simulator needs at least 60 sessions."]
    assert numbers(page) == before
    assert not page.exception


def test_a_value_out_of_bounds_in_the_address_is_not_taken(app):
    page = app("simulator", run__worlds="0", run__horizon="soon")
    assert page.number_input(key="run-worlds").value == 60
    assert page.number_input(key="run-horizon").value == 21
    assert not page.error


def test_a_window_makes_the_mean_less_certain(app):
    page = app("simulator", world=GBM.title)
    whole = page.metric[0].help
    page.number_input(key="gbm-window").set_value(60)
    press_run(page)
    narrow = page.metric[0].help

    def width(text: str) -> float:
        low, high = text.split("(")[1].rstrip(")").split(" … ")
        return float(high) - float(low)

    assert width(narrow) > 3 * width(whole)


def test_the_time_machine_shows_a_day_as_it_was(app):
    page = app("simulator", part="Time machine", strategy="Exxon against Chevron", day="2020-03-15")
    assert not page.exception
    assert not page.error
    assert "2020-03-13" in page.markdown[0].value, "the strip names the last session known then"
    then = go_back(cache.session(), READY["Exxon against Chevron"], "2020-03-15")
    assert page.subheader[0].value == then.stance.headline
    assert any(reason in text.value for text in page.markdown for reason in then.explanation.reasons)


def test_a_walk_decides_every_close_again(app):
    page = app("simulator", part="Time machine", strategy="Exxon against Chevron", day="2020-03-13", tab="Walk")
    assert "Press Walk" in "".join(caption.value for caption in page.caption)
    page.date_input[1].set_value(date(2020, 3, 9))
    (button,) = [button for button in page.button if button.label == "Walk"]
    button.click().run()
    assert not page.exception
    assert "All 5 decisions are those that today's backtest makes" in page.success[0].value
    assert len(page.dataframe[0].value) == 5


def test_a_day_before_all_prices_is_refused_in_words(app):
    page = app("simulator", part="Time machine", strategy="Exxon against Chevron", day="1950-01-02")
    assert not page.exception
    assert len(page.error) == 1


def test_scenarios_are_run_and_one_of_them_opened(app):
    page = app("simulator", part="Scenarios")
    assert "Press Run" in page.info[0].value
    page.multiselect(key="stressed").set_value(["Exxon against Chevron"])
    page.button(key="stress-run").click().run()
    assert not page.exception
    assert not page.error
    assert any("Exxon against Chevron fares worst in" in text.value for text in page.markdown)
    assert len(charts(page)) == 1


def test_the_likeliest_way_to_a_loss_is_drawn(app):
    page = app("simulator", part="Scenarios", tab="In reverse")
    assert not page.exception
    assert not page.error
    page.selectbox(key="reverse-of").select("Large-cap trend").run()
    assert not page.exception
    assert len(charts(page)) == 1
    assert any("The likeliest way to lose 10.0 %" in text.value for text in page.markdown)


def test_a_scenario_of_ones_own_is_taken_in_and_a_fault_in_it_said(app):
    page = app("simulator", part="Scenarios", tab="Your own")
    area = page.text_area[0]
    area.set_value(area.value.replace("sessions:", "session:")).run()
    page.button(key="own-take").click().run()
    assert not page.exception
    assert "sessions" in page.error[0].value
    area = page.text_area[0]
    text = area.value.replace("session:", "sessions:")
    title = next(line for line in text.splitlines() if line.startswith("title:"))
    area.set_value(text.replace(title, "title: My own fall")).run()
    page.button(key="own-take").click().run()
    assert "My own fall is among the scenarios of this visit" in page.success[0].value


def test_a_strategy_lives_in_worlds_of_each_kind(app):
    page = app("simulator", part="Strategy", strategy="Exxon against Chevron", lived_worlds="50", lived_horizon="42")
    assert "Press Run" in page.info[0].value
    page.number_input(key="lived-worlds").set_value(50)
    page.number_input(key="lived-horizon").set_value(42)
    page.button(key="lived-run").click().run()
    assert not page.exception
    assert not page.error
    assert list(page.dataframe[0].value["simulator"]) == ["Stationary bootstrap", "Geometric Brownian motion"]
    assert page.subheader[0].value


def test_events_of_a_kind_are_studied(app):
    page = app("simulator", part="Events", event__kind="fomc")
    assert not page.exception
    assert not page.error
    assert "events" in page.subheader[0].value
    assert len(charts(page)) == 2
    page = app("simulator", part="Events", event__kind="fomc", event__tab="In worlds ahead")
    assert not page.exception
    assert any("beside the same worlds without it" in text.value for text in page.markdown)


def test_how_real_its_worlds_are_is_said_with_what_they_never_saw(app):
    page = app("simulator", symbol="KO", world=GBM.title, tab="How real")
    assert not page.exception
    assert any(text.value.startswith("**Grade ") for text in page.markdown)
    assert any("named crises" in caption.value for caption in page.caption)
    assert len(charts(page)) >= 3
