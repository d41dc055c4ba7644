"""Random numbers of simulated paths: one stream a path, so that path i is the same whoever draws it.

The generator is xoshiro256++; a stream's state is four 64-bit words, seeded by splitmix64 from the seed and the
number of the path. The draws ending in `_nb` are compiled: they take such a state, change it in place and return one
number. Kernels that call them release the interpreter's lock, and need no generator object.

References
----------
Blackman, D. and Vigna, S. (2021), Scrambled Linear Pseudorandom Number Generators. Steele, G., Lea, D. and Flood, C.
(2014), Fast Splittable Pseudorandom Number Generators. Marsaglia, G. and Tsang, W. (2000), The Ziggurat Method for
Generating Random Variables; A Simple Method for Generating Gamma Variables. Hörmann, W. (1993), The Transformed
Rejection Method for Generating Poisson Random Variables.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantlib.compiled import kernel
from quantlib.types import FloatArray

Words = NDArray[np.uint64]

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class Streams(NamedTuple):
    """The random numbers of `count` paths from path `first` on; those of path i depend on (seed, i) alone.

    Parameters
    ----------
    seed
        Zero or above, of any size.
    first
        Number of the first path.
    count
        Number of paths.
    mirrored
        Whether paths come in pairs, 2j and 2j + 1, that share one stream and differ in their sign. A law with
        antithetic draws sets it: `streams._replace(mirrored=True)`.

    Examples
    --------
    >>> Streams(seed=7, first=0, count=3).states().shape
    (3, 4)
    """

    seed: int
    first: int
    count: int  # type: ignore[assignment]  # in the place of tuple.count, which is of no use here
    mirrored: bool = False

    def states(self) -> Words:
        """Return the state of each path's stream [count, 4], fresh at each call."""
        key = 0
        seed = self.seed
        while True:  # seeds beyond 64 bits count in full
            key = _mixed(key ^ _mixed((seed & _MASK) + _GOLDEN))
            seed >>= 64
            if not seed:
                break
        start = _mix(np.uint64(key) ^ _mix(self._numbers() + np.uint64(_GOLDEN)))
        steps = np.arange(1, 5, dtype=np.uint64) * np.uint64(_GOLDEN)
        return _mix(start[:, None] + steps)

    def signs(self) -> FloatArray:
        """Return 1 a path [count], or -1 for the second of a mirrored pair; times the draw of a symmetric law."""
        odd = (self.first + np.arange(self.count)) % 2 == 1
        return np.where(odd & self.mirrored, -1.0, 1.0)

    def generators(self) -> list[np.random.Generator]:
        """Return a numpy generator a path, for draws that are not compiled; some 20 microseconds each."""
        # A spawn key, unlike the list [seed, i], cannot coincide with a plain default_rng(seed) elsewhere.
        return [
            np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(int(number),)))
            for number in self._numbers()
        ]

    def aside(self, purpose: int) -> Streams:
        """Return independent numbers of the same paths for another purpose than their returns, 1 or more."""
        return self._replace(seed=((self.seed + 1) << 64) | purpose)

    def _numbers(self) -> Words:
        numbers = np.arange(self.first, self.first + self.count, dtype=np.uint64)
        return numbers & np.uint64(_MASK - 1) if self.mirrored else numbers


def _mixed(word: int) -> int:
    """Return the splitmix64 hash of a 64-bit word."""
    return int(_mix(np.array([word & _MASK], dtype=np.uint64))[0])


def _mix(words: Words) -> Words:
    """Return the splitmix64 hash of each word."""
    for shift, factor in _MIXERS:
        words = (words ^ (words >> np.uint64(shift))) * np.uint64(factor)
    return words ^ (words >> np.uint64(31))


# The ziggurat: 256 layers of equal area under exp(-x^2 / 2), the lowest with the tail beyond its edge.
_LAYERS = 256
_EDGE = 3.6541528853610088
_UNIT = 2.0**52


def _ziggurat() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return by layer the scale of its abscissa and the sure acceptance below it, and the curve at its edges."""
    height = math.exp(-0.5 * _EDGE * _EDGE)
    area = _EDGE * height + math.sqrt(math.pi / 2) * math.erfc(_EDGE / math.sqrt(2))
    edges = np.zeros(_LAYERS + 1)
    edges[0], edges[1] = area / height, _EDGE
    for i in range(1, _LAYERS - 1):
        edges[i + 1] = math.sqrt(-2.0 * math.log(area / edges[i] + math.exp(-0.5 * edges[i] ** 2)))
    return edges[:-1] / _UNIT, _UNIT * edges[1:] / edges[:-1], np.exp(-0.5 * edges**2)


_SCALE, _SURE, _CURVE = _ziggurat()

_S11, _S12, _S17 = np.uint64(11), np.uint64(12), np.uint64(17)
_S19, _S23, _S41, _S45 = np.uint64(19), np.uint64(23), np.uint64(41), np.uint64(45)
_LAYER = np.uint64(_LAYERS - 1)


@kernel(forceinline=True)
def word_nb(state: Words) -> np.uint64:
    """Return the next 64 random bits."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    total = a + d
    word: np.uint64 = ((total << _S23) | (total >> _S41)) + a
    c ^= a
    d ^= b
    state[1] = b ^ c
    state[0] = a ^ d
    state[2] = c ^ (b << _S17)
    state[3] = (d << _S45) | (d >> _S19)
    return word


@kernel(forceinline=True)
def uniform_nb(state: Words) -> float:
    """Return a uniform number in (0, 1), never one of the ends, from 52 bits."""
    return float((np.int64(word_nb(state) >> _S12) + 0.5) / _UNIT)


@kernel(forceinline=True)
def normal_nb(state: Words) -> float:
    """Return a standard normal number, by the ziggurat."""
    while True:
        word = word_nb(state)
        layer = np.int64(word & _LAYER)
        at = np.int64(word >> _S11) - _UNIT
        x = float(at * _SCALE[layer])
        if abs(at) < _SURE[layer]:  # 99 of 100
            return x
        if layer == 0:
            return float(tail_nb(state, x))
        low, high = _CURVE[layer], _CURVE[layer + 1]
        if low + uniform_nb(state) * (high - low) < math.exp(-0.5 * x * x):
            return x


@kernel
def tail_nb(state: Words, side: float) -> float:
    """Return a normal number beyond the ziggurat's edge, on the side given by a sign."""
    while True:
        x = -math.log(uniform_nb(state)) / _EDGE
        if -2.0 * math.log(uniform_nb(state)) > x * x:
            return math.copysign(_EDGE + x, side)


@kernel(forceinline=True)
def exponential_nb(state: Words) -> float:
    """Return an exponential number of mean 1."""
    return -math.log(uniform_nb(state))


@kernel(error_model="numpy", forceinline=True)
def gamma_nb(state: Words, shape: float) -> float:
    """Return a gamma number of this shape, above 0, and scale 1, by Marsaglia and Tsang."""
    boost = 1.0
    if shape < 1.0:
        boost = uniform_nb(state) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal_nb(state)
        root = 1.0 + c * x
        if root <= 0.0:
            continue
        v = root * root * root
        u, square = uniform_nb(state), x * x
        # The first bound lies below the second and spares most draws their logarithms.
        if u < 1.0 - 0.0331 * square * square or math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return float(boost * d * v)


@kernel
def integer_nb(state: Words, n: int) -> int:
    """Return a whole number from 0 to n - 1, each with the same chance to within n / 2^52."""
    return int(uniform_nb(state) * n)
