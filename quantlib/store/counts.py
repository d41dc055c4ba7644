"""What a write did, in rows, and when."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from quantlib.errors import DataError


class WriteCount(NamedTuple):
    """Rows that were new, differed from what was stored, or were stored already just so."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def plus(self, other: WriteCount) -> WriteCount:
        """Return both counts added up."""
        return WriteCount(*(a + b for a, b in zip(self, other, strict=True)))


def check_moment(at: datetime | None) -> None:
    """Refuse a time of writing without a zone: nobody could say later when it was."""
    if at is not None and at.tzinfo is None:
        raise DataError(f"The time of a write has no zone: {at}. Give it one, such as datetime.now(UTC).")
