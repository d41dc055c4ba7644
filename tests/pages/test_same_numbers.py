"""One strategy's numbers on one date are the same on every page, in the store and in MLflow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drawn import plain
from lxml import html
from streamlit.testing.v1 import AppTest

from app import cache
from quantlib.charts import alt_text
from quantlib.charts.numbers import UNKNOWN, interval, percent, signed_percent
from quantlib.metrics import METRICS
from quantlib.reports import Report, render_html
from quantlib.reports.figures import frozen_figure
from quantlib.strategies import DAILY, READY
from quantlib.workflows.lab import try_strategy
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


def shown(page: AppTest) -> dict[str, list[Any]]:
    """Return what the charts of a page draw, by their alt text."""
    charts = page.get("plotly_chart")
    return {chart.proto.alt: plain(json.loads(chart.proto.spec)["data"]) for chart in charts}


def printed(report: Report) -> dict[str, list[Any]]:
    """Return what the charts of the report's file draw, by their alt text."""
    tree = html.document_fromstring(render_html(report))
    data = json.loads(tree.get_element_by_id("report-data").text)
    charts = {div.get("aria-label"): data["figures"][div.get("id")]["data"] for div in tree.xpath("//figure/div[@id]")}
    for trace in (trace for chart in charts.values() for trace in chart):
        if isinstance(trace["x"], int):
            trace["x"] = data["axes"][trace["x"]]
    return charts


@pytest.mark.parametrize("name", DAILY)
def test_the_tear_sheet_draws_the_same_in_the_app_a_notebook_and_the_report(app, name):
    lab = {}
    for tab in ("Months", "Costs"):
        lab |= shown(app("strategy_lab", definition=name, tab=tab))
    session = cache.session()
    report = newest_report(session)
    file = printed(report)
    sheet = try_strategy(session, READY[name], name).sheet  # as in a notebook
    for figure in (sheet.months(), sheet.costs(), sheet.delay()):
        alt, data = alt_text(figure), frozen_figure(figure)["data"]
        assert file[alt] == data
        assert lab[alt] == data
    growth, record = sheet.growth(), sheet.record()
    assert lab[alt_text(growth)] == frozen_figure(growth)["data"]
    assert file[alt_text(record)] == frozen_figure(record)["data"]
    assert alt_text(record).startswith(alt_text(growth))
    assert [trace.y.tolist() for trace in record.data[: len(growth.data)]] == [t.y.tolist() for t in growth.data]
    today = shown(app("today", strategy=name, tab="Record"))
    assert today[alt_text(record)] == file[alt_text(record)]
    advice = next(r for r in report.recommendations if r.name == name)
    assert advice.fragility == sheet.fragility()
    assert sheet.break_even() in advice.fragility


def test_todays_cards_show_what_the_simulation_returns(app):
    cards = [metric.value for metric in app("today").metric]
    session = cache.session()
    worlds = [simulate_strategy(session, READY[name], "stationary_bootstrap", name=name) for name in DAILY]
    assert cards[: len(worlds)] == [signed_percent(world.mean) for world in worlds]
    captions = " ".join(caption.value for caption in app("today").caption)
    for world in worlds:
        assert f"loses in {percent(world.probability_of_loss, 0)} of worlds" in captions


def test_a_strategy_that_is_run_in_no_worlds_has_a_card_without_them(app, monkeypatch):
    app("today")  # opens the session
    report = newest_report(cache.session())
    first, *others = report.recommendations
    unknown = dict.fromkeys(
        ("expected_value", "ev_low", "ev_high", "outcome_low", "outcome_high", "probability_of_loss")
    )
    bare = first.model_copy(update={**unknown, "simulators": ()})
    told = report.model_copy(update={"recommendations": (bare, *others)})
    monkeypatch.setattr("quantlib.workflows.reading.newest_report", lambda *_: told)
    page = app("today", strategy=first.name)
    assert not page.exception
    assert page.metric[0].value == UNKNOWN
    assert sum(caption.value.startswith("Not run in simulated worlds") for caption in page.caption) == 1
    assert [tab.label for tab in page.tabs] == ["Why", "Signal", "Record", "Checks", "Data"]
    assert "Outcomes" in [tab.label for tab in app("today", strategy=others[0].name).tabs]
