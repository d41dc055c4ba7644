"""Choosing a variant by its past and living with the choice: what selection earns out of sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.metrics.ratios import sharpe_ratio_of
from quantlib.types import FloatArray
from quantlib.validation.splits import combinatorial_purged, walk_forward
from quantlib.validation.trials import variant_returns


@dataclass(frozen=True, eq=False)
class WalkForward:
    """What came of choosing the best variant of the past again and again.

    Parameters
    ----------
    anchored
        Whether each choice looked at everything before it, or at the latest part only.
    returns
        Returns of whatever was chosen, out of sample, one after the other.
    steps
        One row a choice: begin, end (of the test), chosen (the variant), in_sample and out_of_sample (Sharpe ratios
        per session), and rank (share of all variants that did not do better in the test).
    """

    anchored: bool
    returns: pd.Series
    steps: pd.DataFrame

    @property
    def sharpe(self) -> float:
        """Sharpe ratio per session of the returns out of sample; NaN where they do not vary."""
        return float(sharpe_ratio_of(self.returns.to_numpy(dtype=np.float64), 1.0))

    @property
    def kept(self) -> float:
        """Share of the Sharpe ratio in sample, on average over the choices, that is left out of sample."""
        expected = self.steps["in_sample"].mean()
        return float(self.sharpe / expected) if expected > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Paths:
    """Whole histories made of tests alone, by combinatorial purged cross-validation.

    Parameters
    ----------
    returns
        Returns of whatever was chosen without the fold they are in [time x path].
    splits
        One row a split: chosen, in_sample and out_of_sample (Sharpe ratios per session).
    """

    returns: pd.DataFrame
    splits: pd.DataFrame

    @property
    def sharpes(self) -> FloatArray:
        """Sharpe ratio per session of every path."""
        return sharpe_ratio_of(self.returns.to_numpy(dtype=np.float64).T, 1.0)

    @property
    def positive(self) -> float:
        """Share of the paths whose Sharpe ratio is above zero."""
        return float((np.nan_to_num(self.sharpes) > 0).mean())


def select_forward(
    variants: pd.DataFrame, *, train: int = 756, test: int = 252, anchored: bool = True, embargo: int = 0
) -> WalkForward:
    """Return what came of holding, for `test` sessions at a time, the variant that was best before.

    The best is that of the highest Sharpe ratio in the training sessions; of equal ones the first. What it costs to
    change from one variant to another is not counted.

    Parameters
    ----------
    variants
        Net returns of the variants of one idea [time x variant]; unknown before a variant's first session, which
        counts as 0.
    train, test, anchored, embargo
        As in `walk_forward`, in sessions.

    Raises
    ------
    DataError
        There is no variant, an unknown return after a variant's first, or too few sessions.
    """
    values = variant_returns(variants)
    pieces, rows = [], []
    for split in walk_forward(len(values), train=train, test=test, anchored=anchored, embargo=embargo):
        inside, outside = (_sharpes(values[part]) for part in (split.train, split.test))
        best = _best(inside)
        pieces.append(pd.Series(values[split.test, best], variants.index[split.test]))
        rows.append(
            {
                "begin": variants.index[split.test[0]],
                "end": variants.index[split.test[-1]],
                "chosen": variants.columns[best],
                "in_sample": inside[best],
                "out_of_sample": outside[best],
                "rank": float((np.nan_to_num(outside) <= np.nan_to_num(outside[best])).mean()),
            }
        )
    return WalkForward(anchored, pd.concat(pieces).rename("return"), pd.DataFrame(rows))


def select_on_paths(variants: pd.DataFrame, *, folds: int = 10, test_folds: int = 2, embargo: int = 5) -> Paths:
    """Return what came of choosing without some folds and living in them, for every choice of folds.

    Where a walk-forward has one history, this has C(folds - 1, test_folds - 1) of them, and so a distribution; its
    training may lie after its test. A day's return looks at no later day, so nothing is purged; the embargo is for
    what positions remember.

    Parameters
    ----------
    variants
        As in `select_forward`.
    folds, test_folds, embargo
        As in `combinatorial_purged`.

    Raises
    ------
    DataError
        There is no variant, an unknown return after a variant's first, or too few sessions.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, chapter 12.
    """
    values = variant_returns(variants)
    days = pd.DatetimeIndex(variants.index)
    splits = list(combinatorial_purged(pd.Series(days, index=days), folds, test_folds, embargo=embargo))
    # Means of all variants over all trainings at once: a row a split, one where it may look.
    inside = _sharpes_under(_mask([split.train for split in splits], len(days)), values)
    outside = _sharpes_under(_mask([np.concatenate(split.tests) for split in splits], len(days)), values)
    out = np.full((len(days), 1 + max(max(split.paths) for split in splits)), np.nan)
    best = [_best(row) for row in inside]
    for split, chosen in zip(splits, best, strict=True):
        for rows, path in zip(split.tests, split.paths, strict=True):
            out[rows, path] = values[rows, chosen]
    table = pd.DataFrame(
        {
            "chosen": variants.columns[best],
            "in_sample": inside[np.arange(len(best)), best],
            "out_of_sample": outside[np.arange(len(best)), best],
        }
    )
    return Paths(pd.DataFrame(out, days, pd.RangeIndex(out.shape[1], name="path")), table)


def _sharpes(values: FloatArray) -> FloatArray:
    """Return the Sharpe ratio per session of each column; NaN where it does not vary."""
    return sharpe_ratio_of(np.ascontiguousarray(values.T), 1.0)


def _best(sharpes: FloatArray) -> int:
    """Return the place of the highest; the first where none is known."""
    return int(np.argmax(np.where(np.isnan(sharpes), -np.inf, sharpes)))


def _mask(parts: list[np.ndarray], n: int) -> FloatArray:
    out = np.zeros((len(parts), n))
    for k, rows in enumerate(parts):
        out[k, rows] = 1.0
    return out


def _sharpes_under(mask: FloatArray, values: FloatArray) -> FloatArray:
    """Return the Sharpe ratio per session of each column over each row of a mask of ones and zeros [split, V]."""
    n = mask.sum(axis=1, keepdims=True)
    # Around the whole mean, so that squares of small numbers are not subtracted from each other.
    centre = values.mean(axis=0)
    off = values - centre
    mean = mask @ off / n
    spread = np.sqrt(np.maximum(mask @ off**2 / n - mean**2, 0.0) * n / np.maximum(n - 1.0, 1.0))
    varied = spread > 1e-12
    return np.where(varied, (mean + centre) / np.where(varied, spread, 1.0), np.nan)
