"""The realism card against independent formulas, against worlds of its own law, and against real prices."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.tsa.stattools import acf

from quantlib.errors import DataError
from quantlib.metrics import longest_drawdown, max_drawdown
from quantlib.simulators import GBM, StationaryBootstrap
from quantlib.simulators.base import Calibration, Simulator
from quantlib.simulators.filtered_historical import FilteredHistorical
from quantlib.simulators.garch import GARCH
from quantlib.simulators.realism import LEAST_SESSIONS, envelope, realism
from quantlib.simulators.realism_card import RealismCard, grade_table, letter
from quantlib.simulators.stylised_facts import JOINT, LAGS, MEASURES, facts, joint_facts, tail_index
from quantlib.types import FloatArray, Panel

COLUMN = {name: i for i, name in enumerate(MEASURES)}


def panel_of(moves: FloatArray) -> Panel:
    """Return a panel of prices with these log returns [T, N]."""
    index = pd.bdate_range("2010-01-01", periods=len(moves) + 1)
    closes = 100 * np.exp(np.vstack([np.zeros(moves.shape[1]), np.cumsum(moves, axis=0)]))
    return Panel.from_frames(pd.DataFrame(closes, index=index, columns=[f"S{i}" for i in range(moves.shape[1])]))


@pytest.fixture(scope="module")
def moves() -> FloatArray:
    """Return log returns [k, T, N] with fat tails and a common part."""
    rng = np.random.default_rng(5)
    return 0.01 * (rng.standard_t(4, size=(3, 600, 1)) + rng.standard_t(4, size=(3, 600, 4)))


@pytest.fixture(scope="module")
def gbm_on_stocks(stocks: Panel) -> RealismCard:
    return realism(GBM(), stocks.select(["KO", "MSFT", "JPM"]), sessions=1500)


@pytest.fixture(scope="module")
def bootstrap_on_stocks(stocks: Panel) -> RealismCard:
    return realism(StationaryBootstrap(), stocks.select(["KO", "MSFT", "JPM"]), sessions=1500)


class TestFacts:
    def test_moments_quantiles_and_l_moments(self, moves: FloatArray) -> None:
        found = facts(moves, 252)[0]
        assert found.shape == (3, 4, len(MEASURES))
        x = moves[1, :, 2]
        ordered = np.sort(x)
        # Probability-weighted moments by their definition, one observation at a time.
        n = len(x)
        b = [
            sum(np.prod([(i - j) / (n - 1 - j) for j in range(r)]) * ordered[i] for i in range(n)) / n for r in range(4)
        ]
        l2 = 2 * b[1] - b[0]
        expected = {
            "mean": 252 * x.mean(),
            "volatility": np.sqrt(252 * x.var(ddof=1)),
            "skewness": (6 * b[2] - 6 * b[1] + b[0]) / l2,
            "kurtosis": (20 * b[3] - 30 * b[2] + 12 * b[1] - b[0]) / l2,
            "worst": np.exp(np.quantile(x, 0.01)) - 1,
            "best": np.exp(np.quantile(x, 0.99)) - 1,
        }
        for name, value in expected.items():
            assert found[1, 2, COLUMN[name]] == pytest.approx(value, rel=1e-10), name

    def test_autocorrelations_are_those_of_statsmodels(self, moves: FloatArray) -> None:
        found, waves = facts(moves, 252)
        x = moves[2, :, 0]
        for kind, series in enumerate((x, np.abs(x))):
            np.testing.assert_allclose(waves[2, 0, kind], acf(series, nlags=60)[list(LAGS)], atol=1e-12)
        sizes = acf(np.abs(x), nlags=20)
        assert found[2, 0, COLUMN["memory"]] == pytest.approx(acf(x, nlags=1)[1])
        for lag in (1, 5, 20):
            assert found[2, 0, COLUMN[f"clusters_{lag}"]] == pytest.approx(sizes[lag])

    def test_leverage_sees_falls_that_raise_later_volatility_and_not_earlier(self) -> None:
        rng = np.random.default_rng(1)
        shocks = rng.normal(size=4000)
        spread = np.ones(4000)
        for t in range(1, 4000):
            spread[t] = 0.9 * spread[t - 1] + 0.1 + (0.6 if shocks[t - 1] < -1 else 0.0)
        x = 0.01 * spread * shocks
        forward, backward = (facts(series[None, :, None], 252)[0][0, 0, COLUMN["leverage"]] for series in (x, x[::-1]))
        expected = np.mean([np.corrcoef(x[:-k], np.abs(x[k:]))[0, 1] for k in range(1, 11)])
        assert forward == pytest.approx(expected, abs=2e-3)
        assert forward < -0.05
        assert abs(backward) < 0.03

    def test_drawdowns_are_those_of_the_metrics(self, moves: FloatArray) -> None:
        found = facts(moves, 252)[0][0, 3]
        simple = pd.Series(np.expm1(moves[0, :, 3]))
        assert found[COLUMN["drawdown"]] == pytest.approx(max_drawdown(simple))
        assert found[COLUMN["underwater"]] == longest_drawdown(simple)

    def test_the_tail_index_is_that_of_a_pareto_law(self) -> None:
        # Half of a symmetric Pareto law lies above the median; its index is known.
        rng = np.random.default_rng(3)
        x = rng.choice([-1, 1], size=(200, 4000)) * (rng.pareto(3.0, size=(200, 4000)) + 1)
        k = 200
        top = np.sort(x[0] - np.median(x[0]))[-k - 1 :]
        assert tail_index(np.sort(x, axis=1))[0] == pytest.approx(1 / np.mean(np.log(top[1:] / top[0])))
        indexes = 1 / tail_index(np.sort(x - np.median(x, axis=1, keepdims=True), axis=1))
        # The median of such a sample is one of its ends, so distances from it start at 0, not at 1.
        assert (1 / facts(0.01 * x[:, :, None], 252)[0][:, 0, COLUMN["lower_tail"]]).mean() == pytest.approx(
            indexes.mean(), abs=0.02
        )
        # Fat below and thin above.
        sided = np.where(rng.random(4000) < 0.5, -rng.pareto(2.0, 4000), np.abs(rng.normal(size=4000)))
        lower, upper = facts(0.01 * sided[None, :, None], 252)[0][0, 0, [COLUMN["lower_tail"], COLUMN["upper_tail"]]]
        assert lower < 3 < upper
        flat = np.concatenate([np.zeros(96), np.ones(4)])
        assert np.isnan(tail_index(flat)), "no distance at the edge of the tail, so no ratio to it"

    def test_together_falls_and_correlations(self, moves: FloatArray) -> None:
        pairs, shared = joint_facts(moves)
        np.testing.assert_allclose(pairs[1], np.corrcoef(moves[1].T)[np.triu_indices(4, 1)])
        bad = moves[1] <= np.sort(moves[1], axis=0)[29]
        expected = np.mean([np.sum(bad[:, i] & bad[:, j]) / 30 for i in range(4) for j in range(i)])
        assert shared[1] == pytest.approx(expected)
        same = np.repeat(moves[:, :, :1], 2, axis=2)
        np.testing.assert_allclose(joint_facts(same)[1], 1.0)

    def test_what_never_moves_is_unknown_not_zero(self) -> None:
        found = facts(np.zeros((1, 300, 1)), 252)[0][0, 0]
        for name in ("skewness", "kurtosis", "lower_tail", "memory", "clusters_5", "leverage"):
            assert np.isnan(found[COLUMN[name]]), name


class TestEnvelope:
    def test_it_holds_all_measures_at_once_in_99_of_100(self) -> None:
        rng = np.random.default_rng(2)
        mix = rng.normal(size=(12, 12))
        outside = 0
        for _ in range(1500):
            # Skewed and dependent measures: the bound holds whatever they are.
            pool = np.exp(0.3 * rng.normal(size=(200, 12)) @ mix / 3)
            outside += np.abs(envelope(pool, np.zeros(12, dtype=bool))[3]).max() > 1
        assert outside / 1500 == pytest.approx(0.01, abs=4 * np.sqrt(0.01 * 0.99 / 1500))

    def test_each_interval_alone_is_wider_than_99_percent(self) -> None:
        pool = np.random.default_rng(4).normal(size=(2000, 15))
        low, middle, high, _ = envelope(pool, np.zeros(15, dtype=bool))
        # Independent normal measures: each must hold 0.99^(1/15) of them.
        reach = stats.norm.ppf(0.5 + 0.5 * 0.99 ** (1 / 15))
        assert high.mean() == pytest.approx(reach, rel=0.08)
        assert low.mean() == pytest.approx(-reach, rel=0.08)
        assert np.abs(middle).max() < 0.15

    def test_a_value_outside_lies_beyond_one_and_on_its_side(self) -> None:
        pool = np.random.default_rng(4).normal(size=(201, 3))
        pool[0] = [9.0, -9.0, 0.0]
        low, _, high, place = envelope(pool, np.zeros(3, dtype=bool))
        assert place[0] > 1 > place[2] > -1 > place[1]
        assert (low[:2] > -9).all()
        assert (high[:2] < 9).all()
        assert envelope(pool, np.array([False, True, False]))[3][1] == 0

    def test_measures_on_which_all_worlds_agree(self) -> None:
        pool = np.ones((201, 2))
        pool[0, 0] = 2.0
        assert np.isinf(envelope(pool, np.zeros(2, dtype=bool))[3][0])
        assert envelope(pool, np.zeros(2, dtype=bool))[3][1] == 0
        nearly = np.column_stack([np.r_[np.full(198, 10.0), 1.0, 2.0, 3.0], np.random.default_rng(0).normal(size=201)])
        nearly[0, 1] = 50.0
        assert envelope(nearly, np.zeros(2, dtype=bool))[3][1] > 1, "a few odd worlds do not blow up every interval"


class TestCard:
    def test_gbm_fails_real_stocks_for_tails_and_clustering(self, gbm_on_stocks: RealismCard) -> None:
        for symbol in gbm_on_stocks.symbols:
            rows = gbm_on_stocks.measures(symbol)
            failed = set(rows.index[~rows["passed"]])
            assert {"kurtosis", "lower_tail", "clusters_1", "clusters_5"} <= failed
            assert {"mean", "volatility"} & failed == set(), "what is fitted is not missed"
            assert gbm_on_stocks.grades[symbol] >= "C"
        assert "tails too thin (3 of 3)" in gbm_on_stocks.sentence
        assert "no volatility clustering (3 of 3)" in gbm_on_stocks.sentence
        assert gbm_on_stocks.sentence.startswith(f"Grade {gbm_on_stocks.grade}: ")

    def test_the_s_and_p_is_no_gbm(self, ohlcv: Panel) -> None:
        card = realism(GBM(), ohlcv, sessions=2000)
        assert "no volatility clustering" in card.sentence
        assert "tails too thin" in card.sentence
        assert "no leverage effect" in card.sentence
        assert card.grade == card.grades["^GSPC"] >= "D"

    def test_the_bootstrap_keeps_what_gbm_loses(self, bootstrap_on_stocks, gbm_on_stocks) -> None:
        rows = bootstrap_on_stocks.table
        of_tails = rows[rows["facet"].isin(["tails", "level", "correlation", "joint falls"])]
        assert of_tails["passed"].all()
        assert bootstrap_on_stocks.grade < gbm_on_stocks.grade

    def test_garch_has_the_tails_and_the_clusters_that_gbm_lacks(self, ohlcv: Panel) -> None:
        card = realism(GARCH(), ohlcv, sessions=2000)
        assert not {"tails", "clustering", "level", "drawdowns"} & set(card.faults)
        assert card.grade <= "B"

    def test_filtered_history_keeps_what_gbm_loses(self, stocks: Panel) -> None:
        card = realism(FilteredHistorical(), stocks.select(["KO", "MSFT"]), n=99)
        of_each = card.table.drop(index="", level="symbol")
        assert of_each.loc[of_each["facet"].isin(["tails", "clustering", "level", "drawdowns"]), "passed"].all()

    def test_histories_of_the_law_itself_pass(self) -> None:
        rng = np.random.default_rng(11)
        root = np.linalg.cholesky(0.01**2 * (0.5 * np.eye(2) + 0.5))
        cards = [realism(GBM(), panel_of(rng.normal(size=(400, 2)) @ root.T + 0.0003), n=99, seed=i) for i in range(25)]
        failed = sum(grade != "A" for card in cards for grade in card.grades)
        # 50 symbols at 1 % at most, tested at a chance of 1 in 1,000.
        assert failed <= stats.binom(50, 0.01).isf(0.001)
        assert sum(card.grade != "A" for card in cards) <= 4

    def test_worlds_made_apart_miss_the_falls_shared(self) -> None:
        class Apart(GBM):
            """Brownian motion without correlation."""

            name: ClassVar[str] = "apart"

            def calibrate(self, panel: Panel) -> Calibration:
                fit = super().calibrate(panel)
                object.__setattr__(fit, "root", np.diag(np.diag(fit.root @ fit.root) ** 0.5))
                return fit

        rng = np.random.default_rng(1)
        panel = panel_of(0.01 * (rng.normal(size=(800, 1)) + rng.normal(size=(800, 3))))
        card = realism(Apart(), panel, n=99)
        rows = card.measures("")
        assert list(rows.index) == list(JOINT)
        assert not rows["passed"].any()
        assert set(card.faults) == {"correlation", "joint falls"}
        assert card.faults["joint falls"] == "no falling together" or "too little" in card.faults["joint falls"]
        assert card.grade == "C"
        assert set(card.grades) == {"A"}

    def test_the_grade_falls_with_every_facet_and_never_rises(self) -> None:
        assert [letter(i) for i in range(8)] == ["A", "B", "C", "D", "E", "F", "F", "F"]

    def test_a_facet_counts_where_it_fails_on_more_than_a_quarter(self, gbm_on_stocks: RealismCard) -> None:
        def made(fails: int) -> RealismCard:
            symbols = tuple("abcdefgh")
            one = gbm_on_stocks.measures("KO").assign(passed=pd.array([True] * len(MEASURES), dtype="boolean"))
            bad = one.copy()
            bad.loc["kurtosis", "passed"] = False
            parts = {s: bad if i < fails else one for i, s in enumerate(symbols)}
            return RealismCard(
                name="x", title="x", symbols=symbols, start=gbm_on_stocks.start, end=gbm_on_stocks.end,
                sessions=1, worlds=1, seed=0, table=pd.concat(parts, names=["symbol", "measure"]),
                acf=gbm_on_stocks.acf,
            )  # fmt: skip

        assert made(2).grade == "A"
        assert list(made(2).grades) == ["B", "B", *"AAAAAA"]
        assert made(3).grade == "B"
        assert made(3).sentence.startswith("Grade B: tails too thin (3 of 8); never saw ")
        joint = gbm_on_stocks.table.loc[[""]].assign(passed=pd.array([False] * len(JOINT), dtype="boolean"))
        whole = made(0)
        assert replace(whole, table=pd.concat([whole.table, joint])).grade == "C", "joint facets count once each"
        assert whole.sentence.startswith("Grade A: not told from history by any measure; never saw ")

    def test_intervals_stay_within_what_a_measure_can_be(self, gbm_on_stocks, bootstrap_on_stocks) -> None:
        for card in (gbm_on_stocks, bootstrap_on_stocks):
            for (_, name), row in card.table.iterrows():
                m = {**MEASURES, **JOINT}[name]
                assert m.floor <= row["low"] <= row["median"] <= row["high"] <= m.ceiling
                assert row["passed"] == (row["low"] <= row["history"] <= row["high"]) == (abs(row["distance"]) <= 1)
                assert bool(row["words"]) == (not row["passed"])

    def test_history_and_lags_are_those_of_the_panel(self, stocks: Panel, gbm_on_stocks: RealismCard) -> None:
        logs = np.log(stocks.frame()["KO"]).diff().dropna().tail(1500)
        assert (gbm_on_stocks.start, gbm_on_stocks.end) == (stocks.index[-1501], stocks.index[-1])
        assert gbm_on_stocks.measures("KO").loc["volatility", "history"] == pytest.approx(logs.std() * np.sqrt(252))
        waves = gbm_on_stocks.acf.loc["KO"].loc["absolute returns"]
        np.testing.assert_allclose(waves["history"], acf(logs.abs(), nlags=60)[list(LAGS)], atol=1e-12)
        assert (waves["history"].iloc[:4] > waves["high"].iloc[:4]).all()

    def test_the_same_seed_gives_the_same_card_and_progress_is_told(self, small: Panel) -> None:
        told: list[tuple[int, int]] = []
        cards = [realism(GBM(), small, n=120, seed=3, on_progress=lambda *at: told.append(at)) for _ in range(2)]
        pd.testing.assert_frame_equal(cards[0].table, cards[1].table)
        assert told[-1] == (120, 120)
        assert not realism(GBM(), small, n=120, seed=4).table.equals(cards[0].table)

    def test_the_window_of_a_simulator_is_what_it_is_judged_on(self, small: Panel) -> None:
        assert realism(GBM(window=300), small, n=99).sessions == 300
        assert realism(GBM(), small, n=99).sessions == len(small) - 1

    def test_a_law_is_judged_after_its_burn_in(self, small: Panel) -> None:
        class Calm(GBM):
            """Brownian motion that starts calm."""

            def calibrate(self, panel: Panel) -> Calibration:
                fit = super().calibrate(panel)
                drawn = fit.draw

                def calm(streams, horizon):
                    moves = drawn(streams, horizon)
                    moves[:, :200] *= 0.01
                    return moves

                object.__setattr__(fit, "draw", calm)
                return fit

        pd.testing.assert_frame_equal(realism(Calm(), small, n=99).table, realism(GBM(), small, n=99).table)

    def test_in_short_it_is_the_grade_with_its_reasons_and_what_it_was_judged_by(
        self, gbm_on_stocks: RealismCard
    ) -> None:
        card, short = gbm_on_stocks, gbm_on_stocks.short
        assert short.letter == card.grade
        judged = f"judged by {card.worlds} worlds of the {card.sessions:,} sessions up to {card.end:%Y-%m-%d}"
        assert short.sentence == f"{card.sentence.split('; never saw')[0]} ({judged})"
        assert short.sentence == f"Grade {short.letter}: {short.reasons}"

    def test_the_sentence_names_the_deepest_crises_never_seen(self, gbm_on_stocks: RealismCard) -> None:
        # 1,500 sessions to the end of 2022 begin at the start of 2017.
        assert gbm_on_stocks.unseen[:3] == ("Financial crisis 2007-09", "Dot-com bust 2000-02", "Lehman 2008")
        assert not {"March 2020", "February 2018", "Rates 2022"} & set(gbm_on_stocks.unseen)
        partly = replace(gbm_on_stocks, start=pd.Timestamp("2008-10-01"))
        assert "Lehman 2008" not in partly.unseen, "a part of it was seen"
        more = len(gbm_on_stocks.unseen) - 3
        end = f"; never saw Financial crisis 2007-09, Dot-com bust 2000-02, Lehman 2008 and {more} more named crises"
        assert gbm_on_stocks.sentence.endswith(end)

    def test_cards_side_by_side(self, gbm_on_stocks, bootstrap_on_stocks) -> None:
        table = grade_table([gbm_on_stocks, bootstrap_on_stocks])
        assert list(table.columns) == ["KO", "MSFT", "JPM", "overall"]
        assert list(table.loc[GBM.title]) == [*gbm_on_stocks.grades, gbm_on_stocks.grade]


class TestRefusals:
    def test_numbers_out_of_range(self, small: Panel) -> None:
        with pytest.raises(DataError, match="n=50 worlds; accepted: 99 or more"):
            realism(GBM(), small, n=50)
        with pytest.raises(DataError, match="sessions=100; accepted: 250 or more"):
            realism(GBM(), small, sessions=100)
        with pytest.raises(DataError, match="needs 2,000 returns; this panel has 499"):
            realism(GBM(), small, sessions=2000)

    def test_short_histories_and_windows(self, small: Panel) -> None:
        with pytest.raises(DataError, match="needs 250 returns; this panel has 199"):
            realism(GBM(), small.tail(200))
        with pytest.raises(DataError, match="learns from the latest 100"):
            realism(GBM(window=100), small)
        assert LEAST_SESSIONS == 250

    def test_a_price_that_never_moves(self, small: Panel) -> None:
        close = small.frame()
        close["PEP"] = 10.0
        with pytest.raises(DataError, match="PEP never moves in the 499 sessions"):
            realism(GBM(), Panel.from_frames(close))

    @pytest.mark.parametrize("mean", [np.nan, 2.0])
    def test_worlds_that_are_no_numbers(self, small: Panel, mean: float) -> None:
        class Broken(GBM):
            """Brownian motion that breaks off."""

            def calibrate(self, panel: Panel) -> Calibration:
                fit = super().calibrate(panel)
                object.__setattr__(fit, "mean", np.array([0.0, mean, 0.0]))
                return fit

        with pytest.raises(DataError, match="left the range of numbers"):
            realism(Broken(), small, n=99)

    def test_an_unknown_symbol(self, gbm_on_stocks: RealismCard) -> None:
        with pytest.raises(DataError, match=r"no symbol 'MSTF'\. Did you mean MSFT"):
            gbm_on_stocks.measures("MSTF")


def test_every_measure_has_its_words() -> None:
    assert all(m.above and (m.below or m.larger_only) for m in {**MEASURES, **JOINT}.values())
    assert issubclass(GBM, Simulator)
