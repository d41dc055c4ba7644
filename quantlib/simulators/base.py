"""What a simulator is: it fits a law to a panel's history and draws further panels from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import index as whole_number
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from quantlib.errors import DataError
from quantlib.types import FloatArray, Panel

MIN_SESSIONS = 60
# Numbers drawn at a time: 8 MB of workspace keeps a chunk near the cache and memory flat for any n.
CHUNK_NUMBERS = 2**20


@dataclass(frozen=True, eq=False)
class Calibration(ABC):
    """What a simulator fitted to a panel, and the law it draws from.

    Parameters
    ----------
    symbols
        The N symbols, in the panel's order.
    start, end
        First and last session used.
    sessions
        Number of log returns used.
    periods_per_year
        Sessions a year, for annualising.
    last
        Last known close of each symbol [N]; where every path starts.
    drift
        Drift a year [N]: `periods_per_year` times the log of the expected gross return of one session, the mu
        of dS/S = mu dt + sigma dW. Zero where the world has no edge.
    volatility
        Volatility a year [N]: the standard deviation of log returns times the root of `periods_per_year`.
    correlation
        Correlation of log returns [N, N]; NaN beside a symbol whose price never moved.
    """

    symbols: tuple[str, ...]
    start: pd.Timestamp
    end: pd.Timestamp
    sessions: int
    periods_per_year: int
    last: FloatArray
    drift: FloatArray
    volatility: FloatArray
    correlation: FloatArray

    @abstractmethod
    def draw(self, generators: Sequence[np.random.Generator], horizon: int) -> FloatArray:
        """Return log returns [len(generators), horizon, N]; row i draws from generator i alone."""

    def frame(self) -> pd.DataFrame:
        """Return last close, drift and volatility by symbol, the latter two as fractions a year."""
        return pd.DataFrame(
            {"last": self.last, "drift": self.drift, "volatility": self.volatility},
            index=pd.Index(self.symbols, name="symbol"),
        )

    def correlation_frame(self) -> pd.DataFrame:
        """Return the correlation of log returns [symbol x symbol]."""
        names = pd.Index(self.symbols, name="symbol")
        return pd.DataFrame(self.correlation, index=names, columns=names)


class Simulator(BaseModel):
    """Base of all simulators: the fields are the parameters, `calibrate` fits them to a panel.

    Path i depends only on the panel, the parameters, the horizon and (seed, i). So the first 10 of 1,000 paths
    are the 10 paths, and any split of the work over chunks or workers gives the same worlds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def calibrate(self, panel: Panel) -> Calibration:
        """Return what is fitted to the panel's complete rows.

        Raises
        ------
        DataError
            Fewer than 60 sessions have every close.
        """

    def closes(self, panel: Panel, *, n: int, horizon: int, seed: int, first: int = 0) -> FloatArray:
        """Return simulated closes [n, horizon, N], the batch form of `paths`.

        Row [i, 0] is the session after the panel's last one, one step from the last known close.

        Parameters
        ----------
        panel
            The history to continue.
        n
            Number of paths.
        horizon
            Sessions per path.
        seed
            Zero or above.
        first
            Number of the first path; `first=500` gives paths 500 to 500 + n - 1, for work done in parts.

        Raises
        ------
        DataError
            A count is out of range, the history is too short, or a price leaves the range of numbers.

        Examples
        --------
        >>> worlds = GBM().closes(panel, n=1000, horizon=252, seed=7)  # doctest: +SKIP
        >>> np.quantile(worlds[:, -1, 0], [0.05, 0.5, 0.95])  # doctest: +SKIP
        """
        n, horizon, seed, first = _counts(n, horizon, seed, first)
        fit = self.calibrate(panel)
        out = np.empty((n, horizon, len(fit.symbols)))
        for start, part in _parts(fit, n, horizon, seed, first):
            out[start : start + len(part)] = part
        return out

    def paths(self, panel: Panel, *, n: int, horizon: int, seed: int, first: int = 0) -> Iterator[Panel]:
        """Return `n` simulated panels of `horizon` sessions after the panel's last one, made as they are read.

        Only closes are simulated; the other fields and the extras stay unknown. Parameters, errors and values
        are those of `closes`; memory does not grow with `n`.
        """
        n, horizon, seed, first = _counts(n, horizon, seed, first)
        fit = self.calibrate(panel)
        sessions = _sessions_after(panel, horizon)
        unknown = np.full((horizon, len(fit.symbols)), np.nan)

        def worlds() -> Iterator[Panel]:
            for _, part in _parts(fit, n, horizon, seed, first):
                for close in part:
                    yield Panel(
                        index=sessions,
                        symbols=fit.symbols,
                        open=unknown,
                        high=unknown,
                        low=unknown,
                        close=close,
                        volume=unknown,
                        source=f"simulated: {self.name}",
                    )

        return worlds()


def history(panel: Panel, window: int | None) -> tuple[Panel, FloatArray]:
    """Return the rows a simulator may learn from and their log returns [T, N], one row a session.

    Only rows on which every close is known count; a return across a gap counts as one session.

    Parameters
    ----------
    panel
        The history.
    window
        Number of latest returns to keep; None keeps all.
    """
    if not panel.symbols:
        raise DataError("A simulator needs a panel with at least one symbol; this one has none.")
    known = panel.complete()
    if len(known) < MIN_SESSIONS:
        counts = np.isfinite(panel.close).sum(axis=0)
        raise DataError(
            f"A simulator needs at least {MIN_SESSIONS} sessions on which every close is known; this panel has "
            f"{len(known)}. {panel.symbols[counts.argmin()]} has the fewest closes, {counts.min()}. "
            "Take a longer span or leave that symbol out."
        )
    if window is not None:
        known = known.tail(window + 1)
    return known, np.diff(np.log(known.close), axis=0)


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


def _counts(n: int, horizon: int, seed: int, first: int) -> tuple[int, int, int, int]:
    for name, value, least in (("n", n, 1), ("horizon", horizon, 1), ("seed", seed, 0), ("first", first, 0)):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            raise DataError(f"{name} is {value!r}; accepted: a whole number of {least} or more.")
    return whole_number(n), whole_number(horizon), whole_number(seed), whole_number(first)


def _sessions_after(panel: Panel, horizon: int) -> pd.DatetimeIndex:
    """Return the sessions of the paths: after the panel's end, on the calendar all its symbols share.

    For crypto beside stocks that is the stocks' calendar, which the fitted returns are per session of.
    """
    known = panel.complete()
    late = (panel.index[-1] - known.index[-1]).days
    sessions = known.next_sessions(horizon + late)
    return pd.DatetimeIndex(sessions[sessions > panel.index[-1]][:horizon])


def _parts(fit: Calibration, n: int, horizon: int, seed: int, first: int) -> Iterator[tuple[int, FloatArray]]:
    """Yield (position, closes [k, horizon, N]) until n paths are made."""
    size = max(1, CHUNK_NUMBERS // (horizon * len(fit.symbols)))
    for start in range(0, n, size):
        # A spawn key, unlike the list [seed, i], cannot coincide with a plain default_rng(seed) elsewhere.
        generators = [
            np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(first + i,)))
            for i in range(start, min(start + size, n))
        ]
        closes = fit.draw(generators, horizon)
        np.cumsum(closes, axis=1, out=closes)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused just below
            np.exp(closes, out=closes)
            closes *= fit.last
        if not (closes.min() > 0.0 and closes.max() < np.inf):
            raise DataError(
                f"A simulated price left the range of numbers within {horizon} sessions; the highest volatility "
                f"fitted is {fit.volatility.max():.0%} a year ({fit.symbols[fit.volatility.argmax()]}). "
                "Check that symbol's prices, or take a shorter horizon."
            )
        yield start, closes
