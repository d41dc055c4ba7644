"""One fold: learn from its training rows, be asked about its test, be scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression

from quantlib.ml.examples import Examples
from quantlib.ml.scores import losses, score
from quantlib.ml.targets.target import Kind
from quantlib.ml.training import Trainer, answers, fit
from quantlib.types import FloatArray
from quantlib.validation.splits import CombinatorialSplit

#: Rows of a test that a feature is shuffled on; more would cost time and tell the same.
SHUFFLED_ROWS = 5000


class Task(NamedTuple):
    """A fold to be done: its number, the rows it learns from after thinning, and its tests."""

    number: int
    past: NDArray[np.intp]
    fold: CombinatorialSplit


class Done(NamedTuple):
    """A fold that is done: its answers row by row, its line of the table, and what each feature was worth."""

    predictions: pd.DataFrame
    row: dict[str, Any]
    importance: FloatArray | None


@dataclass(frozen=True, eq=False)
class FoldWork:
    """What is done on each fold; it can be sent to another process.

    Parameters
    ----------
    known
        The rows whose label is known.
    learn
        What fits the model.
    importance
        Whether to shuffle features.
    seed
        For shuffling.
    """

    known: Examples
    learn: Trainer
    importance: bool
    seed: int

    def __call__(self, task: Task) -> Done:
        """Return the answers and scores of a fold."""
        past, kind = self.known.rows(task.past), self.known.kind
        fitted = self.learn(past)
        tests = zip(task.fold.tests, task.fold.paths, strict=True)
        both = pd.concat([_asked(self.known.rows(test), past, fitted, kind, task.number, path) for test, path in tests])
        learned, asked = (table.index.get_level_values("ts") for table in (past.features, both))
        row = {
            "train_start": learned.min(),
            "train_end": learned.max(),
            "test_start": asked.min(),
            "test_end": asked.max(),
            "train_n": len(past.features),
        }
        tested = self.known.rows(np.concatenate(task.fold.tests))
        worth = importances(fitted, tested, self.seed) if self.importance else None
        return Done(both, row | score_all(both, kind), worth)


def _asked(rows: Examples, past: Examples, fitted: Any, kind: Kind, number: int, path: int) -> pd.DataFrame:
    """Return what the model and the yardsticks say of the rows of a test, beside what came."""
    taken = rows.labels[["label", "forward_return", "label_end"]]
    said: dict[str, Any] = {"prediction": answers(fitted, rows.features, kind), "prior": past.labels["label"].mean()}
    if "naive" in rows.labels:
        line = LogisticRegression() if kind == "classification" else LinearRegression()
        lasting = fit(line, past.labels[["naive"]], past.labels["label"], np.ones(len(past.features)), kind)
        said["naive"] = answers(lasting, rows.labels[["naive"]], kind)
    return taken.assign(**said, fold=number, path=path)


def yardsticks(predictions: pd.DataFrame) -> list[str]:
    """Return the columns of predictions that are yardsticks."""
    return [name for name in ("prior", "naive") if name in predictions]


def said_of(predictions: pd.DataFrame, column: str) -> tuple[FloatArray, FloatArray]:
    """Return the labels and what a column said of them."""
    return predictions["label"].to_numpy(dtype=np.float64), predictions[column].to_numpy(dtype=np.float64)


def score_all(rows: pd.DataFrame, kind: Kind) -> dict[str, float]:
    """Return the scores of the model and, under `prior_` and `naive_` names, of the yardsticks; the count once."""
    found = score(*said_of(rows, "prediction"), kind)
    for name in yardsticks(rows):
        scores = score(*said_of(rows, name), kind)
        del scores["n"]
        found |= {f"{name}_{key}": value for key, value in scores.items()}
    return found


def importances(estimator: Any, rows: Examples, seed: int) -> FloatArray:
    """Return by how much the loss on these rows rises when a feature is shuffled, one number a feature."""
    if len(rows.features) > SHUFFLED_ROWS:
        some = np.random.default_rng(seed).choice(len(rows.features), SHUFFLED_ROWS, replace=False)
        rows = rows.rows(np.sort(some))

    def gain(fitted: Any, table: pd.DataFrame, label: pd.Series) -> float:
        return -float(losses(label.to_numpy(), answers(fitted, table, rows.kind), rows.kind).mean())

    shuffled = permutation_importance(
        estimator, rows.features, rows.labels["label"], scoring=gain, n_repeats=1, random_state=seed
    )
    return np.asarray(shuffled.importances_mean)
