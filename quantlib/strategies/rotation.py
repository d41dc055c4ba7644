"""Rotation: switch into the strongest of a set."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from quantlib.charts.numbers import percent, signed_percent
from quantlib.strategies.base import Explanation, Strategy, percentile_of_last
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel


class Rotation(Strategy):
    """Each month, hold the `top` symbols with the highest return over the last `lookback` sessions.

    The choice is made at the close of a month's first session. With `absolute`, a symbol whose own return is not
    above zero is replaced by cash. Source: Jegadeesh and Titman (1993), "Returns to buying winners and selling
    losers"; the cash filter after Antonacci (2014), "Dual Momentum Investing".
    """

    family: ClassVar[str] = "rotation"
    title: ClassVar[str] = "Momentum rotation"
    description: ClassVar[str] = "Winners of the last months tend to stay ahead: switch into the strongest, monthly."

    universe: tuple[str, ...] = Field(default=("MTUM", "QUAL", "SIZE", "USMV", "VLUE"), min_length=2, title="Symbols")
    lookback: int = Field(default=126, ge=5, le=1000, title="Look-back", description="Sessions of the return.")
    top: int = Field(default=1, ge=1, le=50, title="How many to hold")
    absolute: bool = Field(
        default=True, title="Cash filter", description="Hold cash instead of a symbol that has not risen."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.universe)) != len(self.universe):
            raise ValueError(f"each symbol may stand once; got {', '.join(self.universe)}")
        if self.top >= len(self.universe):
            raise ValueError(f"top ({self.top}) must be less than the number of symbols ({len(self.universe)})")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it chooses from."""
        return self.universe

    @property
    def warmup(self) -> int:
        """The look-back, and one bar to measure from."""
        return self.lookback + 1

    def _momentum(self, panel: Panel) -> pd.DataFrame:
        """Return the look-back return on sessions where every close is known."""
        close = panel.complete().frame("close")
        return close / close.shift(self.lookback) - 1.0

    def weights(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return the weights, decided at each month's first session and standing until the next [time x symbol]."""
        row, starts, close = memo.get(("months", self.universe), lambda: _months(panel))
        starts = starts[starts >= self.lookback]
        momentum = close[starts] / close[starts - self.lookback] - 1.0
        # Ties go to the symbol named first, so the choice never depends on sorting details.
        best = np.argsort(-momentum, axis=1, kind="stable")[:, : self.top]
        held = np.zeros((len(starts) + 1, len(self.universe)))
        share = np.where(np.take_along_axis(momentum, best, axis=1) > 0, 1.0, 0.0) if self.absolute else 1.0
        np.put_along_axis(held[1:], best, share / self.top, axis=1)
        return np.asarray(held[np.searchsorted(starts, row, side="right")])

    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return the weights, decided at each month's first session and standing until the next."""
        return pd.DataFrame(self.weights(panel, Memo()), index=panel.index, columns=list(self.universe))

    def explain(self, panel: Panel) -> Explanation:
        """Return the lead of the strongest, the ranking and what is held."""
        own = panel.select(self.universe)
        momentum = self._momentum(own)
        if momentum.empty or momentum.iloc[-1].isna().any():
            return Explanation(
                signal=f"Return over {self.lookback} sessions",
                unit="percent",
                series=momentum,
                levels={"cash": 0.0},
                value=float("nan"),
                percentile=float("nan"),
                reasons=(f"There are fewer than {self.warmup} shared sessions, so there is no signal yet.",),
                invalidation=f"A signal needs {self.warmup} sessions on which every price is known.",
            )
        ranked = momentum.iloc[-1].sort_values(ascending=False)
        two_best = np.sort(momentum.dropna().to_numpy(), axis=1)[:, -2:]
        lead = pd.Series(two_best[:, 1] - two_best[:, 0])
        weights = self.targets(own).iloc[-1]
        held = [symbol for symbol in self.universe if weights[symbol] > 0]
        best, second = ranked.index[0], ranked.index[1]
        reasons = [
            f"{best} is strongest: {signed_percent(ranked.iloc[0])} over {self.lookback} sessions, against "
            f"{signed_percent(ranked.iloc[1])} for {second}.",
            f"The weakest is {ranked.index[-1]} with {signed_percent(ranked.iloc[-1])}.",
        ]
        if held:
            reasons.append(f"Chosen at the last monthly choice: {', '.join(held)}.")
        else:
            reasons.append("At the last monthly choice no leader had risen, so the rule wants cash.")
        if np.isfinite(rank := percentile_of_last(lead)):
            reasons.append(f"The lead of {percent(lead.iloc[-1])} was smaller on {percent(rank, 0)} of past sessions.")
        return Explanation(
            signal=f"Return over {self.lookback} sessions",
            unit="percent",
            series=momentum,
            levels={"cash": 0.0},
            value=float(ranked.iloc[0]),
            percentile=percentile_of_last(momentum[best]),
            reasons=tuple(reasons),
            invalidation=self._next(ranked, held),
        )

    def _next(self, ranked: pd.Series, held: list[str]) -> str:
        """Return one sentence: what would change the choice when the next month starts."""
        leaders = ranked.index[: self.top]
        choice = [s for s in self.universe if s in leaders and (not self.absolute or ranked[s] > 0)]
        if choice != held:
            now = ", ".join(choice) or "cash"
            return f"The ranking has changed since: as things stand, the next monthly choice is {now}."
        if len(choice) < self.top:
            candidate = next(s for s in leaders if s not in choice)
            return (
                f"Cash stays until a leader has risen over {self.lookback} sessions; {candidate} is nearest with "
                f"{signed_percent(ranked[candidate])}."
            )
        last, rival = ranked.index[self.top - 1], ranked.index[self.top]
        gap = percent(ranked[last] - ranked[rival])
        sentence = f"If {rival} gains {gap} on {last} before the next month starts, it takes its place"
        if self.absolute:
            sentence += f"; if {last} falls below its price of {self.lookback} sessions ago, cash does"
        return f"{sentence}."


def _months(panel: Panel) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Return the last shared session up to each bar (-1 before the first) [T], the months' first ones, and closes."""
    shared = np.asarray(np.isfinite(panel.close).all(axis=1))
    days = panel.index[shared]
    month = np.asarray(days.year * 12 + days.month)
    return np.cumsum(shared) - 1, np.flatnonzero(np.diff(month, prepend=0)), panel.close[shared]
