"""Learning from simulated worlds: drawn in every fold from what was known before its test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.ml.examples import Examples, build_examples
from quantlib.ml.models import model_of
from quantlib.ml.training import Trainer, answers, fit, trainer, weights_of
from quantlib.simulators import Simulator, StationaryBootstrap
from quantlib.types import FloatArray, Panel

Use = Literal["augment", "pretrain", "worlds"]
#: How worlds may be used, in words for a sentence.
USES: dict[Use, str] = {
    "augment": "beside history",
    "pretrain": "before history",
    "worlds": "instead of history",
}
WORLD_SCORE = "world_score"


@dataclass(frozen=True)
class Worlds:
    """Which worlds to learn from, and how.

    Parameters
    ----------
    simulator
        What draws them; it is fitted to the training sessions of each fold alone.
    use
        "augment": rows of worlds beside those of history; "pretrain": a model learns from worlds first, and what it
        says is one more feature of the model that learns from history; "worlds": history is left out.
    number
        Worlds for each fold.
    horizon
        Sessions of each; features warm up on its first year or so.
    share
        Weight of all rows of worlds together as a multiple of history's, when augmenting.
    """

    simulator: Simulator = field(default_factory=StationaryBootstrap)
    use: Use = "augment"
    number: int = 4
    horizon: int = 1260
    share: float = 1.0


class WithWorldScore:
    """A model whose last feature is what another, fitted on worlds, says of the row.

    Parameters
    ----------
    first
        The model fitted on worlds.
    model
        The model fitted on history with that score beside the features.
    kind
        Of the target.
    """

    def __init__(self, first: Any, model: Any, kind: Literal["classification", "regression"]) -> None:
        self.first = first
        self.model = model
        self.kind = kind

    def fit(self, features: pd.DataFrame, label: pd.Series) -> WithWorldScore:
        """Refuse: it needs worlds, which `learning_from_worlds` draws."""
        raise DataError("A model with a world score is made by `learning_from_worlds`, which draws its worlds.")

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the probabilities of 0 and 1 [n, 2]."""
        return np.asarray(self.model.predict_proba(_scored(self.first, features, self.kind)))

    def predict(self, features: pd.DataFrame) -> FloatArray:
        """Return the class or the number of each row."""
        return np.asarray(self.model.predict(_scored(self.first, features, self.kind)))


def learning_from_worlds(
    panel: Panel, examples: Examples, model: str, worlds: Worlds, *, seed: int = 7, **params: Any
) -> Trainer:
    """Return a trainer that learns from simulated worlds too, for `evaluate(..., train=...)`.

    In every fold the simulator is fitted to the sessions from the first training row's to the last at which a
    training label is known, so what it draws holds nothing of the test. That needs training rows without a gap in
    time: a walk-forward.

    Parameters
    ----------
    panel
        The panel the examples are made of.
    examples
        The examples that are evaluated.
    model
        A key of `MODELS`.
    worlds
        Which worlds, and how they are used.
    seed
        For models and worlds; each fold draws worlds of its own.
    params
        Parameters of the model.

    Raises
    ------
    DataError
        A name is unknown, a count out of range, or features or the target need what worlds do not have.
    """
    if worlds.use not in USES:
        raise DataError(f"There is no use {worlds.use!r} of worlds. Accepted: {', '.join(USES)}.")
    if not worlds.share > 0:
        raise DataError(f"share is {worlds.share!r}; accepted: a number above 0.")
    model_of(model)
    plain = trainer(model, seed=seed, **params)

    def train(rows: Examples) -> Any:
        drawn = _drawn(panel, examples, rows, worlds, seed)
        if worlds.use == "worlds":
            return plain(drawn)
        if worlds.use == "pretrain":
            first = plain(drawn)
            scored = replace(rows, features=_scored(first, rows.features, rows.kind))
            return WithWorldScore(first, plain(scored), rows.kind)
        own, theirs = weights_of(rows), np.full(len(drawn.features), worlds.share * len(rows.features))
        weight = np.concatenate([own, theirs / len(drawn.features)])
        built = model_of(model).build(rows.kind, seed=seed, **params)
        both = pd.concat([rows.features, drawn.features]), pd.concat([rows.labels["label"], drawn.labels["label"]])
        return fit(built, *both, weight, rows.kind)

    return train


def _drawn(panel: Panel, examples: Examples, rows: Examples, worlds: Worlds, seed: int) -> Examples:
    """Return examples of worlds that follow the training sessions, as thin as the training rows."""
    first = rows.features.index.get_level_values("ts").min()
    past = panel.window(first, rows.labels["label_end"].max())
    drawn = []
    days = np.unique(rows.sessions.get_indexer(rows.features.index.get_level_values("ts")))
    every = max(1, int(np.median(np.diff(days)))) if len(days) > 1 else 1
    for world in worlds.simulator.paths(past, n=worlds.number, horizon=worlds.horizon, seed=seed + len(past)):
        made = build_examples(
            world, examples.target, features=examples.groups, checked=True, **examples.params
        ).known.thinned(every)
        if missing := [name for name in rows.features.columns if name not in made.features.columns]:
            raise DataError(
                f"Worlds of {worlds.simulator.title} do not know the feature {missing[0]!r}; leave its group out to "
                "learn from worlds."
            )
        drawn.append(replace(made, features=made.features[list(rows.features.columns)]))
    return replace(
        drawn[0],
        features=pd.concat([one.features for one in drawn]),
        labels=pd.concat([one.labels for one in drawn]),
    )


def _scored(first: Any, features: pd.DataFrame, kind: Literal["classification", "regression"]) -> pd.DataFrame:
    return features.assign(**{WORLD_SCORE: answers(first, features, kind)})
