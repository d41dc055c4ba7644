"""What a training is asked for, checked at the door: everything that makes a model this one and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import pandas as pd

from quantlib.errors import DataError, nearest
from quantlib.ml import SCHEMES, Examples, PurgedKFold, build_examples
from quantlib.ml.calibrated import Method
from quantlib.ml.features import USUAL, groups_of
from quantlib.ml.models import model_of
from quantlib.ml.schemes import Scheme
from quantlib.ml.targets import target_of
from quantlib.simulators import SIMULATORS
from quantlib.strategies import Strategy
from quantlib.types import Panel
from quantlib.validation.splits import CombinatorialSplit
from quantlib.workflows.model_inputs import split

#: How parameters are searched; each set is fitted on each fold, and on all rows.
SEARCH_SCHEME = PurgedKFold(3)
#: Sets a search may try: each is a trial, and a good deal of work.
MOST_SETS = 200
#: Targets that a person can ask for by name, and those of them that need the side of a strategy besides.
BY_NAME = ("forward_return", "direction", "triple_barrier", "meta_label", "volatility", "regime")
WITH_SIDE = ("meta_label",)
#: Groups of features that stored prices carry enough for, and the one that takes macro series.
FROM_PRICES = ("own", "indicators", "cross_section", "calendar", "worlds")
FROM_MACRO = "macro"


@dataclass(frozen=True)
class Training:
    """What to train and how; the parameters are those of `quantlib.workflows.learn.train_model`.

    Macro series bring their group of features with them.

    Raises
    ------
    DataError
        A name is unknown, a count out of range, or two of them do not go together.
    """

    model: str = "logistic"
    target: str = "direction"
    features: tuple[str, ...] = USUAL
    scheme: str | Scheme = "walk_forward"
    horizon: int = 5
    every: int | None = None
    tune: int = 0
    worlds: str | None = None
    calibrate: Method | None = None
    macro: tuple[str, ...] = ()
    side: str | Strategy | None = None

    def __post_init__(self) -> None:
        kind = target_of(self.target).kind
        if self.target not in BY_NAME:
            raise DataError(f"{target_of(self.target).title} cannot be asked for by its name. {nearest('', BY_NAME)}")
        model_of(self.model).build(kind, seed=0)
        self._check_inputs()
        if isinstance(self.scheme, str) and self.scheme not in SCHEMES:
            raise DataError(f"There is no scheme {self.scheme!r}. {nearest(self.scheme, SCHEMES)}")
        _whole("horizon", self.horizon, 1, 252)
        _whole("tune", self.tune, 0, MOST_SETS)
        if self.every is not None:
            _whole("every", self.every, 1, 252)
        if self.tune and not model_of(self.model).space:
            raise DataError(f"{model_of(self.model).title} has no parameters to search. Leave tune at 0.")
        if self.worlds is not None and self.worlds not in SIMULATORS:
            raise DataError(f"There is no simulator {self.worlds!r}. {nearest(self.worlds, SIMULATORS)}")
        if self.worlds is not None and not self.cut.foretells:
            raise DataError(
                f"Worlds must be drawn from the past of each test alone, which {self.cut.name} has not. Take "
                "walk_forward."
            )
        if self.worlds is not None and self.calibrate is not None:
            raise DataError(
                "Calibration asks a model about sessions between those it learned from, and worlds drawn from the "
                "sessions on both sides would know them. Leave calibrate or worlds out."
            )
        if self.calibrate is not None and self.calibrate not in get_args(Method):
            raise DataError(f"There is no calibration {self.calibrate!r}. {nearest(self.calibrate, get_args(Method))}")
        if self.calibrate is not None and kind != "classification":
            raise DataError(
                f"Only probabilities can be calibrated; {target_of(self.target).title} is a number. Leave it out."
            )

    def _check_inputs(self) -> None:
        """Refuse features and sides that lack what they are made of, and what is missing in worlds."""
        object.__setattr__(self, "macro", tuple(sorted({name.strip() for name in self.macro} - {""})))
        if self.macro and FROM_MACRO not in self.features:
            object.__setattr__(self, "features", (*self.features, FROM_MACRO))
        groups_of(self.features)
        for group in (group for group in self.features if group not in {*FROM_PRICES, FROM_MACRO}):
            raise DataError(
                f"Feature group {group!r} reads what stored panels do not carry. Accepted here: "
                f"{', '.join((*FROM_PRICES, FROM_MACRO))}."
            )
        if FROM_MACRO in self.features and not self.macro:
            raise DataError(
                "Feature group 'macro' needs a macro series or more. Name them, as in macro=('CPIAUCSL',) or "
                "`--macro CPIAUCSL,VIXCLS`."
            )
        title = target_of(self.target).title
        if self.target in WITH_SIDE and not self.side:
            raise DataError(
                f"{title} needs the side of a strategy. Name one that is saved or ready, as in "
                "side='Coke against Pepsi' or `--side \"Coke against Pepsi\"`."
            )
        if self.side is not None and self.target not in WITH_SIDE:
            raise DataError(f"{title} takes no side. Leave it out, or take the target {' or '.join(WITH_SIDE)}.")
        if self.worlds is not None and (self.macro or self.side is not None):
            what = "macro series" if self.macro else "strategy's side"
            raise DataError(f"Simulated worlds know no {what}. Leave worlds out, or the {what}.")

    @classmethod
    def checked(cls, **settings: Any) -> Training:
        """Return it from settings as they come from a form or a command line: sequences, and nothing for the usual."""
        given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
        for name in ("features", "macro"):
            if name in given:
                given[name] = tuple(given[name])
        return cls(**given)

    @property
    def cut(self) -> Scheme:
        """How history is cut."""
        return SCHEMES[self.scheme]() if isinstance(self.scheme, str) else self.scheme

    @property
    def searched(self) -> dict[str, Any]:
        """What makes a set of a search this one, besides its parameters."""
        record = self.record
        return {key: record[key] for key in record if key not in {"tune", "worlds", "calibrate"}}

    @property
    def record(self) -> dict[str, Any]:
        """Everything that was asked for, as plain values."""
        cut: Mapping[str, Any] = asdict(self.cut)  # type: ignore[call-overload]  # schemes are dataclasses
        return {
            "model": self.model,
            "target": self.target,
            "features": list(self.features),
            "scheme": self.cut.name,
            **{f"scheme_{key}": value for key, value in cut.items()},
            "horizon": self.horizon,
            "every": self.every,
            "tune": self.tune,
            "worlds": self.worlds,
            "calibrate": self.calibrate,
            **self.named,
        }

    @property
    def named(self) -> dict[str, str]:
        """The macro series and the definition whose side it is, where there are any."""
        side = self.side.id if isinstance(self.side, Strategy) else self.side
        return {
            **({"macro": ", ".join(self.macro)} if self.macro else {}),
            **({"side": side} if side is not None else {}),
        }

    def examples(self, panel: Panel) -> Examples:
        """Return what there is to learn from on a panel with the macro series and the side as extras."""
        bare, side = split(panel)
        more: dict[str, Any] = {} if side is None else {"side": pd.DataFrame(side, panel.index, list(panel.symbols))}
        made = build_examples(bare, self.target, features=self.features, horizon=self.horizon, **more)
        return replace(made, params={**made.params, **self.named})

    def folds(self, examples: Examples) -> list[CombinatorialSplit]:
        """Return the folds of examples."""
        return self.cut.folds(examples.known.settled)

    def to_search(self, examples: Examples) -> Examples:
        """Return the examples that parameters are searched on: those known before the first test where tests follow."""
        if not self.cut.foretells:
            return examples
        first = self.folds(examples)[0].tests[0]
        ts = examples.known.features.index.get_level_values("ts").to_numpy()
        before = int(examples.sessions.searchsorted(pd.Timestamp(ts[first].min()))) - 1
        return examples.until(pd.Timestamp(examples.sessions.to_numpy()[before]))


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DataError(f"{name} is {value!r}; accepted: a whole number from {low} to {high}.")
