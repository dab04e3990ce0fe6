"""Where cells are solved when not on this machine: Parsl sites behind the seam ``bench.running.local.Engine``.

``order`` is what travels, ``remote`` runs on the workers' side, ``site`` and ``engine`` on that of the run.
Parsl itself is imported only when a run asks for it.
"""
