"""Block bootstraps of joint log returns: stationary, circular and moving block."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from quantlib.errors import DataError
from quantlib.simulators.base import Drift, Simulator, Window
from quantlib.simulators.blocks import BlockCalibration, Blocks, automatic_block, block_fields
from quantlib.simulators.learning import history
from quantlib.types import FloatArray, Panel

#: Fields of bootstraps whose block is theirs to choose.
Block = Annotated[
    float | None,
    Field(
        ge=1,
        allow_inf_nan=False,
        title="Mean block",
        description="Mean length in sessions of the stretches of history laid end to end.",
        json_schema_extra={"empty": "auto"},
    ),
]
DRIFT = "Keep the history's mean return, or have none. What moves inside a block stays."


class Bootstrap(Simulator):
    """What block bootstraps have in common: stretches of real history, laid end to end.

    All symbols of a session are drawn together, so correlations, fat tails and joint crashes stay as they were;
    within a block so do volatility clustering and trends. Nothing that never happened in one session can happen.
    Sessions are drawn with replacement: a world has some of them twice and others not at all. (Shuffling them
    instead would end every world at the price where history ended.)

    Parameters
    ----------
    block
        Length of a block in sessions, 1 or more; 1 draws single sessions. None takes the automatic choice of
        Politis and White for absolute log returns, averaged over the symbols: it is volatility clustering that
        must survive, and returns alone hardly show dependence. Shorter blocks give more new worlds.
    drift
        "history" keeps the mean log return; "none" divides every gross return by the mean over the sessions that
        may stand there, so that the expected simple return of a session is exactly zero for every symbol, while
        prices stay positive.
    window
        Number of latest sessions to draw from; None takes all.

    References
    ----------
    Politis, D. and White, H. (2004), Automatic Block-Length Selection for the Dependent Bootstrap, corrected by
    Patton, Politis and White (2009).
    """

    block: Block = None
    drift: Drift = Field("history", description=DRIFT)
    window: Window = None

    def calibrate(self, panel: Panel) -> BlockCalibration:
        """Return the log returns of the panel's complete rows and the blocks they are drawn in."""
        known, moves = history(panel, self.window)
        fields = block_fields(panel, known, moves, self.blocks(moves), self.drift)
        return BlockCalibration(**fields)

    @abstractmethod
    def blocks(self, moves: FloatArray) -> Blocks:
        """Return the law of the blocks for log returns [T, N]."""


class StationaryBootstrap(Bootstrap):
    """Stationary bootstrap: blocks of random length.

    A block starts at any session with the same chance and ends after each session with chance 1 / block; the last
    session is followed by the first. So every session of a world has the same law. Else as `Bootstrap`.

    References
    ----------
    Politis, D. and Romano, J. (1994), The Stationary Bootstrap.
    """

    name: ClassVar[str] = "stationary_bootstrap"
    title: ClassVar[str] = "Stationary bootstrap"
    description: ClassVar[str] = (
        "Stretches of real history, all symbols together, in random order: tails, correlations and volatility "
        "clusters as they were."
    )

    def blocks(self, moves: FloatArray) -> Blocks:
        """Return geometric blocks that start anywhere and go round."""
        block = automatic_block(moves) if self.block is None else self.block
        return Blocks(len(moves), np.arange(len(moves)), block, fixed=False, wraps=True)


class CircularBootstrap(Bootstrap):
    """Circular block bootstrap: blocks of one length from history laid in a circle.

    A block starts at any session with the same chance; the last session is followed by the first. A world begins
    with a whole block. Else as `Bootstrap`.

    References
    ----------
    Politis, D. and Romano, J. (1992), A Circular Block-Resampling Procedure for Stationary Data.
    """

    name: ClassVar[str] = "circular_bootstrap"
    title: ClassVar[str] = "Circular block bootstrap"
    description: ClassVar[str] = (
        "Stretches of real history of one length, all symbols together, in random order; its end runs on into its "
        "beginning."
    )

    block: int | None = Field(
        None,
        ge=1,
        title="Block",
        description="Length in sessions of the stretches of history laid end to end.",
        json_schema_extra={"empty": "auto"},
    )

    def blocks(self, moves: FloatArray) -> Blocks:
        """Return blocks of one length that start anywhere and go round."""
        block = fixed_block(moves, self.block)
        return Blocks(len(moves), np.arange(len(moves)), block, fixed=True, wraps=True)


class BlockBootstrap(CircularBootstrap):
    """Moving block bootstrap: blocks of one length, none of which runs past the end of history.

    A block starts at any session with the same chance that has a whole block after it; so the first and the last
    sessions of history are drawn less often, and to keep the history's mean log return what differs from it is
    taken off, by the place in the block: some hundredth of a percent. A world begins with a whole block. Else as
    `Bootstrap`.

    References
    ----------
    Künsch, H. (1989), The Jackknife and the Bootstrap for General Stationary Observations.
    """

    name: ClassVar[str] = "block_bootstrap"
    title: ClassVar[str] = "Moving block bootstrap"
    description: ClassVar[str] = (
        "Stretches of real history of one length, all symbols together, in random order; none runs past its end."
    )

    def blocks(self, moves: FloatArray) -> Blocks:
        """Return blocks of one length that end within history."""
        block = fixed_block(moves, self.block)
        return Blocks(len(moves), np.arange(len(moves) - block + 1), block, fixed=True, wraps=False)


def fixed_block(moves: FloatArray, asked: int | None) -> int:
    """Return the block length asked for, or else the automatic one, rounded.

    Raises
    ------
    DataError
        A block would be longer than half of the history: all worlds would be nearly the same.
    """
    block = max(round(automatic_block(moves, "circular")), 1) if asked is None else asked
    if block > len(moves) // 2:
        raise DataError(
            f"A block of {block} sessions is more than half of the {len(moves)} sessions there are, which leaves "
            f"hardly any worlds to draw. Take {len(moves) // 2} or less, or a longer history."
        )
    return block
