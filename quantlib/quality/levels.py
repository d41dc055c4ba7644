"""Checks of the price level: powers of ten, splits nobody announced, and moves that are taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quantlib.quality.check import Hit
from quantlib.quality.history import MONTH, PRICES, History, trailing_median
from quantlib.types import FloatArray

Mask = NDArray[np.bool_]

_TEN = float(np.log(10.0))
_NEAR_TEN = 0.35  # how far, as a log, a move may be from a power of ten: a day's own move
_LONGEST = 20  # sessions a wrong power of ten may last; what stays longer is a split
#: Ratios splits come in, new shares per old one; each also the other way round.
RATIOS = (1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100, 1000)
_LOG_RATIOS = np.sort(np.concatenate([np.log(RATIOS), -np.log(RATIOS)]))
_TYPICAL_MOVES = 12  # a move of this many typical ones is an outlier
_BUSY = 4.0  # times the usual volume from which there is news
_STILL = 0.002  # typical move below which a price counts as moving this much


def hundredfold(history: History) -> list[Hit]:
    """Return bars with prices 10, 100 or 1,000 times too high or low, each with the division that mends it."""
    powers = _powers(history)
    hits = []
    for i in np.flatnonzero(np.any([power != 0 for power in powers.values()], axis=0)):
        wrong = {name: int(power[i]) for name, power in powers.items() if power[i]}
        before = {name: float(getattr(history, name)[i]) for name in wrong}
        after = {name: value / 10.0 ** wrong[name] for name, value in before.items()}
        power = next(iter(wrong.values()))
        way = "above" if power > 0 else "below"
        names = ", ".join(name.replace("_", " ") for name in wrong)
        near = float(np.exp(_settled(history)[i])) * history.share_factor[i]
        hits.append(
            Hit(
                history.ts[i],
                f"{names} {10 ** abs(power):,} times {way} the sessions around: "
                f"{next(iter(before.values())):g} beside a close of about {near:.6g}.",
                before,
                after,
            )
        )
    return hits


def _powers(history: History) -> dict[str, NDArray[np.int64]]:
    """Return by column the power of ten each value is too high (negative: too low); zero where it is right."""
    settled = _settled(history)
    found = {"close": np.rint((history.log("close") - settled) / _TEN).astype(np.int64)}
    for name in ("open", "high", "low"):
        found[name] = _nearest_power(history.log(name) - settled)
    factor = np.log(history.adj_close) - np.log(history.share_factor) - settled
    if np.isfinite(factor).any():
        found["adj_close"] = _nearest_power(factor - _middle(factor))
    return {name: found[name] for name in (*PRICES, "adj_close") if name in found}


def _nearest_power(deviation: FloatArray) -> NDArray[np.int64]:
    power = np.rint(np.nan_to_num(deviation) / _TEN)
    near = (np.abs(np.nan_to_num(deviation) - power * _TEN) < _NEAR_TEN) & (np.abs(power) <= 3)
    return np.where(near, power, 0).astype(np.int64)


def _settled(history: History) -> FloatArray:
    """Return log closes with powers of ten taken out that come and go again within a few sessions."""
    close = history.log("close").copy()
    jumps = _nearest_power(history.returns)
    events = np.flatnonzero(jumps)
    k = 0
    while k < len(events):
        a = int(events[k])
        back = [int(b) for b in events[k + 1 :] if b - a <= _LONGEST and jumps[b] == -jumps[a]]
        if back:
            close[a : back[0]] -= jumps[a] * _TEN
            k = int(np.searchsorted(events, back[0], side="right"))
        else:
            k += 1
    return close


def _middle(values: FloatArray) -> FloatArray:
    """Return the median of each value and the ten on either side."""
    padded = np.pad(values, 10, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 21)
    return np.asarray(np.nanmedian(windows, axis=1))


def phantom_split(history: History) -> list[Hit]:
    """Return sessions from which on prices stand at a simple ratio to those before, without a split to explain it.

    Asked for: the night's move (the day's, where no open is known) is within a few typical nights of the ratio, the
    level stays for five sessions, and volume is nothing out of the ordinary: after bad news a price may well halve,
    but then many times the usual volume changes hands. Where the actions hold a split of that ratio within five
    sessions, no volume is asked for: it was applied twice, not at all, or on the wrong day.
    """
    n = len(history)
    if n < 3:
        return []
    close, returns = _settled(history), history.returns
    known_open = np.isfinite(history.gaps)
    night = np.where(known_open, history.gaps, returns)
    near = _LOG_RATIOS[np.clip(np.searchsorted(_LOG_RATIOS, night), 1, len(_LOG_RATIOS) - 1)]
    below = _LOG_RATIOS[np.clip(np.searchsorted(_LOG_RATIOS, night), 1, len(_LOG_RATIOS) - 1) - 1]
    ratio = np.where(np.abs(night - below) < np.abs(night - near), below, near)
    typical_night = np.where(known_open, trailing_median(np.abs(history.gaps)), history.typical)
    widest = np.where(known_open, 0.06, 0.03)
    allowed = np.clip(np.nan_to_num(8.0 * typical_night, nan=0.02), 0.015, widest)
    fits = np.abs(night - ratio) < allowed
    fits &= np.abs(returns - ratio) < 0.25
    fits &= np.abs(night) > 6.0 * np.nan_to_num(history.typical, nan=0.02)
    if history.price_scale != "raw":  # a distribution the adjusted close knows of, such as a spin-off, is no split
        adjusted = np.diff(np.log(history.adj_close), prepend=np.nan)
        fits &= ~(np.abs(adjusted) < 0.5 * np.abs(ratio))
    hits = []
    usual = trailing_median(history.volume, MONTH)
    for i in np.flatnonzero(fits):
        ahead, behind = close[i : i + 5], close[max(i - 5, 0) : i]
        stays = abs(float(np.median(ahead) - np.median(behind)) - ratio[i])
        if stays > max(0.2, 0.4 * abs(ratio[i])):
            continue
        known = _known_split(history, int(i), float(ratio[i]))
        shares = history.volume[i] / usual[i] if usual[i] > 0 else np.nan
        # Where trading never stops there are no nights, and no news can come in one.
        nightless = typical_night[i] < 0.1 * history.typical[i] and abs(night[i]) > 50 * typical_night[i]
        if not known and not nightless and _busy(float(shares), float(ratio[i])):
            continue
        hits.append(Hit(history.ts[i], _split_reason(history, int(i), float(ratio[i]), float(shares), known)))
    return hits


def _busy(shares: float, ratio: float) -> bool:
    """Return whether volume is that of real news, also where it stands on another share count than before."""
    if np.isnan(shares):
        return False
    rescaled = abs(ratio) > np.log(3.5) and 0.5 < shares * np.exp(ratio) < 2.0
    return shares > _BUSY and not rescaled


def _known_split(history: History, i: int, ratio: float) -> tuple[np.datetime64, float] | None:
    low, high = history.ts[max(i - 5, 0)], history.ts[min(i + 5, len(history) - 1)]
    for day, value in history.splits:
        if low <= day <= high and abs(abs(np.log(value)) - abs(ratio)) < 0.1:
            return day, value
    return None


def _split_reason(
    history: History, i: int, ratio: float, shares: float, known: tuple[np.datetime64, float] | None
) -> str:
    times = f"1/{np.exp(-ratio):.3g}" if ratio < 0 else f"{np.exp(ratio):.3g}"
    before, now = history.close[i - 1], history.close[i]
    text = f"The price goes from {before:g} to {now:g}, {times} of it, and stays"
    if known:
        return f"{text}: the split of {known[1]:g} on {known[0]} is not, or twice, in these prices."
    volume = "" if np.isnan(shares) else f", with {shares:.1f} times the usual volume"
    return f"{text}{volume}; no split is known."


def outlier(history: History) -> list[Hit]:
    """Return sessions whose move against the market is far beyond the usual and is taken back the next session."""
    n = len(history)
    if n < 3:
        return []
    market = history.market.at(history.ts, "returns")
    following = np.r_[history.returns[1:], np.nan]
    typical = np.maximum(np.nan_to_num(history.typical, nan=np.inf), _STILL)
    # What a market's own move might do to a share that swings three times as far is not the share's alone.
    size = np.abs(history.returns) - 3.0 * np.abs(market)
    found = (size > _TYPICAL_MOVES * typical) & (np.abs(history.returns + following) < 0.35 * np.abs(history.returns))
    found &= ~np.any([power != 0 for power in _powers(history).values()], axis=0)
    return [
        Hit(
            history.ts[i],
            f"A move of {np.expm1(history.returns[i]):+.1%}, {abs(history.returns[i]) / typical[i]:.0f} times the "
            f"typical {typical[i]:.1%} of the 63 sessions before, taken back by "
            f"{np.expm1(history.returns[i + 1]):+.1%} the session after; the market moved {np.expm1(market[i]):+.1%}.",
        )
        for i in np.flatnonzero(found)
    ]
