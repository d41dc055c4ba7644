"""What is left out before a test says nothing of how its labels turned out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.ml import Examples, FeatureGroup, build_examples, build_features
from quantlib.ml.schemes import CombinatorialPurged, PurgedKFold, Scheme, WalkForward, overlapping
from quantlib.types import Panel

QUICK = FeatureGroup("short", "", "", lambda panel: build_features(panel, ["own"])[["return_1"]], {}, 6)
HORIZON = 21
SCHEMES = [WalkForward(train=200, test=60), PurgedKFold(4, embargo=0), CombinatorialPurged(5, 2, embargo=0)]


def panel(gaps: int = 0) -> Panel:
    """Return two symbols that move at random; the second has no price on some of the sessions."""
    rng = np.random.default_rng(1)
    close = 100 * np.exp((0.01 * rng.standard_normal((500, 2))).cumsum(axis=0))
    close[rng.choice(500, gaps, replace=False), 1] = np.nan
    return Panel.from_frames(pd.DataFrame(close, pd.bdate_range("2018-01-01", periods=500), ["A", "B"]))


def barriers(gaps: int = 0) -> Examples:
    return build_examples(panel(gaps), "triple_barrier", features=[QUICK], horizon=HORIZON, width=0.7).known


def last_known(examples: Examples, prices: Panel) -> pd.Series:
    """Return, found by hand, the session at which each row's horizon is over on the symbol's own sessions."""
    own = {symbol: prices.frame()[symbol].dropna().index for symbol in prices.symbols}
    ends = [own[symbol][own[symbol].get_loc(ts) + examples.horizon] for ts, symbol in examples.features.index]
    return pd.Series(ends, examples.features.index)


@pytest.mark.parametrize("gaps", [0, 60])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_no_row_is_learned_from_whose_horizon_reaches_the_test(scheme: Scheme, gaps: int) -> None:
    examples = barriers(gaps)
    ends = last_known(examples, panel(gaps)).to_numpy()
    begins = examples.features.index.get_level_values("ts").to_numpy()
    early = (examples.labels["label_end"].to_numpy() < ends).mean()
    assert early > 0.5, "most meet a barrier before the horizon, so a purge by that keeps some of each day"
    folds = scheme.folds(examples.settled)
    assert overlapping(examples.settled, folds) == 0
    for fold in folds:
        for test in fold.tests:
            first = begins[test].min()
            assert (ends[fold.train][begins[fold.train] < first] < first).all()
    by_their_own = scheme.folds(examples.labels["label_end"])
    assert sum(len(fold.train) for fold in by_their_own) > sum(len(fold.train) for fold in folds)


def test_what_is_learned_from_before_a_test_meets_barriers_as_soon_as_all_do() -> None:
    """By the labels' own ends those of the last horizon would all be quick ones."""
    examples = barriers()
    quick = (examples.labels["label_end"] < last_known(examples, panel())).to_numpy()
    begins = examples.features.index.get_level_values("ts").to_numpy()

    def before_tests(ends: pd.Series, reach: int) -> np.ndarray:
        sessions, kept = np.unique(begins), []
        for fold in WalkForward(train=200, test=25).folds(ends):
            first = np.searchsorted(sessions, begins[fold.tests[0]].min())
            kept.append(fold.train[begins[fold.train] >= sessions[first - reach]])
        return quick[np.concatenate(kept)]

    assert before_tests(examples.settled, 3 * HORIZON).mean() == pytest.approx(quick.mean(), abs=0.1)
    assert len(before_tests(examples.settled, HORIZON)) == 0
    assert len(only := before_tests(examples.labels["label_end"], HORIZON)) > 100
    assert only.all()


def test_known_at_a_close_is_what_could_not_be_unknown() -> None:
    examples, prices = barriers(60), panel(60)
    close = prices.index[300]
    kept = examples.until(close).features.index
    assert kept.equals(examples.features.index[(last_known(examples, prices) <= close).to_numpy()])


@pytest.mark.parametrize("target", ["direction", "forward_return", "volatility", "regime"])
def test_labels_of_one_length_are_purged_by_their_ends(target: str) -> None:
    examples = build_examples(panel(60), target, features=[QUICK], horizon=5).known
    assert examples.settled.equals(examples.labels["label_end"])
    assert examples.settled.equals(last_known(examples, panel(60)).rename("label_end").astype("datetime64[us]"))
