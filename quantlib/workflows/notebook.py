"""A run as a notebook: cells that make the same numbers again through the same workflows."""

from __future__ import annotations

import json

from quantlib.costs import Costs
from quantlib.strategies import Strategy
from quantlib.strategies.document import to_yaml
from quantlib.types import DateLike, as_date
from quantlib.workflows.worlds import Asked


def notebook_cells(strategy: Strategy, name: str, costs: Costs | None = None, start: DateLike | None = None) -> str:
    """Return a run as Python in cells (jupytext's percent format), which prints the numbers of the page.

    Parameters
    ----------
    strategy, name
        What was run, and a name that a document may have.
    costs, start
        As in `try_strategy`.

    Raises
    ------
    StrategyError
        The strategy is a class of its own in a Python file, or the name has signs that it must not have.
    """
    body = _as_text(to_yaml(strategy, name))
    terms = "" if costs is None else f", Costs({', '.join(f'{k}={v!r}' for k, v in costs.model_dump().items())})"
    since = "" if start is None else f', start="{as_date(start):%Y-%m-%d}"'
    return f"""# %% [markdown]
# # {name}
#
# The definition as a document; change it here and run the cells again. Every run is stored, logged and counted.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

from quantlib.charts import PLOTLY_CONFIG
from quantlib.costs import Costs
from quantlib.strategies.document import from_yaml
from quantlib.workflows.lab import try_strategy
from quantlib.workflows.session import open_session

name, definition = from_yaml({body})

# %%
session = open_session()
trial = try_strategy(session, definition.strategy, name{terms}{since})
print(trial.run.verdict.sentence)
trial.run.metrics

# %%
trial.sheet.growth().show(config=PLOTLY_CONFIG)

# %%
trial.run.result.group_trades
"""


def validation_cells(strategy: Strategy, name: str, *, opened: bool = False) -> str:
    """Return a validation as Python in cells, which makes the verdict of the page again.

    Parameters
    ----------
    opened
        Whether the hold-out is used; that is counted.

    Raises
    ------
    StrategyError
        As in `notebook_cells`.
    """
    body = _as_text(to_yaml(strategy, name))
    used = ", open_holdout=True" if opened else ""
    return f"""# %% [markdown]
# # {name}: is the edge real?
#
# Asked again with nothing else tried in between, the verdict is found; otherwise it takes a minute.

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import pandas as pd

from quantlib.charts import PLOTLY_CONFIG
from quantlib.reports.verdict_figures import verdict_figures
from quantlib.strategies.document import from_yaml
from quantlib.workflows.session import open_session
from quantlib.workflows.validating import validate_strategy

name, definition = from_yaml({body})

# %%
session = open_session()
card = validate_strategy(session, definition.strategy, name=name{used}).card
print(card.sentence)
pd.DataFrame([check.model_dump() for check in card.checks]).set_index("key")

# %%
for figure in verdict_figures(card).values():
    figure.show(config=PLOTLY_CONFIG)
"""


def worlds_cells(asked: Asked) -> str:
    """Return worlds of a price or a strategy as Python in cells, which makes the numbers of the page again.

    Raises
    ------
    StrategyError
        The strategy is a class of its own in a Python file.
    """
    simulator, extent, strategy = asked.simulators[0], asked.extent, asked.strategy
    fields = ", ".join(f"{name}={value!r}" for name, value in simulator.model_dump(exclude_defaults=True).items())
    size = f"n={extent.worlds}, horizon={extent.horizon}, seed={extent.seed}"
    head = f"""# %% [markdown]
# # {asked.name} in the worlds of {simulator.title}

# %%
import os

os.environ.setdefault("PLOTLY_RENDERER", "plotly_mimetype+notebook")  # charts survive an export to HTML, too

import numpy as np
import pandas as pd

from quantlib.charts import PLOTLY_CONFIG, fan_chart
from quantlib.simulators import SIMULATORS
from quantlib.workflows.grading import grade_of
from quantlib.workflows.research import shared_panel, simulate_strategy
from quantlib.workflows.session import open_session

session = open_session()
simulator = SIMULATORS["{simulator.name}"]({fields})
"""
    if strategy is None:
        return f"""{head}panel = shared_panel(session, ["{asked.name}"])
closes = simulator.closes(panel, {size})[:, :, 0]
paths = np.column_stack([np.ones(len(closes)), closes / panel.close[-1, 0]])
dates = panel.index[-1:].append(panel.next_sessions({extent.horizon}))
history = panel.frame("close")["{asked.name}"]
print(grade_of(session, simulator, panel).sentence)
pd.Series(paths[:, -1] - 1.0).describe()

# %%
pd.DataFrame(simulator.calibrate(panel).estimates())

# %%
fan_chart(history, paths, dates, what="Price of {asked.name}", simulator=simulator.title).show(config=PLOTLY_CONFIG)
"""
    return f"""{head}
from quantlib.strategies.document import from_yaml

name, definition = from_yaml({_as_text(to_yaml(strategy, asked.name))})
worlds = simulate_strategy(session, definition.strategy, simulator, name=name, {size})
panel = shared_panel(session, definition.strategy.inputs)
print(grade_of(session, simulator, panel).sentence)
pd.Series(worlds.returns).describe()

# %%
pd.DataFrame(simulator.calibrate(panel).estimates())

# %%
start = pd.Series([1.0], worlds.dates[:1])
fan_chart(start, worlds.paths, worlds.dates, what="Account", simulator=simulator.title).show(config=PLOTLY_CONFIG)
"""


def _as_text(document: str) -> str:
    """Return a document as a literal of Python that reads well."""
    return f'r"""\n{document}"""' if '"""' not in document else json.dumps(document)


def as_notebook(cells: str) -> str:
    """Return cells as the JSON of a Jupyter notebook."""
    # Only who downloads one pays for the import; the package has no types.
    import jupytext  # type: ignore[import-untyped]  # noqa: PLC0415

    book = jupytext.reads(cells, fmt="py:percent")
    book.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return str(jupytext.writes(book, fmt="ipynb"))
