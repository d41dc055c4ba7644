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
from quantlib.simulators import GBM, SIMULATORS
from quantlib.strategies import READY
from quantlib.types import Panel
from quantlib.workflows import worlds
from quantlib.workflows.time_machine import go_back

pytestmark = pytest.mark.slow

WORLDS = "60"


def numbers(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def press_run(page: AppTest) -> AppTest:
    (button,) = [button for button in page.button if button.label == "Run"]
    return button.click().run()


def said(page: AppTest, of: str = "markdown") -> list[str]:
    """Return texts as a reader sees them: what would be Markdown is escaped in them."""
    return [text.value.replace("\\", "") for text in page.get(of)]


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


def test_the_grade_of_the_worlds_stands_under_their_numbers_and_in_the_table(app):
    page = app("simulator", symbol="KO", world=GBM.title, tab="All worlds")
    (grade,) = [text.value for text in page.markdown if "Realism grade" in text.value]
    assert "tails too thin" in grade
    assert "judged by 200 worlds of the 2,520 sessions up to 2022-12-28" in grade
    rows = page.dataframe[0].value.set_index("world")
    assert f"Realism grade {rows.loc[GBM.title, 'grade']}]" in grade
    assert rows.loc["Stationary bootstrap", "grade"] == "A"


def test_worlds_that_cannot_be_judged_say_why(app):
    page = app("simulator", symbol="KO", world=GBM.title, gbm__window="100")
    (grade,) = [text.value for text in page.markdown if "Realism grade" in text.value]
    assert "Realism grade unknown]" in grade
    assert "needs 250 returns" in grade


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
    assert any(text.startswith("Realism of these worlds: Grade A: ") for text in said(page, "caption"))
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
    page = app("simulator", part="Time machine", strategy="Exxon against Chevron", day="2020-03-13", time__tab="Walk")
    assert "Press Walk" in "".join(caption.value for caption in page.caption)
    page.date_input(key="walk-from").set_value(date(2020, 3, 9))
    (button,) = [button for button in page.button if button.label == "Walk"]
    button.click().run()
    assert not page.exception
    assert "All 5 decisions are those that today's backtest makes" in page.success[0].value
    assert len(page.dataframe[0].value) == 5


def test_a_walk_that_would_begin_after_its_end_begins_as_usual(app):
    page = app("simulator", part="Time machine", strategy="Exxon against Chevron", day="2020-03-13", time__tab="Walk")
    page.date_input(key="walk-from").set_value(date(2020, 3, 9)).run()
    page.date_input(key="day").set_value(date(2020, 2, 3)).run()
    assert not page.exception
    assert not page.error
    assert page.date_input(key="walk-from").value <= date(2020, 2, 3)


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
    assert len(charts(page)) == 2


def test_the_likeliest_way_to_a_loss_is_drawn(app):
    page = app("simulator", part="Scenarios", stress__tab="In reverse")
    assert not page.exception
    assert not page.error
    page.selectbox(key="reverse-of").select("Large-cap trend").run()
    assert not page.exception
    assert len(charts(page)) == 2
    assert any("The likeliest way to lose 10.0 %" in text.value for text in page.markdown)
    assert any(
        "of 2,000 worlds (" in text.value and " lose 10.0 % in 21 sessions" in text.value for text in page.markdown
    )
    assert any("Realism grade " in text.value for text in page.markdown)
    rows = page.dataframe[-1].value
    assert (rows["loss"] >= 10.0).all()
    assert rows["words"].str.contains("standard deviations away").all()
    page.selectbox(key="reverse-counts").select("From its highest").run()
    assert not page.exception
    assert any(" fall 10.0 % below their highest within 21" in text.value for text in page.markdown)


def test_a_loss_that_no_world_makes_is_said_below_the_smallest_move(app):
    page = app("simulator", part="Scenarios", stress__tab="In reverse", stressed="Large-cap trend", reverse__loss="40")
    assert not page.exception
    assert len(charts(page)) == 1
    assert any("None of 2,000 worlds loses 40.0%" in text.value for text in page.info)


def test_unknown_names_in_the_address_are_said_with_the_nearest(app):
    page = app(
        "simulator", part="Scenarios", stressed="Larg-cap trend", stress__worlds="0", stress__tab="In reverse",
        reverse__loss="400", reverse__of="Nobody",
    )  # fmt: skip
    said = [warning.value.replace("\\", "") for warning in page.warning]
    assert any("'Larg-cap trend'. Did you mean Large-cap trend?" in text for text in said)
    assert any("Worlds of each in the address: '0'; accepted: 1 to 200" in text for text in said)
    assert any("'400'; accepted: 0.5 to 90" in text for text in said)
    assert any("'Nobody'" in text for text in said)
    page = app("simulator", part="Scenarios", scenario="Black Munday 1987")
    assert "Did you mean Black Monday 1987?" in page.warning[0].value
    page = app("simulator", part="Scenaris")
    assert "Did you mean Scenarios?" in page.warning[0].value
    page = app("simulator", part="Events", event__kind="FOMC decision", event__before="900", event__market="NOPE")
    assert len(page.warning) == 3
    page = app("simulator", part="Time machine", strategy="Exxon against Chevrons", day="2999-01-01", time__tab="Wolk")
    assert [
        word
        for word in ("Exxon against Chevron?", "2999-01-01", "Walk?")
        if not any(word in warning.value for warning in page.warning)
    ] == []
    assert not page.exception


def test_every_choice_is_restored_from_the_address(app):
    page = app(
        "simulator", part="Scenarios", stressed="Exxon against Chevron", stress__worlds="3", stress__tab="In reverse",
        reverse__loss="5", reverse__sessions="10",
    )  # fmt: skip
    assert page.multiselect(key="stressed").value == ["Exxon against Chevron"]
    assert page.number_input(key="stress-worlds").value == 3
    assert page.selectbox(key="reverse-of").value == "Exxon against Chevron"
    assert (page.number_input(key="reverse-loss").value, page.number_input(key="reverse-sessions").value) == (5.0, 10)
    page = app(
        "simulator", part="Events", event__symbols="KO", event__market="^GSPC", event__before="2", event__after="3",
        event__tab="In worlds ahead", ahead__world=GBM.title, ahead__day="7",
    )  # fmt: skip
    assert not page.warning
    assert page.multiselect(key="event-symbols").value == ["KO"]
    assert [page.selectbox(key=key).value for key in ("event-market", "ahead-world")] == ["^GSPC", GBM.title]
    assert [page.number_input(key=f"{key}").value for key in ("event-before", "event-after", "ahead-day")] == [2, 3, 7]
    page = app(
        "simulator", part="Time machine", strategy="Exxon against Chevron", day="2020-03-13", time__tab="Walk",
        walk__from="2020-03-09",
    )  # fmt: skip
    assert page.date_input(key="walk-from").value == date(2020, 3, 9)


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
    assert page.dataframe[0].value["grade"].iloc[0] == "A"
    assert page.dataframe[0].value["why"].str.contains("judged by 200 worlds").all()
    assert any(text.startswith("How real these worlds are: grade A for Stationary") for text in said(page))


def test_the_kinds_of_worlds_are_in_the_address_and_no_edge_leads_with_independent_returns(app):
    asked = {"part": "Strategy", "strategy": "Exxon against Chevron", "lived__tab": "No edge"}
    page = app(
        "simulator",
        **asked,
        lived__in=[SIMULATORS["block_bootstrap"].title, GBM.title],
        lived__worlds="50",
        lived__horizon="42",
    )
    assert page.multiselect(key="lived-in").value == ["block_bootstrap", "gbm"]
    page.button(key="lived-run").click().run()
    assert not page.exception
    assert any("returns are independent" in caption.value for caption in page.caption)
    bullets = [text for text in said(page) if "before costs" in text]
    assert [GBM.title in text for text in bullets] == [True, False]
    assert all("Realism of its worlds with drift: grade " in text for text in bullets)


def test_an_edge_that_is_left_without_drift_is_said(app, monkeypatch):
    # No pair of the sample reverts beyond doubt, so none lives in Ornstein-Uhlenbeck's worlds.
    monkeypatch.setattr(GBM, "edge_without_drift", "spreads that revert")
    asked = {"part": "Strategy", "strategy": "Exxon against Chevron", "lived__tab": "No edge"}
    page = app("simulator", **asked, lived__in=[GBM.title], lived__worlds="50", lived__horizon="42")
    page.button(key="lived-run").click().run()
    assert not page.exception
    (warned,) = said(page, "warning")
    assert warned.startswith(f"**{GBM.title}** has spreads that revert even without drift: an edge of its own")
    assert any("so none shows a false alarm" in text for text in said(page))


def test_names_in_the_address_of_worlds_and_of_a_strategy_are_said_with_the_nearest(app):
    page = app("simulator", symbol="KOO", world="Hestn", tab="How reel")
    asked = [text.split(".")[1].strip() for text in said(page, "warning")]
    assert asked == ["Did you mean KO?", "Did you mean Heston?", "Did you mean How real?"]
    page = app("simulator", part="Strategy", strategy="RSI-3", lived__worlds="7", lived__in="GARHC")
    warned = said(page, "warning")
    assert "Did you mean RSI-2" in warned[0]
    assert warned[1] == "Worlds of each in the address: '7'; accepted: 50 to 5000."
    assert "There is no world 'GARHC'. Did you mean GARCH" in warned[2]


def test_events_of_a_kind_are_studied(app):
    page = app("simulator", part="Events", event__kind="FOMC decisions")
    assert not page.exception
    assert not page.error
    assert len([text for text in said(page) if " by day 10" in text]) == 1, "the finding is said once"
    assert any(text.startswith("**AAPL around FOMC decisions: ") for text in said(page))
    assert not page.subheader
    assert len(charts(page)) == 2
    page = app("simulator", part="Events", event__kind="FOMC decisions", event__tab="In worlds ahead")
    assert not page.exception
    assert any("beside the same worlds without it" in text.value for text in page.markdown)
    assert any("Realism grade " in text.value for text in page.markdown)


def test_how_real_its_worlds_are_is_said_with_what_they_never_saw(app):
    page = app("simulator", symbol="KO", world=GBM.title, tab="How real")
    assert not page.exception
    (grade,) = [text for text in said(page) if "Realism grade " in text]
    letter = grade[grade.index("grade ") + len("grade ")]
    assert any("of KO" in text and f": grade {letter}" in text for text in said(page))
    assert any("named crises" in caption.value for caption in page.caption)
    assert len(charts(page)) >= 3
