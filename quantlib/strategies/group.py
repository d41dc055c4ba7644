"""The group: an outright, pair, fly, switch, basket or rotation that is traded as one unit."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, ValidationInfo, field_validator, model_validator

from quantlib.conditions import Condition
from quantlib.risk import Stops
from quantlib.strategies.base import Explanation, Strategy
from quantlib.strategies.course import Course, group_course, group_measured
from quantlib.strategies.fitting import a_kind, check_signs, faults
from quantlib.strategies.legs import (
    FITTED,
    LEGS,
    LINKED,
    USUAL_WEIGHTS,
    Hedge,
    Kind,
    Leg,
    VolatilityTarget,
)
from quantlib.strategies.memo import Memo
from quantlib.strategies.reasons import explain_group
from quantlib.strategies.timing import NAMES, Band, Rank, Rules, Timing
from quantlib.types import FloatArray, Panel

_USUAL: dict[Kind, dict[str, Any]] = {
    "outright": {"hedge": {"method": "fixed"}, "timing": {"kind": "hold"}},
    "pair": {"hedge": {"method": "ols"}, "timing": {"kind": "band"}},
    "fly": {"hedge": {"method": "fixed"}, "timing": {"kind": "band"}},
    "switch": {"hedge": {"method": "dollar_neutral"}, "timing": {"kind": "band"}, "direction": "long"},
    "basket": {"hedge": {"method": "fixed"}, "timing": {"kind": "hold"}},
    "rotation": {"hedge": {"method": "fixed"}, "timing": {"kind": "rank"}},
}


class Group(Strategy):
    """Trade one or more legs as one unit: one definition of what, in what ratio, when, how much and until when.

    A group is long its spread when its legs stand as their weights say, and short when all are turned around. A
    `pair` is the first leg against the second; a `fly` the two wings against the body between them; a `switch` goes
    out of its first leg into its second, sold and bought, and back, but not the other way unless `direction` says so; a
    `basket` goes in and out of all legs together; a `rotation` chooses among them. What the definition leaves out
    is what is usual for its kind. The ratio is frozen when a trade begins and renewed as the hedge says; with it the
    volatility target's size. A fitted ratio whose signs are not those of the weights starts no trade.

    References: Gatev, Goetzmann and Rouwenhorst (2006), "Pairs trading"; Chan (2013), "Algorithmic Trading"; Litterman
    and Scheinkman (1991), "Common factors affecting bond returns", for flies; Moreira and Muir (2017),
    "Volatility-managed portfolios".

    Examples
    --------
    >>> Group(legs=("KO", "PEP")).symbols
    ('KO', 'PEP')
    >>> [leg.weight for leg in Group(kind="fly", legs=("XOM", "CVX", "KO")).legs]
    [1.0, -2.0, 1.0]
    """

    family: ClassVar[str] = "group"
    title: ClassVar[str] = "Group"
    description: ClassVar[str] = "Legs in a ratio, traded as one unit: outright, pair, fly, switch, basket or rotation."

    schema_version: Literal[1] = Field(default=1, title="Form of the definition")
    kind: Kind = Field(default="pair", title="Kind")
    legs: tuple[Leg, ...] = Field(default=(Leg(symbol="KO"), Leg(symbol="PEP")), validate_default=True, title="Legs")
    hedge: Hedge = Field(default_factory=Hedge, title="Hedge")
    timing: Timing = Field(default_factory=Band, title="Timing")
    direction: Literal["both", "long", "short"] = Field(
        default="both", title="Direction", description="Which way the spread is traded."
    )
    min_hold: int = Field(default=0, ge=0, le=10_000, title="Hold at least", description="Sessions.")
    capital: float = Field(
        default=1.0, gt=0, le=10, title="Capital share", description="Gross exposure while on, of equity."
    )
    volatility_target: VolatilityTarget | None = Field(default=None, title="Volatility target")
    stops: Stops = Field(default_factory=Stops, title="Stops")

    @model_validator(mode="before")
    @classmethod
    def _usual_for_its_kind(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        kind = data.get("kind", "pair")
        if not isinstance(kind, str) or kind not in _USUAL:
            return data
        filled = {**_USUAL[kind], **data}
        if isinstance(hedge := filled["hedge"], dict):
            filled["hedge"] = {**_USUAL[kind]["hedge"], **hedge}
        return filled

    @field_validator("legs")
    @classmethod
    def _fit_their_kind(cls, legs: tuple[Leg, ...], info: ValidationInfo) -> tuple[Leg, ...]:
        if (kind := info.data.get("kind")) is None:
            return legs
        at_least, at_most = LEGS[kind]
        if not at_least <= len(legs) <= at_most:
            wanted = str(at_least) if at_least == at_most else f"{at_least} to {at_most}"
            raise ValueError(f"has {len(legs)}; {a_kind(kind)} has {wanted}")
        symbols = [leg.symbol for leg in legs]
        if twice := next((s for i, s in enumerate(symbols) if s in symbols[:i]), None):
            at = symbols.index(twice)
            raise ValueError(
                f"legs.{symbols.index(twice, at + 1)} is {twice}, which is legs.{at} already; "
                "each symbol may stand once"
            )
        usual = USUAL_WEIGHTS.get(kind, (1.0,) * len(legs))
        filled = tuple(
            leg if "weight" in leg.model_fields_set else leg.model_copy(update={"weight": weight})
            for leg, weight in zip(legs, usual, strict=True)
        )
        check_signs(kind, filled)
        return filled

    @model_validator(mode="after")
    def _parts_fit_each_other(self) -> Self:
        for fault in faults(self):
            raise ValueError(fault)
        return self

    @property
    def idea(self) -> str:
        """What its trials are counted with: all groups of its kind, whenever they trade."""
        return self.kind

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its legs."""
        return tuple(leg.symbol for leg in self.legs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Its legs, then what its conditions read besides."""
        read = (symbol for condition in self.conditions.values() for symbol in condition.symbols)
        return tuple(dict.fromkeys((*self.symbols, *read)))

    @property
    def extras(self) -> tuple[str, ...]:
        """The macro series and models that its conditions read."""
        return tuple(dict.fromkeys(key for condition in self.conditions.values() for key in condition.extras))

    @property
    def subject(self) -> str | None:
        """The symbol that fields without one belong to in its conditions: the only leg of an outright."""
        return self.symbols[0] if self.kind == "outright" else None

    @property
    def leg_numbers(self) -> tuple[FloatArray, FloatArray]:
        """Weights and durations of its legs [L]; a duration that is not given is NaN."""
        durations = (np.nan if leg.duration is None else leg.duration for leg in self.legs)
        return np.array([leg.weight for leg in self.legs]), np.fromiter(durations, dtype=np.float64)

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions of its timing, by field."""
        return self.timing.conditions if isinstance(self.timing, Rules | Rank) else {}

    @property
    def spread_lookback(self) -> int:
        """Sessions of the mean and standard deviation that the spread is measured against."""
        return self.timing.lookback if isinstance(self.timing, Band) else self.hedge.lookback

    @property
    def reads_spread(self) -> bool:
        """Whether any decision or stop hangs on the spread."""
        named = any(set(NAMES) & set(condition.names) for condition in self.conditions.values())
        return named or isinstance(self.timing, Band) or self.stops.spread_z is not None

    @property
    def warmup(self) -> int:
        """The longest of its windows; conditions on its own numbers start counting when those are known."""
        needs = [1]
        if self.hedge.method in {*FITTED, "volatility"}:
            needs.append(self.hedge.lookback + (self.hedge.method in {"beta", "pca", "volatility"}))
        if isinstance(self.timing, Band):
            needs.append(self.timing.lookback)
        if self.volatility_target is not None:
            needs.append(self.volatility_target.lookback + 1)
        own = max(*needs, self.spread_lookback)
        named = set(NAMES)
        needs += [c.warmup + (own - 1 if named & set(c.names) else 0) for c in self.conditions.values()]
        return max(needs)

    @property
    def risk(self) -> Stops:
        """Its stops."""
        return self.stops

    @property
    def linked(self) -> bool:
        """Whether it is a pair, fly or switch."""
        return self.kind in LINKED

    def course(self, panel: Panel) -> Course:
        """Return all it computes on the way to its decisions: spread, ratios, conditions, sides and weights."""
        return group_course(self, panel.select(self.inputs), Memo())

    def spread_z(self, panel: Panel) -> FloatArray | None:
        """Return the spread's z at each close [T] as seen from the first leg: above zero where that is dear.

        None where nothing hangs on it; NaN where a leg's price is unknown, or the window is not full.
        """
        return self.spread(panel.select(self.inputs), Memo()) if self.reads_spread else None

    def spread(self, panel: Panel, memo: Memo) -> FloatArray | None:
        """Return `spread_z`, of which definitions on the same legs share all but the windows."""
        if not self.reads_spread:
            return None
        measured = group_measured(self, panel, memo)[1]
        z: FloatArray = measured["z"].reindex(panel.index).to_numpy(dtype="float64", copy=True)
        return z if self.legs[0].weight > 0 else -z

    def weights(self, panel: Panel, memo: Memo) -> FloatArray:
        """Return the weights of its legs; the last decision stands where none is possible [time x leg]."""
        decided = group_course(self, panel, memo).weights
        return decided.reindex(panel.index).ffill().fillna(0.0).to_numpy(dtype=np.float64, copy=True)

    def decide(self, panel: Panel) -> pd.DataFrame:
        """Return the weights of its legs."""
        return pd.DataFrame(self.weights(panel, Memo()), index=panel.index, columns=list(self.symbols))

    def explain(self, panel: Panel) -> Explanation:
        """Return the number that the decision hangs on, with the ratio, the conditions or the ranking behind it."""
        return explain_group(self, panel)
