"""Writing bars: idempotent, all or nothing, whoever else writes, and what it replaces is kept."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantlib.errors import ConfigError, DataError
from quantlib.store import Store, WriteCount, check_bars, coverage, read_panel, write_bars
from quantlib.types import BAR_COLUMNS


def rows(store: Store, table: str = "bars") -> list[tuple[object, ...]]:
    """Return a table of bars with the marks that move when a row is touched."""
    with store.begin() as connection:
        found = connection.execute(
            sa.text(f"SELECT *, xmin::text, ctid::text FROM market_data.{table} ORDER BY 1, 2, 3")
        )
        return [tuple(row) for row in found]


def test_what_was_written_is_there_with_its_time(store: Store, bars: pd.DataFrame) -> None:
    moment = datetime(2024, 1, 6, 12, tzinfo=UTC)
    assert write_bars(store, bars, at=moment) == WriteCount(new=6)
    stored = rows(store)
    assert [row[:9] for row in stored] == [
        (r.symbol, r.source, r.ts.date(), r.open, r.high, r.low, r.close, r.volume, r.adj_close)
        for r in bars.itertuples()
    ]
    assert {row[9] for row in stored} == {moment}


def test_the_second_write_touches_no_row(store: Store, bars: pd.DataFrame) -> None:
    bars.loc[1, ["open", "volume", "adj_close"]] = math.nan
    write_bars(store, bars)
    before = rows(store)
    assert write_bars(store, bars) == WriteCount(unchanged=6)
    assert rows(store) == before
    assert rows(store, "bar_revisions") == []


def test_a_change_keeps_the_old_row_and_touches_no_other(store: Store, bars: pd.DataFrame) -> None:
    first, second = datetime(2024, 1, 6, tzinfo=UTC), datetime(2024, 2, 6, tzinfo=UTC)
    write_bars(store, bars, at=first)
    before = rows(store)
    changed = bars.copy()
    changed.loc[0, "close"] = 59.80
    changed.loc[4, "volume"] = math.nan  # a value that becomes unknown is a change too
    later = pd.concat([changed, bars.iloc[[5]].assign(ts=pd.Timestamp("2024-01-08"))], ignore_index=True)
    assert write_bars(store, later, at=second) == WriteCount(new=1, changed=2, unchanged=4)
    assert [row for row in rows(store) if row[9] == first] == [before[i] for i in (1, 2, 3, 5)]
    assert [row[:11] for row in rows(store, "bar_revisions")] == [(*before[i][:10], second) for i in (0, 4)]


def test_new_symbols_beside_stored_ones_are_written_with_them(store: Store, bars: pd.DataFrame) -> None:
    ko, pep = bars.iloc[:3], bars.iloc[3:]
    assert write_bars(store, ko) == WriteCount(new=3)
    assert write_bars(store, bars) == WriteCount(new=3, unchanged=3)
    assert write_bars(store, bars.assign(source="other")) == WriteCount(new=6)
    assert len(rows(store)) == 12
    assert read_panel(store, "PEP", source="yahoo", adjust=False).close[:, 0].tolist() == pep["close"].tolist()


def test_what_was_not_checked_is_refused_and_nothing_is_written(store: Store, bars: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="Pass what check_bars returned"):
        write_bars(store, bars.drop(columns="volume"))
    for bad in (
        bars.assign(close=[1.0, 2.0, 3.0, 4.0, 5.0, -6.0]),
        bars.assign(symbol=["KO", "KO", "KO", "PEP", "PEP", ""]),
        pd.concat([bars, bars.iloc[[5]].assign(close=1.0)]),
    ):
        with pytest.raises(DataError, match="check_bars first"):
            write_bars(store, bad)
    with pytest.raises(DataError, match="no zone: 2024-01-06"):
        write_bars(store, bars, at=datetime(2024, 1, 6))  # noqa: DTZ001  that is the point
    assert rows(store) == []
    assert write_bars(store, bars.iloc[:0]) == WriteCount()


def blocked(store: Store, work: Callable[[], object], last: pd.Series) -> tuple[threading.Thread, int, sa.Connection]:
    """Start writing while another session holds the last row; return once all others are written, uncommitted."""
    holder = store.engine.connect()
    holder.execute(
        sa.text("INSERT INTO market_data.bars (symbol, source, ts, close, recorded_at) VALUES (:s, :o, :t, 1, now())"),
        {"s": last["symbol"], "o": last["source"], "t": last["ts"].date()},
    )
    thread = threading.Thread(target=work)
    thread.start()
    waiting = sa.text(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY%market_data%bars%'"
    )
    for _ in range(500):
        with store.begin() as connection:
            if (pid := connection.scalar(waiting)) is not None:
                return thread, pid, holder
        time.sleep(0.02)
    pytest.fail("the writer never came to wait")


def test_a_writer_killed_in_the_middle_leaves_nothing(store: Store, bars: pd.DataFrame) -> None:
    outcome: list[Exception] = []

    def work() -> None:
        try:
            write_bars(store, bars)
        except ConfigError as error:
            outcome.append(error)

    thread, pid, holder = blocked(store, work, bars.iloc[-1])
    with store.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    thread.join(20)
    holder.close()  # undoes its own row
    assert "went away in the middle" in str(outcome[0])
    assert rows(store) == []
    assert write_bars(store, bars) == WriteCount(new=6)


def test_writers_of_the_same_rows_take_turns(store: Store) -> None:
    days = pd.bdate_range("2024-01-01", periods=200).as_unit("us")
    base = pd.DataFrame({"symbol": "KO", "ts": days, "close": 60.0, "source": "yahoo"}).reindex(
        columns=list(BAR_COLUMNS)
    )
    versions = [base.assign(close=60.0 + i, volume=np.nan)[:: 1 if i % 2 else -1] for i in range(6)]
    versions = [v.astype({"open": float, "high": float, "low": float, "adj_close": float}) for v in versions]
    with ThreadPoolExecutor(6) as pool:
        counts = [job.result() for job in [pool.submit(write_bars, store, version) for version in versions]]
    assert sorted(counts) == [WriteCount(changed=200)] * 5 + [WriteCount(new=200)]
    stored, old = rows(store), rows(store, "bar_revisions")
    assert len(stored) == 200
    assert len({row[6] for row in stored}) == 1, "versions are mixed"
    assert len(old) == 1000
    # Every version took over from the one before it without gap or overlap.
    ends = sorted({row[10] for row in old})
    assert sorted({row[9] for row in (*old, *stored)})[1:] == ends


def test_coverage_tells_what_there_is(store: Store, bars: pd.DataFrame) -> None:
    assert coverage(store).empty
    early, late = datetime(2024, 1, 6, tzinfo=UTC), datetime(2024, 2, 6, tzinfo=UTC)
    write_bars(store, bars, at=early)
    write_bars(store, bars.iloc[:2].assign(source="sample"), at=early)
    write_bars(store, bars.iloc[[5]].assign(close=167.0), at=late)
    frame = coverage(store)
    assert frame.drop(columns="recorded_at").to_dict("list") == {
        "symbol": ["KO", "KO", "PEP"],
        "source": ["sample", "yahoo", "yahoo"],
        "first": [pd.Timestamp("2024-01-02")] * 3,
        "last": [pd.Timestamp("2024-01-03"), pd.Timestamp("2024-01-04"), pd.Timestamp("2024-01-05")],
        "bars": [2, 3, 3],
    }
    assert frame["recorded_at"].tolist() == [early, early, late]
    assert frame["symbol"].dtype == "str"


def series_of_the_bars(store: Store) -> list[tuple[object, ...]]:
    """Return what market_data.bar_series should hold, out of every version of every bar."""
    query = """
        SELECT symbol, source, min(ts), max(ts), count(DISTINCT ts)::integer, min(recorded_at), max(recorded_at)
        FROM (SELECT symbol, source, ts, recorded_at FROM market_data.bars
              UNION ALL SELECT symbol, source, ts, recorded_at FROM market_data.bar_revisions) versions
        GROUP BY symbol, source ORDER BY symbol, source
    """
    with store.begin() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def series(store: Store) -> list[tuple[object, ...]]:
    return [row[:-2] for row in rows(store, "bar_series")]


def test_what_there_is_of_a_series_is_kept_by_every_write(store: Store, bars: pd.DataFrame) -> None:
    moments = pd.date_range("2024-01-10", periods=7, freq="D", tz="UTC").to_pydatetime()
    earlier = bars.assign(ts=bars["ts"] - pd.Timedelta(days=40))
    for at, frame in (
        (moments[3], bars.iloc[1:]),
        (moments[4], bars),  # one day before what is there
        (moments[4], bars.iloc[[0, 4]].assign(volume=1.0)),  # only changes
        (moments[5], pd.concat([earlier.iloc[[5]], bars.iloc[[0]].assign(volume=2.0)])),
        (moments[1], earlier.iloc[:3].assign(source="other")),
        (moments[2], earlier.iloc[:3].assign(source="other", volume=3.0)),
        (moments[0], earlier.iloc[[3]]),  # stamped before all others
    ):
        write_bars(store, frame, at=at)
        assert series(store) == series_of_the_bars(store)
    before = rows(store, "bar_series")
    assert len(before) == 3
    write_bars(store, earlier.iloc[[3]], at=moments[6])
    assert rows(store, "bar_series") == before, "nothing was written"


def test_a_write_that_fails_or_others_at_once_leave_the_series_true(store: Store, bars: pd.DataFrame) -> None:
    write_bars(store, bars)
    with pytest.raises(DataError, match="check_bars first"):
        write_bars(store, pd.concat([bars, bars.iloc[[5]].assign(ts=pd.Timestamp("2024-02-01"), close=-1.0)]))
    assert series(store) == series_of_the_bars(store)
    parts = [bars.assign(ts=bars["ts"] + pd.Timedelta(days=i - 3), volume=float(i)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(write_bars, store, part) for part in parts]:
            job.result()
    assert series(store) == series_of_the_bars(store)


positive = st.floats(min_value=1e-300, max_value=1e300)
maybe = st.one_of(st.just(math.nan), positive)


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(["TRUE", "NA", "NAN", "ON", "ALL", "^GSPC", "BRK-B"]),
            st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2200-01-01").date()),
        ),
        st.tuples(positive, maybe, st.one_of(st.just(math.nan), st.floats(0, 1e300))),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_written_to_the_last_bit(
    store: Store, written: dict[tuple[str, object], tuple[float, float, float]]
) -> None:
    with store.begin() as connection:
        connection.execute(sa.text("TRUNCATE market_data.bars, market_data.bar_revisions, market_data.bar_series"))
    frame = pd.DataFrame(
        [(symbol, day, close, adj, volume, "sample") for (symbol, day), (close, adj, volume) in written.items()],
        columns=["symbol", "ts", "close", "adj_close", "volume", "source"],
    ).reindex(columns=list(BAR_COLUMNS))
    good, rejected = check_bars(frame)
    assert rejected.empty
    assert write_bars(store, good).new == len(written)
    assert write_bars(store, good) == WriteCount(unchanged=len(written))
    symbols = sorted({symbol for symbol, _ in written})
    panel = read_panel(store, symbols, adjust=False)
    close, volume = panel.frame("close"), panel.frame("volume")
    assert int(np.isfinite(close.to_numpy()).sum()) == len(written)
    for (symbol, day), (value, _, shares) in written.items():
        assert close.loc[pd.Timestamp(day), symbol] == value
        assert volume.loc[pd.Timestamp(day), symbol] == shares or math.isnan(shares)
    assert np.isnan(panel.open).all()
