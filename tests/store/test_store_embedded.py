"""The embedded server: one for all clients, gone after the last, healed after every hard end."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from quantlib.errors import ConfigError
from quantlib.store import cluster as cluster_module
from quantlib.store import embedded
from quantlib.store.cluster import Cluster


def ask(address: str, query: str = "SELECT 1") -> object:
    with psycopg.connect(address, autocommit=True) as connection:
        result = connection.execute(query)
        return result.fetchone()[0] if result.description else None


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def kill_all(home: Path) -> None:
    """Kill every process of the home's server at once, postmaster first, as a crash would."""
    processes = Cluster(home).processes()
    main = Cluster(home).postmaster()
    for process in sorted(processes, key=lambda p: main is None or p.pid != main.pid):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    assert wait_until(lambda: not Cluster(home).processes())


def write_pid_file(home: Path, pid: int) -> Path:
    """Leave a postmaster.pid naming `pid`, as a dead server would have."""
    path = home / "pg" / "postmaster.pid"
    path.write_text(f"{pid}\n{home / 'pg'}\n1700000000\n5432\n{home / 'pg'}\n\n  1234567        14\nready   \n")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "pg" / ".s.PGSQL.5432"))
    (home / "pg" / ".s.PGSQL.5432.lock").write_text(f"{pid}\n{home / 'pg'}\n1700000000\n5432\n{home / 'pg'}\n")
    return path


# --- one server for all ------------------------------------------------------------------------------------


def test_start_gives_a_private_tuned_server_and_is_cheap_to_repeat(shared_home: Path) -> None:
    address = embedded.start(shared_home)
    assert ask(address, "SELECT current_database()") == "workbench"
    settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name = ANY('{%s}')"
    assert ask(address, settings % "jit,listen_addresses,max_wal_size,shared_buffers,synchronous_commit") == (
        "jit=off listen_addresses= max_wal_size=256 shared_buffers=32768 synchronous_commit=on"
    )
    assert stat.S_IMODE((shared_home / "pg").stat().st_mode) == 0o700
    before = embedded.status(shared_home)
    assert embedded.start(shared_home) == address == before.url
    assert before.running
    assert embedded.status(shared_home).pid == before.pid


@pytest.mark.parametrize("n", [2, 4])
def test_processes_starting_at_once_share_one_server(home: Path, client: Callable[..., object], n: int) -> None:
    clients = [client(home) for _ in range(n)]
    addresses = {one.line() for one in clients}
    assert len(addresses) == 1
    assert ask(addresses.pop()) == 1
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert sum(str(home / "pg") in command and "-D" in command for command in commands) == 1, "not one postmaster"


def test_server_stops_after_the_last_client_has_gone_however_it_went(home: Path, client: Callable[..., object]) -> None:
    polite, rude = client(home), client(home)
    address = polite.line()
    assert rude.line() == address
    polite.leave()
    time.sleep(0.6)
    assert ask(address) == 1, "the server left while a client was there"
    rude.kill()
    assert wait_until(lambda: not Cluster(home).processes())
    assert not (home / "pg" / "postmaster.pid").exists(), "it was not stopped in order"


def test_a_client_arriving_in_time_keeps_the_server(home: Path, client: Callable[..., object]) -> None:
    first = client(home, "embedded.LINGER_SECONDS = 30; print(embedded.start(Path(sys.argv[1])))")
    first.line()
    first.leave()
    pid = embedded.status(home).pid
    assert pid is not None
    second = client(home)
    second.line()
    assert embedded.status(home).pid == pid


def test_a_killed_watcher_is_replaced_by_the_next_client(home: Path, client: Callable[..., object]) -> None:
    def watchers() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if f'"{home}/pg.lock"' in " ".join(p.info["cmdline"] or [])]

    first = client(home)
    first.line()
    (watcher,) = watchers()
    watcher.kill()
    assert wait_until(lambda: not watchers())
    client(home).line()
    assert len(watchers()) == 1


FORKS = """
import multiprocessing, os, time
import psycopg
home = Path(sys.argv[1])
address = embedded.start(home)

def use(_):
    with psycopg.connect(embedded.start(home)) as connection:
        return connection.execute("SELECT 1").fetchone()[0]

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(use, range(4)) == [1] * 4
if (child := os.fork()) == 0:
    sys.exit(0)  # runs every exit handler the parent has
os.waitpid(child, 0)
time.sleep(0.6)
with psycopg.connect(address) as connection:
    print(connection.execute("SELECT 1").fetchone()[0], flush=True)
if os.fork() == 0:
    time.sleep(1.0)  # outlives its parent, and still finds the server
    with psycopg.connect(address) as connection:
        print(connection.execute("SELECT 2").fetchone()[0], flush=True)
    os._exit(0)
"""


def test_forked_children_neither_stop_the_server_nor_lose_it(home: Path, client: Callable[..., object]) -> None:
    parent = client(home, FORKS)
    assert parent.line() == "1"
    assert parent.line() == "2"
    assert wait_until(lambda: not Cluster(home).processes())


def test_stop_and_status(shared_home: Path, tmp_path: Path) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    assert not embedded.status(shared_home).running
    assert Cluster(shared_home).processes() == []
    embedded.stop(shared_home)
    assert embedded.status(tmp_path / "nothing").running is False
    assert not (tmp_path / "nothing").exists()


# --- healing -----------------------------------------------------------------------------------------------


def test_killing_the_server_loses_no_committed_row(shared_home: Path) -> None:
    address = embedded.start(shared_home)
    ask(address, "CREATE TABLE kept (n int)")
    for n in range(4):
        with psycopg.connect(address) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [n])
            connection.commit()
            kill_all(shared_home)
        address = embedded.start(shared_home)
        assert ask(address, "SELECT count(*) FROM kept") == n + 1


def test_backends_that_outlive_their_postmaster_are_ended(shared_home: Path) -> None:
    address = embedded.start(shared_home)
    busy = psycopg.connect(address)
    running = threading.Thread(target=lambda: _ignore(busy, "SELECT count(*) FROM generate_series(1, 100000000000)"))
    running.start()
    orphan = busy.info.backend_pid
    assert wait_until(lambda: psutil.Process(orphan).cpu_times().user > 0.2)
    main = Cluster(shared_home).postmaster()
    assert main is not None
    main.kill()
    assert wait_until(lambda: Cluster(shared_home).postmaster() is None)
    assert [process.pid for process in Cluster(shared_home).processes()] == [orphan], (
        "nothing to heal: it noticed by itself"
    )
    assert ask(embedded.start(shared_home)) == 1
    assert orphan not in {process.pid for process in Cluster(shared_home).processes()}
    running.join(10)
    busy.close()


def _ignore(connection: psycopg.Connection, query: str) -> None:
    try:
        connection.execute(query)
    except psycopg.Error:
        return


def test_a_recycled_pid_is_neither_believed_nor_harmed(shared_home: Path) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        write_pid_file(shared_home, stranger.pid)
        assert not embedded.status(shared_home).running
        assert ask(embedded.start(shared_home)) == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_recycled_by_another_postgres_is_neither_believed_nor_harmed(shared_home: Path, home: Path) -> None:
    other = embedded.start(home)
    embedded.start(shared_home)
    embedded.stop(shared_home)
    pid = embedded.status(home).pid
    assert pid is not None
    # Its own pid, and even its socket: what answers there serves another folder.
    path = write_pid_file(shared_home, pid)
    path.write_text(path.read_text().replace(f"5432\n{shared_home / 'pg'}", f"5432\n{home / 'pg'}"))
    assert not embedded.status(shared_home).running
    mine = embedded.start(shared_home)
    assert ask(mine, "SELECT current_setting('data_directory')") == str(shared_home / "pg")
    assert ask(other, "SELECT current_setting('data_directory')") == str(home / "pg")
    assert embedded.status(home).pid == pid


def test_a_zombie_pid_is_not_believed(shared_home: Path) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    zombie = subprocess.Popen(["true"])
    try:
        assert wait_until(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
        write_pid_file(shared_home, zombie.pid)
        assert ask(embedded.start(shared_home)) == 1
    finally:
        zombie.wait()


@pytest.mark.parametrize("content", ["", "123\n", "not a pid\n"])
def test_a_pid_file_cut_short_is_removed(shared_home: Path, content: str) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    (shared_home / "pg" / "postmaster.pid").write_text(content)
    assert ask(embedded.start(shared_home)) == 1


def test_a_slow_server_is_waited_for_and_a_live_one_never_removed(
    shared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster_module.START_SECONDS > 60
    address = embedded.start(shared_home)
    main = Cluster(shared_home).postmaster()
    assert main is not None
    main.suspend()  # as a machine under load, or a long recovery
    timer = threading.Timer(1.0, main.resume)
    timer.start()
    try:
        assert embedded.start(shared_home) == address
        timer.join()
    finally:
        main.resume()
    with monkeypatch.context() as patch:
        patch.setattr(cluster_module, "START_SECONDS", 0.0)
        patch.setattr(Cluster, "answers", lambda _: False)
        with pytest.raises(ConfigError, match="does not answer"):
            embedded.start(shared_home)
    assert embedded.status(shared_home).pid == main.pid


def test_a_folder_half_made_is_made_again(home: Path) -> None:
    (home / "pg.new-abc" / "base").mkdir(parents=True)
    (home / "pg.new-abc" / "PG_VERSION").write_text("18\n")
    assert ask(embedded.start(home)) == 1
    assert sorted(path.name for path in home.iterdir()) == ["pg", "pg.clients", "pg.lock", "pg.watcher"]


def test_a_home_removed_and_made_anew_starts_empty(home: Path) -> None:
    first = embedded.start(home)
    ask(first, "CREATE TABLE here (n int)")
    old = Cluster(home).postmaster()
    assert old is not None
    home.rename(home.with_name("gone"))
    try:
        second = embedded.start(home)
        assert ask(second, "SELECT to_regclass('here') IS NULL") is True
        assert embedded.status(home).pid != old.pid
    finally:
        old.terminate()
        assert wait_until(lambda: not old.is_running() or old.status() == psutil.STATUS_ZOMBIE)


# --- paths, users, refusals --------------------------------------------------------------------------------


def test_long_and_odd_paths_get_private_sockets_of_their_own(home: Path) -> None:
    homes = [home / ("a very long project name, " * 5) / name for name in ("one", "two")]
    try:
        addresses = [embedded.start(home) for home in homes]
        for one, address in zip(homes, addresses, strict=True):
            assert ask(address, "SELECT current_setting('data_directory')") == str(one / "pg")
            folder = Cluster(one).socket_folder()
            assert len(str(folder / ".s.PGSQL.5432")) <= 100
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        kill_all(homes[0])
        assert ask(embedded.start(homes[0])) == 1
        assert ask(addresses[1]) == 1
    finally:
        for one in homes:
            embedded.stop(one)
            Cluster(one).socket_folder().rmdir()


AS_NOBODY = """
import os, pwd, psycopg
account = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(account.pw_gid); os.setuid(account.pw_uid)
home = Path(sys.argv[1])
with psycopg.connect(embedded.start(home)) as connection:
    print(connection.execute("SELECT 42").fetchone()[0], flush=True)
embedded.stop(home)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test already runs as a normal user")
def test_a_normal_user_needs_no_system_user_and_root_serves_their_folder_as_them(
    home: Path, client: Callable[..., object]
) -> None:
    account = pwd.getpwnam("nobody")
    home.mkdir(mode=0o700)
    os.chown(home, account.pw_uid, account.pw_gid)
    home.parent.chmod(0o711)
    theirs = client(home, AS_NOBODY)
    assert theirs.line() == "42"
    theirs.leave()
    assert (home / "pg").stat().st_uid == account.pw_uid
    assert ask(embedded.start(home)) == 1
    main = Cluster(home).postmaster()
    assert main is not None
    assert main.uids().real == account.pw_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of someone else")
def test_a_folder_of_someone_else_is_refused(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(ConfigError, match="belongs to user"):
        embedded.start(shared_home)


def test_a_folder_of_another_version_is_refused(home: Path) -> None:
    (home / "pg").mkdir(parents=True)
    (home / "pg" / "PG_VERSION").write_text("14\n")
    with pytest.raises(ConfigError, match=r"version file: 14.*Move it away"):
        embedded.start(home)


def test_a_home_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used for the database"):
        embedded.start(tmp_path / "file")


def test_a_stuck_starter_is_named_after_a_while(
    home: Path, client: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import fcntl, sys; f = open(sys.argv[1] + '/pg.lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.readline()"
    )
    home.mkdir()
    stuck = client(home, code)
    assert stuck.line() == "locked"
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    with pytest.raises(ConfigError, match="Another process has been starting"):
        embedded.start(home)
    stuck.leave()


def test_a_server_that_cannot_start_says_what_its_log_says(shared_home: Path) -> None:
    embedded.start(shared_home)
    embedded.stop(shared_home)
    settings = shared_home / "pg" / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'much'\n")
    try:
        with pytest.raises(ConfigError, match=r"did not start.*shared_buffers"):
            embedded.start(shared_home)
    finally:
        settings.write_text("")
    assert ask(embedded.start(shared_home)) == 1


def test_sigterm_leaves_no_server_behind(home: Path, client: Callable[..., object]) -> None:
    one = client(home)
    one.line()
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(10)
    assert wait_until(lambda: not Cluster(home).processes())
