"""Rank dependence between symbols: Kendall's tau, its error, and the correlation it stands for."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from quantlib.compiled import kernel
from quantlib.errors import DataError
from quantlib.types import FloatArray

# Correlations taken pair by pair may contradict each other a little; more than this is no rounding of theirs.
REPAIR = 0.1


def kendall(moves: FloatArray, symbols: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Return Kendall's tau-b of each pair of columns [T, N] and its standard error, both [N, N].

    The error is that of a U statistic over independent rows.

    Raises
    ------
    DataError
        A symbol has the same return on every session.
    """
    count, names = moves.shape
    ranks = rankdata(moves, method="dense", axis=0).astype(np.int64)
    pairs = count * (count - 1) / 2
    ties = np.array([np.sum(n * (n - 1)) / 2 for n in map(np.bincount, ranks.T)])
    if (ties == pairs).any():
        raise DataError(
            f"{symbols[int(ties.argmax())]} has the same log return on all {count} sessions, so nothing can depend on "
            "it. Check its prices or leave it out."
        )
    tau, error = np.eye(names), np.zeros((names, names))
    for i in range(names):
        order = np.argsort(ranks[:, i], kind="stable")
        for j in range(i + 1, names):
            agree = _agreement_nb(ranks[order, i], ranks[order, j])
            agree *= 0.5 * count / np.sqrt((pairs - ties[i]) * (pairs - ties[j]))
            tau[i, j] = tau[j, i] = agree.mean()
            error[i, j] = error[j, i] = 2.0 * agree.std(ddof=1) / np.sqrt(count)
    return tau, error


def elliptical(tau: FloatArray, symbols: tuple[str, ...]) -> FloatArray:
    """Return the correlation [N, N] of an elliptical copula with this tau, sin(pi tau / 2), positive semidefinite.

    Taken pair by pair it may miss that by a little, and is then brought to it by clipping eigenvalues at zero.

    Raises
    ------
    DataError
        It misses that by more than a tenth in a correlation.
    """
    raw = np.sin(0.5 * np.pi * tau)
    values, vectors = np.linalg.eigh(raw)
    if values[0] >= 0.0:
        return np.asarray(raw)
    near = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = np.sqrt(np.diag(near))
    near /= np.outer(scale, scale)
    moved = np.abs(near - raw)
    if moved.max() > REPAIR:
        i, j = sorted(np.unravel_index(moved.argmax(), moved.shape))
        raise DataError(
            f"The correlations are not positive definite: their smallest eigenvalue is {values[0]:.2f}, and the "
            f"nearest that fit together would turn {symbols[i]} and {symbols[j]} from {raw[i, j]:.2f} to "
            f"{near[i, j]:.2f}. Take a longer window or leave one of them out."
        )
    return np.asarray(near)


@kernel
def _agreement_nb(x: np.ndarray, y: np.ndarray) -> FloatArray:
    """Return for each row how many others agree with it in order, less how many disagree [T]; x ascending.

    A Fenwick tree over y counts, for all rows with a smaller x, then for all with a larger one, those below and
    above in y; so T log T steps, where comparing all pairs takes T^2.
    """
    count = len(x)
    top = y.max()
    agree = np.zeros(count)
    for way in (1, -1):
        tree = np.zeros(top + 1, dtype=np.int64)
        first, seen = 0, 0
        shift = 0 if way == 1 else count - 1
        while first < count:
            last = first
            while last < count and x[way * last + shift] == x[way * first + shift]:
                last += 1
            for k in range(first, last):  # rows of equal x do not count for each other
                row = way * k + shift
                below, upto = 0, 0
                at = y[row] - 1
                while at > 0:
                    below += tree[at]
                    at -= at & -at
                at = y[row]
                while at > 0:
                    upto += tree[at]
                    at -= at & -at
                agree[row] += way * (below - (seen - upto))
            for k in range(first, last):
                at = y[way * k + shift]
                while at <= top:
                    tree[at] += 1
                    at += at & -at
            seen += last - first
            first = last
    return agree
