"""Macro series: vintages are only added, and a date sees what was released by then."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from quantlib.errors import DataError
from quantlib.store import (
    Store,
    WriteCount,
    check_observations,
    read_series,
    read_series_at,
    write_observations,
    write_series,
)
from quantlib.types import MACRO_COLUMNS


def cpi(*rows: tuple[Any, Any, Any], basis: str = "recorded", source: str = "bls") -> pd.DataFrame:
    """Return observations (period, value, released_at) of one series, checked."""
    frame = pd.DataFrame(rows, columns=["period", "value", "released_at"])
    frame = frame.assign(series="CPI", release_basis=basis, source=source)[list(MACRO_COLUMNS)]
    good, rejected = check_observations(frame)
    assert rejected.empty
    return good


def vintages(store: Store) -> int:
    with store.begin() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM macro.observations")) or 0)


# First and revised releases of US real GDP growth, Q1 2022 (advance, second, third), as an example of vintages.
GDP = (
    ("2022-01-01", -1.4, "2022-04-28 12:30+00:00"),
    ("2022-01-01", -1.5, "2022-05-26 12:30+00:00"),
    ("2022-01-01", -1.6, "2022-06-29 12:30+00:00"),
    ("2022-04-01", -0.9, "2022-07-28 12:30+00:00"),
)


def test_a_date_sees_the_newest_vintage_released_by_its_end(store: Store) -> None:
    assert write_observations(store, cpi(*GDP)) == WriteCount(new=4)
    for day, values in (
        ("2022-04-27", []),
        ("2022-04-28", [-1.4]),
        ("2022-05-26", [-1.5]),
        ("2022-06-30", [-1.6]),
        ("2022-07-27", [-1.6]),
        ("2022-07-28", [-1.6, -0.9]),
        (None, [-1.6, -0.9]),
    ):
        series = read_series(store, "CPI", day)
        assert series.tolist() == values
        assert series.index.tolist() == pd.to_datetime(["2022-01-01", "2022-04-01"]).tolist()[: len(values)]
    assert series.name == "CPI"
    assert series.dtype == "float64"


def test_a_second_write_adds_nothing(store: Store) -> None:
    write_observations(store, cpi(*GDP))
    assert write_observations(store, cpi(*GDP)) == WriteCount(unchanged=4)
    # A later release of the same value is no news either.
    assert write_observations(store, cpi(("2022-01-01", -1.6, "2022-09-29"))) == WriteCount(unchanged=1)
    assert vintages(store) == 4


def test_a_value_restated_under_an_estimated_date_is_known_from_when_it_was_learnt(store: Store) -> None:
    first, second, third = (datetime(2024, month, 10, tzinfo=UTC) for month in (2, 3, 4))
    write = ("2023-12-01", 306.7, "2024-01-11")
    assert write_observations(store, cpi(write, basis="estimated"), at=first) == WriteCount(new=1)
    restated = cpi(("2023-12-01", 308.7, "2024-01-11"), basis="estimated")
    assert write_observations(store, restated, at=second) == WriteCount(changed=1)
    assert write_observations(store, restated, at=third) == WriteCount(unchanged=1)
    assert read_series(store, "CPI", "2024-01-11").tolist() == [306.7]
    assert read_series(store, "CPI", "2024-03-09").tolist() == [306.7]
    assert read_series(store, "CPI", "2024-03-10").tolist() == [308.7]
    # And back again: the first value is news once more.
    assert write_observations(store, cpi(write, basis="estimated"), at=third) == WriteCount(changed=1)
    assert read_series(store, "CPI").tolist() == [306.7]
    assert vintages(store) == 3


def test_a_recorded_release_contradicted_is_kept_and_followed(store: Store) -> None:
    write_observations(store, cpi(("2024-01-01", 1.0, "2024-02-01")))
    other = cpi(("2024-01-01", 2.0, "2024-02-01"))
    assert write_observations(store, other, at=datetime(2024, 3, 1, tzinfo=UTC)) == WriteCount(changed=1)
    assert write_observations(store, other) == WriteCount(unchanged=1)
    assert read_series(store, "CPI", "2024-02-01").tolist() == [1.0]
    assert read_series(store, "CPI", "2024-03-01").tolist() == [2.0]


def test_sources_are_not_mixed(store: Store) -> None:
    write_observations(store, cpi(("2024-01-01", 1.0, "2024-02-01")))
    write_observations(store, cpi(("2024-02-01", 2.0, "2024-03-01"), source="oecd"))
    assert read_series(store, "CPI").tolist() == [2.0]
    assert read_series(store, "CPI", source="bls").tolist() == [1.0]
    with pytest.raises(DataError, match=r"no values from 'ocd'. Did you mean oecd\?"):
        read_series(store, "CPI", source="ocd")
    with pytest.raises(DataError, match=r"No series 'CPU' is stored. Did you mean CPI\?"):
        read_series(store, "CPU")
    with pytest.raises(DataError, match="as_of is not a date"):
        read_series(store, "CPI", "soon")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"series": ""}, "series is not a name"),
        ({"series": None}, "series is not a name"),
        ({"source": math.nan}, "source is not a name"),
        ({"period": "?"}, "period is missing or unreadable"),
        ({"released_at": None}, "released_at is missing or unreadable"),
        ({"release_basis": "guessed"}, "release_basis is none of recorded, estimated"),
        ({"value": "."}, "value is missing or not a number"),
        ({"value": math.nan}, "value is missing or not a number"),
        ({"value": -math.inf}, "value is infinite"),
    ],
)
def test_each_rule_rejects_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    row = {
        "series": "CPI", "period": "2024-01-01", "value": 1.0, "released_at": "2024-02-01",
        "release_basis": "recorded", "source": "bls",
    }  # fmt: skip
    frame = pd.DataFrame([row, row | {"period": "2024-02-01"} | changes])
    good, rejected = check_observations(frame)
    assert len(good) == 1
    assert rejected["reason"].tolist() == [reason]
    assert good["released_at"].tolist() == [pd.Timestamp("2024-02-01", tz="UTC")]


def test_duplicates_and_wrong_columns() -> None:
    good = cpi(("2024-01-01", 1.0, "2024-02-01"))
    once, again = check_observations(pd.concat([good, good]))
    assert len(once) == 1
    assert again["reason"].tolist() == ["duplicate of a row that was kept"]
    none, both = check_observations(pd.concat([good, good.assign(value=2.0)]))
    assert none.empty
    assert set(both["reason"]) == {"contradicts another row"}
    with pytest.raises(DataError, match="wrong or missing column: value"):
        check_observations(good.drop(columns="value"))
    with pytest.raises(DataError, match="wrong or missing column: colour"):
        check_observations(good.assign(colour="red"))


def test_writing_needs_checked_rows_and_none_is_nothing(store: Store) -> None:
    with pytest.raises(DataError, match="check_observations"):
        write_observations(store, pd.DataFrame({"series": ["CPI"]}))
    assert write_observations(store, cpi(("2024-01-01", 1.0, "2024-02-01")).iloc[:0]) == WriteCount()


def test_series_descriptions(store: Store) -> None:
    frame = pd.DataFrame(
        {
            "series": ["CPI"],
            "title": ["Consumer prices"],
            "unit": ["index"],
            "frequency": ["monthly"],
            "source": ["bls"],
        }
    )
    assert write_series(store, frame) == WriteCount(new=1)
    assert write_series(store, frame) == WriteCount(unchanged=1)
    assert write_series(store, frame.assign(unit="1982-84 = 100")) == WriteCount(changed=1)
    assert write_series(store, frame.iloc[:0]) == WriteCount()
    with pytest.raises(DataError, match="lack the column unit"):
        write_series(store, frame.drop(columns="unit"))


def test_a_row_recorded_later_is_not_seen_of_a_series_that_was_live(store: Store) -> None:
    """A print that is dated back, and another vendor's history loaded later, change no day that was recorded."""
    june, august = datetime(2022, 6, 1, tzinfo=UTC), datetime(2022, 8, 1, tzinfo=UTC)
    write_observations(store, cpi(*GDP[:2]), at=june)
    write_observations(store, cpi(("2022-01-01", -9.9, "2022-05-28")), at=august)
    write_observations(store, cpi(("2022-04-01", 7.0, "2022-05-28"), source="other"), at=august)
    assert read_series(store, "CPI", "2022-06-30").tolist() == [-1.5]
    assert read_series(store, "CPI", "2022-07-31").tolist() == [-1.5]
    assert read_series(store, "CPI", "2022-08-01", source="bls").tolist() == [-9.9]
    assert read_series(store, "CPI", "2022-08-01").tolist() == [7.0], "the source with the newest period"
    # Before anything was recorded, what was released counts, as it stood when the first of it was recorded.
    assert read_series(store, "CPI", "2022-05-29", source="bls").tolist() == [-1.5]
    assert read_series(store, "CPI", "2022-05-27", source="bls").tolist() == [-1.5]
    half_past = pd.Timestamp("2022-04-28 12:30", tz="UTC")
    assert read_series(store, "CPI", half_past, source="bls").tolist() == [-1.4]
    assert read_series(store, "CPI", half_past - pd.Timedelta(seconds=1), source="bls").empty
    older = cpi(("2021-10-01", 6.9, "2022-01-27"))
    write_observations(store, older, at=datetime(2022, 9, 1, tzinfo=UTC))
    assert read_series(store, "CPI", "2022-01-27").tolist() == [6.9], "of days before the first load it is found"
    assert read_series(store, "CPI", "2022-05-27").tolist() == [-1.5]


@pytest.mark.parametrize("seed", range(2))
def test_at_many_moments_it_is_the_last_value_of_a_read_as_of_each(store: Store, seed: int) -> None:
    """Vintages of three sources in a jumble: revisions, late loads, prints that are dated back, ties."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2022-01-01", periods=40, tz="UTC")
    for source in ("bls", "oecd", "a bank"):
        for at in sorted(rng.choice(days, 4, replace=False)):
            rows = [
                (str(period.date()), float(rng.integers(5)), released)
                for period, released in zip(rng.choice(days[::10], 5), rng.choice(days, 5), strict=True)
            ]
            unique = {(period, released): value for period, value, released in rows}
            frame = cpi(*((period, value, released) for (period, released), value in unique.items()), source=source)
            write_observations(store, frame, at=at.to_pydatetime())
    moments = pd.DatetimeIndex([*days, *(days + pd.Timedelta(hours=7)), *(days - pd.Timedelta(microseconds=1))])
    moments = moments[rng.permutation(len(moments))]
    found = read_series_at(store, "CPI", moments)
    known = [read_series(store, "CPI", moment) for moment in moments]
    expected = [series.iloc[-1] if len(series) else np.nan for series in known]
    np.testing.assert_array_equal(found, expected)
    assert found.index.equals(moments)
    assert found.nunique() > 2


def test_at_no_moment_and_of_no_series(store: Store) -> None:
    write_observations(store, cpi(*GDP))
    assert read_series_at(store, "CPI", pd.DatetimeIndex([], tz="UTC")).empty
    early = pd.DatetimeIndex(["2022-04-28 12:29:59", "2022-04-28 12:30"], tz="UTC").tz_convert("Asia/Tokyo")
    np.testing.assert_array_equal(read_series_at(store, "CPI", early), [np.nan, -1.4])
    with pytest.raises(DataError, match=r"No series 'CPU' is stored. Did you mean CPI\?"):
        read_series_at(store, "CPU", early)
