"""What a strategy is: a frozen definition that turns a panel into target weights, and can say why."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from quantlib.charts.numbers import percent, signed_percent
from quantlib.errors import StrategyError
from quantlib.risk import Stops
from quantlib.strategies.memo import Memo
from quantlib.types import FloatArray, Panel


@dataclass(frozen=True)
class Explanation:
    """Why a strategy holds what it holds at the last bar of a panel.

    Parameters
    ----------
    signal, unit
        Name of the number the decision hangs on, and its unit ("percent" or "ratio").
    series
        That number through time, one column a line.
    levels
        The thresholds it is compared with, by name.
    value
        Its latest value; NaN while warming up.
    percentile
        Where that stands in its own history, 0 to 1.
    reasons
        Sentences with their numbers in them.
    invalidation
        One sentence: what would turn the decision around.
    """

    signal: str
    unit: str
    series: pd.DataFrame
    levels: dict[str, float]
    value: float
    percentile: float
    reasons: tuple[str, ...]
    invalidation: str


class Strategy(BaseModel):
    """Base of all strategies: the fields are the parameters, and the whole is hashed into `id`.

    A family sets `family`, `title` and `description`, and writes `symbols`, `warmup` and `decide`; and `explain`,
    to say more than its weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    #: Text of the file the class was loaded from, which makes it a part of `id`; empty for the families built in.
    source_code: ClassVar[str] = ""

    @property
    def idea(self) -> str:
        """What its trials are counted with: all of its family, whatever their symbols and parameters."""
        return self.family

    @property
    @abstractmethod
    def symbols(self) -> tuple[str, ...]:
        """The symbols it trades."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The symbols it reads: those it trades first, then what it only looks at."""
        return self.symbols

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras it reads from the panel, such as "macro: CPIAUCSL" and "model: up or down"; none by default."""
        return ()

    @property
    @abstractmethod
    def warmup(self) -> int:
        """How many bars it needs before its first decision can differ from nothing."""

    @property
    def risk(self) -> Stops:
        """When a trade is given up or taken home, whatever the rule says; none by default."""
        return Stops()

    @property
    def linked(self) -> bool:
        """Whether its legs hedge each other, so that none of them makes sense without the others."""
        return False

    def spread_z(self, panel: Panel) -> FloatArray | None:
        """Return the spread of its legs in standard deviations at each close [T], or None where it has no spread."""
        return None

    @abstractmethod
    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return target weights on the sessions where a decision is possible; `panel` has just its inputs."""

    def weights(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return `targets` as an array [time x self.symbols], for sweeps; `panel` has just its inputs.

        A family that overrides it takes from `memo` what other parameter sets have computed, and lets `decide`
        return the same array, so that both are equal by construction.
        """
        return self.targets(panel)[list(self.symbols)].to_numpy(dtype=np.float64)

    def spread(self, panel: Panel, memo: Memo) -> FloatArray | None:
        """Return `spread_z`, for sweeps: a family may take from `memo` what other parameter sets have computed."""
        return self.spread_z(panel)

    def weights_alone(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return for each symbol the weights it would have if it were the only one [time x self.symbols].

        Raises
        ------
        StrategyError
            The family weighs its symbols against each other, so none of them stands alone.
        """
        raise StrategyError(f"{self.title} weighs its symbols against each other. Sweep it with by='account'.")

    def explain(self, panel: Panel) -> Explanation:
        """Return why the decision at the panel's last close is what it is.

        This plain version tells the weights alone; a family that knows its signal says more.
        """
        weights = self.targets(panel)[list(self.symbols)]
        gross = weights.abs().sum(axis=1).rename("Gross weight")
        held = [f"{symbol} {signed_percent(weight)}" for symbol, weight in weights.iloc[-1].items() if weight]
        return Explanation(
            signal="Gross weight",
            unit="percent",
            series=gross.to_frame(),
            levels={},
            value=float(gross.iloc[-1]),
            percentile=percentile_of_last(gross),
            reasons=(
                f"The rule wants {', '.join(held)}." if held else "The rule wants no position.",
                f"It has wanted a position on {percent((gross > 0).mean(), 0)} of {len(gross):,} sessions.",
            ),
            invalidation="The position changes when the rule decides otherwise at a later close.",
        )

    @property
    def id(self) -> str:
        """Family and content hash; equal definitions have equal ids on every machine."""
        content = {"family": self.family, **self.model_dump(mode="json")}
        if self.source_code:
            content = {"definition": content, "source": self.source_code}
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return f"{self.family}-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}"

    def targets(self, panel: Panel) -> pd.DataFrame:
        """Return target weights decided at each close [time x panel.symbols], as fractions of equity.

        A row uses nothing later than its own close. Before warm-up the weights are 0; where a symbol's price is
        unknown the last decision stands. Every entry is finite.

        Raises
        ------
        DataError
            A symbol of the definition is not in the panel.
        StrategyError
            The decision holds an infinite weight.
        """
        decided = self.decide(panel.select(self.inputs))
        weights = decided.reindex(index=panel.index).ffill().fillna(0.0)
        weights = weights.reindex(columns=list(panel.symbols), fill_value=0.0).rename_axis(columns="symbol")
        if not np.isfinite(weights.to_numpy()).all():
            raise StrategyError(f"{self.title} decided an infinite weight. Check its parameters: {self!r}.")
        return weights


def percentile_of_last(series: pd.Series) -> float:
    """Return the share of a series' known values at or below its last one; NaN where that is unknown."""
    known = series.dropna()
    if known.empty or pd.isna(series.iloc[-1]):
        return float("nan")
    return float((known <= known.iloc[-1]).mean())
