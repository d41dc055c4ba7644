"""A run as a notebook: cells that make the same numbers again through the same workflows."""

from __future__ import annotations

import json

from quantlib.costs import Costs
from quantlib.strategies import Strategy
from quantlib.strategies.document import to_yaml
from quantlib.types import DateLike, as_date


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
    document = to_yaml(strategy, name)
    body = f'r"""\n{document}"""' if '"""' not in document else json.dumps(document)
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


def as_notebook(cells: str) -> str:
    """Return cells as the JSON of a Jupyter notebook."""
    # Only who downloads one pays for the import; the package has no types.
    import jupytext  # type: ignore[import-untyped]  # noqa: PLC0415

    book = jupytext.reads(cells, fmt="py:percent")
    book.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return str(jupytext.writes(book, fmt="ipynb"))
