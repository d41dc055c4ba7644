"""The factor bootstrap against the regression and against what it promises to keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from statsmodels.api import OLS, add_constant

from quantlib.errors import DataError
from quantlib.simulators.factor_bootstrap import FactorBootstrap
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

SEED = 7


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT", "JPM", "XOM"]).tail(700)


def moves_of(panel: Panel) -> FloatArray:
    return np.diff(np.log(panel.close), axis=0)


def test_slopes_are_those_of_least_squares(panel: Panel) -> None:
    fit = FactorBootstrap(factors=("JPM", "XOM")).calibrate(panel)
    moves = moves_of(panel)
    design = add_constant(moves[:, [3, 4]])
    for i in range(3):
        theirs = OLS(moves[:, i], design).fit()
        np.testing.assert_allclose(fit.beta[i], theirs.params[1:], rtol=1e-9)
        np.testing.assert_allclose(fit.beta_error[i], theirs.bse[1:], rtol=1e-9)
        assert fit.explained[i] == pytest.approx(theirs.rsquared)
        np.testing.assert_allclose(fit.residuals[:, i], theirs.resid, atol=1e-15)
    np.testing.assert_allclose(fit.beta[3:], np.eye(2), atol=1e-12)
    assert not fit.residuals[:, 3:].any()
    said = {(e.name, e.symbol): e for e in fit.estimates()}
    assert said["beta to JPM", "KO"].value == fit.beta[0, 0]
    assert said["beta to JPM", "KO"].error == fit.beta_error[0, 0]
    assert said["variance explained", "KO"].value == fit.explained[0]


def test_components_are_those_of_standardised_returns(panel: Panel) -> None:
    fit = FactorBootstrap(components=2).calibrate(panel)
    moves = moves_of(panel)
    scores = PCA(2, whiten=True).fit_transform((moves - moves.mean(axis=0)) / moves.std(axis=0))
    for i in range(5):
        assert fit.explained[i] == pytest.approx(OLS(moves[:, i], add_constant(scores)).fit().rsquared)
    assert fit.factors == ("PC1", "PC2")
    assert (fit.beta[:, 0] > 0).all()  # the market goes up where its stocks do
    values = np.linalg.eigvalsh(np.corrcoef(moves, rowvar=False))
    assert len(FactorBootstrap().calibrate(panel).factors) == (values > 1).sum()


@pytest.mark.parametrize("simulator", [FactorBootstrap(), FactorBootstrap(factors=("JPM",), block=6)])
def test_the_covariance_is_kept(simulator: FactorBootstrap, panel: Panel) -> None:
    moves = moves_of(panel)
    fit = simulator.calibrate(panel)
    stated = np.outer(fit.volatility, fit.volatility) / 252 * fit.correlation
    np.testing.assert_allclose(stated, np.cov(moves, rowvar=False, ddof=0), rtol=1e-9)
    drawn = fit.draw(Streams(SEED, 0, 3000), 40) - moves.mean(axis=0)
    products = np.einsum("pti,ptj->pij", drawn, drawn) / 40
    error = products.std(axis=0) / np.sqrt(len(products))
    assert (np.abs(products.mean(axis=0) - stated) < 4 * error).all()
    means = drawn.mean(axis=1)
    assert (np.abs(means.mean(axis=0)) < 4 * means.std(axis=0) / np.sqrt(len(means))).all()


def test_a_session_is_the_factors_of_one_day_and_the_residuals_of_another(panel: Panel) -> None:
    fit = FactorBootstrap(block=4).calibrate(panel)
    streams = Streams(SEED, 5, 30)
    drawn = fit.draw(streams, 25)
    factor_rows, _ = fit.systematic_blocks.rows(streams, 25)
    rest = drawn - fit.systematic[factor_rows]
    distance = np.abs(rest[:, :, None, :] - fit.residuals).max(axis=3)
    assert distance.min(axis=2).max() < 1e-12  # the residuals of all symbols from one day
    rows = distance.argmin(axis=2)
    assert (rows == factor_rows).mean() < 0.02
    assert abs(np.corrcoef(rows.ravel(), factor_rows.ravel())[0, 1]) < 0.15
    # Both follow on in blocks.
    for found in (rows, factor_rows):
        assert 0.65 < (np.diff(found, axis=1) % fit.sessions == 1).mean() < 0.85


def test_without_drift_every_session_expects_nothing(panel: Panel) -> None:
    fit = FactorBootstrap(drift="none").calibrate(panel)
    expected = np.exp(fit.systematic).mean(axis=0) * np.exp(fit.residuals).mean(axis=0)
    np.testing.assert_allclose(expected, 1.0, rtol=1e-12)
    assert not fit.drift.any()
    kept = FactorBootstrap().calibrate(panel)
    np.testing.assert_allclose(kept.systematic.mean(axis=0), moves_of(panel).mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(kept.systematic + kept.residuals, moves_of(panel), atol=1e-15)


def test_faults_say_the_way_out(panel: Panel) -> None:
    with pytest.raises(DataError, match=r"Factor 'MFST' is not in the panel\. Did you mean MSFT"):
        FactorBootstrap(factors=("MFST",)).calibrate(panel)
    with pytest.raises(DataError, match=r"6 principal components .* 5 symbols have 5\. Take 5 or fewer"):
        FactorBootstrap(components=6).calibrate(panel)
    names = [f"S{i}" for i in range(25)]
    closes = np.exp(0.01 * np.random.default_rng(1).standard_normal((61, 25)).cumsum(axis=0))
    wide = Panel.from_frames(pd.DataFrame(closes, index=pd.bdate_range("2020-01-01", periods=61), columns=names))
    with pytest.raises(DataError, match=r"25 factors for 60 sessions; take 20 or fewer"):
        FactorBootstrap(factors=tuple(names)).calibrate(wide)
    twins = panel.frame().assign(TWIN=panel.frame()["KO"])
    with pytest.raises(DataError, match="KO, TWIN depend on each other"):
        FactorBootstrap(factors=("KO", "TWIN")).calibrate(Panel.from_frames(twins))
    with pytest.raises(ValueError, match="leave one of the two empty"):
        FactorBootstrap(factors=("KO",), components=2)
    with pytest.raises(ValueError, match="must be distinct"):
        FactorBootstrap(factors=("KO", "KO"))
