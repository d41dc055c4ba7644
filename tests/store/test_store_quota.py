"""The calls a vendor allows, counted together by all processes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from database import Database

from quantlib.errors import ConfigError
from quantlib.sources import SOURCES
from quantlib.store import Store, quota
from quantlib.store.quota import Quota, QuotaLeft, quota_left

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
RATES = ((3, 10), (5, 86_400))


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_calls_are_counted_until_the_limit_and_refused_with_the_moment_they_are_possible(store: Store) -> None:
    calls = Quota(store, "acme", RATES)
    assert [calls.take(later(second)) for second in (0, 1, 2)] == [None, None, None]
    refused = calls.take(later(3))
    assert refused is not None
    assert (refused.calls, refused.seconds) == (3, 10)
    assert refused.wait == pytest.approx(7, abs=0.01)
    assert abs(refused.at - later(10)) < timedelta(milliseconds=10)
    assert calls.take(refused.at) is None, "the moment named is the moment it works"


def test_a_refused_call_counts_for_nothing(store: Store) -> None:
    calls = Quota(store, "acme", RATES)
    for second in (0, 1, 2):
        calls.take(later(second))
    for _ in range(20):
        assert calls.take(later(3)) is not None
    assert quota_left(store, "acme", RATES, later(3)) == [QuotaLeft(3, 10, 0), QuotaLeft(5, 86_400, 2)]


def test_the_longer_limit_holds_too(store: Store) -> None:
    calls = Quota(store, "acme", RATES)
    assert [calls.take(later(20 * n)) for n in range(5)] == [None] * 5
    refused = calls.take(later(200))
    assert refused is not None
    assert (refused.calls, refused.seconds) == (5, 86_400)
    assert abs(refused.at - later(86_400)) < timedelta(milliseconds=10)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_servers_own_zone_makes_no_difference(store: Store, database: Database, zone: str) -> None:
    with store.begin() as connection:
        name = connection.scalar(sa.text("SELECT current_database()"))
        connection.execute(sa.text(f"ALTER DATABASE {name} SET timezone = '{zone}'"))
    try:
        with Store.connect(database.url, database.home) as fresh:  # a zone holds for connections made after it
            calls = Quota(fresh, "acme", RATES)
            for second in (0, 1, 2):
                calls.take(later(second))
        assert quota_left(store, "acme", RATES, later(9)) == [QuotaLeft(3, 10, 0), QuotaLeft(5, 86_400, 2)]
        assert quota_left(store, "acme", RATES, later(10.5)) == [QuotaLeft(3, 10, 1), QuotaLeft(5, 86_400, 2)]
        assert quota_left(store, "acme", RATES, later(86_500)) == [QuotaLeft(3, 10, 3), QuotaLeft(5, 86_400, 5)]
    finally:
        with store.begin() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {name} RESET timezone"))


def test_the_limits_of_every_source_can_be_kept(store: Store) -> None:
    for source in SOURCES.values():
        if source.rates:
            assert Quota(store, source.name, source.rates).take() is None


def test_vendors_do_not_share_a_quota(store: Store) -> None:
    one, other = Quota(store, "acme", ((1, 60),)), Quota(store, "zeta", ((1, 60),))
    assert one.take() is None
    assert other.take() is None
    assert one.take() is not None


def test_what_is_left_can_be_read_before_the_first_call(store: Store) -> None:
    assert quota_left(store, "never_asked", RATES) == [QuotaLeft(3, 10, 3), QuotaLeft(5, 86_400, 5)]


def test_the_servers_clock_is_used_where_none_is_given(store: Store) -> None:
    calls = Quota(store, "acme", ((1, 3600),))
    assert calls.take() is None
    assert quota_left(store, "acme", ((1, 3600),)) == [QuotaLeft(1, 3600, 0)]
    refused = calls.take()
    assert refused is not None
    assert timedelta(minutes=59) < refused.at - datetime.now(UTC) < timedelta(minutes=61)


def test_calls_that_no_longer_count_are_cleared_away(store: Store) -> None:
    calls = Quota(store, "acme", ((3, 10),))
    calls.take(NOON)
    Quota(store, "acme", ((3, 10),))
    with store.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM quota.ratelimit___acme")) == 0


def test_its_tables_are_out_of_the_way_of_the_data(store: Store) -> None:
    Quota(store, "acme", RATES)
    with store.begin() as connection:
        found = connection.execute(
            sa.text("SELECT schemaname FROM pg_tables WHERE tablename LIKE 'ratelimit%acme'")
        ).scalars()
        assert list(found) == ["quota"]
        assert connection.scalar(sa.text("SHOW search_path")) != "quota", "the connection goes back as it was"


def test_threads_together_keep_within_the_limit(store: Store) -> None:
    quotas = [Quota(store, "acme", ((7, 3600),)) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda n: quotas[n % 2].take(), range(20)))
    assert taken.count(None) == 7


WORKER = """
import sys
from pathlib import Path
from quantlib.store import Store
from quantlib.store.quota import Quota
url, home = sys.argv[1:]
with Store.connect(url or None, Path(home)) as store:
    calls = Quota(store, "acme", ((40, 3600),))
    print("ready", flush=True)
    sys.stdin.readline()
    print(sum(calls.take() is None for _ in range(40)))
"""


def test_two_processes_together_keep_within_the_limit(store: Store, database: Database) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, database.url or "", str(database.home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    taken = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(taken) == 40


def test_a_table_somebody_holds_is_waited_for_and_then_named(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Quota(store, "acme", RATES)
    monkeypatch.setattr(quota, "_BUSY_TRIES", 5)
    with Store.connect(database.url, database.home) as other:
        with other.begin() as connection:
            connection.execute(sa.text("LOCK TABLE quota.ratelimit___acme IN SHARE MODE"))
            with pytest.raises(ConfigError, match="calls of acme cannot be counted: its table in the schema quota"):
                calls.take()
        assert calls.take() is None
