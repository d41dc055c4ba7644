"""Adjusting by actions against real adjusted closes that others have computed; the table is printed with `-s`."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from recorded import Recorded

from quantlib.sources.base import Payload
from quantlib.sources.yahoo import parse
from quantlib.store.adjust import AGREE, adjusted_closes

pytestmark = pytest.mark.replay


class Row(NamedTuple):
    """One series: its longest hole in days, how many adjusted closes are not the other's, and by how much at worst."""

    symbol: str
    first: str
    bars: int
    hole: int
    dividends: int
    splits: int
    off: int
    worst: float


def compare(
    bars: pd.DataFrame, actions: pd.DataFrame, theirs: np.ndarray, scale: str, symbol: str, unit: float = 0.0
) -> Row:
    """Return how our adjusted closes differ from others', levels at the last bar put together.

    Both prices may be rounded to a `unit`, which is allowed for.
    """
    ours = adjusted_closes(bars, actions, scale)
    apart = np.abs(ours / ours[-1] / (theirs / theirs[-1]) - 1)
    kinds = actions.loc[actions["ts"] > bars["ts"].iloc[0], "kind"]
    return Row(
        symbol,
        f"{bars['ts'].iloc[0]:%Y-%m-%d}",
        len(bars),
        int(bars["ts"].diff().dt.days.max()) if len(bars) > 1 else 0,
        int((kinds == "dividend").sum()),
        int((kinds == "split").sum()),
        int((apart > AGREE + unit / 2 / theirs + unit / 2 / bars["close"].to_numpy()).sum()),
        float(apart.max()),
    )


def show(rows: list[Row]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    sys.stdout.write(f"\n{table.to_string(index=False)}\n")
    return table


def test_yahoo_s_adjusted_closes_follow_from_its_closes_and_actions(cassettes: Callable[[str], list[Recorded]]) -> None:
    rows = []
    for provider in ("yahoo", "coingecko"):
        for one in cassettes(provider):
            if "/v8/finance/chart/" not in one.url or "interval=1d" not in one.url:
                continue
            symbol = json.loads(one.text)["chart"]["result"][0]["meta"]["symbol"]
            parsed = parse(Payload("yahoo", "bars", symbol, one.text))
            bars = parsed.bars
            rows.append(compare(bars, parsed.actions, bars["adj_close"].to_numpy(), "split_adjusted", symbol))
    table = show(rows)
    assert len(table) == 11
    assert table["dividends"].sum() > 70
    assert table["off"].sum() == 0


def test_closes_of_another_vintage_with_the_same_actions_come_to_that_vintage_s(
    replay: Path, cassettes: Callable[[str], list[Recorded]]
) -> None:
    """Closes and adjusted closes recorded in 2024, dividends in 2022: they must meet where both have a say."""
    bodies = [one.text for one in cassettes("yahoo") if "/v8/finance/chart/AAPL" in one.url]
    longest = parse(Payload("yahoo", "bars", "AAPL", max(bodies, key=len)))
    frame = pd.read_parquet(replay / "prices" / "us_equities_raw_2000_20240308.parquet")
    frame = frame[frame["symbol"] == "AAPL"].rename(columns={"date": "ts"}).reset_index(drop=True)
    bars = frame[pd.to_datetime(frame["ts"]) <= longest.bars["ts"].iloc[-1]]
    bars = bars.assign(ts=pd.to_datetime(bars["ts"]).dt.normalize())
    theirs = bars["adj_close"].to_numpy()
    (row,) = show([compare(bars, longest.actions, theirs, "split_adjusted", "AAPL", unit=1e-6)]).itertuples()
    assert row.bars > 5_000
    assert row.dividends > 35
    assert row.off == 0


def lean(replay: Path) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame, np.ndarray]]:
    """Yield symbol, prices as traded, actions, and the closes Lean would give, of its daily files.

    Prices are in ten-thousandths. A line of a factor file holds for the days up to its date: date, price factor,
    split factor, close of that day. So a dividend lies between two lines, on the next session.
    """
    for path in sorted((replay / "lean" / "factor_files").glob("*.csv")):
        daily = replay / "lean" / "daily" / f"{path.stem}.zip"
        if not daily.exists():
            continue
        with zipfile.ZipFile(daily) as archive, archive.open(archive.namelist()[0]) as file:
            raw = pd.read_csv(file, header=None, names=["ts", "open", "high", "low", "close", "volume"])
        bars = pd.DataFrame({"ts": pd.to_datetime(raw["ts"].str[:8], format="%Y%m%d"), "close": raw["close"] / 10_000})
        lines = pd.read_csv(path, header=None, names=["date", "price", "split", "close"])
        lines["date"] = pd.to_datetime(lines["date"].astype(str), format="%Y%m%d")
        rows = []
        for now, then in zip(lines.iloc[:-1].itertuples(), lines.iloc[1:].itertuples(), strict=True):
            later = bars.loc[bars["ts"] > now.date]
            if now.date < bars["ts"].iloc[0] or later.empty:
                continue
            step, ratio = now.price / then.price, then.split / now.split
            if ratio != 1:
                rows.append((later["ts"].iloc[0], "split", ratio))
            if step != 1:
                rows.append((later["ts"].iloc[0], "dividend", now.close * (1 - step) / ratio))
        place = np.searchsorted(lines["date"], bars["ts"])
        factor = (lines["price"] * lines["split"]).to_numpy()[place]
        actions = pd.DataFrame(rows, columns=["ts", "kind", "value"])
        yield path.stem, bars, actions, bars["close"].to_numpy() * factor


def test_prices_as_traded_come_to_lean_s_adjusted_ones(replay: Path) -> None:
    table = show([compare(bars, acts, theirs, "raw", symbol) for symbol, bars, acts, theirs in lean(replay)])
    assert set(table["symbol"]) >= {"aapl", "ibm", "spy", "qqq"}
    assert table["splits"].sum() >= 4
    assert table["dividends"].sum() > 200
    whole = table["hole"] < 10
    assert table.loc[whole, "off"].sum() == 0
    # Where years of the prices are missing, so is the close before the first dividend after them.
    assert table.loc[~whole, "symbol"].tolist() == ["qqq"]
    for symbol, bars, acts, theirs in lean(replay):
        if symbol == "qqq":
            after = int(bars["ts"].diff().argmax())
            assert compare(bars[after:], acts, theirs[after:], "raw", symbol).off == 0
