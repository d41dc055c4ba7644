from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.types import FloatArray
from quantlib.validation.overfitting import probability_of_backtest_overfitting


def noise(sessions: int, variants: int, seed: int = 0) -> FloatArray:
    return 0.01 * np.random.default_rng(seed).standard_normal((sessions, variants))


def by_loop(returns: FloatArray, blocks: int) -> pd.DataFrame:
    """Return every choice as the paper describes it, one at a time."""
    sessions, variants = returns.shape
    parts = [returns[sessions * k // blocks : sessions * (k + 1) // blocks] for k in range(blocks)]
    rows = []
    for taken in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in taken])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in taken])
        one, other = ([np.mean(v) / np.std(v, ddof=1) for v in half.T] for half in (inside, outside))
        best = int(np.argmax(one))
        rank = stats.rankdata(other)[best] / (variants + 1)
        rows.append((one[best], other[best], math.log(rank / (1 - rank))))
    return pd.DataFrame(rows, columns=["inside", "outside", "logit"]).sort_values("inside", ignore_index=True)


@pytest.mark.parametrize(("sessions", "variants", "blocks"), [(60, 4, 6), (67, 7, 8), (41, 2, 4), (25, 3, 2)])
def test_same_as_the_loop_over_combinations(sessions: int, variants: int, blocks: int) -> None:
    returns = noise(sessions, variants, seed=sessions) + np.linspace(0.0, 0.004, variants)
    expected = by_loop(returns, blocks)
    found = probability_of_backtest_overfitting(pd.DataFrame(returns), blocks=blocks)
    order = np.argsort(found.inside)
    assert len(found.logits) == math.comb(blocks, blocks // 2)
    assert found.inside[order] == pytest.approx(expected["inside"].to_numpy())
    assert found.outside[order] == pytest.approx(expected["outside"].to_numpy())
    assert found.logits[order] == pytest.approx(expected["logit"].to_numpy())
    assert found.probability == (expected["logit"] <= 0).mean()
    assert found.loss == (expected["outside"] < 0).mean()
    line = stats.linregress(expected["inside"], expected["outside"])
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept))


def test_parts_of_the_work_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = pd.DataFrame(noise(200, 30))
    whole = probability_of_backtest_overfitting(variants, blocks=10)
    monkeypatch.setattr("quantlib.validation.overfitting._AT_ONCE", 30 * 7)
    parts = probability_of_backtest_overfitting(variants, blocks=10)
    assert np.sort(parts.logits) == pytest.approx(np.sort(whole.logits))
    assert parts.probability == whole.probability


def test_noise_is_a_half_on_average() -> None:
    found = [probability_of_backtest_overfitting(pd.DataFrame(noise(240, 10, s)), blocks=8) for s in range(80)]
    probabilities = np.array([f.probability for f in found])
    assert probabilities.mean() == pytest.approx(0.5, abs=3.5 * probabilities.std() / 80**0.5)
    assert probabilities.std() > 0.15  # why one search without an edge may well be below a half
    assert np.mean([f.slope for f in found]) < 0.0


def test_a_variant_that_is_always_best_is_never_overfitted() -> None:
    returns = noise(500, 20)
    returns[:, 7] += 0.02
    found = probability_of_backtest_overfitting(pd.DataFrame(returns))
    assert found.probability == found.loss == 0.0
    assert len(found.logits) == 12870
    assert found.logits == pytest.approx(np.full(12870, math.log(20 / 1)))


def test_variants_that_win_where_they_were_not_chosen_are_always_overfitted() -> None:
    """Each earns in a block of its own and loses in all others: whatever was best has had its day."""
    returns = noise(400, 8) - 0.01
    for k in range(8):
        returns[50 * k : 50 * (k + 1), k] += 0.2
    found = probability_of_backtest_overfitting(pd.DataFrame(returns), blocks=8)
    assert found.probability == found.loss == 1.0


def test_equal_variants_leave_nothing_to_choose() -> None:
    returns = np.repeat(noise(100, 1), 4, axis=1)
    found = probability_of_backtest_overfitting(pd.DataFrame(returns), blocks=4)
    assert found.logits == pytest.approx(np.zeros(6))
    assert found.probability == 1.0


def test_flat_variants_and_large_levels() -> None:
    returns = noise(100, 3)
    returns[:, 0] = 0.0
    frame = pd.DataFrame(returns)
    frame.iloc[:30, 0] = np.nan
    found = probability_of_backtest_overfitting(frame, blocks=4)
    assert np.isfinite([found.probability, *found.inside, *found.outside]).all()
    # A mean far above the spread does not cost digits.
    shifted = probability_of_backtest_overfitting(pd.DataFrame(1e-6 * noise(100, 3, 1) + 100.0), blocks=4)
    assert shifted.inside[0] == pytest.approx(1e10, rel=0.3)
    still = probability_of_backtest_overfitting(pd.DataFrame(np.zeros((100, 3))), blocks=4)
    assert math.isnan(still.slope)
    assert still.probability == 1.0


@pytest.mark.parametrize(
    ("shape", "blocks", "says"),
    [
        ((100, 1), 4, "nothing to choose among"),
        ((100, 3), 5, "blocks is 5"),
        ((100, 3), 0, "blocks is 0"),
        ((100, 3), 22, "blocks is 22"),
        ((31, 3), 16, "31 sessions are too few"),
    ],
)
def test_refusals_say_what_is_accepted(shape: tuple[int, int], blocks: int, says: str) -> None:
    with pytest.raises(DataError, match=says):
        probability_of_backtest_overfitting(pd.DataFrame(noise(*shape)), blocks=blocks)
