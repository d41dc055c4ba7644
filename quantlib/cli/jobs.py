"""Commands on jobs: `workbench jobs` and `workbench worker`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from quantlib.cli.terminal import console, opened, progress_bar
from quantlib.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from quantlib.workflows.session import Session

commands = typer.Typer(
    help="Jobs: what waits, runs and ran; start, cancel, retry and schedule them.", no_args_is_help=True
)
schedules = typer.Typer(help="What runs by itself, and when.", invoke_without_command=True)
commands.add_typer(schedules, name="schedule")

TaskName = Annotated[str, typer.Argument(help="ingest, quality, derive, pipeline or report.")]
Number = Annotated[int, typer.Argument(help="Number of the job, as listed.")]
Name = Annotated[str, typer.Argument(help="Name of the schedule.")]
Source = Annotated[str | None, typer.Option(help="For an ingest: vendor to ask.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="For an ingest: what to ask for; repeat for more.")]
Symbols = Annotated[list[str] | None, typer.Option("--symbol", help="For an ingest: one symbol; repeat for more.")]
UniverseList = Annotated[str | None, typer.Option("--universe", help="For an ingest: a list of the universe.")]
Force = Annotated[bool, typer.Option("--force", help="For other tasks: work even if nothing has changed.")]
Alone = Annotated[bool, typer.Option("--alone", help="Do not let the steps that come after it follow.")]

POLL_SECONDS = 0.5
COLOURS = {"failed": "red", "running": "cyan", "stopping": "yellow", "done": "green"}


@commands.command("list")
def list_jobs(
    task: Annotated[str | None, typer.Option(help="Only jobs of this task.")] = None,
    now: Annotated[bool, typer.Option("--open", help="Only jobs that wait or run.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 20,
) -> None:
    """List jobs, the newest first: state, progress, when, why and what came of it."""
    from quantlib.workflows.jobs import job_history, workers_alive

    with opened() as session:
        jobs = job_history(session, task=task, open_only=now, limit=limit)
        alive = workers_alive(session)
    table = Table()
    for column in ("job", "task", "state", "progress", "started (UTC)", "took", "why", "what came of it"):
        table.add_column(column, justify="right" if column in {"job", "took"} else "left", overflow="fold")
    for _, row in jobs.iterrows():
        colour = COLOURS.get(row["status"], "default")
        state = f"[{colour}]{row['status']}[/]" + (f" ({row['attempts']}.)" if row["attempts"] > 1 else "")
        steps = f"{row['done']}/{row['total']}" if row["total"] else ""
        said = row["said"] or (row["label"] if row["status"] in {"running", "stopping"} else "")
        cells = (steps, _moment(row["started_at"]), _took(row), row["reason"], said)
        table.add_row(str(row["id"]), _what(row), state, *map(escape, cells))
    console.print(table if len(jobs) else "There are no such jobs.")
    console.print(f"{alive} {'worker' if alive == 1 else 'workers'} running." if alive else _no_worker())


@commands.command("show")
def show(number: Number) -> None:
    """Show all that is known of one job; of a failed one also where in the code it failed."""
    from quantlib.workflows.jobs import job

    with opened() as session:
        known = job(session, number)
    for key, value in known.items():
        if key != "mark" and str(value) not in {"", "NaT"}:
            console.print(f"{key}: {value}", soft_wrap=True, highlight=False, markup=False)


@commands.command("run")
def run(
    task: TaskName,
    source: Source = None,
    kinds: Kinds = None,
    symbols: Symbols = None,
    universe: UniverseList = None,
    force: Force = False,
    alone: Alone = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for it to end; the exit code then tells.")] = False,
) -> None:
    """Put a job into the queue for the next free worker."""
    from quantlib.workflows.jobs import start_job, workers_alive

    with opened() as session:
        queued = start_job(session, task, _args(source, kinds, symbols, universe, force=force, alone=alone))
        waits = "waits for a worker" if queued.new else "was waiting already for the same"
        console.print(f"Job {queued.id} {waits}.")
        if not workers_alive(session):
            console.print(_no_worker())
        if wait:
            raise typer.Exit(0 if _watch(session, queued.id) else 1)


@commands.command("cancel")
def cancel(number: Number) -> None:
    """Cancel a job: one that runs stops at its next step, and what it has stored stays."""
    from quantlib.workflows.jobs import cancel_job

    with opened() as session:
        console.print(cancel_job(session, number))


@commands.command("retry")
def retry(number: Number) -> None:
    """Put a job that has ended into the queue once more."""
    from quantlib.workflows.jobs import repeat_job

    with opened() as session:
        console.print(f"Job {repeat_job(session, number).id} does again what job {number} did.")


@schedules.callback()
def list_schedules(
    context: typer.Context,
    defaults: Annotated[bool, typer.Option("--defaults", help="Write the default schedules that are missing.")] = False,
) -> None:
    """List what runs by itself; on, off, set and remove change it."""
    from quantlib.workflows import schedule

    if context.invoked_subcommand:
        return
    with opened() as session:
        if defaults:
            console.print(f"{schedule.write_defaults(session)} schedules written.")
        planned = schedule.list_schedules(session)
    table = Table()
    for column in ("name", "when", "next (UTC)", "last (UTC)", "what for"):
        table.add_column(column, no_wrap=column in {"name", "next (UTC)", "last (UTC)"}, overflow="fold")
    for one in planned:
        record = one.record
        due = escape(one.problem) or _moment(one.next_at) or "off"
        what = escape(record.note) or _what({"task": record.task, "args": dict(record.args)})
        table.add_row(record.name, record.trigger, due, _moment(one.last_at), what)
    console.print(table if planned else "There are none. `workbench jobs schedule --defaults` writes the usual ones.")
    if any(not one.record.enabled for one in planned):
        console.print("Turn one on with `workbench jobs schedule on NAME`.")


@schedules.command("on")
def turn_on(name: Name) -> None:
    """Turn a schedule on; what was due before is not caught up."""
    _switch(name, on=True)


@schedules.command("off")
def turn_off(name: Name) -> None:
    """Turn a schedule off."""
    _switch(name, on=False)


@schedules.command("set")
def set_schedule(
    name: Name,
    task: TaskName,
    trigger: Annotated[str, typer.Argument(help="When, such as 'XNYS close + 30 min' or 'every day 06:00 UTC'.")],
    source: Source = None,
    kinds: Kinds = None,
    symbols: Symbols = None,
    universe: UniverseList = None,
    force: Force = False,
    alone: Alone = False,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Write a schedule, or change the one of that name; it is on from now."""
    from quantlib.workflows import schedule

    with opened() as session:
        args = _args(source, kinds, symbols, universe, force=force, alone=alone)
        planned = schedule.set_schedule(session, name, task, trigger, args, note=note)
    console.print(f"{planned.record.name}: {planned.record.trigger}, next {_moment(planned.next_at)} UTC.")


@schedules.command("remove")
def remove(name: Name) -> None:
    """Remove a schedule; jobs it has started stay."""
    from quantlib.workflows import schedule

    with opened() as session:
        schedule.remove_schedule(session.store, name)
    console.print(f"{name} is removed.")


def worker(
    concurrency: Annotated[int, typer.Option(help="How many jobs at once.", min=1, max=16)] = 1,
    check: Annotated[bool, typer.Option("--check", help="Only say whether a worker is running.")] = False,
) -> None:
    """Do jobs and start what is scheduled, until Ctrl-C."""
    from quantlib.workflows.jobs import workers_alive
    from quantlib.workflows.worker import run_worker

    with opened() as session:
        if check:
            if not workers_alive(session):
                raise ConfigError(_no_worker())
            console.print("A worker is running.")
            return
        console.print("Waiting for jobs. Ctrl-C ends it; a running job then goes on next time.")
        run_worker(session, concurrency=concurrency, say=lambda line: console.print(escape(line), soft_wrap=True))


def _switch(name: str, *, on: bool) -> None:
    from quantlib.workflows import schedule

    with opened() as session:
        schedule.switch(session, name, on=on)
        due = next(one.next_at for one in schedule.list_schedules(session) if one.record.name == name)
    console.print(f"{name} is on, next {_moment(due)} UTC." if on else f"{name} is off.")


def _args(
    source: str | None,
    kinds: list[str] | None,
    symbols: list[str] | None,
    universe: str | None,
    *,
    force: bool,
    alone: bool,
) -> dict[str, Any]:
    given = {"source": source, "kinds": kinds, "symbols": symbols, "universe": universe, "force": force or None}
    return {name: value for name, value in given.items() if value} | ({"follow": False} if alone else {})


def _watch(session: Session, number: int) -> bool:
    """Return whether a job ended well, having shown its progress until then."""
    from quantlib.workflows.jobs import OPEN, job

    with progress_bar(transient=True) as progress:
        bar = progress.add_task(f"Job {number}", total=None)
        while (known := job(session, number))["status"] in OPEN:
            words = f"Job {number} {known['status']} {known['label']}"
            progress.update(bar, completed=known["done"], total=known["total"] or None, description=words)
            time.sleep(POLL_SECONDS)
    console.print(f"Job {number} {known['status']}: {known['said']}", soft_wrap=True, markup=False)
    return known["status"] in {"done", "skipped"}


def _what(row: pd.Series[Any] | dict[str, Any]) -> str:
    args = row["args"]
    words = [args.get("source", ""), *args.get("kinds", ()), *args.get("symbols", ())[:3], args.get("universe", "")]
    return escape(" ".join([row["task"], *filter(None, words)]) + (" …" if len(args.get("symbols", ())) > 3 else ""))


def _moment(moment: Any) -> str:
    return "" if moment is None or str(moment) == "NaT" else f"{moment:%Y-%m-%d %H:%M}"


def _took(row: pd.Series[Any]) -> str:
    if str(row["finished_at"]) == "NaT" or str(row["started_at"]) == "NaT":
        return ""
    seconds = (row["finished_at"] - row["started_at"]).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _no_worker() -> str:
    return "No worker is running. `workbench run` has one; `workbench worker` starts one alone."
