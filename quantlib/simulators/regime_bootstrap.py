"""Bootstrap from days like today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy.stats import rankdata

from quantlib.errors import DataError
from quantlib.simulators.base import Estimate, Simulator, Window
from quantlib.simulators.blocks import BlockCalibration, Blocks, block_fields
from quantlib.simulators.learning import MIN_SESSIONS, history
from quantlib.types import FloatArray, Panel

MIN_DAYS = 30


@dataclass(frozen=True, eq=False)
class RegimeCalibration(BlockCalibration):
    """The blocks of history that start after a day like the last one.

    Parameters
    ----------
    today
        The state at the last close by feature, as a rank among all days from 0 (lowest) to 1.
    alike
        The days drawn from, the most alike first [ts]: each feature as a rank, and the `distance` to today.
    """

    today: pd.Series
    alike: pd.DataFrame

    @property
    def stretches(self) -> int:
        """Number of separate stretches of time the days lie in, 21 sessions or more apart."""
        return 1 + int((np.diff(np.sort(self.blocks.starts)) > 21).sum())

    @property
    def effective(self) -> float:
        """Number of sessions that would make as many worlds if all had the same chance: 1 / sum of chance^2."""
        chance, _ = self.blocks.chances()
        return float(1.0 / (chance @ chance))

    def estimates(self) -> list[Estimate]:
        """Return the block length, how many days are like today and what they are worth, and today's state."""
        return [
            *super().estimates(),
            Estimate("days like today", "", len(self.alike), np.nan, "sessions"),
            Estimate("stretches they lie in", "", self.stretches, np.nan, ""),
            Estimate("effective days", "", self.effective, np.nan, "sessions"),
            *(Estimate(f"{name} today", "", rank, np.nan, "rank") for name, rank in self.today.items()),
        ]


class RegimeBootstrap(Simulator):
    """Stationary bootstrap of what followed days like today, all symbols together.

    The state of a day is what was known at its close: the market's volatility over the last sessions, its trend,
    and every macro state the panel has (an extra with one column). The market is the mean log return over the
    symbols. Each feature counts as its rank among all days, so that neither scale nor outliers matter; the days
    nearest to the last one are those alike. A block starts on the session after one of them, each with the same
    chance, and ends after each session with chance 1 / block, or where history ends.

    So worlds begin in today's volatility and stay near it: a block leads away from today's state as history did,
    and the next begins in it again. Days alike lie in few stretches of time: the estimates say how many.

    Parameters
    ----------
    share
        Share of the days that count as like today, above 0 to 1; at least 30 days. 1 draws from all.
    volatility, trend, macro
        Whether this is a part of the state. A macro state has a value on every day that is drawn from.
    volatility_sessions, trend_sessions
        Sessions to look back on.
    block
        Mean block length in sessions, 1 or more. A month by default, where Politis and White's choice for volatility
        can be most of a year: here each block begins in today's volatility anyway, and a long one leads away.
    drift
        "history" gives every session of a world the mean log return of the whole history, and "none" an expected
        simple return of exactly zero; both by taking the mean of the sessions off that may stand there. "drawn"
        keeps the mean of the days drawn, and so what the state says of the returns that follow.
    window
        Number of latest sessions to draw from; None takes all.

    References
    ----------
    Politis, D. and Romano, J. (1994), The Stationary Bootstrap. Lall, U. and Sharma, A. (1996), A Nearest Neighbor
    Bootstrap for Resampling Hydrologic Time Series.
    """

    name: ClassVar[str] = "regime_bootstrap"
    title: ClassVar[str] = "Days like today"
    description: ClassVar[str] = (
        "Stretches of real history that began on days with today's volatility, trend and macro state, all symbols "
        "together."
    )

    share: float = Field(
        0.1, gt=0, le=1, title="Share", description="Share of all days that count as like today; at least 30 days."
    )
    volatility: bool = Field(default=True, title="Volatility", description="Days with volatility as today's.")
    trend: bool = Field(default=True, title="Trend", description="Days with a trend as today's.")
    macro: bool = Field(
        default=True, title="Macro", description="Days with the macro states as today's, where there are any."
    )
    volatility_sessions: int = Field(
        21, ge=5, le=252, title="Volatility over", description="Sessions that volatility is measured over."
    )
    trend_sessions: int = Field(
        63, ge=5, le=504, title="Trend over", description="Sessions that the trend is measured over."
    )
    block: float = Field(
        21.0,
        ge=1,
        allow_inf_nan=False,
        title="Mean block",
        description="Mean length in sessions of the stretches of history laid end to end.",
    )
    drift: Literal["history", "none", "drawn"] = Field(
        "history",
        title="Drift",
        description="Keep the mean return of all days, have none, or keep that of the days drawn.",
    )
    window: Window = None

    @model_validator(mode="after")
    def _has_a_state(self) -> Self:
        if not (self.volatility or self.trend or self.macro):
            raise ValueError("no feature is left to tell which days are like today: keep volatility, trend or macro")
        return self

    def calibrate(self, panel: Panel) -> RegimeCalibration:
        """Return the days like today and the blocks that start after them.

        Raises
        ------
        DataError
            Fewer than 60 days have a known state, the last one has none, or macro is all and the panel has no state.
        """
        known, moves = history(panel, self.window)
        state = self.state(known, moves)
        ranks = self._ranked(state)
        today = ranks.iloc[-1]
        # Today's own row is the last close: nothing has followed it yet.
        distance = np.sqrt(((ranks.iloc[:-1] - today) ** 2).mean(axis=1)).rename("distance").dropna()
        count = min(max(int(np.ceil(self.share * len(distance))), MIN_DAYS), len(distance))
        # Of days equally far the later ones.
        nearest = distance.iloc[::-1].sort_values(kind="stable").index[:count]
        starts = np.sort(known.index.get_indexer(nearest))
        blocks = Blocks(len(moves), starts, self.block, fixed=False, wraps=False)
        return RegimeCalibration(
            **block_fields(panel, known, moves, blocks, self.drift),
            today=today,
            alike=ranks.loc[nearest].assign(distance=distance[nearest]),
        )

    def state(self, known: Panel, moves: FloatArray) -> pd.DataFrame:
        """Return the features at each close of `known` [ts x feature], NaN where unknown.

        Parameters
        ----------
        known
            Rows on which every close is known [T + 1].
        moves
            Their log returns [T, N].
        """
        market = pd.Series(np.r_[np.nan, moves.mean(axis=1)], index=known.index)
        features = {}
        if self.volatility:
            features["volatility"] = market.rolling(self.volatility_sessions).std()
        if self.trend:
            features["trend"] = market.rolling(self.trend_sessions).sum()
        if self.macro:
            features |= {
                name: pd.Series(values, index=known.index) for name, values in known.extra.items() if values.ndim == 1
            }
        if not features:
            raise DataError(
                "Days like today are to be told by macro states alone, and this panel has none (an extra with one "
                "column). Add one, or take volatility or trend."
            )
        return pd.DataFrame(features)

    def _ranked(self, state: pd.DataFrame) -> pd.DataFrame:
        """Return each feature as its rank among the days on which all are known, 0 to 1; NaN on the others."""
        full = state.dropna()
        if len(full) <= MIN_SESSIONS:
            counts = state.notna().sum()
            raise DataError(
                f"Only {max(len(full) - 1, 0)} days before the last have a known state; {MIN_SESSIONS} are needed. "
                f"Least known is {counts.idxmin()}: on {counts.min()} of {len(state)} sessions. Take a longer history "
                "or window, look back on fewer sessions, or leave that feature out."
            )
        last = state.index[-1]
        if full.index[-1] != last:  # volatility and trend do not end before prices do
            raise DataError(
                f"The macro state {state.columns[state.iloc[-1].isna()][0]} is unknown on {last:%Y-%m-%d}, the day to "
                f"compare with; states are known up to {full.index[-1]:%Y-%m-%d}. Load it, or leave macro out."
            )
        ranks = (rankdata(full, axis=0) - 1.0) / (len(full) - 1)
        return pd.DataFrame(ranks, index=full.index, columns=full.columns).reindex(state.index)
