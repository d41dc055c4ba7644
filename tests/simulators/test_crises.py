"""Named crises: their facts against real indices, the stamp on exact borders, and replays by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skfolio.datasets import load_sp500_index

from quantlib.errors import DataError
from quantlib.simulators.crises import CRISES, covered, replay_crisis, stamp, traded_through
from quantlib.types import Panel

DAY = pd.Timedelta(days=1)


@pytest.mark.parametrize("name", CRISES)
def test_dates_and_the_fall_of_us_stocks_are_those_of_the_index(name: str) -> None:
    crisis = CRISES[name]
    assert crisis.start < crisis.end
    assert crisis.start.day_of_week < 5
    assert crisis.end.day_of_week < 5
    assert crisis.title
    assert crisis.text.endswith(".")
    index = load_sp500_index()["SP500"]
    if index.index[0] <= crisis.start and crisis.end <= index.index[-1]:
        assert crisis.us_stocks == pytest.approx(index[crisis.end] / index[crisis.start] - 1, abs=0.001)


def test_crises_are_in_the_order_of_their_starts() -> None:
    starts = [crisis.start for crisis in CRISES.values()]
    assert starts == sorted(starts)
    assert len({crisis.title for crisis in CRISES.values()}) == len(CRISES) > 20


def test_a_window_with_exact_borders_saw_it_as_a_whole() -> None:
    start, end = CRISES["lehman-2008"].start, CRISES["lehman-2008"].end

    def seen(first: pd.Timestamp, last: pd.Timestamp) -> tuple[str, float]:
        row = covered(first, last).loc["lehman-2008"]
        return row["seen"], row["share"]

    assert seen(start, end) == ("whole", 1.0)
    days = len(pd.bdate_range(start, end)) - 1  # its first close gives no return
    monday = start + 3 * DAY
    assert seen(start + DAY, end) == ("whole", 1.0)  # a Saturday: the first return is still Monday's
    assert seen(monday, end) == ("partly", pytest.approx((days - 1) / days))
    assert seen(start, end - DAY) == ("partly", pytest.approx((days - 1) / days))
    assert seen(start - 900 * DAY, start) == ("never", 0.0)
    assert seen(start - 900 * DAY, monday) == ("partly", pytest.approx(1 / days))
    assert seen(end, end + 900 * DAY) == ("never", 0.0)
    assert seen(end - DAY, end + 900 * DAY) == ("partly", pytest.approx(1 / days))


def test_the_stamp_names_what_was_never_seen() -> None:
    text = stamp("2009-01-02", "2022-12-28")
    table = covered("2009-01-02", "2022-12-28")
    counts = table["seen"].value_counts()
    assert counts.sum() == len(CRISES)
    assert text.startswith(f"Saw {counts['whole']} of {len(CRISES)} named crises as a whole. ")
    assert "Saw a part of: Financial crisis 2007-09." in text
    never = text.partition("Never saw: ")[2]
    assert never.startswith("Black Monday 1987, Kuwait 1990")
    assert "Lehman 2008" in never
    assert "March 2020" not in text
    assert stamp("1980-01-01", "2030-01-01") == f"Saw {len(CRISES)} of {len(CRISES)} named crises as a whole."
    with pytest.raises(DataError, match="before the start"):
        stamp("2022-01-01", "2021-01-01")


def test_a_replay_is_what_happened_then_at_todays_prices(stocks: Panel) -> None:
    panel = stocks.select(["KO", "MSFT", "JPM"])
    world = replay_crisis(panel, "lehman-2008")
    then = panel.frame().loc["2008-09-12":"2008-11-20"]
    growth = then.iloc[1:] / then.iloc[0]
    np.testing.assert_allclose(world.close, growth * panel.close[-1], rtol=1e-12)
    assert world.symbols == panel.symbols
    assert world.index.equals(panel.next_sessions(len(growth)))
    assert world.source == "replayed: lehman-2008"
    for unknown in ("open", "high", "low", "volume"):
        assert np.isnan(getattr(world, unknown)).all()
    # A world like any other: it continues the history.
    whole = panel.append(world)
    np.testing.assert_allclose(whole.returns().tail(len(growth)), panel.returns().loc[growth.index], rtol=1e-9)


def test_bars_keep_their_shape_and_volume_its_ratio(ohlcv: Panel) -> None:
    world = replay_crisis(ohlcv, "flash-crash-2010")
    then = ohlcv.window("2010-05-06", "2010-05-07")
    assert len(world) == 2
    for field in ("open", "high", "low"):
        np.testing.assert_allclose(getattr(world, field) / world.close, getattr(then, field) / then.close)
    usual_then = ohlcv.until("2010-05-05").volume[-21:].mean()
    usual_now = ohlcv.volume[-21:].mean()
    np.testing.assert_allclose(world.volume / usual_now, then.volume / usual_then)
    assert world.close[0, 0] / ohlcv.close[-1, 0] - 1 == pytest.approx(-0.0324, abs=0.0002)


def test_what_had_no_prices_then_stays_unknown_and_is_named(stocks: Panel) -> None:
    frame = stocks.select(["KO", "MSFT", "JPM", "XOM"]).frame()
    frame.loc[:"2008-10-01", "MSFT"] = np.nan  # listed within the crisis
    frame.loc["2008-10-01":"2008-12-31", "JPM"] = np.nan  # stopped within it
    frame.loc["2008-09-15":"2008-09-16", "XOM"] = np.nan  # two days without a price
    panel = Panel.from_frames(frame)
    assert traded_through(panel, "lehman-2008") == ("KO", "XOM")
    world = replay_crisis(panel, "lehman-2008")
    assert np.isnan(world.close[:, [1, 2]]).all()
    assert np.isfinite(world.close[:, [0, 3]]).all()
    assert world.source == "replayed: lehman-2008; unknown: MSFT, JPM"
    assert len(world) == len(frame.loc["2008-09-13":"2008-11-20"]) - 2
    # The two days are in the first return of both, so that they stay together.
    step = frame["KO"].loc["2008-09-17"] / frame["KO"].loc["2008-09-12"]
    assert world.close[0, 0] / panel.close[-1, 0] == pytest.approx(step)


def test_a_price_today_that_is_older_than_the_panel_is_where_it_starts(stocks: Panel) -> None:
    frame = stocks.select(["KO", "MSFT"]).frame()
    frame.iloc[-3:, 1] = np.nan
    world = replay_crisis(Panel.from_frames(frame), "covid-2020")
    then = frame["MSFT"].loc["2020-02-19":"2020-02-20"]
    assert world.close[0, 1] == pytest.approx(frame["MSFT"].iloc[-4] * then.iloc[1] / then.iloc[0])
    assert world.index[0] > frame.index[-1]


def test_stocks_beside_crypto_go_by_the_calendar_they_share() -> None:
    days = pd.date_range("2022-01-01", "2022-06-30")
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(100 * np.exp(0.02 * rng.standard_normal((len(days), 2)).cumsum(axis=0)), index=days)
    frame.columns = pd.Index(["COIN", "STOCK"])
    frame.loc[days.day_of_week >= 5, "STOCK"] = np.nan
    panel = Panel.from_frames(frame)
    world = replay_crisis(panel, "terra-2022")
    assert list(world.index) == list(pd.bdate_range("2022-07-01", periods=6))
    assert np.isfinite(world.close).all()
    alone = replay_crisis(panel.select(["COIN"]), "terra-2022")
    assert list(alone.index) == list(pd.date_range("2022-07-01", periods=8))


def test_faults_say_the_way_out(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP"]).window("2009-01-01", "2020-03-20")
    with pytest.raises(DataError, match=r"There is no crisis 'lehman2008'\. Did you mean lehman-2008"):
        replay_crisis(panel, "lehman2008")
    with pytest.raises(
        DataError, match=r"No symbol has prices throughout lehman-2008, from 2008-09-12 to 2008-11-20"
    ) as e:
        replay_crisis(panel, "lehman-2008")
    assert "The panel spans greece-2010, flash-crash-2010" in str(e.value)
    assert "Load history from before 2008-09-12" in str(e.value)
    with pytest.raises(DataError, match="throughout covid-2020"):  # the panel stops one session early
        replay_crisis(panel, "covid-2020")
    with pytest.raises(DataError, match="spans no crisis as a whole"):
        replay_crisis(panel.tail(5), "covid-2020")
    assert traded_through(panel.select([]), "greece-2010") == ()
