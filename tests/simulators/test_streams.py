"""Every draw against scipy's law, and streams against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from quantlib.simulators import streams
from quantlib.simulators.streams import Streams, Words

N = 200_000


@numba.njit
def many_nb(draw, state, n, argument):
    out = np.empty(n)
    for i in range(n):
        out[i] = draw(state, argument)
    return out


@numba.njit
def plain_nb(draw, state, n):
    out = np.empty(n)
    for i in range(n):
        out[i] = draw(state)
    return out


def state(seed: int = 7, path: int = 0) -> Words:
    return Streams(seed, path, 1).states()[0]


def drawn(name: str, n: int = N, *arguments: float) -> NDArray[np.float64]:
    draw = getattr(streams, name)
    return many_nb(draw, state(), n, *arguments) if arguments else plain_nb(draw, state(), n)


@pytest.fixture(autouse=True)
def _wrapping() -> Iterator[None]:
    with np.errstate(over="ignore"):  # the uncompiled draws multiply and add words that wrap, as they should
        yield


@pytest.mark.parametrize(
    ("name", "arguments", "law"),
    [
        ("uniform_nb", (), stats.uniform),
        ("normal_nb", (), stats.norm),
        ("exponential_nb", (), stats.expon),
        ("gamma_nb", (0.3,), stats.gamma(0.3)),
        ("gamma_nb", (1.0,), stats.gamma(1.0)),
        ("gamma_nb", (7.5,), stats.gamma(7.5)),
    ],
)
def test_draws_follow_their_law(name: str, arguments: tuple[float, ...], law: stats.rv_continuous) -> None:
    values = drawn(name, N, *arguments)
    assert stats.kstest(values, law.cdf).pvalue > 0.001
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4 / np.sqrt(N)


def test_the_normal_is_right_far_out_where_a_ziggurat_is_made_of_other_parts() -> None:
    values = drawn("normal_nb", 5_000_000)
    edges = np.array([-np.inf, -4.5, -4, -3.7, -3.65, -3.5, -3, -2, -0.5, 0, 0.5, 0.25, 2, 3, 3.5, 3.65, 3.7, 4, 4.5])
    edges = np.append(np.sort(edges), np.inf)
    seen = np.histogram(values, np.clip(edges, -40, 40))[0]
    assert stats.chisquare(seen, len(values) * np.diff(stats.norm.cdf(edges))).pvalue > 0.001
    # Even moments to the eighth, each against its own sampling error.
    for power, moment, square in ((2, 1, 3), (4, 3, 105), (6, 15, 10395), (8, 105, 2027025)):
        error = np.sqrt((square - moment**2) / len(values))
        assert abs((values**power).mean() - moment) < 4 * error


def test_whole_numbers_are_even_and_within_bounds() -> None:
    values = drawn("integer_nb", N, 7).astype(int)
    assert stats.chisquare(np.bincount(values, minlength=7)).pvalue > 0.001
    assert set(values) == set(range(7))
    assert not drawn("integer_nb", 100, 1).any()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("uniform_nb", ()),
        ("normal_nb", ()),
        ("exponential_nb", ()),
        ("gamma_nb", (0.3,)),
        ("gamma_nb", (4.0,)),
        ("integer_nb", (9,)),
    ],
)
def test_compiled_draws_equal_the_python_they_are_made_of(name: str, arguments: tuple[float, ...]) -> None:
    draw: Callable[..., float] = getattr(streams, name).py_func
    words = state()
    plain = [draw(words, *arguments) for _ in range(3000)]
    np.testing.assert_allclose(drawn(name, 3000, *arguments), plain, rtol=1e-12)


def test_the_words_are_those_of_the_published_generator() -> None:
    def words(first: int, n: int) -> list[int]:
        # xoshiro256++ and splitmix64 in plain whole numbers, from their papers.
        s, mask = [int(word) for word in state(path=first)], 2**64 - 1

        def turn(x: int, k: int) -> int:
            return ((x << k) | (x >> (64 - k))) & mask

        out = []
        for _ in range(n):
            out.append((turn((s[0] + s[3]) & mask, 23) + s[0]) & mask)
            t = (s[1] << 17) & mask
            s[2] ^= s[0]
            s[3] ^= s[1]
            s[1] ^= s[2]
            s[0] ^= s[3]
            s[2] ^= t
            s[3] = turn(s[3], 45)
        return out

    row = state(path=3)
    assert [int(streams.word_nb(row)) for _ in range(50)] == words(3, 50)


def test_a_stream_depends_on_seed_and_path_alone() -> None:
    whole = Streams(7, 0, 50).states()
    assert np.array_equal(Streams(7, 20, 10).states(), whole[20:30])
    others = [Streams(seed, 0, 50).states() for seed in (8, 7 + 2**64, 2**64, 2**130 + 7)]
    assert len(np.unique(np.concatenate([whole, *others]), axis=0)) == 250
    a, b = (Streams(7, 20, 1).generators()[0].random(3), Streams(7, 0, 50).generators()[20].random(3))
    assert np.array_equal(a, b)


def test_streams_of_neighbouring_seeds_and_paths_are_independent() -> None:
    for block in (Streams(7, 0, 400), Streams(7, 2**40, 400), Streams(8, 0, 400), Streams(7, 0, 400).aside(1)):
        values = np.stack([plain_nb(streams.normal_nb, row, 500) for row in block.states()])
        # Each pair's correlation times the root of the length is nearly standard normal.
        pairs = np.corrcoef(values)[np.triu_indices(400, 1)] * np.sqrt(500)
        assert abs(pairs.mean()) < 4 / np.sqrt(len(pairs))
        assert pairs.std() == pytest.approx(1.0, abs=0.02)
        first = np.sort(values[:, 0])
        assert stats.kstest(first, stats.norm.cdf).pvalue > 0.001
    same = [plain_nb(streams.normal_nb, Streams(seed, 5, 1).states()[0], 20_000) for seed in (7, 8)]
    aside = plain_nb(streams.normal_nb, Streams(7, 5, 1).aside(1).states()[0], 20_000)
    assert np.abs(np.corrcoef([*same, aside]) - np.eye(3)).max() < 4 / np.sqrt(20_000)


def test_the_mirrored_share_a_stream_and_differ_in_sign() -> None:
    pairs = Streams(7, 0, 6, mirrored=True)
    states, plain = pairs.states(), Streams(7, 0, 6).states()
    assert np.array_equal(states[::2], states[1::2])
    assert np.array_equal(states[::2], plain[::2])
    assert pairs.signs().tolist() == [1, -1, 1, -1, 1, -1]
    assert Streams(7, 0, 6).signs().tolist() == [1] * 6
    # A part that begins with the second of a pair is the same part.
    late = Streams(7, 3, 2, mirrored=True)
    assert np.array_equal(late.states(), states[3:5])
    assert late.signs().tolist() == [-1, 1]
    assert late.generators()[0].random() == Streams(7, 2, 1).generators()[0].random()
