"""Copies, backups and restores: every row, the same checksums, or an error and nothing written."""

from __future__ import annotations

import json
import random
import secrets
import stat
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from database import Database
from psycopg import sql

from quantlib.errors import ConfigError, DataError
from quantlib.store import Store, embedded, transfer, write_bars
from quantlib.store.backup import MANIFEST, backup, read_backup, restore
from quantlib.store.migrations import HEAD
from quantlib.store.transfer import NOT_DATA, SCHEMAS, checksums, copy

Make = Callable[[], Store]

# Text, numbers and bytes that a careless road would bend: separators of COPY, the look of NULL, the last bit.
AWKWARD = "tab\t newline\n return\r backslash \\ \\N quote ' \" comma, brace {} Ünïcode 日本 \\."
ROWS = (
    "INSERT INTO market_data.instruments (symbol, name, kind, tags) VALUES "
    "('KO', :awkward, 'stock', ARRAY['a,b', '{}', '\"', 'NULL', '']), ('X', '\\N', 'etf', '{}')",
    "INSERT INTO market_data.universe_lists VALUES ('core', '2024-01-02', ''), ('core', '2024-02-02', :awkward)",
    "INSERT INTO market_data.universe_members VALUES ('core', '2024-01-02', 'KO', 1)",
    "INSERT INTO macro.observations VALUES ('GDP', 'fred', '2024-01-01', '2024-02-01 08:30:00.123456+00', 'recorded', "
    "0.1::float8 + 0.2::float8, now()), ('GDP', 'fred', '0001-01-01', '2024-02-01', 'estimated', 5e-324, now()), "
    "('GDP', 'fred', '9999-12-31', 'infinity', 'estimated', -1.7976931348623157e308, now())",
    "INSERT INTO strategies.definitions (id, family, params) VALUES ('s1', 'ma', '{\"a\": [1, null, \"\\t\"]}')",
    "INSERT INTO strategies.runs (id, kind, strategy_id, as_of, snapshot_id, code_version, seed, params, metrics) "
    "VALUES ('r1', 'backtest', 's1', '2024-01-02', '', '', 9223372036854775807, '{}', '{\"x\": 0.30000000000000004}')",
    "INSERT INTO reports.recommendations (id, strategy_id, as_of, body, snapshot_id, code_version, run_id) "
    "VALUES ('c1', 's1', '2024-01-02', '{}', '', '', 'r1')",
    "INSERT INTO reports.reports (id, as_of, title, body, html_sha256, snapshot_id, code_version) "
    "VALUES ('p1', '2024-01-02', 'x', :awkward, '', '', '')",
    "INSERT INTO raw.payloads (id, source, kind, name, asked, status, body) "
    "VALUES ('h', 'yahoo', 'bars', 'KO', '{}', 200, decode('00ff0a095c4e', 'hex'))",
    "INSERT INTO ops.quarantine (source, kind, name, row, reason, payload_id) "
    "VALUES ('yahoo', 'bars', 'KO', '{}', :awkward, 'h'), ('yahoo', 'bars', 'KO', '{}', 'no close', NULL)",
    "INSERT INTO ops.ingest_log (source, started_at, finished_at, status, rows_new, rows_changed, rows_unchanged, "
    "rows_rejected) VALUES ('sample', now(), now(), 'ok', 1, 0, 0, 0), ('sample', now(), now(), 'ok', 2, 0, 0, 0)",
    "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 'ingest', '{\"a\": 1}')",
    "UPDATE jobs.procrastinate_jobs SET status = 'doing'",
)


def run(store: Store, statement: str, **values: object) -> list[tuple[Any, ...]]:
    with store.begin() as connection:
        connection.execute(sa.text("SET LOCAL search_path = jobs"))  # the triggers there name tables without schema
        result = connection.execute(sa.text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def content(store: Store) -> dict[str, list[str]]:
    """Return every row of every table of ours, read one by one: what the checksums stand for."""
    found = run(
        store,
        "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
        "AND table_schema !~ '^(pg_|information_schema|public|_?timescaledb)'",
    )
    names = {name for (name,) in found} - set(NOT_DATA)
    return {name: sorted(row for (row,) in run(store, f"SELECT t::text FROM {name} t")) for name in sorted(names)}


@pytest.fixture
def full(store: Store, bars: pd.DataFrame) -> Store:
    """Return a store with rows in most tables, two versions of a bar and a job with its history."""
    run(store, "TRUNCATE jobs.procrastinate_jobs, jobs.procrastinate_workers RESTART IDENTITY CASCADE")
    write_bars(store, bars, at=datetime(2024, 1, 6, tzinfo=UTC))
    write_bars(store, bars.assign(volume=[1.5, None, 3.0, 4.0, 5.0, 6.0]))
    for statement in ROWS:
        run(store, statement, **({"awkward": AWKWARD} if ":awkward" in statement else {}))
    return store


@pytest.fixture
def make(database: Database) -> Iterator[Make]:
    """Return a function that makes another empty database on the test server."""
    made: list[tuple[str, Store]] = []
    server = database.url or embedded.start(database.home)

    def new() -> Store:
        name = f"workbench_test_{secrets.token_hex(4)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        made.append((name, Store.connect(urlunsplit(urlsplit(server)._replace(path=f"/{name}")), database.home)))
        return made[-1][1]

    yield new
    for name, store in made:
        store.close()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def is_empty(store: Store) -> bool:
    return not any(content(store).values())


# --- what is counted -----------------------------------------------------------------------------------------


def test_every_schema_and_table_is_counted_and_a_new_database_holds_nothing(full: Store, make: Make) -> None:
    fresh = make()
    assert set(checksums(fresh)["table"]) == set(content(fresh))
    assert {name.partition(".")[0] for name in content(fresh)} | {"execution"} == set(SCHEMAS)
    assert checksums(fresh)["rows"].sum() == 0
    assert is_empty(fresh)
    counted = checksums(full).set_index("table")["rows"]
    assert counted.to_dict() == {name: len(rows) for name, rows in content(full).items()}
    assert (counted > 0).sum() >= 14


def test_the_checksum_sees_every_change_and_no_order(make: Make) -> None:
    store = make()
    run(
        store, "INSERT INTO macro.series (series, title, unit) VALUES ('A', '', 'x'), ('B', 'NULL', 'y'), ('C', '', '')"
    )
    seen = {checksums(store).set_index("table").loc["macro.series", "checksum"]}
    for change in (
        "UPDATE macro.series SET title = 'NULL' WHERE series = 'A'",
        "UPDATE macro.series SET title = '' WHERE series = 'B'",  # a value goes from one row to another
        "UPDATE macro.series SET title = unit, unit = title WHERE series = 'A'",  # and from one column to another
        "UPDATE macro.series SET updated_at = updated_at + interval '1 microsecond' WHERE series = 'C'",
        "DELETE FROM macro.series WHERE series = 'C'",
        "DELETE FROM macro.series",
    ):
        run(store, change)
        checksum = checksums(store).set_index("table").loc["macro.series", "checksum"]
        assert checksum not in seen, change
        seen.add(checksum)

    when = datetime(2024, 1, 2, tzinfo=UTC)
    totals = []
    for names in (["A", "B", "C"], ["C", "A", "B"]):
        run(store, "TRUNCATE macro.series")
        for name in names:
            run(store, "INSERT INTO macro.series (series, updated_at) VALUES (:name, :when)", name=name, when=when)
        totals.append(checksums(store))
    pd.testing.assert_frame_equal(*totals)


# --- copy ----------------------------------------------------------------------------------------------------


def test_a_copy_holds_every_row_and_goes_on_from_there(full: Store, make: Make) -> None:
    target = make()
    told: list[tuple[int, int, str]] = []
    done = copy(full, target, lambda *what: told.append(what))
    assert done.written
    assert content(target) == content(full)
    pd.testing.assert_frame_equal(checksums(target), checksums(full))
    assert told[-1][0] == told[-1][1] == done.contents.rows == checksums(full)["rows"].sum()
    assert [n for n, *_ in told] == sorted(n for n, *_ in told)
    # Counters go on behind the last number, and the triggers of the job queue work again.
    for store in (full, target):
        [(number,)] = run(
            store,
            "INSERT INTO ops.ingest_log (source, started_at, finished_at, status, rows_new, rows_changed, "
            "rows_unchanged, rows_rejected) VALUES ('x', now(), now(), 'ok', 0, 0, 0, 0) RETURNING id",
        )
        assert number == 3
    before = len(content(target)["jobs.procrastinate_events"])
    run(target, "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name) VALUES ('q', 'next')")
    assert len(content(target)["jobs.procrastinate_events"]) == before + 1


def test_a_second_copy_writes_nothing_and_another_one_is_refused(full: Store, make: Make) -> None:
    target = make()
    assert copy(full, target).written
    assert not copy(full, target).written
    run(full, "UPDATE market_data.bars SET close = close + 0.01 WHERE symbol = 'KO' AND ts = '2024-01-02'")
    before = content(target)
    with pytest.raises(DataError, match=r"not empty: its market_data\.bars has as many, but others"):
        copy(full, target)
    run(full, "DELETE FROM market_data.bars WHERE symbol = 'KO'")
    with pytest.raises(DataError, match=r"market_data\.bars has 6 instead of 3.*empty database"):
        copy(full, target)
    assert content(target) == before


def test_a_copy_holds_one_moment_of_a_source_in_use(full: Store, make: Make, bars: pd.DataFrame) -> None:
    target = make()
    before = content(full)

    def meanwhile(done: int, total: int, table: str) -> None:
        if table == "macro.observations":  # not yet read: what refers to nothing goes by name
            write_bars(full, bars.assign(source="late"))

    copy(full, target, meanwhile)
    assert content(full) != before
    assert content(target) == before


def test_a_copy_cut_short_leaves_nothing(full: Store, make: Make) -> None:
    target = make()

    def stop(done: int, total: int, table: str) -> None:
        if table.startswith("strategies."):
            raise KeyboardInterrupt

    def cut(done: int, total: int, table: str) -> None:
        if table.startswith("strategies."):
            run(
                full,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND query LIKE 'COPY%'",
                name=target.info()["address"].rpartition("/")[2],
            )

    with pytest.raises(KeyboardInterrupt):
        copy(full, target, stop)
    assert is_empty(target)
    with pytest.raises(ConfigError, match=r"Nothing was written|nothing is half-written"):
        copy(full, target, cut)
    assert is_empty(target)
    assert copy(full, target).written


def test_what_would_not_be_a_copy_is_refused(full: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="one and the same"):
        copy(full, full)
    target = make()
    run(target, "ALTER TABLE macro.series DROP COLUMN unit")
    with pytest.raises(ConfigError, match=r"macro\.series is not the same on both sides: .*unit"):
        copy(full, target)
    run(target, "UPDATE ops.schema_version SET version_num = 'r0001'")
    with pytest.raises(ConfigError, match=rf"revision {HEAD} .*the target is at r0001"):
        copy(full, target)
    monkeypatch.setattr(transfer, "LOCK_SECONDS", 0.2)
    busy = make()
    with busy.begin() as connection:
        connection.execute(sa.text("DELETE FROM macro.series"))
        with pytest.raises(ConfigError, match="The target is in use"):
            copy(full, busy)


def test_from_the_embedded_server_to_another_and_back_by_file(home: Path, make: Make, tmp_path: Path) -> None:
    """The road a user takes who moves to TimescaleDB; there it is the real one, elsewhere two plain servers."""
    with Store.connect(None, home) as source, Store.connect(None, home) as again:
        days = pd.bdate_range("1990-01-01", "2024-12-31").as_unit("us")  # many chunks of a hypertable
        one = pd.DataFrame({"symbol": "KO", "ts": days, "close": 1.0, "source": "made-up"})
        one["close"] = [1 + 0.1 * i for i in range(len(days))]
        one = one.assign(open=one["close"], high=one["close"], low=one["close"], volume=1e6 / 3, adj_close=float("nan"))
        write_bars(source, one[["symbol", "ts", "open", "high", "low", "close", "volume", "adj_close", "source"]])
        target = make()
        copy(source, target)
        pd.testing.assert_frame_equal(checksums(target), checksums(again))
        assert content(target)["market_data.bars"] == content(source)["market_data.bars"]
        backup(target, tmp_path / "b.zip")
        back = make()
        restore(back, tmp_path / "b.zip")
        pd.testing.assert_frame_equal(checksums(back), checksums(source))


# --- backup and restore --------------------------------------------------------------------------------------


def test_a_backup_is_one_private_file_and_restores_every_row(full: Store, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "workbench.zip"
    told: list[int] = []
    saved = backup(full, path, lambda done, total, table: told.append(done))
    assert told[-1] == saved.contents.rows
    assert [p.name for p in tmp_path.iterdir()] == ["workbench.zip"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read(MANIFEST))
        assert archive.read("market_data.bars.copy").count(b"\n") == 6
    assert about["revision"] == HEAD
    assert {table["table"]: table["rows"] for table in about["tables"]} == {n: len(r) for n, r in content(full).items()}
    assert abs((read_backup(path).made_at - datetime.now(UTC)).total_seconds()) < 60

    target = make()
    assert restore(target, path).written
    assert content(target) == content(full)
    pd.testing.assert_frame_equal(checksums(target), checksums(full))
    assert not restore(target, path).written
    run(target, "DELETE FROM ops.ingest_log WHERE id = 1")
    with pytest.raises(DataError, match=r"not empty: its ops\.ingest_log has 1 instead of 2"):
        restore(target, path)


def test_a_backup_replaces_no_file_and_leaves_none_behind_when_it_fails(full: Store, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(b"precious")
    with pytest.raises(DataError, match="exists already"):
        backup(full, path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        backup(full, tmp_path / "nowhere" / "b.zip")

    def fail(done: int, total: int, table: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        backup(full, tmp_path / "c.zip", fail)
    assert [p.name for p in tmp_path.iterdir()] == ["b.zip"]


def test_a_damaged_or_foreign_file_is_refused_and_nothing_is_written(full: Store, make: Make, tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.zip", tmp_path / "damaged.zip"
    backup(full, whole)
    data, sound, target = whole.read_bytes(), unpacked(whole), make()
    rng = random.Random(3)
    lengths = (0, 1, 100, len(data) // 2, len(data) - 1, *rng.sample(range(len(data)), 20))
    cases = [b"no archive at all", data[:300] + data[400:], *(data[:n] for n in lengths)]
    for case in cases:
        damaged.write_bytes(case)
        with pytest.raises(DataError, match=r"damaged\.zip .*Nothing was written"):
            restore(target, damaged)
    refused, flips = 0, 300
    for _ in range(flips):
        at = rng.randrange(len(data))
        damaged.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        try:
            found = read_backup(damaged)
        except DataError:
            refused += 1
            with pytest.raises(DataError, match="Use another backup"):
                restore(target, damaged)
        else:  # a bit nobody reads, such as the time of a member
            assert (found, unpacked(damaged)) == (read_backup(whole), sound)
    assert refused > flips / 2
    assert is_empty(target)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        restore(target, tmp_path / "none.zip")


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return a sound archive with other contents."""
    members = unpacked(path)
    change(members)
    other = path.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return other


def test_a_sound_archive_with_other_rows_is_refused(full: Store, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    backup(full, path)
    bars, series = "market_data.bars.copy", "strategies.definitions.copy"

    def lines(edit: Callable[[list[bytes]], list[bytes]], name: str = bars) -> Callable[[dict[str, bytes]], None]:
        return lambda members: members.update({name: b"".join(edit(members[name].splitlines(keepends=True)))})

    def no_manifest(members: dict[str, bytes]) -> None:
        del members[MANIFEST]

    def no_bars(members: dict[str, bytes]) -> None:
        del members[bars]

    def older(members: dict[str, bytes]) -> None:
        members[MANIFEST] = members[MANIFEST].replace(f'"{HEAD}"'.encode(), b'"r0001"')

    def hostile(members: dict[str, bytes]) -> None:
        members[MANIFEST] = members[MANIFEST].replace(b'"macro.series"', b'"pg_catalog.pg_authid"')
        members["pg_catalog.pg_authid.copy"] = b""

    target = make()
    for change, message in (
        (lines(lambda rows: rows[1:]), "What arrived is not what was sent.*has 5 instead of 6"),
        (lines(lambda rows: [row.replace(b"1.5", b"1.6") for row in rows]), "nothing was kept.*as many, but others"),
        (lines(lambda rows: [*rows, rows[0]]), "duplicate key"),
        (lines(lambda rows: [b"rubbish\n", *rows[1:]]), "Nothing was written"),
        (lines(lambda rows: [], series), "violates foreign key|has 0 instead of 1"),
        (no_manifest, "manifest is missing"),
        (no_bars, r"market_data\.bars\.copy is missing"),
        (older, "are of schema revision r0001"),
        (hostile, "not the same on both sides"),
    ):
        with pytest.raises((ConfigError, DataError), match=message):
            restore(target, rewritten(path, change))
        assert is_empty(target)
    assert restore(target, path).written
