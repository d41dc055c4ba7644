"""Half-life, cointegration and the rest, against processes with known values and statsmodels called by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.stattools import adfuller, coint

from quantlib.errors import DataError, StrategyError
from quantlib.strategies import Group, build
from quantlib.strategies.diagnostics import diagnose
from quantlib.strategies.half_life import half_life
from quantlib.types import FloatArray, Panel


def group(**params: object) -> Group:
    made = build("group", params)
    assert isinstance(made, Group)
    return made


def ornstein(life: float, n: int, seed: int) -> FloatArray:
    """Return an Ornstein-Uhlenbeck process of a given half-life, sampled once a session."""
    rng = np.random.default_rng(seed)
    return np.asarray(lfilter([1.0], [1.0, -(0.5 ** (1 / life))], rng.normal(0, 0.01, n)))


def made_up(spread: FloatArray, seed: int = 1) -> Panel:
    """Return two legs that share a random walk, apart by a spread."""
    x = 4 + np.cumsum(np.random.default_rng(seed).normal(0, 0.01, len(spread)))
    close = {"A": np.exp(x + spread), "B": np.exp(x)}
    return Panel.from_frames(pd.DataFrame(close, index=pd.bdate_range("2000-01-03", periods=len(spread))))


PAIR = group(legs=["A", "B"], hedge={"method": "dollar_neutral"})


@pytest.mark.parametrize("life", [5.0, 20.0, 60.0])
def test_half_life_finds_that_of_a_simulated_process(life: float) -> None:
    found = [half_life(ornstein(life, 20_000, seed)) for seed in range(20)]
    assert np.median([f.value for f in found]) == pytest.approx(life, rel=0.1)
    covered = sum(f.low <= life <= f.high for f in found)
    assert covered >= 17


def test_half_life_is_an_autoregression_by_statsmodels(stocks: Panel) -> None:
    series = np.diff(np.log(stocks.select(["KO", "PEP"]).tail(600).close), axis=1)[:, 0]
    fit = AutoReg(series, 1).fit()
    found = half_life(series)
    assert found.value == pytest.approx(np.log(0.5) / np.log(fit.params[1]), rel=1e-6)
    low, high = (fit.params[1] + side * 1.96 * fit.bse[1] * np.sqrt(599 / 597) for side in (-1, 1))
    assert found.low == pytest.approx(np.log(0.5) / np.log(low), rel=1e-3)
    assert found.high == pytest.approx(np.log(0.5) / np.log(high) if high < 1 else np.inf, rel=0.05)


def test_half_life_of_what_runs_away_or_alternates() -> None:
    assert half_life(1.01 ** np.arange(100.0)).value == np.inf
    assert half_life(np.tile([1.0, -1.0], 50)).value == 0.0


@pytest.mark.parametrize(
    ("series", "message"),
    [(np.ones(50), "all 50 values are 1"), (np.arange(5.0), "got 5, 5 of them"), (np.full(30, np.nan), "got 30, 0 of")],
)
def test_half_life_refuses_what_has_none(series: FloatArray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        half_life(series)


def test_cointegration_is_that_of_statsmodels_on_each_window(stocks: Panel) -> None:
    panel = stocks.tail(1600)
    found = diagnose(group(legs=["KO", "PEP"]), panel, window=500)
    log = np.log(panel.frame()[["KO", "PEP"]])
    assert found.windows["n"].tolist() == [1600, 100, 500, 500, 500]
    assert found.windows["end"].tolist() == [log.index[i] for i in (-1, 99, 599, 1099, -1)]
    for _, row in found.windows.iterrows():
        part = log.loc[row["start"] : row["end"]]
        assert row["cointegration_p"] == pytest.approx(coint(part["KO"], part["PEP"])[1])
        slope, level = np.polyfit(part["PEP"], part["KO"], 1)
        rest = (part["KO"] - slope * part["PEP"] - level).to_numpy()
        assert row["hedge_ratio"] == pytest.approx(slope, rel=1e-6)
        assert row["half_life"] == pytest.approx(half_life(rest).value, rel=1e-5)
        assert row["adf_p"] == pytest.approx(adfuller(rest, result_object=False)[1], rel=1e-4)
        moves = part.diff().dropna()
        assert row["correlation"] == pytest.approx(moves["KO"].corr(moves["PEP"]), rel=1e-6)
    course = group(legs=["KO", "PEP"]).course(panel)
    pd.testing.assert_frame_equal(found.measured, course.measured)
    pd.testing.assert_frame_equal(found.ratios, course.ratios)


def test_legs_that_are_tied_together_are_said_to_be_and_others_not() -> None:
    tied = diagnose(PAIR, made_up(ornstein(15, 2500, 3)))
    assert tied.windows["cointegration_p"].iloc[0] < 0.01
    assert tied.windows["half_life"].iloc[0] == pytest.approx(15, rel=0.35)
    text = " ".join(tied.sentences)
    assert "the legs are tied together (Engle-Granger p = 0.0" in text
    assert "Half of a gap in the spread closed within" in text
    loose = diagnose(PAIR, made_up(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 2500))))
    assert loose.windows["cointegration_p"].iloc[0] > 0.05
    assert "no proof that the legs are tied together" in loose.sentences[0]
    assert len(tied.sentences) == 5


def test_a_fly_is_tested_by_its_body_on_its_wings(stocks: Panel) -> None:
    legs = ["JNJ", "MRK", "PFE"]
    panel = stocks.tail(800)
    found = diagnose(group(kind="fly", legs=legs), panel, window=1000)
    log = np.log(panel.frame()[legs].to_numpy())
    assert len(found.windows) == 1
    assert found.windows["cointegration_p"].iloc[0] == pytest.approx(coint(log[:, 1], log[:, [0, 2]])[1])
    moves = np.diff(log, axis=0)
    assert found.windows["correlation"].iloc[0] == pytest.approx(
        np.corrcoef(moves[:, 1], moves[:, [0, 2]].sum(axis=1))[0, 1]
    )


def test_an_outright_is_tested_against_a_random_walk() -> None:
    one = group(kind="outright", legs=["A"])
    found = diagnose(one, made_up(ornstein(15, 800, 3)))
    assert np.isnan(found.windows["cointegration_p"]).all()
    assert "cannot be told from a random walk (Dickey-Fuller p = " in found.sentences[0]


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (made_up(ornstein(15, 59, 3)), "A, B have 59 sessions in common; a diagnosis needs 60"),
        (
            Panel.from_frames(made_up(ornstein(9, 90, 3)).frame().assign(B=7.0)),
            "B has one and the same price from 2000",
        ),
        (made_up(np.zeros(90)), "A, B move as one from 2000-01-03"),
    ],
)
def test_what_cannot_be_diagnosed_is_said_to_be(panel: Panel, message: str) -> None:
    with pytest.raises(DataError, match=message):
        diagnose(PAIR, panel)


def test_a_rotation_has_nothing_to_diagnose(stocks: Panel) -> None:
    with pytest.raises(StrategyError, match="A rotation has no spread"):
        diagnose(group(kind="rotation", legs=["KO", "PEP"]), stocks)
    with pytest.raises(DataError, match="window of 20 sessions is too short"):
        diagnose(group(), stocks, window=20)
