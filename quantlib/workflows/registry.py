"""The registry: versions of models and strategies under a name, and which of them is the champion.

A version becomes the champion through a gate on what it showed out of sample; every decision is logged in the database,
and can be taken back.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantlib.errors import DataError, StrategyError, nearest
from quantlib.models.promotions import Decision, Promotion, Registered
from quantlib.store import read_strategies
from quantlib.store.promotions import deciding, read_promotions
from quantlib.store.trials import take_over
from quantlib.strategies import STRATEGIES, Strategy, build
from quantlib.workflows.promotion_gate import Hurdle, hurdles
from quantlib.workflows.rerunning import find_run, rerun
from quantlib.workflows.run_records import remember_strategy
from quantlib.workflows.session import Session
from quantlib.workflows.tracking import ReadRun

CANDIDATE, CHAMPION = "candidate", "champion"
KINDS: Mapping[str, Registered] = {"backtest": "strategy", "model": "model"}
"""What is registered of a run of each kind."""


@dataclass(frozen=True)
class Version:
    """One version of a registered name.

    Parameters
    ----------
    name, version, kind
        Which, and whether it is a strategy or a model.
    mlflow_run_id, strategy_id, snapshot_id
        The run it came from, its definition where it is a strategy, and the prices it was made on.
    aliases
        "candidate", "champion", or neither.
    """

    name: str
    version: int
    kind: Registered
    mlflow_run_id: str
    strategy_id: str | None
    snapshot_id: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Champion:
    """The version that recommendations use, since when, and who decided it.

    `strategy` is its definition; None of a model, and of a Python file's class, which is kept in MLflow alone.
    """

    name: str
    version: int
    kind: Registered
    mlflow_run_id: str
    strategy_id: str | None
    strategy: Strategy | None
    since: datetime
    who: str


def register(session: Session, run_id: str, name: str | None = None) -> Version:
    """Return the version that a logged backtest or model is registered as; it is the candidate from then on.

    It is made again first: what cannot be, or comes out differently, is not registered. A run that has a version
    under the name keeps it. Registering what the pipeline ran is looking at it: its trial is the person's from then on.

    Parameters
    ----------
    run_id
        Of the run in MLflow, or in the database.
    name
        By default the name of the strategy, or what the model predicts.

    Raises
    ------
    DataError
        There is no such run, it cannot be made again, or the name holds another kind of thing.
    """
    run = find_run(session, run_id)
    if run.kind not in KINDS:
        raise DataError(f"Run {run.name!r} is a {run.kind or 'group of runs'}; accepted: a backtest or a model.")
    name, kind = name or (run.name if run.kind == "backtest" else run.tags.get("target", run.name)), KINDS[run.kind]
    check_name(name)
    for known in (one for one in versions(session, name) if one.kind != kind):
        raise DataError(f"{name!r} is a registered {known.kind}; this is a {kind}. Give another name.")
    made = rerun(session, run.id)
    if not made.same:
        raise DataError(f"{made.sentence} Only what comes out the same is registered.")
    tracker = session.tracker
    client = tracker.client()
    with tracker.plainly():
        found = next((one for one in versions(session, name) if one.mlflow_run_id == run.id), None)
        number = found.version if found else _add(session, name, kind, run)
        client.set_registered_model_alias(name, CANDIDATE, str(number))
    take_over(session.store, run.id, session.origin, session.who)
    if kind == "strategy":
        remember_strategy(session, run.name, tracker.load(run.id, "strategy"))
    return version_of(session, name, number)


def check_name(name: str) -> None:
    """Refuse what nothing can be registered under.

    Raises
    ------
    DataError
        The name is empty, or has a character in it that MLflow or its queries do not take.
    """
    if bad := sorted(set(name) & set('/:"')):
        raise DataError(f"A registered name must not have {' or '.join(bad)} in it; got {name!r}. Give another.")
    if not name.strip():
        raise DataError(f"A registered name has a letter or more; got {name!r}. Give another.")


def _add(session: Session, name: str, kind: Registered, run: ReadRun) -> int:
    """Return the number of a new version of a name, which is made where there is none yet."""
    client, card = session.tracker.client(), session.tracker.read_text(run.id, "card.md")
    if not client.search_registered_models(_named(name)):
        client.create_registered_model(name, tags={"kind": kind})
    model = client.get_logged_model(session.tracker.model_uri(run.id, kind).rpartition("/")[2])
    kept = ("strategy_id", "snapshot_id", "code_version", "as_of")
    tags = {"kind": kind, "run_name": run.name, **{key: run.tags[key] for key in kept if key in run.tags}}
    made = client.create_model_version(
        name, model.artifact_location, run.id, tags, description=card, model_id=model.model_id, await_creation_for=0
    )
    return int(made.version)


def _named(name: str) -> str:
    """Return MLflow's condition on a name, which has no way to write both kinds of quotes."""
    return f'name = "{name}"' if "'" in name else f"name = '{name}'"


def versions(session: Session, name: str | None = None) -> list[Version]:
    """Return the versions of a registered name, or of all, the first one first."""
    client = session.tracker.client()
    with session.tracker.plainly():
        wanted = None if name is None else _named(name)
        models = client.search_registered_models(wanted, max_results=1000)
        found: list[Version] = []
        for model in models:
            held: dict[int, list[str]] = {}
            for alias, number in model.aliases.items():
                held.setdefault(int(number), []).append(alias)
            made = client.search_model_versions(_named(model.name), max_results=10_000)
            found += [_version(one, tuple(sorted(held.get(int(one.version), ())))) for one in made]
    return sorted(found, key=lambda one: (one.name, one.version))


def _version(one: Any, aliases: tuple[str, ...]) -> Version:
    tags = dict(one.tags)
    return Version(
        name=str(one.name),
        version=int(one.version),
        kind="strategy" if tags.get("kind") == "strategy" else "model",
        mlflow_run_id=str(one.run_id),
        strategy_id=tags.get("strategy_id"),
        snapshot_id=tags.get("snapshot_id", ""),
        aliases=aliases,
    )


def version_of(session: Session, name: str, number: int | None = None) -> Version:
    """Return a version of a registered name by its number, or the candidate.

    Raises
    ------
    DataError
        There is no such name or version, or it has no candidate.
    """
    known = versions(session, name)
    if not known:
        names = {one.name for one in versions(session)}
        way = f"{nearest(name, names)} " if names else ""
        raise DataError(f"Nothing is registered as {name!r}. {way}`workbench register RUN` registers a run.")
    if number is None:
        for one in known:
            if CANDIDATE in one.aliases:
                return one
        raise DataError(
            f"{name!r} has no candidate. Name a version, 1 to {known[-1].version}, or register another run."
        )
    for one in known:
        if one.version == number:
            return one
    raise DataError(f"{name!r} has no version {number}; accepted: {', '.join(str(one.version) for one in known)}.")


def promote(session: Session, name: str, version: int | None = None) -> Promotion:
    """Return the decision whether a version becomes the champion of its name; it is logged, whatever it is.

    Parameters
    ----------
    name
        Registered name.
    version
        By default the candidate.

    Raises
    ------
    DataError
        There is no such version, it is the champion already, or what it showed can no longer be read.

    See Also
    --------
    quantlib.workflows.promotion_gate.hurdles
    """
    with deciding(session.store, name) as write:
        wanted = version_of(session, name, version)
        champion = next((one for one in versions(session, name) if CHAMPION in one.aliases), None)
        if champion is not None and champion.version == wanted.version:
            raise DataError(f"Version {wanted.version} of {name!r} is the champion already.")
        runs = [session.tracker.read(one.mlflow_run_id) for one in (wanted, champion) if one is not None]
        shown = hurdles(session, runs[0], runs[1] if champion is not None else None)
        outcome: Decision = "promoted" if all(hurdle.passed for hurdle in shown) else "refused"
        decision = _decision(session, wanted, champion, outcome, _why(shown), _scores(shown))
        write(decision)
        if outcome == "promoted":
            _crown(session, wanted)
    return decision


def rollback(session: Session, name: str) -> Promotion:
    """Return the decision that made the former champion of a name the champion again.

    Raises
    ------
    DataError
        Nothing is registered under the name, or there was no champion before this one.
    """
    with deciding(session.store, name) as write:
        known = {one.version: one for one in versions(session, name)}
        if not known:
            version_of(session, name)  # says what there is
        line = _line(read_promotions(session.store, name))
        champion = next((one for one in known.values() if CHAMPION in one.aliases), None)
        if champion is None or len(line) < 2:
            there = "it has no champion" if champion is None else f"version {champion.version} is its first"
            raise DataError(f"There is no former champion of {name!r} to go back to: {there}.")
        if line[-1] != champion.version:
            raise DataError(
                f"The champion of {name!r} is version {champion.version}, but version {line[-1]} was promoted last: "
                "somebody moved it in MLflow, past the gate. Move the alias back there first."
            )
        if line[-2] not in known:
            raise DataError(f"The former champion of {name!r}, version {line[-2]}, was deleted in MLflow.")
        former = known[line[-2]]
        why = f"Taken back: version {champion.version} gives way to version {former.version}, the champion before it."
        decision = _decision(session, former, champion, "rolled back", why, {})
        write(decision)
        _crown(session, former)
    return decision


def _line(decisions: Sequence[Promotion]) -> list[int]:
    """Return the champions that stand behind the present one, which comes last."""
    line: list[int] = []
    for decision in decisions:
        if decision.outcome == "promoted":
            line.append(decision.to_version)
        elif decision.outcome == "rolled back":
            line.pop()
    return line


def _crown(session: Session, version: Version) -> None:
    """Make a version the champion in MLflow, or leave everything as it was."""
    client, name, number = session.tracker.client(), version.name, str(version.version)
    with session.tracker.plainly():
        if CANDIDATE in version.aliases:
            client.delete_registered_model_alias(name, CANDIDATE)
        try:
            client.set_registered_model_alias(name, CHAMPION, number)
        except Exception:
            if CANDIDATE in version.aliases:
                client.set_registered_model_alias(name, CANDIDATE, number)
            raise


def _decision(
    session: Session,
    wanted: Version,
    champion: Version | None,
    outcome: Decision,
    why: str,
    scores: Mapping[str, Mapping[str, Any]],
) -> Promotion:
    return Promotion(
        id=f"promotion-{secrets.token_hex(8)}",
        name=wanted.name,
        kind=wanted.kind,
        outcome=outcome,
        from_version=None if champion is None else champion.version,
        to_version=wanted.version,
        strategy_id=wanted.strategy_id,
        snapshot_id=wanted.snapshot_id,
        mlflow_run_id=wanted.mlflow_run_id,
        why=why,
        scores=dict(scores),
        origin=session.origin,
        who=session.who,
    )


def _why(shown: Sequence[Hurdle]) -> str:
    """Return the reasons, those that speak against it first."""
    ordered = sorted(shown, key=lambda hurdle: hurdle.passed)
    return " ".join(f"{hurdle.title}: {'yes' if hurdle.passed else 'no'}. {hurdle.sentence}" for hurdle in ordered)


def _scores(shown: Sequence[Hurdle]) -> dict[str, dict[str, Any]]:
    known = {hurdle.key: {"passed": hurdle.passed, "value": hurdle.value, "low": hurdle.low} for hurdle in shown}
    return {key: {name: value for name, value in row.items() if math.isfinite(value)} for key, row in known.items()}


def promotions(session: Session, name: str | None = None) -> list[Promotion]:
    """Return the decisions about a name, or about all, the first one first."""
    return read_promotions(session.store, name)


def champions(session: Session) -> dict[str, Champion]:
    """Return the champions by name, as the log of decisions has them; MLflow is not asked."""
    latest = {one.name: one for one in read_promotions(session.store) if one.outcome != "refused"}
    ids = [one.strategy_id for one in latest.values() if one.strategy_id is not None]
    records = {record.id: record for record in read_strategies(session.store)} if ids else {}
    found = {}
    for name, one in latest.items():
        strategy, record = None, records.get(one.strategy_id or "")
        if record is not None and record.family in STRATEGIES:
            with suppress(StrategyError):  # its family no longer accepts it
                strategy = build(record.family, record.params)
        assert one.decided_at is not None  # noqa: S101  set by the server
        found[name] = Champion(
            name, one.to_version, one.kind, one.mlflow_run_id, one.strategy_id, strategy, one.decided_at, one.who
        )
    return found
