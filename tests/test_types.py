"""Panels, instruments and dates: what they hold, what they refuse, and that cutting them cuts everything."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from quantlib.errors import DataError
from quantlib.grades import Flag
from quantlib.types import PRICE_FIELDS, Instrument, Panel, as_date, check_span

WEEK = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"])


def frame(values: Any, symbols: tuple[str, ...] = ("KO", "PEP"), index: pd.DatetimeIndex = WEEK) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(values, dtype=float), index=index[: len(values)], columns=list(symbols))


CLOSE = frame([[60.0, 170.0], [61.0, 171.0], [np.nan, 169.0], [59.5, 168.0], [60.5, 172.0]])


@pytest.fixture
def panel() -> Panel:
    """Return two stocks over five sessions, one close unknown, with both forms of extra."""
    return Panel.from_frames(
        CLOSE,
        open=CLOSE - 0.5,
        high=CLOSE + 1.0,
        low=CLOSE - 1.0,
        volume=frame(np.arange(10).reshape(5, 2)),
        extra={"bias": np.array([0.1, 0.2, 0.3, 0.4, 0.5]), "score": np.arange(10.0).reshape(5, 2)},
        source="sample",
    )


def everything(panel: Panel) -> dict[str, np.ndarray]:
    return {name: getattr(panel, name) for name in PRICE_FIELDS} | dict(panel.extra)


def assert_rows(cut: Panel, whole: Panel, rows: slice) -> None:
    """Assert that a panel is exactly those rows of another, in every field and extra."""
    assert cut.index.equals(whole.index[rows])
    assert cut.symbols == whole.symbols
    assert cut.source == whole.source
    assert everything(cut).keys() == everything(whole).keys()
    for name, values in everything(whole).items():
        np.testing.assert_array_equal(everything(cut)[name], values[rows])


# ---- dates


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02",
        " 2024-01-02 ",
        "20240102",
        "2024-01-02 15:30",
        "2024-01-02T23:30:00-05:00",
        date(2024, 1, 2),
        datetime(2024, 1, 2, 23, 59),  # noqa: DTZ001 - a time without a zone is what is tested
        datetime(2024, 1, 2, 3, tzinfo=UTC),
        pd.Timestamp("2024-01-02 23:00", tz="Asia/Tokyo"),
        pd.Timestamp("2024-01-02").as_unit("ns"),
    ],
)
def test_as_date_is_the_day_as_written(value: Any) -> None:
    stamp = as_date(value)
    assert stamp == pd.Timestamp("2024-01-02")
    assert stamp.tz is None
    assert stamp.unit == "us"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "today",
        "now",
        "12:30",
        "02/01/2024",
        "1/2/24",
        "2024-13-01",
        "2024-02-30",
        "Monday",
        "nan",
        None,
        pd.NaT,
        "-1",
    ],
)
def test_as_date_refuses_what_is_no_certain_date(value: Any) -> None:
    with pytest.raises(DataError, match=r"start is not a date: .*YYYY-MM-DD"):
        as_date(value, "start")


@given(st.dates(min_value=date(1, 1, 1)))
def test_as_date_reads_every_iso_date_back(day: date) -> None:
    assert as_date(day.isoformat()).date() == day


def test_check_span_allows_open_ends_and_a_single_day() -> None:
    assert check_span(None, None) == (None, None)
    assert check_span("2024-01-02", None) == (pd.Timestamp("2024-01-02"), None)
    assert check_span("2024-01-02", "2024-01-02") == (pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-02"))


def test_check_span_refuses_an_end_before_the_start() -> None:
    with pytest.raises(DataError, match="The end 2024-01-01 is before the start 2024-01-02"):
        check_span("2024-01-02", "2024-01-01")
    with pytest.raises(DataError, match="end is not a date: 'x'"):
        check_span("2024-01-02", "x")


# ---- instruments


@pytest.mark.parametrize("symbol", ["AAPL", "BRK-B", "BF.B", "^GSPC", "BTC-USD", "EURUSD=X", "TRUE", "NA", "7203.T"])
def test_instrument_accepts_symbols_that_vendors_use(symbol: str) -> None:
    assert Instrument(symbol=symbol).symbol == symbol


@pytest.mark.parametrize("symbol", ["", " ", "KO PEP", "KO;", "KO'--", "../KO", "KO\n", "A" * 33, "Ä"])
def test_instrument_refuses_what_is_no_symbol(symbol: str) -> None:
    with pytest.raises(ValidationError, match="symbol"):
        Instrument(symbol=symbol)


def test_instrument_is_frozen_hashable_and_survives_json() -> None:
    one = Instrument(symbol="SPY", name="SPDR S&P 500", kind="etf", exchange="ARCX", tags=("broad", "us"))
    assert Instrument.model_validate_json(one.model_dump_json()) == one
    assert len({one, Instrument(**one.model_dump())}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        one.name = "x"


def test_an_instrument_is_not_delisted_before_it_is_listed() -> None:
    twitter = Instrument(symbol="TWTR", listed=date(2013, 11, 7), delisted=date(2022, 10, 27))
    assert Instrument.model_validate_json(twitter.model_dump_json()) == twitter
    with pytest.raises(ValidationError, match="delisted on 2013-11-07, before it is listed on 2022-10-27"):
        Instrument(symbol="TWTR", listed=date(2022, 10, 27), delisted=date(2013, 11, 7))


def test_instrument_refuses_unknown_kinds_and_fields() -> None:
    with pytest.raises(ValidationError, match="kind"):
        Instrument(symbol="SPY", kind="bond")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="sectr"):
        Instrument(symbol="SPY", sectr="x")  # type: ignore[call-arg]


# ---- making a panel


def test_panel_holds_what_it_was_given(panel: Panel) -> None:
    assert len(panel) == 5
    assert panel.symbols == ("KO", "PEP")
    assert panel.index.name == "ts"
    pd.testing.assert_frame_equal(
        panel.frame("close"), CLOSE, check_names=False, check_index_type=False, check_freq=False
    )
    np.testing.assert_array_equal(panel.volume, np.arange(10).reshape(5, 2))
    np.testing.assert_array_equal(panel.extra["bias"], [0.1, 0.2, 0.3, 0.4, 0.5])


def test_fields_not_given_stay_unknown() -> None:
    bare = Panel.from_frames(CLOSE)
    for name in ("open", "high", "low", "volume"):
        assert np.isnan(getattr(bare, name)).all()


def test_other_fields_are_laid_on_the_dates_and_symbols_of_the_closes() -> None:
    volume = frame([[1.0, 2.0], [3.0, 4.0]], ("PEP", "KO")).iloc[1:]
    given_volume = Panel.from_frames(CLOSE, volume=volume).volume
    assert given_volume[1].tolist() == [4.0, 3.0]
    assert np.isnan(np.delete(given_volume, 1, axis=0)).all()


def test_panel_keeps_its_own_copy_and_cannot_be_written() -> None:
    values = np.ones((5, 2))
    panel = Panel(WEEK, ("KO", "PEP"), values, values, values, values, values, extra={"bias": values[:, 0]})
    before = panel.snapshot_id
    values[:] = 9.0
    assert panel.close.max() == 1.0
    assert panel.extra["bias"].max() == 1.0
    assert panel.snapshot_id == before
    for array in everything(panel).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0
    with pytest.raises(AttributeError, match="cannot assign"):
        panel.close = values  # type: ignore[misc]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_come_in_any_unit_and_leave_in_microseconds(unit: str) -> None:
    panel = Panel.from_frames(CLOSE.set_axis(WEEK.as_unit(unit)))
    assert panel.index.dtype == "datetime64[us]"
    assert panel.snapshot_id == Panel.from_frames(CLOSE).snapshot_id


def test_a_zone_is_dropped_and_the_session_date_stays() -> None:
    zoned = Panel.from_frames(CLOSE.set_axis(WEEK.tz_localize("America/New_York")))
    assert zoned.index.tz is None
    assert zoned.index.equals(Panel.from_frames(CLOSE).index)


def test_a_session_moved_to_another_day_by_its_zone_is_refused() -> None:
    moved = CLOSE.set_axis(WEEK.tz_localize("America/New_York").tz_convert("UTC"))
    with pytest.raises(DataError, match="without a time of day; got 2024-01-02 05:00"):
        Panel.from_frames(moved)


@pytest.mark.parametrize(
    "days",
    [
        ["2024-01-03", "2024-01-02"],
        ["2024-01-02", "2024-01-02"],
        ["2024-01-02", None],
    ],
)
def test_dates_out_of_order_or_twice_are_refused(days: list[str | None]) -> None:
    with pytest.raises(DataError, match="ascending and unique"):
        Panel.from_frames(frame([[1.0, 2.0], [3.0, 4.0]], index=pd.DatetimeIndex(days)))


def test_the_same_symbol_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"distinct; got KO, KO"):
        Panel.from_frames(frame([[1.0, 2.0]], ("KO", "KO")))


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("wrong", [0.0, -0.0, -1.5, -np.inf])
def test_a_price_that_is_not_above_zero_is_refused_by_name_and_day(panel: Panel, name: str, wrong: float) -> None:
    fields = {field: getattr(panel, field).copy() for field in PRICE_FIELDS}
    fields[name][3, 1] = wrong
    with pytest.raises(DataError, match=re.escape(f"PEP has {name} {wrong:g} on 2024-01-05. It must be above zero")):
        Panel(panel.index, panel.symbols, **fields)


def test_a_negative_volume_is_refused_and_none_is_not(panel: Panel) -> None:
    fields = {field: getattr(panel, field).copy() for field in PRICE_FIELDS}
    fields["volume"][0, 0] = 0.0
    assert Panel(panel.index, panel.symbols, **fields).volume[0, 0] == 0.0
    fields["volume"][4, 0] = -1.0
    with pytest.raises(DataError, match=r"KO has volume -1 on 2024-01-08\. It must be zero or above"):
        Panel(panel.index, panel.symbols, **fields)


@pytest.mark.parametrize("name", PRICE_FIELDS)
def test_an_infinite_value_is_refused(panel: Panel, name: str) -> None:
    fields = {field: getattr(panel, field).copy() for field in PRICE_FIELDS}
    fields[name][0, 0] = np.inf
    with pytest.raises(DataError, match=f"{name} holds an infinite value"):
        Panel(panel.index, panel.symbols, **fields)


@pytest.mark.parametrize("shape", [(4, 2), (5, 3), (5,), (2, 5), (5, 2, 1)])
def test_a_field_of_another_shape_is_refused(panel: Panel, shape: tuple[int, ...]) -> None:
    fields = {field: getattr(panel, field) for field in PRICE_FIELDS} | {"low": np.ones(shape)}
    with pytest.raises(DataError, match=re.escape(f"low has shape {shape}; dates and symbols give (5, 2)")):
        Panel(panel.index, panel.symbols, **fields)


@pytest.mark.parametrize("shape", [(4,), (2,), (5, 1), (2, 5)])
def test_an_extra_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=re.escape(f"extra bias has shape {shape}; accepted: (5,) or (5, 2)")):
        Panel.from_frames(CLOSE, extra={"bias": np.ones(shape)})


# ---- reading


def test_frame_names_its_axes_and_spreads_a_shared_extra(panel: Panel) -> None:
    score, bias = panel.frame("score"), panel.frame("bias")
    assert (score.index.name, score.columns.name) == ("ts", "symbol")
    assert bias["KO"].tolist() == bias["PEP"].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert panel.frame().equals(panel.frame("close"))


def test_frame_refuses_an_unknown_name_and_suggests_one(panel: Panel) -> None:
    with pytest.raises(DataError, match=r"no field 'closes'\. Did you mean close\?"):
        panel.frame("closes")
    with pytest.raises(DataError, match=r"no field 'scores'\. Did you mean score\?"):
        panel.frame("scores")


def test_writing_into_a_frame_does_not_reach_the_panel(panel: Panel) -> None:
    wide = panel.frame("close") * 1.0
    wide.iloc[0, 0] = 1e9
    assert panel.close[0, 0] == 60.0


def test_returns_are_close_to_close_and_unknown_where_a_close_is(panel: Panel) -> None:
    expected = CLOSE.pct_change(fill_method=None)
    np.testing.assert_allclose(panel.returns().to_numpy(), expected.to_numpy(), rtol=1e-15)
    assert panel.returns().iloc[0].isna().all()
    assert np.isnan(panel.returns().loc["2024-01-05", "KO"]), "no return across a gap"


def test_returns_of_real_prices_agree_with_pandas(small: Panel) -> None:
    expected = small.frame("close").pct_change(fill_method=None)
    np.testing.assert_allclose(small.returns().to_numpy(), expected.to_numpy(), rtol=1e-12)


# ---- cutting


@pytest.mark.parametrize(
    ("t", "rows"),
    [("2024-01-01", 0), ("2024-01-02", 1), ("2024-01-04", 3), ("2024-01-07", 4), ("2024-01-08", 5), ("2030-01-01", 5)],
)
def test_until_is_truncation_of_everything(panel: Panel, t: str, rows: int) -> None:
    assert_rows(panel.until(t), panel, slice(None, rows))


def test_until_includes_the_day_itself_whatever_the_hour(panel: Panel) -> None:
    assert len(panel.until(pd.Timestamp("2024-01-03 00:00"))) == 2
    assert len(panel.until(pd.Timestamp("2024-01-03 23:59", tz="UTC"))) == 2


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (None, None, slice(0, 5)),
        ("2024-01-03", None, slice(1, 5)),
        (None, "2024-01-04", slice(0, 3)),
        ("2024-01-03", "2024-01-05", slice(1, 4)),
        ("2024-01-06", "2024-01-07", slice(4, 4)),
        ("2024-01-08", "2024-01-08", slice(4, 5)),
    ],
)
def test_window_includes_both_ends(panel: Panel, start: str | None, end: str | None, rows: slice) -> None:
    assert_rows(panel.window(start, end), panel, rows)


def test_window_refuses_an_end_before_its_start(panel: Panel) -> None:
    with pytest.raises(DataError, match="before the start"):
        panel.window("2024-01-05", "2024-01-02")


@pytest.mark.parametrize(("n", "rows"), [(0, slice(5, 5)), (2, slice(3, 5)), (5, slice(0, 5)), (7, slice(0, 5))])
def test_tail_is_the_last_rows(panel: Panel, n: int, rows: slice) -> None:
    assert_rows(panel.tail(n), panel, rows)


def test_select_follows_the_order_asked_for(panel: Panel) -> None:
    turned = panel.select(["PEP", "KO"])
    assert turned.symbols == ("PEP", "KO")
    for name, values in everything(panel).items():
        np.testing.assert_array_equal(everything(turned)[name], values[:, ::-1] if values.ndim == 2 else values)
    assert panel.select(s for s in ("PEP",)).close.shape == (5, 1)


def test_select_refuses_unknown_and_repeated_symbols(panel: Panel) -> None:
    with pytest.raises(DataError, match=r"Symbol 'PEPS' is not in the panel. Did you mean PEP\?"):
        panel.select(["KO", "PEPS"])
    with pytest.raises(DataError, match="distinct"):
        panel.select(["KO", "KO"])


def test_complete_leaves_out_days_with_an_unknown_close(panel: Panel) -> None:
    full = panel.complete()
    assert full.index.strftime("%d").tolist() == ["02", "03", "05", "08"]
    assert np.isfinite(full.close).all()
    np.testing.assert_array_equal(full.extra["bias"], [0.1, 0.2, 0.4, 0.5])


def test_append_puts_back_together_what_was_cut(panel: Panel) -> None:
    whole = panel.until("2024-01-03").append(panel.window("2024-01-04"))
    assert_rows(whole, panel, slice(None))
    assert whole.snapshot_id == panel.snapshot_id


def test_append_keeps_only_extras_that_both_have(panel: Panel) -> None:
    later = Panel.from_frames(CLOSE.iloc[3:], extra={"bias": np.array([1.0, 2.0]), "other": np.array([1.0, 2.0])})
    joined = panel.until("2024-01-04").append(later)
    assert set(joined.extra) == {"bias"}
    np.testing.assert_array_equal(joined.extra["bias"], [0.1, 0.2, 0.3, 1.0, 2.0])


def test_append_refuses_other_symbols_and_overlapping_days(panel: Panel) -> None:
    with pytest.raises(DataError, match="they must be the same"):
        panel.append(panel.select(["PEP", "KO"]))
    with pytest.raises(DataError, match="ascending and unique"):
        panel.append(panel.tail(1))


SATURDAY = pd.Timestamp("2024-01-06")
FLAGS = (
    Flag(WEEK[0], "KO", "repaired", "was 6000"),
    Flag(WEEK[2], "KO", "late"),
    Flag(WEEK[2], "PEP", "disagree"),
    Flag(SATURDAY, "PEP", "late", "no bar"),
    Flag(pd.Timestamp("2024-01-09"), "KO", "suspect", "the newest is missing"),
)


@pytest.fixture
def doubted(panel: Panel) -> Panel:
    return replace(panel, flags=FLAGS[::-1])


def test_flags_follow_every_cut(doubted: Panel) -> None:
    assert doubted.flags == FLAGS, "by date and symbol"
    assert doubted.until("2024-01-04").flags == FLAGS[:3]
    assert doubted.until("2024-01-07").flags == FLAGS[:4], "what followed is cut off, and all doubts about it"
    assert doubted.until("2024-01-08").flags == FLAGS, "nothing is cut off, so it still says that the end is late"
    assert doubted.until("2024-01-09").flags == FLAGS
    assert doubted.window("2024-01-05", "2024-01-08").flags == FLAGS[3:]
    assert doubted.window("2024-01-09", "2024-01-09").flags == FLAGS[4:]
    assert doubted.window("2024-01-10", "2024-01-11").flags == ()
    assert doubted.until("2024-01-08").until("2024-01-05").flags == FLAGS[:3], "even after a cut that kept it"
    assert doubted.window("2024-01-03", "2024-01-06").flags == FLAGS[1:4]
    assert doubted.tail(1).flags == FLAGS[4:]
    assert doubted.tail(2).flags == FLAGS[3:]
    assert doubted.tail(0).flags == ()
    assert doubted.tail(9).flags == FLAGS
    assert doubted.select(["KO"]).flags == (FLAGS[0], FLAGS[1], FLAGS[4])
    assert doubted.complete().flags == (*FLAGS[:2], *FLAGS[3:]), "without that of the bar that is left out"
    early, late = doubted.until("2024-01-04"), doubted.window("2024-01-05")
    assert early.append(late).flags == FLAGS
    assert early.append(replace(late, flags=FLAGS)).flags == FLAGS, "each once"


def test_a_symbol_that_stopped_is_late_after_the_shared_end(panel: Panel) -> None:
    stopped = replace(panel, flags=(Flag(WEEK[3], "KO", "late"), Flag(WEEK[4], "PEP", "suspect")))
    close = stopped.close.copy()
    close[3:, 0] = np.nan
    shared = replace(stopped, close=close).complete()
    assert shared.index[-1] == WEEK[1]
    assert shared.flags == (Flag(WEEK[3], "KO", "late"),), "PEP's last bar is not used, so nothing hangs on it"
    assert shared.until(WEEK[1]).grade == shared.tail(1).grade == shared.select(["KO"]).grade == "late"
    assert shared.until(WEEK[0]).grade == shared.select(["PEP"]).grade == "ok"


def test_a_panel_s_grade_is_its_worst_and_no_part_of_its_identity(panel: Panel, doubted: Panel) -> None:
    assert panel.grade == "ok"
    assert doubted.grade == "suspect"
    assert doubted.until("2024-01-05").grade == "disagree"
    assert doubted.until("2024-01-02").grade == "repaired"
    assert doubted.snapshot_id == panel.snapshot_id


def test_flags_of_other_symbols_or_with_unknown_grades_are_refused(panel: Panel) -> None:
    with pytest.raises(DataError, match="'KOO', which is not in the panel"):
        replace(panel, flags=(Flag(WEEK[0], "KOO", "late"),))
    with pytest.raises(DataError, match=r"no grade 'latte'. Did you mean late\?"):
        replace(panel, flags=(Flag(WEEK[0], "KO", "latte"),))  # type: ignore[arg-type]  # that is the point


def test_an_empty_panel_is_a_panel(panel: Panel) -> None:
    empty = panel.until("2020-01-01")
    assert len(empty) == 0
    assert empty.frame("close").shape == empty.returns().shape == (0, 2)
    assert len(empty.complete()) == len(empty.tail(3)) == 0
    assert_rows(empty.append(panel), panel, slice(None))
    with pytest.raises(DataError, match="empty panel has no next sessions"):
        empty.next_sessions(1)


# ---- calendar


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


# ---- identity


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


# ---- whatever the data


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
