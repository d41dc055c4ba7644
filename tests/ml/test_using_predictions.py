"""What follows a fit: probabilities put right, parameters searched, predictions handed to strategies."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.ml import (
    Examples,
    FeatureGroup,
    PurgedKFold,
    WalkForward,
    build_examples,
    build_features,
    evaluate,
    predictions_as_extra,
)
from quantlib.ml.calibrated import calibrating
from quantlib.ml.search import search
from quantlib.ml.training import Fit, answers, trainer
from quantlib.types import Panel

SHORT = FeatureGroup("short", "", "", lambda p: build_features(p, ["own"])[["return_1", "return_5"]], {}, 6)


@pytest.fixture(scope="module")
def trending() -> Panel:
    """Return three symbols whose log return is half of the last one plus noise."""
    shocks = np.random.default_rng(11).standard_normal((900, 3)) * 0.01
    moves = shocks.copy()
    for t in range(1, len(moves)):
        moves[t] = 0.5 * moves[t - 1] + shocks[t]
    index = pd.bdate_range("2018-01-01", periods=900)
    return Panel.from_frames(pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), index=index, columns=list("ABC")))


@pytest.fixture(scope="module")
def examples(trending: Panel) -> Examples:
    return build_examples(trending, features=[SHORT], horizon=1)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_probabilities_that_are_too_sure_are_put_right(examples: Examples, method: str) -> None:
    plain = trainer("logistic")

    class Sure:
        """Says twice the log-odds it should."""

        def __init__(self, inside: object) -> None:
            self.inside = inside

        def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
            p = answers(self.inside, rows, "classification")
            sure = 1 / (1 + ((1 - p) / p) ** 3)
            return np.column_stack([1 - sure, sure])

    fitted = calibrating(lambda rows: Sure(plain(rows)), method=method)(examples.known)
    said = answers(fitted, examples.known.features, "classification")
    honest = answers(plain(examples.known), examples.known.features, "classification")
    wrong = answers(fitted.model, examples.known.features, "classification")
    assert np.abs(wrong - honest).mean() > 0.1
    assert np.abs(said - honest).mean() < 0.04
    np.testing.assert_array_equal(fitted.predict(examples.known.features), (said > 0.5).astype(float))


def test_calibration_is_part_of_the_evaluation(examples: Examples) -> None:
    scheme = PurgedKFold(3)
    result = evaluate(examples, "gradient_boosting", scheme=scheme, calibrate="isotonic", importance=False, every=2)
    assert result.parameters["calibrate"] == "isotonic"
    off = (result.calibration["predicted"] - result.calibration["observed"]).abs()
    assert (off < 4 * np.sqrt(0.25 / result.calibration["n"]) + 0.02).all()
    assert result.has_edge
    copy = pickle.loads(pickle.dumps(result.estimator))  # as it is logged
    np.testing.assert_array_equal(
        copy.predict_proba(examples.features), result.estimator.predict_proba(examples.features)
    )
    with pytest.raises(DataError, match="Only probabilities"):
        evaluate(build_examples_of_numbers(examples), "ridge", scheme=scheme, calibrate="sigmoid")
    with pytest.raises(DataError, match="no calibration 'platt'"):
        evaluate(examples, "logistic", scheme=scheme, calibrate="platt")


def build_examples_of_numbers(examples: Examples) -> Examples:
    from dataclasses import replace

    return replace(examples, kind="regression")


def test_a_search_finds_what_suits_and_reports_every_fit(examples: Examples) -> None:
    told: list[Fit] = []
    early = examples.until(examples.sessions[700])
    found = search(early, "logistic", trials=6, scheme=PurgedKFold(3), on_fit=told.append)
    assert len(found.trials) == 6
    done = [fit for fit in told if fit.outcome == "done"]
    assert len(done) == found.fits == 6 * 4
    assert {fit.trial for fit in done} == set(range(6))
    assert found.loss == found.trials["loss"].min() <= found.default == found.trials["loss"].iloc[0]
    assert max(fit.last for fit in done) <= examples.sessions[700]
    again = search(early, "logistic", trials=6, scheme=PurgedKFold(3))
    pd.testing.assert_frame_equal(again.trials, found.trials)
    best = evaluate(early, "logistic", params=found.params, scheme=PurgedKFold(3), importance=False)
    assert best.scores["log_loss"]["model"] == pytest.approx(found.loss)
    assert "6 sets of parameters (24 fits)" in found.sentence
    whole = search(early, "mlp", trials=2, scheme=PurgedKFold(2), every=20)
    assert whole.trials["hidden_layer_sizes"].iloc[1] in {(8,), (16,), (32,), (16, 8)}


def test_a_search_can_be_left_and_is_refused_where_there_is_nothing(examples: Examples) -> None:
    answers_given = iter([False, True])
    left = search(examples, "logistic", trials=9, scheme=PurgedKFold(2), cancelled=lambda: next(answers_given))
    assert len(left.trials) == 1
    assert "it is the model as it stands" in left.sentence
    with pytest.raises(DataError, match="cancelled before its first trial"):
        search(examples, "logistic", cancelled=lambda: True)
    with pytest.raises(DataError, match="Base rate has no parameters"):
        search(examples, "prior")
    with pytest.raises(DataError, match="trials is 0"):
        search(examples, "logistic", trials=0)


def test_predictions_enter_strategies_only_from_when_they_were_known(trending: Panel, examples: Examples) -> None:
    scheme = WalkForward(train=300, test=200)
    result = evaluate(examples, "logistic", scheme=scheme, importance=False)
    panel = predictions_as_extra(trending, result, "rise")
    rise = panel.frame("rise")
    first = result.folds["test_start"].min()
    assert rise.loc[: first - pd.Timedelta(days=1)].isna().all(axis=None)
    assert rise.loc[first:].notna().all(axis=None)
    np.testing.assert_allclose(rise.iloc[-1], result.latest)
    # Known then: the same up to t when later sessions are cut away, but for what the last model says beyond its labels.
    end = trending.index[700]
    cut = trending.until(end)
    early = evaluate(build_examples(cut, features=[SHORT], horizon=1), "logistic", scheme=scheme, importance=False)
    then = predictions_as_extra(cut, early, "rise").frame("rise")
    pd.testing.assert_frame_equal(then.iloc[:-1], rise.loc[:end].iloc[:-1])
    truth = stats.norm.cdf(0.5 * np.log1p(build_features(trending, ["own"])["return_1"]) / 0.01)
    np.testing.assert_allclose(rise.to_numpy()[400:].ravel(), truth[400 * 3 :], atol=0.2)


@pytest.mark.parametrize("horizon", [5, 40])
def test_the_last_model_is_silent_about_sessions_it_has_learned_from(trending: Panel, horizon: int) -> None:
    """Its labels look `horizon` sessions ahead: about those before the last one it knows how they turned out."""
    panel = trending.tail(600)
    made = build_examples(panel, features=[SHORT], horizon=horizon)
    result = evaluate(made, "logistic", scheme=WalkForward(train=300, test=100), importance=False, every=1)
    rise = predictions_as_extra(panel, result, "rise").frame("rise")
    known = rise.notna().all(axis=1)
    assert not known.iloc[-horizon:-1].any()
    assert known.iloc[-horizon - 30 : -horizon].all()
    assert known.iloc[-1]


def test_predictions_that_look_ahead_are_kept_from_strategies(trending: Panel, examples: Examples) -> None:
    folds = evaluate(examples, "prior", scheme=PurgedKFold(3), importance=False)
    with pytest.raises(DataError, match="'purged_kfold' were learned from later sessions too"):
        predictions_as_extra(trending, folds, "rise")
    result = evaluate(examples, "prior", scheme=WalkForward(train=300, test=300), importance=False)
    with pytest.raises(DataError, match="has 'close' already"):
        predictions_as_extra(trending, result, "close")
    with pytest.raises(DataError, match="None of the predictions"):
        predictions_as_extra(trending.until(trending.index[100]), result, "rise")
