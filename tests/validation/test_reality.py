from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, StepM
from scipy import stats

from quantlib.errors import DataError
from quantlib.types import FloatArray
from quantlib.validation.reality import reality_check

SESSIONS, BLOCK, DRAWS = 250, 4, 400


def noise(variants: int = 12, sessions: int = SESSIONS, seed: int = 0) -> FloatArray:
    """Return returns of unlike volatility that share a part and lean on yesterday."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((sessions + 1, variants)) + 0.5 * rng.standard_normal((sessions + 1, 1))
    return 0.01 * (own[1:] + 0.3 * own[:-1]) * np.linspace(0.5, 2.0, variants)


def errors(values: FloatArray, seed: int) -> FloatArray:
    """Return the bootstrap's errors of the means, from the draws that arch makes with this seed."""
    still = SPA(np.zeros(len(values)), -values, block_size=BLOCK, reps=DRAWS, seed=seed)
    return np.array([d[0].mean(axis=0) for d, _ in still.bootstrap.bootstrap(DRAWS)]).std(axis=0)


def counted(p_value: float) -> float:
    """Return arch's share of resamples with the record itself among them."""
    return (1 + round(p_value * DRAWS)) / (1 + DRAWS)


@pytest.mark.parametrize("seed", range(6))
def test_same_as_arch_on_statistics_divided_by_their_errors(seed: int) -> None:
    values = noise(seed=seed) + np.linspace(-0.004, 0.0012, 12)
    found = reality_check(pd.DataFrame(values), block=BLOCK, draws=DRAWS, seed=seed, size=0.2)
    scaled, zero = values / errors(values, seed), np.zeros(SESSIONS)
    theirs = SPA(zero, -scaled, block_size=BLOCK, reps=DRAWS, seed=seed, nested=True)
    theirs.compute()
    ours = [found.lower, found.consistent, found.upper]
    assert ours == pytest.approx([counted(p) for p in theirs.pvalues])
    assert 0.002 < found.lower <= found.consistent <= found.upper
    step = StepM(zero, -scaled, size=0.2, block_size=BLOCK, reps=DRAWS, seed=seed, nested=True)
    step.compute()
    assert list(found.survivors) == step.superior_models
    white = SPA(zero, -values, block_size=BLOCK, reps=DRAWS, seed=seed)
    white.compute()
    assert found.white == pytest.approx(counted(white.pvalues["upper"]))


def by_hand(values: FloatArray, seed: int) -> tuple[float, float]:
    """Return White's and Hansen's (consistent) p-values from resamples drawn day by day."""
    rng = np.random.default_rng(1000 + seed)
    n = len(values)
    means = []
    for _ in range(DRAWS):
        days = [int(rng.integers(n))]
        while len(days) < n:
            days.append(int(rng.integers(n)) if rng.random() < 1 / BLOCK else (days[-1] + 1) % n)
        means.append(values[days].mean(axis=0))
    drawn, mean = np.array(means), values.mean(axis=0)
    error = drawn.std(axis=0)
    white = ((drawn - mean).max(axis=1) >= mean.max()).mean()
    kept = np.where(mean / error >= -np.sqrt(2 * np.log(np.log(n))), mean, 0.0)
    hansen = (((drawn - kept) / error).max(axis=1) >= (mean / error).max()).mean()
    return float(white), float(hansen)


@pytest.mark.parametrize("seed", range(3))
def test_same_as_a_bootstrap_by_hand(seed: int) -> None:
    values = noise(seed=10 + seed) + np.linspace(-0.004, 0.001, 12)
    found = reality_check(pd.DataFrame(values), block=BLOCK, draws=1000)
    for ours, theirs in zip((found.white, found.consistent), by_hand(values, seed), strict=True):
        error = (theirs * (1 - theirs) * (1 / DRAWS + 1 / 1000)) ** 0.5
        assert ours == pytest.approx(theirs, abs=4 * error)


def test_p_values_are_uniform_without_an_edge_and_hold_their_size() -> None:
    """Unlike volatilities and days that lean on each other: the tests refuse nearly as often as they say."""
    checks = [reality_check(pd.DataFrame(noise(5, 400, s)), draws=200, block=8.0, seed=s) for s in range(200)]
    for found in (np.array([c.consistent for c in checks]), np.array([c.white for c in checks])):
        for size in (0.05, 0.25, 0.5):
            low, high = stats.binom.ppf([0.001, 0.999], 200, [size, size + 0.03])  # errors are estimated a little low
            assert low <= (found <= size).sum() <= high
    assert sum(bool(c.survivors) for c in checks) <= stats.binom.ppf(0.999, 200, 0.08)


def test_an_edge_is_found_and_named() -> None:
    values = noise(40, 1000)
    values[:, [3, 17]] += 0.4 * values.std(axis=0)[[3, 17]]
    names = [f"v{k}" for k in range(40)]
    found = reality_check(pd.DataFrame(values, columns=names))
    assert found.survivors == ("v3", "v17")
    assert found.best in {"v3", "v17"}
    assert found.consistent == 1 / 1001
    assert 1.0 < found.block < 20.0


def test_poor_variants_hide_an_edge_from_white_but_not_from_hansen() -> None:
    values = noise(3, 1000, seed=4)
    values[:, 2] += 0.18 * values[:, 2].std()
    alone = reality_check(pd.DataFrame(values))
    poor = 10.0 * noise(60, 1000, seed=5) - 0.2
    found = reality_check(pd.DataFrame(np.concatenate([values, poor], axis=1)))
    assert alone.white < 0.02
    assert found.white > 0.5
    assert found.consistent < 0.02
    assert found.survivors == (2,)


def test_benchmark_is_taken_off() -> None:
    days = pd.bdate_range("2020-01-01", periods=SESSIONS)
    benchmark = pd.Series(0.001 + noise(1, seed=8)[:, 0], index=days)
    variants = pd.DataFrame(noise(seed=9), index=days)
    ahead = variants.add(benchmark, axis=0)
    assert reality_check(ahead, benchmark=benchmark, block=3.0) == reality_check(variants, block=3.0)
    assert reality_check(ahead, block=3.0) != reality_check(variants, block=3.0)


def test_flat_variants_change_nothing_and_the_seed_decides() -> None:
    frame = pd.DataFrame(noise())
    flat = frame.assign(flat=0.0)
    assert reality_check(flat, block=3.0) == reality_check(frame, block=3.0)
    assert reality_check(frame, block=3.0, seed=1) != reality_check(frame, block=3.0)
    late = frame.copy()
    late.iloc[:100, 0] = np.nan
    assert reality_check(late, block=3.0) == reality_check(late.fillna(0.0), block=3.0)


def test_refusals_say_what_is_accepted() -> None:
    frame = pd.DataFrame(noise())
    for call, says in (
        (lambda: reality_check(frame.iloc[:29]), "29 sessions"),
        (lambda: reality_check(frame, benchmark=frame[0].iloc[1:]), "different dates"),
        (lambda: reality_check(frame[[0]], benchmark=frame[0]), "nothing to test"),
        (lambda: reality_check(frame, size=0.0), "size is 0"),
        (lambda: reality_check(frame, draws=5), "draws 5"),
    ):
        with pytest.raises(DataError, match=says):
            call()
