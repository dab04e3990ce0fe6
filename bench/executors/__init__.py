"""Where cells are solved when not by workers of this machine: Parsl sites behind the seam ``bench.engine.Engine``.

``order`` is what travels, ``remote`` runs on the workers' side, ``site`` and ``parsl_engine`` on that of the run.
Parsl itself is imported only when a run asks for it.
"""
