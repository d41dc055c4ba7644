"""The gate every call of a vendor passes, and how a vendor is asked: with which keys, how patiently."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from quantlib.errors import SourceError
from quantlib.settings import Settings
from quantlib.sources.base import (
    Call,
    EmptyError,
    FormatError,
    LimitError,
    NotFoundError,
    Parsed,
    PausedError,
    Payload,
    Source,
    UnreachableError,
)
from quantlib.sources.transport import without
from quantlib.store import Store
from quantlib.store.quota import Quota, Refusal
from quantlib.store.vendors import admit, note_fault, note_refusal, note_success

FAULTS = (UnreachableError, FormatError, LimitError)
"""What speaks against a vendor's health, and opens its breaker when it happens often enough in a row."""
PATIENCE = 61.0
"""Seconds an attempt waits for the quota: limits per minute are waited out, longer ones are an error."""
_SPANS = {1: "a second", 60: "a minute", 3600: "an hour", 86_400: "a day"}


class StoreGate:
    """The gate of one vendor: its quota and circuit breaker, kept in the database by all processes together.

    Parameters
    ----------
    store
        That database.
    source
        The vendor.
    secrets
        Credentials no error may be written down with.
    patience
        Seconds to wait for the quota.
    """

    def __init__(
        self, store: Store, source: Source, *, secrets: Iterable[str] = (), patience: float = PATIENCE
    ) -> None:
        self._store = store
        self._title = source.title
        self._secrets = tuple(secrets)
        self._patience = patience
        self._quota = Quota(store, source.name, source.rates) if source.rates else None
        self._trying = False

    def enter(self, source: str) -> None:
        """Return when the vendor may be asked now; the call is counted.

        Raises
        ------
        PausedError
            The breaker is open.
        LimitError
            The quota is used up for longer than is worth waiting.
        """
        if not self._trying:  # else the one try after a pause is ours, however many calls it takes
            answer = admit(self._store, source)
            if not answer.open:
                raise PausedError(
                    f"{self._title} is left alone{_until(answer.until)}: {answer.failures} faults in a row, "
                    f"the last: {answer.last_error}"
                )
            self._trying = answer.trial
        waited = 0.0
        while self._quota is not None and (refusal := self._quota.take()) is not None:
            if waited + refusal.wait > self._patience:
                raise LimitError(f"{self._title}: {_used_up(refusal)}")
            time.sleep(refusal.wait)
            waited += refusal.wait

    def succeeded(self, source: str) -> None:
        """Note that the vendor is well."""
        self._trying = False
        note_success(self._store, source)

    def failed(self, source: str, error: Exception) -> None:
        """Note an error; only some of them are the vendor's fault."""
        self._trying = False
        note = note_fault if isinstance(error, FAULTS) else note_refusal
        note(self._store, source, without(str(error), *self._secrets))


def _until(moment: datetime | None) -> str:
    return f" until {moment:%Y-%m-%d %H:%M} UTC" if moment is not None else ""


def rate_words(calls: int, seconds: int) -> str:
    """Return a limit in words, such as `25 calls a day`."""
    return f"{calls:,} calls {_SPANS.get(seconds, f'in {seconds / 3600:g} hours')}"


def _used_up(refusal: Refusal) -> str:
    return f"{rate_words(refusal.calls, refusal.seconds)} are used up; next possible {refusal.at:%Y-%m-%d %H:%M} UTC."


def call_for(store: Store, settings: Settings, source: Source, *, patience: float = PATIENCE) -> Call:
    """Return how to ask a vendor: with the keys that are set, its cache folder, and the gate all processes share.

    Parameters
    ----------
    store, settings
        Where quota and breaker are kept, and where the keys come from.
    source
        The vendor.
    patience
        Seconds an attempt waits for the quota before it is a `LimitError`.

    Raises
    ------
    ConfigError
        A key has to be looked for in a Vault that does not answer.
    """
    keys = settings.credentials([*source.keys, *source.optional_keys])
    secrets = [key.get_secret_value() for key in keys.values()]
    gate = StoreGate(store, source, secrets=secrets, patience=patience)
    return Call(home=settings.home / "cache" / source.name, keys=keys, gate=gate)


def read_answer(source: Source, payload: Payload, call: Call) -> Parsed:
    """Return what an answer says, and let the vendor's breaker know whether it said anything.

    Every answer that came over `call` is to be read here: an answer alone is no success, and without a success
    the faults of a week would add up.

    Raises
    ------
    SourceError
        As `source.parse`.
    """
    try:
        parsed = source.parse(payload)
    except (NotFoundError, EmptyError):  # the vendor is well, it only has nothing
        call.gate.succeeded(source.name)
        raise
    except SourceError as error:
        call.gate.failed(source.name, error)
        raise
    call.gate.succeeded(source.name)
    return parsed
