"""Event studies of whatever events the store has: decisions of central banks, shocks, releases, earnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.event_study import EventStudy, Model, study
from quantlib.events import KINDS
from quantlib.quality import calendar_of
from quantlib.store import read_versions
from quantlib.types import DateLike, Panel, check_span
from quantlib.workflows.events import list_events
from quantlib.workflows.research import load_panel
from quantlib.workflows.session import Session

FOMC, EARNINGS, RELEASE = "fomc", "earnings", "release"
TITLES = {
    FOMC: "FOMC decisions",
    "monetary": "Decisions of central banks",
    "market": "Market events",
    "economic": "Economic events",
    "geopolitical": "Geopolitical events",
    "disaster": "Disasters",
    EARNINGS: "Earnings",
}
#: Surprises below which their standard deviation would only look like knowledge.
LEAST_SURPRISES = 8
#: Calendars of what trades apart from exchanges; beside an exchange, its sessions are those that are shared.
APART = ("24/7", "24/5")


@dataclass(frozen=True, eq=False)
class StudiedEvents:
    """An event study with what it was made of.

    Parameters
    ----------
    title
        What the events are, for people.
    kind
        As asked for; empty for chosen ids.
    events
        The events as stored, with `dose`: the surprise in standard deviations, NaN where it is not known.
    panel
        The prices.
    study
        What was found.
    """

    title: str
    kind: str
    events: pd.DataFrame
    panel: Panel
    study: EventStudy


def event_kinds(session: Session, *, as_of: DateLike | None = None) -> pd.DataFrame:
    """Return what kinds of events are stored, one row each by the key that `study_events` takes.

    Keys are fomc, the kinds of world events, earnings, and release/COUNTRY/NAME for each economic release.

    Returns
    -------
    DataFrame
        title, events (how many), first, last (days in UTC), surprises (events whose surprise is known).
    """
    world = list_events(session, as_of=as_of)
    parts = {FOMC: _fomc(world), **{kind: world[world["kind"] == kind] for kind in KINDS}}
    rows = {key: (TITLES[key], len(part), *_ends(part["happened_at"]), 0) for key, part in parts.items()}
    earnings = _of_one_source(_earnings(session, (), as_of), ["symbol"])
    surprises = int((earnings["actual"] - earnings["expected"]).notna().sum())
    rows[EARNINGS] = (TITLES[EARNINGS], len(earnings), *_ends(earnings["ts"]), surprises)
    releases = read_versions(session.store, "releases", as_of=as_of)
    for (country, name), part in releases.groupby(["country", "name"]):
        own = _of_one_source(part, [])
        known = int((own["actual"] - own["forecast"]).notna().sum())
        key = f"{RELEASE}/{country}/{name}"
        rows[key] = (_title(key), len(own), *_ends(own["released_at"]), known)
    columns = ["title", "events", "first", "last", "surprises"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("kind")
    return table[table["events"] > 0]


def study_events(
    session: Session,
    symbols: Sequence[str],
    *,
    kind: str = "",
    ids: Sequence[str] = (),
    as_of: DateLike | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    market: str | None = None,
    factors: Sequence[str] = (),
    doses: Mapping[str, float] | None = None,
    **plan: Any,
) -> StudiedEvents:
    """Return how some symbols moved around the stored events of a kind, with what was known on a date.

    Parameters
    ----------
    symbols
        The assets. Earnings are studied on the company's own prices.
    kind
        A key of `event_kinds`.
    ids
        World events by id, instead of a kind or chosen from it.
    as_of
        Only events and prices known at the end of that day.
    start, end
        First and last day (UTC) of the events; prices before are used for the models.
    market, factors
        Symbols that explain the others: with a market the market model, with factors theirs, else the mean.
    doses
        How strong events were, by id, where you know better than the store; what you leave out is not known. Without
        them it is the surprise, actual less forecast over its standard deviation, of releases and (by company)
        earnings with at least 8 known.
    plan
        Anything else that `quantlib.event_study.study` takes, such as before=1, after=5.

    Raises
    ------
    DataError
        There is no such kind, event or symbol, or none of the events lies within the prices.

    Examples
    --------
    >>> found = study_events(session, ["KO"], kind="fomc", before=1, after=1)  # doctest: +SKIP
    """
    assets = tuple(dict.fromkeys(symbols))
    if not assets:
        raise DataError("No symbol is given. Name at least one to study.")
    if both := [name for name in (market, *factors) if name in assets]:
        raise DataError(f"{both[0]} cannot both be studied and explain the others. Leave it out of one of them.")
    if market is not None and factors:
        raise DataError("Give either a market or factors; a market is one of the factors then.")
    span = check_span(start, end)
    events = _events(session, assets, kind, tuple(ids), as_of)
    events = events[_within(events, *span)].reset_index(drop=True)
    title = _title(kind)
    if events.empty:
        ends = [f" {word} {day:%Y-%m-%d}" for word, day in zip(("from", "to"), span, strict=True) if day is not None]
        raise DataError(f"There are no events of {title}{''.join(ends)}. Widen the dates.")
    if doses is not None:
        if strange := [name for name in doses if name not in set(events["id"])]:
            raise DataError(f"A dose is of {strange[0]!r}, which is not studied. {nearest(strange[0], events['id'])}")
        events["dose"] = events["id"].map(dict(doses)).astype("float64")
    panel, calendar = _prices(session, (*assets, *((market,) if market else ()), *factors), as_of)
    model: Model = "market" if market else "factors" if factors else "mean"
    found = study(
        panel,
        events,
        model=model,
        market=market,
        factors=tuple(factors),
        doses=pd.Series(events["dose"].to_numpy(), index=events["id"]),
        calendar=calendar,
        **plan,
    )
    return StudiedEvents(title, kind, events, panel, found)


def _events(
    session: Session, assets: tuple[str, ...], kind: str, ids: tuple[str, ...], as_of: DateLike | None
) -> pd.DataFrame:
    """Return the events asked for as `study` takes them, with a dose."""
    if kind == EARNINGS:
        found = _of_one_source(_earnings(session, assets, as_of), ["symbol"])
        surprise = (found["actual"] - found["expected"]).to_numpy()
        found = found.assign(
            id=found["symbol"] + "-" + found["ts"].dt.strftime("%Y-%m-%d"),
            day=found["ts"],
            dose=_standardised(pd.Series(surprise, index=found["symbol"].to_numpy())),
        )
        missing = f"There are no earnings dates of {', '.join(assets)}. Ingest them from a source that has them."
    elif kind.startswith(f"{RELEASE}/"):
        country, _, name = kind.removeprefix(f"{RELEASE}/").partition("/")
        where = {"country": country, "name": name}
        found = _of_one_source(read_versions(session.store, "releases", where=where, as_of=as_of), [])
        surprise = (found["actual"] - found["forecast"]).to_numpy()
        found = found.assign(
            id=found["released_at"].dt.strftime("%Y-%m-%dT%H:%MZ"),
            happened_at=found["released_at"],
            kind=RELEASE,
            title=(found["name"] + " " + found["period"]).str.strip(),
            dose=_standardised(pd.Series(surprise, index=[name] * len(found))),
        )
        missing = ""
    elif kind in {"", FOMC, *KINDS}:
        if not kind and not ids:
            raise DataError("Neither a kind nor ids of events are given. Name one of the two.")
        found = list_events(session, as_of=as_of).assign(dose=float("nan"))
        if kind:
            found = _fomc(found) if kind == FOMC else found[found["kind"] == kind]
        missing = "There are no world events yet. Run `workbench events`, or `make run`."
    else:
        found, missing = pd.DataFrame(), ""
    if found.empty:
        known = event_kinds(session, as_of=as_of).index
        raise DataError(missing or f"No events of kind {kind!r} are stored. {nearest(kind, known)}")
    if strange := [name for name in ids if name not in set(found["id"])]:
        raise DataError(f"There is no event {strange[0]!r} among these. {nearest(strange[0], found['id'])}")
    return found[found["id"].isin(ids)] if ids else found


def _title(kind: str) -> str:
    if kind.startswith(f"{RELEASE}/"):
        country, _, name = kind.removeprefix(f"{RELEASE}/").partition("/")
        return f"{name}, {country}"
    return TITLES[kind] if kind else "Chosen events"


def _fomc(world: pd.DataFrame) -> pd.DataFrame:
    return world[world["id"].str.startswith("fomc-")]


def _earnings(session: Session, assets: tuple[str, ...], as_of: DateLike | None) -> pd.DataFrame:
    where: dict[str, Any] = {"kind": "earnings", **({"symbol": assets} if assets else {})}
    return read_versions(session.store, "security_events", where=where, as_of=as_of)


def _of_one_source(events: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the rows of the source that has most, of each group: vendors date the same event differently."""
    if events.empty:
        return events
    counts = events.groupby([*by, "source"]).size().rename("rows").reset_index()
    best = counts.sort_values(["rows", "source"], ascending=[False, True])
    best = best.drop_duplicates(by) if by else best.head(1)
    return events.merge(best[[*by, "source"]], on=[*by, "source"])


def _standardised(surprises: pd.Series) -> pd.Series:
    """Return surprises over their standard deviation by index label, in order; NaN where fewer than 8 are known.

    Not less their mean: what came as expected is no surprise, also where consensus leans to one side.
    """
    groups = surprises.groupby(level=0)
    enough = (groups.transform("count") >= LEAST_SURPRISES) & (groups.transform("std") > 0)
    return (surprises / groups.transform("std")).where(enough).reset_index(drop=True)


def _ends(moments: pd.Series) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and the last day (UTC) of moments or days."""
    days = moments.dt.tz_convert(None) if isinstance(moments.dtype, pd.DatetimeTZDtype) else moments
    days = days.dt.normalize()
    return days.min(), days.max()


def _within(events: pd.DataFrame, start: pd.Timestamp | None, end: pd.Timestamp | None) -> pd.Series:
    moments = events["happened_at"].dt.tz_convert(None) if "happened_at" in events else events["day"]
    days = moments.dt.normalize()
    inside = pd.Series(data=True, index=events.index)
    if start is not None:
        inside &= days >= start
    if end is not None:
        inside &= days <= end
    return inside


def _prices(session: Session, symbols: tuple[str, ...], as_of: DateLike | None) -> tuple[Panel, str]:
    """Return the panel and the calendar it goes by; of several, the sessions that all symbols share."""
    facts = {instrument.symbol: instrument for instrument in session.universe.instruments}
    calendars = {
        calendar_of(name, kind=facts[name].kind, exchange=facts[name].exchange) if name in facts else calendar_of(name)
        for name in symbols
    }
    panel = load_panel(session, symbols, as_of=as_of)
    if len(calendars) == 1:
        return panel, calendars.pop()
    shared = panel.complete()
    if not len(shared):
        raise DataError(f"{', '.join(symbols)} share no session. Choose symbols that traded at the same time.")
    return shared, min(calendars, key=lambda name: (name in APART, name))
