"""What the rows of other libraries share: their operators and denoisers around ours."""
