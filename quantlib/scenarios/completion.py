"""Conditional completion: what a scenario does to every symbol, named or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.scenarios.factors import see, unseen
from quantlib.scenarios.gaussian import Conditional, check_covariance, condition, with_correlation
from quantlib.scenarios.learning import Estimation, Learned, learn
from quantlib.scenarios.scenario import Scenario, Shock
from quantlib.types import FloatArray, Panel

STALE_DAYS = 7
"""Days between the end of what is learned from and the end of the panel, beyond which that is said."""


@dataclass(frozen=True, eq=False)
class Completed:
    """A scenario with a move for every symbol.

    Parameters
    ----------
    scenario
        What was completed.
    symbols
        The N symbols, in the panel's order.
    table
        By symbol: `shock`, the simple return by the session at which the whole move has come (`Scenario.trough`);
        `how` it was got: named, conditional, proxy, or law where the scenario has no shocks; `r2`, the share of the
        symbol's variance that the shocks explain, for a proxy that of its beta; `low` and `high`, the 95 % interval;
        `because`, in words.
    said
        Sentences about what was left out, and how factors were seen.
    start
        Last known close of each symbol [N].
    drift
        Mean log return of a session beside the shocks [N].
    jump
        Log move by the shocks alone [N].
    covariance
        Of one session's log returns, after volatility and correlation are changed [N, N].
    named
        The K shocked combinations of log returns [K, N].
    gain
        How far every symbol moves for one of each of them [N, K].
    """

    scenario: Scenario
    symbols: tuple[str, ...]
    table: pd.DataFrame
    said: tuple[str, ...]
    start: FloatArray
    drift: FloatArray
    jump: FloatArray
    covariance: FloatArray
    named: FloatArray
    gain: FloatArray

    @property
    def residual(self) -> FloatArray:
        """Covariance of one session's log returns that is left once the shocks are known [N, N]."""
        return self.covariance - self.gain @ self.named @ self.covariance


def complete(
    panel: Panel,
    scenario: Scenario,
    *,
    estimation: Estimation | None = None,
    proxies: Mapping[str, str] | None = None,
    seen_by: Mapping[str, str] | None = None,
) -> Completed:
    """Return what a scenario does to every symbol of a panel.

    Log returns are taken to be normal, with history's covariance, volatility and correlation changed where the
    scenario says so. What is not named moves by its conditional mean given what is. Shocks that the panel does not
    show are left out, and said.

    Parameters
    ----------
    panel
        The history; its symbols are completed, and show the factors.
    scenario
        Shocks, law, sessions.
    estimation
        How to learn from history.
    proxies
        By symbol without enough history, the symbol or factor it moves with.
    seen_by
        By factor, the symbol that shows it.

    Raises
    ------
    DataError
        Too little history, nothing of the scenario can be seen here, or its shocks contradict each other.

    Examples
    --------
    >>> done = complete(panel, scenarios["equities-minus-20"])  # doctest: +SKIP
    >>> done.table[["shock", "how", "r2"]]  # doctest: +SKIP
    """
    learned, law = learn(panel, estimation, proxies=proxies), scenario.law
    covariance = law.volatility**2 * learned.covariance
    if law.correlation is not None:
        covariance = with_correlation(covariance, law.correlation)
    check_covariance(covariance, panel.symbols)
    shown: list[tuple[Shock, FloatArray, float, str]] = []
    said: list[str] = []
    if (panel.index[-1] - learned.known.index[-1]).days > STALE_DAYS:
        said.append(f"{learned.known.index[-1]:%Y-%m-%d} is the last session all symbols share, and learned from.")
    for shock in scenario.shocks:
        found = _seen(shock, learned, seen_by)
        if isinstance(found, str):
            said.append(found)
        else:
            shown.append((shock, *found))
    if scenario.shocks and not shown and not law.changed:
        raise DataError(f"Nothing of {scenario.title} can be seen here. {' '.join(said)}")
    named = np.array([row for _, row, _, _ in shown]).reshape(-1, len(panel.symbols))
    values = np.array([move for _, _, move, _ in shown])
    trough = scenario.trough
    try:
        done = condition(trough * learned.mean, trough * covariance, named, values)
    except DataError as error:
        listed = ", ".join(f"{i} {shock.name}" for i, (shock, *_) in enumerate(shown, start=1))
        raise DataError(f"{scenario.title}: {error} (Shocks: {listed}.)") from None
    return Completed(
        scenario=scenario,
        symbols=panel.symbols,
        table=_table(panel.symbols, done, trough * covariance, [(row, words) for _, row, _, words in shown], learned),
        said=(*said, *(words for shock, _, _, words in shown if shock.factor)),
        start=panel.frame().ffill().to_numpy()[-1],
        drift=learned.mean,
        jump=done.mean - trough * learned.mean,
        covariance=covariance,
        named=named,
        gain=done.gain,
    )


def _seen(shock: Shock, learned: Learned, seen_by: Mapping[str, str] | None) -> tuple[FloatArray, float, str] | str:
    """Return the row that a shock fixes, at which log move, and by what it is seen; or why it is left out."""
    symbols = learned.panel.symbols
    if shock.asset is not None:
        if shock.asset not in symbols:
            hint = nearest(shock.asset, symbols, limit=3)
            return f"{shock.asset} is not in the panel; its shock is left out. Load it. {hint}"
        return np.array([float(symbol == shock.asset) for symbol in symbols]), shock.move, "the scenario names it"
    sight = see(shock.name, learned.known.symbols, seen_by=seen_by)
    if sight is None:
        return unseen(shock.name)
    return sight.row(symbols), sight.loading * shock.move, sight.words


def _table(
    symbols: tuple[str, ...],
    done: Conditional,
    covariance: FloatArray,
    shown: list[tuple[FloatArray, str]],
    learned: Learned,
) -> pd.DataFrame:
    variance = np.diag(covariance)
    left = np.clip(np.diag(done.covariance), 0.0, None)
    explained = 1.0 - np.divide(left, variance, out=np.full(len(symbols), np.nan), where=variance > 0.0)
    named = {int(row.argmax()): words for row, words in shown if np.count_nonzero(row) == 1}
    how, r2, because = [], [], []
    for i, symbol in enumerate(symbols):
        proxy = learned.proxies.get(symbol)
        if i in named:
            left[i] = 0.0  # what rounding left of it
            how.append("named")
            because.append(named[i])
        elif proxy is not None:
            how.append("proxy")
            because.append(proxy.words)
        else:
            how.append("conditional" if shown else "law")
            because.append(
                "moves with what is named, as in history" if shown else "nothing is named; it may go anywhere"
            )
        r2.append(proxy.r2 if proxy and i not in named else 1.0 if i in named else explained[i])
    spread = 1.96 * np.sqrt(left)
    return pd.DataFrame(
        {
            "shock": np.expm1(done.mean),
            "how": how,
            "r2": r2,
            "low": np.expm1(done.mean - spread),
            "high": np.expm1(done.mean + spread),
            "because": because,
        },
        index=pd.Index(symbols, name="symbol"),
    )
