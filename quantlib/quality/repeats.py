"""Checks of values that repeat or are not there: stuck prices, doubled sessions, volume, unknown stretches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.quality.check import Hit
from quantlib.quality.history import MONTH, History, trailing_median

Mask = NDArray[np.bool_]

_STUCK = 3  # sessions in a row that repeat the one before
_STUCK_CLOSES = 6  # the same where nothing but closes is known: adjusted prices of old days are often equal
_MOSTLY = 0.8


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Return begin and end (not included) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def stuck_prices(history: History) -> list[Hit]:
    """Return sessions of runs in which nothing moves: the prices of the day before, or one flat price, again.

    A series that stands still on most days, as thinly traded ones do, is named once, on its newest bar.
    """
    same = history.repeats
    known = np.isfinite(history.high) & np.isfinite(history.low)
    needed = np.where(known, _STUCK, _STUCK_CLOSES)
    found = [(a, b) for a, b in runs(same) if b - a >= needed[a]]
    if history.thin:
        share = f"{same.mean():.0%} of {len(history):,} sessions"
        return [Hit(history.ts[-1], f"Thinly traded or stuck: {share} repeat the prices of the one before.")]
    return [
        Hit(
            history.ts[i],
            f"The price stands at {history.close[i]:g} for {b - a + 1} sessions, {history.ts[a - 1]} to "
            f"{history.ts[b - 1]}, without any range.",
        )
        for a, b in found
        for i in range(a, b)
    ]


def doubled_session(history: History) -> list[Hit]:
    """Return sessions with open, high, low, close and volume of the session before, to the last digit."""
    same = np.zeros(len(history), dtype=bool)
    same[1:] = history.volume[1:] > 0
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(history, name)
        same[1:] &= values[1:] == values[:-1]
    # A bar without range may well come twice in thin trading, a whole bar hardly.
    same &= history.high > history.low
    return [
        Hit(
            history.ts[i],
            f"The whole bar of {history.ts[i - 1]} again: close {history.close[i]:g}, volume {history.volume[i]:,.0f}.",
        )
        for i in np.flatnonzero(same)
    ]


def idle_volume(history: History) -> list[Hit]:
    """Return sessions without volume on which the price moved, where volume is known on most other sessions.

    Only series whose volume is above zero on four of five days are asked: currencies and indices have none.
    """
    known = np.isfinite(history.volume)
    if not known.any() or (history.volume[known] > 0).mean() < _MOSTLY:
        return []
    moved = np.abs(np.nan_to_num(history.returns)) > 1e-9
    moved |= history.high > history.low
    usual = trailing_median(history.volume, MONTH)
    return [
        Hit(
            history.ts[i],
            f"No volume, but the price went from {history.close[i - 1]:g} to {history.close[i]:g}"
            + (f"; usual volume is {usual[i]:,.0f}." if np.isfinite(usual[i]) else "."),
        )
        for i in np.flatnonzero((history.volume == 0) & moved)
        if i
    ]


def unknown_values(history: History) -> list[Hit]:
    """Return bars without open, high, low, volume or adjusted close, where most other bars have that value."""
    columns = ("open", "high", "low", "volume", "adj_close")
    missing = {name: ~np.isfinite(getattr(history, name)) for name in columns}
    usual = {name: mask for name, mask in missing.items() if mask.mean() < 1.0 - _MOSTLY}
    if not usual:
        return []
    anything = np.any(list(usual.values()), axis=0)
    hits = []
    for a, b in runs(anything):
        names = ", ".join(name.replace("_", " ") for name, mask in usual.items() if mask[a:b].any())
        span = f"{b - a:,} bars in a row, {history.ts[a]} to {history.ts[b - 1]}" if b - a > 1 else "one bar"
        hits += [Hit(history.ts[i], f"Unknown {names} on {span}.") for i in range(a, b)]
    return hits
