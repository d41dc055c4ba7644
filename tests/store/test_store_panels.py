"""Panels: the right rows in the right cells, of the right source, in the version known then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store import Store, check_bars, read_panel, write_bars
from quantlib.types import BAR_COLUMNS, Panel


def long(frame: pd.DataFrame, source: str = "sample") -> pd.DataFrame:
    """Return a wide frame of closes as bars."""
    flat = frame.rename_axis(index="ts", columns="symbol").reset_index().melt("ts", value_name="close").dropna()
    good, rejected = check_bars(flat.assign(source=source).reindex(columns=list(BAR_COLUMNS)))
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


def test_each_symbol_is_read_from_one_source(store: Store, bars: pd.DataFrame) -> None:
    ko, pep = bars.iloc[:3], bars.iloc[3:]
    write_bars(store, bars)
    write_bars(store, ko.assign(source="alpha"))  # as new as yahoo: the first by name
    write_bars(store, pep.iloc[:2].assign(source="alpha"))  # older than yahoo
    assert read_panel(store, ["KO", "PEP"]).source == "alpha,yahoo"
    assert len(read_panel(store, ["PEP"])) == 3
    assert read_panel(store, ["KO"]).source == "alpha"
    assert read_panel(store, ["KO", "PEP"], source="yahoo").source == "yahoo"
    assert len(read_panel(store, ["PEP"], source="alpha")) == 2
    write_bars(store, ko.assign(symbol="MSFT"))
    assert read_panel(store, ["PEP", "MSFT"], source=["alpha", "yahoo"]).source == "alpha,yahoo"
    # On the date itself both were equally new.
    assert read_panel(store, ["PEP"], as_of="2024-01-03").source == "alpha"
    with pytest.raises(DataError, match=r"MSFT has no bars from 'alpha'. Accepted: yahoo."):
        read_panel(store, ["MSFT"], source="alpha")
    with pytest.raises(DataError, match=r"'yahho' or 'none'. Did you mean yahoo\?"):
        read_panel(store, ["PEP"], source=["yahho", "none"])


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
    """Random deliveries over weeks, each remembered here as well; every day must read as it was then."""
    rng = np.random.default_rng(11)
    days = pd.bdate_range("2024-01-01", periods=8).as_unit("us")
    known: dict[tuple[str, pd.Timestamp], list[tuple[datetime, float, float]]] = {}
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
            known.setdefault((symbol, day), []).append((moment, close, volume))
        quarter += timedelta(hours=6 * int(rng.integers(1, 8)))

    def restated(versions: Sequence[tuple[datetime, float, float]], end: datetime) -> bool:
        seen = [str(v[1:]) for v in versions if v[0] < end]
        return bool(seen) and any(str(v[1:]) != seen[-1] for v in versions if v[0] >= end)

    def then(symbol: str, versions: Sequence[tuple[datetime, float, float]], day: datetime) -> tuple[float, float]:
        end = day + timedelta(days=1)
        seen = [v for v in versions if v[0] < end]
        if not seen and any(restated(others, end) for (name, _), others in known.items() if name == symbol):
            return math.nan, math.nan  # it came after the moment, on a scale that may be another
        return (seen or versions[:1])[-1][1:]

    for n in range(19, 40):
        day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=n)
        panel = read_panel(store, ["KO", "PEP"], as_of=day.date())
        for name, place in (("close", 0), ("volume", 1)):
            got = panel.frame(name).reindex(days)
            for (symbol, session), versions in known.items():
                np.testing.assert_equal(got.loc[session, symbol], then(symbol, versions, day)[place])


def test_a_hostile_name_is_data_never_sql(store: Store, bars: pd.DataFrame) -> None:
    with store.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO market_data.bars (symbol, source, ts, close, recorded_at) "
                "VALUES (:name, :name, '2024-01-02', 7, now())"
            ),
            {"name": "\\'\"{},NULL $1 %s"},
        )
    assert read_panel(store, ["\\'\"{},NULL $1 %s"], source="\\'\"{},NULL $1 %s").close.tolist() == [[7.0]]


def test_as_of_never_mixes_the_scales_before_and_after_a_split(store: Store) -> None:
    """Ten for one between two ingests: what was known then is on the old scale only."""
    old = pd.DataFrame({"NVDA": [110.0, 111.0, 112.0]}, index=pd.bdate_range("2024-06-05", periods=3))
    write_bars(store, long(old), at=datetime(2024, 6, 7, 22, tzinfo=UTC))
    new = pd.DataFrame({"NVDA": [11.0, 11.1, 11.2, 11.3, 11.4]}, index=pd.bdate_range("2024-06-05", periods=5))
    write_bars(store, long(new), at=datetime(2024, 6, 14, 22, tzinfo=UTC))
    then = read_panel(store, ["NVDA"], as_of="2024-06-12").frame()["NVDA"]
    assert then.tolist() == [110.0, 111.0, 112.0]
    assert read_panel(store, ["NVDA"], as_of="2024-06-14").frame()["NVDA"].tolist() == new["NVDA"].tolist()
    # Before anything was recorded, the first version recorded stands in.
    assert read_panel(store, ["NVDA"], as_of="2024-06-06").frame()["NVDA"].tolist() == [110.0, 111.0]
