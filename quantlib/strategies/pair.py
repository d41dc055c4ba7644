"""Mean reversion of a hedged pair."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from quantlib.charts.numbers import percent, ratio
from quantlib.compiled import kernel
from quantlib.strategies.base import Explanation, Strategy, percentile_of_last
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel


@kernel
def pair_side_nb(z: FloatArray, beta: FloatArray, entry: float, leave: float, stop: float) -> tuple[FloatArray, bool]:
    """Return, per bar, the signed hedge ratio held (+beta long the spread, -beta short it, 0 flat), and if blocked.

    The hedge ratio is frozen at entry. After a stop entries are blocked until |z| has come back inside `leave`.
    """
    held = np.zeros(z.shape[0])
    side = 0.0
    ratio = 0.0
    blocked = False
    for t in range(z.shape[0]):
        value = z[t]
        if np.isfinite(value):
            if blocked and abs(value) <= leave:
                blocked = False
            if side != 0.0:
                if abs(value) >= stop and value * side < 0:
                    side = 0.0
                    blocked = True
                elif value * side >= -leave:
                    side = 0.0
            if side == 0.0 and not blocked and entry <= abs(value) < stop and beta[t] > 0:
                side = -1.0 if value > 0 else 1.0
                ratio = beta[t]
        held[t] = side * ratio
    return held, blocked


class Pair(Strategy):
    """Trade the spread of two related symbols back to its mean, hedged by rolling least squares.

    The spread is the residual of log(y) on log(x) over the last `lookback` sessions, in units of its own standard
    deviation there (z). Enter at |z| of `entry`, leave at `exit`, give up at `stop`. Gross exposure is one times
    equity. Source: Gatev, Goetzmann and Rouwenhorst (2006), "Pairs trading: performance of a relative-value
    arbitrage rule", with a regression hedge instead of normalised prices.
    """

    family: ClassVar[str] = "pair"
    title: ClassVar[str] = "Pair, mean reversion"
    description: ClassVar[str] = (
        "Two businesses under the same forces drift apart and come back: buy the cheap one, sell the dear one."
    )

    y: str = Field(default="KO", title="First leg", description="Bought when the spread is low.")
    x: str = Field(default="PEP", title="Second leg", description="The hedge.")
    lookback: int = Field(default=252, ge=20, le=2000, title="Look-back", description="Sessions of the regression.")
    entry: float = Field(default=2.0, gt=0, le=10, title="Entry z", description="Absolute z at which a trade starts.")
    exit: float = Field(default=0.5, ge=0, le=10, title="Exit z", description="Absolute z at which it ends.")
    stop: float = Field(default=4.0, gt=0, le=20, title="Stop z", description="Absolute z at which it is given up.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.x == self.y:
            raise ValueError(f"the two legs must differ; got {self.y} twice")
        if not self.exit < self.entry < self.stop:
            raise ValueError(
                f"leave, enter and give up must rise in that order; got {self.exit}, {self.entry}, {self.stop}"
            )
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """Both legs."""
        return (self.y, self.x)

    @property
    def warmup(self) -> int:
        """The regression's length."""
        return self.lookback

    def _spread(self, panel: Panel) -> pd.DataFrame:
        """Return beta and z on the sessions where both closes are known."""
        log = panel.complete().frame("close").apply(np.log)
        y, x = log[self.y], log[self.x]
        window_y, window_x = y.rolling(self.lookback), x.rolling(self.lookback)
        variance = window_x.var()
        beta = (window_y.cov(x) / variance).where(variance > 0)
        residual = (y - window_y.mean()) - beta * (x - window_x.mean())
        # In-sample residual variance of a regression with intercept: var(y) - beta^2 var(x), n - 2 in the divisor.
        spare = (window_y.var() - beta**2 * variance) * (self.lookback - 1) / (self.lookback - 2)
        z = residual / np.sqrt(spare.where(spare > 0))
        return pd.DataFrame({"beta": beta, "z": z})

    def _walk(self, z: FloatArray, beta: FloatArray) -> tuple[FloatArray, bool]:
        """Return the signed hedge ratio held on each session, and whether entries are blocked after a stop."""
        held, blocked = pair_side_nb(z, beta, self.entry, self.exit, self.stop)
        return held, bool(blocked)

    def weights(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return the weights: both legs at once, gross exposure 1 while a trade is on [time x leg]."""
        z, beta, row = memo.get(("spread", self.symbols, self.lookback), lambda: self._arrays(panel))
        held, _ = self._walk(z, beta)
        held = np.concatenate([[0.0], held])[row]
        gross = 1.0 + np.abs(held)
        return np.stack([np.sign(held) / gross, -held / gross]).T

    def _arrays(self, panel: Panel) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Return z and beta on the shared sessions, and how many of those there were up to each bar [T]."""
        spread = self._spread(panel)
        shared = np.isfinite(panel.close).all(axis=1)
        return spread["z"].to_numpy(), spread["beta"].to_numpy(), np.cumsum(shared)

    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return the weights: both legs at once, gross exposure 1 while a trade is on."""
        return pd.DataFrame(self.weights(panel, Memo()), index=panel.index, columns=list(self.symbols))

    def explain(self, panel: Panel) -> Explanation:
        """Return the spread's z, the hedge ratio and the distance to the next action."""
        pair = panel.select(self.symbols)
        spread = self._spread(pair)
        z = spread["z"].rename("Spread z")
        now = float(z.iloc[-1]) if len(z) else float("nan")
        if not np.isfinite(now):
            return Explanation(
                signal="Spread in standard deviations",
                unit="ratio",
                series=z.to_frame(),
                levels={},
                value=now,
                percentile=float("nan"),
                reasons=(f"There are fewer than {self.lookback} shared sessions, so there is no signal yet.",),
                invalidation=f"A signal needs {self.lookback} sessions on which both prices are known.",
            )
        beta = float(spread["beta"].iloc[-1])
        walked, blocked = self._walk(spread["z"].to_numpy(), spread["beta"].to_numpy())
        dear, cheap = (self.y, self.x) if now > 0 else (self.x, self.y)
        as_far = float((z.dropna().abs() >= abs(now)).mean())
        reasons = [
            f"{dear} is dear against {cheap}: the spread stands {ratio(abs(now))} standard deviations from its "
            f"{self.lookback}-session mean.",
            f"It was at least as far from its mean on {percent(as_far, 0)} of past sessions.",
            f"Each dollar of {self.y} is hedged by {ratio(beta)} dollars of {self.x}."
            if beta > 0
            else f"The hedge ratio is {ratio(beta)}: the two have moved against each other, and neither hedges.",
        ]
        state, invalidation = self._next(now, beta, float(walked[-1]), blocked=blocked)
        reasons.append(state)
        return Explanation(
            signal="Spread in standard deviations",
            unit="ratio",
            series=z.to_frame(),
            levels={
                "enter short": self.entry,
                "leave short": self.exit,
                "leave long": -self.exit,
                "enter long": -self.entry,
            },
            value=now,
            percentile=percentile_of_last(z),
            reasons=tuple(reasons),
            invalidation=invalidation,
        )

    def _next(self, z: float, beta: float, held: float, *, blocked: bool) -> tuple[str, str]:
        """Return two sentences: the state of the trade, and what would change it."""
        if held:
            way = "long" if held > 0 else "short"
            return (
                f"The rule holds the spread {way} until it is within {self.exit:g} of its mean.",
                f"The trade is given up if the spread widens to {self.stop:g} standard deviations.",
            )
        if blocked:
            return (
                f"The last trade was given up at {self.stop:g} standard deviations, and none is on.",
                f"The next trade can start only after the spread has been within {self.exit:g} of its mean.",
            )
        if beta <= 0:
            return (
                "The rule wants no trade without a positive hedge ratio.",
                "A trade can start when the two move together again.",
            )
        if abs(z) >= self.stop:
            return (
                f"The spread is beyond {self.stop:g}, where the rule no longer enters.",
                f"A trade starts when the spread is back between {self.entry:g} and {self.stop:g}.",
            )
        return (
            f"The rule wants no trade: entry is at {self.entry:g}.",
            f"A trade starts when the spread reaches {self.entry:g}, which is {ratio(self.entry - abs(z))} away.",
        )
