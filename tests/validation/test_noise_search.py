from __future__ import annotations

import numpy as np
import pytest

from benchmarks.noise_search import EDGE, YEAR, judge, random_signal, search


@pytest.mark.parametrize("alike", [0.0, 0.7])
def test_the_best_of_many_without_an_edge_is_luck(alike: float) -> None:
    found = [judge(search(s, variants=100, alike=alike), deep=False) for s in range(8)]
    assert sum(f.dsr > 0.95 for f in found) == 0
    # ... and would pass where the trials are not counted.
    assert np.mean([f.psr > 0.95 for f in found]) > (0.9 if alike == 0.0 else 0.4)
    # What luck is said to make is what it made.
    assert np.mean([f.luck for f in found]) == pytest.approx(np.mean([f.best for f in found]), rel=0.3)


@pytest.mark.parametrize("edges", [1, 10])
def test_an_edge_among_many_variants_stands(edges: int) -> None:
    found = [judge(search(s, variants=100, edges=edges), deep=False) for s in range(8)]
    assert sum(f.dsr > 0.95 for f in found) >= 7
    assert np.mean([f.best for f in found]) == pytest.approx(1.6, abs=0.25)


def test_the_other_rules_on_one_search_of_each_kind() -> None:
    noise, edge = (judge(search(3, variants=50, edges=edges), deep=True) for edges in (0, 1))
    assert noise.spa > 0.05 > edge.spa
    assert noise.white > 0.05 > edge.white
    assert edge.pbo < 0.05


def test_searches_are_what_they_say() -> None:
    returns = search(1, variants=400, edges=2)
    ratios = returns.mean() / returns.std()
    assert returns.std().mean() * YEAR**0.5 == pytest.approx(0.1, rel=0.1)
    assert 4.5 < returns.kurtosis().median() + 3 < 8.0
    assert ratios[2:].std() * len(returns) ** 0.5 == pytest.approx(1.0, rel=0.15)
    assert ratios[:2].to_numpy() == pytest.approx(EDGE, abs=0.05)
    signal = random_signal(np.random.default_rng(1), (4000, 20), side=-1)
    assert set(np.unique(signal)) == {-0.05, 0.05}
    assert np.mean(np.diff(signal, axis=0) != 0) == pytest.approx(0.5 / 21, rel=0.1)
