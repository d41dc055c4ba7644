"""Any model under any scheme: chance where there is nothing, scikit-learn's scores, and no overlap unnoticed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from quantlib.errors import DataError
from quantlib.ml import (
    SCHEMES,
    CombinatorialPurged,
    Examples,
    FeatureGroup,
    PurgedKFold,
    WalkForward,
    build_examples,
    evaluate,
)
from quantlib.ml.schemes import overlapping
from quantlib.ml.table import rows_of
from quantlib.ml.training import Fit
from quantlib.ml.weights import uniqueness_weights
from quantlib.types import Panel
from quantlib.validation.splits import CombinatorialSplit

SHORT = {
    "walk_forward": WalkForward(train=200, test=150),
    "purged_kfold": PurgedKFold(4),
    "combinatorial_purged": CombinatorialPurged(4, 2),
}


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    """Return three stocks over 720 sessions."""
    return stocks.select(["KO", "MSFT", "XOM"]).tail(720)


@pytest.fixture(scope="module")
def examples(panel: Panel) -> Examples:
    """Return five sessions' direction beside the usual features."""
    return build_examples(panel)


@pytest.fixture(scope="module")
def volatility(panel: Panel) -> Examples:
    """Return the coming month's volatility."""
    return build_examples(panel, "volatility", features=["own"], horizon=21)


def test_every_scheme_is_tried_here() -> None:
    assert {name: type(scheme) for name, scheme in SHORT.items()} == SCHEMES


@pytest.mark.parametrize("scheme", SHORT)
@pytest.mark.parametrize(("model", "every"), [("logistic", 1), ("gradient_boosting", 5)])
def test_shuffled_labels_score_at_chance(examples: Examples, scheme: str, model: str, every: int) -> None:
    result = evaluate(examples.shuffled(3), model, scheme=SHORT[scheme], every=every, importance=False)
    for _, rows in result.predictions.groupby("path"):
        up = int(rows["label"].sum())
        error = np.sqrt((len(rows) + 1) / (12 * up * (len(rows) - up)))  # of the AUC of ranks that mean nothing
        parts = [roc_auc_score(fold["label"], fold["prediction"]) for _, fold in rows.groupby("fold")]
        assert abs(np.mean(parts) - 0.5) < 4 * error
    assert not result.has_edge
    assert result.warnings == ()


@pytest.mark.parametrize("scheme", SHORT)
def test_shuffled_numbers_score_at_chance(volatility: Examples, scheme: str) -> None:
    result = evaluate(volatility.shuffled(3), "ridge", scheme=SHORT[scheme], every=1, importance=False)
    assert abs(result.scores["rank_correlation"]["model"]) < 4 / np.sqrt(len(volatility.known.features))
    assert not result.has_edge


@pytest.mark.parametrize("scheme", SHORT)
def test_fold_scores_are_scikit_learns(examples: Examples, scheme: str) -> None:
    examples = examples.thinned(3)
    cut = SHORT[scheme] if scheme != "walk_forward" else WalkForward(train=70, test=40)
    result = evaluate(examples, "logistic", scheme=cut, every=1, importance=False)
    known = examples.known
    label = known.labels["label"]
    folds = cut.folds(known.labels["label_end"])
    assert len(folds) == len(result.folds)
    for number, fold in enumerate(folds):
        test = np.concatenate(fold.tests)
        oracle = make_pipeline(StandardScaler(), LogisticRegression())
        weight = uniqueness_weights(known.labels["label_end"].iloc[fold.train], known.sessions)
        oracle.fit(known.features.iloc[fold.train], label.iloc[fold.train], logisticregression__sample_weight=weight)
        said = oracle.predict_proba(known.features.iloc[test])[:, 1]
        row = result.folds.loc[number]
        assert row["log_loss"] == pytest.approx(log_loss(label.iloc[test], said))
        mine = result.predictions[result.predictions["fold"] == number]
        assert row["log_loss"] == pytest.approx(log_loss(mine["label"], mine["prediction"]))
        assert row["auc"] == pytest.approx(roc_auc_score(mine["label"], mine["prediction"]))
        assert row["brier"] == pytest.approx(brier_score_loss(mine["label"], mine["prediction"]))
        assert mine.index.equals(known.features.index[test])
        assert (mine["prior"] == label.iloc[fold.train].mean()).all()
    assert result.foretold == (scheme == "walk_forward")


def test_combinatorial_folds_make_whole_paths(examples: Examples) -> None:
    result = evaluate(examples, "prior", scheme=SHORT["combinatorial_purged"], importance=False)
    assert list(result.paths.index) == [0, 1, 2]  # C(3, 1)
    for _, rows in result.predictions.groupby("path"):
        assert set(rows.index) == set(examples.known.features.index)
        assert rows.index.is_unique


class Unpurged:
    """A K-fold in time that knows nothing of labels."""

    name: ClassVar[str] = "unpurged"
    foretells: ClassVar[bool] = False

    def folds(self, label_end: pd.Series) -> list[CombinatorialSplit]:
        return [CombinatorialSplit(a, (b,), (0,)) for a, b in KFold(4).split(label_end)]


@pytest.mark.parametrize("purge", [0, 3])
def test_a_target_that_overlaps_train_and_test_is_caught(examples: Examples, purge: int) -> None:
    for scheme in (Unpurged(), WalkForward(train=200, test=150, purge=purge)):
        with pytest.raises(DataError, match=r"\d+ training labels are made of sessions that the test is made of"):
            evaluate(examples, "prior", scheme=scheme, importance=False)
    short = WalkForward(train=200, test=150, purge=purge)
    damaged = evaluate(examples, "prior", scheme=short, importance=False, allow_overlap=True)
    # Each fold's last 5 - purge sessions of three symbols.
    assert damaged.warnings[0].startswith(f"{(5 - purge) * 3 * len(damaged.folds)} training labels overlap the test")


@pytest.mark.parametrize("target", ["direction", "triple_barrier"])
def test_overlaps_are_counted_session_by_session(panel: Panel, target: str) -> None:
    known = build_examples(panel.tail(420), target, features=["own"], horizon=8).known
    ends = known.labels["label_end"]
    days = {day: k for k, day in enumerate(panel.index)}
    spans = [set(range(days[t], days[end] + 1)) for (t, _), end in ends.items()]
    folds = Unpurged().folds(ends)
    count = 0
    for fold in folds:
        tested = set().union(*(spans[row] for row in fold.tests[0]))
        count += sum(bool(spans[row] & tested) for row in fold.train)
    assert overlapping(ends, folds) == count > 0
    for scheme in SHORT.values():
        assert overlapping(ends, type(scheme)(**({"train": 60} if scheme.foretells else {"k": 4})).folds(ends)) == 0


def test_a_feature_that_is_the_label_stands_out(panel: Panel) -> None:
    ahead = panel.frame().shift(-5) / panel.frame() - 1
    known = Panel.from_frames(panel.frame(), extra={"oracle": ahead.to_numpy()})
    result = evaluate(build_examples(known, features=["own", "macro"]), "logistic", scheme=PurgedKFold(3))
    assert result.importance["importance"].idxmax() == "oracle"
    assert any("look for a leak before believing it" in sentence for sentence in result.warnings)


def test_volatility_must_beat_what_it_stands_at(volatility: Examples) -> None:
    result = evaluate(volatility, "ridge", scheme=PurgedKFold(4), importance=False)
    assert list(result.gains.index) == list(result.scores.index[1:]) == ["prior", "naive"]
    assert result.scores["mse"]["naive"] < result.scores["mse"]["prior"]
    assert result.yardstick == "naive"
    assert result.gain == result.gains["gain"].min()
    assert result.has_edge == bool((result.gains["low"] > 0).all())
    assert result.latest.index.tolist() == list(volatility.features.loc[volatility.sessions[-1]].index)


def test_every_fit_is_told_of_twice(examples: Examples) -> None:
    told: list[Fit] = []
    scheme = SHORT["purged_kfold"]
    evaluate(examples, "logistic", scheme=scheme, params={"C": 0.1}, importance=False, trial=9, on_fit=told.append)
    assert [(fit.number, fit.outcome) for fit in told] == [
        (n, outcome) for n in (0, 1, 2, 3, -1) for outcome in ("begun", "done")
    ]
    assert {(fit.model, fit.trial, fit.params["C"]) for fit in told} == {("logistic", 9, 0.1)}


def test_folds_fitted_elsewhere_are_the_same(examples: Examples) -> None:
    told: list[Fit] = []
    setup = {"scheme": PurgedKFold(3), "importance": False}
    here = evaluate(examples, "logistic", **setup)
    there = evaluate(examples, "logistic", **setup, engine="threads", workers=2, on_fit=told.append)
    pd.testing.assert_frame_equal(here.predictions, there.predictions)
    assert sorted(fit.number for fit in told if fit.outcome == "done") == [-1, 0, 1, 2]


def test_thinning_takes_every_session_so_many_apart(examples: Examples) -> None:
    thin = examples.thinned(5)
    kept = thin.features.index.get_level_values("ts").unique()
    assert kept[-1] == examples.sessions[-1]
    assert set(np.diff(examples.sessions.get_indexer(kept))) == {5}
    assert thin.lags == 2
    assert examples.until(kept[40]).labels["label_end"].max() <= kept[40]


def test_features_that_no_row_knows_are_left_out_and_named(panel: Panel) -> None:
    examples = build_examples(panel, features=["indicators"])
    assert examples.left_out == ("atr_14",)  # the sample has closes only
    result = evaluate(examples, "prior", scheme=PurgedKFold(3), importance=False)
    assert result.warnings == ("No row of the panel knows atr_14; the model does without.",)


def test_a_feature_that_begins_late_takes_history_away_and_says_so(panel: Panel) -> None:
    level = np.arange(float(len(panel)))

    def known_from(row: int) -> Examples:
        late = np.where(level < row, np.nan, level)
        carrying = Panel.from_frames(panel.frame(), extra={"macro: LATE": late, "macro: EARLY": level})
        return build_examples(carrying, features=["own", "macro"])

    # The usual features need 251 sessions before their first row, the change of a series 21.
    early, late = known_from(230), known_from(400)
    assert early.shortened == ""
    first, expected = late.features.index[0][0], panel.index[421]
    assert first == expected
    assert late.shortened == (
        f"macro_LATE, macro_LATE_change_21 are not known before {expected:%Y-%m-%d}, so 170 sessions from "
        f"{panel.index[251]:%Y-%m-%d} on teach nothing. Leave out what begins late to learn from them."
    )
    assert evaluate(late, "prior", scheme=PurgedKFold(3), importance=False).warnings == (late.shortened,)


def test_a_meta_label_is_asked_only_where_there_is_a_side(panel: Panel) -> None:
    side = np.sign(panel.frame().diff(10).fillna(0.0))
    side.iloc[-30:] = 0.0
    side.iloc[:, 0] = 0.0
    made = build_examples(panel, "meta_label", features=["own"], side=side, horizon=10)
    held = pd.Series(side.to_numpy().ravel() != 0, index=rows_of(panel))
    assert held[made.features.index].all()
    assert made.features.index.get_level_values("ts").max() <= panel.index[-31]
    assert panel.symbols[0] not in made.features.index.get_level_values("symbol")
    rest = build_examples(panel, "direction", features=["own"]).features
    assert made.features.index.equals(rest.index[held[rest.index]])


def test_bad_input_is_refused(panel: Panel, examples: Examples, volatility: Examples) -> None:
    with pytest.raises(DataError, match="Logistic regression does classification only"):
        evaluate(volatility, "logistic")
    with pytest.raises(DataError, match="has no parameter 'c' to set"):
        evaluate(examples, "logistic", params={"c": 1.0})
    with pytest.raises(DataError, match="None of 200 sessions has every feature and a label: features need up to 251"):
        build_examples(panel.tail(200))
    empty = FeatureGroup("empty", "", "", lambda p: pd.DataFrame(index=examples.features.index[:0]), {}, 0)
    with pytest.raises(DataError, match="has every feature"):
        build_examples(panel, features=[empty])
