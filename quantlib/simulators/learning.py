"""What a law learns from: the rows of history that count, and what every calibration says of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from quantlib.errors import DataError
from quantlib.types import FloatArray, Panel

MIN_SESSIONS = 60


def history(panel: Panel, window: int | None) -> tuple[Panel, FloatArray]:
    """Return the rows a simulator may learn from and their log returns [T, N], one row a session.

    Only rows on which every close is known count; a return across a gap counts as one session.

    Parameters
    ----------
    panel
        The history.
    window
        Number of latest returns to keep; None keeps all.

    Raises
    ------
    DataError
        There is no symbol, a symbol has no close at all or never moved, or fewer than 60 sessions have every close.
    """
    if not panel.symbols:
        raise DataError("A simulator needs a panel with at least one symbol; this one has none.")
    counts = np.isfinite(panel.close).sum(axis=0)
    if not counts.all():
        raise DataError(
            f"{panel.symbols[counts.argmin()]} has no known close in this panel of {len(panel)} sessions, so no law "
            "can be fitted to it. Load its prices, take another span or leave that symbol out."
        )
    known = panel.complete()
    if len(known) < MIN_SESSIONS:
        raise DataError(
            f"A simulator needs at least {MIN_SESSIONS} sessions on which every close is known; this panel has "
            f"{len(known)}. {panel.symbols[counts.argmin()]} has the fewest closes, {counts.min()}. "
            "Take a longer span or leave that symbol out."
        )
    if window is not None:
        known = known.tail(window + 1)
    still = np.ptp(known.close, axis=0) == 0.0
    if still.any():
        place = int(still.argmax())
        raise DataError(
            f"{panel.symbols[place]} closed at {known.close[0, place]:g} on all {len(known)} sessions from "
            f"{known.index[0]:%Y-%m-%d} to {known.index[-1]:%Y-%m-%d}; no law can be fitted to a price that never "
            "moves. Take a longer span or leave that symbol out."
        )
    return known, np.diff(np.log(known.close), axis=0)


def described(
    panel: Panel, known: Panel, mean: FloatArray, covariance: FloatArray, *, growth: FloatArray | None = None
) -> dict[str, Any]:
    """Return the fields that every calibration has, by name.

    Parameters
    ----------
    panel
        The history as it came.
    known
        The rows that were learned from, as `history` returns them.
    mean
        Mean log return of one session under the fitted law [N].
    covariance
        Covariance of one session's log returns under the fitted law [N, N].
    growth
        Log of the expected gross return of one session [N]; None takes mean + variance / 2, as for normal returns.
    """
    year, variance = known.periods_per_year, np.diag(covariance)
    return {
        "symbols": panel.symbols,
        "start": known.index[0],
        "end": known.index[-1],
        "sessions": len(known) - 1,
        "periods_per_year": year,
        "last": last_known(panel),
        "drift": year * (mean + 0.5 * variance if growth is None else growth),
        "volatility": np.sqrt(year * variance),
        "correlation": correlation(covariance),
    }


def last_known(panel: Panel) -> FloatArray:
    """Return each symbol's last known close [N]."""
    rows = len(panel) - 1 - np.isfinite(panel.close)[::-1].argmax(axis=0)
    return np.asarray(panel.close[rows, np.arange(len(panel.symbols))])


def correlation(covariance: FloatArray) -> FloatArray:
    """Return the correlation of a covariance [N, N]; NaN where a variance is zero."""
    spread = np.sqrt(np.diag(covariance))
    scale = np.outer(spread, spread)
    result = np.full_like(covariance, np.nan)
    np.divide(covariance, scale, out=result, where=scale > 0)
    return result
