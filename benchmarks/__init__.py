"""Speeds as ratios beside a peer that does the same work in the same run: `python -m benchmarks`."""
