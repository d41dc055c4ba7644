"""Weekly and monthly bars against pandas, and what TimescaleDB is asked for where its licence allows it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store import Store, check_bars, write_bars
from quantlib.store.migrations import bar_views
from quantlib.store.timescale import read_bars_by
from quantlib.types import BAR_COLUMNS, Panel

VALUES = ["open", "high", "low", "close", "volume", "adj_close", "sessions"]


def long(panel: Panel, *, source: str) -> pd.DataFrame:
    """Return a panel's bars in long form, with an adjusted close that is a thing of its own."""
    parts = []
    for i, symbol in enumerate(panel.symbols):
        fields = {name: getattr(panel, name)[:, i] for name in ("open", "high", "low", "close", "volume")}
        parts.append(pd.DataFrame({"symbol": symbol, "ts": panel.index, **fields, "source": source}))
    frame = pd.concat(parts, ignore_index=True)
    good, rejected = check_bars(frame.assign(adj_close=frame["close"] * 0.9)[list(BAR_COLUMNS)])
    assert rejected.empty
    return good


def oracle(daily: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return what pandas makes of daily bars; unknown where a session it is taken from is unknown."""
    parts = []
    for (symbol, source), one in daily.groupby(["symbol", "source"]):
        groups = one.set_index("ts").resample(rule, label="left", closed="left")
        bars = pd.DataFrame(
            {
                "open": groups["open"].agg(lambda s: s.iloc[0] if len(s) else np.nan),
                "high": groups["high"].agg(lambda s: s.max(skipna=False)),
                "low": groups["low"].agg(lambda s: s.min(skipna=False)),
                "close": groups["close"].agg(lambda s: s.iloc[-1] if len(s) else np.nan),
                "volume": groups["volume"].agg(lambda s: s.sum(skipna=False)),
                "adj_close": groups["adj_close"].agg(lambda s: s.iloc[-1] if len(s) else np.nan),
                "sessions": groups.size(),
            }
        )
        bars = bars[bars["sessions"] > 0].reset_index()
        parts.append(bars.assign(symbol=symbol, source=source))
    return pd.concat(parts, ignore_index=True)[["symbol", "source", "ts", *VALUES]]


@pytest.fixture
def daily(store: Store, ohlcv: Panel, small: Panel) -> pd.DataFrame:
    """Return stored bars: an index with everything known, stocks with closes only, and one open missing."""
    index = long(ohlcv.tail(700), source="exchange")
    index.loc[[3, 40], "open"] = np.nan
    index.loc[[41], ["high", "volume"]] = np.nan
    frame = pd.concat([index, long(small.tail(80), source="sample")], ignore_index=True)
    write_bars(store, check_bars(frame)[0])
    return frame


@pytest.mark.parametrize(("by", "rule"), [("week", "W-MON"), ("month", "MS")])
def test_weekly_and_monthly_bars_are_those_of_pandas(store: Store, daily: pd.DataFrame, by: str, rule: str) -> None:
    found = read_bars_by(store, ["^GSPC", "KO", "PEP", "MSFT"], by)
    wanted = oracle(daily, rule)
    pd.testing.assert_frame_equal(found, wanted.astype(found.dtypes), rtol=1e-12)
    assert found["open"].isna().sum() > 2
    assert found.loc[found["symbol"] == "^GSPC", "high"].isna().sum() == 1
    if by == "week":
        assert set(found["ts"].dt.day_of_week) == {0}


@pytest.mark.parametrize("by", ["week", "month"])
def test_the_view_holds_what_the_reader_returns(store: Store, daily: pd.DataFrame, by: str) -> None:
    with store.begin() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {bar_views.PERIODS[by]} ORDER BY 1, 2, 3"))
        names = list(rows.keys())
        view = pd.DataFrame(rows.all(), columns=names)
    found = read_bars_by(store, sorted(set(daily["symbol"])), by)
    assert tuple(names) == bar_views.COLUMNS == tuple(found.columns)
    assert len(found) > 20
    pd.testing.assert_frame_equal(view.astype(found.dtypes), found, rtol=1e-12)


def test_a_restated_bar_shows_at_once(store: Store, daily: pd.DataFrame) -> None:
    before = read_bars_by(store, "KO", "month")
    one = daily[(daily["symbol"] == "KO")].tail(1)
    write_bars(store, one.assign(close=one["close"] * 2, adj_close=np.nan))
    after = read_bars_by(store, "KO", "month")
    assert after["close"].iloc[-1] == 2 * before["close"].iloc[-1]
    assert np.isnan(after["adj_close"].iloc[-1])
    pd.testing.assert_frame_equal(after[:-1], before[:-1])


def test_span_and_source_choose_the_sessions_used(store: Store, daily: pd.DataFrame) -> None:
    days = daily[daily["symbol"] == "KO"]["ts"]
    found = read_bars_by(store, "KO", "week", start=days.iloc[7], end=days.iloc[30], source="sample")
    assert found["sessions"].sum() == 24
    assert read_bars_by(store, "KO", "week", source="exchange").empty


def test_what_cannot_be_read_is_said(store: Store, daily: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="week"):
        read_bars_by(store, "KO", "weak")
    with pytest.raises(DataError, match=r"'MSTF' .*MSFT"):
        read_bars_by(store, ["KO", "MSTF"], "week")
    with pytest.raises(DataError, match="before the start"):
        read_bars_by(store, "KO", "week", start="2020-02-01", end="2020-01-01")


# --- the licensed functions, which the edition the tests run on does not have ---------------------------------


def capabilities(connection: sa.Connection) -> dict[str, tuple[bool, str]]:
    rows = connection.execute(sa.text("SELECT name, available, note FROM ops.capabilities"))
    return {name: (available, note) for name, available, note in rows}


def test_the_edition_without_the_licence_gets_plain_views_and_no_note(store: Store) -> None:
    community = store.info()["edition"] == "community" and store.info()["hypertables"]
    with store.begin() as connection:
        known = capabilities(connection)
    assert known["continuous_aggregates"] == (community, "")
    assert known["compression"] == (community, "")


@pytest.mark.parametrize("fails", [False, True])
def test_with_the_licence_it_is_asked_for_and_a_failure_is_noted(
    store: Store, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr(bar_views, "_LICENSED", "SELECT true")
    aggregate = "SELECT 1 / 0" if fails else "CREATE VIEW {view} AS SELECT 'by {period}' AS kind"
    monkeypatch.setattr(bar_views, "_AGGREGATE", aggregate)
    monkeypatch.setattr(bar_views, "_REFRESH", "SELECT '{view}', '1 {period}'")
    monkeypatch.setattr(bar_views, "_COMPRESS", ["SELECT 1 / 0" if fails else "SELECT 1"])
    with store.begin() as connection:
        try:
            for view in bar_views.PERIODS.values():
                connection.execute(sa.text(f"DROP VIEW {view}"))
            connection.execute(sa.text("DELETE FROM ops.capabilities WHERE name <> 'hypertables'"))
            bar_views.create_bar_views(connection)
            bar_views.compress_bars(connection)
            known = capabilities(connection)
            columns = list(connection.execute(sa.text("SELECT * FROM market_data.weekly_bars")).keys())
        finally:
            connection.rollback()
    assert columns == (list(bar_views.COLUMNS) if fails else ["kind"])
    for name, part in (("continuous_aggregates", "are plain views"), ("compression", "could not be compressed")):
        given, note = known[name]
        assert given is not fails
        assert (part in note and "division by zero" in note) if fails else note == ""
