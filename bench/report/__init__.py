"""The report: results in, one HTML page out. Reads result folders only and never imports torch.

``bench.report.page.build`` is the door. ``load`` reads and checks, ``board`` aligns, ``tables`` and ``details`` turn
results into plain data, ``pictures`` encodes images, ``build`` renders; ``terminal`` prints a summary.
"""
