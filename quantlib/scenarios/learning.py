"""What scenarios take from history: a mean and a covariance of log returns, short series by proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from quantlib.errors import DataError, nearest
from quantlib.scenarios.factors import FACTORS, Sight, see, unseen
from quantlib.types import FloatArray, Panel

FEWEST = 60
"""Sessions that a covariance is estimated on, at least."""
FEWEST_SHARED = 20
"""Sessions a short series has to share with its proxy for a beta."""
CALM_SESSIONS = 21
STORMY = 0.2
"""Share of sessions that count as a crisis: those after the most volatile months."""


class Estimation(BaseModel):
    """How the law of moves is learned from a panel.

    Parameters
    ----------
    window
        Number of latest sessions; None takes all.
    covariance
        "history" takes all these sessions; "crisis" the fifth that followed the most volatile 21 sessions of the
        equity factor. What has been decides which sessions count, not their own move, so the choice bends no tail.
    shrink
        Whether to shrink the covariance towards equal variances (Ledoit and Wolf 2004), for many symbols and little
        history.
    drift
        "none" lets the unnamed move with the named only; "history" adds the mean log return, for a scenario of years.
    least
        Known sessions a symbol needs; with fewer it goes by proxy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: int | None = Field(None, ge=FEWEST, title="Window", description="Latest sessions it learns from.")
    covariance: Literal["history", "crisis"] = Field(
        "history", title="Covariance", description="Of all sessions, or of those after the stormiest months."
    )
    shrink: bool = Field(default=False, title="Shrink", description="Shrink the covariance (Ledoit and Wolf).")
    drift: Literal["none", "history"] = Field("none", title="Drift", description="Whether history's mean is added.")
    least: int = Field(250, ge=FEWEST, title="Enough", description="Sessions below which a symbol goes by proxy.")


@dataclass(frozen=True, eq=False)
class Learned:
    """The law of one session's log returns of every symbol of a panel.

    Parameters
    ----------
    panel
        The history.
    known
        The sessions on which every symbol with enough history has a close.
    mean, covariance
        Of all N symbols, in the panel's order [N], [N, N].
    proxies
        By symbol without enough history: which proxy, beta, R2 and how many sessions both share.
    """

    panel: Panel
    known: Panel
    mean: FloatArray
    covariance: FloatArray
    proxies: Mapping[str, Proxy]


@dataclass(frozen=True)
class Proxy:
    """By what a short series moves: `beta` times the proxy; `r2` is NaN where the beta is given, not estimated."""

    name: str
    beta: float
    r2: float
    sessions: int
    residual: float
    weights: Mapping[str, float]

    @property
    def words(self) -> str:
        """How it was got, for the reader."""
        if np.isnan(self.r2):
            return f"{self.sessions} sessions, too few for a beta: taken to move as {self.name} does"
        return f"beta {self.beta:.2f} to {self.name} over {self.sessions} sessions, R² {self.r2:.2f}"


def learn(panel: Panel, estimation: Estimation | None = None, *, proxies: Mapping[str, str] | None = None) -> Learned:
    """Return the law of one session's log returns.

    Parameters
    ----------
    panel
        The history.
    estimation
        How to learn; the defaults if None.
    proxies
        By symbol without enough history, the symbol or the factor it moves with; the equity factor if not named.
        With fewer than 20 shared sessions the beta to a named proxy is one, and R2 unknown.

    Raises
    ------
    DataError
        Too little history, or a proxy that is not there.
    """
    estimation = estimation or Estimation()
    counts = np.isfinite(panel.close).sum(axis=0)
    if (counts == 0).any():
        empty = panel.symbols[counts.argmin()]
        raise DataError(f"{empty} has no close, so no scenario has a price to start from. Load it, or leave it out.")
    long = [symbol for symbol, count in zip(panel.symbols, counts, strict=True) if count >= estimation.least]
    known = panel.select(long).complete() if long else panel
    if len(known) <= FEWEST or not long:
        most = f"; {panel.symbols[counts.argmax()]} has the most, {counts.max()}" if len(counts) else ""
        raise DataError(
            f"A scenario learns from more than {FEWEST} sessions that all symbols share; these "
            f"{len(panel.symbols)} share {len(known) if long else 0} with at least {estimation.least} each{most}. "
            "Take a longer span, or raise `least`, so that the shortest go by proxy."
        )
    if estimation.window is not None:
        known = known.tail(estimation.window + 1)
    moves = np.diff(np.log(known.close), axis=0)
    rows = _stormy(moves, tuple(long)) if estimation.covariance == "crisis" else np.ones(len(moves), dtype=bool)
    core = _shrunk(moves[rows]) if estimation.shrink else np.cov(moves[rows], rowvar=False)
    mean = moves.mean(axis=0) if estimation.drift == "history" else np.zeros(len(long))
    found = {s: _proxy(s, panel, known, moves, proxies or {}) for s in panel.symbols if s not in long}
    betas = np.zeros((len(panel.symbols), len(long)))
    own = np.zeros(len(panel.symbols))
    for i, symbol in enumerate(panel.symbols):
        if symbol in found:
            proxy = found[symbol]
            betas[i] = [proxy.beta * proxy.weights.get(name, 0.0) for name in long]
            own[i] = proxy.residual
        else:
            betas[i, long.index(symbol)] = 1.0
    return Learned(
        panel=panel,
        known=known,
        mean=betas @ mean,
        covariance=betas @ np.atleast_2d(core) @ betas.T + np.diag(own),
        proxies=found,
    )


def _shrunk(moves: FloatArray) -> FloatArray:
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415  takes a second, and most do not shrink

    return np.asarray(LedoitWolf().fit(moves).covariance_)


def _stormy(moves: FloatArray, symbols: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which sessions followed the most volatile months."""
    sight = see("equities", symbols)
    row = sight.row(symbols) if sight else np.full(len(symbols), 1.0 / len(symbols))
    before = pd.Series(moves @ row).rolling(CALM_SESSIONS).std().shift(1)
    rows = (before >= before.quantile(1.0 - STORMY)).to_numpy()
    if rows.sum() < FEWEST:
        raise DataError(
            f"The crisis covariance needs {FEWEST} stormy sessions; one in five of {len(moves)} gives {rows.sum()}. "
            "Take a longer span, or the covariance of all history."
        )
    return rows


def _proxy(symbol: str, panel: Panel, known: Panel, moves: FloatArray, proxies: Mapping[str, str]) -> Proxy:
    """Return by what a symbol without enough history moves."""
    name = proxies.get(symbol, "equities")
    if name in known.symbols:
        sight: Sight | None = Sight(name, {name: 1.0}, 1.0, name)
    elif name in FACTORS:
        sight = see(name, known.symbols)
    else:
        raise DataError(
            f"The proxy {name!r} of {symbol} has no history here. {nearest(name, [*known.symbols, *FACTORS])}"
        )
    if sight is None:
        raise DataError(f"{symbol} is to move with {name}. {unseen(name)} Or name another proxy for it.")
    rows = panel.index.get_indexer(known.index)
    own = np.diff(np.log(panel.close[rows, panel.symbols.index(symbol)]))
    factor = moves @ sight.row(known.symbols)
    both = np.isfinite(own)
    shared = int(both.sum())
    if shared < FEWEST_SHARED or np.ptp(factor[both]) == 0.0:
        if symbol not in proxies:
            raise DataError(
                f"{symbol} shares {shared} sessions with {name}; a beta needs {FEWEST_SHARED}. Say what it moves with, "
                f"such as proxies={{{symbol!r}: {known.symbols[0]!r}}}, or leave it out."
            )
        return Proxy(name, 1.0, float("nan"), shared, 0.0, sight.weights)
    x, y = factor[both] - factor[both].mean(), own[both] - own[both].mean()
    beta = float(x @ y / (x @ x))
    residual = y - beta * x
    total = float(y @ y)
    r2 = 1.0 - float(residual @ residual) / total if total > 0.0 else 0.0
    return Proxy(name, beta, r2, shared, float(residual @ residual) / (shared - 2), sight.weights)
