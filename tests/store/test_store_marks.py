"""The mark of the data: it changes with every write, whatever is committed when."""

from __future__ import annotations

import pandas as pd
import pytest

from quantlib.store import Store, check_bars, write_bars
from quantlib.store.marks import data_mark
from quantlib.types import BAR_COLUMNS


def run(store: Store, statement: str) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql(statement)


def test_mark_of_the_data_changes_with_what_is_stored(store: Store) -> None:
    assert data_mark(store) == ""
    row = "('KO', 'sample', '2024-01-02', 'dividend', 0.5, '2024-01-03', {})"
    run(store, f"INSERT INTO market_data.actions VALUES {row.format('NULL')}")
    first = data_mark(store)
    run(store, "UPDATE market_data.actions SET replaced_at = '2024-01-04'")
    assert "" < first < data_mark(store), "a withdrawn action is a change too"


BAR = "INSERT INTO market_data.bars (symbol, source, ts, close, recorded_at) VALUES ('KO', 'a', '{}', 1, '{}')"


@pytest.mark.parametrize("theirs", ["actions", "bars"])
def test_mark_notices_what_is_stamped_before_and_committed_after_something_else(store: Store, theirs: str) -> None:
    early, late = "2024-05-01 10:00Z", "2024-05-01 10:01Z"
    # A new chunk of a hypertable is made by one writer at a time, and both write from this one thread.
    run(store, BAR.format("2024-01-04", early))
    with store.begin() as connection:
        if theirs == "bars":
            connection.exec_driver_sql(BAR.format("2024-01-03", early))
        else:
            row = f"('KO', 'sample', '2024-01-02', 'dividend', 0.5, '{early}', NULL)"
            connection.exec_driver_sql(f"INSERT INTO market_data.actions VALUES {row}")
        run(store, BAR.format("2024-01-02", late))
        seen = data_mark(store)
    assert data_mark(store) != seen


def test_mark_notices_every_write_of_a_bar(store: Store) -> None:
    def bars(close: float) -> pd.DataFrame:
        row = {"symbol": "KO", "source": "a", "ts": pd.Timestamp("2024-01-02"), "close": close}
        good, _ = check_bars(pd.DataFrame([row]).reindex(columns=list(BAR_COLUMNS)))
        assert len(good) == 1
        return good

    marks = [data_mark(store)]
    for close in (1.0, 2.0, 1.0):
        write_bars(store, bars(close))
        marks.append(data_mark(store))
    assert len(set(marks)) == 4
    write_bars(store, bars(1.0))
    assert data_mark(store) == marks[-1], "nothing was written"
