"""Recall: faults planted into real bars, and known faults of real files, beside false alarms on sound ones.

`pytest tests/quality/test_recall.py -m replay -s` prints the tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults import DOOR, FAULTS, false_alarms, known_faults, plant, recall_table

from quantlib.quality import histories, inspect
from quantlib.store import check_bars
from quantlib.types import BAR_COLUMNS

pytestmark = pytest.mark.replay

US = (
    *("AAPL", "AMZN", "BAC", "CAT", "CCL", "CMCSA", "COST", "DIS", "FDX", "INTC"),
    *("JNJ", "JPM", "KO", "MCD", "MSFT", "NEM", "NFLX", "NVDA", "PFE", "WMT"),
)
COINS = ("ADA-USD", "BTC-USD", "ETH-USD", "LTC-USD", "XRP-USD")

#: The least share of each kind that must be caught, in stocks and in coins. What is low is low for a reason: two
#: neighbouring days of a stock differ too little for one source alone to tell their order, and where every day is a
#: session a date off by one shows only against other coins. A second source tells both.
FLOORS = {
    "100-fold, whole row": (1.0, 1.0),
    "10- or 1,000-fold, 1 to 4 rows": (1.0, 1.0),
    "100-fold, one field": (0.99, 0.99),
    "phantom split": (0.95, 0.95),
    "stuck prices": (0.99, 0.99),
    "swapped days": (0.12, 0.8),
    "duplicate row": (1.0, 1.0),
    "contradicting row": (1.0, 1.0),
    "doubled session": (1.0, 1.0),
    "dates off by a day": (0.95, 0.5),
    "NaN run": (1.0, 1.0),
    "lost rows": (1.0, 1.0),
    "wrong tick": (0.85, 0.8),
}
#: Findings for 10,000 sound bars: of all checks in all 97 stocks, halts and spin-offs they are right about included.
MOST_ALARMS = 1.5


def bars_of(folder: Path, name: str) -> pd.DataFrame:
    frame = pd.read_parquet(folder / "prices" / name).rename(columns={"date": "ts"})
    frame = frame.assign(ts=frame["ts"].astype("datetime64[us]"), source="folder")
    good, _ = check_bars(frame[list(BAR_COLUMNS)])
    return good


@pytest.fixture(scope="module")
def equities(replay: Path) -> pd.DataFrame:
    return bars_of(replay, "us_equities_raw_2000_20240308.parquet")


@pytest.fixture(scope="module")
def stocks20(equities: pd.DataFrame) -> pd.DataFrame:
    return equities[equities["symbol"].isin(US) & (equities["ts"] >= "2010-01-01")].reset_index(drop=True)


@pytest.fixture(scope="module")
def coins(replay: Path) -> pd.DataFrame:
    frame = bars_of(replay, "crypto_daily_2014_20220214.parquet")
    return frame[frame["symbol"].isin(COINS)].reset_index(drop=True)


def show(title: str, table: pd.DataFrame) -> None:
    sys.stdout.write(f"\n{title}\n{table.to_string(index=False, float_format=lambda value: f'{value:.3f}')}\n")


@pytest.mark.slow
@pytest.mark.parametrize(("market", "place"), [("stocks20", 0), ("coins", 1)])
def test_planted_faults_are_caught(market: str, place: int, request: pytest.FixtureRequest) -> None:
    bars = request.getfixturevalue(market)
    table = recall_table(bars, each=8 if place == 0 else 10)
    show(f"Planted into {len(bars):,} bars of {market}", table)
    recall = table.set_index("fault")["recall"]
    assert set(recall.index) == set(FLOORS) == set(FAULTS)
    missed = {kind: recall[kind] for kind, floors in FLOORS.items() if recall[kind] < floors[place]}
    assert not missed


def test_sound_bars_raise_few_alarms(equities: pd.DataFrame) -> None:
    table = false_alarms(equities)
    show(f"Findings in {len(equities):,} bars as they came", table)
    assert table["per_10_000"].sum() < MOST_ALARMS
    by_check = table.set_index("check")["per_10_000"]
    assert by_check["hundredfold"] == 0
    assert by_check["phantom_split"] < 0.1
    assert by_check["missing_sessions"] == by_check["extra_sessions"] == by_check["shifted_dates"] == 0


def test_real_crashes_and_splits_are_no_faults(equities: pd.DataFrame) -> None:
    found = inspect(histories(equities))
    doubted = set(zip(found["symbol"], found["ts"].dt.strftime("%Y-%m-%d"), strict=True))
    for symbol, day in [
        *((symbol, "2008-10-13") for symbol in US),  # +11 % in a day
        *((symbol, "2020-03-16") for symbol in US),  # -12 %
        ("NFLX", "2011-10-25"),  # -35 % on news
        ("NFLX", "2012-01-26"),
        ("NFLX", "2022-04-20"),  # -35 %
        ("AAPL", "2000-09-29"),  # -52 %
        ("AAPL", "2020-08-31"),  # split 4 for 1, adjusted
        ("NVDA", "2021-07-20"),
        ("BAC", "2009-01-20"),  # -29 %
        ("DHR", "2016-07-05"),  # spin-off
    ]:
        assert (symbol, day) not in doubted


@pytest.mark.parametrize("kind", ["swapped days", "dates off by a day"])
def test_a_second_source_tells_what_one_cannot(kind: str, stocks20: pd.DataFrame, coins: pd.DataFrame) -> None:
    for bars in (stocks20, coins):
        rng = np.random.default_rng(3)
        other = bars.assign(source="second")
        # Vendors differ in the last digits.
        prices = ["open", "high", "low", "close", "adj_close"]
        other["close"] = other["close"] * np.exp(rng.normal(0, 1e-5, len(other)))
        other["high"], other["low"] = other[["high", "close"]].max(axis=1), other[["low", "close"]].min(axis=1)
        assert np.isfinite(other[prices]).all(axis=None)
        faulty, planted = plant(bars, FAULTS[kind], 5, 11)
        good, _ = check_bars(pd.concat([faulty, other], ignore_index=True))
        found = inspect(histories(good), ["swapped_days", "shifted_dates", "vendor_disagreement"])
        mine = found[found["source"] == "folder"]
        calendar = {str(symbol): own["ts"].to_numpy() for symbol, own in bars.groupby("symbol")}
        named = {"swapped days": "swapped_days", "dates off by a day": "shifted_dates"}[kind]
        theirs = found[(found["source"] == "second") & (found["check_name"] == named)]
        caught, noticed, blamed = 0, 0, 0
        for symbol, first, last in planted:
            days = calendar[symbol]
            here = mine[(mine["symbol"] == symbol) & mine["ts"].between(days[first - 1], days[last + 1])]
            caught += named in set(here["check_name"])
            noticed += len(here) > 0
            blamed += theirs[theirs["symbol"] == symbol]["ts"].isin(days[first : last + 1]).any()
        sys.stdout.write(
            f"\n{kind}, with a second source: {len(planted)} planted, {caught} named, {noticed} noticed; "
            f"the right source was blamed {blamed} times\n"
        )
        assert caught / len(planted) >= 0.7
        assert noticed / len(planted) >= 0.9
        assert blamed / len(planted) <= 0.1  # the right source called wrong


def test_known_faults_of_real_files(replay: Path) -> None:
    table = known_faults(replay / "bad_inputs").set_index("file")
    show("Known faults of real files", table.reset_index())
    rejected, doubts = table["turned_away"], table["doubts"]
    assert rejected["crypto_ETH-USD_leading_nan_rows.csv"] == {"no close": 1149}
    assert doubts["crypto_ETH-USD_leading_nan_rows.csv"] == {}
    assert rejected["yf2024_KIQ.csv"] == {"open is not above zero": 162}
    assert "stuck_prices" in doubts["yf2024_KIQ.csv"]
    assert rejected["yf2024_WHLRL.csv"] == {"no close": 492}
    assert doubts["yf2024_WHLRL.csv"]["missing_sessions"] > 400
    assert doubts["yf2024_QUBT.csv"]["phantom_split"] >= 20
    assert rejected["yf2024_AACIW.csv"] == doubts["yf2024_AACIW.csv"] == {}
    assert rejected["yf2024_TRUE.csv"] == {}
    assert table.loc["yf2024_TRUE.csv", "bars"] == 2470


def test_a_symbol_that_a_parser_ate_is_turned_away(replay: Path) -> None:
    """TRUE read back from a file that says so in a column becomes a bool; kept as text it is a symbol."""
    frame = pd.read_csv(replay / "bad_inputs" / "yf2024_TRUE.csv").head(20)
    frame = frame.rename(columns=lambda name: name.lower().replace(" ", "_")).rename(columns={"date": "ts"})
    for eaten in (True, np.nan):
        good, rejected = check_bars(frame.assign(symbol=eaten, source="folder")[list(BAR_COLUMNS)])
        assert good.empty
        assert set(rejected["reason"]) == {"symbol is not a name"}
    for symbol in ("TRUE", "NAN", "NA", "ON"):
        good, rejected = check_bars(frame.assign(symbol=symbol, source="folder")[list(BAR_COLUMNS)])
        assert rejected.empty
        assert set(good["symbol"]) == {symbol}


def test_the_door_and_nothing_else_catches_what_is_its_own(coins: pd.DataFrame) -> None:
    faulty, planted = plant(coins, FAULTS["contradicting row"], 2, 1)
    _, rejected = check_bars(faulty)
    assert FAULTS["contradicting row"].named_by == (DOOR,)
    assert len(rejected) == 2 * len(planted)
