"""One strategy's numbers on one date are the same on every page, in the store and in MLflow."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import cache
from quantlib.charts.numbers import interval, percent, signed_percent
from quantlib.metrics import METRICS
from quantlib.strategies import DAILY, READY
from quantlib.workflows.reading import newest_report
from quantlib.workflows.research import backtest_strategy, simulate_strategy


def metrics_shown(page: AppTest) -> dict[str, str]:
    """Return the metrics table of a page: what stands there, by title."""
    table = next(element.value for element in page.dataframe if "Metric" in element.value)
    return dict(zip(table["Metric"], table["Value (95 % interval)"], strict=True))


@pytest.mark.parametrize("name", DAILY)
def test_today_the_lab_and_the_runs_page_show_what_the_workflow_returns(app, name):
    today = app("today", strategy=name, tab="Record")
    session = cache.session()
    run = backtest_strategy(session, READY[name], name=name)
    expected = {
        METRICS[key].title: interval(row["value"], row["ci_low"], row["ci_high"], METRICS[key].unit)
        for key, row in run.metrics.to_dict(orient="index").items()
    }
    assert metrics_shown(today) == expected

    lab = app("strategy_lab", definition=name, tab="Metrics")
    assert metrics_shown(lab) == expected

    logged = session.tracker.runs().set_index("run_id").loc[run.mlflow_run_id]
    report = newest_report(session)
    advice = next(r for r in report.recommendations if r.name == name)
    for key, value in run.metrics["value"].items():
        assert logged[f"metrics.{key}"] == value
        assert advice.metrics[key].value == value


def test_todays_cards_show_what_the_simulation_returns(app):
    cards = [metric.value for metric in app("today").metric]
    session = cache.session()
    worlds = [simulate_strategy(session, READY[name], "stationary_bootstrap", name=name) for name in DAILY]
    assert cards[: len(worlds)] == [signed_percent(world.mean) for world in worlds]
    captions = " ".join(caption.value for caption in app("today").caption)
    for world in worlds:
        assert f"loses in {percent(world.probability_of_loss, 0)} of worlds" in captions
