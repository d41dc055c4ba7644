"""A scenario of one's own as it is typed: the form, the text and the address all read and write this one draft."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st
from annotated_types import MaxLen

from app.address import pack, unpack
from app.layout import plain
from quantlib.errors import DataError
from quantlib.scenarios import FACTORS, Scenario, faults, make_scenario, parse_scenario, to_yaml, write_fields
from quantlib.scenarios.factors import Unit
from quantlib.scenarios.scenario import LIMITS, in_range

#: Where the scenarios taken in are kept between runs, and how the address calls them.
OWN, OWN_LINK = "own-scenarios", "own"
#: Signs that an address may have for all scenarios of one's own; some servers cut off what is longer.
LONGEST = 6_000
#: By how a shock is written: the sign of the unit people use for it, and how many of these make one.
UNITS: dict[Unit, tuple[str, float]] = {"change": ("%", 100.0), "bps": ("bps", 1.0), "times": ("×", 1.0)}


@dataclass
class Draft:
    """A scenario as it is typed.

    Parameters
    ----------
    base
        The title of the scenario it began from.
    fields
        What is typed, field by field as in a file, valid or not.
    taken
        The ready scenarios, whose ids and titles it must not have.
    scenario
        What is typed, as a scenario; None as long as it is none.
    faults
        What is wrong, sentences by field; "" is the text as a whole.
    text
        A typed text that is no scenario, kept until it is one or the form is used.
    turn
        Counts how often it was replaced from outside the form, so that the form's widgets start anew.
    """

    base: str
    fields: dict[str, Any]
    taken: Collection[Scenario]
    scenario: Scenario | None = None
    faults: dict[str, list[str]] = field(default_factory=dict)
    text: str | None = None
    turn: int = 0

    def __post_init__(self) -> None:
        self.start = self.fields
        self.judge()

    @property
    def changed(self) -> bool:
        """Whether it is another scenario than the one it began as."""
        return self.fields != self.start

    def judge(self) -> None:
        """Decide whether what is typed is a scenario."""
        self.faults = faults(self.fields)
        if wrong := shock_faults(self.fields.get("shocks", ())):
            self.faults["shocks"] = wrong
        for name in ("title", "id"):
            came = self.fields.get(name)
            if any(came == getattr(one, name) for one in self.taken):
                self.faults.setdefault("title", []).append(f"{came!r} is the {name} of a ready scenario. Change it.")
        self.scenario = None if self.faults else make_scenario(self.fields)

    def typed(self, fields: Mapping[str, Any]) -> None:
        """Take what a form holds."""
        if dict(fields) != self.fields:
            self.fields, self.text = dict(fields), None
            self.judge()

    def written(self, text: str) -> None:
        """Take what a text says."""
        try:
            scenario = parse_scenario(text, "The text")
        except DataError as error:
            self.scenario, self.text, self.faults = None, text, {"": [str(error)]}
        else:
            self.fields, self.text, self.turn = dump(scenario), None, self.turn + 1
            self.judge()

    @property
    def document(self) -> str:
        """The scenario as the text of its file; where it is none, what was typed."""
        if self.text is not None:
            return self.text
        if self.scenario is not None:
            return to_yaml(self.scenario)
        return write_fields({name: value for name, value in self.fields.items() if value is not None})


def dump(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario field by field, as the form holds it."""
    out = scenario.model_dump(mode="json")
    out["shocks"] = [{name: value for name, value in shock.items() if value is not None} for shock in out["shocks"]]
    return out


def begin(scenario: Scenario) -> dict[str, Any]:
    """Return the fields of a new scenario that begins from a ready one: its moves, as an assumption of one's own."""
    most = longest("title")
    title = f"My {scenario.title}"[:most].rstrip()
    source = f"Own assumption, begun from {scenario.title}."
    own = {"id": name_of(title), "title": title, "kind": "hypothetical", "window": None, "source": source}
    return {**dump(scenario), **own}


def name_of(title: str) -> str:
    """Return a title as an id, which is the name of its file.

    Examples
    --------
    >>> name_of("Öl +50 %, my way")
    'ol-50-my-way'
    """
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-") or "own-scenario"


def rows_of(shocks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return shocks as the rows of the table: what moves, and how far in the unit people use for it."""
    rows = []
    for shock in shocks:
        name = shock.get("factor") or shock.get("asset")
        key: Unit = next((unit for unit in UNITS if unit in shock), "change")
        rows.append((name, None if key not in shock else round(shock[key] * UNITS[key][1], 10)))
    return pd.DataFrame(rows, columns=["moves", "size"]).astype({"moves": "str", "size": "float64"})


def shocks_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of the table as shocks, half-filled ones as they are; empty rows are none."""
    out = []
    for name, size in table[["moves", "size"]].itertuples(index=False):
        known = not pd.isna(name) and bool(name)
        if not known and pd.isna(size):
            continue
        unit = unit_of(str(name)) if known else "change"
        shock: dict[str, Any] = {"factor" if name in FACTORS else "asset": str(name)} if known else {}
        out.append(shock if pd.isna(size) else {**shock, unit: round(float(size) / UNITS[unit][1], 12)})
    return out


def shock_faults(shocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with shocks in the words of the table: half-filled rows, and sizes out of range."""
    said = []
    for shock in shocks:
        name = shock.get("factor") or shock.get("asset")
        unit = next((unit for unit in UNITS if unit in shock), None)
        if name is None:
            said.append(
                f"A row says by how much ({rows_of([shock])['size'].iloc[0]:+g}), but not what moves. Choose it."
            )
        elif unit is None:
            said.append(f"{name} has no size yet. Write it in {UNITS[unit_of(name)][0]}.")
        elif not in_range(unit, shock[unit]):
            sign, scale = UNITS[unit]
            low, high = (end * scale for end in LIMITS[unit])
            least = "from" if unit == "bps" else "above"
            came = f"{shock[unit] * scale:+,g} {sign}"
            said.append(f"{name} moves by {came}; accepted: {least} {low:+,g} to {high:+,g} {sign}.")
    return said


def unit_of(name: str) -> Unit:
    """Return the unit of what moves, a key of `UNITS`."""
    return FACTORS[name].unit if name in FACTORS else "change"


def called(name: object) -> str:
    """Return what moves with the unit it is written in."""
    name = str(name)
    about = f" – {FACTORS[name].title}" if name in FACTORS else ""
    return f"{name} ({UNITS[unit_of(name)][0]}){about}"


def shares_of(text: str) -> list[Any]:
    """Return the shares of a path that are written with commas or spaces between; what is no number stays text."""
    return [_number(part) for part in re.split(r"[,;\s]+", text.strip()) if part]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def own_scenarios() -> dict[str, Scenario]:
    """Return the scenarios of one's own by title; those in the address are read once, and then kept there."""
    if OWN not in st.session_state:
        own: dict[str, Scenario] = {}
        for code in st.query_params.get_all(OWN_LINK):
            try:
                scenario = from_link(code)
            except DataError as error:
                st.error(plain(str(error)), icon=":material/link_off:")
            else:
                own[scenario.title] = scenario
        st.session_state[OWN] = own
    found: dict[str, Scenario] = st.session_state[OWN]
    codes = [as_link(one) for one in found.values()]
    if sum(map(len, codes)) > LONGEST:
        codes = []
        st.warning("Your scenarios are too long for the address. Download them, else a reload loses them.")
    if st.query_params.get_all(OWN_LINK) != codes:
        st.query_params[OWN_LINK] = codes
    return found


def as_link(scenario: Scenario) -> str:
    """Return a scenario as text that fits into an address."""
    return pack(scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True))


def from_link(code: str) -> Scenario:
    """Return the scenario in a part of an address.

    Raises
    ------
    DataError
        It is cut off, was changed on its way, or is no scenario.
    """
    try:
        content = unpack(code)
    except ValueError as error:
        raise DataError(
            f"The scenario in this address cannot be read ({error}). Ask for the link again, or for its file."
        ) from None
    if not isinstance(content, dict):
        raise DataError(f"The scenario in this address is {type(content).__name__}, not fields. Ask for its file.")
    return make_scenario(content, "The scenario in this address")


def longest(name: str) -> int:
    """Return how many signs a text of the model may have."""
    return next(rule.max_length for rule in Scenario.model_fields[name].metadata if isinstance(rule, MaxLen))
