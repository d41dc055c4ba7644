from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from quantlib.errors import DataError
from quantlib.metrics import factor_regression, monthly_returns
from quantlib.sources.french import FACTORS, RISK_FREE, french_factors

FRENCH = french_factors()
X = FRENCH[list(FACTORS)]


def whole_years(stocks, symbol="JPM") -> pd.Series:
    return stocks.returns()[symbol].loc["2000-01-03":"2017-12-29"]


def newey_west(y: np.ndarray, x: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and Newey-West errors by their formula, corrected for degrees of freedom."""
    design = np.column_stack([np.ones(len(y)), x])
    inverse = np.linalg.inv(design.T @ design)
    b = inverse @ design.T @ y
    scores = design * (y - design @ b)[:, None]
    middle = scores.T @ scores
    for k in range(1, lags + 1):
        cross = scores[k:].T @ scores[:-k]
        middle += (1 - k / (lags + 1)) * (cross + cross.T)
    n, p = design.shape
    return b, np.sqrt(np.diag(inverse @ middle @ inverse) * n / (n - p))


def test_known_loadings_are_found_and_intervals_hold_them():
    rng = np.random.default_rng(0)
    span = X.loc["1980-01":"2017-12"]
    truth = {"alpha": 0.06, "Mkt-RF": 0.9, "SMB": -0.4, "HML": 0.3}
    returns = 0.06 / 12 + span @ [0.9, -0.4, 0.3] + rng.normal(0, 0.02, len(span))
    found = factor_regression(returns, X, periods_per_year=12)
    assert found.table.index.tolist() == list(truth)
    assert found.table["value"].tolist() == pytest.approx(list(truth.values()), abs=0.08)
    for name, value in truth.items():
        assert found.table.loc[name, "ci_low"] < value < found.table.loc[name, "ci_high"]
    assert (found.n, found.first, found.last, found.left_out) == (456, "1980-01", "2017-12", "")


def test_errors_are_newey_wests_by_their_formula(stocks):
    from scipy.stats import t

    daily = whole_years(stocks)
    found = factor_regression(daily, X, risk_free=FRENCH[RISK_FREE], periods_per_year=12, lags=4)
    months = monthly_returns(daily)
    shared = FRENCH.loc[months.index]
    b, error = newey_west((months - shared[RISK_FREE]).to_numpy(), shared[list(FACTORS)].to_numpy(), 4)
    scale = np.array([12, 1, 1, 1])
    reach = t.ppf(0.975, len(months) - 4) * error
    np.testing.assert_allclose(found.table["value"], b * scale, rtol=1e-9)
    np.testing.assert_allclose(found.table["ci_low"], (b - reach) * scale, rtol=1e-9)
    np.testing.assert_allclose(found.table["ci_high"], (b + reach) * scale, rtol=1e-9)
    np.testing.assert_allclose(found.table["t_value"], b / error, rtol=1e-9)
    plain = sm.OLS((months - shared[RISK_FREE]).to_numpy(), sm.add_constant(shared[list(FACTORS)].to_numpy())).fit()
    assert found.r_squared == pytest.approx(plain.rsquared, rel=1e-12)


def test_a_bank_is_a_value_stock_and_software_is_not(stocks):
    bank, software = (
        factor_regression(whole_years(stocks, s), X, risk_free=FRENCH[RISK_FREE], periods_per_year=12).table
        for s in ("JPM", "MSFT")
    )
    assert bank.loc["HML", "ci_low"] > 0 > software.loc["HML", "ci_high"]
    assert bank.loc["Mkt-RF", "value"] == pytest.approx(1.4, abs=0.25)


def test_what_has_no_factors_is_said_and_not_filled(stocks):
    daily = stocks.returns()["KO"].loc["2010-06-15":"2020-03-10"]
    found = factor_regression(daily, X, periods_per_year=12)
    assert (found.first, found.last, found.n) == ("2010-07", "2018-11", 101)
    assert found.left_out == (
        "Left out: 15 of 116 periods of the record (2010-07 to 2020-02) have no factors, which are known from 1926-07 "
        "to 2018-11; the record has seen only part of 2010-06 and 2020-03."
    )
    inside = factor_regression(daily.loc["2010-07":"2018-11"], X, periods_per_year=12)
    pd.testing.assert_frame_equal(found.table, inside.table)


def test_factors_of_the_same_days_need_no_months(daily, factor_etfs):
    etfs = factor_etfs.returns().loc[daily.index]
    found = factor_regression(daily, etfs[["MTUM", "USMV"]], periods_per_year=252)
    assert (found.n, found.left_out) == (len(daily), "")
    assert found.first == "2019-01-02"
    short = factor_regression(daily, etfs[["MTUM", "USMV"]].iloc[100:], periods_per_year=252)
    assert "100 of 1006 periods" in short.left_out


def test_returns_dated_at_the_ends_of_months_are_months(stocks):
    daily = whole_years(stocks)
    months = monthly_returns(daily)
    dated = months.set_axis(months.index.to_timestamp(how="end").normalize())
    pd.testing.assert_frame_equal(
        factor_regression(dated, X, periods_per_year=12).table,
        factor_regression(daily, X, periods_per_year=12).table,
        rtol=1e-9,
    )


def test_lags_by_default():
    span = X.loc["1980-01":"2017-12"]
    found = factor_regression(span["HML"] + 0.001, span[["Mkt-RF"]], periods_per_year=12)
    assert found.lags == int(4 * 4.56 ** (2 / 9)) == 5


def test_bad_input_is_refused(daily):
    rate = FRENCH[RISK_FREE]
    given = {"periods_per_year": 12}
    months = X.loc["2000-01":"2009-12"]
    own = months["HML"]
    with pytest.raises(DataError, match="29 periods have both"):
        factor_regression(own.iloc[:29], X, **given)
    with pytest.raises(DataError, match="0 periods have both"):
        factor_regression(daily.loc["2020":], X, **given)
    with pytest.raises(DataError, match="constant or a mixture"):
        factor_regression(own, months.assign(Both=months["SMB"] + months["HML"]), **given)
    with pytest.raises(DataError, match="constant or a mixture"):
        factor_regression(own, months.assign(Flat=0.0), **given)
    with pytest.raises(DataError, match="SMB is not known at 2003-04"):
        factor_regression(own, months.assign(SMB=months["SMB"].where(months.index != "2003-04")), **given)
    with pytest.raises(DataError, match="risk-free rate is not known at 2005-01"):
        factor_regression(own, X, risk_free=rate.loc[:"2004-12"], **given)
    with pytest.raises(DataError, match="risk_free is nan"):
        factor_regression(own, X, risk_free=np.nan, **given)
    with pytest.raises(DataError, match="Returns are on PeriodIndex and factors on DatetimeIndex"):
        factor_regression(own, months.set_axis(months.index.to_timestamp()), **given)
    with pytest.raises(DataError, match="accepted: months"):
        factor_regression(daily, months.set_axis(months.index.asfreq("D")), **given)
    with pytest.raises(DataError, match="comes twice"):
        factor_regression(own, pd.concat([months, months]), **given)
    with pytest.raises(DataError, match="no factors"):
        factor_regression(own, months[[]], **given)
    with pytest.raises(DataError, match="lags is 120"):
        factor_regression(own, X[["Mkt-RF"]], lags=120, **given)
