"""How much of the account each group gets: from its own past results, and from how the groups move together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse.csgraph import connected_components

from quantlib.errors import StrategyError
from quantlib.types import FloatArray

FEWEST = 63
"""Sessions of results below which nothing is estimated, and a group keeps its plain share."""


class Sizing(BaseModel):
    """How the shares of several groups in one account are set, again at the first session of each period.

    Parameters
    ----------
    method
        "fixed": the groups' own shares. The others set shares from results, whatever the own ones are. "volatility":
        each group alone would vary by `volatility` a year. "kelly": a fraction of mean over variance of the group's
        results, none where the mean is not positive. "risk_parity": every group contributes the same variance, and
        the whole varies by `volatility`. "hrp": hierarchical risk parity, and the whole varies by `volatility`.
    lookback
        Sessions of results that estimates are made from.
    every
        When they are made again.
    volatility
        Of a year; what each group, or with "risk_parity" and "hrp" the whole, is scaled to.
    kelly_fraction
        Share of the full Kelly size.
    largest
        A share never grows beyond this many times the group's own, a target missed for it.
    correlation_cap
        Groups whose results are more correlated than this share one place: each gets its part of what it would get
        alone. With "risk_parity" and "hrp" the whole is scaled to `volatility` after that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["fixed", "volatility", "kelly", "risk_parity", "hrp"] = Field(default="fixed", title="Sizing")
    lookback: int = Field(default=252, ge=FEWEST, le=2_520, title="Look-back", description="Sessions.")
    every: Literal["weekly", "monthly"] = Field(default="monthly", title="Set again")
    volatility: float = Field(default=0.10, gt=0, le=2, title="Volatility target", description="A year.")
    kelly_fraction: float = Field(default=0.25, gt=0, le=1, title="Fraction of Kelly")
    largest: float = Field(default=2.0, ge=1, le=10, title="Largest multiple")
    correlation_cap: float | None = Field(default=None, gt=0, lt=1, title="Correlation cap")


def shares_over_time(results: pd.DataFrame, own: FloatArray, sizing: Sizing, *, periods_per_year: float) -> FloatArray:
    """Return the multiple of its own weights that each group is traded at, decided at each close [T, G].

    Row t uses results up to t and stands until the next first session of a period.

    Parameters
    ----------
    results
        Net return of each group alone on an account of its own [time x group]; NaN before its first trade.
    own
        The groups' plain multiples [G], 1 for the weights as decided.
    sizing
        The method.
    periods_per_year
        Sessions a year.

    Raises
    ------
    StrategyError
        There is not one plain multiple a group.
    """
    if results.shape[1] != len(own):
        raise StrategyError(f"There are {results.shape[1]} groups and {len(own)} shares; give one a group.")
    out = np.repeat(np.asarray(own, dtype=np.float64)[None, :], len(results), axis=0)
    if sizing.method == "fixed" and sizing.correlation_cap is None:
        return out
    days = pd.DatetimeIndex(results.index)
    period = days.to_period("M" if sizing.every == "monthly" else "W")
    starts = np.flatnonzero(period[1:] != period[:-1]) + 1
    values = results.to_numpy(dtype=np.float64)
    for begin, end in zip(starts, [*starts[1:], len(days)], strict=True):
        window = values[max(begin + 1 - sizing.lookback, 0) : begin + 1]
        out[begin:end] = _shares(window, np.asarray(own, dtype=np.float64), sizing, periods_per_year)
    return out


def _shares(window: FloatArray, own: FloatArray, sizing: Sizing, periods_per_year: float) -> FloatArray:
    """Return the multiples from one window of results [n, G]; groups with too few or constant results keep theirs."""
    enough = np.isfinite(window).sum(axis=0) >= FEWEST
    spread = np.array([np.nanstd(column, ddof=1) if ok else 0.0 for column, ok in zip(window.T, enough, strict=True)])
    usable = np.flatnonzero(enough & (spread > 1e-12))
    out = own.copy()
    if not len(usable):
        return out
    known, plain = window[:, usable], own[usable]
    crowd = _crowd(known, sizing)
    if sizing.method in MIXES:
        mixed = _mixed(known, plain, crowd, sizing, periods_per_year)
        out[usable] = np.minimum(mixed, sizing.largest * plain)
    else:
        found = METHODS[sizing.method](known, plain, sizing, periods_per_year)
        out[usable] = np.minimum(found, sizing.largest * plain) / crowd
    return out


def _crowd(known: FloatArray, sizing: Sizing) -> FloatArray:
    """Return how many groups share each group's place [G]."""
    if sizing.correlation_cap is None or known.shape[1] < 2:
        return np.ones(known.shape[1])
    together = pd.DataFrame(known).corr(min_periods=FEWEST).to_numpy() > sizing.correlation_cap
    _, place = connected_components(together, directed=False)
    return np.asarray(np.bincount(place)[place], dtype=np.float64)


def _fixed(window: FloatArray, own: FloatArray, sizing: Sizing, periods_per_year: float) -> FloatArray:
    return own


def _volatility(window: FloatArray, own: FloatArray, sizing: Sizing, periods_per_year: float) -> FloatArray:
    yearly = np.nanstd(window, axis=0, ddof=1) * np.sqrt(periods_per_year)
    return np.asarray(sizing.volatility / yearly)


def _kelly(window: FloatArray, own: FloatArray, sizing: Sizing, periods_per_year: float) -> FloatArray:
    full = np.nanmean(window, axis=0) / np.nanvar(window, axis=0, ddof=1)
    return np.asarray(sizing.kelly_fraction * np.maximum(full, 0.0))


METHODS: dict[str, Callable[[FloatArray, FloatArray, Sizing, float], FloatArray]] = {
    "fixed": _fixed,
    "volatility": _volatility,
    "kelly": _kelly,
}
"""What a group gets for its own results."""


def _risk_parity() -> Any:
    from skfolio.optimization import RiskBudgeting  # noqa: PLC0415  its import takes over a second

    return RiskBudgeting()


def _hrp() -> Any:
    from skfolio.optimization import HierarchicalRiskParity  # noqa: PLC0415  its import takes over a second

    return HierarchicalRiskParity()


MIXES: dict[str, Callable[[], Any]] = {"risk_parity": _risk_parity, "hrp": _hrp}
"""What splits the account between groups by how they move together."""


def _mixed(
    window: FloatArray, own: FloatArray, crowd: FloatArray, sizing: Sizing, periods_per_year: float
) -> FloatArray:
    """Return the mix of the groups, scaled as a whole to the volatility target.

    Groups that share too few sessions count as not correlated. A group that stood still in the sessions all of them
    share, though not before, keeps its plain share.
    """
    shared = window[np.isfinite(window).all(axis=1)]
    if len(shared) < FEWEST:
        weights = 1.0 / (np.nanstd(window, axis=0, ddof=1) * crowd)
        yearly = np.sqrt(np.sum(1.0 / crowd**2) * periods_per_year)
        return np.asarray(weights * sizing.volatility / yearly)
    moved = np.flatnonzero(np.std(shared, axis=0) > 1e-12)
    out = own.copy()
    if not len(moved):
        return out
    shared = shared[:, moved]
    weights = np.ones(1) if len(moved) == 1 else np.asarray(MIXES[sizing.method]().fit(shared).weights_)
    weights = weights / crowd[moved]
    yearly = np.std(shared @ weights, ddof=1) * np.sqrt(periods_per_year)
    out[moved] = weights * sizing.volatility / max(yearly, 1e-12)  # groups that cancel out: as much as is allowed
    return out
