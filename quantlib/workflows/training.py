"""What a training is asked for, checked at the door: everything that makes a model this one and no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from quantlib.types import Panel
from quantlib.validation.splits import CombinatorialSplit

#: How parameters are searched; each set is fitted on each fold, and on all rows.
SEARCH_SCHEME = PurgedKFold(3)
#: Sets a search may try: each is a trial, and a good deal of work.
MOST_SETS = 200
#: Targets that a person can ask for by name; a meta-label needs the side of a strategy besides.
BY_NAME = ("forward_return", "direction", "triple_barrier", "volatility", "regime")
#: Groups of features that stored prices carry enough for.
FROM_PRICES = ("own", "indicators", "cross_section", "calendar", "worlds")


@dataclass(frozen=True)
class Training:
    """What to train and how; the parameters are those of `quantlib.workflows.learn.train_model`.

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

    def __post_init__(self) -> None:
        kind = target_of(self.target).kind
        if self.target not in BY_NAME:
            raise DataError(
                f"{target_of(self.target).title} needs the side of a strategy, which has no name here; see notebook "
                f"10. Accepted: {', '.join(BY_NAME)}."
            )
        model_of(self.model).build(kind, seed=0)
        groups_of(self.features)
        for group in (group for group in self.features if group not in FROM_PRICES):
            raise DataError(
                f"Feature group {group!r} reads what a panel carries besides prices, and stored panels carry nothing "
                f"besides. Accepted here: {', '.join(FROM_PRICES)}."
            )
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
        if self.calibrate is not None and self.calibrate not in get_args(Method):
            raise DataError(f"There is no calibration {self.calibrate!r}. {nearest(self.calibrate, get_args(Method))}")
        if self.calibrate is not None and kind != "classification":
            raise DataError(
                f"Only probabilities can be calibrated; {target_of(self.target).title} is a number. Leave it out."
            )

    @classmethod
    def checked(cls, **settings: Any) -> Training:
        """Return it from settings as they come from a form or a command line: sequences, and nothing for the usual."""
        given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
        if "features" in given:
            given["features"] = tuple(given["features"])
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
        }

    def examples(self, panel: Panel) -> Examples:
        """Return what there is to learn from on a panel."""
        return build_examples(panel, self.target, features=self.features, horizon=self.horizon)

    def folds(self, examples: Examples) -> list[CombinatorialSplit]:
        """Return the folds of examples."""
        return self.cut.folds(examples.known.labels["label_end"])

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
