"""Markov regimes: calm and turbulent stretches, each with its own means, volatilities and correlations."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.learning import described, history
from quantlib.simulators.streams import Streams, Words, normal_nb, uniform_nb
from quantlib.types import FloatArray, Panel

# A regime seen on fewer sessions than this is a few odd days, and says nothing of how long it lasts.
LEAST = 10
# Sessions over which the size of returns is averaged to guess at regimes, and what share each guess calls calm.
SPAN = 10
STARTS = (0.5, 0.75, 0.9)
NAMES = ("calm", "turbulent")
# Principal components that tell the regimes apart; more would cost parameters and say little.
PARTS = 5


@dataclass(frozen=True, eq=False)
class RegimeSwitchingCalibration(Calibration):
    """A Markov chain of K = 2 regimes, calm and turbulent, and the normal law of log returns in each.

    Parameters
    ----------
    transition
        Chance [K, K] of going from the row's regime to the column's from one session to the next.
    transition_error
        Its standard errors [K, K].
    today
        Chance [K] of each regime on the last session, given the history up to it.
    share
        Long-run share [K] of sessions in each regime.
    seen
        Sessions of the history in each regime [K], by smoothed chances.
    means
        Mean log return of one session by regime [K, N].
    covariances
        Covariance of one session's log returns by regime [K, N, N].
    known
        Sessions' worth of knowledge of each symbol's mean and of its variance by regime [2, K, N]: `seen` less what
        is lost by not knowing which session was in which regime.
    """

    transition: FloatArray
    transition_error: FloatArray
    today: FloatArray
    share: FloatArray
    seen: FloatArray
    means: FloatArray
    covariances: FloatArray
    known: FloatArray

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [count, horizon, N]; the first session's regime follows today's chances."""
        roots = np.stack([symmetric_root(c) for c in self.covariances])
        moves: FloatArray = _draw_nb(
            streams.states(),
            streams.signs(),
            horizon,
            np.cumsum(self.today @ self.transition),
            np.cumsum(self.transition, axis=1),
            self.means,
            roots,
        )
        return moves

    def durations(self) -> tuple[FloatArray, FloatArray]:
        """Return the expected sessions [K] a visit to each regime lasts, and their standard errors."""
        leave = 1.0 - np.diag(self.transition)
        return 1.0 / leave, np.diag(self.transition_error) / leave**2

    def estimates(self) -> list[Estimate]:
        """Return durations and chances to stay of the regimes, and mean and volatility of every symbol in each.

        Errors of durations are by the delta method, those by symbol from what is known of the regimes.
        """
        year = self.periods_per_year
        rows = []
        for k, (name, stays, stays_error) in enumerate(zip(NAMES, *self.durations(), strict=True)):
            rows += [
                Estimate(f"{name}: expected duration", "", stays, stays_error, "sessions"),
                Estimate(
                    f"{name}: chance to stay", "", self.transition[k, k], self.transition_error[k, k], "a session"
                ),
            ]
            spread = np.sqrt(np.diag(self.covariances[k]))
            for i, symbol in enumerate(self.symbols):
                rows += [
                    Estimate(
                        f"{name}: mean log return",
                        symbol,
                        year * self.means[k, i],
                        year * spread[i] / np.sqrt(self.known[0, k, i]),
                        "a year",
                    ),
                    Estimate(
                        f"{name}: volatility",
                        symbol,
                        np.sqrt(year) * spread[i],
                        np.sqrt(year / (2.0 * self.known[1, k, i])) * spread[i],
                        "a root of a year",
                    ),
                ]
        return rows


class RegimeSwitching(Simulator):
    """Markov regime switching: the market goes through calm and turbulent stretches that begin and end by chance.

    The regimes are those of the first principal component of standardised log returns, by maximum likelihood with
    mean and variance of each regime its own (statsmodels). With that chain, the first five components together say
    which session was in which regime, and the smoothed chances of it weigh the means and covariances of all symbols.
    A world starts from what is known of the regime today.

    Parameters
    ----------
    drift
        "history" keeps the mean log return over all regimes, which differ in theirs; "none" sets each regime's to
        -variance / 2, so that the expected simple return of every session is exactly zero in each.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Hamilton, J. (1989), A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle.
    Kim, C. (1994), Dynamic Linear Models with Markov-Switching. Louis, T. (1982), Finding the Observed Information
    Matrix when Using the EM Algorithm.
    """

    name: ClassVar[str] = "regime_switching"
    title: ClassVar[str] = "Markov regimes"
    description: ClassVar[str] = (
        "Calm and turbulent stretches that begin and end by chance, each with its own means, volatilities and "
        "correlations; starts from today's."
    )

    drift: Drift = "history"
    window: Window = None

    def calibrate(self, panel: Panel) -> RegimeSwitchingCalibration:
        """Return chain and regimes fitted to log returns over the panel's complete rows.

        Raises
        ------
        DataError
            Fewer than 60 sessions have every close, or the history does not show two regimes.
        """
        known, moves = history(panel, self.window)
        parts = components(moves)
        fit, order = fit_regimes(parts[:, 0])
        transition, errors = chain(fit, order)
        share = long_run(transition)
        smoothed = np.asarray(fit.smoothed_marginal_probabilities)[:, order]
        smoothed, today = sharpened(parts, smoothed, transition, share)
        seen = smoothed.sum(axis=0)
        if not seen.min() >= LEAST:
            raise DataError(
                f"No two regimes found: the rarer holds {seen.min():.0f} of {len(moves)} sessions, at least {LEAST} "
                "are needed to tell it from a few odd days. Take a longer window, or another law such as gbm or "
                "t_copula."
            )
        means, covariances = by_regime(moves, smoothed)
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        knowledge = known_of(moves, smoothed, means, variances)
        known_mean = moves.mean(axis=0)
        means = -0.5 * variances if self.drift == "none" else means + known_mean - share @ means
        mean = share @ means
        covariance = np.einsum("k,kij->ij", share, covariances) + np.einsum(
            "k,ki,kj->ij", share, means - mean, means - mean
        )
        growth = np.log(share @ np.exp(means + 0.5 * variances))
        return RegimeSwitchingCalibration(
            **described(panel, known, mean, covariance, growth=growth),
            transition=transition,
            transition_error=errors,
            today=today,
            share=share,
            seen=seen,
            means=means,
            covariances=covariances,
            known=knowledge,
        )


def components(moves: FloatArray) -> FloatArray:
    """Return the first principal components of standardised log returns [T, N], at most `PARTS` [T, K].

    Each is standardised too; what is a copy of others is left out.
    """
    centred = moves - moves.mean(axis=0)
    scaled = centred / centred.std(axis=0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(moves))
    chosen = np.flatnonzero(values > 1e-8 * values[-1])[::-1][:PARTS]
    return np.asarray(scaled @ vectors[:, chosen] / np.sqrt(values[chosen]))


def by_regime(moves: FloatArray, smoothed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean [K, N] and covariance [K, N, N] of rows [T, N] weighted by the chances of each regime [T, K]."""
    seen = smoothed.sum(axis=0)
    means = smoothed.T @ moves / seen[:, None]
    apart = moves - means[:, None, :]
    weighed = apart * smoothed.T[:, :, None]
    return means, np.matmul(weighed.transpose(0, 2, 1), apart) / seen[:, None, None]


def known_of(moves: FloatArray, smoothed: FloatArray, means: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the sessions' worth of knowledge of each mean and variance by regime [2, K, N], NaN where there is none.

    The information of known regimes less what not knowing them takes away, which is the variance of the score over
    them, session by session (Louis 1982).
    """
    size = (moves - means[:, None, :]) ** 2 / variances[:, None, :]
    doubt = (smoothed * (1.0 - smoothed)).T[:, :, None]
    lost = np.stack([(doubt * size).sum(axis=1), 0.5 * (doubt * (size - 1.0) ** 2).sum(axis=1)])
    left = smoothed.sum(axis=0)[:, None] - lost
    return np.where(left > 0.0, left, np.nan)


def sharpened(
    parts: FloatArray, smoothed: FloatArray, transition: FloatArray, share: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the smoothed chances of the regimes [T, K] given several components [T, N], and today's [K].

    From those given the first component, by expectation and maximisation with the chain held as it is. One component
    alone leaves many sessions in doubt, and what is in doubt blends the regimes' covariances.
    """
    for _ in range(200):
        means, covariances = by_regime(parts, smoothed)
        height = np.empty_like(smoothed)
        for k in range(len(share)):
            _, size = np.linalg.slogdet(covariances[k])
            apart = parts - means[k]
            height[:, k] = -0.5 * (size + ((apart @ np.linalg.pinv(covariances[k])) * apart).sum(axis=1))
        before = smoothed
        smoothed, today = _smooth_nb(np.exp(height - height.max(axis=1, keepdims=True)), transition, share)
        if smoothed.sum(axis=0).min() < LEAST or np.abs(smoothed - before).max() < 1e-4:
            break
    return smoothed, today


def fit_regimes(returns: FloatArray) -> tuple[Any, np.ndarray]:
    """Return statsmodels' likeliest two regimes of a standardised return [T], and their order, calm first.

    The likelihood has several peaks. So expectation and maximisation climb from several guesses, which split the
    sessions by the size of returns around them, and the highest place is where the exact climb begins. What the
    library warns of is settled here: a climb that failed or did not end is an error.
    """
    # statsmodels takes a second to import
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression  # noqa: PLC0415

    size = np.convolve(returns**2, np.ones(SPAN) / SPAN, mode="same")
    model = MarkovRegression(returns, k_regimes=2, trend="c", switching_variance=True)
    places = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            for share in STARTS:
                turbulent = (size > np.quantile(size, share)).astype(np.int64)
                places.append(model.fit(guess(model, returns, turbulent), em_iter=30, maxiter=1, return_params=True))
            heights = [model.loglike(place) for place in places]
            fit = model.fit(places[int(np.nanargmax(heights))], em_iter=0, maxiter=200)
            ended = fit.mle_retvals["converged"] and np.isfinite(fit.llf)
        except (np.linalg.LinAlgError, ValueError):
            ended = False
        if not ended:
            raise DataError(
                f"No two regimes found in {len(returns)} sessions: the likelihood has no peak. Take a longer window, "
                "or another law such as gbm or t_copula."
            )
        fit.cov_params()  # reckoned when first asked for, and it may warn
    return fit, np.argsort(fit.params[model.parameters["variance"]])


def guess(model: Any, returns: FloatArray, labels: np.ndarray) -> FloatArray:
    """Return the model's parameters as though each session's regime were known to be its label [T]."""
    start = np.zeros(model.k_params)
    steps = np.ones((2, 2))  # one of each kind, so that no chance is zero
    np.add.at(steps, (labels[:-1], labels[1:]), 1.0)
    for k in range(2):
        start[model.parameters[k, "regime_transition"]] = steps[k, 0] / steps[k].sum()
        start[model.parameters[k, "exog"]] = returns[labels == k].mean()
        start[model.parameters[k, "variance"]] = returns[labels == k].var()
    return start


def chain(fit: Any, order: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Return the chances [K, K] from row to column and their standard errors, regimes in this order.

    The model's parameters are the chances to go to its first regime; to the other goes what is left of one.
    """
    places = np.array([np.arange(fit.model.k_params)[fit.model.parameters[k, "regime_transition"]][0] for k in (0, 1)])
    first = fit.params[places]
    with np.errstate(invalid="ignore"):  # a likelihood flat there has no error, and so it is unknown
        error = np.sqrt(np.diag(fit.cov_params())[places])
    transition, errors = np.column_stack([first, 1.0 - first]), np.column_stack([error, error])
    return transition[np.ix_(order, order)], errors[np.ix_(order, order)]


def long_run(transition: FloatArray) -> FloatArray:
    """Return the share of sessions [K] a chain spends in each regime in the long run."""
    leave = 1.0 - np.diag(transition)
    return np.asarray(leave[::-1] / leave.sum())


@kernel
def _smooth_nb(height: FloatArray, transition: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the chances of each regime given all sessions [T, K], and on the last one [K]: forward, then backward.

    `height` [T, K] is each session's density in each regime, to within a factor of the session's own.
    """
    length, count = height.shape
    chances = np.empty((length, count))
    now = share.copy()
    for t in range(length):
        ahead = now if t == 0 else now @ transition
        now = ahead * height[t]
        now /= now.sum()
        chances[t] = now
    later = np.ones(count)
    for t in range(length - 2, -1, -1):
        later = transition @ (height[t + 1] * later)
        later /= later.sum()
        chances[t] *= later
        chances[t] /= chances[t].sum()
    return chances, now


@kernel
def _draw_nb(
    states: Words,
    signs: FloatArray,
    horizon: int,
    begin: FloatArray,
    go: FloatArray,
    means: FloatArray,
    roots: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N]; `begin` [K] and the rows of `go` [K, K] are cumulated chances."""
    n, (count, size) = len(states), means.shape
    moves = np.empty((n, horizon, size))
    for i in range(n):
        state, path = states[i], moves[i]
        regime = 0
        for t in range(horizon):
            at = uniform_nb(state)
            chances = begin if t == 0 else go[regime]
            regime = 0
            while regime < count - 1 and at > chances[regime]:
                regime += 1
            path[t] = means[regime]
            for k in range(size):
                shock = signs[i] * normal_nb(state)
                for j in range(size):
                    path[t, j] += shock * roots[regime, k, j]
    return moves
