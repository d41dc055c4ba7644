"""The schedule on a simulated clock: every occurrence once, one run after a pause, nothing asked of vendors unasked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantlib.errors import DataError
from quantlib.settings import Settings
from quantlib.sources import SOURCES
from quantlib.store import Store
from quantlib.store.jobs import read_jobs
from quantlib.store.schedules import ScheduleRecord, read_occurrences, write_schedule
from quantlib.workflows import schedule
from quantlib.workflows.schedule import (
    DEFAULTS,
    list_schedules,
    remove_schedule,
    set_schedule,
    switch,
    tick,
    write_defaults,
)
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import plan
from quantlib.workflows.triggers import parse_trigger


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    return Session(Settings(home=tmp_path, _env_file=None), store)


@pytest.fixture
def scheduled(session: Session) -> Callable[[str, str], None]:
    """Return a function that writes a schedule of some trigger, on since some moment."""

    def write(trigger: str, since: str) -> None:
        write_schedule(session.store, ScheduleRecord("trial", "quality", trigger, enabled=True), now=utc(since))

    return write


def live(session: Session, start: str, end: str, step: timedelta) -> list[str]:
    """Return at which moments jobs were started while a worker ticked from start to end."""
    now, moments = utc(start), []
    while now <= utc(end):
        moments += [f"{now:%m-%d %H:%M}" for _ in tick(session, now)]
        now += step
    return moments


def occurrences(session: Session) -> list[tuple[str, str]]:
    table = read_occurrences(session.store, limit=1000)
    return [(f"{at:%m-%d %H:%M}", outcome) for at, outcome in zip(table["at"], table["outcome"], strict=True)][::-1]


def test_a_week_with_a_holiday_and_a_half_day(session: Session, scheduled: Callable[[str, str], None]) -> None:
    scheduled("XNYS close + 30 min", "2024-11-25 12:00")
    started = live(session, "2024-11-25 12:00", "2024-12-02 23:00", timedelta(minutes=30))
    expected = ["11-25 21:30", "11-26 21:30", "11-27 21:30", "11-29 18:30", "12-02 21:30"]
    assert started == expected
    assert occurrences(session) == [(at, "run") for at in expected]


@pytest.mark.parametrize(
    ("trigger", "start", "end", "expected"),
    [
        ("XNYS close + 30 min", "2025-03-06", "2025-03-11", ["03-06 21:30", "03-07 21:30", "03-10 20:30"]),
        ("XNYS open - 1 h", "2025-10-31", "2025-11-04", ["10-31 12:30", "11-03 13:30"]),
        ("every day 02:30 Europe/Berlin", "2025-10-25", "2025-10-27", ["10-25 00:30", "10-26 00:30"]),
        ("every day 02:30 Europe/Berlin", "2025-03-29", "2025-03-31", ["03-29 01:30", "03-30 01:30", "03-31 00:30"]),
    ],
)
def test_over_a_change_of_clocks(
    session: Session,
    scheduled: Callable[[str, str], None],
    trigger: str,
    start: str,
    end: str,
    expected: list[str],
) -> None:
    scheduled(trigger, start)
    end = f"{end} 00:30" if trigger.startswith("every") else end
    live(session, start, end, timedelta(minutes=30))
    assert occurrences(session) == [(at, "run") for at in expected]


def test_five_days_without_a_worker_end_in_one_run(session: Session, scheduled: Callable[[str, str], None]) -> None:
    scheduled("XNYS close + 30 min", "2024-11-20 12:00")
    assert live(session, "2024-11-20 21:00", "2024-11-20 22:00", timedelta(minutes=20)) == ["11-20 21:40"]
    back = utc("2024-11-26 09:00")
    assert tick(session, back) == ["Schedule trial has come due: job 1, which was waiting already."]
    assert tick(session, back + timedelta(seconds=20)) == []
    assert occurrences(session) == [
        ("11-20 21:30", "run"),
        ("11-21 21:30", "covered"),
        ("11-22 21:30", "covered"),
        ("11-25 21:30", "run"),
    ]


def test_the_run_says_what_it_is_for(session: Session, scheduled: Callable[[str, str], None]) -> None:
    scheduled("every 15 min", "2024-11-20 12:00")
    tick(session, utc("2024-11-20 12:50"))
    assert read_jobs(session.store)["reason"].item() == "schedule trial: 2024-11-20 12:45 UTC, and 2 missed before"


def test_a_schedule_that_cannot_be_started_says_so_and_the_others_go_on(session: Session) -> None:
    broken = ScheduleRecord("a-broken", "qualty", "every 15 min", enabled=True)
    sound = ScheduleRecord("sound", "quality", "every 15 min", enabled=True)
    for record in (broken, sound):
        write_schedule(session.store, record, now=utc("2024-11-20 12:00"))
    first, second = tick(session, utc("2024-11-20 12:15"))
    assert first == "Schedule a-broken could not be started: There is no task 'qualty'. Did you mean quality?"
    assert second.startswith("Schedule sound has come due: job ")


def test_every_default_can_be_started_and_none_asks_a_vendor_unasked(session: Session) -> None:
    for record in DEFAULTS:
        plan(record.task, record.args, reason="")
        assert str(parse_trigger(record.trigger)) == record.trigger
        source = SOURCES.get(str(record.args.get("source", "")))
        assert source is None or set(record.args.get("kinds", ())) <= set(source.kinds)
        assert record.note
    assert [record.name for record in DEFAULTS if record.enabled] == ["nightly"]
    assert next(record for record in DEFAULTS if record.enabled).task != "ingest"


def test_the_first_worker_writes_the_defaults_and_a_users_own_stay(session: Session) -> None:
    now = utc("2024-11-20 12:00")
    assert write_defaults(session, now, first_time_only=True) == len(DEFAULTS)
    remove_schedule(session.store, "news")
    switch(session, "yahoo-bars", on=True)
    assert write_defaults(session, now, first_time_only=True) == 0, "what was removed stays removed"
    assert write_defaults(session, now) == 1
    planned = {one.record.name: one for one in list_schedules(session, now)}
    assert planned["yahoo-bars"].next_at == utc("2024-11-20 21:45")
    assert planned["nightly"].next_at == utc("2024-11-21 03:00")
    assert planned["news"].next_at is None


def test_a_schedule_of_ones_own(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "utc_now", lambda: utc("2024-11-29 12:00"))
    written = set_schedule(
        session, "half-day", "ingest", "nyse close+30min", {"source": "sample", "symbols": ["KO"], "follow": False}
    )
    assert written.record.trigger == "XNYS close + 30 min"
    assert written.next_at == utc("2024-11-29 18:30")
    tick(session, utc("2024-11-29 18:30"))
    job = read_jobs(session.store).iloc[0]
    assert job["args"] == {"source": "sample", "symbols": ["KO"], "follow": False}
    shown = list_schedules(session, utc("2024-11-29 19:00"))[0]
    assert (shown.last_at, shown.job_id) == (utc("2024-11-29 18:30"), job["id"])
    assert shown.next_at == utc("2024-12-02 21:30")


@pytest.mark.parametrize(
    ("task", "trigger", "args", "message"),
    [
        ("ingst", "every 15 min", {}, "There is no task 'ingst'. Did you mean ingest?"),
        ("ingest", "every 15 min", {}, "Task ingest, source: Field required."),
        ("ingest", "every 15 min", {"source": "sampel"}, "There is no source 'sampel'. Did you mean sample?"),
        ("ingest", "every 15 min", {"source": "sample", "kinds": ["news"]}, "has no 'news'"),
        ("ingest", "every 15 min", {"source": "sample", "symbol": "KO"}, "symbol: Extra .* Did you mean symbols?"),
        ("quality", "every 15 mins", {}, "counts in 'mins'"),
    ],
)
def test_a_schedule_that_could_never_run_is_refused(
    session: Session, task: str, trigger: str, args: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        set_schedule(session, "trial", task, trigger, args)
    assert list_schedules(session) == []


def test_a_trigger_that_cannot_be_worked_out_any_more_is_said_in_the_list(session: Session) -> None:
    record = ScheduleRecord("old", "quality", "XOLD close", enabled=True)
    write_schedule(session.store, record, now=utc("2024-11-29"))
    assert "no exchange calendar 'XOLD'" in list_schedules(session, utc("2024-11-29"))[0].problem
