"""Training of priors and of restoration from recipes: ``session.run``, then ``export.export``."""
