"""Tables and figures in the form of the studies whose experiments ship as grids, from any run's stored results."""
