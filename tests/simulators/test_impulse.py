"""Events in simulated worlds: what is added is what was asked for, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from quantlib.errors import DataError
from quantlib.event_study import study
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.simulators.impulse import Impulse, background, inject_nb, shocks_nb
from quantlib.simulators.streams import Streams
from quantlib.types import FloatArray, Panel

H, N = 60, 40


@pytest.fixture(scope="module")
def panel(stocks: Panel) -> Panel:
    return stocks.select(["KO", "PEP", "MSFT"]).tail(500)


def moves(simulator: GBM | Impulse, panel: Panel, n: int = N, horizon: int = H, seed: int = 7) -> FloatArray:
    closes = simulator.closes(panel, n=n, horizon=horizon, seed=seed)
    last = np.broadcast_to(panel.close[-1], (n, 1, closes.shape[2]))
    return np.diff(np.log(np.concatenate([last, closes], axis=1)), axis=1)


@pytest.mark.parametrize("inner", [GBM(), GBM(drift="none"), StationaryBootstrap(block=10)])
def test_the_worlds_are_the_inner_ones_with_the_response_in_them(panel: Panel, inner) -> None:
    impulse = Impulse(inner=inner, response=(0.02, -0.01), days=(5, 6, 60), doses=(2.0, 1.0, -1.0))
    difference = moves(impulse, panel) - moves(inner, panel)
    expected = np.zeros(H)
    expected[[4, 5, 6, 59]] = [0.04, -0.02 + 0.02, -0.01, -0.02]  # what follows day 60 lies beyond the horizon
    np.testing.assert_allclose(difference, np.broadcast_to(expected[:, None], (N, H, 3)), atol=1e-12)


def test_before_the_event_worlds_are_the_same_to_the_last_bit(panel: Panel) -> None:
    plain = GBM().closes(panel, n=N, horizon=H, seed=7)
    impulse = Impulse(inner=GBM(), response=(0.02,), error=(0.01,), volatility=(3.0,), days=(31,))
    changed = impulse.closes(panel, n=N, horizon=H, seed=7)
    assert np.array_equal(plain[:, :30], changed[:, :30])
    assert not np.isclose(plain[:, 30], changed[:, 30]).any()


def test_each_symbol_has_its_own_response_in_the_order_of_the_panel(panel: Panel) -> None:
    response = ((0.01, 0.02, 0.03, 0.04), (0.0, 0.0, 0.0, -0.01))
    impulse = Impulse(inner=GBM(), response=response, symbols=("MSFT", "XOM", "KO", "PEP"), days=(1,))
    difference = (moves(impulse, panel) - moves(GBM(), panel))[:, :2]
    np.testing.assert_allclose(
        difference, np.broadcast_to([[0.03, 0.04, 0.01], [0.0, -0.01, 0.0]], (N, 2, 3)), atol=1e-12
    )
    with pytest.raises(DataError, match="No response of PEP is known; those of MSFT, KO are"):
        Impulse(inner=GBM(), response=((0.01, 0.02),), symbols=("MSFT", "KO"), days=(1,)).calibrate(panel)


def test_an_uncertain_response_differs_by_world_as_its_error_says(panel: Panel) -> None:
    impulse = Impulse(inner=GBM(), response=(0.01, 0.0), error=(0.004, 0.002), days=(3, 20))
    plain = moves(GBM(), panel, n=4000)
    difference = moves(impulse, panel, n=4000) - plain
    first = difference[:, 2, 0]
    # Its numbers are none of those the world is made of.
    assert max(abs(np.corrcoef(first, plain[:, 0, j])[0, 1]) for j in range(3)) < 4 / np.sqrt(4000)
    z = (first.mean() - 0.01) / (0.004 / np.sqrt(4000))
    assert abs(z) < 4
    assert stats.kstest((first - 0.01) / 0.004, "norm").pvalue > 0.001
    np.testing.assert_allclose(difference[:, 2, 0], difference[:, 2, 2], atol=1e-12)  # symbols err together
    np.testing.assert_allclose(difference[:, 19], difference[:, 2], atol=1e-12)  # and one world has one response
    assert abs(np.corrcoef(first, difference[:, 3, 0])[0, 1]) < 4 / np.sqrt(4000)
    assert difference[:, 3, 0].std() == pytest.approx(0.002, rel=0.06)


def test_volatility_is_multiplied_around_the_mean_and_variances_add(panel: Panel) -> None:
    impulse = Impulse(inner=GBM(), response=(0.0, 0.0), volatility=(3.0, 2.0), days=(1, 2))
    plain, wild = moves(GBM(), panel), moves(impulse, panel)
    mean = np.log(panel.frame()).diff().mean().to_numpy()
    times = np.sqrt([9.0, 1 + (9 - 1) + (4 - 1), 4.0])
    np.testing.assert_allclose(wild[:, :3] - mean, (plain[:, :3] - mean) * times[:, None], atol=1e-12)
    np.testing.assert_allclose(wild[:, 3:], plain[:, 3:], atol=1e-12)
    twice = Impulse(inner=GBM(), response=(0.0,), volatility=(3.0,), days=(1, 1))
    np.testing.assert_allclose(moves(twice, panel)[:, 0] - mean, (plain[:, 0] - mean) * np.sqrt(17.0), atol=1e-12)
    calm = Impulse(inner=GBM(), response=(0.0,), volatility=(0.0,), days=(1, 1))
    np.testing.assert_allclose(moves(calm, panel)[:, 0], np.broadcast_to(mean, (N, 3)), atol=1e-12)


def shock_counts(impulse: Impulse, panel: Panel, n: int, horizon: int) -> FloatArray:
    """Return how many shocks each session has [n, horizon], told by what was added."""
    one = impulse.model_copy(update={"response": (0.01,), "error": (), "volatility": ()})
    return np.round((moves(one, panel, n, horizon) - moves(GBM(), panel, n, horizon))[:, :, 0] / 0.01)


def test_a_number_of_shocks_falls_on_as_many_different_days(panel: Panel) -> None:
    counts = shock_counts(Impulse(inner=GBM(), response=(0.01,), shocks=3), panel, 3000, 20)
    assert (counts.sum(axis=1) == 3).all()
    assert counts.max() == 1
    expected = 3000 * 3 / 20
    assert stats.chisquare(counts.sum(axis=0), [expected] * 20).pvalue > 0.001
    full = shock_counts(Impulse(inner=GBM(), response=(0.01,), shocks=20), panel, 5, 20)
    assert (full == 1).all()


def test_without_branching_clustered_shocks_are_a_poisson_process(panel: Panel) -> None:
    counts = shock_counts(Impulse(inner=GBM(), response=(0.01,), shocks=4, branching=0.0), panel, 4000, 25)
    total = counts.sum(axis=1)
    assert abs(total.mean() - 4) < 4 * np.sqrt(4 / 4000)
    assert total.var(ddof=1) == pytest.approx(4, rel=4 * np.sqrt((2 + 1 / 4) / 4000))
    observed = np.bincount(total.astype(int).clip(max=9), minlength=10)
    law = np.append(stats.poisson.pmf(np.arange(9), 4), stats.poisson.sf(8, 4))
    assert stats.chisquare(observed, law * 4000).pvalue > 0.001


def test_a_hawkes_process_has_its_mean_its_clusters_and_its_variance(panel: Panel) -> None:
    branching, memory, horizon, n = 0.6, 3.0, 2000, 300
    impulse = Impulse(inner=GBM(), response=(0.01,), shocks=200, branching=branching, memory=memory)
    fit = impulse.calibrate(panel)
    counts = np.zeros((n, horizon), dtype=np.int64)
    rate = background(200, horizon, branching, memory)
    for row, state in zip(counts, Streams(5, 0, n).states(), strict=True):
        shocks_nb(state, row, 200, rate, branching, memory)
    total = counts.sum(axis=1)
    # Over a long horizon the counts' variance is the mean over (1 - branching)^2.
    theory = 200 / (1 - branching) ** 2
    assert abs(total.mean() - 200) < 4 * np.sqrt(theory / n)
    assert total.var(ddof=1) == pytest.approx(theory, rel=4 * np.sqrt(2 / n))
    assert fit.impulse.branching == branching
    middle = counts[:, 200:1800] - counts[:, 200:1800].mean()
    near, far = (float((middle[:, :-lag] * middle[:, lag:]).mean()) for lag in (1, 60))
    assert near > 10 * abs(far)


def test_the_background_is_the_mean_of_the_process_solved_by_its_equation() -> None:
    """d lambda / dt = (mu - (1 - b) lambda) / m from lambda(0) = mu, summed in small steps."""
    branching, memory, horizon = 0.8, 5.0, 30
    mu = background(7.0, horizon, branching, memory)
    step, rate, mean = 1e-4, mu, 0.0
    for _ in range(round(horizon / step)):
        mean += rate * step
        rate += (mu - (1 - branching) * rate) / memory * step
    assert mean == pytest.approx(7.0, rel=1e-4)
    assert background(7.0, 30, 0.0, memory) == pytest.approx(7 / 30)


def test_events_are_the_same_however_worlds_are_drawn(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    impulse = Impulse(inner=GBM(), response=(0.02, 0.01), error=(0.01, 0.01), shocks=3, branching=0.5, days=(2,))
    whole = impulse.closes(panel, n=30, horizon=H, seed=7)
    monkeypatch.setattr("quantlib.simulators.base.CHUNK_NUMBERS", 1)
    assert np.array_equal(impulse.closes(panel, n=30, horizon=H, seed=7), whole)
    assert np.array_equal(impulse.closes(panel, n=10, horizon=H, seed=7, first=15), whole[15:25])
    assert np.array_equal(np.stack([w.close for w in impulse.paths(panel, n=30, horizon=H, seed=7)]), whole)
    assert not np.isclose(impulse.closes(panel, n=30, horizon=H, seed=8), whole).all(axis=(1, 2)).any()
    # A stronger dose comes at the same times.
    strong = impulse.model_copy(update={"dose": 2.0, "error": ()})
    weak = impulse.model_copy(update={"error": ()})
    twice, once = (moves(one, panel) - moves(GBM(), panel) for one in (strong, weak))
    days = weak.model_copy(update={"shocks": 0, "branching": None})
    set_days = moves(days, panel) - moves(GBM(), panel)
    np.testing.assert_allclose(twice - set_days, 2 * (once - set_days), atol=1e-12)


def test_two_impulses_in_each_other_are_independent(panel: Panel) -> None:
    small = Impulse(inner=GBM(), response=(0.001,), shocks=5)
    both = Impulse(inner=small, response=(0.1,), shocks=5)
    added = moves(both, panel, 500) - moves(GBM(), panel, 500)
    large = np.round(added[:, :, 0], 1) / 0.1
    little = (added[:, :, 0] - 0.1 * large) / 0.001
    assert (np.round(large).sum(axis=1) == 5).all()
    assert (np.round(little).sum(axis=1) == 5).all()
    meet = (np.round(large) * np.round(little)).sum() / 500
    assert meet == pytest.approx(25 / H, abs=4 * np.sqrt(25 / H / 500))


def test_compiled_and_plain_python_are_the_same(panel: Panel) -> None:
    plain = np.random.default_rng(0).normal(0, 0.01, (3, 20, 2))
    found = []
    for run in (inject_nb, inject_nb.py_func):
        given = plain.copy()
        run(
            given, Streams(3, 0, 3).states(), np.array([4, 10]), np.array([1.0, -2.0]), 2, 0.5, 0.3, 0.4, 3.0,
            np.array([[0.01, 0.02], [0.0, 0.01]]), np.full((2, 2), 0.001), np.array([3.0, 0.0]), np.zeros(2),
        )  # fmt: skip
        found.append(given)
    assert not np.isclose(found[0], plain).all()
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-15)
    for rate in (0.0, 0.4):
        counts = [np.zeros(30, dtype=np.int64) for _ in range(2)]
        for run, row in zip((shocks_nb, shocks_nb.py_func), counts, strict=True):
            run(Streams(3, 0, 1).states()[0], row, 4, rate, 0.5, 2.0)
        assert counts[0].sum() > 0
        assert np.array_equal(*counts)


def test_the_definition_survives_json_with_the_simulator_inside() -> None:
    inner = Impulse(inner=StationaryBootstrap(block=5.0, drift="none"), response=(0.01,), shocks=2, branching=0.5)
    outer = Impulse(
        inner=inner, response=((0.02, 0.01),), error=((0.01, 0.0),), symbols=("KO", "PEP"), volatility=(2.0,), days=(5,)
    )
    for one in (inner, outer):
        again = Impulse.model_validate_json(one.model_dump_json())
        assert again == one
        assert hash(again) == hash(one)
    assert outer.model_dump()["inner"]["inner"] == {"name": "stationary_bootstrap"} | inner.inner.model_dump()
    with pytest.raises(ValidationError, match=r"There is no simulator 'gmb'.*Did you mean gbm\?"):
        Impulse(inner={"name": "gmb"}, response=(0.01,), days=(1,))


def test_a_calibration_says_what_it_was_told(panel: Panel) -> None:
    impulse = Impulse(inner=GBM(), response=(0.02, -0.01), error=(0.004, 0.003), days=(5,))
    fit, plain = impulse.calibrate(panel), GBM().calibrate(panel)
    pd.testing.assert_frame_equal(fit.frame(), plain.frame())
    own = [estimate for estimate in fit.estimates() if estimate not in plain.estimates()]
    assert [(e.name, e.symbol, e.value, e.error) for e in own][:4] == [
        ("Response on day 0", "KO", 0.02, 0.004),
        ("Response on day 0", "PEP", 0.02, 0.004),
        ("Response on day 0", "MSFT", 0.02, 0.004),
        ("Response on day 1", "KO", -0.01, 0.003),
    ]
    known = Impulse(inner=GBM(), response=(0.02,), days=(5,)).calibrate(panel)
    assert np.isnan(known.estimates()[-1].error)


def test_an_injected_response_is_found_by_the_event_study(panel: Panel) -> None:
    days = tuple(range(300, 1500, 30))
    impulse = Impulse(inner=GBM(), response=(0.02, -0.008), volatility=(2.0, 1.0), days=days)
    world = next(impulse.paths(panel, n=1, horizon=1520, seed=3))
    found = study(world, world.index[np.array(days) - 1], model="mean", before=3, after=4, over=(0, 1), placebos=199)
    assert abs(found.car - 0.012) < 3 * found.error
    assert found.ci_low < 0.012 < found.ci_high
    assert found.p_placebo <= 0.05
    flat = found.by_day.loc[[-3, -2, -1, 2, 3, 4]]
    assert (flat["ar"].abs() < 4 * flat["ar_error"]).all()
    assert found.by_day.loc[0, "volatility"] == pytest.approx(2.0, rel=0.3)
    # What was found goes back into a world as it is.
    again = Impulse(inner=GBM(), days=(5,), **found.impulse(by_symbol=True))
    difference = moves(again.model_copy(update={"error": (), "volatility": ()}), panel) - moves(GBM(), panel)
    np.testing.assert_allclose(difference[0, 4:9], again.response, atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response": ()}, "response is empty"),
        ({"days": ()}, "there is no event"),
        ({"doses": (1.0, 2.0)}, "there are 2 doses for 1 days"),
        ({"days": (0,)}, "greater than 0"),
        ({"volatility": (1.0, 2.0)}, "volatility has 2 days and the response 1"),
        ({"volatility": (-1.0,)}, "greater than or equal to 0"),
        ({"error": (0.01, 0.01)}, r"error has the form \(2,\) and the response \(1,\)"),
        ({"error": (-0.01,)}, "greater than or equal to 0"),
        ({"response": (float("nan"),)}, "finite number"),
        ({"response": ((0.01, 0.02),)}, "for 0 symbols"),
        ({"response": ((0.01, 0.02), (0.01,)), "symbols": ("A", "B")}, "different numbers of symbols"),
        ({"response": ((0.01, 0.02),), "symbols": ("A", "A")}, "distinct symbols"),
        ({"symbols": ("A",)}, "for 1 symbols"),
        ({"branching": 1.0}, "less than 1"),
        ({"branching": -0.1}, "greater than or equal to 0"),
        ({"memory": 0.0}, "greater than 0"),
        ({"shocks": -1}, "greater than or equal to 0"),
        ({"shock": 1}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Impulse(**{"inner": GBM(), "response": (0.01,), "days": (1,)} | fields)


def test_events_beyond_the_horizon_are_refused(panel: Panel) -> None:
    with pytest.raises(DataError, match="An event is on day 30; the horizon is 20 sessions"):
        Impulse(inner=GBM(), response=(0.01,), days=(3, 30)).closes(panel, n=1, horizon=20, seed=1)
    with pytest.raises(DataError, match="30 shocks do not fit into 20 sessions"):
        Impulse(inner=GBM(), response=(0.01,), shocks=30).closes(panel, n=1, horizon=20, seed=1)
