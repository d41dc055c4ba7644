"""The panel: what it takes, what it gives, and every way to cut it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from panels import CLOSE, WEEK, assert_rows, everything, frame, two_stocks

from quantlib.errors import DataError
from quantlib.grades import Flag
from quantlib.types import PRICE_FIELDS, Panel


@pytest.fixture
def panel() -> Panel:
    return two_stocks()


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
