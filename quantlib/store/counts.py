"""What a write did, in rows."""

from __future__ import annotations

from typing import NamedTuple


class WriteCount(NamedTuple):
    """Rows that were new, differed from what was stored, or were stored already just so."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def plus(self, other: WriteCount) -> WriteCount:
        """Return both counts added up."""
        return WriteCount(*(a + b for a, b in zip(self, other, strict=True)))
