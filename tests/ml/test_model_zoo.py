"""Every model of the zoo: it learns, it is the same again by its seed, and its space is one it accepts."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import ConfigError, DataError
from quantlib.ml import MODELS
from quantlib.ml.models import Between
from quantlib.ml.targets.target import Kind
from quantlib.ml.training import answers, fit

KINDS: tuple[Kind, ...] = ("classification", "regression")
PAIRS = [
    (name, kind)
    for name, model in MODELS.items()
    for kind in KINDS
    if (model.classifier if kind == "classification" else model.regressor) is not None
]


def estimator(name: str, kind: Kind, **params: Any) -> Any:
    try:
        return MODELS[name].build(kind, seed=3, **params)
    except ConfigError as error:
        if "libgomp" in str(error) or "OpenMP" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return two features, of which the first counts, and what comes of it as a number and as 1 or 0."""
    rng = np.random.default_rng(8)
    days = pd.MultiIndex.from_product([pd.bdate_range("2020-01-01", periods=1500), ["A"]], names=["ts", "symbol"])
    features = pd.DataFrame(rng.standard_normal((1500, 2)), index=days, columns=["signal", "noise"])
    number = features["signal"] + 0.5 * rng.standard_normal(1500) - 4.0
    return features, number, (number > -4.0).astype(float)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_a_model_learns_what_is_there_and_the_same_again(
    name: str, kind: Kind, rows: tuple[pd.DataFrame, pd.Series, pd.Series]
) -> None:
    features, number, up = rows
    label = up if kind == "classification" else number
    weight = np.ones(1500)
    said = answers(fit(estimator(name, kind), features, label, weight, kind), features, kind)
    again = answers(fit(estimator(name, kind), features, label, weight, kind), features, kind)
    np.testing.assert_array_equal(said, again)
    if MODELS[name].baseline:
        np.testing.assert_allclose(said, label.mean())
    else:
        assert np.corrcoef(said, features["signal"])[0, 1] > 0.8
        assert said.mean() == pytest.approx(label.mean(), abs=0.2)
    if kind == "classification":
        assert said.min() >= 0
        assert said.max() <= 1


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_weights_count(name: str, kind: Kind, rows: tuple[pd.DataFrame, pd.Series, pd.Series]) -> None:
    features, number, up = rows
    label = up if kind == "classification" else number
    high = label > label.median() if kind == "regression" else label == 1.0
    said = [
        answers(fit(estimator(name, kind), features, label, weight, kind), features, kind).mean()
        for weight in (np.ones(1500), np.where(high, 1.0, 0.2))
    ]
    assert said[1] > said[0] + 0.05


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_ends_of_its_space_are_accepted(
    name: str, kind: Kind, rows: tuple[pd.DataFrame, pd.Series, pd.Series]
) -> None:
    features, number, up = (table.iloc[:300] for table in rows)
    space = MODELS[name].space
    ends = [
        {key: (r.low, r.high)[end] if isinstance(r, Between) else r.choices[-end] for key, r in space.items()}
        for end in (0, 1)
    ]
    # The costly ones only as many rounds as show that the name is known.
    ends[1] |= {key: 20 for key in ("n_estimators", "max_iter") if key in space}
    for params in ends:
        built = estimator(name, kind, **params)
        said = answers(
            fit(built, features, up if kind == "classification" else number, np.ones(300), kind), features, kind
        )
        assert np.isfinite(said).all()


@pytest.mark.parametrize("name", MODELS)
def test_the_registry_names_its_models(name: str) -> None:
    model = MODELS[name]
    assert model.name == name
    assert model.title
    assert model.description
    assert bool(model.space) != (model.baseline or name == "linear")


def test_a_missing_openmp_library_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any, **more: Any) -> Any:
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(ConfigError, match=r"libgomp\.so\.1.*apt-get install libgomp1.*gradient_boosting"):
        MODELS["lightgbm"].build("regression", seed=1)


def test_labels_that_all_say_the_same_are_refused(rows: tuple[pd.DataFrame, pd.Series, pd.Series]) -> None:
    features, _, up = rows
    with pytest.raises(DataError, match="all say the same"):
        fit(estimator("logistic", "classification"), features, up * 0.0, np.ones(1500), "classification")
