"""The main job: load, simulate, run strategies, validate, log, recommend, report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from quantlib.backtest import WorldsResult
from quantlib.charts.numbers import bps, interval, percent
from quantlib.costs import Costs
from quantlib.errors import DataError
from quantlib.reports.recommend import recommend, recommendation_figures
from quantlib.reports.render import render_html
from quantlib.reports.types import Provenance, Recommendation, Report
from quantlib.simulators import SIMULATORS
from quantlib.sources import SOURCES
from quantlib.store import (
    RecommendationRecord,
    ReportRecord,
    coverage,
    read_recommendations,
    read_report,
    read_reports,
    save_recommendations,
    save_report,
)
from quantlib.strategies import READY, Strategy
from quantlib.types import DateLike, as_date
from quantlib.workflows.ingest import ingest
from quantlib.workflows.learn import train_models
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.research import (
    StrategyRun,
    backtest_strategy,
    choose_source,
    holding_equity,
    load_panel,
    shared_panel,
    simulate_strategy,
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
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The recommendations as a table of text: strategy, what to do, expected value, chance of a loss."""
        return [
            (
                r.name,
                r.headline,
                interval(r.expected_value, r.ev_low, r.ev_high, signed=True),
                percent(r.probability_of_loss, 0),
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
    stored report, that report is returned and nothing is computed.

    Parameters
    ----------
    as_of
        Only what was known at the end of that day; by default all there is.
    strategies
        Definitions by name; by default the ready ones. Those whose symbols are not stored are skipped, and said so.
    force
        Compute even if nothing has changed.
    on_progress
        Called with (stage, done, total).

    Raises
    ------
    DataError
        No strategy can be run on what is stored.
    """
    tell = on_progress or (lambda stage, done, total: None)
    ensure_sample(session, on_progress=lambda done, total, _: tell("Load the sample", done, total))
    source = choose_source(session)
    usable, skipped = _usable(session, strategies or READY, source)
    end = min(shared_panel(session, s.symbols, as_of=as_of).index[-1] for s in usable.values())
    settings = session.settings
    snapshots = {name: load_panel(session, s.symbols, end=end, as_of=as_of).snapshot_id for name, s in usable.items()}
    report_id = content_id(
        "report",
        {
            "as_of": end,
            "snapshots": snapshots,
            "strategies": {name: s.id for name, s in usable.items()},
            "code": code_version(),
            "seed": settings.seed,
            "worlds": settings.worlds,
            "horizon": settings.horizon,
        },
    )
    stored = set(read_reports(session.store)["id"])
    label = data_label(source, end)
    if report_id in stored and not force:
        recommendations = stored_recommendations(session, end)
        path = export_report(session, report_id=report_id)
        return PipelineResult(report_id, end, label, recommendations, tuple(skipped), reused=True, path=path)

    costs = Costs()
    with session.tracker.group(f"Pipeline {end:%Y-%m-%d}", {"kind": "pipeline", "as_of": f"{end:%Y-%m-%d}"}):
        runs, worlds = {}, {}
        for i, (name, strategy) in enumerate(usable.items()):
            tell("Run and validate strategies", i, len(usable))
            runs[name] = backtest_strategy(session, strategy, name=name, as_of=as_of, end=end, costs=costs)
        tell("Run and validate strategies", len(usable), len(usable))
        for name, strategy in usable.items():
            worlds[name] = _worlds(session, name, strategy, as_of, end, costs, tell)
        symbols = sorted({s for strategy in usable.values() for s in strategy.symbols})
        symbols = [s for s in symbols if len(load_panel(session, [s], end=end, as_of=as_of)) >= MODEL_SESSIONS]
        if symbols:
            train_models(
                session,
                symbols,
                as_of=as_of,
                end=end,
                on_progress=lambda done, total: tell("Train the baseline models", done, total),
            )
        else:
            skipped.append(f"The baseline models need a symbol with {MODEL_SESSIONS} sessions.")
    tell("Write the report", 0, 1)
    report = _report(session, report_id, source, end, runs, worlds, costs)
    path = _save(session, report_id, report, runs)
    tell("Write the report", 1, 1)
    return PipelineResult(report_id, end, label, report.recommendations, tuple(skipped), reused=False, path=path)


def ensure_sample(session: Session, *, on_progress: Callable[[int, int, str], None] | None = None) -> bool:
    """Return whether the sample was loaded just now, which it is where no prices are stored yet."""
    if not coverage(session.store).empty:
        return False
    ingest(session.store, "sample", universe=session.universe, on_progress=on_progress)
    return True


#: The baseline models want five years to learn from, one to be tested on, and one to warm up.
MODEL_SESSIONS = 1800


def data_label(source: str, end: pd.Timestamp) -> str:
    """Return the grade of the prices in words; a sample is always called a sample."""
    if SOURCES[source].sample:
        return f"sample ending {end:%Y-%m-%d}"
    return f"{SOURCES[source].title}, up to {end:%Y-%m-%d}"


def stored_recommendations(session: Session, as_of: DateLike | None = None) -> tuple[Recommendation, ...]:
    """Return the stored recommendations of a date, or the newest there are, in the order of the ready strategies."""
    order = {name: i for i, name in enumerate(READY)}
    found = [Recommendation.model_validate(r.body) for r in read_recommendations(session.store, as_of=as_of)]
    return tuple(sorted(found, key=lambda r: (order.get(r.name, len(order)), r.name)))


def export_report(
    session: Session, *, report_id: str | None = None, as_of: DateLike | None = None, out: Path | None = None
) -> Path:
    """Return the path of a stored report, written as one HTML file.

    Parameters
    ----------
    report_id, as_of
        Which report; by default the newest.
    out
        File to write; by default one in the workbench's own folder.

    Raises
    ------
    DataError
        There is no such report, or the file cannot be written.
    """
    if report_id is None and as_of is not None:
        reports = read_reports(session.store)
        day = as_date(as_of, "as_of").date()
        of_day = reports[reports["as_of"] == day]
        if of_day.empty:
            dates = ", ".join(str(d) for d in reports["as_of"].drop_duplicates().head(5)) or "none yet"
            raise DataError(f"There is no report as of {day}. Stored: {dates}. Run `workbench pipeline --as-of {day}`.")
        report_id = str(of_day["id"].iloc[0])
    record = read_report(session.store, report_id)
    path = out or session.settings.home / "reports" / f"{record.as_of}-{record.id}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and moved, so that a file of that name is always whole.
        draft = path.with_name(f".{path.name}.part")
        draft.write_text(render_html(Report.model_validate_json(record.body)), encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror}. Choose another file with --out.") from None
    return path


def _usable(session: Session, strategies: Mapping[str, Strategy], source: str) -> tuple[dict[str, Strategy], list[str]]:
    bars = coverage(session.store)
    here = set(bars.loc[bars["source"] == source, "symbol"])
    usable, skipped = {}, []
    for name, strategy in strategies.items():
        missing = [s for s in strategy.symbols if s not in here]
        if missing:
            skipped.append(f"{name}: no prices of {', '.join(missing)} from {source}.")
        else:
            usable[name] = strategy
    if not usable:
        raise DataError(f"No strategy can be run: {' '.join(skipped)} Load them with `workbench ingest`.")
    return usable, skipped


def _worlds(
    session: Session,
    name: str,
    strategy: Strategy,
    as_of: DateLike | None,
    end: pd.Timestamp,
    costs: Costs,
    tell: Progress,
) -> list[WorldsResult]:
    found = []
    for k, simulator in enumerate(SIMULATORS):

        def show(done: int, total: int, before: int = k) -> None:
            tell(f"Simulate: {name}", before * total + done, total * len(SIMULATORS))

        found.append(
            simulate_strategy(
                session, strategy, simulator, name=name, as_of=as_of, end=end, costs=costs, on_progress=show
            )
        )
    return found


def _report(
    session: Session,
    report_id: str,
    source: str,
    end: pd.Timestamp,
    runs: Mapping[str, StrategyRun],
    worlds: Mapping[str, list[WorldsResult]],
    costs: Costs,
) -> Report:
    recommendations, figures = [], {}
    for name, run in runs.items():
        explanation = run.strategy.explain(run.panel)
        recommendation = recommend(
            name,
            run.strategy,
            explanation,
            run.result,
            run.metrics,
            run.verdict,
            worlds[name],
            costs=costs,
            data_note=SOURCES[source].note,
        )
        recommendations.append(recommendation)
        first = run.result.trades["ts"].iloc[0] if len(run.result.trades) else run.panel.index[0]
        holding = holding_equity(run.panel, costs, since=first)
        figures[run.strategy.id] = recommendation_figures(name, explanation, run.result, holding, worlds[name])
    settings = session.settings
    provenance = Provenance(
        source=source,
        data_label=data_label(source, end),
        is_sample=SOURCES[source].sample,
        universe=f"{len({s for r in runs.values() for s in r.strategy.symbols})} symbols of {len(runs)} strategies",
        snapshots={name: run.panel.snapshot_id for name, run in runs.items()},
        strategies={name: run.strategy.id for name, run in runs.items()},
        code_version=code_version(),
        seed=settings.seed,
        worlds=settings.worlds,
        horizon_sessions=settings.horizon,
        simulators=tuple(simulator.title for simulator in SIMULATORS.values()),
        costs=f"{bps(costs.per_side)} of every amount traded, {costs.borrow_bps_per_year:g} bps a year on shorts",
    )
    return Report(
        title="Recommendations",
        as_of=end.date(),
        recommendations=tuple(recommendations),
        figures=figures,
        provenance=provenance,
    )


def _save(session: Session, report_id: str, report: Report, runs: Mapping[str, StrategyRun]) -> Path:
    """Store recommendations first and the report last: a stored report says that all of it is there."""
    records = []
    for recommendation in report.recommendations:
        run = runs[recommendation.name]
        records.append(
            RecommendationRecord(
                id=content_id("recommendation", {"report": report_id, "strategy": run.strategy.id}),
                strategy_id=run.strategy.id,
                as_of=report.as_of,
                body=recommendation.model_dump(mode="json"),
                snapshot_id=run.panel.snapshot_id,
                code_version=code_version(),
                seed=session.settings.seed,
                run_id=run.run_id,
            )
        )
    save_recommendations(session.store, records)
    record = ReportRecord(
        id=report_id,
        as_of=report.as_of,
        title=report.title,
        body=report.model_dump_json(),
        html_sha256=hashlib.sha256(render_html(report).encode()).hexdigest(),
        snapshot_id=content_id("snapshot", report.provenance.snapshots),
        code_version=code_version(),
    )
    save_report(session.store, record)
    return export_report(session, report_id=report_id)
