"""The circuit breaker of each vendor: opens after faults, lets one process try, closes on a good answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from database import Database

from quantlib.models.ops import VendorState
from quantlib.store import Store
from quantlib.store.vendors import admit, note_fault, note_refusal, note_success, vendor_states

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def break_down(store: Store, times: int = 5) -> None:
    for number in range(times):
        note_fault(store, "acme", f"fault {number + 1}", at=later(number - times + 1))


def test_a_vendor_never_asked_is_free_to_ask(store: Store) -> None:
    assert admit(store, "acme").open
    states = vendor_states(store)
    assert states.empty
    assert tuple(states.columns) == VendorState.columns()


def test_it_opens_at_the_fifth_fault_in_a_row_for_five_minutes(store: Store) -> None:
    break_down(store, 4)
    assert admit(store, "acme", at=NOON).open
    note_fault(store, "acme", "the last straw", at=NOON)
    stopped = admit(store, "acme", at=later(299))
    assert (stopped.open, stopped.until, stopped.failures, stopped.last_error) == (
        False,
        later(300),
        5,
        "the last straw",
    )
    assert admit(store, "other", at=later(1)).open


def test_a_success_in_between_starts_the_count_anew(store: Store) -> None:
    break_down(store, 4)
    note_success(store, "acme", at=NOON)
    for _ in range(4):
        note_fault(store, "acme", "again", at=later(1))
    assert admit(store, "acme", at=later(2)).open


def test_after_the_pause_one_asker_may_try_and_a_success_closes_it(store: Store) -> None:
    break_down(store)
    assert admit(store, "acme", at=later(300))[:2] == (True, True)
    second = admit(store, "acme", at=later(301))
    assert (second.open, second.until) == (False, later(300 + 180))
    note_success(store, "acme", at=later(302))
    assert admit(store, "acme", at=later(303))[:2] == (True, False)
    assert admit(store, "acme", at=later(303))[:2] == (True, False)


def test_a_try_nobody_finished_is_given_to_the_next(store: Store) -> None:
    break_down(store)
    assert admit(store, "acme", at=later(300)).trial
    assert not admit(store, "acme", at=later(479)).open
    assert admit(store, "acme", at=later(480)).trial


def test_each_failed_try_doubles_the_pause_up_to_an_hour(store: Store) -> None:
    break_down(store)
    moment = NOON
    for pause in [300, 600, 1200, 2400, 3600, 3600, *[3600] * 20]:
        assert not admit(store, "acme", at=moment + timedelta(seconds=pause - 1)).open
        moment += timedelta(seconds=pause)
        assert admit(store, "acme", at=moment).trial
        note_fault(store, "acme", "still down", at=moment)
    note_success(store, "acme", at=moment)
    break_down(store, 1)
    assert admit(store, "acme", at=moment).open, "closed, one fault does not open it"


def test_calls_under_way_when_it_opens_do_not_lengthen_the_pause(store: Store) -> None:
    break_down(store)
    for _ in range(10):
        note_fault(store, "acme", "late", at=later(5))
    assert admit(store, "acme", at=later(299)).until == later(300)
    assert admit(store, "acme", at=later(300)).trial
    assert vendor_states(store)["failures"].tolist() == [5]


def test_an_error_that_is_not_the_vendors_fault_is_only_written_down(store: Store) -> None:
    for _ in range(9):
        note_refusal(store, "acme", "wrong key", at=NOON)
    assert admit(store, "acme", at=NOON).open
    row = vendor_states(store).iloc[0]
    assert (row["failures"], row["last_error"], row["last_error_at"]) == (0, "wrong key", pd.Timestamp(NOON))


def test_states_tell_all_of_it(store: Store) -> None:
    note_success(store, "zeta", at=NOON)
    break_down(store)
    assert admit(store, "acme", at=later(400)).trial
    states = vendor_states(store).set_index("source")
    assert list(states.index) == ["acme", "zeta"]
    acme = states.loc["acme"]
    assert acme["open_until"] == pd.Timestamp(later(300))
    assert acme["trial_until"] == pd.Timestamp(later(580))
    assert acme["last_error_at"] == pd.Timestamp(NOON)
    assert pd.isna(acme["last_success_at"])
    assert states.loc["zeta", "last_success_at"] == pd.Timestamp(NOON)
    assert pd.isna(states.loc["zeta", "open_until"])


def test_the_servers_clock_is_used_where_none_is_given(store: Store) -> None:
    for _ in range(5):
        note_fault(store, "acme", "down")
    until = admit(store, "acme").until
    assert until is not None
    assert timedelta(seconds=290) < until - datetime.now(UTC) <= timedelta(seconds=301)


@pytest.mark.parametrize("separate", [False, True])
def test_of_many_who_ask_at_once_one_may_try(store: Store, database: Database, separate: bool) -> None:
    break_down(store)
    stores = [Store.connect(database.url, database.home) if separate else store for _ in range(4)]
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: admit(stores[n % 4], "acme", at=later(300)), range(16)))
    finally:
        for one in stores if separate else []:
            one.close()
    assert sum(answer.open for answer in answers) == 1
    assert {answer.until for answer in answers if not answer.open} <= {later(300), later(480)}


def test_faults_counted_at_once_are_all_counted(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: note_fault(store, "acme", "down", at=NOON), range(4)))
    assert vendor_states(store)["failures"].tolist() == [4]
