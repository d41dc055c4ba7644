"""The definition on the page, as it is typed: the form, the text and the address all read and write this one draft."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.address import pack, unpack
from quantlib.errors import QuantError, StrategyError
from quantlib.strategies import LIBRARY, STRATEGIES, Definition, Strategy, build
from quantlib.strategies.document import LONGEST_NAME, SCHEMA, from_yaml, to_yaml
from quantlib.strategies.plain_yaml import write_plain
from quantlib.workflows.lab import definition_name

#: Choices that begin with what a family usually is.
NEW = {f"New: {family.title}": family for family in STRATEGIES.values()}
#: Where the draft is kept between runs, and how the address calls a definition that travels in it.
HELD, LINK, SENT = "lab-draft", "d", "lab-sent"


@dataclass
class Draft:
    """A definition that may be changed, and what is wrong with it as it is typed.

    Parameters
    ----------
    name, base
        What the definition it started from is called, and that definition.
    strategy
        What is typed, as a definition; None as long as it is none.
    family, params
        What is typed, field by field, valid or not.
    fault
        What is wrong with what is typed; empty where nothing is.
    text
        A typed document that is no definition, kept until it is one or the form is used.
    told, told_name
        What a document or a link said of it.
    turn
        Counts how often it was replaced from outside the form, so that the form's widgets start anew.
    broken_link
        Why the definition in the address could not be read; empty where it could, or there was none.
    notice
        What happened to the definition it started from; empty where nothing did.
    """

    name: str
    base: Strategy
    strategy: Strategy | None = None
    family: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    text: str | None = None
    told: Definition | None = None
    told_name: str = ""
    turn: int = 0
    broken_link: str = ""
    notice: str = ""

    def __post_init__(self) -> None:
        self.become(self.base)

    @property
    def title(self) -> str:
        """What to call it: what it came as, as long as it still is that; else what it is."""
        if self.strategy is None or self.strategy == self.base:
            return self.name
        if self.told is not None and self.told.strategy == self.strategy:
            return self.told_name
        return definition_name(self.strategy)

    @property
    def anywhere(self) -> str:
        """The choice under which others can open it too, who have none of the names that were given here."""
        if self.name in LIBRARY or self.name in NEW or self.strategy is None:
            return self.name
        return f"New: {STRATEGIES[self.strategy.family].title}"

    @property
    def changed(self) -> bool:
        """Whether it is another definition than the one it started from."""
        return self.strategy != self.base

    def become(self, strategy: Strategy, name: str = "", told: Definition | None = None) -> None:
        """Become another definition, with what is told about it."""
        self.strategy, self.family, self.params = strategy, strategy.family, strategy.model_dump()
        self.fault, self.text, self.broken_link, self.notice, self.turn = "", None, "", "", self.turn + 1
        self.told_name, self.told = name, told or (Definition(strategy) if name else None)

    def rebase(self, base: Strategy) -> None:
        """Start from what the same name means by now, and keep what was typed."""
        self.base = base
        self.notice = f"{self.name} was saved anew meanwhile. What you changed is kept, and compared with the new one."

    def typed(self, params: Mapping[str, Any]) -> None:
        """Take what a form holds."""
        if self.text is None and self.holds(params):
            return
        self.params, self.text = dict(params), None
        try:
            self.strategy, self.fault = build(self.family, self.params), ""
        except StrategyError as error:
            self.strategy, self.fault = None, str(error)

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Return whether a form holds what the draft does, be it in lists or in tuples."""
        return json.dumps(params, default=str) == json.dumps(self.params, default=str)

    def refused(self, why: str) -> None:
        """Be no definition after all, as when a condition names what there is not among the prices."""
        self.strategy, self.fault = None, why

    def written(self, text: str) -> None:
        """Take what a document says."""
        try:
            name, told = from_yaml(text)
        except StrategyError as error:
            self.strategy, self.fault, self.text = None, str(error), text
        else:
            self.become(told.strategy, name, told)

    @property
    def document(self) -> str:
        """The definition as YAML; where it is none, what was typed, as far as a document can hold it."""
        if self.text is not None:
            return self.text
        name = plain_name(self.title)
        if self.strategy is None:
            params = json.loads(json.dumps(self.params, default=str))
            return write_plain({"schema": SCHEMA, "name": name, "family": self.family, "parameters": params})
        told = self.told if self.told is not None else LIBRARY.get(self.name) if not self.changed else None
        return to_yaml(self.strategy, name, *((told.why, told.reference) if told else ()))


def plain_name(name: str) -> str:
    """Return a name without the signs that a document's name must not have."""
    signs = "".join(sign for sign in name.replace(", ", " ") if sign not in ",@" and sign.isprintable())
    return signs.strip()[:LONGEST_NAME].rstrip() or "Definition"


def as_link(strategy: Strategy, name: str) -> str:
    """Return a definition as text that fits into an address."""
    content = {"n": plain_name(name), "f": strategy.family, "p": strategy.model_dump(mode="json", exclude_none=True)}
    return pack(content)


def from_link(text: str) -> tuple[str, Strategy]:
    """Return the name and the definition in a part of an address.

    Raises
    ------
    StrategyError
        It is cut off, changed on its way, or no definition of this version.
    """
    try:
        content = unpack(text)
        name, family, params = str(content["n"]), str(content["f"]), content["p"]
    except (ValueError, KeyError, TypeError):
        raise StrategyError(
            f"The definition in this address cannot be read ({len(text):,} characters came); part of it is missing or "
            "changed. Ask for the link again, or for the definition as YAML."
        ) from None
    if family not in STRATEGIES or not isinstance(params, dict):
        raise StrategyError(f"The address holds a definition of the family {family[:40]!r}, which is not known.")
    try:
        return plain_name(name), build(family, params)
    except QuantError as error:
        raise StrategyError(f"The definition in this address is not accepted. {error}") from None


def open_draft(name: str, base: Strategy) -> Draft:
    """Return the draft of this visit for the definition that is chosen; one in the address goes before it.

    A link that cannot be read is said, and the chosen definition is shown instead.
    """
    found: Draft | None = st.session_state.get(HELD)
    code = st.query_params.get(LINK, "")
    if found is not None and found.name == name and found.base != base and found.changed and found.strategy != base:
        found.rebase(base)
    if found is None or (found.name, found.base) != (name, base):
        found = st.session_state[HELD] = Draft(name, base, turn=0 if found is None else found.turn)
    elif code == st.session_state.get(SENT, ""):
        return found
    if code and code != st.session_state.get(SENT, ""):
        try:
            title, strategy = from_link(code)
            found.become(strategy, title)
        except StrategyError as error:
            found.broken_link = str(error)
        st.session_state[SENT] = code
    return found


def mend_address(key: str, default: str | None = None) -> None:
    """Write what a widget holds into the address it is bound to, where that says something else.

    A run that is broken off by a click still sends the address it began with, after the browser has written the click
    into it.
    """
    if key in st.session_state and st.session_state[key] != st.query_params.get(key, default):
        st.session_state[key] = st.session_state[key]


def keep_address(draft: Draft) -> None:
    """Let the definition travel in the address where it is not the one chosen by its name."""
    if draft.strategy is None:
        return  # the last valid one stays
    if draft.changed:
        code = as_link(draft.strategy, draft.title)
        if st.query_params.get(LINK) != code:  # writing it sends the whole address, which widgets write to as well
            st.query_params[LINK] = code
    elif LINK in st.query_params:
        del st.query_params[LINK]
    st.session_state[SENT] = st.query_params.get(LINK, "")
