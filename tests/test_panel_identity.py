"""The panel's calendar and its content hash, and what holds for any panel."""

from __future__ import annotations

import pickle
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from panels import CLOSE, assert_rows, everything, frame, two_stocks

from quantlib.errors import DataError
from quantlib.types import PRICE_FIELDS, Panel


@pytest.fixture
def panel() -> Panel:
    return two_stocks()


def days(first: str, n: int, frequency: str) -> Panel:
    index = pd.date_range(first, periods=n, freq=frequency)
    return Panel.from_frames(frame(np.ones((n, 1)), ("X",), index))


def test_stocks_have_252_sessions_a_year_and_skip_weekends(stocks: Panel) -> None:
    assert not stocks.trades_weekends
    assert stocks.periods_per_year == 252
    assert stocks.index[-1] == pd.Timestamp("2022-12-28")
    coming = stocks.next_sessions(4)
    assert coming.strftime("%a %d").tolist() == ["Thu 29", "Fri 30", "Mon 02", "Tue 03"]
    assert coming.dtype == "datetime64[us]"


def test_crypto_has_365_sessions_a_year_and_every_day() -> None:
    crypto = days("2024-01-01", 10, "D")
    assert crypto.periods_per_year == 365
    assert crypto.next_sessions(3).strftime("%Y-%m-%d").tolist() == ["2024-01-11", "2024-01-12", "2024-01-13"]


@given(n=st.integers(0, 60), length=st.integers(8, 20), offset=st.integers(0, 6), frequency=st.sampled_from(["B", "D"]))
def test_next_sessions_carry_the_calendar_on(n: int, length: int, offset: int, frequency: str) -> None:
    whole = days(str(date(2024, 1, 1 + offset)), length + n, frequency).index
    assert days(str(date(2024, 1, 1 + offset)), length, frequency).next_sessions(n).equals(whole[length:])


def test_sessions_ahead_are_of_the_calendar_that_the_symbols_share() -> None:
    index = pd.date_range("2024-01-01", periods=182)  # ends on a Sunday
    both = pd.DataFrame({"COIN": 1.0, "STOCK": 1.0}, index=index)
    both.loc[index.day_of_week >= 5, "STOCK"] = np.nan
    week = list(pd.bdate_range("2024-07-01", periods=5))
    assert list(Panel.from_frames(both).sessions_ahead(5)) == week
    assert list(Panel.from_frames(both[["COIN"]]).sessions_ahead(2)) == list(pd.date_range("2024-07-01", periods=2))
    gone = both.assign(STOCK=both["STOCK"].where(index < "2024-03-01"))
    assert list(Panel.from_frames(gone).sessions_ahead(5)) == week, "what they shared long ago tells it"
    apart = gone.assign(COIN=both["COIN"].where(index >= "2024-03-01"))
    assert len(Panel.from_frames(apart).sessions_ahead(7)) == 7
    assert Panel.from_frames(apart).sessions_ahead(7)[0] == pd.Timestamp("2024-07-01")
    with pytest.raises(DataError, match="empty panel"):
        Panel.from_frames(both.iloc[:0]).sessions_ahead(1)


def test_snapshot_id_is_the_same_on_every_machine(panel: Panel) -> None:
    # Worked out once and written down: another value means that stored runs no longer find their data.
    assert panel.snapshot_id == "618733f9483815f7"
    assert re.fullmatch(r"[0-9a-f]{16}", panel.snapshot_id)


def test_snapshot_id_ignores_the_label_and_the_order_of_extras(panel: Panel) -> None:
    fields = {name: getattr(panel, name) for name in PRICE_FIELDS}
    same = Panel(panel.index, panel.symbols, **fields, extra=dict(reversed(panel.extra.items())), source="yahoo")
    assert same.snapshot_id == panel.snapshot_id


def test_snapshot_id_does_not_tell_one_nan_from_another() -> None:
    other_nan = np.array([0xFFF8000000000123], dtype=np.uint64).view(np.float64)[0]
    assert np.isnan(other_nan)
    close = CLOSE.to_numpy().copy()
    close[2, 0] = other_nan
    assert Panel.from_frames(frame(close)).snapshot_id == Panel.from_frames(CLOSE).snapshot_id


def test_snapshot_id_does_not_tell_the_two_zeros_apart() -> None:
    ids = {Panel.from_frames(CLOSE, extra={"bias": np.full(5, zero)}).snapshot_id for zero in (0.0, -0.0)}
    assert len(ids) == 1


@pytest.mark.parametrize("name", [*PRICE_FIELDS, "bias", "score"])
def test_snapshot_id_changes_with_one_bit_of_any_value(panel: Panel, name: str) -> None:
    values = {key: array.copy() for key, array in everything(panel).items()}
    values[name][(4, 1)[: values[name].ndim]] = np.nextafter(values[name][(4, 1)[: values[name].ndim]], np.inf)
    prices = {key: values.pop(key) for key in PRICE_FIELDS}
    assert Panel(panel.index, panel.symbols, **prices, extra=values).snapshot_id != panel.snapshot_id


def test_snapshot_id_changes_with_dates_symbols_and_names_of_extras(panel: Panel) -> None:
    prices = {name: getattr(panel, name) for name in PRICE_FIELDS}
    moved = panel.index[:-1].append(pd.DatetimeIndex(["2024-01-09"]))
    renamed = {("bias2" if key == "bias" else key): value for key, value in panel.extra.items()}
    others = [
        Panel(moved, panel.symbols, **prices, extra=panel.extra),
        Panel(panel.index, ("KO", "PEPS"), **prices, extra=panel.extra),
        Panel(panel.index, panel.symbols, **prices, extra=renamed),
        Panel(panel.index, panel.symbols, **prices),
        panel.until("2024-01-05"),
        panel.select(["PEP", "KO"]),
        Panel(panel.index, panel.symbols, **{**prices, "open": panel.low, "low": panel.open}, extra=panel.extra),
    ]
    assert len({panel.snapshot_id, *(other.snapshot_id for other in others)}) == len(others) + 1


def test_panel_survives_the_way_to_another_process(panel: Panel) -> None:
    there = pickle.loads(pickle.dumps(panel))
    assert_rows(there, panel, slice(None))
    assert there.snapshot_id == panel.snapshot_id


PRICES = st.floats(0.01, 1e6, allow_nan=False) | st.just(float("nan"))


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Draw small panels with gaps in dates and prices, and both forms of extra."""
    gaps = draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    index = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(gaps), unit="D")
    shape = (len(gaps), draw(st.integers(1, 3)))
    symbols = ("A", "B", "C")[: shape[1]]
    draw_array = hnp.arrays(np.float64, shape, elements=PRICES)
    return Panel.from_frames(
        frame(draw(draw_array), symbols, pd.DatetimeIndex(index)),
        volume=frame(draw(draw_array), symbols, pd.DatetimeIndex(index)),
        extra={"x": draw(hnp.arrays(np.float64, shape[:1])), "y": draw(hnp.arrays(np.float64, shape))},
    )


@settings(max_examples=60, deadline=None)
@given(panel=panels(), ahead=st.integers(-2, 70))
def test_until_never_shows_a_later_row_and_loses_no_earlier_one(panel: Panel, ahead: int) -> None:
    t = pd.Timestamp("2024-01-01") + pd.Timedelta(days=ahead)
    known = panel.until(t)
    assert_rows(known, panel, slice(None, int((panel.index <= t).sum())))
    if len(known) < len(panel):
        assert known.append(panel.window(t + pd.Timedelta(days=1))).snapshot_id == panel.snapshot_id


@settings(max_examples=60, deadline=None)
@given(panel=panels())
def test_snapshot_id_depends_on_the_content_alone(panel: Panel) -> None:
    again = Panel(panel.index, panel.symbols, **{n: getattr(panel, n) for n in PRICE_FIELDS}, extra=panel.extra)
    assert again.snapshot_id == panel.snapshot_id == panel.select(panel.symbols).snapshot_id


@settings(max_examples=60, deadline=None)
@given(panel=panels())
def test_returns_compound_back_to_the_closes(panel: Panel) -> None:
    full = panel.complete()
    if len(full) > 1:
        grown = full.close[0] * np.cumprod(1.0 + full.returns().to_numpy()[1:], axis=0)
        np.testing.assert_allclose(
            grown, full.close[1:], atol=1e-12 * full.close.max()
        )  # a fall to 1e-8 cancels digits
