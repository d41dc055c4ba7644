"""What registered models say: asked about the sessions up to today, stored, and handed to strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from quantlib.conditions import extra_key
from quantlib.errors import DataError
from quantlib.ml import build_features
from quantlib.ml.drift import drift
from quantlib.ml.training import answers
from quantlib.store.derived import read_derived, write_derived
from quantlib.types import DateLike, Panel
from quantlib.workflows.extras import maker_of, on_panel
from quantlib.workflows.model_inputs import ModelInputs, split
from quantlib.workflows.model_records import AHEAD, PREDICTIONS
from quantlib.workflows.registry import CHAMPION, Version, versions
from quantlib.workflows.rerunning import kind_of
from quantlib.workflows.research import shared_panel
from quantlib.workflows.session import Session

#: Sessions up to today that are compared with those learned from: a year, which knows every season.
RECENT = 252


@dataclass(frozen=True, eq=False)
class Foretold:
    """What a version of a model says.

    Parameters
    ----------
    source
        Whose prices it was asked about.
    as_of
        The last session it was asked about.
    learned_until
        The last session it learned from: what it says from there on is its own.
    latest
        What it says at that session, by symbol; NaN where the strategy whose trades it judges has no side.
    said
        What it said of each session at the time [time x symbol], NaN where it was not asked or could not have been.
    drift
        Whether features and predictions of the last year still look like those it learned from; see
        `quantlib.ml.drift`.
    """

    source: str
    as_of: date
    learned_until: date
    latest: pd.Series
    said: pd.DataFrame
    drift: pd.DataFrame


def foretell(session: Session, version: Version) -> Foretold:
    """Return what a version says of every session up to the last stored one, which is stored as a derived series.

    The model is loaded from MLflow. Of the sessions it learned from, its predictions are those of its walk-forward,
    each made by a model that had seen only what came before; from the last of them on they are its own. Of the sessions
    between the last labelled one and that there are none: the model knows how they turned out. Those of other schemes
    were learned from later sessions too and are left out. The hold-out is looked at for its features, not for how they
    turned out.

    Raises
    ------
    DataError
        The run is not in MLflow any more, or the symbols have no prices that the model's features can be made of.
    """
    found = asked(session, version.mlflow_run_id)
    symbols = [str(symbol) for symbol in found.said.columns]
    long = found.said.rename_axis(index="ts").reset_index().melt("ts", var_name="symbol").dropna(subset="value")
    rows = long.assign(name=series_of(version.name), source=found.source)
    write_derived(session.store, rows, symbols=symbols, code_version=maker(version))
    return found


def asked(session: Session, mlflow_run_id: str) -> Foretold:
    """Return what a logged model says of every session up to the last stored one, as `foretell`; nothing is stored."""
    run = session.tracker.read(mlflow_run_id)
    said = session.tracker.read_parquet(run.id, PREDICTIONS)
    ahead = session.tracker.read_parquet(run.id, AHEAD)
    columns = [name for name in ahead.columns if name != "prediction"]
    inputs = ModelInputs.of_run(session, run)
    panel, side = split(inputs.on(session, shared_panel(session, inputs.symbols)))
    table = build_features(panel, run.params["features"].split())
    if missing := [name for name in columns if name not in table.columns]:
        raise DataError(
            f"{run.name} learned from the feature {missing[0]!r}, which this code does not make. Train it anew."
        )
    table = (table if side is None else table[side.ravel() != 0])[columns].dropna()
    ts = table.index.get_level_values("ts")
    learned_until = pd.Timestamp(run.tags["as_of"])
    kind = kind_of(run)
    now = table[ts >= learned_until]  # the labels of that session itself begin after its close
    own = pd.Series(answers(session.tracker.load(run.id, "model"), now, kind), index=now.index)
    past = said["prediction"].groupby(level=["ts", "symbol"]).mean()
    recent = table.assign(prediction=pd.concat([past, own]).reindex(table.index))
    since = panel.index[-min(RECENT, len(panel.index) - 1)]
    moved = drift(recent[(ts <= learned_until) & (ts < since)], recent[ts >= since])
    values = pd.concat([past, own]) if run.tags.get("foretold") == "True" else own
    wide = values.unstack("symbol").sort_index()  # noqa: PD010  keys are unique
    if side is not None:  # sessions without a side were asked about too: there was nothing to say
        begin = wide.index.min() if len(wide) else panel.index[-1]
        wide = wide.reindex(index=panel.index[panel.index >= begin], columns=list(panel.symbols))
    latest = wide.iloc[-1].rename(run.tags.get("target", "prediction"))
    return Foretold(panel.source, wide.index[-1].date(), learned_until.date(), latest, wide, moved)


def inputs_of(session: Session, version: Version) -> ModelInputs:
    """Return what a version of a model reads, as it was logged."""
    return ModelInputs.of_run(session, session.tracker.read(version.mlflow_run_id))


def with_predictions(
    session: Session,
    panel: Panel,
    name: str,
    *,
    version: Version | None = None,
    called: str = "forecast",
) -> Panel:
    """Return the panel with a registered model's stored predictions as `extra[called]`, NaN where there are none.

    Conditions know them by that name, as in `forecast > 0.55`.

    Parameters
    ----------
    name
        Registered name of the model.
    version
        Which; by default the champion, and of a model without one the only version that was asked.
    called
        What strategies ask for.

    Raises
    ------
    DataError
        No predictions of that name are stored, none is about the panel, the panel has the name already, or which of
        several versions is not said.
    """
    if called in panel.extra or hasattr(panel, called):
        raise DataError(f"The panel has {called!r} already. Choose another name for the predictions.")
    if version is None:
        version = _obvious(session, name)
    values = predictions(session, name, version=version, start=panel.index[0], end=panel.index[-1])
    return replace(panel, extra={**panel.extra, called: on_panel(values, panel, name)})


def _obvious(session: Session, name: str) -> Version | None:
    """Return the version of a model that is meant where none is named; None of a name that is not registered."""
    known = versions(session, name)
    for one in known:
        if CHAMPION in one.aliases:
            return one
    if len(known) > 1:
        raise DataError(
            f"Model {name!r} has {len(known)} versions and no champion. Say which is meant: "
            f"version=version_of(session, {name!r}, {known[-1].version})."
        )
    return known[0] if known else None


def predictions(
    session: Session,
    name: str,
    *,
    version: Version | None = None,
    symbols: Sequence[str] | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
) -> pd.DataFrame:
    """Return a registered model's stored predictions [time x symbol], by a version or by the one asked last."""
    made_by = None if version is None else maker(version)
    return read_derived(session.store, series_of(name), symbols, start, end, code_version=made_by)


def series_of(name: str) -> str:
    """Return the derived series that the predictions of a registered model are stored under."""
    return extra_key("model", name)


def maker(version: Version) -> str:
    """Return what stands where the code version of a derived value stands: the version of the model that said it."""
    return maker_of(version.name, version.version, version.mlflow_run_id)
