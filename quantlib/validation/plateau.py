"""Whether the parameters stand on a plateau or on a peak: what their neighbours would have earned."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.metrics.ratios import sharpe_ratio_of
from quantlib.validation.trials import variant_returns

NEAR = 2.1
"""A neighbour has every number within this factor of the chosen one's: half to double, and what rounding adds."""


@dataclass(frozen=True, eq=False)
class Plateau:
    """The Sharpe ratio around a choice of parameters.

    Parameters
    ----------
    table
        The parameters of every variant, with sharpe (per session) and near (whether it is a neighbour), by variant.
    chosen
        The variant that was chosen.
    """

    table: pd.DataFrame
    chosen: str | int

    @property
    def sharpe(self) -> float:
        """Sharpe ratio per session of the chosen one."""
        return float(self.table["sharpe"].to_numpy(dtype=np.float64)[list(self.table.index).index(self.chosen)])

    @property
    def neighbours(self) -> pd.Series:
        """Sharpe ratios per session of the neighbours, without the chosen one; 0 where one has none."""
        near = self.table[self.table["near"]].drop(index=self.chosen)
        return near["sharpe"].fillna(0.0)

    @property
    def share(self) -> float:
        """Share of the neighbours with at least half the chosen one's Sharpe ratio; NaN where that is not above 0."""
        around = self.neighbours
        return float((around >= 0.5 * self.sharpe).mean()) if len(around) and self.sharpe > 0 else float("nan")

    @property
    def rank(self) -> int:
        """Which place the chosen one has among its neighbours and itself, 1 for the best."""
        return 1 + int((self.neighbours > self.sharpe).sum())

    def map(self, rows: str, columns: str) -> pd.DataFrame:
        """Return the Sharpe ratio per session by two parameters, the others averaged out.

        Raises
        ------
        DataError
            One of the two is no parameter.
        """
        names = [str(name) for name in self.table if name not in ("sharpe", "near")]
        for name in (rows, columns):
            if name not in names:
                raise DataError(f"There is no parameter {name!r}. {nearest(name, names)}")
        return self.table.pivot_table(index=rows, columns=columns, values="sharpe", aggfunc="mean")


def plateau(variants: pd.DataFrame, parameters: pd.DataFrame, chosen: str | int) -> Plateau:
    """Return how the Sharpe ratio lies around the chosen variant.

    A neighbour is a variant all of whose numbers are between half and double the chosen one's, and all of whose other
    parameters are the same.

    Parameters
    ----------
    variants
        Net returns [time x variant]; the unknown counts as 0.
    parameters
        What every variant was run with [variant x parameter], by the columns of `variants`.
    chosen
        Which column was chosen.

    Raises
    ------
    DataError
        The chosen one or a variant's parameters are missing.
    """
    if chosen not in variants.columns:
        raise DataError(f"{chosen!r} is not among the {len(variants.columns)} variants.")
    if missing := [name for name in variants.columns if name not in parameters.index]:
        raise DataError(f"There are no parameters of variant {missing[0]!r}.")
    table = parameters.loc[variants.columns].copy()
    at = list(table.index).index(chosen)
    near = np.ones(len(table), dtype=bool)
    for name in parameters.columns:
        own: Any = table[name].iloc[at]
        if isinstance(own, Real) and not isinstance(own, bool):
            mine, values = float(own), pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
            near &= (np.abs(values) <= NEAR * abs(mine)) & (np.abs(values) >= abs(mine) / NEAR) & (values * mine >= 0)
        else:
            near &= np.array([value == own or (pd.isna(value) and pd.isna(own)) for value in table[name]], dtype=bool)
    table["sharpe"] = sharpe_ratio_of(np.ascontiguousarray(variant_returns(variants).T), 1.0)
    table["near"] = near
    return Plateau(table, chosen)
