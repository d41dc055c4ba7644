from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib import charts
from quantlib.charts.events import dose_scatter, event_dots, event_path, event_strip
from quantlib.charts.theme import LIGHT, in_theme
from quantlib.errors import DataError

DAYS = pd.Index([-1, 0, 1], name="day")


@pytest.fixture
def by_day() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "car": [0.0005, 0.0040, 0.0031],
            "ci_low": [-0.001, 0.001, 0.0002],
            "ci_high": [0.002, 0.007, 0.006],
            "placebo_low": [-0.0015, -0.002, -0.0025],
            "placebo_high": [0.0015, 0.002, 0.0025],
        },
        index=DAYS,
    )


@pytest.fixture
def by_event() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session": pd.to_datetime(["2008-09-16", "2008-12-16", "2009-03-18", "2009-04-29"]),
            "car": [0.01, -0.05, 0.02, 0.04],
            "dose": [1.0, -2.0, np.nan, 1.5],
            "title": ["a < b", "b", "c", "d"],
        },
        index=pd.Index(["e1", "e2", "e3", "e4"], name="id"),
    )


def test_the_path_says_the_end_and_what_chance_does(by_day: pd.DataFrame) -> None:
    fig = event_path(by_day, what="FOMC decisions", events=240, clusters=231, p_placebo=0.012, model="the market")
    assert fig.layout.meta["title"] == (
        "FOMC decisions: +0.3 % (0.0 … 0.6) by day 1 beyond the market; random dates rarely do as much (p 0.012)"
    )
    assert "Mean of 240 events in 231 clusters; blue: 95 % interval" in fig.layout.meta["subtitle"]
    assert charts.alt_text(fig).startswith("Line chart of cumulated abnormal returns by day from the event.")
    table = charts.table_behind(fig)
    np.testing.assert_allclose(table["car"], by_day["car"])
    assert table.index.tolist() == ["-1", "0", "1"]
    np.testing.assert_allclose(fig.data[-1].y, [0.05, 0.4, 0.31])
    bands = [trace.name for trace in fig.data]
    assert bands == ["Placebo dates, low", "Placebo dates, high", "Interval, low", "Interval, high", "Mean"]
    assert "often do as much" in event_path(by_day, what="x", events=9, clusters=9, p_placebo=0.4).layout.meta["title"]


def test_the_interval_of_a_single_day_is_seen(by_day: pd.DataFrame) -> None:
    fig = event_path(by_day.loc[[0]], what="Wars", events=9, clusters=1, p_placebo=0.4)
    assert fig.layout.meta["title"].startswith("Wars: +0.4 % (0.1 … 0.7) on the day itself; ")
    assert "9 events in 1 cluster;" in fig.layout.meta["subtitle"]
    assert (list(fig.data[-1].error_y.array), list(fig.data[-1].error_y.arrayminus)) == (
        pytest.approx([0.3]),
        pytest.approx([0.3]),
    )
    assert event_path(by_day, what="x", events=9, clusters=9, p_placebo=0.4).data[-1].error_y.array is None


def test_the_title_speaks_of_the_days_that_the_p_value_is_of(by_day: pd.DataFrame) -> None:
    told = {"what": "FOMC decisions", "events": 9, "clusters": 8, "p_placebo": 0.012}
    whole = event_path(by_day, over=(-1, 1), car=(0.0031, 0.0002, 0.006), **told)
    assert whole.layout.meta["title"] == event_path(by_day, **told).layout.meta["title"]
    assert len(whole.layout.shapes) == 1
    day = event_path(by_day, over=(0, 0), car=(0.0034, 0.001, 0.006), **told)
    assert day.layout.meta["title"] == (
        "FOMC decisions: +0.3 % (0.1 … 0.6) on the day itself; random dates rarely do as much (p 0.012)"
    )
    assert day.layout.meta["subtitle"].endswith("shaded: the days of the title")
    assert (day.layout.shapes[1].x0, day.layout.shapes[1].x1) == (-0.5, 0.5)
    assert "from day 0 to +1" in event_path(by_day, over=(0, 1), car=(0.0, 0.0, 0.0), **told).layout.meta["title"]
    assert "on day -1;" in event_path(by_day, over=(-1, -1), car=(0.0, 0.0, 0.0), **told).layout.meta["title"]
    with pytest.raises(DataError, match="sums the days 0 to 0 of -1 to 1; give their mean CAR"):
        event_path(by_day, over=(0, 0), **told)


def test_what_is_not_known_is_not_drawn(by_day: pd.DataFrame) -> None:
    bare = by_day.assign(ci_low=np.nan, ci_high=np.nan, placebo_low=np.nan, placebo_high=np.nan)
    fig = event_path(bare, what="Wars", events=3, clusters=3, p_placebo=float("nan"))
    assert [trace.name for trace in fig.data] == ["Mean"]
    assert fig.layout.meta["title"] == "Wars: +0.3 % by day 1"
    assert fig.layout.meta["subtitle"] == "Mean of 3 events in 3 clusters"
    with pytest.raises(DataError, match="no day to draw"):
        event_path(by_day.iloc[:0], what="Wars", events=0, clusters=0, p_placebo=0.5)


def test_dots_stand_at_their_dates_in_their_colours(by_event: pd.DataFrame) -> None:
    fig = event_dots(by_event, what="FOMC decisions")
    assert fig.layout.meta["title"] == (
        "FOMC decisions: 75 % of 4 gained, +0.50 % on average; the strongest is -5.0 % on 2008-12-16"
    )
    np.testing.assert_allclose(fig.data[0].y, [1, -5, 2, 4])
    assert list(fig.data[0].marker.color) == [LIGHT.gain, LIGHT.loss, LIGHT.gain, LIGHT.gain]
    assert list(charts.table_behind(fig)["car"]) == list(by_event["car"])
    assert fig.layout.shapes[0].y0 == pytest.approx(0.5)
    assert fig.data[0].text[0] == "a &lt; b"
    without = event_dots(by_event.drop(columns="title"), what="x")
    assert list(without.data[0].text) == ["e1", "e2", "e3", "e4"]
    with pytest.raises(DataError, match="CARs of 4 events hold unknown"):
        event_dots(by_event.assign(car=np.nan), what="x")


def test_the_strip_has_a_column_an_event_and_names_the_loudest_day() -> None:
    abnormal = pd.DataFrame(
        [[0.001, 0.03, -0.001], [0.0, -0.02, 0.002]], index=pd.Index(["e1", "e2"], name="id"), columns=DAYS
    )
    fig = event_strip(abnormal, what="FOMC decisions")
    assert fig.layout.meta["title"] == (
        "FOMC decisions: prices move most on the day of the event, by +0.50 % on average over 2 events"
    )
    np.testing.assert_allclose(np.asarray(fig.data[0].z), abnormal.to_numpy().T * 100)
    assert list(fig.data[0].y) == ["-1", "event", "+1"]
    pd.testing.assert_frame_equal(
        charts.table_behind(fig).astype(float), abnormal.set_axis(["-1", "0", "1"], axis=1), check_names=False
    )
    later = event_strip(abnormal.iloc[:, [0, 2, 1]].set_axis(DAYS, axis=1), what="x")
    assert "on day +1" in later.layout.meta["title"]
    with pytest.raises(DataError, match="nothing to draw"):
        event_strip(abnormal * np.nan, what="x")


def test_the_scatter_draws_known_doses_and_the_line(by_event: pd.DataFrame) -> None:
    found = {"slope": 0.02, "ci_low": 0.01, "ci_high": 0.03, "intercept": -0.001}
    fig = dose_scatter(by_event, what="CPI", p_value=0.01, **found)
    assert fig.layout.meta["title"] == (
        "CPI: +2.0 % (1.0 … 3.0) for each standard deviation of surprise; a slope by chance is unlikely (p 0.010)"
    )
    np.testing.assert_allclose(fig.data[0].x, [1.0, -2.0, 1.5])
    np.testing.assert_allclose(fig.data[1].x, [-2.0, 1.5])
    np.testing.assert_allclose(fig.data[1].y, [-4.1, 2.9])
    assert len(charts.table_behind(fig)) == 3
    assert "may be chance" in dose_scatter(by_event, what="CPI", p_value=0.4, **found).layout.meta["title"]
    with pytest.raises(DataError, match="CARs of 0 events"):
        dose_scatter(by_event.assign(dose=np.nan), what="CPI", p_value=0.4, **found)


def test_every_chart_turns_dark(by_day: pd.DataFrame, by_event: pd.DataFrame) -> None:
    for fig in (
        event_path(by_day, what="x", events=4, clusters=4, p_placebo=0.5),
        event_dots(by_event, what="x"),
        event_strip(pd.DataFrame([[0.01, 0.02, 0.03]], columns=DAYS), what="x"),
    ):
        dark = in_theme(fig, "dark").to_json()
        assert LIGHT.accent not in dark
        assert LIGHT.ink not in dark
        assert LIGHT.gain not in dark
