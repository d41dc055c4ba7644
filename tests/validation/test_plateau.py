"""Plateaus and peaks, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.errors import DataError
from quantlib.validation import plateau

WAVE = np.tile([0.01, -0.01], 50)


def returns_of(sharpes: list[float]) -> pd.DataFrame:
    """Return two hundred sessions whose Sharpe ratios per session are these, by variant."""
    spread = WAVE.std(ddof=1)
    return pd.DataFrame({k: WAVE + ratio * spread for k, ratio in enumerate(sharpes)})


def test_the_share_of_neighbours_is_counted_among_what_is_near() -> None:
    #          own, near and good, near and half, near and poor, far and poor, other kind
    sharpes = [0.2, 0.3, 0.1, 0.09, -0.5, 0.0]
    parameters = pd.DataFrame(
        {"n": [100, 50, 200, 150, 250, 100], "way": ["up", "up", "up", "up", "up", "down"], "level": [None] * 6},
        dtype=object,
    )
    found = plateau(returns_of(sharpes), parameters, 0)
    assert found.table["near"].tolist() == [True, True, True, True, False, False]
    assert found.sharpe == pytest.approx(0.2)
    assert found.neighbours.to_numpy() == pytest.approx([0.3, 0.1, 0.09])
    assert found.share == pytest.approx(2 / 3)
    assert found.rank == 2


def test_a_peak_and_a_plateau() -> None:
    values = np.arange(80, 125, 5)
    parameters = pd.DataFrame({"n": values})
    peak = plateau(returns_of([0.3 if n == 100 else 0.01 for n in values]), parameters, 4)
    flat = plateau(returns_of([0.3 - abs(n - 100) / 1000 for n in values]), parameters, 4)
    assert (peak.share, flat.share) == (0.0, 1.0)
    assert peak.rank == flat.rank == 1


def test_no_height_has_no_plateau() -> None:
    found = plateau(returns_of([-0.1, -0.2, -0.1]), pd.DataFrame({"n": [3, 4, 5]}), 1)
    assert np.isnan(found.share)
    assert np.isnan(plateau(returns_of([0.1]), pd.DataFrame({"n": [3]}), 0).share)
    # A neighbour that never trades has earned nothing.
    still = returns_of([0.1, 0.1])
    still[1] = 0.0
    assert plateau(still, pd.DataFrame({"n": [3, 4]}), 0).share == 0.0


def test_the_map_averages_the_other_parameters() -> None:
    parameters = pd.DataFrame({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2], "c": [5, 5, 5, 5]})
    found = plateau(returns_of([0.1, 0.2, 0.3, 0.5]), parameters, 0)
    table = found.map("a", "b")
    assert table.to_numpy() == pytest.approx(np.array([[0.1, 0.2], [0.3, 0.5]]))
    assert found.map("a", "c").to_numpy().ravel() == pytest.approx([0.15, 0.4])
    with pytest.raises(DataError, match="no parameter 'd'"):
        found.map("a", "d")


def test_what_is_missing_is_said() -> None:
    returns, parameters = returns_of([0.1, 0.2]), pd.DataFrame({"n": [1, 2]})
    with pytest.raises(DataError, match="7 is not among the 2 variants"):
        plateau(returns, parameters, 7)
    with pytest.raises(DataError, match="no parameters of variant 1"):
        plateau(returns, parameters.iloc[:1], 0)
