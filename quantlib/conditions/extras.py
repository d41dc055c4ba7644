"""Extras by name: what a condition reads from the panel beside prices, and how it is called there."""

from __future__ import annotations

from dataclasses import dataclass

from quantlib.errors import DataError, nearest


@dataclass(frozen=True)
class Use:
    """A kind of extra.

    Parameters
    ----------
    form
        How it is written in a condition.
    about
        What it gives, in one sentence.
    named
        What its name is of.
    of_symbol
        Whether each symbol has its own.
    """

    form: str
    about: str
    named: str
    of_symbol: bool


EXTRAS: dict[str, Use] = {
    "macro": Use(
        'macro("CPIAUCSL")',
        "The newest figure of a macro series that was released by the close, as it stood then.",
        "series",
        of_symbol=False,
    ),
    "model": Use(
        'model("up or down")',
        "What a registered model's champion says of the subject at the close; of another symbol by a dot.",
        "model",
        of_symbol=True,
    ),
}


def extra_key(use: str, name: str) -> str:
    """Return what an extra is called on a panel.

    Examples
    --------
    >>> extra_key("macro", "CPIAUCSL")
    'macro: CPIAUCSL'
    """
    return f"{use}: {name}"


def extra_parts(key: str) -> tuple[str, str]:
    """Return the kind of an extra and the name in it.

    Raises
    ------
    DataError
        It is no such key.

    Examples
    --------
    >>> extra_parts("model: up or down")
    ('model', 'up or down')
    """
    use, _, name = key.partition(": ")
    if use not in EXTRAS:
        raise DataError(f"{key!r} names no extra. {nearest(use, EXTRAS)} Write it as in 'macro: CPIAUCSL'.")
    if not name.strip():
        raise DataError(f"{key!r} names no {EXTRAS[use].named}. Write it as in {extra_key(use, 'NAME')!r}.")
    return use, name
