"""What a record owes to known factors, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantlib.errors import DataError
from quantlib.metrics.periods import monthly_returns
from quantlib.metrics.series import ENOUGH, count_of, dated, level_of, periods_of, values_of
from quantlib.types import FloatArray

_WHOLE = 4
"""A month is whole if it has a return this many days or fewer from each end: weekends with a holiday are no longer."""


@dataclass(frozen=True)
class FactorRegression:
    """A regression of excess returns on factors, with errors robust to autocorrelation and changing variance.

    Parameters
    ----------
    table
        Index: alpha (a year, not compounded), then the factors. Columns: value, ci_low, ci_high, t_value.
    r_squared
        Share of the variance of returns that the factors explain, 0 to 1.
    n, periods_per_year
        Periods in the regression, and how many make a year.
    lags
        Lags of the Newey-West errors.
    first, last
        First and last period in the regression.
    left_out
        What of the record is not in the regression, and why, in a sentence; empty where all of it is.
    """

    table: pd.DataFrame
    r_squared: float
    n: int
    periods_per_year: float
    lags: int
    first: str
    last: str
    left_out: str


def factor_regression(
    returns: pd.Series,
    factors: pd.DataFrame,
    *,
    periods_per_year: float,
    risk_free: float | pd.Series = 0.0,
    lags: int | None = None,
    confidence: float = 0.95,
) -> FactorRegression:
    """Return the loadings of returns above the risk-free rate on factors, with the alpha that is left.

    Ordinary least squares with a constant; errors by Newey and West, intervals by Student's t. Where the factors are
    of months (a PeriodIndex) and the returns are dated, returns are compounded to months first, and a month that the
    record has not seen whole is left out. Periods without factors are left out and said, never filled.

    Parameters
    ----------
    returns
        Simple returns, one a period, each -1 or above and none unknown.
    factors
        Returns of the factors, one a column, as fractions; on the index of the returns, or on months.
    periods_per_year
        P of the factors: 12 for months.
    risk_free
        The rate of one period of the factors, or a series on their index.
    lags
        Lags of the errors; None takes floor(4 (n / 100)^(2/9)).
    confidence
        Coverage of the intervals, between 0 and 1.

    Raises
    ------
    DataError
        Fewer than 30 periods have factors, a factor is unknown, twice or a mixture of the others, the indices do not
        match, or a parameter is out of bounds.

    References
    ----------
    Fama, French (1993), Common risk factors in the returns on stocks and bonds, J. Financial Economics 33, 3-56.
    Newey, West (1987), A simple heteroskedasticity and autocorrelation consistent covariance matrix,
    Econometrica 55, 703-708; lags by Newey, West (1994).

    Examples
    --------
    >>> french = french_factors()  # doctest: +SKIP
    >>> factor_regression(
    ...     daily, french[["Mkt-RF", "SMB", "HML"]], risk_free=french["RF"], periods_per_year=12
    ... )  # doctest: +SKIP
    """
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415  its import takes over a second

    periods, confidence = periods_of(periods_per_year), level_of(confidence, "confidence")
    record, cut = _on_index_of(factors, returns)
    shared = record.index.intersection(factors.index)
    x = _factor_values(factors.loc[shared])
    y = record.loc[shared].to_numpy(dtype=np.float64) - _rates(risk_free, shared)
    n = len(shared)
    lags = int(4 * (n / 100) ** (2 / 9)) if lags is None else count_of(lags, "lags")
    if lags >= n:
        raise DataError(f"lags is {lags} with {n} periods; accepted: fewer than the periods.")
    fit = OLS(y, np.column_stack([np.ones(n), x])).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )
    columns = np.column_stack([fit.params, fit.conf_int(alpha=1.0 - confidence), fit.tvalues])
    columns[0, :3] *= periods
    return FactorRegression(
        table=pd.DataFrame(
            columns,
            index=pd.Index(["alpha", *map(str, factors.columns)], name="factor"),
            columns=["value", "ci_low", "ci_high", "t_value"],
        ),
        r_squared=float(fit.rsquared),
        n=n,
        periods_per_year=periods,
        lags=lags,
        first=_text(shared[0]),
        last=_text(shared[-1]),
        left_out=_left_out(record.index, factors.index, len(shared), cut),
    )


def _on_index_of(factors: pd.DataFrame, returns: pd.Series) -> tuple[pd.Series, list[str]]:
    """Return the record in the factors' periods, and the months it has seen only in part, which are left out."""
    values_of(returns)
    if factors.empty:
        raise DataError("There are no factors. Give at least one, as a column of returns.")
    if not (factors.index.is_unique and factors.columns.is_unique):
        raise DataError("A period or a name of the factors comes twice; accepted: each once.")
    if not isinstance(factors.index, pd.PeriodIndex) or isinstance(returns.index, pd.PeriodIndex):
        if type(factors.index) is not type(returns.index):
            raise DataError(
                f"Returns are on {type(returns.index).__name__} and factors on {type(factors.index).__name__}; "
                "accepted: both on one, or dated returns with factors on a PeriodIndex of months."
            )
        return returns, []
    if factors.index.freqstr != "M":
        raise DataError(f"Factors are of periods {factors.index.freqstr!r}; accepted: months, for dated returns.")
    dates = dated(returns)
    months = monthly_returns(returns)
    if len(months) == len(returns):
        return months, []  # of months already
    begun, ended = dates[0].day > _WHOLE, dates[-1].day <= dates[-1].days_in_month - _WHOLE
    cut = [_text(months.index[i]) for i, part in ((0, begun), (-1, ended)) if part]
    return months.iloc[int(begun) : len(months) - int(ended)], list(dict.fromkeys(cut))


def _factor_values(factors: pd.DataFrame) -> FloatArray:
    """Return factors [n, k] as float64, refusing too few, unknown ones and mixtures."""
    values = factors.to_numpy(dtype=np.float64)
    n, k = values.shape
    if n < ENOUGH:
        raise DataError(
            f"{n} periods have both returns and factors; a regression needs {ENOUGH}. Give a longer record, or factors "
            "of its span."
        )
    if not np.isfinite(values).all():
        t, i = np.argwhere(~np.isfinite(values))[0]
        raise DataError(f"The factor {factors.columns[i]} is not known at {_text(factors.index[t])}. Leave it out.")
    scale = np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    if np.linalg.matrix_rank(np.column_stack([np.ones(n), values / scale])) <= k:
        raise DataError(
            f"One of the factors {', '.join(map(str, factors.columns))} is constant or a mixture of the others; its "
            "loading cannot be told from theirs. Leave one out."
        )
    return values


def _rates(risk_free: float | pd.Series, shared: pd.Index) -> FloatArray | float:
    if not isinstance(risk_free, pd.Series):
        if not np.isfinite(risk_free):
            raise DataError(f"risk_free is {risk_free!r}; accepted: a rate for one period, or a series of them.")
        return risk_free
    rates = risk_free.reindex(shared).to_numpy(dtype=np.float64)
    if not np.isfinite(rates).all():
        missing = shared[int(np.argmax(~np.isfinite(rates)))]
        raise DataError(
            f"The risk-free rate is not known at {_text(missing)}. Give it for every period of the factors."
        )
    return rates


def _left_out(record: pd.Index, factors: pd.Index, n: int, cut: list[str]) -> str:
    said = []
    if outside := len(record) - n:
        said.append(
            f"{outside} of {len(record)} periods of the record ({_text(record[0])} to {_text(record[-1])}) have no "
            f"factors, which are known from {_text(factors[0])} to {_text(factors[-1])}"
        )
    if cut:
        said.append(f"the record has seen only part of {' and '.join(cut)}")
    return f"Left out: {'; '.join(said)}." if said else ""


def _text(label: object) -> str:
    return f"{label:%Y-%m-%d}" if isinstance(label, pd.Timestamp) else str(label)
