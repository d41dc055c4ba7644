"""What a group's definition accepts, fills in and refuses, and that it is the same wherever it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from quantlib.errors import StrategyError
from quantlib.risk import Stops
from quantlib.strategies import Group, MACross, Pair, build
from quantlib.strategies.fitting import check_symbols
from quantlib.strategies.legs import METHODS, Hedge, Leg, VolatilityTarget
from quantlib.strategies.timing import TIMINGS, Band, Hold, Rank, Rules

THREE = ["XOM", "CVX", "KO"]
WITH_DURATION = [{"symbol": s, "duration": d} for s, d in (("SHY", 1.9), ("IEF", 7.5), ("TLT", 17.0))]
LEGS: dict[str, list[str]] = {
    "outright": ["KO"],
    "pair": ["KO", "PEP"],
    "fly": THREE,
    "switch": ["KO", "PEP"],
    "basket": THREE,
    "rotation": THREE,
}


@pytest.mark.parametrize(
    ("kind", "weights", "method", "timing", "direction"),
    [
        ("outright", [1], "fixed", "hold", "both"),
        ("pair", [1, -1], "ols", "band", "both"),
        ("fly", [1, -2, 1], "fixed", "band", "both"),
        ("switch", [-1, 1], "dollar_neutral", "band", "long"),
        ("basket", [1, 1, 1], "fixed", "hold", "both"),
        ("rotation", [1, 1, 1], "fixed", "rank", "both"),
    ],
)
def test_what_is_left_out_is_what_is_usual(
    kind: str, weights: list[float], method: str, timing: str, direction: str
) -> None:
    group = build("group", {"kind": kind, "legs": LEGS[kind]})
    assert isinstance(group, Group)
    assert [leg.weight for leg in group.legs] == weights
    assert (group.hedge.method, group.timing.kind, group.direction) == (method, timing, direction)
    assert group.linked == (kind in {"pair", "fly", "switch"})
    with_window = build("group", {"kind": kind, "legs": LEGS[kind], "hedge": {"lookback": 60}})
    assert isinstance(with_window, Group)
    assert with_window.hedge == Hedge(method=method, lookback=60)


def test_it_is_the_same_as_yaml_json_and_python() -> None:
    text = """
    kind: fly
    legs: [XOM, {symbol: CVX, weight: -2}, KO]
    hedge: {method: fixed}
    timing: {kind: rules, long: z<-2 and VIX.close<30, exit_long: z > 0}
    stops: {loss: 0.05, reentry: 10}
    volatility_target: {annual: 0.1}
    """
    group = build("group", yaml.safe_load(text))
    again = Group(
        kind="fly",
        legs=(Leg(symbol="XOM"), Leg(symbol="CVX"), Leg(symbol="KO", weight=1)),
        hedge=Hedge(method="fixed"),
        timing=Rules(long="z < -2 and VIX.close < 30", exit_long="z > 0"),
        stops=Stops(loss=0.05, reentry=10),
        volatility_target=VolatilityTarget(annual=0.1),
    )
    assert group == again
    assert group.id == again.id
    assert build("group", json.loads(group.model_dump_json())) == group
    assert Group(**group.model_dump()) == group
    assert group.id != again.model_copy(update={"capital": 0.5}).id
    assert group.risk == Stops(loss=0.05, reentry=10)
    assert group.inputs == ("XOM", "CVX", "KO", "VIX")
    assert group.symbols == ("XOM", "CVX", "KO")


def test_the_extras_are_those_of_its_conditions() -> None:
    rules = Rules(
        long='macro("RATE") > 2 and KO.model("up") > 0.5', exit_long='macro("RATE") < 1 or SPY.model("it") > 1'
    )
    group = Group(kind="pair", legs=("KO", "PEP"), timing=rules)
    assert group.extras == ("macro: RATE", "model: up", "model: it")
    assert group.inputs == ("KO", "PEP", "SPY")
    assert build("group", json.loads(group.model_dump_json())).id == group.id
    assert Group(legs=("KO", "PEP")).extras == ()


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_and_timing_that_fits_is_accepted_and_no_other(kind: str) -> None:
    timings = {"band": Band(), "hold": Hold(), "rank": Rank(), "rules": Rules(long="KO.close > 50")}
    legs = [{"symbol": s, "duration": 5.0} for s in LEGS[kind]]
    if "dollar_neutral" in METHODS[kind] and kind == "basket":
        legs[0]["weight"] = -1.0
    for method in ("fixed", "dollar_neutral", "ols", "tls", "kalman", "beta", "volatility", "pca", "dv01"):
        params = {"kind": kind, "legs": legs, "hedge": {"method": method}}
        if method in METHODS[kind]:
            build("group", params)
        else:
            with pytest.raises(
                StrategyError, match=rf"hedge\.method is {method}, which does not fit an? {kind}; accepted: "
            ):
                build("group", params)
    for timing in timings.values():
        params = {"kind": kind, "legs": LEGS[kind], "timing": timing.model_dump()}
        if timing.kind in TIMINGS[kind]:
            build("group", params)
        else:
            with pytest.raises(StrategyError, match=rf"timing\.kind is {timing.kind}, which does not fit an? {kind}"):
                build("group", params)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"legs": ["KO", "KO"]}, r"^Group: legs\.1 is KO, which is legs\.0 already"),
    ({"legs": ["KO", {"symbol": "PEP", "weight": 0}]}, r"legs\.1\.weight is zero, .* \(got 0\)"),
    ({"legs": ["KO", {"symbol": "PEP", "weight": "two"}]}, r"legs\.1\.weight .*number.*\(got 'two'\)"),
    ({"legs": ["KO", {"symbol": "PEP", "wieght": 2}]}, r"legs\.1\.wieght is not a parameter. Did you mean weight\?"),
    ({"legs": ["KO"]}, r"legs has 1; a pair has 2"),
    ({"legs": ["KO", "PEP", "XOM"]}, r"legs has 3; a pair has 2"),
    ({"kind": "fly", "legs": ["KO", "PEP"]}, r"legs has 2; a fly has 3"),
    ({"kind": "outright", "legs": []}, r"legs has 0; an outright has 1"),
    ({"kind": "basket", "legs": ["KO"]}, r"legs has 1; a basket has 2 to 500"),
    ({"legs": ["KO", {"symbol": "PEP", "weight": 1}]}, r"weights 1, 1, of one sign"),
    ({"kind": "switch", "legs": [{"symbol": "KO", "weight": 1}, {"symbol": "PEP", "weight": -1}]}, "out of its first"),
    ({"kind": "fly", "legs": [{"symbol": s, "weight": 1} for s in THREE]}, r"weights 1, 1, 1; the wings of a fly"),
    ({"kind": "rotation", "legs": ["KO", {"symbol": "PEP", "weight": -1}]}, "ranks its legs"),
    ({"legs": ["KO", {"symbol": "PEP", "weight": -2}]}, r"legs\.1\.weight is -2, but ols finds the ratio itself"),
    ({"kind": "par"}, r"kind should be 'outright', .* \(got 'par'\)"),
    ({"timing": {"kind": "band", "entry": 0.5, "exit": 0.5}}, r"timing\.exit \(0.5\) must be below entry \(0.5\)"),
    ({"timing": {"kind": "band", "entry": 1, "exit": 2}}, r"^Group: timing\.exit \(2\) must be below entry \(1\)"),
    ({"timing": {"kind": "bnd"}}, r"timing\.kind has no choice 'bnd'. Did you mean band\?"),
    ({"timing": {"kind": "band", "enter": 2}}, r"timing\.enter is not a parameter. Did you mean entry\?"),
    ({"timing": {"kind": "rules", "long": "z <"}}, r"timing\.long cannot be read[^\n]*\n[^\n]*\n    z <\n       \^$"),
    (
        {"timing": {"kind": "rules", "long": "smaa(KO.close, 3) > 1"}},
        r"(?s)timing\.long cannot be read.*Did you mean sma",
    ),
    ({"timing": {"kind": "rules", "long": "KO.close"}}, r"(?s)timing\.long .*a condition is needed"),
    ({"timing": {"kind": "rules"}}, "there is no entry"),
    ({"timing": {"kind": "rules", "long": "z < 1", "exit_short": "z > 0"}}, "exit_short is given without short"),
    (
        {"timing": {"kind": "rules", "long": "close > 1"}},
        r"timing\.long reads a field or model without a sym.*KO\.close",
    ),
    (
        {"timing": {"kind": "rules", "long": 'model("up") > 0.5'}},
        r'timing\.long reads a field or model without a symbol.*, as in KO\.model\("up"\)',
    ),
    ({"timing": {"kind": "rules", "long": "z > 1"}, "direction": "short"}, r"timing\.short is missing"),
    ({"timing": {"kind": "rules", "long": "z > 1", "short": "z < 1"}, "direction": "long"}, r"timing\.short is given"),
    (
        {"kind": "basket", "legs": THREE, "timing": {"kind": "rules", "long": "hedge_ratio > 1"}},
        "does not have; accepted",
    ),
    ({"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "by": "z"}}, "timing.by reads z"),
    ({"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "by": "KO.close"}}, "one number for all legs"),
    (
        {"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "by": "close > 1"}},
        r"(?s)timing\.by.*a number is",
    ),
    ({"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "top": 2, "bottom": 2}}, "are 2 and 2, of 3 legs"),
    ({"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "top": 0}}, "both 0"),
    ({"kind": "rotation", "legs": THREE, "min_hold": 3}, r"min_hold is 3, but timing\.every \(monthly\)"),
    ({"kind": "basket", "legs": THREE, "direction": "short"}, "direction is short, but the signs"),
    ({"kind": "basket", "legs": THREE, "hedge": {"rehedge": "daily"}}, r"hedge\.rehedge is daily, but timing\.every"),
    ({"kind": "basket", "legs": THREE, "stops": {"spread_z": 3}}, r"stops\.spread_z is 3, but"),
    ({"kind": "basket", "legs": THREE, "hedge": {"method": "dollar_neutral"}}, "needs weights of both signs"),
    ({"stops": {"spread_z": 2}}, r"stops\.spread_z \(2\) must be above timing\.entry \(2\)"),
    ({"stops": {"watch": "intrabar", "loss": 0.1}}, r"stops\.watch is intrabar, which needs one leg"),
    ({"stops": {"los": 0.1}}, r"stops\.los is not a parameter. Did you mean loss\?"),
    ({"min_hold": 21, "stops": {"time": 20}}, r"min_hold \(21\) must not be above stops\.time \(20\)"),
    ({"capital": 0}, r"capital should be greater than 0 \(got 0\)"),
    ({"capital": float("nan")}, r"capital .*got nan"),
    ({"kind": "fly", "legs": THREE, "hedge": {"method": "dv01"}}, r"legs\.0\.duration is missing"),
    ({"hedge": {"method": "dv01"}, "legs": [WITH_DURATION[0], "PEP"]}, r"legs\.1\.duration is missing"),
    (
        {
            "kind": "fly",
            "legs": [{**leg, "weight": w} for leg, w in zip(WITH_DURATION, (1, -3, 1), strict=True)],
            "hedge": {"method": "dv01"},
        },
        "add up to -1; shares of DV01",
    ),
    ({"hedge": {"method": "pca"}}, r"hedge\.method is pca, which does not fit a pair; accepted: fixed, dollar_neutral"),
    ({"hedge": {"method": "olss"}}, r"hedge\.method should be .*\(got 'olss'\)"),
    ({"hedge": {"lookback": 2}}, r"hedge\.lookback should be greater than or equal to 5 \(got 2\)"),
    ({"schema_version": 2}, r"schema_version should be 1 \(got 2\)"),
]


@pytest.mark.parametrize(("params", "message"), REFUSED)
def test_a_bad_definition_is_refused_with_the_place(params: dict[str, Any], message: str) -> None:
    with pytest.raises(StrategyError, match=message) as refused:
        build("group", params)
    assert str(refused.value).startswith("Group: ")
    if "cannot be read" not in str(refused.value):
        assert "\n" not in str(refused.value)


def test_symbols_are_checked_against_those_that_are_known() -> None:
    group = Group(timing=Rules(long="z < -2 and SPYY.close > 1"))
    check_symbols(group, ["KO", "PEP", "SPYY"])
    with pytest.raises(StrategyError, match=r"legs\.1\.symbol is 'PEP', which is not known. Did you mean PEPP\?"):
        check_symbols(group, ["KO", "PEPP", "SPYY"])
    with pytest.raises(StrategyError, match=r"timing\.long reads 'SPYY', which is not known. Did you mean SPY\?"):
        check_symbols(group, ["KO", "PEP", "SPY"])
    check_symbols(Pair(y="KO", x="PEP"), ["KO", "PEP"])
    with pytest.raises(StrategyError, match=r"^x is 'PEP', which is not known. Accepted: KO\."):
        check_symbols(Pair(y="KO", x="PEP"), ["KO"])
    with pytest.raises(StrategyError, match=r"^universe\.1 is 'MSTF', which is not known. Did you mean MSFT\?"):
        check_symbols(MACross(universe=("KO", "MSTF")), ["KO", "MSFT"])


@pytest.mark.parametrize(
    ("params", "warmup"),
    [
        ({}, 252),
        ({"hedge": {"method": "beta", "lookback": 300}}, 301),
        ({"hedge": {"method": "fixed", "lookback": 300}, "timing": {"kind": "band", "lookback": 60}}, 60),
        ({"timing": {"kind": "rules", "long": "lag(z, 10) < -1"}, "hedge": {"lookback": 100}}, 110),
        ({"timing": {"kind": "rules", "long": "lag(z, 10) < -1"}, "hedge": {"method": "fixed", "lookback": 100}}, 110),
        ({"timing": {"kind": "rules", "long": "sma(KO.close, 200) > 1"}, "hedge": {"method": "fixed"}}, 200),
        ({"kind": "basket", "legs": THREE, "volatility_target": {"lookback": 40}}, 41),
        ({"kind": "basket", "legs": THREE}, 1),
        ({"kind": "rotation", "legs": THREE, "timing": {"kind": "rank", "by": "lag(close, 21)"}}, 22),
    ],
)
def test_warm_up_is_the_longest_of_its_windows(params: dict[str, Any], warmup: int) -> None:
    assert build("group", params).warmup == warmup


def test_conditions_that_say_the_same_are_the_same() -> None:
    one, other = (
        Group(timing=Rules(long=text)) for text in ("(z<-2) and rsi(KO.close)<30", "z < -2 and rsi(KO.close, 14) < 30")
    )
    assert one.id == other.id
