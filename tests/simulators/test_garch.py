"""GARCH and GJR against their closed forms, their fits against `arch` and against laws that were planted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from arch import arch_model
from planted import far_off
from scipy import stats

from benchmarks.calibration import CASES, coverage
from quantlib.errors import DataError
from quantlib.simulators import garch_fit
from quantlib.simulators.garch import GARCH, GJRGARCH, GarchCalibration, garch_moves_nb, mixing
from quantlib.simulators.garch_fit import GarchFit
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

UNKNOWN = (float("nan"),) * 5


def law_of(*fits: GarchFit, root: FloatArray | None = None) -> GarchCalibration:
    """Return a law of these recursions that starts in the long run, without a mean."""
    size = len(fits)
    plain = CASES["garch"]().planted
    assert isinstance(plain, GarchCalibration)
    return dataclasses.replace(
        plain,
        symbols=tuple("ABCD"[:size]),
        fits=fits,
        mean=np.zeros(size),
        ahead=np.array([f.long_run() for f in fits]),
        root=np.eye(size) if root is None else root,
    )


@pytest.mark.parametrize(("alpha", "gamma", "beta"), [(0.1, 0.0, 0.8), (0.02, 0.14, 0.8)], ids=["garch", "gjr"])
def test_unconditional_variance_and_kurtosis_are_the_closed_forms(alpha: float, gamma: float, beta: float) -> None:
    df = 20.0  # finite eighth moments too, so that the error of the fourth is one
    fit = GarchFit(1e-5, alpha, gamma, beta, df, UNKNOWN, 0.0, np.zeros(0))
    persistence = alpha + gamma / 2 + beta
    fourth = 3 * (df - 2) / (df - 4)
    # Of He and Terasvirta (1999): E h^2 / (E h)^2 times the shocks' fourth moment.
    square = beta**2 + 2 * beta * (alpha + gamma / 2) + fourth * (alpha**2 + alpha * gamma + gamma**2 / 2)
    kurtosis = fourth * (1 - persistence**2) / (1 - square)
    variance = 1e-5 / (1 - persistence)
    assert kurtosis > 3.8
    # From the long-run variance 120 sessions leave nothing of the start: persistence^120 < 1e-5.
    far = far_off(
        law_of(fit), 120, np.array([0.0, variance, 0.0, (kurtosis - 3) * variance**2]), paths=2500, session=True
    )
    assert np.abs(far).max() < 3


def test_each_shock_is_student_and_alike_ones_are_jointly() -> None:
    fits = [GarchFit(1e-4, 0.0, 0.0, 0.0, df, UNKNOWN, 0.0, np.zeros(0)) for df in (4.0, 4.0, 9.0)]
    inner = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]])
    values, vectors = np.linalg.eigh(inner)
    law = law_of(*fits, root=vectors * np.sqrt(values) @ vectors.T)
    shocks = law.draw(Streams(6, 0, 4000), 5).reshape(-1, 3) / 0.01
    for j, df in enumerate((4.0, 4.0, 9.0)):
        assert stats.kstest(shocks[:, j] * np.sqrt(df / (df - 2)), stats.t(df).cdf).pvalue > 0.001
    # Both below their 1 % quantile: a joint t has the closed form, normal dependence far less.
    bound = stats.t(4).ppf(0.01) / np.sqrt(2)
    joint = stats.multivariate_t([0, 0], inner[:2, :2], df=4).cdf([bound * np.sqrt(2)] * 2, random_state=1)
    seen = (shocks[:, :2] < bound).all(axis=1).mean()
    assert abs(seen - joint) < 4 * np.sqrt(joint / len(shocks))
    assert joint > 1.5 * stats.multivariate_normal([0, 0], inner[:2, :2]).cdf([stats.norm.ppf(0.01)] * 2)


def test_mixing_is_what_the_shared_gamma_leaves_of_a_correlation() -> None:
    df = np.array([5.0, 12.0, 30.0])
    rng = np.random.default_rng(3)
    shared = rng.gamma(2.5, size=2_000_000)
    scale = [np.sqrt((d / 2 - 1) / (shared + (rng.gamma(d / 2 - 2.5, size=len(shared)) if d > 5 else 0.0))) for d in df]
    found = mixing(df)
    for i in range(3):
        for j in range(i):
            assert found[i, j] == pytest.approx(np.mean(scale[i] * scale[j]), abs=0.003)
    assert found[0, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(mixing(np.array([4.0, 4.0])), 1.0)


def test_drawn_shocks_are_as_correlated_as_the_residuals(stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "JPM"]).tail(1001)
    law = GARCH().calibrate(panel)
    residuals = np.corrcoef(np.array([f.residuals for f in law.fits]))
    np.testing.assert_allclose(law.correlation, residuals, atol=1e-9)
    # The first session has the same variance on every path, so that its returns are shocks.
    first = law.draw(Streams(9, 0, 60_000), 1)[:, 0] - law.mean
    np.testing.assert_allclose(np.corrcoef(first, rowvar=False), residuals, atol=0.03)
    np.testing.assert_allclose(first.std(axis=0), np.sqrt(law.ahead), rtol=0.03)


@pytest.mark.parametrize("kind", [GARCH, GJRGARCH])
def test_the_fit_is_archs(stocks: Panel, kind: type[GARCH]) -> None:
    panel = stocks.select(["JPM"]).tail(1501)
    moves = np.diff(np.log(panel.close[:, 0]))
    order = int(kind.asymmetric)
    # In percent, where we scale by the deviation: another way to the same optimum.
    theirs = arch_model(100 * moves, p=1, o=order, q=1, dist="t", rescale=False).fit(disp="off", tol=1e-10)
    ours = kind().calibrate(panel)
    seen = {e.name: e for e in ours.estimates()}
    pairs = {"omega": "omega", "alpha": "alpha[1]", "beta": "beta[1]", "degrees of freedom": "nu"}
    pairs |= {"gamma": "gamma[1]"} if order else {}
    assert set(seen) == set(pairs)
    for name, their in pairs.items():
        unit = 1e-4 if name == "omega" else 1.0
        assert seen[name].value == pytest.approx(unit * theirs.params[their], rel=0.01, abs=1e-8)
        assert seen[name].error == pytest.approx(unit * theirs.std_err[their], rel=0.05)
    ahead = theirs.forecast(horizon=1).variance.iloc[-1, 0] * 1e-4
    assert ours.ahead[0] == pytest.approx(ahead, rel=0.01)
    assert kind(start="long_run").calibrate(panel).ahead[0] == pytest.approx(ours.volatility[0] ** 2 / 252)
    assert ours.mean[0] == pytest.approx(moves.mean())


def test_volatility_starts_today_and_returns_to_the_long_run() -> None:
    fit = GarchFit(1e-5, 0.1, 0.0, 0.8, 8.0, UNKNOWN, 0.0, np.zeros(0))
    law = dataclasses.replace(law_of(fit), ahead=np.array([9e-4]))
    drawn = law.draw(Streams(4, 0, 40_000), 10)[:, :, 0] ** 2
    expected = 1e-4 + (9e-4 - 1e-4) * 0.9 ** np.arange(10)
    assert (np.abs(drawn.mean(axis=0) - expected) < 4 * drawn.std(axis=0) / np.sqrt(len(drawn))).all()


def test_without_drift_the_mean_is_half_the_variance_of_its_session(stocks: Panel) -> None:
    panel = stocks.select(["KO", "JPM"]).tail(1001)
    law = GARCH(drift="none").calibrate(panel)
    np.testing.assert_allclose(law.drift, 0.0, atol=1e-12)
    plain = dataclasses.replace(law, drag=0.0).draw(Streams(4, 0, 50), 30)
    dragged = law.draw(Streams(4, 0, 50), 30)
    variance = np.broadcast_to(law.ahead, (50, 2)).copy()
    for t in range(30):
        np.testing.assert_allclose(dragged[:, t] - plain[:, t], -0.5 * variance, atol=1e-15)
        for j, f in enumerate(law.fits):
            variance[:, j] = f.omega + f.alpha * plain[:, t, j] ** 2 + f.beta * variance[:, j]


def test_the_kernel_is_its_python_and_mirrors_its_shocks(stocks: Panel) -> None:
    law = GJRGARCH().calibrate(stocks.select(["KO", "JPM"]).tail(1001))
    rules = np.array([[f.omega, f.alpha, f.gamma, f.beta] for f in law.fits])
    half = 0.5 * np.array([f.df for f in law.fits])
    streams = Streams(2, 0, 2, mirrored=True)
    with np.errstate(over="ignore"):  # words wrap around
        plain = garch_moves_nb.py_func(
            streams.states(), streams.signs(), 6, law.mean, law.drag, law.ahead, rules, half, law.root
        )
    drawn = law.draw(streams, 6)
    np.testing.assert_allclose(plain, drawn, rtol=1e-12)
    np.testing.assert_allclose(drawn[0, 0] - law.mean, law.mean - drawn[1, 0], rtol=1e-9)


@pytest.mark.parametrize("name", ["garch", "gjr_garch"])
def test_intervals_hold_what_was_planted(name: str) -> None:
    for line in coverage(name, 10, jobs=1):
        held = int(line.split("|")[-2].split("/")[0])
        # Of 10 true 95 % intervals, fewer than 7 hold once in 1,000.
        assert held >= 7, line


def test_what_cannot_be_fitted_is_refused_with_a_way_out(stocks: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"GARCH needs 250 returns .* there are 199 .* bootstrap"):
        GARCH().calibrate(stocks.select(["KO"]).tail(200))
    # Ten years in which the size of GE's moves changed for good.
    with pytest.raises(DataError, match=r"GARCH fit of GE is not stationary: alpha \+ beta is .*Take a longer window"):
        GARCH().calibrate(stocks.select(["GE"]).tail(2521))
    monkeypatch.setattr(garch_fit, "_fitted", lambda *_: "iteration limit reached")
    with pytest.raises(DataError, match=r"GARCH fit of KO does not converge \(iteration limit.*Take a longer window"):
        GARCH().calibrate(stocks.select(["KO"]).tail(400))
