"""Blocks of history: which rows a block bootstrap lays end to end, and the law that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.simulators.base import Calibration, Estimate
from quantlib.simulators.learning import described
from quantlib.simulators.streams import Streams, Words, integer_nb, uniform_nb
from quantlib.types import FloatArray, Panel

Rows = NDArray[np.int64]
Drift = Literal["history", "none", "drawn"]

#: A block lasts beyond the ages looked at with this chance; what is beyond counts as the oldest of them.
NEVER = 1e-12


@dataclass(frozen=True, eq=False)
class Blocks:
    """The law of the blocks.

    Parameters
    ----------
    length
        Number of rows T there are.
    starts
        The rows a block may start with, each with the same chance.
    block
        Length of a block in sessions, a whole number where `fixed`; else its mean.
    fixed
        Whether every block has the same length; else lengths are geometric.
    wraps
        Whether the last row is followed by the first; else a block ends with the last row.
    """

    length: int
    starts: Rows
    block: float
    fixed: bool
    wraps: bool

    @property
    def even(self) -> bool:
        """Whether every row is drawn with the same chance at every session."""
        return self.wraps and len(self.starts) == self.length

    @property
    def ages(self) -> int:
        """Number of sessions after a block's start that need telling apart."""
        if self.even or self.block == 1:
            return 1
        if self.fixed:
            return int(self.block)
        oldest = int(np.ceil(np.log(NEVER) / np.log1p(-1.0 / self.block)))
        return oldest if self.wraps else min(oldest, self.length)

    def rows(self, streams: Streams, horizon: int) -> tuple[Rows, Rows]:
        """Return which row each session repeats [count, horizon], and how long after its block's start [same]."""
        rows = np.empty((streams.count, horizon), dtype=np.int64)
        ages = np.empty_like(rows)
        rows_nb(
            streams.states(),
            self.starts,
            self.length,
            float(self.block),
            self.fixed,
            self.wraps,
            rows,
            ages,
        )
        return rows, ages

    def by_age(self, values: FloatArray) -> FloatArray:
        """Return the mean of values [T, N] over the rows a block can be at, by its age [ages, N]."""
        if self.even:
            return np.asarray(values.mean(axis=0, keepdims=True))
        total = np.zeros((self.ages, values.shape[1]))
        counts = np.zeros(self.ages)
        add_by_age_nb(values, self.starts, self.wraps, total, counts)
        # What no block gets old enough for is never asked for; it has a number all the same.
        return np.where(counts[:, None] > 0, total / np.maximum(counts, 1.0)[:, None], values.mean(axis=0))

    def chances(self) -> tuple[FloatArray, FloatArray]:
        """Return the chance of each row [T] and of each age [ages] at a session far out, where all sessions are alike.

        At the first session a block starts; how soon the start is forgotten goes by the block's length.
        """
        if self.even:
            return np.full(self.length, 1.0 / self.length), np.ones(1)
        # Every start still under way has the same chance to last to this age.
        lasts = np.ones(self.ages) if self.fixed else np.float_power(1.0 - 1.0 / self.block, np.arange(self.ages))
        chance, by_age = np.zeros(self.length), np.zeros(self.ages)
        add_chances_nb(lasts, self.starts, self.wraps, chance, by_age)
        return chance / chance.sum(), by_age / by_age.sum()


@dataclass(frozen=True, eq=False)
class BlockCalibration(Calibration):
    """The rows of history that are drawn from, and in what blocks.

    Parameters
    ----------
    moves
        Log returns [T, N]; every simulated session is one of these rows, less `shift`.
    blocks
        Which rows follow each other.
    shift
        What is taken off the log returns, by the block's age [blocks.ages, N].
    """

    moves: FloatArray
    blocks: Blocks
    shift: FloatArray

    @property
    def block(self) -> float:
        """Length of a block in sessions: the mean where lengths are random."""
        return self.blocks.block

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return resampled log returns [streams.count, horizon, N], all symbols of a row together."""
        rows, ages = self.blocks.rows(streams, horizon)
        out = np.empty((*rows.shape, self.moves.shape[1]))
        gather_nb(self.moves, self.shift, rows, ages, out)
        return out

    def estimates(self) -> list[Estimate]:
        """Return the length of a block."""
        name = "block" if self.blocks.fixed else "mean block"
        return [Estimate(name, "", self.block, np.nan, "sessions")]


def block_fields(panel: Panel, known: Panel, moves: FloatArray, blocks: Blocks, drift: Drift) -> dict[str, Any]:
    """Return the fields of a `BlockCalibration` for rows drawn in these blocks.

    Parameters
    ----------
    panel, known, moves
        The history, its complete rows and their log returns [T, N].
    blocks
        The law of the rows.
    drift
        "history": the mean log return is the history's at every session; "none": the expected simple return is
        zero at every session; "drawn": the returns are left as they are.
    """
    along = blocks.by_age(moves)
    growth = blocks.by_age(np.exp(moves))
    shift = {"history": along - moves.mean(axis=0), "none": np.log(growth), "drawn": np.zeros_like(along)}[drift]
    if drift == "history" and blocks.even:
        shift[:] = 0.0  # nothing but rounding, and the rows stay as they were to the last bit
    chance, by_age = blocks.chances()
    mean = by_age @ (along - shift)
    cross = along.T @ (by_age[:, None] * shift)
    covariance = moves.T @ (chance[:, None] * moves) - cross - cross.T + shift.T @ (by_age[:, None] * shift)
    covariance -= np.outer(mean, mean)
    gross = by_age @ (growth * np.exp(-shift))
    return {
        **described(panel, known, mean, covariance, growth=np.log(gross)),
        "moves": moves,
        "blocks": blocks,
        "shift": shift,
    }


def automatic_block(moves: FloatArray, law: Literal["stationary", "circular"] = "stationary") -> float:
    """Return the block length for log returns [T, N]: Politis-White on their size, averaged over symbols.

    A symbol that shows no dependence, or never moved, counts as 1.

    Parameters
    ----------
    moves
        Log returns.
    law
        "stationary" for the mean of geometric lengths, "circular" for one fixed length.
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  arch takes a second to import

    # A range of zero is told apart from a tiny one exactly, where a standard deviation is left with rounding.
    size = np.abs(moves)[:, np.ptp(np.abs(moves), axis=0) > 0]
    if size.shape[1] == 0:
        return 1.0
    lengths = optimal_block_length(size)[law].to_numpy()
    return float(np.where(lengths > 1.0, lengths, 1.0).mean())


@kernel
def rows_nb(
    states: Words,
    starts: Rows,
    length: int,
    block: float,
    fixed: bool,
    wraps: bool,
    rows: Rows,
    ages: Rows,
) -> None:
    """Fill rows and ages [count, horizon] block by block, path i from states[i] alone."""
    horizon = rows.shape[1]
    # The chance that a block goes on, as a logarithm; not used where it has none.
    lasting = np.log1p(-1.0 / block) if block > 1.0 else -np.inf
    for i in range(len(rows)):
        t = 0
        while t < horizon:
            row = starts[integer_nb(states[i], len(starts))]
            span = block
            if not fixed:
                span = 1.0 + np.floor(np.log(uniform_nb(states[i])) / lasting)
            if not wraps:
                span = min(span, float(length - row))
            for age in range(int(min(span, float(horizon - t)))):
                rows[i, t] = row
                ages[i, t] = age
                t += 1
                row = row + 1 if row + 1 < length else 0


@kernel
def gather_nb(moves: FloatArray, shift: FloatArray, rows: Rows, ages: Rows, out: FloatArray) -> None:
    """Fill out [count, horizon, N] with the rows of moves [T, N], less the shift [ages, N] of their age."""
    oldest = len(shift) - 1
    for i in range(rows.shape[0]):
        for t in range(rows.shape[1]):
            row = rows[i, t]
            age = min(ages[i, t], oldest)
            for j in range(moves.shape[1]):
                out[i, t, j] = moves[row, j] - shift[age, j]


@kernel
def add_by_age_nb(values: FloatArray, starts: Rows, wraps: bool, total: FloatArray, counts: FloatArray) -> None:
    """Add to total [ages, N] and counts [ages] the values [T, N] of each block's rows by age, and their number."""
    length = len(values)
    for start in starts:
        for age in range(len(total) if wraps else min(len(total), length - start)):
            row = (start + age) % length
            counts[age] += 1.0
            for j in range(values.shape[1]):
                total[age, j] += values[row, j]


@kernel
def add_chances_nb(lasts: FloatArray, starts: Rows, wraps: bool, chance: FloatArray, by_age: FloatArray) -> None:
    """Add to each row [T] and each age [ages] the chances `lasts` [ages] that a block gets there, over all starts."""
    length = len(chance)
    for start in starts:
        for age in range(len(lasts) if wraps else min(len(lasts), length - start)):
            chance[(start + age) % length] += lasts[age]
            by_age[age] += lasts[age]
