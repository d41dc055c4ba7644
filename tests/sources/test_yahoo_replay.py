"""Yahoo's parse on every recorded chart answer of the folder of real data."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import yaml

from quantlib.sources.base import FormatError, Parsed, Payload
from quantlib.sources.yahoo import parse

pytestmark = pytest.mark.replay
CASSETTES = "api/openbb_terminal_2022"


def answers(replay: Path) -> Iterator[tuple[str, str, str]]:
    """Yield symbol, address and body of every recorded chart answer."""
    folder = replay / CASSETTES
    with (folder / "INDEX.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "/v8/finance/chart/" in row["uri"]]
    for row in rows:
        tape = yaml.load((folder / row["provider"] / row["file"]).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        raw = tape["interactions"][int(row["interaction"])]["response"]["body"]["string"]
        text = gzip.decompress(raw).decode() if isinstance(raw, bytes) and raw[:2] == b"\x1f\x8b" else raw
        yield unquote(re.findall(r"/chart/([^?]+)", row["uri"])[0]), row["uri"], text


@pytest.fixture(scope="module")
def recorded(replay: Path) -> list[tuple[str, str, str]]:
    return list(answers(replay))


def test_daily_answers_parse_to_valid_bars_and_the_others_are_refused(recorded: list[tuple[str, str, str]]) -> None:
    outcome: Counter[str] = Counter()
    for symbol, address, text in recorded:
        payload = Payload("yahoo", "bars", symbol, text)
        if "interval=1d" not in address:
            with pytest.raises(FormatError, match=r"accepted: 1d"):
                parse(payload)
            outcome["refused"] += 1
            continue
        bars = parse(payload).bars
        assert len(bars), address
        assert bars["ts"].is_monotonic_increasing
        assert bars["ts"].is_unique
        prices = bars[["open", "high", "low", "close", "adj_close"]].to_numpy()
        assert np.isfinite(prices).all()
        assert (prices > 0).all()
        assert (bars["high"] >= bars[["open", "close", "low"]].max(axis=1)).all()
        assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
        assert (bars["volume"] >= 0).all()
        outcome["daily"] += 1
    assert outcome == {"daily": 11, "refused": 5}


def find(recorded: list[tuple[str, str, str]], symbol: str, rows: int) -> Parsed:
    """Return the one recorded daily answer for a symbol with that many timestamps."""
    for name, address, text in recorded:
        if name == symbol and "interval=1d" in address:
            times = re.search(r'"timestamp":\[([^\]]*)\]', text)
            if times and len(times[1].split(",")) == rows:
                return parse(Payload("yahoo", "bars", symbol, text))
    pytest.fail(f"no recorded answer for {symbol} with {rows} rows")


def test_apple_s_splits_and_adjustment_add_up(recorded: list[tuple[str, str, str]]) -> None:
    parsed = find(recorded, "AAPL", 10486)
    bars = parsed.bars.set_index("ts")
    splits = parsed.actions[parsed.actions["kind"] == "split"].set_index("ts")["value"]
    assert splits.to_dict() == {
        pd.Timestamp("1987-06-16"): 2.0,
        pd.Timestamp("2000-06-21"): 2.0,
        pd.Timestamp("2005-02-28"): 2.0,
        pd.Timestamp("2014-06-09"): 7.0,
        pd.Timestamp("2020-08-31"): 4.0,
    }
    # The dividends alone must explain the step between close and adj_close: 1 - dividend / close before.
    dividends = parsed.actions[parsed.actions["kind"] == "dividend"].set_index("ts")["value"]
    ratio = bars["adj_close"] / bars["close"]
    step = (ratio.shift(1) / ratio)[dividends.index]
    expected = 1 - dividends / bars["close"].shift(1)[dividends.index]
    assert np.abs(step / expected - 1).max() < 2e-4
    # The market on these days was open: Apple's first day of trading and its last before the recording.
    assert [str(d.date()) for d in (bars.index[0], bars.index[-1])] == ["1980-12-12", "2022-07-15"]


def test_bitcoin_s_running_utc_day_is_left_out(recorded: list[tuple[str, str, str]]) -> None:
    parsed = find(recorded, "BTC-USD", 366)
    assert parsed.bars["ts"].tolist() == pd.date_range("2021-07-25", "2022-07-24").tolist()
    assert parsed.notes == ("BTC-USD: the unfinished session of 2022-07-25 is left out.",)


def test_two_minutes_after_the_opening_the_day_is_left_out(recorded: list[tuple[str, str, str]]) -> None:
    parsed = find(recorded, "AAPL", 20)
    assert parsed.bars["ts"].iloc[-1] == pd.Timestamp("2022-01-21")
    assert parsed.notes == ("AAPL: the unfinished session of 2022-01-24 is left out.",)


def test_the_day_that_came_twice_is_read_once_as_last_quoted(recorded: list[tuple[str, str, str]]) -> None:
    bars = find(recorded, "PM", 3).bars
    assert bars["ts"].tolist() == [pd.Timestamp("2022-03-17"), pd.Timestamp("2022-03-18")]
    assert bars["volume"].iloc[-1] == 9667846
