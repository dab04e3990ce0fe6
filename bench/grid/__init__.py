"""grid.yaml becomes cells: read and checked, expanded to variants, planned, each cell with its key."""
