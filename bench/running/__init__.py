"""Cells become outcomes: the runner, its workers here and on a cluster, tuning, forecasts, merging."""
