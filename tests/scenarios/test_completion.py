from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.covariance import LedoitWolf

from quantlib.errors import DataError
from quantlib.scenarios import Estimation, Scenario, complete, learn, make_scenario, see
from quantlib.types import Panel


def scenario(*shocks: dict, sessions: int = 1, **more: object) -> Scenario:
    fields = {
        "schema_version": 1,
        "id": "test",
        "title": "A test",
        "kind": "hypothetical",
        "story": "Shares fall, for the sake of a test.",
        "source": "Own assumption.",
        "sessions": sessions,
        "shocks": list(shocks),
    }
    return make_scenario({**fields, **more})


def moves(panel: Panel) -> np.ndarray:
    return np.diff(np.log(panel.close), axis=0)


def market(rows: int = 600, **columns: tuple[float, float]) -> Panel:
    """Return a panel of symbols that move by a beta to one factor, SPY, and own noise; name=(beta, noise)."""
    generator = np.random.default_rng(5)
    spy = generator.normal(0.0003, 0.01, rows)
    logs = {"SPY": spy} | {
        name: beta * spy + generator.normal(0, max(noise, 1e-12), rows) for name, (beta, noise) in columns.items()
    }
    index = pd.bdate_range("2020-01-01", periods=rows)
    return Panel.from_frames(pd.DataFrame(logs, index=index).cumsum().apply(np.exp) * 100)


def hidden(panel: Panel, symbol: str, known: int) -> Panel:
    """Return the panel with all but the last closes of a symbol unknown."""
    frame = panel.frame()
    frame.loc[frame.index[:-known], symbol] = np.nan
    return Panel.from_frames(frame)


def test_what_is_not_named_moves_by_the_regression_on_what_is(stocks):
    panel = stocks.select(["AAPL", "JPM", "KO", "XOM", "MSFT"]).tail(1500)
    x = moves(panel)
    done = complete(
        panel,
        scenario({"asset": "AAPL", "change": -0.3}, {"asset": "XOM", "change": 0.1}),
        estimation=Estimation(drift="history"),
    )
    named = np.log([0.7, 1.1])
    for i, symbol in ((1, "JPM"), (2, "KO"), (4, "MSFT")):
        fit = sm.OLS(x[:, i], sm.add_constant(x[:, [0, 3]])).fit()
        expected = fit.predict([[1.0, *named]])[0]
        row = done.table.loc[symbol]
        assert np.log1p(row["shock"]) == pytest.approx(expected, abs=1e-10)
        assert row["how"] == "conditional"
        assert row["r2"] == pytest.approx(fit.rsquared, abs=1e-9)
        spread = 1.96 * np.sqrt(fit.ssr / (len(x) - 1))
        assert np.log1p([row["low"], row["high"]]) == pytest.approx([expected - spread, expected + spread], abs=1e-9)
    assert done.table.loc[["AAPL", "XOM"], "shock"].to_numpy() == pytest.approx([-0.3, 0.1])
    assert (done.table.loc[["AAPL", "XOM"], ["how"]] == "named").all(axis=None)
    assert done.table.loc["AAPL", "low"] == done.table.loc["AAPL", "high"] == pytest.approx(-0.3)


def test_without_drift_nothing_moves_beside_the_named():
    panel = market(A=(1.5, 0.01))
    calm = complete(panel, scenario({"asset": "SPY", "change": 0.0}, sessions=500))
    assert calm.table["shock"].to_numpy() == pytest.approx([0, 0], abs=1e-12)
    drifting = complete(
        panel, scenario({"asset": "SPY", "change": 0.0}, sessions=500), estimation=Estimation(drift="history")
    )
    fit = sm.OLS(moves(panel)[:, 1], sm.add_constant(moves(panel)[:, 0])).fit()
    assert np.log1p(drifting.table.loc["A", "shock"]) == pytest.approx(500 * fit.params[0], abs=1e-9)


def test_the_interval_grows_with_the_root_of_time():
    panel = market(A=(1.0, 0.01))

    def row(sessions: int) -> pd.Series:
        return complete(panel, scenario({"factor": "equities", "change": -0.1}, sessions=sessions)).table.loc["A"]

    def width(sessions: int) -> float:
        return float(np.log1p(row(sessions)["high"]) - np.log1p(row(sessions)["low"]))

    assert width(16) == pytest.approx(4 * width(1))
    assert row(16)["r2"] == pytest.approx(row(1)["r2"])


def test_equities_fall_back_on_the_average_of_the_panels_own_shares(stocks):
    panel = stocks.tail(800)
    done = complete(panel, scenario({"factor": "equities", "change": -0.2}))
    assert np.log1p(done.table["shock"]).mean() == pytest.approx(np.log(0.8), abs=1e-12)
    average = moves(panel).mean(axis=1)
    beta = stats.linregress(average, moves(panel)[:, 0]).slope
    assert np.log1p(done.table["shock"].iloc[0]) == pytest.approx(beta * np.log(0.8), abs=1e-10)
    assert done.said == ("the average of the panel's own 20 shares stands for equities",)
    assert set(done.table["how"]) == {"conditional"}


def test_a_factor_is_seen_in_the_first_of_its_symbols():
    assert see("equities", ["^GSPC", "VOO", "KO"]).symbol == "VOO"
    assert see("equities", ["KO", "VOO"], seen_by={"equities": "KO"}).symbol == "KO"
    assert see("equities", ["KO", "GLD", "BTC-USD", "EURUSD=X", "CL=F"]).weights == {"KO": 1.0}
    assert see("equities", ["GLD", "BTC-USD"]) is None
    assert see("gold", ["KO", "PEP"]) is None
    assert see("usd", ["EURUSD=X"]).loading == -1.0
    with pytest.raises(DataError, match=r"no factor 'equty'. Did you mean equities"):
        see("equty", ["SPY"])
    with pytest.raises(DataError, match=r"no factor 'equty'"):
        see("equities", ["SPY"], seen_by={"equty": "SPY"})
    with pytest.raises(DataError, match=r"'KO' is to show gold, but has no history"):
        see("gold", ["SPY"], seen_by={"gold": "KO"})
    with pytest.raises(DataError, match=r"The duration of KO is not known"):
        see("rates_10y", ["KO"], seen_by={"rates_10y": "KO"})


def test_yields_move_bonds_by_their_duration():
    panel = market(IEF=(0.0, 0.004), TLT=(0.0, 0.009))
    done = complete(panel, scenario({"factor": "rates_10y", "bps": 200}))
    assert done.table.loc["IEF", "shock"] == pytest.approx(np.exp(-7.5 * 0.02) - 1)
    assert done.said == ("IEF shows rates_10y with a duration of 7.5 years",)
    other = complete(panel, scenario({"factor": "rates_10y", "bps": 200}), seen_by={"rates_10y": "TLT"})
    assert other.table.loc["TLT", "shock"] == pytest.approx(np.exp(-16.5 * 0.02) - 1)


def test_what_the_panel_does_not_show_is_left_out_and_said():
    panel = market(A=(1.0, 0.01))
    done = complete(
        panel,
        scenario(
            {"factor": "equities", "change": -0.2}, {"factor": "oil", "change": 0.5}, {"asset": "AA", "change": 0.5}
        ),
    )
    assert done.said[0] == (
        "No symbol with enough history shows oil (Crude oil); its shock is left out. Load USO (or CL=F, BNO, BZ=F)."
    )
    assert done.said[1].startswith("AA is not in the panel; its shock is left out. Load it. Did you mean A?")
    assert len(done.named) == 1
    with pytest.raises(DataError, match=r"Nothing of A test can be seen here. No symbol .* Load USO"):
        complete(panel, scenario({"factor": "oil", "change": 0.5}))


def test_a_short_series_goes_by_its_beta_to_the_equity_factor():
    panel = hidden(market(A=(1.0, 0.01), NEW=(2.0, 0.005)), "NEW", 101)
    done = complete(panel, scenario({"factor": "equities", "change": -0.2}, sessions=4))
    fit = stats.linregress(moves(panel)[-100:, 0], moves(panel)[-100:, 2])
    row = done.table.loc["NEW"]
    assert row["how"] == "proxy"
    assert row["because"] == f"beta {fit.slope:.2f} to equities over 100 sessions, R² {fit.rvalue**2:.2f}"
    assert row["r2"] == pytest.approx(fit.rvalue**2, abs=1e-9)
    assert np.log1p(row["shock"]) == pytest.approx(fit.slope * np.log(0.8), abs=1e-9)
    x, y = moves(panel)[-100:, 0], moves(panel)[-100:, 2]
    own = ((y - fit.intercept - fit.slope * x) ** 2).sum() / 98
    assert np.log1p(row["high"]) - np.log1p(row["shock"]) == pytest.approx(1.96 * 2 * np.sqrt(own), rel=1e-9)


def test_a_proxy_can_be_named_and_a_short_series_too():
    panel = hidden(market(A=(0.5, 0.02), NEW=(2.0, 0.005)), "NEW", 101)
    by_name = complete(panel, scenario({"asset": "A", "change": -0.1}), proxies={"NEW": "A"})
    beta = stats.linregress(moves(panel)[-100:, 1], moves(panel)[-100:, 2]).slope
    assert np.log1p(by_name.table.loc["NEW", "shock"]) == pytest.approx(beta * np.log(0.9), abs=1e-9)
    itself = complete(panel, scenario({"asset": "NEW", "change": -0.5}))
    assert itself.table.loc["NEW", ["shock", "how"]].to_list() == [pytest.approx(-0.5), "named"]
    assert itself.table.loc["SPY", "shock"] < -0.1  # and what it says of the rest is believed


def test_a_series_too_short_for_a_beta_needs_a_named_proxy():
    panel = hidden(market(A=(1.0, 0.01), NEW=(2.0, 0.005)), "NEW", 6)
    with pytest.raises(DataError, match=r"NEW shares 5 sessions with equities; a beta needs 20. Say what"):
        complete(panel, scenario({"factor": "equities", "change": -0.2}))
    row = complete(panel, scenario({"factor": "equities", "change": -0.2}), proxies={"NEW": "SPY"}).table.loc["NEW"]
    assert row["shock"] == pytest.approx(-0.2)
    assert np.isnan(row["r2"])
    assert row["because"] == "5 sessions, too few for a beta: taken to move as SPY does"
    with pytest.raises(DataError, match=r"The proxy 'SPI' of NEW has no history here. Did you mean SPY"):
        complete(panel, scenario({"factor": "equities", "change": -0.2}), proxies={"NEW": "SPI"})
    with pytest.raises(DataError, match=r"NEW is to move with gold. No symbol .* Or name another proxy"):
        complete(panel, scenario({"factor": "equities", "change": -0.2}), proxies={"NEW": "gold"})


def test_a_symbol_that_stopped_long_ago_is_said():
    panel = market(A=(1.0, 0.01))
    frame = panel.frame()
    frame.iloc[-20:, 1] = np.nan
    said = complete(Panel.from_frames(frame), scenario({"factor": "equities", "change": -0.2})).said
    assert said[0] == f"{panel.index[-21]:%Y-%m-%d} is the last session all symbols share, and learned from."


def test_too_little_history_is_refused():
    panel = market(A=(1.0, 0.01))
    with pytest.raises(DataError, match=r"share 0 with at least 250 each; SPY has the most, 100"):
        complete(panel.tail(100), scenario({"factor": "equities", "change": -0.2}))
    frame = panel.frame()
    frame["A"] = np.nan
    with pytest.raises(DataError, match=r"A has no close"):
        complete(Panel.from_frames(frame), scenario({"factor": "equities", "change": -0.2}))


def test_shocks_that_contradict_each_other_are_refused():
    frame = market(A=(1.0, 0.01)).frame()
    panel = Panel.from_frames(frame.assign(B=frame["A"] * 2, FLAT=10.0))
    with pytest.raises(DataError, match=r"A test: Shock \d cannot be met .*\(Shocks: 1 A, 2 B.\)"):
        complete(panel, scenario({"asset": "A", "change": -0.2}, {"asset": "B", "change": 0.2}))
    with pytest.raises(DataError, match=r"in history it did not move"):
        complete(panel, scenario({"asset": "FLAT", "change": -0.2}))
    agreed = complete(panel, scenario({"asset": "A", "change": -0.2}, {"asset": "B", "change": -0.2}))
    assert agreed.table.loc[["A", "B"], "shock"].to_numpy() == pytest.approx([-0.2, -0.2])
    assert agreed.table.loc["FLAT", "shock"] == 0.0


def test_a_changed_law_changes_what_follows():
    panel = market(A=(1.0, 0.02), B=(0.0, 0.02))
    one = complete(panel, scenario({"factor": "equities", "change": -0.2}, law={"correlation": "one"}))
    sd = moves(panel).std(axis=0)
    assert np.log1p(one.table["shock"]).to_numpy() == pytest.approx(np.log(0.8) * sd / sd[0], rel=1e-6)
    doubled = complete(panel, scenario(law={"volatility": 2}))
    assert np.sqrt(np.diag(doubled.covariance)) == pytest.approx(2 * moves(panel).std(axis=0, ddof=1))
    assert set(doubled.table["how"]) == {"law"}
    with pytest.raises(DataError, match=r"-0.9 between all 3 symbols is not positive definite"):
        complete(panel, scenario(law={"correlation": -0.9}))


def test_the_law_can_be_learned_in_other_ways(stocks):
    panel = stocks.select(["AAPL", "JPM", "KO"]).tail(1200)
    x = moves(panel)
    assert learn(panel, Estimation(shrink=True)).covariance == pytest.approx(LedoitWolf().fit(x).covariance_)
    assert learn(panel, Estimation(window=300)).covariance == pytest.approx(np.cov(x[-300:], rowvar=False))
    # By hand: a session counts where the 21 before it were among the stormiest fifth.
    average = x.mean(axis=1)
    before = np.array([average[t - 21 : t].std(ddof=1) if t >= 21 else np.nan for t in range(len(x))])
    rows = before >= np.nanquantile(before, 0.8)
    crisis = learn(panel, Estimation(covariance="crisis")).covariance
    assert crisis == pytest.approx(np.cov(x[rows], rowvar=False))
    assert (np.diag(crisis) > np.diag(learn(panel).covariance)).all()
    with pytest.raises(DataError, match=r"needs 60 stormy sessions; one in five of 259"):
        learn(panel.tail(260), Estimation(covariance="crisis"))
