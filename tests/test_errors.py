"""The error tree and the closing words of its messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantlib import errors
from quantlib.errors import ConfigError, DataError, OrderError, QuantError, SourceError, StrategyError, nearest


@pytest.mark.parametrize("kind", [ConfigError, DataError, OrderError, SourceError, StrategyError])
def test_every_kind_is_caught_as_the_common_one_and_no_other(kind: type[QuantError]) -> None:
    with pytest.raises(QuantError, match=r"^what is wrong$") as caught:
        raise kind("what is wrong")
    assert type(caught.value) is kind
    assert not isinstance(caught.value, ValueError | KeyError | OSError)


def test_there_is_no_kind_outside_the_tree() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(classes) == 6
    assert all(issubclass(one, QuantError) for one in classes)


@pytest.mark.parametrize(
    ("name", "accepted", "expected"),
    [
        ("APPL", ["AAPL", "MSFT"], "Did you mean AAPL?"),
        ("appl", ["AAPL", "MSFT"], "Did you mean AAPL?"),
        ("close ", ["open", "Close"], "Did you mean Close?"),
        ("sharpe", {"sharpe_ratio": 1, "sortino_ratio": 2}, "Did you mean sharpe_ratio?"),
        ("XYZ", ["MSFT", "AAPL"], "Accepted: AAPL, MSFT."),
        ("XYZ", [], "There are none yet."),
        ("", ["AAPL"], "Accepted: AAPL."),
        ("zz", (c for c in "abcdefghij"), "Accepted: a, b, c, d, e, f, g, h and 2 more."),
    ],
)
def test_nearest_names_the_way_out(name: str, accepted: list[str], expected: str) -> None:
    assert nearest(name, accepted) == expected


def test_nearest_lists_as_many_as_asked() -> None:
    assert nearest("zz", ["a", "b", "c"], limit=2) == "Accepted: a, b and 1 more."
    assert nearest("zz", ["a", "b", "c"], limit=3) == "Accepted: a, b, c."


NAMES = st.text("ABCDEFGHIJ._-", min_size=1, max_size=8)


@given(name=NAMES, accepted=st.lists(NAMES, unique=True, max_size=20))
def test_nearest_only_names_what_is_accepted(name: str, accepted: list[str]) -> None:
    words = nearest(name, accepted)
    if words.startswith("Did you mean "):
        assert words.removeprefix("Did you mean ").removesuffix("?") in accepted
    elif accepted:
        listed = words.removeprefix("Accepted: ").removesuffix(".").split(" and ")[0].split(", ")
        assert set(listed) <= set(accepted)
    else:
        assert words == "There are none yet."


@given(accepted=st.lists(NAMES, unique=True, min_size=1, max_size=20), data=st.data())
def test_nearest_finds_a_name_written_in_the_wrong_case(accepted: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(accepted))
    assert nearest(name.lower(), accepted) == f"Did you mean {name}?"
