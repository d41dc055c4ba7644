"""`python -m quantlib.cli`, where the command `workbench` is not on the path."""

from __future__ import annotations

from quantlib.cli import main

main()
