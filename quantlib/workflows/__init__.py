"""Workflows: the only place where settings, database, clock, network and MLflow meet the pure rooms."""
