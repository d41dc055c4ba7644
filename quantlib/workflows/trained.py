"""Models that were trained: a list of them all, and everything that is kept of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from quantlib.charts import calibration_chart, importance_bars
from quantlib.charts.models import drift_bars, fold_gains, predictions_over_time
from quantlib.errors import DataError
from quantlib.ml.drift import DRIFTED, STABLE
from quantlib.ml.scores import LOSS
from quantlib.ml.targets.target import Kind
from quantlib.models.promotions import Promotion
from quantlib.store import RunRecord, read_runs
from quantlib.workflows.foretelling import Foretold, asked
from quantlib.workflows.model_records import PREDICTIONS
from quantlib.workflows.registry import Version, promotions, versions
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import ReadRun


@dataclass(frozen=True)
class KeptModel:
    """A trained model as a list shows it.

    Parameters
    ----------
    id, mlflow_run_id
        Where it is kept.
    version
        What it is registered as; None where it is not.
    model, target, scheme, horizon
        What it is.
    as_of
        The last session it may have learned from.
    gain, low, high
        By how much its loss out of sample is below the hardest yardstick's, and the 95 % interval.
    yardstick
        The hardest one: "prior" or "naive".
    loss, prior
        Its loss, and the base rate's.
    kind
        "classification" or "regression".
    verdict, warnings
        In words.
    params
        All that was asked for.
    snapshot_id, code_version
        What it was made from.
    """

    id: str
    mlflow_run_id: str
    version: Version | None
    model: str
    target: str
    scheme: str
    horizon: int
    as_of: date
    gain: float
    low: float
    high: float
    yardstick: str
    loss: float
    prior: float
    kind: Kind
    verdict: str
    warnings: tuple[str, ...]
    params: Mapping[str, Any]
    snapshot_id: str
    code_version: str


@dataclass(frozen=True, eq=False)
class ModelDetail:
    """Everything that is kept of a model.

    Parameters
    ----------
    folds, calibration, importance
        As in `quantlib.ml.ModelResult`.
    card
        Markdown.
    hindsight
        Why the choice of symbols looks into the future; empty where it does not.
    foretold
        What it says up to today; None where it could not be asked.
    why_not
        Why it could not; empty where it could.
    figures
        "gain", "calibration", "importance" where it was asked for, and "said" and "drift" where it could be asked.
    """

    folds: pd.DataFrame
    calibration: pd.DataFrame
    importance: pd.DataFrame
    card: str
    hindsight: str
    foretold: Foretold | None
    why_not: str
    figures: Mapping[str, go.Figure]


def kept_models(session: Session, mark: str = "") -> list[KeptModel]:
    """Return the trained models, the newest first.

    Parameters
    ----------
    mark
        Changes nothing: an argument by which a cache tells one moment from another.
    """
    records = [one for one in read_runs(session.store, kind="model") if one.mlflow_run_id and session.tracker.exists]
    known = {one.mlflow_run_id: one for one in versions(session)} if records else {}
    return [_kept(record, known.get(str(record.mlflow_run_id))) for record in records]


def _kept(record: RunRecord, version: Version | None) -> KeptModel:
    params, numbers = record.params, record.metrics
    kind: Kind = "classification" if "log_loss" in numbers else "regression"

    def number(key: str) -> float:
        return float(numbers.get(key, float("nan")))

    return KeptModel(
        id=record.id,
        mlflow_run_id=str(record.mlflow_run_id),
        version=version,
        model=str(params.get("model", "")),
        target=str(params.get("target", "")),
        scheme=str(params.get("scheme", "")),
        horizon=int(params.get("horizon", 0)),
        as_of=record.as_of,
        gain=number("gain"),
        low=number("gain_low"),
        high=number("gain_high"),
        yardstick=str(params.get("yardstick", "prior")),
        loss=number(LOSS[kind]),
        prior=number(f"prior_{LOSS[kind]}"),
        kind=kind,
        verdict=str(params.get("verdict", "")),
        warnings=tuple(params.get("warnings", ())),
        params=params,
        snapshot_id=record.snapshot_id,
        code_version=record.code_version,
    )


def model_detail(session: Session, mlflow_run_id: str) -> ModelDetail:
    """Return everything that is kept of a model, and what it says today; nothing is stored.

    Raises
    ------
    DataError
        The run is not in MLflow any more.
    """
    read, run = session.tracker.read_csv, session.tracker.read(mlflow_run_id)
    foretold, why_not = None, ""
    try:
        foretold = asked(session, mlflow_run_id)
    except DataError as error:  # its symbols have no prices here, or it was logged before it could be asked again
        why_not = str(error)
    rows = session.tracker.read_parquet(mlflow_run_id, PREDICTIONS).index
    symbols = sorted(set(rows.get_level_values("symbol")))
    folds, calibration, importance = (read(mlflow_run_id, f"{name}.csv") for name in _TABLES)
    return ModelDetail(
        folds=folds,
        calibration=calibration,
        importance=importance,
        card=session.tracker.read_text(mlflow_run_id, "card.md"),
        hindsight=session.universe.selection_bias(symbols, rows.get_level_values("ts").min()),
        foretold=foretold,
        why_not=why_not,
        figures=_figures(run, folds, calibration, importance, foretold),
    )


_TABLES = ("folds", "calibration", "importance")


def _figures(
    run: ReadRun, folds: pd.DataFrame, calibration: pd.DataFrame, importance: pd.DataFrame, foretold: Foretold | None
) -> dict[str, go.Figure]:
    numbers = run.metrics
    kind: Kind = "classification" if "log_loss" in numbers else "regression"
    what = "probability" if kind == "classification" else "prediction"
    ends = {end: numbers.get(f"gain_{end}", float("nan")) for end in ("low", "high")}  # infinite is not kept
    found = {
        "gain": fold_gains(folds, LOSS[kind], gain=numbers["gain"], over=run.tags.get("yardstick", "prior"), **ends),
        "calibration": calibration_chart(calibration, what=what),
    }
    if importance["importance"].notna().any():
        found["importance"] = importance_bars(importance["importance"])
    if foretold is not None:
        found["said"] = predictions_over_time(foretold.said, foretold.learned_until, what=what.capitalize())
        found["drift"] = drift_bars(foretold.drift, stable=STABLE, drifted=DRIFTED)
    return found


def decisions(session: Session, name: str) -> list[Promotion]:
    """Return the decisions about a registered name, the latest first."""
    return promotions(session, name)[::-1]
