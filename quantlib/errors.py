"""The error tree: every fault a user can cause or meet has a class here and a message that helps."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class QuantError(Exception):
    """Base of every error the workbench raises on purpose; its message is shown to the user as it is."""


class ConfigError(QuantError):
    """A setting, an environment variable or a server address is missing or wrong."""


class DataError(QuantError):
    """Data asked for does not exist, or data given breaks a rule."""


class SourceError(QuantError):
    """A vendor did not answer, refused, or answered something that cannot be read."""


class StrategyError(QuantError):
    """A strategy definition or its result breaks a rule."""


class OrderError(QuantError):
    """An order cannot be placed as asked."""


def nearest(name: str, accepted: Iterable[str], *, limit: int = 8) -> str:
    """Return the closing words of an error about a wrong name: the nearest match, or what is accepted.

    Parameters
    ----------
    name
        What came.
    accepted
        The names that would have been right.
    limit
        How many of them to list when none is near.

    Examples
    --------
    >>> nearest("APPL", ["AAPL", "MSFT"])
    'Did you mean AAPL?'
    """
    names = sorted(map(str, accepted))
    if close := get_close_matches(name.upper(), [n.upper() for n in names], n=1, cutoff=0.6):
        return f"Did you mean {next(n for n in names if n.upper() == close[0])}?"
    if not names:
        return "There are none yet."
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"Accepted: {', '.join(names[:limit])}{more}."
