"""The regression gate: a run against a committed baseline, cell by cell on the same measurements.

``sides`` reads the two, ``pairing`` puts their cells together, ``tolerances`` and ``decide`` say which groups became
worse, ``verdict`` what follows from that. Nothing here imports torch.
"""
