"""The main job: load, simulate, run strategies, validate, log, recommend, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from quantlib.backtest import WorldsResult
from quantlib.charts.numbers import interval, percent
from quantlib.errors import DataError
from quantlib.reports.types import Recommendation, Report
from quantlib.simulators import SIMULATORS, USUAL
from quantlib.store import coverage, read_report, read_reports, touch_report
from quantlib.strategies import Strategy
from quantlib.types import DateLike, Panel, as_date
from quantlib.workflows.daily_forecasts import foretell_champions
from quantlib.workflows.definitions import daily
from quantlib.workflows.events import load_events
from quantlib.workflows.extras import versions_read, with_extras
from quantlib.workflows.grading import grade_of
from quantlib.workflows.ingest import ingest
from quantlib.workflows.learn import train_models
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.registry import Champion, champions
from quantlib.workflows.reporting import build_report, export_report, store_report
from quantlib.workflows.research import (
    backtest_strategy,
    choose_source,
    data_label,
    load_panel,
    shared_panel,
    simulate_strategy,
    strategy_panel,
)
from quantlib.workflows.session import Session

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PipelineResult:
    """What the pipeline made.

    Parameters
    ----------
    report_id, as_of, data_label
        The stored report, its date, and the grade of the prices in words.
    recommendations
        One a strategy.
    skipped
        Sentences on what was left out, and why.
    reused
        Whether nothing had changed, so that the stored result stands.
    path
        The report as a file.
    """

    report_id: str
    as_of: pd.Timestamp
    data_label: str
    recommendations: tuple[Recommendation, ...]
    skipped: tuple[str, ...]
    reused: bool
    path: Path

    @property
    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """The recommendations as a table of text: strategy, what to do, expected value, chance of a loss, grade.

        The grade is that of the worlds which the two numbers before it come from.
        """
        return [
            (
                r.name,
                r.headline,
                interval(r.expected_value, r.ev_low, r.ev_high, signed=True),
                percent(r.probability_of_loss, 0),
                r.grade,
            )
            for r in self.recommendations
        ]


def run_pipeline(
    session: Session,
    *,
    as_of: DateLike | None = None,
    strategies: Mapping[str, Strategy] | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
) -> PipelineResult:
    """Return the recommendations and the report of one date, having stored and logged everything on the way.

    The sample is loaded first if the store is empty. Where data, strategies, code and settings are those of a
    stored report, that report is returned and nothing is computed. Before all that every champion model is asked about
    the sessions that are new to it, so that strategies can read what it says.

    Parameters
    ----------
    as_of
        Only what was known at the end of that day; by default all there is.
    strategies
        Definitions by name; by default those that WORKBENCH_STRATEGIES names. One whose symbols are not stored is
        skipped, and said so.
    force
        Compute even if nothing has changed.
    on_progress
        Called with (stage, done, total).

    Raises
    ------
    DataError
        No strategy can be run on what is stored.
    """
    if as_of is not None:
        as_date(as_of, "as_of")
    tell = on_progress or (lambda stage, done, total: None)
    session = session.asked(origin="pipeline")  # what it tries is no person's choice
    ensure_sample(session, on_progress=lambda done, total, _: tell("Load the sample", done, total))
    load_events(session)
    unasked: tuple[str, ...] = ()
    if as_of is None:  # a model has spoken of the past by then
        unasked = foretell_champions(session, on_progress=lambda done, n, _: tell("Ask the models", done, n)).problems
    source = choose_source(session)
    crowned = champions(session)
    # A champion decides for its name, whatever was saved under it since.
    usable, end, skipped = _usable(session, strategies or _led(daily(session), crowned), source, as_of)
    skipped = [*unasked, *skipped]
    settings = session.settings
    panels: dict[str, Panel] = {}
    models: dict[str, dict[str, int]] = {}
    for name, strategy in usable.items():
        read = versions_read(session, strategy)
        own = load_panel(session, strategy.inputs, end=end, as_of=as_of)
        panels[name] = with_extras(session, own, strategy.extras, as_of=as_of, versions=read.get("models"))
        models |= {name: read["models"]} if read else {}
    report_id = content_id(
        "report",
        {
            "as_of": end,
            "snapshots": {name: panel.snapshot_id for name, panel in panels.items()},
            # A doubt that is raised or settled changes what the report must say about the same prices.
            "doubts": sorted({tuple(map(str, flag)) for panel in panels.values() for flag in panel.flags}),
            "strategies": {name: s.id for name, s in usable.items()},
            "champions": {name: crowned[name].version for name in usable if name in crowned},
            **({"models": models} if models else {}),
            "code": code_version(),
            "seed": settings.seed,
            "worlds": settings.worlds,
            "horizon": settings.horizon,
        },
    )
    stored = set(read_reports(session.store)["id"])
    label = data_label(source, end)
    if report_id in stored and session.tracker.exists and not force:
        report = Report.model_validate_json(read_report(session.store, report_id).body)
        touch_report(session.store, report_id)
        path = export_report(session, report_id=report_id)
        return PipelineResult(report_id, end, label, report.recommendations, tuple(skipped), reused=True, path=path)

    with session.tracker.group(f"Pipeline {end:%Y-%m-%d}", {"kind": "pipeline", "as_of": f"{end:%Y-%m-%d}"}):
        runs, worlds = {}, {}
        for i, (name, strategy) in enumerate(usable.items()):
            tell("Run and validate strategies", i, len(usable))
            runs[name] = backtest_strategy(session, strategy, name=name, as_of=as_of, end=end)
        tell("Run and validate strategies", len(usable), len(usable))
        _grade(session, usable, as_of, end, tell)
        for name, strategy in usable.items():
            worlds[name] = _worlds(session, name, strategy, as_of, end, tell)
        symbols = sorted({s for strategy in usable.values() for s in strategy.symbols})
        symbols = [s for s in symbols if len(load_panel(session, [s], end=end, as_of=as_of)) >= MODEL_SESSIONS]
        if symbols:
            train_models(
                session,
                symbols,
                as_of=as_of,
                end=end,
                open_holdout=True,  # what is learned here speaks of today and chooses nothing
                on_progress=lambda done, total: tell("Train the baseline models", done, total),
            )
        else:
            skipped.append(f"The baseline models need a symbol with {MODEL_SESSIONS} sessions.")
    tell("Write the report", 0, 1)
    report = build_report(session, source, end, runs, worlds)
    path = store_report(session, report_id, report, runs)
    tell("Write the report", 1, 1)
    return PipelineResult(report_id, end, label, report.recommendations, tuple(skipped), reused=False, path=path)


def ensure_sample(session: Session, *, on_progress: Callable[[int, int, str], None] | None = None) -> bool:
    """Return whether the sample was loaded just now: where no prices are stored, or only a part of the sample is."""
    bars = coverage(session.store)
    wanted = set(session.universe.symbols("sample"))
    if not bars.empty and (set(bars["source"]) != {"sample"} or wanted <= set(bars["symbol"])):
        return False
    ingest(session.store, "sample", universe=session.universe, on_progress=on_progress)
    return True


#: The baseline models want five years to learn from, one to be tested on, and one to warm up.
MODEL_SESSIONS = 1800


#: Fewer shared sessions than this teach a simulator nothing.
FEWEST_SESSIONS = 61
#: A strategy whose prices end this many weekdays before the others' is left out rather than holding them back.
MOST_DAYS_BEHIND = 5


def _led(strategies: Mapping[str, Strategy], crowned: Mapping[str, Champion]) -> dict[str, Strategy]:
    """Return definitions by name, each with a champion as that champion defines it."""
    of = {name: one.strategy for name, one in crowned.items()}
    return {name: of.get(name) or strategy for name, strategy in strategies.items()}


def _usable(
    session: Session, strategies: Mapping[str, Strategy], source: str, as_of: DateLike | None
) -> tuple[dict[str, Strategy], pd.Timestamp, list[str]]:
    """Return the strategies that can be run, the last session they share, and sentences on the others."""
    bars = coverage(session.store)
    here = set(bars.loc[bars["source"] == source, "symbol"])
    ends: dict[str, pd.Timestamp] = {}
    skipped = []
    for name, strategy in strategies.items():
        if missing := [s for s in strategy.inputs if s not in here]:
            skipped.append(f"{name}: no prices of {', '.join(missing)} from {source}.")
            continue
        try:
            shared = strategy_panel(session, strategy, as_of=as_of).complete()
        except DataError as error:
            skipped.append(f"{name}: {error}")
            continue
        if len(shared) < FEWEST_SESSIONS:
            skipped.append(f"{name}: its symbols share {len(shared)} sessions; {FEWEST_SESSIONS} are needed.")
        else:
            ends[name] = shared.index[-1]
    for name, end in list(ends.items()):
        if np.busday_count(end.date(), max(ends.values()).date()) > MOST_DAYS_BEHIND:
            last = {s: load_panel(session, [s], as_of=as_of).index[-1] for s in strategies[name].inputs}
            symbol = min(last, key=lambda s: last[s])
            skipped.append(f"{name}: {symbol} has no price since {last[symbol]:%Y-%m-%d}.")
            del ends[name]
    if not ends:
        way = "Load prices with `workbench ingest`." if as_of is None else "Choose a later date, or load more prices."
        raise DataError(f"No strategy can be run: {' '.join(skipped)} {way}")
    return {name: strategies[name] for name in ends}, min(ends.values()), skipped


def _grade(
    session: Session, usable: Mapping[str, Strategy], as_of: DateLike | None, end: pd.Timestamp, tell: Progress
) -> None:
    """Grade the worlds that the strategies are about to live in, so that the grades are there beside the numbers."""
    for i, strategy in enumerate(usable.values()):
        if strategy.extras:  # it is run in none
            continue
        panel = shared_panel(session, strategy.inputs, None, end, as_of)
        for k, simulator in enumerate(USUAL):
            tell("Compare worlds with history", i * len(USUAL) + k, len(usable) * len(USUAL))
            grade_of(session, SIMULATORS[simulator](), panel)
    tell("Compare worlds with history", len(usable) * len(USUAL), len(usable) * len(USUAL))


def _worlds(
    session: Session,
    name: str,
    strategy: Strategy,
    as_of: DateLike | None,
    end: pd.Timestamp,
    tell: Progress,
) -> list[WorldsResult]:
    found: list[WorldsResult] = []
    for k, simulator in enumerate(() if strategy.extras else USUAL):

        def show(done: int, total: int, before: int = k) -> None:
            tell(f"Simulate: {name}", before * total + done, total * len(USUAL))

        found.append(simulate_strategy(session, strategy, simulator, name=name, as_of=as_of, end=end, on_progress=show))
    return found
