"""What an evaluation of a model leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from quantlib.ml.features import FeatureGroup
from quantlib.ml.targets.target import Kind


@dataclass(frozen=True, eq=False)
class ModelResult:
    """What a model foretold out of sample, how good that was, and the model as it stands now.

    Parameters
    ----------
    model
        Its key in `MODELS`.
    kind
        "classification": it gives the probability of 1; "regression": a number.
    groups
        The groups of features it learned from.
    foretold
        Whether every prediction could have been made at the time: True of a walk-forward alone.
    parameters
        Everything the evaluation was asked for, for the record.
    predictions
        Indexed (ts, symbol), out of sample only: `prediction`, the `prior` known then, for some targets the
        `naive` yardstick (a line fitted to the last known value), `label`, `forward_return`, `label_end`, `fold` and
        `path`. Combinatorial folds ask about a row once a path.
    folds
        One row a fold: spans of training and test, rows, and the scores of the model and (`prior_`..., `naive_`...)
        the yardsticks.
    paths
        One row a path, each a whole history of answers: the scores of the model. A single one but for combinatorial
        folds.
    scores
        Rows `model`, `prior` and maybe `naive` over all folds, columns as `score` gives them. The AUC and the
        correlation of ranks are the mean of the folds' (weighted by rows), as base rates differ between folds.
    gains
        One row a yardstick: `gain`, `low`, `high`: by how much the loss is below it, and its 95 % interval
        (Diebold-Mariano), infinite where there are too few sessions for one.
    calibration
        Predicted and observed frequency (or mean) in ten bins of equal count.
    importance
        Indexed by feature: `importance`, by how much the out-of-sample loss rises when the feature is shuffled,
        mean over folds, NaN where it was not asked for; `coefficient`, per standard deviation, NaN where the model
        has none.
    estimator
        The model fitted on every label known at the panel's end, by the same rule as in each fold.
    ahead
        What it says of the sessions after its last label, indexed (ts, symbol), where features are known.
    latest
        What it says of the coming sessions at the panel's last row, by symbol.
    verdict
        One sentence.
    warnings
        Sentences on what makes the scores untrustworthy; empty is good.
    """

    model: str
    kind: Kind
    groups: tuple[FeatureGroup, ...]
    foretold: bool
    parameters: Mapping[str, str | int | float | bool]
    predictions: pd.DataFrame
    folds: pd.DataFrame
    paths: pd.DataFrame
    scores: pd.DataFrame
    gains: pd.DataFrame
    calibration: pd.DataFrame
    importance: pd.DataFrame
    estimator: Any
    ahead: pd.Series
    latest: pd.Series
    verdict: str
    warnings: tuple[str, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns the estimator takes, in their order."""
        return tuple(self.importance.index)

    @property
    def yardstick(self) -> str:
        """The yardstick that was hardest to beat."""
        return str(self.gains["gain"].idxmin())

    @property
    def gain(self) -> float:
        """By how much the loss is below the hardest yardstick's."""
        return float(self.gains["gain"].min())

    @property
    def gain_low(self) -> float:
        """The lower end of the gain's 95 % interval."""
        return float(self.gains["low"][self.yardstick])

    @property
    def gain_high(self) -> float:
        """The upper end of the gain's 95 % interval."""
        return float(self.gains["high"][self.yardstick])

    @property
    def has_edge(self) -> bool:
        """Whether it beat every yardstick by more than chance explains; `warnings` may speak against it."""
        return bool((self.gains["low"] > 0).all())
