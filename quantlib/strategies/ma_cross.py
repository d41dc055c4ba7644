"""Trend following by two moving averages."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from quantlib.charts.numbers import percent, signed_percent
from quantlib.compiled import kernel
from quantlib.indicators import sma
from quantlib.indicators.moving import RunningSums, moving_average, running_sums
from quantlib.strategies.base import Explanation, Strategy, percentile_of_last
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel


@kernel
def side_nb(fast: FloatArray, slow: FloatArray, above: float, below: float) -> FloatArray:
    """Return `above` where fast stands above slow, else `below`; what stood before where one is unknown [N, T]."""
    n_symbols, n_bars = fast.shape
    out = np.empty((n_symbols, n_bars))
    for i in range(n_symbols):
        stands = 0.0
        for t in range(n_bars):
            if fast[i, t] > slow[i, t]:
                stands = above
            elif fast[i, t] <= slow[i, t]:
                stands = below
            out[i, t] = stands
    return out


class MACross(Strategy):
    """Hold each symbol while its fast moving average stands above its slow one.

    Each symbol gets an equal share of equity. Source: Brock, Lakonishok and LeBaron (1992), "Simple technical
    trading rules and the stochastic properties of stock returns".

    Examples
    --------
    >>> MACross(universe=("KO",), fast=50, slow=200).warmup
    200
    """

    family: ClassVar[str] = "ma_cross"
    title: ClassVar[str] = "Moving-average cross"
    description: ClassVar[str] = "Own what trades above its long trend; stand aside, or go short, when it falls below."

    universe: tuple[str, ...] = Field(
        default=("KO",), min_length=1, title="Symbols", description="Each gets an equal share."
    )
    fast: int = Field(default=50, ge=1, le=500, title="Fast average", description="Sessions.")
    slow: int = Field(default=200, ge=2, le=1000, title="Slow average", description="Sessions.")
    allow_short: bool = Field(
        default=False,
        title="Go short",
        description="Sell short below the slow average instead of holding cash.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"the fast average ({self.fast}) must be shorter than the slow one ({self.slow})")
        if len(set(self.universe)) != len(self.universe):
            raise ValueError(f"each symbol may stand once; got {', '.join(self.universe)}")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it trades."""
        return self.universe

    @property
    def warmup(self) -> int:
        """The slow average's length."""
        return self.slow

    def _gap(self, panel: Panel) -> pd.DataFrame:
        """Return fast average over slow average minus one, on each symbol's own sessions."""
        close = panel.frame("close")
        calendars = [close] if np.isfinite(panel.close).all() else [close[[s]].dropna() for s in self.universe]
        gaps = [sma(known, self.fast) / sma(known, self.slow) - 1.0 for known in calendars]
        return pd.concat(gaps, axis=1, sort=False).reindex(close.index)

    def weights(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return the weights: an equal share where the fast average is above the slow one [time x symbol]."""
        return self._sides(panel, memo, 1.0 / len(self.universe))

    def weights_alone(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return the weights of each symbol as the only one: all of equity, or none [time x symbol]."""
        return self._sides(panel, memo, 1.0)

    def _sides(self, panel: Panel, memo: Memo, share: float) -> FloatArray:
        fast, slow = self._average(panel, memo, self.fast), self._average(panel, memo, self.slow)
        sides: FloatArray = side_nb(fast, slow, share, -share if self.allow_short else 0.0)
        return sides.T

    def _average(self, panel: Panel, memo: Memo, n: int) -> FloatArray:
        """Return the moving average on each symbol's own sessions, NaN on others [symbol x time]."""

        def known(i: int) -> RunningSums:
            return running_sums(panel.close[np.isfinite(panel.close[:, i]), i : i + 1])

        def made() -> FloatArray:
            if np.isfinite(panel.close).all():
                sums = memo.get(("sums", self.universe), lambda: running_sums(panel.close))
                return moving_average(sums, n)
            average = np.full(panel.close.T.shape, np.nan)
            for i, symbol in enumerate(self.universe):
                sums = memo.get(("sums", symbol), lambda i=i: known(i))  # type: ignore[misc]  # a default of a lambda
                average[i, np.isfinite(panel.close[:, i])] = moving_average(sums, n)[0]
            return average

        return memo.get(("average", self.universe, n), made)

    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return the weights: an equal share where the fast average is above the slow one."""
        return pd.DataFrame(self.weights(panel, Memo()), index=panel.index, columns=list(self.universe))

    def explain(self, panel: Panel) -> Explanation:
        """Return the gap between the averages, its place in history and the names on each side."""
        gap = self._gap(panel.select(self.universe)).ffill()
        mean = gap.mean(axis=1, skipna=False).rename("Average gap")
        last = gap.iloc[-1]
        above = last[last > 0].sort_values(ascending=False)
        nearest = str(last.abs().idxmin()) if last.notna().any() else self.universe[0]
        reasons = [
            f"{len(above)} of {len(last)} symbols have their {self.fast}-session average above the "
            f"{self.slow}-session one."
        ]
        if len(last) == 1 and last.notna().all():
            word = "above" if last.iloc[0] > 0 else "below"
            reasons = [
                f"{last.index[0]}'s {self.fast}-session average is {percent(abs(last.iloc[0]))} {word} its "
                f"{self.slow}-session average."
            ]
        elif len(above):
            reasons.append(f"The strongest trend is {above.index[0]}, {percent(above.iloc[0])} above its slow average.")
        if len(last) > 1 and last.notna().any():
            weakest = str(last.idxmin())
            reasons.append(f"The weakest is {weakest}, {signed_percent(last[weakest])} from its slow average.")
        percentile = percentile_of_last(mean)
        if np.isfinite(percentile):
            reasons.append(f"The gap has been this low or lower on {percent(percentile, 0)} of past sessions.")
        return Explanation(
            signal=f"Gap of the {self.fast}- to the {self.slow}-session average",
            unit="percent",
            series=mean.to_frame(),
            levels={"cross": 0.0},
            value=float(mean.iloc[-1]),
            percentile=percentile,
            reasons=tuple(reasons),
            invalidation=(
                f"The next change is nearest in {nearest}: its averages are {percent(abs(last[nearest]), 2)} apart, "
                "and a cross turns its position around."
                if last.notna().any()
                else f"There are fewer than {self.slow} sessions of history, so there is no signal yet."
            ),
        )
