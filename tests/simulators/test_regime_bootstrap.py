"""The bootstrap from days like today, on histories whose regimes are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quantlib.errors import DataError
from quantlib.simulators.regime_bootstrap import RegimeBootstrap
from quantlib.types import FloatArray, Panel

SEED = 7
LENGTH = 250  # sessions of a regime


def panel_of(moves: FloatArray, **extra: FloatArray) -> Panel:
    index = pd.bdate_range("2010-01-04", periods=len(moves) + 1)
    closes = 100 * np.exp(np.vstack([np.zeros(moves.shape[1]), moves.cumsum(axis=0)]))
    return Panel.from_frames(pd.DataFrame(closes, index=index, columns=["A", "B"]), extra=extra)


def volatile(t: np.ndarray) -> np.ndarray:
    return t // LENGTH % 2 == 1


@pytest.fixture(scope="module")
def two_regimes() -> Panel:
    """Return 8 stretches of 250 sessions, calm and wild by turns, with a state that says which; the last is wild."""
    rng = np.random.default_rng(3)
    wild = volatile(np.arange(8 * LENGTH))
    market = np.where(wild, 0.03, 0.005) * rng.standard_normal(len(wild))
    moves = market[:, None] + 0.002 * rng.standard_normal((len(wild), 2))
    return panel_of(moves, regime=np.append(wild[0], wild).astype(float))


def drawn(panel: Panel, simulator: RegimeBootstrap, n: int = 300, horizon: int = 40) -> FloatArray:
    closes = simulator.closes(panel, n=n, horizon=horizon, seed=SEED)
    return np.diff(np.log(np.concatenate([np.broadcast_to(panel.close[-1], (n, 1, 2)), closes], axis=1)), axis=1)


@pytest.mark.parametrize(("until", "wild"), [(8 * LENGTH, True), (7 * LENGTH, False)])
def test_it_draws_from_the_regime_that_rules_today(two_regimes: Panel, until: int, wild: bool) -> None:
    panel = two_regimes.window(end=two_regimes.index[until])
    simulator = RegimeBootstrap(trend=False, macro=False, share=0.2, block=10)
    fit = simulator.calibrate(panel)
    assert (volatile(fit.blocks.starts) == wild).mean() > 0.95
    spread = drawn(panel, simulator).std()
    assert 0.026 < spread < 0.034 if wild else 0.004 < spread < 0.009
    # Far out, where a block that began long ago may have run into the other regime.
    assert (fit.volatility[0] / np.sqrt(252) > 0.02) == wild


def test_a_macro_state_tells_the_regime_exactly(two_regimes: Panel) -> None:
    only = RegimeBootstrap(volatility=False, trend=False, share=0.3, block=1, drift="drawn")
    fit = only.calibrate(two_regimes)
    # The state of a close is that of the session it ends; the session drawn is the next one.
    assert volatile(fit.blocks.starts - 1).all()
    assert list(fit.alike.columns) == ["regime", "distance"]
    assert (fit.alike["distance"] == 0).all()
    moves = np.diff(np.log(two_regimes.close), axis=0)
    sizes = np.abs(drawn(two_regimes, only))
    assert np.isin(sizes.round(9), np.abs(moves[fit.blocks.starts]).round(9)).all()


def test_states_are_those_of_the_close_before_the_block(two_regimes: Panel) -> None:
    """A day's state is worked out from the days up to it, and the block begins on the next."""
    simulator = RegimeBootstrap(volatility_sessions=10, trend_sessions=20)
    fit = simulator.calibrate(two_regimes)
    closes = two_regimes.frame()
    moves = np.log(closes).diff().mean(axis=1)
    state = pd.DataFrame({"volatility": moves.rolling(10).std(), "trend": moves.rolling(20).sum()})
    state["regime"] = two_regimes.extra["regime"]
    ranks = state.dropna().rank()
    ranks = (ranks - 1) / (len(ranks) - 1)
    np.testing.assert_allclose(fit.today, ranks.iloc[-1])
    np.testing.assert_allclose(fit.alike[["volatility", "trend", "regime"]], ranks.loc[fit.alike.index])
    far = np.sqrt(((ranks.iloc[:-1] - ranks.iloc[-1]) ** 2).mean(axis=1)).sort_values()
    count = int(np.ceil(0.1 * len(far)))
    np.testing.assert_allclose(fit.alike["distance"], far.iloc[:count])
    # Row t of the log returns is the session that follows close t.
    assert set(two_regimes.index[fit.blocks.starts]) == set(fit.alike.index)


@pytest.mark.parametrize("drift", ["history", "none", "drawn"])
def test_every_session_expects_what_was_asked(drift: str, stocks: Panel) -> None:
    panel = stocks.select(["KO", "MSFT"]).tail(900)
    simulator = RegimeBootstrap(drift=drift, block=8, macro=False)
    fit = simulator.calibrate(panel)
    moves = np.diff(np.log(panel.close), axis=0)
    for age in (0, 1, 5, 30):
        rows = fit.blocks.starts + age
        there = moves[rows[rows < len(moves)]] - fit.shift[age]
        if drift == "none":
            np.testing.assert_allclose(np.exp(there).mean(axis=0), 1.0, rtol=1e-12)
        elif drift == "history":
            np.testing.assert_allclose(there.mean(axis=0), moves.mean(axis=0), atol=1e-15)
    paths = drawn(panel, simulator, n=4000, horizon=30)
    error = paths.std(axis=(0, 1)) / np.sqrt(4000 * 30 / 8)
    if drift == "drawn":
        assert not fit.shift.any()
        assert (np.abs(252 * np.log(np.exp(paths[:, 20:]).mean(axis=(0, 1))) - fit.drift) < 252 * 5 * error).all()
    elif drift == "history":
        assert (np.abs(paths.mean(axis=(0, 1)) - moves.mean(axis=0)) < 4 * error).all()
    else:
        np.testing.assert_allclose(fit.drift, 0.0, atol=1e-12)


def test_stated_law_is_that_of_the_worlds(stocks: Panel) -> None:
    panel = stocks.select(["KO", "MSFT"]).tail(900)
    simulator = RegimeBootstrap(block=8, macro=False)
    fit = simulator.calibrate(panel)
    paths = drawn(panel, simulator, n=3000, horizon=60)[:, 20:]
    products = np.einsum("pti,ptj->pij", paths, paths) / 40
    mean = np.diff(np.log(panel.close), axis=0).mean(axis=0)
    truth = np.outer(fit.volatility, fit.volatility) / 252 * fit.correlation + np.outer(mean, mean)
    assert (np.abs(products.mean(axis=0) - truth) < 4 * products.std(axis=0) / np.sqrt(3000)).all()


def test_estimates_say_how_many_days_there_are(two_regimes: Panel) -> None:
    fit = RegimeBootstrap(trend=False, macro=False, share=0.2, block=1).calibrate(two_regimes)
    said = {e.name: e.value for e in fit.estimates()}
    days = len(two_regimes) - 1 - 21  # with a state of their own, and a session after them
    assert said["days like today"] == len(fit.alike) == int(np.ceil(0.2 * days))
    assert said["effective days"] == pytest.approx(len(fit.alike))  # blocks of one session: no others
    assert said["stretches they lie in"] == 1 + (np.diff(np.sort(fit.blocks.starts)) > 21).sum() >= 4
    assert 0.5 < said["volatility today"] <= 1
    longer = RegimeBootstrap(trend=False, macro=False, share=0.2, block=20).calibrate(two_regimes)
    assert longer.effective > fit.effective
    whole = RegimeBootstrap(trend=False, macro=False, share=1, block=1).calibrate(two_regimes)
    assert len(whole.alike) == days


def test_its_worlds_differ_from_those_of_all_days(two_regimes: Panel) -> None:
    near, all_days = (RegimeBootstrap(share=share, block=5, macro=False) for share in (0.1, 1.0))
    first, second = (drawn(two_regimes, s)[:, :, 0].ravel() for s in (near, all_days))
    assert stats.ks_2samp(first, second).pvalue < 1e-6


def test_faults_say_the_way_out(two_regimes: Panel) -> None:
    short = two_regimes.tail(100)
    with pytest.raises(DataError, match=r"Only 36 days before the last .*; 60 are needed.*trend: on 37 of 100"):
        RegimeBootstrap().calibrate(short)
    RegimeBootstrap(trend_sessions=21).calibrate(short)
    state = np.array(two_regimes.extra["regime"])
    state[-3:] = np.nan
    moves = np.diff(np.log(two_regimes.close), axis=0)
    with pytest.raises(DataError, match=r"macro state regime is unknown on .* known up to .* leave macro out"):
        RegimeBootstrap().calibrate(panel_of(moves, regime=state))
    RegimeBootstrap(macro=False).calibrate(panel_of(moves, regime=state))
    with pytest.raises(DataError, match="regime: on 0 of"):
        RegimeBootstrap().calibrate(panel_of(moves, regime=np.full(len(state), np.nan)))
    with pytest.raises(DataError, match="this panel has none"):
        RegimeBootstrap(volatility=False, trend=False).calibrate(panel_of(moves))
    with pytest.raises(ValueError, match="no feature is left"):
        RegimeBootstrap(volatility=False, trend=False, macro=False)
    for share in (0, 1.5):
        with pytest.raises(ValueError, match="share"):
            RegimeBootstrap(share=share)
