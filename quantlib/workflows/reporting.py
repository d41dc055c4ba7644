"""Reporting: from the pipeline's results to a stored report, and from a stored report to a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from quantlib.backtest import WorldsResult, holding_beside
from quantlib.costs import costs_of
from quantlib.errors import DataError
from quantlib.grades import worst
from quantlib.reports.doubts import caution, doubt_sentences
from quantlib.reports.recommend import recommend, recommendation_figures
from quantlib.reports.render import render_html
from quantlib.reports.types import Provenance, Report, VersionUsed
from quantlib.simulators import SIMULATORS, USUAL
from quantlib.sources import SOURCES
from quantlib.store import (
    RecommendationRecord,
    ReportRecord,
    read_report,
    read_reports,
    save_recommendations,
    save_report,
    touch_report,
)
from quantlib.types import DateLike, as_date
from quantlib.workflows.extras import explained, stale_forecasts
from quantlib.workflows.grading import grade_of
from quantlib.workflows.provenance import code_version, content_id
from quantlib.workflows.registry import Champion, champions
from quantlib.workflows.research import StrategyRun, data_label
from quantlib.workflows.session import Session
from quantlib.workflows.tear_sheet import TearSheet
from quantlib.workflows.trading_costs import costs_in_words


def build_report(
    session: Session,
    source: str,
    end: pd.Timestamp,
    runs: Mapping[str, StrategyRun],
    worlds: Mapping[str, list[WorldsResult]],
) -> Report:
    """Return the report on some backtests and their simulated worlds, by strategy name.

    How real the worlds are is asked of simulators with their default parameters.

    Parameters
    ----------
    source
        Where the prices come from.
    end
        The last session whose close was known.
    """
    recommendations, figures = [], {}
    crowned = champions(session)
    for name, run in runs.items():
        explanation = explained(session, run.strategy, run.panel, run.models)
        holding = holding_beside(run.panel.select(run.strategy.symbols), run.result, costs=run.costs)
        sheet = TearSheet(run, holding, explanation, session.settings.seed)
        recommendation = recommend(
            name,
            run.strategy,
            explanation,
            run.result,
            run.metrics,
            run.verdict,
            worlds[name],
            costs=run.costs,
            grades={w.simulator: grade_of(session, SIMULATORS[w.simulator](), run.panel) for w in worlds[name]},
            fragility=sheet.fragility(),
            data_note=" ".join(filter(None, _notes(source, run))),
            version=_version(run, crowned.get(name)),
            horizon=session.settings.horizon,
        )
        recommendations.append(recommendation)
        figures[run.strategy.id] = {
            **recommendation_figures(name, explanation, run.result, worlds[name]),
            "record": sheet.record(),
            "months": sheet.months(),
            "costs": sheet.costs(),
            "delay": sheet.delay(),
        }
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
        simulators=tuple(SIMULATORS[name].title for name in USUAL),
        costs=costs_in_words({s: costs_of(s, run.costs) for run in runs.values() for s in run.strategy.symbols}),
    )
    return Report(
        title="Recommendations",
        as_of=end.date(),
        recommendations=tuple(recommendations),
        figures=figures,
        provenance=provenance,
        data_grade=worst(run.panel.grade for run in runs.values()),
        data_doubts=doubt_sentences(flag for run in runs.values() for flag in run.panel.flags),
        data_hindsight=_hindsight(session, [run for run in runs.values() if run.hindsight]),
    )


def _notes(source: str, run: StrategyRun) -> list[str]:
    """Return what the reader must know about the data of a run; empty where there is nothing to say."""
    own = [SOURCES[source].note, run.hindsight, caution(run.panel.grade)]
    return own + stale_forecasts(run.strategy, run.panel)


def _version(run: StrategyRun, champion: Champion | None) -> VersionUsed | None:
    """Return the champion that a run is of; None where it is of another definition."""
    if champion is None or champion.strategy_id != run.strategy.id:
        return None
    return VersionUsed(
        name=champion.name,
        version=champion.version,
        since=champion.since.date(),
        mlflow_run_id=champion.mlflow_run_id,
    )


def _hindsight(session: Session, biased: Sequence[StrategyRun]) -> str:
    """Return in one sentence what each of the runs says of its own symbols."""
    if not biased:
        return ""
    symbols = {symbol for run in biased for symbol in run.panel.symbols}
    first = min(run.panel.index[0] for run in biased)
    return session.universe.selection_bias(symbols, first) or biased[0].hindsight


def store_report(session: Session, report_id: str, report: Report, runs: Mapping[str, StrategyRun]) -> Path:
    """Return the file of a report, having stored its recommendations, and the report last: it says all is there."""
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
    touch_report(session.store, report_id)
    return export_report(session, report_id=report_id)


def export_report(
    session: Session, *, report_id: str | None = None, as_of: DateLike | None = None, out: Path | None = None
) -> Path:
    """Return the path of a stored report, written as one HTML file.

    Parameters
    ----------
    report_id, as_of
        Which report: by its id, or the newest one up to a date; by default the newest.
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
        by_then = reports[reports["as_of"] <= day]
        if by_then.empty:
            dates = ", ".join(str(d) for d in reports["as_of"].drop_duplicates().head(5)) or "none yet"
            raise DataError(f"There is no report up to {day}. Stored: {dates}. Run `workbench pipeline --as-of {day}`.")
        report_id = str(by_then["id"].iloc[0])
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
