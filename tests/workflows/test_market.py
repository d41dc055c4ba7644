"""What the market page shows, against the same numbers worked out by hand in plain pandas."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.settings import Settings
from quantlib.store import Store, write_bars
from quantlib.types import BAR_COLUMNS, Instrument
from quantlib.universe import Universe, UniverseList
from quantlib.workflows import market
from quantlib.workflows.market import instrument_view, market_pulse, market_table, stored_prices, universe_lists
from quantlib.workflows.session import Session

END = "2024-06-28"
WEEKDAYS = pd.bdate_range(end=END, periods=700).as_unit("us")
EVERY_DAY = pd.date_range(end="2024-06-30", periods=1000).as_unit("us")


def closes(days: pd.DatetimeIndex, seed: int) -> pd.Series:
    moves = np.random.default_rng(seed).normal(0.0003, 0.012, len(days))
    return pd.Series(100 * np.exp(np.cumsum(moves)), index=days)


CLOSES = {
    "AAA": closes(WEEKDAYS, 1),
    "BBB": closes(WEEKDAYS.delete([300, 650]), 2),  # it did not trade on two days
    "CCC": closes(WEEKDAYS, 3),
    "COIN-USD": closes(EVERY_DAY, 4),
    "NEW": closes(WEEKDAYS[-30:], 5),
    "OLD": closes(WEEKDAYS[:400], 6),  # it stopped trading long ago
}


def bars(symbol: str, close: pd.Series, *, whole: bool = False, source: str = "yahoo") -> pd.DataFrame:
    spread = 1.01 if whole else np.nan
    frame = pd.DataFrame({"ts": close.index, "close": close.to_numpy(), "adj_close": close.to_numpy()})
    frame = frame.assign(open=frame["close"] * (1.0 if whole else np.nan), high=frame["close"] * spread)
    frame = frame.assign(low=frame["close"] / spread, volume=np.nan, symbol=symbol, source=source)
    return frame[list(BAR_COLUMNS)]


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    """Return a session on six symbols with calendars of their own; AAA has candles."""
    frame = pd.concat([bars(s, c, whole=s == "AAA") for s, c in CLOSES.items()])
    write_bars(store, frame)
    session = Session(Settings(home=tmp_path, _env_file=None), store)
    session.__dict__["universe"] = Universe(
        instruments=tuple(
            Instrument(symbol=s, name=f"The {s}", sector="Test") for s in ("AAA", "BBB", "CCC", "GONE", "OLD")
        ),
        lists={
            "few": UniverseList(
                name="few", title="A few", drawn_up=date(2024, 1, 2), basis="By hand.", symbols=("CCC", "GONE", "AAA")
            ),
            "none": UniverseList(
                name="none", title="None", drawn_up=date(2024, 1, 2), basis="By hand.", symbols=("GONE",)
            ),
        },
    )
    return session


def test_nothing_stored_is_none(store: Store, tmp_path: Path) -> None:
    assert stored_prices(Session(Settings(home=tmp_path, _env_file=None), store)) is None


def test_stored_prices_say_what_there_is(session: Session) -> None:
    prices = stored_prices(session)
    assert prices is not None
    assert prices.symbols == ("AAA", "BBB", "CCC", "COIN-USD", "NEW", "OLD")
    assert (prices.source, prices.sample) == ("yahoo", False)
    assert prices.newest == pd.Timestamp("2024-06-30")


@pytest.mark.parametrize(
    ("now", "missed"),
    [("2024-06-30", 0), ("2024-07-01", 0), ("2024-07-02", 1), ("2024-07-06", 5), ("2024-07-08", 5), ("2024-06-01", 0)],
)
def test_missed_weekdays_count_neither_end(
    session: Session, monkeypatch: pytest.MonkeyPatch, now: str, missed: int
) -> None:
    monkeypatch.setattr(market, "utc_now", lambda: datetime.fromisoformat(now).replace(tzinfo=UTC))
    prices = stored_prices(session)
    assert prices is not None
    assert prices.missed == missed


def test_lists_name_what_is_stored_of_them(session: Session) -> None:
    table = universe_lists(session)
    assert list(table.index) == ["all", "few"]
    assert table.loc["few", "symbols"] == ("CCC", "AAA")
    assert table.loc["few", "of"] == 3
    assert table.loc["few", "note"] == (
        "Drawn up 2024-01-02. By hand. AAA and CCC were chosen from a list drawn up on 2024-01-02, but used from "
        "2021-10-05 on: selection-biased."
    )
    assert table.loc["all", "symbols"] == tuple(sorted(CLOSES)), "also what no list names"


def test_the_table_counts_each_symbols_own_sessions(session: Session) -> None:
    table = market_table(session, tuple(CLOSES)).set_index("symbol")
    for symbol, close in CLOSES.items():
        row = table.loc[symbol]
        assert row["last"] == pytest.approx(close.iloc[-1])
        assert row["session"] == close.index[-1]
        assert row["month"] == pytest.approx(close.iloc[-1] / close.iloc[-22] - 1)
        year = 365 if symbol == "COIN-USD" else 252
        volatility = close.pct_change().tail(63).std() * np.sqrt(year) if len(close) > 63 else np.nan
        assert row["volatility"] == pytest.approx(volatility, nan_ok=True)
    assert np.isnan(table.loc["NEW", "year"])
    assert table.loc["AAA", "name"] == "The AAA"
    assert table.loc["NEW", "name"] == "", "what the universe does not describe is listed all the same"


def test_the_pulse_is_that_of_the_symbols_that_trade(session: Session) -> None:
    pulse = market_pulse(session, tuple(CLOSES))
    assert pulse.index[-1] == pd.Timestamp(END), "a weekend of one coin does not speak for the market"
    assert len(pulse) == 252

    day = pd.Timestamp("2024-03-15")
    alive = {s: c.loc[:day] for s, c in CLOSES.items() if s not in {"OLD", "NEW"}}
    assert pulse.loc[day, "month"] == pytest.approx(np.median([c.iloc[-1] / c.iloc[-22] - 1 for c in alive.values()]))
    above = [c.iloc[-1] > c.tail(200).mean() for c in alive.values()]
    assert pulse.loc[day, "above"] == pytest.approx(np.mean(above))
    volatility = [c.pct_change().tail(63).std() * np.sqrt(365 if s == "COIN-USD" else 252) for s, c in alive.items()]
    assert pulse.loc[day, "volatility"] == pytest.approx(np.median(volatility))


def test_an_indicator_is_warm_from_the_first_day_drawn(session: Session) -> None:
    view = instrument_view(session, "AAA", 1, (("sma", (("n", 200),)),))
    mean = next(trace for trace in view.figure.data if trace.name == "Simple moving average (200)")
    assert np.isfinite(np.asarray(mean.y, dtype=float)).all()
    assert mean.y[-1] == pytest.approx(CLOSES["AAA"].tail(200).mean())
    assert view.figure.data[0].type == "candlestick"
    assert view.notes == ()


def test_panes_stand_below_with_their_thresholds(session: Session) -> None:
    view = instrument_view(session, "CCC", 1, (("rsi", ()), ("rolling_volatility", ())))
    assert {trace.yaxis for trace in view.figure.data} == {"y", "y2", "y3"}
    words = [note.text for note in view.figure.layout.annotations]
    assert "overbought" in words
    percent = next(trace for trace in view.figure.data if trace.name == "rolling_volatility")
    expected = CLOSES["CCC"].pct_change().tail(21).std() * np.sqrt(252) * 100
    assert percent.y[-1] == pytest.approx(expected)


def test_what_cannot_be_drawn_is_said(session: Session) -> None:
    view = instrument_view(session, "NEW", None, (("atr", ()), ("sma", (("n", 50),)), ("ema", ())))
    assert view.notes == (
        "Only closes of NEW are known, so it is drawn as a line and not as candles.",
        "Average true range needs high and low, not known of NEW.",
        "Simple moving average (50) needs 50 sessions before its first value; NEW has 30.",
    )
    assert [trace.name for trace in view.figure.data] == ["NEW", "Exponential moving average (20)"]


def test_candles_known_for_a_part_only_are_not_drawn(session: Session) -> None:
    later = closes(pd.bdate_range("2024-07-01", periods=120).as_unit("us"), 9)
    write_bars(session.store, bars("AAA", later))
    whole = instrument_view(session, "AAA")
    assert whole.figure.data[0].type == "scatter"
    assert f"to {END} only" in whole.notes[0]


@pytest.mark.parametrize("log", [False, True])
def test_the_price_axis_may_be_logarithmic(session: Session, log: bool) -> None:
    for symbol in ("AAA", "CCC"):
        figure = instrument_view(session, symbol, 1, (), log).figure
        assert (figure.layout.yaxis.type == "log") is log


def test_an_unknown_symbol_and_a_wrong_parameter_are_refused(session: Session) -> None:
    with pytest.raises(DataError, match="AAB"):
        instrument_view(session, "AAB")
    with pytest.raises(DataError, match="n "):
        instrument_view(session, "AAA", 1, (("sma", (("n", 0),)),))
