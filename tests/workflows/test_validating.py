"""The whole verdict through the session: counted once, kept, found again, made by a job, and told apart from noise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
import pytest

from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.reports.verdict_figures import verdict_figures
from quantlib.reports.verdict_page import render_verdict
from quantlib.reports.verdict_types import VerdictCard
from quantlib.store import read_runs, save_runs
from quantlib.store.job_worker import RunningJob
from quantlib.strategies import MACross
from quantlib.types import Panel
from quantlib.workflows import validating
from quantlib.workflows.holdout import holdout_budget, holdout_start
from quantlib.workflows.jobs import job
from quantlib.workflows.ledger import ledger_table, trials_of
from quantlib.workflows.research import backtest_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.trading_costs import usual_costs
from quantlib.workflows.validating import (
    Validated,
    quick_verdict,
    start_validation,
    validate_strategy,
    validation_result,
    validations,
)
from quantlib.workflows.worker import run_job

pytestmark = pytest.mark.slow

KO = MACross(universe=("KO",), fast=10, slow=50)
DRAWN = ["luck", "forward", "paths", "overfitting", "plateau", "subperiods", "regimes", "entries", "holding", "costs"]


class StopError(Exception):
    """Somebody stopped the work."""


@pytest.fixture(scope="module", autouse=True)
def few_entries() -> Iterator[None]:
    """Draw few random entries: this module is about what is kept of them."""
    validating.SAMPLES, before = 20, validating.SAMPLES
    yield
    validating.SAMPLES = before


@pytest.fixture(scope="module")
def made(lab: Session) -> Validated:
    return validate_strategy(lab, KO, name="Coke")


def market(drift: float, *, runs: int = 10, seed: int = 2) -> Panel:
    """Return prices that rise and fall in turn, about a year each, by `drift` a session; 0 is a random walk."""
    rng = np.random.default_rng(seed)
    way = np.repeat(rng.permutation([1.0, -1.0] * (runs // 2)), 200)[:, None]
    close = 100 * np.exp((drift * way + rng.normal(0, 0.008, way.shape)).cumsum(axis=0))
    days = pd.bdate_range("2008-01-01", periods=len(close))
    return Panel.from_frames(pd.DataFrame(close, index=days, columns=["KO"]), source="sample")


@pytest.mark.parametrize(("drift", "edge"), [(0.0025, ["pass"]), (0.0, ["weak", "fail"])])
def test_a_planted_edge_passes_and_noise_is_refused(
    lab: Session, monkeypatch: pytest.MonkeyPatch, drift: float, edge: list[str]
) -> None:
    monkeypatch.setattr(validating, "strategy_panel", lambda *_, **__: market(drift))
    trader = MACross(universe=("KO",), fast=5, slow=40, allow_short=True)
    card = validate_strategy(lab.asked(idea=f"planted {drift}"), trader, costs=Costs(half_spread_bps=0.5)).card
    assert card.edge in edge, card.sentence
    assert card.luck is not None
    assert card.luck.n == trials_of(lab, f"planted {drift}").n > 10
    assert (card.check("dsr").outcome == "pass") == (drift > 0)


def test_it_ends_before_the_hold_out_and_opening_that_is_counted(lab: Session, made: Validated) -> None:
    start = holdout_start(lab)
    assert made.card.last < start
    assert (made.card.opened, made.card.openings) == (False, 0)
    other = lab.asked(idea="opened")
    card = validate_strategy(other, KO, open_holdout=True, start=date(2018, 1, 2)).card
    assert card.last >= start
    assert (card.opened, card.openings) == (True, 1), "one validation is one opening, however many variants it has"
    assert "was opened once" in card.holdout
    assert holdout_budget(lab, "opened").openings == 1
    with pytest.raises(DataError, match="--open-holdout"):
        validate_strategy(lab, KO, start=start)


def test_its_variants_are_trials_and_a_backtest_of_one_is_the_same_trial(lab: Session, made: Validated) -> None:
    idea = KO.family
    rows = ledger_table(lab, idea)
    [parent] = rows.loc[rows["title"] == "Coke, its like", "id"].unique()[-1:]
    sets = rows[(rows["parent"] == parent) & (rows["kind"] == "set")]
    assert made.card.luck is not None
    assert len(sets) == made.card.luck.n == made.card.around.table().shape[0]
    assert set(sets["outcome"]) == {"done"}
    before = trials_of(lab, idea).n
    again = validate_strategy(lab, KO, name="Coke")
    assert trials_of(lab, idea).n == before, "asked again it is no new trial"
    assert (again.id, again.again, again.card) == (made.id, True, made.card)
    # The strategy on the same span with the same costs is one of them.
    alone = backtest_strategy(lab, KO, end=made.card.last)
    assert trials_of(lab, idea).n == before
    own = sets[sets["strategy_id"] == KO.id]
    assert own["sharpe"].iloc[0] * np.sqrt(252) == pytest.approx(alone.metrics["value"]["sharpe_ratio"], abs=1e-9)
    assert made.card.luck.sharpe == pytest.approx(alone.metrics["value"]["sharpe_ratio"], abs=1e-9)


def test_more_trials_make_another_verdict(lab: Session) -> None:
    session = lab.asked(idea="more and more")
    first = validate_strategy(session, KO)
    backtest_strategy(session, KO.model_copy(update={"slow": 177}), end=first.card.last)
    second = validate_strategy(session, KO)
    assert not second.again
    assert second.id != first.id
    assert (first.card.luck.n + 1, second.card.luck.n) == (second.card.luck.n, trials_of(lab, "more and more").n)


def test_what_is_kept_draws_the_same_figures(lab: Session, made: Validated) -> None:
    assert made.id is not None
    kept = validation_result(lab, made.id)
    assert kept.card == made.card == VerdictCard.model_validate_json(made.card.model_dump_json())
    assert list(verdict_figures(kept.card)) == DRAWN
    assert made.id in [one.id for one in validations(lab, KO, "sample")]
    assert validations(lab, KO, "yahoo") == []
    page = render_verdict(kept.card, {"Validation": made.id})
    assert all(check.change in page.replace("&#39;", "'") for check in made.card.checks)
    assert "http" not in page.partition("<script>")[0].replace("http-equiv", "")
    logged = lab.tracker.read_text(made.mlflow_run_id, validating.CARD)
    assert VerdictCard.model_validate_json(logged) == made.card


def test_one_of_another_form_is_left_out_and_says_so_when_asked_for(lab: Session, made: Validated) -> None:
    [record] = read_runs(lab.store, id=made.id)
    save_runs(lab.store, [type(record)(**{**vars(record), "id": "validation-old", "metrics": {"sentence": "Fine."}})])
    assert "validation-old" not in [one.id for one in validations(lab, KO)]
    with pytest.raises(DataError, match="was stored in another form"):
        validation_result(lab, "validation-old")
    with pytest.raises(DataError, match="is not stored"):
        validation_result(lab, "validation-nothing")


def test_a_job_makes_it_with_progress_and_can_be_cancelled(lab: Session) -> None:
    costs = Costs(commission_bps=7.0)
    terms = {"name": "Coke", "start": date(2017, 1, 3), "costs": costs, "cash": 50_000.0, "lag": 2, "idea": "by a job"}
    queued = start_validation(lab, KO, **terms)
    assert start_validation(lab, KO, **terms).id == queued.id
    asked = job(lab, queued.id)
    run_job(lab, RunningJob(queued.id, asked["task"], asked["args"], 1, lambda: ""), say=lambda _: None)
    done = job(lab, queued.id)
    assert done["outcome"] == "done", done["said"]
    [found] = [one for one in validations(lab, KO) if one.card.idea == "by a job"]
    assert done["said"].endswith(f"Kept as {found.id}.")
    assert (found.card.first, found.card.cash, found.card.lag) == (date(2017, 1, 3), 50_000.0, 2)
    assert found.card.paid.startswith("9.0 bps"), found.card.paid

    def stop(done: int, _: int) -> None:
        if done >= 40:
            raise StopError

    stopped = lab.asked(idea="stopped")
    with pytest.raises(StopError):
        validate_strategy(stopped, KO, start=date(2017, 1, 3), on_progress=stop)
    assert trials_of(lab, "stopped").n > 10, "what was run is counted although nothing is kept of it"
    assert not [one for one in validations(lab, KO) if one.card.idea == "stopped"]


def test_variants_are_on_record_before_they_run(lab: Session) -> None:
    seen: list[pd.DataFrame] = []

    def look(*_: int) -> None:
        seen.append(ledger_table(lab, "before"))
        raise StopError

    with pytest.raises(StopError):
        validate_strategy(lab.asked(idea="before"), KO, start=date(2017, 1, 3), on_progress=look)
    [rows] = seen
    assert rows["kind"].value_counts().to_dict() == {"set": 5, "search": 1}, "itself, and two numbers a little off"
    assert set(rows["outcome"]) == {"begun"}
    assert trials_of(lab, "before").n == 0, "the work was stopped, and nobody saw a thing"


def test_a_cancelled_one_says_what_was_made_and_is_not_kept(lab: Session) -> None:
    asked: list[int] = []

    def enough() -> bool:
        return bool(asked and asked[-1] >= 45)

    done = validate_strategy(
        lab.asked(idea="cut"), KO, start=date(2017, 1, 3), on_progress=lambda k, _: asked.append(k), cancelled=enough
    )
    assert done.id is None
    assert not done.card.complete
    assert done.card.edge != "pass"
    assert "It was cancelled before all checks were made." in done.card.sentence
    [parent] = ledger_table(lab, "cut", kind="search").to_dict(orient="records")
    assert (parent["outcome"], parent["said"]) == ("failed", "It was stopped on the way.")


def test_a_quick_one_is_the_backtest_s_checks(lab: Session) -> None:
    quick = quick_verdict(lab, KO)
    assert quick.id is None
    assert quick.card.last < holdout_start(lab)
    assert {"look_ahead", "psr", "holding"} <= {check.key for check in quick.card.checks}
    assert not quick.card.forward
    assert quick.card.paid.startswith(str(usual_costs(lab, ["KO"])["KO"].per_side * 1e4)[:3])
