"""What filters and variational solvers share."""
