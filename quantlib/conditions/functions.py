"""The language's own functions: what each takes and gives, and how it is computed on arrays [time x symbol]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantlib.conditions import logic
from quantlib.conditions.correlation import correlation
from quantlib.types import FloatArray


@dataclass(frozen=True)
class Function:
    """A function of the language.

    Parameters
    ----------
    form
        How it is written.
    about
        What it gives, in one sentence.
    takes
        The kind of each argument: a number, a truth, or either.
    gives
        The kind of the result; "same" is that of its arguments of either kind.
    compute
        Takes the arguments as arrays [T, K] or [T, 1], the parameters by name; returns such an array.
    params
        Whole numbers by name with their defaults; None where one must be given.
    least
        The smallest value a parameter accepts.
    repeats
        Whether the last argument may stand any number of times.
    keywords
        Parameters that are written with their name.
    warmup
        Takes the bars each argument needs up to its first value, and the parameters; returns those of the result.
    """

    form: str
    about: str
    takes: tuple[Literal["number", "truth", "either"], ...]
    gives: Literal["number", "truth", "same"]
    compute: Callable[..., FloatArray]
    params: Mapping[str, int | None] = field(default_factory=dict)
    least: int = 1
    repeats: bool = False
    keywords: tuple[str, ...] = ()
    warmup: Callable[..., int] = lambda *before, **_: max(before)


def _rows_before(*before: int, n: int) -> int:
    return max(before) + n


def _window(*before: int, n: int) -> int:
    return max(before) + n - 1


def _then_warmup(*before: int, within: int) -> int:
    return reduce(lambda done, own: max(own, done + within), before)


def lag(x: FloatArray, n: int) -> FloatArray:
    """Return the value of `n` bars ago; unknown on the first `n`."""
    out = np.full(x.shape, np.nan)
    out[n:] = x[: max(len(x) - n, 0)]
    return out


def _rolling(x: FloatArray, n: int, function: Callable[..., pd.DataFrame]) -> FloatArray:
    return function(pd.DataFrame(x).rolling(n)).to_numpy(dtype=np.float64)


def _std(x: FloatArray, n: int) -> FloatArray:
    return _rolling(x, n, lambda window: window.std(ddof=0))


def _percentile(x: FloatArray, n: int) -> FloatArray:
    return _rolling(x, n, lambda window: window.rank(method="max", pct=True))


def _crosses(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return whether a rose above b on this bar: at or below it one bar ago, above it now."""
    before, now = logic.truth(a <= b, a, b), logic.truth(a > b, a, b)
    # A product, not `and`: both bars must be known, and neither alone decides.
    return lag(before, 1) * now


def _count(mask: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """Return how often a mask held in the last `n` bars, fewer where history is shorter."""
    total = np.cumsum(mask, axis=0, dtype=np.int64)
    out = total.copy()
    out[n:] -= total[: max(len(total) - n, 0)]
    return out


def _for_days(x: FloatArray, n: int) -> FloatArray:
    return np.where(_count(x == 0, n) > 0, 0.0, np.where(_count(x == 1, n) == n, 1.0, np.nan))


def within(x: FloatArray, n: int) -> FloatArray:
    """Return whether a truth held on any of the last `n` bars, today's included."""
    return np.where(_count(x == 1, n) > 0, 1.0, np.where(_count(x == 0, n) == n, 0.0, np.nan))


def _count_true(x: FloatArray, n: int) -> FloatArray:
    return np.where(_count(~np.isnan(x), n) == n, _count(x == 1, n), np.nan)


def _then(*steps: FloatArray, **params: int) -> FloatArray:
    n = params["within"]
    return reduce(lambda done, step: logic.both(step, lag(within(done, n), 1)), steps)


def _last_row(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the last row up to each at which a mask held, -1 before the first."""
    rows = np.arange(len(mask), dtype=np.int64)[:, None]
    return np.maximum.accumulate(np.where(mask, rows, -1), axis=0)


def _since(x: FloatArray) -> FloatArray:
    held, unknown = _last_row(x == 1), _last_row(np.isnan(x))
    return np.where(held > unknown, np.arange(len(x))[:, None] - held, np.nan)


def _latest(x: FloatArray, n: int) -> FloatArray:
    row = _last_row(~np.isnan(x))
    recent = (row >= 0) & (np.arange(len(x))[:, None] - row < n)
    return np.where(recent, np.take_along_axis(x, np.maximum(row, 0), axis=0), np.nan) if len(x) else x


def _if(condition: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.where(condition == 1, a, np.where(condition == 0, b, np.nan))


FUNCTIONS: dict[str, Function] = {
    "abs": Function("abs(x)", "The size of x without its sign.", ("number",), "number", np.abs),
    "log": Function("log(x)", "The natural logarithm; unknown at 0 and below.", ("number",), "number", np.log),
    "exp": Function("exp(x)", "e to the power of x.", ("number",), "number", np.exp),
    "sqrt": Function("sqrt(x)", "The square root; unknown below 0.", ("number",), "number", np.sqrt),
    "min": Function(
        "min(a, b, ...)",
        "The smallest of two or more numbers of the same bar.",
        ("number", "number"),
        "number",
        lambda *x: reduce(np.minimum, x),
        repeats=True,
    ),
    "max": Function(
        "max(a, b, ...)",
        "The largest of two or more numbers of the same bar.",
        ("number", "number"),
        "number",
        lambda *x: reduce(np.maximum, x),
        repeats=True,
    ),
    "if": Function(
        "if(condition, a, b)",
        "a where the condition is true, b where it is false, unknown where it is unknown.",
        ("truth", "either", "either"),
        "same",
        _if,
    ),
    "lag": Function(
        "lag(x, n)",
        "The value of x, a number or a condition, n bars ago; 1 where n is not given.",
        ("either",),
        "same",
        lag,
        params={"n": 1},
        warmup=_rows_before,
    ),
    "change": Function(
        "change(x, n)",
        "x minus its value n bars ago; 1 where n is not given.",
        ("number",),
        "number",
        lambda x, n: x - lag(x, n),
        params={"n": 1},
        warmup=_rows_before,
    ),
    "mean": Function(
        "mean(x, n)",
        "The mean of the last n values, today's included.",
        ("number",),
        "number",
        lambda x, n: _rolling(x, n, lambda window: window.mean()),
        params={"n": None},
        warmup=_window,
    ),
    "sum": Function(
        "sum(x, n)",
        "The sum of the last n values, today's included.",
        ("number",),
        "number",
        lambda x, n: _rolling(x, n, lambda window: window.sum()),
        params={"n": None},
        warmup=_window,
    ),
    "std": Function(
        "std(x, n)",
        "The standard deviation of the last n values, divided by n, as in bollinger and zscore.",
        ("number",),
        "number",
        _std,
        params={"n": None},
        least=2,
        warmup=_window,
    ),
    "percentile": Function(
        "percentile(x, n)",
        "The share of the last n values that are at or below today's: above 0, at most 1.",
        ("number",),
        "number",
        _percentile,
        params={"n": None},
        least=2,
        warmup=_window,
    ),
    "correlation": Function(
        "correlation(a, b, n)",
        "Pearson's correlation of the last n values of a and b; unknown where one does not vary.",
        ("number", "number"),
        "number",
        correlation,
        params={"n": None},
        least=3,
        warmup=_window,
    ),
    "crosses_above": Function(
        "crosses_above(a, b)",
        "a is above b, and was at or below it one bar ago; both bars must be known.",
        ("number", "number"),
        "truth",
        _crosses,
        warmup=lambda *before: max(before) + 1,
    ),
    "crosses_below": Function(
        "crosses_below(a, b)",
        "a is below b, and was at or above it one bar ago; both bars must be known.",
        ("number", "number"),
        "truth",
        lambda a, b: _crosses(b, a),
        warmup=lambda *before: max(before) + 1,
    ),
    "for_days": Function(
        "for_days(condition, n)",
        "The condition held on each of the last n bars, today's included.",
        ("truth",),
        "truth",
        _for_days,
        params={"n": None},
        warmup=_window,
    ),
    "within": Function(
        "within(condition, n)",
        "The condition held on at least one of the last n bars, today's included.",
        ("truth",),
        "truth",
        within,
        params={"n": None},
        warmup=_window,
    ),
    "count": Function(
        "count(condition, n)",
        "On how many of the last n bars the condition held; all of them must be known.",
        ("truth",),
        "number",
        _count_true,
        params={"n": None},
        warmup=_window,
    ),
    "then": Function(
        "then(a, b, ..., within=n)",
        "b holds now, and a held 1 to n bars earlier; with more steps, each 1 to n bars after the one before it.",
        ("truth", "truth"),
        "truth",
        _then,
        params={"within": None},
        repeats=True,
        keywords=("within",),
        warmup=_then_warmup,
    ),
    "since": Function(
        "since(condition)",
        "Bars since the condition last held, 0 on the bar itself; unknown before it first held, and while an unknown "
        "bar lies between.",
        ("truth",),
        "number",
        _since,
    ),
    "known": Function(
        "known(x)",
        "Whether a number or condition is known on this bar; itself never unknown.",
        ("either",),
        "truth",
        lambda x: np.where(np.isnan(x), 0.0, 1.0),
        warmup=lambda *_: 1,
    ),
    "latest": Function(
        "latest(x, n)",
        "The newest known value of x, a number or a condition, no older than the last n bars, today's included.",
        ("either",),
        "same",
        _latest,
        params={"n": None},
    ),
}
