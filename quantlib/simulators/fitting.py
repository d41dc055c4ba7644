"""What fits of several laws share: enough sessions, errors from curvature, a matrix that is a correlation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from statsmodels.stats.correlation_tools import corr_clipped
from statsmodels.tools.numdiff import approx_hess

from quantlib.errors import DataError
from quantlib.types import FloatArray, Panel

#: Where the volatility of a law that remembers it begins.
Start = Annotated[
    Literal["today", "long_run"],
    Field(title="Start", description="Begin with the volatility forecast for tomorrow, or with the long-run one."),
]


def need(known: Panel, least: int, law: str) -> None:
    """Refuse a history of fewer returns than a law needs.

    Parameters
    ----------
    known
        The rows that are learned from, as `history` returns them.
    least
        Returns needed.
    law
        What is fitted, for the message.

    Raises
    ------
    DataError
        There are fewer.
    """
    if len(known) - 1 < least:
        raise DataError(
            f"{law} needs {least} returns to fit; from {known.index[0]:%Y-%m-%d} to {known.index[-1]:%Y-%m-%d} there "
            f"are {len(known) - 1} with every close known. Take a longer span or window, or a law that needs less: "
            "geometric Brownian motion or a bootstrap."
        )


def curvature(loss: Callable[[FloatArray], float], point: FloatArray, step: float | None = None) -> FloatArray:
    """Return the covariance [P, P] of a maximum likelihood estimate: the inverse Hessian of the loss.

    NaN throughout where the Hessian is not positive definite: the data leave some direction open.

    Parameters
    ----------
    loss
        Minus the log likelihood of all data.
    point
        The estimate [P].
    step
        Step of the differences; None takes one that suits a loss computed to rounding.
    """
    hessian = np.asarray(approx_hess(point, loss, epsilon=step))
    if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 0.0:
        return np.full_like(hessian, np.nan)
    return np.asarray(np.linalg.inv(hessian))


def as_correlation(matrix: FloatArray) -> FloatArray:
    """Return the correlation matrix [N, N] nearest by clipped eigenvalues; one that is a correlation as it is.

    Dividing what history shows by what a law lets through can ask for more than 1.
    """
    whole = np.array(matrix)
    np.fill_diagonal(whole, 1.0)
    return np.asarray(corr_clipped(whole, threshold=0.0)) if len(whole) > 1 else whole
