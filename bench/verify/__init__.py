"""``bench verify``: a solver is run where the exact posterior is known, and marked."""
