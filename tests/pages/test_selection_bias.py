"""Where a choice of symbols looks into the future, every page with results on it says so."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import cache
from quantlib.strategies import READY
from quantlib.workflows.experiments import find_trials, trials_table
from quantlib.workflows.reading import newest_report, runs_table
from quantlib.workflows.research import hindsight, shared_panel


def said(page: AppTest) -> list[str]:
    """Return what a page says under the mark, as it reads."""
    marked = [element.value for element in page.markdown if "Selection-biased" in element.value]
    return [text.replace("\\", "") for text in marked]


@pytest.mark.parametrize("name", ["today", "report"])
def test_of_a_report_it_is_said_once_for_all_strategies(app, name):
    (words,) = said(app(name))
    report = newest_report(cache.session())
    assert report.data_hindsight in words
    assert report.data_hindsight.endswith("selection-biased.")


@pytest.mark.parametrize("name", list(READY)[:1])
def test_the_lab_says_it_with_the_verdict(app, name):
    page = app("strategy_lab", definition=name)
    expected = hindsight(cache.session(), shared_panel(cache.session(), READY[name].symbols))
    assert expected
    (words,) = said(page)
    assert expected in words


def test_the_simulator_says_it_of_a_price_and_of_a_strategy(app):
    assert "KO was chosen" in said(app("simulator", symbol="KO"))[0]
    page = app("simulator", look="Strategy")
    assert not said(page), "nothing has been simulated yet"
    (button,) = [button for button in page.button if button.label == "Run"]
    assert len(said(button.click().run())) == 1


def test_trials_and_runs_say_which_of_them_are(app):
    page = app("experiments", tab="Runs in MLflow", runs="Backtests")
    ledger, logged = (element.value for element in page.dataframe if "selection" in element.value)
    assert set(logged["selection"]) == {"biased"}
    assert set(ledger["selection"]) == {"biased"}
    table = find_trials(trials_table(cache.session()), "Trials")
    biased = int((table["selection"] == "biased").sum())
    assert biased == len(ledger) >= (runs_table(cache.session())["kind"] == "backtest").sum()
    assert any(f"Selection-biased: {biased}." in caption.value for caption in page.caption)
