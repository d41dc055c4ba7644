"""Turns: one transaction for several tables, all of it or nothing, and never two writers of one table at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.store import BARS, GRADES, Store, coverage, take_turn, write_bars


def test_several_writes_of_a_turn_have_one_moment_and_end_together(store: Store, bars: pd.DataFrame) -> None:
    with take_turn(store, BARS) as turn:
        assert write_bars(store, bars.iloc[:3], within=turn).new == 3
        assert write_bars(store, bars.assign(volume=1.0), within=turn) == (3, 3, 0)
        assert write_bars(store, bars.assign(volume=2.0), within=turn) == (0, 6, 0)
        assert coverage(store).empty, "nobody else sees it before the end"
    assert coverage(store)["recorded_at"].tolist() == [turn.at] * 2


def test_a_turn_that_fails_leaves_nothing(store: Store, bars: pd.DataFrame) -> None:
    def write_and_fail() -> None:
        with take_turn(store, BARS) as turn:
            write_bars(store, bars, within=turn)
            raise DataError("Cut off.")

    with pytest.raises(DataError, match="Cut off"):
        write_and_fail()
    assert coverage(store).empty
    assert write_bars(store, bars).new == 6, "the lock is free again"


def test_a_turn_is_for_its_tables_and_its_moment(store: Store, bars: pd.DataFrame) -> None:
    with take_turn(store, GRADES) as turn, pytest.raises(DataError, match=r"cannot write market_data\.bars"):
        write_bars(store, bars, within=turn)
    moment = datetime(2024, 1, 6, tzinfo=UTC)
    with take_turn(store, BARS, at=moment) as turn:
        with pytest.raises(DataError, match="A turn has one moment"):
            write_bars(store, bars, at=datetime(2024, 1, 7, tzinfo=UTC), within=turn)
        write_bars(store, bars, within=turn)
    assert coverage(store)["recorded_at"].tolist() == [moment] * 2
