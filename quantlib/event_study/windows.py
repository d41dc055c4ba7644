"""Abnormal returns around every session of a series, by a model fitted before each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from quantlib.types import FloatArray

LEAST = 60
"""Known sessions below which a model is not fitted."""


@dataclass(frozen=True)
class Plan:
    """Which sessions belong to an event at row p.

    Parameters
    ----------
    before, after
        The window is p - before … p + after, D sessions.
    estimation, gap
        The model is fitted on `estimation` sessions that end `gap` sessions before the window begins; on fewer where
        the history begins later or has holes, but never on less than `LEAST`.
    over
        First and last day, counted from the event, over which the one CAR of an event is summed.
    """

    before: int
    after: int
    estimation: int
    gap: int
    over: tuple[int, int]

    @property
    def span(self) -> int:
        """Sessions within which two events share part of their windows."""
        return self.before + self.after

    @property
    def length(self) -> int:
        """Days of the window."""
        return self.span + 1

    @property
    def days(self) -> range:
        """Days of the window, counted from the event."""
        return range(-self.before, self.after + 1)

    @property
    def counted(self) -> slice:
        """Which days of the window are summed to the CAR."""
        return slice(self.over[0] + self.before, self.over[1] + self.before + 1)


@dataclass(frozen=True, eq=False)
class Windows:
    """What one series did around each of its T rows.

    Parameters
    ----------
    abnormal
        Abnormal log returns [T, D], NaN for a whole row where a return of its window is unknown or no model is.
    spread
        Standard deviation of each abnormal return as a prediction [T, D]: the residuals' own, and that of the
        fitted coefficients. NaN where the model leaves no residual.
    car, car_spread
        The sum over the days counted, and its standard deviation as a prediction [T].
    sessions
        Sessions the model was fitted on [T].
    """

    abnormal: FloatArray
    spread: FloatArray
    car: FloatArray
    car_spread: FloatArray
    sessions: FloatArray


def windows_of(moves: FloatArray, explained_by: FloatArray, plan: Plan) -> Windows:
    """Return the windows of a series at all its rows at once.

    Parameters
    ----------
    moves
        Log returns [T], NaN where unknown.
    explained_by
        Returns of what explains them [T, K]; K is 0 for the mean-adjusted model.
    plan
        Which sessions belong to an event.

    Notes
    -----
    Least squares by running sums of products: one pass gives the model of every window. The prediction variance is
    s² (1 + x' (X'X)⁻¹ x) as in MacKinlay (1997), equation 8.
    """
    total = len(moves)
    x = np.column_stack([np.ones(total), explained_by])
    known = np.isfinite(moves) & np.isfinite(x).all(axis=1)
    y = np.where(known, moves, 0.0)
    rows = np.where(known[:, None], x, 0.0)

    end = np.clip(np.arange(total) - plan.before - plan.gap, 0, None)
    begin = np.clip(end - plan.estimation, 0, None)
    xx = _between(rows[:, :, None] * rows[:, None, :], begin, end)
    xy = _between(rows * y[:, None], begin, end)
    yy = _between(y * y, begin, end)
    sessions = xx[:, 0, 0]
    inverse = _inverse(xx)
    fitted = (inverse @ xy[:, :, None])[:, :, 0]
    left = yy - (fitted * xy).sum(axis=1)
    # Below this what is left is rounding of the running sums, not risk.
    left = np.where(left > 1e-9 * yy, left, np.nan)
    enough = sessions >= LEAST
    variance = np.where(enough, left / np.where(enough, sessions - x.shape[1], 1.0), np.nan)

    around = _around(np.where(known, moves, np.nan), plan)
    of = np.stack([_around(column, plan) for column in x.T], axis=2)
    abnormal = around - np.einsum("tdk,tk->td", of, fitted)
    whole = enough & np.isfinite(abnormal).all(axis=1)
    abnormal[~whole] = np.nan
    daily = np.einsum("tdk,tdk->td", of @ inverse, of)
    counted = of[:, plan.counted].sum(axis=1)
    summed = ((counted[:, None, :] @ inverse)[:, 0] * counted).sum(axis=1)
    length = plan.over[1] - plan.over[0] + 1
    return Windows(
        abnormal=abnormal,
        spread=np.sqrt(variance[:, None] * (1.0 + daily)),
        car=abnormal[:, plan.counted].sum(axis=1),
        car_spread=np.sqrt(variance * (length + summed)),
        sessions=sessions,
    )


def _inverse(squares: FloatArray) -> FloatArray:
    """Return the inverse of each matrix [T, K, K] of sums of squares and products.

    A factor that stood still in a window, or repeats another, explains nothing more there: the pseudo-inverse, five
    times slower, leaves it out.
    """
    size = np.sqrt(np.maximum(np.einsum("tkk->tk", squares), 1e-300))
    scaled = squares / (size[:, :, None] * size[:, None, :])
    sound = np.linalg.det(scaled) > 1e-9
    inverse = np.empty_like(scaled)
    inverse[sound] = np.linalg.inv(scaled[sound])
    inverse[~sound] = np.linalg.pinv(scaled[~sound], rcond=1e-9, hermitian=True)
    return np.asarray(inverse / (size[:, :, None] * size[:, None, :]))


def _between(values: FloatArray, begin: np.ndarray, end: np.ndarray) -> FloatArray:
    """Return the sums of the rows from `begin` to before `end`."""
    running = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    return np.asarray(running[end] - running[begin])


def _around(values: FloatArray, plan: Plan) -> FloatArray:
    """Return the values of each row's window [T, D], NaN beyond both ends."""
    padded = np.concatenate([np.full(plan.before, np.nan), values, np.full(plan.after, np.nan)])
    return np.asarray(sliding_window_view(padded, plan.length))
