"""Checks of the dates: sessions that are missing, days that are none, and stretches dated a day off."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.quality.calendars import Days, sessions
from quantlib.quality.check import Hit
from quantlib.quality.history import History
from quantlib.types import FloatArray

_DAY = np.timedelta64(1, "D")
_SHORTEST, _LONGEST = 5, 400  # bars of a stretch between two gaps
_CLEAR = 6.0  # log likelihood by which a stretch must fit better a day off
_MARGIN = 10  # days beyond both ends, so that the calendar knows whether they are sessions


def missing_sessions(history: History) -> list[Hit]:
    """Return the sessions without a bar between the first and last one, and once those since the last."""
    expected = _sessions(history, history.ts[0], history.ts[-1])
    missing = expected[~np.isin(expected, history.ts, assume_unique=True)]
    hits = []
    place = np.searchsorted(expected, missing)
    for run in np.split(np.arange(len(missing)), np.flatnonzero(np.diff(place) > 1) + 1):
        if not len(run):
            continue
        first, last = missing[run[0]], missing[run[-1]]
        reason = f"No bar for this session of {history.calendar}."
        if len(run) > 1:
            reason = f"No bar for {len(run):,} sessions of {history.calendar} in a row, {first} to {last}."
        hits += [Hit(missing[i], reason) for i in run]
    return hits + _behind(history)


def _behind(history: History) -> list[Hit]:
    if history.expected is None or history.expected <= history.ts[-1]:
        return []
    since = _sessions(history, history.ts[-1] + _DAY, history.expected)
    if not len(since):
        return []
    many = "1 session is" if len(since) == 1 else f"{len(since):,} sessions are"
    return [Hit(since[0], f"No bar since {history.ts[-1]}: {many} missing up to {since[-1]}.")]


def extra_sessions(history: History) -> list[Hit]:
    """Return bars on days on which the exchange was closed, other than those `shifted_dates` explains."""
    expected = _around(history)
    extra = _outside(history.ts, expected) & ~_stretches(history, expected).astype(bool)
    return [
        Hit(day, f"A bar on a {pd.Timestamp(day):%A} on which {history.calendar} had no session.")
        for day in history.ts[extra]
    ]


def shifted_dates(history: History) -> list[Hit]:
    """Return bars of stretches whose dates become sessions in a row when moved by one day.

    A midnight written in another zone, or an hour off by summer time, moves dates by a day: Mondays become Sundays
    and Fridays are missing, or Fridays become Saturdays and Mondays are missing. Where every day is a session, or no
    weekend is in the stretch, a day is missing at both its ends (where it ran into its neighbour the door took both),
    and its returns are those of another source, or of the market, a day off.
    """
    expected = _around(history)
    moved = _stretches(history, expected)
    if not moved.any():
        moved = _between_gaps(history)
    hits = []
    edges = np.flatnonzero(np.diff(np.r_[0, moved, 0]))
    for a, b in pairwise(edges):
        if not moved[a]:
            continue
        bars, way = int(b - a), "early" if moved[a] > 0 else "late"
        span = f"{bars} bars, {history.ts[a]} to {history.ts[b - 1]}, are" if bars > 1 else "This bar is"
        hits += [
            Hit(day, f"{span} dated a day {way}: moved by a day they fit {history.calendar} and its other series.")
            for day in history.ts[a:b]
        ]
    return hits


def _around(history: History) -> Days:
    return _sessions(history, history.ts[0] - _MARGIN, history.ts[-1] + _MARGIN)


def _sessions(history: History, start: np.datetime64, end: np.datetime64) -> Days:
    return sessions(history.calendar, pd.Timestamp(start), pd.Timestamp(end))


def _outside(ts: Days, expected: Days) -> NDArray[np.bool_]:
    """Return which days are no session although the calendar knows them."""
    if not len(expected):
        return np.zeros(len(ts), dtype=bool)
    return np.asarray(~np.isin(ts, expected) & (ts > expected[0]) & (ts < expected[-1]))


def _stretches(history: History, expected: Days) -> NDArray[np.int8]:
    """Return by bar: 1 where it belongs a day later, -1 where it belongs a day earlier, else 0."""
    moved = np.zeros(len(history), dtype=np.int8)
    outside = _outside(history.ts, expected)
    if not outside.any():
        return moved
    for step in (1, -1):
        true = history.ts + step * _DAY
        place = np.minimum(np.searchsorted(expected, true), len(expected) - 1)
        # A run ends where the moved date is no session, or not the one after the bar before.
        place = np.where(expected[place] == true, place, -1)
        joined = (np.diff(place) == 1) & (place[1:] >= 0) & (place[:-1] >= 0)
        run = np.cumsum(np.r_[True, ~joined])
        # A stretch moved off its dates leaves its last one (moved late, its first one) empty; an extra bar before a
        # whole week does not. And one bar alone is rather an extra one.
        last = np.r_[run[1:] != run[:-1], True] if step > 0 else np.r_[True, run[1:] != run[:-1]]
        vacant = run[last & ~np.isin(true, history.ts)]
        holds = np.isin(run, run[outside & (place >= 0)]) & np.isin(run, vacant) & (place >= 0)
        size = np.bincount(run)[run]
        moved[holds & (size > 1) & (moved == 0)] = step
    return moved


def _between_gaps(history: History) -> NDArray[np.int8]:
    """Return the same for stretches between two missing sessions, by whose returns they have."""
    moved = np.zeros(len(history), dtype=np.int8)
    expected = _sessions(history, history.ts[0], history.ts[-1])
    gaps = expected[~np.isin(expected, history.ts)]
    days, returns = _reference(history)
    if len(gaps) < 2 or not len(days):
        return moved
    own = history.returns
    place = np.minimum(np.searchsorted(days, history.ts), len(days) - 1)
    known = days[place] == history.ts
    here = np.where(known, returns[place], np.nan)
    off = {step: np.where(known, returns[np.clip(place + step, 0, len(days) - 1)], np.nan) for step in (1, -1)}
    apart = np.abs(own - here)
    scale = max(float(np.nanmedian(apart)), 1e-4) if np.isfinite(apart).any() else np.nan
    for before, after in pairwise(gaps):
        a, b = int(np.searchsorted(history.ts, before)), int(np.searchsorted(history.ts, after))
        if not _SHORTEST <= b - a <= _LONGEST:
            continue
        rows = slice(a + 1, b)  # the first return reaches over the gap
        for step, there in off.items():
            gain = np.log1p(((own - here)[rows] / scale) ** 2) - np.log1p(((own - there)[rows] / scale) ** 2)
            if np.nansum(gain) > _CLEAR:
                moved[a:b] = step
    return moved


def _reference(history: History) -> tuple[Days, FloatArray]:
    """Return days and returns to compare with: another source's of the same symbol, else the market's."""
    if history.others:
        longest = max(history.others, key=len)
        return longest.ts, longest.returns
    return history.market.ts, np.nan_to_num(history.market.returns)
