"""The store itself: connecting, refusing, migrating, healing. Always on an embedded server of its own."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from quantlib.errors import ConfigError, DataError
from quantlib.store import Store, database, embedded, migrations
from quantlib.store.cluster import Cluster


@pytest.fixture(scope="module")
def admin(shared_home: Path) -> Iterator[psycopg.Connection]:
    """Return a superuser's connection to the module's server, which asks some users for a password."""
    address = embedded.start(shared_home)
    rules = shared_home / "pg" / "pg_hba.conf"
    rules.write_text("local all reader,owner scram-sha-256\n" + rules.read_text())
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
        connection.execute("CREATE ROLE owner LOGIN PASSWORD 'right'")
        connection.execute("SELECT pg_reload_conf()")
        yield connection


@pytest.fixture
def address(admin: psycopg.Connection) -> Iterator[Callable[..., str]]:
    """Return a function that gives the address of a fresh database, as whom one likes."""
    admin.execute("CREATE DATABASE fresh OWNER owner")
    folder = admin.info.host

    def build(user: str = "postgres", *, scheme: str = "postgresql", name: str = "fresh") -> str:
        return f"{scheme}://{user}@/{name}?host={folder}&port=5432"

    yield build
    admin.execute("DROP DATABASE fresh WITH (FORCE)")


def kill_server(home: Path) -> None:
    main = Cluster(home).postmaster()
    assert main is not None
    for process in (main, *Cluster(home).processes()):
        process.kill()


# --- connecting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_url_in_every_form_gives_a_migrated_store_to_an_ordinary_owner(
    address: Callable[..., str], tmp_path: Path, scheme: str
) -> None:
    with Store.connect(address("owner:right", scheme=scheme), tmp_path / "unused") as store:
        info = store.info()
        with store.bulk() as cursor:
            cursor.execute("SELECT count(*) FROM market_data.bars")
            assert cursor.fetchall() == [(0,)]
    assert info["server"].startswith("18")
    assert info["embedded"] is False
    assert info["revision"] == migrations.HEAD
    assert "right" not in str(info)
    assert not (tmp_path / "unused").exists()


def test_what_is_wrong_with_an_address_is_said_in_one_line(address: Callable[..., str], tmp_path: Path) -> None:
    for url, words in (
        (address("reader:hunter2"), "refused the user name or the password"),
        (address("reader"), "asks for a password"),
        (address(name="nowhere"), "does not exist there; create it first"),
        (address("stranger"), "does not exist there"),
        ("postgresql://me:hunter2@127.0.0.1:9/quant", "nothing listens there"),
        ("postgresql://me:hunter2@host.invalid/quant", "host name is unknown"),
        (f"postgresql://me:hunter2@/quant?host={tmp_path}", "no server listens on that socket"),
        ("oracle://me:hunter2@host/quant", "starts with oracle://"),
        (address("reader:right"), "may not create schemas"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            Store.connect(url, tmp_path)
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__, "a traceback would show more"


def test_an_old_server_is_refused(address: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "OLDEST", 19)
    with pytest.raises(ConfigError, match=r"is PostgreSQL 18; the store needs 19 or newer"):
        Store.connect(address(), tmp_path)


def test_psql_opens_the_database_without_showing_the_password(address: Callable[..., str], shared_home: Path) -> None:
    with Store.connect(None, shared_home) as store:
        command, environment = store.psql()
        done = subprocess.run(
            [*command, "-Atc", "SELECT current_database()"], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "workbench"
        assert environment == {}
    with Store.connect(address("owner:right"), shared_home) as store:
        command, environment = store.psql()
        assert command[0] == "psql"
        assert "right" not in " ".join(command)
        assert environment == {"PGPASSWORD": "right"}
        with psycopg.connect(f"{command[1]} password=right") as connection:
            assert connection.info.user == "owner"


# --- migrations --------------------------------------------------------------------------------------------


def test_many_may_migrate_at_once(address: Callable[..., str], tmp_path: Path) -> None:
    gate = threading.Barrier(4)

    def connect() -> str:
        gate.wait()
        with Store.connect(address(), tmp_path) as store:
            return str(store.info()["revision"])

    with ThreadPoolExecutor(4) as pool:
        assert [job.result() for job in [pool.submit(connect) for _ in range(4)]] == [migrations.HEAD] * 4


def test_a_database_at_head_costs_one_query(address: Callable[..., str], tmp_path: Path) -> None:
    with Store.connect(address(), tmp_path) as store:
        seen: list[str] = []
        sa.event.listen(store.engine, "before_cursor_execute", lambda *event: seen.append(event[2]))
        migrations.upgrade(store.engine)
    assert len(seen) == 1
    assert "schema_version" in seen[0]


def test_a_schema_newer_than_the_code_is_refused(address: Callable[..., str], tmp_path: Path) -> None:
    with Store.connect(address(), tmp_path) as store, store.begin() as connection:
        connection.execute(sa.text("UPDATE ops.schema_version SET version_num = 'r9999'"))
    with pytest.raises(ConfigError, match=r"revision r9999.*Update the code"):
        Store.connect(address(), tmp_path)


def test_a_migration_that_fails_leaves_nothing(address: Callable[..., str], tmp_path: Path) -> None:
    with psycopg.connect(address()) as connection:
        connection.execute("CREATE SCHEMA ops; CREATE TABLE ops.ingest_log (mine int)")
    with pytest.raises(ConfigError, match="already exists"):
        Store.connect(address(), tmp_path)
    with psycopg.connect(address()) as connection:
        assert connection.execute(
            "SELECT to_regnamespace('market_data'), to_regclass('ops.schema_version')"
        ).fetchone() == (
            None,
            None,
        )


# --- healing and sharing -----------------------------------------------------------------------------------


def one(store: Store) -> None:
    """Use both roads into the store."""
    with store.begin() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    with store.bulk() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]


def test_a_killed_server_is_back_at_the_next_operation(shared_home: Path, admin: psycopg.Connection) -> None:
    with Store.connect(None, shared_home) as store:
        one(store)
        kill_server(shared_home)
        one(store)
        kill_server(shared_home)
        with store.bulk() as cursor:
            cursor.execute("SELECT 1")
        embedded.stop(shared_home)
        one(store)


def test_dead_connections_are_replaced(tmp_path: Path, shared_home: Path) -> None:
    with Store.connect(None, shared_home) as store:
        one(store)
        with psycopg.connect(embedded.start(shared_home)) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        one(store)


def backend(cursor: object) -> int:
    cursor.execute("SELECT pg_backend_pid()")  # type: ignore[attr-defined]
    return int(cursor.fetchall()[0][0])  # type: ignore[attr-defined]


def bulk_backend(store: Store) -> int:
    with store.bulk() as cursor:
        return backend(cursor)


def test_an_idle_bulk_connection_is_used_again_unless_it_has_died(shared_home: Path) -> None:
    with Store.connect(None, shared_home) as store:
        first = bulk_backend(store)
        assert bulk_backend(store) == first
        with store.begin() as connection:
            assert connection.scalar(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
        second = bulk_backend(store)
        assert second != first
        kill_server(shared_home)
        assert bulk_backend(store) != second
        assert len(store._bulk) == 1


def test_an_error_in_the_body_ends_the_bulk_connection(shared_home: Path) -> None:
    def fail(store: Store) -> None:
        with store.bulk() as cursor:
            assert backend(cursor) == first
            raise DataError("Cut off.")

    with Store.connect(None, shared_home) as store:
        first = bulk_backend(store)
        with pytest.raises(DataError, match="Cut off"):
            fail(store)
        assert store._bulk == []
        assert bulk_backend(store) != first
        there = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
        for _ in range(100):
            with store.begin() as connection:
                if connection.scalar(there, {"pid": first}) == 0:
                    return
            time.sleep(0.02)
        pytest.fail("the connection is still open")


def test_who_uses_bulk_at_once_has_a_connection_each_and_few_are_kept(shared_home: Path) -> None:
    users = database.IDLE_BULK + 1
    gate = threading.Barrier(users)

    def use(store: Store) -> int:
        with store.bulk() as cursor:
            gate.wait(20)
            return backend(cursor)

    with Store.connect(None, shared_home) as store, ThreadPoolExecutor(users) as pool:
        for _ in range(2):
            assert len({job.result() for job in [pool.submit(use, store) for _ in range(users)]}) == users
            assert len(store._bulk) == database.IDLE_BULK


def test_a_connection_in_use_while_the_store_is_closed_is_not_kept(shared_home: Path) -> None:
    store = Store.connect(None, shared_home)
    one(store)
    with store.bulk() as cursor:
        store.close()
        assert backend(cursor)
    assert store._bulk == []


def half(store: Store, road: str, then: Callable[[], object]) -> None:
    """Write a row by one of the roads, do something, and go on."""
    as_text = sa.text if road == "begin" else str
    with getattr(store, road)() as session:
        session.execute(as_text("INSERT INTO ops.capabilities VALUES ('half', true)"))
        then()
        session.execute(as_text("SELECT 1"))


def halves(store: Store) -> int:
    with store.begin() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM ops.capabilities WHERE name = 'half'")) or 0)


@pytest.mark.parametrize("road", ["begin", "bulk"])
def test_a_server_lost_in_the_middle_is_said_plainly_and_leaves_nothing(shared_home: Path, road: str) -> None:
    with Store.connect(None, shared_home) as store:
        with pytest.raises(ConfigError, match="went away in the middle"):
            half(store, road, lambda: kill_server(shared_home))
        assert halves(store) == 0


@pytest.mark.parametrize("road", ["begin", "bulk"])
def test_whatever_is_raised_inside_undoes_the_transaction(shared_home: Path, road: str) -> None:
    with Store.connect(None, shared_home) as store:
        with pytest.raises(ZeroDivisionError):
            half(store, road, lambda: 1 // 0)
        assert halves(store) == 0


def test_threads_share_a_store(shared_home: Path) -> None:
    with Store.connect(None, shared_home) as store, ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(one, store) for _ in range(24)]:
            job.result()


FORK = """
del sys.modules["quantlib.store"]
import gc, os
from quantlib.store import Store
def use(store):
    with store.bulk() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchall() == [(1,)]
store = Store.connect(None, Path(sys.argv[1]))
use(store)
if (child := os.fork()) == 0:
    use(store)
    store.close()
    del store
    gc.collect()
    os._exit(0)
print(os.waitpid(child, 0)[1], flush=True)
with store._bulk[0].cursor() as cursor:  # the very connection the child inherited
    cursor.execute("SELECT 1")
use(store)
print("parent still connected", flush=True)
"""


def test_a_forked_child_has_connections_of_its_own(shared_home: Path, client: Callable[..., object]) -> None:
    parent = client(shared_home, FORK)
    assert parent.line() == "0"
    assert parent.line() == "parent still connected"


def test_a_store_forgotten_is_closed(shared_home: Path) -> None:
    store = Store.connect(None, shared_home)
    one(store)
    del store  # a ResourceWarning would fail the test
