"""Extras by name: macro series as they were released and forecasts of models, put on a panel for those who read them.

An extra is named `macro: CPIAUCSL` or `model: up or down`; conditions write macro("CPIAUCSL") and model("up or down").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from quantlib.conditions import extra_key, extra_parts
from quantlib.errors import DataError, nearest
from quantlib.quality.calendars import calendar_of, closing_times
from quantlib.store import read_series_at
from quantlib.store.asof import TICK, read_as_of
from quantlib.store.derived import derived_versions, read_derived
from quantlib.store.promotions import read_promotions
from quantlib.strategies import Explanation, Strategy
from quantlib.types import DateLike, FloatArray, Panel
from quantlib.workflows.freshness import calendars_of
from quantlib.workflows.session import Session


@dataclass(frozen=True)
class ModelRead:
    """The version of a model whose forecasts are read.

    Parameters
    ----------
    name, version, mlflow_run_id
        Which.
    since
        Since when it has been the champion; None where it is not.
    """

    name: str
    version: int
    mlflow_run_id: str
    since: datetime | None = None

    @property
    def maker(self) -> str:
        """What its forecasts are stored under, where the code version of other derived values stands."""
        return maker_of(self.name, self.version, self.mlflow_run_id)

    @property
    def sentence(self) -> str:
        """Which version is read, in words."""
        rank = "" if self.since is None else f", the champion since {self.since:%Y-%m-%d}"
        return f"Reads version {self.version} of model {self.name}{rank}."


def with_extras(
    session: Session,
    panel: Panel,
    names: Iterable[str],
    *,
    as_of: DateLike | None = None,
    versions: Mapping[str, int] | None = None,
) -> Panel:
    """Return the panel with macro series and forecasts as extras, each under its name; those it carries already stay.

    A macro series has at each session the newest figure released before the session's close, as it stood then: [T], and
    NaN before the first release. Of symbols that close at different times the first close counts; on a day that no
    calendar of theirs knows, what was released by the end of the day before. A model has what the version that counts
    said at each close: [T, N], and NaN where it said nothing.

    Parameters
    ----------
    names
        Keys of extras, such as "macro: CPIAUCSL" and "model: up or down".
    as_of
        Only what was known at the end of that day; of models, what the version said of the sessions up to it.
    versions
        The version to read of a model, by its registered name; by default the one that is the champion now.

    Raises
    ------
    DataError
        A name is no key, there is no such series or model, no version of the model has been promoted, or it said
        nothing about this panel.

    Examples
    --------
    >>> panel = with_extras(session, panel, ["macro: CPIAUCSL", "model: up or down"])  # doctest: +SKIP
    """
    wanted = [key for key in dict.fromkeys(names) if key not in panel.extra]
    if not wanted:
        return panel
    models = models_read(session, wanted, versions)
    made = {}
    for key in wanted:
        use, name = extra_parts(key)
        if use == "macro":
            made[key] = _macro(session, panel, name, as_of)
        else:
            said = read_derived(session.store, key, end=panel.index.max(), code_version=models[name].maker)
            made[key] = on_panel(said, panel, name)
    return replace(panel, extra={**panel.extra, **made})


def versions_read(session: Session, strategy: Strategy) -> dict[str, dict[str, int]]:
    """Return the versions of the models that a strategy reads now, as a term of its runs; empty where it reads none.

    Raises
    ------
    DataError
        As in `with_extras`.

    Examples
    --------
    >>> versions_read(session, strategy)  # doctest: +SKIP
    {'models': {'up or down': 3}}
    """
    read = {name: one.version for name, one in models_read(session, strategy.extras).items()}
    return {"models": read} if read else {}


def models_read(
    session: Session, names: Iterable[str], versions: Mapping[str, int] | None = None
) -> dict[str, ModelRead]:
    """Return the version that counts of each model among some keys of extras, by the model's name.

    Raises
    ------
    DataError
        As in `with_extras`.
    """
    parts = dict.fromkeys(extra_parts(key) for key in names)
    return {name: _model(session, name, (versions or {}).get(name)) for use, name in parts if use == "model"}


def _model(session: Session, name: str, number: int | None) -> ModelRead:
    decisions = read_promotions(session.store)
    crowned = next((one for one in reversed(decisions) if one.name == name and one.outcome != "refused"), None)
    if crowned is not None and crowned.kind != "model":
        raise DataError(f"{name!r} is a registered strategy, which foretells nothing. Name a model.")
    stored = _stored(session, name)
    if number is None and crowned is not None:
        number = crowned.to_version
    if number is not None:
        since = crowned.decided_at if crowned is not None and crowned.to_version == number else None
        if number in stored:
            return ModelRead(name, number, stored[number], since)
        known = f" Stored are those of version {', '.join(map(str, sorted(stored)))}." if stored else ""
        raise DataError(
            f"No forecasts of version {number} of model {name!r} are stored.{known} `workbench pipeline` asks every "
            "champion; `foretell(session, version_of(session, name, number))` asks any version."
        )
    if stored or any(one.name == name and one.kind == "model" for one in decisions):
        raise DataError(
            f"No version of model {name!r} has been promoted, so no strategy reads it yet. "
            f'`workbench promote "{name}"` puts its candidate through the gate; in a notebook, '
            f'`with_predictions(session, panel, "{name}", version=...)` reads any version.'
        )
    models = {one.name for one in decisions if one.kind == "model"}
    raise DataError(
        f"There is no model {name!r} with forecasts. {nearest(name, models)} `workbench train` trains one, and "
        "`workbench promote` makes it the champion."
    )


def _stored(session: Session, name: str) -> dict[int, str]:
    """Return the runs of the versions of a model whose forecasts are stored, by number."""
    before, found = f"{name}, version ", {}
    for maker in derived_versions(session.store, extra_key("model", name)):
        number, _, run = maker.removeprefix(before).partition(", run ")
        if maker.startswith(before) and number.isdigit():
            found[int(number)] = run
    return found


def maker_of(name: str, version: int, mlflow_run_id: str) -> str:
    """Return what stands where the code version of a derived value stands: the version of the model that said it."""
    return f"{name}, version {version}, run {mlflow_run_id}"


def on_panel(said: pd.DataFrame, panel: Panel, name: str) -> FloatArray:
    """Return what a model said [time x symbol] in the rows and columns of a panel, NaN where it said nothing.

    Raises
    ------
    DataError
        It said nothing about any session and symbol of the panel.
    """
    values: FloatArray = said.reindex(index=panel.index, columns=list(panel.symbols)).to_numpy(dtype="float64")
    if np.isnan(values).all():
        about = (
            f" They are about {', '.join(map(str, said.columns))} from {said.index[0]:%Y-%m-%d}." if len(said) else ""
        )
        raise DataError(
            f"None of the stored predictions of {name!r} is about a session and a symbol of this panel.{about}"
        )
    return values


def _macro(session: Session, panel: Panel, series: str, as_of: DateLike | None) -> FloatArray:
    moments = _before_closes(session, panel)
    if as_of is not None:
        last = np.datetime64(read_as_of(as_of).before.replace(tzinfo=None)) - np.timedelta64(TICK)
        moments = np.minimum(moments, last)
    values: FloatArray = read_series_at(session.store, series, pd.DatetimeIndex(moments, tz="UTC")).to_numpy()
    return values


def explained(
    session: Session, strategy: Strategy, panel: Panel, versions: Mapping[str, int] | None = None
) -> Explanation:
    """Return why a strategy holds what it holds at a panel's last close, and which versions of models it has read."""
    why = strategy.explain(panel)
    read = models_read(session, strategy.extras, versions).values()
    return replace(why, reasons=(*why.reasons, *(one.sentence for one in read)))


def stale_forecasts(strategy: Strategy, panel: Panel) -> list[str]:
    """Return a sentence on each model that a strategy reads and that says nothing at the panel's last close."""
    found = []
    for use, name in map(extra_parts, strategy.extras):
        if use != "model":
            continue
        said = panel.frame(extra_key(use, name))
        if silent := [symbol for symbol in strategy.symbols if said[symbol].isna().all()]:
            found.append(f"Model {name} says nothing of {', '.join(silent)}.")
        newest = said.dropna(how="all").index.max()
        if newest < panel.index[-1]:
            behind = int((panel.index > newest).sum())
            found.append(
                f"The newest forecast of model {name} is of {newest:%Y-%m-%d}, {behind} "
                f"{'session' if behind == 1 else 'sessions'} before the last one: what reads it is unknown since then."
            )
    return found


def _before_closes(session: Session, panel: Panel) -> np.ndarray:
    """Return the last moment (UTC) before the first close of each session; of a day without any, of the day before."""
    known = calendars_of(session)
    calendars = {known.get(symbol) or calendar_of(symbol) for symbol in panel.symbols}
    first = np.fmin.reduce([closing_times(calendar, panel.index) for calendar in sorted(calendars)])
    return np.where(np.isnat(first), panel.index.to_numpy().astype("datetime64[us]"), first) - np.timedelta64(TICK)
