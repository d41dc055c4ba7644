"""Selection among variants whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.validation import select_forward, select_on_paths


def noise(seed: int, sessions: int = 2000, variants: int = 30) -> pd.DataFrame:
    days = pd.bdate_range("2010-01-01", periods=sessions)
    return pd.DataFrame(np.random.default_rng(seed).normal(0.0, 0.01, (sessions, variants)), index=days)


def sharpe(returns: pd.Series) -> float:
    return float(returns.mean() / returns.std())


@pytest.mark.parametrize("anchored", [True, False])
def test_each_step_holds_the_best_of_its_own_past(anchored: bool) -> None:
    variants = noise(1, 1000, 6)
    found = select_forward(variants, train=300, test=200, anchored=anchored)
    assert len(found.steps) == 4  # the last is 100 sessions short
    pieces = []
    for begin, step in zip(range(300, 1000, 200), found.steps.itertuples(), strict=True):
        past = variants.iloc[0 if anchored else begin - 300 : begin]
        own, later = past.apply(sharpe), variants.iloc[begin : begin + 200]
        assert step.chosen == own.idxmax()
        assert step.in_sample == pytest.approx(own.max())
        assert step.out_of_sample == pytest.approx(sharpe(later[step.chosen]))
        assert step.rank == pytest.approx((later.apply(sharpe) <= step.out_of_sample + 1e-12).mean())
        assert (step.begin, step.end) == (later.index[0], later.index[-1])
        pieces.append(later[step.chosen])
    pd.testing.assert_series_equal(found.returns, pd.concat(pieces), check_names=False, check_freq=False)
    assert found.sharpe == pytest.approx(sharpe(found.returns))
    assert found.kept == pytest.approx(found.sharpe / found.steps["in_sample"].mean())


def test_paths_hold_the_best_of_what_is_not_tested() -> None:
    variants = noise(2, 600, 5)
    found = select_on_paths(variants, folds=6, test_folds=2, embargo=0)
    assert found.returns.shape == (600, 5)  # C(5, 1) paths
    assert not found.returns.isna().any(axis=None)
    assert len(found.splits) == 15
    # The first split tests the first two folds, and makes the beginning of the first path.
    best = variants.iloc[200:].apply(sharpe)
    assert found.splits["chosen"].iloc[0] == best.idxmax()
    assert found.splits["in_sample"].iloc[0] == pytest.approx(best.max())
    tested = sharpe(variants.iloc[:200][best.idxmax()])
    assert found.splits["out_of_sample"].iloc[0] == pytest.approx(tested)
    assert np.array_equal(found.returns.iloc[:200, 0], variants.iloc[:200][best.idxmax()])
    assert found.sharpes == pytest.approx(found.returns.apply(sharpe).to_numpy())


def test_an_embargo_is_not_looked_at() -> None:
    variants = noise(3, 300, 3)
    spiked = variants.copy()
    spiked.iloc[200:203, 2] = 0.5  # just behind the test of folds 1 and 2
    usual, kept, left = (
        select_on_paths(frame, folds=3, test_folds=2, embargo=embargo).splits["chosen"].iloc[0]
        for frame, embargo in ((variants, 0), (spiked, 0), (spiked, 3))
    )
    assert kept == 2
    assert left == variants.iloc[203:].apply(sharpe).idxmax()
    assert usual == variants.iloc[200:].apply(sharpe).idxmax()


def test_a_planted_good_variant_is_chosen_and_earns() -> None:
    variants = noise(4)
    variants[17] += 0.0015
    forward = select_forward(variants, train=500, test=100)
    assert (forward.steps["chosen"] == 17).all()
    assert forward.sharpe > 0.08
    paths = select_on_paths(variants)
    assert (paths.splits["chosen"] == 17).all()
    assert paths.positive == 1.0
    # One variant wherever it is tested: every path is its whole history.
    assert paths.sharpes == pytest.approx(sharpe(variants[17]))


def test_choosing_among_noise_earns_nothing_out_of_sample() -> None:
    """Over twenty searches the mean is within three of its errors of zero, while in sample it looks like much."""
    n, sessions = 20, 1000
    ran = [select_forward(noise(100 + k, sessions), train=400, test=100) for k in range(n)]
    error = 1.0 / np.sqrt(n * (sessions - 400))
    assert abs(np.mean([one.sharpe for one in ran])) < 3 * error
    assert np.mean([one.steps["in_sample"].mean() for one in ran]) > 8 * error
    # The paths' mean is a little below zero: what was lucky outside the test makes the test unlucky, in one record.
    paths = [select_on_paths(noise(200 + k, sessions), folds=6) for k in range(8)]
    assert np.mean([one.sharpes.mean() for one in paths]) < 2 / np.sqrt(8 * sessions)


def test_unknown_before_the_first_session_is_flat_and_a_flat_one_is_never_best() -> None:
    variants = noise(5, 400, 3)
    late = variants.copy()
    late.iloc[:250, 0] = np.nan
    flat = variants.copy()
    flat.iloc[:250, 0] = 0.0
    pd.testing.assert_frame_equal(
        select_forward(late, train=200, test=50).steps, select_forward(flat, train=200, test=50).steps
    )
    assert (select_forward(late, train=200, test=50).steps["chosen"].iloc[:1] != 0).all()
    nothing = pd.DataFrame(0.0, index=variants.index, columns=[0, 1])
    assert np.isnan(select_forward(nothing, train=200, test=50).sharpe)
    assert np.isnan(select_on_paths(nothing).sharpes).all()
    assert select_on_paths(nothing).positive == 0.0


def test_what_cannot_be_chosen_among_is_refused() -> None:
    gap = noise(6, 300, 2)
    gap.iloc[150, 1] = np.nan
    with pytest.raises(DataError, match="variant 1 is nan at"):
        select_forward(gap, train=100, test=50)
    with pytest.raises(DataError, match="a variant or more"):
        select_on_paths(noise(6, 300, 2).iloc[:, :0])
    with pytest.raises(DataError, match="100 rows end before the first test"):
        select_forward(noise(6, 100, 2))
