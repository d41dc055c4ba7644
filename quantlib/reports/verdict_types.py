"""What a verdict card is: every check with what it was made from, frozen, and the same after a trip through JSON."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import pandas as pd
from pydantic import Field

from quantlib.grades import Grade
from quantlib.reports.types import Check, Maybe, Outcome, Record


class CardCheck(Check):
    """One question asked of a strategy's record, with the number its answer hangs on."""

    key: str
    value: Maybe


class Leaks(Record):
    """The leak certificate: at how many sessions the future was cut away, and where a decision changed then."""

    passed: bool
    checked: int
    decisions: int
    sentence: str
    sessions: tuple[date, ...] = ()


class Luck(Record):
    """How much was tried of the idea, and the Sharpe ratio that the best of so many shows by luck; ratios a year.

    `hurdles` are such ratios for the numbers of independent trials in `numbers`.
    """

    n: int
    effective: float
    sharpe: Maybe
    low: Maybe
    high: Maybe
    hurdle: Maybe
    probability: Maybe
    numbers: tuple[float, ...]
    hurdles: tuple[Maybe, ...]


class Series(Record):
    """Growth of 1 at the close of some days, by name; None before the first."""

    days: tuple[date, ...]
    curves: dict[str, tuple[Maybe, ...]]

    def frame(self) -> pd.DataFrame:
        """Return the growth [day x name]."""
        index = pd.DatetimeIndex([pd.Timestamp(day) for day in self.days])
        return pd.DataFrame({name: pd.Series(list(values), index, dtype="float64") for name, values in
                             self.curves.items()})  # fmt: skip


class Forward(Record):
    """One way of choosing by the past and living with it; Sharpe ratios a year."""

    anchored: bool
    choices: int
    in_sample: Maybe
    out_of_sample: Maybe
    kept: Maybe


class Cut(Record):
    """Shares of `n` values between edges, for a histogram."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: Annotated[float, Field(ge=0.0, le=1.0)]


class Around(Record):
    """The Sharpe ratio a year of every variant, and whether it is a neighbour of the first, which is the chosen one."""

    parameters: dict[str, tuple[float | int | str | None, ...]]
    sharpes: tuple[Maybe, ...]
    near: tuple[bool, ...]
    share: Maybe

    def table(self) -> pd.DataFrame:
        """Return one row a variant: its parameters, sharpe and near."""
        sharpes = pd.Series(list(self.sharpes), dtype="float64")
        return pd.DataFrame({**{name: list(values) for name, values in self.parameters.items()},
                             "sharpe": sharpes, "near": list(self.near)})  # fmt: skip


class Part(Record):
    """The Sharpe ratio a year of a part of the record with its 95 % interval."""

    name: str
    sharpe: Maybe
    low: Maybe
    high: Maybe
    n: int


class Entries(Record):
    """Sharpe ratios a year of the strategy and of its positions at random other times."""

    sharpe: Maybe
    others: tuple[Maybe, ...]
    p_value: Maybe


class VerdictCard(Record):
    """The verdict on a strategy with all that its figures draw.

    Parameters
    ----------
    name, strategy_id, family, idea
        What was judged, and what its trials are counted as.
    first, last, sessions
        The span of prices it was judged on.
    source, sample, data_label, grade, hindsight
        Whose prices, whether they are a sample, what to call them, how good they are, and why the choice of symbols
        looks into the future.
    cash, lag, paid
        How the account was run, and in words what trading cost.
    opened, holdout, openings
        Whether the hold-out was used, how often it was opened in a sentence, and that number.
    outcome, edge, sentence, checks, complete
        The verdict.
    leaks, luck
        The certificate, and the count of trials; None where the record is too short to judge.
    variants, growth, forward, paths, paths_in_sample, logits, around, subperiods, regimes, entries
        What the figures draw; empty or None where it could not be made.
    break_even, cost
        Basis points a side at which nothing is left, and what was paid.
    """

    schema_version: int = 1
    name: str
    strategy_id: str
    family: str
    idea: str
    first: date
    last: date
    sessions: int
    source: str
    sample: bool
    data_label: str
    grade: Grade
    hindsight: str
    cash: float
    lag: int
    paid: str
    opened: bool
    holdout: str
    openings: int
    outcome: Outcome
    edge: Outcome
    sentence: str
    checks: tuple[CardCheck, ...]
    complete: bool
    leaks: Leaks
    luck: Luck | None = None
    variants: str = ""
    growth: Series | None = None
    forward: tuple[Forward, ...] = ()
    paths: tuple[Maybe, ...] = ()
    paths_in_sample: Maybe = None
    logits: Cut | None = None
    around: Around | None = None
    subperiods: tuple[Part, ...] = ()
    regimes: tuple[Part, ...] = ()
    entries: Entries | None = None
    break_even: Maybe = None
    cost: Maybe = None

    def check(self, key: str) -> CardCheck | None:
        """Return the check of a key, or None where it was not made."""
        return next((check for check in self.checks if check.key == key), None)

    @property
    def to_change(self) -> tuple[CardCheck, ...]:
        """The checks that were not passed, the failed ones first: what would change them is what to do next."""
        return tuple(check for outcome in ("fail", "weak") for check in self.checks if check.outcome == outcome)
