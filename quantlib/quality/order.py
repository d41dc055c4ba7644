"""The check of the order of days: two rows that fit better the other way round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.quality.check import Hit
from quantlib.quality.history import FIELDS, PRICES, QUARTER, History, trailing_median
from quantlib.types import FloatArray

Places = NDArray[np.intp]

_CLEAR = 8.0  # log likelihood by which the other order must win
_LEANS = 1.5  # the same where two sources have the days in other orders: one of them is wrong
_DEGREES = 2.0  # of the t distribution of the nights
_MEDIAN = 0.8165  # of the size of its draws
_SMALLEST = 1e-4  # a typical night below this is a rounding


def swapped_days(history: History) -> list[Hit]:
    """Return pairs of sessions whose bars fit far better the other way round, each with the exchange that mends it.

    Compared are the likelihoods of both orders of the three nights around the two bars, from close to open against
    the market's, under a t distribution with tails as fat as those of prices. Days whose nights say little either way
    are not found like that; where another source has the same two bars the other way round, the better order of the
    two is taken.
    Thinly traded series, whose every trade is a jump, are not asked.
    """
    if len(history) < 4 or history.thin:
        return []
    gain = _gain(history)
    told = _told_by_others(history) & ~(gain < _LEANS)
    # Without a market to compare with, a night full of news looks like an exchange.
    clear = _CLEAR if len(history.market.ts) else 2 * _CLEAR
    best = np.where(told, np.inf, np.nan_to_num(gain, nan=-np.inf))
    hits: list[Hit] = []
    taken = np.zeros(len(history) + 1, dtype=bool)
    for i in sorted(np.flatnonzero(best > clear), key=lambda place: -best[place]):
        if taken[i] or taken[i + 1]:
            continue
        taken[i : i + 2] = True
        hits += _pair(history, int(i), told=bool(told[i]), gain=float(gain[i]))
    return hits


def _pair(history: History, i: int, *, told: bool, gain: float) -> list[Hit]:
    first, second = history.row(i), history.row(i + 1)
    changed = [name for name in FIELDS if first[name] != second[name]]
    first, second = {name: first[name] for name in changed}, {name: second[name] for name in changed}
    why = "another source has them so" if told else f"the nights around fit better by a factor of e^{gain:.0f}"
    text = f"The bars of {history.ts[i]} and {history.ts[i + 1]} look exchanged: {why}."
    return [Hit(history.ts[i], text, first, second), Hit(history.ts[i + 1], text, second, first)]


def _gain(history: History) -> FloatArray:
    """Return by bar how much more likely it and the next one are the other way round, as a log; NaN where unknown."""
    close, opening = history.log("close"), history.log("open")
    market = history.market.at(history.ts, "gaps")
    typical = np.maximum(trailing_median(np.abs(history.gaps - market), QUARTER), _SMALLEST)
    n = len(history)
    x = np.arange(1, n - 1, dtype=np.intp)  # the first of the pair
    a, y, b = x - 1, x + 1, np.minimum(x + 2, n - 1)

    def night(before: Places, after: Places, on: Places) -> FloatArray:
        return _likelihood((opening[after] - close[before] - market[on]) / typical[x])

    given = night(a, x, x) + night(x, y, y)
    turned = night(a, y, x) + night(y, x, y)
    follows = x + 2 < n  # after the last pair there is no night
    given += np.where(follows, night(y, b, b), 0.0)
    turned += np.where(follows, night(x, b, b), 0.0)
    gain = np.full(n, np.nan)
    gain[x] = turned - given
    return gain


def _likelihood(z: FloatArray) -> FloatArray:
    """Return the log density of a t distribution whose median size is one, less a constant."""
    return np.asarray(-(_DEGREES + 1) / 2 * np.log1p((z * _MEDIAN) ** 2 / _DEGREES))


def _told_by_others(history: History) -> NDArray[np.bool_]:
    """Return which bars another source has on the session after, and the other way round."""
    told = np.zeros(len(history), dtype=bool)
    near = 0.2 * float(np.nanmedian(np.abs(history.returns)))
    for other in history.others:
        _, here, there = np.intersect1d(history.ts, other.ts, assume_unique=True, return_indices=True)
        if len(here) < 3:
            continue
        own = np.stack([history.log(name)[here] for name in PRICES])
        theirs = np.stack([other.log(name)[there] for name in PRICES])
        theirs += np.median(own[-1] - theirs[-1])  # on the same level

        def far(mine: FloatArray, others: FloatArray) -> NDArray[np.bool_]:
            return np.asarray((np.abs(np.nan_to_num(mine - others)) > near).any(axis=0))

        apart = far(own[:, :-1], theirs[:, :-1])
        crossed = ~far(own[:, :-1], theirs[:, 1:]) & ~far(own[:, 1:], theirs[:, :-1])
        told[here[:-1][apart & crossed & (np.diff(here) == 1)]] = True
    return told
