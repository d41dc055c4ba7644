"""Reverse stress: the smallest plausible move that loses so much, and the likeliest simulated worlds that do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from quantlib.errors import DataError, nearest
from quantlib.scenarios.gaussian import CUTOFF, check_covariance
from quantlib.scenarios.learning import Estimation, learn
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True, eq=False)
class ReverseStress:
    """The smallest move that brings a linear book to a loss, under a normal law.

    Parameters
    ----------
    shock
        The move, x* [N].
    loss
        What the book loses by it: what was asked for, or more where the mean alone loses more.
    distance
        Its Mahalanobis distance from the mean: how many standard deviations of the book away.
    plausibility
        Probability of a move at least as far from the mean in any direction: chi-squared with as many degrees of
        freedom as the covariance has rank.
    probability
        Probability that the book loses as much, by any move: the normal tail beyond `distance`.
    """

    shock: FloatArray
    loss: float
    distance: float
    plausibility: float
    probability: float


def smallest_shock(mean: FloatArray, covariance: FloatArray, weights: FloatArray, loss: float) -> ReverseStress:
    """Return the move with the smallest Mahalanobis distance at which a linear book loses at least `loss`.

    Minimises (x - mu)' S^-1 (x - mu) subject to w' x <= -loss. The minimum is on the border, at
    x* = mu - S w (loss + w' mu) / (w' S w), its distance (loss + w' mu) / sqrt(w' S w). The covariance may be
    singular. Where the mean itself loses as much, the mean is the answer and the distance zero.

    Parameters
    ----------
    mean, covariance
        Law of the moves [N], [N, N]: simple returns over the horizon.
    weights
        Of the book [N].
    loss
        Above zero, as a fraction of the capital.

    Raises
    ------
    DataError
        The loss is not above zero, the covariance is none, or the book has no risk.

    References
    ----------
    Breuer, Jandacka, Rheinberger and Summer (2009), How to find plausible, severe, and useful stress scenarios.

    Examples
    --------
    >>> smallest_shock(np.zeros(2), np.diag([0.01, 0.04]), np.array([0.5, 0.5]), 0.1).shock.round(6)
    array([-0.04, -0.16])
    """
    if not (np.isfinite(loss) and loss > 0.0):
        raise DataError(f"The loss is {loss!r}; accepted: a fraction above zero, such as 0.1 for 10 %.")
    if not (np.isfinite(weights).all() and np.isfinite(mean).all()):
        raise DataError("A weight or a mean of the book is not known. Give a number for every symbol.")
    check_covariance(covariance)
    towards = covariance @ weights
    spread = float(np.sqrt(max(float(weights @ towards), 0.0)))
    values = np.linalg.eigvalsh(covariance)
    if spread <= np.sqrt(CUTOFF * max(values[-1], 0.0)) * float(np.linalg.norm(weights)):
        raise DataError("The book has no risk under this law, so no move loses anything. Give it weights that move.")
    distance = max((loss + float(weights @ mean)) / spread, 0.0)
    shock = np.asarray(mean - towards * distance / spread)
    return ReverseStress(
        shock=shock,
        loss=-float(weights @ shock),
        distance=distance,
        plausibility=float(stats.chi2.sf(distance**2, int((values > CUTOFF * values[-1]).sum()))),
        probability=float(stats.norm.sf((loss + float(weights @ mean)) / spread)),
    )


def reverse_stress(
    panel: Panel,
    weights: Mapping[str, float],
    loss: float,
    *,
    sessions: int = 1,
    estimation: Estimation | None = None,
    proxies: Mapping[str, str] | None = None,
) -> tuple[pd.Series, ReverseStress]:
    """Return the smallest move of the symbols held that loses so much over some sessions, and how plausible it is.

    The law is history's log returns, taken for simple ones: the book is linear and the law normal, so both agree
    for moves of some percent and part beyond.

    Parameters
    ----------
    weights
        By symbol, as fractions of the capital; negative is short. The panel may hold others.
    loss
        As a fraction of the capital.
    sessions
        Over how many of them.

    Raises
    ------
    DataError
        A symbol is not in the panel, or the loss would take a price below zero.
    """
    if isinstance(sessions, bool) or not hasattr(sessions, "__index__") or sessions < 1:
        raise DataError(f"sessions is {sessions!r}; accepted: a whole number of 1 or more.")
    for symbol in weights:
        if symbol not in panel.symbols:
            raise DataError(f"{symbol!r} is held, but not in the panel. {nearest(symbol, panel.symbols)}")
    learned = learn(panel, estimation, proxies=proxies)
    held = np.array([weights.get(symbol, 0.0) for symbol in panel.symbols], dtype=np.float64)
    found = smallest_shock(sessions * learned.mean, sessions * learned.covariance, held, loss)
    if found.shock.min() <= -1.0:
        worst = panel.symbols[found.shock.argmin()]
        raise DataError(
            f"To lose {loss:.0%} this book needs {worst} at {found.shock.min():+.0%}, which no price can do "
            f"({found.distance:.0f} standard deviations). Ask for a smaller loss."
        )
    return pd.Series(found.shock, index=pd.Index(panel.symbols, name="symbol"), name="shock"), found


def likeliest_worlds(
    moves: FloatArray,
    losses: FloatArray,
    loss: float,
    *,
    names: Sequence[str] = (),
    mean: FloatArray | None = None,
    covariance: FloatArray | None = None,
    keep: int = 10,
) -> pd.DataFrame:
    """Return the simulated worlds that lose at least so much, the least extraordinary first.

    Ranked by the Mahalanobis distance of their factor moves: of all the ways to the loss, these need the least.

    Parameters
    ----------
    moves
        Of the factors, or assets, one row a world [n, K].
    losses
        What came of it, one a world [n]: loss or depth of the drawdown, positive; from any strategy.
    loss
        The loss to reach, above zero.
    names
        Of the factors [K].
    mean, covariance
        Law to measure distance by; those of the moves themselves if None.
    keep
        How many worlds, at most.

    Returns
    -------
    DataFrame
        Index: number of the world. Columns: loss, distance, plausibility (as in `ReverseStress`), and the moves.

    Raises
    ------
    DataError
        Shapes differ, a value is not known, or no world loses so much.
    """
    moves = np.asarray(moves, dtype=np.float64)
    losses = np.asarray(losses, dtype=np.float64)
    if moves.ndim != 2 or losses.shape != moves.shape[:1] or len(moves) < 2:
        raise DataError(
            f"Moves are [worlds, factors] and losses [worlds], two or more; got {moves.shape} and {losses.shape}."
        )
    if names and len(names) != moves.shape[1]:
        raise DataError(f"There are {moves.shape[1]} factors and {len(names)} names. Give one each.")
    if not (np.isfinite(moves).all() and np.isfinite(losses).all()):
        raise DataError("A move or a loss of some world is not known. Leave that world out.")
    if not (np.isfinite(loss) and loss > 0.0):
        raise DataError(f"The loss is {loss!r}; accepted: a fraction above zero, such as 0.1 for 10 %.")
    hit = np.flatnonzero(losses >= loss)
    if not len(hit):
        raise DataError(
            f"None of {len(losses):,} worlds loses {loss:.1%}; the worst loses {losses.max():.1%}. "
            "Simulate more of them, or ask for a smaller loss."
        )
    centre = moves.mean(axis=0) if mean is None else mean
    law = np.atleast_2d(np.cov(moves, rowvar=False)) if covariance is None else covariance
    check_covariance(law, names)
    away = moves[hit] - centre
    squared = np.einsum("ij,jk,ik->i", away, np.linalg.pinv(law, rcond=CUTOFF, hermitian=True), away)
    table = pd.DataFrame(
        {
            "loss": losses[hit],
            "distance": np.sqrt(np.clip(squared, 0.0, None)),
            "plausibility": stats.chi2.sf(squared, np.linalg.matrix_rank(law, tol=CUTOFF * float(np.trace(law)))),
        },
        index=pd.Index(hit, name="world"),
    )
    columns = list(names) or [f"factor {k + 1}" for k in range(moves.shape[1])]
    table[columns] = moves[hit]
    return table.sort_values("distance", kind="stable").head(keep)
