"""The nouns every room shares: bars, panels, instruments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from quantlib.errors import DataError, nearest
from quantlib.grades import Flag, Grade, worst

FloatArray = NDArray[np.float64]
PriceField = Literal["open", "high", "low", "close", "volume"]

_DAY = 86_400_000_000  # microseconds
PRICE_FIELDS: tuple[PriceField, ...] = ("open", "high", "low", "close", "volume")
BAR_COLUMNS = ("symbol", "ts", "open", "high", "low", "close", "volume", "adj_close", "source")
MACRO_COLUMNS = ("series", "period", "value", "released_at", "release_basis", "source")
DateLike = str | date | pd.Timestamp


def as_date(value: DateLike, name: str = "date") -> pd.Timestamp:
    """Return a session date as a zone-free midnight timestamp.

    A time of day and its zone are dropped, not converted: the session is the date as written.

    Raises
    ------
    DataError
        The value is not a date in ISO form. Words such as today are refused: only the caller may read the clock.
    """
    text = str(value).strip()
    stamp = pd.to_datetime(text, format="ISO8601", errors="coerce") if text[:1].isdigit() else pd.NaT
    if pd.isna(stamp):
        raise DataError(f"{name} is not a date: {value!r}. Write it as YYYY-MM-DD.")
    return pd.Timestamp(stamp).tz_localize(None).normalize().as_unit("us")


def check_span(start: DateLike | None, end: DateLike | None) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Return both ends of a span as timestamps, refusing an end before its start."""
    a = None if start is None else as_date(start, "start")
    b = None if end is None else as_date(end, "end")
    if a is not None and b is not None and b < a:
        raise DataError(f"The end {b:%Y-%m-%d} is before the start {a:%Y-%m-%d}. Swap them.")
    return a, b


class Instrument(BaseModel):
    """A tradable or observable thing and what is known about it.

    `listed` and `delisted` are its first and its last session; None is not known, or trading still.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9.^=_-]+$")
    name: str = ""
    kind: Literal["etf", "stock", "crypto", "index", "fund", "fx", "future"] = "stock"
    currency: str = "USD"
    exchange: str = ""
    sector: str = ""
    tags: tuple[str, ...] = ()
    listed: date | None = None
    delisted: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.listed and self.delisted and self.delisted < self.listed:
            raise ValueError(f"{self.symbol} is delisted on {self.delisted}, before it is listed on {self.listed}")
        return self


def _locked(values: FloatArray) -> FloatArray:
    array = np.array(values, dtype=np.float64, order="C", copy=True)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Panel:
    """Daily bars of several symbols on one shared calendar: the input of everything that computes.

    History and every simulated world have this same shape, so whatever runs on one runs on the other.

    Parameters
    ----------
    index
        Session dates, ascending and unique, without zone; length T.
    symbols
        N distinct names; the order is the column order.
    open, high, low, close, volume
        float64 arrays [T, N]; NaN where the value is unknown. Prices in the instrument's currency.
    extra
        Further inputs by name, each [T] or [T, N], known at that session's close (macro bias, model scores).
    source
        Where the prices come from, for labels; not part of the identity.
    flags
        Doubts about single bars, or about days without one, by date and symbol; what has none is `ok`. Not part
        of the identity. A simulated panel has none.
    """

    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    extra: Mapping[str, FloatArray] = field(default_factory=dict)
    source: str = ""
    flags: tuple[Flag, ...] = ()

    def __post_init__(self) -> None:
        index = pd.DatetimeIndex(self.index).tz_localize(None).as_unit("us")
        if not index.is_monotonic_increasing or not index.is_unique:
            raise DataError("A panel's dates must be ascending and unique. Sort them and drop duplicates.")
        if len(late := index[index.asi8 % _DAY != 0]):
            raise DataError(f"A panel's dates are sessions without a time of day; got {late[0]}. Normalize them.")
        object.__setattr__(self, "index", pd.DatetimeIndex(index.to_numpy(), name="ts"))
        object.__setattr__(self, "symbols", tuple(map(str, self.symbols)))
        if len(set(self.symbols)) != len(self.symbols):
            raise DataError(f"A panel's symbols must be distinct; got {', '.join(self.symbols)}.")
        shape = (len(index), len(self.symbols))
        for name in PRICE_FIELDS:
            array = _locked(getattr(self, name))
            if array.shape != shape:
                raise DataError(f"Panel field {name} has shape {array.shape}; dates and symbols give {shape}.")
            wrong, rule = (array < 0, "zero or above") if name == "volume" else (array <= 0, "above zero")
            if wrong.any():
                t, i = np.argwhere(wrong)[0]
                raise DataError(
                    f"{self.symbols[i]} has {name} {array[t, i]:g} on {index[t]:%Y-%m-%d}. "
                    f"It must be {rule}, or NaN where unknown."
                )
            if np.any(np.isinf(array)):
                raise DataError(f"Panel field {name} holds an infinite value. Use NaN where a value is unknown.")
            object.__setattr__(self, name, array)
        extra = {key: _locked(value) for key, value in self.extra.items()}
        for key, value in extra.items():
            if value.shape not in {shape, shape[:1]}:
                raise DataError(f"Panel extra {key} has shape {value.shape}; accepted: {shape[:1]} or {shape}.")
        object.__setattr__(self, "extra", extra)
        object.__setattr__(self, "flags", tuple(sorted(set(self.flags))))
        worst(flag.grade for flag in self.flags)
        if strange := {flag.symbol for flag in self.flags} - set(self.symbols):
            raise DataError(f"A flag is about {min(strange)!r}, which is not in the panel.")

    @classmethod
    def from_frames(
        cls,
        close: pd.DataFrame,
        *,
        open: pd.DataFrame | None = None,  # noqa: A002
        high: pd.DataFrame | None = None,
        low: pd.DataFrame | None = None,
        volume: pd.DataFrame | None = None,
        extra: Mapping[str, FloatArray] | None = None,
        source: str = "",
    ) -> Panel:
        """Return a panel from wide frames [time x symbol]; what is not given stays unknown."""

        def values(frame: pd.DataFrame | None) -> FloatArray:
            if frame is None:
                return np.full(close.shape, np.nan)
            return frame.reindex(index=close.index, columns=close.columns).to_numpy(dtype=np.float64)

        return cls(
            index=pd.DatetimeIndex(close.index),
            symbols=tuple(close.columns),
            open=values(open),
            high=values(high),
            low=values(low),
            close=values(close),
            volume=values(volume),
            extra=extra or {},
            source=source,
        )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def grade(self) -> Grade:
        """The worst grade of any bar, `ok` where nothing is in doubt."""
        return worst(flag.grade for flag in self.flags)

    def _rows(self, rows: slice | NDArray[np.bool_], flags: Iterable[Flag]) -> Panel:
        return Panel(
            index=pd.DatetimeIndex(self.index[rows]),
            symbols=self.symbols,
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
            extra={key: value[rows] for key, value in self.extra.items()},
            source=self.source,
            flags=tuple(flags),
        )

    def frame(self, name: str = "close") -> pd.DataFrame:
        """Return one field, or one [T, N] extra, as a frame [time x symbol]."""
        if name in PRICE_FIELDS:
            values = getattr(self, name)
        elif name in self.extra:
            values = self.extra[name]
        else:
            raise DataError(f"A panel has no field {name!r}. {nearest(name, [*PRICE_FIELDS, *self.extra])}")
        if values.ndim == 1:
            values = np.repeat(values[:, None], len(self.symbols), axis=1)
        return pd.DataFrame(values, index=self.index, columns=pd.Index(self.symbols, name="symbol"))

    def until(self, t: DateLike) -> Panel:
        """Return what was known at the close of `t`: every row up to and including it.

        Doubts dated after the last row, such as that the series has stopped, stay as long as no row is cut off.
        """
        return self.window(end=as_date(t))

    def window(self, start: DateLike | None = None, end: DateLike | None = None) -> Panel:
        """Return the rows from `start` to `end`, both included; doubts after the last row stay where it does."""
        a, b = check_span(start, end)
        first = 0 if a is None else int(self.index.searchsorted(a, side="left"))
        last = len(self) if b is None else int(self.index.searchsorted(b, side="right"))
        # Where later rows are cut off, a doubt about what followed them would be knowledge of the future.
        high = None if first < last == len(self) else b
        flags = (f for f in self.flags if (a is None or f.ts >= a) and (high is None or f.ts <= high))
        return self._rows(slice(first, last), flags)

    def tail(self, n: int) -> Panel:
        """Return the last `n` rows."""
        first = max(len(self) - n, 0)
        kept = self.index[first:]
        flags = self.flags if not first else (f for f in self.flags if len(kept) and f.ts >= kept[0])
        return self._rows(slice(first, None), flags)

    def select(self, symbols: Iterable[str]) -> Panel:
        """Return the named symbols only, in the order given; per-symbol extras follow.

        Raises
        ------
        DataError
            A symbol is not in the panel.
        """
        wanted = tuple(symbols)
        if wanted == self.symbols:
            return self
        place = {symbol: i for i, symbol in enumerate(self.symbols)}
        if missing := [s for s in wanted if s not in place]:
            raise DataError(f"Symbol {missing[0]!r} is not in the panel. {nearest(missing[0], self.symbols)}")
        columns = [place[s] for s in wanted]
        return Panel(
            index=self.index,
            symbols=wanted,
            open=self.open[:, columns],
            high=self.high[:, columns],
            low=self.low[:, columns],
            close=self.close[:, columns],
            volume=self.volume[:, columns],
            extra={key: v[:, columns] if v.ndim == 2 else v for key, v in self.extra.items()},
            source=self.source,
            flags=tuple(flag for flag in self.flags if flag.symbol in wanted),
        )

    def complete(self) -> Panel:
        """Return the rows on which every symbol's close is known.

        Doubts about bars that are left out go with them; that a symbol has no close on a day stays.
        """
        known = np.isfinite(self.close)
        rows = np.asarray(known.all(axis=1))
        if rows.all():
            return self
        place = {symbol: i for i, symbol in enumerate(self.symbols)}
        at = self.index.get_indexer(pd.DatetimeIndex([flag.ts for flag in self.flags])) if self.flags else ()
        flags = (
            flag for flag, t in zip(self.flags, at, strict=True) if t < 0 or rows[t] or not known[t, place[flag.symbol]]
        )
        return self._rows(rows, flags)

    def append(self, later: Panel) -> Panel:
        """Return this panel followed by a later one with the same symbols; extras common to both are kept."""
        if later.symbols != self.symbols:
            raise DataError(f"Cannot append symbols {later.symbols} to {self.symbols}; they must be the same.")
        return Panel(
            index=pd.DatetimeIndex(self.index.append(later.index)),
            symbols=self.symbols,
            open=np.concatenate([self.open, later.open]),
            high=np.concatenate([self.high, later.high]),
            low=np.concatenate([self.low, later.low]),
            close=np.concatenate([self.close, later.close]),
            volume=np.concatenate([self.volume, later.volume]),
            extra={k: np.concatenate([self.extra[k], later.extra[k]]) for k in self.extra if k in later.extra},
            source=self.source,
            flags=self.flags + later.flags,
        )

    def returns(self) -> pd.DataFrame:
        """Return simple close-to-close returns [time x symbol]; the first row is NaN."""
        out = np.full(self.close.shape, np.nan)
        out[1:] = self.close[1:] / self.close[:-1] - 1.0
        return pd.DataFrame(out, index=self.index, columns=pd.Index(self.symbols, name="symbol"))

    @property
    def trades_weekends(self) -> bool:
        """Whether weekends are ordinary sessions, as in crypto; a rare Saturday session does not make them so."""
        day = self.index.day_of_week
        return len(self) > 0 and bool(min((day == 5).mean(), (day == 6).mean()) > 0.05)

    @property
    def periods_per_year(self) -> int:
        """Sessions a year, for annualising: 365 with weekends, else 252."""
        return 365 if self.trades_weekends else 252

    def next_sessions(self, n: int) -> pd.DatetimeIndex:
        """Return the next `n` days: every day where weekends trade, else weekdays, holidays included."""
        if not len(self):
            raise DataError("An empty panel has no next sessions. Widen its dates.")
        frequency = "D" if self.trades_weekends else "B"
        return pd.date_range(self.index[-1], periods=n + 1, freq=frequency, inclusive="right")[-n:].as_unit("us")

    def sessions_ahead(self, n: int) -> pd.DatetimeIndex:
        """Return the next `n` sessions after the panel's end on the calendar its symbols share: weekdays beside stocks.

        For crypto beside stocks that is the stocks' calendar, which returns between shared closes are per session of.
        """
        # By the latest closes; all of them where a symbol has none of late; and the panel's own days at last.
        shared = next((known for part in (self.tail(60), self) if len(known := part.complete())), self)
        last = self.index.max()  # unknown where the panel is empty, which the next line refuses
        days = shared.next_sessions(n + (last - shared.index.max()).days)
        return pd.DatetimeIndex(days[days > last][:n])

    @cached_property
    def snapshot_id(self) -> str:
        """Content hash of dates, symbols, prices and extras: 16 hex digits, the same on every machine."""
        digest = hashlib.sha256()
        digest.update("\x1f".join(self.symbols).encode())
        digest.update(self.index.to_numpy().astype("datetime64[us]").astype("<i8").tobytes())
        for name in PRICE_FIELDS:
            digest.update(name.encode() + _canonical(getattr(self, name)))
        for key in sorted(self.extra):
            digest.update(key.encode() + _canonical(self.extra[key]))
        return digest.hexdigest()[:16]


def _canonical(values: FloatArray) -> bytes:
    """Return the same bytes for equal arrays: one NaN pattern, no negative zero, little endian."""
    return (np.where(np.isnan(values), np.nan, values) + 0.0).astype("<f8").tobytes()
