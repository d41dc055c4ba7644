"""Block bootstrap of factors, and of what the factors leave unexplained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from quantlib.errors import DataError, nearest
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.blocks import Blocks, automatic_block, gather_nb
from quantlib.simulators.bootstraps import DRIFT, Block
from quantlib.simulators.learning import described, history
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

#: Number of the stream that residuals are drawn from, beside that of the factors.
RESIDUALS = 7
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class FactorCalibration(Calibration):
    """A regression of every symbol on the factors, and the two histories that are drawn from.

    Parameters
    ----------
    factors
        Names of the k factors.
    beta, beta_error
        Slopes [N, k] and their standard errors; a principal component has variance 1.
    explained
        Share of each symbol's variance that the factors explain [N].
    systematic
        What the factors made of each session [T, N], mean included: alpha + beta x factors.
    residuals
        What is left of each session [T, N], mean zero.
    systematic_blocks, residual_blocks
        The blocks both are drawn in.
    """

    factors: tuple[str, ...]
    beta: FloatArray
    beta_error: FloatArray
    explained: FloatArray
    systematic: FloatArray
    residuals: FloatArray
    systematic_blocks: Blocks
    residual_blocks: Blocks

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [streams.count, horizon, N]: of factors from one day, and residuals from another."""
        rows, ages = self.systematic_blocks.rows(streams, horizon)
        out = np.empty((*rows.shape, self.systematic.shape[1]))
        nothing = np.zeros((1, out.shape[2]))
        gather_nb(self.systematic, nothing, rows, ages, out)
        rows, ages = self.residual_blocks.rows(streams.aside(RESIDUALS), horizon)
        rest = np.empty_like(out)
        gather_nb(self.residuals, nothing, rows, ages, rest)
        out += rest
        return out

    def estimates(self) -> list[Estimate]:
        """Return block lengths, slopes with their errors and the share of variance explained, by symbol."""
        return [
            Estimate("mean block of factors", "", self.systematic_blocks.block, np.nan, "sessions"),
            Estimate("mean block of residuals", "", self.residual_blocks.block, np.nan, "sessions"),
            *(
                Estimate(f"beta to {factor}", symbol, self.beta[i, j], self.beta_error[i, j], "")
                for i, symbol in enumerate(self.symbols)
                for j, factor in enumerate(self.factors)
            ),
            *(
                Estimate("variance explained", symbol, share, np.nan, "")
                for symbol, share in zip(self.symbols, self.explained, strict=True)
            ),
        ]


class FactorBootstrap(Simulator):
    """Stationary bootstrap of factors and, apart from it, of what they leave unexplained.

    Every symbol's log return is regressed on a few factors. A session of a world takes the factors of one historic
    session and the residuals of another, those of all symbols together: a market crash of one day meets the company
    news of another day, which history never saw together. Both come in blocks.

    It keeps: the covariance of all returns (residuals are uncorrelated with factors), the correlation among
    residuals, tails and clusters of both. It loses: that residuals are wider on days when factors move much, and so
    some of the joint tail. The stationary bootstrap keeps that.

    Parameters
    ----------
    factors
        Symbols of the panel that are the factors. Empty takes principal components of the correlation.
    components
        Number of principal components where no factors are named; None takes as many as have an eigenvalue above 1,
        one at least (Kaiser's rule).
    block
        Mean block length in sessions, 1 or more, of both. None takes Politis and White's choice for each.
    drift
        "history" keeps the mean log return; "none" divides the gross returns of both parts by their means, so that
        the expected simple return of a session is exactly zero for every symbol.
    window
        Number of latest sessions to draw from; None takes all.

    References
    ----------
    Politis, D. and Romano, J. (1994), The Stationary Bootstrap. Freedman, D. (1981), Bootstrapping Regression Models.
    """

    name: ClassVar[str] = "factor_bootstrap"
    title: ClassVar[str] = "Factor bootstrap"
    description: ClassVar[str] = (
        "Factors from one stretch of history and what they leave unexplained from another: crashes meet other news."
    )

    factors: tuple[str, ...] = Field(
        (), title="Factors", description="Symbols that drive the others; none takes principal components."
    )
    components: int | None = Field(
        None,
        ge=1,
        title="Components",
        description="Number of principal components, where no factors are named.",
        json_schema_extra={"empty": "auto"},
    )
    block: Block = None
    drift: Drift = Field("history", description=DRIFT)
    window: Window = None

    @model_validator(mode="after")
    def _one_kind_of_factor(self) -> Self:
        if self.factors and self.components is not None:
            raise ValueError("factors are named, so components are not taken: leave one of the two empty")
        if len(set(self.factors)) < len(self.factors):
            raise ValueError(f"factors must be distinct; got {', '.join(self.factors)}")
        return self

    def calibrate(self, panel: Panel) -> FactorCalibration:
        """Return the regression of the log returns and the two parts that are drawn from.

        Raises
        ------
        DataError
            A factor is not in the panel, factors depend on each other, or there are too many of them.
        """
        known, moves = history(panel, self.window)
        names, factors = self._named(panel, moves) if self.factors else self._principal(moves)
        sessions, k = factors.shape
        if 3 * k > sessions:
            raise DataError(f"{k} factors for {sessions} sessions; take {sessions // 3} or fewer, or a longer history.")
        design = np.column_stack([np.ones(sessions), factors / factors.std(axis=0)])
        if np.linalg.matrix_rank(design) <= k:
            raise DataError(
                f"The factors {', '.join(names)} depend on each other: one follows from the rest, so no slopes can be "
                "told apart. Leave one out."
            )
        design[:, 1:] = factors
        slopes = np.linalg.lstsq(design, moves, rcond=None)[0]
        systematic = design @ slopes
        residuals = moves - systematic
        residuals[:, residuals.std(axis=0) < ROUNDING * moves.std(axis=0)] = 0.0  # a factor explains itself
        systematic = moves - residuals
        spread = np.sqrt((residuals**2).sum(axis=0) / (sessions - k - 1))
        inverse = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
        explained = 1.0 - residuals.var(axis=0) / moves.var(axis=0)
        if self.drift == "none":
            systematic, residuals = (part - _growth(part) for part in (systematic, residuals))
        # Drawn independently, their means, covariances and growths add up.
        covariance = np.cov(systematic, rowvar=False, ddof=0) + np.cov(residuals, rowvar=False, ddof=0)
        mean = systematic.mean(axis=0) + residuals.mean(axis=0)
        growth = _growth(systematic) + _growth(residuals) if self.drift == "history" else np.zeros_like(mean)
        return FactorCalibration(
            **described(panel, known, mean, np.atleast_2d(covariance), growth=growth),
            factors=names,
            beta=slopes[1:].T,
            beta_error=np.outer(spread, inverse[1:]),
            explained=explained,
            systematic=systematic,
            residuals=residuals,
            systematic_blocks=self._blocks(factors),
            residual_blocks=self._blocks(residuals),
        )

    def _named(self, panel: Panel, moves: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
        for symbol in self.factors:
            if symbol not in panel.symbols:
                raise DataError(f"Factor {symbol!r} is not in the panel. {nearest(symbol, panel.symbols)}")
        return self.factors, moves[:, [panel.symbols.index(symbol) for symbol in self.factors]]

    def _principal(self, moves: FloatArray) -> tuple[tuple[str, ...], FloatArray]:
        """Return the leading principal components [T, k] of standardised log returns, each of variance 1."""
        scores = (moves - moves.mean(axis=0)) / moves.std(axis=0)
        values, vectors = np.linalg.eigh(scores.T @ scores / len(scores))
        values, vectors = values[::-1], vectors[:, ::-1]
        k = max(int((values > 1.0).sum()), 1) if self.components is None else self.components
        usable = int((values > len(values) * np.finfo(float).eps * values[0]).sum())
        if k > usable:
            raise DataError(
                f"{k} principal components are asked for, and the returns of {moves.shape[1]} symbols have {usable}. "
                f"Take {usable} or fewer, or more symbols."
            )
        # An eigenvector has no sign of its own: up is where most symbols go up.
        signed = vectors[:, :k] * np.where(vectors[:, :k].sum(axis=0) < 0.0, -1.0, 1.0)
        return tuple(f"PC{i + 1}" for i in range(k)), scores @ signed / np.sqrt(values[:k])

    def _blocks(self, moves: FloatArray) -> Blocks:
        block = automatic_block(moves) if self.block is None else self.block
        return Blocks(len(moves), np.arange(len(moves)), block, fixed=False, wraps=True)


def _growth(moves: FloatArray) -> FloatArray:
    """Return the log of the mean gross return [N] of log returns [T, N]."""
    return np.asarray(np.log(np.exp(moves).mean(axis=0)))
