"""GARCH(1,1) and GJR recursions fitted to returns by `arch`, with Student t shocks."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from quantlib.errors import DataError
from quantlib.simulators.base import Estimate
from quantlib.types import FloatArray

LEAST = 250
# Above this persistence a storm takes ten thousand sessions to fade by two thirds: no long run can be told from it.
MOST = 0.9999
WAY_OUT = (
    "Take a longer window, one without a lasting change of volatility, leave that symbol out, or take a law "
    "without this recursion, such as regime switching or a bootstrap"
)


class GarchFit(NamedTuple):
    """A fitted recursion of one symbol's variance, and what it says of the history.

    Parameters
    ----------
    omega, alpha, gamma, beta, df
        Constant (squared log return), weight of the last squared return, further weight if it was a loss, weight of
        the last variance, degrees of freedom of the shocks.
    errors
        Standard errors of these five; NaN where none is known, and for gamma of a symmetric recursion.
    ahead
        Variance forecast for the session after the history.
    residuals
        Standardised residuals [T]: the returns less their mean, over the fitted volatility of their session.
    """

    omega: float
    alpha: float
    gamma: float
    beta: float
    df: float
    errors: tuple[float, ...]
    ahead: float
    residuals: FloatArray

    def long_run(self, losses: float = 0.5) -> float:
        """Return the unconditional variance; `losses` is the share of losses in the shocks' squared size."""
        return self.omega / (1.0 - self.alpha - losses * self.gamma - self.beta)


def fit_garch(moves: FloatArray, symbols: tuple[str, ...], *, asymmetric: bool) -> tuple[GarchFit, ...]:
    """Return the fitted recursion of each symbol's log returns [T, N].

    Parameters
    ----------
    moves
        Log returns of one session each.
    symbols
        Whose they are, for messages.
    asymmetric
        Whether a loss weighs more (GJR).

    Raises
    ------
    DataError
        A fit does not converge or is not stationary.
    """
    fits = []
    for symbol, column in zip(symbols, moves.T, strict=True):
        fit = _fitted(np.ascontiguousarray(column).tobytes(), asymmetric)
        if isinstance(fit, str):
            raise DataError(f"The GARCH fit of {symbol} does not converge ({fit}). {WAY_OUT}.")
        persistence = fit.alpha + 0.5 * fit.gamma + fit.beta
        if persistence > MOST:
            raise DataError(
                f"The GARCH fit of {symbol} is not stationary: alpha + beta{' + gamma / 2' * asymmetric} is "
                f"{persistence:.5f}, and at 1 there is no long-run volatility to return to. {WAY_OUT}."
            )
        fits.append(fit)
    return tuple(fits)


def garch_estimates(symbols: tuple[str, ...], fits: tuple[GarchFit, ...]) -> list[Estimate]:
    """Return the recursions' parameters, symbol by symbol; gamma where there is one."""
    names = (("omega", "squared log return"), ("alpha", ""), ("gamma", ""), ("beta", ""), ("degrees of freedom", ""))
    return [
        Estimate(name, symbol, value, error, unit)
        for symbol, fit in zip(symbols, fits, strict=True)
        for (name, unit), value, error in zip(names, fit[:5], fit.errors, strict=True)
        if name != "gamma" or any(f.gamma != 0.0 for f in fits)
    ]


@lru_cache(maxsize=512)
def _fitted(data: bytes, asymmetric: bool) -> GarchFit | str:
    """Return `arch`'s fit, or why there is none; kept, for every call on the same history needs it again."""
    from arch import arch_model  # noqa: PLC0415  arch takes a second to import

    moves = np.frombuffer(data)
    # In units of their own deviation the optimiser finds any symbol alike.
    scale = float(moves.std())
    model = arch_model(
        (moves - moves.mean()) / scale, mean="Constant", p=1, o=int(asymmetric), q=1, dist="t", rescale=False
    )
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they would say is in the flag and the errors below
        for begin in (None, [0.0, 0.02, 0.06, *[0.04] * asymmetric, 0.9, 8.0]):
            result = model.fit(starting_values=begin, disp="off", show_warning=False, options={"maxiter": 1000})
            if result.convergence_flag == 0:
                break
        else:
            return str(result.optimization_result.message)
        try:
            spread = result.std_err.to_numpy()
        except np.linalg.LinAlgError:
            spread = np.full(len(result.params), np.nan)
    value = dict(zip(result.params.index, result.params.to_numpy(), strict=True))
    error = dict(zip(result.params.index, spread, strict=True))
    names = ("omega", "alpha[1]", "gamma[1]", "beta[1]", "nu")
    units = (scale**2, 1.0, 1.0, 1.0, 1.0)
    omega, alpha, gamma, beta, df = (
        unit * float(value.get(name, 0.0)) for name, unit in zip(names, units, strict=True)
    )
    gaps, deviations = np.asarray(result.resid), np.asarray(result.conditional_volatility)
    last = (scale * gaps[-1]) ** 2
    return GarchFit(
        omega,
        alpha,
        gamma,
        beta,
        df,
        tuple(unit * float(error.get(name, np.nan)) for name, unit in zip(names, units, strict=True)),
        float(omega + (alpha + gamma * (gaps[-1] < 0.0)) * last + beta * (scale * deviations[-1]) ** 2),
        gaps / deviations,
    )
