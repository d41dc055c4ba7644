"""The database: panels, loads and growth against the bare driver, and the span of TimescaleDB's chunks.

On an embedded server of its own, and on the server TEST_DATABASE_URL or DATABASE_URL names, in a database made for
the race and dropped afterwards.
"""

from __future__ import annotations

import gc
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import sqlalchemy as sa

from benchmarks.race import Race, best_times, must_agree
from quantlib.store import Store, check_bars, embedded, read_panel, write_bars
from quantlib.types import BAR_COLUMNS

SYMBOLS, DAYS = 100, 5_000
ROWS = SYMBOLS * DAYS
NAMES = [f"S{i:03}" for i in range(SYMBOLS)]
SPANS = ("90 days", "365 days", "730 days", "1825 days", "3650 days")
"""Of chunks, to choose from."""
PLAIN = "plain table"
DELIVERIES = 10
"""Of half a million bars each, to grow by."""
BARE = """
CREATE TABLE IF NOT EXISTS public.bare (
    symbol text, ts date, open float8, high float8, low float8, close float8, volume float8, adj_close float8,
    source text, PRIMARY KEY (symbol, source, ts))
"""
UNHYPER = """
CREATE TABLE market_data.plain (LIKE market_data.bars INCLUDING ALL);
DROP TABLE market_data.bars CASCADE;
ALTER TABLE market_data.plain RENAME TO bars
"""
Step = tuple[Callable[[], object], Callable[[], object]]
"""What is done first, off the clock, and what is timed."""


def bars() -> pd.DataFrame:
    """Return daily bars of made-up prices: random walks with an open, a high, a low and a volume."""
    rng = np.random.default_rng(7)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (DAYS, SYMBOLS)), axis=0))
    dates = pd.bdate_range("2000-01-03", periods=DAYS)
    frame = pd.DataFrame(
        {
            "symbol": np.repeat(NAMES, DAYS),
            "ts": np.tile(dates, SYMBOLS),
            "open": (close * 0.999).T.ravel(),
            "high": (close * 1.01).T.ravel(),
            "low": (close * 0.99).T.ravel(),
            "close": close.T.ravel(),
            "volume": 1e6,
            "adj_close": close.T.ravel(),
            "source": "made-up",
        }
    )
    return check_bars(frame)[0]


@contextmanager
def servers() -> Iterator[dict[str, Store]]:
    """Give a store on each server by its title, with no bars in it."""
    url = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    name = f"workbench_bench_{secrets.token_hex(4)}"
    found: dict[str, Store] = {}
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        home = Path(folder).resolve()
        try:
            found["the embedded server"] = Store.connect(None, home)
            if url:
                ask(url, f"CREATE DATABASE {name} TEMPLATE template0")
                store = Store.connect(urlunsplit(urlsplit(url)._replace(path=f"/{name}")), home)
                found["TimescaleDB" if store.info()["hypertables"] else "a server by address"] = store
            yield found
        finally:
            for store in found.values():
                store.close()
            embedded.stop(home)
            if url:
                ask(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def ask(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def run(store: Store, *statements: str) -> None:
    with store.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def empty(store: Store) -> None:
    run(store, "TRUNCATE market_data.bars, market_data.bar_revisions, market_data.bar_series")


def load(store: Store, frame: pd.DataFrame) -> None:
    """Do what an ingest does with delivered bars."""
    write_bars(store, check_bars(frame)[0])


def clocked(work: Callable[[], object]) -> float:
    gc.collect()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def best_steps(steps: Mapping[str, Step], rounds: int = 4) -> dict[str, float]:
    """Return each step's best time in seconds; all run in turn, the first round only warms up."""
    best = dict.fromkeys(steps, float("inf"))
    for turn in range(rounds + 1):
        for name, (prepare, work) in steps.items():
            prepare()
            seconds = clocked(work)
            if turn:
                best[name] = min(best[name], seconds)
    return best


def panel_race(title: str, store: Store) -> Race:
    """Return the race for a panel in arrays, over stored bars."""

    def fetch(columns: str) -> pa.Table:
        with store.bulk() as cursor:
            cursor.execute(f"SELECT symbol, ts, {columns} FROM market_data.bars")
            return cursor.fetch_arrow_table()

    def by_pandas() -> pd.DataFrame:
        long = pd.read_sql("SELECT symbol, ts, close FROM market_data.bars", store.engine)
        return long.pivot(index="ts", columns="symbol", values="close")  # noqa: PD010  the faster way

    must_agree("sum of closes", read_panel(store, NAMES).close.sum(), by_pandas().to_numpy().sum(), 1e-12)
    seconds = best_times(
        {
            "read_panel of closes": lambda: read_panel(store, NAMES, fields=("close",)),
            "bare ADBC fetch of symbol, date, close and adjusted close": lambda: fetch("close, adj_close"),
            "read_panel of all fields": lambda: read_panel(store, NAMES),
            "bare ADBC fetch of all fields": lambda: fetch("open, high, low, close, volume, adj_close"),
            "pandas.read_sql and pivot, closes only": by_pandas,
        },
        rounds=6,
    )
    return Race(
        f"Panel from {title}: {SYMBOLS} symbols x {DAYS:,} days",
        seconds,
        ROWS / 1e6,
        "million bars",
        "Ours ends with [time, symbol] arrays, adjusted, each symbol's source chosen and doubts attached; the bare "
        "fetch with Arrow columns as they come.",
    )


def load_race(title: str, store: Store, frame: pd.DataFrame) -> Race:
    """Return the race for storing half a million bars, first and again."""
    types = {"ts": pa.date32(), "symbol": pa.string(), "source": pa.string()}
    schema = pa.schema([(name, types.get(name, pa.float64())) for name in BAR_COLUMNS])
    table = pa.Table.from_pandas(frame, preserve_index=False).cast(schema)

    def append() -> None:
        with store.bulk() as cursor:
            cursor.adbc_ingest("bare", table, mode="append", db_schema_name="public")

    run(store, BARE)
    seconds = best_steps(
        {
            "check_bars and write_bars, first time": (lambda: empty(store), lambda: load(store, frame)),
            "the same again, nothing to write": (lambda: None, lambda: load(store, frame)),
            "bare ADBC append": (lambda: run(store, "TRUNCATE public.bare"), append),
        }
    )
    run(store, "DROP TABLE public.bare")
    return Race(
        f"Storing {ROWS:,} bars on {title}",
        seconds,
        ROWS / 1e6,
        "million bars",
        "The bare append copies an Arrow table of the same columns into a table with the same primary key, which is "
        "not a hypertable and checks nothing.",
    )


def growth_races(title: str, store: Store, frame: pd.DataFrame) -> list[Race]:
    """Return the first load beside the last, and one symbol among few and among many."""
    empty(store)
    loads, reads = [], []
    for i in range(DELIVERIES):
        other = frame.assign(symbol=f"D{i}" + frame["symbol"])
        loads.append(clocked(lambda other=other: load(store, other)))
        if i in {0, DELIVERIES - 1}:
            run(store, "ANALYZE market_data.bars")
            reads.append(min(clocked(lambda: read_panel(store, "D0S042")) for _ in range(20)))
    few, many = f"{ROWS / 1e6:g} million", f"{DELIVERIES * ROWS / 1e6:g} million"
    middle = f"each of the next {DELIVERIES - 1} on average"
    return [
        Race(
            f"Growth to {many} bars on {title}: storing {ROWS:,} bars of new symbols at a time",
            {"the first": loads[0], middle: sum(loads[1:]) / (DELIVERIES - 1), "the last": loads[-1]},
            ROWS / 1e6,
            "million bars",
            "Each delivery is stored once, so these are single runs.",
        ),
        Race(
            f"One symbol of {DAYS:,} days from {title}",
            {f"of {few} bars": reads[0], f"of {many} bars": reads[1]},
            DAYS / 1e6,
            "million bars",
            "The same symbol, read as a panel.",
        ),
    ]


def chunk_races(store: Store, frame: pd.DataFrame, deliveries: int = 1, rounds: int = 3) -> list[Race]:
    """Return the races between spans of a hypertable's chunks; the store's bars end as a plain table."""
    works = {
        "first load": lambda: [load(store, part) for part in parts],
        "load again, nothing to write": lambda: [load(store, part) for part in parts],
        "panel of 100 symbols": lambda: read_panel(store, list(parts[0]["symbol"].unique())),
        "one symbol": lambda: read_panel(store, parts[0]["symbol"].iloc[0]),
        "the newest day of all": lambda: load(store, newest),
    }
    parts = [frame.assign(symbol=f"D{i}" + frame["symbol"]) for i in range(deliveries)]
    newest = pd.concat([part[part["ts"] == part["ts"].max()] for part in parts])
    newest = newest.assign(ts=newest["ts"] + pd.Timedelta(days=1))
    best = {work: dict.fromkeys((*SPANS, PLAIN), float("inf")) for work in works}

    def measure(span: str) -> None:
        empty(store)
        for name, work in works.items():
            repeat = 5 if name in {"one symbol", "panel of 100 symbols"} else 1
            best[name][span] = min([best[name][span], *(clocked(work) for _ in range(repeat))])

    for _ in range(rounds):
        for span in SPANS:
            run(store, f"SELECT set_chunk_time_interval('market_data.bars', INTERVAL '{span}')")
            measure(span)
    run(store, UNHYPER)
    for _ in range(rounds):
        measure(PLAIN)
    rows = {"one symbol": DAYS, "panel of 100 symbols": ROWS, "the newest day of all": len(newest)}
    return [
        Race(
            f"Span of TimescaleDB's chunks, {deliveries * ROWS / 1e6:g} million bars of {DAYS:,} days: {work}",
            seconds,
            rows.get(work, deliveries * ROWS) / 1e6,
            "million bars",
            "New databases get chunks of 730 days.",
        )
        for work, seconds in best.items()
    ]


def races() -> list[Race]:
    """Return the races on each server."""
    frame = bars()
    found = []
    with servers() as stores:
        for title, store in stores.items():
            found.append(load_race(title, store, frame))
            empty(store)
            load(store, frame)
            found += [panel_race(title, store), *growth_races(title, store, frame)]
        for store in stores.values():
            if store.info()["hypertables"]:
                found += chunk_races(store, frame)
    return found
