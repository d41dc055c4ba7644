"""Spreads that revert: the first symbol wanders, the later ones stay tied to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.simulators.base import Calibration, Drift, Estimate, Simulator, Window
from quantlib.simulators.gbm import symmetric_root
from quantlib.simulators.learning import described, history, last_known
from quantlib.simulators.streams import Streams, Words, normal_nb
from quantlib.types import FloatArray, Panel


class Spread(NamedTuple):
    """One leg's spread over the common leg, fitted session by session.

    Each estimate stands beside its standard error. With `reversion` a = phi - 1, the spread's deviation from its
    level is multiplied by phi from one session to the next.
    """

    hedge: float
    hedge_error: float
    level: float
    level_error: float
    phi: float
    phi_error: float
    statistic: float
    critical: float


@dataclass(frozen=True, eq=False)
class OrnsteinUhlenbeckCalibration(Calibration):
    """A normal law of the common leg's log returns and of the innovations of the later legs' spreads.

    Parameters
    ----------
    mean
        Mean log return of one session of the common leg, the first symbol.
    spreads
        One fitted spread for each later symbol, in order.
    covariance
        Covariance [N, N] of one session's innovations: the common leg's log return, then the spreads'.
    now
        Today's spreads [N - 1]: log price of a later leg less hedge ratio times that of the common leg.
    fair
        Whether every leg's expected simple return of every session is zero, seen from today.
    """

    mean: float
    spreads: tuple[Spread, ...]
    covariance: FloatArray
    now: FloatArray
    fair: bool

    def draw(self, streams: Streams, horizon: int) -> FloatArray:
        """Return log returns [count, horizon, N]; spreads start from where they are today."""
        hedge, level, phi = np.array([[s.hedge, s.level, s.phi] for s in self.spreads]).T
        if self.fair:
            means, gap = -0.5 * self.variances(horizon), np.zeros_like(level)
        else:
            means, gap = np.tile(self.mean * np.append(1.0, hedge), (horizon, 1)), self.now - level
        moves: FloatArray = _draw_nb(
            streams.states(),
            streams.signs(),
            means,
            symmetric_root(self.covariance),
            np.ascontiguousarray(hedge),
            phi - 1.0,
            gap,
        )
        return moves

    def variances(self, horizon: int) -> FloatArray:
        """Return the variance of each session's log return [horizon, N], seen from today."""
        hedge, _, phi = np.array([[s.hedge, s.level, s.phi] for s in self.spreads]).T
        mixing = mixed(hedge)
        past = np.arange(horizon)[:, None]  # sessions that a spread has had to leave today's place
        own = np.diag(self.covariance)[1:]
        gaps = own * (1.0 - phi ** (2 * past)) / (1.0 - phi**2)
        result = np.tile(np.diag(mixing @ self.covariance @ mixing.T), (horizon, 1))
        result[:, 1:] += (1.0 - phi) ** 2 * gaps
        return result

    def estimates(self) -> list[Estimate]:
        """Return drift and volatility of the common leg and the laws of the later legs' spreads.

        Of each spread: hedge ratio, speed, half-life, level, sigma and stationary standard deviation. The errors of
        the last two and of the half-life are by the delta method.
        """
        year, count = self.periods_per_year, self.sessions
        step = float(np.sqrt(self.covariance[0, 0]))
        first = self.symbols[0]
        rows = [
            Estimate("mean log return", first, year * self.mean, year * step / np.sqrt(count), "a year"),
            Estimate("volatility", first, step * np.sqrt(year), step * np.sqrt(year / (2 * count)), "a root of a year"),
        ]
        for i, (symbol, s) in enumerate(zip(self.symbols[1:], self.spreads, strict=True), start=1):
            speed, speed_error = -np.log(s.phi), s.phi_error / s.phi
            variance = self.covariance[i, i]
            rest = 1.0 - s.phi**2
            deviation = np.sqrt(variance / rest)
            sigma = deviation * np.sqrt(2 * speed)
            # Of log sigma and log deviation: by phi, by the number of sessions and, where the spread moves with the
            # common leg, by the hedge ratio.
            slope_sigma = s.phi / rest - 0.5 / (s.phi * speed)
            slope_hedge = np.nan_to_num(self.covariance[0, i] / variance * s.hedge_error)
            noise = np.hypot(np.sqrt(0.5 / count), slope_hedge)
            rows += [
                Estimate("hedge ratio", symbol, s.hedge, s.hedge_error, f"units of log {first}"),
                Estimate("mean reversion", symbol, year * speed, year * speed_error, "a year"),
                Estimate("half-life", symbol, np.log(2) / speed, np.log(2) / speed**2 * speed_error, "sessions"),
                Estimate("level", symbol, s.level, s.level_error, "log price"),
                Estimate(
                    "sigma",
                    symbol,
                    sigma * np.sqrt(year),
                    sigma * np.sqrt(year) * np.hypot(noise, slope_sigma * s.phi_error),
                    "a root of a year",
                ),
                Estimate(
                    "deviation",
                    symbol,
                    deviation,
                    deviation * np.hypot(noise, s.phi / rest * s.phi_error),
                    "log price",
                ),
            ]
        return rows


class OrnsteinUhlenbeck(Simulator):
    """Ornstein-Uhlenbeck spreads of the later symbols over the first, which follows a Brownian motion.

    The log price of a later leg is hedge ratio times that of the first plus a spread that is pulled back to its
    level; daily steps follow the exact discretisation, an AR(1), so nothing depends on a step size. Innovations of
    all legs are normal with the history's covariance.

    **No drift is not no edge here**: spreads revert whatever `drift` is, so whoever trades them gains before costs.
    These worlds are no test of a rule where nothing can be earned; take another simulator for that.

    Each spread is fitted by the error-correction regression of its leg, which is the Gaussian likelihood of hedge
    ratio, level and speed together; so the errors are those of one joint fit and the test of mean reversion knows
    that the hedge ratio was chosen. Least squares reverts too fast in small samples: with a half-life of 20 sessions,
    by 32 % from 500 sessions and by 16 % from 1,000 (20 and 10 % with the hedge ratio given). So the AR(1) coefficient
    is raised by (2 + 4 phi) / T, by (1 + 3 phi) / T with a given hedge ratio, which leaves about 1 %.

    Parameters
    ----------
    hedge
        Log price of the first symbol to hold against each later leg's; None fits one for each.
    evidence
        "required" refuses a spread whose mean reversion is not significant at 5 %. "any" takes it as fitted, even
        with the bias of a small sample where nothing is left without.
    drift
        "history" keeps the mean log return of the first symbol, which the others follow by their hedge ratio, and
        today's distance of each spread from its level, which is known to close. "none" takes out both: seen from
        today, the expected simple return of every session is exactly zero for every symbol, and only who watches
        the spread while it moves can gain.
    window
        Number of latest sessions to calibrate on; None takes all.

    References
    ----------
    Engle, R. and Granger, C. (1987), Co-integration and Error Correction. Ericsson, N. and MacKinnon, J. (2002),
    Distributions of Error Correction Tests for Cointegration. MacKinnon, J. (2010), Critical Values for Cointegration
    Tests. Kendall, M. (1954), Note on Bias in the Estimation of Autocorrelation. Orcutt, G. and Winokur, H. (1969),
    First Order Autoregression.
    """

    name: ClassVar[str] = "ornstein_uhlenbeck"
    title: ClassVar[str] = "Ornstein-Uhlenbeck spreads"
    description: ClassVar[str] = (
        "The first symbol wanders; the others stay tied to it by spreads that revert, with drift or without. For pairs "
        "and spreads that were found to revert."
    )
    edge_without_drift: ClassVar[str] = "spreads that revert"

    hedge: float | None = Field(
        None,
        allow_inf_nan=False,
        title="Hedge ratio",
        description="How much of the first symbol's log price is held against each other one.",
        json_schema_extra={"empty": "fitted"},
    )
    evidence: Literal["required", "any"] = Field(
        "required",
        title="Evidence",
        description="Refuse spreads whose mean reversion is not significant at 5 %, or take them as fitted.",
    )
    drift: Drift = Field("history", description="Keep the first symbol's mean return, or have none: spreads still pay.")
    window: Window = None

    def calibrate(self, panel: Panel) -> OrnsteinUhlenbeckCalibration:
        """Return common leg, spreads and the covariance of their innovations.

        Raises
        ------
        DataError
            Fewer than two symbols or 60 sessions, a price that never moved, two legs that move as one, or a spread
            in which no mean reversion was found.
        """
        known, moves = history(panel, self.window)
        if len(panel.symbols) < 2:
            raise DataError(
                f"A spread needs two symbols or more; this panel has {len(panel.symbols)} "
                f"({panel.symbols[0]}). Add the leg it is traded against."
            )
        prices = np.log(known.close)
        common, first = prices[:, 0], panel.symbols[0]
        spreads, innovations = [], [moves[:, 0] - moves[:, 0].mean()]
        for i, symbol in enumerate(panel.symbols[1:], start=1):
            spread = fit_spread(common, prices[:, i], hedge=self.hedge, names=(first, symbol))
            if self.evidence == "any" and spread.phi >= 1.0:
                spread = spread._replace(phi=1.0 + spread.statistic * spread.phi_error)
            self._judge(spread, first, symbol)
            gap = prices[:, i] - spread.hedge * common - spread.level
            spreads.append(spread)
            innovations.append(gap[1:] - spread.phi * gap[:-1])
        covariance = np.cov(np.array(innovations))
        fair = self.drift == "none"
        mean = -0.5 * float(covariance[0, 0]) if fair else float(moves[:, 0].mean())
        hedge = np.array([s.hedge for s in spreads])
        last = np.log(last_known(panel))
        common_law = described(
            panel,
            known,
            mean * np.append(1.0, hedge),
            stationary(spreads, covariance),
            growth=np.zeros(len(panel.symbols)) if fair else None,
        )
        return OrnsteinUhlenbeckCalibration(
            **common_law,
            mean=mean,
            spreads=tuple(spreads),
            covariance=covariance,
            now=last[1:] - hedge * last[0],
            fair=fair,
        )

    def _judge(self, spread: Spread, first: str, symbol: str) -> None:
        """Refuse a spread that is no Ornstein-Uhlenbeck process."""
        way_out = "Take a longer window, another pair or a hedge ratio of your own"
        if spread.phi >= 1.0:
            raise DataError(
                f"No mean reversion found in the spread of {symbol} over {first}: its speed is not above zero"
                f"{'' if self.evidence == 'any' else ' once the bias of a small sample is taken off'}. {way_out}."
            )
        if spread.phi <= 0.0:
            raise DataError(
                f"The spread of {symbol} over {first} turns round within one session (AR(1) coefficient "
                f"{spread.phi:.2f}); an Ornstein-Uhlenbeck process cannot. Check both price series."
            )
        if self.evidence == "required" and spread.statistic > spread.critical:
            raise DataError(
                f"No mean reversion found in the spread of {symbol} over {first}: its t statistic is "
                f"{spread.statistic:.2f}, significant at 5 % would be {spread.critical:.2f} or below. {way_out}; "
                'or set evidence to "any" to simulate it as fitted.'
            )


def fit_spread(common: FloatArray, leg: FloatArray, *, hedge: float | None, names: tuple[str, str]) -> Spread:
    """Return the spread of log prices `leg` over `common` [T + 1 each], with a fitted hedge ratio or the given one.

    A leg's change is regressed on the common leg's, on its own last log price and (hedge ratio fitted) on the
    common leg's. The common leg's change takes out what moves both at once, so that the errors left are those of
    the spread alone given the common leg.
    """
    count = len(leg) - 1
    change = np.diff(common)
    lagged = leg[:-1] if hedge is None else leg[:-1] - hedge * common[:-1]
    answer = np.diff(leg) if hedge is None else np.diff(leg - hedge * common)
    columns = [np.ones(count), change - change.mean(), lagged]
    if hedge is None:
        columns.append(common[:-1])
    design = np.column_stack(columns)
    found, _, rank, _ = np.linalg.lstsq(design, answer, rcond=1e-10)
    rest = answer - design @ found
    noise = float(rest @ rest) / (count - len(found))
    if rank < len(found) or noise <= 1e-20:
        raise DataError(f"{names[1]} moves as {names[0]} does: their spread is constant. Take another leg.")
    errors = noise * np.linalg.inv(design.T @ design)
    level, _, pull = found[:3]
    ratio = hedge if hedge is not None else -float(found[3] / pull)
    gap = leg - ratio * common + level / pull
    # The bias comes from the part of the innovation that the common leg does not explain.
    own = gap[1:] - (1.0 + pull) * gap[:-1]
    share = noise / float(own @ own / count)
    terms = (2.0, 4.0) if hedge is None else (1.0, 3.0)
    phi = 1.0 + pull + share * (terms[0] + terms[1] * (1.0 + pull)) / count
    # The slower the pull, the less is known of where to; so the errors take the pull without its bias.
    freed = phi - 1.0 if phi < 1.0 else pull

    def error(gradient: list[float]) -> float:
        slopes = np.array(gradient) / freed
        return float(np.sqrt(slopes @ errors @ slopes))

    slopes = [-1.0, 0.0, level / pull] + ([] if hedge is not None else [0.0])
    return Spread(
        hedge=float(ratio),
        hedge_error=error([0.0, 0.0, ratio, 1.0]) if hedge is None else float("nan"),
        level=-float(level / pull),
        level_error=error(slopes),
        phi=float(phi),
        phi_error=float(np.sqrt(errors[2, 2])),
        statistic=float(pull / np.sqrt(errors[2, 2])),
        # With the hedge ratio fitted too, chance alone finds more reversion. Both are 5 % response surfaces.
        critical=-3.2145 - 3.21 / count if hedge is None else -2.8615 - 2.89 / count,
    )


def stationary(spreads: list[Spread], covariance: FloatArray) -> FloatArray:
    """Return the covariance [N, N] of one session's log returns when spreads have forgotten where they began."""
    phi = np.array([s.phi for s in spreads])
    mixing = mixed(np.array([s.hedge for s in spreads]))
    pulls = np.zeros_like(covariance)
    # The pull on two spreads covaries by their stationary covariance, sum of phi_i^k phi_j^k times the innovations'.
    pulls[1:, 1:] = np.outer(1.0 - phi, 1.0 - phi) * covariance[1:, 1:] / (1.0 - np.outer(phi, phi))
    return np.asarray(mixing @ covariance @ mixing.T + pulls)


def mixed(hedge: FloatArray) -> FloatArray:
    """Return the matrix [N, N] from innovations to log returns: a later leg adds its hedge ratio of the first's."""
    mixing = np.eye(len(hedge) + 1)
    mixing[1:, 0] = hedge
    return mixing


@kernel
def _draw_nb(
    states: Words,
    signs: FloatArray,
    means: FloatArray,
    root: FloatArray,
    hedge: FloatArray,
    pull: FloatArray,
    start: FloatArray,
) -> FloatArray:
    """Return log returns [n, horizon, N] around `means` [horizon, N]; the spreads' gaps [N - 1] begin at `start`."""
    n, (horizon, size) = len(states), means.shape
    moves = np.empty((n, horizon, size))
    for i in range(n):
        state, path, gap = states[i], moves[i], start.copy()
        for t in range(horizon):
            path[t] = 0.0
            for k in range(size):
                shock = signs[i] * normal_nb(state)
                for j in range(size):
                    path[t, j] += shock * root[k, j]
            for j in range(1, size):
                step = pull[j - 1] * gap[j - 1] + path[t, j]
                gap[j - 1] += step
                path[t, j] = hedge[j - 1] * path[t, 0] + step
            path[t] += means[t]
    return moves
