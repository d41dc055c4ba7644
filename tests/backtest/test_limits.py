"""Caps on decisions: by whole groups, by the formula on the page, and without trades that are rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantlib.backtest import GroupTargets, run, run_groups
from quantlib.backtest.limits import capped, surely_within
from quantlib.risk import Limits
from quantlib.types import FloatArray, Panel


def rows(*weights: float) -> FloatArray:
    """Return one row's weights of a group [L, 1]."""
    return np.array(weights)[:, None]


def cut(limits: Limits, *groups: tuple[list[int], list[float]]) -> list[list[float]]:
    """Return one row of groups, given as (symbols, weights), within the limits."""
    columns = [np.array(symbols) for symbols, _ in groups]
    found = capped([rows(*weights) for _, weights in groups], columns, limits)
    return [weights[:, 0].tolist() for weights in found]


def test_one_symbols_weight_counts_over_all_groups_and_scales_whole_groups() -> None:
    limits = Limits(max_weight=0.5)
    # Symbol 0 is held at 1.0 over both groups: each group is halved, all its legs; the third group is left alone.
    found = cut(limits, ([0, 1], [0.6, -0.2]), ([2, 0], [0.1, 0.4]), ([3], [0.5]))
    assert found == [pytest.approx([0.3, -0.1]), pytest.approx([0.05, 0.2]), [0.5]]


def test_gross_and_net_scale_all_groups_alike() -> None:
    assert cut(Limits(max_gross=1.0), ([0], [1.5]), ([1], [-0.5])) == [pytest.approx([0.75]), pytest.approx([-0.25])]
    both = cut(Limits(max_gross=2.0, max_net=0.4), ([0, 1], [0.9, 0.5]), ([2], [-0.6]))
    assert both == [pytest.approx([0.45, 0.25]), pytest.approx([-0.3])]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 10_000),
    legs=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    weight=st.one_of(st.none(), st.floats(0.05, 0.7)),
    net=st.one_of(st.none(), st.floats(0.05, 0.7)),
)
def test_no_cap_is_ever_passed_and_ratios_within_a_group_stay(
    seed: int, legs: list[int], weight: float | None, net: float | None
) -> None:
    rng = np.random.default_rng(seed)
    limits = Limits(max_gross=0.7, max_net=net, max_weight=weight)
    groups = [rng.normal(0, 0.5, (n, 40)) * (rng.random((1, 40)) < 0.7) for n in legs]
    columns = [rng.permutation(4)[:n] for n in legs]
    found = capped(groups, columns, limits)
    held = np.zeros((4, 40))
    for given_, after, column in zip(groups, found, columns, strict=True):
        assert after.flags.c_contiguous, "or the kernel is compiled once more, which takes half a minute"
        np.add.at(held, column, np.abs(after))
        scale = np.abs(after).sum(axis=0) / np.where(given_.any(axis=0), np.abs(given_).sum(axis=0), 1.0)
        np.testing.assert_allclose(after, given_ * scale, atol=1e-11)
        assert (scale <= 1.0 + 1e-9).all()
    every = np.concatenate(found)
    assert np.abs(every).sum(axis=0).max() <= 0.7 + 1e-9
    assert weight is None or held.max() <= weight + 1e-9
    assert net is None or np.abs(every.sum(axis=0)).max() <= net + 1e-9
    for k, one in enumerate(groups):
        if surely_within(one[None], limits):
            alone = capped([one], [columns[k]], limits)[0]
            np.testing.assert_array_equal(alone, one)


def closes(n: int) -> Panel:
    """Return closes that move, of three symbols."""
    moves = 100.0 + (np.arange(n)[:, None] * [1, 2, 3]) % 7
    return Panel.from_frames(pd.DataFrame(moves, index=pd.bdate_range("2024-01-01", periods=n), columns=list("ABC")))


# The last two lie just where rounding to 12 decimals would split what belongs together.
@pytest.mark.parametrize("cap", [0.1, 0.29, 0.3, 1 / 3, 0.1000000000005, 0.2345678901235])
@pytest.mark.parametrize("kind", ["max_weight", "max_gross", "max_net"])
def test_weights_cut_to_the_same_cap_are_the_same_decision(kind: str, cap: float) -> None:
    panel, size = closes(400), np.random.default_rng(1).uniform(1.0, 9.0, 400)
    shape = np.array([0.35, 0.4, 0.25]) if kind != "max_weight" else np.array([0.9, 0.4, -0.7])
    targets = pd.DataFrame(np.outer(size, shape), index=panel.index, columns=list("ABC"))
    caps: dict[str, Any] = {"max_gross": 2.0, kind: cap}
    assert len(run(panel, targets, limits=Limits(**caps)).trades) == 3


def test_a_row_that_meets_the_cap_by_itself_and_one_cut_to_it_are_the_same() -> None:
    panel = closes(6)
    targets = pd.DataFrame({"A": [0.3, 0.5, 0.3, 0.30000001, 0.2, 0.2], "B": 0.0, "C": 0.0}, index=panel.index)
    result = run(panel, targets, limits=Limits(max_weight=0.3))
    assert result.targets["A"].tolist() == [0.3, 0.3, 0.3, 0.3, 0.2, 0.2]
    assert len(result.trades) == 2


def test_what_no_cap_touches_is_as_it_was_given_whatever_a_cap_does_elsewhere() -> None:
    # Differences of 1e-14 are the strategy's own affair: they must not depend on a cap that binds years later.
    weights = 0.2 + 1e-14 * np.arange(10)
    early = capped([weights[None, :].copy()], [np.array([0])], Limits(max_weight=0.5))[0]
    late = capped([np.append(weights, 0.9)[None, :]], [np.array([0])], Limits(max_weight=0.5))[0]
    np.testing.assert_array_equal(early[0], weights)
    np.testing.assert_array_equal(late[0, :10], weights)


def test_caps_over_groups_know_nothing_of_the_future() -> None:
    panel = closes(60)
    rng = np.random.default_rng(5)
    frames = [
        pd.DataFrame(np.repeat(rng.uniform(-1, 1, (20, 3)), 3, axis=0), index=panel.index, columns=list("ABC"))
        for _ in range(2)
    ]
    limits = Limits(max_gross=1.2, max_net=0.5, max_weight=0.4)

    def account(n: int) -> pd.Series:
        cut_panel = panel.until(panel.index[n - 1])
        return run_groups(
            cut_panel, [GroupTargets(str(k), f.head(n)) for k, f in enumerate(frames)], limits=limits
        ).equity

    whole = account(60)
    for n in (7, 22, 41):
        np.testing.assert_array_equal(account(n), whole.head(n))
