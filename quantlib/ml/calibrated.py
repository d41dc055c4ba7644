"""Probabilities put right by what came true: a model, and a map from what it says to how often that happened."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from quantlib.errors import DataError
from quantlib.ml.examples import Examples
from quantlib.ml.schemes import PurgedKFold
from quantlib.ml.training import Trainer, answers
from quantlib.types import FloatArray

Method = Literal["isotonic", "sigmoid"]


class Calibrated(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted classifier whose probabilities go through a fitted map.

    Parameters
    ----------
    model
        The fitted classifier.
    map_of
        Takes probabilities (as log-odds in a column for "sigmoid"), fitted on rows the model had not seen.
    method
        "isotonic": any rising steps; "sigmoid": a logistic curve of the log-odds (Platt), for few rows.
    """

    def __init__(self, model: Any, map_of: Any, method: Method) -> None:
        self.model = model
        self.map_of = map_of
        self.method = method
        self.classes_ = np.array([0.0, 1.0])

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Calibrated:  # noqa: N803  scikit-learn's names
        """Refuse: the map needs rows the model has not seen, which `calibrating` sees to."""
        raise DataError("A calibrated model is made by `calibrating(trainer)`, which fits it on purged inner folds.")

    def predict_proba(self, X: pd.DataFrame) -> FloatArray:  # noqa: N803  scikit-learn's names
        """Return the probabilities of 0 and 1 [n, 2]."""
        up = _mapped(self.map_of, answers(self.model, X, "classification"), self.method)
        return np.column_stack([1.0 - up, up])

    def predict(self, X: pd.DataFrame) -> FloatArray:  # noqa: N803  scikit-learn's names
        """Return 1.0 where 1 is the more probable, else 0.0."""
        return (self.predict_proba(X)[:, 1] > 0.5).astype(np.float64)


def calibrating(train: Trainer, *, method: Method = "sigmoid", k: int = 3) -> Trainer:
    """Return a trainer whose model's probabilities are calibrated on purged folds inside its training rows.

    Each inner fold is asked by a model that learned from the others, purged by the labels' ends; the map is fitted to
    all those answers, and the model itself to all rows.

    Parameters
    ----------
    train
        What fits the model from rows with a gap in time; not one that learns from worlds, which are drawn from all
        sessions between the first row and the last.
    method
        See `Calibrated`.
    k
        Inner folds.
    """
    if method not in {"isotonic", "sigmoid"}:
        raise DataError(f"There is no calibration {method!r}. Accepted: isotonic, sigmoid.")

    def train_both(rows: Examples) -> Calibrated:
        if rows.kind != "classification":
            raise DataError("Only probabilities can be calibrated; this target is a number.")
        said = np.empty(len(rows.features))
        for fold in PurgedKFold(k, embargo=0).folds(rows.settled):
            (test,) = fold.tests
            said[test] = answers(train(rows.rows(fold.train)), rows.features.iloc[test], "classification")
        up = rows.labels["label"].to_numpy(dtype=np.float64)
        return Calibrated(train(rows), _map(said, up, method), method)

    return train_both


def _map(said: FloatArray, up: FloatArray, method: Method) -> Any:
    if method == "sigmoid":
        return LogisticRegression(C=np.inf).fit(_log_odds(said)[:, None], up)
    # A step at the end may hold a few rows that all went one way, which is no certainty.
    least = 1.0 / (len(up) + 2)
    return IsotonicRegression(y_min=least, y_max=1.0 - least, out_of_bounds="clip").fit(said, up)


def _mapped(fitted: Any, said: FloatArray, method: Method) -> FloatArray:
    if not len(said):
        return said
    mapped = fitted.predict_proba(_log_odds(said)[:, None])[:, 1] if method == "sigmoid" else fitted.predict(said)
    return np.asarray(mapped, dtype=np.float64)


def _log_odds(probability: FloatArray) -> FloatArray:
    inside = np.clip(probability, 1e-9, 1.0 - 1e-9)
    return np.asarray(np.log(inside / (1.0 - inside)))
