"""The walk-forward finds an edge that is there, none that is not, and never trains on its test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from quantlib.errors import DataError
from quantlib.ml import (
    MODELS,
    FeatureGroup,
    Model,
    ModelResult,
    WalkForward,
    build_examples,
    build_features,
    build_target,
    evaluate,
    walk_forward_evaluate,
)
from quantlib.ml.features import FEATURES, USUAL
from quantlib.ml.scores import log_losses
from quantlib.simulators import GBM
from quantlib.types import Panel

PHI, SIGMA = 0.5, 0.01
WARMUP = FEATURES["own"].warmup
SHORT = {"train": 400, "test": 300, "importance": False}


def panel_of(log_returns: np.ndarray) -> Panel:
    rows, symbols = log_returns.shape
    index = pd.bdate_range("2015-01-01", periods=rows)
    return Panel.from_frames(
        pd.DataFrame(100 * np.exp(log_returns.cumsum(axis=0)), index=index, columns=list("ABCDEFGH"[:symbols]))
    )


@pytest.fixture(scope="module")
def autoregressive() -> Panel:
    """Return four symbols whose log return is half of the last one plus noise: a known edge."""
    shocks = np.random.default_rng(11).standard_normal((1500, 4)) * SIGMA
    moves = shocks.copy()
    for t in range(1, len(moves)):
        moves[t] = PHI * moves[t - 1] + shocks[t]
    return panel_of(moves)


@pytest.fixture(scope="module")
def noise(stocks: Panel) -> Panel:
    """Return six symbols of a world without drift, in which nothing can be foretold."""
    six = stocks.select(["KO", "PEP", "MSFT", "XOM", "JPM", "GE"]).tail(1000)
    return next(GBM(drift="none").paths(six, n=1, horizon=1300, seed=5))


@pytest.mark.parametrize("model", ["logistic", "gradient_boosting"])
def test_a_known_edge_is_found_and_nearly_all_of_it(autoregressive: Panel, model: str) -> None:
    result = walk_forward_evaluate(autoregressive, model, horizon=1, train=400, test=400)
    rows = result.predictions
    truth = stats.norm.cdf(
        PHI * np.log1p(build_features(autoregressive)["return_1"].loc[rows.index]).to_numpy() / SIGMA
    )
    up = rows["label"].to_numpy()
    best = float((log_losses(up, rows["prior"].to_numpy()) - log_losses(up, truth)).mean())
    assert 0.6 * best < result.gain <= best + 0.005
    assert result.scores.loc["model", "auc"] > 0.65
    assert result.has_edge
    assert "an edge of" in result.verdict
    assert result.importance["importance"].idxmax() == "return_1"
    np.testing.assert_allclose(rows["prediction"], truth, atol=0.25)
    assert any("look for a leak" in sentence for sentence in result.warnings)


@pytest.mark.parametrize("model", ["logistic", "gradient_boosting"])
def test_noise_has_no_edge(noise: Panel, model: str) -> None:
    result = walk_forward_evaluate(noise, model, **SHORT)
    # Six symbols that move together over labels of five sessions: the AUC's own error is about 0.025.
    assert abs(result.scores.loc["model", "auc"] - 0.5) < 0.06
    assert not result.has_edge
    assert "no edge" in result.verdict
    assert result.warnings == ()


def test_the_prior_is_the_training_frequency(noise: Panel) -> None:
    result = walk_forward_evaluate(noise, "prior", **SHORT)
    assert (result.predictions["prediction"] == result.predictions["prior"]).all()
    assert (result.gain, result.gain_low, result.gain_high) == (0.0, 0.0, 0.0)
    assert (result.folds["auc"] == 0.5).all()
    assert result.scores.loc["model"].to_dict() == result.scores.loc["prior"].to_dict()
    assert result.verdict.endswith("for the prior: no edge.")
    labels = build_target(noise, "direction")["label"].to_numpy().reshape(-1, 6)[WARMUP:]
    trained = labels[394::-5]  # purge 5 of 400, then every fifth session, the last one included
    assert result.predictions["prior"].iloc[0] == pytest.approx(trained.mean())
    assert result.folds["train_n"].iloc[0] == trained.size


def test_every_session_after_training_is_foretold_once(noise: Panel) -> None:
    result = walk_forward_evaluate(noise, "logistic", **SHORT)
    assert result.predictions.index.is_unique
    ready = build_features(noise).notna().all(axis=1) & build_target(noise, "direction")["label"].notna()
    expected = ready[ready].loc[result.folds["test_start"].iloc[0] :].index
    assert set(result.predictions.index) == set(expected)
    assert result.scores.loc["model", "n"] == len(expected) == result.folds["n"].sum()
    assert (result.folds["train_end"] < result.folds["test_start"]).all()
    names = tuple(name for group in USUAL for name in FEATURES[group].columns)
    assert result.feature_names == names == tuple(result.estimator.feature_names_in_)
    assert list(result.latest.index) == list(noise.symbols)
    now = build_features(noise).loc[noise.index[-1]]
    np.testing.assert_allclose(result.latest, result.estimator.predict_proba(now)[:, 1])


@pytest.mark.parametrize("model", ["logistic", "gradient_boosting"])
def test_what_was_foretold_does_not_change_when_the_future_is_cut_away(noise: Panel, model: str) -> None:
    whole = walk_forward_evaluate(noise, model, **SHORT).predictions
    cut = walk_forward_evaluate(noise.until(noise.index[1100]), model, **SHORT).predictions
    assert len(cut) > 1000
    pd.testing.assert_frame_equal(cut, whole.loc[cut.index], rtol=1e-6)


def test_same_seed_same_result(noise: Panel) -> None:
    one, two = (walk_forward_evaluate(noise.tail(1000), "gradient_boosting", train=400, test=300) for _ in range(2))
    pd.testing.assert_frame_equal(one.predictions, two.predictions)
    pd.testing.assert_frame_equal(one.importance, two.importance)
    assert one.verdict == two.verdict


class Spy(DummyClassifier):
    """Remembers which rows it was trained on."""

    seen: list[pd.MultiIndex] = []  # noqa: RUF012  shared between the copies made for each fold

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Spy:
        self.seen.append(X.index)
        return super().fit(X, y)


def test_no_training_label_ends_in_the_test_on_any_calendar(noise: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    days = pd.date_range(noise.index[0], noise.index[-1])
    mixed = noise.frame()[["KO", "PEP"]].reindex(days)
    mixed["COIN"] = 100 * np.exp(0.03 * np.random.default_rng(1).standard_normal(len(days)).cumsum())
    panel = Panel.from_frames(mixed)
    monkeypatch.setattr(Spy, "seen", [])
    monkeypatch.setitem(MODELS, "spy", Model("spy", "", "", lambda seed, n_jobs: Spy(strategy="prior"), None))
    result = walk_forward_evaluate(panel, "spy", **SHORT, every=1)
    assert len(Spy.seen) == len(result.folds) + 1
    label_end = build_target(panel, "direction")["label_end"]
    for rows, begin in zip(Spy.seen, result.folds["test_start"], strict=False):
        ends = label_end.loc[rows]
        assert ends.max() < begin
        assert (begin - ends.max()).days <= 4  # nothing is wasted either


def slowly(panel: Panel) -> pd.DataFrame:
    return build_features(panel)[["volatility_21", "return_63", "from_high_252"]]


def test_without_a_purge_noise_looks_like_an_edge(noise: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    # The worst case: a model that remembers, and features that hardly change from one session to the next.
    monkeypatch.setitem(MODELS, "memory", Model("memory", "", "", lambda seed, n_jobs: KNeighborsClassifier(3), None))
    slow = FeatureGroup("slow", "", "", slowly, {}, WARMUP)
    examples = build_examples(noise.tail(700), features=[slow], horizon=21)

    def judged(purge: int | None) -> ModelResult:
        scheme = WalkForward(train=250, test=3, anchored=False, purge=purge)
        return evaluate(examples, "memory", scheme=scheme, every=1, importance=False, allow_overlap=purge == 0)

    leaking, honest = judged(0), judged(None)
    assert leaking.scores.loc["model", "auc"] > 0.58
    assert leaking.scores.loc["model", "accuracy"] > 0.55
    assert honest.scores.loc["model", "auc"] < 0.54
    assert honest.scores.loc["model", "accuracy"] < 0.53
    assert any("training labels overlap the test" in sentence for sentence in leaking.warnings)
    assert honest.warnings == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "logistc"}, "There is no model 'logistc'. Did you mean logistic?"),
        ({"model": "ridge"}, "Ridge regression does regression only"),
        ({"features": ["onw"]}, "There is no feature group 'onw'"),
        ({"target": "directoin"}, "Did you mean direction?"),
        ({"horizon": 0}, "horizon is 0; accepted"),
        ({"every": 0}, "every is 0; accepted"),
        ({"test": 0}, "test is 0; accepted"),
        ({"train": 5000}, "1044 of 1300 sessions have features and labels .* train=5000 needs more"),
        ({"purge": 400}, "Nothing is left to train on"),
    ],
)
def test_bad_input_is_refused_in_one_line(noise: Panel, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        walk_forward_evaluate(noise, **({"model": "logistic", **SHORT} | arguments))


def test_labels_that_all_say_the_same_are_refused() -> None:
    rising = panel_of(np.full((900, 2), 0.01) + np.random.default_rng(1).uniform(0, 0.001, (900, 2)))
    with pytest.raises(DataError, match="all say the same"):
        walk_forward_evaluate(rising, "logistic", **SHORT)


@pytest.mark.parametrize("name", MODELS)
def test_the_registry_names_its_models(name: str) -> None:
    assert MODELS[name].name == name
    assert MODELS[name].title
    assert MODELS[name].description
