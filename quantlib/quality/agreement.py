"""Checks of one word against another: other sources of the same symbol, and a source's own adjusted close."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.quality.check import Hit
from quantlib.quality.history import History
from quantlib.types import FloatArray

TOLERANCE = 0.002
"""Returns that differ by more are a disagreement."""
_NOISE = 6.0  # where two sources always differ, as with closes at other hours, this many usual differences
_FEWEST = 20  # sessions in common below which sources are not compared
_LARGEST = 0.25  # of the price; more than this is hardly paid out in a day


def vendor_disagreement(history: History) -> list[Hit]:
    """Return sessions on which the return differs from another source's by more than 0.2 %.

    Compared are returns on the same footing: with dividends where both sources have adjusted closes, else without.
    The day on which a single wrong close is taken back is not named again. Where most other sources agree with this
    one, it is left alone.
    """
    against = np.zeros(len(history), dtype=int)
    agreeing = np.zeros(len(history), dtype=int)
    words: dict[int, list[str]] = {}
    for other in history.others:
        compared = compare(history, other)
        if compared is None:
            continue
        here, mine, theirs = compared
        ratio = mine - theirs
        step = np.diff(ratio, prepend=np.nan)
        step_over = np.r_[np.nan, np.nan, ratio[2:] - ratio[:-2]] if len(ratio) > 2 else np.full(len(ratio), np.nan)
        allowed = max(TOLERANCE, _NOISE * float(np.nanmedian(np.abs(step))))
        wrong = (np.abs(step) > allowed) & ~(np.abs(step_over) <= allowed)
        against[here[wrong]] += 1
        agreeing[here[np.abs(step) <= allowed]] += 1
        for k in np.flatnonzero(wrong):
            own, other_way = np.expm1(mine[k] - mine[k - 1]), np.expm1(theirs[k] - theirs[k - 1])
            words.setdefault(int(here[k]), []).append(f"{other_way:+.2%} by {other.source}")
            words.setdefault(-1 - int(here[k]), [f"{own:+.2%}"])
    return [
        Hit(history.ts[i], f"The move is {words[-1 - int(i)][0]} here, {' and '.join(words[int(i)])}.")
        for i in np.flatnonzero(against > agreeing)
    ]


def compare(history: History, other: History) -> tuple[NDArray[np.intp], FloatArray, FloatArray] | None:
    """Return common sessions (as rows of `history`) and both log prices on the same footing.

    None where there are fewer than 20 common sessions, or one source contains dividends and the other cannot.
    """
    _, here, there = np.intersect1d(history.ts, other.ts, assume_unique=True, return_indices=True)
    if len(here) < _FEWEST:
        return None
    for of in (total_return, price_only):
        mine, theirs = of(history), of(other)
        if mine is not None and theirs is not None:
            return here, mine[here], theirs[there]
    return None


def side_by_side(series: Sequence[History]) -> pd.DataFrame:
    """Return the prices of one symbol by source [time x source] on the footing most sources share, dividends first."""
    ways = [{one.source: (one.ts, of(one)) for one in series} for of in (total_return, price_only)]
    best = max(ways, key=lambda way: sum(values is not None for _, values in way.values()))
    columns = {
        name: pd.Series(np.exp(values), index=pd.DatetimeIndex(ts.astype("datetime64[us]")))
        for name, (ts, values) in best.items()
        if values is not None
    }
    return pd.DataFrame(columns).rename_axis("ts")


def total_return(history: History) -> FloatArray | None:
    """Return log prices with dividends in them; None where the source does not have them."""
    if history.price_scale == "adjusted":
        return history.log("close")
    known = np.isfinite(history.adj_close)
    return np.log(history.adj_close) if known.mean() > 0.99 else None


def price_only(history: History) -> FloatArray | None:
    """Return log closes without dividends, on today's share count; None where dividends are in them already."""
    return None if history.price_scale == "adjusted" else history.log("close")


def adjusted_close(history: History) -> list[Hit]:
    """Return sessions on which close and adjusted close of one source do not fit together.

    From one session to the next the adjusted close may gain on the close by a dividend, and never fall behind. Where
    the source's dividends are known, the gain must be theirs; else it must be below a quarter of the price.
    """
    if not np.isfinite(history.adj_close).any():
        return []
    factor = np.log(history.adj_close) - history.log("close")
    gain = np.diff(factor, prepend=np.nan)
    paid = np.zeros(len(history))
    for day, amount in history.dividends:
        ex = int(np.searchsorted(history.ts, day))
        if 0 < ex < len(history):
            # On raw prices an ex-date may be a split's too: both on the share count before it.
            paid[ex] += amount * history.share_factor[ex - 1] / history.share_factor[ex] / history.close[ex - 1]
    hits = []
    if history.dividends:
        expected = -np.log1p(-np.minimum(paid, 0.99))
        wrong = np.abs(gain - expected) > TOLERANCE
    else:
        expected = paid
        wrong = (gain < -TOLERANCE) | (gain > -np.log1p(-_LARGEST))
    for i in np.flatnonzero(wrong):
        share = -np.expm1(-gain[i])
        said = f"a dividend of {share:.2%} of the price" if gain[i] > 0 else f"a negative dividend of {share:.2%}"
        known = f"; the actions say {paid[i]:.2%}" if history.dividends else ""
        hits.append(Hit(history.ts[i], f"The adjusted close moves from the close as by {said}{known}."))
    return hits
