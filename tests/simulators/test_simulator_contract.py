"""What every simulator keeps, whatever its law."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from quantlib.errors import DataError
from quantlib.simulators import SIMULATORS, Calibration, Simulator
from quantlib.simulators.base import Estimate
from quantlib.simulators.streams import Streams
from quantlib.types import Panel

# What a law must be told to take any prices at all.
TOLD: dict[str, dict[str, Any]] = {"ornstein_uhlenbeck": {"evidence": "any"}}
# Laws of what goes between symbols, and laws whose covariance of one session is the sample's own.
NEEDS_TWO = {"ornstein_uhlenbeck"}
SAMPLES_OWN = {"gbm", "stationary_bootstrap", "circular_bootstrap"}
# Laws of a state such as today's, whose moments are those of other such days.
OF_A_STATE = {"regime_bootstrap"}
KINDS = [
    pytest.param(kind(drift=drift, **TOLD.get(name, {})), id=f"{name}-{drift}")
    for name, kind in SIMULATORS.items()
    for drift in ("history", "none")
]
every = pytest.mark.parametrize("simulator", KINDS)


@pytest.fixture(autouse=True)
def _fits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit each law to each panel once in this module: a calibration is frozen, and some take a second."""
    for kind in {base for one in SIMULATORS.values() for base in one.__mro__ if "calibrate" in vars(base)}:
        if kind is not Simulator:
            monkeypatch.setattr(kind, "calibrate", _remembered(kind.calibrate))


FITTED: dict[tuple[object, ...], Calibration] = {}


def _remembered(fit: Any) -> Any:
    def calibrate(simulator: Simulator, panel: Panel) -> Calibration:
        key = (fit.__qualname__, type(simulator), simulator.model_dump_json(), panel.snapshot_id)
        if key not in FITTED:
            FITTED[key] = fit(simulator, panel)
        return FITTED[key]

    return calibrate


def test_the_registry_names_its_classes() -> None:
    assert {name: kind.name for name, kind in SIMULATORS.items()} == {name: name for name in SIMULATORS}
    assert all(kind.title and kind.description for kind in SIMULATORS.values())


@every
def test_a_path_is_a_panel_that_continues_the_history(simulator: Simulator, small: Panel) -> None:
    path = next(simulator.paths(small, n=1, horizon=21, seed=7))
    assert path.symbols == small.symbols
    assert path.index.equals(small.next_sessions(21))
    assert path.source == f"simulated: {simulator.name}"
    for unknown in ("open", "high", "low", "volume"):
        assert np.isnan(getattr(path, unknown)).all()
    joined = small.append(path)
    assert len(joined) == len(small) + 21
    # One session's step, not a jump from a wrong starting price.
    assert np.abs(joined.returns().to_numpy()[-21]).max() < 0.25


@every
def test_same_seed_same_worlds_and_another_seed_others(simulator: Simulator, small: Panel) -> None:
    one = simulator.closes(small, n=5, horizon=10, seed=7)
    assert np.array_equal(one, simulator.closes(small, n=5, horizon=10, seed=7))
    other = simulator.closes(small, n=5, horizon=10, seed=8)
    assert not (one == other).all(axis=(1, 2)).any()
    assert len(np.unique(one[:, -1, 0])) == 5


@every
@pytest.mark.parametrize("chunk", [1, 7 * 21 * 3, 2**20])
def test_path_i_depends_on_seed_and_i_alone(
    simulator: Simulator, small: Panel, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = simulator.closes(small, n=40, horizon=21, seed=7)
    monkeypatch.setattr("quantlib.simulators.base.CHUNK_NUMBERS", chunk)
    assert np.array_equal(simulator.closes(small, n=40, horizon=21, seed=7), whole)
    assert np.array_equal(simulator.closes(small, n=10, horizon=21, seed=7), whole[:10])
    assert np.array_equal(simulator.closes(small, n=10, horizon=21, seed=7, first=25), whole[25:35])
    panels = [path.close for path in simulator.paths(small, n=40, horizon=21, seed=7)]
    assert np.array_equal(np.stack(panels), whole)


@every
def test_a_longer_horizon_extends_the_same_worlds(simulator: Simulator, small: Panel) -> None:
    short = simulator.closes(small, n=5, horizon=21, seed=7)
    long = simulator.closes(small, n=5, horizon=252, seed=7)
    np.testing.assert_allclose(long[:, :21], short, rtol=1e-12)


@every
def test_prices_stay_positive_through_a_wild_year_or_it_is_refused_with_a_way_out(simulator: Simulator) -> None:
    rng = np.random.default_rng(3)
    moves = rng.standard_t(2, size=(400, 2)) * 0.05
    moves[7] = np.log(0.03)  # a day that loses 97 %: minus the mean it would lose more than all
    moves[9] = np.log(30.0)
    index = pd.bdate_range("2020-01-01", periods=400)
    wild = Panel.from_frames(pd.DataFrame(np.exp(moves.cumsum(axis=0)), index=index, columns=["A", "B"]))
    try:
        closes = simulator.closes(wild, n=200, horizon=252, seed=7)
    except DataError as error:
        assert simulator.name not in SAMPLES_OWN  # others may say that this is none of their kind
        assert re.search(r"\bTake|leave that symbol out", str(error))  # noqa: PT017
    else:
        assert (closes > 0).all()
        assert np.isfinite(closes).all()


@every
def test_the_panel_is_left_as_it_was(simulator: Simulator, small: Panel) -> None:
    before = small.snapshot_id
    copy = Panel.from_frames(small.frame())
    simulator.closes(small, n=2, horizon=5, seed=7)
    list(simulator.paths(small, n=2, horizon=5, seed=7))
    assert Panel.from_frames(small.frame()).snapshot_id == copy.snapshot_id == before


@every
def test_only_what_was_known_is_used(simulator: Simulator, small: Panel) -> None:
    cut = small.index[300]
    known = simulator.closes(small.until(cut), n=3, horizon=5, seed=7)
    assert np.array_equal(simulator.closes(small.tail(500).until(cut), n=3, horizon=5, seed=7), known)
    assert not np.array_equal(simulator.closes(small, n=3, horizon=5, seed=7), known)


@every
def test_the_definition_survives_json(simulator: Simulator) -> None:
    again = type(simulator).model_validate_json(simulator.model_dump_json())
    assert again == simulator
    assert hash(again) == hash(simulator)


@every
def test_the_calibration_states_what_was_fitted(simulator: Simulator, stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "MSFT"])
    fit = simulator.model_copy(update={"window": 1000}).calibrate(panel)
    moves = np.log(panel.frame()).diff().tail(1000)
    assert fit.sessions == 1000
    assert (fit.start, fit.end) == (panel.index[-1001], panel.index[-1])
    assert fit.periods_per_year == 252
    assert fit.frame()["last"].to_dict() == panel.frame().iloc[-1].to_dict()
    # A law of changing volatility states its long-run one, which the sample's need not equal.
    near = 1e-3 if simulator.name in SAMPLES_OWN else 0.35
    if simulator.name not in OF_A_STATE:
        np.testing.assert_allclose(fit.volatility, moves.std() * np.sqrt(252), rtol=near)
        np.testing.assert_allclose(fit.correlation_frame(), moves.corr(), atol=1e-9 if near < 0.01 else 0.15)
    np.testing.assert_allclose(np.diag(fit.correlation), 1.0, rtol=1e-12)
    if simulator.drift == "none":  # type: ignore[attr-defined]
        np.testing.assert_allclose(fit.drift, 0.0, atol=1e-12)


@every
def test_worlds_have_the_drift_that_was_asked_for(simulator: Simulator, stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "MSFT"]).tail(1001)
    fit, horizon = simulator.calibrate(panel), 60
    drawn = fit.draw(Streams(7, 0, 3000), horizon)
    if simulator.drift == "none":  # type: ignore[attr-defined]
        end = np.expm1(drawn).sum(axis=1)  # of single sessions: within a block of history they depend on each other
    elif simulator.name in NEEDS_TWO:
        return  # a spread's legs are drawn together; their own past means are not the law's
    else:
        end = drawn.sum(axis=1) - horizon * np.log(panel.frame()).diff().mean().to_numpy()
    z = end.mean(axis=0) / (end.std(axis=0) / np.sqrt(len(end)))
    assert np.abs(z).max() < 4


@every
def test_estimates_are_finite_and_have_an_error_or_say_that_none_is_known(simulator: Simulator, stocks: Panel) -> None:
    panel = stocks.select(["KO", "PEP", "MSFT"]).tail(1001)
    found = simulator.calibrate(panel).estimates()
    for one in found:
        assert isinstance(one, Estimate)
        assert one.name
        assert set(one.symbol.split(", ")) <= {"", *panel.symbols}
        assert math.isfinite(one.value), one
        assert math.isnan(one.error) or 0.0 <= one.error < math.inf, one
    assert len({(one.name, one.symbol) for one in found}) == len(found)


@every
@pytest.mark.parametrize("first", [0, 5])
def test_a_row_is_of_its_stream_to_the_last_bit(simulator: Simulator, small: Panel, first: int) -> None:
    fit = simulator.calibrate(small)
    whole = fit.draw(Streams(7, 0, 12), 21)
    assert whole.shape == (12, 21, 3)
    assert whole.dtype == np.float64
    assert np.isfinite(whole).all()
    for count in (1, 2, 7):
        assert np.array_equal(fit.draw(Streams(7, first, count), 21), whole[first : first + count])
    # What the caller does with a draw is its own business.
    kept = whole.copy()
    whole += 1.0
    assert np.array_equal(fit.draw(Streams(7, 0, 12), 21), kept)


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param(kind(draws=draws, **TOLD.get(name, {})), id=f"{name}-{draws}")
        for name, kind in SIMULATORS.items()
        if "draws" in kind.model_fields
        for draws in ("antithetic", "sobol")
        if draws in get_args(kind.model_fields["draws"].annotation)
    ],
)
def test_even_draws_are_of_their_number_too_and_have_the_same_law(simulator: Simulator, small: Panel) -> None:
    fit = simulator.calibrate(small)
    whole = fit.draw(Streams(7, 0, 2000), 21)
    assert np.array_equal(fit.draw(Streams(7, 333, 50), 21), whole[333:383])
    plain = simulator.model_copy(update={"draws": "random"}).calibrate(small).draw(Streams(7, 0, 2000), 21)
    for spread, usual in ((whole.std(axis=(0, 1)), plain.std(axis=(0, 1))), (whole[:, 3].std(), plain[:, 3].std())):
        np.testing.assert_allclose(spread, usual, rtol=0.08)
    if simulator.draws == "antithetic":  # type: ignore[attr-defined]
        ends = whole.sum(axis=1)
        assert np.corrcoef(ends[::2, 0], ends[1::2, 0])[0, 1] < -0.5
        np.testing.assert_allclose(plain[::2], whole[::2], rtol=1e-12)


@every
def test_a_symbol_twice_goes_with_its_twin_or_is_refused_by_name(simulator: Simulator, small: Panel) -> None:
    frame = small.frame()[["KO", "PEP"]].assign(TWIN=small.frame()["KO"])
    try:
        closes = simulator.closes(Panel.from_frames(frame), n=20, horizon=60, seed=7)
    except DataError as error:
        assert "KO" in str(error)  # noqa: PT017  a law may do without twins, if it says whose they are
        assert "TWIN" in str(error)  # noqa: PT017
    else:
        np.testing.assert_allclose(closes[:, :, 2], closes[:, :, 0], rtol=0.01)
        assert closes[:, :, 0].std() > 0.1


@every
def test_what_never_moved_or_has_no_price_is_refused_by_name(simulator: Simulator, small: Panel) -> None:
    still = Panel.from_frames(small.frame().assign(PEP=5.0))
    with pytest.raises(DataError, match=r"^PEP closed at 5 on all 500 sessions .* leave that symbol out"):
        simulator.closes(still, n=1, horizon=1, seed=7)
    # Still within the window only, which is all that is learned from.
    frame = small.frame()
    frame.iloc[-101:, 1] = 5.0
    with pytest.raises(DataError, match=r"^PEP closed at 5 on all 101 sessions"):
        simulator.model_copy(update={"window": 100}).closes(Panel.from_frames(frame), n=1, horizon=1, seed=7)
    unknown = Panel.from_frames(small.frame().assign(PEP=np.nan))
    with pytest.raises(DataError, match=r"^PEP has no known close in this panel of 500 sessions.*Load its prices"):
        simulator.closes(unknown, n=1, horizon=1, seed=7)


@every
def test_one_symbol_alone_is_allowed_where_the_law_is_of_one(simulator: Simulator, ohlcv: Panel) -> None:
    if simulator.name in NEEDS_TWO:
        with pytest.raises(DataError, match="two symbols or more"):
            simulator.closes(ohlcv.tail(1500), n=3, horizon=4, seed=7)
    else:
        assert simulator.closes(ohlcv.tail(1500), n=3, horizon=4, seed=7).shape == (3, 4, 1)


@every
def test_bars_come_with_the_same_closes_where_history_has_them(simulator: Simulator, ohlcv: Panel) -> None:
    frames = {name: ohlcv.tail(1500).frame(name) for name in ("open", "high", "low", "close", "volume")}
    rng = np.random.default_rng(2)
    frames["close"] = frames["close"].assign(OTHER=100 * np.exp(0.01 * rng.standard_normal(1500).cumsum()))
    panel = Panel.from_frames(**frames)
    plain = simulator.closes(panel, n=6, horizon=15, seed=7)
    worlds = list(simulator.paths(panel, n=6, horizon=15, seed=7, bars=True))
    for world, close in zip(worlds, plain, strict=True):
        assert np.array_equal(world.close, close)
        assert (world.low[:, 0] <= np.minimum(world.open, world.close)[:, 0]).all()
        assert (world.high[:, 0] >= np.maximum(world.open, world.close)[:, 0]).all()
        assert (world.volume[:, 0] > 0).all()
        assert np.isnan([world.open[:, 1], world.high[:, 1], world.low[:, 1], world.volume[:, 1]]).all()
    late = next(simulator.paths(panel, n=1, horizon=15, seed=7, first=4, bars=True))
    assert np.array_equal(late.high, worlds[4].high, equal_nan=True)


@every
def test_stocks_beside_crypto_go_by_the_calendar_they_share(simulator: Simulator) -> None:
    days = pd.date_range("2023-01-01", "2024-06-30")  # ends on a Sunday
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(100 * np.exp(0.02 * rng.standard_normal((len(days), 2)).cumsum(axis=0)), index=days)
    frame.columns = pd.Index(["COIN", "STOCK"])
    frame.loc[days.day_of_week >= 5, "STOCK"] = np.nan
    panel = Panel.from_frames(frame)
    path = next(simulator.paths(panel, n=1, horizon=5, seed=7))
    assert list(path.index) == list(pd.bdate_range("2024-07-01", periods=5))
    assert len(panel.append(path)) == len(panel) + 5
    fit = simulator.calibrate(panel)
    assert fit.periods_per_year == 252
    assert list(fit.last) == [frame["COIN"].iloc[-1], frame["STOCK"].dropna().iloc[-1]]


@every
def test_too_little_history_is_refused_with_the_culprit(simulator: Simulator, small: Panel) -> None:
    frame = small.frame()
    frame.iloc[:450, 1] = np.nan
    with pytest.raises(DataError, match=r"at least 60 sessions .* has 50\. PEP has the fewest closes, 50"):
        simulator.closes(Panel.from_frames(frame), n=1, horizon=1, seed=7)
    with pytest.raises(DataError, match=r"at least one symbol|two symbols or more; this panel has 0"):
        simulator.calibrate(small.select([]))


@every
@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"n": 0}, "n is 0; accepted: a whole number of 1 or more"),
        ({"n": True}, "n is True"),
        ({"horizon": -5}, "horizon is -5"),
        ({"horizon": 2.5}, "horizon is 2.5"),
        ({"seed": -1}, "seed is -1"),
        ({"first": -1}, "first is -1"),
    ],
)
def test_counts_out_of_range_are_refused_at_the_call(
    simulator: Simulator, small: Panel, counts: dict[str, int], words: str
) -> None:
    asked = {"n": 2, "horizon": 5, "seed": 7} | counts
    for call in (simulator.closes, simulator.paths):
        with pytest.raises(DataError, match=words):
            call(small, **asked)


@pytest.mark.parametrize("kind", SIMULATORS.values())
@pytest.mark.parametrize("fields", [{"window": 10}, {"drift": "up"}, {"windw": 100}])
def test_wrong_parameters_are_refused(kind: type[Simulator], fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        kind(**fields)


@every
def test_a_price_beyond_all_numbers_is_refused_not_returned(
    simulator: Simulator, small: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    high = dataclasses.replace(simulator.calibrate(small), last=np.full(3, 1.7e308))
    monkeypatch.setattr(type(simulator), "calibrate", lambda *_: high)
    for call in (simulator.closes, lambda *args, **counts: list(simulator.paths(*args, **counts))):
        with pytest.raises(DataError, match=r"left the range of numbers within 60 sessions; the highest volatility"):
            call(small, n=200, horizon=60, seed=7)


def test_two_simulators_give_two_worlds(small: Panel) -> None:
    worlds = [kind(**TOLD.get(name, {})).closes(small, n=1, horizon=63, seed=7) for name, kind in SIMULATORS.items()]
    assert not any(np.array_equal(a, b) for a, b in itertools.combinations(worlds, 2))
