"""The rows of blocks, and the arithmetic of what follows from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from quantlib.simulators import blocks
from quantlib.simulators.blocks import Blocks, automatic_block, block_fields
from quantlib.simulators.streams import Streams
from quantlib.types import Panel


def law(**changes: object) -> Blocks:
    fields: dict[str, object] = {
        "length": 12,
        "starts": np.array([3, 9, 10]),
        "block": 4.0,
        "fixed": False,
        "wraps": False,
    }
    return Blocks(**(fields | changes))  # type: ignore[arg-type]


LAWS = [
    pytest.param(law(), id="geometric, to the end"),
    pytest.param(law(wraps=True), id="geometric, round"),
    pytest.param(law(fixed=True, block=3, starts=np.array([0, 4, 9])), id="fixed, to the end"),
    pytest.param(law(fixed=True, block=5, starts=np.arange(12), wraps=True), id="fixed, round"),
]


@pytest.mark.parametrize("blocks_", LAWS)
def test_rows_follow_on_within_a_block(blocks_: Blocks) -> None:
    rows, ages = blocks_.rows(Streams(7, 0, 50), 40)
    assert set(rows[ages == 0]) <= set(blocks_.starts)
    on = ages[:, 1:] > 0
    assert np.array_equal(ages[:, 1:][on], ages[:, :-1][on] + 1)
    assert np.array_equal(rows[:, 1:][on], (rows[:, :-1][on] + 1) % 12)
    assert (ages[:, 0] == 0).all()
    if not blocks_.wraps:
        assert (rows[:, 1:][on] > 0).all()


@pytest.mark.parametrize("blocks_", LAWS)
def test_chances_and_means_by_age_are_those_of_the_rows_drawn(blocks_: Blocks) -> None:
    rows, ages = blocks_.rows(Streams(7, 0, 400), 420)
    late, old = rows[:, 60:], np.minimum(ages[:, 60:], blocks_.ages - 1)
    chance, by_age = blocks_.chances()

    def same(counts: np.ndarray, truth: np.ndarray) -> None:
        """Compare the shares of each path, which are independent, with the truth."""
        error = counts.std(axis=0) / np.sqrt(len(counts))
        assert (np.abs(counts.mean(axis=0) - truth) <= 4.5 * error + 1e-4).all()

    same(np.stack([np.bincount(path, minlength=12) / len(path) for path in late]), chance)
    same(np.stack([np.bincount(path, minlength=len(by_age)) / len(path) for path in old]), by_age)
    values = np.random.default_rng(3).standard_normal((12, 2))
    means = blocks_.by_age(values)
    for age in range(min(3, len(means))):
        at = late[old == age] if len(means) > 1 else late.ravel()
        assert np.abs(values[at].mean(axis=0) - means[age]).max() < 4.5 / np.sqrt(len(at)) * 3
    np.testing.assert_allclose(chance.sum(), 1.0)
    np.testing.assert_allclose(by_age @ means, chance @ values)


def test_compiled_and_plain_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one = law()
    values = np.random.default_rng(1).standard_normal((12, 3))
    compiled = (*one.rows(Streams(3, 0, 6), 30), one.by_age(values), *one.chances())
    out = np.empty((6, 30, 3))
    blocks.gather_nb(values, values[:2], *compiled[:2], out)
    for name in ("rows_nb", "add_by_age_nb", "add_chances_nb", "gather_nb"):
        monkeypatch.setattr(blocks, name, getattr(blocks, name).py_func)
    plain = (*one.rows(Streams(3, 0, 6), 30), one.by_age(values), *one.chances())
    for a, b in zip(compiled, plain, strict=True):
        assert np.array_equal(a, b)
    again = np.empty_like(out)
    blocks.gather_nb(values, values[:2], *plain[:2], again)
    assert np.array_equal(out, again)
    rows, ages = plain[:2]
    assert np.array_equal(out, values[rows] - values[np.minimum(ages, 1)])


def test_the_automatic_block_grows_with_volatility_clustering() -> None:
    rng = np.random.default_rng(4)
    plain = 0.01 * rng.standard_normal((3000, 2))
    variance = np.empty(3000)
    clustered = np.empty(3000)
    variance[0] = clustered[0] = 1e-4
    for t in range(1, 3000):  # GARCH(1,1)
        variance[t] = 2e-6 + 0.12 * clustered[t - 1] ** 2 + 0.86 * variance[t - 1]
        clustered[t] = np.sqrt(variance[t]) * rng.standard_normal()
    assert 1 <= automatic_block(plain) < 10
    assert automatic_block(clustered[:, None]) > 30
    # What never moves counts as 1 alone, and not at all beside others.
    still = np.zeros((3000, 1))
    assert automatic_block(still) == 1.0
    assert automatic_block(np.hstack([clustered[:, None], still])) == automatic_block(clustered[:, None])


@pytest.mark.parametrize("drift", ["history", "none", "drawn"])
@pytest.mark.parametrize("blocks_", LAWS)
def test_what_is_stated_is_the_law_of_the_rows(blocks_: Blocks, drift: blocks.Drift) -> None:
    """Weigh every start and age by its chance, one by one."""
    moves = 0.1 * np.random.default_rng(2).standard_normal((12, 2)) + np.linspace(-0.3, 0.4, 12)[:, None]
    closes = np.exp(np.vstack([np.zeros(2), moves.cumsum(axis=0)]))
    panel = Panel.from_frames(pd.DataFrame(closes, index=pd.bdate_range("2024-01-01", periods=13), columns=["A", "B"]))
    fields = block_fields(panel, panel, moves, blocks_, drift)
    drawn, weights = [], []
    for start in blocks_.starts:
        for age in range(blocks_.ages if len(fields["shift"]) > 1 else 1):
            if blocks_.wraps or start + age < 12:
                drawn.append(moves[(start + age) % 12] - fields["shift"][age])
                weights.append(1.0 if blocks_.fixed else 0.75**age)
    mean = np.average(drawn, axis=0, weights=weights)
    covariance = np.cov(np.transpose(drawn), aweights=np.array(weights), ddof=0)
    stated = np.outer(fields["volatility"], fields["volatility"]) / 252 * fields["correlation"]
    np.testing.assert_allclose(stated, covariance, rtol=1e-9)
    growth = np.log(np.average(np.exp(drawn), axis=0, weights=weights))
    np.testing.assert_allclose(fields["drift"], 252 * growth, atol=1e-9)
    if drift == "history":
        np.testing.assert_allclose(mean, moves.mean(axis=0), atol=1e-12)
    elif drift == "none":
        np.testing.assert_allclose(fields["drift"], 0.0, atol=1e-9)
