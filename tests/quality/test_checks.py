"""Each check on bars made for it: what it must find, what it must leave alone, and the words and repairs it gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.quality import CHECKS, FINDING_COLUMNS, calendar_of, histories, inspect, sessions
from quantlib.store import check_bars

PRICES = ["open", "high", "low", "close", "adj_close"]


def walk(symbol: str = "KO", source: str = "one", *, seed: int = 0, n: int = 400, vol: float = 0.01) -> pd.DataFrame:
    """Return a random walk of `n` sessions with open, high, low and volume."""
    days = sessions(calendar_of(symbol), pd.Timestamp("2020-01-02"), pd.Timestamp("2023-12-31"))[:n]
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, vol, n)))
    opening = np.r_[50.0, close[:-1]] * np.exp(rng.normal(0, vol / 3, n))
    frame = pd.DataFrame({"symbol": symbol, "ts": days.astype("datetime64[us]"), "open": opening, "close": close})
    wide = np.exp(np.abs(rng.normal(0, vol / 2, n)) + vol / 10)
    return frame.assign(
        high=np.maximum(opening, close) * wide,
        low=np.minimum(opening, close) / wide,
        adj_close=close,
        volume=rng.lognormal(13, 0.3, n).round(),
        source=source,
    )


def found(*frames: pd.DataFrame, check: str | None = None, **more: object) -> pd.DataFrame:
    """Return what the checks find in bars that the door lets in."""
    good, rejected = check_bars(pd.concat(frames, ignore_index=True))
    assert rejected.empty, rejected
    return inspect(histories(good, **more), None if check is None else [check])  # type: ignore[arg-type]


def days(table: pd.DataFrame) -> list[pd.Timestamp]:
    return table["ts"].tolist()


def test_cards_are_whole() -> None:
    for name, check in CHECKS.items():
        assert check.name == name
        assert check.title
        assert check.finds.endswith(".")
        assert check.grade in {"late", "disagree", "suspect"}


def test_sound_bars_have_no_finding() -> None:
    table = found(*(walk(s, seed=i) for i, s in enumerate(["KO", "PEP", "BTC-USD", "EURUSD=X"])))
    assert table.empty
    assert tuple(table.columns) == FINDING_COLUMNS


def test_nothing_is_found_in_nothing_or_in_one_bar() -> None:
    assert inspect(histories(walk().iloc[:0])).empty
    assert found(walk(n=1)).empty
    assert found(walk(n=2)).empty


def test_a_check_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="Did you mean outlier"):
        inspect([], ["outliers"])
    with pytest.raises(DataError, match="lack the column source"):
        histories(walk().drop(columns="source"))


def test_progress_is_told() -> None:
    told: list[tuple[int, int, str]] = []
    inspect(histories(walk()), ["outlier"], on_progress=lambda *step: told.append(step))
    assert told == [(0, 1, "KO"), (1, 1, "")]


def test_missing_sessions_are_named_singly_and_in_runs() -> None:
    bars = walk()
    table = found(bars.drop(index=[30, 100, 101, 102]))
    assert days(table) == bars.loc[[30, 100, 101, 102], "ts"].tolist()
    assert table["reason"].iloc[0] == "No bar for this session of XNYS."
    assert "3 sessions" in table["reason"].iloc[1]
    assert set(table["grade"]) == {"late"}


def test_a_series_that_has_stopped_is_named_once() -> None:
    bars = walk(n=10)  # to 2020-01-15
    expected = {("KO", "one"): np.datetime64("2020-01-22")}
    table = found(bars, expected=expected)
    assert days(table) == [pd.Timestamp("2020-01-16")]
    assert "4 sessions are missing up to 2020-01-22" in table["reason"].iloc[0]  # the 20th was a holiday
    assert found(bars, expected={("KO", "one"): np.datetime64("2020-01-15")}).empty


def test_a_bar_on_a_holiday_is_extra() -> None:
    extra = walk(n=10).tail(1).assign(ts=pd.Timestamp("2020-01-20"), close=50.0, low=1.0, high=99.0)
    table = found(walk(n=20), extra, check="extra_sessions")
    assert days(table) == [pd.Timestamp("2020-01-20")]
    assert "Monday" in table["reason"].iloc[0]


@pytest.mark.parametrize("step", [-1, 1])
def test_a_stretch_a_day_off_is_named_from_end_to_end(step: int) -> None:
    bars = walk()
    begin = int(bars.index[bars["ts"] == "2020-04-13"][0])  # a Monday; both ends leave no two bars on one day
    end = int(bars.index[bars["ts"] == "2020-05-15"][0])
    bars.loc[begin:end, "ts"] += pd.Timedelta(days=step)
    table = found(bars, check="shifted_dates")
    assert days(table) == bars.loc[begin:end, "ts"].tolist()
    assert table["reason"].str.contains("early" if step < 0 else "late").all()


def test_a_stretch_of_a_daily_calendar_a_day_off_is_known_by_the_other_source() -> None:
    right = walk("BTC-USD", "two")
    bars = right.assign(source="one")
    bars.loc[100:150, "ts"] -= pd.Timedelta(days=1)
    bars = bars.drop(index=[99, 100])  # they are on one day, and the door takes neither
    table = found(bars, right, check="shifted_dates")
    assert set(table["source"]) == {"one"}
    assert days(table) == bars.loc[101:150, "ts"].tolist()


@pytest.mark.parametrize("factor", [1000.0, 100.0, 10.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("rows", [1, 4])
def test_powers_of_ten_are_found_and_divided(factor: float, rows: int) -> None:
    bars = walk()
    right = bars.copy()
    at = list(range(200, 200 + rows))
    bars.loc[at, PRICES] *= factor
    table = found(bars)
    assert set(table["check_name"]) == {"hundredfold"}
    assert days(table) == bars.loc[at, "ts"].tolist()
    for i, row in zip(at, table.itertuples(), strict=True):
        assert row.before == bars.loc[i, PRICES].to_dict()
        assert row.after == pytest.approx(right.loc[i, PRICES].to_dict(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "factor"), [("high", 100.0), ("low", 0.01), ("adj_close", 100.0), ("adj_close", 0.01)]
)
def test_a_power_of_ten_in_one_column_changes_that_alone(name: str, factor: float) -> None:
    bars = walk()
    bars.loc[200, name] *= factor
    table = found(bars, check="hundredfold")
    assert days(table) == [bars.loc[200, "ts"]]
    assert list(table["after"].iloc[0]) == [name]


def test_a_level_that_is_ten_times_higher_for_good_is_no_slip() -> None:
    bars = walk()
    bars.loc[200:, PRICES] *= 10
    assert found(bars)["check_name"].tolist() == ["phantom_split"]


@pytest.mark.parametrize("ratio", [2.0, 3.0, 10.0, 0.25])
def test_a_split_nobody_announced(ratio: float) -> None:
    bars = walk()
    bars.loc[:199, PRICES] *= ratio
    table = found(bars)
    assert days(table) == [bars.loc[200, "ts"]]
    assert table["check_name"].tolist() == ["phantom_split"]
    assert "no split is known" in table["reason"].iloc[0]


def test_a_crash_is_not_a_split() -> None:
    bars = walk()
    bars.loc[200:, PRICES] *= 0.51
    bars.loc[200:203, "volume"] *= [12, 6, 4, 3]
    assert found(bars).empty


def test_a_payment_the_adjusted_close_knows_of_is_no_split() -> None:
    bars = walk()
    bars.loc[:199, ["open", "high", "low", "close"]] *= 1.5
    assert found(bars, check="phantom_split").empty


def test_raw_prices_are_read_with_their_splits() -> None:
    bars = walk()
    raw = bars.copy()
    raw.loc[:199, ["open", "high", "low", "close"]] *= 4
    raw.loc[:199, "volume"] /= 4
    split = pd.DataFrame(
        [("KO", "one", bars.loc[200, "ts"], "split", 4.0)], columns=["symbol", "source", "ts", "kind", "value"]
    )
    assert found(raw, scales={"one": "raw"}, actions=split).empty
    # Announced, but the prices had it already.
    table = found(bars.assign(adj_close=np.nan), scales={"one": "raw"}, actions=split)
    assert table["check_name"].tolist() == ["phantom_split"]
    assert "the split of 4" in table["reason"].iloc[0]
    # And a source that says it adjusts, but has not, on whatever volume.
    raw.loc[200, "volume"] *= 50
    table = found(raw.assign(adj_close=np.nan), actions=split)
    assert table["check_name"].tolist() == ["phantom_split"]
    assert "the split of 4" in table["reason"].iloc[0]


def test_a_move_taken_back_is_an_outlier_unless_the_market_shares_it() -> None:
    bars = [walk(symbol, seed=i) for i, symbol in enumerate(["KO", "PEP", "MCD", "WMT", "JNJ", "PG"])]
    bars[0].loc[200, ["high", "close", "adj_close"]] *= 1.2
    bars[0]["high"] = bars[0][["high", "close"]].max(axis=1)
    table = found(*bars, check="outlier")
    assert days(table) == [bars[0].loc[200, "ts"]]
    assert table["symbol"].tolist() == ["KO"]
    assert "the market moved" in table["reason"].iloc[0]
    for one in bars[1:]:
        one.loc[200, ["high", "close", "adj_close"]] *= 1.2
    assert found(*bars, check="outlier").empty


def test_exchanged_days_are_proposed_to_be_put_back() -> None:
    right = walk("BTC-USD", vol=0.03)
    right["open"] = right["close"].shift().fillna(50.0)
    right["high"], right["low"] = (
        right[["open", "close"]].max(axis=1) * 1.01,
        right[["open", "close"]].min(axis=1) * 0.99,
    )
    bars = right.copy()
    columns = [*PRICES, "volume"]
    bars.loc[[200, 201], columns] = bars.loc[[201, 200], columns].to_numpy()
    table = found(bars)
    assert set(table["check_name"]) == {"swapped_days"}
    assert days(table) == bars.loc[[200, 201], "ts"].tolist()
    for i, row in zip([200, 201], table.itertuples(), strict=True):
        assert row.before == bars.loc[i, columns].to_dict()
        assert row.after == right.loc[i, columns].to_dict()


def test_stuck_prices_are_named_from_three_repeats() -> None:
    bars = walk()
    for name in ["open", "high", "low", "close", "adj_close"]:
        bars.loc[201:203, name] = bars.loc[200, "close"]
        bars.loc[301:302, name] = bars.loc[300, "close"]
    table = found(bars, check="stuck_prices")
    assert days(table) == bars.loc[201:203, "ts"].tolist()
    assert "for 4 sessions" in table["reason"].iloc[0]


def test_closes_alone_may_repeat_longer() -> None:
    bars = walk()
    bars[["open", "high", "low", "volume"]] = np.nan
    bars.loc[201:205, ["close", "adj_close"]] = bars.loc[200, "close"]
    assert found(bars).empty
    bars.loc[206, ["close", "adj_close"]] = bars.loc[200, "close"]
    assert days(found(bars)) == bars.loc[201:206, "ts"].tolist()


def test_a_series_that_hardly_trades_is_named_once() -> None:
    bars = walk()
    for i in range(1, 400):
        if i % 3:
            bars.loc[i, PRICES] = bars.loc[i - 1, "close"]
    table = found(bars, check="stuck_prices")
    assert days(table) == [bars["ts"].iloc[-1]]
    assert "Thinly traded" in table["reason"].iloc[0]


def test_a_bar_that_comes_again_the_next_day() -> None:
    bars = walk()
    bars.loc[200, [*PRICES, "volume"]] = bars.loc[199, [*PRICES, "volume"]]
    table = found(bars)
    assert table["check_name"].tolist() == ["doubled_session"]
    assert days(table) == [bars.loc[200, "ts"]]


def test_a_move_without_volume_is_asked_about_where_volume_is_known() -> None:
    bars = walk()
    bars.loc[200, "volume"] = 0.0
    assert days(found(bars)) == [bars.loc[200, "ts"]]
    assert found(bars.assign(volume=0.0)).empty


def test_unknown_values_are_doubted_where_the_rest_has_them() -> None:
    bars = walk()
    bars.loc[200:204, ["open", "high", "low", "volume"]] = np.nan
    table = found(bars)
    assert set(table["check_name"]) == {"unknown_values"}
    assert days(table) == bars.loc[200:204, "ts"].tolist()
    assert "open, high, low, volume on 5 bars in a row" in table["reason"].iloc[0]


def test_close_and_adjusted_close_part_by_dividends_only() -> None:
    bars = walk()
    paid = 0.4
    bars.loc[:199, "adj_close"] *= 1 - paid / bars.loc[199, "close"]
    dividend = pd.DataFrame(
        [("KO", "one", bars.loc[200, "ts"], "dividend", paid)], columns=["symbol", "source", "ts", "kind", "value"]
    )
    assert found(bars).empty
    assert found(bars, actions=dividend).empty
    table = found(bars, actions=dividend.assign(value=0.9))
    assert days(table) == [bars.loc[200, "ts"]]
    assert table["grade"].tolist() == ["disagree"]
    bars.loc[:99, "adj_close"] *= 1.05  # falls behind the close: a dividend below zero
    assert days(found(bars)) == [bars.loc[100, "ts"]]


def test_sources_that_disagree_are_named_on_the_day_and_not_on_the_way_back() -> None:
    ours, theirs = walk(), walk(source="two")
    theirs[["open", "high", "low", "close", "adj_close"]] *= 3.0
    theirs.loc[200, ["high", "close", "adj_close"]] *= 1.004
    theirs.loc[300:, PRICES] *= 0.99
    table = found(ours, theirs)
    assert set(table["check_name"]) == {"vendor_disagreement"}
    assert days(table[table["source"] == "one"]) == ours.loc[[200, 300], "ts"].tolist()
    assert days(table[table["source"] == "two"]) == ours.loc[[200, 300], "ts"].tolist()


def test_of_three_sources_the_odd_one_out_is_named() -> None:
    sources = [walk(source=name) for name in ("one", "two", "three")]
    sources[2].loc[200, ["high", "close", "adj_close"]] *= 1.01
    table = found(*sources)
    assert table["source"].tolist() == ["three"]


def test_sources_that_always_differ_a_little_disagree_only_where_they_differ_much() -> None:
    ours = walk()
    noise = np.random.default_rng(1).normal(0, 0.002, len(ours))
    theirs = ours.assign(source="two")
    theirs[PRICES] = theirs[PRICES].mul(np.exp(noise), axis=0)
    assert found(ours, theirs, check="vendor_disagreement").empty
    theirs.loc[200, ["high", "close", "adj_close"]] *= 1.05
    table = found(ours, theirs, check="vendor_disagreement")
    assert set(table["ts"]) == {ours.loc[200, "ts"]}
