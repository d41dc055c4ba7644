"""Stationary bootstrap of joint log returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from quantlib.simulators.base import MIN_SESSIONS, Calibration, Simulator, correlation, history, last_known
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True, eq=False)
class BootstrapCalibration(Calibration):
    """The rows of history that are drawn from, and in what lengths.

    Parameters
    ----------
    block
        Mean block length in sessions.
    moves
        Log returns [T, N]; every simulated session is one of these rows.
    """

    block: float
    moves: FloatArray

    def rows(self, generators: Sequence[np.random.Generator], horizon: int) -> np.ndarray:
        """Return which row of `moves` each session repeats [len(generators), horizon].

        A block starts at any row with equal chance and ends after each session with chance 1 / block; the last
        row is followed by the first.
        """
        uniform = np.empty((len(generators), horizon, 2))
        for row, generator in zip(uniform, generators, strict=True):
            generator.random(out=row)
        length = len(self.moves)
        begins = uniform[:, :, 0] < 1.0 / self.block
        begins[:, 0] = True
        step = np.arange(horizon)
        begin = np.maximum.accumulate(np.where(begins, step, 0), axis=1)
        start = np.take_along_axis((uniform[:, :, 1] * length).astype(np.intp), begin, axis=1)
        return np.asarray((start + step - begin) % length)

    def draw(self, generators: Sequence[np.random.Generator], horizon: int) -> FloatArray:
        """Return resampled log returns [len(generators), horizon, N], all symbols of a row together."""
        return np.take(self.moves, self.rows(generators, horizon), axis=0)


class StationaryBootstrap(Simulator):
    """Stationary bootstrap: stretches of real history, of random length, laid end to end.

    All symbols of a session are drawn together, so correlations, fat tails and joint crashes stay as they were;
    within a block so do volatility clustering and trends. Nothing that never happened in one session can happen.

    Parameters
    ----------
    block
        Mean block length in sessions, 1 or more; 1 draws single sessions. None takes the automatic choice of
        Politis and White for absolute log returns, averaged over the symbols: it is volatility clustering that
        must survive, and returns alone hardly show dependence. Shorter blocks give more new worlds.
    drift
        "history" keeps the mean return; "none" divides every gross return by its mean, so that the expected
        simple return of a session is exactly zero for every symbol, while prices stay positive.
    window
        Number of latest sessions to draw from; None takes all.

    References
    ----------
    Politis, D. and Romano, J. (1994), The Stationary Bootstrap. Politis, D. and White, H. (2004), Automatic
    Block-Length Selection for the Dependent Bootstrap, corrected by Patton, Politis and White (2009).
    """

    name: ClassVar[str] = "stationary_bootstrap"
    title: ClassVar[str] = "Stationary bootstrap"
    description: ClassVar[str] = (
        "Stretches of real history, all symbols together, in random order: tails, correlations and volatility "
        "clusters as they were."
    )

    block: float | None = Field(
        None,
        ge=1,
        allow_inf_nan=False,
        title="Mean block",
        description="Mean length in sessions of the stretches of history laid end to end.",
        json_schema_extra={"empty": "auto"},
    )
    drift: Literal["history", "none"] = Field(
        "history",
        title="Drift",
        description="Keep the history's mean return, or have none. What moves inside a block stays.",
    )
    window: int | None = Field(
        None,
        ge=MIN_SESSIONS,
        title="Window",
        description="How many of the latest sessions it learns from.",
        json_schema_extra={"empty": "all"},
    )

    def calibrate(self, panel: Panel) -> BootstrapCalibration:
        """Return the log returns of the panel's complete rows and the mean block length."""
        known, moves = history(panel, self.window)
        block = automatic_block(moves) if self.block is None else self.block
        growth = np.log(np.exp(moves).mean(axis=0))
        if self.drift == "none":
            moves = moves - growth
            growth = np.zeros_like(growth)
        # Divisor T: the variance of a draw from these very rows.
        covariance = np.atleast_2d(np.cov(moves, rowvar=False, ddof=0))
        year = known.periods_per_year
        return BootstrapCalibration(
            symbols=panel.symbols,
            start=known.index[0],
            end=known.index[-1],
            sessions=len(moves),
            periods_per_year=year,
            last=last_known(panel),
            drift=year * growth,
            volatility=np.sqrt(year * np.diag(covariance)),
            correlation=correlation(covariance),
            block=block,
            moves=moves,
        )


def automatic_block(moves: FloatArray) -> float:
    """Return the mean block length for log returns [T, N]: Politis-White on their size, averaged over symbols.

    A symbol that shows no dependence, or never moved, counts as 1.
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  arch takes a second to import

    # A range of zero is told apart from a tiny one exactly, where a standard deviation is left with rounding.
    size = np.abs(moves)[:, np.ptp(np.abs(moves), axis=0) > 0]
    if size.shape[1] == 0:
        return 1.0
    lengths = optimal_block_length(size)["stationary"].to_numpy()
    return float(np.where(lengths > 1.0, lengths, 1.0).mean())
