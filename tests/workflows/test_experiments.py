"""The ledger as people look at it: what was written is what is shown, found and set side by side."""

from __future__ import annotations

from datetime import date
from io import StringIO
from math import exp, sqrt

import numpy as np
import pandas as pd
import pytest

from quantlib.models.trials import Trial
from quantlib.store.records import StrategyRecord, save_strategies
from quantlib.store.trials import Ending, begin_trials, end_trials
from quantlib.universe import Universe
from quantlib.validation.sharpe import expected_max_sharpe
from quantlib.workflows.experiments import as_csv, find_trials, ledger, mark, trials_table
from quantlib.workflows.ledger import trials_of
from quantlib.workflows.session import Session
from quantlib.workflows.trial_contents import DIMENSIONS, differences, flat, growth_of, parameters_of

CURVES = ([0.0] * 4, [0.1, -0.1, 0.2, 0.0], [-0.1, 0.3, 0.1, 0.1])
COSTS = {"AAA": {"half_spread_bps": 1.0}, "BBB": {"half_spread_bps": 3.0}}


def trial(name: str, **more: object) -> Trial:
    given = {
        "kind": "backtest",
        "idea": "pair",
        "origin": "cli",
        "who": "ada",
        "title": "A pair",
        "universe": "AAA,BBB",
    }
    span = {"first": date(2010, 1, 1), "last": date(2014, 1, 1)}
    terms = {"source": "sample", "costs": {"half_spread_bps": 2.0}}
    return Trial(**{"id": f"trial-{name}", **given, **span, "terms": terms, **more})


def ending(name: str, curve: list[float], sharpe: float, **more: object) -> Ending:
    moments = {"n": 1000, "mean": sharpe / 100, "sd": 0.01, "skew": 0.0, "kurtosis": 3.0}
    return Ending(f"trial-{name}", sharpe=sharpe, curve=np.array(curve), **{**moments, **more})


@pytest.fixture
def tried(here: Session) -> Session:
    """Return a session with a backtest, a sweep of three sets, a killed trial and a refused one."""
    store = here.store
    begin_trials(store, [trial("aaaa", params={"legs": [{"weight": 1}, {"weight": -1}], "stop": None})])
    begin_trials(
        store, [trial("bbbb", kind="sweep", idea="trend", title="Trend", terms={"source": "sample", "costs": COSTS})]
    )
    of = {"kind": "set", "idea": "trend", "title": "Trend", "parent": "trial-bbbb", "origin": "app", "who": "bob"}
    sets = [trial(f"set{k}", **of, terms={}, params={"fast": k, "hedge": "ols" if k else None}) for k in range(3)]
    begin_trials(store, sets)
    begin_trials(store, [trial("kill", last=date(2012, 1, 1)), trial("bad", idea="wrong")])
    end_trials(
        store,
        [
            ending("aaaa", [0.1, -0.2, 0.2, 0.1], 0.05, mlflow_run_id="run-a"),
            *(ending(f"set{k}", curve, 0.02 * k) for k, curve in enumerate(CURVES)),
            Ending("trial-bbbb", mlflow_run_id="run-b"),
            Ending("trial-bad", "refused", "No such leg."),
        ],
    )
    return here


def test_a_row_says_what_was_tried_and_how_it_did(tried: Session) -> None:
    table = trials_table(tried)
    one = table.loc["trial-aaaa"]
    years = (date(2014, 1, 1) - date(2010, 1, 1)).days / 365.25
    assert one["sharpe"] == pytest.approx(0.05 * sqrt(252))
    assert one["cagr"] == pytest.approx(exp(0.2 / years) - 1)
    assert one["drawdown"] == pytest.approx(exp(-0.2) - 1)
    assert one["link"] == "http://127.0.0.1:5000/#/runs/run-a"
    assert one["label"] == "A pair (aaaa)"
    assert table["label"].is_unique
    assert table.loc["trial-set0", ["cagr", "drawdown"]].tolist() == [0.0, 0.0]
    assert table.loc[["trial-kill", "trial-bad"], ["sharpe", "cagr", "drawdown"]].isna().all(axis=None)


def test_a_set_takes_prices_costs_and_run_from_its_sweep(tried: Session) -> None:
    one = trials_table(tried).loc["trial-set1"]
    assert one["label"] == "fast 1, hedge ols · Trend (set1)"
    assert one["link"].endswith("/run-b")
    assert (one["source"], one["terms"]["costs"]) == ("sample", COSTS)


def test_two_trials_whose_labels_would_be_the_same_are_told_apart(here: Session) -> None:
    begin_trials(here.store, [trial("1-same"), trial("2-same"), trial("else")])
    assert set(trials_table(here)["label"]) == {"A pair (trial-1-same)", "A pair (trial-2-same)", "A pair (else)"}


def test_crypto_has_more_sessions_a_year_and_a_choice_with_hindsight_is_marked(tried: Session) -> None:
    from quantlib.store.instruments import write_instruments
    from quantlib.types import Instrument

    write_instruments(tried.store, [Instrument(symbol="BBB", kind="crypto")])
    table = trials_table(tried)
    assert table.loc["trial-aaaa", "sharpe"] == pytest.approx(0.05 * sqrt(365))
    assert set(table["selection"]) == {"biased"}
    dated = Universe(instruments=[{"symbol": s, "kind": "index"} for s in ("AAA", "BBB")], lists={})
    tried.__dict__["universe"] = dated
    assert set(trials_table(tried)["selection"]) == {"free"}


def test_trials_are_found_by_everything_they_are_asked_by(tried: Session) -> None:
    table = trials_table(tried)

    def found(kind: str = "Trials", **asked: object) -> set[str]:
        return set(find_trials(table, kind, **asked).index.str.removeprefix("trial-"))  # type: ignore[arg-type]

    assert found() == {"aaaa", "set0", "set1", "set2", "kill", "bad"}
    assert found("Sweeps") == {"bbbb"}
    assert found("Sets") == found(idea="trend") == found(who="bob") == found(origin="app") == {"set0", "set1", "set2"}
    assert found("Models") == set()
    assert found(text="HEDGE OLS") == {"set1", "set2"}
    assert found(text="no such leg") == {"bad"}
    assert found(text="a.b(") == set()  # a text, not a pattern
    assert "kill" not in found(start="2012-01-02")
    assert found(end="2009-12-31") == set()
    assert found(end=date(2010, 1, 1)) == found()


def test_the_best_come_first_and_the_unknown_last(tried: Session) -> None:
    table = trials_table(tried)
    assert find_trials(table, order="Sharpe").index[0] == "trial-aaaa"
    assert find_trials(table, order="Return").index[0] == "trial-set2"
    assert find_trials(table, order="Drawdown")["drawdown"].dropna().is_monotonic_decreasing
    assert find_trials(table, order="Drawdown").index[-1] in {"trial-kill", "trial-bad"}
    assert find_trials(table)["began"].is_monotonic_decreasing


def test_ideas_say_what_their_trials_amount_to(tried: Session) -> None:
    found = ledger(tried).ideas
    assert set(found) == {"pair", "trend"}
    pair, trend = found["pair"], found["trend"]
    assert (pair.trials, trend.trials) == (2, 3)  # what was killed counts, what was refused does not
    assert pair.label == "A pair (aaaa)"
    assert trend.best == pytest.approx(0.04 * sqrt(252))
    amount = trials_of(tried, "trend")
    assert trend.effective == amount.effective > 1.0
    assert trend.hurdle == pytest.approx(
        expected_max_sharpe(amount.effective, max(amount.variance, 1 / 999)) * sqrt(252)
    )
    assert ("not above" in trend.sentence) == (trend.best <= trend.hurdle)
    assert f"Its best Sharpe ratio of {trend.best:.2f} is " in trend.sentence
    assert "of 3 trials, as many as" in trend.sentence
    assert pair.opened is None
    assert "no prices" in pair.budget  # without prices there is no hold-out, and all else stands


def test_an_idea_with_one_trial_or_without_a_ratio_has_nothing_to_choose_among(here: Session) -> None:
    begin_trials(here.store, [trial("one"), trial("killed", idea="new")])
    end_trials(here.store, [ending("one", [0.1] * 4, 0.05)])
    found = ledger(here).ideas
    assert found["pair"].sentence.startswith("One trial has nothing to choose among")
    assert found["new"].sentence == "No Sharpe ratio of its trials is known yet."


def test_the_mark_changes_with_every_trial_begun_repeated_or_ended(here: Session) -> None:
    seen = [mark(here)]
    for change in (
        lambda: begin_trials(here.store, [trial("a")]),
        lambda: begin_trials(here.store, [trial("a")]),
        lambda: end_trials(here.store, [ending("a", [0.1] * 4, 0.1)]),
    ):
        change()
        seen.append(mark(here))
    assert len(set(seen)) == 4
    assert mark(here) == seen[-1]


def test_growth_is_one_at_the_start_and_nothing_outside_a_trials_span(tried: Session) -> None:
    store = tried.store
    begin_trials(store, [trial("late", first=date(2012, 1, 1))])
    end_trials(store, [ending("late", [0.1] * 4, 0.1)])
    table = trials_table(tried)
    growth = growth_of(table)
    assert growth.columns.nunique() == 5  # neither the sweep nor what has no curve
    own = growth["A pair (aaaa)"]
    assert (own.iloc[0], own.iloc[-1]) == (1.0, pytest.approx(exp(0.2)))
    # A quarter of the span lost 0.2 after it had gained 0.1.
    assert own.iloc[48] == pytest.approx(exp(-0.1), rel=1e-6)
    late = growth["A pair (late)"]
    assert late[late.index < "2011-12-01"].isna().all()
    assert late.dropna().iloc[0] == pytest.approx(1.0, abs=0.01)
    assert late.iloc[-1] == pytest.approx(exp(0.4))
    assert growth_of(table[table["outcome"] != "done"]).empty


def test_parameters_are_those_that_differ_numbers_as_numbers(tried: Session) -> None:
    table = trials_table(tried)
    given = parameters_of(find_trials(table, "Sets"))
    assert sorted(given["fast"]) == [0.0, 1.0, 2.0]
    assert sorted(given["hedge"]) == ["not set", "ols", "ols"]
    assert parameters_of(find_trials(table, "Backtests", text="aaaa")).empty
    mixed = parameters_of(table[table["kind"].isin(["set", "backtest"]) & (table["outcome"] == "done")])
    assert set(mixed.columns) == {"fast", "hedge"}  # the legs are those of one in four
    assert len(mixed) == 3
    wide = pd.DataFrame(
        {"params": [f"{{{', '.join(f'{chr(34)}p{i}{chr(34)}: {i * k}' for i in range(9))}}}" for k in (1, 2)]}
    )
    assert parameters_of(wide).shape == (2, DIMENSIONS)


def test_nested_parameters_have_the_names_a_sweep_gives_them() -> None:
    content = {"legs": [{"w": 1}, {"w": -1}], "timing": {"entry": 2.0}, "universe": ["A", "B"], "schema_version": 1}
    assert dict(flat(content)) == {"legs.0.w": 1, "legs.1.w": -1, "timing.entry": 2.0, "universe": "A, B"}


def test_differences_say_what_went_in_otherwise_and_nothing_else(tried: Session) -> None:
    table = trials_table(tried)
    found = differences(tried, table.loc[["trial-set1", "trial-set2"]])
    assert found.index.tolist() == ["Fast"]
    assert found.loc["Fast"].tolist() == ["1", "2"]
    other = differences(tried, table.loc[["trial-set1", "trial-aaaa"]])
    assert other.loc["Idea"].tolist() == ["trend", "pair"]
    assert other.loc["Costs: half spread bps"].tolist() == ["1.0 to 3.0", "2"]
    assert other.loc["Legs: 1: weight"].tolist() == ["–", "-1"]
    assert other.loc["Who"].tolist() == ["bob", "ada"]
    assert other.loc["Tried as"].tolist() == ["set", "backtest"]
    assert "Symbols" not in other.index
    assert other.index[0] == "Idea"


def test_a_set_has_what_its_sweep_did_not_vary_from_the_definition(tried: Session) -> None:
    begin_trials(tried.store, [trial("s", kind="sweep", idea="trend", strategy_id="ma-1")])
    begin_trials(tried.store, [trial("own", kind="set", parent="trial-s", params={"fast": 9}, terms={})])
    begin_trials(tried.store, [trial("whole", params={"fast": 9, "timing": {"slow": 50}})])
    save_strategies(tried.store, [StrategyRecord("ma-1", "ma_cross", "Trend", {"fast": 5, "timing": {"slow": 60}})])
    table = trials_table(tried)
    found = differences(tried, table.loc[["trial-own", "trial-whole"]])
    assert found.loc["Timing: slow"].tolist() == ["60", "50"]
    assert "Fast" not in found.index


def test_a_file_of_it_reads_back(tried: Session) -> None:
    table = trials_table(tried)
    back = pd.read_csv(StringIO(as_csv(table, ["label", "sharpe", "params"])), index_col="id")
    assert back.index.tolist() == table.index.tolist()
    np.testing.assert_array_equal(back["sharpe"], table["sharpe"])
    assert back.loc["trial-set1", "params"] == '{"fast": 1, "hedge": "ols"}'


def test_nothing_tried_is_an_empty_table_with_all_columns(here: Session, tmp_path: object) -> None:
    found = ledger(here)
    assert found.table.empty
    assert not found.ideas
    assert find_trials(found.table, text="x").empty
    assert growth_of(found.table).empty
    assert {"label", "sharpe", "cagr", "drawdown", "link", "words"} <= set(found.table.columns)
