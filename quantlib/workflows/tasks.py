"""Tasks: what a job can do, with which arguments, and what follows it: data, quality, derived, pipeline, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantlib.costs import Costs
from quantlib.errors import DataError, nearest
from quantlib.settings import utc_now
from quantlib.store.job_worker import TryAgainError
from quantlib.store.jobs import NewJob, last_done
from quantlib.store.marks import data_mark
from quantlib.workflows.provenance import code_version
from quantlib.workflows.session import Session

Progress = Callable[[int, int, str], None]


class Args(BaseModel):
    """Arguments of every task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    follow: bool = Field(default=True, description="Whether the steps that come after it follow by themselves.")


class IngestArgs(Args):
    """Arguments of an ingest."""

    source: str = Field(description="Vendor to ask, a key of SOURCES.")
    kinds: tuple[str, ...] | None = Field(default=None, description="What to ask for; prices and macro values if None.")
    symbols: tuple[str, ...] | None = Field(default=None, description="Symbols or series; all it has if None.")
    universe: str | None = Field(default=None, description="A list of the universe instead of symbols.")


class StepArgs(Args):
    """Arguments of the steps after an ingest."""

    force: bool = Field(default=False, description="Whether to work even where nothing has changed.")


class SweepArgs(Args):
    """Arguments of a sweep, as `quantlib.workflows.sweeping.sweep_args` makes them."""

    family: str = Field(description="Key of STRATEGIES.")
    params: dict[str, Any] = Field(description="The definition that the grid varies.")
    grid: list[tuple[str, list[Any]]] = Field(description="Parameters with their values.")
    name: str | None = Field(default=None, description="What people call it; the family's title if None.")
    start: date | None = Field(default=None, description="First session; the first there is if None.")
    costs: Costs | None = Field(default=None, description="Costs of trading; the defaults if None.")
    sample: int | None = Field(default=None, ge=1, description="How many sets to draw; all if None.")
    idea: str | None = Field(default=None, description="What its trials are of; the strategy's family if None.")
    open_holdout: bool = Field(default=False, description="Whether to use the hold-out too; that is counted.")


class ValidateArgs(Args):
    """Arguments of a validation, as `quantlib.workflows.validating.validation_args` makes them."""

    family: str = Field(description="Key of STRATEGIES.")
    params: dict[str, Any] = Field(description="The definition.")
    name: str | None = Field(default=None, description="What people call it; the family's title if None.")
    start: date | None = Field(default=None, description="First session; the first there is if None.")
    costs: Costs | None = Field(default=None, description="Costs of trading; the defaults if None.")
    cash: float = Field(default=1_000_000.0, gt=0.0, description="What the account begins with.")
    lag: int = Field(default=1, ge=1, le=20, description="Sessions from a decision to its fill.")
    idea: str | None = Field(default=None, description="What its trials are of; the strategy's family if None.")
    open_holdout: bool = Field(default=False, description="Whether to use the hold-out too; that is counted.")


class TrainArgs(Args):
    """Arguments of training a model, checked by `quantlib.workflows.learn.start_training`."""

    name: str = Field(description="What it is registered under.")
    symbols: tuple[str, ...] = Field(min_length=1, description="What to learn from.")
    model: str = Field(default="logistic", description="Key of MODELS.")
    target: str = Field(default="direction", description="Key of TARGETS.")
    features: tuple[str, ...] = Field(default=("own", "calendar"), description="Keys of FEATURES.")
    scheme: str = Field(default="walk_forward", description="Key of SCHEMES.")
    horizon: int = Field(default=5, ge=1, description="Sessions a label looks ahead.")
    every: int | None = Field(default=None, ge=1, description="Train on every so many-th session.")
    tune: int = Field(default=0, ge=0, description="Sets of parameters to try before.")
    worlds: str | None = Field(default=None, description="Key of SIMULATORS, to learn from its worlds too.")
    calibrate: Literal["isotonic", "sigmoid"] | None = Field(default=None, description="Put probabilities right.")
    macro: tuple[str, ...] = Field(default=(), description="Macro series to learn from too.")
    side: str | None = Field(default=None, description="The strategy whose trades a meta-label judges.")
    idea: str | None = Field(default=None, description="What it is a trial of; the target if None.")
    open_holdout: bool = Field(default=False, description="Whether to use the hold-out too; that is counted.")


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Parameters
    ----------
    said
        In a sentence.
    skipped
        Whether there was nothing to do; the sentence says why.
    go_on
        Whether the next step has a reason to follow.
    mark
        State of the data it has seen, for the next one to compare with.
    """

    said: str
    skipped: bool = False
    go_on: bool = True
    mark: str = ""


class PartlyError(TryAgainError):
    """Raised by a job that did a part of its work; the rest may succeed later.

    Parameters
    ----------
    seconds
        When to try again.
    outcome
        What came of the job where that was its last attempt.
    """

    def __init__(self, seconds: int, outcome: Outcome) -> None:
        super().__init__(seconds, outcome.said)
        self.outcome = outcome


@dataclass(frozen=True)
class Task:
    """One thing a job can do.

    Parameters
    ----------
    title
        For people.
    args
        Model of its arguments.
    work
        Does it, telling how far it is; that call raises where the job is to stop.
    lock
        Given the arguments, what no two jobs may do at once.
    then
        The task that follows.
    """

    title: str
    args: type[Args]
    work: Callable[[Session, Any, Progress], Outcome]
    lock: Callable[[Any], str]
    then: str | None = None


def plan(task: str, args: Mapping[str, Any] | None = None, *, reason: str) -> NewJob:
    """Return the job for a task, its arguments checked and written out.

    Raises
    ------
    DataError
        There is no such task, or an argument is missing, unknown or of the wrong kind.
    """
    if task not in TASKS:
        raise DataError(f"There is no task {task!r}. {nearest(task, TASKS)}")
    model = TASKS[task].args
    try:
        checked = model.model_validate(dict(args or {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "arguments"
        known = nearest(name, model.model_fields) if first["type"] == "extra_forbidden" else ""
        raise DataError(f"Task {task}, {name}: {first['msg']}. {known}".strip()) from None
    if isinstance(checked, IngestArgs):
        _check_source(checked)
    written = checked.model_dump(mode="json", exclude_defaults=True)
    return NewJob(task, written, TASKS[task].lock(checked), reason)


def following(task: str, args: Args, reason: str) -> NewJob | None:
    """Return the job of the step after a task; None after the last, or where none was wanted."""
    then = TASKS[task].then
    return plan(then, reason=reason) if then and args.follow else None


def _check_source(args: IngestArgs) -> None:
    from quantlib.sources import SOURCES  # noqa: PLC0415 - vendors' libraries take seconds to load

    if args.source not in SOURCES:
        raise DataError(f"There is no source {args.source!r}. {nearest(args.source, SOURCES)}")
    source = SOURCES[args.source]
    if wrong := [kind for kind in args.kinds or () if kind not in source.kinds]:
        raise DataError(f"{source.title} has no {wrong[0]!r}. {nearest(wrong[0], source.kinds)}")


def _ingest(session: Session, args: IngestArgs, progress: Progress) -> Outcome:
    from quantlib.sources.base import NoKeyError  # noqa: PLC0415 - as above
    from quantlib.workflows.ingest import ingest  # noqa: PLC0415 - as above

    symbols = list(args.symbols) if args.symbols else None
    if symbols is None and args.universe:
        symbols = list(session.universe.symbols(args.universe))
    try:
        result = ingest(
            session.store,
            args.source,
            symbols,
            kinds=args.kinds,
            universe=session.universe,
            on_progress=progress,
        )
    except NoKeyError as error:
        return Outcome(f"Skipped: {args.source} was not asked. {error}", skipped=True, go_on=False)
    left = sum(one.status in {"unanswered", "skipped"} for one in result.symbols)
    said = result.headline
    if left:
        said += f" Left unanswered: {left} of {len(result.symbols)}."
    # Symbols are also skipped where the vendor refuses the key, and asking again is no use then.
    again = any(one.status == "unanswered" for one in result.symbols)
    if result.status != "failed":
        if again:
            raise PartlyError(AGAIN_SECONDS, Outcome(said))
        return Outcome(said)
    if again:
        raise TryAgainError(AGAIN_SECONDS, said)
    raise DataError(said)


def _quality(session: Session, args: StepArgs, progress: Progress) -> Outcome:
    from quantlib.workflows.quality import check_quality  # noqa: PLC0415 - as above

    # What is late shows only as time passes, so a day is looked at once even where nothing has changed.
    mark, why = _changed(session, "quality", args, f"{utc_now():%Y-%m-%d}")
    if why:
        return Outcome(why, skipped=True)
    result = check_quality(session, on_progress=progress)
    return Outcome(result.headline, mark=mark)


def _derive(session: Session, args: StepArgs, progress: Progress) -> Outcome:
    from quantlib.workflows.derive import derive  # noqa: PLC0415 - as above

    mark, why = _changed(session, "derive", args)
    if why:
        return Outcome(why, skipped=True)
    result = derive(session, on_progress=progress)
    return Outcome(result.headline, mark=mark)


def _pipeline(session: Session, args: StepArgs, progress: Progress) -> Outcome:
    from quantlib.workflows.pipeline import run_pipeline  # noqa: PLC0415 - as above

    result = run_pipeline(
        session, force=args.force, on_progress=lambda stage, done, total: progress(done, total, stage)
    )
    left_out = f" Left out: {' '.join(result.skipped)}" if result.skipped else ""
    if result.reused:
        said = f"Skipped: nothing changed since the last pipeline; its report of {result.as_of:%Y-%m-%d} stands."
        return Outcome(said + left_out, skipped=True)
    return Outcome(f"{len(result.recommendations)} recommendations as of {result.as_of:%Y-%m-%d}.{left_out}")


def _report(session: Session, args: StepArgs, progress: Progress) -> Outcome:
    from quantlib.store import read_reports  # noqa: PLC0415 - as above
    from quantlib.workflows.reporting import export_report  # noqa: PLC0415 - as above

    stored = read_reports(session.store)
    mark = "" if stored.empty else str(stored["id"].iloc[0])
    last = last_done(session.store, "report")
    if mark and last and last.mark == mark and not args.force:
        return Outcome(f"Skipped: job {last.id} has written the newest report, {mark}, already.", skipped=True)
    progress(0, 1, "Write the report")
    path = export_report(session)
    progress(1, 1, "Write the report")
    return Outcome(f"Wrote {path.name}.", mark=mark)


def _sweep(session: Session, args: SweepArgs, progress: Progress) -> Outcome:
    from quantlib.strategies import build  # noqa: PLC0415 - as above
    from quantlib.workflows.sweeping import sweep_strategy  # noqa: PLC0415 - as above

    done = sweep_strategy(
        session.asked(idea=args.idea),
        build(args.family, args.params),
        dict(args.grid),
        name=args.name,
        start=args.start,
        costs=args.costs,
        sample=args.sample,
        open_holdout=args.open_holdout,
        engine=session.settings.engine,
        on_progress=lambda sets, of: progress(sets, of, "Run every set"),
    )
    tried, refused = done.result.n_tried, len(done.result.invalid)
    left = f"; {refused} refused" if refused else ""
    return Outcome(f"{tried:,} sets of {done.name} tried{left}. Kept as {done.id}.")


def _validate(session: Session, args: ValidateArgs, progress: Progress) -> Outcome:
    from quantlib.strategies import build  # noqa: PLC0415 - as above
    from quantlib.workflows.validating import validate_strategy  # noqa: PLC0415 - as above

    done = validate_strategy(
        session.asked(idea=args.idea),
        build(args.family, args.params),
        name=args.name,
        start=args.start,
        costs=args.costs,
        cash=args.cash,
        lag=args.lag,
        open_holdout=args.open_holdout,
        on_progress=lambda percent, of: progress(percent, of, "Ask every question"),
    )
    return Outcome(f"{done.card.name}: {done.card.edge}. {done.card.sentence} Kept as {done.id}.")


def _train(session: Session, args: TrainArgs, progress: Progress) -> Outcome:
    from quantlib.workflows.learn import train_model  # noqa: PLC0415 - as above

    settings = args.model_dump(exclude={"follow", "idea", "symbols"})
    made = train_model(session.asked(idea=args.idea), args.symbols, **settings, on_progress=progress)
    return Outcome(f"Version {made.version.version} of {made.version.name}, the candidate. {made.verdict}")


def _changed(session: Session, task: str, args: StepArgs, besides: str = "") -> tuple[str, str]:
    """Return the mark of data, code and what counts besides, and why there is nothing to do; empty where there is."""
    written = data_mark(session.store)
    if not written:
        return "", "Skipped: no prices are stored yet."
    mark = f"{written} {code_version()} {besides}".strip()
    last = last_done(session.store, task)
    if last and last.mark == mark and not args.force:
        return mark, f"Skipped: no price, action or observation has changed since job {last.id} did this."
    return mark, ""


#: A vendor that leaves something unanswered is asked again after this long.
AGAIN_SECONDS = 900

TASKS: dict[str, Task] = {
    "ingest": Task(
        "Load data from a vendor", IngestArgs, _ingest, lambda args: f"ingest:{args.source}", then="quality"
    ),
    "quality": Task("Check what is stored", StepArgs, _quality, lambda _: "quality", then="derive"),
    "derive": Task("Compute derived series", StepArgs, _derive, lambda _: "derive", then="pipeline"),
    "pipeline": Task("Run and validate strategies", StepArgs, _pipeline, lambda _: "pipeline", then="report"),
    "report": Task("Write the report", StepArgs, _report, lambda _: "report"),
    "sweep": Task("Sweep parameters", SweepArgs, _sweep, lambda _: "sweep"),
    "train": Task("Train a model", TrainArgs, _train, lambda _: "train"),
    "validate": Task("Validate a strategy", ValidateArgs, _validate, lambda _: "validate"),
}
