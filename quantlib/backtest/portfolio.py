"""A portfolio: several groups on one account, sized against each other, under shared limits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, model_validator

from quantlib.backtest.groups import group_of
from quantlib.backtest.result import BacktestResult, active_returns
from quantlib.backtest.run import run_groups
from quantlib.backtest.sizing import Sizing, shares_over_time
from quantlib.costs import AnyCosts
from quantlib.risk import Execution, Limits
from quantlib.strategies import Strategy, build
from quantlib.types import Panel


class Member(BaseModel):
    """A group of a portfolio: its definition, and its plain share, the multiple of its own weights it is traded at.

    With a sizing other than "fixed" that is what it gets until it has results enough, and what `Sizing.largest` is a
    multiple of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: str = Field(min_length=1, max_length=80)
    strategy: Strategy
    share: float = Field(gt=0, le=10, description="Multiple of the definition's own weights.")

    @field_validator("strategy", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return build(str(value.get("family")), {k: v for k, v in value.items() if k != "family"})
        return value

    @field_serializer("strategy")
    def _write(self, value: Strategy) -> dict[str, Any]:
        return {"family": value.family, **value.model_dump(mode="json")}


class Portfolio(BaseModel):
    """Several groups on one account, hashed into one id as a whole.

    Examples
    --------
    >>> pair = Member(name="Pair", strategy=READY["Coke against Pepsi"], share=0.5)  # doctest: +SKIP
    >>> Portfolio(members=(pair,)).id  # doctest: +SKIP
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[Member, ...] = Field(min_length=1, max_length=100)
    sizing: Sizing = Sizing()
    limits: Limits = Limits()
    execution: Execution = Execution()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if twice := [name for name, n in Counter(m.name for m in self.members).items() if n > 1]:
            raise ValueError(f"members: {twice[0]!r} stands twice; give each group its own name")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every symbol any group reads, in the order first named."""
        return tuple(dict.fromkeys(symbol for member in self.members for symbol in member.strategy.inputs))

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras its strategies read."""
        return tuple(dict.fromkeys(key for member in self.members for key in member.strategy.extras))

    @property
    def id(self) -> str:
        """Content hash; equal portfolios have equal ids on every machine."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return f"portfolio-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class PortfolioResult:
    """What a portfolio did.

    Parameters
    ----------
    result
        The account, with every group's legs, trades and profit.
    shares
        The multiple of its own weights each group was traded at, as decided at each close [time x group].
    alone
        Each group at its own weights on an account of its own, from which the shares were estimated.
    """

    result: BacktestResult
    shares: pd.DataFrame
    alone: Mapping[str, BacktestResult]

    @property
    def correlation(self) -> pd.DataFrame:
        """Correlation of the groups' net returns, each pair over the sessions both have traded [group x group]."""
        return _results(self.alone).corr(min_periods=30)


def _results(alone: Mapping[str, BacktestResult]) -> pd.DataFrame:
    """Return the net returns of groups on their own accounts from their first fills on [time x group]."""
    return pd.DataFrame({name: active_returns(one).reindex(one.equity.index) for name, one in alone.items()})


def run_portfolio(
    portfolio: Portfolio,
    panel: Panel,
    *,
    costs: AnyCosts | None = None,
    cash: float = 1_000_000.0,
    lag: int = 1,
    delisted: Mapping[str, date] | None = None,
) -> PortfolioResult:
    """Return the account that trades a portfolio through a panel.

    Each group is first run alone, with its costs and stops and the portfolio's caps, on an account of its own; its
    share at each close comes from those results up to that close only. Then all are run together. The drawdown limit
    is the portfolio's alone: it says when the whole stands aside, not what a group's own results are.

    Raises
    ------
    DataError
        A symbol that a group reads is not in the panel.
    StrategyError
        A group decides an impossible weight.
    """
    groups = [group_of(member.strategy, panel, name=member.name) for member in portfolio.members]
    caps = portfolio.limits.model_copy(update={"drawdown": None})
    alone = {
        group.name: run_groups(
            panel, [group], costs=costs, limits=caps, execution=portfolio.execution, cash=cash, lag=lag,
            delisted=delisted,
        )
        for group in groups
    }  # fmt: skip
    own = np.array([member.share for member in portfolio.members])
    shares = shares_over_time(_results(alone), own, portfolio.sizing, periods_per_year=panel.periods_per_year)
    sized = [replace(g, targets=g.targets.mul(share, axis=0)) for g, share in zip(groups, shares.T, strict=True)]
    result = run_groups(
        panel, sized, costs=costs, limits=portfolio.limits, execution=portfolio.execution, cash=cash, lag=lag,
        delisted=delisted,
    )  # fmt: skip
    names = pd.Index([member.name for member in portfolio.members], name="group")
    return PortfolioResult(result, pd.DataFrame(shares, index=panel.index, columns=names), alone)
