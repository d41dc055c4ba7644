"""Trees: boosted by scikit-learn and by LightGBM, and grown at random."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from quantlib.errors import ConfigError
from quantlib.ml.models.model import Between, Model, OneOf

#: Early stopping stays off: its validation rows would be drawn at random, out of time order.
_BOOSTED = {"max_iter": 60, "learning_rate": 0.05, "max_leaf_nodes": 8, "min_samples_leaf": 200}
_LIGHT = {"n_estimators": 60, "learning_rate": 0.05, "num_leaves": 8, "min_child_samples": 200}
_FOREST = {"n_estimators": 40, "max_depth": 5, "min_samples_leaf": 200, "max_features": 0.3, "max_samples": 0.5}


def boosted_classifier(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return 60 small boosted trees: 8 leaves of at least 200 rows, learning rate 0.05."""
    return HistGradientBoostingClassifier(**{**_BOOSTED, **params}, early_stopping=False, random_state=seed)


def boosted_regressor(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return 60 small boosted trees for numbers; see `boosted_classifier`."""
    return HistGradientBoostingRegressor(**{**_BOOSTED, **params}, early_stopping=False, random_state=seed)


def light_classifier(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return LightGBM's boosted trees of the same size."""
    return _lightgbm().LGBMClassifier(**_light(seed, n_jobs, params))


def light_regressor(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return LightGBM's boosted trees for numbers, of the same size."""
    return _lightgbm().LGBMRegressor(**_light(seed, n_jobs, params))


def forest_classifier(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return 40 trees of depth 5, each grown on half of the rows and choosing among a third of the features."""
    return RandomForestClassifier(**{**_FOREST, **params}, random_state=seed, n_jobs=n_jobs)


def forest_regressor(seed: int, n_jobs: int, **params: Any) -> Any:
    """Return 40 trees of depth 5 for numbers; see `forest_classifier`."""
    return RandomForestRegressor(**{**_FOREST, **params}, random_state=seed, n_jobs=n_jobs)


def _light(seed: int, n_jobs: int, params: dict[str, Any]) -> dict[str, Any]:
    # Without these two its sums depend on the number of threads.
    fixed = {"deterministic": True, "force_row_wise": True, "verbosity": -1}
    return {**_LIGHT, **params, **fixed, "random_state": seed, "n_jobs": n_jobs}


def _lightgbm() -> Any:
    """Return the package, which links to OpenMP's library on the machine."""
    try:
        import lightgbm  # noqa: PLC0415  half a second, and it may lack its library
    except OSError as error:
        raise ConfigError(
            f"LightGBM cannot start: {error}. It needs OpenMP's library of the system: `apt-get install libgomp1` on "
            "Debian and Ubuntu, `dnf install libgomp` on Fedora, `brew install libomp` on macOS. Or take the model "
            "gradient_boosting, which is nearly the same and needs nothing."
        ) from error
    return lightgbm


GRADIENT_BOOSTING = Model(
    "gradient_boosting",
    "Gradient boosting",
    "Sixty small trees, each mending what is left over.",
    boosted_classifier,
    boosted_regressor,
    {
        "max_iter": Between(20, 200, log=True),
        "learning_rate": Between(0.01, 0.2, log=True),
        "max_leaf_nodes": Between(3, 31),
        "min_samples_leaf": Between(50, 1000, log=True),
        "l2_regularization": Between(1e-3, 100.0, log=True),
    },
)
LIGHTGBM = Model(
    "lightgbm",
    "LightGBM",
    "Boosted trees by LightGBM, of the same size.",
    light_classifier,
    light_regressor,
    {
        "n_estimators": Between(20, 200, log=True),
        "learning_rate": Between(0.01, 0.2, log=True),
        "num_leaves": Between(3, 31),
        "min_child_samples": Between(50, 1000, log=True),
        "reg_lambda": Between(1e-3, 100.0, log=True),
    },
)
RANDOM_FOREST = Model(
    "random_forest",
    "Random forest",
    "The mean of forty trees, each grown on other rows and features.",
    forest_classifier,
    forest_regressor,
    {
        "n_estimators": Between(30, 200),
        "max_depth": Between(2, 10),
        "min_samples_leaf": Between(50, 1000, log=True),
        "max_features": OneOf((0.1, 0.3, 1.0)),
    },
)
