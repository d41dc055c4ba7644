"""The calls a vendor allows: counted in the database, so that all processes together keep within them.

The counting is pyrate-limiter's, on its table for PostgreSQL: one row per call, in the schema `quota`. Nobody
waits for anybody here: a call is counted, or refused with the moment it will be possible.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NamedTuple, cast

import psycopg
import sqlalchemy as sa
from pyrate_limiter import Decision, PostgresBucket, Rate, RateItem

from quantlib.errors import ConfigError
from quantlib.store.database import Store

SCHEMA = "quota"
_NOW = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
_BUSY_TRIES, _BUSY_SECONDS = 250, 0.02


class Refusal(NamedTuple):
    """A limit that is used up.

    Attributes
    ----------
    calls, seconds
        The limit: so many calls in so many seconds.
    wait
        Seconds until the next call is possible.
    at
        The moment that is.
    """

    calls: int
    seconds: int
    wait: float
    at: datetime


class QuotaLeft(NamedTuple):
    """A limit, and how many of its calls are left now."""

    calls: int
    seconds: int
    left: int


class _Connections:
    """What pyrate-limiter needs of a psycopg pool, out of the store's own connections.

    A pool of its own would have to learn again how to outlive a fork and a restart of the embedded server.
    """

    closed = False

    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a driver's connection inside one transaction; unqualified names are of the schema `quota`."""
        with self._store.begin() as connection:
            connection.execute(sa.text(f"SET LOCAL search_path = {SCHEMA}"))
            yield cast("psycopg.Connection[Any]", connection.connection.driver_connection)


class Quota:
    """The limits of one vendor; safe to share between threads.

    Parameters
    ----------
    store
        The database all processes share.
    source
        The vendor's name.
    rates
        At most so many calls in so many seconds, for each pair.
    """

    def __init__(self, store: Store, source: str, rates: Sequence[tuple[int, int]]) -> None:
        self._store = store
        self._source = source
        self._guard = Lock()  # the bucket keeps its last verdict in itself
        limits = [Rate(calls, seconds * 1000) for calls, seconds in rates]
        # It takes a psycopg pool, of which it uses `connection()` alone.
        self._bucket = PostgresBucket(cast("Any", _Connections(store)), source, limits)
        self._bucket.leak(self._now())

    def take(self, at: datetime | None = None) -> Refusal | None:
        """Count one call and return None, or return which limit is used up and count nothing.

        Parameters
        ----------
        at
            The present moment; the server's clock if None.

        Raises
        ------
        ConfigError
            Somebody keeps the table locked.
        """
        for _ in range(_BUSY_TRIES):
            item = RateItem(self._source, self._now() if at is None else round(at.timestamp() * 1000))
            with self._guard:
                verdict = cast(Decision, self._bucket.put_decision(item))  # awaitable only of an asynchronous bucket
            if verdict.failing_rate is None:
                return None
            if verdict.retry_after_ms is not None:
                due = datetime.fromtimestamp((item.timestamp + verdict.retry_after_ms) / 1000, UTC)
                limit = verdict.failing_rate
                return Refusal(limit.limit, limit.interval // 1000, verdict.retry_after_ms / 1000, due)
            time.sleep(_BUSY_SECONDS)  # no limit: another process was counting at this very moment
        raise ConfigError(
            f"The calls of {self._source} cannot be counted: its table in the schema {SCHEMA} stays locked. Look for a "
            "program that holds it, such as a forgotten database shell."
        )

    def _now(self) -> int:
        with self._store.begin() as connection:
            return int(connection.execute(_NOW).scalar_one())


def quota_left(
    store: Store, source: str, rates: Sequence[tuple[int, int]], at: datetime | None = None
) -> list[QuotaLeft]:
    """Return how many calls each limit of a vendor has left; asks the vendor nothing and counts nothing.

    Parameters
    ----------
    store, source, rates
        As for `Quota`.
    at
        The present moment; the server's clock if None.
    """
    calls = sa.table(f"ratelimit___{source}", sa.column("item_timestamp"), schema=SCHEMA)
    with store.begin() as connection:
        if not connection.scalar(sa.text("SELECT to_regclass(:name)"), {"name": f"{SCHEMA}.{calls.name}"}):
            return [QuotaLeft(limit, seconds, limit) for limit, seconds in rates]
        now = sa.func.clock_timestamp() if at is None else sa.literal(at)
        left = []
        for limit, seconds in rates:
            # The library keeps moments without zone, in that of the session: UTC, as everywhere in the store.
            since = sa.func.timezone("UTC", now - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds))
            used = connection.scalar(sa.select(sa.func.count()).where(calls.c.item_timestamp >= since))
            left.append(QuotaLeft(limit, seconds, max(0, limit - int(used or 0))))
    return left
