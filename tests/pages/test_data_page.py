"""The Data page under a reader's hands: what it shows is what is stored, and what it changes shows at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd
import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import cache, data_quality
from quantlib.sources import SOURCES
from quantlib.store import propose_repairs, read_bars, read_repairs
from quantlib.store.schedules import remove_schedule
from quantlib.workflows.jobs import OPEN, cancel_job, job_history
from quantlib.workflows.quality import freshness
from quantlib.workflows.schedule import DEFAULTS, list_schedules, write_defaults

DAY = pd.Timestamp("2020-03-12")
NAME = "yahoo-bars"


def frame_with(page: AppTest, column: str) -> pd.DataFrame:
    """Return the table of a page that has a column."""
    return next(element.value for element in page.dataframe if column in element.value)


def press(page: AppTest, label: str) -> AppTest:
    (button,) = [button for button in page.button if button.label == label]
    return button.click().run()


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Return a place for the rows a reader chooses, by the beginning of the table's key: AppTest cannot choose any."""
    chosen: dict[str, list[int]] = {}
    real = st.dataframe

    def dataframe(*arguments: object, **more: object) -> object:
        drawn = real(*arguments, **more)
        rows = next((rows for key, rows in chosen.items() if str(more.get("key", "")).startswith(key)), None)
        return drawn if rows is None else {"selection": {"rows": rows}}

    monkeypatch.setattr(data_quality.st, "dataframe", dataframe)
    return chosen


@pytest.fixture
def proposed(app) -> Iterator[float]:
    """Propose two repairs of the sample, one of which is right; return the close before. All is as before after."""
    app("data")
    store = cache.session().store
    bar = read_bars(store, symbols=["KO"], source="sample").set_index("ts").loc[DAY]
    changes = {
        "KO": ({"close": bar["close"]}, {"close": bar["close"] * 1.001}),
        "PEP": ({"volume": 5.0}, {"volume": 6.0}),
    }
    rows = [(symbol, "sample", DAY, "hundredfold", *change, "A test.") for symbol, change in changes.items()]
    columns = ["symbol", "source", "ts", "check_name", "before", "after", "reason"]
    propose_repairs(store, pd.DataFrame(rows, columns=columns))
    yield float(bar["close"])
    with store.begin() as connection:
        connection.execute(sa.text("DELETE FROM market_data.repairs"))
        connection.execute(sa.text("DELETE FROM market_data.bar_grades WHERE check_name LIKE 'repair:%'"))


@pytest.fixture
def planned(app) -> Iterator[None]:
    """Write the usual schedules, and take them away after."""
    app("data")
    here = cache.session()
    write_defaults(here)
    yield
    for one in DEFAULTS:
        remove_schedule(here.store, one.name)


def test_nothing_stored_says_what_to_do_first(empty_app) -> None:
    page = empty_app("data")
    assert not page.exception
    assert "There are no prices yet." in page.info[0].value
    assert not page.metric
    assert not page.tabs


def test_every_series_is_in_the_table_of_freshness(app) -> None:
    page = app("data")
    shown, stored = frame_with(page, "behind"), freshness(cache.session())
    pd.testing.assert_frame_equal(shown[["symbol", "missing", "bars"]], stored[["symbol", "missing", "bars"]])
    numbers = {metric.label: metric.value for metric in page.metric}
    assert numbers["Series"] == str(len(stored))
    assert numbers["Up to date"] == "–", "a sample has ended, so nothing is up to date or behind"
    assert f"{len(stored)} series have ended" in " ".join(caption.value for caption in page.caption)


def test_a_chosen_series_shows_its_doubts(app, choose: dict[str, list[int]]) -> None:
    choose["fresh-"] = [0]
    page = app("data")
    first = freshness(cache.session())["symbol"][0]
    assert f"**{first}**" in [element.value for element in page.markdown]


def test_what_the_clock_changes_is_not_kept_beyond_the_hour(app, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(cache, "utc_now", lambda: moment)
    monkeypatch.setattr("quantlib.workflows.quality.freshness", lambda here, now: asked.append(now) or real(here, now))
    real = freshness
    for hour, minute in ((7, 1), (7, 59), (8, 0)):
        moment = datetime(2031, 5, 6, hour, minute, tzinfo=UTC)
        assert not app("data").exception
    assert asked == [datetime(2031, 5, 6, hour, tzinfo=UTC) for hour in (7, 8)]


def test_gaps_are_a_chart_of_the_chosen_list(app) -> None:
    page = app("data", tab="Gaps")
    assert len(page.get("plotly_chart")) == 1
    page = page.selectbox(key="gaps-list").select_index(1).run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == 1 or "Nothing is stored of the list" in page.info[0].value


def test_a_repair_is_applied_and_put_back_through_the_page(app, proposed: float, choose: dict[str, list[int]]) -> None:
    def state(page: AppTest) -> dict[str, str]:
        return dict(frame_with(page, "status")[["symbol", "status"]].to_numpy())

    def close() -> float:
        bars = read_bars(cache.session().store, symbols=["KO"], source="sample")
        return float(bars.set_index("ts")["close"][DAY])

    def open_ones(page: AppTest) -> str:
        return next(metric.value for metric in page.metric if metric.label == "Repairs proposed")

    page = app("data", tab="Repairs")
    assert state(page) == {"KO": "proposed", "PEP": "proposed"}
    assert open_ones(page) == "2"
    assert all(button.disabled for button in page.button if button.label in {"Apply", "Dismiss"})

    choose["repairs-"] = [0]
    page = press(page.run(), "Apply 1")
    assert "1 applied" in page.success[0].value
    assert state(page) == {"PEP": "proposed", "KO": "applied"}
    assert list(state(page)) == ["PEP", "KO"], "what is still to be decided comes first"
    assert open_ones(page) == "1"
    assert close() == pytest.approx(proposed * 1.001)

    choose["repairs-"] = [1]
    page = press(page.run(), "Dismiss 1")
    assert state(page) == {"PEP": "proposed", "KO": "dismissed"}
    assert close() == proposed

    choose["repairs-"] = [0]
    page = press(page.run(), "Apply 1")
    assert "has changed since the repair was proposed" in page.error[0].value
    assert state(page)["PEP"] == "proposed"
    assert set(read_repairs(cache.session().store)["status"]) == {"proposed", "dismissed"}


def test_the_choice_of_rows_ends_when_their_order_may_have_changed(app, proposed: float) -> None:
    def key(page: AppTest) -> str:
        return next(element.proto.id for element in page.dataframe if "status" in element.value)

    page = app("data", tab="Repairs")
    before = key(page)
    assert key(page.run()) == before
    data_quality.decide(cache.session(), "PEP", "sample", DAY, "hundredfold", apply=False)
    assert key(page.run()) != before


def test_refresh_queues_a_job_and_says_that_nobody_works(app) -> None:
    page = press(app("data"), "Put into the queue")
    here = cache.session()
    waiting = job_history(here, open_only=True)
    try:
        assert waiting["task"].tolist() == ["ingest"]
        number = int(waiting["id"].iloc[0])
        assert f"Job {number} waits for a worker. None is running" in page.success[0].value
        assert "is waiting for the same" in press(page, "Put into the queue").success[0].value
        jobs = app("data", tab="Jobs")
        assert "No worker is running" in jobs.warning[0].value
        (cancel,) = [button for button in jobs.button if button.label == "Cancel"]
        jobs = cancel.click().run()
        assert not jobs.error
        assert frame_with(jobs, "attempts")["id"].tolist()[0] == number
        assert job_history(here)["status"][0] not in OPEN
    finally:
        for number in job_history(here, open_only=True)["id"]:
            cancel_job(here, int(number))


def test_a_schedule_is_turned_on_and_off(app, planned: None) -> None:
    def on() -> bool:
        return next(one.record.enabled for one in list_schedules(cache.session()) if one.record.name == NAME)

    page = app("data", tab="Schedule")
    assert len(page.toggle) == len(DEFAULTS)
    assert not on()
    page = page.toggle(key=f"schedule-{NAME}").set_value(True).run()
    assert on()
    assert any(f"**{NAME}**" in element.value and "next " in element.value for element in page.markdown)
    page = page.toggle(key=f"schedule-{NAME}").set_value(False).run()
    assert not on()
    assert any(f"**{NAME}**" in element.value and "· off" in element.value for element in page.markdown)


def test_every_source_is_among_the_vendors(app) -> None:
    page = app("data", tab="Vendors")
    assert set(frame_with(page, "breaker")["title"]) == {source.title for source in SOURCES.values()}
