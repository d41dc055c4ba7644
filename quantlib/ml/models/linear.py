"""The yardsticks and the weighted sums: the least a better model must beat."""

from __future__ import annotations

from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from quantlib.ml.models.model import Between, Model


def prior(seed: int, n_jobs: int) -> Any:
    """Return the model that always answers the frequency it was trained on."""
    return DummyClassifier(strategy="prior", random_state=seed)


def mean(seed: int, n_jobs: int) -> Any:
    """Return the model that always answers the mean it was trained on."""
    return DummyRegressor(strategy="mean")


def logistic(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return a logistic regression on features scaled to mean 0 and deviation 1 over the training rows."""
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=seed, **params))


def linear(seed: int, n_jobs: int) -> Any:
    """Return least squares on scaled features."""
    return make_pipeline(StandardScaler(), LinearRegression())


def ridge(seed: int, n_jobs: int, *, alpha: float = 1000.0) -> Any:
    """Return least squares on scaled features, coefficients held near zero as by `alpha` further rows."""
    return make_pipeline(StandardScaler(), Ridge(alpha=alpha))


PRIOR = Model(
    "prior", "Base rate", "The frequency or mean of training, whatever the features say.", prior, mean, baseline=True
)
LINEAR = Model("linear", "Least squares", "A weighted sum of the scaled features.", None, linear)
RIDGE = Model(
    "ridge",
    "Ridge regression",
    "A weighted sum of the scaled features, its weights held near zero.",
    None,
    ridge,
    {"alpha": Between(1.0, 1e5, log=True)},
)
LOGISTIC = Model(
    "logistic",
    "Logistic regression",
    "The log-odds as a weighted sum of the scaled features.",
    logistic,
    None,
    {"C": Between(1e-4, 10.0, log=True)},
)
