"""Panels: the right rows in the right cells, of the right source, in the version known then."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.grades import Flag
from quantlib.models.market import SourceRow
from quantlib.store import (
    Store,
    check_bars,
    check_rows,
    read_panel,
    save_grades,
    write_bars,
    write_sources,
    write_versions,
)
from quantlib.types import BAR_COLUMNS, Panel


def long(frame: pd.DataFrame, source: str = "sample", volume: float = math.nan) -> pd.DataFrame:
    """Return a wide frame of closes as bars."""
    flat = frame.rename_axis(index="ts", columns="symbol").reset_index().melt("ts", value_name="close").dropna()
    good, rejected = check_bars(flat.assign(source=source, volume=volume).reindex(columns=list(BAR_COLUMNS)))
    assert rejected.empty
    return good


def test_real_prices_come_back_as_a_pivot_would_give_them(store: Store, stocks: Panel) -> None:
    real = stocks.select(["WMT", "AAPL", "KO"]).tail(300).frame().copy()
    real.iloc[:50, 1] = np.nan  # one starts later, as after a flotation
    real.iloc[100, 2] = np.nan
    write_bars(store, long(real))
    panel = read_panel(store, ["WMT", "AAPL", "KO"])
    pd.testing.assert_frame_equal(panel.frame(), real, check_names=False, check_freq=False, check_exact=True)
    assert panel.source == "sample"
    assert np.isnan(panel.volume).all()
    again = read_panel(store, ["KO", "WMT", "AAPL"])
    assert again.select(["WMT", "AAPL", "KO"]).snapshot_id == panel.snapshot_id
    part = read_panel(store, ["AAPL"], start=real.index[20], end=str(real.index[60].date()))
    assert part.index[0] == real.index[50], "no row before the first bar of the symbols asked for"
    assert part.index[-1] == real.index[60]
    assert read_panel(store, "KO").symbols == ("KO",)


def test_every_field_lands_in_its_own_array(store: Store, bars: pd.DataFrame) -> None:
    write_bars(store, bars)
    panel = read_panel(store, ["PEP", "KO"], adjust=False)
    assert panel.index.tolist() == [pd.Timestamp(f"2024-01-0{day}") for day in (2, 3, 4, 5)]
    for name in ("open", "high", "low", "close", "volume"):
        wide = bars.pivot_table(index="ts", columns="symbol", values=name)[["PEP", "KO"]]
        np.testing.assert_array_equal(getattr(panel, name), wide.to_numpy())
    assert math.isnan(panel.close[2, 0])
    assert math.isnan(panel.close[3, 1])


def test_adjusting_scales_prices_and_leaves_volume(store: Store, bars: pd.DataFrame) -> None:
    bars.loc[0, "high"] = bars.loc[0, "close"]  # equal before, equal after
    bars.loc[5, "adj_close"] = math.nan
    crypto = bars.iloc[:3].assign(symbol="BTC-USD", adj_close=math.nan)
    write_bars(store, pd.concat([bars, crypto]))
    raw = read_panel(store, ["KO", "PEP", "BTC-USD"], adjust=False)
    panel = read_panel(store, ["KO", "PEP", "BTC-USD"])
    np.testing.assert_array_equal(panel.close[:3, 0], bars["adj_close"][:3])
    factor = bars["adj_close"][:3] / bars["close"][:3]
    np.testing.assert_allclose(panel.open[:3, 0], bars["open"][:3] * factor, rtol=1e-15)
    np.testing.assert_allclose(panel.low[:3, 0], bars["low"][:3] * factor, rtol=1e-15)
    assert panel.high[0, 0] == panel.close[0, 0]
    np.testing.assert_array_equal(panel.volume, raw.volume)
    assert np.isnan([panel.open[3, 1], panel.close[3, 1]]).all(), "an unknown factor makes an unknown price"
    np.testing.assert_array_equal(panel.close[:, 2], raw.close[:, 2])  # nothing to adjust by


def test_an_adjusted_close_is_the_adj_close_to_the_last_bit(store: Store) -> None:
    rng = np.random.default_rng(5)
    close = rng.uniform(10, 500, 500).round(2)
    frame = pd.DataFrame({"ts": pd.bdate_range("2020-01-01", periods=500), "close": close, "high": close})
    frame = frame.assign(symbol="KO", source="sample", adj_close=close * rng.uniform(0.5, 1, 500))
    good, _ = check_bars(frame.reindex(columns=list(BAR_COLUMNS)))
    write_bars(store, good)
    panel = read_panel(store, "KO")
    np.testing.assert_array_equal(panel.close[:, 0], frame["adj_close"])
    np.testing.assert_array_equal(panel.high, panel.close)


def described(*rows: tuple[str, int]) -> list[SourceRow]:
    return [
        SourceRow(source=name, title=name.title(), priority=priority, price_scale="split_adjusted", has_actions=False)
        for name, priority in rows
    ]


def test_each_symbol_is_read_from_its_canonical_source(store: Store) -> None:
    """Of those at most ten days behind, the lowest number; the view says the same."""
    days = pd.date_range("2024-01-01", "2024-01-31").as_unit("us")

    def bars_until(symbol: str, source: str, last: int) -> None:
        write_bars(store, long(pd.DataFrame({symbol: np.arange(1.0, last + 1)}, index=days[:last]), source))

    for symbol, source, last in (
        *(("KO", "best", 21), ("KO", "good", 31), ("KO", "unknown", 31)),
        *(("PEP", "best", 20), ("PEP", "good", 31), ("PEP", "alike", 30)),
        *(("MSFT", "unknown", 31), ("MSFT", "another", 31)),
        ("WMT", "unknown", 5),
        *(("AAPL", "best", 14), ("AAPL", "good", 16), ("AAPL", "alike", 31)),  # half of 30 days is 15
    ):
        bars_until(symbol, source, last)
    write_sources(store, described(("best", 10), ("good", 20), ("alike", 20)))
    expected = {"KO": "best", "PEP": "alike", "MSFT": "another", "WMT": "unknown", "AAPL": "alike"}
    for symbol, source in expected.items():
        assert read_panel(store, symbol).source == source, symbol
    assert read_panel(store, list(expected)).source == "alike,another,best,unknown"
    with store.begin() as connection:
        view = connection.execute(
            sa.text("SELECT symbol, source, count(*) FROM market_data.canonical_bars GROUP BY 1, 2")
        ).all()
    assert {row[0]: row[1] for row in view} == expected
    assert sum(row[2] for row in view) == 21 + 30 + 31 + 5 + 31
    assert read_panel(store, ["PEP"], source="best").index[-1] == days[19]
    assert read_panel(store, ["PEP", "MSFT"], source=["good", "another"]).source == "another,good"
    with pytest.raises(DataError, match=r"MSFT has no bars from 'good'. Accepted: another, unknown."):
        read_panel(store, ["MSFT"], source="good")
    with pytest.raises(DataError, match=r"'unkown' or 'none'. Did you mean unknown\?"):
        read_panel(store, ["MSFT"], source=["unkown", "none"])
    # On the tenth of January all of them were as fresh as each other.
    assert read_panel(store, ["PEP"], as_of="2024-01-10").source == "best"


def test_a_few_fresh_quotes_do_not_outrank_decades(store: Store) -> None:
    """Spans in days up to the end; a year is enough, or half of the longest; the view says the same."""
    end = pd.Timestamp("2024-06-28")
    cases: dict[str, tuple[dict[str, tuple[int, int]], str]] = {
        "KO": ({"best": (1, 0), "good": (9000, 5)}, "good"),
        "PEP": ({"best": (364, 0), "good": (9000, 30)}, "good"),
        "MSFT": ({"best": (365, 0), "good": (9000, 5)}, "best"),
        "WMT": ({"best": (9, 0), "good": (20, 0)}, "good"),
        "AAPL": ({"best": (10, 0), "good": (20, 0)}, "best"),
        # The newest of all is a quote, so it makes nobody out of date.
        "NVDA": ({"quote": (0, 0), "best": (400, 25), "good": (400, 20)}, "best"),
        "IBM": ({"quote": (0, 0)}, "quote"),
    }
    for symbol, (sources, _) in cases.items():
        for source, (span, behind) in sources.items():
            last = end - pd.Timedelta(days=behind)
            ends = pd.DatetimeIndex([last - pd.Timedelta(days=span), last]).unique().as_unit("us")
            write_bars(store, long(pd.DataFrame({symbol: 60.0}, index=ends), source))
    write_sources(store, described(("best", 10), ("good", 20), ("quote", 1)))
    expected = {symbol: source for symbol, (_, source) in cases.items()}
    assert {symbol: read_panel(store, symbol).source for symbol in cases} == expected
    with store.begin() as connection:
        view = connection.execute(sa.text("SELECT DISTINCT symbol, source FROM market_data.canonical_bars")).all()
    assert {row[0]: row[1] for row in view} == expected
    # Five days before the end one of them had a single bar: spans are those known then.
    assert read_panel(store, "MSFT", as_of=end - pd.Timedelta(days=5)).source == "good"


def test_another_vendor_s_history_loaded_later_does_not_become_canonical_of_an_earlier_day(store: Store) -> None:
    write_sources(store, described(("best", 10), ("good", 20)))
    days = pd.date_range("2024-01-01", "2024-01-10")
    write_bars(store, long(pd.DataFrame({"KO": 60.0}, index=days), "good"), at=datetime(2024, 1, 11, tzinfo=UTC))
    write_bars(store, long(pd.DataFrame({"KO": 61.0}, index=days), "best"), at=datetime(2024, 2, 1, tzinfo=UTC))
    assert read_panel(store, "KO").source == "best"
    assert read_panel(store, "KO", as_of="2024-01-20").source == "good"
    assert read_panel(store, "KO", as_of="2024-01-05").source == "best", "none was recorded then"


def test_what_cannot_be_read_is_said(store: Store, bars: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"No bars of 'KO' are stored. There are none yet."):
        read_panel(store, ["KO"])
    write_bars(store, bars)
    for symbols, more, words in (
        (["KO", "PEPP"], {}, r"No bars of 'PEPP' are stored. Did you mean PEP\?"),
        (["KO'); DROP TABLE market_data.bars; --"], {}, "No bars of"),
        (["KO", "KO"], {}, "must be distinct"),
        ([], {}, "No symbol was asked for"),
        (["KO"], {"start": "2024-02-01", "end": "2024-01-01"}, "The end 2024-01-01 is before the start 2024-02-01"),
        (["KO"], {"start": "2024-13-01"}, "start is not a date"),
        (["KO"], {"as_of": "yesterday"}, "as_of is not a date"),
        (["KO"], {"start": "2024-02-01"}, r"in 2024-02-01 to …. Stored: 2024-01-02 to 2024-01-04"),
        (["KO"], {"end": "2023-12-31"}, r"in … to 2023-12-31. Stored: 2024-01-02"),
        (["KO"], {"start": "2024-01-04", "as_of": "2024-01-03"}, r"as of 2024-01-03. Stored: 2024-01-02 to 2024-01-03"),
        (["KO"], {"as_of": "2023-12-31"}, "KO has no bar up to 2023-12-31; its first is of 2024-01-02"),
    ):
        with pytest.raises(DataError, match=words):
            read_panel(store, symbols, **more)
    assert len(read_panel(store, ["KO"])) == 3


def test_as_of_reads_no_later_session(store: Store, stocks: Panel) -> None:
    write_bars(store, long(stocks.select(["KO", "WMT"]).tail(100).frame()))
    whole = read_panel(store, ["KO", "WMT"])
    for day in (whole.index[30], whole.index[60] + pd.Timedelta(days=1)):
        assert read_panel(store, ["KO", "WMT"], as_of=day).snapshot_id == whole.until(day).snapshot_id
    assert read_panel(store, ["KO"], as_of="2100-01-01").snapshot_id == whole.select(["KO"]).snapshot_id
    both = read_panel(store, ["KO"], end=whole.index[50], as_of=whole.index[40])
    assert both.index[-1] == whole.index[40]


def test_as_of_agrees_with_a_history_kept_by_hand(store: Store) -> None:
    """Random deliveries over weeks, the whole state after each remembered here; every moment must read as it was."""
    rng = np.random.default_rng(11)
    days = pd.bdate_range("2024-01-01", periods=8).as_unit("us")
    state: dict[str, dict[pd.Timestamp, tuple[float, float]]] = {"KO": {}, "PEP": {}}
    states: list[tuple[datetime, dict[str, dict[pd.Timestamp, tuple[float, float]]]]] = []
    quarter = datetime(2024, 1, 20, tzinfo=UTC)
    for _ in range(16):
        # Often the first or the last instant of a day, where it is decided which day a version belongs to.
        moment = quarter - timedelta(microseconds=int(rng.integers(0, 2)))
        picks = [(s, d) for s in ("KO", "PEP") for d in days if rng.random() < 0.5]
        rows = [(s, d, float(rng.integers(50, 53)), float(rng.choice([math.nan, 1.0, 2.0]))) for s, d in picks]
        frame = pd.DataFrame(rows, columns=["symbol", "ts", "close", "volume"]).assign(source="sample")
        good, _ = check_bars(frame.reindex(columns=list(BAR_COLUMNS)))
        write_bars(store, good, at=moment)
        for symbol, day, close, volume in rows:
            state[symbol][day] = (close, volume)
        states.append((moment, {symbol: dict(bars) for symbol, bars in state.items()}))
        quarter += timedelta(hours=6 * int(rng.integers(1, 8)))

    def check(panel: Panel, then: dict[str, dict[pd.Timestamp, tuple[float, float]]]) -> None:
        for place, name in enumerate(("close", "volume")):
            expected = [[then[s].get(d, (math.nan, math.nan))[place] for s in ("KO", "PEP")] for d in days]
            np.testing.assert_array_equal(panel.frame(name).reindex(days), expected)

    for (moment, then), (following, _) in itertools.pairwise(states):
        check(read_panel(store, ["KO", "PEP"], as_of=moment), then)
        check(read_panel(store, ["KO", "PEP"], as_of=following - timedelta(microseconds=1)), then)
    check(read_panel(store, ["KO", "PEP"]), states[-1][1])
    for n in range(20, 40):
        day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n)
        known = [then for moment, then in states if moment < day + timedelta(days=1)]
        check(read_panel(store, ["KO", "PEP"], as_of=day.date()), known[-1])


def test_what_is_written_later_changes_no_recorded_day(store: Store) -> None:
    """A late bar, a restated volume, a late split and a withdrawn dividend: the day before reads as it did."""
    write_sources(store, [SourceRow(source="sample", title="", priority=1, price_scale="raw", has_actions=True)])
    days = pd.bdate_range("2024-03-04", periods=6)
    frame = pd.DataFrame({"KO": [60.0, 61.0, 62.0, 63.0, 64.0]}, index=days.delete(2))
    actions = pd.DataFrame({"symbol": "KO", "source": "sample", "ts": [days[3]], "kind": "dividend", "value": 0.5})
    march, april = datetime(2024, 3, 12, tzinfo=UTC), datetime(2024, 4, 12, tzinfo=UTC)
    write_versions(store, "actions", check_rows("actions", actions)[0], at=march)
    write_bars(store, long(frame, volume=100.0), at=march)
    before = read_panel(store, "KO")
    assert before.close[1, 0] == pytest.approx(61 * (1 - 0.5 / 61))
    write_bars(store, long(pd.DataFrame({"KO": [61.5]}, index=days[[2]]), volume=7.0), at=april)
    write_bars(store, long(frame, volume=999.0), at=april + timedelta(hours=1))
    split = actions.assign(kind="split", ts=days[5], value=2.0)
    scope = {"symbol": "KO", "source": "sample"}
    write_versions(store, "actions", check_rows("actions", split)[0], at=april, complete=scope)
    assert read_panel(store, "KO").frame()["KO"].tolist() == [30.0, 30.5, 30.75, 31.0, 31.5, 64.0]
    for as_of in ("2024-03-12", "2024-04-11", march, april - timedelta(microseconds=1)):
        then = read_panel(store, "KO", as_of=as_of)
        assert then.snapshot_id == before.snapshot_id, as_of
    assert read_panel(store, "KO", as_of=april).volume[:, 0].tolist() == [200.0, 200.0, 14.0, 200.0, 200.0, 100.0]


def test_what_is_written_later_changes_no_day_before_the_series_was_recorded(store: Store) -> None:
    """Restated bars, an old dividend first heard of now, a late bar: an early day reads as it did after the first load.

    History extended backwards is found of the days before the first load begins.
    """
    write_sources(store, [SourceRow(source="sample", title="", priority=1, price_scale="raw", has_actions=True)])
    days = pd.bdate_range("2020-03-02", periods=10)
    first = pd.DataFrame({"KO": np.arange(60.0, 69.0)}, index=days.delete(2))
    heard = pd.DataFrame({"symbol": "KO", "source": "sample", "ts": [days[4]], "kind": "dividend", "value": 0.5})
    old = heard.assign(ts=days[3], value=6.0)
    may = [datetime(2024, 5, day, tzinfo=UTC) for day in range(1, 6)]
    write_versions(store, "actions", check_rows("actions", heard)[0], at=may[0] - timedelta(seconds=1))
    write_bars(store, long(first, volume=100.0), at=may[0])
    moments = [days[1], days[5], "2020-03-09T12:00Z", days[9], "2023-01-01", may[0] - timedelta(microseconds=1)]

    def seen() -> list[tuple[str, list[float]]]:
        panels = [read_panel(store, "KO", as_of=moment) for moment in moments]
        return [(panel.snapshot_id, panel.close[:, 0].tolist()) for panel in panels]

    then = seen()
    assert then[0][1] == [60.0, 61.0]
    assert then[1][1] == pytest.approx([60 * (1 - 0.5 / 62), 61 * (1 - 0.5 / 62), 62 - 0.5, 63.0, 64.0])
    for write in (
        lambda: write_bars(store, long(first / 2, volume=200.0), at=may[1]),
        lambda: write_versions(store, "actions", check_rows("actions", old)[0], at=may[2]),
        lambda: write_bars(store, long(pd.DataFrame({"KO": [30.75]}, index=days[[2]])), at=may[3]),
        lambda: write_bars(
            store, long(pd.DataFrame({"KO": [29.0, 29.5]}, index=pd.bdate_range("2020-02-27", periods=2))), at=may[4]
        ),
    ):
        write()
        assert seen() == then
    assert read_panel(store, "KO", as_of="2020-02-28").close[:, 0].tolist() == [29.0, 29.5]
    assert read_panel(store, "KO", as_of=may[1]).close[-1, 0] == 34.0
    with pytest.raises(DataError, match="KO has no bar up to 2020-02-26; its first is of 2020-02-27"):
        read_panel(store, "KO", as_of="2020-02-26")


def test_a_hostile_name_is_data_never_sql(store: Store, bars: pd.DataFrame) -> None:
    name = "\\'\"{},NULL $1 %s"
    at = datetime(2024, 1, 3, tzinfo=UTC)
    write_bars(store, bars.iloc[[0]].assign(symbol=name, source=name, adj_close=7.0), at=at)
    for as_of in (None, at, "2024-01-02"):
        assert read_panel(store, [name], source=name, as_of=as_of).close.tolist() == [[7.0]]


def test_as_of_never_mixes_the_scales_before_and_after_a_split(store: Store) -> None:
    """Ten for one between two ingests: what was known then is on the old scale only."""
    old = pd.DataFrame({"NVDA": [110.0, 111.0, 112.0]}, index=pd.bdate_range("2024-06-05", periods=3))
    write_bars(store, long(old), at=datetime(2024, 6, 7, 22, tzinfo=UTC))
    new = pd.DataFrame({"NVDA": [11.0, 11.1, 11.2, 11.3, 11.4]}, index=pd.bdate_range("2024-06-05", periods=5))
    write_bars(store, long(new), at=datetime(2024, 6, 14, 22, tzinfo=UTC))

    def closes(as_of: str) -> list[float]:
        return read_panel(store, "NVDA", as_of=as_of).frame()["NVDA"].tolist()

    assert closes("2024-06-12") == [110.0, 111.0, 112.0]
    assert closes("2024-06-14") == new["NVDA"].tolist()
    assert closes("2024-06-06") == [110.0, 111.0], "before anything was recorded, the first recorded stands in"
    # Older history, loaded after the split, is on the new scale: it is read of the days before the first load only.
    past = pd.DataFrame({"NVDA": [10.8, 10.9]}, index=pd.bdate_range("2024-06-03", periods=2))
    write_bars(store, long(past), at=datetime(2024, 7, 1, tzinfo=UTC))
    assert closes("2024-06-04") == [10.8, 10.9]
    assert closes("2024-06-06") == [110.0, 111.0]
    assert closes("2024-06-12") == [110.0, 111.0, 112.0], "a recorded day stays as it was"


def test_a_moment_in_the_day_does_not_see_a_session_that_was_not_over(store: Store) -> None:
    frame = pd.DataFrame({"KO": [60.0, 61.0, 62.0]}, index=pd.bdate_range("2024-06-05", periods=3))
    write_bars(store, long(frame), at=datetime(2024, 6, 7, 20, 30, tzinfo=UTC))
    for as_of, sessions in (
        ("2024-06-07", 3),
        ("2024-06-07T20:30Z", 3),  # recorded by then, so it was known
        ("2024-06-07T20:29:59Z", 2),  # not recorded then: the days that were over
        ("2024-06-06T15:00Z", 1),
        ("2024-06-06", 2),
        (pd.Timestamp("2024-06-07", tz="UTC"), 2),
        (datetime(2024, 6, 7, 22, 30, tzinfo=timezone(timedelta(hours=2))), 3),
    ):
        assert len(read_panel(store, "KO", as_of=as_of)) == sessions, as_of
    for naive in (datetime(2024, 6, 7, 15), "2024-06-07 15:00"):  # noqa: DTZ001  that is the point
        with pytest.raises(DataError, match=r"no zone: 2024-06-07 15:00.*such as 2024-06-07 15:00\+00:00"):
            read_panel(store, "KO", as_of=naive)
    assert len(read_panel(store, "KO", as_of=datetime(2024, 6, 7))) == 3  # noqa: DTZ001  midnight is the day


def test_a_panel_brings_the_doubts_about_what_it_read(store: Store, bars: pd.DataFrame) -> None:
    write_bars(store, pd.concat([bars, bars.iloc[:3].assign(source="other")]))
    rows = [
        ("KO", "2024-01-03", "suspect", "x100"),
        ("KO", "2024-01-05", "late", "no bar"),
        ("PEP", "2024-01-02", "disagree", "differs"),
    ]
    found = pd.DataFrame(rows, columns=["symbol", "ts", "grade", "reason"])
    found = found.assign(ts=pd.to_datetime(found["ts"]), check_name="c")
    save_grades(store, found.assign(source="yahoo"), source="yahoo", symbols=["KO", "PEP"], checks=["c"])
    save_grades(store, found.iloc[:1].assign(source="other"), source="other", symbols=["KO"], checks=["c"])
    panel = read_panel(store, ["KO", "PEP"], source="yahoo")
    assert panel.flags == tuple(sorted(Flag(pd.Timestamp(d), s, g, r) for s, d, g, r in rows))  # type: ignore[arg-type]
    assert panel.grade == "suspect"
    assert read_panel(store, "KO", source="other").flags == (panel.flags[1],)
    assert read_panel(store, ["KO", "PEP"], start="2024-01-04", source="yahoo").grade == "late"
    assert read_panel(store, ["PEP"], end="2024-01-03", source="yahoo").flags == (panel.flags[0],)
    assert read_panel(store, ["KO", "PEP"], as_of="2024-01-02", source="yahoo").flags == (panel.flags[0],)


@pytest.mark.parametrize("adjust", [True, False])
def test_only_the_fields_asked_for_are_read(store: Store, bars: pd.DataFrame, adjust: bool) -> None:
    write_bars(store, bars)
    whole = read_panel(store, ["KO", "PEP"], adjust=adjust)
    for as_of in (None, "2024-01-31"):
        panel = read_panel(store, ["KO", "PEP"], adjust=adjust, as_of=as_of, fields=("close", "volume"))
        assert np.array_equal(panel.close, whole.close, equal_nan=True)
        assert np.array_equal(panel.volume, whole.volume, equal_nan=True)
        assert np.isnan(panel.open).all()
        assert np.isnan(panel.high).all()
    assert np.array_equal(read_panel(store, "KO", adjust=adjust, fields=()).close, whole.close[:3, :1])
    with pytest.raises(DataError, match=r"no field 'closes'.*close"):
        read_panel(store, "KO", fields=("closes",))
