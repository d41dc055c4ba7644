"""What holds for every source in the registry."""

from __future__ import annotations

import pytest

from quantlib.sources import SOURCES
from quantlib.sources.base import FormatError, Payload, Source


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_describes_itself(name: str) -> None:
    source = SOURCES[name]
    assert isinstance(source, Source)
    assert source.name == name
    assert source.title
    assert source.note.endswith(".")
    assert "bars" in source.kinds
    assert bool(source.series) == ("macro" in source.kinds)
    assert all(series.name and series.title and series.unit for series in source.series)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("body", ["", "<html><body>Sorry</body></html>", "{", "[]", "null", "a,b\n1,2\n"])
def test_garbage_is_named_not_read(name: str, body: str) -> None:
    with pytest.raises(FormatError, match="KO"):
        SOURCES[name].parse(Payload(name, "KO", body))


def test_a_sample_is_called_a_sample_and_dated() -> None:
    source = SOURCES["sample"]
    assert source.sample
    assert "Sample" in source.title
    last = source.parse(source.request("KO", home=None)).bars["ts"].max()  # type: ignore[arg-type]
    assert f"{last:%Y-%m-%d}" in source.title
