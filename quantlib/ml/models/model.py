"""What a kind of model is: how an unfitted one is built, and what may be searched over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quantlib.errors import DataError, nearest
from quantlib.ml.targets.target import Kind


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, whole where both are; `log` spreads the search evenly over magnitudes."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    choices: tuple[Any, ...]


Build = Callable[..., Any]


@dataclass(frozen=True)
class Model:
    """A kind of model as the trainer, the search and the forms see it.

    Parameters
    ----------
    name
        Its key in `MODELS`.
    title
        Its name for people.
    description
        What it is, in a sentence.
    classifier, regressor
        Take `seed` and `n_jobs`, then parameters of the estimator by name; return an unfitted scikit-learn estimator
        that gives probabilities or numbers. None where it has none.
    space
        Parameters a search may choose, by name, each named as the estimator's own.
    baseline
        Whether it is a yardstick rather than a contender.
    """

    name: str
    title: str
    description: str
    classifier: Build | None
    regressor: Build | None
    space: Mapping[str, Between | OneOf] = field(default_factory=dict)
    baseline: bool = False

    def build(self, kind: Kind, *, seed: int, n_jobs: int = 1, **params: Any) -> Any:
        """Return an unfitted estimator for this kind of target.

        Raises
        ------
        DataError
            It cannot do this kind, or has no such parameter to set.
        """
        made = self.classifier if kind == "classification" else self.regressor
        if made is None:
            other = "regression" if kind == "classification" else "classification"
            raise DataError(f"{self.title} does {other} only; this target is one of {kind}. Take another model.")
        for name in params:
            if name not in self.space:
                raise DataError(f"{self.title} has no parameter {name!r} to set. {nearest(name, self.space)}")
        return made(seed, n_jobs, **params)
