"""Adjusting prices by dividends and splits: arithmetic on arrays, nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.types import FloatArray

IntArray = NDArray[np.int64]
AGREE = 1e-6
"""Relative difference up to which an adjusted close counts as the vendor's."""


class Actions(NamedTuple):
    """Dividends and splits of a panel's symbols, by place and day.

    Attributes
    ----------
    place
        Column of the symbol.
    day
        Ex-date, in days as the panel's dates are counted.
    split
        Whether it is a split, not a dividend.
    value
        New shares per old one, or currency per share.
    before
        Close of the session before the ex-date where the panel ends before it; NaN where the panel has it.
    """

    place: IntArray
    day: IntArray
    split: NDArray[np.bool_]
    value: FloatArray
    before: FloatArray


class Factors(NamedTuple):
    """What prices are multiplied by, and volumes by, [time, symbol]; and the actions that make no sense."""

    prices: FloatArray
    shares: FloatArray
    refused: NDArray[np.intp]


def find_factors(days: IntArray, close: FloatArray, actions: Actions, raw: NDArray[np.bool_]) -> Factors:
    """Return the factors that put each bar on the scale after the last action.

    A dividend D takes the factor 1 - D / C before its ex-date, C being the close of the session before: what a
    holder has who puts the dividend back into the share. On prices that splits are not yet in, a split of s new
    shares for one divides the prices before it by s, multiplies the volumes, and stands before a dividend of the
    same day, which is paid on the new shares. This is how CRSP and Yahoo define adjusted closes.

    Parameters
    ----------
    days
        Dates of the panel as ascending day numbers, [time].
    close
        As stored, [time, symbol]; NaN where there is no bar.
    actions
        What happened, in any order.
    raw
        By symbol, whether its prices are as traded; else splits are in them already and are passed over.

    Returns
    -------
    Factors
        `refused` are the positions of dividends not below the close before them; they are passed over.
    """
    t, n = close.shape
    place, value = actions.place, actions.value
    row = np.searchsorted(days, actions.day)  # the first on the new scale; all before it are on the old one
    splits, pays = actions.split & raw[place], ~actions.split

    newest = np.maximum.accumulate(np.where(np.isfinite(close), np.arange(t, dtype=np.int64)[:, None], -1), axis=0)
    there = newest[np.maximum(row - 1, 0), place]
    inside = np.where((row > 0) & (there >= 0), close[np.maximum(there, 0), place], np.nan)
    before = np.where(np.isfinite(actions.before), actions.before, inside)
    with np.errstate(invalid="ignore"):
        factor = 1.0 - value * _same_day(actions, splits) / before
    refused = np.flatnonzero(pays & (factor <= 0.0))
    pays &= factor > 0.0  # not where nothing stands before it either

    def spread(rows: NDArray[np.bool_], factors: FloatArray) -> FloatArray:
        """Return for each bar the product of the factors of what happened after it."""
        steps = np.ones((t, n))
        rows = rows & (row > 0)
        np.multiply.at(steps, (row[rows] - 1, place[rows]), factors[rows])
        return np.asarray(np.multiply.accumulate(steps[::-1], axis=0)[::-1])

    shares = spread(splits, value)
    return Factors(spread(pays, factor) / shares, shares, refused)


def booked_actions(
    days: IntArray, symbols: int, actions: Actions, raw: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return splits (new shares for one, 1 where none) and dividends per share after them, [time, symbol].

    Each stands on the first date of the panel from its ex-date on. Splits of symbols whose prices contain them
    already are passed over, as in `find_factors`.

    Parameters
    ----------
    days
        Dates of the panel as ascending day numbers, [time].
    symbols
        How many there are.
    actions, raw
        As in `find_factors`.
    """
    split, dividend = np.ones((len(days), symbols)), np.zeros((len(days), symbols))
    row = np.searchsorted(days, actions.day)
    inside = row < len(days)
    splits, pays = inside & actions.split & raw[actions.place], inside & ~actions.split
    np.multiply.at(split, (row[splits], actions.place[splits]), actions.value[splits])
    np.add.at(dividend, (row[pays], actions.place[pays]), actions.value[pays])
    return split, dividend


def _same_day(actions: Actions, splits: NDArray[np.bool_]) -> FloatArray:
    """Return for each action the ratio of a split of the same symbol and day, 1 where there is none."""
    ratio = np.ones(len(actions.value))
    if splits.any():
        keys = actions.place * np.int64(10_000_000) + actions.day
        order = np.flatnonzero(splits)[np.argsort(keys[splits])]
        found = np.minimum(np.searchsorted(keys[order], keys), len(order) - 1)
        same = keys[order][found] == keys
        ratio[same] = actions.value[order][found[same]]
    return ratio


def adjustment_notes(bars: pd.DataFrame, actions: pd.DataFrame, price_scale: str = "split_adjusted") -> tuple[str, ...]:
    """Return where a vendor's adjusted closes are not those that its own closes and actions give, one line a symbol.

    The levels are compared from the last bar backwards, since the vendor may have adjusted by actions that came
    after it.

    Parameters
    ----------
    bars
        Columns symbol, ts, close, adj_close.
    actions
        Columns symbol, ts, kind, value.
    price_scale
        What the closes contain: `raw`, or `split_adjusted`.
    """
    notes = []
    for symbol, rows in bars.sort_values("ts").groupby("symbol"):
        known = rows.dropna(subset=["adj_close"])
        if known.empty:
            continue
        ours = adjusted_closes(known, actions[actions["symbol"] == symbol], price_scale)
        theirs = known["adj_close"].to_numpy() / known["adj_close"].iloc[-1] * ours[-1]
        off = np.abs(ours / theirs - 1.0)
        if off.max() > AGREE:
            worst = int(off.argmax())
            notes.append(
                f"{symbol}: {int((off > AGREE).sum())} of {len(off)} adjusted closes are not the vendor's, by up to "
                f"{off[worst]:.1e} on {known['ts'].iloc[worst]:%Y-%m-%d} ({ours[worst]:.6g} here, {theirs[worst]:.6g} "
                "there)."
            )
    return tuple(notes)


def adjusted_closes(bars: pd.DataFrame, actions: pd.DataFrame, price_scale: str = "split_adjusted") -> FloatArray:
    """Return the closes of one symbol, adjusted by the actions up to its last bar.

    Parameters
    ----------
    bars
        Columns ts, ascending, and close.
    actions
        Columns ts, kind, value of that symbol.
    price_scale
        What the closes contain: `raw`, or `split_adjusted`.
    """
    days = bars["ts"].to_numpy().astype("datetime64[D]").astype(np.int64)
    close = bars["close"].to_numpy(dtype=np.float64)[:, None]
    acts = actions[actions["ts"] <= bars["ts"].iloc[-1]]
    given = Actions(
        place=np.zeros(len(acts), dtype=np.int64),
        day=acts["ts"].to_numpy().astype("datetime64[D]").astype(np.int64),
        split=(acts["kind"] == "split").to_numpy(dtype=bool),
        value=acts["value"].to_numpy(dtype=np.float64),
        before=np.full(len(acts), np.nan),
    )
    return np.asarray((close * find_factors(days, close, given, np.array([price_scale == "raw"])).prices)[:, 0])
