from __future__ import annotations

import pandas as pd
import pytest
from arch.data import frenchdata

from quantlib.errors import SourceError
from quantlib.sources import french
from quantlib.sources.base import FormatError


def test_every_month_of_the_file_as_fractions():
    factors, raw = french.french_factors(), frenchdata.load()
    assert factors.columns.tolist() == ["Mkt-RF", "SMB", "HML", "RF"]
    assert factors.index.equals(pd.period_range("1926-07", "2018-11", freq="M"))
    assert (factors * 100 - raw.to_numpy()).abs().max(axis=None) < 1e-12
    assert factors.loc["1929-10", "Mkt-RF"] == pytest.approx(-0.2012, abs=1e-12)
    assert factors.loc["1987-10", "Mkt-RF"] == pytest.approx(-0.2324, abs=1e-12)


def test_what_is_given_out_can_be_changed_without_harm():
    factors = french.french_factors()
    factors.loc[:, "RF"] = 0.0
    assert french.french_factors()["RF"].ne(0.0).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [("Date,Mkt-RF,SMB,RF\n192607,1,2,3\n", "no column 'HML', only Mkt-RF, SMB, RF"), (None, "no file")],
)
def test_a_file_of_another_form_is_refused(monkeypatch, tmp_path, text, message):
    if text is not None:
        (tmp_path / "factors.csv").write_text(text)
    monkeypatch.setattr(french, "_PLACE", tmp_path / "factors.csv")
    french._table.cache_clear()
    try:
        with pytest.raises(FormatError, match=message):
            french.french_factors()
    finally:
        french._table.cache_clear()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(french, "find_spec", lambda _: None)
    french._table.cache_clear()
    with pytest.raises(SourceError, match="package arch"):
        french.french_factors()
