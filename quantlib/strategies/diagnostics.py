"""Whether the legs of a group belong together: cointegration, half-life, stationarity, and the ratio through time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import adfuller, coint
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from quantlib.charts.numbers import count, percent, ratio
from quantlib.errors import DataError, StrategyError
from quantlib.strategies.course import EXPLAINED, STILL, measure
from quantlib.strategies.group import Group
from quantlib.strategies.half_life import half_life
from quantlib.strategies.hedge import ratios
from quantlib.types import FloatArray, Panel

#: Fewest sessions that anything is said about.
FEWEST = 60
#: Sessions of a window, three years.
WINDOW = 756
#: Chance of error at which a test speaks.
LEVEL = 0.05


@dataclass(frozen=True)
class Diagnostics:
    """What the past says about a group's spread.

    Parameters
    ----------
    symbols
        The legs.
    measured
        Spread, z and hedge ratio as the group itself measures them, through time.
    ratios
        Signed dollar ratios of the legs for a long group, through time.
    windows
        One row for all sessions (first) and one for each window: `start`, `end`, `n`, `cointegration_p`, `adf_p`,
        `half_life`, `half_life_low`, `half_life_high`, `correlation`, `hedge_ratio`. Each uses the ratios that the
        group's method finds in that window as a whole, looking back: a description, not a decision.
    sentences
        What that means.
    """

    symbols: tuple[str, ...]
    measured: pd.DataFrame
    ratios: pd.DataFrame
    windows: pd.DataFrame
    sentences: tuple[str, ...]


def diagnose(group: Group, panel: Panel, *, window: int = WINDOW) -> Diagnostics:
    """Return what the past says about a group's spread, over all sessions and over windows counted back from the last.

    Parameters
    ----------
    group
        Any kind but a rotation, which has no spread.
    panel
        Has the group's symbols; sessions on which one is unknown are left out.
    window
        Sessions of each window.

    Raises
    ------
    StrategyError
        A rotation.
    DataError
        A symbol is not in the panel, there are too few shared sessions, a leg does not move, or the legs move as one.

    References
    ----------
    Engle and Granger (1987), "Co-integration and error correction"; MacKinnon (2010) for the p-values; Dickey and
    Fuller (1979), lags by AIC.
    """
    if group.kind == "rotation":
        raise StrategyError("A rotation has no spread to diagnose. Choose an outright, pair, fly, switch or basket.")
    if window < FEWEST:
        raise DataError(f"A window of {window} sessions is too short; give {FEWEST} or more.")
    legs = panel.select(group.symbols).complete()
    names = ", ".join(group.symbols)
    if len(legs) < FEWEST:
        raise DataError(f"{names} have {len(legs)} sessions in common; a diagnosis needs {FEWEST}. Widen the dates.")
    measured, found, _ = measure(group, legs, always=True)
    ends = range(len(legs), FEWEST - 1, -window)
    spans = [slice(max(end - window, 0), end) for end in ends if end - max(end - window, 0) >= FEWEST]
    if len(spans) == 1:
        spans = []
    parts = [slice(0, len(legs)), *reversed(spans)]
    # The tests solve hundreds of small regressions, which threads only slow down.
    with threadpool_limits(1, user_api="blas"):
        windows = pd.DataFrame([_describe(group, legs, part) for part in parts])
    return Diagnostics(
        symbols=group.symbols,
        measured=measured,
        ratios=pd.DataFrame(found, index=legs.index, columns=list(group.symbols)),
        windows=windows,
        sentences=tuple(_sentences(group, windows)),
    )


def _describe(group: Group, legs: Panel, part: slice) -> dict[str, object]:
    """Return one row of the table of windows."""
    log = np.log(legs.close[part])
    index = legs.index[part]
    dates = f"from {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}"
    if still := [s for s, low in zip(group.symbols, np.ptp(log, axis=0), strict=True) if low == 0]:
        raise DataError(f"{still[0]} has one and the same price {dates}, so nothing can be said about it.")
    explained = EXPLAINED.get(group.kind, 0)
    a = _ratio_of(group, log, explained)
    row: dict[str, object] = {"start": index[0], "end": index[-1], "n": len(log)}
    if not np.isfinite(a).all():
        unknown = dict.fromkeys(("cointegration_p", "adf_p", "half_life", "half_life_low", "half_life_high"), np.nan)
        return {**row, **unknown, "correlation": np.nan, "hedge_ratio": np.nan}
    spread = log @ a
    own = a**2 @ log.var(axis=0)
    if spread.var() <= STILL * own:
        raise DataError(f"{', '.join(group.symbols)} move as one {dates}: there is no spread between them to trade.")
    life = half_life(spread)
    moves = np.diff(log, axis=0)
    others = [i for i in range(len(a)) if i != explained]
    hedge = -(moves[:, others] @ a[others]) * np.sign(a[explained])
    p = coint(log[:, explained], log[:, others])[1] if group.linked else np.nan
    return {
        **row,
        "cointegration_p": float(p),
        "adf_p": float(adfuller(spread, result_object=False)[1]),
        "half_life": life.value,
        "half_life_low": life.low,
        "half_life_high": life.high,
        "correlation": float(np.corrcoef(moves[:, explained], hedge)[0, 1]) if group.linked else np.nan,
        "hedge_ratio": float(-a[others].sum() / a[explained]) if group.linked else np.nan,
    }


def _ratio_of(group: Group, log: FloatArray, explained: int) -> FloatArray:
    """Return the ratios that the group's method finds in a stretch as a whole [L]; NaN where it finds none."""
    returns = group.hedge.method in {"beta", "pca", "volatility"}
    whole = group.hedge.model_copy(update={"lookback": len(log) - 1 if returns else len(log)})
    found, _ = ratios(whole, log, *group.leg_numbers, explained)
    last: FloatArray = found[-1]
    return last


def _sentences(group: Group, windows: pd.DataFrame) -> list[str]:
    whole, parts = windows.iloc[0], windows.iloc[1:]
    stretch = f"{count(whole['n'])} sessions from {whole['start']:%Y-%m-%d} to {whole['end']:%Y-%m-%d}"
    if np.isnan(whole["half_life"]):
        return [f"Over {stretch} the method {group.hedge.method} finds no ratio between the legs."]
    out = []
    name = "price" if group.kind == "outright" else "spread"
    if group.linked:
        p = whole["cointegration_p"]
        tied = "the legs are tied together" if p < LEVEL else "there is no proof that the legs are tied together"
        out.append(f"Over {stretch}, {tied} (Engle-Granger p = {p:.3f}; below {LEVEL:g} speaks for it).")
        if len(parts):
            held = int((parts["cointegration_p"] < LEVEL).sum())
            sessions = f"{int(parts['n'].max()):,}"
            out.append(
                f"Taken by windows of {sessions} sessions they were in {held} of {len(parts)}; chance alone would give "
                f"{LEVEL * len(parts):.1f}."
            )
    else:
        p = whole["adf_p"]
        comes = "comes back to a mean" if p < LEVEL else "cannot be told from a random walk"
        out.append(f"Over {stretch} the {name} {comes} (Dickey-Fuller p = {p:.3f}).")
    life, low, high = whole["half_life"], whole["half_life_low"], whole["half_life_high"]
    if np.isinf(life):
        out.append(f"The {name} has no half-life: it did not come back.")
    else:
        upper = f"{high:,.0f}" if np.isfinite(high) else "never"
        out.append(
            f"Half of a gap in the {name} closed within {life:,.0f} sessions (95 % interval {low:,.0f} to {upper})."
        )
    if group.linked:
        out.append(
            f"Daily moves of {group.symbols[EXPLAINED.get(group.kind, 0)]} and of its hedge have a correlation of "
            f"{ratio(whole['correlation'])}, so the hedge takes away at best "
            f"{percent(max(whole['correlation'], 0) ** 2, 0)} of the variance."
        )
        if len(parts) and parts["hedge_ratio"].notna().any():
            ends = parts["hedge_ratio"].agg(["min", "max"])
            out.append(
                f"The hedge ratio was between {ratio(ends['min'])} and {ratio(ends['max'])} by window, and "
                f"{ratio(parts['hedge_ratio'].iloc[-1])} in the last."
            )
    return out
