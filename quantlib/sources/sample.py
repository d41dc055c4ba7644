"""The sample: real prices and macro series out of the skfolio and arch wheels, so a first run needs no network.

What a row means depends on its series; nothing unknown is made up:

- 20 US stocks and 5 factor ETFs: closes only, already adjusted for splits and dividends, so `close` equals
  `adj_close` and is a total-return level, not a price anybody paid. Open, high, low and volume are NaN.
- ^GSPC: closes from 1990. On days where a second record (1999-2018) agrees to the cent, the whole bar is
  taken from it.
- ^IXIC: whole bars 1999-2018; a volume of zero on a day the market traded is unknown.

Macro values are as last revised, not as first published, and their real release times are not recorded:
`released_at` is an estimate later than the publisher's own release (see `_COLUMNS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pandas as pd

from quantlib.errors import SourceError, nearest
from quantlib.sources.base import (
    Ask,
    Call,
    EmptyError,
    FormatError,
    NotFoundError,
    Parsed,
    Payload,
    Series,
    bars_frame,
    within,
)
from quantlib.types import MACRO_COLUMNS

NAME = "sample"
STOCKS = (
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO",
    "LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM",
)  # fmt: skip
ETFS = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE")
INDICES = ("^GSPC", "^IXIC")
SYMBOLS = STOCKS + ETFS + INDICES
_CENT = 0.005 + 1e-9
_OHLCV = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume"}


def _next_weekday(period: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return period + pd.offsets.BDay(1) + pd.Timedelta(hours=15)


def _fortnight_later(period: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return period + pd.Timedelta(days=14)


def _mid_next_month(period: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return period + pd.DateOffset(months=1, days=14)


def _two_months_later(period: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return period + pd.DateOffset(months=2, days=4)


@dataclass(frozen=True)
class _Column:
    path: str
    column: str
    released: Callable[[pd.DatetimeIndex], pd.DatetimeIndex]


# The rules are late on purpose: a value may be known later here than it was, never earlier.
_COLUMNS = {
    # Cboe publishes the close the same evening; usable here from 15:00 UTC of the next weekday.
    "VIXCLS": _Column("vix/vix.csv.gz", "vix", _next_weekday),
    # The EIA posts daily spot prices each Wednesday, up to eight days after, a day or two more in holiday weeks.
    "DCOILWTICO": _Column("wti/wti.csv.gz", "DCOILWTICO", _fortnight_later),
    # Moody's monthly averages of AAA and BAA yields come in the first days of the next month; here on the 15th.
    "AAA": _Column("default/default.csv.gz", "AAA", _mid_next_month),
    "BAA": _Column("default/default.csv.gz", "BAA", _mid_next_month),
    # CPI comes out in the next month, once (December 1995) on the first of the month after; here on its 5th.
    "CPILFESL": _Column("core_cpi/core-cpi.csv.gz", "CPILFESL", _two_months_later),
}
SERIES = (
    Series("VIXCLS", "VIX, implied volatility of the S&P 500", "percent a year", "daily"),
    Series("DCOILWTICO", "Crude oil, WTI at Cushing", "USD per barrel", "daily"),
    Series("AAA", "Yield of Aaa corporate bonds, Moody's", "percent", "monthly"),
    Series("BAA", "Yield of Baa corporate bonds, Moody's", "percent", "monthly"),
    Series("CPILFESL", "US consumer prices without food and energy", "index, 1982-84 = 100", "monthly"),
)


@cache
def _table(package: str, path: str) -> pd.DataFrame:
    """Return one data file of an installed package, dates as index; the package itself is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SourceError(f"The sample reads its prices from the package {package}, which is missing. Run: make setup")
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise FormatError(f"Package {package} has no file {path} any more. Install the pinned versions: make setup")
    frame = pd.read_csv(file, index_col=0, na_values=["."])
    form = "%Y-%m-%d" if "-" in str(frame.index[0]) else "%m/%d/%Y"
    return frame.set_axis(pd.to_datetime(frame.index, format=form), axis=0).rename_axis("Date")


def _columns(symbol: str) -> pd.DataFrame:
    if symbol in STOCKS:
        return _table("skfolio", "datasets/data/sp500_dataset.csv.gz")[[symbol]].set_axis(["close only"], axis=1)
    if symbol in ETFS:
        return _table("skfolio", "datasets/data/factors_dataset.csv.gz")[[symbol]].set_axis(["close only"], axis=1)
    if symbol == "^GSPC":
        closes = _table("skfolio", "datasets/data/sp500_index.csv.gz").set_axis(["close only"], axis=1)
        return closes.join(_table("arch", "data/sp500/sp500.csv.gz"))
    if symbol == "^IXIC":
        return _table("arch", "data/nasdaq/nasdaq.csv.gz")
    if symbol in _COLUMNS:
        place = _COLUMNS[symbol]
        return _table("arch", f"data/{place.path}")[[place.column]].set_axis(["value"], axis=1)
    raise NotFoundError(f"The sample has no symbol {symbol!r}. {nearest(symbol, (*SYMBOLS, *_COLUMNS), limit=40)}")


def request(ask: Ask, call: Call) -> Payload:
    """Return one symbol's or macro series' columns as CSV text, read from the installed wheels.

    Parameters
    ----------
    ask
        The name of one of `SYMBOLS` or `SERIES`.
    call
        Not used: nothing is asked over a network.

    Raises
    ------
    NotFoundError
        The sample has no such symbol.

    Examples
    --------
    >>> parse(request(Ask.of("bars", "KO", "2022-12-27"), Call(Path()))).bars["close"].tolist()
    [63.24, 62.609]
    """
    return Payload(NAME, ask.kind, ask.name, _columns(ask.name).to_csv(), ask.start, ask.end)


def parse(payload: Payload) -> Parsed:
    """Return the bars, or for a macro series the observations, of a payload.

    Raises
    ------
    EmptyError
        Nothing lies in the span asked for.
    FormatError
        The text is not a table this source wrote.
    """
    try:
        raw = pd.read_csv(StringIO(payload.text))
        for column in raw.columns.drop("Date"):
            raw[column] = pd.to_numeric(raw[column])
        raw["Date"] = pd.to_datetime(raw["Date"], format="%Y-%m-%d")
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"The sample's payload for {payload.name} is not a table of dates: {error}.") from None
    if "value" in raw:
        parsed = _macro(payload, raw)
        rows = len(parsed.macro)
    elif {"close only", "Close"} & set(raw):
        parsed = _bars(payload, raw)
        rows = len(parsed.bars)
    else:
        raise FormatError(
            f"The sample's payload for {payload.name} has columns {', '.join(map(str, raw))}; "
            "accepted: Date with value, close only, or Open to Volume."
        )
    if not rows:
        raise EmptyError(
            f"The sample has nothing for {payload.name} in the span asked for: "
            f"it runs from {raw['Date'].min():%Y-%m-%d} to {raw['Date'].max():%Y-%m-%d}."
        )
    return parsed


def _bars(payload: Payload, raw: pd.DataFrame) -> Parsed:
    notes: list[str] = []
    values = raw.rename(columns=_OHLCV)
    if "open" not in values:
        values = values.assign(close=values["close only"], adj_close=values["close only"])
    elif "close only" in values:
        both = values["close"].notna()
        agree = both & ((values["close"] - values["close only"]).abs() <= _CENT)
        notes.append(
            f"{payload.name}: {int(agree.sum())} of {int(both.sum())} days known twice agree to the cent and "
            "carry open, high, low and volume; on the others only the close is known."
        )
        values[list(_OHLCV.values())] = values[list(_OHLCV.values())].where(agree)
        values["close"] = values["close"].where(agree, values["close only"])
        values["adj_close"] = values["close"]
    if "volume" in values and (idle := int((values["volume"] == 0).sum())):
        notes.append(f"{payload.name}: {idle} volumes of zero are kept as unknown.")
        values["volume"] = values["volume"].where(values["volume"] != 0)
    bars = bars_frame(values.rename(columns={"Date": "ts"}), payload.name, payload.source)
    return Parsed(bars=within(bars, "ts", payload), notes=tuple(notes))


def _macro(payload: Payload, raw: pd.DataFrame) -> Parsed:
    known = raw.dropna(subset="value")
    period = pd.DatetimeIndex(known["Date"]).as_unit("us")
    frame = pd.DataFrame(
        {
            "series": payload.name,
            "period": period,
            "value": known["value"].to_numpy(),
            "released_at": _COLUMNS[payload.name].released(period).tz_localize("UTC").as_unit("us"),
            "release_basis": "estimated",
            "source": payload.source,
        }
    )
    absent = len(raw) - len(known)
    notes = (f"{payload.name}: {absent} days without a value left out.",) if absent else ()
    return Parsed(macro=within(frame[list(MACRO_COLUMNS)], "period", payload), notes=notes)
