"""What a model reads besides prices: macro series as they were released, and the strategy whose trades it judges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from quantlib.conditions import extra_key
from quantlib.errors import DataError
from quantlib.store import coverage, read_series
from quantlib.store.macro import stored_series
from quantlib.strategies import STRATEGIES, Strategy, build
from quantlib.types import FloatArray, Panel
from quantlib.workflows.definitions import check_prices, find_definition, known_definitions
from quantlib.workflows.extras import models_read, with_extras
from quantlib.workflows.research import strategy_panel
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import ReadRun

INPUTS = "inputs.json"
"""The file of a run that says what its model reads."""
SIDE = "side"
"""What the weights of the judged strategy are called on a panel."""


@dataclass(frozen=True)
class Judged:
    """A strategy whose trades a model judges.

    Parameters
    ----------
    name
        What people call it.
    strategy
        Its definition.
    versions
        The version it reads of each model, by the model's name.
    """

    name: str
    strategy: Strategy
    versions: Mapping[str, int] = field(default_factory=dict)

    def weights(self, session: Session, panel: Panel) -> FloatArray:
        """Return the weights that the strategy decided at each close, on a panel's rows and columns.

        They are decided on the strategy's own prices, up to the panel's end. On a session that those lack the last
        decision stands; after the last of those there is none.
        """
        own = strategy_panel(session, self.strategy, None, panel.index[-1], versions=self.versions)
        decided = self.strategy.targets(own)[list(self.strategy.symbols)]
        standing = decided.reindex(panel.index[panel.index <= own.index[-1]], method="ffill")
        there = standing.reindex(index=panel.index, columns=list(panel.symbols))
        return there.fillna(0.0).to_numpy(dtype=np.float64)


@dataclass(frozen=True)
class ModelInputs:
    """What a model is asked about, and what it reads besides prices.

    Parameters
    ----------
    symbols
        The symbols of its panel.
    macro
        Macro series.
    judged
        The strategy whose trades it judges; None where it judges none.
    """

    symbols: tuple[str, ...]
    macro: tuple[str, ...] = ()
    judged: Judged | None = None

    @classmethod
    def checked(
        cls, session: Session, symbols: Iterable[str], macro: Iterable[str], side: str | Strategy | None
    ) -> ModelInputs:
        """Return it with the strategy looked up by its name, and with the versions it reads of models now.

        Raises
        ------
        DataError
            A series is not stored; or the strategy trades none of the symbols, or is a class of its own, which could
            not be asked again.
        StrategyError
            There is no definition of that name.
        """
        wanted, series = tuple(symbols), tuple(macro)
        for name in series:
            read_series(session.store, name)  # says which there are
        if side is None:
            return cls(wanted, series)
        strategy = find_definition(session, side).strategy if isinstance(side, str) else side
        name = side.strip() if isinstance(side, str) else strategy.title
        if STRATEGIES.get(strategy.family) is not type(strategy):
            raise DataError(
                f"{name} is a class of its own, which could not be asked again with the model. Take a definition of a "
                "family as the side."
            )
        if not set(strategy.symbols) & set(wanted):
            raise DataError(
                f"{name} trades {', '.join(strategy.symbols)}, and none of them is among the symbols to learn from, "
                f"{', '.join(wanted)}. Name those it trades."
            )
        check_prices(session, strategy)
        read = models_read(session, strategy.extras)
        return cls(wanted, series, Judged(name, strategy, {key: one.version for key, one in read.items()}))

    @classmethod
    def of_run(cls, session: Session, run: ReadRun) -> ModelInputs:
        """Return what a logged model reads.

        Raises
        ------
        DataError
            It was logged before this was kept with it, or that is not there any more.
        StrategyError
            The family of the strategy it judges no longer accepts the definition.
        """
        if run.tags.get("inputs") != INPUTS:
            raise DataError(f"Run {run.name!r} was logged before what a model reads was kept. Train the model anew.")
        kept = json.loads(session.tracker.read_text(run.id, INPUTS))
        side = kept["side"]
        judged = Judged(side["name"], build(side["family"], side["params"]), side["versions"]) if side else None
        return cls(tuple(kept["symbols"]), tuple(kept["macro"]), judged)

    @property
    def record(self) -> dict[str, Any]:
        """It as plain values, enough to read the same again."""
        side = self.judged and {
            "name": self.judged.name,
            "strategy_id": self.judged.strategy.id,
            "family": self.judged.strategy.family,
            "params": self.judged.strategy.model_dump(mode="json"),
            "versions": dict(self.judged.versions),
        }
        return {"symbols": list(self.symbols), "macro": list(self.macro), "side": side}

    def on(self, session: Session, panel: Panel) -> Panel:
        """Return a panel of its symbols with the macro series and the strategy's weights as extras.

        Raises
        ------
        DataError
            There is no such series, or there are no prices that the strategy could decide on.
        """
        panel = with_extras(session, panel, [extra_key("macro", series) for series in self.macro])
        if self.judged is None:
            return panel
        return replace(panel, extra={**panel.extra, SIDE: self.judged.weights(session, panel)})


def macro_series(session: Session) -> list[str]:
    """Return the macro series that a model can learn from: those that are stored."""
    return stored_series(session.store)


def judgeable(session: Session) -> dict[str, tuple[str, ...]]:
    """Return the strategies whose trades a model can judge, each with what it trades: those with stored prices."""
    here = set(coverage(session.store)["symbol"])
    known = {name: kept.strategy for name, kept in known_definitions(session).items()}
    return {name: one.symbols for name, one in known.items() if here.issuperset(one.inputs)}


def split(panel: Panel) -> tuple[Panel, FloatArray | None]:
    """Return the panel that features are made of, and the weights of the strategy that is judged apart from it."""
    if SIDE not in panel.extra:
        return panel, None
    rest = {key: value for key, value in panel.extra.items() if key != SIDE}
    return replace(panel, extra=rest), np.asarray(panel.extra[SIDE])
