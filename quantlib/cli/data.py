"""Commands that bring data in: from vendors, from a folder, from the project's own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantlib.cli.terminal import console, minute, opened, print_frame, print_table, watched
from quantlib.errors import ConfigError

if TYPE_CHECKING:
    from quantlib.universe import Universe
    from quantlib.workflows.ingest import IngestResult
    from quantlib.workflows.vendors import SmokeResult, SourceState


def ingest(
    source: Annotated[
        str | None, typer.Option(help="Whom to ask, sample if none, or all; `sources` lists them.")
    ] = None,
    universe: Annotated[str | None, typer.Option(help="A list of data/universe.yaml, or all.")] = None,
    symbols: Annotated[list[str] | None, typer.Option("--symbol", help="One symbol; repeat for more.")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="bars, macro, earnings, news, ...; repeat for more.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Read the CSV and Parquet files of a folder instead.")] = None,
    start: Annotated[str | None, typer.Option(help="First day to ask for, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day to ask for, YYYY-MM-DD.")] = None,
) -> None:
    """Load data into the store; what is stored already is left alone."""
    from quantlib.workflows.folder import load_folder
    from quantlib.workflows.ingest import ingest as run_ingest

    if folder is not None and any((source, universe, symbols, kinds, start, end)):
        raise ConfigError("--folder reads all files of a folder. Leave the other options out.")
    if source == "all":
        if any((universe, symbols, kinds, start, end)):
            raise ConfigError("--source all asks everybody for everything. Leave the other options out.")
        _ingest_all()
        return
    with opened() as session:
        with watched(f"Loading from {folder or source or 'sample'}") as tell:
            if folder is not None:
                result = load_folder(session, folder, on_progress=tell)
            else:
                result = run_ingest(
                    session.store,
                    source or "sample",
                    _wanted(session.universe, symbols, universe),
                    kinds=kinds,
                    start=start,
                    end=end,
                    universe=session.universe,
                    on_progress=tell,
                )
        _print_ingest(result)
    if not result.ok or result.rejected:
        raise typer.Exit(1)


def _ingest_all() -> None:
    from quantlib.workflows.refresh import refresh

    with opened() as session:
        with watched("Asking every source") as tell:
            done = refresh(
                session, on_progress=lambda name, now, total, label: tell(now, total, f"{name} {label}".strip())
            )
        for result in done.results.values():
            _print_ingest(result)
        for name, why in done.left_out.items():
            console.print(f"Not asked: {name}. {why}", soft_wrap=True, markup=False)
    if not done.ok:
        raise typer.Exit(1)


def _wanted(universe: Universe, symbols: list[str] | None, name: str | None) -> list[str] | None:
    """Return the symbols to ask for; None for all that the source has."""
    if symbols:
        return symbols
    return None if name in {None, "all"} else list(universe.symbols(str(name)))


def _print_ingest(result: IngestResult) -> None:
    from quantlib.workflows.ingest import COLUMNS

    *rows, total = result.rows()
    print_table(f"Ingest from {result.source}", COLUMNS, rows, right=COLUMNS[2:6], last=total)
    for reason, count in result.rejected.items():
        console.print(f"Rejected: {reason} ({count:,})", soft_wrap=True, markup=False)
    console.print(result.headline, soft_wrap=True, markup=False)
    if result.total.new or result.total.changed:
        console.print("`workbench quality check` looks for faults the door cannot see.")


def sources() -> None:
    """List the sources: what they have, whether their key is set, calls left, last success."""
    from quantlib.workflows.vendors import list_sources

    with opened() as session:
        states = list_sources(session)
    columns = ("source", "has", "key", "calls left", "last success (UTC)", "state")
    print_table("Sources", columns, [_source_row(state) for state in states], whole=("source", "state"))
    console.print("Unverified: its parser follows the vendor's documentation and has met no recorded answer.")


def _source_row(state: SourceState) -> tuple[str, ...]:
    name = state.name if state.verified else f"{state.name} (unverified)"
    key = state.key if not state.missing else f"{state.key}: {', '.join(state.missing)}"
    doing = ""
    if state.breaker == "open":
        doing = f"left alone until {minute(state.open_until)}: {state.last_error}"
    elif state.failures:
        doing = f"failed {state.failures} times: {state.last_error}"
    return (name, ", ".join(state.kinds), key, state.quota or "no limit", minute(state.last_success_at), doing)


def smoke(
    names: Annotated[list[str] | None, typer.Argument(help="Sources to try; all if none is named.")] = None,
) -> None:
    """Ask each source with a key one cheap question, live; nothing is stored."""
    from quantlib.workflows.vendors import smoke as run_smoke

    with opened() as session, watched("Asking") as tell:
        results = run_smoke(session, names or None, tell)
    columns = ("source", "result", "rows", "seconds", "why")
    print_table("Smoke test", columns, [_smoke_row(one) for one in results], right=("rows", "seconds"))
    if any(one.status == "failed" for one in results):
        raise typer.Exit(1)


def _smoke_row(one: SmokeResult) -> tuple[str, ...]:
    result = f"{one.status}: {one.kind}" if one.kind else one.status
    asked = one.status != "skipped"
    return (one.name, result, f"{one.rows:,}" if asked else "", f"{one.seconds:.1f}" if asked else "", one.why)


def events(
    kinds: Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; repeat for more.")] = None,
    affected: Annotated[list[str] | None, typer.Option(help="Only what moved this; repeat for more.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day, YYYY-MM-DD.")] = None,
) -> None:
    """Load the world events of data/events and list them."""
    from quantlib.workflows.events import list_events, load_events

    with opened() as session:
        count = load_events(session)
        found = list_events(session, kinds=tuple(kinds or ()), affected=tuple(affected or ()), start=start, end=end)
    found["utc"] = found["happened_at"].dt.strftime("%Y-%m-%d %H:%M")
    columns = {"day": "day", "utc": "UTC", "kind": "kind", "title": "what happened", "affected": "affected"}
    print_frame("World events", found, columns)
    console.print(
        f"{len(found)} events; loaded: {count.new} new, {count.changed} changed, {count.unchanged} unchanged."
    )
