"""Quant Workbench's shared module: the same numbers in the app, the notebooks, MLflow and the report."""

from importlib.metadata import version

__version__ = version("quant-workbench")
