"""The universe: every instrument the workbench follows, and what its lists allow to say about the past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cached_property

import pandas as pd
from pydantic import BaseModel, ConfigDict

from quantlib.errors import DataError, nearest
from quantlib.models.market import Membership
from quantlib.types import DateLike, Instrument, as_date
from quantlib.universe.lists import UniverseList

ALL = "all"
NOT_CHOSEN = {"index", "fx", "future"}
"""Kinds nobody follows because they did well; an index carries its own changes."""


class Universe(BaseModel):
    """Every instrument the workbench follows, described once, and the lists that name them.

    Parameters
    ----------
    instruments
        In the order of the file; each carries the tags of all lists it is in.
    lists
        By name, in the order of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: tuple[Instrument, ...]
    lists: dict[str, UniverseList]

    @cached_property
    def _by_symbol(self) -> dict[str, Instrument]:
        return {instrument.symbol: instrument for instrument in self.instruments}

    def symbols(self, name: str = ALL) -> tuple[str, ...]:
        """Return the symbols of one list, or of the whole universe for `all`.

        Raises
        ------
        DataError
            There is no list of that name.
        """
        if name == ALL:
            return tuple(self._by_symbol)
        if name not in self.lists:
            raise DataError(f"The universe has no list {name!r}. {nearest(name, [ALL, *self.lists], limit=20)}")
        return self.lists[name].symbols

    def members(self, name: str, on: DateLike) -> tuple[str, ...]:
        """Return who was on a list on a day, those included that have left it since.

        Raises
        ------
        DataError
            There is no such list, or it is not known that far back.

        Examples
        --------
        >>> "INTC" in universe.members("dow-jones-30", on="2024-11-07")  # doctest: +SKIP
        True
        """
        self.symbols(name)
        return self.lists[name].members(on)

    def history(self) -> pd.DataFrame:
        """Return every stay on the lists whose past is known, in the columns of `MODELS["membership"]`."""
        rows = [
            (entry.name, span.symbol, span.start, span.end, "history")
            for entry in self.lists.values()
            for span in entry.spans
            if entry.since is not None
        ]
        frame = pd.DataFrame(rows, columns=list(Membership.columns()))
        days = dict.fromkeys(("member_from", "member_to"), "datetime64[us]")
        return frame.astype({"list": "str", "symbol": "str", "basis": "str"} | days)

    def selection_bias(self, chosen: str | Iterable[str], start: DateLike) -> str:
        """Return why testing a list, or some symbols, from `start` on looks into the future; empty if it does not.

        A list drawn up later holds those that lasted and did well until then. So does any choice of symbols made
        from it, however small. Free of that are: a list whose changes are known from `start` on; exactly those who
        were on such a list on that day; choices from lists that were drawn up before; indices and currencies.

        Parameters
        ----------
        chosen
            Name of a list, taken with its members of each day, or symbols held in view throughout.
        start
            First day used.
        """
        first = as_date(start, "start").date()
        if isinstance(chosen, str) and chosen != ALL:
            self.symbols(chosen)
            if (known := self.lists[chosen].known_from) <= first:
                return ""
            return f"The list {chosen} is known from {known} on, but used from {first} on: selection-biased."
        symbols = {
            symbol
            for symbol in (self.symbols() if isinstance(chosen, str) else chosen)
            if symbol not in self._by_symbol or self._by_symbol[symbol].kind not in NOT_CHOSEN
        }
        late = sorted(symbol for symbol in symbols if self._drawn_up.get(symbol, date.max) > first)
        recorded = [entry for entry in self.lists.values() if entry.since is not None and entry.since <= first]
        if not late or any(symbols == set(entry.members(first)) for entry in recorded):
            return ""
        names = " and ".join(late) if len(late) < 3 else f"{', '.join(late[:2])} and {len(late) - 2} more"
        on = max(self._drawn_up.get(symbol, date.max) for symbol in late)
        when = f"from a list drawn up on {on}" if on < date.max else "without a dated list"
        return (
            f"{names} {'was' if len(late) == 1 else 'were'} chosen {when}, but used from {first} on: selection-biased."
        )

    @cached_property
    def _drawn_up(self) -> dict[str, date]:
        # The earliest day on which each symbol was chosen for a list.
        days: dict[str, date] = {}
        for entry in self.lists.values():
            for symbol in entry.symbols:
                days[symbol] = min(entry.drawn_up, days.get(symbol, entry.drawn_up))
        return days

    def instrument(self, symbol: str) -> Instrument:
        """Return what is known about a symbol.

        Raises
        ------
        DataError
            The universe does not hold it.
        """
        if symbol not in self._by_symbol:
            raise DataError(f"The universe has no instrument {symbol!r}. {nearest(symbol, self._by_symbol)}")
        return self._by_symbol[symbol]
