"""The baseline models, small on purpose: what a better model must beat, and what all must beat first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True)
class Model:
    """A kind of classifier: its key, what people call it, and how an unfitted one is built from a seed."""

    name: str
    title: str
    description: str
    build: Callable[[int], ClassifierMixin]


def prior(seed: int) -> ClassifierMixin:
    """Return the model that always answers the frequency it was trained on."""
    return DummyClassifier(strategy="prior", random_state=seed)


def logistic(seed: int) -> ClassifierMixin:
    """Return a logistic regression on features scaled to mean 0 and deviation 1 over the training rows."""
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=seed))


def gradient_boosting(seed: int) -> ClassifierMixin:
    """Return 60 small boosted trees: 8 leaves of at least 200 rows, learning rate 0.05.

    Early stopping stays off: its validation rows would be drawn at random, out of time order.
    """
    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=200,
        early_stopping=False,
        random_state=seed,
    )
