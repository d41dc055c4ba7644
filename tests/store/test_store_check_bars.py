"""The check at the door: each rule, each reason, and that nothing good is lost or changed on the way."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.errors import DataError
from quantlib.store import check_bars
from quantlib.types import BAR_COLUMNS


def one(bars: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    """Return the first bar with some values changed, of any type."""
    return pd.DataFrame([bars.iloc[0].to_dict() | changes])[list(BAR_COLUMNS)]


def test_good_bars_pass_whole_typed_and_sorted(bars: pd.DataFrame) -> None:
    shuffled = bars.sample(frac=1, random_state=3)[list(reversed(BAR_COLUMNS))]
    good, rejected = check_bars(shuffled)
    pd.testing.assert_frame_equal(good, bars, check_exact=True)
    assert rejected.empty
    assert list(rejected.columns) == [*reversed(BAR_COLUMNS), "reason"]
    assert good["ts"].dtype == "datetime64[us]"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": ""}, "symbol is not a name"),
        ({"symbol": None}, "symbol is not a name"),
        ({"symbol": math.nan}, "symbol is not a name"),
        ({"symbol": True}, "symbol is not a name"),
        ({"symbol": "KO PEP"}, "symbol is not a name"),
        ({"symbol": "KO'; DROP TABLE bars"}, "symbol is not a name"),
        ({"source": ""}, "source is not a name"),
        ({"ts": None}, "date is missing or unreadable"),
        ({"ts": pd.NaT}, "date is missing or unreadable"),
        ({"ts": "2024-02-30"}, "date is missing or unreadable"),
        ({"ts": "soon"}, "date is missing or unreadable"),
        ({"ts": "03/01/2024"}, "date is missing or unreadable"),
        ({"ts": "2024-01-02 14:30"}, "ts has a time of day, a daily bar has its session date"),
        ({"ts": pd.Timestamp("2024-01-02 14:30")}, "ts has a time of day, a daily bar has its session date"),
        ({"open": "n/a"}, "open is not a number"),
        ({"close": "59,82"}, "close is not a number"),
        ({"high": math.inf}, "high is infinite"),
        ({"volume": math.inf}, "volume is infinite"),
        ({"close": math.nan}, "no close"),
        ({"close": None}, "no close"),
        ({"close": 0.0}, "close is not above zero"),
        ({"open": -58.93}, "open is not above zero"),
        ({"low": 0.0}, "low is not above zero"),
        ({"adj_close": -1.0}, "adj_close is not above zero"),
        ({"volume": -1.0}, "volume is negative"),
        ({"high": 58.0, "low": 59.0}, "high is below low"),
        ({"open": 60.5}, "open is outside low and high"),
        ({"close": 58.5}, "close is outside low and high"),
    ],
)
def test_each_rule_rejects_with_its_reason_and_keeps_the_row_as_it_came(
    bars: pd.DataFrame, changes: dict[str, Any], reason: str
) -> None:
    frame = pd.concat([bars.iloc[1:].astype(object), one(bars, **changes).astype(object)], ignore_index=True)
    good, rejected = check_bars(frame)
    assert len(good) == len(bars) - 1
    assert rejected["reason"].tolist() == [reason]
    assert rejected.index.tolist() == [len(bars) - 1]
    pd.testing.assert_frame_equal(rejected.drop(columns="reason"), frame.iloc[[-1]])


@pytest.mark.parametrize(
    "changes",
    [
        {"open": math.nan, "high": math.nan, "low": math.nan, "volume": math.nan, "adj_close": math.nan},
        {"open": None},
        {"volume": 0},
        {"high": 59.82 * (1 - 5e-7)},  # the close above the high by a rounding
        {"low": 58.93 * (1 + 5e-7)},
        {"close": "59.82"},
        {"ts": date(2024, 1, 2)},
        {"ts": "2024-01-02"},
        {"ts": "20240102"},
        {"ts": "2024-01-02T00:00:00Z"},
        {"ts": "2024-01-02 00:00:00-05:00"},
        {"ts": pd.Timestamp("2024-01-02", tz="America/New_York")},
    ],
)
def test_what_is_unknown_rounded_or_written_otherwise_passes(bars: pd.DataFrame, changes: dict[str, Any]) -> None:
    good, rejected = check_bars(one(bars, **changes))
    assert rejected.empty
    assert good.loc[0, "ts"] == pd.Timestamp("2024-01-02")
    assert good.loc[0, "close"] == 59.82
    for name in ("open", "high", "low", "volume", "adj_close"):
        if name in changes:
            assert good.loc[0, name] == changes[name] or (pd.isna(changes[name]) and math.isnan(good.loc[0, name]))


@pytest.mark.parametrize(
    "symbol", ["TRUE", "NA", "NAN", "ON", "NULL", "None", "^GSPC", "BRK-B", "EURUSD=X", "600519.SS"]
)
def test_symbols_that_parsers_eat_stay_what_they_are(bars: pd.DataFrame, symbol: str) -> None:
    good, rejected = check_bars(one(bars, symbol=symbol))
    assert rejected.empty
    assert good["symbol"].tolist() == [symbol]


def test_identical_duplicates_leave_one_and_contradictions_none(bars: pd.DataFrame) -> None:
    twice, other = one(bars), one(bars, close=59.5)
    nan = one(bars, symbol="NAN", volume=math.nan)
    good, rejected = check_bars(pd.concat([bars, twice, nan, nan], ignore_index=True))
    assert len(good) == len(bars) + 1
    assert rejected["reason"].tolist() == ["duplicate of a row that was kept"] * 2
    good, rejected = check_bars(pd.concat([bars, twice, other], ignore_index=True))
    assert len(good) == len(bars) - 1
    assert rejected.index.tolist() == [0, 6, 7]
    assert set(rejected["reason"]) == {"contradicts another row of the same symbol, date and source"}
    # Another source may differ, and a row rejected for itself contradicts nobody.
    good, rejected = check_bars(pd.concat([bars, one(bars, source="sample", close=59.5), one(bars, close=-1.0)]))
    assert len(good) == len(bars) + 1
    assert len(rejected) == 1


def test_columns_are_named_when_wrong(bars: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"lack the column adj_close.*came: symbol"):
        check_bars(bars.drop(columns="adj_close"))
    with pytest.raises(DataError, match=r"'adjclose' nobody knows. Did you mean adj_close\?"):
        check_bars(bars.assign(adjclose=1.0))
    with pytest.raises(DataError, match="came: none"):
        check_bars(pd.DataFrame())


def test_nothing_comes_of_nothing(bars: pd.DataFrame) -> None:
    good, rejected = check_bars(bars.iloc[:0])
    assert good.empty
    assert rejected.empty
    assert list(good.columns) == list(BAR_COLUMNS)


prices = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -1.0, 50.0, 60.0]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["KO", "PEP"]), st.integers(1, 3), prices, prices, prices, prices, prices), max_size=8
    )
)
def test_every_row_is_either_kept_sound_or_rejected(rows: list[tuple[Any, ...]]) -> None:
    names = ["symbol", "ts", "open", "high", "low", "close", "volume"]
    frame = pd.DataFrame(rows, columns=names).assign(source="yahoo", adj_close=np.nan)
    frame["ts"] = "2024-01-0" + frame["ts"].astype("str")
    good, rejected = check_bars(frame)
    assert len(good) + len(rejected) == len(frame)
    assert not good.duplicated(["symbol", "ts", "source"]).any()
    assert np.isfinite(good["close"]).all()
    for name in ("open", "high", "low", "close"):
        assert not (good[name] <= 0).any()
    assert not (good["high"] < good["low"] * (1 - 1e-5)).any()
    again, none = check_bars(good)
    pd.testing.assert_frame_equal(again, good)
    assert none.empty


@pytest.mark.replay
def test_recorded_bad_inputs_are_sorted_out(replay: Path) -> None:
    def read(name: str) -> pd.DataFrame:
        raw = pd.read_csv(replay / "bad_inputs" / name, keep_default_na=False, na_values=["", "null", "nan"])
        raw.columns = [column.lower().replace(" ", "_") for column in raw.columns]
        raw = raw.rename(columns={"date": "ts"})
        symbol = Path(name).stem.split("_")[-1]
        return raw.assign(symbol=symbol, source="yahoo").reindex(columns=list(BAR_COLUMNS))

    good, rejected = check_bars(read("yf2024_KIQ.csv"))
    assert rejected["reason"].isin(["open is not above zero", "low is not above zero"]).sum() == 162
    assert len(good) > 1_000
    good, rejected = check_bars(read("yf2024_WHLRL.csv"))
    assert (rejected["reason"] == "no close").sum() == 492
    good, rejected = check_bars(read("yf2024_TRUE.csv"))
    assert set(good["symbol"]) == {"TRUE"}
    assert len(check_bars(read("yf2024_AACIW.csv"))[0]) == 1
