from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.types import FloatArray, Panel
from quantlib.validation.sharpe import ReturnMoments, deflated_sharpe, expected_max_sharpe
from quantlib.validation.trials import Trials, align_curves, effective_trials, growth_curves
from quantlib.validation.verdict import luck_checks


def noise(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape)


def best_of(n: int) -> float:
    """Return the expected largest of n independent standard normal numbers, by its density."""
    density = stats.norm.pdf(x := np.linspace(-8, 8, 2001)) * n * stats.norm.cdf(x) ** (n - 1)
    return float((x * density).sum() / density.sum())


@pytest.mark.parametrize("buckets", [8, 24, 96])
@pytest.mark.parametrize("n", [10, 1000])
def test_independent_trials_count_as_many(n: int, buckets: int) -> None:
    found = effective_trials(noise(n, buckets, seed=n))
    assert found.n == n
    assert 0.9 * n <= found.effective <= n


def test_ten_thousand_trials_are_all_compared() -> None:
    half = noise(5000, 96)
    assert 4500 <= effective_trials(np.concatenate([half, half])).effective <= 5300


def test_copies_count_once() -> None:
    groups = noise(10, 96, seed=3)
    assert effective_trials(np.repeat(groups[:1], 1000, axis=0)).effective == pytest.approx(1.0, abs=1e-3)
    many = np.repeat(groups, 100, axis=0) * np.random.default_rng(1).uniform(0.1, 5.0, (1000, 1))  # leverage is nothing
    found = effective_trials(many).effective
    assert found == pytest.approx(10.0, rel=0.1)
    assert min(found, 10.0) == pytest.approx(effective_trials(groups).effective, rel=0.01)


@pytest.mark.parametrize("buckets", [5, 8, 96])
def test_few_buckets_do_not_limit_the_number(buckets: int) -> None:
    thrice = np.repeat(noise(400, buckets, seed=4), 3, axis=0)
    assert effective_trials(thrice).effective == pytest.approx(400.0, rel=0.08)


def test_a_trial_and_its_opposite_are_two() -> None:
    curve = noise(1, 96)
    assert effective_trials(np.concatenate([curve, -curve])).effective > 2.0 - 0.3


@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_equally_correlated_trials_have_the_best_that_they_should(rho: float) -> None:
    """The best of n with one common part of variance rho is sqrt(1 - rho) as high as that of n independent ones."""
    found = [
        effective_trials(rho**0.5 * noise(96, seed=s) + (1 - rho) ** 0.5 * noise(500, 96, seed=100 + s)).effective
        for s in range(5)
    ]
    counts = np.arange(1, 81)
    heights = [best_of(n) for n in counts]
    assert np.mean(found) == pytest.approx(np.interp((1 - rho) ** 0.5 * best_of(500), heights, counts), rel=0.25)


def test_a_sweep_of_neighbouring_averages_is_few(stocks: Panel) -> None:
    closes = stocks.frame("close")["AAPL"].iloc[-2521:]
    moves = closes.pct_change().to_numpy()[1:]
    averages = {n: closes.rolling(n).mean().to_numpy()[:-1] for n in [*range(40, 65), *range(150, 190)]}
    sets = [(averages[f] > averages[s]) * moves for f in range(40, 65) for s in range(150, 190)]
    variants = pd.DataFrame(np.array(sets).T)
    assert variants.shape[1] == 1000
    found = effective_trials(growth_curves(variants))
    assert 1.0 < found.effective < 5.0
    # The buckets tell what finer ones do.
    finer = effective_trials(growth_curves(variants.iloc[:, ::10], buckets=500))
    assert effective_trials(growth_curves(variants.iloc[:, ::10])).effective == pytest.approx(finer.effective, rel=0.3)


def test_hurdle_is_the_mean_best_of_repeated_searches() -> None:
    """Three families, tight, loose and unlike: what one search says luck makes is what 200 searches made."""
    rng = np.random.default_rng(8)
    best, said = [], []
    for _ in range(200):
        common = rng.standard_normal((480, 3))
        parts = [
            rho**0.5 * common[:, [k]] + (1 - rho) ** 0.5 * rng.standard_normal((480, 30))
            for k, rho in enumerate((0.95, 0.5, 0.0))
        ]
        returns = np.concatenate(parts, axis=1)
        sharpes = returns.mean(axis=0) / returns.std(axis=0)
        best.append(sharpes.max())
        if len(said) < 10:
            trials = effective_trials(growth_curves(pd.DataFrame(returns * 0.01)), sharpes)
            said.append(expected_max_sharpe(trials.effective, max(trials.variance, 1 / 480)))
    assert np.mean(said) == pytest.approx(np.mean(best), rel=0.1)


def test_unknown_trials_count_each_and_flat_ones_not_at_all() -> None:
    curves = noise(50, 96)
    unknown, flat = np.full((50, 96), np.nan), np.zeros((50, 96))
    assert effective_trials(np.concatenate([curves, unknown])).effective == pytest.approx(100, rel=0.1)
    assert effective_trials(unknown).effective == pytest.approx(50, rel=0.1)
    assert effective_trials(np.concatenate([curves, flat])).effective == effective_trials(curves).effective
    assert effective_trials(flat, np.zeros(50)).effective == 1.0
    assert math.isnan(effective_trials(flat, np.zeros(50)).variance)


def test_variance_is_that_of_chance_where_there_is_only_chance() -> None:
    found = [effective_trials(noise(1000, 96, seed=s), 0.02 * noise(1000, seed=50 + s)).variance for s in range(5)]
    assert np.mean(found) == pytest.approx(0.02**2, rel=0.05)
    assert math.isnan(effective_trials(noise(5, 96)).variance)
    assert math.isnan(effective_trials(noise(5, 96), [0.1, *[np.nan] * 4]).variance)


def test_neighbours_of_an_edge_are_one_idea_and_what_costs_killed_is_not_luck() -> None:
    curves, sharpes = noise(1000, 96), 0.015 * noise(1000, seed=1)
    plain = effective_trials(curves, sharpes).variance
    near = curves.copy()
    near[:100] = 0.95**0.5 * noise(96, seed=2) + 0.05**0.5 * noise(100, 96, seed=3)
    edge = np.where(np.arange(1000) < 100, 0.1, sharpes)
    assert effective_trials(near, edge).variance < 1.2 * plain
    assert np.var(edge) > 4 * plain
    killed = np.where(np.arange(1000) < 300, -0.2, sharpes)
    assert effective_trials(curves, killed).variance < 2 * plain
    assert np.var(killed) > 30 * plain


def test_variance_by_its_definition() -> None:
    curves = np.concatenate([noise(1, 12, seed=5) + 0.3 * noise(6, 12, seed=6), noise(5, 12, seed=7)])
    sharpes = noise(11, seed=8)
    squares = np.corrcoef(curves) ** 2
    weights = []
    for i in range(11):
        others = sum((squares[i, j] - 1 / 11) / (1 - 1 / 11) for j in range(11) if j != i)
        weights.append(1 / max(1 + others, 1))
    order = np.argsort(sharpes)
    share = np.array(weights)[order] / sum(weights)
    middle = np.interp(0.5, np.cumsum(share) - share / 2, sharpes[order])
    expected = 2 * sum(w * max(s - middle, 0) ** 2 for w, s in zip(share, sharpes[order], strict=True))
    assert effective_trials(curves, sharpes).variance == pytest.approx(expected)


def test_curves_add_up_to_the_growth() -> None:
    variants = pd.DataFrame(0.01 * noise(1003, 3))
    variants.iloc[:400, 1] = np.nan
    curves = growth_curves(variants)
    assert curves.shape == (3, 96)
    assert curves.sum(axis=1) == pytest.approx(np.log1p(variants.fillna(0.0)).sum().to_numpy())
    assert (curves[1, :30] == 0.0).all()
    assert growth_curves(variants.iloc[:10]).shape == (3, 10)
    assert np.isfinite(growth_curves(pd.DataFrame({"ruined": [0.1, -1.0, 0.0, 0.0]}))).all()


def test_curves_of_other_spans_meet_on_the_same_dates() -> None:
    days = pd.date_range("2010-01-01", "2019-12-29", freq="D")
    variants = pd.DataFrame(0.01 * noise(len(days), 3), index=days)
    whole = growth_curves(variants)
    part = growth_curves(variants.iloc[365:])
    first, last = [days[0]] * 3 + [days[365]] * 3, [days[-1]] * 6
    curves = align_curves([*whole, *part], first, last)
    assert curves[:3] == pytest.approx(whole, abs=0.02)
    assert curves.sum(axis=1) == pytest.approx([*whole.sum(axis=1), *part.sum(axis=1)])
    assert (curves[3:, :9] == 0.0).all()
    # Tried again without its first year a strategy is nearly the same trial; side by side the curves do not show it.
    assert effective_trials([*whole, *part], first=first, last=last).effective < 4.5
    assert effective_trials(np.concatenate([whole, part])).effective > 5.0
    assert np.isnan(align_curves([whole[0], []], first[:2], last[:2])[1]).all()


TODAY = pd.Timestamp("2022-12-30")


def ago(years: float) -> pd.Timestamp:
    return TODAY - pd.Timedelta(days=round(365.25 * years))


def spans(*groups: tuple[int, float, float]) -> dict[str, list[pd.Timestamp]]:
    """Return first and last of groups of trials: how many, and how many years ago they begin and end."""
    return {"first": [ago(begin) for n, begin, _ in groups for _ in range(n)],
            "last": [ago(end) for n, _, end in groups for _ in range(n)]}  # fmt: skip


@pytest.mark.parametrize("years", [0.5, 1, 5, 10, 29])
def test_one_long_trial_does_not_make_short_ones_alike(years: float) -> None:
    found = effective_trials(noise(1001, 96, seed=1), **spans((1000, years, 0), (1, 30, 0)))
    assert 900 <= found.effective <= 1001


@pytest.mark.parametrize(
    "groups",
    [[(300, 10, 0), (300, 15, 5)], [(120, k + 1, k) for k in range(5)], [(200, 30, 0), (200, 3, 0), (200, 1, 0)]],
)
def test_independent_trials_count_as_many_whatever_their_spans(groups: list[tuple[int, float, float]]) -> None:
    assert effective_trials(noise(600, 96, seed=2), **spans(*groups)).effective == pytest.approx(600, rel=0.1)


def test_every_trial_may_have_a_span_of_its_own() -> None:
    rng = np.random.default_rng(5)
    groups = [(1, end + years, end) for end, years in rng.uniform([0, 1], [20, 10], (200, 2))]
    assert effective_trials(noise(200, 96), **spans(*groups)).effective == pytest.approx(200, rel=0.1)


def test_a_sweep_of_ten_thousand_beside_one_long_trial() -> None:
    half = noise(5000, 96)
    curves = np.concatenate([half, half, noise(1, 96, seed=1)])
    assert 4400 <= effective_trials(curves, **spans((10_000, 1, 0), (1, 30, 0))).effective <= 5400
    same = np.concatenate([np.repeat(half[:1], 10_000, axis=0), noise(1, 96, seed=1)])
    assert effective_trials(same, **spans((10_000, 1, 0), (1, 30, 0))).effective == pytest.approx(2.0, rel=0.05)


def test_spans_and_trials_that_say_nothing_new() -> None:
    """One span for all is no span, and the same numbers come out; a day's trials have a day."""
    curves, ratios = noise(300, 96), noise(300, seed=1)
    bare = effective_trials(curves, ratios)
    spanned = effective_trials(curves, ratios, sessions=np.full(300, 2520), **spans((300, 10, 0)))
    assert (spanned.effective, spanned.variance) == pytest.approx((bare.effective, bare.variance), rel=1e-4)
    assert spanned.variance_over(2520) == spanned.variance
    assert bare.variance_over(17) == bare.variance
    assert effective_trials(curves, **spans((300, 1, 1))).effective == pytest.approx(bare.effective, rel=1e-4)


def test_strategies_tried_again_are_nearly_the_trials_they_were() -> None:
    days = pd.date_range(ago(30), TODAY, freq="D")
    returns = pd.DataFrame(0.01 * noise(len(days), 50), index=days)

    def tried(*when: tuple[float, float]) -> float:
        curves = [curve for begin, end in when for curve in growth_curves(returns.loc[ago(begin) : ago(end)])]
        return effective_trials(curves, **spans(*((50, begin, end) for begin, end in when))).effective

    assert tried((10, 0)) == pytest.approx(50, rel=0.05)
    assert 50 < tried((10, 1 / 12), (10, 0)) < 77
    assert 50 < tried((10 + 1 / 12, 1 / 12), (10, 0)) < 77
    assert tried(*((10, k / 12) for k in range(12))) < 190
    assert tried((10, 0), (15, 5)) > 85, "half of what they saw was another time"


def test_the_best_of_spans_that_overlap_is_that_of_repeated_searches() -> None:
    """Rules over ten years and their last five, and others over one: t-statistics of 150 searches made by hand."""
    rng = np.random.default_rng(4)
    days = pd.date_range(ago(10), TODAY, periods=2520)
    best, said = [], []
    for _ in range(150):
        common = rng.standard_normal((2520, 1))
        long = 0.9**0.5 * common + 0.1**0.5 * rng.standard_normal((2520, 40))
        tables = [long, long[1260:], rng.standard_normal((252, 60))]
        best.append(max(float((t.mean(axis=0) / t.std(axis=0)).max()) * len(t) ** 0.5 for t in tables))
        if len(said) < 6:
            curves = [curve for t in tables for curve in growth_curves(pd.DataFrame(0.01 * t))]
            first = [days[-len(t)] for t in tables for _ in t.T]
            last = [days[-1]] * len(first)
            said.append(expected_max_sharpe(effective_trials(curves, first=first, last=last).effective))
    assert np.mean(said) == pytest.approx(np.mean(best), rel=0.06)


def test_luck_spreads_short_records_further() -> None:
    """Chance alone has a variance of one over the sessions, however long the others are; copies change nothing."""
    ratios = np.concatenate([noise(1000, seed=2) / 251**0.5, noise(1000, seed=3) / 2519**0.5])
    lengths = np.repeat([252.0, 2520.0], 1000)
    curves, apart = noise(2000, 96), spans((1000, 1, 0), (1000, 10, 0))
    found = effective_trials(curves, ratios, sessions=lengths, **apart)
    assert found.variance_over(252) == pytest.approx(1 / 251, rel=0.1)
    assert found.variance_over(2520) == pytest.approx(1 / 2519, rel=0.1)
    # A thousand copies of one lucky short trial are one trial.
    lucky = effective_trials(
        np.concatenate([curves, np.repeat(curves[:1], 1000, axis=0)]),
        np.concatenate([ratios, np.full(1000, 4 / 251**0.5)]),
        sessions=np.concatenate([lengths, np.full(1000, 252.0)]),
        **spans((1000, 1, 0), (1000, 10, 0), (1000, 1, 0)),
    )
    assert lucky.variance_over(252) == pytest.approx(1 / 251, rel=0.15)
    unknown = effective_trials(curves, ratios, sessions=np.full(2000, np.nan), **apart)
    assert math.isnan(unknown.variance_over(252))


def test_a_record_is_judged_by_luck_over_its_own_length() -> None:
    """Ten years are not held to the luck of trials of one year, whose Sharpe ratios chance spreads ten times as far."""
    record = ReturnMoments(n=2520, mean=0.09, sd=1.0, skew=0.0, kurtosis=3.0)
    told = {
        check.key: check for check in luck_checks(record, Trials(500, 500.0, variance=1 / 251, sessions=252.0), 252)
    }
    assert told["dsr"].value == pytest.approx(deflated_sharpe(record, n_trials=500, variance=1 / 2519))
    assert told["dsr"].value > 0.9
    assert deflated_sharpe(record, n_trials=500, variance=1 / 251) < 0.1


def test_neighbours_of_other_spans_are_weighed_as_one_idea() -> None:
    """Forty copies of a course, half of them until a day before, are one idea among forty others."""
    common = noise(96, seed=4)
    curves = np.concatenate([np.repeat(common[None], 40, axis=0), noise(40, 96, seed=5)])
    ratios = np.concatenate([np.full(40, 3.0), np.zeros(20), np.full(20, -0.1)])
    apart = spans((20, 10, 0), (20, 10, 1 / 365.25), (40, 5, 0))
    found = effective_trials(curves, ratios, **apart).variance
    # The one idea weighs 1, were it two it would weigh 2; the others 40, or less for what chance makes alike.
    assert 2 * 3.0**2 * 1 / 41 < found < 2 * 3.0**2 * 1 / 29 < 2 * 3.0**2 * 2 / 42


def test_what_is_too_short_or_unknown_is_unlike_all_others() -> None:
    curves = [*noise(50, 96), *[np.empty(0)] * 20, *[np.full(96, np.nan)] * 20, *noise(10, 2, seed=3)]
    found = effective_trials(curves, **spans((50, 10, 0), (40, 5, 0), (10, 1, 0)))
    assert (found.n, round(found.effective / 10)) == (100, 10)
    assert effective_trials([np.empty(0)] * 30, np.zeros(30), **spans((30, 1, 0))).effective == pytest.approx(
        30, rel=0.1
    )


def test_refusals() -> None:
    for bad in (np.zeros((0, 96)), np.zeros((5, 3)), np.zeros((2, 3, 4))):
        with pytest.raises(DataError, match="Curves came as"):
            effective_trials(bad)
    with pytest.raises(DataError, match="5 curves came with 4 first and 4 last"):
        effective_trials(noise(5, 96), **spans((4, 1, 0)))
    with pytest.raises(DataError, match="0 curves came"):
        effective_trials([], first=[], last=[])
    with pytest.raises(DataError, match="one a trial"):
        effective_trials(noise(5, 96), np.zeros(4))
    with pytest.raises(DataError, match="after its first session"):
        growth_curves(pd.DataFrame({"a": [np.nan, 0.1, np.nan]}))
    with pytest.raises(DataError, match="Variants came as"):
        growth_curves(pd.DataFrame({"a": []}))
