"""The event study against statsmodels, plain pandas and effects of known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from quantlib.errors import DataError
from quantlib.event_study import EventStudy, study
from quantlib.events import read_events
from quantlib.types import Panel

FOLDER = Path(__file__).resolve().parents[2] / "data" / "events"
BEFORE, AFTER, ESTIMATION, GAP = 2, 5, 250, 20


@pytest.fixture(scope="module")
def fomc() -> pd.DataFrame:
    events = read_events(FOLDER)
    return events[events["id"].str.startswith("fomc-") & events["day"].between("2000-01-01", "2022-12-31")]


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    return load_sp500_dataset()[["JPM", "KO", "XOM"]].join(load_sp500_index(), how="inner")


def by_hand(closes: pd.DataFrame, events: pd.DataFrame, symbol: str, regressors: list[str]) -> pd.DataFrame:
    """Return each event's day with abnormal returns and prediction errors, event by event with statsmodels."""
    moves = np.log(closes).diff()
    rows = []
    for day in events["day"]:
        # Decisions come out before the close; that of Sunday, 15 March 2020, was traded on Monday.
        p = moves.index.get_indexer([day], method="bfill")[0]
        if p + AFTER >= len(moves):
            continue
        y = moves[symbol].to_numpy()
        x = np.column_stack([np.ones(len(moves)), moves[regressors].to_numpy()])
        known, window = slice(p - BEFORE - GAP - ESTIMATION, p - BEFORE - GAP), slice(p - BEFORE, p + AFTER + 1)
        fit = sm.OLS(y[known], x[known]).fit()
        expected = fit.get_prediction(x[window])
        rows.append([p, *(y[window] - expected.predicted_mean), *expected.se_obs])
    days = range(-BEFORE, AFTER + 1)
    return pd.DataFrame(rows, columns=["row", *(f"ar{d}" for d in days), *(f"se{d}" for d in days)])


def overlapping(rows: pd.Series) -> list[int]:
    """Return the cluster of each event: windows as sets of sessions, those that meet joined."""
    labels, seen, label = [], set(), -1
    for row in rows:
        window = set(range(int(row) - BEFORE, int(row) + AFTER + 1))
        if not window & seen:
            label, seen = label + 1, set()
        seen |= window
        labels.append(label)
    return labels


@pytest.fixture(scope="module")
def market(closes: pd.DataFrame, fomc: pd.DataFrame) -> EventStudy:
    return study(
        Panel.from_frames(closes), fomc, market="SP500", before=BEFORE, after=AFTER, over=(0, 1), samples=500,
        placebos=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def oracle(closes: pd.DataFrame, fomc: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {symbol: by_hand(closes, fomc, symbol, ["SP500"]) for symbol in ("JPM", "KO", "XOM")}


def test_fomc_days_are_those_of_statsmodels(market: EventStudy, oracle: dict[str, pd.DataFrame]) -> None:
    days = range(-BEFORE, AFTER + 1)
    for i, symbol in enumerate(market.symbols):
        expected = oracle[symbol][[f"ar{d}" for d in days]].to_numpy()
        np.testing.assert_allclose(market.abnormal[:, :, i], expected, atol=1e-12)
    # Means over assets first, then over events; errors by clusters of windows that share a session.
    mean = sum(frame.filter(like="ar").to_numpy() for frame in oracle.values()) / 3
    labels = overlapping(oracle["KO"]["row"])
    assert market.n == len(mean) == 190
    assert market.clusters == len(set(labels)) < market.n
    cars = mean[:, [BEFORE, BEFORE + 1]].sum(axis=1)
    fit = sm.OLS(cars, np.ones(len(cars))).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    assert market.car == pytest.approx(fit.params[0], abs=1e-12)
    assert market.error == pytest.approx(fit.bse[0], rel=1e-9)
    assert market.p_value == pytest.approx(fit.pvalues[0], rel=1e-8)
    path = pd.DataFrame(mean).cumsum(axis=1)
    np.testing.assert_allclose(market.by_day["car"], path.mean(), atol=1e-12)
    each = [sm.OLS(path[d], np.ones(len(path))).fit(cov_type="cluster", cov_kwds={"groups": labels}) for d in path]
    np.testing.assert_allclose(market.by_day["error"], [one.bse.iloc[0] for one in each], rtol=1e-8)
    np.testing.assert_allclose(market.by_event["car"], cars, atol=1e-12)
    assert market.left_out.empty
    assert market.notes == (
        "Windows overlap: the 190 events are 189 independent clusters at most, and errors count those.",
    )


def test_standardised_returns_take_the_prediction_error(market: EventStudy, oracle: dict[str, pd.DataFrame]) -> None:
    days = range(-BEFORE, AFTER + 1)
    scaled = []
    for symbol in market.symbols:
        frame = oracle[symbol]
        scaled.append(frame.filter(like="ar").to_numpy() / frame[[f"se{d}" for d in days]].to_numpy())
    flat = np.concatenate(scaled)
    np.testing.assert_allclose(market.by_day["volatility"], flat.std(axis=0, ddof=1), rtol=1e-8)
    assert market.by_day["volatility"].loc[0] > 1


def test_the_prediction_error_of_a_sum_counts_the_shared_coefficients(closes: pd.DataFrame, fomc: pd.DataFrame) -> None:
    one = fomc.iloc[[10]]
    found = study(Panel.from_frames(closes[["KO", "SP500"]]), one, market="SP500", before=BEFORE, after=AFTER)
    moves = np.log(closes).diff()
    p = moves.index.get_loc(one["day"].iloc[0])
    x = sm.add_constant(moves["SP500"].iloc[p - BEFORE - GAP - ESTIMATION : p - BEFORE - GAP])
    fit = sm.OLS(moves["KO"].loc[x.index], x).fit()
    total = sm.add_constant(moves["SP500"].iloc[p - BEFORE : p + AFTER + 1]).sum()
    variance = fit.scale * (BEFORE + AFTER + 1) + total @ fit.cov_params() @ total
    assert found.by_event["standardised"].iloc[0] == pytest.approx(found.car / np.sqrt(variance), rel=1e-9)


def test_factors_and_the_mean_are_those_of_statsmodels(closes: pd.DataFrame, fomc: pd.DataFrame) -> None:
    panel = Panel.from_frames(closes)
    plan = {"before": BEFORE, "after": AFTER, "samples": 0, "placebos": 0}
    for model, regressors in (("factors", ["SP500", "XOM"]), ("mean", [])):
        found = study(panel, fomc[:40], model=model, factors=regressors, **plan)
        assert found.explained_by == tuple(regressors)
        expected = by_hand(closes, fomc[:40], "KO", regressors).filter(like="ar").to_numpy()
        np.testing.assert_allclose(found.abnormal[:, :, found.symbols.index("KO")], expected, atol=1e-12)
    # An extra of the panel can be a factor too; it holds returns.
    returns = np.log(closes["SP500"]).diff().to_numpy()
    with_extra = Panel.from_frames(closes[["KO"]], extra={"index": returns})
    same = study(with_extra, fomc, model="factors", factors=["index"], **plan)
    alone = study(panel.select(["KO", "SP500"]), fomc, market="SP500", **plan)
    np.testing.assert_allclose(same.abnormal, alone.abnormal, atol=1e-13)


def test_nothing_after_the_window_and_nothing_in_the_gap_is_used(closes: pd.DataFrame) -> None:
    day = closes.index[1000]
    plan = {"market": "SP500", "before": BEFORE, "after": AFTER, "samples": 0, "placebos": 0}
    changed = closes.copy()
    changed.iloc[1000 + AFTER + 1 :] *= 3.0
    # The first session after the estimation may jump, the one before it, which is its last, may not.
    changed.iloc[1000 - BEFORE - GAP :, 0] *= 1.5
    one, other = (study(Panel.from_frames(frame), [day], **plan) for frame in (closes, changed))
    np.testing.assert_allclose(one.abnormal, other.abnormal, atol=1e-12)
    changed.iloc[1000 - BEFORE - GAP - 1 :, 0] *= 1.5
    assert np.abs(study(Panel.from_frames(changed), [day], **plan).abnormal - one.abnormal).max() > 1e-4


def test_an_effect_added_to_real_returns_is_recovered(closes: pd.DataFrame, fomc: pd.DataFrame) -> None:
    panel = Panel.from_frames(closes)
    plan = {"market": "SP500", "before": BEFORE, "after": AFTER, "over": (0, 1), "samples": 200, "placebos": 199}
    before = study(panel, fomc, **plan)
    rows = closes.index.isin(before.by_event["session"])
    added = pd.DataFrame(0.0, closes.index, closes.columns)
    added.loc[rows, ["JPM", "KO", "XOM"]] = 0.01
    after = study(Panel.from_frames(closes * np.exp(added.cumsum())), fomc, **plan)
    # Not to the last digit: the models are fitted on sessions that hold earlier events, which raise the intercept.
    assert after.car - before.car == pytest.approx(0.01, rel=0.08)
    assert after.by_day["ar"].loc[0] - before.by_day["ar"].loc[0] == pytest.approx(0.01, rel=0.05)
    np.testing.assert_allclose((after.by_day["ar"] - before.by_day["ar"]).drop(0), 0, atol=5e-4)
    assert before.p_placebo > 0.05
    assert after.p_placebo <= 0.02
    assert after.ci_low > 0.006
    assert (after.by_symbol["car"] - before.by_symbol["car"]).to_numpy() == pytest.approx([0.01] * 3, rel=0.08)


def test_a_dose_is_found_with_its_clustered_error(closes: pd.DataFrame, fomc: pd.DataFrame) -> None:
    rng = np.random.default_rng(4)
    doses = pd.Series(rng.standard_normal(len(fomc)), index=fomc["id"])
    doses.iloc[::10] = np.nan
    frame = closes[["KO", "SP500"]]
    days = pd.DatetimeIndex(fomc["day"])
    at = frame.index.get_indexer(days, method="bfill")
    size = np.zeros(len(frame))
    np.add.at(size, at, doses.fillna(0.0).to_numpy() * 0.01)
    changed = frame.assign(KO=frame["KO"] * np.exp(size.cumsum()))
    plan = {"market": "SP500", "before": BEFORE, "after": AFTER, "over": (0, 0), "placebos": 0}
    found = study(Panel.from_frames(changed), fomc, doses=doses, **plan)
    dose = found.dose
    known = found.by_event.dropna(subset="dose")
    fit = sm.OLS(known["car"].to_numpy(), sm.add_constant(known["dose"].to_numpy())).fit(
        cov_type="cluster", cov_kwds={"groups": known["cluster"].to_numpy()}, use_t=True
    )
    assert (dose.intercept, dose.slope) == pytest.approx(tuple(fit.params), abs=1e-12)
    assert dose.error == pytest.approx(fit.bse[1], rel=1e-9)
    assert dose.p_value == pytest.approx(fit.pvalues[1], rel=1e-6)
    assert dose.r_squared == pytest.approx(fit.rsquared, rel=1e-9)
    assert dose.n == len(known) == found.by_event["dose"].notna().sum()
    assert abs(dose.slope - 0.01) < 3 * dose.error
    assert dose.ci_low < 0.01 < dose.ci_high
    assert dose.ci_high - dose.ci_low == pytest.approx(2 * 1.96 * dose.error, rel=0.25)
    assert dose.daily.loc[0, "slope"] == pytest.approx(dose.slope, abs=1e-12)
    response = found.impulse(per="dose")
    assert response["response"][0] == pytest.approx(dose.slope)
    assert len(response["response"]) == len(response["error"]) == len(response["volatility"]) == AFTER + 1
    # The same doses in the order of the events.
    again = study(Panel.from_frames(changed), fomc, doses=doses.to_list(), **plan)
    assert again.dose.slope == dose.slope


def test_events_of_one_asset_move_that_one_only(closes: pd.DataFrame) -> None:
    frame = closes[["JPM", "KO"]].copy()
    rows = np.arange(400, 4000, 60)
    events = pd.DataFrame(
        {
            "id": [f"e{i}" for i in range(len(rows))],
            "day": frame.index[rows],
            "session": "during",
            "symbol": ["JPM", "KO"] * (len(rows) // 2),
        }
    )
    jump = np.zeros(frame.shape)
    jump[rows[::2], 0], jump[rows[1::2], 1] = 0.03, -0.03
    panel = Panel.from_frames(frame * np.exp(jump.cumsum(axis=0)))
    found = study(panel, events, model="mean", before=1, after=1, over=(0, 0), placebos=99)
    assert np.isfinite(found.abnormal[:, 0]).sum(axis=0).tolist() == [len(rows) // 2] * 2
    assert (found.by_event["assets"] == 1).all()
    assert found.by_symbol["car"].to_dict() == pytest.approx({"JPM": 0.03, "KO": -0.03}, abs=0.004)
    assert found.p_placebo > 0.05, "both signs cancel in the mean"
    fields = found.impulse(by_symbol=True)
    assert fields["symbols"] == ("JPM", "KO")
    assert fields["response"][0] == pytest.approx(tuple(found.by_symbol["car"]))
    assert fields["error"][0] == pytest.approx(tuple(found.by_symbol["error"]))
    with pytest.raises(DataError, match="An event is of 'PEP', which is not studied"):
        study(panel, events.assign(symbol="PEP"), model="mean")


def test_missing_history_is_left_out_or_shortened_and_said() -> None:
    rng = np.random.default_rng(1)
    index = pd.bdate_range("2020-01-01", periods=600)
    close = pd.DataFrame(np.exp(rng.normal(0, 0.01, (600, 2)).cumsum(axis=0)), index, ["A", "B"])
    close.iloc[450, 0] = np.nan
    close.iloc[:200, 1] = np.nan
    days = pd.DatetimeIndex([*index[[50, 100, 450, 520, 598]], pd.Timestamp("2030-01-01"), pd.Timestamp("2019-01-01")])
    found = study(Panel.from_frames(close[["A"]]), days, model="mean", before=2, after=5)
    reasons = found.left_out["reason"].to_list()
    assert reasons == [
        "fewer than 60 known sessions before it",
        "a price in its window is not known",
        "its window reaches beyond the last session",
        "outside the prices",
        "outside the prices",
    ]
    assert found.by_event["sessions"].to_list() == [100 - 2 - 20 - 1, 248]  # two returns touch the missing close
    assert "fewer than 250 sessions, the shortest on 77" in found.notes[1]
    assert "Fewer than 8 clusters" in found.notes[-1]
    assert np.isnan([found.ci_low, found.ci_high]).all()
    both = study(Panel.from_frames(close), days, model="mean", before=2, after=5)
    assert both.by_event["assets"].to_list() == [1, 1, 2], "B has no history at the first, A no price at the second"
    with pytest.raises(DataError, match=r"None of the 2 events can be studied: 2 outside the prices\. The prices go"):
        study(Panel.from_frames(close), days[-2:], model="mean")


def test_the_bootstrap_interval_is_that_of_clusters(closes: pd.DataFrame) -> None:
    """Each event three times over is no more knowledge: the interval and the error stay those of single events."""
    panel = Panel.from_frames(closes[["KO"]])
    once = pd.DatetimeIndex(closes.index[np.arange(400, 8000, 40)])
    plan = {"model": "mean", "before": 0, "after": 3, "samples": 4000, "placebos": 0}
    single, triple = (study(panel, days, **plan) for days in (once, once.repeat(3)))
    assert triple.clusters == single.clusters == len(once)
    assert triple.car == pytest.approx(single.car)
    assert triple.error == pytest.approx(single.error, rel=1e-9)
    assert triple.ci_high - triple.ci_low == pytest.approx(single.ci_high - single.ci_low, rel=0.05)
    assert single.ci_high - single.ci_low == pytest.approx(2 * 1.96 * single.error, rel=0.06)
    assert (single.by_day["ci_high"] - single.by_day["ci_low"]).is_monotonic_increasing


def test_a_study_is_the_same_again_and_its_lots_follow_the_seed(market: EventStudy, closes, fomc) -> None:
    panel = Panel.from_frames(closes[["KO"]])
    plan = {"model": "mean", "samples": 100, "placebos": 50}
    one, same, other = (study(panel, fomc, seed=seed, **plan) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.by_day, same.by_day)
    assert one.p_placebo == same.p_placebo
    assert not np.array_equal(one.by_day["placebo_low"], other.by_day["placebo_low"])
    assert one.car == other.car
    assert market.abnormal_frame().shape == (market.n, BEFORE + AFTER + 1)
    first, last = (day + market.before for day in market.over)
    summed = market.abnormal_frame().iloc[:, first : last + 1].sum(axis=1)
    np.testing.assert_allclose(summed, market.by_event["car"], atol=1e-12)


def test_a_market_that_stands_still_explains_nothing(closes: pd.DataFrame) -> None:
    frame = closes[["KO"]].assign(STILL=5.0)
    days = closes.index[np.arange(500, 3000, 100)]
    plan = {"before": 1, "after": 1, "samples": 0, "placebos": 0}
    still = study(Panel.from_frames(frame), days, market="STILL", **plan)
    mean = study(Panel.from_frames(frame[["KO"]]), days, model="mean", **plan)
    np.testing.assert_allclose(still.abnormal, mean.abnormal, atol=1e-14)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"model": "markt"}, "Did you mean market?"),
        ({"model": "market"}, 'The model "market" needs market='),
        ({"market": "SPY"}, "'SPY' is neither a symbol nor"),
        ({"model": "factors", "factors": "SP500"}, "factors is the text 'SP500'"),
        ({"model": "mean", "estimation": 30}, "estimation is 30; accepted: a whole number of 60 or more"),
        ({"model": "mean", "before": -1}, "before is -1"),
        ({"model": "mean", "after": 2.5}, "after is 2.5"),
        ({"model": "mean", "confidence": 95}, "confidence is 95"),
        ({"model": "mean", "over": (0, 11)}, "over is (0, 11); accepted: two days of the window from -5 to 10"),
        ({"model": "mean", "doses": [1.0]}, "There are 1 doses for 2 events"),
        ({"model": "mean", "doses": [1.0, np.inf]}, "A dose is infinite"),
        ({"model": "mean", "doses": pd.Series([1.0], ["x"])}, "No dose is of an event given; the first is of 'x'"),
        ({"model": "mean", "events": []}, "There are no events"),
    ],
)
def test_what_cannot_be_studied_is_said(closes: pd.DataFrame, asked: dict, message: str) -> None:
    events = asked.pop("events", closes.index[[1000, 1100]])
    with pytest.raises(DataError) as caught:
        study(Panel.from_frames(closes), events, **asked)
    assert message in str(caught.value)


def test_every_symbol_explaining_leaves_nothing_to_study(closes: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no asset to study"):
        study(Panel.from_frames(closes[["SP500"]]), closes.index[[1000]], market="SP500")


def test_rejection_on_random_sessions_is_five_percent(closes: pd.DataFrame) -> None:
    """Fewer draws than `python -m benchmarks.events` takes; beyond these bounds a right test falls once in 2,000."""
    panel = Panel.from_frames(closes[["KO", "SP500"]].iloc[-2500:])
    draws = 150
    rng = np.random.default_rng(3)
    rejected = np.zeros(3)
    for i in range(draws):
        days = panel.index[np.sort(rng.choice(np.arange(300, 2480), 25, replace=False))]
        found = study(panel, days, market="SP500", before=1, after=3, samples=0, placebos=99, seed=i)
        rejected += np.array([found.p_placebo, found.p_value, found.p_standardised]) <= 0.05
    low, high = stats.binom.ppf([0.0005, 0.9995], draws, 0.05)
    assert ((low <= rejected) & (rejected <= high)).all(), rejected
