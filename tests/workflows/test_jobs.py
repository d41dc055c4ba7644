"""What a job does: the chain, skipping with a reason, faults in words, stopping between steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import keyring
import pytest
import sqlalchemy as sa
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from quantlib import settings
from quantlib.errors import DataError, QuantError, SourceError
from quantlib.settings import Settings
from quantlib.sources import SOURCES
from quantlib.sources.base import (
    Ask,
    BadKeyError,
    Call,
    LimitError,
    NoKeyError,
    NotFoundError,
    Payload,
    UnreachableError,
)
from quantlib.store import Store, coverage
from quantlib.store.database import LostError
from quantlib.store.job_worker import JobStoppedError, RunningJob, TryAgainError
from quantlib.store.jobs import MOST_FAULTS, read_job
from quantlib.workflows import tasks, worker
from quantlib.workflows.jobs import cancel_job, job_history, repeat_job, start_job
from quantlib.workflows.session import Session
from quantlib.workflows.tasks import TASKS, Outcome, PartlyError, StepArgs, Task
from quantlib.workflows.worker import Reporter, run_job

KEY = "k3y-of-nobody"


@pytest.fixture
def session(store: Store, tmp_path: Path) -> Session:
    return Session(Settings(home=tmp_path, fred_api_key=SecretStr(KEY), _env_file=None), store)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def do(session: Session, said: list[str]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a job as a worker does, and returns what is then known of it."""

    def run(number: int, *, attempt: int = 1, stopping: Callable[[], str] = lambda: "") -> dict[str, Any]:
        known = read_job(session.store, number)
        run_job(session, RunningJob(number, known["task"], known["args"], attempt, stopping), say=said.append)
        with session.store.begin() as connection:
            connection.exec_driver_sql("SET LOCAL search_path = jobs, public")
            finish = sa.text("SELECT procrastinate_finish_job_v1(:id, 'succeeded', false)")
            connection.execute(finish, {"id": number})
        return read_job(session.store, number)

    return run


def give(monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[..., Outcome]) -> None:
    """Let a task do something else."""
    monkeypatch.setitem(TASKS, name, replace(TASKS[name], work=work))


def fail(error: Exception) -> Callable[..., Outcome]:
    def work(*_: Any) -> Outcome:
        raise error

    return work


# The chain


def test_each_step_puts_the_next_into_the_queue(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    for name in TASKS:
        give(monkeypatch, name, lambda *_, name=name: Outcome(f"{name} is done."))
    number = start_job(session, "ingest", {"source": "sample"}).id
    seen = []
    while True:
        job = do(number)
        seen.append((job["task"], job["status"], job["reason"], job["said"]))
        waiting = job_history(session, open_only=True)
        if waiting.empty:
            break
        number = int(waiting["id"].item())
    assert seen == [
        ("ingest", "done", "asked for", "ingest is done."),
        ("quality", "done", "after job 1", "quality is done."),
        ("derive", "done", "after job 2", "derive is done."),
        ("pipeline", "done", "after job 3", "pipeline is done."),
        ("report", "done", "after job 4", "report is done."),
    ]


def test_a_job_that_was_asked_for_alone_stays_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    give(monkeypatch, "quality", lambda *_: Outcome("Done."))
    do(start_job(session, "quality", {"follow": False}).id)
    assert job_history(session, open_only=True).empty


def test_nothing_follows_a_fault(session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]) -> None:
    give(monkeypatch, "quality", fail(DataError("The moon is wrong.")))
    number = start_job(session, "quality").id
    with pytest.raises(DataError):
        do(number)
    assert list(job_history(session)["id"]) == [number]


def test_a_job_whose_worker_died_after_the_work_is_not_done_twice(
    session: Session, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    times = []

    def work(*_: Any) -> Outcome:
        times.append(1)
        return Outcome("Done.")

    give(monkeypatch, "quality", work)
    one = RunningJob(start_job(session, "quality").id, "quality", {}, 1, lambda: "")
    run_job(session, one, say=said.append)
    run_job(session, one, say=said.append)  # the queue was never told, so it hands the job out again
    assert len(times) == 1
    assert list(job_history(session)["task"]) == ["derive", "quality"]


# Skipping


def test_a_source_without_its_key_is_skipped_with_the_reason_and_nothing_follows(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    give_ingest(monkeypatch, NoKeyError("No key is set. Put FRED_API_KEY into the environment or .env."))
    job = do(start_job(session, "ingest", {"source": "sample"}).id)
    assert job["status"] == "skipped"
    assert job["said"].startswith("Skipped: ")
    assert "FRED_API_KEY" in job["said"]
    assert job_history(session, open_only=True).empty


def test_steps_say_why_they_skip_until_something_changes(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    checked = []

    class Result:
        headline = "Checked 3 series."

    def check(*_: Any, **__: Any) -> Result:
        checked.append(1)
        return Result()

    monkeypatch.setattr("quantlib.workflows.quality.check_quality", check)
    monkeypatch.setattr(tasks, "utc_now", lambda: datetime(2024, 5, 1, tzinfo=UTC))
    alone = {"follow": False}
    assert do(start_job(session, "quality", alone).id)["said"] == "Skipped: no prices are stored yet."
    dividend(session, "2024-01-02")
    second = do(start_job(session, "quality", alone).id)
    assert (second["status"], second["said"]) == ("done", "Checked 3 series.")
    third = do(start_job(session, "quality", alone).id)
    assert third["status"] == "skipped"
    assert third["said"] == f"Skipped: no price, action or observation has changed since job {second['id']} did this."
    assert do(start_job(session, "quality", {**alone, "force": True}).id)["status"] == "done"
    dividend(session, "2024-04-02")
    assert do(start_job(session, "quality", alone).id)["status"] == "done"
    monkeypatch.setattr(tasks, "code_version", lambda: "other code")
    assert do(start_job(session, "quality", alone).id)["status"] == "done"
    monkeypatch.setattr(tasks, "utc_now", lambda: datetime(2024, 5, 2, tzinfo=UTC))
    assert do(start_job(session, "quality", alone).id)["status"] == "done", "a day on, something may be late"
    assert len(checked) == 5


def dividend(session: Session, day: str) -> None:
    with session.store.begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO market_data.actions VALUES ('KO', 'sample', '{day}', 'dividend', 0.5, '{day}', NULL)"
        )


def give_ingest(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def ingest(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("quantlib.workflows.ingest.ingest", ingest)


# Ingest for real


def test_an_ingest_stores_prices_and_says_how_many(session: Session, do: Callable[..., Any], said: list[str]) -> None:
    job = do(start_job(session, "ingest", {"source": "sample", "symbols": ["KO", "PEP"], "follow": False}).id)
    bars = coverage(session.store)
    assert set(bars["symbol"]) == {"KO", "PEP"}
    assert job["said"].startswith(f"sample: {int(bars['bars'].sum()):,} new, 0 changed")
    assert (job["done"], job["total"]) == (2, 2)
    assert said == [f"Job {job['id']} (ingest): {job['said']}"]


def test_a_cancelled_ingest_stops_between_symbols_and_a_new_one_completes(
    session: Session, do: Callable[..., Any]
) -> None:
    answers = iter(["", "cancelled"])
    number = start_job(session, "ingest", {"source": "sample", "symbols": ["KO", "PEP", "MSFT"], "follow": False}).id
    with pytest.raises(JobStoppedError):
        do(number, stopping=lambda: next(answers))
    assert read_job(session.store, number)["said"] == "Cancelled after 0 of 3 steps. What was stored before stays."
    bars = coverage(session.store)
    assert dict(zip(bars["symbol"], bars["bars"], strict=True)) == {"KO": 8313}, "the first one whole, no other begun"
    cancel_job(session, number)
    again = repeat_job(session, number)
    assert again.new
    assert do(again.id)["status"] == "done"
    assert set(coverage(session.store)["symbol"]) == {"KO", "PEP", "MSFT"}


def test_a_vendor_that_does_not_answer_is_tried_again_and_given_up_in_the_end(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    def silent(*_: Any) -> None:
        raise UnreachableError("Nobody answers.")

    monkeypatch.setitem(SOURCES, "sample", replace(SOURCES["sample"], request=silent))
    number = start_job(session, "ingest", {"source": "sample", "symbols": ["KO", "PEP"]}).id
    for attempt in range(1, MOST_FAULTS):
        with pytest.raises(TryAgainError) as caught:
            do(number, attempt=attempt)
        assert caught.value.seconds == tasks.AGAIN_SECONDS
        job = read_job(session.store, number)
        assert job["outcome"] == ""
        assert job["said"].startswith(f"Nothing came of attempt {attempt}: sample: 0 new")
    with pytest.raises(QuantError):  # not one that would be tried again
        do(number, attempt=MOST_FAULTS)
    job = read_job(session.store, number)
    assert job["outcome"] == "failed"
    assert job["said"].startswith(f"Given up after {MOST_FAULTS} attempts. sample: 0 new")


def test_a_vendor_that_answers_in_part_is_asked_again_and_the_chain_goes_on_in_the_end(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    ask = SOURCES["sample"].request

    def some(wanted: Ask, call: Call) -> Payload:
        if wanted.name != "KO":
            raise LimitError("25 calls a day are used up.")
        return ask(wanted, call)

    monkeypatch.setitem(SOURCES, "sample", replace(SOURCES["sample"], request=some))
    symbols = ["KO", "PEP", "MSFT", "JNJ", "PG"]
    number = start_job(session, "ingest", {"source": "sample", "symbols": symbols}).id
    for attempt in range(1, MOST_FAULTS):
        with pytest.raises(TryAgainError, match=r"Left unanswered: 4 of 5\.") as caught:
            do(number, attempt=attempt)
        assert caught.value.seconds == tasks.AGAIN_SECONDS
        assert read_job(session.store, number)["said"].startswith(f"Only part came of attempt {attempt}: sample: ")
        assert len(job_history(session)) == 1, "what follows waits for the rest"
    job = do(number, attempt=MOST_FAULTS)
    assert job["status"] == "done"
    assert job["said"].endswith(f"Left unanswered: 4 of 5. Given up after {MOST_FAULTS} attempts.")
    assert list(job_history(session, open_only=True)["task"]) == ["quality"]


def test_what_the_vendor_does_not_have_is_not_asked_for_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    ask = SOURCES["sample"].request

    def some(wanted: Ask, call: Call) -> Payload:
        if wanted.name != "KO":
            raise NotFoundError("No such symbol.")
        return ask(wanted, call)

    monkeypatch.setitem(SOURCES, "sample", replace(SOURCES["sample"], request=some))
    job = do(start_job(session, "ingest", {"source": "sample", "symbols": ["KO", "PEP"]}).id)
    assert job["status"] == "done"
    assert "1 failed, first PEP: No such symbol." in job["said"]
    assert "unanswered" not in job["said"]


def test_a_refused_key_is_not_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    def refuse(*_: Any) -> None:
        raise BadKeyError("The key is not accepted.")

    monkeypatch.setitem(SOURCES, "sample", replace(SOURCES["sample"], request=refuse))
    symbols = ["KO", "PEP", "MSFT", "JNJ", "PG"]
    number = start_job(session, "ingest", {"source": "sample", "symbols": symbols}).id
    with pytest.raises(DataError, match=r"Left unanswered: 2 of 5\."):
        do(number)
    assert read_job(session.store, number)["outcome"] == "failed"


# Faults


def test_a_fault_a_user_can_mend_is_told_in_its_own_words(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any], said: list[str]
) -> None:
    give(monkeypatch, "quality", fail(SourceError("The vendor says no. Ask later.")))
    number = start_job(session, "quality").id
    with pytest.raises(SourceError):
        do(number)
    job = read_job(session.store, number)
    assert (job["outcome"], job["said"]) == ("failed", "The vendor says no. Ask later.")
    assert said == [f"Job {number} (quality): The vendor says no. Ask later."]


def test_an_unexpected_fault_shows_no_traceback_keeps_it_and_leaks_no_key(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any], said: list[str]
) -> None:
    give(monkeypatch, "quality", fail(ZeroDivisionError(f"https://vendor.test/?api_key={KEY}")))
    number = start_job(session, "quality").id
    with pytest.raises(ZeroDivisionError):
        do(number)
    job = read_job(session.store, number)
    assert job["said"] == "An unexpected fault (ZeroDivisionError). The file logs/jobs.log has the details."
    assert "Traceback" in job["traceback"]
    assert "api_key=…" in job["traceback"]
    assert KEY not in str(job) + "".join(said)


CANARY = "c4nary/in+keyring"


class Drawer(KeyringBackend):
    """A keyring that has one key."""

    priority = 1  # type: ignore[assignment]  # keyring's own is a property of the class

    def get_password(self, service: str, username: str) -> str | None:
        return CANARY if username == "POLYGON_API_KEY" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(f"a={CANARY}"),
        SourceError(f"b={CANARY} c={quote_plus(CANARY)}"),
        TryAgainError(5, f"d={CANARY}"),
        LostError(f"e={CANARY}"),
        PartlyError(5, Outcome(f"f={CANARY}")),
        None,
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_key_of_the_keyring_is_written_nowhere(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    do: Callable[..., Any],
    said: list[str],
    error: Exception | None,
) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(Drawer())
    monkeypatch.setattr(settings, "_keyring_said", {})
    monkeypatch.setattr(settings, "_handed_out", set())

    def work(here: Session, *_: Any) -> Outcome:
        assert here.settings.credentials(["POLYGON_API_KEY"])["POLYGON_API_KEY"].get_secret_value() == CANARY
        if error is None:
            return Outcome(f"Done with {CANARY}.")
        raise error

    give(monkeypatch, "quality", work)
    number = start_job(session, "quality").id
    raised = ""
    try:
        with worker._logged(session.settings):
            for _ in range(MOST_FAULTS):
                with suppress(TryAgainError):
                    do(number)
                    break
    except (QuantError, ZeroDivisionError) as caught:
        raised = str(caught) if isinstance(error, TryAgainError | LostError) else ""
    finally:
        keyring.set_keyring(before)
    written = (session.settings.home / "logs" / "jobs.log").read_text()
    kept = read_job(session.store, number)
    assert kept["outcome"]
    for text in (str(kept), "".join(said), written, raised):
        assert CANARY not in text
        assert quote_plus(CANARY) not in text
    assert "…" in written


def test_a_lost_database_is_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    give(monkeypatch, "quality", fail(LostError("The database went away.")))
    number = start_job(session, "quality").id
    waits = []
    for _ in range(1, MOST_FAULTS):
        with pytest.raises(TryAgainError, match="went away") as caught:
            do(number)
        waits.append(caught.value.seconds)
    assert waits == [2, 10, 50, 250]
    with pytest.raises(QuantError):
        do(number)


def test_a_worker_that_ends_leaves_no_mark_on_the_job_it_will_go_on_with(
    session: Session, monkeypatch: pytest.MonkeyPatch, do: Callable[..., Any]
) -> None:
    def work(_: Session, __: StepArgs, progress: Callable[[int, int, str], None]) -> Outcome:
        progress(1, 2, "half")
        raise AssertionError("it went on")

    give(monkeypatch, "quality", work)
    number = start_job(session, "quality").id
    with pytest.raises(JobStoppedError):
        do(number, stopping=lambda: "ending")
    assert read_job(session.store, number)["outcome"] == ""


def test_progress_is_written_no_more_than_twice_a_second(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    number = start_job(session, "quality").id
    written: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "quantlib.store.jobs.report_progress", lambda _, __, done, total, label: written.append((done, total))
    )
    report = Reporter(session, RunningJob(number, "quality", {}, 1, lambda: ""))
    for n in range(1001):
        report(n, 1000, "")
    assert written[0] == (0, 1000)
    assert written[-1] == (1000, 1000)
    assert len(written) < 10


# Asking


def test_a_job_that_runs_cannot_be_repeated_and_one_that_is_not_there_neither(session: Session) -> None:
    number = start_job(session, "quality").id
    with pytest.raises(DataError, match=f"Job {number} is waiting. Cancel it first"):
        repeat_job(session, number)
    with pytest.raises(DataError, match="There is no job 77"):
        repeat_job(session, 77)
    with pytest.raises(DataError, match=r"There is no task 'qualty'\. Did you mean quality\?"):
        job_history(session, task="qualty")
    assert cancel_job(session, number) == f"Job {number} is cancelled; it had not begun."


def test_tasks_are_complete() -> None:
    chain, name = [], "ingest"
    while name:
        chain.append(name)
        name = TASKS[name].then or ""
    assert chain == ["ingest", "quality", "derive", "pipeline", "report"]
    assert set(TASKS) - set(chain) == {"sweep", "train", "validate"}
    for task in TASKS.values():
        assert isinstance(task, Task)
        assert task.title
    assert TASKS["ingest"].lock(TASKS["ingest"].args.model_validate({"source": "ecb"})) == "ingest:ecb"
